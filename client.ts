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

import type {
  CallOptions,
  ComputeContext,
  EntryOptions,
  IncrementOptions,
  KeysOptions,
  OrmucoCache,
  RetrievedEntry,
  RetrieveOrStoreOptions,
  StoreValueOptions,
} from "./lib/base/cache.ts";
import type { KeyExplanation } from "./lib/base/explanation.ts";
import type { ServerInsight } from "./lib/base/insight.ts";
import { INSPECT, inspected } from "./lib/base/inspect.ts";
import type { ClientStats } from "./lib/base/stats.ts";
import { environmentOptions } from "./lib/client/environment_options.ts";
import { MemoryCache } from "./lib/client/memory_cache.ts";
import { type ClientOptions, resolveClientOptions } from "./lib/client/options.ts";
import { RemoteCache } from "./lib/client/remote_cache.ts";
import { traced, type TracedCache } from "./lib/client/traced_cache.ts";

export type {
  CallOptions,
  ComputeContext,
  EntryOptions,
  IncrementOptions,
  KeysOptions,
  OrmucoCache,
  RetrievedEntry,
  RetrieveOrStoreOptions,
  StoreValueOptions,
} from "./lib/base/cache.ts";
export type { CacheEvent } from "./lib/base/cache_event.ts";
export { CacheError, type CacheErrorCode, type CacheErrorOptions } from "./lib/base/errors.ts";
export type { KeyExplanation } from "./lib/base/explanation.ts";
export type { HitEstimates, HotKey, ServerInsight } from "./lib/base/insight.ts";
export type { ClientStats, GossipTotals, MissCounts, NearCopyStats, PeerStats, ServerStats } from "./lib/base/stats.ts";
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
 * keeps copies of what it has retrieved, and hands out the same object each time. A server that is down, slow or hostile makes
 * `retrieve` a miss and `store` false within the
 * time-out. No call waits longer, unless its option `timeoutMs` says so, and a call rejects only on misuse (a bad key, ttl or value), if
 * its `signal` is aborted, and if Deno's permissions do not allow this process to reach a server (a `CacheError`); `ping`, `keys` and
 * `increment` say what else they reject with.
 *
 * A connection with no call under way does not keep the process alive. Where OpenTelemetry is on (`OTEL_DENO=true`), each call to servers
 * and each computation is a span: docs/events.md.
 *
 * @example
 * ```ts
 * import { OrmucoCacheClient } from "@ormuco/cache/client";
 *
 * await using cache = new OrmucoCacheClient({ servers: ["127.0.0.1:11142"], onError: console.error });
 * const page = (url: string) => {
 *   const load = async () => await (await fetch(url)).text();
 *   return cache.retrieveOrStore(url, load, { ttlMs: 60_000 }); // a minute old at most
 * };
 * console.log(await page("data:,hello")); // hello
 * ```
 */
