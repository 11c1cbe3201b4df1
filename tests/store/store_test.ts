/** The server's store: counters, bytes and limits, on a clock of its own; then all at once against a naive model. */

import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { seeded } from "../../bench/compare.ts";
import { MAX_STORE_BYTES, MIN_STORE_BYTES } from "../../lib/base/limits.ts";
import { type ByteSpan, spanOf } from "../../lib/base/byte_span.ts";
import type { StoreStats } from "../../lib/base/stats.ts";
import type { Store } from "../../lib/store/store.ts";
import { localStore, type StoreSettings, type TestClock } from "../support/stores.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

interface Fixture {
  store: Store;
  clock: TestClock;
}

function fixture(settings: StoreSettings = {}): Fixture {
  const clock = { nowMs: 1_000 };
  return { store: localStore(clock, { maxSize: 100, ttlMs: 10, ...settings }), clock };
}

/** A store that only its memory limits, without a time to live. */
function bounded(maxBytes: number): Store {
  return fixture({ maxSize: Infinity, maxBytes, ttlMs: 0 }).store;
}

const encoder = new TextEncoder();

function span(text: string): ByteSpan {
  return spanOf(encoder.encode(text));
}

function set(store: Store, key: string, length = 0, ttlMs?: number): boolean {
  return store.set(span(key), { flags: 0, value: spanOf(new Uint8Array(length)), ttlMs });
}

function has(store: Store, ...keys: string[]): boolean[] {
  return keys.map((key) => store.has(span(key)));
}

/** The value at a position, held against nothing. */
function valueAt(store: Store, position: number): Uint8Array {
  const value = new Uint8Array(store.records.valueBytes(position));
  store.records.copyValue(position, value, 0);
  return value;
}

function valueOf(store: Store, key: ByteSpan): Uint8Array | undefined {
  const position = store.get(key);
  return position === 0 ? undefined : valueAt(store, position);
}

/** Maintains until there is no more to do, and tells in how many slices. */
function maintain(store: Store): number {
  let slices = 1;
  while (store.maintain()) slices++;
  return slices;
}

const NONE = { entries: 0, hits: 0, misses: 0, stores: 0, deletions: 0, evictions: 0, expirations: 0 };

function assertStats(store: Store, expected: Partial<StoreStats>): void {
  const { bytes: _, memoryBytes: __, ...counters } = store.stats();
  assertEquals(counters, { ...NONE, ...expected });
}

/** Random bytes, of which values are parts. */
const noise = new Uint8Array(4 * MIB);
const random = seeded(9);
for (let i = 0; i < noise.length; i++) noise[i] = random() * 256;

function noiseSpan(length: number, below: (n: number) => number): ByteSpan {
  const from = below(noise.length - length);
  return { bytes: noise, from, to: from + length };
}

function sameBytes(bytes: Uint8Array, at: number, expected: ByteSpan): boolean {
  for (let i = expected.from; i < expected.to; i++, at++) if (bytes[at] !== expected.bytes[i]) return false;
  return true;
}

Deno.test("Store() throws when a limit is out of range", () => {
  for (const maxSize of [0, -1, 0.5, NaN, -Infinity]) {
    const message = `Cannot create store: maxSize must be 1 or more: received ${maxSize}`;
    assertStrictEquals(assertThrows(() => fixture({ maxSize }), RangeError).message, message);
  }
  const allowed = `${MIN_STORE_BYTES} to ${MAX_STORE_BYTES}`;
  for (const maxBytes of [0, -1, MIN_STORE_BYTES - 1, MAX_STORE_BYTES + 1, NaN, Infinity]) {
    const message = `Cannot create store: maxBytes must be ${allowed}: received ${maxBytes}`;
    assertStrictEquals(assertThrows(() => fixture({ maxBytes }), RangeError).message, message);
  }
  for (const ttlMs of [-1, NaN, -Infinity]) {
    const message = `Cannot create store: ttlMs must be 0 or more: received ${ttlMs}`;
    assertStrictEquals(assertThrows(() => fixture({ ttlMs }), RangeError).message, message);
  }
  for (const maxBytes of [undefined, MIN_STORE_BYTES, 100_001, MAX_STORE_BYTES]) {
    const { store } = fixture({ maxSize: 7, maxBytes });
    assertEquals([store.maxSize, store.maxBytes], [7, maxBytes]);
    assertStrictEquals(set(store, "k", 100), true);
    assertEquals(has(store, "k"), [true]);
  }
});

