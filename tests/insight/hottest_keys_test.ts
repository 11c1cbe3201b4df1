/** The hottest keys: bounds that hold, chance that patterns cannot hide from, and what is old fading. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { type ByteSpan, spanOf } from "../../lib/base/byte_span.ts";
import { MAX_KEY_BYTES } from "../../lib/base/limits.ts";
import { HOT_HALF_LIFE_MS, HottestKeys, LOOKS_PER_SECOND, MOST_APART } from "../../lib/insight/hottest_keys.ts";
import { SpaceSaving, type Weighed } from "../../lib/insight/space_saving.ts";
import { generator } from "../../lib/simulation/seeded_random.ts";
import { skewedTrace } from "../support/read_traces.ts";

const utf8 = { of: new TextEncoder(), to: new TextDecoder() };
const keyOf = (text: string): ByteSpan => spanOf(utf8.of.encode(text));
const namesOf = (weighed: readonly Pick<Weighed, "key">[]): string[] => weighed.map(({ key }) => utf8.to.decode(key));

function fixture(seed = 1) {
  const at = { nowMs: 0 };
  const hottest = new HottestKeys({ now: () => at.nowMs, seed });
  return { at, hottest };
}

/** One that has met so many reads that it looks at few. */
function busyFixture(seed = 1) {
  const { at, hottest } = fixture(seed);
  const key = keyOf("early");
  for (let looks = 0; looks < 8 * LOOKS_PER_SECOND; looks++) hottest.read(key, 0, 0);
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
    { key: utf8.of.encode("a"), atLeast: 9, atMost: 9, times: 2 },
    { key: utf8.of.encode("b"), atLeast: 7, atMost: 7, times: 1 },
  ]);
  assertStrictEquals(counts.total, 16);
  counts.add(keyOf("c"), 3, 1);
  counts.add(keyOf("d"), 4, 1);
  assertEquals([counts.total, counts.heaviest(3)[2]], [18, {
    key: utf8.of.encode("d"),
    atLeast: 1,
    atMost: 2,
    times: 1,
  }]);
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

Deno.test("while reads are few, all are looked at; where they are many, one of 256 on average, and the figures are of all", () => {
  const { at, hottest } = fixture();
  const reads = 2_000_000;
  let due = 0;
  for (let i = 0; i < reads; i++) {
    if (!hottest.isDue()) continue;
    due++;
    if (i < LOOKS_PER_SECOND) assertStrictEquals(due, i + 1);
    hottest.read(keyOf(i % 4 === 0 ? "rare" : "often"), i % 4 === 0 ? 1 : 2, 10);
  }
  const first = 8 * LOOKS_PER_SECOND; // at each distance, as it doubles: 1, 2, 4 and so on
  const between = (MOST_APART - 1) * LOOKS_PER_SECOND;
  assert(Math.abs((due - first) * MOST_APART / (reads - between) - 1) < 0.02, `${due}`);
  const [often, rare] = hottest.byReads(2);
  assertEquals(namesOf([often, rare]), ["often", "rare"]);
  assert(Math.abs(often.share - 0.75) < 0.02 && often.shareAtMost === often.share, `${often.share}`);
  assert(Math.abs(rare.share - 0.25) < 0.02, `${rare.share}`);
  assert(Math.abs(hottest.byBytes(1)[0].share - 0.75) < 0.02);
  for (let second = 0; second < 9; second++) {
    at.nowMs += 1000;
    hottest.fade();
  }
  const quiet = Array.from({ length: 1000 }, () => hottest.isDue());
  assertStrictEquals(quiet.filter((isDue) => !isDue).length < 2 * MOST_APART, true, "all are looked at again");
});

Deno.test("a pattern of 256 reads hides no key, whatever the seed", () => {
  for (const seed of [0, 1, 2, -7, 0x7fff_ffff]) {
    const { hottest } = busyFixture(seed);
    const seen = new Uint32Array(MOST_APART);
    for (let i = 0; i < 10_240_000; i++) if (hottest.isDue()) seen[i % MOST_APART]++;
    assert(Math.min(...seen) > 90 && Math.max(...seen) < 230, `${seed}: ${seen}`); // 156 each, on average
  }
});

Deno.test("the keys that give out most bytes are others than those that are read most; a miss gives out none", () => {
  const { hottest } = fixture();
  for (let i = 0; i < 10; i++) hottest.read(keyOf("missed"), 1, 0);
  for (let i = 0; i < 6; i++) hottest.read(keyOf("small"), 2, 10);
  for (let i = 0; i < 4; i++) hottest.read(keyOf("large"), 3, 485);
  const shares = (hot: ReturnType<typeof hottest.byReads>) => hot.map(({ share }) => share);
  assertEquals(namesOf(hottest.byReads(9)), ["missed", "small", "large"]);
  assertEquals(shares(hottest.byReads(9)), [0.5, 0.3, 0.2]);
  assertEquals(namesOf(hottest.byBytes(9)), ["large", "small"]);
  assertEquals(shares(hottest.byBytes(9)), [0.97, 0.03]);
  assertEquals(namesOf(hottest.byBytes(1)), ["large"]);
});

Deno.test("a key that may be there by chance is not named: one read less than four times, or with more of others' than its own", () => {
  const { hottest } = fixture();
  for (let i = 0; i < 3; i++) hottest.read(keyOf("rare"), 1, 1000);
  assertEquals([hottest.byReads(9), hottest.byBytes(9)], [[], []]);
  hottest.read(keyOf("rare"), 1, 1000);
  assertEquals(namesOf(hottest.byReads(9)), ["rare"]);
  for (let round = 0; round < 100; round++) {
    for (let hash = 1000; hash < 1512; hash++) hottest.read(keyOf("one of many"), hash, 10);
  }
  assertEquals(hottest.byReads(9), []);
});

Deno.test("old reads fade, by half in ten minutes, and so do bounds of errors", () => {
  const { at, hottest } = fixture();
  for (let i = 0; i < 10; i++) hottest.read(keyOf("then"), 1, 1);
  at.nowMs += HOT_HALF_LIFE_MS;
  hottest.fade();
  hottest.fade(); // no time has passed since
  for (let i = 0; i < 15; i++) hottest.read(keyOf("now"), 2, 1);
  const [now, then] = hottest.byReads(2);
  assertEquals(namesOf([now, then]), ["now", "then"]);
  assertEquals([now.share, then.share, then.shareAtMost], [0.75, 0.25, 0.25]);
  const counts = new SpaceSaving(1);
  for (const hash of [1, 2]) counts.add(keyOf("k"), hash, 8);
  counts.scale(0.5);
  assertEquals(counts.heaviest(1).map(({ atLeast, atMost }) => [atLeast, atMost]), [[4, 8]]);
});
