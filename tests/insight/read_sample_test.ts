/** The sample of reads where it holds all keys: then its figures are those of the caches themselves, not estimates. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { HALF_LIFE_MS, MAX_TIMES, ReadSample } from "../../lib/insight/read_sample.ts";
import { MAX_PLACES } from "../../lib/insight/recency.ts";
import { generator } from "../../lib/simulation/seeded_random.ts";
import { LruModel, SieveModel } from "../support/cache_models.ts";
import { skewedTrace } from "../support/read_traces.ts";

const BYTES = 100;
/** Of what is exact but for sums of fractions. */
const EXACT = 1e-9;

function assertNear(actual: number | undefined, expected: number, within: number, what = ""): void {
  assert(Math.abs(actual! - expected) <= within, `${what}: ${actual} is not ${expected}`);
}

/** A sample with the clock and the count of reads that it asks for, for a cache of `capacity` entries. */
function fixture(capacity?: number) {
  const at = { nowMs: 1000, reads: 77 }; // reads from before count nothing
  const sample = new ReadSample({ now: () => at.nowMs, reads: () => at.reads });
  if (capacity !== undefined) sample.adapt(capacity);
  /** A read, as whoever has the cache tells it. */
  const read = (hash: number, isHit: boolean, deadlineMs?: number) => {
    at.reads++;
    sample.read(hash, isHit ? BYTES : 0, deadlineMs);
  };
  return { at, sample, read };
}

interface Course {
  readonly capacity: number;
  readonly keys: number;
  readonly reads: number;
  readonly seed: number;
  /** Part of the steps that delete a key. */
  readonly deletions?: number;
  /** Reads after which a key that is not read expires. */
  readonly ttl?: number;
}

/** Reads keys, some more than others, in a sample and in caches of several sizes, and compares. */
function assertExact({ capacity, keys, reads, seed, deletions = 0, ttl = Infinity }: Course): void {
  const { at, sample, read } = fixture(capacity);
  const trace = skewedTrace(keys, reads, 0.8, seed);
  const random = generator(seed + 100); // not that of the trace
  const sizes = [1 / 2, 1, 2, MAX_TIMES].map((times) => capacity * times);
  const caches = [...sizes.map((size) => new LruModel(size, keys)), new SieveModel(capacity, keys)];
  const hits = caches.map(() => 0);
  const real = new LruModel(capacity, keys);
  const tick = 1e-6; // so short that nothing fades
  const usedMs = new Float64Array(keys).fill(-Infinity);
  for (const key of trace.reads) {
    at.nowMs += tick;
    if (ttl < Infinity) {
      usedMs.forEach((ms, key) =>
        ms + ttl * tick <= at.nowMs && [...caches, real].forEach((cache) => cache.remove(key))
      );
      sample.adapt(capacity);
    }
    if (random() < deletions) {
      const gone = Math.floor(random() * keys);
      for (const cache of [...caches, real]) cache.remove(gone);
      sample.remove(gone);
    }
    usedMs[key] = at.nowMs;
    const isHit = real.read(key);
    read(key, isHit, at.nowMs + ttl * tick);
    if (!isHit) sample.write(key, BYTES, at.nowMs + ttl * tick);
    caches.forEach((cache, i) => hits[i] += cache.read(key) ? 1 : 0);
  }
  const ratios = hits.map((count) => count / reads);
  sizes.forEach((size, i) => assertNear(sample.hitRatioAt(size), ratios[i], EXACT, `${size} entries`));
  assertNear(sample.policies()?.lru, ratios[1], EXACT);
  assertNear(sample.policies()?.sieve, ratios[4], EXACT);
  assertStrictEquals(new Set(ratios).size, ratios.length, "a course has to tell sizes and policies apart");
}

Deno.test("where all keys are sampled, the curve is what LRU caches of each size do, and the shadow what SIEVE does", () => {
  assertExact({ capacity: 32, keys: 200, reads: 20_000, seed: 1 });
  assertExact({ capacity: 512, keys: 4000, reads: 60_000, seed: 2 });
  assertExact({ capacity: 32, keys: 2000, reads: 60_000, seed: 9 });
});

