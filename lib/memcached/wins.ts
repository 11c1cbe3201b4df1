/**
 * The entries whose replacement has been promised to one connection: when that ends, they are promised to nobody. It knows keys
 * and states, not commands.
 */

import { type ByteSpan, spanOf } from "../base/byte_span.ts";
import { MARK } from "../store/entry.ts";
import type { Unsigned } from "../base/unsigned.ts";
import type { MemcachedCommands } from "./commands.ts";

/** Keys that are remembered, at most; the oldest are forgotten first, and stay promised until they are replaced. */
export const MAX_WINS = 1024;

/** What one connection has won. */
export class Wins {
  readonly #memcached: Pick<MemcachedCommands, "store" | "casOf">;
  /** The state of each entry, by the key with one character for each byte. */
  readonly #byKey = new Map<string, Unsigned>();

  constructor(memcached: Pick<MemcachedCommands, "store" | "casOf">) {
    this.#memcached = memcached;
  }

  /** Takes note that the replacement of the entry at a position has been promised to the connection. */
  add({ bytes, from, to }: ByteSpan, position: number): void {
    const text = String.fromCharCode(...bytes.subarray(from, to));
    this.#byKey.delete(text);
    this.#byKey.set(text, this.#memcached.casOf(position));
    if (this.#byKey.size <= MAX_WINS) return;
    const [oldest] = this.#byKey.keys();
    this.#byKey.delete(oldest);
  }

  /** Promises to nobody what was promised to the connection, which has ended, and has not been replaced. */
  end(): void {
    const { store } = this.#memcached;
    for (const [text, cas] of this.#byKey) {
      const position = store.peek(spanOf(Uint8Array.from(text, (letter) => letter.charCodeAt(0))));
      if (position === 0 || (store.reader.marks(position) & MARK.promised) === 0) continue;
      if (this.#memcached.casOf(position) === cas) store.promise(position, 0);
    }
    this.#byKey.clear();
  }
}
