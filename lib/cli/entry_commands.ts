/** The commands about entries: `store`, `retrieve`, `remove`, `touch`, `increment`, `keys` and `clear`. */

import type { OrmucoCacheClient } from "../../client.ts";
import { MAX_VALUE_BYTES } from "../base/limits.ts";
import { escaped } from "../base/printable.ts";
import { encodeValue, FLAGS } from "../wire/values.ts";
import { type Arguments, secondsFlag, UsageError } from "./arguments.ts";
import { ask, type ClientRun, type Touched, withClient } from "./client_run.ts";
import { textOrBytes, toJson } from "./json.ts";
import { EXIT, miss, print, say } from "./output.ts";

const COMMANDS: Readonly<Record<string, ClientRun>> = { store, retrieve, remove, touch, increment, keys, clear };

/** Seconds of a time to live at most. */
const MOST_TTL_SECONDS = 1e12;
/** Lines that are written at once. */
const LINES_AT_ONCE = 1000;

/** Runs one of the commands. Returns the exit status. */
export function aboutEntries(args: Arguments): Promise<number> {
  return withClient(args, COMMANDS[args.command]);
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