Deno.test("deletions leave room in caches of each size, and bring back nothing that has left", () => {
  assertExact({ capacity: 32, keys: 200, reads: 20_000, seed: 3, deletions: 0.02 });
  assertExact({ capacity: 32, keys: 200, reads: 20_000, seed: 4, deletions: 0.7 });
  assertExact({ capacity: 64, keys: 1000, reads: 60_000, seed: 8, deletions: 0.2 });
  assertExact({ capacity: 512, keys: 4000, reads: 60_000, seed: 5, deletions: 0.3 });
});

Deno.test("entries whose deadline is over are gone from caches of each size, those that were evicted long ago too", () => {
  assertExact({ capacity: 32, keys: 200, reads: 5000, seed: 6, ttl: 100 });
  assertExact({ capacity: 32, keys: 200, reads: 5000, seed: 7, ttl: 150, deletions: 0.2 });
});

Deno.test("a key that has expired since the last look is cold when it is read, unless the cache still has it", () => {
  const { at, sample, read } = fixture(100);
  for (const hash of [1, 2]) sample.write(hash, BYTES, at.nowMs + 10);
  at.nowMs += 10;
  read(1, false);
  assertStrictEquals(sample.hitRatioAt(100), 0);
  read(2, true, at.nowMs + 10);
  assertStrictEquals(sample.hitRatioAt(100), 0.5);
  assertStrictEquals(sample.size.keys, 1);
  at.nowMs += 10;
  sample.adapt(100);
  assertStrictEquals(sample.size.keys, 0);
});

Deno.test("what a deleted key has left behind takes nothing of the same key, stored again", () => {
  const { sample, read } = fixture(100);
  for (const hash of [1, 2, 3, 4, 5, 6]) sample.write(hash, BYTES);
  for (const hash of [1, 2]) sample.remove(hash);
  sample.write(1, BYTES); // into the place of 2: that of 1 is still there
  sample.adapt(1);
  sample.write(1, BYTES); // now the oldest places go
  read(1, false);
  assertStrictEquals(sample.hitRatioAt(2), 1);
});

Deno.test("a key that SIEVE alone still held leaves the sample with it", () => {
  const { sample, read } = fixture(10);
  const writeAndRead = (hash: number) => {
    sample.write(hash, BYTES);
    read(hash, true);
  };
  for (let hash = 0; hash < 5; hash++) writeAndRead(hash);
  for (let hash = 100; hash < 200; hash++) sample.write(hash, BYTES); // a scan, which SIEVE lets pass by
  assertStrictEquals(sample.size.keys, MAX_TIMES * 10 + 5);
  for (let hash = 200; hash < 250; hash++) writeAndRead(hash); // the hand goes round
  assertStrictEquals(sample.size.keys, MAX_TIMES * 10);
});

Deno.test("as the sample fills, keys with the highest hashes leave, and no such key comes in", () => {
  const { sample } = fixture();
  const hashOf = (n: number) => -(2 ** 31) + n * 2 ** 32 / (MAX_PLACES + 1);
  for (let n = 0; n < MAX_PLACES; n++) sample.write(hashOf(n), BYTES);
  assertEquals(sample.size, { keys: MAX_PLACES, rate: 1 });
  sample.write(hashOf(MAX_PLACES), BYTES);
  assertStrictEquals(sample.size.keys, Math.ceil(sample.size.rate * (MAX_PLACES + 1)));
  sample.write(hashOf(0.5), BYTES);
  assertStrictEquals(sample.size.keys, Math.ceil(sample.size.rate * (MAX_PLACES + 1)) + 1);
});

Deno.test("entries that nobody reads take room: writes push others out", () => {
  const { sample, read } = fixture(10);
  for (let round = 0; round < 5; round++) {
    sample.write(0, BYTES);
    for (let hash = 1; hash <= 12; hash++) sample.write(100 * round + hash, BYTES);
    read(0, false);
  }
  assertStrictEquals(sample.hitRatioAt(10), 0);
  assertStrictEquals(sample.hitRatioAt(20), 1);
  assertEquals(sample.policies(), { lru: 0, sieve: 0 });
});

Deno.test("a hit of a key that was stored before the sample began is not held against any size", () => {
  const { sample, read } = fixture(10);
  for (let hash = 0; hash < 5; hash++) read(hash, true);
  assertStrictEquals(sample.hitRatioAt(10), undefined);
  for (let hash = 0; hash < 5; hash++) read(hash, true);
  assertStrictEquals(sample.hitRatioAt(10), 1);
});

