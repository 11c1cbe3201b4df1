/**
 * Counts misses by reason, and remembers why keys that were here are here no more. It knows hashes, not keys or entries.
 *
 * The memory is a table with one place for each hash, 4 bytes large: what leaves later takes the place of what has left before.
 * A place has the upper 29 bits of a hash, and itself tells the others; so only a key of the same hash can be taken for another.
 */

import type { RecordList } from "./record_list.ts";
import type { MissCounts, StoreStats } from "../base/stats.ts";

/** Why a key is not here; {@linkcode MissCounts} says what each of them means. */
export const WHY = { absent: 0, expired: 1, evicted: 2, deleted: 3, cleared: 4, superseded: 5 } as const;

/** One of {@linkcode WHY}. */
export type Why = typeof WHY[keyof typeof WHY];

const WHYS = Object.keys(WHY) as (keyof MissCounts)[];
/** Bits of a place that say why; there are more places than these bits can count. */
const WHY_BITS = 7;
const LEAST_PLACES = 256;
/** Places of any store that has the memory: two keys of one place forget each other, so few places forget early. */
const USUAL_PLACES = 2 ** 13;
const MOST_PLACES = 2 ** 18;
/** Places for each entry that may be held: what is missed has often left some time ago. */
const PLACES_FOR_EACH = 4;
/** Bytes of a store's memory for each place, at most one: so the table is small beside it. */
const BYTES_FOR_EACH = 256;

/** Keys that are remembered of those that a clear of everything has removed, at most; to note them takes one to three milliseconds. */
export const MOST_CLEARED = 2 ** 14;

/** Misses of one store, and what it remembers of keys that have left. */
export class Misses {
  readonly #places: Int32Array;
  readonly #mask: number;
  readonly #counts = WHYS.map(() => 0);

  /** @param maxSize Entries that the store holds at most. @param limitBytes Memory that it holds at most, in bytes. */
  constructor(maxSize: number, limitBytes: number) {
    const most = Math.min(MOST_PLACES, Math.max(LEAST_PLACES, limitBytes / BYTES_FOR_EACH));
    const wanted = Math.min(most, Math.max(USUAL_PLACES, PLACES_FOR_EACH * maxSize));
    this.#places = new Int32Array(2 ** Math.floor(Math.log2(wanted)));
    this.#mask = this.#places.length - 1;
  }

  /** Keys that are remembered at most. */
  get places(): number {
    return this.#places.length;
  }

  /** Misses so far. */
  get stats(): Pick<StoreStats, "misses" | "missesByReason"> {
    const counts = this.#counts;
    const missesByReason = Object.fromEntries(WHYS.map((name, i) => [name, counts[i]])) as unknown as MissCounts;
    return { misses: counts.reduce((sum, count) => sum + count), missesByReason };
  }

  /** Counts a miss. */
  count(why: Why): void {
    this.#counts[why]++;
  }

  /** Takes note that the key of a hash is here no more, and why. It need not be forgotten when it is here again: it will leave again. */
  note(hash: number, why: Why): void {
    this.#places[hash & this.#mask] = hash & ~WHY_BITS | why;
  }

  /**
   * Takes note that a clear has removed all records of some lists. Where they are many, those at the beginning are remembered, and
   * what had left before is forgotten: some of it was here again, and would seem to be away since then.
   */
  cleared(...lists: readonly RecordList[]): void {
    let left = MOST_CLEARED;
    if (lists.reduce((sum, { size }) => sum + size, 0) > left) this.#places.fill(0);
    for (const list of lists) left -= list.tellHashes(left, (hash) => this.note(hash, WHY.cleared));
  }

  /** Why the key of a hash, which is not here, is not: `absent` if nothing is remembered of it. */
  whyOf(hash: number): Why {
    const place = this.#places[hash & this.#mask];
    return ((place ^ hash) & ~WHY_BITS) === 0 ? (place & WHY_BITS) as Why : WHY.absent;
  }
}

/** A reason in a word. */
export function wordOf(why: Why): keyof MissCounts {
  return WHYS[why];
}
