/**
 * The command line: `serve` runs a server, the other commands talk to one. It alone reads arguments. Every command
 * needs `--allow-net=HOST:PORT`, `--allow-env` and `--allow-read=.env`.
 *
 * ```sh
 * deno run --allow-net=127.0.0.1:11142 --allow-env --allow-read=.env jsr:@ormuco/cache/cli serve
 * deno run --allow-net=127.0.0.1:11142 --allow-env --allow-read=.env jsr:@ormuco/cache/cli store my-key hello
 * ```
 *
 * @module
 */

import { CacheError } from "./lib/base/errors.ts";
import { nearestName } from "./lib/base/options.ts";
import { SOFTWARE } from "./lib/base/software.ts";
import { type Arguments, readArguments, UsageError } from "./lib/cli/arguments.ts";
import { type Command, commandOf, COMMANDS } from "./lib/cli/command_table.ts";
import { EXIT, logError, report, say } from "./lib/cli/output.ts";

/**
 * Runs one command, and prints its results and errors. It does not exit the process.
 *
 * @param args The arguments, the command's name first.
 * @returns The exit status: 0 done or a hit, 1 a miss (or not ready, or no for an answer), 2 usage, 3 server
 * unreachable, 4 refused, 5 an address that cannot be listened on, 70 an internal error.
 *
 * @example
 * ```ts
 * import { main } from "@ormuco/cache/cli";
 *
 * console.log(await main(["retrieve", "no-such-key", "--server", "127.0.0.1:11142"])); // 1
 * ```
 */
export async function main(args: string[]): Promise<number> {
  try {
    const [name = "help", ...rest] = args;
    if (["--version", "-V", "version"].includes(name)) return say(SOFTWARE.replace("/", " "));
    const isHelp = ["--help", "-h", "help"].includes(name);
    if (isHelp && (rest.length === 0 || rest[0].startsWith("-"))) return await help();
    const command = commandOf(isHelp ? rest[0] : name) ?? unknownCommand(isHelp ? rest[0] : name);
    const options = rest.includes("--") ? rest.slice(0, rest.indexOf("--")) : rest;
    if (isHelp || options.includes("--help") || options.includes("-h")) return await help(command);
    return await run(command, readArguments(command, rest));
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) return EXIT.ok; // the reader of our output has closed it
    if (error instanceof CacheError) return report(error); // a permission that lacks
    if (!(error instanceof UsageError || error instanceof RangeError || error instanceof TypeError)) {
      logError(error);
      return EXIT.internal;
    }
    logError(error.message);
    if (error instanceof UsageError) logError("--help lists the commands and, after one, its options");
    return EXIT.usage;
  }
}

function unknownCommand(name: string): never {
  const others = COMMANDS.flatMap(({ also }) => also ?? []);
  const near = nearestName(name, [...COMMANDS.map(({ name }) => name), ...others, "help", "version"]);
  const hint = near === undefined
    ? `it must be ${COMMANDS.map(({ name }) => name).join(", ")}`
    : `did you mean ${near}?`;
  throw new UsageError(`"${name}"`, `unknown command: ${hint}`);
}

async function help(command?: Command): Promise<number> {
  const { commandHelp, generalHelp } = await import("./lib/cli/help.ts");
  return say(command === undefined ? generalHelp() : commandHelp(command));
}

/** Runs a command. What it is made of is loaded for it alone: most commands take less time than all of this would take to load. */
async function run(command: Command, args: Arguments): Promise<number> {
  switch (command.name) {
    case "serve":
      return await (await import("./lib/cli/serve.ts")).serve(args);
    case "bench":
      return await (await import("./lib/cli/bench.ts")).bench(args);
    case "top":
      return await (await import("./lib/cli/top.ts")).top(args);
    case "explain":
      return await (await import("./lib/cli/explain.ts")).explain(args);
    case "token":
      return await (await import("./lib/cli/token.ts")).token(args);
    case "stats":
    case "hot":
    case "peers":
      return await (await import("./lib/cli/server_commands.ts")).aboutServer(args);
    default:
      return await (await import("./lib/cli/entry_commands.ts")).aboutEntries(args);
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
