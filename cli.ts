/**
 * The command line: `serve`, and commands that talk to a server. It alone reads arguments.
 *
 * ```sh
 * deno run -A jsr:@ormuco/cache/cli serve
 * deno run -A jsr:@ormuco/cache/cli store my-key hello
 * ```
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { runLoad } from "./bench/load.ts";
import { OrmucoCacheClient } from "./client.ts";
import { type Command, commandHelp, COMMANDS, type Flag, GENERAL_HELP } from "./lib/cli_help.ts";
import { encodeValue, FLAGS } from "./lib/codec.ts";
import { clientOptions, serverOptions, type Settings, type SettingText } from "./lib/config.ts";
import { readEnvironment } from "./lib/environment.ts";
import { CacheError } from "./lib/errors.ts";
import { textOrBytes, toJson } from "./lib/json_text.ts";
import { MAX_VALUE_BYTES } from "./lib/limits.ts";
import { ALL_RULES, type Rules } from "./lib/history.ts";
import { SCENARIOS } from "./lib/scenarios.ts";
import { type Outcome, simulateAll } from "./lib/simulator.ts";
import { SOFTWARE } from "./lib/software.ts";
import { peerLines, statsLines } from "./lib/stats_lines.ts";
import { OrmucoCacheServer } from "./server.ts";

/** Exit statuses. */
const EXIT = { ok: 0, miss: 1, usage: 2, unreachable: 3, refused: 4, internal: 70 } as const;
const DEFAULT_SERVER = { text: "127.0.0.1", from: "default" };
/** Calls in flight that `bench` may keep. */
const MAX_BENCH_CALLS = 100_000;

/** A mistake in the arguments of a command. */
class UsageError extends Error {
  constructor(command: string, reason: string) {
    super(`Cannot run ${command}: ${reason}`);
  }
}

interface Arguments {
  readonly command: string;
  readonly positional: string[];
  readonly flags: ReadonlyMap<string, string>;
  readonly json: boolean;
}

/**
 * Runs one command.
 *
 * @param args The arguments, the command's name first.
 * @returns The exit status: 0 done or a hit, 1 a miss, 2 usage, 3 server unreachable, 4 refused.
 */
export async function main(args: string[]): Promise<number> {
  try {
    const [name, ...rest] = args;
    if (name === undefined || name === "--help" || name === "-h" || name === "help") return say(GENERAL_HELP);
    if (name === "--version" || name === "-V") return say(SOFTWARE.replace("/", " "));
    const command = COMMANDS.find((command) => command.name === name);
    if (command === undefined) {
      throw new UsageError(`"${name}"`, `unknown command: it must be ${COMMANDS.map(({ name }) => name).join(", ")}`);
    }
    const options = rest.includes("--") ? rest.slice(0, rest.indexOf("--")) : rest;
    if (options.includes("--help") || options.includes("-h")) return say(commandHelp(command));
    return await run(command, readArguments(command, rest));
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) return EXIT.ok; // whoever read our output has had enough
    if (!(error instanceof UsageError || error instanceof RangeError || error instanceof TypeError)) {
      console.error(error);
      return EXIT.internal;
    }
    console.error(error.message);
    if (error instanceof UsageError) console.error("--help lists the commands and, after one, its options");
    return EXIT.usage;
  }
}

function run(command: Command, args: Arguments): Promise<number> {
  switch (command.name) {
    case "serve":
      return serve(args);
    case "store":
      return withClient(args, (client) => store(client, args));
    case "retrieve":
      return withClient(args, (client) => retrieve(client, args));
    case "remove":
      return withClient(args, (client) => remove(client, args));
    case "clear":
      return withClient(args, (client) => clear(client, args));
    case "stats":
      return withClient(args, (client) => stats(client, args));
    case "peers":
      return withClient(args, (client) => peers(client, args));
    case "bench":
      return bench(args);
    case "simulate":
      return Promise.resolve(simulations(args));
  }
}

async function serve(args: Arguments): Promise<number> {
  const options = serverOptions(settings(args));
  const server = new OrmucoCacheServer(options);
  const stop = stopSignal(); // before the start is announced: whoever reads it may signal at once
  try {
    await server.startServer();
  } catch (error) {
    console.error((error as Error).message);
    return EXIT.unreachable;
  }
  await stop;
  await server.stop();
  console.log("Server stopped");
  return EXIT.ok;
}

/** Resolves at the first request to stop; a second one ends the process at once. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    const onSignal = () => {
      if (asked) Deno.exit(130);
      asked = true;
      resolve();
    };
    Deno.addSignalListener("SIGINT", onSignal);
    if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", onSignal);
  });
}

type ClientRun = (client: OrmucoCacheClient) => Promise<number>;

/** Runs a command with a client; a failed call decides the exit status whatever the command made of it. */
async function withClient(args: Arguments, run: ClientRun): Promise<number> {
  let failure: CacheError | undefined;
  const client = new OrmucoCacheClient({ ...clientSettings(args), onError: (error) => failure ??= error });
  const status = await run(client);
  // A connection may have failed and the next server have answered: then the command has not failed.
  const isFailed = failure !== undefined && Object.values((await client.stats()).failures).some((count) => count > 0);
  await client.close();
  return isFailed ? report(failure!) : status;
}