Deno.test("Store.stats() is all zero when the store is new", () => {
  assertEquals(fixture().store.stats(), { ...NONE, bytes: 0, memoryBytes: 0 });
});

Deno.test("Store.get() leads to what was stored last when the key has an entry", () => {
  const { store } = fixture();
  const bytes = Uint8Array.from({ length: 20 }, (_, i) => i);
  const key: ByteSpan = { bytes, from: 3, to: 6 };
  assertStrictEquals(store.set(key, { flags: 0xffffffff, value: { bytes, from: 5, to: 15 }, ttlMs: undefined }), true);
  bytes.fill(99, 6);
  const position = store.get({ bytes: Uint8Array.of(3, 4, 5), from: 0, to: 3 });
  assertEquals([store.records.flags(position), store.records.valueBytes(position)], [0xffffffff, 10]);
  const copy = new Uint8Array(13);
  store.records.copyValue(position, copy, 2);
  assertEquals(copy, Uint8Array.of(0, 0, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0));
  for (const none of [[3, 4], [3, 4, 5, 0], [4, 5], [3, 4, 6], []]) {
    assertStrictEquals(store.get(spanOf(Uint8Array.from(none))), 0);
  }
  for (const length of [10, 12, 0, 1, 1000, 100_000, 3]) {
    const value = noise.subarray(length, 2 * length);
    assertStrictEquals(store.set(key, { flags: length, value: spanOf(value), ttlMs: undefined }), true);
    assertEquals(valueOf(store, key), value.slice());
    assertStrictEquals(store.records.flags(store.get(key)), length);
  }
  assertStrictEquals(store.stats().entries, 1);
});

Deno.test("Store.get() counts hits and misses when called, and has() and touch() do not", () => {
  const { store } = fixture();
  set(store, "k");
  for (const key of ["k", "k", "none"]) store.get(span(key));
  assertEquals(has(store, "k", "none"), [true, false]);
  assertEquals([store.touch(span("k"), 5), store.touch(span("none"), 5)], [true, false]);
  assertStats(store, { entries: 1, stores: 1, hits: 2, misses: 1 });
});

Deno.test("Store.delete() and clear() count deletions when entries go, and replacement does not", () => {
  const { store } = fixture();
  for (const key of ["a", "b", "c", "a"]) set(store, key);
  assertStats(store, { entries: 3, stores: 4 });
  assertEquals([store.delete(span("a")), store.delete(span("a"))], [true, false]);
  assertStats(store, { entries: 2, stores: 4, deletions: 1 });
  store.clear();
  assertStats(store, { stores: 4, deletions: 3 });
  assertStrictEquals(store.stats().bytes, 0);
  assertEquals(has(store, "a", "b", "c"), [false, false, false]);
  store.clear();
  assertStats(store, { stores: 4, deletions: 3 });
  set(store, "a", 5);
  assertEquals(valueOf(store, span("a")), new Uint8Array(5));
  assertStats(store, { entries: 1, stores: 5, hits: 1, deletions: 3 });
});

