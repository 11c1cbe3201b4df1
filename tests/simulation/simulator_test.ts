/** Clusters with faults: no rule of replication is ever broken, and none of the rules is there for nothing. */

import { assert, assertEquals } from "@std/assert";
import type { Counts } from "../../lib/simulation/cluster.ts";
import { ALL_RULES, type Rules } from "../../lib/store/history.ts";
import { SCENARIOS } from "../../lib/simulation/scenarios.ts";
import { simulate, simulateAll } from "../../lib/simulation/simulator.ts";

const SEEDS = 18;

const EVERYWHERE: (keyof Counts)[] = ["restarts", "deaths", "partitions", "late", "overflows", "clears", "extended"];

for (const scenario of SCENARIOS) {
  Deno.test(`simulate() finds nothing wrong when ${SEEDS} clusters have ${scenario.name}`, () => {
    const { first, ...counts } = simulateAll(scenario, 1, SEEDS, () => {});
    const again = `cli.ts simulate --scenario "${scenario.name}" --seed ${first?.seed} --seeds 1`;
    assertEquals(first?.violations, undefined, again);
    const expected: (keyof Counts)[] = [...EVERYWHERE];
    if (scenario.partitionSteps === 0) expected.push("oneWay");
    if (scenario.maxWrites < 10) expected.push("restartsInJoin", "adoptions");
    if (scenario.isFuture) expected.push("fromFuture");
    if (scenario.maxGraves < scenario.keys) expected.push("verifications", "unconfirmed");
    for (const what of expected) assert(counts[what]! > 0, `no ${what} at all`);
    assertEquals(counts.evictions! > 0, scenario.name.startsWith("eviction"));
    if (!scenario.isFuture) assertEquals(counts.fromFuture, 0);
  });
}

Deno.test("simulate() gives the same course of events when the seed is the same, and another for another", () => {
  for (const scenario of SCENARIOS) {
    const [one, same, other] = [7, 7, 8].map((seed) => simulate(scenario, seed).fingerprint);
    assertEquals(one, same);
    assert(one !== other);
  }
});

/** Rules whose absence rarely does harm: the scenario that shows it, with many seeds. */
const RARE = new Map<string, string>([
  ["cover", "few graves, long partition, small pages"],
  ["incarnation", "room for all, small pages, line"],
  ["pages", "few graves, long partition, small pages"],
]);
const MANY_SEEDS = 300;

for (const rule of Object.keys(ALL_RULES) as (keyof Rules)[]) {
  Deno.test(`simulate() finds violations when the rule "${rule}" is switched off`, () => {
    const rare = RARE.get(rule);
    const scenarios = SCENARIOS.filter(({ name }) => rare === undefined || name === rare);
    const isCaught = (seed: number) =>
      scenarios.some((scenario) => {
        const { violations, trace } = simulate({ ...scenario, without: rule }, seed);
        return violations.length > 0 && trace.length > 0;
      });
    assert(Array.from({ length: rare === undefined ? SEEDS : MANY_SEEDS }, (_, i) => i + 1).some(isCaught));
  });
}
