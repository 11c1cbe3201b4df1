/** The command `simulate`: runs simulated clusters and prints the violations found in them. */

import { NEAR_RULE_NAMES, type NearRule } from "../simulation/near_rules.ts";
import { NEAR_SCENARIO, simulateAllNear } from "../simulation/near_simulator.ts";
import { RULE_NAMES, type Scenario, SCENARIOS } from "../simulation/scenarios.ts";
import { type Outcome, simulateAll, type Summary } from "../simulation/simulator.ts";
import { type Arguments, UsageError, wholeFlag } from "./arguments.ts";
import { toJson } from "./json.ts";
import { EXIT, say } from "./output.ts";
import { programName } from "./program_name.ts";

/** Scenarios whose runs take seconds are run with one seed for every `LONG_SHARE` of `--seeds`; with one at least if named. */
const LONG_SHARE = 50;

/** Runs every scenario with many seeds, and prints the first violation with the events before it. */
export function simulate(args: Arguments): number {
  const seeds = wholeFlag(args, "seeds", 100, 1, 1_000_000);
  const seed = wholeFlag(args, "seed", 1, 0, 2 ** 31);
  const without = args.flags.get("without");
  const nearRule = NEAR_RULE_NAMES.find((name) => name === without);
  if (without !== undefined && nearRule === undefined && !RULE_NAMES.some((name) => name === without)) {
    const rules = [...RULE_NAMES, ...NEAR_RULE_NAMES].join(", ");
    throw new UsageError("simulate", `--without must be one of ${rules}: received "${without}"`);
  }
  const nodes = args.flags.has("nodes") ? { nodes: wholeFlag(args, "nodes", 4, 2, 64) } : {};
  const changes = { ...nodes, without: without as typeof RULE_NAMES[number] };
  const part = args.flags.get("scenario") ?? "";
  // All scenarios with few seeds are to take seconds.
  const countOf = ({ isLong }: Scenario) =>
    !isLong ? seeds : Math.max(part === "" ? 0 : 1, Math.floor(seeds / LONG_SHARE));
  const isExact = SCENARIOS.some(({ name }) => name === part);
  const isMeant = (scenario: Scenario) => isExact ? scenario.name === part : scenario.name.includes(part);
  const isNear = NEAR_SCENARIO.includes(part) && !isExact && (without === undefined || nearRule !== undefined);
  const scenarios = SCENARIOS.filter((scenario) =>
    nearRule === undefined && isMeant(scenario) && countOf(scenario) > 0
  );
  const names = [...SCENARIOS.map(({ name }) => name), NEAR_SCENARIO].map((name) => `"${name}"`).join(", ");
  if (scenarios.length === 0 && !isNear) throw new UsageError("simulate", `no scenario has that name: ${names}`);
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
  const near = isNear ? [simulateNearCopies(args, seed, seeds, nearRule)] : [];
  if (args.json) say(toJson([...results, ...near]));
  return [...results, ...near].some(({ bad }) => bad > 0) ? EXIT.miss : EXIT.ok;
}

/** Runs clients with near copies. */
function simulateNearCopies(args: Arguments, seed: number, seeds: number, without: NearRule | undefined) {
  const onRun = ({ seed }: { seed: number }) => progress(`${NEAR_SCENARIO}: seed ${seed}`);
  const { first, ...result } = simulateAllNear(seed, seeds, { without, onRun });
  progress("");
  if (args.json) return result;
  if (first !== undefined) {
    tellViolation(args, NEAR_SCENARIO, { ...first, violations: [...first.violations], trace: [] });
  }
  const { bad, reads, mostBehindMs } = result;
  const behind = `${reads} near reads, ${Math.ceil(mostBehindMs)} ms behind at most`;
  say(`${NEAR_SCENARIO.padEnd(50)} ${bad} of ${seeds} seeds bad, ${behind}`);
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
  say(`    again: ${programName()} simulate ${again.join(" ")}`);
}

/** Shows a line in place of the one before it, on a terminal only. */
function progress(line: string): void {
  if (Deno.stderr.isTerminal()) Deno.stderr.writeSync(new TextEncoder().encode(`\r\x1b[K${line}\r`));
}
