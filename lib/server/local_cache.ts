/**
 * The client's methods on the store of a server in this process, without a socket. It knows values and keys, not what a
 * server is. Its methods return promises, as the client's do, but their work is done when they return, unless
 * that is to read, store or remove values for more than 10 ms.
 */

import {
  checkCallOptions,
  checkIncrement,
  checkKeysOptions,
  checkPairs,
  checkStoreManyOptions,
  checkStoreOptions,
} from "../base/call_checks.ts";
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
} from "../base/cache.ts";
import { CallCounters } from "../base/call_counters.ts";
import { checkKey, checkPrefix, checkTtlMs, uniqueKeys } from "../base/checks.ts";
import { CacheError } from "../base/errors.ts";
import { checkRetrieveOrStore } from "../base/retrieve_or_store.ts";
import type { ByteSpan } from "../base/byte_span.ts";
import { INSPECT, inspected } from "../base/inspect.ts";
import type { CopyLimits } from "../base/near_options.ts";
import type { ClientStats, ServerStats } from "../base/stats.ts";
import { unsignedOf } from "../base/unsigned.ts";
import type { Asked, Lifetime, Question } from "../compute/backend.ts";
import { Computations } from "../compute/computations.ts";
import { Namespace } from "../compute/namespace.ts";
import { CacheEvents } from "../platform/cache_events.ts";
import { processClock } from "../platform/clock.ts";
import { Slices } from "../platform/slices.ts";
import { age, type EntryInput } from "../store/entry.ts";
import { type Condition, fits, increment, isMet } from "../store/steps.ts";
import { ASK } from "../near/near_tier.ts";
import { MISS } from "../wire/calls.ts";
import { decodingUnits } from "../wire/values.ts";
import { keysOf } from "./local_keys.ts";
import { LocalLeases } from "./local_leases.ts";
import { LocalNear } from "./local_near.ts";
import { failureOf, LocalValues } from "./local_values.ts";
import type { LeaseHost } from "./native_leases.ts";

/** Options of {@linkcode LocalCache}. */
export interface LocalCacheOptions extends LeaseHost {
  /** Returns the statistics of the server that the cache belongs to. */
  readonly stats: () => ServerStats;
  /** Limits of near copies; `undefined` where none are kept. */
  readonly near?: CopyLimits;
  /** Encoded bytes over which a value is compressed; `undefined` if none is. */
  readonly compressOverBytes?: number;
  /** Told what happens. */
  readonly events?: CacheEvents;
  /** Makes what divides the reading of many values. */
  readonly slices?: () => Slices;
}

const NO_OPTIONS: CallOptions = {};

/**
 * A cache on the entries that a server in this process holds and shares with its peers, without a socket. Code takes it
 * from {@linkcode OrmucoCacheServer.cache}. Values are copies, as they are with a client of the server; with the server's option
 * `near`, **a value handed out twice is the same object**, as long as the entry does not change.
 *
 * @example
 * ```ts
 * import { OrmucoCacheServer } from "@ormuco/cache";
 *
 * const { cache } = new OrmucoCacheServer({ listen: 0 });
 * await cache.store("colours", ["red", "green"]);
 * console.log(await cache.retrieve("colours")); // [ "red", "green" ]
 * ```
 */
export class LocalCache implements OrmucoCache {
  readonly #options: LocalCacheOptions;
  readonly #calls: CallCounters;
  readonly #values: LocalValues;
  readonly #leases: LocalLeases;
  readonly #near: LocalNear | undefined;
  readonly #computations: Computations;

