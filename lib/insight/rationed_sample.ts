/**
 * A sample of reads that costs no more than so much a second: where more keys of it are used, it looks away in between. It knows the
 * estimates of {@linkcode ReadSample}, and what it may spend.
 *
 * While it looks away, the order of use that it knows grows old: keys of a loop that were hits once would be so again, and SIEVE would
 * keep them. So it begins anew each time, looks for long enough to know the order before it counts, and then for several
 * times as long.
 */

import { ReadSample, type ReadSampleOptions } from "./read_sample.ts";

/** Reads and writes of sampled keys that are looked at in a second, on average: at 0.2 to 0.6 µs each, half a hundredth of a processor. */
export const LOOKS_PER_SECOND = 10_000;
/** Looks, for each place that the largest cache asked for has in the sample: those before it counts, and those that count. */
export const WARM_UP = 40;
const COUNTED = 56;

/** What a sample has found. */
export type Estimates = Pick<ReadSample, "hitRatioAt" | "policies" | "meanBytes" | "size" | "capacity" | "counted">;

/** The sample. It is told as {@linkcode ReadSample} is, of keys for whose hash `isSampled` says so. */
export class RationedSample {
  readonly #now: () => number;
  readonly #countReads: () => number;
  readonly #sample: ReadSample;
  /** Whether it looks at all. */
  #isLooking = true;
  /** Whether the order of use is not known yet, or is not known any more. */
  #isWarming = true;
  /** Whether it has ever been known. */
  #isSettled = false;
  /** Looks since it looks. */
  #looks = 0;
  /** Looks that it may take. */
  #left: number;
  #filledMs: number;
  /** Reads while they counted, and how many there were when they began to count; `undefined` while they do not. */
  #reads = 0;
  #readsThen: number | undefined;

  /** @param capacity Entries that the cache has room for. */
  constructor({ now, reads }: ReadSampleOptions, capacity: number) {
    this.#now = now;
    this.#countReads = reads;
    this.#readsThen = reads();
    this.#filledMs = now();
    this.#sample = new ReadSample({ now, reads: () => this.#countedReads });
    this.#sample.adapt(capacity);
    this.#left = this.#most;
  }

  /** What it has found. */
  get estimates(): Estimates {
    return this.#sample;
  }

  /** Whether it looks at anything now. */
  get isLooking(): boolean {
    return this.#isLooking;
  }

  /** Whether the order of use has been known so far that nothing counts against a larger cache that it would have held. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** Whether what happens to a key with this hash is to be told. */
  isSampled(hash: number): boolean {
    return this.#isLooking && this.#sample.isSampled(hash);
  }

  /** Takes note of a read. `bytes` is what the entry takes, 0 on a miss. */
  read(hash: number, bytes: number, deadlineMs?: number): void {
    this.#sample.read(hash, bytes, deadlineMs);
    this.#look();
  }

  /** Takes note of a write. */
  write(hash: number, bytes: number, deadlineMs?: number): void {
    this.#sample.write(hash, bytes, deadlineMs);
    this.#look();
  }

  /** Takes note that an entry has gone, but not for room. */
  remove(hash: number): void {
    this.#sample.remove(hash);
  }

  /** Takes note that all entries have gone. */
  clear(): void {
    this.#sample.clear();
  }

  /** To be called every second or so, as {@linkcode ReadSample.adapt}. */
  adapt(capacity: number): void {
    this.#sample.adapt(capacity);
    const nowMs = this.#now();
    const earned = LOOKS_PER_SECOND * (nowMs - this.#filledMs) / 1000;
    this.#left = Math.min(this.#most, this.#left + earned);
    this.#filledMs = nowMs;
    if (this.#isLooking || this.#left < this.#turn) return;
    this.#sample.clear();
    this.#isLooking = this.#isWarming = true;
    this.#looks = 0;
  }

  /** Looks that it takes at a time, at least, and those that it may have saved. */
  get #turn(): number {
    return (WARM_UP + COUNTED) * this.#sample.places.most;
  }

  get #most(): number {
    return Math.max(this.#turn, LOOKS_PER_SECOND);
  }

  get #countedReads(): number {
    return this.#reads + (this.#readsThen === undefined ? 0 : this.#countReads() - this.#readsThen);
  }

  /** Takes note that it has looked at a read or a write. */
  #look(): void {
    this.#looks++;
    if (this.#isWarming) this.#warmUp();
    if (--this.#left <= 0) this.#end();
  }

  /**
   * Begins to count once keys have been used often enough. The first time it counts from its beginning, and forgets that when it
   * knows the order of use, and when SIEVE has come to what it would hold: better than nothing, it was not as good.
   */
  #warmUp(): void {
    const { most, isFull } = this.#sample.places;
    const isWarm = this.#looks >= WARM_UP * most;
    if (!isWarm && (this.#isSettled || !isFull)) return;
    if (this.#sample.isCounting) this.#sample.forget();
    this.#isSettled = true;
    if (!isWarm) return;
    this.#isWarming = false;
    this.#sample.isCounting = true;
    this.#readsThen ??= this.#countReads();
  }

  /** Looks away. */
  #end(): void {
    this.#reads = this.#countedReads;
    this.#readsThen = undefined;
    this.#isLooking = this.#sample.isCounting = false;
  }
}
