/** The changes that a store tells of, and the interface of whoever hears them. It knows no particular listener. */

import type { ByteSpan } from "../base/byte_span.ts";

/** Why an entry has changed, one bit each. */
export const CAUSE = {
  /** Stored, or given another time to live or other marks, by a caller. */
  written: 1,
  /** Removed by a caller, or by a store of a value that is too large; reported even if the key had no entry. */
  deleted: 2,
  /** Written, removed or dropped by what a peer has said. */
  applied: 4,
  /** Removed because its deadline has passed. */
  expired: 8,
  /** Removed to make room. */
  evicted: 16,
  /** All entries have been removed, here or by a peer; where a key is named, all whose keys begin with it. */
  cleared: 32,
  /** Renewed by a hit, after peers have not been told of its use for half its time to live. */
  renewed: 64,
  /**
   * Nothing has changed here: a peer has said that there is or was a write that is not taken, of a key that has no entry. What
   * readers have kept of one that was here is older.
   */
  overtaken: 128,
} as const;

/** One of {@linkcode CAUSE}. */
export type Cause = typeof CAUSE[keyof typeof CAUSE];

/** Hears of changes in a store: after a write, and before an entry expires or is evicted. It must not change the store. */
export interface StoreListener {
  /** The causes that the listener is told of: a sum of bits of {@linkcode CAUSE}. */
  readonly causes: number;
  /** Takes note of a change. The key is valid during the call; `undefined` stands for all keys, and with `cleared` a key for all that begin with it. */
  changed(cause: Cause, key: ByteSpan | undefined): void;
  /** Takes note of `overtaken` where only the key's `publicHash` is known. */
  overtaken?(hash: number): void;
}