Deno.test("Store.stats() counts bytes of keys, values and overhead when entries come and go", () => {
  const { store, clock } = fixture();
  set(store, "k");
  const { bytes: first, memoryBytes } = store.stats();
  assert(memoryBytes >= first && first > store.records.entryBytes(1, 0), `${first} of ${memoryBytes}`);
  const tableBytes = first - store.records.entryBytes(1, 0);
  const bytes = () => store.stats().bytes - tableBytes;
  store.delete(span("k"));
  assertStrictEquals(store.stats().bytes, 0);
  for (const [key, value] of [[1, 0], [7, 99], [250, 0], [100, 5_000]]) {
    const overhead = store.records.entryBytes(key, value) - key - value;
    assert(overhead >= 60 && overhead < 68, `${overhead} bytes an entry`);
  }
  set(store, "key", 100);
  assertStrictEquals(bytes(), store.records.entryBytes(3, 100));
  set(store, "longer key", 5, 1_000);
  assertStrictEquals(bytes(), store.records.entryBytes(3, 100) + store.records.entryBytes(10, 5));
  set(store, "key", 7);
  assertStrictEquals(bytes(), store.records.entryBytes(3, 7) + store.records.entryBytes(10, 5));
  clock.nowMs += 10;
  store.get(span("key"));
  assertStrictEquals(bytes(), store.records.entryBytes(10, 5));
  set(store, "large", MIB);
  assert(
    bytes() > MIB && bytes() <= store.records.entryBytes(10, 5) + store.records.entryBytes(5, MIB),
    `${bytes()} bytes`,
  );
  assert(bytes() < 1.01 * MIB, `${bytes()} bytes`);
  store.delete(span("large"));
  store.delete(span("longer key"));
  assertStrictEquals(store.stats().bytes, 0);
});

Deno.test("Store.set() evicts the least recently used and counts it when maxSize is exceeded", () => {
  const { store } = fixture({ maxSize: 3 });
  for (const key of ["a", "b", "c"]) set(store, key);
  store.get(span("a"));
  store.touch(span("b"), undefined);
  store.has(span("c"));
  set(store, "d");
  assertEquals(has(store, "a", "b", "c", "d"), [true, true, false, true]);
  set(store, "a");
  set(store, "e");
  assertEquals(has(store, "a", "b", "d", "e"), [true, false, true, true]);
  assertStats(store, { entries: 3, stores: 6, hits: 1, evictions: 2 });
});

Deno.test("Store.set() evicts the least recently used and counts each when maxBytes is exceeded", () => {
  const store = bounded(MIB);
  const value = noise.subarray(0, 1000);
  const key = (i: number) => span(`key ${i}`);
  const evicted = () => store.stats().evictions;
  let count = 0;
  for (; evicted() === 0; count++) {
    assertStrictEquals(store.set(key(count), { flags: count, value: spanOf(value), ttlMs: undefined }), true);
    store.get(key(0));
    assert(count < 1000);
  }
  assert(count > 800, `only ${count} of 1000 bytes each`);
  for (let i = count; i < 5 * count; i++) store.set(key(i), { flags: i, value: spanOf(value), ttlMs: undefined });
  const { entries, evictions } = store.stats();
  assertEquals([entries + evictions, store.stats().stores], [5 * count, 5 * count]);
  assertStrictEquals(store.has(key(0)), false);
  for (let i = 0; i < 5 * count; i++) assertStrictEquals(store.has(key(i)), i >= 5 * count - entries, `${i}`);
  assertEquals(valueOf(store, key(5 * count - 1)), value.slice());
});

Deno.test("Store.set() returns false and leaves no entry when the entry alone is over the limit", () => {
  const store = bounded(MIB);
  let length = MIB;
  while (store.records.entryBytes(1, length) > store.maxEntryBytes) length--;
  assert(length > 0.8 * MIB, `${length} bytes at most`);
  set(store, "other", 10);
  assertStrictEquals(set(store, "k", 10), true);
  assertStrictEquals(set(store, "k", length + 1), false);
  assertEquals(has(store, "k", "other"), [false, true]);
  assertStrictEquals(set(store, "kk", 2 * MIB), false);
  assertEquals(has(store, "kk", "other"), [false, true]);
  assertEquals([store.stats().entries, store.stats().stores, store.stats().evictions], [1, 2, 0]);
  assertStrictEquals(set(store, "k", length), true);
  assertStrictEquals(valueOf(store, span("k"))?.length, length);
  assert(store.stats().memoryBytes <= MIB);
});

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