async function store(client: OrmucoCacheClient, args: Arguments): Promise<number> {
  const [key, text] = args.positional;
  const bytes = text === "-" ? await readStdin() : undefined;
  const value = args.json
    ? parseJson(bytes ? new TextDecoder().decode(bytes) : text)
    : bytes
    ? textOrBytes(bytes)
    : text;
  const ttl = args.flags.get("ttl");
  const stored = await client.store(key, value, ttl === undefined ? {} : { ttlMs: 1000 * numberFlag(args, "ttl", 0) });
  if (stored) say("Stored");
  return stored ? EXIT.ok : EXIT.refused;
}

async function retrieve(client: OrmucoCacheClient, args: Arguments): Promise<number> {
  const [key] = args.positional;
  const found = await client.retrieveMany([key]);
  if (!found.has(key)) return miss();
  await print(formatValue(found.get(key), args.json));
  return EXIT.ok;
}

async function remove(client: OrmucoCacheClient, args: Arguments): Promise<number> {
  return await client.remove(args.positional[0]) ? say("Removed") : miss();
}

async function clear(client: OrmucoCacheClient, _args: Arguments): Promise<number> {
  return await client.clear() ? say("Cleared") : EXIT.refused;
}

async function stats(client: OrmucoCacheClient, args: Arguments): Promise<number> {
  const { server } = await client.stats();
  if (server === undefined) return EXIT.unreachable;
  if (args.json) return say(toJson(server));
  for (const line of statsLines(server)) say(line);
  return EXIT.ok;
}

async function peers(client: OrmucoCacheClient, args: Arguments): Promise<number> {
  const { server } = await client.stats();
  if (server === undefined) return EXIT.unreachable;
  const { peers = [] } = server;
  if (args.json) return say(toJson(peers));
  if (peers.length === 0) return say("No peers");
  for (const line of peerLines(peers)) say(line);
  return EXIT.ok;
}

async function bench(args: Arguments): Promise<number> {
  const { servers, timeoutMs } = clientSettings(args);
  const load = {
    servers,
    timeoutMs,
    connections: wholeFlag(args, "connections", 1, 1, 1000),
    inFlight: wholeFlag(args, "pipeline", 64, 1, 10_000),
    keys: wholeFlag(args, "keys", 100, 1, 10_000_000),
    valueBytes: wholeFlag(args, "value-size", 100, 0, MAX_VALUE_BYTES),
    ratio: numberFlag(args, "ratio", 0.9, 0, 1),
    durationMs: 1000 * numberFlag(args, "duration", 5, 0.1, 3600),
    showProgress: !args.json && Deno.stderr.isTerminal(),
  };
  if (load.connections * load.inFlight > MAX_BENCH_CALLS) {
    throw new UsageError("bench", `--connections times --pipeline must be ${MAX_BENCH_CALLS} at most`);
  }
  const figures = await runLoad(load);
  if (figures instanceof CacheError) return report(figures);
  if (args.json) return say(toJson(figures));
  const { retrievals, hits } = figures;
  say(`calls/s    ${figures.callsPerSecond.toLocaleString("en")}`);
  say(`hits       ${hits.toLocaleString("en")} of ${retrievals.toLocaleString("en")} retrievals`);
  say(
    `latency    p50 ${figures.p50Ms.toFixed(2)} ms, p99 ${figures.p99Ms.toFixed(2)} ms, ` +
      `p99.9 ${figures.p999Ms.toFixed(2)} ms`,
  );
  if (figures.failures > 0) say(`failures   ${figures.failures.toLocaleString("en")}`);
  return EXIT.ok;
}

