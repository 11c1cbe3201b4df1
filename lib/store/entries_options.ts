/** What {@linkcode Entries} is made of. */

import type { HashKey } from "./keyed_hash.ts";
import type { SweepCounts } from "./losses.ts";
import type { Misses } from "./misses.ts";
import type { Cause } from "./store_listener.ts";

/** Options of {@linkcode Entries}. */
export interface EntriesOptions {
  /** Entries held at most. */
  readonly maxSize: number;
  /** Whether writes have versions, and what is deleted becomes a grave. */
  readonly replicates: boolean;
  /** Whether what leaves leaves a fingerprint. */
  readonly hasFingerprints: boolean;
  /** Graves held at most. */
  readonly maxGraves: number;
  /** Clears of prefixes held at most. */
  readonly maxPrefixes: number;
  /** Whether a clear of a prefix that leaves counts as forgotten. */
  readonly forgetsPrefixes: boolean;
  /** Memory held at most, in bytes. */
  readonly limitBytes: number;
  readonly hashKey: HashKey;
  /** Counts what sweeps do. */
  readonly sweeps: SweepCounts;
  /** Remembers why what leaves is not here. */
  readonly misses: Misses;
  /** Called before an entry expires, is evicted, or is erased after a clear; `cause` says which. */
  readonly onLeave: (position: number, cause: Cause) => void;
}
