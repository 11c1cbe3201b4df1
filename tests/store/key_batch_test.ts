/** Which keys are prefetched together. */

import { assertEquals } from "@std/assert";
import { KeyBatch, LEAST_PREFETCHED } from "../../lib/store/key_batch.ts";
import { MAX_PREFETCHED } from "../../lib/store/entries.ts";
import type { Store } from "../../lib/store/store.ts";
import { spanOf } from "../../lib/base/byte_span.ts";

/** What a batch of some keys has a store of so many entries prefetch. */
function prefetched(keys: number, size: number): number[][] {
  const told: number[][] = [];
  const batch = new KeyBatch({
    order: { newest: 0, oldest: 0, size },
    hash: ({ bytes }) => 7 * bytes[0],
    prefetch: (hashes, count) => void told.push([...hashes.subarray(0, count)]),
  } as Pick<Store, "order" | "hash" | "prefetch"> as Store);
  for (let i = 0; i < keys; i++) batch.add(spanOf(Uint8Array.of(i)));
  batch.prefetch();
  assertEquals([batch.count, batch.isFull], [keys, keys === MAX_PREFETCHED]);
  return told;
}

Deno.test("KeyBatch prefetches two keys and more, of a store with so many entries that they are not in the processor's caches", () => {
  assertEquals(prefetched(2, LEAST_PREFETCHED), [[0, 7]]);
  assertEquals(prefetched(MAX_PREFETCHED, LEAST_PREFETCHED), [Array.from({ length: MAX_PREFETCHED }, (_, i) => 7 * i)]);
  assertEquals([prefetched(1, LEAST_PREFETCHED), prefetched(2, LEAST_PREFETCHED - 1)], [[], []]);
});
