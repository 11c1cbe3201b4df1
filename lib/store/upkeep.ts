/**
 * The work of a store that no request asks for, in slices. It knows which jobs there are, and whose turn it is, not how they are done.
 *
 * A slice ends when its time is over: after each piece of work `Upkeep` calls `isOver`, which tells. It ends after a fixed number of pieces
 * of each job in any case. The jobs take turns: the next slice begins with the job after the last one that had its turn, and each job
 * does one piece at least. So no job waits for more slices than there are jobs. To give a region of memory back takes as long as a
 * slice and cannot be cut, so it is a slice of its own.
 */

import type { Entries } from "./entries.ts";
import type { RetiredRecords } from "./retired_records.ts";

/** Places where a slice looks for expired entries, and for cleared ones; of each that it erases some fewer. */
const PLACES = 2000;
/** Places more that an expired entry counts for: to remove it takes as long. */
const EXPIRED_PLACES = 2;
/** Places after which a search for cleared entries asks whether the time is over. */
const DOOMED_PLACES = 100;
/** Bytes of records that a slice looks at to close holes, and after which it asks whether the time is over. */
const TIDY_BYTES = 128 * 1024;
const TIDY_PIECE_BYTES = 8 * 1024;
/** Segments whose memory a slice gives back after a `clear`, at most. */
const GIVE_BACK = 16;

/** What the jobs work on. */
export interface UpkeepMeans {
  /** The present entries. */
  readonly entries: () => Entries;
  /** Records from before a clear. */
  readonly retired: RetiredRecords;
  /** Begins with new records where there are no entries, so that the memory of the old ones goes back. */
  readonly abandon: () => void;
}

/** A piece of work that may be begun whatever has been done; returns whether there is more to do at once. */
type Job = (nowMs: number, isOver: () => boolean) => boolean;

/** Slices of work, one after another. */
export class Upkeep {
  readonly #means: UpkeepMeans;
  readonly #jobs: readonly Job[] = [
    (nowMs, isOver) => this.#means.entries().sweep(PLACES, nowMs, EXPIRED_PLACES, isOver),
    (_, isOver) => this.#tidy(isOver),
    () => this.#giveBack(),
    (_, isOver) => this.#eraseDoomed(isOver),
  ];
  #next = 0;

  constructor(means: UpkeepMeans) {
    this.#means = means;
  }

  /**
   * Does a slice.
   *
   * @param isOver Returns whether the time of the slice is over.
   * @returns Whether there is more to do at once, or may be since the time is over.
   */
  run(nowMs: number, isOver: () => boolean): boolean {
    if (this.#means.entries().giveBack()) return true;
    let isMore = false;
    for (let turns = this.#jobs.length; turns > 0; turns--) {
      const job = this.#jobs[this.#next];
      this.#next = (this.#next + 1) % this.#jobs.length;
      if (job(nowMs, isOver)) isMore = true;
      if (turns > 1 && isOver()) return true;
    }
    return isMore;
  }

  #tidy(isOver: () => boolean): boolean {
    const { entries, abandon } = this.#means;
    if (entries().size === 0 && entries().records.slab.heldBytes > 0) abandon();
    const { slab } = entries().records;
    for (let bytes = 0; bytes < TIDY_BYTES; bytes += TIDY_PIECE_BYTES) {
      if (!slab.tidy(TIDY_PIECE_BYTES)) return false;
      if (isOver()) break;
    }
    return true;
  }

  #giveBack(): boolean {
    this.#means.retired.giveBack(GIVE_BACK);
    return this.#means.retired.bytes > 0;
  }

  #eraseDoomed(isOver: () => boolean): boolean {
    const entries = this.#means.entries();
    for (let places = 0; places < PLACES && entries.doomed !== 0; places += DOOMED_PLACES) {
      entries.eraseDoomed(DOOMED_PLACES);
      if (isOver()) break;
    }
    return entries.doomed !== 0;
  }
}
