/** The sample that looks away: its estimates of loads that it cannot afford to look at all the time, and what it spends. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { LOOKS_PER_SECOND, RationedSample, WARM_UP } from "../../lib/insight/rationed_sample.ts";
import { MAX_TIMES } from "../../lib/insight/read_sample.ts";
import { LruModel } from "../support/cache_models.ts";
import { assertEstimates, hashesOf, truthOf } from "../support/read_estimates.ts";
import { loopingTrace, type ReadTrace, scanningTrace, skewedTrace } from "../support/read_traces.ts";

const CAPACITY = 100;
const BYTES = 100;
const READS_PER_SECOND = 500_000;
/** Reads between two calls of whoever has the cache. */
const LOOK = READS_PER_SECOND / 2;

/** A sample with the clock and the count of reads that it asks for. */
function fixture(capacity: number) {
  const at = { nowMs: 1000, reads: 77 };
  const sample = new RationedSample({ now: () => at.nowMs, reads: () => at.reads }, capacity);
  return { at, sample };
}

/** Reads a trace at full speed, tells a sample of it, and counts how often. */
function sampled({ keys, reads }: ReadTrace) {
  const hashes = hashesOf(keys, [1, 2]);
  const cache = new LruModel(CAPACITY, keys);
  const { at, sample } = fixture(CAPACITY);
  let told = 0;
  reads.forEach((key, i) => {
    at.reads++;
    at.nowMs = 1000 + 1000 * i / READS_PER_SECOND;
    if (i % LOOK === 0) sample.adapt(CAPACITY);
    const isHit = cache.read(key);
    if (!sample.isSampled(hashes[key])) return;
    told++;
    sample.read(hashes[key], isHit ? BYTES : 0);
    if (!isHit) sample.write(hashes[key], BYTES);
  });
  return { sample, told };
}

const LOADS: readonly [string, ReadTrace][] = [
  ["a skewed load", skewedTrace(10_000, 3_000_000, 0.99, 1)],
  ["scans of three times the size beside a hot set", scanningTrace(CAPACITY / 2, 3 * CAPACITY, 3_000_000, 1)],
  ["a loop of one and a half times the size", loopingTrace(1.5 * CAPACITY, 3_000_000)],
];

for (const [name, trace] of LOADS) {
  Deno.test(`of a small cache at full speed it looks at few reads, and its estimates for ${name} are within two points`, () => {
    const { sample, told } = sampled(trace);
    assert(told < 0.05 * trace.reads.length && told > 0.01 * trace.reads.length, `${told}`);
    assertEstimates(sample.estimates, truthOf(trace, CAPACITY));
  });
}

Deno.test("what it looks at is at most its ration, however much there is", () => {
  const { at, sample } = fixture(1);
  let looks = 0;
  for (let second = 0; second < 10; second++) {
    for (let i = 0; i < 4 * LOOKS_PER_SECOND; i++) {
      if (!sample.isSampled(i % 3)) continue;
      sample.read(i % 3, BYTES);
      looks++;
    }
    at.nowMs += 1000;
    sample.adapt(1);
  }
  assertStrictEquals(looks, 10 * LOOKS_PER_SECOND);
});

Deno.test("of a sample that is large it looks at all for a while, and then away until it can look for as long again", () => {
  const { at, sample } = fixture(1000);
  const isLooking = () => sample.isSampled(1);
  let looks = 0;
  while (isLooking()) {
    sample.read(looks % 3000, BYTES);
    looks++;
  }
  assert(looks > 10 * LOOKS_PER_SECOND, `${looks}`);
  at.nowMs += 1000 * (looks / LOOKS_PER_SECOND - 1);
  sample.adapt(1000);
  assert(!isLooking());
  at.nowMs += 1000;
  sample.adapt(1000);
  assert(isLooking());
});

Deno.test("reads while it looks away, and until it knows the order again, count nothing", () => {
  const { at, sample } = fixture(10);
  const read = (hash: number, isHit: boolean) => {
    at.reads++;
    if (sample.isSampled(hash)) sample.read(hash, isHit ? BYTES : 0);
  };
  sample.write(1, BYTES);
  while (sample.isSampled(1)) read(1, true);
  for (let i = 0; i < 1000; i++) read(1, false);
  at.nowMs += 2000;
  sample.adapt(10);
  for (let i = 0; i < WARM_UP * MAX_TIMES * 10 - 1; i++) read(2, false);
  assertStrictEquals(sample.estimates.hitRatioAt(10), 1);
  for (let i = 0; i < 10_000; i++) read(2, false);
  assert(sample.estimates.hitRatioAt(10)! < 0.75);
});

Deno.test("at first it counts at once, and forgets that when it knows the order of as many keys as the largest cache would hold", () => {
  const { at, sample } = fixture(10);
  const miss = (hash: number) => {
    at.reads++;
    sample.read(hash, 0);
    sample.write(hash, BYTES);
  };
  for (let hash = 0; hash < MAX_TIMES * 10 - 1; hash++) miss(hash);
  assertEquals([sample.isSettled, sample.estimates.hitRatioAt(40)], [false, 0]);
  miss(-1);
  assertEquals([sample.isSettled, sample.estimates.hitRatioAt(40)], [true, undefined]);
  miss(-1);
  assertStrictEquals(sample.estimates.hitRatioAt(40), 1);
});

Deno.test("it knows the order too when few keys have been used often", () => {
  const { at, sample } = fixture(10);
  for (let i = 0; i < WARM_UP * MAX_TIMES * 10; i++) {
    assert(!sample.isSettled);
    at.reads++;
    sample.read(i % 7, BYTES);
  }
  assert(sample.isSettled);
});

Deno.test("a removal and a clear are taken note of", () => {
  const { at, sample } = fixture(10);
  for (const hash of [1, 2, 3]) sample.write(hash, BYTES);
  sample.remove(1);
  assertStrictEquals(sample.estimates.size.keys, 2);
  sample.clear();
  assertStrictEquals(sample.estimates.size.keys, 0);
  at.reads++;
  sample.read(2, 0);
  assertStrictEquals(sample.estimates.hitRatioAt(10), 0);
});
