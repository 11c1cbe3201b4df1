/** Clients with near copies, simulated: none of their reads is older than promised, and each rule is needed for that. */

import { assert, assertEquals } from "@std/assert";
import { NEAR_RULE_NAMES, type NearRule } from "../../lib/simulation/near_rules.ts";
import { simulateAllNear, simulateNear } from "../../lib/simulation/near_simulator.ts";
import { NearTruth } from "../../lib/simulation/near_truth.ts";

Deno.test("Near copies are never older than promised, in 60 courses of events", () => {
  const { first, reads, mostBehindMs } = simulateAllNear(1, 60);
  assertEquals(first, undefined);
  assert(reads > 2000 && mostBehindMs > 20, `${reads} reads, ${mostBehindMs} ms behind`);
});

Deno.test("A simulation of near copies is repeated by its seed", () => {
  assertEquals(simulateNear(7), simulateNear(7));
});

/** The first seed with which the lack of each rule does harm, and which. */
const HARM: Record<NearRule, readonly [seed: number, harm: string]> = {
  "marks before replies": [64, "stale"],
  "writer too": [4, "stale"],
  "absent too": [6, "stale"],
  "of peers too": [3, "stale"],
  "clears too": [2, "stale"],
  "all that are listed": [8, "stale"],
  "too many are all": [8, "stale"],
  "fence": [3, "stale"],
  "send time": [1, "stale"],
  "deadline from sending": [248, "expired"],
  "empty when connected": [4, "expired"],
  "this connection": [31, "stale"],
  "taken at once": [5, "stale"],
  "sleep": [3, "stale"],
};

for (const rule of NEAR_RULE_NAMES) {
  Deno.test(`Near copies are too old without the rule "${rule}"`, () => {
    const [seed, harm] = HARM[rule];
    const { violations } = simulateNear(seed, rule);
    assert(violations[0]?.startsWith(harm), violations[0]);
    assertEquals(simulateNear(seed).violations, []);
  });
}

Deno.test("NearTruth.judge() tells what is stale, expired, or was never there", () => {
  const truth = new NearTruth();
  truth.note(1, 10, 5, 100);
  truth.note(1, 20, 6, 200);
  assertEquals(truth.judge(1, 5, 19), undefined, "it was the newest then");
  assertEquals(truth.judge(1, 5, 20), "stale: 5, in place of which there was 6 at 20");
  assertEquals(truth.judge(1, 6, 0), undefined, "it is newer than it need be");
  assertEquals(truth.judge(1, 6, 199), undefined);
  assertEquals(truth.judge(1, 6, 200), "expired: 6, which was over at 200");
  assertEquals(truth.judge(1, 7, 50), "the server has never held 7");
  truth.note(1, 30, 0, 0);
  assertEquals(truth.judge(1, 6, 30), "stale: 6, in place of which there was none at 30");
  assertEquals(truth.ageMs(1, 6, 42), 12);
});
