/** Time-outs and signals of single calls, with servers of the tests' own that answer when told to. */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import type { CallOptions, OrmucoCacheClient } from "../../mod.ts";
import { writeControl } from "../../lib/wire/control.ts";
import { type FrameWriter, REPLY, REQUEST, STOPPING } from "../../lib/wire/frame.ts";
import { FLAGS } from "../../lib/wire/values.ts";
import { type Answer, FakeServer } from "../support/fake_server.ts";
import { run } from "../support/processes.ts";
import { PATIENT_MS, reportingClient } from "../support/servers.ts";
import { turn, until } from "../support/waiting.ts";

/** For calls that must time out. */
const HASTY_MS = 50;

const PATIENT: CallOptions = { timeoutMs: PATIENT_MS };
const NO_FAILURES = { unreachable: 0, timeout: 0, refused: 0, protocol: 0, busy: 0, compute: 0 };

function writeText(output: FrameWriter, text: string): void {
  output.begin(REPLY.value);
  output.uint32(FLAGS.text);
  output.text(text);
  output.end();
}

/** A server that does not answer a `GET`; before it answers a `HAS`, it answers all of them. */
function holdingServer(): FakeServer & { readonly held: number } {
  let held = 0;
  const answer: Answer = (code, output) => {
    if (code === REQUEST.get) return void held++;
    for (; held > 0; held--) writeText(output, "late");
    if (code === REQUEST.stats) writeControl(output, REPLY.data, {});
    else output.empty(REPLY.ok);
  };
  return Object.defineProperty(new FakeServer(answer), "held", { get: () => held }) as FakeServer & { held: number };
}

Deno.test("a call with a time-out of its own fails then, and others on its connection go on", async () => {
  await using server = holdingServer();
  const { client, errors } = reportingClient([server.address]);
  await using cache = client;
  assertEquals(await cache.retrieve("k", { timeoutMs: 20 }), undefined);
  assertMatch(errors[0].message, /^Cannot use server 127\.0\.0\.1:\d+: no (reply|greeting) within 20 ms/);
  assertEquals([await cache.has("k"), await cache.has("k")], [true, true]);
  const { failures, misses } = await cache.stats();
  assertEquals([failures, misses], [{ ...NO_FAILURES, timeout: 1 }, 1]);
  assertEquals([server.connections, errors.length], [1, 1]);
});

Deno.test("a call with a time-out of its own fails then while a client connects, which goes on", async () => {
  await using server = new FakeServer(() => {}, { greets: false });
  const { client, errors } = reportingClient([server.address]);
  assertEquals(await client.has("k", { timeoutMs: 20 }), false);
  assertMatch(errors[0].message, /no greeting within 20 ms/);
  assertEquals([await client.has("k", { timeoutMs: 20 }), server.connections], [false, 1]);
  server.cut();
  await client.close();
});

Deno.test("a call with more time than others is waited for, while these leave its server, which does not answer them", async () => {
  await using hung = new FakeServer(() => {});
  await using other = new FakeServer((_, output) => output.empty(REPLY.ok));
  const { client, errors } = reportingClient([hung.address, other.address], { timeoutMs: HASTY_MS });
  await using cache = client;
  const patient = cache.retrieve("slow", PATIENT);
  const short = cache.retrieve("k", { timeoutMs: PATIENT_MS / 1e9 });
  assertEquals(await Promise.all([cache.has("k"), short]), [false, undefined]);
  assert(errors.every(({ code }) => code === "timeout"));
  await until("the other one is asked", () => cache.has("k"));
  await hung.say((output) => {
    writeText(output, "at last");
    writeText(output, "in vain");
    output.empty(REPLY.ok);
  });
  assertEquals(await patient, "at last");
  assertEquals([hung.connections, other.connections], [1, 1]);
});

