/**
 * Finds expired entries without being asked for them, a few places at a time. It knows records and deadlines, not keys
 * or recency.
 *
 * It remembers the earliest deadline of each segment, so it walks only through segments where an entry is due. Entries
 * whose deadline has been put off since wait for another walk.
 */

import type { SweepCounts } from "./losses.ts";
import type { Records } from "./records.ts";

/** Expired entries that are removed between two looks at the time. */
const TOGETHER = 16;

/** A sweep that goes round the segments without end. */
export class ExpirySweep {
  readonly #records: Records;
  readonly #expire: (position: number) => void;
  readonly #counts: SweepCounts;
  /** For each segment, the time in milliseconds before which none of its entries expires. */
  readonly #earliest: number[] = [];
  #segment = 0;
  /** Byte offset of the walk within its segment, or -1 between segments. */
  #at = -1;
  /** How often the segment had been opened when the walk began. */
  #opened = 0;
  /** Earliest deadline met on the walk. */
  #met = Infinity;
  /** Expired entries that have been removed. */
  #expired = 0;

  /** @param expire Removes the entry at a position. @param counts Told of what is looked at and removed. */
  constructor(records: Records, expire: (position: number) => void, counts: SweepCounts) {
    this.#counts = counts;
    this.#records = records;
    this.#expire = expire;
  }

  /** Takes note of the deadline of an entry that is new at its position, or whose deadline may have come nearer. */
  note(position: number, deadlineMs: number): void {
    const segment = position >>> this.#records.slab.shift;
    const earliest = this.#earliest;
    while (earliest.length <= segment) earliest.push(Infinity);
    if (deadlineMs < earliest[segment]) earliest[segment] = deadlineMs;
  }

  /**
   * Looks at up to `places` places: segments, or records of a segment where an entry is due.
   *
   * @param more Places more that an expired entry counts for.
   * @param isOver Whether to stop, asked now and then where entries expire.
   * @returns Whether the sweep stopped within a segment.
   */
  run(places: number, nowMs: number, more = 0, isOver?: () => boolean): boolean {
    for (; places > 0 && this.#earliest.length > 0; places--) {
      if (this.#at < 0) this.#lookAtSegment(nowMs);
      else if (this.#lookAtRecord(nowMs)) {
        places -= more;
        if (isOver !== undefined && ++this.#expired % TOGETHER === 0 && isOver()) break;
      }
    }
    return this.#at >= 0;
  }

  #lookAtSegment(nowMs: number): void {
    this.#segment = (this.#segment + 1) % this.#earliest.length;
    const segment = this.#segment;
    if (this.#earliest[segment] > nowMs) return;
    this.#earliest[segment] = this.#met = Infinity;
    this.#at = this.#records.slab.firstAt(segment);
    this.#opened = this.#records.slab.opened[segment];
  }

  /** Returns whether the record was an entry that has expired. */
  #lookAtRecord(nowMs: number): boolean {
    const records = this.#records;
    const segment = this.#segment;
    if (records.slab.opened[segment] !== this.#opened) {
      this.#at = -1; // emptied and opened anew: its deadlines have been noted as they came
      return false;
    }
    if (this.#at >= records.slab.ends[segment]) {
      this.#earliest[segment] = Math.min(this.#earliest[segment], this.#met);
      this.#at = -1;
      return false;
    }
    const position = records.entryAt(segment, this.#at);
    this.#at = records.nextAt(segment, this.#at);
    if (position === 0) return false;
    this.#counts.looked++;
    const deadlineMs = records.deadlineMs(position);
    if (deadlineMs > nowMs) {
      if (deadlineMs < this.#met) this.#met = deadlineMs;
      return false;
    }
    this.#counts.swept++;
    this.#expire(position);
    return true;
  }
}
