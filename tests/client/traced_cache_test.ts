/** What is told of a call of a client with servers, where spans are made. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { AsyncLocalStorage } from "node:async_hooks";
import { REPLY, REQUEST } from "../../lib/wire/frame.ts";
import { OrmucoCacheClient } from "../../mod.ts";
import { held } from "../support/compute_backend.ts";
import { FakeServer } from "../support/fake_server.ts";
import { freeAddress } from "../support/ports.ts";
import { clientOf, PATIENT_MS, reportingClient, startedServer } from "../support/servers.ts";
import { activeSpan, heard } from "../support/telemetry.ts";

/** What one call tells. */
async function toldOf(call: () => Promise<unknown>) {
  heard();
  await call().catch(() => {});
  const { spans: [span, ...others], durations: [duration, ...more] } = heard();
  assertEquals([others, more, span.hasEnded], [[], [], true]);
  assert(duration.seconds >= 0);
  const { "db.system.name": system, "db.operation.name": operation, ...rest } = span.attributes;
  assertEquals([system, operation], ["ormuco_cache", span.name]);
  return { name: span.name, hasFailed: span.hasFailed, rest, ofDuration: duration.attributes };
}

Deno.test("each call that asks for entries or changes them is told with its server and what it has found", async () => {
  await using server = await startedServer();
  await using cache = clientOf(server);
  const calls: Record<string, [call: () => Promise<unknown>, more?: Record<string, unknown>]> = {
    "a store": [() => cache.store("k", 1)],
    "one on a condition that is not so": [() => cache.store("k", 1, { onlyIf: "absent" })],
    "a hit": [() => cache.retrieve("k"), { "ormuco_cache.hit": true }],
    "a miss": [() => cache.retrieve("none"), { "ormuco_cache.hit": false }],
    "an entry": [() => cache.retrieveEntry("k"), { "ormuco_cache.hit": true }],
    "many stores": [() => cache.storeMany([["a", 1], ["b", 2]]), { "db.operation.batch.size": 2 }],
    "a list of one": [() => cache.storeMany([["a", 1]])],
    "many keys": [
      () => cache.retrieveMany(["a", "b", "none"].values()),
      { "db.operation.batch.size": 3, "ormuco_cache.hits": 2 },
    ],
    "a value in place of a computation": [() => cache.retrieveOrStore("a", () => 2), { "ormuco_cache.hit": true }],
    "a look": [() => cache.has("a")],
    "a touch": [() => cache.touch("a")],
    "a number": [() => cache.increment("n", 1, { initial: 1 })],
    "a take": [() => cache.take("a"), { "ormuco_cache.hit": true }],
    "a removal": [() => cache.remove("a")],
    "removals": [() => cache.removeMany(["a", "b"]), { "db.operation.batch.size": 2 }],
    "a clear": [() => cache.clear()],
    "a clear of a namespace": [() => cache.namespace("users:").clear()],
  };
  const [hostname, port] = server.address!.split(":");
  const at = { "server.address": hostname, "server.port": Number(port) };
  const names: string[] = [];
  for (const [what, [call, more = {}]] of Object.entries(calls)) {
    const { name, hasFailed, rest, ofDuration } = await toldOf(call);
    names.push(name);
    assertEquals({ hasFailed, ...rest }, { hasFailed: false, ...at, ...more }, what);
    assertEquals(ofDuration, { "db.system.name": "ormuco_cache", "db.operation.name": name, ...at }, what);
  }
  assertEquals(
    names.join(" "),
    "store store retrieve retrieve retrieveEntry storeMany storeMany retrieveMany retrieveOrStore has touch increment " +
      "take remove removeMany clear clear",
  );
});

Deno.test("calls that ask for no entry, and keys, are not told", async () => {
  await using server = await startedServer();
  await using cache = clientOf(server);
  await cache.store("k", 1);
  heard();
  await Promise.all([cache.ping(), cache.stats()]);
  assertEquals(await Array.fromAsync(cache.keys()), ["k"]);
  assertEquals(heard(), { spans: [], durations: [] });
});

Deno.test("a call that comes to a miss since its server fails is told as failed, with the server that was tried", async () => {
  const address = freeAddress();
  await using cache = reportingClient([address]).client;
  const { hasFailed, rest, ofDuration } = await toldOf(() => cache.retrieve("k"));
  const [hostname, port] = address.split(":");
  const failed = { "server.address": hostname, "server.port": Number(port), "error.type": "unreachable" };
  assertEquals({ hasFailed, ...rest }, { hasFailed: true, ...failed, "ormuco_cache.hit": false });
  assertEquals(ofDuration, { "db.system.name": "ormuco_cache", "db.operation.name": "retrieve", ...failed });
});

Deno.test("a call is told with the server that has answered, of several", async () => {
  await using server = await startedServer();
  await using cache = reportingClient([freeAddress(), server.address!]).client;
  const { hasFailed, rest } = await toldOf(() => cache.has("k"));
  assertEquals([hasFailed, rest["server.port"]], [false, Number(server.address!.split(":")[1])]);
});