Deno.test("nothing is said where no read has been sampled", () => {
  const { at, sample } = fixture(1_000_000);
  const unsampled = Array.from({ length: 1000 }, (_, i) => 2 ** 31 - 1 - i);
  for (const hash of unsampled) {
    at.reads++;
    assert(!sample.isSampled(hash));
    sample.read(hash, BYTES);
    sample.write(hash, BYTES);
  }
  assertEquals([sample.hitRatioAt(1000), sample.policies(), sample.size.keys], [undefined, undefined, 0]);
});

Deno.test("keys that are all made to be sampled make the sample no larger", () => {
  for (const capacity of [undefined, 1_000_000]) {
    const { sample, read } = fixture(capacity);
    for (let i = 0; i < 100_000; i++) {
      const hash = i - 2 ** 31; // the lowest there are
      read(hash, false);
      sample.write(hash, BYTES);
    }
    const { keys, rate } = sample.size;
    assert(keys <= MAX_PLACES && keys > 0, `${keys}`);
    if (capacity === undefined) assert(rate < 1e-5, "the sample has fallen to the keys that there is room for");
    assertStrictEquals(sample.hitRatioAt(10), 0);
  }
});

Deno.test("a hash says the same with and without its sign", () => {
  const { sample, read } = fixture(10);
  read(0xffff_fff0, false);
  sample.write(0xffff_fff0, BYTES);
  read(-16, true);
  assertStrictEquals(sample.hitRatioAt(10), 0.5);
  sample.remove(0xffff_fff0);
  assertStrictEquals(sample.size.keys, 0);
});

Deno.test("old reads fade: after some half-lives the figures are those of the reads since", () => {
  const { at, sample, read } = fixture(10);
  sample.write(1, BYTES);
  for (let i = 0; i < 1000; i++) read(1, true);
  at.nowMs += HALF_LIFE_MS;
  sample.adapt(10);
  for (let hash = 1000; hash < 2000; hash++) read(hash, false);
  assertNear(sample.hitRatioAt(10), 1 / 3, 1e-9);
  assertNear(sample.policies()?.sieve, 1 / 3, 1e-9);
  assertNear(sample.policies()?.lru, 1 / 3, 1e-9);
  at.nowMs += 20 * HALF_LIFE_MS;
  sample.adapt(10);
  for (let hash = 2000; hash < 3000; hash++) read(hash, false);
  assertNear(sample.hitRatioAt(10), 0, 1e-3);
});

Deno.test("how often a key was read long ago says nothing of what the sample lacks", () => {
  const { at, sample, read } = fixture(10);
  sample.write(1, BYTES);
  for (let i = 0; i < 1000; i++) read(1, true);
  at.nowMs += 40 * HALF_LIFE_MS;
  sample.adapt(10);
  read(1, true);
  read(2, false);
  at.reads += 2; // of keys that are not sampled: as one of two reads is a hit, so is one of these
  assertNear(sample.hitRatioAt(10), 0.5, 1e-6);
});

Deno.test("the rate goes by the capacity: down at once, and up where the sample has become sparse", () => {
  const { sample } = fixture(1000);
  assertStrictEquals(sample.size.rate, 1);
  sample.adapt(100_000);
  const { rate } = sample.size;
  assert(rate * MAX_TIMES * 100_000 <= MAX_PLACES && rate * MAX_TIMES * 100_000 > MAX_PLACES / 2, `${rate}`);
  sample.write(-(2 ** 31), BYTES);
  sample.adapt(50_000);
  assertEquals(sample.size, { keys: 1, rate }, "what is sampled stays while it is enough");
  sample.adapt(10_000);
  assertStrictEquals(sample.size.keys, 0);
  assert(sample.size.rate > 5 * rate);
});

Deno.test("after a clear all is cold, and what has been counted stays", () => {
  const { sample, read } = fixture(100);
  for (const hash of [1, 2, 3]) sample.write(hash, BYTES);
  for (const hash of [1, 2, 3]) read(hash, true);
  sample.clear();
  assertStrictEquals(sample.size.keys, 0);
  for (const hash of [1, 2, 3]) read(hash, false);
  assertStrictEquals(sample.hitRatioAt(100), 0.5);
});

Deno.test("the mean size is that of the entries sampled, as they were last seen", () => {
  const { sample } = fixture(100);
  assertStrictEquals(sample.meanBytes, 0);
  sample.write(1, 10);
  sample.write(2, 50);
  sample.read(2, 30);
  sample.read(2, 0);
  assertStrictEquals(sample.meanBytes, 20);
});