Deno.test("Store.maintain() gives memory back when 9 of 10 entries are deleted", () => {
  for (const [size, segmentBytes] of [[20, 512 * KIB], [2000, 512 * KIB], [100_000, 512 * KIB], [300, 8 * KIB]]) {
    const maxBytes = segmentBytes === 8 * KIB ? MIB : undefined;
    const { store } = fixture({ maxSize: Infinity, maxBytes, ttlMs: 0 });
    const random = seeded(size);
    const count = Math.min(100_000, Math.floor((maxBytes === undefined ? 50 * MIB : 0.8 * MIB) / (size + 60)));
    for (let i = 0; i < count; i++) set(store, `${i}`, Math.floor((0.5 + random()) * size));
    const left: string[] = [];
    for (let i = 0; i < count; i++) {
      if (random() < 0.1) left.push(`${i}`);
      else store.delete(span(`${i}`));
    }
    const slices = maintain(store);
    const { bytes, memoryBytes, entries } = store.stats();
    assert(slices < 2000, `${slices} slices`);
    assertStrictEquals(entries, left.length);
    assert(memoryBytes <= 2 * bytes + 5 * segmentBytes, `${memoryBytes} held for ${bytes}`);
    assert(has(store, ...left).every(Boolean));
  }
});

Deno.test("Store.maintain() gives all memory back when the store was cleared", () => {
  for (const maxBytes of [undefined, 8 * MIB, 64 * KIB]) {
    const { store } = fixture({ maxSize: Infinity, maxBytes });
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 3000; i++) set(store, `${i}`, i % 1000);
      store.clear();
      store.clear();
      let { memoryBytes } = store.stats();
      assert(memoryBytes > 0);
      for (let more = true; more;) {
        more = store.maintain();
        const now = store.stats().memoryBytes;
        assert(now <= memoryBytes, `${now} bytes after ${memoryBytes}`);
        memoryBytes = now;
      }
      assertEquals([store.stats().bytes, memoryBytes], [0, 0]);
    }
  }
});

Deno.test("Store.maintain() never holds more than before when a store that had shrunk was cleared", () => {
  const store = bounded(8 * MIB);
  for (let i = 0; i < 6000; i++) set(store, `${i}`, 1000);
  for (let i = 0; i < 6000; i++) if (i % 10 !== 0) store.delete(span(`${i}`));
  maintain(store);
  store.clear();
  let { memoryBytes } = store.stats();
  for (let more = true; more;) {
    more = store.maintain();
    const now = store.stats().memoryBytes;
    assert(now <= memoryBytes, `${now} bytes after ${memoryBytes}`);
    memoryBytes = now;
  }
  assertStrictEquals(memoryBytes, 0);
});

for (const sizes of [[1000], [400_000], [20, 700_000, 3_000, 30_000]]) {
  for (const clears of [1, 2, 20]) {
    Deno.test(`Store.set() keeps to maxBytes when ${clears} clears precede values of ${sizes} bytes`, () => {
      const maxBytes = MIB;
      const store = bounded(maxBytes);
      const random = seeded(clears);
      let most = 0;
      for (let round = 0; round < 12; round++) {
        for (let i = 0, stored = 0; stored < 2 * maxBytes * random(); i++) {
          const length = sizes[i % sizes.length];
          stored += length + 50;
          assertStrictEquals(set(store, `${i}`, length), true);
          assertEquals(has(store, `${i}`), [true]);
          most = Math.max(most, store.stats().memoryBytes);
        }
        for (let i = 0; i < clears; i++) store.clear();
      }
      assert(most <= maxBytes, `${most - maxBytes} bytes over ${maxBytes}`);
    });
  }
}

Deno.test("Store keeps values of 16 MiB byte for byte when they come, move and go", () => {
  const store = bounded(64 * MIB);
  const value = new Uint8Array(16 * MIB);
  for (let at = 0; at < value.length; at += noise.length) value.set(noise.subarray(at / noise.length), at);
  const holds = (key: string) => {
    const held = valueOf(store, span(key));
    return held !== undefined && held.length === value.length && sameBytes(held, 0, spanOf(value));
  };
  for (let i = 0; i < 7; i++) {
    assertStrictEquals(store.set(span(`large ${i}`), { flags: i, value: spanOf(value), ttlMs: undefined }), true);
    for (let j = 0; j < 5000; j++) set(store, `small ${j}`, (i + j) % 300);
    assert(store.stats().memoryBytes <= 64 * MIB);
  }
  assertEquals([holds("large 6"), holds("large 5"), holds("large 0")], [true, true, false]);
  assertStrictEquals(store.set(span("k"), { flags: 0, value: spanOf(new Uint8Array(65 * MIB)), ttlMs: 1 }), false);
});

