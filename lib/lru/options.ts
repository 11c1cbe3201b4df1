/** Options of an `LruCache`: what there are, what is allowed, and the default clock. It holds no entries. */

import { MAX_ENTRIES } from "../base/limits.ts";
import { BOOLEAN_OPTION, FUNCTION_OPTION, numberOption, type OptionRules, TTL_OPTION } from "../base/options.ts";
import { turnClock } from "../base/turn_clock.ts";

/**
 * Why an entry left the cache: to make room (`evicted`), because its time to live was over (`expired`), because `set`
 * gave its key another value (`replaced`), or because a caller removed it with `delete` or `clear` (`deleted`).
 */
export type EvictReason = "evicted" | "expired" | "replaced" | "deleted";

/** Options of {@linkcode LruCache}. */
export interface LruCacheOptions<V, K = string> {
  /**
   * Entries held at most: a whole number from 1 to 16,777,215 (V8's limit of a `Map`, less one), or `Infinity`.
   *
   * @default {128}
   */
  maxSize?: number;
  /**
   * Sum of the entries' sizes at most, more than 0, in the unit of the option `sizeOf`, which must be given too.
   *
   * @default {Infinity}
   */
  maxTotalSize?: number;
  /**
   * Returns the size of an entry, in any unit: a finite number of 0 or more. It is called once per `set`. By default
   * entries have no size.
   */
  sizeOf?: (value: V, key: K) => number;
  /**
   * Milliseconds until an entry expires that was set without a time to live of its own; 0 or `Infinity` means never.
   *
   * @default {0}
   */
  ttlMs?: number;
  /**
   * Whether a hit by `get` restarts the entry's own time to live.
   *
   * @default {true}
   */
  renewOnHit?: boolean;
  /**
   * Returns the time in milliseconds; it is called only once an entry with a time to live exists. The default clock is
   * read once per turn of the event loop and at every 32nd call, which the caches of a process share: reading it costs more
   * than a lookup. `() => performance.now()` is exact within a turn too.
   */
  now?: () => number;
  /**
   * Called for each entry that leaves, once the operation that removed it is complete, so it may use the cache. An
   * error that it throws reaches the caller of that operation; the calls for other entries then follow at the next one.
   */
  onEvict?: (key: K, value: V, reason: EvictReason) => void;
}

/** Options of {@linkcode LruCache.set}. */
export interface LruSetOptions {
  /** Milliseconds until this entry expires, instead of the cache's `ttlMs`; 0 or `Infinity` means never. */
  ttlMs?: number;
  /**
   * `false`: a hit by `get` does not restart this entry's time to live. `true`, the default, leaves it to the cache's
   * `renewOnHit`.
   */
  renewOnHit?: boolean;
}

/** The rules for the options of a cache. */
export const LRU_OPTIONS: OptionRules<LruCacheOptions<unknown, unknown>> = {
  maxSize: numberOption({ least: 1, most: MAX_ENTRIES, isWhole: true, orInfinity: true }),
  maxTotalSize: {
    allowed: "a number greater than 0",
    isType: (value) => typeof value === "number",
    accepts: (value: number) => value > 0,
  },
  sizeOf: FUNCTION_OPTION,
  ttlMs: TTL_OPTION,
  renewOnHit: BOOLEAN_OPTION,
  now: FUNCTION_OPTION,
  onEvict: FUNCTION_OPTION,
};

/** The default clock. */
export const { now: processNow } = turnClock({
  read: () => performance.now(),
  readWall: () => Date.now(),
  readReplaced: () => Date.now(),
  atEndOfTurn: queueMicrotask,
});
