/**
 * A cache by SIEVE (Zhang, Yang, Yue, Vigfusson, Rashmi, "SIEVE is Simpler than LRU", NSDI 2024), of keys only: a read marks
 * an entry and moves nothing; a hand goes from the oldest to the newest, again and again, takes marks away, and evicts the first
 * entry that has none.
 */

import type { SampledKey } from "./sampled_key.ts";

/** Keys that the cache would hold. */
export class Sieve {
  #newest: SampledKey | undefined;
  #oldest: SampledKey | undefined;
  /** Where the hand goes on; `undefined` is at the oldest. */
  #hand: SampledKey | undefined;
  #size = 0;
  readonly #onEvict: (key: SampledKey) => void;

  /** @param onEvict Is told of each key that leaves for room. */
  constructor(onEvict: (key: SampledKey) => void) {
    this.#onEvict = onEvict;
  }

  /** Reads a key. Returns whether it is here. */
  read(key: SampledKey): boolean {
    if (key.isHeld) key.isVisited = true;
    return key.isHeld;
  }

  /** Stores a key that is not here, where there is room for `room` in all. */
  add(key: SampledKey, room: number): void {
    while (this.#size > 0 && this.#size >= room) this.#evict();
    key.isHeld = true;
    key.isVisited = false;
    key.older = this.#newest;
    if (this.#newest === undefined) this.#oldest = key;
    else this.#newest.newer = key;
    this.#newest = key;
    this.#size++;
  }

  /** Removes a key, if it is here. */
  remove(key: SampledKey): void {
    if (!key.isHeld) return;
    if (this.#hand === key) this.#hand = key.newer;
    if (key.newer === undefined) this.#newest = key.older;
    else key.newer.older = key.older;
    if (key.older === undefined) this.#oldest = key.newer;
    else key.older.newer = key.newer;
    key.newer = key.older = undefined;
    key.isHeld = false;
    this.#size--;
  }

  #evict(): void {
    let key = this.#hand ?? this.#oldest!;
    while (key.isVisited) {
      key.isVisited = false;
      key = key.newer ?? this.#oldest!;
    }
    this.#hand = key;
    this.remove(key);
    this.#onEvict(key);
  }
}