Deno.test("Store tells keys apart when they are of any bytes and of 1 to 4096", () => {
  for (const maxBytes of [undefined, 8 * MIB]) {
    const { store } = fixture({ maxSize: Infinity, maxBytes, ttlMs: 0 });
    const keys: Uint8Array[] = [];
    for (let byte = 0; byte < 256; byte++) {
      keys.push(Uint8Array.of(byte), new Uint8Array(4096).fill(byte));
      for (const length of [2, 3, 4, 5]) keys.push(new Uint8Array(length).fill(byte));
      const last = new Uint8Array(4096);
      last[4095] = byte;
      if (byte > 0) keys.push(last);
    }
    const valueFor = (i: number) => noise.subarray(i, i + i % 90);
    for (const [i, key] of keys.entries()) {
      assertStrictEquals(store.set(spanOf(key), { flags: i, value: spanOf(valueFor(i)), ttlMs: undefined }), true);
    }
    assertStrictEquals(store.stats().entries, keys.length);
    for (const [i, key] of keys.entries()) assertEquals(valueOf(store, spanOf(key)), valueFor(i).slice());
  }
});

Deno.test("Store keeps to maxBytes when keys of 4096 bytes are in the smallest segments", () => {
  for (const maxBytes of [MIN_STORE_BYTES, 200 * KIB, MIB]) {
    const store = bounded(maxBytes);
    const random = seeded(maxBytes);
    const below = (n: number) => Math.floor(random() * n);
    let most = 0;
    for (let i = 0; i < 3000; i++) {
      const key = noise.subarray(i % 500, i % 500 + (below(2) === 0 ? 4096 : 1 + below(4096)));
      const longest = store.maxEntryBytes - store.records.entryBytes(key.length, 0);
      const value = noiseSpan(below(3) === 0 ? below(20) : below(Math.floor(0.9 * Math.min(longest, 50_000))), below);
      if (store.records.entryBytes(key.length, value.to - value.from) > store.maxEntryBytes) continue;
      assertStrictEquals(store.set(spanOf(key), { flags: i, value, ttlMs: undefined }), true);
      const copy = valueOf(store, spanOf(key));
      assert(copy !== undefined && copy.length === value.to - value.from && sameBytes(copy, 0, value));
      most = Math.max(most, store.stats().memoryBytes);
    }
    assert(most <= maxBytes, `${most - maxBytes} bytes over ${maxBytes}`);
  }
});

Deno.test("Store.stats().bytes is 85 % of maxBytes or more when 64 MiB are full and entries go on coming", () => {
  const maxBytes = 64 * MIB;
  const sizes: Record<string, (below: (n: number) => number) => number> = {
    small: (below) => 300 + below(100),
    mixed: (below) => below(50) === 0 ? below(200_000) : below(4000),
  };
  for (const [name, size] of Object.entries(sizes)) {
    const store = bounded(maxBytes);
    const random = seeded(3);
    const below = (n: number) => Math.floor(random() * n);
    const key = new Uint8Array(4);
    const number = new DataView(key.buffer);
    let stored = 0;
    let least = Infinity;
    for (let i = 0; stored < 2.5 * maxBytes; i++) {
      number.setUint32(0, below(3) === 0 ? below(i + 1) : i); // holes of all ages
      const length = size(below);
      store.set(spanOf(key), { flags: 0, value: noiseSpan(length, below), ttlMs: undefined });
      stored += length;
      if (stored < 1.3 * maxBytes || i % 16 !== 0) continue;
      const { bytes, memoryBytes } = store.stats();
      least = Math.min(least, bytes);
      assert(memoryBytes <= maxBytes, `${memoryBytes - maxBytes} bytes over`);
    }
    assert(least >= 0.85 * maxBytes, `${name}: ${least / maxBytes} of maxBytes`);
  }
});

/** How the random tests go. */
interface Course {
  options: StoreSettings;
  operations: number;
  /** Keys to choose from. */
  keys: number;
  /** Lengths of values, in turn for equal parts of the operations. */
  lengths: ((below: (n: number) => number) => number)[];
  /** Whether entries have times to live and time passes. */
  isTimed: boolean;
  /** Seldom things, one of so many operations each. */
  clearEvery: number;
}

