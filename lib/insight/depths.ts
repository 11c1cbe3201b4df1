/** How deep in the order of use reads have found their keys: the curve of hits over the size of a cache. */

import { Tally } from "./tally.ts";

/** Up to this depth each has a bucket of its own, and each doubling beyond has half as many buckets, of equal width. */
const EXACT = 64;
const HALF = EXACT / 2;
/** Depths beyond are not told apart. */
const DEEPEST = 2 ** 31 - 1;
const BUCKETS = EXACT + 25 * HALF;

/** Counts of reads by depth. */
export class Depths {
  readonly #reads = new Float64Array(BUCKETS);
  readonly #weighted = new Float64Array(BUCKETS);

  /** Counts a read that stands for `reads` reads, of a key at a depth that has been read `times` times. */
  add(depth: number, reads: number, times: number): void {
    const bucket = bucketOf(Math.min(depth, DEEPEST));
    this.#reads[bucket] += reads;
    this.#weighted[bucket] += reads * times;
  }

  /** The reads at depths below `size`: what an LRU cache of `size` entries answers. */
  below(size: number): Tally {
    const sum = new Tally();
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const from = startOf(bucket);
      if (from >= size) break;
      const share = Math.min(1, (size - from) / (startOf(bucket + 1) - from)); // of the last bucket, a part
      sum.reads += share * this.#reads[bucket];
      sum.weighted += share * this.#weighted[bucket];
    }
    return sum;
  }

  /** Makes what has been counted so far count `factor` times as much. */
  scale(factor: number): void {
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      this.#reads[bucket] *= factor;
      this.#weighted[bucket] *= factor;
    }
  }
}

function bucketOf(depth: number): number {
  if (depth < EXACT) return Math.floor(depth);
  const doublings = 26 - Math.clz32(depth); // 0 from 32 on
  return HALF * doublings + (depth >> doublings);
}

/** The least depth of a bucket. */
function startOf(bucket: number): number {
  if (bucket < EXACT) return bucket;
  const doublings = Math.floor(bucket / HALF) - 1;
  return (bucket - HALF * doublings) * 2 ** doublings;
}
