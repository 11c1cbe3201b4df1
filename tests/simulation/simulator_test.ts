/** Clusters with faults: no rule of replication is ever broken, and none of the rules is there for nothing. */

import { assert, assertEquals } from "@std/assert";
import type { Counts } from "../../lib/simulation/cluster.ts";
import type { Rules } from "../../lib/store/rules.ts";
import { type Scenario, SCENARIOS } from "../../lib/simulation/scenarios.ts";
import { simulate, simulateAll } from "../../lib/simulation/simulator.ts";

const SEEDS = 18;
/** Clusters of scenarios in which nodes must keep all: each has much to lose. */
const KEEPING_SEEDS = 6;
/** Scenarios whose runs take seconds are left to `deno task simulate`. */
const SHORT = SCENARIOS.filter(({ isLong }) => !isLong);

/** What happens where nodes have fingerprints of all that has left. */
const NOTHING_FORGOTTEN = { verifications: 0, unconfirmed: 0, needless: 0, refused: 0 };

/** The faults that are expected to have happened in the clusters of a scenario. */
function expectedOf(scenario: Scenario): (keyof Counts)[] {
  const { partitionSteps, maxWrites, isFuture, maxGraves, keys, clearShare, timedShare, steps } = scenario;
  const expected: (keyof Counts)[] = ["restarts", "deaths"];
  if (scenario.odds.longDelay >= 0.05 && ((steps >= 250 && !scenario.keeps) || scenario.hasEchoes)) {
    expected.push("late");
  }
  if (steps >= 250) expected.push("partitions");
  if (steps >= 250 && partitionSteps === 0) expected.push("oneWay");
  if (steps >= 250 && timedShare >= 0.5 && scenario.wayMs === 0) expected.push("extended", "overflows");
  if (clearShare > 0) expected.push("clears");
  if (scenario.prefixShare > 0) expected.push("prefixes");
  if (maxWrites < 10 && steps >= 250) expected.push("restartsInJoin", "adoptions");
  if (isFuture) expected.push("fromFuture");
  if (maxGraves < keys) expected.push("needed");
  if (canForget(scenario)) expected.push("verifications", "unconfirmed", "needless", "refused");
  if (canEvict(scenario)) expected.push("covered");
  if (scenario.pauseChance > 0) expected.push("pauses");
  if (scenario.lonely.length > 0) expected.push("links");
  if (scenario.joins.length > 0) expected.push("joins");
  if (scenario.isMixed) expected.push("unknown");
  if (scenario.snapshotChance > 0) expected.push("snapshots", "loads", "brokenLoads");
  return expected;
}

function canEvict({ maxSize, keys }: Scenario): boolean {
  return Math.min(...[maxSize].flat()) < keys;
}

/** Whether more writes leave than a node keeps fingerprints of, or more prefixes are cleared than it holds clears of. */
function canForget({ maxForgotten, maxPrefixes }: Scenario): boolean {
  return maxForgotten !== undefined || maxPrefixes !== undefined;
}

for (const scenario of SHORT) {
  const seeds = scenario.keeps ? KEEPING_SEEDS : SEEDS;
  Deno.test(`simulate() finds nothing wrong when ${seeds} clusters have ${scenario.name}`, () => {
    const { first, bad: _, ...counts } = simulateAll(scenario, 1, seeds, () => {});
    const again = `deno task simulate --scenario "${scenario.name}" --seed ${first?.seed} --seeds 1`;
    assertEquals(first?.violations, undefined, again);
    for (const what of expectedOf(scenario)) assert(counts[what]! > 0, `no ${what} at all`);
    assertEquals(counts.evictions! > 0, canEvict(scenario));
    if (!scenario.isFuture && scenario.skewsMs.length === 0) assertEquals(counts.fromFuture, 0);
    if (canForget(scenario)) return;
    const { verifications, unconfirmed, needless, refused } = counts;
    assertEquals({ verifications, unconfirmed, needless, refused }, NOTHING_FORGOTTEN);
  });
}

Deno.test("simulate() lets a question be answered that was under way when pushes had brought all nodes to agree", () => {
  const scenario = SCENARIOS.find(({ name }) => name === "eviction, peers twice and themselves")!;
  assertEquals(simulate(scenario, 9_000_308).violations, []);
});

Deno.test("simulate() finds nothing lost for no reason where nodes have graves for all that leaves", () => {
  for (const scenario of SHORT.filter(({ keeps }) => keeps)) {
    const { first, needless, refused } = simulateAll({ ...scenario, maxGraves: 100_000 }, 1, 3, () => {});
    assertEquals([first?.violations, needless, refused], [undefined, 0, 0], scenario.name);
  }
});

Deno.test("simulate() gives the same course of events when the seed is the same, and another for another", () => {
  for (const scenario of SHORT) {
    const [one, same, other] = [7, 7, 8].map((seed) => simulate(scenario, seed).fingerprint);
    assertEquals(one, same);
    assert(one !== other);
  }
});

/** Rules of which the simulator has no invariant; tests of replication show what they are for. */
type Elsewhere = "lateness";

/** For each other rule, a scenario in which its absence does harm soon, and the harm. */
const HARMS: Record<Exclude<keyof Rules, Elsewhere>, [scenario: string, harm: RegExp]> = {
  fingerprints: ["room for all, line", /ms: lost: /],
  lastPage: ["few graves, small pages, mesh", /ms: (stale|lost): /],
  sweep: ["room for all, line", /ms: stale: /],
  bury: ["lonely node, linked later", /ms: lost: /],
  cover: ["eviction, line of unequal nodes", /ms: resurrected: /],
  floor: ["room for all, line", /ms: stale: /],
  dominance: ["room for entries, few graves", /ms: lost: /],
  verify: ["lonely node, linked later", /ms: stale: /],
  prefix: ["room for all, line", /ms: (stale|lost): /],
  incarnation: ["late answers to former starts", /ms: lost: /],
  clear: ["room for all, small pages, line", /ms: (stale|resurrected): /],
  prefixes: ["namespaces, mesh", /ms: resurrected: /],
  prefixFloor: ["namespaces, few kept, line", /ms: lost: /],
  touch: ["room for all, line", /ms: clock: /],
  pages: ["room for all, line", /ms: (stale|lost): /],
  adoption: ["room for all, small pages, line", /ms: endless: /],
  peerClock: ["clocks wrong, then corrected", /ms: endless: nodes whose clocks are right/],
  patience: ["long ways, longer than three rounds", /ms: endless: /],
  skipUnknown: ["mixed features", /ms: crash: .*(unknown type|bytes after)/],
  corrections: ["clocks wrong, then corrected", /ms: endless: /],
  snapshotClock: ["snapshots, mesh", /ms: stale: .* loads /],
  snapshotKnown: ["snapshots, mesh", /ms: lost: /],
};
const MOST_SEEDS = 20;

for (const rule of Object.keys(HARMS) as (keyof typeof HARMS)[]) {
  const [name, harm] = HARMS[rule];
  Deno.test(`simulate() finds harm within ${MOST_SEEDS} seeds when the rule "${rule}" is switched off`, () => {
    const scenario = SCENARIOS.find((scenario) => scenario.name === name);
    assert(scenario !== undefined);
    const isCaught = (seed: number) => {
      const { violations, trace } = simulate({ ...scenario, without: rule }, seed);
      return violations.some((violation) => harm.test(violation)) && trace.length > 0;
    };
    assert(Array.from({ length: MOST_SEEDS }, (_, i) => i + 1).some(isCaught));
  });
}
