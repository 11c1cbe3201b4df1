/** The command line's arguments: reads and checks them, and makes settings from them. It runs nothing. */

import { parseArgs } from "@std/cli/parse-args";
import { formatAddress, parseAddress } from "../base/address.ts";
import { MAX_PORT } from "../base/limits.ts";
import { nearestName } from "../base/options.ts";
import { clientOptions, SETTING_NAMES, type Settings, type SettingText } from "../base/settings.ts";
import {
  BOOLEAN_WORDS,
  readBoolean,
  readBytes,
  readNumber,
  readSeconds,
  readWhole,
  sizeText,
  TIME_EXAMPLES,
} from "../base/text_values.ts";
import { readEnvironment, withTls } from "../platform/environment.ts";
import { readSecret } from "./prompt.ts";
import { type Command, COMMANDS, type Flag } from "./command_table.ts";

const DEFAULT_SERVER = { text: "127.0.0.1", from: "default" };

/** A mistake in the arguments of a command. */
export class UsageError extends Error {
  constructor(command: string, reason: string) {
    super(`Cannot run ${command}: ${reason}`);
  }
}

/** The arguments of a command. */
export interface Arguments {
  readonly command: string;
  readonly positional: string[];
  readonly flags: ReadonlyMap<string, string>;
  readonly json: boolean;
}

/** Returns options for a client; without a named server it uses the one on this machine. */
export function clientSettings(args: Arguments): ReturnType<typeof withTls> {
  const options = withTls(clientOptions(new Map([["SERVER_HOST", DEFAULT_SERVER], ...settings(args)])));
  if (options.servers.length > 0) return options; // without one it would be stand-alone, and its entries gone at the end
  throw new UsageError(args.command, "--server names no server");
}

/**
 * Returns the settings; flags rank above the environment, and that above `.env` or the file of `--env-file`. `--token-file -`
 * is a token from standard input.
 */
export function settings(args: Arguments): Settings {
  const envFile = args.flags.get("env-file");
  const hasNone = args.flags.has("no-env-file");
  if (hasNone && envFile !== undefined) {
    throw new UsageError(args.command, `--no-env-file has no use beside --env-file ${envFile}`);
  }
  const found = new Map<string, SettingText>(readEnvironment(SETTING_NAMES, hasNone ? false : envFile));
  for (const command of COMMANDS) {
    for (const { name, setting } of command.flags) {
      const text = args.flags.get(name);
      if (setting !== undefined && text !== undefined) found.set(setting, { text, from: `--${name}` });
    }
  }
  const [file, port] = ["token-file", "port"].map((name) => args.flags.get(name));
  if (args.command === "serve" && port !== undefined) {
    found.set("LISTEN_ON", withPort(args, port, found.get("LISTEN_ON")));
  }
  if (file !== undefined) found.delete("AUTH_TOKEN");
  if (file === "-") {
    found.delete("AUTH_TOKEN_FILE");
    found.set("AUTH_TOKEN", { text: readSecret("Token"), from: "standard input" });
  }
  return found;
}

/** Reads the arguments of a command. */
export function readArguments(command: Command, args: string[]): Arguments {
  const parsed = parseArgs(spelledOut(command, args), { string: ["_", ...command.flags.map(keyOf)] });
  const positional = (parsed._ as unknown[]).map(String);
  const { operands } = command;
  const needed = operands.filter((name) => !name.startsWith("["));
  if (positional.length < needed.length || positional.length > operands.length) {
    const takes = operands.join(" ") || "no operands";
    throw new UsageError(command.name, `it takes ${takes}: received ${positional.join(" ") || "none"}`);
  }
  const flags = new Map<string, string>();
  for (const flag of command.flags) {
    const { name, argument, negatable } = flag;
    const texts = [(parsed as Record<string, unknown>)[keyOf(flag)] ?? []].flat(); // the last one counts, whoever parses
    if (texts.length === 0) continue;
    const text = String(texts.at(-1));
    if (text === "") throw new UsageError(command.name, `--${name} needs a value`);
    if (argument !== undefined || negatable || text === "true") flags.set(name, text);
  }
  return { command: command.name, positional, flags, json: flags.has("json") };
}

/** The name under which the package sees an option: none that begins with `no-`, which packages read in different ways. */
function keyOf({ name }: Flag): string {
  return `option-${name}`;
}

