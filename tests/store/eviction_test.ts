/** Limits of a store: who leaves for whom, and what is held at most. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { seeded } from "../../bench/compare.ts";
import { spanOf } from "../../lib/base/byte_span.ts";
import { MIN_STORE_BYTES } from "../../lib/base/limits.ts";
import {
  assertStats,
  bounded,
  fixture,
  has,
  KIB,
  MIB,
  noise,
  noiseSpan,
  sameBytes,
  set,
  span,
  valueOf,
} from "../support/store_entries.ts";

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
  while (store.reader.entryBytes(1, length) > store.maxEntryBytes) length--;
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

Deno.test("Store keeps to maxBytes when keys of 4096 bytes are in the smallest segments", () => {
  for (const maxBytes of [MIN_STORE_BYTES, 200 * KIB, MIB]) {
    const store = bounded(maxBytes);
    const random = seeded(maxBytes);
    const below = (n: number) => Math.floor(random() * n);
    let most = 0;
    for (let i = 0; i < 3000; i++) {
      const key = noise.subarray(i % 500, i % 500 + (below(2) === 0 ? 4096 : 1 + below(4096)));
      const longest = store.maxEntryBytes - store.reader.entryBytes(key.length, 0);
      const value = noiseSpan(below(3) === 0 ? below(20) : below(Math.floor(0.9 * Math.min(longest, 50_000))), below);
      if (store.reader.entryBytes(key.length, value.to - value.from) > store.maxEntryBytes) continue;
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
