/** Slices of a store's work that no request asks for: how much is done between two looks at the time, and that nothing lags behind. */

import { assert, assertEquals } from "@std/assert";
import { fixture, KIB, maintain, set, span } from "../support/store_entries.ts";
import { NOW_MS, replicatingStore } from "../support/stores.ts";

/** Most expired entries that are removed between two looks at the time. */
const TOGETHER = 16;

Deno.test("Store.maintain() removes 16 expired entries at most between two looks at the time, and 667 in a slice", () => {
  const { store, clock } = fixture({ maxSize: Infinity });
  for (let i = 0; i < 5000; i++) set(store, `${i}`, 10, 1000);
  clock.nowMs += 2000;
  let [before, most, mostInSlice] = [0, 0, 0];
  const look = () => {
    most = Math.max(most, store.losses.expirations - before);
    before = store.losses.expirations;
    return false;
  };
  for (let more = true; more;) {
    const atFirst = store.losses.expirations;
    more = store.maintain(look);
    mostInSlice = Math.max(mostInSlice, store.losses.expirations - atFirst);
  }
  assertEquals([store.losses.expirations, most, mostInSlice], [5000, TOGETHER, 667]);
});

Deno.test("Store.maintain() comes to the end of everything where the time of each slice is over at once", () => {
  const store = replicatingStore({ nowMs: NOW_MS });
  for (let i = 0; i < 2000; i++) set(store, `a${i}`, 2 * KIB);
  for (let i = 0; i < 2000; i++) set(store, `b${i}`, 10, 1000);
  for (let i = 0; i < 1000; i++) set(store, `c${i}`, 10);
  store.clearPrefix(span("c"));
  for (let i = 0; i < 2000; i++) if (i % 10 !== 0) store.delete(span(`a${i}`));
  const { memoryBytes } = store.stats();
  // As many slices as there are jobs for each 16 expired entries, 20 cleared ones, or 8 KiB of records.
  for (let slices = 0; slices < 4 * (memoryBytes / (8 * KIB) + 1000 / 20); slices++) assert(store.maintain(() => true));
  assertEquals([store.stats().entries, store.losses.cleared], [2200, 1000]);
  const left = store.stats().memoryBytes;
  maintain(store);
  assertEquals([store.stats().entries, store.stats().memoryBytes], [2200, left]);
  assert(left < memoryBytes, `${left} of ${memoryBytes} bytes`);
});
