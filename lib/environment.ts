/** Reads settings from the environment and from `.env` in the working directory. It does not know what they mean. */

import { loadSync } from "@std/dotenv";
import { SETTING_NAMES, type Settings, type SettingText } from "./config.ts";

/**
 * Settings of the environment; where it has none (or a blank one), those of `.env`.
 *
 * @throws {Error} If Deno does not permit it; the message names the permission.
 */
export function readEnvironment(): Settings {
  const settings = new Map<string, SettingText>();
  const file = permitted(".env", "--allow-read=.env", () => loadSync({ envPath: ".env" }));
  for (const name of SETTING_NAMES) {
    const text = permitted(name, `--allow-env=${name}`, () => Deno.env.get(name));
    if (text) settings.set(name, { text, from: "environment" });
    else if (file[name]) settings.set(name, { text: file[name], from: ".env" });
  }
  return settings;
}

function permitted<T>(what: string, permission: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    throw new Error(`Cannot read settings from ${what}: allow it with ${permission}, or pass options`, {
      cause: error,
    });
  }
}
