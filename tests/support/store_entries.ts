/** Entries of a store under test: what is put in, what is found, and what has been counted. */

import { assertEquals } from "@std/assert";
import { seeded } from "../../bench/compare.ts";
import { type ByteSpan, spanOf } from "../../lib/base/byte_span.ts";
import type { MissCounts, StoreStats } from "../../lib/base/stats.ts";
import type { Store } from "../../lib/store/store.ts";
import { localStore, type StoreSettings, type TestClock } from "./stores.ts";

/** Bytes. */
export const KIB = 1024;
/** Bytes. */
export const MIB = 1024 * KIB;

/** A whole number from 0 to below `n`. */
export type Below = (n: number) => number;

/** A store on a clock of its own. */
export interface StoreFixture {
  readonly store: Store;
  readonly clock: TestClock;
}

/** A store of 100 entries, each of which expires after 10 ms, unless the settings say otherwise. */
export function fixture(settings: StoreSettings = {}): StoreFixture {
  const clock = { nowMs: 1_000 };
  return { store: localStore(clock, { maxSize: 100, ttlMs: 10, ...settings }), clock };
}

/** A store that only its memory limits, without a time to live. */
export function bounded(maxBytes: number): Store {
  return fixture({ maxSize: Infinity, maxBytes, ttlMs: 0 }).store;
}

/** Numbers by chance, the same for the same seed. */
export function belowOf(seed: number): Below {
  const random = seeded(seed);
  return (n) => Math.floor(random() * n);
}

const encoder = new TextEncoder();

/** Text as bytes. */
export function span(text: string): ByteSpan {
  return spanOf(encoder.encode(text));
}

/** Stores so many bytes of 0 under a key. Returns what `Store.set` does. */
export function set(store: Store, key: string, length = 0, ttlMs?: number): boolean {
  return store.set(span(key), { flags: 0, value: spanOf(new Uint8Array(length)), ttlMs });
}

/** Whether each of some keys has an entry. */
export function has(store: Store, ...keys: string[]): boolean[] {
  return keys.map((key) => store.has(span(key)));
}

/** The value of a key, by a hit. */
export function valueOf(store: Store, key: ByteSpan): Uint8Array | undefined {
  const position = store.get(key);
  if (position === 0) return undefined;
  const value = new Uint8Array(store.reader.valueBytes(position));
  store.reader.copyValue(position, value, 0);
  return value;
}

const MOST_SLICES = 100_000;

/** Maintains until there is no more to do; `look` is called after each slice. Returns the number of slices. */
export function maintain(store: Store, look: () => void = () => {}): number {
  for (let slices = 1; slices <= MOST_SLICES; slices++) {
    const more = store.maintain();
    look();
    if (!more) return slices;
  }
  throw new Error(`the store does not come to rest in ${MOST_SLICES} slices`);
}

/** Counters of a store that has done nothing. */
export const NONE = { entries: 0, hits: 0, misses: 0, stores: 0, deletions: 0, evictions: 0, expirations: 0 };

/** Misses for no reason, of which there are none. */
export const NO_MISSES: MissCounts = { absent: 0, expired: 0, evicted: 0, deleted: 0, cleared: 0, superseded: 0 };

/** Compares a store's counters; those that are not named are 0, and misses have any reasons. */
export function assertStats(store: Store, expected: Partial<StoreStats>): void {
  const { bytes: _, memoryBytes: __, fingerprints: ___, missesByReason, ...counters } = store.stats();
  assertEquals(counters, { ...NONE, ...expected });
  assertEquals(sum(missesByReason), counters.misses);
}

/** Compares a store's misses by reason; those that are not named are 0, and all together are all misses. */
export function assertMisses(store: Store, expected: Partial<MissCounts>): void {
  const { misses, missesByReason } = store.stats();
  assertEquals(missesByReason, { ...NO_MISSES, ...expected });
  assertEquals(sum(missesByReason), misses);
}

function sum(counts: MissCounts): number {
  return Object.values(counts).reduce((sum, count) => sum + count);
}

/** Random bytes, of which values are parts. */
export const noise = new Uint8Array(4 * MIB);
const random = seeded(9);
for (let i = 0; i < noise.length; i++) noise[i] = random() * 256;

/** So many bytes of the noise. */
export function noiseSpan(length: number, below: Below): ByteSpan {
  const from = below(noise.length - length);
  return { bytes: noise, from, to: from + length };
}

/** Whether bytes from a place on are those of a span. */
export function sameBytes(bytes: Uint8Array, at: number, expected: ByteSpan): boolean {
  for (let i = expected.from; i < expected.to; i++, at++) if (bytes[at] !== expected.bytes[i]) return false;
  return true;
}
