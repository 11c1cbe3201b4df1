/** The simulator's command line. */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type Ended, run } from "../support/processes.ts";

function simulate(args: string[]): Promise<Ended> {
  return run("tools/simulate.ts", args, { permissions: ["--no-prompt"] }); // it needs none
}

Deno.test("simulate finds nothing wrong, and shows what a rule is for when it is switched off", async () => {
  const { status, out } = await simulate(["--scenario", "room for all", "--seeds", "2", "--json"]);
  const results = JSON.parse(out) as { scenario: string; seeds: number; bad: number }[];
  assertEquals([status, results.length > 5, results.every(({ seeds, bad }) => seeds === 2 && bad === 0)], [
    0,
    true,
    true,
  ]);
  const without = await simulate([
    "--scenario",
    "few graves,",
    "--seed",
    "3",
    "--seeds",
    "2",
    "--without",
    "sweep",
  ]);
  assertEquals(without.status, 1);
  assertMatch(without.out, /, seed \d+: \d+ ms: stale: node \d (serves|keeps)/);
  assertMatch(without.out, /^ {4}\d+ ms: node \d \(\d+\) hears from \d \(\d+\): page for \d+/m);
  const [, name, seed] = /^ {4}again: deno task simulate --scenario "(.+)" --seed (\d) --seeds 1 --without sweep$/m
    .exec(
      without.out,
    )!;
  const again = await simulate(["--scenario", name, "--seed", seed, "--seeds", "1", "--without", "sweep"]);
  assertEquals(again.status, 1);
  const violation = (out: string) => /^.*, seed \d+: .*$/m.exec(out)?.[0];
  assertEquals(violation(again.out), violation(without.out));
  assertMatch(again.out, /\n.* 1 of 1 seeds bad, [^\n]*\n$/); // one scenario alone, though others' names begin like it
});

const USAGE: [string[], string][] = [
  [["--without", "sense"], "--without must be one of fingerprints, lastPage, sweep, bury, cover,"],
  [["--scenario", "calm"], 'no scenario has that name: "room for all, mesh", '],
  [["--nodes", "1"], "--nodes must be a whole number from 2 to 64"],
  [["--sed", "1"], "unknown option --sed: did you mean --seed?"],
];

for (const [args, message] of USAGE) {
  Deno.test(`simulate ${args.join(" ")} exits with 2`, async () => {
    const { status, out, err } = await simulate(args);
    assertEquals([status, out], [2, ""]);
    assertStringIncludes(err, `Cannot run simulate: ${message}`);
  });
}

Deno.test("simulate --help lists its options", async () => {
  const { status, out, err } = await simulate(["--help"]);
  assertEquals([status, err], [0, ""]);
  assertMatch(out, /^Usage: deno task simulate \[OPTIONS\]$/m);
  assertMatch(out, /^ {2}--seeds N {2,}/m);
});
