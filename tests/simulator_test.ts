/** Clusters with faults: no rule of replication is ever broken, and none of the rules is there for nothing. */

import { assert, assertEquals } from "@std/assert";
import { ALL_RULES, type Rules } from "../lib/history.ts";
import { SCENARIOS, simulate } from "../lib/simulator.ts";

const SEEDS = 34;

for (const scenario of SCENARIOS) {
  Deno.test(`simulate() finds nothing wrong when ${SEEDS} clusters have ${scenario.name}`, () => {
    let evictions = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const outcome = simulate(scenario, seed);
      assertEquals(outcome.violations.slice(0, 3), [], `seed ${seed}: cli.ts simulate --seed ${seed} --seeds 1`);
      evictions += outcome.evictions;
    }
    assertEquals(evictions > 0, scenario.name.startsWith("eviction"));
  });
}

Deno.test("simulate() gives the same course of events when the seed is the same, and another for another", () => {
  for (const scenario of SCENARIOS) {
    const [one, same, other] = [7, 7, 8].map((seed) => simulate(scenario, seed).fingerprint);
    assertEquals(one, same);
    assert(one !== other);
  }
});

/** Without dominance entries are lost, which no invariant forbids: tests/gossip_test.ts shows that. */
const RULES = (Object.keys(ALL_RULES) as (keyof Rules)[]).filter((rule) => rule !== "dominance");

for (const rule of RULES) {
  Deno.test(`simulate() finds violations when the rule "${rule}" is switched off`, () => {
    const isCaught = SCENARIOS.toReversed().some((scenario) => {
      for (let seed = 1; seed <= SEEDS; seed++) {
        if (simulate({ ...scenario, without: rule }, seed).violations.length > 0) return true;
      }
      return false;
    });
    assert(isCaught);
  });
}
