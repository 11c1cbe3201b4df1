/**
 * What the reads of a server's store tell: the hottest keys, and what more memory would give. It watches the store from the first
 * question on until nobody has asked for ten minutes, so that it costs nothing where nobody looks.
 */

import type { ByteSpan } from "../base/byte_span.ts";
import type { HitEstimates, HotKey, ServerInsight } from "../base/insight.ts";
import { type HotShare, HottestKeys } from "../insight/hottest_keys.ts";
import { type Estimates, RationedSample } from "../insight/rationed_sample.ts";
import { WHY, type Why } from "../store/misses.ts";
import type { ReadWatch } from "../store/read_watch.ts";
import type { Store } from "../store/store.ts";
import { CAUSE, type Cause, type StoreListener } from "../store/store_listener.ts";
import { ENTRY } from "../store/entry.ts";
import { base64 } from "../wire/scram.ts";

/** Milliseconds without a question after which it counts no more. */
export const PATIENCE_MS = 600_000;
/** Milliseconds between looks at what has been counted. */
const LOOK_MS = 1000;
/** Reads of sampled keys from which on there are estimates. */
const LEAST_READS = 1000;
const HOTTEST = 20;
/** Bytes of a key that are told. */
const MAX_TOLD_BYTES = 1000;
/** Bytes that an entry is taken to need while there is none. */
const USUAL_BYTES = 256;

/** Part of the entries that a store had when one had to leave with which it still counts as full, and of its memory that it has filled then. */
const FULL = 0.9;
/** Keys may begin with U+FEFF, which is otherwise taken for a mark of the byte order. */
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** While it counts: what is counted with, and since when. */
interface Counting {
  readonly sample: RationedSample;
  readonly hottest: HottestKeys;
  readonly sinceMs: number;
  readonly unlisten: () => void;
}

/** What one server learns from its reads. */
export class Insight implements ReadWatch, StoreListener {
  readonly causes: number = CAUSE.written | CAUSE.deleted | CAUSE.applied | CAUSE.cleared;
  readonly #store: Store;
  readonly #now: () => number;
  #counting: Counting | undefined;
  #askedMs = 0;
  #lookedMs = 0;

  /** @param now Milliseconds by any clock that is not put back. */
  constructor(store: Store, now: () => number) {
    this.#store = store;
    this.#now = now;
  }

  /** Whether it counts. */
  get isCounting(): boolean {
    return this.#counting !== undefined;
  }

  /** Tells what is known, and begins to count if it does not. Keys are left out for who may not see them. */
  ask(seesKeys = true): ServerInsight {
    this.#askedMs = this.#now();
    const { sample, hottest, sinceMs } = this.#counting ??= this.#begin();
    this.look();
    const { meanBytes, size } = sample.estimates;
    return {
      countedMs: Math.round(this.#askedMs - sinceMs),
      sampledKeys: size.keys,
      ...hitRatioOf(sample.estimates),
      isSettled: sample.isSettled,
      meanBytes: Math.round(meanBytes),
      hottestByReads: seesKeys ? hottest.byReads(HOTTEST).map(hotKey) : [],
      hottestByBytes: seesKeys ? hottest.byBytes(HOTTEST).map(hotKey) : [],
    };
  }

  /** To be called every now and then: does each second what has to be done while it counts, and ends that. */
  look(): void {
    const counting = this.#counting;
    const nowMs = this.#now();
    if (counting === undefined || nowMs < this.#lookedMs + LOOK_MS) return;
    if (nowMs >= this.#askedMs + PATIENCE_MS) return this.end();
    this.#lookedMs = nowMs;
    counting.sample.adapt(this.#capacity());
    counting.hottest.fade();
  }

  /** Counts no more, and forgets. */
  end(): void {
    this.#counting?.unlisten();
    this.#counting = undefined;
    this.#store.watch = undefined;
  }

  hit(key: ByteSpan, hash: number, position: number): void {
    const { sample, hottest } = this.#counting!;
    if (sample.isSampled(hash)) this.#read(sample, hash, position);
    if (hottest.isDue()) hottest.read(key, hash, this.#store.reader.valueBytes(position));
  }

  missed(key: ByteSpan, hash: number, why: Why): void {
    const { sample, hottest } = this.#counting!;
    if (sample.isSampled(hash)) {
      // What has left by itself is in no larger cache either; what is under a prefix that was cleared is told of here only.
      if (why !== WHY.absent && why !== WHY.evicted) sample.remove(hash);
      sample.read(hash, 0);
    }
    if (hottest.isDue()) hottest.read(key, hash, 0);
  }

  changed(cause: Cause, key: ByteSpan | undefined): void {
    const { sample } = this.#counting!;
    if (key === undefined) return sample.clear();
    if (cause === CAUSE.cleared || !sample.isLooking) return;
    const hash = this.#store.hash(key);
    if (!sample.isSampled(hash)) return;
    const position = this.#store.find(key, hash);
    const { reader } = this.#store;
    if (position === 0 || reader.kind(position) !== ENTRY) sample.remove(hash);
    else sample.write(hash, this.#bytesOf(position), reader.deadlineMs(position));
  }

  #begin(): Counting {
    const store = this.#store;
    const reads = () => {
      const { hits, misses } = store.stats();
      return hits + misses;
    };
    this.#lookedMs = this.#askedMs;
    store.watch = this;
    return {
      sample: new RationedSample({ now: () => store.nowMs, reads }, this.#capacity()),
      hottest: new HottestKeys({ now: this.#now, seed: Math.random() * 2 ** 32 }),
      sinceMs: this.#askedMs,
      unlisten: store.listen(this),
    };
  }

  #read(sample: RationedSample, hash: number, position: number): void {
    sample.read(hash, this.#bytesOf(position), this.#store.reader.deadlineMs(position));
  }

  #bytesOf(position: number): number {
    const { reader } = this.#store;
    return reader.entryBytes(reader.keyBytes(position), reader.storedBytes(position));
  }

  /** Entries that the store has room for: as many as there were when one had to leave, or as many as fit if others are like these. */
  #capacity(): number {
    const { maxSize, maxBytes = Infinity, losses: { lastEvictedOf } } = this.#store;
    const { entries, bytes } = this.#store.stats();
    if (entries <= lastEvictedOf && entries >= FULL * lastEvictedOf && entries > 0) return lastEvictedOf;
    return Math.max(1, Math.min(maxSize, FULL * maxBytes / (entries === 0 ? USUAL_BYTES : bytes / entries)));
  }
}

function hitRatioOf(sample: Estimates): { hitRatio?: HitEstimates } {
  const { capacity } = sample;
  const [half, same, double, fourfold] = [1 / 2, 1, 2, 4].map((times) => sample.hitRatioAt(times * capacity));
  const sieve = sample.policies()?.sieve;
  if (sample.counted < LEAST_READS || half === undefined || sieve === undefined) return {};
  return { hitRatio: { half, same: same!, double: double!, fourfold: fourfold!, sieve } };
}

/** A key that can be sent: none is too long, and all are text. */
function hotKey({ key, share, shareAtMost }: HotShare): HotKey {
  return { key: textOf(key), share, shareAtMost };
}

function textOf(key: Uint8Array): string {
  let to = Math.min(key.length, MAX_TOLD_BYTES);
  while (to < key.length && (key[to] & 0xc0) === 0x80) to--; // a letter is told whole or not at all
  const told = key.subarray(0, to);
  try {
    return decoder.decode(told);
  } catch {
    return `base64:${base64(told)}`;
  }
}
