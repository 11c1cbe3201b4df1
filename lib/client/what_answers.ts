/** Finds out what listens where no Ormuco Cache server greets. It knows the first words of others, and sends one line. */

import type { Address } from "../base/address.ts";
import { connect } from "../platform/connect.ts";
import { closeQuietly, type Socket, writeAll } from "../platform/socket.ts";

/** A line that HTTP, memcached and Redis answer, each in its own words, and that TLS takes for a broken record. */
const LINE = new TextEncoder().encode("version\r\n\r\n");
/** The start of an alert of TLS. */
const ALERT = "\x15\x03";

const WORDS: readonly [RegExp, string][] = [
  [/^HTTP\/\d/, "HTTP"],
  [new RegExp(`^${ALERT}`), "TLS"],
  [/^(VERSION |ERROR\r)/, "memcached's protocol"],
  [/^-(ERR|NOAUTH|DENIED)/, "Redis's protocol"],
];

/** Returns what speaks at an address; `undefined` if nothing answers within `limitMs`, or nothing that is known here. */
export async function whatAnswers(address: Address, limitMs: number): Promise<string | undefined> {
  const abort = new AbortController();
  let socket: Socket | undefined;
  const timer = setTimeout(() => {
    abort.abort();
    if (socket !== undefined) closeQuietly(socket);
  }, limitMs);
  try {
    socket = await connect(address, abort.signal);
    await writeAll(socket, LINE);
    const bytes = new Uint8Array(256);
    const count = await socket.read(bytes) ?? 0;
    const text = String.fromCharCode(...bytes.subarray(0, count));
    return WORDS.find(([words]) => words.test(text))?.[1];
  } catch {
    return undefined; // the failure of the call itself says why
  } finally {
    clearTimeout(timer);
    if (socket !== undefined) closeQuietly(socket);
  }
}
