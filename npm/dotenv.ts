/**
 * Stands in for `@std/dotenv` where only npm is reachable, with npm's dotenv. Unlike the real one it does not expand
 * `$NAME` in values, which none of our settings needs.
 */

import { parse } from "dotenv";

export function loadSync({ envPath = ".env" }: { envPath?: string } = {}): Record<string, string> {
  try {
    return parse(Deno.readTextFileSync(envPath));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return {};
    throw error;
  }
}
