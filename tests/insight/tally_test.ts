/** From sampled reads to a share of all. */

import { assertStrictEquals } from "@std/assert";
import { hitRatio, Tally } from "../../lib/insight/tally.ts";

function tally(...added: [reads: number, times: number][]): Tally {
  const sum = new Tally();
  for (const [reads, times] of added) sum.add(reads, times);
  return sum;
}

Deno.test("where the sample stands for all reads, the ratio is that of the sample", () => {
  assertStrictEquals(hitRatio(tally([10, 1]), tally([10, 1], [30, 9]), 40), 0.25);
});

Deno.test("reads that the sample lacks, or has too many of, hit as those do whose keys are read often", () => {
  assertStrictEquals(hitRatio(tally([10, 9]), tally([10, 9], [30, 1]), 80), (10 + 40 * 0.75) / 80);
  assertStrictEquals(hitRatio(tally([10, 9]), tally([10, 9], [30, 1]), 36), (10 - 4 * 0.75) / 36);
});

Deno.test("a ratio is never below 0 nor above 1, and there is none without reads", () => {
  assertStrictEquals(hitRatio(tally([10, 9]), tally([10, 9], [30, 1]), 20), 0);
  assertStrictEquals(hitRatio(tally([39, 1]), tally([39, 1], [1, 1000]), 20), 1);
  assertStrictEquals(hitRatio(tally(), tally(), 20), undefined);
  assertStrictEquals(hitRatio(tally([1, 1]), tally([1, 1]), 0), undefined);
});
