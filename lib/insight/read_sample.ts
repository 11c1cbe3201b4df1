/**
 * A sample of keys by their hashes, whose reads stand for all reads: which part of these a cache of another size, or one with
 * another policy, would answer. docs/metrics.md says what the figures mean.
 *
 * SHARDS (Waldspurger, Park, Garthwaite, Ahmad, "Efficient MRC Construction with SHARDS", FAST 2015): a key is in the sample
 * if its hash is below a threshold, which falls as the sample fills. A part R of all keys is to a cache of R × n entries what all
 * are to one of n. What a sampled read stands for, 1/R reads and as many times its depth in places, is counted at once, so
 * that nothing has to be counted anew when R falls.
 */

import { Depths } from "./depths.ts";
import { MAX_PLACES, Recency } from "./recency.ts";
import { NO_TIME, SampledKey } from "./sampled_key.ts";
import { Sieve } from "./sieve.ts";
import { hitRatio, Tally } from "./tally.ts";

/** The largest size that can be asked for, in sizes of the cache: keys that are deeper leave the sample. */
export const MAX_TIMES = 4;
/** Time, in milliseconds, after which a read counts half. */
export const HALF_LIFE_MS = 3_600_000;
/** What is left of the rate when it falls because the sample is full. */
const FALL = 7 / 8;
/** With less than this part of the places that it may use, the sample begins anew, with a higher rate. */
const SPARSE = 1 / 8;
const HASHES = 2 ** 32;
const LEAST_HASH = -(2 ** 31);

/** What the sample needs of whoever has the cache. */
export interface ReadSampleOptions {
  /** Time, in milliseconds, by which entries expire. */
  readonly now: () => number;
  /** Reads of the cache so far, sampled or not, hits and misses. */
  readonly reads: () => number;
}

/**
 * The sample. It is told of reads, writes and removals of keys for whose hash `isSampled` says so; of others it may be told, in
 * vain. Hashes have 32 bits, and outsiders must not be able to choose them (the store's are keyed): who can, chooses what stands for
 * all. The memory stays within bounds all the same.
 */
export class ReadSample {
  readonly #now: () => number;
  readonly #countReads: () => number;
  readonly #keys = new Map<number, SampledKey>();
  readonly #recency = new Recency();
  readonly #sieve = new Sieve((key) => key.time === NO_TIME && this.#keys.delete(key.hash));
  /** The highest hash, with its sign, that is sampled. */
  #highest = LEAST_HASH + HASHES - 1;
  /** The part of all hashes that is sampled, and how many keys one of the sample stands for. */
  #rate = 1;
  #weight = 1;
  /** Entries that the cache has room for, and what that is in the sample. */
  #capacity = Infinity;
  #room = Infinity;
  /** Places that the largest cache asked for has in the sample. */
  #deepest = Infinity;

  /** Reads in all, old ones faded; how many had been counted and what time it was when they last faded. */
  #reads = 0;
  #readsThen: number;
  #thenMs: number;
  readonly #sampled = new Tally();
  readonly #lruHits = new Tally();
  readonly #sieveHits = new Tally();
  readonly #depths = new Depths();
  #counted = 0;
  /** Whether reads count; where they do not, they are uses all the same. `reads` must stand still meanwhile. */
  isCounting = true;

  constructor({ now, reads }: ReadSampleOptions) {
    this.#now = now;
    this.#countReads = reads;
    this.#readsThen = reads();
    this.#thenMs = now();
  }

  /** Whether what happens to a key with this hash is to be told. */
  isSampled(hash: number): boolean {
    return (hash | 0) <= this.#highest;
  }

  /**
   * Takes note of a read.
   *
   * @param bytes What the entry takes, or 0 on a miss.
   * @param deadlineMs When the entry expires.
   */
  read(hash: number, bytes: number, deadlineMs = Infinity): void {
    if (!this.isSampled(hash)) return;
    const key = this.#find(hash, bytes > 0);
    if (key === undefined) {
      // A hit of a key that was stored before the sample began tells nothing.
      if (bytes > 0) this.#admit(hash, bytes, deadlineMs);
      else if (this.isCounting) this.#countCold();
      return;
    }
    const isHeld = this.#sieve.read(key);
    if (this.isCounting) this.#count(key, isHeld);
    if (!isHeld && bytes > 0) this.#sieve.add(key, this.#room); // whoever reads stores what is missed: here it was not
    this.#use(key);
    if (bytes > 0) note(key, bytes, deadlineMs);
  }

