/** A client that makes no calls: it asks once a minute whether its server is there, and gives its place up in the end. */

import { assert, assertEquals } from "@std/assert";
import { REPLY, REQUEST } from "../../lib/wire/frame.ts";
import { FakeServer } from "../support/fake_server.ts";
import { reportingClient, startedServer } from "../support/servers.ts";
import { until } from "../support/waiting.ts";

const MINUTE_MS = 60_000;

/** Minutes pass when the test says so; other times are those of the clock. */
function minutes(): Disposable & { pass(): void; readonly running: number } {
  const { setTimeout, clearTimeout } = globalThis;
  const waiting = new Map<unknown, () => void>();
  globalThis.setTimeout = ((run: () => void, ms?: number) => {
    if (ms !== MINUTE_MS) return setTimeout(run, ms);
    const timer = setTimeout(() => {}, ms);
    waiting.set(timer, run);
    return timer;
  }) as typeof setTimeout;
  globalThis.clearTimeout = (timer) => {
    waiting.delete(timer);
    clearTimeout(timer);
  };
  return {
    get running() {
      return waiting.size;
    },
    pass() {
      for (const [timer, run] of [...waiting]) { // those that are set meanwhile have their own minute
        globalThis.clearTimeout(timer as number);
        run();
      }
    },
    [Symbol.dispose]() {
      Object.assign(globalThis, { setTimeout, clearTimeout });
    },
  };
}

Deno.test("OrmucoCacheClient pings a server after a minute without a call, and no sooner", async () => {
  using time = minutes();
  const codes: number[] = [];
  await using server = new FakeServer((code, output) => {
    codes.push(code);
    output.empty(REPLY.miss);
  });
  const { client, errors } = reportingClient([server.address]);
  await using cache = client;
  await cache.has("key");
  await cache.has("key");
  time.pass(); // there have been calls
  assertEquals(codes, [REQUEST.has, REQUEST.has]);
  time.pass();
  await until("it has pinged", () => codes.length === 3);
  await cache.has("key");
  time.pass();
  await cache.has("key");
  assertEquals(codes.slice(2), [REQUEST.ping, REQUEST.has, REQUEST.has]);
  assertEquals(errors, []);
});

Deno.test("OrmucoCacheClient ends a connection after ten pings without a call, and its next call makes another", async () => {
  using time = minutes();
  await using server = await startedServer();
  const reconnects: string[] = [];
  const { client, errors } = reportingClient([server.address!], {
    onEvent: (event) => event.type === "reconnect" && reconnects.push(event.server),
  });
  await using cache = client;
  assertEquals(await cache.store("key", 1), true);
  const { requests } = server.stats();
  // A minute in which a ping waits for its reply does not count.
  await until("it has gone", () => {
    time.pass();
    return server.stats().connections === 0;
  });
  assertEquals(server.stats().requests, requests + 10);
  assertEquals([time.running, errors], [0, []]);
  assertEquals([await cache.retrieve("key"), reconnects], [1, []], "it has not lost its server");
});

Deno.test("OrmucoCacheClient notices without a call that its server has gone, and goes on with the next one", async () => {
  using time = minutes();
  await using other = await startedServer();
  let isStuck = false;
  await using server = new FakeServer((_code, output) => {
    if (!isStuck) output.empty(REPLY.miss);
  });
  const { client, errors } = reportingClient([server.address, other.address!], { timeoutMs: 200 });
  await using cache = client;
  await cache.has("key");
  isStuck = true;
  time.pass();
  time.pass();
  await until("it is noticed", () => errors.length === 1);
  assertEquals(errors[0].code, "timeout");
  assertEquals(await cache.store("key", 1), true);
  assert((await cache.stats()).connectedTo === other.address);
});
