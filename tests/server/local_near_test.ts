/** Near copies of a server's own cache: the same object again and again, until its entry changes, whoever changes it. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { COPY_DEFAULTS, type CopyLimits } from "../../lib/base/near_options.ts";
import { spanOf } from "../../lib/base/byte_span.ts";
import { LocalCache } from "../../lib/server/local_cache.ts";
import { encodeValue } from "../../lib/wire/values.ts";
import { Slices } from "../../lib/platform/slices.ts";
import { ENTRY } from "../../lib/store/entry.ts";
import type { Store } from "../../lib/store/store.ts";
import { CAUSE } from "../../lib/store/store_listener.ts";
import type { StoreOptions } from "../../lib/store/store_options.ts";
import { publicHash } from "../../lib/base/public_hash.ts";
import { sessionOf } from "../support/access.ts";
import { cluster, NO_ROUNDS } from "../support/cluster.ts";
import { clientOf, startedServer } from "../support/servers.ts";
import { sessionHost, type TestHost } from "../support/session_host.ts";
import { knowsAll, NOW_MS } from "../support/stores.ts";
import { nextMoment, until } from "../support/waiting.ts";

const bytesOf = (text: string) => spanOf(new TextEncoder().encode(text));

interface Caches {
  readonly cache: LocalCache;
  readonly store: Store;
  readonly host: TestHost;
  readonly clock: { nowMs: number };
}

/** A cache with near copies on a store of its own, whose time a test moves on. */
function nearCache(settings: Partial<StoreOptions> = {}, near: CopyLimits | undefined = COPY_DEFAULTS): Caches {
  const clock = { nowMs: NOW_MS };
  const host = sessionHost({ clock: { now: () => clock.nowMs }, ...settings });
  return { cache: new LocalCache({ ...host, near }), store: host.store, host, clock };
}

/** Makes a copy of a value, and returns it. */
async function copyOf(cache: LocalCache, key: string, value: unknown = { of: key }): Promise<unknown> {
  await cache.store(key, value);
  return await cache.retrieve(key);
}

Deno.test("a value is handed out as the same object by every method that reads", async () => {
  const { cache, store } = nearCache();
  const first = await copyOf(cache, "k", { at: new Date(5) });
  assertEquals(first, { at: new Date(5) });
  const { hits } = store.stats();
  assertStrictEquals(await cache.retrieve("k"), first);
  assertStrictEquals(cache.retrieveSync("k"), first);
  assertStrictEquals((await cache.retrieveMany(["none", "k"])).get("k"), first);
  assertStrictEquals(await cache.retrieveOrStore("k", () => "computed"), first);
  assertEquals(store.stats().hits, hits, "the store is not asked");
  const { hits: found, misses, near } = await cache.stats();
  assertEquals([found, misses], [5, 1]);
  assertEquals(near, { hits: 4, fenced: 0, invalidations: 0, entries: 1, isOn: true });
});

Deno.test("what retrieveMany and retrieveOrStore have read is kept too, also undefined", async () => {
  const { cache, store } = nearCache();
  for (const key of ["many", "computed"]) await cache.store(key, { of: key });
  const many = (await cache.retrieveMany(["many"])).get("many");
  const computed = await cache.retrieveOrStore("computed", () => 1);
  assertStrictEquals(await cache.retrieve("many"), many);
  assertStrictEquals(await cache.retrieve("computed"), computed);
  await cache.store("undefined", undefined);
  await cache.retrieve("undefined");
  const { hits } = store.stats();
  assertEquals(await cache.retrieveMany(["undefined"]), new Map([["undefined", undefined]]));
  assertStrictEquals(store.stats().hits, hits);
});

Deno.test("a miss leaves no copy, and neither does what cannot be decoded", async () => {
  const { cache, store } = nearCache();
  assertStrictEquals(await cache.retrieve("none"), undefined);
  store.set(bytesOf("broken"), { flags: encodeValue(new Date(5)).flags, value: bytesOf("no"), ttlMs: undefined });
  assertStrictEquals(await cache.retrieve("broken"), undefined);
  assertStrictEquals((await cache.stats()).near!.entries, 0);
});

