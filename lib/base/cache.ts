/** The interface of every cache of this package, in memory or on a server. It holds nothing itself. */

import type { ClientStats } from "./stats.ts";

/** Options of {@linkcode OrmucoCache.store}. */
export interface StoreValueOptions {
  /** Milliseconds until this entry expires, instead of the cache's default; 0 or `Infinity` means never. */
  ttlMs?: number;
  /**
   * `false`: a hit does not restart this entry's time to live, so that it expires `ttlMs` after it was stored, however much it is
   * asked for. `true`, the default, leaves that to the cache, which restarts it unless its own `renewOnHit` is false.
   */
  renewOnHit?: boolean;
}

/** What {@linkcode OrmucoCache.retrieveOrStore} gives to the function that computes a value. */
export interface ComputeContext {
  /** Is aborted when nobody waits for the value any more; `fetch` and others take it, and give up. */
  readonly signal: AbortSignal;
}

/** Options of {@linkcode OrmucoCache.retrieveOrStore}. */
export interface RetrieveOrStoreOptions {
  /**
   * Milliseconds for which a computed value is fresh: a hit that is answered without a computation. 0 or `Infinity` means for ever.
   *
   * @default {the cache's own setting}
   */
  ttlMs?: number;
  /**
   * Whether a hit restarts that time, unless the cache's own `renewOnHit` is false: a value that is asked for often enough is
   * then never computed anew.
   *
   * @default {false}
   */
  renewOnHit?: boolean;
  /**
   * Milliseconds after `ttlMs` for which a value is still given, at once, while one caller's computation replaces it behind the
   * answer; 0 or more, or `Infinity`. An error of such a computation is counted in `stats()` and passed to `onError`, and the next one begins a second later at the earliest.
   *
   * @default {0}
   */
  staleWhileRevalidateMs?: number;
  /**
   * Milliseconds after `ttlMs` for which a value is given where the computation fails; 0 or more, or `Infinity`.
   *
   * @default {0}
   */
  staleIfErrorMs?: number;
  /**
   * Milliseconds for which this caller waits for a computation, more than 0 and below 2³⁰; then the call rejects with a
   * {@linkcode CacheError} `timeout`. Where another process computes, it is waited for as long, and then the value is computed here,
   * for which there is that time again.
   *
   * @default {no limit}
   */
  timeoutMs?: number;
  /**
   * Ends this caller's wait when it is aborted: the call rejects with its reason.
   *
   * @default {none}
   */
  signal?: AbortSignal;
}

/**
 * A cache of JavaScript values by key. A client with servers, a stand-alone client and a server's own `cache` implement
 * it, so a function that takes an `OrmucoCache` works with each of the three.
 *
 * A call whose key, ttl or value is out of range rejects with a `RangeError` or a `TypeError`. A call that fails for
 * another reason resolves to a miss or to `false`.
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
   * A value that is refused, by `false` or by an error, leaves no older value under its key, so that nobody goes on with one
   * that is no longer right. Where a server failed it is not known what is there: the new value, the older one or none.
   *
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @param data The value to store.
   * @param options The entry's own time to live, and whether a hit restarts it.
   * @returns Whether the value was stored; `false` if it was refused, or if a server failed.
   * @throws {RangeError} If the key or the time to live is out of range, or the value is nested too deep for a
   * server, or would cost too much to read.
   * @throws {TypeError} If the value is a promise, or holds something that a server cannot keep.
   */
  store(key: string, data: unknown, options?: StoreValueOptions): Promise<boolean>;
  /**
   * Retrieves the value of a key. A hit makes the entry the most recently used and, by default, restarts its time to
   * live.
   *
   * @typeParam T Type of the value that was stored; it is not checked.
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @returns The value, or `undefined` on a miss.
   * @throws {RangeError} If the key is out of range.
   */
  retrieve<T = unknown>(key: string): Promise<T | undefined>;
  /**
   * Returns the value of a key or, if there is none that is fresh, what `compute` returns, which it stores.
   *
   * Callers of one key in this process share one computation, and are given the same value: what one of them changes in an object,
   * the others see. It is stored before they are given it, unless a `store`, `remove` or `clear` of this cache has come since
   * the computation began: then they are given it, and it is not stored. An error reaches all of them and is not kept: the
   * next caller computes. `undefined` is a value like any other, and a hit the next time. A computation must not wait for its own key.
   *
   * @typeParam T Type of the value; that of one that was stored is not checked.
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @param compute Returns the value, or a promise of it. Its signal is aborted when the last caller has gone.
   * @param options For how long the value is fresh, whether an older one will do, and for how long this caller waits.
   * @returns The value.
   * @throws {RangeError} If the key or an option is out of range, or `store` would throw this for the value.
   * @throws {TypeError} If there is no option of that name, `compute` is no function, or `store` would throw this for the value.
   * @throws {CacheError} `timeout` if `timeoutMs` are over. A `compute` that fails rejects with its own error, and a `signal` that
   * is aborted with its reason.
   *
   * @example
   * ```ts
   * import type { OrmucoCache } from "@ormuco/cache";
   *
   * export function page(cache: OrmucoCache, path: string): Promise<string> {
   *   return cache.retrieveOrStore(path, async ({ signal }) => {
   *     return await (await fetch(`https://example.com${path}`, { signal })).text();
   *   }, { ttlMs: 60_000, staleIfErrorMs: 600_000, timeoutMs: 5_000 });
   * }
   * ```
   */
  retrieveOrStore<T>(
    key: string,
    compute: (context: ComputeContext) => T | Promise<T>,
    options?: RetrieveOrStoreOptions,
  ): Promise<T>;
  /**
   * Retrieves the values of many keys, each as `retrieve` does.
   *
   * @typeParam T Type of the value that was stored; it is not checked.
   * @param keys The keys, each of 1 to 4,096 bytes as UTF-8; a key that comes twice counts once.
   * @returns The values found, by key; a key without an entry is absent.
   * @throws {RangeError} If a key is out of range.
   * @throws {TypeError} If the keys are no list, but one text.
   */
  retrieveMany<T = unknown>(keys: Iterable<string>): Promise<Map<string, T>>;
  /**
   * Tells whether a key has an entry. Unlike `retrieve`, it does not count as a hit of the entry.
   *
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @returns Whether the key has an entry; `false` if a server failed.
   * @throws {RangeError} If the key is out of range.
   */
  has(key: string): Promise<boolean>;
  /**
   * Removes the entry of a key.
   *
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @returns Whether there was an entry; `false` if a server failed.
   * @throws {RangeError} If the key is out of range.
   */
  remove(key: string): Promise<boolean>;
  /**
   * Removes every entry.
   *
   * @returns Whether the entries were removed; `false` if a server failed.
   */
  clear(): Promise<boolean>;
  /**
   * Returns counters of the calls made through this cache and, if there is a server, the server's statistics.
   *
   * @returns The statistics.
   */
  stats(): Promise<ClientStats>;
  /**
   * Resolves if the cache can be used: at the start of a program, so that a wrong address is not a miss for ever. Only a client with
   * servers has anybody to ask.
   *
   * @throws {CacheError} If no server can be used; the message says why.
   */
  ping(): Promise<void>;
  /** Waits for the calls under way and ends the connection, if the cache has one. */
  close(): Promise<void>;
}
