/** Calls of a client with servers of the tests' own: what is asked of them, and what becomes of failures. */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import type { ClientOptions, OrmucoCacheClient } from "../../mod.ts";
import { writeError } from "../../lib/wire/control.ts";
import { writeEntry } from "../../lib/wire/entry_calls.ts";
import { type FrameReader, type FrameWriter, REPLY, REQUEST } from "../../lib/wire/frame.ts";
import { writeToken } from "../../lib/wire/leases.ts";
import { COPY_MARK, writeCopy } from "../../lib/wire/near.ts";
import { FLAGS } from "../../lib/wire/values.ts";
import { FakeServer } from "../support/fake_server.ts";
import { reportingClient } from "../support/servers.ts";
import { until } from "../support/waiting.ts";

const KEPT = { marks: COPY_MARK.kept, freshMs: Infinity, ttlMs: 0 };

/** A server that says yes, gives the text "v" for a value, and counts requests by their codes. */
class Yes extends FakeServer {
  readonly codes: number[] = [];

  constructor(answers: (code: number, output: FrameWriter, request: FrameReader) => boolean = () => false) {
    super((code, output, _, request) => {
      if (code !== REQUEST.ping) this.codes.push(code); // near hits send it now and then
      if (answers(code, output, request)) return;
      if (code === REQUEST.get) writeByte(output, "v", writeCopy(output, KEPT, FLAGS.text, 1));
      else if (code === REQUEST.entry) writeByte(output, "v", writeEntry(output, ENTRY, 1));
      else if (code === REQUEST.take) writeByte(output, "v", output.value(FLAGS.text, 1));
      else if (code === REQUEST.increment) writeByte(output, "7", output.value(0, 1));
      else if (code === REQUEST.setMany || code === REQUEST.deleteMany) writeDone(output, 1);
      else if (code === REQUEST.lease) writeToken(output, { high: 1, low: 2 });
      else output.empty(REPLY.ok);
    });
  }

  /** The codes of requests since this was last called. */
  taken(): number[] {
    return this.codes.splice(0);
  }
}

const ENTRY = { version: 7, remainingMs: Infinity, flags: FLAGS.text };

/** Writes a value of one byte to where it belongs. */
function writeByte(output: FrameWriter, byte: string, at: number): void {
  output.buffer[at] = byte.charCodeAt(0);
}

function writeDone(output: FrameWriter, ...done: number[]): void {
  output.begin(REPLY.done);
  output.uint16(done.length);
  for (const state of done) output.uint8(state);
  output.end();
}

/** Calls that change the entry of "k", and their requests. */
const CHANGES: readonly [string, number, (cache: OrmucoCacheClient) => Promise<unknown>][] = [
  ["store", REQUEST.set, (cache) => cache.store("k", 1)],
  ["store onlyIf", REQUEST.setIf, (cache) => cache.store("k", 1, { onlyIf: "present" })],
  ["storeMany", REQUEST.setMany, (cache) => cache.storeMany([["k", 1]])],
  ["take", REQUEST.take, (cache) => cache.take("k")],
  ["increment", REQUEST.increment, (cache) => cache.increment("k")],
  ["remove", REQUEST.delete, (cache) => cache.remove("k")],
  ["removeMany", REQUEST.deleteMany, (cache) => cache.removeMany(["k"])],
  ["clear", REQUEST.clear, (cache) => cache.clear()],
  ["namespace().clear", REQUEST.clearPrefix, (cache) => cache.namespace("k").clear()],
];

function clientOf(server: FakeServer, options?: ClientOptions) {
  return reportingClient([server.address], options);
}

const TOUCH: (typeof CHANGES)[number] = ["touch", REQUEST.touch, (cache) => cache.touch("k", 1000)];