Deno.test("what is left to a server that does not answer fails at its own time, or when the connection is lost", async () => {
  await using hung = new FakeServer(() => {});
  await using other = new FakeServer((_, output) => output.empty(REPLY.ok));
  const { client, errors } = reportingClient([hung.address, other.address], { timeoutMs: HASTY_MS });
  await using cache = client;
  const late = cache.retrieve("late", { timeoutMs: 3 * HASTY_MS });
  const lost = cache.retrieve("lost", PATIENT);
  assertEquals(await cache.has("k"), false);
  assertEquals(await late, undefined);
  assertMatch(errors.at(-1)!.message, new RegExp(`^Cannot use server ${hung.address}: no reply within 150 ms`));
  hung.cut();
  assertEquals(await lost, undefined);
  assertMatch(errors.at(-1)!.message, new RegExp(`^Cannot use server ${hung.address}: the connection was lost`));
  await until("the other one is asked", () => cache.has("k"));
});

Deno.test("a server that is silent is left, though all calls have more time than usual", async () => {
  await using hung = new FakeServer(() => {});
  await using other = new FakeServer((_, output) => output.empty(REPLY.ok));
  const { client } = reportingClient([hung.address, other.address], { timeoutMs: HASTY_MS });
  await using cache = client;
  await until("the other one is asked", () => cache.has("k", { timeoutMs: 2 * HASTY_MS }));
});

Deno.test("a server that trickles is left, though all calls have more time than usual", async () => {
  await using server = new FakeServer((_, output) => output.uint8(0));
  const { client } = reportingClient([server.address], { timeoutMs: 10 });
  await using cache = client;
  await until("it has connected again", async () => {
    await cache.has("k", { timeoutMs: HASTY_MS });
    return server.connections > 1;
  });
});

Deno.test("a call with more time than others is waited for at a server that stops, when these have failed", async () => {
  let requests = 0;
  await using stopping = new FakeServer((_, output) => {
    if (++requests === 2) output.empty(STOPPING);
  });
  const { client } = reportingClient([stopping.address], { timeoutMs: HASTY_MS });
  await using cache = client;
  const patient = cache.retrieve("slow", PATIENT);
  assertEquals(await cache.has("k"), false);
  await stopping.say((output) => {
    writeText(output, "at last");
    output.empty(REPLY.ok);
  });
  assertEquals(await patient, "at last");
});

Deno.test("close() does not wait for the time of a call that has more than others", async () => {
  await using hung = new FakeServer(() => {});
  const { client } = reportingClient([hung.address], { timeoutMs: HASTY_MS });
  const patient = client.retrieve("slow", { timeoutMs: 1e8 });
  await client.close();
  assertEquals(await patient, undefined);
});

/** Every call of a client, with options. */
const CALLS: Readonly<Record<string, (cache: OrmucoCacheClient, options: CallOptions) => Promise<unknown>>> = {
  store: (cache, options) => cache.store("k", 1, options),
  "store onlyIf": (cache, options) => cache.store("k", 1, { onlyIf: "absent", ...options }),
  "store of what is no value": (cache, options) => cache.store("k", () => {}, options),
  retrieve: (cache, options) => cache.retrieve("k", options),
  retrieveEntry: (cache, options) => cache.retrieveEntry("k", options),
  take: (cache, options) => cache.take("k", options),
  retrieveOrStore: (cache, options) => cache.retrieveOrStore("k", () => 1, options),
  retrieveMany: (cache, options) => cache.retrieveMany(["k", "l"], options),
  storeMany: (cache, options) => cache.storeMany([["k", 1]], options),
  has: (cache, options) => cache.has("k", options),
  touch: (cache, options) => cache.touch("k", undefined, options),
  increment: (cache, options) => cache.increment("k", 1, options),
  remove: (cache, options) => cache.remove("k", options),
  removeMany: (cache, options) => cache.removeMany(["k"], options),
  keys: (cache, options) => Array.fromAsync(cache.keys(options)),
  clear: (cache, options) => cache.clear(options),
  "namespace().clear": (cache, options) => cache.namespace("n").clear(options),
  ping: (cache, options) => cache.ping(options),
};

