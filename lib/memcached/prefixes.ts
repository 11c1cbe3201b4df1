/** Counts commands by what stands before the first colon of their keys, while a client wants that. It knows no protocol. */

import type { ByteSpan } from "../base/byte_span.ts";

/** Prefixes that are counted, at most; others are left out, so that no client can make a server remember more and more. */
export const MAX_PREFIXES = 4096;
const [NUL, COLON] = [0, 0x3a];

interface Counts {
  get: number;
  hit: number;
  set: number;
  del: number;
}

/** What memcached's `stats detail` counts. Callers look at `isOn` before they count. */
export class PrefixCounters {
  /** Whether commands are counted. */
  isOn = false;
  readonly #counts = new Map<string, Counts>();

  /** Counts a retrieval of a key. */
  got(key: ByteSpan, isHit: boolean): void {
    const counts = this.#of(key);
    if (counts === undefined) return;
    counts.get++;
    if (isHit) counts.hit++;
  }

  /** Counts a storage command, whatever comes of it. */
  set(key: ByteSpan): void {
    const counts = this.#of(key);
    if (counts !== undefined) counts.set++;
  }

  /** Counts a deletion, whatever comes of it. */
  deleted(key: ByteSpan): void {
    const counts = this.#of(key);
    if (counts !== undefined) counts.del++;
  }

  /** Forgets all counts. */
  clear(): void {
    this.#counts.clear();
  }

  /** The counts as memcached tells them, with one character for each byte of a prefix. */
  dump(): string {
    let text = "";
    for (const [name, { get, hit, set, del }] of this.#counts) {
      text += `PREFIX ${name.slice(1)} get ${get} hit ${hit} set ${set} del ${del}\r\n`;
    }
    return `${text}END\r\n`;
  }

  /** The counts of a key; `undefined` if it has no prefix, or one too many. */
  #of({ bytes, from, to }: ByteSpan): Counts | undefined {
    let end = from;
    while (end < to && bytes[end] !== COLON && bytes[end] !== NUL) end++;
    if (end === to || bytes[end] === NUL) return undefined;
    // Strings that look like numbers can be chosen to collide: none does with a colon before it.
    const name = String.fromCharCode(COLON, ...bytes.subarray(from, end));
    let counts = this.#counts.get(name);
    if (counts === undefined && this.#counts.size < MAX_PREFIXES) {
      this.#counts.set(name, counts = { get: 0, hit: 0, set: 0, del: 0 });
    }
    return counts;
  }
}
