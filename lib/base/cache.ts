/** The interface of every cache of this package, in memory or on a server. It holds nothing itself. */

import type { ClientStats } from "./stats.ts";

/** Options that every call of an {@linkcode OrmucoCache} takes: how long it may last, and what ends it. */
export interface CallOptions {
  /**
   * Milliseconds after which this call to a server counts as failed, more than 0 and below 2³⁰. Without a server it has no effect. What
   * it is more than the client's own, it does not add to an attempt to connect.
   *
   * @default {the client's own `timeoutMs`}
   */
  timeoutMs?: number;
  /**
   * Ends the call when it is aborted: it rejects with its reason. What a server has been asked by then, it may still do.
   *
   * @default {none}
   */
  signal?: AbortSignal;
}

/** Options of calls that store an entry. */
export interface EntryOptions extends CallOptions {
  /** Milliseconds until this entry expires, instead of the cache's default; 0 or `Infinity` means never. */
  ttlMs?: number;
  /**
   * `false`: a hit does not restart this entry's time to live, so that it expires `ttlMs` after it was stored, however much it is
   * asked for. `true`, the default, leaves that to the cache, which restarts it unless its own `renewOnHit` is false.
   */
  renewOnHit?: boolean;
}

/** Options of {@linkcode OrmucoCache.store}. */
export interface StoreValueOptions extends EntryOptions {
  /**
   * Stores only where the key has no entry (`"absent"`), where it has one (`"present"`), or where its entry is of a version that
   * {@linkcode OrmucoCache.retrieveEntry} has given. Else nothing changes, and `store` resolves to `false`. No other call comes in between,
   * on one server; of two stores at once on two servers that are peers, the last one wins. A call that has failed, by a time-out say, resolves to
   * `false` too, though the value may be there.
   *
   * @default {always}
   */
  onlyIf?: "absent" | "present" | number;
}

/** Options of {@linkcode OrmucoCache.increment}. */
export interface IncrementOptions extends CallOptions {
  /**
   * The number with which an entry is made where the key has none: a whole number from 0 to 2⁶⁴ − 1.
   *
   * @default {none is made}
   */
  initial?: number | bigint;
  /** Milliseconds until an entry that is made expires, which no hit puts off, instead of the cache's default; 0 or `Infinity` means never. */
  ttlMs?: number;
}

/** Options of {@linkcode OrmucoCache.keys}. */
export interface KeysOptions extends CallOptions {
  /**
   * Only keys that begin with this text.
   *
   * @default {""}
   */
  prefix?: string;
}

