/** Times to live in a store: who expires when, and who finds out. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { assertStats, fixture, has, maintain, MIB, set, span } from "../support/store_entries.ts";

Deno.test("Store counts an expiration when an entry is read after its time, and when a set sweeps it", () => {
  const { store, clock } = fixture();
  for (const key of ["read", "asked", "touched", "deleted", "swept"]) set(store, key);
  clock.nowMs += 9;
  assertEquals(has(store, "read"), [true]);
  clock.nowMs += 1;
  assertEquals([store.get(span("read")), store.has(span("asked"))], [0, false]);
  assertEquals([store.touch(span("touched"), 50), store.delete(span("deleted"))], [false, false]);
  assertStats(store, { entries: 1, stores: 5, misses: 1, expirations: 4 });
  for (let i = 0; i < 4; i++) set(store, "new");
  assertStats(store, { entries: 1, stores: 9, misses: 1, expirations: 5 });
});

Deno.test("Store counts an expiration when a set replaces an entry after its time", () => {
  for (const length of [3, 3000]) { // in place, and elsewhere
    const { store, clock } = fixture();
    set(store, "k", 3);
    clock.nowMs += 10;
    set(store, "k", length);
    assertStats(store, { entries: 1, stores: 2, expirations: 1 });
  }
});

Deno.test("Store counts an expiration and no eviction when the oldest has expired and maxSize is reached", () => {
  const { store, clock } = fixture({ maxSize: 2 });
  set(store, "a");
  set(store, "b", 0, 100);
  clock.nowMs += 10;
  set(store, "c");
  assertEquals(has(store, "a", "b", "c"), [false, true, true]);
  assertStats(store, { entries: 2, stores: 3, expirations: 1 });
});

Deno.test("Store.set() gives the default time to live when none is given, and never expires at 0", () => {
  const { store, clock } = fixture();
  set(store, "default");
  set(store, "own", 0, 50);
  set(store, "never", 0, 0);
  set(store, "infinite", 0, Infinity);
  clock.nowMs += 10;
  assertEquals(has(store, "default", "own", "never", "infinite"), [false, true, true, true]);
  clock.nowMs += 40;
  assertEquals(has(store, "own", "never", "infinite"), [false, true, true]);
  clock.nowMs = Number.MAX_SAFE_INTEGER;
  assertEquals(has(store, "never", "infinite"), [true, true]);
  maintain(store);
  assertStats(store, { entries: 2, stores: 4, expirations: 2 });
});

Deno.test("Store.touch() gives a time to live when entries and store had none", () => {
  for (const ttlMs of [0, Infinity]) {
    const { store, clock } = fixture({ ttlMs });
    for (const key of ["a", "b", "c"]) set(store, key);
    clock.nowMs += 1e9;
    assertEquals([store.touch(span("a"), 5), store.touch(span("b"), undefined)], [true, true]);
    clock.nowMs += 4;
    assertEquals(has(store, "a", "b", "c"), [true, true, true]);
    clock.nowMs += 1;
    assertEquals(has(store, "a", "b", "c"), [false, true, true]);
    set(store, "a", 0, 7);
    assertStrictEquals(store.touch(span("a"), 0), true);
    clock.nowMs += 1e9;
    assertEquals(has(store, "a", "b", "c"), [true, true, true]);
  }
});

for (const renewOnHit of [true, false]) {
  Deno.test(`Store.get() ${renewOnHit ? "renews" : "leaves"} an entry's time when renewOnHit is ${renewOnHit}`, () => {
    const { store, clock } = fixture({ renewOnHit });
    for (const key of ["got", "asked", "touched"]) set(store, key);
    clock.nowMs += 6;
    store.get(span("got"));
    store.has(span("asked"));
    store.touch(span("touched"), undefined);
    clock.nowMs += 6;
    assertEquals(has(store, "got", "asked", "touched"), [renewOnHit, false, true]);
    store.touch(span("touched"), 100);
    clock.nowMs += 99;
    assertEquals(has(store, "touched"), [true]);
    clock.nowMs += 1;
    assertEquals(has(store, "touched"), [false]);
  });
}

Deno.test("Store.get() and touch() renew to a float's precision when the time to live is long", () => {
  for (const ttlMs of [86_400_001, 2 ** 24 + 1, 123_456_789_012, 0.1]) {
    for (const renew of ["get", "touch"]) {
      const { store, clock } = fixture({ ttlMs });
      set(store, "k");
      clock.nowMs += ttlMs / 2;
      if (renew === "get") assert(store.get(span("k")) !== 0);
      else assertStrictEquals(store.touch(span("k"), undefined), true);
      const renewed = clock.nowMs;
      clock.nowMs = renewed + ttlMs * (1 - 2 ** -23);
      assertEquals(has(store, "k"), [true], `${ttlMs} ${renew}`);
      clock.nowMs = renewed + ttlMs * (1 + 2 ** -23);
      assertEquals(has(store, "k"), [false], `${ttlMs} ${renew}`);
    }
  }
});

Deno.test("Store.maintain() alone drops what has expired when nobody asks for it", () => {
  const { store, clock } = fixture({ maxSize: Infinity, ttlMs: 1000 });
  for (let i = 0; i < 20_000; i++) set(store, `${i}`, i % 1000 === 0 ? 100_000 : i % 200, i % 10 === 0 ? 0 : undefined);
  clock.nowMs += 999;
  maintain(store);
  assertStats(store, { entries: 20_000, stores: 20_000 });
  const { memoryBytes } = store.stats();
  clock.nowMs += 1;
  maintain(store);
  assertStats(store, { entries: 2_000, stores: 20_000, expirations: 18_000 });
  assert(store.stats().memoryBytes < memoryBytes, `${store.stats().memoryBytes} of ${memoryBytes} bytes`);
});

Deno.test("Store.maintain() drops what has expired when it has moved before", () => {
  for (const maxBytes of [MIB, undefined]) {
    const { store, clock } = fixture({ maxSize: Infinity, maxBytes, ttlMs: 1000 });
    for (let i = 0; i < 7000; i++) set(store, `${i}`, 40, 1000 + i % 50);
    for (let i = 0; i < 7000; i++) if (i % 10 > 0) store.delete(span(`${i}`));
    maintain(store);
    assertStrictEquals(store.stats().entries, 700);
    clock.nowMs += 1050;
    maintain(store);
    assertStats(store, { stores: 7000, deletions: 6300, expirations: 700 });
  }
});

Deno.test("Store.maintain() drops what a sweep has passed when a touch brings its time nearer meanwhile", () => {
  const { store, clock } = fixture({ maxSize: Infinity, ttlMs: 1000 });
  set(store, "due", 0, 10);
  for (let i = 0; i < 100; i++) set(store, `${i}`);
  clock.nowMs += 10;
  set(store, "new"); // the sweep begins, and stops among the first
  assertStats(store, { entries: 101, stores: 102, expirations: 1 });
  store.touch(span("0"), 5);
  maintain(store);
  clock.nowMs += 5;
  maintain(store);
  assertStats(store, { entries: 100, stores: 102, expirations: 2 });
});

Deno.test("Store.maintain() drops each entry at its own time when deadlines are renewed, moved and spread", () => {
  const { store, clock } = fixture({ maxSize: Infinity, ttlMs: 1000 });
  for (let i = 0; i < 3000; i++) set(store, `${i}`, 100, 1 + i % 100);
  for (let i = 0; i < 3000; i += 3) store.touch(span(`${i}`), 1000);
  for (let i = 1; i < 3000; i += 3) store.get(span(`${i}`));
  for (let elapsed = 1; elapsed <= 100; elapsed++) {
    clock.nowMs++;
    for (let i = 0; i < 5; i++) store.maintain();
    const left = Array.from({ length: 3000 }, (_, i) => i % 3 === 0 || i % 100 + 1 > elapsed).filter(Boolean).length;
    assertStrictEquals(store.stats().entries, left);
  }
  clock.nowMs += 900;
  for (let i = 0; i < 5; i++) store.maintain();
  assertStats(store, { stores: 3000, hits: 1000, expirations: 3000 });
});

Deno.test("Store.set() of other keys alone drops what has expired when nobody asks for it", () => {
  for (const maxBytes of [undefined, 2 * MIB]) {
    const { store, clock } = fixture({ maxSize: Infinity, maxBytes });
    const sets = 4000;
    for (let i = 0; i < sets; i++) set(store, `${i}`, i % 100 === 0 ? 10_000 : i % 200);
    clock.nowMs += 10;
    for (let i = 0; i < sets; i++) set(store, `new ${i % 10}`, i % 50, 0);
    assertStats(store, { entries: 10, stores: 2 * sets, expirations: sets });
  }
});

Deno.test("Store.set() evicts nothing when what has expired makes room", () => {
  const { store, clock } = fixture({ maxSize: Infinity, maxBytes: MIB });
  let stores = 0;
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < 2000; i++, stores++) set(store, `${round} ${i}`, i % 400);
    clock.nowMs += 10;
    assert(store.stats().memoryBytes <= MIB);
  }
  const { entries, expirations } = store.stats();
  assertStats(store, { entries, stores, expirations });
  assertStrictEquals(entries + expirations, stores);
  maintain(store);
  assertStats(store, { stores, expirations: stores });
});
