/** Ones and zeros in a row, of which it counts those up to a place, and finds the first or any other, in a few steps. */

/** A Fenwick tree (Fenwick, 1994) over places that have 0 or 1: each operation takes a step for each bit of their number. */
export class Fenwick {
  /** Ones in all. */
  total = 0;
  readonly #length: number;
  /** At n, the ones at as many places before n as n's lowest bit says. */
  readonly #sums: Int32Array;

  /** @param length Number of places: a power of two. */
  constructor(length: number) {
    this.#length = length;
    this.#sums = new Int32Array(length + 1);
  }

  /** Sets the place `at`, which has 0, to 1. */
  set(at: number): void {
    this.total++;
    for (let n = at + 1; n <= this.#length; n += n & -n) this.#sums[n]++;
  }

  /** Sets the place `at`, which has 1, to 0. */
  unset(at: number): void {
    this.total--;
    for (let n = at + 1; n <= this.#length; n += n & -n) this.#sums[n]--;
  }

  /** Number of ones before the place `at`. */
  before(at: number): number {
    let sum = 0;
    for (let n = at; n > 0; n &= n - 1) sum += this.#sums[n];
    return sum;
  }

  /** The place of the one that has `before` ones before it; the number of places if there is none. */
  find(before: number): number {
    let at = 0;
    for (let step = this.#length; step > 0; step >>= 1) {
      if (at + step > this.#length || this.#sums[at + step] > before) continue;
      at += step;
      before -= this.#sums[at];
    }
    return at;
  }

  /** Sets all places to 0. */
  clear(): void {
    this.#sums.fill(0);
    this.total = 0;
  }
}
