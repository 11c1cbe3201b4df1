/** Keys whose computation has failed a moment ago, while an older value was given: they are not computed again at once. */

/** Keys remembered at most; beyond that the oldest is forgotten. */
const MAX_PAUSES = 1000;

/** Pauses of keys. */
export class Pauses {
  readonly #now: () => number;
  readonly #untilMs = new Map<string, number>();

  /** @param now Returns the time in milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Begins a pause. */
  begin(key: string, ms: number): void {
    this.#untilMs.delete(key);
    this.#untilMs.set(key, this.#now() + ms);
    if (this.#untilMs.size <= MAX_PAUSES) return;
    const [[oldest]] = this.#untilMs;
    this.#untilMs.delete(oldest);
  }

  /** Tells whether a key has a pause. */
  has(key: string): boolean {
    const untilMs = this.#untilMs.get(key);
    if (untilMs === undefined) return false;
    if (this.#now() < untilMs) return true;
    this.#untilMs.delete(key);
    return false;
  }

  /** Ends the pause of a key, or of all. */
  end(key?: string): void {
    if (key === undefined) this.#untilMs.clear();
    else this.#untilMs.delete(key);
  }

  /** Ends the pauses of all keys that begin with a prefix. */
  endUnder(prefix: string): void {
    for (const key of this.#untilMs.keys()) if (key.startsWith(prefix)) this.#untilMs.delete(key);
  }
}
