/** Reads of keys numbered from 0, made from a seed, as caches meet them. */

import { generator } from "../../lib/simulation/seeded_random.ts";

/** The keys that are read, in order. */
export interface ReadTrace {
  /** Numbers of keys are below. */
  readonly keys: number;
  readonly reads: Int32Array;
}

/** Keys are read the more rarely the higher their number, by Zipf's law: key k in proportion to 1 / (k + 1) ^ skew. */
export function skewedTrace(keys: number, count: number, skew: number, seed: number): ReadTrace {
  const random = generator(seed);
  const upTo = new Float64Array(keys);
  for (let key = 0, sum = 0; key < keys; key++) upTo[key] = sum += (key + 1) ** -skew;
  const reads = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const at = random() * upTo[keys - 1];
    let [from, to] = [0, keys - 1];
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (upTo[middle] > at) to = middle;
      else from = middle + 1;
    }
    reads[i] = from;
  }
  return { keys, reads };
}

/** All keys are read in turn, again and again. */
export function loopingTrace(keys: number, count: number): ReadTrace {
  return { keys, reads: Int32Array.from({ length: count }, (_, i) => i % keys) };
}

/** Every other read, by chance, is of a hot key; the others go through the cold ones in turn, again and again. */
export function scanningTrace(hot: number, cold: number, count: number, seed: number): ReadTrace {
  const random = generator(seed);
  let next = 0;
  const reads = Int32Array.from(
    { length: count },
    () => random() < 0.5 ? Math.floor(random() * hot) : hot + next++ % cold,
  );
  return { keys: hot + cold, reads };
}
