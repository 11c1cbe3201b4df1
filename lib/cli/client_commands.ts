/**
 * The commands that use a client: `store`, `retrieve`, `remove`, `touch`, `increment`, `keys`, `clear`, `stats`, `hot` and `peers`.
 */

import { OrmucoCacheClient } from "../../client.ts";
import type { ServerStats } from "../base/stats.ts";
import type { CacheError } from "../base/errors.ts";
import { MAX_VALUE_BYTES } from "../base/limits.ts";
import { escaped } from "../base/printable.ts";
import { encodeValue, FLAGS } from "../wire/values.ts";
import { type Arguments, clientSettings, secondsFlag, UsageError } from "./arguments.ts";
import { fitted } from "./fitted.ts";
import { hot } from "./hot.ts";
import { textOrBytes, toJson } from "./json.ts";
import { EXIT, lineWidth, logError, miss, print, report, say } from "./output.ts";
import { peerLines, readinessLine } from "./peer_lines.ts";
import { canAsk, saysYes } from "./prompt.ts";
import { statsLines } from "./stats_lines.ts";

type ClientRun = (client: OrmucoCacheClient, args: Arguments) => Promise<number>;

/** The commands by name. */
export const CLIENT_COMMANDS: Readonly<Record<string, ClientRun>> = {
  ...{ store, retrieve, remove, touch, increment, keys, clear, stats, hot, peers },
};

/** Seconds of a time to live at most. */
const MOST_TTL_SECONDS = 1e12;
/** Lines that are written at once. */
const LINES_AT_ONCE = 1000;

/** Seconds that `peers --wait` waits at most, and milliseconds between its questions. */
const MOST_WAIT_SECONDS = 1_000_000;
const ASK_AGAIN_MS = 250;

/** Runs a command with a client. If a call failed, the failure decides the exit status. */
export async function withClient(
  args: Arguments,
  run: ClientRun,
  options: ReturnType<typeof clientSettings> = clientSettings(args),
): Promise<number> {
  let failure: CacheError | undefined;
  const client = new OrmucoCacheClient({ ...options, onError: (error) => failure ??= error });
  try {
    const status = await run(client, args);
    // If a connection failed but the next server answered, the command has not failed.
    const isFailed = failure !== undefined && Object.values((await client.stats()).failures).some((count) => count > 0);
    return isFailed ? report(failure!) : status;
  } finally {
    await client.close();
  }
}