  /** Takes note of a write: the entry is the most recently used. */
  write(hash: number, bytes: number, deadlineMs = Infinity): void {
    if (!this.isSampled(hash)) return;
    const key = this.#find(hash, false);
    if (key === undefined) return this.#admit(hash, bytes, deadlineMs);
    note(key, bytes, deadlineMs);
    this.#use(key);
    if (!this.#sieve.read(key)) this.#sieve.add(key, this.#room);
  }

  /** Takes note of a deletion, or of an expiration where no deadline was told; not of an eviction, which the sample has of its own. */
  remove(hash: number): void {
    const key = this.#keys.get(hash | 0);
    if (key !== undefined) this.#free(key);
  }

  /** Takes note that all entries have been removed. */
  clear(): void {
    this.#keepUpTo(LEAST_HASH - 1);
  }

  /**
   * To be called every second or so: lets expired entries and the weight of old reads go, and goes by the size of today.
   *
   * @param capacity Entries that the cache has room for; where it is limited by bytes, as many as it would have if it was full.
   */
  adapt(capacity: number): void {
    const nowMs = this.#now();
    for (const key of this.#keys.values()) if (key.deadlineMs <= nowMs) this.#free(key);
    this.#fade(nowMs);
    this.#capacity = Math.max(1, capacity);
    const rate = Math.min(1, FALL * MAX_PLACES / (MAX_TIMES * this.#capacity));
    if (this.#rate < SPARSE * rate) {
      this.clear();
      this.#setRate(rate);
    } else {
      this.#setRate(Math.min(this.#rate, rate));
    }
  }

  /**
   * Part of the reads, recent ones counting more, that an LRU cache of `entries` entries would have answered, up to
   * {@linkcode MAX_TIMES} times the cache's capacity. `undefined` if no read has been sampled.
   */
  hitRatioAt(entries: number): number | undefined {
    return hitRatio(this.#depths.below(entries), this.#sampled, this.#allReads());
  }

  /** Part of the reads that SIEVE, and LRU, simulated alike on the sample, would have answered with the cache's own capacity. */
  policies(): { readonly sieve: number; readonly lru: number } | undefined {
    const reads = this.#allReads();
    const sieve = hitRatio(this.#sieveHits, this.#sampled, reads);
    const lru = hitRatio(this.#lruHits, this.#sampled, reads);
    return sieve === undefined || lru === undefined ? undefined : { sieve, lru };
  }

  /** Entries that the cache has room for. */
  get capacity(): number {
    return this.#capacity;
  }

  /** Reads of keys of the sample that have been counted. */
  get counted(): number {
    return this.#counted;
  }

  /** Mean size, in bytes, of the sample's entries; 0 if there is none. */
  get meanBytes(): number {
    let sum = 0;
    for (const { bytes } of this.#keys.values()) sum += bytes;
    return sum / Math.max(1, this.#keys.size);
  }

  /** Places that the largest cache asked for has in the sample, and whether they are all taken. */
  get places(): { readonly most: number; readonly isFull: boolean } {
    const most = Math.min(MAX_PLACES, this.#deepest);
    return { most, isFull: this.#recency.size >= most };
  }

  /** Forgets what has been counted, not the keys. */
  forget(): void {
    this.#scale(0);
    this.#counted = 0;
    this.#reads = 0;
    this.#readsThen = this.#countReads();
  }

  /** Keys in the sample, and the part of all keys that it has been chosen to be. */
  get size(): { readonly keys: number; readonly rate: number } {
    return { keys: this.#keys.size, rate: this.#rate };
  }

  #countCold(): void {
    this.#counted++;
    this.#sampled.add(this.#weight, 1);
  }

  #count(key: SampledKey, isHeld: boolean): void {
    this.#counted++;
    const times = ++key.reads;
    const depth = this.#recency.depth(key);
    this.#sampled.add(this.#weight, times);
    this.#depths.add(depth * this.#weight, this.#weight, times);
    if (depth < this.#room) this.#lruHits.add(this.#weight, times);
    if (isHeld) this.#sieveHits.add(this.#weight, times);
  }

  #allReads(): number {
    return this.#reads + this.#countReads() - this.#readsThen;
  }

  /** The key with a hash, if its entry is still there: by its deadline, or since the cache has just found it (`isThere`). */
  #find(hash: number, isThere: boolean): SampledKey | undefined {
    const key = this.#keys.get(hash | 0);
    if (key === undefined || isThere || key.deadlineMs > this.#now()) return key;
    this.#free(key);
    return undefined;
  }

  #admit(hash: number, bytes: number, deadlineMs: number): void {
    while (this.#recency.size >= MAX_PLACES) this.#setRate(FALL * this.#rate);
    if (!this.isSampled(hash)) return;
    const key = new SampledKey(hash | 0);
    note(key, bytes, deadlineMs);
    this.#keys.set(key.hash, key);
    this.#use(key);
    this.#sieve.add(key, this.#room);
  }

  /** Moves a key up, and drops the places that no cache asked for has. SIEVE may hold their keys for longer. */
  #use(key: SampledKey): void {
    this.#recency.use(key);
    while (this.#recency.size > this.#deepest) {
      const key = this.#recency.dropOldest()!;
      if (!key.isHole && !key.isHeld) this.#keys.delete(key.hash);
    }
  }

  /** Removes a key; its place remains. */
  #free(key: SampledKey): void {
    this.#recency.free(key);
    this.#forget(key);
  }

  #forget(key: SampledKey): void {
    this.#keys.delete(key.hash);
    this.#sieve.remove(key);
  }

  #setRate(rate: number): void {
    this.#highest = LEAST_HASH + Math.max(1, Math.round(rate * HASHES)) - 1;
    if (rate < this.#rate) this.#keepUpTo(this.#highest);
    this.#rate = (this.#highest - LEAST_HASH + 1) / HASHES;
    this.#weight = 1 / this.#rate;
    this.#room = Math.max(1, Math.round(this.#rate * this.#capacity));
    this.#deepest = Math.ceil(MAX_TIMES * this.#rate * this.#capacity);
  }

  #keepUpTo(highest: number): void {
    this.#recency.retain(({ hash }) => hash <= highest);
    for (const key of this.#keys.values()) if (key.hash > highest) this.#forget(key);
  }

  #fade(nowMs: number): void {
    const reads = this.#countReads();
    const factor = 0.5 ** (Math.max(0, nowMs - this.#thenMs) / HALF_LIFE_MS);
    this.#reads = factor * (this.#reads + reads - this.#readsThen);
    this.#readsThen = reads;
    this.#thenMs = nowMs;
    this.#scale(factor);
  }

  #scale(factor: number): void {
    for (const tally of [this.#sampled, this.#lruHits, this.#sieveHits, this.#depths]) tally.scale(factor);
    for (const key of this.#keys.values()) key.reads *= factor;
  }
}

function note(key: SampledKey, bytes: number, deadlineMs: number): void {
  key.bytes = bytes;
  key.deadlineMs = deadlineMs;
}
