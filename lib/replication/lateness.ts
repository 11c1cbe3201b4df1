/**
 * How long a message has been on its way, beyond what the quickest message of its peer took: told by the wall clock in it, and
 * so without regard to how far the two clocks differ. It knows times, not messages.
 */

/** Milliseconds after which the quickest message is looked for anew: a clock may have been corrected. */
const WINDOW_MS = 60_000;

/** What one peer's messages say of that. */
export class Lateness {
  #bestMs = -Infinity;
  #bestBeforeMs = -Infinity;
  #sinceMs = -Infinity;

  /**
   * Takes note of a message.
   *
   * @param aheadMs How far its sender's clock was ahead of this node's when it came.
   * @returns The milliseconds that it came late.
   */
  of(aheadMs: number, nowMs: number): number {
    if (nowMs - this.#sinceMs >= WINDOW_MS) {
      [this.#bestBeforeMs, this.#bestMs, this.#sinceMs] = [this.#bestMs, -Infinity, nowMs];
    }
    this.#bestMs = Math.max(this.#bestMs, aheadMs);
    return Math.max(this.#bestMs, this.#bestBeforeMs) - aheadMs;
  }
}
