/**
 * Connections that have something to be told, and no reply that takes it along yet: after a few milliseconds they are told in a
 * write of their own. A busy client is told with its replies, at no cost. It does not know what is told.
 */

import { Timer } from "../platform/timer.ts";

/** Milliseconds that a client is told late at most, where it is told nothing else. */
const PUSH_AFTER_MS = 5;

/** Tells those who have been told nothing for a few milliseconds. */
export class PushQueue {
  readonly #afterMs: number;
  readonly #timer: Pick<Timer, "set" | "stop">;
  readonly #waiting = new Set<() => void>();

  /** @param afterMs Milliseconds; 0 is the end of this turn. */
  constructor(afterMs: number = PUSH_AFTER_MS, timer: Pick<Timer, "set" | "stop"> = new Timer()) {
    this.#afterMs = afterMs;
    this.#timer = timer;
  }

  /** Has a function called later, once. */
  add(push: () => void): void {
    if (this.#waiting.size === 0) this.#begin();
    this.#waiting.add(push);
  }

  /** Has a function not be called. */
  remove(push: () => void): void {
    if (this.#waiting.delete(push) && this.#waiting.size === 0) this.#timer.stop();
  }

  #begin(): void {
    if (this.#afterMs === 0) queueMicrotask(() => this.#run());
    else this.#timer.set(this.#afterMs, () => this.#run());
  }

  #run(): void {
    const all = [...this.#waiting];
    this.#waiting.clear();
    for (const push of all) push();
  }
}
