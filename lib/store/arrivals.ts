/**
 * The place of what other nodes have used in this node's order of use, so that what arrives late does not count as used
 * last. It knows records and times, not limits or keys.
 *
 * The records hold no time of use. What is known of it: an entry has been used when it was written, and one with a time
 * to live that hits renew was used that time before its deadline. Other hits move an entry to the front and tell no
 * time; but whatever is in front of an entry has been used after it. So an arrival belongs in front of all that is older
 * and behind the first, from the oldest end on, that is newer.
 */

import { MARK } from "./entry.ts";
import type { RecordList } from "./record_list.ts";
import type { Records } from "./records.ts";
import { timeOf } from "./version.ts";

/**
 * Entries passed for one arrival, at most. Where the walk ends early, the arrival is put there, and the next one goes on
 * from there: so the first arrivals of a catch-up, one for every `MOST_STEPS` entries to pass, may stand that much too
 * far back (or, from the newest end, in front), and those after them stand right.
 */
export const MOST_STEPS = 64;
/** Entries in a row, older than an arrival, that may have been hit since, behind which newer ones are still looked for. */
const MOST_HIT = 8;

/** When an entry was used last, as far as its version, deadline and time to live tell, in milliseconds. */
export function usedMs(h: number, marks: number, deadlineMs: number, ttlMs: number): number {
  if (ttlMs === Infinity || (marks & MARK.fixed) !== 0) return timeOf(h);
  return Math.max(timeOf(h), deadlineMs - Math.fround(ttlMs)); // as a record holds it
}

/** Puts arrivals into the order of use. */
export class Arrivals {
  readonly #records: Records;
  readonly #order: RecordList;
  /** When the arrival at the order's cursor was used. */
  #cursorMs = -Infinity;
  /** When the arrival was used that was used last. */
  #latestMs = -Infinity;
  /** Whether the last walk towards older entries ended early. */
  #isCut = false;

  constructor(records: Records, order: RecordList) {
    this.#records = records;
    this.#order = order;
  }

  /** Whether an arrival was used before all entries: where there is no room, it is the one to leave. */
  isOldest(arrivalMs: number): boolean {
    return this.#order.size > 0 && arrivalMs < this.#usedMs(this.#order.oldest);
  }

  /** Whether the entry at a position has been used after a time: it is in front of one that has, if not newer itself. */
  isUsedSince(position: number, timeMs: number): boolean {
    for (let steps = 0; position !== 0 && steps <= MOST_HIT; steps++) {
      if (this.#usedMs(position) > timeMs) return true;
      position = this.#records.older(position);
    }
    return false;
  }

  /**
   * Puts an arrival, whose record is in no list, into the order.
   *
   * @param arrivalMs When it was used.
   * @param writtenMs When something was last written here.
   */
  add(position: number, arrivalMs: number, writtenMs: number): void {
    const order = this.#order;
    const wasCut = this.#isCut;
    this.#isCut = false;
    let frontMs = Math.max(this.#latestMs, writtenMs);
    if (order.size > 0) frontMs = Math.max(frontMs, this.#usedMs(order.newest));
    const older = arrivalMs >= frontMs ? order.newest : this.#find(arrivalMs, frontMs, wasCut);
    order.insert(position, older);
    order.cursor = this.#isCut ? older : position;
    this.#cursorMs = arrivalMs;
    if (arrivalMs > this.#latestMs) this.#latestMs = arrivalMs;
  }

  #usedMs(position: number): number {
    const records = this.#records;
    return usedMs(records.h(position), records.marks(position), records.deadlineMs(position), records.ttlMs(position));
  }

  /** The entry in front of which an arrival belongs, or 0: looked for from whichever known place is nearest in time. */
  #find(arrivalMs: number, frontMs: number, wasCut: boolean): number {
    const order = this.#order;
    if (order.size === 0) return 0;
    const fromOldest = arrivalMs - this.#usedMs(order.oldest);
    if (fromOldest < 0) return 0;
    const fromNewest = frontMs - arrivalMs;
    const fromCursor = Math.abs(arrivalMs - this.#cursorMs);
    if (fromCursor > fromNewest && fromNewest < fromOldest) return this.#findOlder(order.newest, arrivalMs);
    const from = fromCursor <= fromOldest ? order.cursor : 0;
    const isAhead = from !== 0 && (wasCut || this.#usedMs(from) > arrivalMs);
    return isAhead ? this.#findOlder(from, arrivalMs) : this.#findNewer(from, arrivalMs);
  }

  #findNewer(from: number, arrivalMs: number): number {
    for (let steps = 0; steps < MOST_STEPS; steps++) {
      const newer = from === 0 ? this.#order.oldest : this.#records.newer(from);
      if (newer === 0 || this.#usedMs(newer) > arrivalMs) break;
      from = newer;
    }
    return from;
  }

  #findOlder(from: number, arrivalMs: number): number {
    let at = from;
    let hit = 0;
    let steps = 0;
    for (; at !== 0 && hit < MOST_HIT && steps < MOST_STEPS; steps++) {
      const isNewer = this.#usedMs(at) > arrivalMs;
      at = this.#records.older(at);
      hit = isNewer ? 0 : hit + 1;
      if (isNewer) from = at;
    }
    this.#isCut = steps === MOST_STEPS;
    return from;
  }
}