async function store(client: OrmucoCacheClient, args: Arguments): Promise<number> {
  const [key, text] = args.positional;
  const bytes = text === "-" ? await readStdin() : undefined;
  const value = args.json && !(bytes && bytes.length > MAX_VALUE_BYTES)
    ? parseJson(bytes ? new TextDecoder().decode(bytes) : text)
    : bytes
    ? textOrBytes(bytes)
    : text;
  const stored = await client.store(key, value, { ttlMs: ttlFlag(args) });
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

async function touch(client: OrmucoCacheClient, args: Arguments): Promise<number> {
  return await client.touch(args.positional[0], ttlFlag(args)) ? say("Touched") : miss();
}

async function increment(client: OrmucoCacheClient, args: Arguments): Promise<number> {
  const [key, by = "1"] = args.positional;
  const initial = args.flags.get("initial");
  const sum = await client.increment(key, wholeNumber(args, "BY", by), {
    initial: initial === undefined ? undefined : wholeNumber(args, "--initial", initial),
    ttlMs: ttlFlag(args),
  });
  return sum === undefined ? miss() : say(String(sum));
}

/** Returns a whole number of any size; whether it is in range, the client says. */
function wholeNumber(args: Arguments, name: string, text: string): number | bigint {
  if (/^[-+]?\d{1,15}$/.test(text)) return Number(text);
  if (/^[-+]?\d{1,30}$/.test(text)) return BigInt(text.replace("+", ""));
  throw new UsageError(args.command, `${name} must be a whole number: received "${text}"`);
}

/** The time to live that an option gives, in milliseconds. */
function ttlFlag(args: Arguments): number | undefined {
  return args.flags.has("ttl") ? 1000 * secondsFlag(args, "ttl", 0, 0, MOST_TTL_SECONDS) : undefined;
}

async function keys(client: OrmucoCacheClient, args: Arguments): Promise<number> {
  const lines: string[] = [];
  const write = () => print(new TextEncoder().encode(lines.splice(0).join("")));
  try {
    for await (const key of client.keys({ prefix: args.flags.get("prefix") })) {
      lines.push(`${args.json ? toJson(key) : escaped(key)}\n`);
      if (lines.length >= LINES_AT_ONCE) await write();
    }
  } finally {
    if (lines.length > 0) await write(); // also what came before a failure
  }
  return EXIT.ok;
}

/** A server that a command is about to touch, and its entries in words. */
export interface Touched {
  address: string;
  entries: number;
  inWords: string;
}

/**
 * Asks before a command touches entries, unless it was given `--yes`. Returns the exit status of success if it may go on.
 *
 * @param question What to ask on a terminal.
 * @param otherwise Called where nobody can be asked; it throws if the command must not go on then.
 */
export async function ask(
  client: OrmucoCacheClient,
  args: Arguments,
  question: (touched: Touched) => string,
  otherwise?: (touched: Touched) => void,
): Promise<number> {
  if (args.flags.has("yes") || (otherwise === undefined && !canAsk())) return EXIT.ok;
  const { server, connectedTo: address = "the server" } = await client.stats();
  if (server === undefined) return EXIT.unreachable;
  const { entries = 0 } = server;
  const touched = {
    address,
    entries,
    inWords: `${entries.toLocaleString("en")} ${entries === 1 ? "entry" : "entries"}`,
  };
  if (!canAsk()) {
    otherwise?.(touched);
    return EXIT.ok;
  }
  if (saysYes(question(touched))) return EXIT.ok;
  logError("Nothing was done");
  return EXIT.miss;
}

async function clear(client: OrmucoCacheClient, args: Arguments): Promise<number> {
  const prefix = args.flags.get("prefix");
  const question = ({ address, inWords }: Touched) =>
    prefix === undefined
      ? `Remove every entry of ${address} (${inWords}), and of all its peers?`
      : `Remove every entry of ${address} (${inWords}) whose key begins with "${
        escaped(prefix)
      }", and of all its peers?`;
  const part = prefix === undefined ? client : client.namespace(prefix);
  const status = await ask(client, args, question);
  if (status !== EXIT.ok) return status;
  return await part.clear() ? say("Cleared") : EXIT.refused;
}

async function stats(client: OrmucoCacheClient, args: Arguments): Promise<number> {
  const { server } = await client.stats();
  if (server === undefined) return EXIT.unreachable;
  if (args.json) return say(toJson(server));
  for (const line of statsLines(server, lineWidth())) say(line);
  return EXIT.ok;
}

async function peers(client: OrmucoCacheClient, args: Arguments): Promise<number> {
  const forgotten = args.flags.get("forget");
  if (forgotten !== undefined) {
    oneServer(args, "forget");
    if (await client.forgetPeer(forgotten)) return say("Forgotten");
    return miss("No such peer");
  }
  const { server } = await client.stats();
  return server === undefined ? EXIT.unreachable : sayPeers(server, args);
}

/** Prints the peers of a server when it is ready, or when the time is over: it may be starting, and not listen yet. */
export async function peersWhenReady(args: Arguments): Promise<number> {
  const settings = oneServer(args, "wait");
  const untilMs = performance.now() + 1000 * secondsFlag(args, "wait", 0, 0, MOST_WAIT_SECONDS);
  while (true) {
    let failure: CacheError | undefined;
    const client = new OrmucoCacheClient({ ...settings, onError: (error) => failure = error });
    const { server } = await client.stats();
    await client.close();
    const isKnown = server?.ready === true || (server !== undefined && server.ready === undefined);
    const leftMs = untilMs - performance.now();
    if (!isKnown && leftMs > 0 && failure?.code !== "refused") {
      await new Promise((resolve) => setTimeout(resolve, Math.min(leftMs, ASK_AGAIN_MS)));
      continue;
    }
    if (server === undefined) return failure === undefined ? EXIT.unreachable : report(failure);
    sayPeers(server, args);
    if (server.ready !== undefined) return server.ready ? EXIT.ok : EXIT.miss;
    logError("Cannot wait: the server does not say whether it is ready; its version is older");
    return EXIT.refused;
  }
}

/** Settings for a command that is about one server, and not about whichever of several answers. */
function oneServer(args: Arguments, flag: string): ReturnType<typeof clientSettings> {
  const settings = clientSettings(args);
  if (settings.servers.length === 1) return settings;
  throw new UsageError(args.command, `--${flag} takes one --server: received ${settings.servers.join(", ")}`);
}

function sayPeers({ ready, peers = [] }: Partial<ServerStats>, args: Arguments): number {
  if (args.json) return say(toJson(peers));
  const width = lineWidth();
  const lines = peers.length > 0 ? peerLines(peers, width) : ready === false ? [] : ["No peers"];
  if (ready !== undefined) lines.push(...fitted(readinessLine(ready, peers), width, 2));
  for (const line of lines) say(line);
  return EXIT.ok;
}

/**
 * Formats a value for output: text and bytes unchanged, values that JSON can hold as JSON, others as the console does.
 */
function formatValue(value: unknown, asJson: boolean): Uint8Array {
  if (!asJson && value instanceof Uint8Array) return value;
  if (!asJson && typeof value === "string") return new TextEncoder().encode(value);
  const isJson = encodeValue(value).flags === FLAGS.json;
  const text = asJson || isJson ? toJson(value) : Deno.inspect(value, { depth: 100, strAbbreviateSize: 1e6 });
  return new TextEncoder().encode(`${text}\n`);
}

async function readStdin(): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of Deno.stdin.readable) {
    bytes += part.length;
    parts.push(part);
    if (bytes > MAX_VALUE_BYTES) break; // the client refuses it, and removes the older value
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
