/**
 * What it costs to look at reads: of a key that is not sampled, of one that is, and at the rate of a cache of a million
 * entries; and the memory. Usage: deno task bench:insight
 */

import { spanOf } from "../lib/base/byte_span.ts";
import { HottestKeys, MOST_APART } from "../lib/insight/hottest_keys.ts";
import { ReadSample } from "../lib/insight/read_sample.ts";
import { LruModel } from "../tests/support/cache_models.ts";
import { skewedTrace } from "../tests/support/read_traces.ts";
import { compare } from "./compare.ts";

const READS = 2_000_000;
const KEYS = 1_000_000;
const BYTES = 100;

const now = () => 0;
const noise = (n: number) => {
  const x = Math.imul(n ^ n >>> 16, 0x85ebca6b);
  return Math.imul(x ^ x >>> 13, 0xc2b2ae35) | 0;
};

/** A load, and whether a cache of `capacity` has what is read. */
function load(capacity: number) {
  const { reads } = skewedTrace(KEYS, READS, 0.99, 1);
  const cache = new LruModel(capacity, KEYS);
  return {
    hashes: reads.map((key) => noise(key + 1)),
    isHit: Uint8Array.from(reads, (key) => cache.read(key) ? 1 : 0),
  };
}

/** A sample of a cache that has seen a load, and one more run of it over the reads that it samples. */
function sampleOf(capacity: number) {
  const { hashes, isHit } = load(capacity);
  const sample = new ReadSample({ now, reads: () => READS });
  sample.adapt(capacity);
  const run = () => {
    let told = 0;
    for (let i = 0; i < READS; i++) {
      if (!sample.isSampled(hashes[i])) continue;
      told++;
      sample.read(hashes[i], isHit[i] * BYTES);
      if (isHit[i] === 0) sample.write(hashes[i], BYTES);
    }
    return told;
  };
  const told = run();
  return { sample, hashes, run, told };
}

const million = sampleOf(1_000_000);
const small = sampleOf(1000);
const unsampled = million.hashes.map((hash) => hash & 0x7fff_ffff | 1); // the upper half of all hashes
const hottest = new HottestKeys({ now, seed: 1 });
const keys = Array.from({ length: 4096 }, (_, i) => spanOf(new TextEncoder().encode(`some:key:of:usual:length:${i}`)));

console.log(
  `Of a cache of 1,000,000 entries ${million.told} of ${READS} reads are sampled, of one of 1,000 ${small.told}.`,
);

await compare({ title: "A read", operations: READS, against: "nothing" }, {
  "nothing": () => {
    let sum = 0;
    for (let i = 0; i < READS; i++) sum += unsampled[i] & 1;
    return sum;
  },
  "not sampled": () => {
    let sum = 0;
    for (let i = 0; i < READS; i++) sum += million.sample.isSampled(unsampled[i]) ? 0 : unsampled[i] & 1;
    return sum;
  },
  "not due for the hottest keys": () => {
    let sum = 0;
    for (let i = 0; i < READS; i++) sum += hottest.isDue() ? 0 : unsampled[i] & 1;
    return sum;
  },
  "of a cache of 1,000,000, some sampled": million.run,
  "of a cache of 1,000, all sampled": small.run,
  [`for the hottest keys, one of ${MOST_APART} told`]: () => {
    for (let i = 0; i < READS; i++) if (hottest.isDue()) hottest.read(keys[unsampled[i] & 4095], unsampled[i], BYTES);
  },
});

await compare({ title: "A read that is told", operations: 100_000, against: "sampled" }, {
  "sampled": () => {
    for (let i = 0; i < 100_000; i++) small.sample.read(small.hashes[i], BYTES);
  },
  "among the hottest keys": () => {
    for (let i = 0; i < 100_000; i++) hottest.read(keys[unsampled[i] & 4095], unsampled[i], BYTES);
  },
});

function fullSample(): ReadSample {
  const sample = new ReadSample({ now, reads: () => 0 });
  sample.adapt(1_000_000);
  for (let i = 0; i < 4_000_000; i++) sample.write(noise(i), BYTES);
  return sample;
}

const times = 100;
const full = fullSample();
await compare({ title: "What is done every second or so", operations: times, against: "fade" }, {
  "adapt": () => {
    for (let i = 0; i < times; i++) full.adapt(1_000_000);
  },
  "fade": () => {
    for (let i = 0; i < times; i++) hottest.fade();
  },
});

/** Memory of several, so that the collector's mood weighs little. */
function showMemory(name: string, make: () => unknown): void {
  const count = 20;
  const { gc } = globalThis as { gc?: () => void };
  const used = () => {
    gc?.();
    const { heapUsed, external } = Deno.memoryUsage();
    return heapUsed + external;
  };
  make();
  const before = used();
  const made = Array.from({ length: count }, make);
  console.log(`  ${name.padEnd(40)} ${Math.round((used() - before) / made.length / 1000)} kB`);
}

console.log("\nMemory");
showMemory("sample, full", fullSample);
showMemory("hottest keys, of 30 bytes", () => {
  const counted = new HottestKeys({ now, seed: 1 });
  for (let i = 0; i < 4096; i++) counted.read(keys[i], i, BYTES);
  return counted;
});