interface Expected {
  flags: number;
  value: ByteSpan;
  deadlineMs: number;
  ttlMs: number;
}

for (const maxBytes of [256 * KIB, 512 * KIB, MIB]) {
  Deno.test(`Store.maintain() comes to rest when keys are long and ${maxBytes} bytes are the limit`, () => {
    const store = bounded(maxBytes);
    for (let i = 0; i < 2000; i++) set(store, `${i}`.padStart(4096, "x"), i % 100);
    for (let slices = 0; store.maintain(); slices++) assert(slices < 1000, "it cleans for ever");
  });
}

Deno.test("Store stays whole when the system refuses memory now and then", () => {
  const RealBuffer = ArrayBuffer;
  const below = (n: number) => Math.floor(random() * n);
  let isScarce = true;
  globalThis.ArrayBuffer = class extends RealBuffer {
    constructor(length: number) {
      if (isScarce && random() < 0.9) throw new RangeError("Array buffer allocation failed");
      super(length);
    }
  } as ArrayBufferConstructor;
  try {
    const store = bounded(MIB);
    const stored = new Map<string, ByteSpan>();
    let refusals = 0;
    for (let i = 0; i < 30_000; i++) {
      const key = `${below(500)}`;
      const value = noiseSpan(below(20) === 0 ? below(100_000) : below(1000), below);
      stored.delete(key);
      try {
        store.set(span(key), { flags: 0, value, ttlMs: undefined });
        stored.set(key, value);
      } catch (error) {
        assertStrictEquals((error as Error).message, "Array buffer allocation failed");
        refusals++;
      }
      const other = `${below(500)}`;
      const found = valueOf(store, span(other));
      if (found !== undefined && stored.has(other)) assert(sameBytes(found, 0, stored.get(other)!), other);
    }
    assert(refusals > 20, `${refusals} refusals`);
    isScarce = false;
    maintain(store);
    store.clear();
    maintain(store);
    assertStrictEquals(store.stats().memoryBytes, 0);
  } finally {
    globalThis.ArrayBuffer = RealBuffer;
  }
});

