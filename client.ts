/**
 * The client: stores and retrieves values on a server, or stand-alone in this process's memory. With options it needs
 * `--allow-net=HOST:PORT` for each server; without, `--allow-env` and `--allow-read=.env` too.
 *
 * ```ts
 * import { OrmucoCacheClient } from "@ormuco/cache/client";
 *
 * await using cache = new OrmucoCacheClient({ servers: ["127.0.0.1:11142"] });
 * await cache.store("my-key", [1, 2, 3]); // true
 * await cache.retrieve("my-key"); // [1, 2, 3]; a miss is undefined
 * ```
 *
 * @module
 */

import type { ComputeContext, OrmucoCache, RetrieveOrStoreOptions, StoreValueOptions } from "./lib/base/cache.ts";
import { INSPECT, inspected } from "./lib/base/inspect.ts";
import type { ClientStats } from "./lib/base/stats.ts";
import { environmentOptions } from "./lib/client/environment_options.ts";
import { MemoryCache } from "./lib/client/memory_cache.ts";
import { type ClientOptions, resolveClientOptions } from "./lib/client/options.ts";
import { RemoteCache } from "./lib/client/remote_cache.ts";

export type { ComputeContext, OrmucoCache, RetrieveOrStoreOptions, StoreValueOptions } from "./lib/base/cache.ts";
export { CacheError, type CacheErrorCode, type CacheErrorOptions } from "./lib/base/errors.ts";
export type { ClientStats, GossipTotals, NearCopyStats, PeerStats, ServerStats } from "./lib/base/stats.ts";
export type { ClientTlsOptions } from "./lib/base/tls_options.ts";
export type { ValueCodec } from "./lib/base/value_options.ts";
export type { ClientOptions, NearOptions } from "./lib/client/options.ts";

/**
 * A cache on one or several servers, or stand-alone in this process's memory. `store`, `retrieve` and
 * `retrieveOrStore` are the methods that matter.
 *
 * A stand-alone client keeps the values themselves, of any kind but promises, unless its option `copies` is true. A client with
 * servers sends copies: of primitive values but symbols, arrays, plain objects, dates (`Temporal` too), maps, sets, regular
 * expressions, URLs, errors, `Headers`, array buffers and their views, or of what its `codec` encodes. With the option `near` it
 * keeps copies of what it has retrieved, and hands out the same object each time. A server that is down, slow or hostile makes `retrieve` a miss and `store` false within the
 * time-out. No call waits longer, and a call rejects only on misuse (a bad key, ttl or value) and if Deno's permissions do not
 * allow this process to reach a server (a `CacheError`).
 *
 * A connection with no call under way does not keep the process alive.
 *
 * @example
 * ```ts
 * import { OrmucoCacheClient } from "@ormuco/cache/client";
 *
 * await using cache = new OrmucoCacheClient({ servers: ["127.0.0.1:11142"], onError: console.error });
 *
 * export function page(path: string): Promise<string> {
 *   const load = async () => await (await fetch(`https://example.com${path}`)).text();
 *   return cache.retrieveOrStore(path, load, { ttlMs: 60_000 }); // a minute old at most
 * }
 * ```
 */
export class OrmucoCacheClient implements OrmucoCache {
  readonly #cache: MemoryCache | RemoteCache;
  readonly #remote: RemoteCache | undefined;

  /**
   * Makes a client; it connects with its first call.
   *
   * @param options Servers, time-out and defaults. Without this argument they come from the environment and `.env`
   * (`SERVER_HOST`, `SERVER_PORT`, `NETWORK_TIMEOUT`, `AUTH_TOKEN`, `AUTH_TOKEN_FILE`, `CACHE_MAX_SIZE`,
   * `CACHE_EXPIRATION`, `CACHE_RENEW_ON_HIT`, `TLS`, `TLS_CA`, `TLS_CERT`, `TLS_KEY`), each of which may begin with `ORMUCO_`:
   * where one does, those that do not are taken for the program's own.
   * @throws {RangeError} If an option or variable is not allowed, or Deno does not permit reading the variables.
   * @throws {TypeError} If there is no option of that name, or one is no array or object that has to be.
   */
  constructor(options: ClientOptions = environmentOptions()) {
    const resolved = resolveClientOptions(options);
    this.#remote = resolved.servers.length === 0 ? undefined : new RemoteCache(resolved);
    this.#cache = this.#remote ?? new MemoryCache(resolved);
  }

  /**
   * Asks a server whether it is there: call it at the start of a program, so that a wrong address is not a miss for ever.
   * A stand-alone client has nobody to ask.
   *
   * @throws {CacheError} If no server can be used; the message says why, and what answers instead, as in "no greeting within
   * 1000 ms: is an Ormuco Cache server there?; what answers at 127.0.0.1:80 speaks HTTP".
   */
  ping(): Promise<void> {
    return this.#cache.ping();
  }

