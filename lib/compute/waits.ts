/** Who waits until another process has computed a key, by key. It does not know who tells. */

/** Promises that somebody ends. */
export class Waits {
  readonly #waiting = new Map<string, PromiseWithResolvers<void>>();

  /** Returns a promise that resolves when there is reason to ask for a key again. */
  wait(key: string): Promise<void> {
    const waiting = this.#waiting.get(key) ?? Promise.withResolvers<void>();
    this.#waiting.set(key, waiting);
    return waiting.promise;
  }

  /** Has those who wait for a key ask again. */
  wake(key: string): void {
    this.#waiting.get(key)?.resolve();
    this.#waiting.delete(key);
  }

  /** Has all ask again. */
  wakeAll(): void {
    for (const { resolve } of this.#waiting.values()) resolve();
    this.#waiting.clear();
  }
}
