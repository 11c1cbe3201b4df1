/** Stands in for `@std/cli/parse-args` where only npm is reachable: npm's minimist, its model. */

import minimist from "minimist";

export interface ParseOptions {
  string?: readonly string[];
}

export function parseArgs(
  args: string[],
  { string = [] }: ParseOptions = {},
): Record<string, unknown> & { _: unknown[] } {
  return minimist(args, { string: [...string] });
}