/** Runs random operations on a store, and the same on a map in order of use. */
function assertLikeModel({ options, operations, keys, lengths, isTimed, clearEvery }: Course): void {
  const { store, clock } = fixture(options);
  const maxBytes = options.maxBytes ?? Infinity;
  const { maxSize } = store;
  const defaultTtlMs = options.ttlMs === undefined ? 10 : options.ttlMs === 0 ? Infinity : options.ttlMs;
  const renewOnHit = options.renewOnHit ?? true;
  const random = seeded(operations + keys);
  const below = (n: number) => Math.floor(random() * n);
  const keyBytes = new Uint8Array(12).fill(7);
  const keyNumber = new DataView(keyBytes.buffer);
  const key: ByteSpan = { bytes: keyBytes, from: 3, to: 7 };
  const copy = new Uint8Array(noise.length);

  /** What lives or has expired, the least recently used first. */
  const model = new Map<number, Expected>();
  let order = model.keys();
  const alive = (id: number) => {
    const entry = model.get(id);
    if (entry === undefined || entry.deadlineMs > clock.nowMs) return entry;
    model.delete(id);
    return undefined;
  };
  const use = (id: number, entry: Expected) => {
    model.delete(id);
    model.set(id, entry);
  };
  /** Takes the oldest that is alive out, and what has expired before it. */
  const evict = (): Expected => {
    for (;;) {
      let next = order.next();
      if (next.done === true) next = (order = model.keys()).next();
      assert(next.done !== true, "evicted more than lived");
      const oldest = alive(next.value);
      model.delete(next.value);
      if (oldest !== undefined) return oldest;
    }
  };

  const counted = { hits: 0, misses: 0, stores: 0, deletions: 0, evictions: 0 };
  let added = 0;
  /** Entries that a set may have replaced after their time. */
  let replaced = 0;
  /** Entries that a clear may have removed after their time. */
  let clearedLate = 0;
  let most = 0;
  let before = store.stats();

  const setOne = (id: number, length: number) => {
    const value = noiseSpan(length, below);
    const flags = below(2 ** 32);
    const ttl = !isTimed || below(2) === 0
      ? undefined
      : [0, Infinity, 1 + below(500), 20 * random(), 2 ** 25 + 1][below(5)];
    const ttlMs = ttl === undefined ? defaultTtlMs : ttl === 0 ? Infinity : ttl;
    const fits = store.records.entryBytes(4, length) <= store.maxEntryBytes;
    const hadAny = model.has(id);
    const had = alive(id) !== undefined;
    assertStrictEquals(store.set(key, { flags, value, ttlMs: ttl }), fits);
    const { evictions } = store.stats();
    model.delete(id);
    if (hadAny && !had) replaced++;
    if (!fits) {
      assertStrictEquals(evictions, before.evictions);
      if (had) counted.deletions++;
      return;
    }
    if (!isTimed && maxBytes === Infinity) {
      assertStrictEquals(evictions - before.evictions, !had && before.entries === maxSize ? 1 : 0);
    }
    for (; counted.evictions < evictions; counted.evictions++) {
      const { value } = evict();
      const { bytes } = store.stats();
      if (isTimed || maxBytes === Infinity || counted.evictions < evictions - 1) continue;
      const lastBytes = store.records.entryBytes(4, value.to - value.from);
      assert(bytes + lastBytes > 0.9 * store.maxEntryBytes, `one of ${lastBytes} bytes evicted down to ${bytes}`);
    }
    counted.stores++;
    if (!had) added++;
    model.set(id, { flags, value, deadlineMs: clock.nowMs + ttlMs, ttlMs });
    assertStrictEquals(store.has(key), true);
    if (below(4) === 0) check(id, store.get(key));
  };
  const check = (id: number, position: number) => {
    const entry = alive(id);
    if (entry === undefined) {
      assertStrictEquals(position, 0, `found ${id}`);
      counted.misses++;
      return;
    }
    assert(position !== 0, `lost ${id}`);
    counted.hits++;
    assertStrictEquals(store.records.flags(position), entry.flags);
    assertStrictEquals(store.records.valueBytes(position), entry.value.to - entry.value.from);
    store.records.copyValue(position, copy, 1);
    if (!sameBytes(copy, 1, entry.value)) throw new Error(`value of ${id} is not what was stored`);
    if (renewOnHit && entry.ttlMs !== Infinity) entry.deadlineMs = clock.nowMs + Math.fround(entry.ttlMs);
    use(id, entry);
  };

  for (let i = 0; i < operations; i++) {
    const id = below(keys);
    keyNumber.setUint32(3, id);
    const what = below(100);
    if (what < 40) {
      setOne(id, lengths[Math.floor(i / operations * lengths.length)](below));
    } else if (what < 75) {
      check(id, store.get(key));
    } else if (what < 80) {
      assertStrictEquals(store.has(key), alive(id) !== undefined);
    } else if (what < 85) {
      const ttl = isTimed ? [undefined, 0, 1 + below(500)][below(3)] : undefined;
      const entry = alive(id);
      assertStrictEquals(store.touch(key, ttl), entry !== undefined);
      if (entry !== undefined) {
        if (ttl !== undefined) entry.ttlMs = ttl === 0 ? Infinity : ttl;
        else entry.ttlMs = Math.fround(entry.ttlMs);
        entry.deadlineMs = clock.nowMs + entry.ttlMs;
        use(id, entry);
      }
    } else if (what < 91) {
      const isAlive = alive(id) !== undefined;
      assertStrictEquals(store.delete(key), isAlive);
      model.delete(id);
      if (isAlive) counted.deletions++;
    } else if (what < 94) {
      store.maintain();
    } else if (isTimed) {
      clock.nowMs += below(10) === 0 ? below(100) : below(4);
    }
    if (below(clearEvery) === 0) {
      const { entries } = store.stats();
      const lived = [...model.keys()].filter((id) => alive(id) !== undefined).length;
      store.clear();
      model.clear();
      order = model.keys();
      counted.deletions += lived;
      clearedLate += entries - lived;
    }
    const stats = store.stats();
    most = Math.max(most, stats.memoryBytes);
    const { hits, misses, stores, deletions, evictions, expirations, entries } = stats;
    assert(entries <= maxSize, `${entries} entries`);
    assert(stats.bytes <= stats.memoryBytes);
    assertStrictEquals(hits, counted.hits);
    assertStrictEquals(misses, counted.misses);
    assertStrictEquals(stores, counted.stores);
    assertStrictEquals(evictions, counted.evictions);
    assert(deletions >= counted.deletions && deletions <= counted.deletions + clearedLate, `${deletions} deletions`);
    const left = deletions + evictions + expirations;
    const uncounted = added - entries - left;
    assert(uncounted >= 0 && uncounted <= replaced, `${uncounted} entries went uncounted`);
    if (!isTimed) assertEquals([entries, expirations], [model.size, 0]);
    if (i % Math.floor(operations / 5) === 0 || i === operations - 1) {
      for (let id = 0; id < keys; id++) {
        keyNumber.setUint32(3, id);
        assertStrictEquals(store.has(key), alive(id) !== undefined, `${id}`);
      }
    }
    before = store.stats();
  }
  assert(most <= maxBytes, `${most - maxBytes} bytes over ${maxBytes}`);
}

