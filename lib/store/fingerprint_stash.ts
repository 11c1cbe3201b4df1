/**
 * Fingerprints for which a hash table has no cell: a stash (Kirsch and others, 2008). They are few: only where one key has left
 * under more labels than its two buckets have cells, and hardly ever by chance. It knows numbers, not cells or spans.
 */

/** A fingerprint: a write of a key with this hash, at or below version `upTo`, has left. */
export interface Fingerprint {
  /** A hash of the key, as an unsigned 32-bit number. */
  hash: number;
  /** The version of the write, or a little more. */
  upTo: number;
  /** The label under which the write is counted. */
  label: number;
}

/** Bytes that a fingerprint takes here, with its place in the list of its hash. */
const STASHED_BYTES = 100;
/** Part of the fingerprints that are dropped to make room. */
const DROPPED = 1 / 4;

/** A bounded set of fingerprints. Of one hash and label it has one at most. */
export class FingerprintStash {
  /** Number of fingerprints. */
  size = 0;
  /** No fingerprint has a version above this one. */
  last = 0;
  readonly #byHash = new Map<number, Fingerprint[]>();
  readonly #onDropped: (label: number, upTo: number) => void;

  /** @param onDropped Called when a fingerprint of a label has been dropped to make room. */
  constructor(onDropped: (label: number, upTo: number) => void) {
    this.#onDropped = onDropped;
  }

  /** Memory taken, in bytes. */
  get bytes(): number {
    return this.size * STASHED_BYTES;
  }

  /** Adds a fingerprint of a hash and label that has none here; where there are `most`, a part of the lowest versions is dropped. */
  add(fingerprint: Fingerprint, most: number): void {
    if (this.size >= most) this.#dropLowest();
    const { hash, upTo } = fingerprint;
    const others = this.#byHash.get(hash);
    if (others === undefined) this.#byHash.set(hash, [fingerprint]);
    else others.push(fingerprint);
    this.size++;
    this.last = Math.max(this.last, upTo);
  }

  /** Gives the fingerprint of a hash and label the version `upTo`, if it has a lower one. Returns whether there is one. */
  renew(hash: number, upTo: number, label: number): boolean {
    const found = this.#byHash.get(hash)?.find((fingerprint) => fingerprint.label === label);
    if (found === undefined) return false;
    found.upTo = Math.max(found.upTo, upTo);
    this.last = Math.max(this.last, upTo);
    return true;
  }

  /** Whether there is a fingerprint of a hash, of version `h` or a newer one, that counts. */
  covers(hash: number, h: number, counts: (label: number, upTo: number) => boolean): boolean {
    return this.#byHash.get(hash)?.some(({ upTo, label }) => upTo >= h && counts(label, upTo)) ?? false;
  }

  /** All fingerprints; they may be kept. */
  get all(): Fingerprint[] {
    return [...this.#byHash.values()].flat();
  }

  /** Removes all fingerprints for which `isGone` is true. */
  remove(isGone: (fingerprint: Fingerprint) => boolean): void {
    const left = this.all.filter((fingerprint) => !isGone(fingerprint));
    this.clear();
    for (const fingerprint of left) this.add(fingerprint, Infinity);
  }

  /** Removes all fingerprints. */
  clear(): void {
    this.#byHash.clear();
    this.size = this.last = 0;
  }

  #dropLowest(): void {
    const lowest = this.all.sort((a, b) => a.upTo - b.upTo).slice(0, Math.ceil(this.size * DROPPED));
    const gone = new Set(lowest);
    this.remove((fingerprint) => gone.has(fingerprint));
    for (const { label, upTo } of lowest) this.#onDropped(label, upTo);
  }
}
