/**
 * Runs simulated clusters, near copies and leases, and prints the violations found in them:
 * `deno task simulate --scenario "few graves" --seeds 1000`. It exits with 1 if there is one.
 */

import { LEASE_RULE_NAMES, type LeaseRule } from "../lib/simulation/lease_rules.ts";
import { LEASE_SCENARIO, simulateAllLeases } from "../lib/simulation/lease_simulator.ts";
import { NEAR_RULE_NAMES, type NearRule } from "../lib/simulation/near_rules.ts";
import { NEAR_SCENARIO, simulateAllNear } from "../lib/simulation/near_simulator.ts";
import { RULE_NAMES, type Scenario, SCENARIOS } from "../lib/simulation/scenarios.ts";
import { type Outcome, simulateAll, type Summary } from "../lib/simulation/simulator.ts";
import { type Arguments, readArguments, UsageError, wholeFlag } from "../lib/cli/arguments.ts";
import { type Command, JSON_FLAG } from "../lib/cli/command_table.ts";
import { usageHelp } from "../lib/cli/help.ts";
import { toJson } from "../lib/cli/json.ts";
import { EXIT, logError, say } from "../lib/cli/output.ts";

const PROGRAM = "deno task";
const COMMAND: Command = {
  name: "simulate",
  operands: [],
  summary: "run replication, near copies and leases in simulations with faults, and judge what comes of it",
  flags: [
    { name: "seeds", argument: "N", help: "runs of each scenario (100)" },
    { name: "seed", argument: "N", help: "the first of them (1)" },
    { name: "scenario", argument: "TEXT", help: "only those with this in their name" },
    { name: "nodes", argument: "N", help: "nodes in each (3 to 10, as the scenario says)" },
    { name: "without", argument: "RULE", help: "switch one of the rules off; a wrong name lists them" },
    JSON_FLAG,
  ],
};

/** Scenarios whose runs take seconds are run with one seed for every `LONG_SHARE` of `--seeds`; with one at least if named. */
const LONG_SHARE = 50;

/** Runs every scenario with many seeds, and prints the first violation with the events before it. */
function simulate(args: Arguments): number {
  const seeds = wholeFlag(args, "seeds", 100, 1, 1_000_000);
  const seed = wholeFlag(args, "seed", 1, 0, 2 ** 31);
  const without = args.flags.get("without");
  const names = [...RULE_NAMES, ...NEAR_RULE_NAMES, ...LEASE_RULE_NAMES];
  if (without !== undefined && !names.some((name) => name === without)) {
    throw new UsageError("simulate", `--without must be one of ${names.join(", ")}: received "${without}"`);
  }
  const nodes = args.flags.has("nodes") ? { nodes: wholeFlag(args, "nodes", 4, 2, 64) } : {};
  const changes = { ...nodes, without: without as typeof RULE_NAMES[number] };
  const part = args.flags.get("scenario") ?? "";
  // All scenarios with few seeds are to take seconds.
  const countOf = ({ isLong }: Scenario) =>
    !isLong ? seeds : Math.max(part === "" ? 0 : 1, Math.floor(seeds / LONG_SHARE));
  const isExact = SCENARIOS.some(({ name }) => name === part);
  const isMeant = (scenario: Scenario) => isExact ? scenario.name === part : scenario.name.includes(part);
  const isOfClusters = without === undefined || RULE_NAMES.some((name) => name === without);
  const scenarios = SCENARIOS.filter((scenario) => isOfClusters && isMeant(scenario) && countOf(scenario) > 0);
  const others = OF_CLIENTS.filter(({ name, rules }) =>
    name.includes(part) && !isExact && (without === undefined || rules.some((rule) => rule === without))
  );
  const allNames = [...SCENARIOS, ...OF_CLIENTS].map(({ name }) => `"${name}"`).join(", ");
  if (scenarios.length + others.length === 0) {
    throw new UsageError("simulate", `no scenario has that name: ${allNames}`);
  }
  const results = scenarios.map((scenario, i) => {
    const onRun = ({ seed }: Outcome) => progress(`${i + 1} of ${scenarios.length}, ${scenario.name}: seed ${seed}`);
    const count = countOf(scenario);
    const { first, ...result } = simulateAll({ ...scenario, ...changes }, seed, count, onRun);
    progress("");
    if (args.json) return result;
    if (first !== undefined) tellViolation(args, scenario.name, first);
    const agreed = `${result.bad} of ${count} seeds bad, ${result.rounds} rounds at most to agree`;
    say(`${scenario.name.padEnd(50)} ${agreed}${lossesOf(result)}`);
    return result;
  });
  const ofClients = others.map((scenario) => simulateClients(args, scenario, { seed, seeds, without }));
  if (args.json) say(toJson([...results, ...ofClients]));
  return [...results, ...ofClients].some(({ bad }) => bad > 0) ? EXIT.miss : EXIT.ok;
}

