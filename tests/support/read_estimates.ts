/** Holds what a sample of reads estimates against what caches of each size and policy do with them: within two points. */

import { assert } from "@std/assert";
import { MAX_TIMES, type ReadSample } from "../../lib/insight/read_sample.ts";
import { hashBytes, type HashKey } from "../../lib/store/keyed_hash.ts";
import { type CacheModel, LruModel, SieveModel } from "./cache_models.ts";
import type { ReadTrace } from "./read_traces.ts";

const TIMES = [1 / 2, 1, 2, MAX_TIMES];
const POINTS = 2;

function hitRatio(cache: CacheModel, { reads }: ReadTrace): number {
  let hits = 0;
  for (const key of reads) if (cache.read(key)) hits++;
  return hits / reads.length;
}

/** Hashes of all keys, as a store has them. */
export function hashesOf(keys: number, hashKey: HashKey): Int32Array {
  const span = { bytes: new Uint8Array(4), from: 0, to: 4 };
  const view = new DataView(span.bytes.buffer);
  return Int32Array.from({ length: keys }, (_, key) => {
    view.setUint32(0, key);
    return hashBytes(span, hashKey);
  });
}

/** What caches of some times the capacity do, and SIEVE with the capacity. */
export interface Truth {
  readonly capacity: number;
  readonly lru: readonly number[];
  readonly sieve: number;
}

/** Reads a trace in caches of all sizes. */
export function truthOf(trace: ReadTrace, capacity: number): Truth {
  return {
    capacity,
    lru: TIMES.map((times) => hitRatio(new LruModel(capacity * times, trace.keys), trace)),
    sieve: hitRatio(new SieveModel(capacity, trace.keys), trace),
  };
}

/** Asserts that the estimates for LRU are within two points. */
export function assertCurve(sample: Pick<ReadSample, "hitRatioAt">, { capacity, lru }: Truth): void {
  TIMES.forEach((times, i) =>
    assertNear(sample.hitRatioAt(capacity * times), lru[i], `LRU of ${times} times the size`)
  );
}

/** Asserts that all estimates are within two points. */
export function assertEstimates(sample: Pick<ReadSample, "hitRatioAt" | "policies">, truth: Truth): void {
  const { lru, sieve } = sample.policies()!;
  assertCurve(sample, truth);
  assertNear(sieve, truth.sieve, "SIEVE");
  assertNear(lru, truth.lru[1], "LRU");
  assertNear(sieve - lru, truth.sieve - truth.lru[1], "what SIEVE would give");
}

function assertNear(actual: number | undefined, expected: number, what: string): void {
  const points = 100 * (actual! - expected);
  assert(Math.abs(points) <= POINTS, `${what}: ${actual} is ${points} points beside ${expected}`);
}
