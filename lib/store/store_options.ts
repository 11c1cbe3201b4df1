/** What a store is told when it is made, and the bounds of that. */

import type { TurnClock } from "../base/turn_clock.ts";
import { checkLimit, MAX_STORE_BYTES, MIN_STORE_BYTES } from "../base/limits.ts";
import type { HistoryOptions } from "./history.ts";
import type { HashKey } from "./keyed_hash.ts";
import type { Rules } from "./rules.ts";

/** Options of {@linkcode Store}; the names are those of the server's options. */
export interface StoreOptions extends HistoryOptions {
  /** Entries held at most; `Infinity` leaves the limit to `maxBytes`. */
  maxSize: number;
  /** Memory held at most, in bytes: 64 KiB to 16 GiB (16 GiB). */
  maxBytes?: number;
  /** Milliseconds until an entry stored without a time to live expires; 0 or `Infinity` is never. */
  ttlMs: number;
  /** Whether a hit restarts the entry's time to live. */
  renewOnHit: boolean;
  /** Two random numbers that protect against keys chosen to collide. */
  hashKey: HashKey;
  /** The origin of writes made here: a random 32-bit number, new for each start. */
  origin?: number;
  /** Whether writes have versions, and entries that leave become graves, as replication needs it (false). */
  replicates?: boolean;
  /** Graves kept at most (65,536). */
  maxGraves?: number;
  /** Clears of prefixes kept at most (1,024). */
  maxPrefixes?: number;
  /** Writes that have left of which fingerprints are kept in any case; by default as many as `maxBytes` allows. */
  maxForgotten?: number;
  /** Rules of replication; for the simulator. */
  rules?: Rules;
  /** The time by which entries age, in milliseconds since 1970, and how far the wall clock is from it (0). */
  clock: Pick<TurnClock, "now"> & Partial<TurnClock>;
}

/** Throws a `RangeError` if a limit is out of range. */
export function checkStoreOptions({ maxSize, maxBytes = MAX_STORE_BYTES, ttlMs }: StoreOptions): void {
  checkLimit("maxSize", maxSize, 1);
  checkLimit("maxBytes", maxBytes, MIN_STORE_BYTES, MAX_STORE_BYTES);
  checkLimit("ttlMs", ttlMs, 0);
}