/** Writes every option with a value, as `--option-name=value`: a value may start with `-`, and a switch has one here too. */
function spelledOut(command: Command, args: readonly string[]): string[] {
  const made: string[] = [];
  for (let i = 0; i < args.length; i++) {
    if (args[i] === "--") return [...made, ...args.slice(i)];
    if (!args[i].startsWith("-") || args[i] === "-") {
      made.push(args[i]);
      continue;
    }
    const { flag, value, isNegated } = given(command, args[i]);
    if (flag.argument === undefined) {
      made.push(`--${keyOf(flag)}=${switchText(command, args[i], (value ?? "true").trim()) !== isNegated}`);
    } else if (value === undefined && i + 1 < args.length && !args[i + 1].startsWith("--")) {
      made.push(`--${keyOf(flag)}=${args[++i]}`);
    } else {
      made.push(`--${keyOf(flag)}=${value ?? ""}`);
    }
  }
  return made;
}

/** The option that is meant by a word such as `--name`, `--no-name`, `--name=value`, `-n` or `-nvalue`. */
function given(command: Command, word: string): { flag: Flag; value: string | undefined; isNegated: boolean } {
  const [, letter, attached] = /^-([^-=])=?(.+)?$/s.exec(word) ?? [];
  const [name, ...values] = word.slice(2).split("=");
  const isName = (flag: Flag) => letter === undefined ? flag.name === name : flag.letter === letter;
  const flag = command.flags.find(isName);
  const value = letter === undefined ? (values.length === 0 ? undefined : values.join("=")) : attached;
  if (flag !== undefined) return { flag, value, isNegated: false };
  const negated = command.flags.find(({ name: known, negatable }) => negatable && name === `no-${known}`);
  if (letter === undefined && negated !== undefined) return { flag: negated, value, isNegated: true };
  const known = command.flags.flatMap(({ name, negatable }) => negatable ? [name, `no-${name}`] : [name]);
  const near = nearestName(word.replace(/^-+/, "").split("=")[0], known);
  const hint = near !== undefined
    ? `: did you mean --${near}?`
    : command.operands.some((name) => name === "VALUE" || name === "[BY]")
    ? "; put -- before a value that starts with -"
    : "";
  throw new UsageError(command.name, `unknown option ${word}${hint}`);
}

function switchText(command: Command, word: string, text: string): boolean {
  const value = readBoolean(text);
  if (value !== undefined) return value;
  throw new UsageError(command.name, `${word.split("=")[0]} must be ${BOOLEAN_WORDS}: received "${text}"`);
}

/** Puts the port of the option in place of the one that `LISTEN_ON` has. */
function withPort(args: Arguments, port: string, listen: SettingText | undefined): SettingText {
  const wrong = (reason: string) => new UsageError(args.command, `--port ${reason}: received "${port}"`);
  if (readWhole(port, 0, MAX_PORT) === undefined) throw wrong(`must be a whole number from 0 to ${MAX_PORT}`);
  const text = listen?.text.trim() ?? "";
  if (args.flags.has("listen") && /(^|:)\d+$/.test(text)) throw wrong(`needs a --listen without a port beside it`);
  if (/^\d*$/.test(text)) return { text: port, from: "--port" };
  const address = parseAddress(text);
  if (address?.transport === "unix") throw wrong(`has no use beside ${text} (${listen!.from})`);
  return address === undefined ? listen! : { text: formatAddress({ ...address, port: Number(port) }), from: "--port" };
}

/** Returns what a flag gives, or `otherwise` without the flag. @throws {UsageError} If it is not from `least` to `most`. */
type NumberFlag = (args: Arguments, name: string, otherwise: number, least: number, most: number) => number;

/** Reads a number. */
export const numberFlag: NumberFlag = flagReader(readNumber, (least, most) => `a number from ${least} to ${most}`);
/** Reads a whole number. */
export const wholeFlag: NumberFlag = flagReader(readWhole, (least, most) => `a whole number from ${least} to ${most}`);
/** Reads a time, in seconds. */
export const secondsFlag: NumberFlag = flagReader(
  readSeconds,
  (least, most) => `seconds from ${least} to ${most}, ${TIME_EXAMPLES}`,
);
/** Reads a number of bytes. */
export const bytesFlag: NumberFlag = flagReader(
  readBytes,
  (least, most) => `a number of bytes from ${sizeText(least)} to ${sizeText(most)}`,
);

function flagReader(read: typeof readNumber, allowed: (least: number, most: number) => string): NumberFlag {
  return (args, name, otherwise, least, most) => {
    const text = args.flags.get(name);
    const value = text === undefined ? otherwise : read(text, least, most);
    if (value !== undefined) return value;
    throw new UsageError(args.command, `--${name} must be ${allowed(least, most)}: received "${text}"`);
  };
}
