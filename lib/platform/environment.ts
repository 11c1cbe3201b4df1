/** Reads settings from the environment and from `.env` in the working directory. It does not know what they mean. */

import {
  CLIENT_SETTING_NAMES,
  type ClientSettings,
  ConfigError,
  PREFIX,
  SETTING_NAMES,
  type Settings,
  type SettingText,
} from "../base/settings.ts";
import type { ClientTlsOptions } from "../base/tls_options.ts";
import { EnvFileError, readEnvFile } from "./env_file.ts";

/** The permissions that reading settings needs, as flags for Deno. */
function permissions(names: readonly string[]): string {
  return `--allow-read=.env --allow-env=${PREFIX}*,${names.join(",")}`;
}

/**
/** What names of our settings begin with, and are perhaps written wrong. */
const OWN_NAME = /^(CACHE|ORMUCO)_/;
const KNOWN: ReadonlySet<string> = new Set(SETTING_NAMES.flatMap((name) => [name, PREFIX + name]));

/**
 * Returns the settings of the environment; a variable that is absent or blank there is taken from `.env`. A name with the
 * prefix wins over the same name without it, wherever they stand. What stands in that file is told by a warning if it looks
 * like a setting and is none, or if the file cannot be read: it may be another's.
 *
 * @param names The settings that are looked at.
 * @throws {ConfigError} If they cannot be read; if Deno does not permit it, the message names the permissions.
 */
export function readEnvironment(names: readonly string[] = SETTING_NAMES): Settings {
  const settings = new Map<string, SettingText>();
  const file = readable(".env", () => textsOf(".env", names), names);
  for (const name of names) {
    for (const variable of [name, PREFIX + name]) { // the last one wins
      const isPrefixed = variable !== name;
      const text = readable(variable, () => Deno.env.get(variable), names);
      const inFile = file.get(variable);
      if (text?.trim()) settings.set(name, { text, from: "environment", isPrefixed });
      else if (inFile?.trim()) settings.set(name, { text: inFile, from: ".env", isPrefixed });
    }
  }
  return settings;
}

/**
 * Reads the files that settings name.
 *
 * @throws {ConfigError} If one cannot be read.
 */
export function withTls(
  { tlsFiles, ...settings }: ClientSettings,
): Omit<ClientSettings, "tlsFiles"> & { tls?: ClientTlsOptions } {
  if (tlsFiles === undefined) return settings;
  const [ca, cert, key] = (["TLS_CA", "TLS_CERT", "TLS_KEY"] as const).map((name, i) => {
    const file = [tlsFiles.caFile, tlsFiles.certFile, tlsFiles.keyFile][i];
    return file === undefined
      ? undefined
      : readable(`${name} (${file})`, () => Deno.readTextFileSync(file), CLIENT_SETTING_NAMES);
  });
  return { ...settings, tls: { caCerts: ca === undefined ? [] : [ca], cert, key } };
}

function textsOf(file: string, names: readonly string[]): ReadonlyMap<string, string> {
  try {
    const all = names.flatMap((name) => [name, PREFIX + name]);
    const isUnknown = (name: string) => OWN_NAME.test(name) && !KNOWN.has(name);
    const { texts, unknown } = readEnvFile(file, Deno.readFileSync(file), all, isUnknown);
    for (const name of unknown) console.warn(`${file} has ${name}, which is no setting of Ormuco Cache`);
    return texts;
  } catch (error) {
    if (error instanceof EnvFileError || error instanceof Deno.errors.NotCapable) throw error;
    if (!(error instanceof Deno.errors.NotFound)) console.warn(`${file} is passed over: ${(error as Error).message}`);
    return new Map();
  }
}

function readable<T>(what: string, read: () => T, names: readonly string[] = []): T {
  try {
    return read();
  } catch (error) {
    const isDenied = error instanceof Deno.errors.NotCapable;
    const why = isDenied
      ? `run with ${permissions(names)}, or give a program's class its options`
      : (error as Error).message;
    throw new ConfigError(`Cannot read settings from ${what}: ${why}`, { cause: error });
  }
}
