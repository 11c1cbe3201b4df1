/** Stands in for `@std/cli/parse-args` where only npm is reachable: npm's minimist, its model. */

import minimist from "minimist";

export interface ParseOptions {
  string?: readonly string[];
  boolean?: readonly string[];
  /** minimist takes `--no-…` of any option; those not listed here go to `unknown`. */
  negatable?: readonly string[];
  unknown?: (argument: string) => unknown;
}

export function parseArgs(args: string[], options: ParseOptions = {}): Record<string, unknown> & { _: unknown[] } {
  const { string, boolean, negatable = [], unknown } = options;
  return minimist(args, {
    string: [...string ?? []],
    boolean: [...boolean ?? []],
    unknown: (argument: string) => unknown?.(argument) !== false,
    ...negated(args, negatable, unknown),
  });
}

function negated(args: string[], negatable: readonly string[], unknown: ParseOptions["unknown"]): object {
  const end = args.indexOf("--");
  for (const argument of end === -1 ? args : args.slice(0, end)) {
    if (argument.startsWith("--no-") && !negatable.includes(argument.slice("--no-".length))) unknown?.(argument);
  }
  return {};
}
