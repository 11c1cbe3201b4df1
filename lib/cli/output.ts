/** Prints what commands have to say, and names their exit statuses. It runs no command. */

import type { CacheError } from "../base/errors.ts";
import { escaped } from "../base/printable.ts";

/** Exit statuses. */
export const EXIT = { ok: 0, miss: 1, usage: 2, unreachable: 3, refused: 4, cannotListen: 5, internal: 70 } as const;

/** Prints what went wrong. Where that cannot be written, the exit status alone says it. */
export function logError(error: unknown): void {
  try {
    console.error(error);
  } catch {
    // There is nobody else to report to.
  }
}

/** Prints why calls failed. Returns the exit status. */
export function report(failure: CacheError): number {
  logError(escaped(failure.message)); // a server may say anything
  return failure.code === "refused" ? EXIT.refused : EXIT.unreachable;
}

/** Prints that there is no entry, or what else there is not, on a terminal only. Returns the exit status. */
export function miss(what = "No entry"): number {
  if (Deno.stdout.isTerminal()) console.error(what);
  return EXIT.miss;
}

/** Prints a line. Returns the exit status of success. */
export function say(text: string): number {
  console.log(text);
  return EXIT.ok;
}

/** Columns of the terminal; no limit where there is none: what is piped is to be cut up by programs. */
export function lineWidth(): number {
  return Deno.stdout.isTerminal() ? Deno.consoleSize().columns || Infinity : Infinity;
}

/** Prints bytes unchanged. */
export async function print(bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await Deno.stdout.write(bytes.subarray(at));
  // A pipe gets the exact bytes; a terminal gets the end of the line too.
  if (Deno.stdout.isTerminal() && bytes[bytes.length - 1] !== 10) console.log();
}
