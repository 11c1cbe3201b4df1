/** Exact models of whole caches of keys numbered from 0, to hold estimates against: LRU and SIEVE. */

/** A cache of so many keys. */
export interface CacheModel {
  /** Reads a key, and stores it if it is not there. Returns whether it was. */
  read(key: number): boolean;
  /** Removes a key, if it is there. */
  remove(key: number): void;
}

const NONE = -1;

/** Keys in a row, the newest first. */
class Row {
  readonly newer: Int32Array;
  readonly older: Int32Array;
  readonly isIn: Uint8Array;
  newest = NONE;
  oldest = NONE;
  size = 0;

  constructor(keys: number) {
    this.newer = new Int32Array(keys);
    this.older = new Int32Array(keys);
    this.isIn = new Uint8Array(keys);
  }

  add(key: number): void {
    this.newer[key] = NONE;
    this.older[key] = this.newest;
    if (this.newest === NONE) this.oldest = key;
    else this.newer[this.newest] = key;
    this.newest = key;
    this.isIn[key] = 1;
    this.size++;
  }

  remove(key: number): void {
    const [newer, older] = [this.newer[key], this.older[key]];
    if (newer === NONE) this.newest = older;
    else this.older[newer] = older;
    if (older === NONE) this.oldest = newer;
    else this.newer[older] = newer;
    this.isIn[key] = 0;
    this.size--;
  }
}

/** The least recently used key leaves first. */
export class LruModel implements CacheModel {
  readonly #row: Row;
  readonly #capacity: number;

  constructor(capacity: number, keys: number) {
    this.#capacity = capacity;
    this.#row = new Row(keys);
  }

  read(key: number): boolean {
    const row = this.#row;
    const isHit = row.isIn[key] === 1;
    if (isHit) row.remove(key);
    else if (row.size === this.#capacity) row.remove(row.oldest);
    row.add(key);
    return isHit;
  }

  remove(key: number): void {
    if (this.#row.isIn[key] === 1) this.#row.remove(key);
  }
}

/** SIEVE as the pseudocode of its authors has it. */
export class SieveModel implements CacheModel {
  readonly #row: Row;
  readonly #capacity: number;
  readonly #isVisited: Uint8Array;
  #hand = NONE;

  constructor(capacity: number, keys: number) {
    this.#capacity = capacity;
    this.#row = new Row(keys);
    this.#isVisited = new Uint8Array(keys);
  }

  read(key: number): boolean {
    const isHit = this.#row.isIn[key] === 1;
    if (!isHit && this.#row.size === this.#capacity) this.#evict();
    if (!isHit) this.#row.add(key);
    this.#isVisited[key] = isHit ? 1 : 0;
    return isHit;
  }

  remove(key: number): void {
    if (this.#row.isIn[key] === 0) return;
    if (this.#hand === key) this.#hand = this.#row.newer[key];
    this.#row.remove(key);
  }

  #evict(): void {
    let at = this.#hand === NONE ? this.#row.oldest : this.#hand;
    while (this.#isVisited[at] === 1) {
      this.#isVisited[at] = 0;
      at = this.#row.newer[at] === NONE ? this.#row.oldest : this.#row.newer[at];
    }
    this.#hand = this.#row.newer[at];
    this.#row.remove(at);
  }
}
