/** Which keys are read most, and which of them take most bytes out, from a part of the reads. docs/metrics.md says how sure that is. */

import type { ByteSpan } from "../base/byte_span.ts";
import { SpaceSaving } from "./space_saving.ts";

/** Of how many reads one is looked at, on average, where reads are many. */
export const MOST_APART = 256;
/** Reads that are looked at in a second while they are less far apart, at most. */
export const LOOKS_PER_SECOND = 2000;
/** Time, in milliseconds, after which a read counts half. */
export const HOT_HALF_LIFE_MS = 600_000;
/** Keys of each kind that are counted at a time. */
const COUNTERS = 256;

/** Times that a key has been looked at, at least, if it is to be named: fewer may be chance. */
const LEAST_TIMES = 4;

/** A key, and its part of all that is counted: at least and at most. */
export interface HotShare {
  readonly key: Uint8Array;
  readonly share: number;
  readonly shareAtMost: number;
}

/** What it needs of whoever reads. */
export interface HottestKeysOptions {
  /** Time in milliseconds. */
  readonly now: () => number;
  /** Any number, best a random one: it decides which reads are looked at. */
  readonly seed: number;
}

/**
 * Counts reads, and bytes given out. Ask `isDue` for each read, and tell of it with `read` if it is. All are looked at while they are
 * few; where they are many, their distance changes by chance, up to 511: were they always as far, a pattern of reads could hide
 * from them.
 */
export class HottestKeys {
  readonly #now: () => number;
  readonly #byReads = new SpaceSaving(COUNTERS);
  readonly #byBytes = new SpaceSaving(COUNTERS);
  #random: number;
  /** Reads until the next that is looked at. */
  #left = 1;
  /** How far apart reads are that are looked at, on average, and how many have been since that was last thought over. */
  #apart = 1;
  #looks = 0;
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
    this.#byReads.add(key, hash, this.#apart);
    if (bytes > 0) this.#byBytes.add(key, hash, this.#apart * bytes);
    if (++this.#looks < LOOKS_PER_SECOND) return;
    this.#looks = 0;
    this.#apart = Math.min(MOST_APART, 2 * this.#apart);
  }

  /** To be called every second or so: lets the weight of old reads go, and looks at more reads where they have become fewer. */
  fade(): void {
    if (this.#looks < LOOKS_PER_SECOND / 4) this.#apart = Math.max(1, this.#apart / 2);
    this.#looks = 0;
    const nowMs = this.#now();
    const factor = 0.5 ** (Math.max(0, nowMs - this.#thenMs) / HOT_HALF_LIFE_MS);
    this.#thenMs = nowMs;
    this.#byReads.scale(factor);
    this.#byBytes.scale(factor);
  }

  /** The keys that are read most, with their part of all reads. */
  byReads(most: number): HotShare[] {
    return hottestOf(this.#byReads, most);
  }

  /** The keys of which most bytes are given out, with their part of these. */
  byBytes(most: number): HotShare[] {
    return hottestOf(this.#byBytes, most);
  }

  /** Bytes set aside for keys. */
  get keyBytes(): number {
    return this.#byReads.keyBytes + this.#byBytes.keyBytes;
  }

  /** 1 to 511 where reads are 256 apart, each as likely, by xorshift (Marsaglia, 2003). */
  #gap(): number {
    let x = this.#random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#random = x;
    return 1 + (x >>> 1) % (2 * this.#apart - 1);
  }
}

/** The heaviest keys, but those whose counters have been taken over with more than is their own, or that may be there by chance. */
function hottestOf(weights: SpaceSaving, most: number): HotShare[] {
  const { total } = weights;
  return weights.heaviest(Infinity)
    .filter(({ atLeast, atMost, times }) => times >= LEAST_TIMES && atLeast >= atMost / 2)
    .slice(0, most)
    .map(({ key, atLeast, atMost }) => ({ key, share: atLeast / total, shareAtMost: atMost / total }));
}
