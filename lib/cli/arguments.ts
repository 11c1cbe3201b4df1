/** The command line's arguments: reads and checks them, and makes settings from them. It runs nothing. */

import { parseArgs } from "@std/cli/parse-args";
import { clientOptions, SETTING_NAMES, type Settings, type SettingText } from "../base/settings.ts";
import { readEnvironment, withTls } from "../platform/environment.ts";
import { readSecret } from "./secret_prompt.ts";
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
  const envFile = args.flags.has("no-env-file") ? false : args.flags.get("env-file");
  const found = new Map<string, SettingText>(readEnvironment(SETTING_NAMES, envFile));
  for (const command of COMMANDS) {
    for (const { name, setting } of command.flags) {
      const text = args.flags.get(name);
      if (setting !== undefined && text !== undefined) found.set(setting, { text, from: `--${name}` });
    }
  }
  const file = args.flags.get("token-file");
  if (file !== undefined) found.delete("AUTH_TOKEN");
  if (file === "-") {
    found.delete("AUTH_TOKEN_FILE");
    found.set("AUTH_TOKEN", { text: readSecret("Token"), from: "standard input" });
  }
  return found;
}

/** Reads the arguments of a command. */
export function readArguments(command: Command, args: string[]): Arguments {
  const parsed = parseArgs(joined(command, args), {
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
    const value = lastOf(parsed[name]);
    if (argument !== undefined) {
      if (value === false) flags.set(`no-${name}`, "true");
      else if (value !== undefined) flags.set(name, flagText(command, name, value));
      continue;
    }
    const isGiven = args.some((given) => [`--${name}`, `--no-${name}`].includes(given.split("=")[0]));
    if (negatable ? isGiven : value === true) flags.set(name, String(value));
  }
  return { command: command.name, positional, flags, json: parsed.json === true };
}

/** Writes `--name value` as `--name=value`, since a value may start with `-`; what is negated has no value. */
function joined(command: Command, args: readonly string[]): string[] {
  const taking = new Set(names(command.flags, ({ argument }) => argument !== undefined).map((name) => `--${name}`));
  const made: string[] = [];
  for (let i = 0; i < args.length; i++) {
    if (args[i] === "--") return [...made, ...args.slice(i)];
    if (/^--no-.*=/.test(args[i])) throw new UsageError(command.name, `unknown option ${args[i]}`);
    const hasValue = taking.has(args[i]) && i + 1 < args.length && !args[i + 1].startsWith("--");
    made.push(hasValue ? `${args[i]}=${args[++i]}` : args[i]);
  }
  return made;
}

function names(flags: readonly Flag[], keep: (flag: Flag) => boolean): string[] {
  return flags.filter(keep).map(({ name }) => name);
}

/** The value that counts of an option that may be given several times. */
function lastOf(value: unknown): unknown {
  return Array.isArray(value) ? value.at(-1) : value;
}

function flagText(command: Command, name: string, value: unknown): string {
  const text = String(value);
  if (text === "") throw new UsageError(command.name, `--${name} needs a value`);
  return text;
}

/** Returns the number that a flag gives, or `otherwise` without the flag. */
export function numberFlag(args: Arguments, name: string, otherwise: number, least = 0, most = 1e12): number {
  const text = args.flags.get(name);
  if (text === undefined) return otherwise;
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (value >= least && value <= most) return value;
  throw new UsageError(args.command, `--${name} must be a number from ${least} to ${most}: received "${text}"`);
}

/** Returns the whole number that a flag gives, or `otherwise` without the flag. */
export function wholeFlag(args: Arguments, name: string, otherwise: number, least: number, most: number): number {
  const value = numberFlag(args, name, otherwise, least, most);
  if (Number.isInteger(value)) return value;
  throw new UsageError(args.command, `--${name} must be a whole number: received "${value}"`);
}
