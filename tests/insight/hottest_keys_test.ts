/** The hottest keys: bounds that hold, chance that patterns cannot hide from, and what is old fading. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { type ByteSpan, spanOf } from "../../lib/base/byte_span.ts";
import { MAX_KEY_BYTES } from "../../lib/base/limits.ts";
import { HOT_HALF_LIFE_MS, HottestKeys, READS_APART } from "../../lib/insight/hottest_keys.ts";
import { SpaceSaving, type Weighed } from "../../lib/insight/space_saving.ts";
import { generator } from "../../lib/simulation/seeded_random.ts";
import { skewedTrace } from "../support/read_traces.ts";

const utf8 = { of: new TextEncoder(), to: new TextDecoder() };
const keyOf = (text: string): ByteSpan => spanOf(utf8.of.encode(text));
const namesOf = (weighed: Weighed[]): string[] => weighed.map(({ key }) => utf8.to.decode(key));

function fixture(seed = 1) {
  const at = { nowMs: 0 };
  const hottest = new HottestKeys({ now: () => at.nowMs, seed });
  return { at, hottest };
}

Deno.test("the weight of each key is within its bounds, and every key that weighs more than its share of the counters has one", () => {
  const counters = 64;
  const { keys, reads } = skewedTrace(5000, 50_000, 1, 2);
  const random = generator(1);
  const counts = new SpaceSaving(counters);
  const truth = new Float64Array(keys);
  let all = 0;
  for (const key of reads) {
    const weight = 1 + Math.floor(9 * random());
    truth[key] += weight;
    all += weight;
    counts.add(keyOf(`key ${key}`), key, weight);
  }
  const heaviest = counts.heaviest(Infinity);
  assertStrictEquals(heaviest.length, counters);
  for (const { key, atLeast, atMost } of heaviest) {
    const weight = truth[Number(utf8.to.decode(key).slice(4))];
    assert(atLeast <= weight && weight <= atMost, `${atLeast} ≤ ${weight} ≤ ${atMost}`);
    assert(atMost - atLeast <= all / counters);
  }
  const names = namesOf(heaviest);
  const heavy = [...truth.keys()].filter((key) => truth[key] > all / counters);
  assert(heavy.length > 3);
  for (const key of heavy) assert(names.includes(`key ${key}`), `key ${key} weighs ${truth[key]} of ${all}`);
  assertEquals(heaviest.map(({ atMost }) => atMost), heaviest.map(({ atMost }) => atMost).sort((a, b) => b - a));
});

Deno.test("while there are counters enough, weights are exact", () => {
  const counts = new SpaceSaving(3);
  for (const [name, hash, weight] of [["a", 1, 5], ["b", 2, 7], ["a", 1, 4]] as const) {
    counts.add(keyOf(name), hash, weight);
  }
  assertEquals(counts.heaviest(5), [
    { key: utf8.of.encode("a"), atLeast: 9, atMost: 9 },
    { key: utf8.of.encode("b"), atLeast: 7, atMost: 7 },
  ]);
  assertEquals(namesOf(counts.heaviest(1)), ["a"]);
});

Deno.test("a key that takes a counter over is named in full, be it shorter or longer than the one before", () => {
  const counts = new SpaceSaving(1);
  const names = ["middling", "of some length", "short", "k".repeat(MAX_KEY_BYTES)];
  for (const [hash, name] of names.entries()) {
    counts.add(keyOf(name), hash, 1);
    assertEquals(namesOf(counts.heaviest(1)), [name]);
  }
});

Deno.test("keys are kept for counters only: of a million long ones there is room for 256 of each kind", () => {
  const { hottest } = fixture();
  const key = spanOf(new Uint8Array(MAX_KEY_BYTES));
  for (let hash = 0; hash < 5000; hash++) hottest.read(key, hash, 1);
  assertStrictEquals(hottest.keyBytes, 2 * 256 * MAX_KEY_BYTES);
});

Deno.test("one of 64 reads is looked at on average, and the figures are of all", () => {
  const { hottest } = fixture();
  const reads = 1_000_000;
  let due = 0;
  for (let i = 0; i < reads; i++) {
    if (!hottest.isDue()) continue;
    due++;
    hottest.read(keyOf(i % 4 === 0 ? "rare" : "often"), i % 4 === 0 ? 1 : 2, 10);
  }
  assert(Math.abs(due * READS_APART / reads - 1) < 0.02, `${due}`);
  const [often, rare] = hottest.byReads(2);
  assertEquals(namesOf([often, rare]), ["often", "rare"]);
  assert(Math.abs(often.atMost / (0.75 * reads) - 1) < 0.03, `${often.atMost}`);
  assert(Math.abs(rare.atMost / (0.25 * reads) - 1) < 0.06, `${rare.atMost}`);
  assert(Math.abs(hottest.byBytes(1)[0].atMost / (7.5 * reads) - 1) < 0.03);
});

Deno.test("a pattern of 64 reads hides no key, whatever the seed", () => {
  for (const seed of [0, 1, 2, -7, 0x7fff_ffff]) {
    const { hottest } = fixture(seed);
    const seen = new Uint32Array(READS_APART);
    for (let i = 0; i < 640_000; i++) if (hottest.isDue()) seen[i % READS_APART]++;
    assert(Math.min(...seen) > 90 && Math.max(...seen) < 230, `${seed}: ${seen}`); // 156 each, on average
  }
});

Deno.test("the keys that give out most bytes are others than those that are read most; a miss gives out none", () => {
  const { hottest } = fixture();
  for (let i = 0; i < 10; i++) hottest.read(keyOf("missed"), 1, 0);
  for (let i = 0; i < 5; i++) hottest.read(keyOf("small"), 2, 10);
  hottest.read(keyOf("large"), 3, 1_000_000);
  assertEquals(namesOf(hottest.byReads(9)), ["missed", "small", "large"]);
  assertEquals(namesOf(hottest.byBytes(9)), ["large", "small"]);
  assertStrictEquals(hottest.byBytes(1)[0].atLeast, READS_APART * 1_000_000);
});

Deno.test("old reads fade, by half in ten minutes, and so do bounds of errors", () => {
  const { at, hottest } = fixture();
  for (let i = 0; i < 8; i++) hottest.read(keyOf("then"), 1, 1);
  at.nowMs += HOT_HALF_LIFE_MS;
  hottest.fade();
  hottest.fade(); // no time has passed since
  for (let i = 0; i < 5; i++) hottest.read(keyOf("now"), 2, 1);
  const [now, then] = hottest.byReads(2);
  assertEquals(namesOf([now, then]), ["now", "then"]);
  assertEquals([then.atLeast, then.atMost], [4 * READS_APART, 4 * READS_APART]);
  const counts = new SpaceSaving(1);
  for (const hash of [1, 2]) counts.add(keyOf("k"), hash, 8);
  counts.scale(0.5);
  assertEquals(counts.heaviest(1).map(({ atLeast, atMost }) => [atLeast, atMost]), [[4, 8]]);
});