/** An entry, as {@linkcode OrmucoCache.retrieveEntry} gives it. */
export interface RetrievedEntry<T> {
  /** The value. */
  value: T;
  /** Milliseconds until it expires if nobody asks for it again, from when it was read; `Infinity` if it never does. */
  remainingMs: number;
  /** A number that every change of the entry changes, for {@linkcode StoreValueOptions.onlyIf}: of a server, what memcached calls CAS. */
  version: number;
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
 * import { type OrmucoCache, OrmucoCacheClient, OrmucoCacheServer } from "@ormuco/cache";
 *
 * async function visits(cache: OrmucoCache, page: string): Promise<number | bigint | undefined> {
 *   return await cache.increment(page, 1, { initial: 1 });
 * }
 * await visits(new OrmucoCacheClient({}), "home"); // 1
 * await visits(new OrmucoCacheServer({ listen: 0 }).cache, "home"); // 1
 * ```
 */
export interface OrmucoCache extends AsyncDisposable {
  /**
   * Stores a value.
   *
   * A value that is refused, by `false` or by an error, leaves no older value under its key, so that nobody goes on with one
   * that is no longer right (but with `onlyIf`, which changes nothing then). Where a server failed
   * it is not known what is there: the new value, the older one or none.
   *
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @param data The value to store.
   * @param options The entry's own time to live, whether a hit restarts it, and what has to be there.
   * @returns Whether the value was stored; `false` if it was refused, if what `onlyIf` asks for is not so, or if a server failed.
   * @throws {RangeError} If the key or the time to live is out of range, or the value is nested too deep for a
   * server, or would cost too much to read.
   * @throws {TypeError} If the value is a promise, or holds something that a server cannot keep.
   * @throws {CacheError} `refused`, only with `onlyIf`, if the value is larger than a server takes: whoever tries again on `false` would
   * do so for ever.
   *
   * @example
   * ```ts
   * import { OrmucoCacheClient } from "@ormuco/cache";
   *
   * const cache = new OrmucoCacheClient({});
   * await cache.store("user:1", { name: "Ada" }, { ttlMs: 60_000, renewOnHit: false }); // gone in a minute
   * console.log(await cache.store("user:1", { name: "Grace" }, { onlyIf: "absent" })); // false
   * ```
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
   *
   * @example
   * ```ts
   * import { OrmucoCacheClient } from "@ormuco/cache";
   *
   * const cache = new OrmucoCacheClient({});
   * await cache.store("user:1", { name: "Ada" });
   * console.log((await cache.retrieve<{ name: string }>("user:1"))?.name); // Ada
   * console.log(await cache.retrieve("user:2")); // undefined
   * ```
   */
  retrieve<T = unknown>(key: string, options?: CallOptions): Promise<T | undefined>;
  /**
   * Retrieves the value of a key as `retrieve` does, and what is known of its entry.
   *
   * @typeParam T Type of the value that was stored; it is not checked.
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @param options For how long the call may last.
   * @returns The value, how long it remains, and its version; `undefined` on a miss.
   * @throws {RangeError} If the key is out of range.
   *
   * @example
   * ```ts
   * import { OrmucoCacheClient } from "@ormuco/cache";
   *
   * const cache = new OrmucoCacheClient({});
   * async function append(key: string, item: string): Promise<void> {
   *   while (true) {
   *     const entry = await cache.retrieveEntry<string[]>(key);
   *     if (entry === undefined) return; // there is no list, or no server
   *     if (await cache.store(key, [...entry.value, item], { onlyIf: entry.version })) return;
   *   }
   * }
   * await cache.store("list", ["a"]);
   * await Promise.all([append("list", "b"), append("list", "c")]);
   * console.log(await cache.retrieve("list")); // [ "a", "b", "c" ]
   * ```
   */
  retrieveEntry<T = unknown>(key: string, options?: CallOptions): Promise<RetrievedEntry<T> | undefined>;
  /**
   * Retrieves the value of a key and removes its entry: of callers at once, one server gives it to one of them. Where the
   * call fails, or the value cannot be read here (as without the codec that has encoded it), the entry may be gone all the
   * same.
   *
   * @typeParam T Type of the value that was stored; it is not checked.
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @param options For how long the call may last.
   * @returns The value, or `undefined` on a miss.
   * @throws {RangeError} If the key is out of range.
   *
   * @example
   * ```ts
   * import { OrmucoCacheClient } from "@ormuco/cache";
   *
   * const cache = new OrmucoCacheClient({});
   * await cache.store("code:ada", 4711);
   * console.log(await cache.take("code:ada"), await cache.take("code:ada")); // 4711 undefined
   * ```
   */
  take<T = unknown>(key: string, options?: CallOptions): Promise<T | undefined>;
  /**
   * Returns the value of a key or, if there is none that is fresh, what `compute` returns, which it stores.
   *
   * Callers of one key in this process share one computation, and are given the same value: what one of them changes in an object,
   * the others see. It is stored before they are given it, unless a call of this cache that stores, takes, adds to, removes
   * or clears the key has come since the computation began: then they are given it, and it is not stored. An error reaches
   * all of them and is not kept: the next caller computes. `undefined` is a value like any other, and a hit the next time. A
   * computation must not wait for its own key.
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
   * import { OrmucoCacheClient } from "@ormuco/cache";
   *
   * const cache = new OrmucoCacheClient({});
   * const load = async (url: string, signal: AbortSignal) => await (await fetch(url, { signal })).text();
   * const page = (url: string) =>
   *   cache.retrieveOrStore(url, ({ signal }) => load(url, signal), { ttlMs: 60_000, timeoutMs: 5_000 });
   * console.log(await page("data:,hello")); // hello
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
   *
   * @example
   * ```ts
   * import { OrmucoCacheClient } from "@ormuco/cache";
   *
   * const cache = new OrmucoCacheClient({});
   * await cache.storeMany([["apple", 3], ["pear", 4]]);
   * const found = await cache.retrieveMany<number>(["apple", "plum"]);
   * console.log(found.get("apple"), found.has("plum")); // 3 false
   * ```
   */
  retrieveMany<T = unknown>(keys: Iterable<string>, options?: CallOptions): Promise<Map<string, T>>;
  /**
   * Stores many values, each as `store` does, with as few requests to a server as will do.
   *
   * @param entries Pairs of key and value, as a `Map` has them; of a key that comes twice, the last value counts.
   * @param options The entries' own time to live, and whether a hit restarts it.
   * @returns Whether all were stored; `false` if a value was refused, or if a server failed.
   * @throws {RangeError} If a key or the time to live is out of range, or `store` would throw this for a value: then none is stored.
   * @throws {TypeError} If the entries are no list of pairs, or `store` would throw this for a value: then none is stored.
   *
   * @example
   * ```ts
   * import { OrmucoCacheClient } from "@ormuco/cache";
   *
   * const cache = new OrmucoCacheClient({});
   * await cache.storeMany(Object.entries({ apple: 3, pear: 4 }), { ttlMs: 60_000 });
   * console.log(await cache.retrieve("pear")); // 4
   * ```
   */
  storeMany(entries: Iterable<readonly [string, unknown]>, options?: EntryOptions): Promise<boolean>;
  /**
   * Tells whether a key has an entry. Unlike `retrieve`, it does not count as a hit of the entry.
   *
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @returns Whether the key has an entry; `false` if a server failed.
   * @throws {RangeError} If the key is out of range.
   *
   * @example
   * ```ts
   * import { OrmucoCacheClient } from "@ormuco/cache";
   *
   * const cache = new OrmucoCacheClient({});
   * await cache.store("k", undefined);
   * console.log(await cache.retrieve("k"), await cache.has("k")); // undefined true
   * ```
   */
  has(key: string, options?: CallOptions): Promise<boolean>;
  /**
   * Restarts the time to live of an entry, or gives it another, without its value. It makes the entry the most recently used.
   *
   * Of what `retrieveOrStore` keeps for longer than it is fresh (`stale…Ms`) a server no longer knows the time to live: without
   * `ttlMs` its times stay as they are, and with `ttlMs` it is kept for no longer than that.
   *
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @param ttlMs Milliseconds until the entry expires, 0 or `Infinity` for never; by default, its own time to live.
   * @param options For how long the call may last.
   * @returns Whether the key has an entry; `false` if a server failed.
   * @throws {RangeError} If the key or the time to live is out of range.
   *
   * @example
   * ```ts
   * import { OrmucoCacheClient } from "@ormuco/cache";
   *
   * const cache = new OrmucoCacheClient({});
   * await cache.store("session", "Ada", { ttlMs: 60_000 });
   * await cache.touch("session"); // a minute from now on
   * await cache.touch("session", 3_600_000); // an hour
   * console.log(await cache.touch("other")); // false
   * ```
   */
  touch(key: string, ttlMs?: number, options?: CallOptions): Promise<boolean>;
  /**
   * Adds to a number, in one step on one server: none is lost of additions at once. (Of additions at once on two servers that are
   * peers, one is lost.)
   *
   * An entry counts if it was made so, by a memcached client, or by storing a whole number from 0 to 2⁵³ − 1 or text of 1 to 20 digits.
   * Below 0 it stays 0, above 2⁶⁴ − 1 it begins again at 0, as memcached's do. Its time to live goes on as it was.
   *
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @param by What is added: a whole number from −2⁶⁴ + 1 to 2⁶⁴ − 1; 1 by default.
   * @param options What is made where the key has no entry.
   * @returns The number after that, also what `retrieve` gives from then on: a bigint above 2⁵³ − 1. `undefined` if the key has no
   * entry and `initial` is not given, or if a server failed.
   * @throws {RangeError} If the key, `by` or an option is out of range.
   * @throws {CacheError} `refused` if the entry holds something else.
   *
   * @example
   * ```ts
   * import { OrmucoCacheClient } from "@ormuco/cache";
   *
   * const cache = new OrmucoCacheClient({});
   * async function mayLogIn(user: string): Promise<boolean> {
   *   const tries = await cache.increment(`tries:${user}`, 1, { initial: 1, ttlMs: 60_000 });
   *   return tries === undefined || tries <= 2; // no server: let them in
   * }
   * console.log(await mayLogIn("ada"), await mayLogIn("ada"), await mayLogIn("ada")); // true true false
   * ```
   */
  increment(key: string, by?: number | bigint, options?: IncrementOptions): Promise<number | bigint | undefined>;
  /**
   * Removes the entry of a key.
   *
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @returns Whether there was an entry; `false` if a server failed.
   * @throws {RangeError} If the key is out of range.
   *
   * @example
   * ```ts
   * import { OrmucoCacheClient } from "@ormuco/cache";
   *
   * const cache = new OrmucoCacheClient({});
   * await cache.store("k", 1);
   * console.log(await cache.remove("k"), await cache.remove("k")); // true false
   * ```
   */
  remove(key: string, options?: CallOptions): Promise<boolean>;
  /**
   * Removes the entries of many keys, with as few requests to a server as will do.
   *
   * @param keys The keys, each of 1 to 4,096 bytes as UTF-8; a key that comes twice counts once.
   * @param options For how long the call may last.
   * @returns How many of them had an entry; 0 if a server failed.
   * @throws {RangeError} If a key is out of range: then none is removed.
   * @throws {TypeError} If the keys are no list, but one text.
   *
   * @example
   * ```ts
   * import { OrmucoCacheClient } from "@ormuco/cache";
   *
   * const cache = new OrmucoCacheClient({});
   * await cache.storeMany([["apple", 3], ["pear", 4]]);
   * console.log(await cache.removeMany(["apple", "pear", "plum"])); // 2
   * ```
   */
  removeMany(keys: Iterable<string>, options?: CallOptions): Promise<number>;
  /**
   * Gives the keys of all entries, in no order. A key that has an entry from the beginning to the end comes exactly once; one
   * that is stored or removed meanwhile may come or not. They are fetched a slice at a time, and nobody waits for it.
   *
   * @param options Which keys, and for how long each request of it may last.
   * @returns The keys. Iterating rejects with a {@linkcode CacheError} if a server fails: what has come is not all. Keys that other
   * programs have stored and that are no UTF-8 are left out.
   *
   * @example
   * ```ts
   * import { OrmucoCacheClient } from "@ormuco/cache";
   *
   * const cache = new OrmucoCacheClient({});
   * await cache.storeMany([["users:ada", 1], ["other", 2]]);
   * for await (const key of cache.keys({ prefix: "users:" })) console.log(key); // users:ada
   * ```
   */
  keys(options?: KeysOptions): AsyncIterable<string>;
  /**
   * Removes every entry.
   *
   * @returns Whether the entries were removed; `false` if a server failed.
   *
   * @example
   * ```ts
   * import { OrmucoCacheClient } from "@ormuco/cache";
   *
   * const cache = new OrmucoCacheClient({});
   * await cache.store("k", 1);
   * console.log(await cache.clear(), await cache.has("k")); // true false
   * ```
   */
  clear(options?: CallOptions): Promise<boolean>;
  /**
   * Returns a cache of the same entries whose keys all begin with a text: what it stores under `"1"` is here under `"users:1"`. Its
   * `clear` removes only those, at once, however many there are, on all peers and in all near copies; its `keys` leave the text out; its
   * `stats` and `ping` are those of this cache; and its `close` does nothing.
   *
   * @param prefix Text of 1 to 4,095 bytes as UTF-8, which counts as part of each key.
   * @returns The cache.
   * @throws {RangeError} If the prefix is out of range.
   *
   * @example
   * ```ts
   * import { OrmucoCacheClient } from "@ormuco/cache";
   *
   * const cache = new OrmucoCacheClient({});
   * const users = cache.namespace("users:");
   * await users.store("1", "Ada");
   * console.log(await cache.retrieve("users:1")); // Ada
   * await users.clear(); // and nothing else is gone
   * ```
   */
  namespace(prefix: string): OrmucoCache;
  /**
   * Returns counters of the calls made through this cache and, if there is a server, the server's statistics.
   *
   * @returns The statistics.
   *
   * @example
   * ```ts
   * import { OrmucoCacheClient } from "@ormuco/cache";
   *
   * const cache = new OrmucoCacheClient({});
   * await cache.store("k", 1);
   * await cache.retrieve("k");
   * const { hits, misses, stores } = await cache.stats();
   * console.log(hits, misses, stores); // 1 0 1
   * ```
   */
  stats(): Promise<ClientStats>;
  /**
   * Resolves if the cache can be used: at the start of a program, so that a wrong address is not a miss for ever. Only a client with
   * servers has anybody to ask.
   *
   * @throws {CacheError} If no server can be used; the message says why.
   *
   * @example
   * ```ts
   * import { CacheError, OrmucoCacheClient } from "@ormuco/cache";
   *
   * await using cache = new OrmucoCacheClient({ servers: ["127.0.0.1:11142"] });
   * await cache.ping(); // the server answers
   *
   * await using lost = new OrmucoCacheClient({ servers: ["127.0.0.1:1"] });
   * await lost.ping().catch((error: CacheError) => console.log(error.code)); // unreachable
   * ```
   */
  ping(options?: CallOptions): Promise<void>;
  /**
   * Waits for the calls under way and ends the connection, if the cache has one.
   *
   * @example
   * ```ts
   * import { OrmucoCacheClient } from "@ormuco/cache";
   *
   * const cache = new OrmucoCacheClient({ servers: ["127.0.0.1:11142"] });
   * const stored = cache.store("k", 1);
   * await cache.close(); // `await using` does this at the end of a scope
   * console.log(await stored, await cache.store("k", 2)); // true false
   * ```
   */
  close(): Promise<void>;
}
