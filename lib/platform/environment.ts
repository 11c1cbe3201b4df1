/** Reads settings from the environment and from `.env` in the working directory. It does not know what they mean. */

import { type ClientSettings, ConfigError, SETTING_NAMES, type Settings, type SettingText } from "../base/settings.ts";
import type { ClientTlsOptions } from "../base/tls_options.ts";
import { EnvFileError, readEnvFile } from "./env_file.ts";

/** The permissions that reading needs, as flags for Deno. */
const PERMISSIONS = `--allow-read=.env --allow-env=${SETTING_NAMES.join(",")}`;

/** The start of names that look like settings of ours. */
const PREFIX = /^(CACHE|ORMUCO)_/;

/**
 * Returns the settings of the environment; a variable that is absent or blank there is taken from `.env`. What stands in
 * that file is told by a warning if it looks like a setting and is none, or if it cannot be read: it may be another's.
 *
 * @throws {ConfigError} If they cannot be read; if Deno does not permit it, the message names the permissions.
 */
export function readEnvironment(): Settings {
  const settings = new Map<string, SettingText>();
  const file = readable(".env", () => textsOf(".env"));
  for (const name of SETTING_NAMES) {
    const text = readable(name, () => Deno.env.get(name));
    const inFile = file.get(name);
    if (text?.trim()) settings.set(name, { text, from: "environment" });
    else if (inFile) settings.set(name, { text: inFile, from: ".env" });
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
    return file === undefined ? undefined : readable(`${name} (${file})`, () => Deno.readTextFileSync(file));
  });
  return { ...settings, tls: { caCerts: ca === undefined ? [] : [ca], cert, key } };
}

function textsOf(file: string): ReadonlyMap<string, string> {
  try {
    const { texts, unknown } = readEnvFile(file, Deno.readFileSync(file), SETTING_NAMES, (name) => PREFIX.test(name));
    for (const name of unknown) console.warn(`${file} has ${name}, which is no setting of Ormuco Cache`);
    return texts;
  } catch (error) {
    if (error instanceof EnvFileError || error instanceof Deno.errors.NotCapable) throw error;
    if (!(error instanceof Deno.errors.NotFound)) console.warn(`${file} is passed over: ${(error as Error).message}`);
    return new Map();
  }
}

function readable<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const isDenied = error instanceof Deno.errors.NotCapable;
    const why = isDenied ? `run with ${PERMISSIONS}, or give a program's class its options` : (error as Error).message;
    throw new ConfigError(`Cannot read settings from ${what}: ${why}`, { cause: error });
  }
}
