/** What a cache tells those who listen. It tells nobody. */

import type { CacheError } from "./errors.ts";

/**
 * What has happened in a cache:
 * - `hit` and `miss`: a value was asked for by a call of this process, and was there or not;
 * - `store` and `remove`: such a call has stored an entry, or removed one;
 * - `clear`: such a call has removed all entries whose keys begin with `prefix`, which is empty for all;
 * - `evict`: an entry of a cache in this process has left by itself, to make room or since its time was over;
 * - `error`: a call or a connection has failed;
 * - `reconnect`: a client has a server again after it had lost one.
 *
 * Keys are whole: with the prefix of a namespace.
 *
 * @example
 * ```ts
 * import { OrmucoCacheClient } from "@ormuco/cache";
 *
 * const told: string[] = [];
 * const cache = new OrmucoCacheClient({ onEvent: ({ type }) => told.push(type) });
 * await cache.retrieveOrStore("k", () => 1);
 * await cache.retrieve("k");
 * console.log(...told); // miss store hit
 * ```
 */
export type CacheEvent =
  | { readonly type: "hit" | "miss" | "store" | "remove"; readonly key: string }
  | { readonly type: "clear"; readonly prefix: string }
  | { readonly type: "evict"; readonly key: string; readonly reason: "evicted" | "expired" }
  | { readonly type: "error"; readonly error: CacheError }
  | { readonly type: "reconnect"; readonly server: string };

/** Who passes events on to those who listen. */
export interface EventTeller {
  /** Tells that a value was asked for. */
  asked(key: string, isHit: boolean): void;
  /** Tells that an entry was stored or removed. */
  changed(type: "store" | "remove", key: string): void;
  /** Tells of another event. */
  tell(event: CacheEvent): void;
  /** Tells of an event when the work that is under way is done, so that a listener may use the cache. */
  later(event: CacheEvent): void;
}
