/** The keys in the store of a server in this process, a slice at a time: while they are listed, the event loop looks after all else. */

import type { Slices } from "../platform/slices.ts";
import { HASHES_END } from "../store/hash_index.ts";
import type { Store } from "../store/store.ts";

const encoder = new TextEncoder();
/** Keys may begin with U+FEFF, which is otherwise taken for a mark of the byte order. */
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Gives the keys that begin with a prefix: each once that has an entry all the time. Those that are no text are left out. */
export async function* keysOf(
  store: Store,
  prefix: string,
  slices: Slices,
  signal: AbortSignal | undefined,
): AsyncGenerator<string, void> {
  const wanted = encoder.encode(prefix);
  slices.begin();
  for (let from = 0; from < HASHES_END;) {
    if (slices.isOver) await slices.next();
    signal?.throwIfAborted();
    const { found, next } = store.walk(from);
    slices.spend(1 + found.length);
    // All before the first is given: positions are valid until the store is changed.
    const keys = found.map(({ position }) => keyAt(store, position, wanted)).filter((key) => key !== "");
    for (const key of keys) {
      if (slices.isOver) await slices.next();
      signal?.throwIfAborted();
      slices.spend(1);
      yield key;
    }
    from = next;
  }
}

let bytes = new Uint8Array(256);

/** The key of the entry at a position; empty if it does not begin so, or is no text. */
function keyAt({ reader }: Store, position: number, prefix: Uint8Array): string {
  const length = reader.keyBytes(position);
  if (length < prefix.length) return "";
  if (length > bytes.length) bytes = new Uint8Array(length);
  reader.copyKey(position, bytes, 0);
  for (let i = 0; i < prefix.length; i++) if (bytes[i] !== prefix[i]) return "";
  try {
    return decoder.decode(bytes.subarray(0, length));
  } catch {
    return "";
  }
}