  /**
   * Stores a value.
   *
   * A value that is refused, by `false` or by an error, leaves no older value under its key. After a failure of the server
   * (a time-out, a lost connection) it is not known what is there: the new value, the older one or none.
   *
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @param data The value to store.
   * @param options The entry's own time to live, and whether a hit restarts it.
   * @returns Whether the value was stored; `false` if the server failed or refused.
   * @throws {TypeError} If the value is a promise; with servers or `copies`, also if it holds something that cannot be sent (a
   * function, a symbol, a cycle, a class instance): the message names the path to it. With a `codec`, what that throws.
   * @throws {RangeError} If the key or the time to live is out of range; with servers or `copies`, also if the value is nested
   * deeper than 256 levels, has too many parts, or would take more than half a second to read.
   */
  store(key: string, data: unknown, options?: StoreValueOptions): Promise<boolean> {
    return this.#cache.store(key, data, options);
  }

  /**
   * Retrieves the value of a key. A hit makes the entry the most recently used and, by default, restarts its time to
   * live. With the option `near` a value that is kept in this process is returned without a question to the server: the same object as
   * before, unless `near.copies` is true.
   *
   * @typeParam T Type of the value that was stored; it is not checked.
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @returns The value, or `undefined` on a miss; a server that fails is a miss.
   * @throws {RangeError} If the key is empty, longer than 4,096 bytes, or not well-formed text.
   */
  retrieve<T = unknown>(key: string): Promise<T | undefined> {
    return this.#cache.retrieve(key);
  }

  /**
   * Returns the value of a key or, if there is none that is fresh, what `compute` returns, which it stores.
   *
   * Callers of one key in this process share one computation, and are given the same value: what one of them changes in an object,
   * the others see. An error reaches all of them and is not kept. With servers that fail the value is computed, and given without
   * being stored; `staleWhileRevalidateMs` and `staleIfErrorMs` have an effect in a stand-alone client.
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
   * import { OrmucoCacheClient } from "@ormuco/cache/client";
   *
   * await using cache = new OrmucoCacheClient({});
   * const slow = () => Promise.resolve(42); // your slow work
   * await Promise.all([cache.retrieveOrStore("k", slow), cache.retrieveOrStore("k", slow)]); // [42, 42], computed once
   * ```
   */
  retrieveOrStore<T>(
    key: string,
    compute: (context: ComputeContext) => T | Promise<T>,
    options?: RetrieveOrStoreOptions,
  ): Promise<T> {
    return this.#cache.retrieveOrStore(key, compute, options);
  }

  /**
   * Retrieves the values of many keys, each as `retrieve` does, with one request to the server per 1,024 keys.
   *
   * @typeParam T Type of the value that was stored; it is not checked.
   * @param keys The keys, each of 1 to 4,096 bytes as UTF-8; a key that comes twice counts once.
   * @returns The values found, by key; a key without an entry is absent.
   * @throws {RangeError} If a key is empty, longer than 4,096 bytes, or not well-formed text.
   * @throws {TypeError} If the keys are no list, but one text.
   */
  retrieveMany<T = unknown>(keys: Iterable<string>): Promise<Map<string, T>> {
    return this.#cache.retrieveMany(keys);
  }

  /**
   * Tells whether a key has an entry. Unlike `retrieve`, it does not count as a hit of the entry.
   *
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @returns Whether the key has an entry; `false` if the server failed.
   * @throws {RangeError} If the key is empty, longer than 4,096 bytes, or not well-formed text.
   */
  has(key: string): Promise<boolean> {
    return this.#cache.has(key);
  }

  /**
   * Removes the entry of a key.
   *
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @returns Whether there was an entry; `false` if the server failed.
   * @throws {RangeError} If the key is empty, longer than 4,096 bytes, or not well-formed text.
   */
  remove(key: string): Promise<boolean> {
    return this.#cache.remove(key);
  }

  /**
   * Removes every entry of the server and its peers, or of the stand-alone client's memory.
   *
   * @returns Whether the entries were removed; `false` if the server failed.
   */
  clear(): Promise<boolean> {
    return this.#cache.clear();
  }

  /**
   * Has the server connect to one of its peers no more, which has left for good, until the server is started again. The client needs
   * the role admin.
   *
   * @param address The peer's address, as the server's statistics show it.
   * @returns Whether there was such a peer; `false` if it is connected, or the server failed.
   */
  async forgetPeer(address: string): Promise<boolean> {
    return await this.#remote?.forgetPeer(address) ?? false;
  }

  /**
   * Returns counters of this client and, if there is a server, the server's statistics.
   *
   * @returns The statistics.
   */
  stats(): Promise<ClientStats> {
    return this.#cache.stats();
  }

  /**
   * Waits for the calls under way, `timeoutMs` at most, and ends the connection: later calls fail. On a stand-alone
   * client it has no effect.
   */
  close(): Promise<void> {
    return this.#cache.close();
  }

  /** Shows servers, limits and counters in a debugger. */
  [INSPECT](
    inspect: (value: unknown, options?: Record<string, unknown>) => string,
    options?: Record<string, unknown>,
  ): string {
    return inspected("OrmucoCacheClient", this.#cache.facts, inspect, options);
  }

  /** Calls {@linkcode OrmucoCacheClient.close}; `await using` needs it. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
