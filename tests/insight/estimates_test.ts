/** What a sample estimates of a million reads, beside what caches of each size and policy do with them: within two points. */

import { assert } from "@std/assert";
import { ReadSample } from "../../lib/insight/read_sample.ts";
import type { HashKey } from "../../lib/store/keyed_hash.ts";
import { LruModel } from "../support/cache_models.ts";
import { assertCurve, assertEstimates, hashesOf, truthOf } from "../support/read_estimates.ts";
import { loopingTrace, type ReadTrace, scanningTrace, skewedTrace } from "../support/read_traces.ts";

const CAPACITY = 50_000;
const BYTES = 100;
/** Reads between two looks of whoever has the cache. */
const LOOK = 20_000;

/** Reads a trace in a cache of `CAPACITY`, and tells a sample of it, and of the capacity if that is given. */
function sampled({ keys, reads }: ReadTrace, hashKey: HashKey, capacity?: number): ReadSample {
  const hashes = hashesOf(keys, hashKey);
  const cache = new LruModel(CAPACITY, keys);
  let count = 0;
  const sample = new ReadSample({ now: () => 0, reads: () => count });
  for (const key of reads) {
    if (count++ % LOOK === 0 && capacity !== undefined) sample.adapt(capacity);
    const isHit = cache.read(key);
    if (!sample.isSampled(hashes[key])) continue;
    sample.read(hashes[key], isHit ? BYTES : 0);
    if (!isHit) sample.write(hashes[key], BYTES);
  }
  return sample;
}

/** With it fewer keys of the following loop and scans are in the sample than its rate says: to take what is missing for hits fails. */
const FEW_KEYS: HashKey = [87_109, 1_152_019];
/** With it a key that is read very often is, or is not, in the sample: to take the sample for the whole fails. */
const HOT_KEYS: HashKey = [1, 2];

const skewed = skewedTrace(1_000_000, 2_000_000, 0.99, 1);
const skewedTruth = truthOf(skewed, CAPACITY);

Deno.test("estimates for a skewed load (Zipf 0.99 over 1,000,000 keys) are within two points", () => {
  assertEstimates(sampled(skewed, HOT_KEYS, CAPACITY), skewedTruth);
});

Deno.test("estimates for scans of three times the size beside a hot set are within two points", () => {
  const trace = scanningTrace(CAPACITY / 2, 3 * CAPACITY, 1_000_000, 1);
  assertEstimates(sampled(trace, FEW_KEYS, CAPACITY), truthOf(trace, CAPACITY));
});

Deno.test("estimates for a loop of one and a half times the size are within two points", () => {
  const trace = loopingTrace(1.5 * CAPACITY, 500_000);
  assertEstimates(sampled(trace, FEW_KEYS, CAPACITY), truthOf(trace, CAPACITY));
});

Deno.test("where the capacity is not known, the rate falls as the sample fills, and the curve is within two points", () => {
  const sample = sampled(skewed, HOT_KEYS);
  assert(sample.size.rate < 0.05 && sample.size.keys > 6000, "the sample is full");
  assertCurve(sample, skewedTruth);
});
