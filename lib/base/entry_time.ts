/**
 * The time by which entries age, and how far the wall clock is from it, made of a steady clock's readings and the wall
 * clock's. It reads no clock; readings are arguments.
 *
 * The wall clock may be wrong and be corrected, and a steady clock may stand still while a machine sleeps. Entries must not
 * become younger for either: a miss beats a stale value. So what the wall clock is put forward counts as time that has passed,
 * and what it is put back does not.
 */

/** Milliseconds by which the wall clock has to be put forward at once to count as a sleep. */
const STEP_MS = 1000;

/** Two times out of two clocks. */
export class EntryTime {
  /** Milliseconds by which the wall clock is ahead of the time of entries: 0 until it is put back. */
  wallAheadMs = 0;
  #offsetMs: number;
  /** How far the wall clock was ahead of the steady one when they were last compared. */
  #differenceMs: number;

  constructor(steadyMs: number, wallMs: number) {
    this.#offsetMs = this.#differenceMs = wallMs - steadyMs;
  }

  /** The time of entries at a reading of the steady clock. */
  at(steadyMs: number): number {
    return steadyMs + this.#offsetMs;
  }

  /** Takes note of readings of both clocks. */
  compare(steadyMs: number, wallMs: number): void {
    const stepMs = wallMs - steadyMs - this.#differenceMs;
    this.#differenceMs += stepMs;
    if (stepMs > STEP_MS) this.#offsetMs += stepMs;
    else this.wallAheadMs += stepMs;
  }
}
