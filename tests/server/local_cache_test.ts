/** The client's methods on the entries of a server in the same process: what a client gives, without a socket. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { Leases } from "../../lib/near/leases.ts";
import type { OrmucoCacheClient } from "../../mod.ts";
import { MAX_VALUE_BYTES } from "../../lib/base/limits.ts";
import { writeSet } from "../../lib/wire/calls.ts";
import { Slices } from "../../lib/platform/slices.ts";
import { LocalCache } from "../../lib/server/local_cache.ts";
import { FLAGS } from "../../lib/wire/values.ts";
import { greetingAnd, NativeSocket } from "../support/native_socket.ts";
import { clientOf, madeServer, startedServer } from "../support/servers.ts";
import { until } from "../support/waiting.ts";
import { localStore } from "../support/stores.ts";
import { stillTime } from "../support/still_time.ts";

/** What a client can be asked, but for what concerns its connection. */
type Methods = Omit<
  OrmucoCacheClient,
  "close" | "ping" | "explain" | "insight" | "forgetPeer" | typeof Symbol.asyncDispose
>;

Deno.test("server.cache has the client's methods, started or not", async () => {
  const server = madeServer();
  const cache: Methods = server.cache;
  for (const state of ["before", "during", "after"]) {
    if (state === "during") await server.startServer();
    if (state === "after") await server.stop();
    assertEquals(await cache.retrieve("k"), undefined);
    assertEquals([await cache.has("k"), await cache.remove("k")], [false, false]);
    assertEquals(await cache.store("k", [1, 2, 3]), true);
    assertEquals(await cache.store("other", state), true);
    assertEquals([await cache.retrieve<number[]>("k"), await cache.has("k")], [[1, 2, 3], true]);
    assertEquals(
      await cache.retrieveMany(["other", "none", "k", "k"]),
      new Map<string, unknown>([["other", state], ["k", [1, 2, 3]]]),
    );
    assertEquals([await cache.remove("k"), await cache.has("k"), await cache.has("other")], [true, false, true]);
    assertEquals([await cache.clear(), await cache.has("other")], [true, false]);
  }
});

Deno.test("server.cache gives back values of all kinds, as copies", async () => {
  const { cache } = madeServer();
  const values: unknown[] = [
    ...[null, undefined, true, false, 0, -0, 1.5, NaN, -Infinity, 12345678901234567890n],
    ...["", "text", "\ufeffé€😀", "\ud800", "x".repeat(511), "é".repeat(40_000), "y".repeat(1_000_000)],
    ...[
      new Uint8Array(0),
      Uint8Array.of(1, 2, 3),
      new Uint8Array(64 * 1024).fill(5),
      new Uint8Array(64 * 1024 + 1).fill(6),
    ],
    ...[
      [],
      {},
      [1, [2, [3]]],
      { a: { b: [null, "c"] } },
      { a: undefined },
      Float64Array.of(1, 2),
      Uint8Array.of(9).buffer,
    ],
    ...[
      new Date(5),
      new Map<unknown, unknown>([["a", new Set([1])], [{}, 2]]),
      /a+/gi,
      new URL("http://x/y"),
      new Error("e"),
    ],
  ];
  for (const [i, value] of values.entries()) assertEquals(await cache.store(`key:${i}`, value), true);
  const found = await Promise.all(values.map((_, i) => cache.retrieve(`key:${i}`)));
  for (const [i, value] of values.entries()) assertEquals(found[i], value);
  const many = await cache.retrieveMany(values.map((_, i) => `key:${i}`));
  assertEquals([...many.values()], values);
  assertEquals(many.size, values.length, "undefined is a value too");

  const bytes = Uint8Array.of(1, 2, 3);
  await cache.store("bytes", bytes);
  bytes.fill(9);
  const copy = await cache.retrieve<Uint8Array>("bytes");
  copy!.fill(8);
  assertEquals(await cache.retrieve("bytes"), Uint8Array.of(1, 2, 3));
  const object = { list: [1] };
  await cache.store("object", object);
  object.list.push(2);
  assertEquals(await cache.retrieve("object"), { list: [1] });
});

