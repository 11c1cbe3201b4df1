/**
 * Divides long work into slices, between which the event loop looks after everything else in this process. It does not
 * know what the work is.
 */

import type { Allowance } from "../wire/protocol_handler.ts";
import { pause } from "./socket.ts";

/** Milliseconds of work in a slice. */
const SLICE_MS = 10;
/** Units of work after which the clock is read. */
const UNITS_PER_READING = 16;

/** The slices of one piece of work after another: each begins with `begin`, or after a `next`. */
export class Slices implements Allowance {
  isOver = false;
  readonly #now: () => number;
  #left = UNITS_PER_READING;
  #endMs = 0;

  /** @param now A clock, in milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Begins a slice; `nowMs` is a reading of the clock, if there is one. */
  begin(nowMs: number = this.#now()): void {
    this.isOver = false;
    this.#left = UNITS_PER_READING;
    this.#endMs = nowMs + SLICE_MS;
  }

  spend(units: number): void {
    this.#left -= units;
    if (this.#left > 0) return;
    this.#left = UNITS_PER_READING;
    this.isOver = this.#now() >= this.#endMs;
  }

  /** Lets the event loop look after everything else, and begins the next slice. */
  async next(): Promise<void> {
    await pause(0);
    this.begin();
  }
}