/** What came of many runs of clients. */
interface ClientRuns {
  readonly bad: number;
  readonly first: { readonly seed: number; readonly violations: readonly string[] } | undefined;
}

/** A scenario of clients of one or two servers. */
interface OfClients {
  readonly name: string;
  readonly rules: readonly string[];
  readonly run: (seed: number, seeds: number, without: string | undefined, onRun: (run: { seed: number }) => void) => {
    runs: ClientRuns;
    text: string;
  };
}

const OF_CLIENTS: readonly OfClients[] = [
  {
    name: NEAR_SCENARIO,
    rules: NEAR_RULE_NAMES,
    run: (seed, seeds, without, onRun) => {
      const runs = simulateAllNear(seed, seeds, { without: without as NearRule, onRun });
      return { runs, text: `${runs.reads} near reads, ${Math.ceil(runs.mostBehindMs)} ms behind at most` };
    },
  },
  {
    name: LEASE_SCENARIO,
    rules: LEASE_RULE_NAMES,
    run: (seed, seeds, without, onRun) => {
      const runs = simulateAllLeases(seed, seeds, { without: without as LeaseRule, onRun });
      return { runs, text: `${runs.computed} computations, ${runs.stored} of them stored` };
    },
  },
];

/** Runs a scenario of clients. */
function simulateClients(
  args: Arguments,
  { name, run }: OfClients,
  { seed, seeds, without }: { seed: number; seeds: number; without: string | undefined },
): { bad: number } {
  const { runs, text } = run(seed, seeds, without, ({ seed }) => progress(`${name}: seed ${seed}`));
  progress("");
  const { first, ...result } = runs;
  if (args.json) return result;
  if (first !== undefined) tellViolation(args, name, { ...first, violations: [...first.violations], trace: [] });
  say(`${name.padEnd(50)} ${runs.bad} of ${seeds} seeds bad, ${text}`);
  return result;
}

/** How many entries were dropped, and writes refused, because of what peers had said; and how many without need. */
function lossesOf({ needed = 0, needless = 0, refused = 0 }: Summary): string {
  const dropped = needed + needless;
  if (dropped + refused === 0) return "";
  const share = dropped === 0 ? 0 : Math.round(100 * needless / dropped);
  return `, ${dropped} entries dropped (${share} % of them needlessly), ${refused} writes refused needlessly`;
}

function tellViolation(
  args: Arguments,
  scenario: string,
  { seed, violations, trace }: Pick<Outcome, "seed" | "violations" | "trace">,
): void {
  say(`${scenario}, seed ${seed}: ${violations[0]}`);
  for (const line of trace) say(`    ${line}`);
  say(`    and then: ${violations[0]}`);
  const others = [...args.flags].filter(([name]) => !["scenario", "seed", "seeds"].includes(name));
  const again = [
    `--scenario "${scenario}" --seed ${seed} --seeds 1`,
    ...others.map(([name, text]) => `--${name} ${/ /.test(text) ? JSON.stringify(text) : text}`),
  ];
  say(`    again: ${PROGRAM} simulate ${again.join(" ")}`);
}

/** Shows a line in place of the one before it, on a terminal only. */
function progress(line: string): void {
  if (Deno.stderr.isTerminal()) Deno.stderr.writeSync(new TextEncoder().encode(`\r\x1b[K${line}\r`));
}

function main(args: string[]): number {
  if (args.includes("--help") || args.includes("-h")) return say(usageHelp(COMMAND, PROGRAM).join("\n"));
  try {
    return simulate(readArguments(COMMAND, args));
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof RangeError)) throw error;
    logError(error.message);
    return EXIT.usage;
  }
}

if (import.meta.main) Deno.exit(main(Deno.args));