Deno.test("server.cache rejects misuse as a client does, and goes on", async () => {
  await using server = await startedServer();
  await using client = clientOf(server);
  const cycle: unknown[] = [];
  cycle.push(cycle);
  const deep = Array.from({ length: 300 }).reduce((inner) => [inner], 0);
  const keys = ["", "k".repeat(4097), "é".repeat(2049), "\ud800", undefined, null, 5, ["a"], { length: 3 }] as string[];
  const misuse: ((cache: Methods) => Promise<unknown>)[] = [
    ...keys.flatMap((key) => [
      (cache: Methods) => cache.store(key, 1),
      (cache: Methods) => cache.retrieve(key),
      (cache: Methods) => cache.retrieveMany(["fine", key]),
      (cache: Methods) => cache.has(key),
      (cache: Methods) => cache.remove(key),
    ]),
    ...[-1, NaN, 2 ** 60, "5" as unknown as number].map((ttlMs) => (cache: Methods) => cache.store("k", 1, { ttlMs })),
    ...[() => {}, Symbol("s"), cycle, deep, { items: [1, { callback() {} }] }, Promise.resolve(1)]
      .map((value) => (cache: Methods) => cache.store("k", value)),
  ];
  for (const call of misuse) {
    const [expected, received] = await Promise.all([client, server.cache].map((cache) => {
      return call(cache).then((value) => `resolved to ${value}`, (error) => error);
    }));
    assert(expected instanceof RangeError || expected instanceof TypeError, String(expected));
    assertEquals([received.constructor, received.message], [expected.constructor, expected.message]);
  }
  assertEquals(server.stats().entries, 0);
  for (const key of ["k".repeat(4096), "é".repeat(2048), "0"]) {
    assertEquals([await server.cache.store(key, key), await client.retrieve(key)], [true, key]);
    assertEquals([await server.cache.retrieve(key), await server.cache.remove(key)], [key, true]);
  }
});

Deno.test("server.cache and a client see what the other stores, removes and clears", async () => {
  await using server = await startedServer();
  await using client = clientOf(server);
  for (const [one, other] of [[client, server.cache], [server.cache, client]] as [Methods, Methods][]) {
    for (const value of ["text", { a: [1] }, Uint8Array.of(1, 2), new Map([[1, 2]])]) {
      await one.store("k", value);
      assertEquals([await other.has("k"), await other.retrieve("k")], [true, value]);
    }
    assertEquals([await one.remove("k"), await other.has("k"), await other.remove("k")], [true, false, false]);
    await one.store("k", 1);
    assertEquals([await one.clear(), await other.retrieve("k"), server.stats().entries], [true, undefined, 0]);
  }
});

Deno.test("server.cache counts hits, misses and stores of its own, and tells the server's", async () => {
  await using server = await startedServer();
  await using client = clientOf(server);
  const { cache } = server;
  await cache.store("a", 1);
  await cache.store("b", 2);
  await cache.retrieve("a");
  await cache.retrieve("none");
  await cache.retrieveMany(["a", "b", "none", "none"]);
  await cache.has("a");
  await client.store("c", 3);
  await client.retrieve("c");
  const { server: whole, ...own } = await cache.stats();
  const failures = { unreachable: 0, timeout: 0, refused: 0, protocol: 0, busy: 0, compute: 0 };
  assertEquals(own, { connectedTo: undefined, hits: 3, misses: 2, stores: 2, failures, entries: 3 });
  assertEquals([whole!.hits, whole!.misses, whole!.stores, whole!.entries], [4, 2, 3, 3]);
  assertEquals(Object.keys(whole!).sort(), Object.keys(server.stats()).sort());
});

Deno.test("server.cache stores up to 16 MiB, and what is larger not: nothing is left then", async () => {
  const { cache } = madeServer();
  const largest = new Uint8Array(MAX_VALUE_BYTES).fill(1);
  assertEquals(await cache.store("k", largest), true);
  const found = await cache.retrieve<Uint8Array>("k");
  assert(found !== undefined && found.length === largest.length && found.every((byte) => byte === 1));
  for (const larger of [new Uint8Array(MAX_VALUE_BYTES + 1), "é".repeat(MAX_VALUE_BYTES / 2 + 1)]) {
    assertEquals(await cache.store("k", "small"), true);
    assertEquals([await cache.store("k", larger), await cache.has("k")], [false, false]);
  }
  assertEquals((await cache.stats()).stores, 3);
});

Deno.test("server.cache stores under the right key when a getter of the value uses the cache", async () => {
  const { cache } = madeServer();
  const value = {
    get inner() {
      cache.has("other");
      return 1;
    },
  };
  assertEquals([await cache.store("key", value), await cache.retrieve("key")], [true, { inner: 1 }]);
  assertEquals(await cache.has("other"), false);
});

Deno.test("server.cache stores nothing that is over the server's limit", async () => {
  const { cache } = madeServer({ maxBytes: 64 * 1024 });
  assertEquals([await cache.store("k", new Uint8Array(65_536)), await cache.has("k")], [false, false]);
  assertEquals([await cache.store("k", new Uint8Array(10_000)), await cache.has("k")], [true, true]);
});