for (const [name, call] of Object.entries(CALLS)) {
  Deno.test(`${name}: a signal that is aborted rejects with its reason: before, and nothing is sent; or during, at once`, async () => {
    let requests = 0;
    await using server = new FakeServer(() => void requests++);
    for (const near of [undefined, true] as const) {
      const { client, errors } = reportingClient([server.address], { timeoutMs: 1e8, near });
      const before = await assertRejects(() => call(client, { signal: AbortSignal.abort(new Error("before")) }), Error);
      await turn();
      assertEquals([before.message, requests], ["before", 0]);
      const abort = new AbortController();
      const during = assertRejects(() => call(client, { signal: abort.signal }), Error, "during");
      await until("it is asked", () => requests > 0);
      abort.abort(new Error("during"));
      await during;
      assertEquals(errors, [], "that is no failure");
      requests = 0;
      server.cut();
      await client.close();
    }
  });

  Deno.test(`${name}: options of another name, or out of range, are refused`, async () => {
    const { client } = reportingClient(["127.0.0.1:9"]);
    await assertRejects(() => call(client, { timeout: 1 } as CallOptions), TypeError, "timeoutMs");
    await assertRejects(() => call(client, { timeoutMs: 0 }), RangeError, "timeoutMs");
    await assertRejects(() => call(client, { signal: {} as AbortSignal }), RangeError, "signal");
    await client.close();
  });
}

Deno.test("the reply to a call that was given up is passed over, and nothing is counted", async () => {
  await using server = holdingServer();
  const { client, errors } = reportingClient([server.address]);
  await using cache = client;
  const abort = new AbortController();
  const aborted = cache.retrieve("k", { signal: abort.signal }).catch((reason) => reason);
  await until("it is asked", () => server.held === 1);
  abort.abort("mine");
  assertEquals(await aborted, "mine");
  assertEquals([await cache.has("k"), await cache.has("k"), errors], [true, true, []]);
  assertEquals(server.connections, 1);
});

/** Counts the listeners of a signal. */
function listenersOf(signal: AbortSignal): { now: number; most: number } {
  const count = { now: 0, most: 0 };
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args: unknown[]) => {
    count.most = Math.max(count.most, ++count.now);
    Reflect.apply(addEventListener, signal, args);
  };
  signal.removeEventListener = (...args: unknown[]) => {
    count.now--;
    Reflect.apply(removeEventListener, signal, args);
  };
  return count;
}

Deno.test("100,000 calls with one signal leave no listener, and have one at a time", async () => {
  await using server = new FakeServer((_, output) => output.empty(REPLY.ok));
  const { client } = reportingClient([server.address]);
  await using cache = client;
  const abort = new AbortController();
  const listeners = listenersOf(abort.signal);
  for (let i = 0; i < 100; i++) {
    const calls = Array.from({ length: 1000 }, (_, j) => cache.has(`key:${j}`, { signal: abort.signal }));
    assert((await Promise.all(calls)).every((isThere) => isThere));
    assertEquals(listeners, { now: 0, most: 1 });
  }
});

Deno.test("a call that fails listens to its signal no more, and all that wait hear of one", async () => {
  await using server = new FakeServer(() => {});
  const { client } = reportingClient([server.address]);
  const abort = new AbortController();
  const listeners = listenersOf(abort.signal);
  const options = { signal: abort.signal, timeoutMs: 20 };
  assertEquals([await client.has("k", options), listeners], [false, { now: 0, most: 1 }]);
  const calls = Array.from({ length: 1000 }, () => client.has("k", { signal: abort.signal }));
  await turn();
  abort.abort("all");
  const settled = await Promise.allSettled(calls);
  assert(settled.every((call) => call.status === "rejected" && call.reason === "all"));
  const lost = client.has("k", { signal: new AbortController().signal });
  server.cut();
  assertEquals(await lost, false);
  await client.close();
});

Deno.test("calls that have been given up do not keep their process alive", async () => {
  await using server = new FakeServer(() => {});
  const ended = await run("tests/support/fixtures/give_calls_up.ts", [server.address]);
  assertEquals(ended, { status: 0, out: "undefined\naborted\n", err: "" });
});