  /**
   * Makes a cache on a server's store; only a server calls this.
   *
   * @param options The store, and the server's statistics.
   */
  constructor(options: LocalCacheOptions) {
    this.#options = options;
    const { store, near, compressOverBytes, events = new CacheEvents(undefined) } = options;
    this.#calls = new CallCounters(events);
    const values = this.#values = new LocalValues(store, this.#calls, compressOverBytes);
    this.#leases = new LocalLeases(options);
    this.#near = near && new LocalNear(store, near, (key) => values.spanOf(key));
    this.#computations = new Computations({
      ask: (key, question) => this.#ask(key, question),
      fill: (key, value, token, lifetime) => this.#fill(key, value, token, lifetime),
      give: (key, token) => this.#leases.give(values.spanOf(key), token),
      failed: (key, error) => this.#calls.failed(failureOf("compute", "compute", key, error)),
    }, processClock.now);
  }

  /**
   * Stores a value. One that is refused, by `false` or by an error, leaves no older value under its key, but with `onlyIf`, which
   * changes nothing then.
   *
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @param data The value to store.
   * @param options The entry's own time to live, in milliseconds (0 or `Infinity` means never), whether a hit restarts it, and what
   * has to be there (`onlyIf`).
   * @returns Whether the value was stored; `false` if it is larger than 16 MiB or than the server's limit, or what `onlyIf` asks for
   * is not so.
   * @throws {CacheError} `refused` with `onlyIf`, if the value is larger than that.
   * @throws {TypeError} If the value is a promise or holds something that cannot be copied (a function, a symbol, a
   * cycle, a class instance): the message names the path to it.
   * @throws {RangeError} If the key or an option is out of range, or the value is nested deeper than 256 levels,
   * has too many parts, or would take more than 100 ms to read.
   */
  async store(key: string, data: unknown, options?: StoreValueOptions): Promise<boolean> {
    const checked = checkStoreOptions(options);
    checkKey(key);
    checked.signal?.throwIfAborted();
    const { onlyIf } = checked;
    const isStored =
      await (onlyIf === undefined ? this.#set(key, data, checked) : this.#setIf(key, data, checked, onlyIf));
    if (isStored) this.#calls.stored(key);
    return isStored;
  }

  /**
   * Retrieves the value of a key. A hit makes the entry the most recently used and, by default, restarts its time to
   * live.
   *
   * @typeParam T Type of the value that was stored; it is not checked.
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @param options A signal; a time-out has no effect.
   * @returns The value, or `undefined` on a miss; with the server's option `near` **the same object as the last time**, unless
   * `near.copies` is true. A value that cannot be decoded is a miss, as is one that a client has
   * stored and that would take more than 100 ms to read; `stats()` counts it among the failures.
   * @throws {RangeError} If the key is empty, longer than 4,096 bytes, or not well-formed text.
   */
  async retrieve<T = unknown>(key: string, options?: CallOptions): Promise<T | undefined> {
    if (options !== undefined) begin("retrieve", options);
    return await this.retrieveSync<T>(key);
  }

  /**
   * Retrieves the value of a key, as {@linkcode LocalCache.retrieve} does, without a promise: the entries are in this process.
   *
   * @typeParam T Type of the value that was stored; it is not checked.
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @returns The value, or `undefined` on a miss; with the server's option `near` **the same object as the last time**, unless
   * `near.copies` is true.
   * @throws {RangeError} If the key is empty, longer than 4,096 bytes, or not well-formed text.
   *
   * @example
   * ```ts
   * import { OrmucoCacheServer } from "@ormuco/cache";
   *
   * const { cache } = new OrmucoCacheServer({ listen: 0, near: true });
   * await cache.store("colours", ["red", "green"]);
   * console.log(cache.retrieveSync<string[]>("colours")?.[0]); // red
   * ```
   */
  retrieveSync<T = unknown>(key: string): T | undefined {
    const value = this.#find(key);
    this.#calls.asked(key, value !== MISS);
    return value === MISS ? undefined : value as T;
  }

  /**
   * Retrieves the value of a key as `retrieve` does, and what is known of its entry. It is read from the entry each time.
   *
   * @typeParam T Type of the value that was stored; it is not checked.
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @param options A signal; a time-out has no effect.
   * @returns The value, for how long it remains, and its version; `undefined` on a miss.
   * @throws {RangeError} If the key is empty, longer than 4,096 bytes, or not well-formed text.
   */
  async retrieveEntry<T = unknown>(key: string, options?: CallOptions): Promise<RetrievedEntry<T> | undefined> {
    begin("retrieve", options);
    const { store, store: { reader } } = this.#options;
    const position = store.get(this.#keyOf(key));
    const value = position === 0 ? MISS : this.#values.read(position, key);
    const remainingMs = value === MISS ? 0 : reader.freshUntilMs(position) - store.nowMs;
    const version = value === MISS ? 0 : reader.h(position);
    this.#calls.asked(key, value !== MISS); // last: who is told may change the store
    return await (value === MISS ? undefined : { value: value as T, remainingMs, version });
  }

  /**
   * Retrieves the value of a key and removes its entry, on this server and on every peer.
   *
   * @typeParam T Type of the value that was stored; it is not checked.
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @param options A signal; a time-out has no effect.
   * @returns The value, or `undefined` on a miss.
   * @throws {RangeError} If the key is empty, longer than 4,096 bytes, or not well-formed text.
   */
  async take<T = unknown>(key: string, options?: CallOptions): Promise<T | undefined> {
    begin("take", options);
    const { store } = this.#options;
    const position = store.get(this.#keyOf(key));
    const value = position === 0 ? MISS : this.#values.read(position, key);
    if (position !== 0) {
      this.#computations.overtaken(key);
      store.delete(this.#values.spanOf(key));
    }
    this.#calls.asked(key, value !== MISS);
    if (position !== 0) this.#calls.removed(key);
    return await (value === MISS ? undefined : value as T);
  }

  /**
   * Returns the value of a key or, if there is none, what `compute` returns, which is stored, on this server and on every peer.
   * Callers of one key in this process share one computation: see {@linkcode OrmucoCache.retrieveOrStore}.
   *
   * @typeParam T Type of the value; that of one that was stored is not checked.
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @param compute Returns the value, or a promise of it.
   * @param options For how long the value is fresh, and for how long this caller waits.
   * @returns The value: a copy of what is held (with the server's option `near` the same one each time), or what `compute` returned.
   * @throws {RangeError} If the key, an option or the value is out of range.
   * @throws {TypeError} If there is no option of that name, or the value cannot be copied.
   * @throws {CacheError} `timeout` if `timeoutMs` are over, else what `compute` throws, or the signal's reason.
   */
  async retrieveOrStore<T>(
    key: string,
    compute: (context: ComputeContext) => T | Promise<T>,
    options?: RetrieveOrStoreOptions,
  ): Promise<T> {
    const checked = checkRetrieveOrStore(compute, options);
    checkKey(key);
    return await this.#computations.retrieveOrStore(key, compute, checked) as T;
  }

  /**
   * Retrieves the values of many keys, each as `retrieve` does. Where that takes more than 10 ms, other work has its turn meanwhile.
   *
   * @typeParam T Type of the value that was stored; it is not checked.
   * @param keys The keys, each of 1 to 4,096 bytes as UTF-8; a key that comes twice counts once.
   * @param options A signal; a time-out has no effect.
   * @returns The values found, by key; a key without an entry is absent.
   * @throws {RangeError} If a key is empty, longer than 4,096 bytes, or not well-formed text.
   * @throws {TypeError} If the keys are no list, but one text.
   */
  async retrieveMany<T = unknown>(keys: Iterable<string>, options?: CallOptions): Promise<Map<string, T>> {
    const signal = begin("retrieve", options);
    const values = new Map<string, T>();
    const asked = checkedKeys(keys);
    const slices = this.#newSlices();
    for (const key of asked) {
      if (slices.isOver) await nextSlice(slices, signal);
      const value = this.#find(key, slices);
      if (value !== MISS) values.set(key, value as T);
      this.#calls.asked(key, value !== MISS);
    }
    return await values;
  }

  /**
   * Stores many values, each as `store` does. Where that takes more than 10 ms, other work has its turn meanwhile.
   *
   * @param entries Pairs of key and value, as a `Map` has them; of a key that comes twice, the last value counts.
   * @param options The entries' own time to live, and whether a hit restarts it.
   * @returns Whether all were stored; `false` if one is larger than 16 MiB or than the server's limit: then it leaves no older one.
   * @throws {RangeError} If a key or an option is out of range, or `store` would throw this for a value: then none is stored.
   * @throws {TypeError} If the entries are no list of pairs, or `store` would throw this for a value: then none is stored.
   */
  async storeMany(entries: Iterable<readonly [string, unknown]>, options?: EntryOptions): Promise<boolean> {
    const checked = checkStoreManyOptions(options);
    const values = checkPairs(entries);
    const { signal } = checked;
    signal?.throwIfAborted();
    const slices = this.#newSlices();
    const encoded = new Map<string, EntryInput | undefined>();
    for (const [key, data] of values) {
      if (slices.isOver) await nextSlice(slices, signal);
      const entry = this.#values.encoded(data, checked);
      encoded.set(key, entry);
      slices.spend(entry === undefined ? 1 : 1 + decodingUnits(entry.flags, entry.value.to));
    }
    let isWhole = true;
    for (const [key, entry] of encoded) {
      if (slices.isOver) await nextSlice(slices, signal);
      if (this.#put(key, entry)) this.#calls.stored(key);
      else isWhole = false;
      slices.spend(1);
    }
    return await isWhole;
  }

  /**
   * Tells whether a key has an entry. Unlike `retrieve`, it does not count as a hit of the entry.
   *
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @param options A signal; a time-out has no effect.
   * @returns Whether the key has an entry.
   * @throws {RangeError} If the key is empty, longer than 4,096 bytes, or not well-formed text.
   */
  async has(key: string, options?: CallOptions): Promise<boolean> {
    begin("look", options);
    return await this.#options.store.has(this.#keyOf(key));
  }

  /**
   * Restarts the time to live of an entry, or gives it another, on this server and on every peer. It makes the entry the most
   * recently used.
   *
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @param ttlMs Milliseconds until the entry expires, 0 or `Infinity` for never; by default, its own time to live.
   * @param options A signal; a time-out has no effect.
   * @returns Whether the key has an entry.
   * @throws {RangeError} If the key or the time to live is out of range.
   */
  async touch(key: string, ttlMs?: number, options?: CallOptions): Promise<boolean> {
    begin("touch", options);
    if (ttlMs !== undefined) checkTtlMs(ttlMs);
    return await this.#options.store.touch(this.#keyOf(key), ttlMs);
  }

  /**
   * Adds to a number, in one step: see {@linkcode OrmucoCache.increment}.
   *
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @param by What is added: a whole number from −2⁶⁴ + 1 to 2⁶⁴ − 1; 1 by default.
   * @param options What is made where the key has no entry.
   * @returns The number after that: a bigint above 2⁵³ − 1. `undefined` if the key has no entry and `initial` is not given, or the
   * server has no room for one.
   * @throws {RangeError} If the key, `by` or an option is out of range.
   * @throws {CacheError} `refused` if the entry holds something else.
   */
  async increment(
    key: string,
    by?: number | bigint,
    options?: IncrementOptions,
  ): Promise<number | bigint | undefined> {
    const { by: amount, initial, ttlMs, signal } = checkIncrement(by, options);
    checkKey(key);
    signal?.throwIfAborted();
    this.#computations.overtaken(key);
    const number = increment(this.#options.store, this.#values.spanOf(key), {
      by: unsignedOf(amount < 0n ? -amount : amount),
      isDown: amount < 0n,
      initial: initial === undefined ? undefined : unsignedOf(initial),
      ttlMs,
    });
    if (number === "not-a-number") {
      throw new CacheError("refused", `Cannot increment ${JSON.stringify(key)}: its entry holds no number`);
    }
    if (typeof number === "string") return undefined;
    this.#calls.added(key);
    return await number;
  }

  /**
   * Removes the entry of a key, on this server and on every peer.
   *
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @param options A signal; a time-out has no effect.
   * @returns Whether there was an entry on this server.
   * @throws {RangeError} If the key is empty, longer than 4,096 bytes, or not well-formed text.
   */
  async remove(key: string, options?: CallOptions): Promise<boolean> {
    begin("remove", options);
    checkKey(key);
    return await this.#remove(key);
  }

  /**
   * Removes the entries of many keys, on this server and on every peer. Where that takes more than 10 ms, other work has its turn
   * meanwhile.
   *
   * @param keys The keys, each of 1 to 4,096 bytes as UTF-8; a key that comes twice counts once.
   * @param options A signal; a time-out has no effect.
   * @returns How many of them had an entry on this server.
   * @throws {RangeError} If a key is empty, longer than 4,096 bytes, or not well-formed text: then none is removed.
   * @throws {TypeError} If the keys are no list, but one text.
   */
  async removeMany(keys: Iterable<string>, options?: CallOptions): Promise<number> {
    const signal = begin("remove", options);
    const slices = this.#newSlices();
    let removed = 0;
    for (const key of checkedKeys(keys)) {
      if (slices.isOver) await nextSlice(slices, signal);
      if (this.#remove(key)) removed++;
      slices.spend(1);
    }
    return await removed;
  }

  /**
   * Gives the keys of all entries, in no order: see {@linkcode OrmucoCache.keys}. After 10 ms each, other work has its turn.
   *
   * @param options What the keys begin with, and a signal that ends this.
   * @returns The keys.
   */
  async *keys(options?: KeysOptions): AsyncGenerator<string, void> {
    const { prefix = "", signal } = checkKeysOptions(options);
    yield* keysOf(this.#options.store, prefix, this.#newSlices(), signal);
  }

  /**
   * Removes every entry, on this server and on every peer.
   *
   * @param options A signal; a time-out has no effect.
   * @returns Always `true`.
   */
  async clear(options?: CallOptions): Promise<boolean> {
    begin("clear", options);
    this.#computations.overtaken();
    this.#options.store.clear();
    this.#calls.cleared();
    return await true;
  }

  /**
   * Removes every entry whose key begins with a text, on this server and on every peer, as `clear` of a namespace does.
   *
   * @param prefix Text of 1 to 4,095 bytes as UTF-8.
   * @param options A signal; a time-out has no effect.
   * @returns Always `true`.
   * @throws {RangeError} If the prefix is out of range.
   *
   * @example
   * ```ts
   * import { OrmucoCacheServer } from "@ormuco/cache";
   *
   * const { cache } = new OrmucoCacheServer({ listen: 0 });
   * await cache.storeMany([["users:ada", 1], ["other", 2]]);
   * await cache.clearPrefix("users:");
   * console.log(await cache.has("users:ada"), await cache.has("other")); // false true
   * ```
   */
  async clearPrefix(prefix: string, options?: CallOptions): Promise<boolean> {
    begin("clear", options);
    checkPrefix(prefix);
    this.#computations.overtakenUnder(prefix);
    this.#options.store.clearPrefix(this.#values.spanOf(prefix));
    this.#calls.cleared(prefix);
    return await true;
  }

  /**
   * Returns a cache of the same entries whose keys all begin with a text: see {@linkcode OrmucoCache.namespace}.
   *
   * @param prefix Text of 1 to 4,095 bytes as UTF-8, which counts as part of each key.
   * @returns The cache.
   * @throws {RangeError} If the prefix is out of range.
   */
  namespace(prefix: string): OrmucoCache {
    return new Namespace(this, prefix);
  }

  /**
   * Returns counters of the calls made through this cache, and the server's statistics.
   *
   * @returns The statistics.
   */
  async stats(): Promise<ClientStats> {
    const server = this.#options.stats();
    const near = this.#near?.stats();
    return await {
      connectedTo: undefined,
      ...this.#calls.stats(),
      entries: server.entries,
      ...(near === undefined ? {} : { near }),
      server,
    };
  }

  /** Resolves: the entries are in this process. */
  async ping(options?: CallOptions): Promise<void> {
    begin("ping", options);
    return await undefined;
  }

  /** Has no effect: the entries belong to the server. */
  async close(): Promise<void> {}

  /** Shows size and limits in a debugger. */
  [INSPECT](
    inspect: (value: unknown, options?: Record<string, unknown>) => string,
    options?: Record<string, unknown>,
  ): string {
    const { entries, maxSize, bytes, maxBytes } = this.#options.stats();
    return inspected("LocalCache", { entries, maxSize, bytes, maxBytes }, inspect, options);
  }

  /** Has no effect, like {@linkcode LocalCache.close}; `await using` needs it. */
  async [Symbol.asyncDispose](): Promise<void> {}

  /** Stores a value. One that is refused leaves no older one: a miss is better than a value that is no longer right. */
  #set(key: string, data: unknown, options: EntryOptions): boolean {
    let entry: EntryInput | undefined;
    try {
      entry = this.#values.encoded(data, options);
    } catch (error) {
      this.#delete(key);
      throw error;
    }
    return this.#put(key, entry);
  }

  /** Stores a value if what is there is what has to be there. */
  #setIf(key: string, data: unknown, options: EntryOptions, onlyIf: Condition): boolean {
    const { store } = this.#options;
    const entry = this.#values.encoded(data, options);
    const span = this.#values.spanOf(key);
    if (entry === undefined || !fits(store, span, entry.value.to)) {
      throw new CacheError("refused", `Cannot store ${JSON.stringify(key)}: the value is larger than the server takes`);
    }
    return isMet(store, span, onlyIf) && this.#put(key, entry);
  }

  /** Stores an entry, in place of an older one; one that is too large leaves none. */
  #put(key: string, entry: EntryInput | undefined): boolean {
    if (entry === undefined) {
      this.#delete(key);
      return false;
    }
    this.#computations.overtaken(key);
    return this.#options.store.set(this.#values.spanOf(key), entry);
  }

  #delete(key: string): boolean {
    this.#computations.overtaken(key);
    return this.#options.store.delete(this.#values.spanOf(key));
  }

  /** Removes an entry for a caller. Returns whether there was one. */
  #remove(key: string): boolean {
    const isRemoved = this.#delete(key);
    if (isRemoved) this.#calls.removed(key);
    return isRemoved;
  }

  #keyOf(key: string): ByteSpan {
    checkKey(key);
    return this.#values.spanOf(key);
  }

  #newSlices(): Slices {
    const slices = this.#options.slices?.() ?? new Slices();
    slices.begin();
    return slices;
  }

  /** Returns the value of a key, or else leave to compute it. */
  #ask(key: string, question: Question): Asked {
    const asked = this.#askFor(key, question);
    if (asked.state !== "wait") this.#calls.asked(key, asked.state !== "compute"); // who waits will ask again
    return asked;
  }

  #askFor(key: string, question: Question): Asked {
    const value = this.#find(key);
    if (value !== MISS) return { state: "fresh", value };
    const stale = question.acceptsStale ? this.#kept(key) : undefined;
    return this.#leases.ask(key, this.#values.spanOf(key), question, stale);
  }

  /** The value of a key that is not fresh any more, if there is one that can be read. */
  #kept(key: string): { value: unknown; forMs: number } | undefined {
    const { store } = this.#options;
    const position = store.kept(this.#values.spanOf(key));
    if (position === 0) return undefined;
    const forMs = Math.max(0, store.nowMs - store.reader.freshUntilMs(position));
    const value = this.#values.read(position, key);
    if (value === MISS) return undefined;
    store.use(position);
    return { value, forMs };
  }

  /** Stores what was computed, unless a newer write has come first. */
  #fill(key: string, value: unknown, token: unknown, { ttlMs, renewOnHit, staleMs }: Lifetime): boolean {
    const { store } = this.#options;
    const entry = this.#values.encoded(value, { ttlMs, renewOnHit });
    if (!this.#leases.isValid(this.#values.spanOf(key), token)) return false;
    if (entry !== undefined) age(entry, ttlMs ?? store.ttlMs, staleMs, store.nowMs);
    const isStored = entry !== undefined && store.set(this.#values.spanOf(key), entry);
    if (isStored) this.#calls.stored(key);
    else this.#leases.give(this.#values.spanOf(key), token);
    return isStored;
  }

  /** Returns the value of a key, or `MISS`, also if a client has stored bytes that are not what their flags say. */
  #find(key: string, slices?: Slices): unknown {
    const near = this.#near;
    if (near !== undefined) {
      const value = near.read(key);
      if (value !== ASK) return value;
    }
    const { store } = this.#options;
    const position = store.get(this.#keyOf(key));
    if (position === 0) return MISS;
    slices?.spend(this.#values.unitsAt(position));
    const value = this.#values.read(position, key);
    if (near !== undefined && value !== MISS) near.keep(key, value, position, this.#values.readBytes);
    return value;
  }
}

/**
 * Begins a call, before anything is done. Returns the signal that ends it, if there is one.
 *
 * @param verb What it does, for messages.
 * @throws What the signal gives as its reason, if it is aborted.
 */
function begin(verb: string, options: CallOptions | undefined): AbortSignal | undefined {
  const { signal } = options === undefined ? NO_OPTIONS : checkCallOptions(verb, options);
  signal?.throwIfAborted();
  return signal;
}

/** Lets the event loop look after everything else. */
async function nextSlice(slices: Slices, signal: AbortSignal | undefined): Promise<void> {
  await slices.next();
  signal?.throwIfAborted();
}

function checkedKeys(keys: Iterable<string>): Set<string> {
  const unique = uniqueKeys(keys);
  for (const key of unique) checkKey(key);
  return unique;
}
