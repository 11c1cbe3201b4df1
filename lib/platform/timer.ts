/** Timers that do not keep a process alive. They do not know what their functions do. */

import { MAX_TIMER_MS } from "../base/limits.ts";

/** Has this process end though a timer runs. Returns the timer. */
export function unref(timer: ReturnType<typeof setTimeout>): typeof timer {
  Deno.unrefTimer(timer as unknown as number);
  return timer;
}

/** Runs a function later, even after more than the 2³¹ − 1 ms that a platform timer takes. */
export class Timer {
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Runs `run` after `ms` milliseconds, instead of the function that waits; `Infinity` means never. */
  set(ms: number, run: () => void): void {
    this.stop();
    if (ms === Infinity) return;
    const [now, rest] = [Math.min(ms, MAX_TIMER_MS), Math.max(0, ms - MAX_TIMER_MS)];
    this.#timer = unref(setTimeout(() => rest === 0 ? run() : this.set(rest, run), now));
  }

  /** Drops the function that waits. */
  stop(): void {
    clearTimeout(this.#timer);
  }
}