for (const [name, code, change] of [...CHANGES, TOUCH]) {
  Deno.test(`${name} leaves no near copy of what it changes`, async () => {
    await using server = new Yes();
    await using cache = clientOf(server, { near: true }).client;
    assertEquals([await cache.retrieve("k"), await cache.retrieve("k")], ["v", "v"]);
    assertEquals(server.taken(), [REQUEST.get], "the second is a near hit");
    await change(cache);
    assertEquals([await cache.retrieve("k"), server.taken()], ["v", [code, REQUEST.get]]);
  });

  if (name.includes("clear")) continue; // of which the server tells all
  Deno.test(`${name}: of what comes while it is under way no copy is kept`, async () => {
    await using server = new Yes();
    await using cache = clientOf(server, { near: true }).client;
    await Promise.all([cache.retrieve("k"), change(cache)]);
    server.taken();
    await cache.retrieve("k");
    assertEquals(server.taken(), [REQUEST.get]);
    await cache.retrieve("k");
    assertEquals(server.taken(), [], "and then one is");
  });
}

/** Computes the value of "k" while something else is done. Returns the requests of it. */
async function computedDuring(during: (cache: OrmucoCacheClient) => Promise<unknown>): Promise<number[]> {
  await using server = new Yes();
  await using cache = clientOf(server).client;
  const value = Promise.withResolvers<string>();
  const computing = Promise.withResolvers<void>();
  const computed = cache.retrieveOrStore("k", () => (computing.resolve(), value.promise));
  await computing.promise;
  await during(cache);
  value.resolve("computed");
  assertEquals(await computed, "computed");
  await until("it is given back or filled in", () => server.codes.length >= 3);
  return server.codes.slice(2);
}

for (const [name, , change] of CHANGES) {
  Deno.test(`${name} overtakes a computation that is under way: its value is not stored`, async () => {
    assertEquals(await computedDuring(change), [REQUEST.give]);
  });
}

Deno.test("what changes no value, or that of another key, overtakes no computation", async () => {
  const others: ((cache: OrmucoCacheClient) => Promise<unknown>)[] = [
    (cache) => cache.touch("k"),
    (cache) => cache.retrieveEntry("k"),
    (cache) => cache.has("k"),
    (cache) => cache.storeMany([["other", 1]]),
    (cache) => cache.namespace("kk").clear(),
  ];
  for (const other of others) assertEquals(await computedDuring(other), [REQUEST.fill]);
});

Deno.test("retrieveEntry() asks the server though there is a near copy, and leaves that", async () => {
  await using server = new Yes();
  await using cache = clientOf(server, { near: true }).client;
  await cache.retrieve("k");
  assertEquals(await cache.retrieveEntry("k"), { value: "v", remainingMs: Infinity, version: 7 });
  await cache.retrieve("k");
  assertEquals(server.taken(), [REQUEST.get, REQUEST.entry]);
});

Deno.test("retrieve() of a near copy rejects, too, if its signal is aborted", async () => {
  await using server = new Yes();
  await using cache = clientOf(server, { near: true }).client;
  await cache.retrieve("k");
  assertEquals(await cache.retrieve("k", { timeoutMs: 1 }), "v");
  const signal = AbortSignal.abort(new Error("mine"));
  await assertRejects(() => cache.retrieve("k", { signal }), Error, "mine");
  await assertRejects(() => cache.retrieveMany(["k"], { signal }), Error, "mine");
  await assertRejects(() => cache.retrieveOrStore("k", () => 1, { signal }), Error, "mine");
  assertEquals(server.taken(), [REQUEST.get]);
});

Deno.test("a server that fails makes each call what its description says, and tells why", async () => {
  await using server = new FakeServer((_, output) => writeError(output, REPLY.refused, { code: "bad", message: "no" }));
  const { client: cache, errors } = clientOf(server);
  const results: [unknown, unknown][] = [
    [await cache.retrieveEntry("k"), undefined],
    [await cache.take("k"), undefined],
    [await cache.touch("k"), false],
    [await cache.increment("k"), undefined],
    [await cache.store("k", 1, { onlyIf: 1 }), false],
    [await cache.storeMany([["k", 1]]), false],
    [await cache.removeMany(["k"]), 0],
    [await cache.namespace("k").clear(), false],
  ];
  for (const [result, expected] of results) assertEquals(result, expected);
  assertEquals(errors.map(({ message }) => message.replace(": the server refused (bad): no", "")), [
    'Cannot retrieve "k"',
    'Cannot take "k"',
    'Cannot touch "k"',
    'Cannot increment "k"',
    'Cannot store "k"',
    "Cannot store many values",
    "Cannot remove many entries",
    'Cannot clear "k"',
  ]);
  const { failures, hits, misses } = await cache.stats();
  assertEquals([failures.refused, hits, misses], [9, 0, 2]);
  await cache.close();
});

