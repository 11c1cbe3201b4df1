/** What commands print, and the exit statuses that they end with. */

import type { CacheError } from "../base/errors.ts";

/** Exit statuses. */
export const EXIT = { ok: 0, miss: 1, usage: 2, unreachable: 3, refused: 4, internal: 70 } as const;

/** Says why calls failed. */
export function report(failure: CacheError): number {
  console.error(failure.message);
  return failure.code === "refused" ? EXIT.refused : EXIT.unreachable;
}

/** A miss says nothing but its exit status, unless a person looks on. */
export function miss(): number {
  if (Deno.stdout.isTerminal()) console.error("No entry");
  return EXIT.miss;
}

/** Prints a line. */
export function say(text: string): number {
  console.log(text);
  return EXIT.ok;
}

/** Prints bytes as they are. */
export async function print(bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await Deno.stdout.write(bytes.subarray(at));
  // What is piped on is exact; a terminal gets its line's end.
  if (Deno.stdout.isTerminal() && bytes[bytes.length - 1] !== 10) console.log();
}