Deno.test("what is no key is refused as without near copies", async () => {
  const { cache } = nearCache();
  await copyOf(cache, "k");
  for (const key of ["", "\ud800", undefined, 5, "k".repeat(4097)] as string[]) {
    const error = await cache.retrieve(key).catch((error) => error);
    assert(error instanceof RangeError, String(error));
  }
});

Deno.test("a copy is dropped when its entry is changed in this process, by whatever call", async () => {
  const { cache } = nearCache();
  const part = cache.namespace("k");
  const changes: Record<string, [change: () => Promise<unknown>, then: unknown]> = {
    store: [() => cache.store("k", "new"), "new"],
    "store of what is refused": [() => cache.store("k", () => {}).catch(() => {}), undefined],
    remove: [() => cache.remove("k"), undefined],
    clear: [() => cache.clear(), undefined],
    "store with onlyIf": [() => cache.store("k", "new", { onlyIf: "present" }), "new"],
    storeMany: [() => cache.storeMany([["other", 1], ["k", "new"]]), "new"],
    removeMany: [() => cache.removeMany(["other", "k"]), undefined],
    take: [() => cache.take("k"), undefined],
    touch: [() => cache.touch("k", 1000), { of: "k" }],
    "clear of a namespace": [() => part.clear(), undefined],
  };
  let invalidations = 0;
  for (const [name, [change, then]] of Object.entries(changes)) {
    await copyOf(cache, "k");
    await change();
    assertEquals(await cache.retrieve("k"), then, name);
    assertStrictEquals((await cache.stats()).near!.invalidations, ++invalidations, name);
    await cache.clear();
    invalidations = (await cache.stats()).near!.invalidations;
  }
});

Deno.test("a number that is added to has no older copy", async () => {
  const { cache } = nearCache();
  await copyOf(cache, "k", 7);
  assertEquals([await cache.increment("k", 5), await cache.retrieve("k")], [12, 12]);
  assertEquals([await cache.increment("k", 5), cache.retrieveSync("k")], [17, 17]);
});

Deno.test("a value that is read with what is known of its entry is no copy, and neither is one that is taken", async () => {
  const { cache } = nearCache();
  const first = await copyOf(cache, "k");
  const { value, version } = (await cache.retrieveEntry("k"))!;
  assertEquals([value, value === first], [first, false]);
  await cache.store("k", { of: "k" }, { onlyIf: version });
  const last = await cache.retrieve("k");
  const taken = await cache.take("k");
  assertEquals([taken, taken === last, await cache.retrieve("k")], [last, false, undefined]);
});

Deno.test("a copy is dropped when a getter of the next value has read the one before", async () => {
  const { cache } = nearCache();
  await cache.store("k", "old");
  let reading: Promise<unknown> | undefined;
  const next = {
    get was() {
      reading = cache.retrieve("k");
      return 1;
    },
  };
  await cache.store("k", next);
  assertEquals([await reading, await cache.retrieve("k")], ["old", { was: 1 }]);
});

Deno.test("a copy is dropped when a memcached client changes its entry", async () => {
  const { cache, host } = nearCache();
  const text = sessionOf(host);
  const lines: [string, unknown][] = [["set k 0 0 1\r\n7\r\n", 7], ["delete k\r\n", undefined], [
    "flush_all\r\n",
    undefined,
  ]];
  for (const [line, then] of lines) {
    await copyOf(cache, "k");
    text.input.push(new TextEncoder().encode(line));
    text.run();
    assertEquals(await cache.retrieve("k"), then, line);
  }
});

