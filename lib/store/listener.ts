/** Who wants to hear of changes in a store, and of which. It knows no listener. */

import type { ByteSpan } from "../base/byte_span.ts";

/** Why an entry has changed, one bit each. */
export const CAUSE = {
  /** Stored, or given another time to live or other marks, by a caller. */
  written: 1,
  /** Removed by a caller, or by a store of a value that is too large; told also where no entry was here. */
  deleted: 2,
  /** Written, removed or dropped by what a peer has said. */
  applied: 4,
  /** Left because its time was over. */
  expired: 8,
  /** Left for room. */
  evicted: 16,
  /** All entries have been removed, here or by a peer. */
  cleared: 32,
  /** Its time to live was renewed by a hit, and peers have not been told for half of it. */
  renewed: 64,
} as const;

/** One of {@linkcode CAUSE}. */
export type Cause = typeof CAUSE[keyof typeof CAUSE];

/** Hears of changes in a store: after a write, and before an entry leaves by itself. It must not change the store. */
export interface StoreListener {
  /** The causes that it wants to hear of: a sum of bits of {@linkcode CAUSE}. */
  readonly causes: number;
  /** Takes note of a change. The key is valid during the call; `undefined` stands for all keys. */
  changed(cause: Cause, key: ByteSpan | undefined): void;
}
