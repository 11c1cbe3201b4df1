/** The server's store: counters, bytes and limits, on a clock of its own. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { Store, type StoredEntry, type StoreOptions, type StoreStats } from "../lib/store.ts";

function fixture(options: Partial<StoreOptions> = {}): { store: Store; clock: { nowMs: number } } {
  const clock = { nowMs: 1_000 };
  return { store: new Store({ maxSize: 100, ttlMs: 10, renewOnHit: true, now: () => clock.nowMs, ...options }), clock };
}

function entry(length = 0, flags = 0): StoredEntry {
  return { flags, bytes: new Uint8Array(length) };
}

/** What one entry takes beside key and value. */
function overheadBytes(): number {
  const { store } = fixture();
  store.set("k", entry(), undefined);
  return store.stats().bytes - 1;
}

function assertStats(store: Store, expected: Partial<StoreStats>): void {
  const { bytes: _, ...counters } = store.stats();
  const { bytes: __, ...none } = fixture().store.stats();
  assertEquals(counters, { ...none, ...expected });
}

Deno.test("Store.stats() is all zero when the store is new", () => {
  assertEquals(fixture().store.stats(), {
    entries: 0,
    bytes: 0,
    hits: 0,
    misses: 0,
    stores: 0,
    deletions: 0,
    evictions: 0,
    expirations: 0,
  });
});

Deno.test("Store.get() returns the very entry that was stored when it has one", () => {
  const { store } = fixture();
  const stored = entry(3, 0xffffffff);
  assertStrictEquals(store.set("k", stored, undefined), true);
  assertStrictEquals(store.get("k"), stored);
  assertStrictEquals(store.get("none"), undefined);
  const other = entry();
  store.set("k", other, undefined);
  assertStrictEquals(store.get("k"), other);
  assertStrictEquals(store.maxSize, 100);
});

Deno.test("Store.get() counts hits and misses when called, and has() and touch() do not", () => {
  const { store } = fixture();
  store.set("k", entry(), undefined);
  for (const key of ["k", "k", "none"]) store.get(key);
  assertEquals([store.has("k"), store.has("none"), store.touch("k", 5), store.touch("none", 5)], [
    true,
    false,
    true,
    false,
  ]);
  assertStats(store, { entries: 1, stores: 1, hits: 2, misses: 1 });
});

Deno.test("Store.delete() and clear() count deletions when entries go, and replacement does not", () => {
  const { store } = fixture();
  for (const key of ["a", "b", "c", "a"]) store.set(key, entry(), undefined);
  assertStats(store, { entries: 3, stores: 4 });
  assertEquals([store.delete("a"), store.delete("a")], [true, false]);
  assertStats(store, { entries: 2, stores: 4, deletions: 1 });
  store.clear();
  assertStats(store, { stores: 4, deletions: 3 });
  assertStrictEquals(store.stats().bytes, 0);
  store.clear();
  assertStats(store, { stores: 4, deletions: 3 });
});

Deno.test("Store.stats() counts bytes of keys, values and overhead when entries come and go", () => {
  const overhead = overheadBytes();
  assert(overhead > 0 && overhead < 1_000, `${overhead} bytes an entry`);
  const { store, clock } = fixture();
  const bytes = () => store.stats().bytes;
  store.set("key", entry(100), undefined);
  assertStrictEquals(bytes(), 103 + overhead);
  store.set("longer key", entry(5), 1_000);
  assertStrictEquals(bytes(), 118 + 2 * overhead);
  store.set("key", entry(7), undefined);
  assertStrictEquals(bytes(), 25 + 2 * overhead);
  clock.nowMs += 10;
  store.get("key");
  assertStrictEquals(bytes(), 15 + overhead);
  store.delete("longer key");
  assertStrictEquals(bytes(), 0);
});

Deno.test("Store.set() evicts the least recently used and counts it when maxSize is exceeded", () => {
  const { store } = fixture({ maxSize: 2 });
  for (const key of ["a", "b"]) store.set(key, entry(), undefined);
  store.get("a");
  store.set("c", entry(), undefined);
  assertEquals([store.has("a"), store.has("b"), store.has("c")], [true, false, true]);
  assertStats(store, { entries: 2, stores: 3, hits: 1, evictions: 1 });
});

Deno.test("Store.set() evicts until the bytes fit and counts each when maxBytes is exceeded", () => {
  const overhead = overheadBytes();
  const maxBytes = 3 * (overhead + 11);
  const { store } = fixture({ maxBytes });
  for (const key of ["a", "b", "c"]) store.set(key, entry(10), undefined);
  assertStrictEquals(store.stats().bytes, maxBytes);
  assertStats(store, { entries: 3, stores: 3 });
  store.set("d", entry(11), undefined); // one byte more than one eviction gives
  assertEquals(["a", "b", "c", "d"].map((key) => store.has(key)), [false, false, true, true]);
  assertStats(store, { entries: 2, stores: 4, evictions: 2 });
  assertStrictEquals(store.stats().bytes, 2 * overhead + 23);
});

Deno.test("Store.set() returns false and leaves no entry when the entry alone is over maxBytes", () => {
  const overhead = overheadBytes();
  const { store } = fixture({ maxBytes: overhead + 11 });
  assertStrictEquals(store.set("k", entry(10), undefined), true);
  assertStrictEquals(store.set("k", entry(11), undefined), false);
  assertStrictEquals(store.get("k"), undefined);
  assertEquals([store.stats().entries, store.stats().bytes, store.stats().evictions], [0, 0, 0]);
  assertStrictEquals(store.set("kk", entry(10), undefined), false);
});

Deno.test("Store counts an expiration when an entry is read after its time, and when a set sweeps it", () => {
  const { store, clock } = fixture();
  for (const key of ["read", "asked", "swept"]) store.set(key, entry(), undefined);
  clock.nowMs += 9;
  assertStrictEquals(store.has("read"), true);
  clock.nowMs += 1;
  assertEquals([store.get("read"), store.has("asked")], [undefined, false]);
  assertStats(store, { entries: 1, stores: 3, misses: 1, expirations: 2 });
  for (let i = 0; i < 4; i++) store.set("new", entry(), undefined);
  assertStats(store, { entries: 1, stores: 7, misses: 1, expirations: 3 });
});

Deno.test("Store.set() gives the default time to live when none is given, and never expires at 0", () => {
  const { store, clock } = fixture();
  store.set("default", entry(), undefined);
  store.set("own", entry(), 50);
  store.set("never", entry(), 0);
  clock.nowMs += 10;
  assertEquals([store.has("default"), store.has("own"), store.has("never")], [false, true, true]);
  clock.nowMs += 40;
  assertEquals([store.has("own"), store.has("never")], [false, true]);
  clock.nowMs = Number.MAX_SAFE_INTEGER;
  assertStrictEquals(store.has("never"), true);
});

for (const renewOnHit of [true, false]) {
  Deno.test(`Store.get() ${renewOnHit ? "renews" : "leaves"} an entry's time when renewOnHit is ${renewOnHit}`, () => {
    const { store, clock } = fixture({ renewOnHit });
    for (const key of ["got", "asked", "touched"]) store.set(key, entry(), undefined);
    clock.nowMs += 6;
    store.get("got");
    store.has("asked");
    store.touch("touched", undefined);
    clock.nowMs += 6;
    assertEquals([store.has("got"), store.has("asked"), store.has("touched")], [renewOnHit, false, true]);
    store.touch("touched", 100);
    clock.nowMs += 99;
    assertStrictEquals(store.has("touched"), true);
    clock.nowMs += 1;
    assertStrictEquals(store.has("touched"), false);
  });
}
