/** Processes that compute by leases, simulated: nothing newer is overwritten and nobody is forgotten, and each rule is needed for that. */

import { assert, assertEquals } from "@std/assert";
import { LEASE_RULE_NAMES, type LeaseRule } from "../../lib/simulation/lease_rules.ts";
import { simulateAllLeases, simulateLeases } from "../../lib/simulation/lease_simulator.ts";

Deno.test("Leases overwrite nothing newer, and forget nobody, in 200 courses of events", () => {
  const { first, computed, stored } = simulateAllLeases(1, 200);
  assertEquals(first, undefined);
  assert(stored > 2000 && computed > stored, `${computed} computations, ${stored} stored`);
});

Deno.test("A simulation of leases is repeated by its seed", () => {
  assertEquals(simulateLeases(7), simulateLeases(7));
});

/** A seed with which the lack of each rule does harm, and which. */
const HARM: Record<LeaseRule, readonly [seed: number, harm: string]> = {
  "tokens are checked": [1, "overwritten"],
  "changes end leases": [1, "overwritten"],
  "one at a time": [1, "twice"],
  "handed over at the end": [14, "forgotten"],
  "handed over in time": [37, "forgotten"],
  "asked again when lost": [1, "forgotten"],
  "late ones are not used": [1, "late"],
};

for (const rule of LEASE_RULE_NAMES) {
  Deno.test(`Leases do harm without the rule "${rule}"`, () => {
    const [seed, harm] = HARM[rule];
    const { violations } = simulateLeases(seed, rule);
    assert(violations[0]?.startsWith(harm), violations[0]);
    assertEquals(simulateLeases(seed).violations, []);
  });
}
