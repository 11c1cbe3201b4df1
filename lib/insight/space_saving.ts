/** The keys that weigh most in a stream of keys, found with few counters. */

import { type ByteSpan, copySpan } from "../base/byte_span.ts";

/** A key, and between what bounds its weight is. */
export interface Weighed {
  readonly key: Uint8Array;
  readonly atLeast: number;
  readonly atMost: number;
  /** How often something has been added since it has its counter. */
  readonly times: number;
}

/**
 * The algorithm Space-Saving (Metwally, Agrawal, El Abbadi, "Efficient Computation of Frequent and Top-k Elements in Data Streams",
 * 2005): a key without a counter takes over the one that counts least, with what it has counted, which is then the error. With
 * `n` counters, every key that weighs more than 1/n of all has one, and no error is larger than that.
 *
 * Keys are told apart by their hashes: of two with the same one, the first is named for both.
 */
export class SpaceSaving {
  readonly #size: number;
  readonly #counters = new Map<number, number>();
  readonly #hashes: Int32Array;
  readonly #weights: Float64Array;
  readonly #errors: Float64Array;
  readonly #times: Float64Array;
  /** Room for the keys, which is used again, and their lengths. */
  readonly #keys: Uint8Array[] = [];
  readonly #lengths: Int32Array;

  /** @param size Number of counters. */
  constructor(size: number) {
    this.#size = size;
    this.#hashes = new Int32Array(size);
    this.#weights = new Float64Array(size);
    this.#errors = new Float64Array(size);
    this.#times = new Float64Array(size);
    this.#lengths = new Int32Array(size);
  }

  /** Bytes set aside for keys. */
  get keyBytes(): number {
    return this.#keys.reduce((sum, { length }) => sum + length, 0);
  }

  /** Adds to the weight of a key with a hash. */
  add(key: ByteSpan, hash: number, weight: number): void {
    const known = this.#counters.get(hash);
    if (known !== undefined) {
      this.#weights[known] += weight;
      this.#times[known]++;
    } else if (this.#keys.length < this.#size) this.#take(this.#keys.push(new Uint8Array(0)) - 1, key, hash, weight);
    else this.#replace(key, hash, weight);
  }

  /** The weight of all keys: what one without a counter has had has gone to the key that took it over. */
  get total(): number {
    return this.#weights.reduce((sum, weight) => sum + weight);
  }

  /** Makes what has been added so far weigh `factor` times as much. */
  scale(factor: number): void {
    for (let at = 0; at < this.#size; at++) {
      this.#weights[at] *= factor;
      this.#errors[at] *= factor;
    }
  }

  /** The keys that weigh most, `most` at most, the heaviest first. */
  heaviest(most: number): Weighed[] {
    const weighed = this.#keys.map((bytes, at): Weighed => ({
      key: bytes.slice(0, this.#lengths[at]),
      atLeast: this.#weights[at] - this.#errors[at],
      atMost: this.#weights[at],
      times: this.#times[at],
    }));
    return weighed.sort((a, b) => b.atMost - a.atMost).slice(0, most);
  }

  #replace(key: ByteSpan, hash: number, weight: number): void {
    let least = 0;
    for (let at = 1; at < this.#size; at++) if (this.#weights[at] < this.#weights[least]) least = at;
    this.#counters.delete(this.#hashes[least]);
    this.#errors[least] = this.#weights[least];
    this.#take(least, key, hash, weight);
  }

  #take(at: number, key: ByteSpan, hash: number, weight: number): void {
    const length = key.to - key.from;
    if (this.#keys[at].length < length) this.#keys[at] = new Uint8Array(length);
    copySpan(key, this.#keys[at], 0);
    this.#lengths[at] = length;
    this.#hashes[at] = hash;
    this.#counters.set(hash, at);
    this.#weights[at] += weight;
    this.#times[at] = 1;
  }
}
