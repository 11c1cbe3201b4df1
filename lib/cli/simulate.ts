/** The command `simulate`: runs simulated clusters and prints the violations found in them. */

import { RULE_NAMES, SCENARIOS } from "../simulation/scenarios.ts";
import { type Outcome, simulateAll } from "../simulation/simulator.ts";
import { type Arguments, UsageError, wholeFlag } from "./arguments.ts";
import { toJson } from "./json.ts";
import { EXIT, say } from "./output.ts";

/** Runs every scenario with many seeds, and prints the first violation with the events before it. */
export function simulate(args: Arguments): number {
  const seeds = wholeFlag(args, "seeds", 100, 1, 1_000_000);
  const seed = wholeFlag(args, "seed", 1, 0, 2 ** 31);
  const without = args.flags.get("without");
  if (without !== undefined && !RULE_NAMES.some((name) => name === without)) {
    const rules = RULE_NAMES.join(", ");
    throw new UsageError("simulate", `--without must be one of ${rules}: received "${without}"`);
  }
  const nodes = args.flags.has("nodes") ? { nodes: wholeFlag(args, "nodes", 4, 2, 64) } : {};
  const changes = { ...nodes, without: without as typeof RULE_NAMES[number] };
  const scenarios = SCENARIOS.filter(({ name }) => name.includes(args.flags.get("scenario") ?? ""));
  const names = SCENARIOS.map(({ name }) => `"${name}"`).join(", ");
  if (scenarios.length === 0) throw new UsageError("simulate", `no scenario has that name: ${names}`);
  const results = scenarios.map((scenario, i) => {
    const onRun = ({ seed }: Outcome) => progress(`${i + 1} of ${scenarios.length}, ${scenario.name}: seed ${seed}`);
    const { first, ...result } = simulateAll({ ...scenario, ...changes }, seed, seeds, onRun);
    progress("");
    if (args.json) return result;
    if (first !== undefined) tellViolation(scenario.name, first);
    say(`${scenario.name.padEnd(50)} ${result.bad} of ${seeds} seeds bad, ${result.rounds} rounds at most to agree`);
    return result;
  });
  if (args.json) say(toJson(results));
  return results.some(({ bad }) => bad > 0) ? EXIT.miss : EXIT.ok;
}

function tellViolation(scenario: string, { seed, violations, trace }: Outcome): void {
  say(`${scenario}, seed ${seed}: ${violations[0]}`);
  for (const line of trace) say(`    ${line}`);
  say(`    and then: ${violations[0]}`);
  say(`    again: cli.ts simulate --scenario "${scenario}" --seed ${seed} --seeds 1`);
}

/** Shows a line in place of the one before it, on a terminal only. */
function progress(line: string): void {
  if (Deno.stderr.isTerminal()) Deno.stderr.writeSync(new TextEncoder().encode(`\r\x1b[K${line}\r`));
}
