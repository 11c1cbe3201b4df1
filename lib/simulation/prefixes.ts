/** Which keys of a simulation clears of prefixes are for, and which of them a node takes and holds. It judges nothing. */

import { beginsWith, type ByteSpan, spanOf } from "../base/byte_span.ts";
import type { Write } from "../replication/message.ts";
import { PREFIX } from "../store/entry.ts";
import type { Store } from "../store/store.ts";
import { CAUSE } from "../store/store_listener.ts";
import { compareVersions, type Version } from "../store/version.ts";

/** The numbers of the keys that begin with a prefix. */
export function keysUnder(prefix: ByteSpan, keys: readonly ByteSpan[]): number[] {
  return [...keys.keys()].filter((key) => beginsWith(keys[key], prefix));
}

/** The clears that a node takes. */
export class TakenClears {
  /** Their prefixes as text. */
  readonly #prefixes = new Set<string>();

  constructor(store: Store) {
    store.listen({ causes: CAUSE.cleared, changed: (_, prefix) => prefix && this.#prefixes.add(textOf(prefix)) });
  }

  /** Those of a message's writes that have been taken since the last call. */
  among(writes: readonly Write[]): Write[] {
    const taken = writes.filter(({ kind, key }) => kind === PREFIX && this.#prefixes.has(textOf(key)));
    this.#prefixes.clear();
    return taken;
  }
}

function textOf({ bytes, from, to }: ByteSpan): string {
  return String.fromCharCode(...bytes.subarray(from, to));
}

/** The newest clear of a prefix of each key, of those of which a node has a record. */
export function heldClears(
  { history, reader }: Store,
  keys: readonly ByteSpan[],
): { count: number; newest: Map<number, Version> } {
  let count = 0;
  const newest = new Map<number, Version>();
  for (const log of history.logs.all) {
    for (const position of log.after(history.cleared)) {
      if (reader.kind(position) !== PREFIX) continue;
      count++;
      const prefix = new Uint8Array(reader.keyBytes(position));
      reader.copyKey(position, prefix, 0);
      const version = history.version(position);
      for (const key of keysUnder(spanOf(prefix), keys)) {
        const other = newest.get(key);
        if (other === undefined || compareVersions(other, version) < 0) newest.set(key, version);
      }
    }
  }
  return { count, newest };
}