Deno.test("a copy is dropped when a client of the server stores, removes or clears", async () => {
  await using server = await startedServer({ near: true });
  await using client = clientOf(server);
  const { cache } = server;
  await client.store("k", [1]);
  const first = await cache.retrieve("k");
  assertStrictEquals(await cache.retrieve("k"), first);
  await client.store("k", [2]);
  assertEquals(await cache.retrieve("k"), [2]);
  await client.remove("k");
  assertStrictEquals(await cache.retrieve("k"), undefined);
  await copyOf(cache, "k");
  await client.clear();
  assertStrictEquals(await cache.retrieve("k"), undefined);
});

Deno.test("a copy is dropped when a peer stores, removes or clears", async () => {
  await using nodes = await cluster([[], [0]], { near: true, gossipIntervalMs: NO_ROUNDS });
  const [{ cache }, { cache: other }] = nodes;
  const sees = (then: unknown) => until(`it is ${then}`, async () => await cache.retrieve("k") === then);
  await copyOf(cache, "k", "old");
  await nextMoment();
  await other.store("k", "new");
  await sees("new");
  await other.remove("k");
  await sees(undefined);
  await copyOf(cache, "k", "old");
  await nextMoment();
  await other.clear();
  await sees(undefined);
});

Deno.test("a copy of what has been evicted is dropped when a peer has said that there is something newer", async () => {
  const departures = [{ hash: publicHash(bytesOf("k")), upTo: 1, id: 7, writer: 7 }];
  const entry = { flags: 0, value: bytesOf("theirs"), ttlMs: Infinity, remainingMs: Infinity };
  const overtaken: [(store: Store) => void, Partial<StoreOptions>?][] = [
    [(store) => store.takeDepartures(departures)],
    [(store) => store.takeDepartures(departures), { hashBits: 6 }],
    [(store) => {
      const h = store.clock + 5000;
      store.history.know({ h: h + 9, origin: 7 });
      store.apply(bytesOf("k"), { version: { h, origin: 7 }, kind: ENTRY, entry }, knowsAll(store));
    }],
  ];
  for (const [tell, settings] of overtaken) {
    const { cache, store } = nearCache({ maxSize: 1, ...settings });
    const first = await copyOf(cache, "k");
    await cache.store("other", 1);
    assertEquals([await cache.has("k"), await cache.retrieve("k")], [false, first]);
    tell(store);
    assertStrictEquals(await cache.retrieve("k"), undefined);
  }
});

Deno.test("a copy remains of an entry that has been evicted, until its key is removed", async () => {
  const { cache } = nearCache({ maxSize: 1 });
  const first = await copyOf(cache, "k");
  await cache.store("other", 1);
  assertEquals([await cache.has("k"), await cache.retrieve("k")], [false, first]);
  await cache.remove("k");
  assertStrictEquals(await cache.retrieve("k"), undefined);
});

Deno.test("a copy expires with its entry, also where that is aging", async () => {
  const { cache, clock } = nearCache();
  await cache.store("k", "v", { ttlMs: 1000, renewOnHit: false });
  await cache.retrieveOrStore("aging", () => "v", { ttlMs: 1000, staleIfErrorMs: 5000 });
  for (const key of ["k", "aging"]) assertStrictEquals(await cache.retrieve(key), "v");
  clock.nowMs += 999;
  for (const key of ["k", "aging"]) assertStrictEquals(await cache.retrieve(key), "v");
  clock.nowMs += 1;
  for (const key of ["k", "aging"]) assertStrictEquals(await cache.retrieve(key), undefined, key);
});

Deno.test("retrieveOrStore computes anew when a copy has expired, and the next reader gets what is held", async () => {
  const { cache, clock } = nearCache();
  let made = 0;
  const call = () => cache.retrieveOrStore("k", () => ({ made: ++made }), { ttlMs: 1000 });
  await call();
  const kept = await call();
  assertStrictEquals(await call(), kept);
  clock.nowMs += 1000;
  assertEquals([await call(), await call()], [{ made: 2 }, { made: 2 }]);
});

