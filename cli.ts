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
import type { Log } from "./lib/base/log.ts";
import { logOptions, PREFIX, SERVER_SETTING_NAMES, serverOptions, type Settings } from "./lib/base/settings.ts";
import { SOFTWARE } from "./lib/base/software.ts";
import { type Arguments, readArguments, settings, UsageError } from "./lib/cli/arguments.ts";
import { CLIENT_COMMANDS, peersWhenReady, withClient } from "./lib/cli/client_commands.ts";
import { type Command, commandOf, COMMANDS } from "./lib/cli/command_table.ts";
import { explain } from "./lib/cli/explain.ts";
import { commandHelp, generalHelp } from "./lib/cli/help.ts";
import { LogWriter } from "./lib/cli/log_writer.ts";
import { EXIT, logError, report, say } from "./lib/cli/output.ts";
import { OrmucoCacheServer, type ServerOptions } from "./server.ts";

/**
 * Runs one command, and prints its results and errors. It does not exit the process.
 *
 * @param args The arguments, the command's name first.
 * @returns The exit status: 0 done or a hit, 1 a miss (or not ready, or a violation that `simulate` found, or no for an answer), 2 usage, 3 server
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
    if (isHelp && (rest.length === 0 || rest[0].startsWith("-"))) return say(generalHelp());
    const command = commandOf(isHelp ? rest[0] : name) ?? unknownCommand(isHelp ? rest[0] : name);
    const options = rest.includes("--") ? rest.slice(0, rest.indexOf("--")) : rest;
    if (isHelp || options.includes("--help") || options.includes("-h")) return say(commandHelp(command));
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

async function run(command: Command, args: Arguments): Promise<number> {
  switch (command.name) {
    case "serve":
      return await serve(args);
    case "bench":
      return await (await import("./lib/cli/bench.ts")).bench(args); // dynamic: no other command loads it
    case "simulate":
      return (await import("./lib/cli/simulate.ts")).simulate(args);
    case "explain":
      return await explain(args);
    case "token":
      return await (await import("./lib/cli/token.ts")).token(args);
    default:
      if (args.flags.has("wait")) return await peersWhenReady(args);
      return await withClient(args, CLIENT_COMMANDS[command.name]);
  }
}

async function serve(args: Arguments): Promise<number> {
  const found = settings(args);
  const options = { ...serverOptions(found), insecure: args.flags.has("insecure") };
  if (args.flags.has("check")) return await check(options, found);
  const log = new LogWriter(logOptions(found), Deno.stdout, Deno.stderr);
  const server = new OrmucoCacheServer({ ...options, log: log.say });
  const stop = stopSignal(log.say, () => server.reload()); // before the start is announced: a program that reads it may signal at once
  try {
    await server.startServer();
  } catch (error) {
    const { message } = error as Error;
    log.say(message, "error");
    await log.end();
    return message.startsWith("Cannot listen on ") ? EXIT.cannotListen : EXIT.usage;
  }
  await stop;
  await server.stop();
  log.say("Server stopped");
  await log.end();
  return EXIT.ok;
}

/** Says what would run, and which settings say so. */
async function check(options: ServerOptions, found: Settings): Promise<number> {
  logOptions(found);
  try {
    await new OrmucoCacheServer(options).check();
  } catch (error) {
    logError((error as Error).message);
    return EXIT.usage;
  }
  const ours = [...found].filter(([name]) => SERVER_SETTING_NAMES.includes(name));
  const places = ours.map(([name, { from, isPrefixed }]) => `${isPrefixed ? PREFIX : ""}${name} (${from})`);
  return say(`  settings    ${places.join(", ") || "all at their defaults"}`);
}

/**
 * Resolves at the first signal to stop; a second one ends the process at once. SIGHUP, which asks to reread what can be
 * reread, stops nothing; but on Windows it says that the console is being closed.
 */
function stopSignal(log: Log, reload: () => Promise<number>): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    const onSignal = () => {
      if (asked) Deno.exit(130);
      asked = true;
      resolve();
    };
    Deno.addSignalListener("SIGINT", onSignal);
    if (Deno.build.os === "windows") return Deno.addSignalListener("SIGHUP", onSignal);
    Deno.addSignalListener("SIGTERM", onSignal);
    Deno.addSignalListener("SIGHUP", async () => {
      const files = await reload();
      log(files === 0 ? "SIGHUP: nothing to reread" : `SIGHUP: ${files} ${files === 1 ? "file" : "files"} reread`);
    });
  });
}

if (import.meta.main) Deno.exit(await main(Deno.args));
