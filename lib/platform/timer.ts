/** One function to be run later. It knows no reason. */

import { MAX_TIMER_MS } from "../base/limits.ts";

/** Runs a function after a time, however long. */
export class Timer {
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Runs a function after so many milliseconds, in place of the one that waits; `Infinity` is never. */
  set(ms: number, run: () => void): void {
    this.stop();
    if (ms === Infinity) return;
    const [now, rest] = [Math.min(ms, MAX_TIMER_MS), Math.max(0, ms - MAX_TIMER_MS)];
    this.#timer = setTimeout(() => rest === 0 ? run() : this.set(rest, run), now);
    Deno.unrefTimer(this.#timer as unknown as number);
  }

  /** Nothing is run any more. */
  stop(): void {
    clearTimeout(this.#timer);
  }
}