Deno.test("server.cache expires by the call's ttl, else the server's, and renews on hit as the server does", async () => {
  using time = stillTime();
  for (const renewOnHit of [true, false]) {
    const { cache } = madeServer({ ttlMs: 1000, renewOnHit });
    await cache.store("server's", 1);
    await cache.store("call's", 1, { ttlMs: 2000 });
    await cache.store("never", 1, { ttlMs: 0 });
    await cache.store("nor this", 1, { ttlMs: Infinity });
    time.nowMs += 999;
    assertEquals([await cache.retrieve("server's"), await cache.has("call's")], [1, true]);
    time.nowMs += 1;
    assertEquals([await cache.has("server's"), await cache.has("call's")], [renewOnHit, true]);
    time.nowMs += 1000;
    assertEquals((await cache.retrieveMany(["server's", "call's", "never", "nor this"])).size, 2);
  }
});

Deno.test("server.cache renews no entry by a hit that was stored with renewOnHit false", async () => {
  using time = stillTime();
  const { cache } = madeServer({ ttlMs: 1000 });
  await cache.store("fixed", 1, { renewOnHit: false });
  await cache.store("own", 1, { ttlMs: 2000, renewOnHit: false });
  await cache.store("renewed", 1, { renewOnHit: true });
  const hits = async () => [...(await cache.retrieveMany(["fixed", "own", "renewed"])).keys()];
  time.nowMs += 999;
  assertEquals(await hits(), ["fixed", "own", "renewed"]);
  time.nowMs += 1;
  assertEquals(await hits(), ["own", "renewed"]);
  time.nowMs += 999;
  assertEquals(await hits(), ["own", "renewed"]);
  time.nowMs += 1;
  assertEquals(await hits(), ["renewed"]);
});

Deno.test("server.cache makes a miss of a value that cannot be read, and finds the others", async () => {
  await using server = await startedServer();
  using socket = await NativeSocket.to(server);
  await socket.write(greetingAnd((output) => {
    writeSet(output, "broken", { flags: FLAGS.json, payload: "{not JSON" }, undefined);
    writeSet(output, "foreign", { flags: 12345, payload: Uint8Array.of(1) }, undefined);
  }));
  for (let replies = 0; replies < 3; replies++) await socket.next();
  const { cache } = server;
  await cache.store("fine", 1);
  assertEquals(await cache.retrieve("broken"), undefined);
  assertEquals(
    await cache.retrieveMany(["broken", "fine", "foreign"]),
    new Map<string, unknown>([["fine", 1], ["foreign", Uint8Array.of(1)]]),
  );
  const { hits, misses, failures } = await cache.stats();
  assertEquals([hits, misses, failures.protocol], [2, 2, 2]);
});

Deno.test("server.cache refuses what takes more than 100 ms to read, and makes a miss of it if a client has stored it", async () => {
  await using server = await startedServer();
  await using client = clientOf(server);
  const { cache } = server;
  const costly = Array.from({ length: 200_000 }, () => ({}));
  await assertRejects(
    () => cache.store("k", costly),
    RangeError,
    "Cannot encode data: too costly to read: its parts would take more than the 100 ms allowed",
  );
  assertEquals([await cache.has("k"), await client.store("k", costly)], [false, true]);
  assertEquals([await cache.has("k"), await cache.retrieve("k")], [true, undefined]);
  assertEquals((await client.retrieve<object[]>("k"))?.length, costly.length);
  assertEquals((await cache.stats()).failures.protocol, 1);
});

Deno.test("server.cache reads many values in slices, between which the event loop looks after others", async () => {
  const store = localStore({ nowMs: 0 });
  let slices = 0;
  /** Slices for one value of MessagePack each. */
  class Short extends Slices {
    override next(): Promise<void> {
      slices++;
      return super.next();
    }
  }
  let nowMs = 0;
  const cache = new LocalCache({
    store,
    leases: new Leases(store, () => {}),
    newToken: () => ({ high: 0, low: 1 }),
    stats: () => {
      throw new Error("nobody asks");
    },
    slices: () => new Short(() => nowMs += 1000),
  });
  const values = Array.from({ length: 10 }, (_, i): [string, Map<number, number>] => [`key:${i}`, new Map([[i, i]])]);
  for (const [key, value] of values) await cache.store(key, value);
  assertEquals(await cache.retrieveMany(values.map(([key]) => key)), new Map(values));
  assertEquals(slices, 9);
});

Deno.test("server.cache is told to ask again for each key, whatever it begins with", async () => {
  await using server = await startedServer();
  await using client = clientOf(server);
  for (const key of ["k", "\ufeffk", "\0", "ü".repeat(2048)]) {
    const { promise: computed, resolve } = Promise.withResolvers<string>();
    const begun = Promise.withResolvers<void>();
    const first = client.retrieveOrStore(key, () => {
      begun.resolve();
      return computed;
    });
    await begun.promise;
    const waits = server.cache.retrieveOrStore<string>(key, () => "computed here too", { timeoutMs: 2000 });
    await until("it waits", () => server.stats().leaseWaits === 1);
    resolve("computed once");
    assertEquals(await Promise.all([first, waits]), ["computed once", "computed once"]);
  }
});