Deno.test("an entry whose key is read all the time lives on behind its copy", async () => {
  const { cache, store, clock } = nearCache({ ttlMs: 1000 });
  const first = await copyOf(cache, "k");
  for (let i = 0; i < 100; i++) {
    clock.nowMs += 100;
    assertStrictEquals(await cache.retrieve("k"), first);
  }
  assert(await cache.has("k"));
  assert(store.stats().hits <= 1 + 100 / 5, "the store is asked in half of the time to live");
  clock.nowMs += 1000;
  assertStrictEquals(await cache.retrieve("k"), undefined);
});

Deno.test("an entry whose key is read all the time is not evicted as unused", async () => {
  const { cache, clock } = nearCache({ maxSize: 2 });
  await copyOf(cache, "k");
  for (let i = 0; i < 5; i++) {
    clock.nowMs += 60_000;
    await cache.retrieve("k");
    await cache.store(`other:${i}`, 1);
  }
  assert(await cache.has("k"));
});

Deno.test("a copy of what has been evicted goes when it would use its entry", async () => {
  const { cache, clock } = nearCache({ maxSize: 1 });
  const first = await copyOf(cache, "k");
  await cache.store("other", 1);
  clock.nowMs += 60_000;
  assertStrictEquals(await cache.retrieve("k"), first);
  assertStrictEquals(await cache.retrieve("k"), undefined);
});

Deno.test("with copies each reader has an object of its own, and what cannot be changed is kept", async () => {
  const { cache, store } = nearCache({}, { ...COPY_DEFAULTS, copies: true });
  const first = await copyOf(cache, "k", { list: [1] }) as { list: number[] };
  first.list.push(2);
  assertEquals(await cache.retrieve("k"), { list: [1] });
  for (const value of ["text", 5, null, true]) {
    await copyOf(cache, "k", value);
    const { hits } = store.stats();
    assertStrictEquals(await cache.retrieve("k"), value);
    assertStrictEquals(store.stats().hits, hits, String(value));
  }
});

Deno.test("near copies are bounded by number and by bytes", async () => {
  for (const limits of [{ maxSize: 2 }, { maxTotalSize: 2 * (128 + 1 + 3) }]) {
    const { cache } = nearCache({}, { ...COPY_DEFAULTS, ...limits });
    for (const key of ["a", "b", "c"]) await copyOf(cache, key, "xyz");
    assertStrictEquals((await cache.stats()).near!.entries, 2);
  }
});

Deno.test("of the time for which many values may be read at once, near copies take nothing", async () => {
  let slices = 0;
  class Short extends Slices {
    override next(): Promise<void> {
      slices++;
      return super.next();
    }
  }
  let nowMs = 0;
  const cache = new LocalCache({ ...sessionHost(), near: COPY_DEFAULTS, slices: () => new Short(() => nowMs += 1000) });
  const keys = Array.from({ length: 10 }, (_, i) => `key:${i}`);
  for (const key of keys) await cache.store(key, new Map([[key, 1]]));
  const first = await cache.retrieveMany(keys);
  assertStrictEquals(slices, 9);
  assertEquals(await cache.retrieveMany(keys), first);
  assertStrictEquals(slices, 9);
});

Deno.test("without the option each reader has an object of its own, and nobody listens to the store for it", async () => {
  const listened: number[] = [];
  for (const near of [undefined, COPY_DEFAULTS]) {
    const host = sessionHost();
    const { store } = host;
    const listen = store.listen.bind(store);
    store.listen = (listener) => {
      listened.push(listener.causes);
      return listen(listener);
    };
    const cache = new LocalCache({ ...host, near });
    const first = await copyOf(cache, "k");
    const second = await cache.retrieve("k");
    assertEquals(second, first);
    if (near !== undefined) continue;
    assert(second !== first);
    assertEquals([listened, (await cache.stats()).near], [[], undefined]);
  }
  assertEquals(listened, [CAUSE.written | CAUSE.deleted | CAUSE.applied | CAUSE.cleared | CAUSE.overtaken]);
});