Deno.test("a call whose server hangs up is told with that server, and not with the one that is tried next", async () => {
  await using server = await startedServer();
  await using lost = new FakeServer((code, output, hangUp) =>
    code === REQUEST.ping ? output.empty(REPLY.ok) : hangUp()
  );
  await using cache = reportingClient([lost.address, server.address!]).client;
  await cache.ping();
  const { hasFailed, rest } = await toldOf(() => cache.has("k"));
  assertEquals([hasFailed, rest["server.port"]], [true, Number(lost.address.split(":")[1])]);
});

Deno.test("a server at a unix socket is told by its path", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await using _server = await startedServer({ listen: `unix:${folder}/cache` });
    await using cache = clientOf(`unix:${folder}/cache`);
    assertEquals((await toldOf(() => cache.has("k"))).rest, { "server.address": `${folder}/cache` });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("what a caller may not do, a value that is refused and an abort are told as failures, in a word without the key", async () => {
  await using server = await startedServer({ maxBytes: 1024 * 1024 });
  await using cache = reportingClient([server.address!]).client;
  const large = "x".repeat(1024 * 1024);
  const told = async (call: () => Promise<unknown>) => {
    const { hasFailed, rest, ofDuration } = await toldOf(call);
    return [hasFailed, rest["error.type"], ofDuration["error.type"]];
  };
  assertEquals(await told(() => cache.store("k", () => {})), [true, "TypeError", "TypeError"]);
  assertEquals(await told(() => cache.store("k", large)), [true, "refused", "refused"]);
  assertEquals(await told(() => cache.storeMany([["k", large]])), [true, "refused", "refused"]);
  assertEquals(await told(() => cache.touch("k", -1)), [true, "RangeError", "RangeError"]);
  const signal = AbortSignal.abort();
  assertEquals(await told(() => cache.retrieve("k", { signal })), [true, "AbortError", "AbortError"]);
  assertEquals(await told(() => cache.retrieve("k", { signal: AbortSignal.abort("no") })), [true, "_OTHER", "_OTHER"]);
});

Deno.test("lists that are none are refused as without spans", async () => {
  await using cache = new OrmucoCacheClient({ servers: [freeAddress()] });
  await assertRejects(() => cache.retrieveMany("text"), TypeError, "they must be a list of keys");
  await assertRejects(() => cache.removeMany("text"), TypeError, "they must be a list of keys");
  await assertRejects(() => cache.storeMany("text" as never), TypeError);
  await assertRejects(() => cache.retrieveOrStore("k", 1 as never), TypeError, "received 1");
});

Deno.test("a near copy is told as a hit without a server", async () => {
  await using server = await startedServer();
  await using cache = new OrmucoCacheClient({ servers: [server.address!], timeoutMs: PATIENT_MS, near: true });
  await cache.store("k", 1);
  await cache.retrieve("k");
  assertEquals((await toldOf(() => cache.retrieve("k"))).rest, { "ormuco_cache.hit": true });
});

Deno.test("callers who share a computation have a span each, and the computation is a part of the first one's", async () => {
  await using server = await startedServer();
  await using cache = clientOf(server);
  heard();
  const work = held();
  let during: string | undefined;
  const compute: typeof work.compute = (context) => {
    during = activeSpan();
    return work.compute(context);
  };
  const calls = [cache.retrieveOrStore("k", compute), cache.retrieveOrStore("k", compute)];
  work.resolve(1);
  assertEquals([await Promise.all(calls), during], [[1, 1], "compute"]);
  assertEquals(
    heard().spans.map(({ name, parent, hasFailed, attributes }) => [
      name,
      parent,
      hasFailed,
      attributes["ormuco_cache.hit"],
    ]),
    [
      ["retrieveOrStore", undefined, false, false],
      ["retrieveOrStore", undefined, false, true],
      ["compute", "retrieveOrStore", false, undefined],
    ],
  );
});

Deno.test("a computation that fails is told so, and so are its callers", async () => {
  await using server = await startedServer();
  await using cache = clientOf(server);
  heard();
  await assertRejects(() => cache.retrieveOrStore("k", () => Promise.reject(new SyntaxError("of k"))), SyntaxError);
  assertEquals(
    heard().spans.map(({ name, hasFailed, attributes }) => [name, hasFailed, attributes["error.type"]]),
    [["retrieveOrStore", true, "SyntaxError"], ["compute", true, "SyntaxError"]],
  );
});

Deno.test("what fails within a computation, and is caught there, is no failure of the call", async () => {
  await using server = await startedServer();
  await using cache = clientOf(server);
  await using lost = reportingClient([freeAddress()]).client;
  heard();
  await cache.retrieveOrStore("k", () => lost.ping().catch(() => "lost"));
  assertEquals(heard().spans.map(({ name, hasFailed }) => [name, hasFailed]), [
    ["retrieveOrStore", false],
    ["compute", false],
  ]);
});

Deno.test("what happens on a connection is no part of the call for which it was made", async () => {
  await using server = await startedServer();
  const request = new AsyncLocalStorage<string>();
  const within: unknown[] = [];
  const onEvent = () => within.push([request.getStore(), activeSpan()]);
  await using cache = new OrmucoCacheClient({ servers: [server.address!], timeoutMs: PATIENT_MS, onEvent });
  await request.run("first", () => cache.retrieve("k"));
  await request.run("second", () => cache.retrieve("k"));
  assertEquals(within, [[undefined, undefined], [undefined, undefined]]);
});
