/** Which keys are read most, and which of them take most bytes out, from a part of the reads. docs/metrics.md says how sure that is. */

import type { ByteSpan } from "../base/byte_span.ts";
import { SpaceSaving, type Weighed } from "./space_saving.ts";

/** One of so many reads is looked at, on average. */
export const READS_APART = 64;
/** Time, in milliseconds, after which a read counts half. */
export const HOT_HALF_LIFE_MS = 600_000;
/** Keys of each kind that are counted at a time. */
const COUNTERS = 256;

/** What it needs of whoever reads. */
export interface HottestKeysOptions {
  /** Time in milliseconds. */
  readonly now: () => number;
  /** Any number, best a random one: it decides which reads are looked at. */
  readonly seed: number;
}

/**
 * Counts reads, and bytes given out. Ask `isDue` for each read, and tell of it with `read` if it is. How far apart the reads are
 * that are looked at changes by chance, from 1 to 127: were they always as far, a pattern of reads could hide from them.
 */
export class HottestKeys {
  readonly #now: () => number;
  readonly #byReads = new SpaceSaving(COUNTERS);
  readonly #byBytes = new SpaceSaving(COUNTERS);
  #random: number;
  /** Reads until the next that is looked at. */
  #left = 1;
  #thenMs: number;

  constructor({ now, seed }: HottestKeysOptions) {
    this.#now = now;
    this.#thenMs = now();
    this.#random = seed | 1; // 0 would stay 0
  }

  /** Counts a read, and says whether it is one to tell of. */
  isDue(): boolean {
    if (--this.#left > 0) return false;
    this.#left = this.#gap();
    return true;
  }

  /** Takes note of a read. `bytes` is what it gives out, 0 on a miss; `hash` is that of the key. */
  read(key: ByteSpan, hash: number, bytes: number): void {
    this.#byReads.add(key, hash, READS_APART);
    if (bytes > 0) this.#byBytes.add(key, hash, READS_APART * bytes);
  }

  /** To be called every second or so: lets the weight of old reads go. */
  fade(): void {
    const nowMs = this.#now();
    const factor = 0.5 ** (Math.max(0, nowMs - this.#thenMs) / HOT_HALF_LIFE_MS);
    this.#thenMs = nowMs;
    this.#byReads.scale(factor);
    this.#byBytes.scale(factor);
  }

  /** The keys that are read most, with their reads. */
  byReads(most: number): Weighed[] {
    return this.#byReads.heaviest(most);
  }

  /** The keys of which most bytes are given out, with these. */
  byBytes(most: number): Weighed[] {
    return this.#byBytes.heaviest(most);
  }

  /** Bytes set aside for keys. */
  get keyBytes(): number {
    return this.#byReads.keyBytes + this.#byBytes.keyBytes;
  }

  /** 1 to 127, each as likely, by xorshift (Marsaglia, 2003). */
  #gap(): number {
    let x = this.#random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#random = x;
    return 1 + (x >>> 1) % (2 * READS_APART - 1);
  }
}