const tiny = () => 16;
const small = (below: (n: number) => number) => below(64);
const mixed = (below: (n: number) => number) => below(below(30) === 0 ? 100_000 : below(4) === 0 ? 3000 : 80);
const upTo = (length: number) => (below: (n: number) => number) => below(length);

for (
  const [name, course] of Object.entries<Partial<Course>>({
    "maxSize holds": { options: { maxSize: 300, ttlMs: 0 } },
    "one entry is held": { options: { maxSize: 1, ttlMs: 0 }, keys: 5, operations: 20_000 },
    "maxSize holds and time passes": { options: { maxSize: 300, ttlMs: 50 }, isTimed: true },
    "hits do not renew": { options: { maxSize: Infinity, ttlMs: 100, renewOnHit: false }, isTimed: true },
  })
) {
  Deno.test(`Store is a map in order of use when ${name}`, () => {
    const defaults = { operations: 110_000, keys: 500, lengths: [small, mixed], isTimed: false, clearEvery: 5_000 };
    assertLikeModel({ options: {}, ...defaults, ...course });
  });
}

for (const [maxBytes, operations] of [[64 * KIB, 40_000], [300_001, 40_000], [MIB, 50_000], [8 * MIB, 150_000]]) {
  for (const isTimed of [false, true]) {
    const name = `${maxBytes} bytes are the limit${isTimed ? " and time passes" : ""}`;
    Deno.test(`Store is a map in order of use when ${name}`, () => {
      const large = upTo(Math.min(maxBytes / 16, 50_000));
      assertLikeModel({
        options: { maxSize: Infinity, maxBytes, ttlMs: isTimed ? 1000 : 0 },
        operations,
        keys: Math.floor(maxBytes / 60),
        lengths: [
          tiny,
          tiny,
          large,
          small,
          upTo(300),
          (below) => below(5) === 0 ? below(Math.min(maxBytes, MIB)) : tiny(),
          (below) => below(20) === 0 ? large(below) : small(below),
          tiny,
        ],
        isTimed,
        clearEvery: operations / 4,
      });
    });
  }
}

Deno.test("Store.clear() leaves no memory behind for each few entries when it is called again and again", () => {
  const { store } = fixture({ maxSize: Infinity });
  set(store, "k", 1);
  const { memoryBytes } = store.stats();
  for (let i = 0; i < 1000; i++) {
    store.clear();
    set(store, "k", 1);
  }
  assertStrictEquals(store.stats().memoryBytes, memoryBytes);
  assertStrictEquals(store.stats().deletions, 1000);
});

Deno.test("Store.maintain() gives all memory back when everything has been removed or has expired", () => {
  const { store, clock } = fixture({ maxSize: Infinity });
  for (let i = 0; i < 3000; i++) set(store, `${i}`, 1000, 1000);
  for (let i = 1; i < 3000; i += 2) store.delete(span(`${i}`));
  clock.nowMs += 2000;
  maintain(store);
  assertStrictEquals(store.stats().memoryBytes, 0);
});
