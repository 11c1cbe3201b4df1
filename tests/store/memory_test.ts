/** Memory that a store gives back. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { seeded } from "../../bench/compare.ts";
import { mostFingerprints } from "../../lib/store/fingerprint_size.ts";
import type { Store } from "../../lib/store/store.ts";
import { bounded, fixture, has, KIB, maintain, MIB, set, span } from "../support/store_entries.ts";
import { NOW_MS, replicatingStore } from "../support/stores.ts";

/** Maintains until all memory has gone back, and never holds more than before. */
function assertShrinks(store: Store): void {
  let { memoryBytes } = store.stats();
  maintain(store, () => {
    const now = store.stats().memoryBytes;
    assert(now <= memoryBytes, `${now} bytes after ${memoryBytes}`);
    memoryBytes = now;
  });
  assertStrictEquals(memoryBytes, 0);
}

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
      assert(store.stats().memoryBytes > 0);
      assertShrinks(store);
      assertStrictEquals(store.stats().bytes, 0);
    }
  }
});

Deno.test("Store.maintain() never holds more than before when a store that had shrunk was cleared", () => {
  const store = bounded(8 * MIB);
  for (let i = 0; i < 6000; i++) set(store, `${i}`, 1000);
  for (let i = 0; i < 6000; i++) if (i % 10 !== 0) store.delete(span(`${i}`));
  maintain(store);
  store.clear();
  assertShrinks(store);
});

for (const maxBytes of [256 * KIB, 512 * KIB, MIB]) {
  Deno.test(`Store.maintain() comes to rest when keys are long and ${maxBytes} bytes are the limit`, () => {
    const store = bounded(maxBytes);
    for (let i = 0; i < 2000; i++) set(store, `${i}`.padStart(4096, "x"), i % 100);
    for (let slices = 0; store.maintain(); slices++) assert(slices < 1000, "it cleans for ever");
  });
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

for (const maxBytes of [160 * KIB, MIB, 4 * MIB]) {
  Deno.test(`Store keeps to ${maxBytes} bytes while fingerprints of what has left it take more and more`, () => {
    const store = replicatingStore({ nowMs: NOW_MS }, { maxBytes });
    const { history } = store;
    let [most, last] = [0, 0];
    const stores = 4 * maxBytes / 30;
    for (let i = 0; i < stores; i++) {
      assert(set(store, `key ${i}`, 10));
      if (i % 7 === 0) store.delete(span(`key ${i}`));
      most = Math.max(most, store.stats().memoryBytes);
      last = Math.max(last, history.fingerprints);
    }
    const { entries, memoryBytes } = store.stats();
    assert(most <= maxBytes && memoryBytes > 0.7 * maxBytes, `${most} bytes at most, ${memoryBytes} at the end`);
    assert(last >= Math.min(mostFingerprints(maxBytes), stores / 2), `${last} fingerprints`);
    assert(entries > maxBytes / 600, `${entries} entries`);
    store.clear();
    maintain(store);
    assertEquals([history.fingerprints, history.bytes, store.stats().memoryBytes < maxBytes / 8], [0, 0, true]);
  });
}