Deno.test("increment() rejects where an entry holds no number, which is no failure", async () => {
  await using server = new Yes((code, output) => {
    if (code !== REQUEST.increment) return false;
    writeError(output, REPLY.refused, { code: "not-a-number", message: "no" });
    return true;
  });
  const { client, errors } = clientOf(server);
  await using cache = client;
  const { code, message } = await assertRejects(() => cache.increment("k")) as Error & { code: string };
  assertEquals([code, errors], ["refused", []]);
  assertMatch(message, /^Cannot increment "k": the server refused \(not-a-number\)/);
});

Deno.test("increment() takes nothing but a number for the server's answer", async () => {
  await using server = new Yes((code, output) => {
    if (code === REQUEST.increment) writeByte(output, "7", output.value(FLAGS.text, 1));
    return code === REQUEST.increment;
  });
  const { client, errors } = clientOf(server);
  assertEquals([await client.increment("k"), errors[0].code], [undefined, "protocol"]);
  await client.close();
});

Deno.test("what a lost connection may have done is not done again, at the next server neither", async () => {
  const codes: number[] = [];
  await using first = new FakeServer((code, _, hangUp) => {
    codes.push(code);
    hangUp();
  });
  await using second = new Yes();
  const { client, errors } = reportingClient([first.address, second.address]);
  await using cache = client;
  const [sum, taken] = await Promise.all([cache.increment("k"), cache.take("k")]);
  assertEquals([sum, taken, errors.map(({ code }) => code)], [undefined, undefined, ["unreachable"]]);
  assertEquals([codes.slice(0, 1), second.taken()], [[REQUEST.increment], []]);
  assertEquals([await cache.increment("k"), second.taken()], [7, [REQUEST.increment]]);
});

Deno.test("a value that is refused here removes the older one, but where a condition was asked for", async () => {
  await using server = new Yes();
  await using cache = clientOf(server).client;
  for (const value of [() => {}, new Uint8Array(17e6)]) {
    await cache.store("k", value).catch(() => {});
    assertEquals(server.taken(), [REQUEST.delete]);
    await cache.store("k", value, { onlyIf: "present" }).catch(() => {});
    assertEquals(server.taken(), []);
  }
});

Deno.test("times to live and conditions are what the server is told", async () => {
  const told: string[] = [];
  await using server = new Yes((_, __, { buffer, key, end }) => {
    told.push(buffer.toString("hex", key.to, end));
    return false;
  });
  await using cache = clientOf(server, { ttlMs: 5 }).client;
  await cache.touch("k");
  await cache.touch("k", Infinity);
  await cache.touch("k", 1.5);
  await cache.increment("k", -2, { initial: 3 });
  await cache.increment("k", 2n ** 64n - 1n, { initial: 0, ttlMs: 0 });
  await cache.store("k", "v", { onlyIf: 258, ttlMs: 6, renewOnHit: false });
  const ttl = (ms: number) => ms.toString(16).padStart(16, "0");
  assertEquals(told, [
    "f".repeat(16),
    ttl(0),
    ttl(2),
    `03${ttl(2)}${ttl(3)}${ttl(5)}`,
    `02${"f".repeat(16)}${ttl(0)}${ttl(0)}`,
    `03${ttl(258)}${FLAGS.text.toString(16).padStart(8, "0")}4000000000000006${"76"}`,
  ]);
  assert(server.taken().length === 6);
});
