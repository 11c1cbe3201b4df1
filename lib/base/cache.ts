/** What every cache of this package can do, whatever stands behind it. It holds nothing. */

import type { ClientStats } from "./stats.ts";

/** Options of {@linkcode OrmucoCache.store}. */
export interface StoreValueOptions {
  /** Milliseconds until this entry expires, in place of the default; 0 or `Infinity` means never. */
  ttlMs?: number;
}

/**
 * A cache of JavaScript values by key. A client, stand-alone or with servers, and a server's own `cache` are such caches, so
 * that a function which takes one works with all of them.
 *
 * A call whose key, ttl or value is out of range rejects; a call that fails for another reason is a miss, or `false`.
 *
 * @example
 * ```ts
 * import type { OrmucoCache } from "@ormuco/cache";
 *
 * export async function visits(cache: OrmucoCache, page: string): Promise<number> {
 *   const count = 1 + (await cache.retrieve<number>(page) ?? 0);
 *   await cache.store(page, count);
 *   return count;
 * }
 * ```
 */
export interface OrmucoCache extends AsyncDisposable {
  /**
   * Stores a value.
   *
   * @param key 1 to 4,096 bytes of text.
   * @param data The value.
   * @param options The entry's own time to live.
   * @returns Whether it was stored; `false` if it was refused, or if a server failed.
   */
  store(key: string, data: unknown, options?: StoreValueOptions): Promise<boolean>;
  /**
   * Returns the value of a key.
   *
   * @typeParam T What was stored there; it is not checked.
   * @param key 1 to 4,096 bytes of text.
   * @returns The value, or `undefined` on a miss.
   */
  retrieve<T = unknown>(key: string): Promise<T | undefined>;
  /**
   * Returns the values of many keys.
   *
   * @typeParam T What was stored there; it is not checked.
   * @param keys The keys.
   * @returns The values found, by key; a miss is absent.
   */
  retrieveMany<T = unknown>(keys: Iterable<string>): Promise<Map<string, T>>;
  /**
   * Tells whether a key has an entry, without using or renewing it.
   *
   * @param key 1 to 4,096 bytes of text.
   * @returns Whether it has.
   */
  has(key: string): Promise<boolean>;
  /**
   * Removes an entry.
   *
   * @param key 1 to 4,096 bytes of text.
   * @returns Whether there was one.
   */
  remove(key: string): Promise<boolean>;
  /**
   * Removes every entry.
   *
   * @returns Whether it was done.
   */
  clear(): Promise<boolean>;
  /**
   * Returns counters of the calls made here and, if there is a server, its statistics.
   *
   * @returns The statistics.
   */
  stats(): Promise<ClientStats>;
  /** Waits for the calls under way and gives up what the cache holds open. */
  close(): Promise<void>;
}
