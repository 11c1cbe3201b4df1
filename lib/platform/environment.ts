/** Reads settings from the environment and from a file, `.env` by default. It does not know what they mean. */

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

/** The file that is read where no other is named; it may be absent, or another program's. */
const DEFAULT_FILE = ".env";
/** What names of our settings begin with, and are perhaps written wrong. */
const OWN_NAME = /^(CACHE|ORMUCO)_/;
const KNOWN: ReadonlySet<string> = new Set(SETTING_NAMES.flatMap((name) => [name, PREFIX + name]));

/**
 * Returns the settings of the environment; a variable that is absent or blank there is taken from a file. A name with the
 * prefix wins over the same name without it, wherever they stand. What stands in that file is told by a warning if it looks
 * like a setting and is none. `.env` may be another program's, so it may be absent, and is passed over with a warning if it
 * cannot be read.
 *
 * @param names The settings that are looked at.
 * @param envFile The file in place of `.env`, which must be there; `false` for none.
 * @throws {ConfigError} If they cannot be read; if Deno does not permit it, the message names the permissions.
 */
export function readEnvironment(
  names: readonly string[] = SETTING_NAMES,
  envFile?: string | false,
): Settings {
  const settings = new Map<string, SettingText>();
  const fileName = envFile || DEFAULT_FILE;
  const needs = permissions(names, envFile === false ? [] : [fileName]);
  const file: ReadonlyMap<string, string> = envFile === false
    ? new Map()
    : readable(fileName, () => textsOf(fileName, names, envFile === undefined), needs);
  for (const name of names) {
    for (const variable of [name, PREFIX + name]) { // the last one wins
      const isPrefixed = variable !== name;
      const text = readable(variable, () => Deno.env.get(variable), needs);
      const inFile = file.get(variable);
      if (text?.trim()) settings.set(name, { text, from: "environment", isPrefixed });
      else if (inFile?.trim()) settings.set(name, { text: inFile, from: fileName, isPrefixed });
    }
  }
  return settings;
}

/** The permissions that reading settings needs, as flags for Deno. */
function permissions(names: readonly string[], files: readonly string[]): string {
  const read = files.length === 0 ? "" : `--allow-read=${files.join(",")} `;
  return `${read}--allow-env=${PREFIX}*,${names.join(",")}`;
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
    return file === undefined ? undefined : readable(
      `${name} (${file})`,
      () => Deno.readTextFileSync(file),
      permissions(CLIENT_SETTING_NAMES, [DEFAULT_FILE, file]),
    );
  });
  return { ...settings, tls: { caCerts: ca === undefined ? [] : [ca], cert, key } };
}

function textsOf(file: string, names: readonly string[], mayBeMissing: boolean): ReadonlyMap<string, string> {
  try {
    const all = names.flatMap((name) => [name, PREFIX + name]);
    const isUnknown = (name: string) => OWN_NAME.test(name) && !KNOWN.has(name);
    const { texts, unknown } = readEnvFile(file, Deno.readFileSync(file), all, isUnknown);
    for (const name of unknown) console.warn(`${file} has ${name}, which is no setting of Ormuco Cache`);
    return texts;
  } catch (error) {
    const isOurs = error instanceof EnvFileError || error instanceof Deno.errors.NotCapable;
    if (isOurs || !mayBeMissing) throw error;
    if (!(error instanceof Deno.errors.NotFound)) console.warn(`${file} is passed over: ${(error as Error).message}`);
    return new Map();
  }
}

/** @param needs The permissions that reading it needs, as flags for Deno. */
function readable<T>(what: string, read: () => T, needs: string): T {
  try {
    return read();
  } catch (error) {
    const isDenied = error instanceof Deno.errors.NotCapable;
    const why = isDenied ? `run with ${needs}, or give a program's class its options` : (error as Error).message;
    throw new ConfigError(`Cannot read settings from ${what}: ${why}`, { cause: error });
  }
}