export class OrmucoCacheClient implements OrmucoCache {
  readonly #cache: MemoryCache | RemoteCache | TracedCache;
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
    this.#cache = this.#remote === undefined ? new MemoryCache(resolved) : traced(this.#remote);
  }

  /**
   * Asks a server whether it is there: call it at the start of a program, so that a wrong address is not a miss for ever.
   * A stand-alone client has nobody to ask.
   *
   * @param options For how long it may last, and what ends it; where no server answers, it lasts as long again to find out what does.
   * @throws {CacheError} If no server can be used; the message says why, and what answers instead, as in "no greeting within
   * 1000 ms: is an Ormuco Cache server there?; what answers at 127.0.0.1:80 speaks HTTP".
   */
  ping(options?: CallOptions): Promise<void> {
    return this.#cache.ping(options);
  }

  /**
   * Stores a value.
   *
   * A value that is refused, by `false` or by an error, leaves no older value under its key; with `onlyIf` only one that the server
   * refuses does. After a failure of the server (a time-out, a lost connection) it is not known what is there: the new value, the older one or none.
   *
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @param data The value to store.
   * @param options The entry's own time to live, whether a hit restarts it, and what has to be there.
   * @returns Whether the value was stored; `false` if the server failed or refused, or if what `onlyIf` asks for is not so.
   * @throws {TypeError} If the value is a promise; with servers or `copies`, also if it holds something that cannot be sent (a
   * function, a symbol, a cycle, a class instance): the message names the path to it. With a `codec`, what that throws.
   * @throws {RangeError} If the key or the time to live is out of range; with servers or `copies`, also if the value is nested
   * deeper than 256 levels, has too many parts, or would take more than half a second to read.
   *
   * @example
   * ```ts
   * import { OrmucoCacheClient } from "@ormuco/cache/client";
   *
   * await using cache = new OrmucoCacheClient({});
   * await cache.store("lock", "mine", { onlyIf: "absent", ttlMs: 10_000 }); // true, and false while it is there
   * ```
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
   * @param options For how long the call may last, and what ends it.
   * @returns The value, or `undefined` on a miss; a server that fails is a miss.
   * @throws {RangeError} If the key is empty, longer than 4,096 bytes, or not well-formed text.
   *
   * @example
   * ```ts
   * import { OrmucoCacheClient } from "@ormuco/cache/client";
   *
   * await using cache = new OrmucoCacheClient({ servers: ["127.0.0.1:11142"] });
   * await cache.retrieve("page", { timeoutMs: 20 }); // a miss after 20 ms, while other calls have the client's time
   * ```
   */
  retrieve<T = unknown>(key: string, options?: CallOptions): Promise<T | undefined> {
    return this.#cache.retrieve(key, options);
  }

  /**
   * Retrieves the value of a key, from the server, and what is known of its entry.
   *
   * @typeParam T Type of the value that was stored; it is not checked.
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @param options For how long the call may last, and what ends it.
   * @returns The value, how long it remains, and its version; `undefined` on a miss.
   * @throws {RangeError} If the key is out of range.
   *
   * @example
   * ```ts
   * import { OrmucoCacheClient } from "@ormuco/cache/client";
   *
   * await using cache = new OrmucoCacheClient({});
   * const entry = await cache.retrieveEntry<string[]>("list");
   * if (entry !== undefined) await cache.store("list", [...entry.value, "new"], { onlyIf: entry.version });
   * ```
   */
  retrieveEntry<T = unknown>(key: string, options?: CallOptions): Promise<RetrievedEntry<T> | undefined> {
    return this.#cache.retrieveEntry(key, options);
  }

  /**
   * Retrieves the value of a key and removes its entry: of callers at once, one server gives it to one of them.
   *
   * @typeParam T Type of the value that was stored; it is not checked.
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @param options For how long the call may last, and what ends it.
   * @returns The value, or `undefined` on a miss.
   * @throws {RangeError} If the key is out of range.
   *
   * @example
   * ```ts
   * import { OrmucoCacheClient } from "@ormuco/cache/client";
   *
   * await using cache = new OrmucoCacheClient({});
   * await cache.store("code:ada", 4711);
   * await cache.take("code:ada"); // 4711, and undefined from then on
   * ```
   */
  take<T = unknown>(key: string, options?: CallOptions): Promise<T | undefined> {
    return this.#cache.take(key, options);
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
   * @param options For how long the call may last, and what ends it.
   * @returns The values found, by key; a key without an entry is absent.
   * @throws {RangeError} If a key is empty, longer than 4,096 bytes, or not well-formed text.
   * @throws {TypeError} If the keys are no list, but one text.
   */
  retrieveMany<T = unknown>(keys: Iterable<string>, options?: CallOptions): Promise<Map<string, T>> {
    return this.#cache.retrieveMany(keys, options);
  }

  /**
   * Stores many values, each as `store` does, with one request to the server per 1,024 of them or 1 MiB.
   *
   * @param entries Pairs of key and value, as a `Map` has them; of a key that comes twice, the last value counts.
   * @param options The entries' own time to live, and whether a hit restarts it.
   * @returns Whether all were stored; `false` if a value was refused, or if the server failed.
   * @throws {RangeError} If a key or the time to live is out of range, or `store` would throw this for a value: then none is stored.
   * @throws {TypeError} If the entries are no list of pairs, or `store` would throw this for a value: then none is stored.
   *
   * @example
   * ```ts
   * import { OrmucoCacheClient } from "@ormuco/cache/client";
   *
   * await using cache = new OrmucoCacheClient({});
   * await cache.storeMany(new Map([["apple", 3], ["pear", 4]]), { ttlMs: 60_000 }); // true
   * await cache.storeMany(Object.entries({ plum: 5, fig: 6 })); // true
   * ```
   */
  storeMany(entries: Iterable<readonly [string, unknown]>, options?: EntryOptions): Promise<boolean> {
    return this.#cache.storeMany(entries, options);
  }

  /**
   * Tells whether a key has an entry. Unlike `retrieve`, it does not count as a hit of the entry.
   *
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @param options For how long the call may last, and what ends it.
   * @returns Whether the key has an entry; `false` if the server failed.
   * @throws {RangeError} If the key is empty, longer than 4,096 bytes, or not well-formed text.
   */
  has(key: string, options?: CallOptions): Promise<boolean> {
    return this.#cache.has(key, options);
  }

  /**
   * Restarts the time to live of an entry, or gives it another, without its value.
   *
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @param ttlMs Milliseconds until the entry expires, 0 or `Infinity` for never; by default, its own time to live.
   * @param options For how long the call may last, and what ends it.
   * @returns Whether the key has an entry; `false` if the server failed.
   * @throws {RangeError} If the key or the time to live is out of range.
   *
   * @example
   * ```ts
   * import { OrmucoCacheClient } from "@ormuco/cache/client";
   *
   * await using cache = new OrmucoCacheClient({});
   * await cache.store("session", "Ada", { ttlMs: 60_000 });
   * await cache.touch("session"); // true: a minute from now on
   * await cache.touch("session", 3_600_000); // true: an hour
   * ```
   */
  touch(key: string, ttlMs?: number, options?: CallOptions): Promise<boolean> {
    return this.#cache.touch(key, ttlMs, options);
  }

  /**
   * Adds to a number, in one step on one server. Below 0 it stays 0, above 2⁶⁴ − 1 it begins again at 0; its time to live goes on.
   *
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @param by What is added: a whole number from −2⁶⁴ + 1 to 2⁶⁴ − 1; 1 by default.
   * @param options What is made where the key has no entry.
   * @returns The number after that: a bigint above 2⁵³ − 1. `undefined` if the key has no entry and `initial` is not given, or if the
   * server failed.
   * @throws {RangeError} If the key, `by` or an option is out of range.
   * @throws {CacheError} `refused` if the entry holds something else.
   *
   * @example
   * ```ts
   * import { OrmucoCacheClient } from "@ormuco/cache/client";
   *
   * await using cache = new OrmucoCacheClient({});
   * await cache.increment("tries:ada", 1, { initial: 1, ttlMs: 60_000 }); // 1, which is made, and is gone in a minute
   * await cache.increment("tries:ada"); // 2
   * await cache.increment("tries:ada", -5); // 0
   * ```
   */
  increment(key: string, by?: number | bigint, options?: IncrementOptions): Promise<number | bigint | undefined> {
    return this.#cache.increment(key, by, options);
  }

  /**
   * Removes the entry of a key.
   *
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @param options For how long the call may last, and what ends it.
   * @returns Whether there was an entry; `false` if the server failed.
   * @throws {RangeError} If the key is empty, longer than 4,096 bytes, or not well-formed text.
   */
  remove(key: string, options?: CallOptions): Promise<boolean> {
    return this.#cache.remove(key, options);
  }

  /**
   * Removes the entries of many keys, with one request to the server per 1,024 of them.
   *
   * @param keys The keys, each of 1 to 4,096 bytes as UTF-8; a key that comes twice counts once.
   * @param options For how long the call may last, and what ends it.
   * @returns How many of them had an entry; those of which the server has not told, because it failed, are not counted.
   * @throws {RangeError} If a key is out of range: then none is removed.
   * @throws {TypeError} If the keys are no list, but one text.
   *
   * @example
   * ```ts
   * import { OrmucoCacheClient } from "@ormuco/cache/client";
   *
   * await using cache = new OrmucoCacheClient({});
   * await cache.storeMany([["apple", 3], ["pear", 4]]);
   * await cache.removeMany(["apple", "pear", "plum"]); // 2
   * ```
   */
  removeMany(keys: Iterable<string>, options?: CallOptions): Promise<number> {
    return this.#cache.removeMany(keys, options);
  }

  /**
   * Gives the keys of all entries, in no order. A key that has an entry from the beginning to the end comes exactly once; one
   * that is stored or removed meanwhile may come or not.
   *
   * @param options Which keys, and for how long each request of it may last.
   * @returns The keys. Iterating rejects with a {@linkcode CacheError} if the server fails, or the connection to it is lost: what has come
   * is not all. Keys that other programs have stored and that are no UTF-8 are left out.
   *
   * @example
   * ```ts
   * import { OrmucoCacheClient } from "@ormuco/cache/client";
   *
   * await using cache = new OrmucoCacheClient({});
   * await cache.storeMany([["users:ada", 1], ["other", 2]]);
   * for await (const key of cache.keys({ prefix: "users:" })) console.log(key); // users:ada
   * ```
   */
  keys(options?: KeysOptions): AsyncIterable<string> {
    return this.#cache.keys(options);
  }

  /**
   * Removes every entry of the server and its peers, or of the stand-alone client's memory.
   *
   * @param options For how long the call may last, and what ends it.
   * @returns Whether the entries were removed; `false` if the server failed.
   */
  clear(options?: CallOptions): Promise<boolean> {
    return this.#cache.clear(options);
  }

  /**
   * Returns a cache of the same entries whose keys all begin with a text. Its `clear` removes only those, at once, however many there
   * are, on all peers; its `close` does nothing.
   *
   * @param prefix Text of 1 to 4,095 bytes as UTF-8, which counts as part of each key.
   * @returns The cache.
   * @throws {RangeError} If the prefix is out of range.
   *
   * @example
   * ```ts
   * import { OrmucoCacheClient } from "@ormuco/cache/client";
   *
   * await using cache = new OrmucoCacheClient({});
   * const users = cache.namespace("users:");
   * await users.store("ada", 1); // users:ada
   * await users.clear(); // true, and nothing else is gone
   * ```
   */
  namespace(prefix: string): OrmucoCache {
    return this.#cache.namespace(prefix);
  }

  /**
   * Has the server connect to one of its peers no more, which has left for good, until the server is started again. The client needs
   * the role admin.
   *
   * @param address The peer's address, as the server's statistics show it.
   * @returns Whether there was such a peer; `false` if it is connected, or the server failed.
   *
   * @example
   * ```ts
   * import { OrmucoCacheClient } from "@ormuco/cache/client";
   *
   * await using cache = new OrmucoCacheClient({ servers: ["127.0.0.1:11142"] });
   * console.log(await cache.forgetPeer("10.0.0.9:11142")); // false
   * ```
   */
  async forgetPeer(address: string): Promise<boolean> {
    return await this.#remote?.forgetPeer(address) ?? false;
  }

  /**
   * Asks the server what it holds of a key, or why it holds nothing: whether the entry has expired, had to leave, was deleted or
   * cleared, and since when. This is no retrieval: it counts nothing, and renews nothing.
   *
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @returns What the server tells; `undefined` if it failed, is of a version that does not tell, or there is none.
   * @throws {RangeError} If the key is out of range.
   *
   * @example
   * ```ts
   * import { OrmucoCacheClient } from "@ormuco/cache/client";
   *
   * await using cache = new OrmucoCacheClient({ servers: ["127.0.0.1:11142"] });
   * await cache.store("my-key", 1);
   * await cache.remove("my-key");
   * console.log((await cache.explain("my-key"))?.state); // deleted
   * ```
   */
  async explain(key: string): Promise<KeyExplanation | undefined> {
    return await this.#remote?.explain(key);
  }

  /**
   * Asks the server which keys are read most, and what more memory would give. A server that nobody has asked for ten minutes begins to
   * count then: it has nothing to tell yet, and tells it when it is asked again. docs/metrics.md says how sure the figures are.
   *
   * @returns What the server has learned from the reads that it has seen; `undefined` if it failed, is of a version that does not tell,
   * or there is none.
   *
   * @example
   * ```ts
   * import { OrmucoCacheClient } from "@ormuco/cache/client";
   *
   * await using cache = new OrmucoCacheClient({ servers: ["127.0.0.1:11142"] });
   * const insight = await cache.insight();
   * insight?.hottestByReads[0]?.key; // the key that is read most
   * insight?.hitRatio?.double; // what part of reads would hit with twice the memory
   * ```
   */
  async insight(): Promise<ServerInsight | undefined> {
    return await this.#remote?.insight();
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
   * Waits for the calls under way, for the client's `timeoutMs` at most, and ends the connection: later calls fail. On a stand-alone
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
