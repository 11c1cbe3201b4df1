/** Counts the entries that leave a store, and what is known of their use. It removes nothing. */

import type { StoreStats } from "../base/stats.ts";
import { type EntryReader, MARK } from "./entry.ts";
import { CAUSE, type Cause } from "./store_listener.ts";

/** What sweeps for expired entries have done. */
export interface SweepCounts {
  /** Entries that they have looked at. */
  looked: number;
  /** Expired entries that they have removed. */
  swept: number;
}

/** Milliseconds since an entry was last used, or since it was written where its record does not tell its uses. */
export function idleMsOf(reader: EntryReader, position: number, nowMs: number): number {
  const isRenewed = (reader.marks(position) & MARK.fixed) === 0 && reader.deadlineMs(position) !== Infinity;
  const idleMs = isRenewed
    ? reader.ttlMs(position) - (reader.deadlineMs(position) - nowMs)
    : reader.toldMs(position, nowMs);
  return Math.max(0, idleMs);
}

/** Counts since a store was made. */
export class Losses implements SweepCounts {
  /** Entries removed because they were deleted or cleared; `cleared` are those of them that were cleared. */
  deletions = 0;
  cleared = 0;
  /** Entries removed to make room: those in all, those with a time to live, and those that nobody had retrieved. */
  evictions = 0;
  evictedTimed = 0;
  evictedUnfetched = 0;
  /** Entries that were held when the last was evicted, itself included. */
  lastEvictedOf = 0;
  /** Milliseconds for which the entry last evicted had not been used; `undefined` if there is none, or its record did not tell. */
  lastEvictedIdleMs: number | undefined;
  /** Entries removed because their time was over: those in all, and those that nobody had retrieved. */
  expirations = 0;
  expiredUnfetched = 0;
  /** Expired and cleared entries that were removed because somebody asked for them. */
  askedExpired = 0;
  askedCleared = 0;
  looked = 0;
  swept = 0;
  readonly #renewOnHit: boolean;

  /** @param renewOnHit Whether a hit restarts an entry's time to live. */
  constructor(renewOnHit: boolean) {
    this.#renewOnHit = renewOnHit;
  }

  /** Those in all. */
  get totals(): Pick<StoreStats, "deletions" | "evictions" | "expirations"> {
    const { deletions, evictions, expirations } = this;
    return { deletions, evictions, expirations };
  }

  /** Whether the record of an entry tells when it was last used. */
  isUseNoted(reader: EntryReader, position: number): boolean {
    const isFixed = (reader.marks(position) & MARK.fixed) !== 0;
    return isFixed || (this.#renewOnHit && reader.deadlineMs(position) !== Infinity);
  }

  /** Counts an entry that a peer sent, and for which there is no room among `held` that are newer. */
  countArrival(held: number): void {
    this.evictions++;
    this.lastEvictedOf = held;
  }

  /** Counts an entry that is about to leave, one of `held`. */
  count(cause: Cause, reader: EntryReader, position: number, nowMs: number, held: number): void {
    if (cause === CAUSE.cleared) {
      this.deletions++;
      this.cleared++;
      return;
    }
    const isUnfetched = (reader.marks(position) & MARK.fetched) === 0;
    if (cause !== CAUSE.evicted) {
      this.expirations++;
      if (isUnfetched) this.expiredUnfetched++;
      return;
    }
    this.evictions++;
    this.lastEvictedOf = held;
    if (isUnfetched) this.evictedUnfetched++;
    if (reader.deadlineMs(position) !== Infinity) this.evictedTimed++;
    this.lastEvictedIdleMs = this.isUseNoted(reader, position) ? idleMsOf(reader, position, nowMs) : undefined;
  }
}