/** Runs every scenario with many seeds; the first violation is told with what happened before it. */
function simulations(args: Arguments): number {
  const seeds = wholeFlag(args, "seeds", 100, 1, 1_000_000);
  const seed = wholeFlag(args, "seed", 1, 0, 2 ** 31);
  const without = args.flags.get("without");
  if (without !== undefined && !Object.hasOwn(ALL_RULES, without)) {
    const rules = Object.keys(ALL_RULES).join(", ");
    throw new UsageError("simulate", `--without must be one of ${rules}: received "${without}"`);
  }
  const nodes = args.flags.has("nodes") ? { nodes: wholeFlag(args, "nodes", 4, 2, 64) } : {};
  const changes = { ...nodes, without: without as keyof Rules };
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

/** Shows a line in the place of the one before; to a person only. */
function progress(line: string): void {
  if (Deno.stderr.isTerminal()) Deno.stderr.writeSync(new TextEncoder().encode(`\r\x1b[K${line}\r`));
}

/** Says why calls failed. */
function report(failure: CacheError): number {
  console.error(failure.message);
  return failure.code === "refused" ? EXIT.refused : EXIT.unreachable;
}

/** Text and bytes as they are, what JSON can hold as JSON, the rest as the console shows it. */
function formatValue(value: unknown, asJson: boolean): Uint8Array {
  if (!asJson && value instanceof Uint8Array) return value;
  if (!asJson && typeof value === "string") return new TextEncoder().encode(value);
  const isJson = encodeValue(value).flags === FLAGS.json;
  const text = asJson || isJson ? toJson(value) : Deno.inspect(value, { depth: 100, strAbbreviateSize: 1e6 });
  return new TextEncoder().encode(`${text}\n`);
}

/** A miss says nothing but its exit status, unless a person looks on. */
function miss(): number {
  if (Deno.stdout.isTerminal()) console.error("No entry");
  return EXIT.miss;
}

function say(text: string): number {
  console.log(text);
  return EXIT.ok;
}

async function print(bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await Deno.stdout.write(bytes.subarray(at));
  // What is piped on is exact; a terminal gets its line's end.
  if (Deno.stdout.isTerminal() && bytes[bytes.length - 1] !== 10) console.log();
}

async function readStdin(): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of Deno.stdin.readable) {
    bytes += part.length;
    if (bytes > MAX_VALUE_BYTES) {
      throw new RangeError(`Cannot store standard input: more than ${MAX_VALUE_BYTES} bytes`);
    }
    parts.push(part);
  }
  return new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError("store", `VALUE is not JSON: ${(error as Error).message}`);
  }
}

/** Options for a client, of the default server unless one is named. */
function clientSettings(args: Arguments): ReturnType<typeof clientOptions> {
  return clientOptions(new Map([["SERVER_HOST", DEFAULT_SERVER], ...settings(args)]));
}

/** Settings in order of rank: flags, the environment, `.env`. */
function settings(args: Arguments): Settings {
  const found = new Map<string, SettingText>(readEnvironment());
  for (const command of COMMANDS) {
    for (const { name, setting } of command.flags) {
      const text = args.flags.get(name);
      if (setting !== undefined && text !== undefined) found.set(setting, { text, from: `--${name}` });
    }
  }
  return found;
}

function readArguments(command: Command, args: string[]): Arguments {
  const parsed = parseArgs(args, {
    string: ["_", ...names(command.flags, ({ argument }) => argument !== undefined)],
    boolean: names(command.flags, ({ argument }) => argument === undefined),
    negatable: names(command.flags, ({ negatable }) => negatable === true),
    unknown: (argument: string) => {
      if (!argument.startsWith("-") || argument === "-") return true;
      const hint = command.name === "store" ? "; put -- before a value that starts with -" : "";
      throw new UsageError(command.name, `unknown option ${argument}${hint}`);
    },
  }) as { _: unknown[] } & Record<string, unknown>;
  const positional = parsed._.map(String);
  if (positional.length !== command.operands.length) {
    const takes = command.operands.join(" ") || "no operands";
    throw new UsageError(command.name, `it takes ${takes}: received ${positional.join(" ") || "none"}`);
  }
  const flags = new Map<string, string>();
  for (const { name, argument, negatable } of command.flags) {
    if (argument !== undefined && parsed[name] !== undefined) flags.set(name, flagText(command, name, parsed[name]));
    const isGiven = args.some((given) => [`--${name}`, `--no-${name}`].includes(given.split("=")[0]));
    if (negatable && isGiven) flags.set(name, String(parsed[name]));
  }
  return { command: command.name, positional, flags, json: parsed.json === true };
}

function names(flags: readonly Flag[], keep: (flag: Flag) => boolean): string[] {
  return flags.filter(keep).map(({ name }) => name);
}

function flagText(command: Command, name: string, value: unknown): string {
  const text = Array.isArray(value) ? String(value.at(-1)) : String(value);
  if (text === "") throw new UsageError(command.name, `--${name} needs a value`);
  return text;
}

function numberFlag(args: Arguments, name: string, otherwise: number, least = 0, most = 1e12): number {
  const text = args.flags.get(name);
  if (text === undefined) return otherwise;
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (value >= least && value <= most) return value;
  throw new UsageError(args.command, `--${name} must be a number from ${least} to ${most}: received "${text}"`);
}

function wholeFlag(args: Arguments, name: string, otherwise: number, least: number, most: number): number {
  const value = numberFlag(args, name, otherwise, least, most);
  if (Number.isInteger(value)) return value;
  throw new UsageError(args.command, `--${name} must be a whole number: received "${value}"`);
}

if (import.meta.main) Deno.exit(await main(Deno.args));
