/**
 * The client's methods on the store of a server in this process, without a socket. It knows values and keys, not what a
 * server is. Its methods return promises, as the client's do, but their work is done when they return, unless
 * that is to read values for more than 10 ms.
 */

import { Buffer } from "node:buffer";
import type { ComputeContext, OrmucoCache, RetrieveOrStoreOptions, StoreValueOptions } from "../base/cache.ts";
import { CallCounters } from "../base/call_counters.ts";
import { MISS } from "../wire/calls.ts";
import { SERVER_CACHE_UNITS } from "../wire/decoding_budget.ts";
import { decodePart, decodingUnits, encodeValue } from "../wire/values.ts";
import { ProtocolError } from "../base/errors.ts";
import { checkData, checkEntryOptions, checkKey, uniqueKeys } from "../base/checks.ts";
import { MAX_KEY_BYTES, MAX_VALUE_BYTES } from "../base/limits.ts";
import { checkRetrieveOrStore } from "../base/retrieve_or_store.ts";
import { type ByteSpan, spanOf } from "../base/byte_span.ts";
import { INSPECT, inspected } from "../base/inspect.ts";
import type { CopyLimits } from "../base/near_options.ts";
import type { ClientStats, ServerStats } from "../base/stats.ts";
import { type ValueOptions, valueOptions } from "../base/value_options.ts";
import type { Asked, Lifetime, Question } from "../compute/backend.ts";
import { Computations } from "../compute/computations.ts";
import { processClock } from "../platform/clock.ts";
import { Slices } from "../platform/slices.ts";
import { age, type EntryInput, MARK } from "../store/entry.ts";
import { ASK } from "../near/near_tier.ts";
import { LocalLeases } from "./local_leases.ts";
import { LocalNear } from "./local_near.ts";
import type { LeaseHost } from "./native_leases.ts";

/** Options of {@linkcode LocalCache}. */
export interface LocalCacheOptions extends LeaseHost {
  /** Returns the statistics of the server that the cache belongs to. */
  readonly stats: () => ServerStats;
  /** Limits of near copies; `undefined` where none are kept. */
  readonly near?: CopyLimits;
  /** Encoded bytes over which a value is compressed; `undefined` if none is. */
  readonly compressOverBytes?: number;
  /** Makes what divides the reading of many values. */
  readonly slices?: () => Slices;
}

const utf8 = new TextEncoder();
/** Bytes up to which a value is decoded from one shared buffer. */
const SHARED_BYTES = 64 * 1024;

/**
 * A cache on the entries that a server in this process holds and shares with its peers, without a socket. Code takes it
 * from {@linkcode OrmucoCacheServer.cache}. Values are copies, as they are with a client of the server; with the server's option
 * `near`, **a value handed out twice is the same object**, as long as the entry does not change.
 */
export class LocalCache implements OrmucoCache {
  readonly #options: LocalCacheOptions;
  readonly #key: ByteSpan = { bytes: new Uint8Array(MAX_KEY_BYTES), from: 0, to: 0 };
  readonly #shared: Buffer = Buffer.from(new ArrayBuffer(SHARED_BYTES));
  readonly #calls = new CallCounters();
  readonly #values: ValueOptions | undefined;
  /** Bytes of the value that has been read last, unpacked. */
  #readBytes = 0;
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
    this.#values = valueOptions({ compressOverBytes: options.compressOverBytes });
    this.#leases = new LocalLeases(options);
    const { store, near } = options;
    this.#near = near && new LocalNear(store, near, (key) => this.#spanOf(key));
    this.#computations = new Computations({
      ask: (key, question) => this.#ask(key, question),
      fill: (key, value, token, lifetime) => this.#fill(key, value, token, lifetime),
      give: (key, token) => this.#leases.give(this.#spanOf(key), token),
      failed: () => void this.#calls.failures.compute++,
    }, processClock.now);
  }

  /**
   * Stores a value. One that is refused, by `false` or by an error, leaves no older value under its key.
   *
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @param data The value to store.
   * @param options The entry's own time to live, in milliseconds (0 or `Infinity` means never), and whether a hit restarts it.
   * @returns Whether the value was stored; `false` if it is larger than 16 MiB or than the server's limit.
   * @throws {TypeError} If the value is a promise or holds something that cannot be copied (a function, a symbol, a
   * cycle, a class instance): the message names the path to it.
   * @throws {RangeError} If the key or the time to live is out of range, or the value is nested deeper than 256 levels,
   * has too many parts, or would take more than 100 ms to read.
   */
  async store(key: string, data: unknown, options?: StoreValueOptions): Promise<boolean> {
    checkEntryOptions(options);
    checkKey(key);
    this.#computations.overtaken(key);
    const isStored = await this.#set(key, data, options ?? {});
    if (isStored) this.#calls.stores++;
    return isStored;
  }

  /**
   * Retrieves the value of a key. A hit makes the entry the most recently used and, by default, restarts its time to
   * live.
   *
   * @typeParam T Type of the value that was stored; it is not checked.
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @returns The value, or `undefined` on a miss; with the server's option `near` **the same object as the last time**, unless
   * `near.copies` is true. A value that cannot be decoded is a miss, as is one that a client has
   * stored and that would take more than 100 ms to read; `stats()` counts it among the failures.
   * @throws {RangeError} If the key is empty, longer than 4,096 bytes, or not well-formed text.
   */
  async retrieve<T = unknown>(key: string): Promise<T | undefined> {
    const value = this.#find(key);
    this.#calls.found(value === MISS ? 0 : 1, 1);
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
   * Retrieves the values of many keys, each as `retrieve` does.
   *
   * @typeParam T Type of the value that was stored; it is not checked.
   * @param keys The keys, each of 1 to 4,096 bytes as UTF-8; a key that comes twice counts once.
   * @returns The values found, by key; a key without an entry is absent.
   * @throws {RangeError} If a key is empty, longer than 4,096 bytes, or not well-formed text.
   * @throws {TypeError} If the keys are no list, but one text.
   */
  async retrieveMany<T = unknown>(keys: Iterable<string>): Promise<Map<string, T>> {
    const values = new Map<string, T>();
    const asked = uniqueKeys(keys);
    for (const key of asked) checkKey(key);
    const { slices: makeSlices = () => new Slices() } = this.#options;
    const slices = makeSlices();
    slices.begin();
    for (const key of asked) {
      if (slices.isOver) await slices.next();
      const value = this.#find(key, slices);
      if (value !== MISS) values.set(key, value as T);
    }
    this.#calls.found(values.size, asked.size);
    return await values;
  }

  /**
   * Tells whether a key has an entry. Unlike `retrieve`, it does not count as a hit of the entry.
   *
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @returns Whether the key has an entry.
   * @throws {RangeError} If the key is empty, longer than 4,096 bytes, or not well-formed text.
   */
  async has(key: string): Promise<boolean> {
    return await this.#options.store.has(this.#keyOf(key));
  }

  /**
   * Removes the entry of a key, on this server and on every peer.
   *
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @returns Whether there was an entry on this server.
   * @throws {RangeError} If the key is empty, longer than 4,096 bytes, or not well-formed text.
   */
  async remove(key: string): Promise<boolean> {
    checkKey(key);
    this.#computations.overtaken(key);
    return await this.#options.store.delete(this.#spanOf(key));
  }

  /**
   * Removes every entry, on this server and on every peer.
   *
   * @returns Always `true`.
   */
  async clear(): Promise<boolean> {
    this.#computations.overtaken();
    this.#options.store.clear();
    return await true;
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
  async ping(): Promise<void> {}

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
  #set(key: string, data: unknown, { ttlMs, renewOnHit }: StoreValueOptions): boolean {
    const { store } = this.#options;
    try {
      const { flags, payload } = encodeValue(checkData(data), SERVER_CACHE_UNITS, this.#values);
      const marks = renewOnHit === false ? MARK.fixed : 0;
      const value = spanOf(typeof payload === "string" ? utf8.encode(payload) : payload);
      if (value.to <= MAX_VALUE_BYTES) return store.set(this.#spanOf(key), { flags, marks, value, ttlMs });
    } catch (error) {
      store.delete(this.#spanOf(key));
      throw error;
    }
    store.delete(this.#spanOf(key));
    return false;
  }

  #keyOf(key: string): ByteSpan {
    checkKey(key);
    return this.#spanOf(key);
  }

  /** The bytes of a key, until the next call: a getter of a value may make one. */
  #spanOf(key: string): ByteSpan {
    this.#key.to = utf8.encodeInto(key, this.#key.bytes).written;
    return this.#key;
  }

  /** Returns the value of a key, or else leave to compute it. */
  #ask(key: string, question: Question): Asked {
    const value = this.#find(key);
    this.#calls.found(value === MISS ? 0 : 1, 1);
    if (value !== MISS) return { state: "fresh", value };
    const stale = question.acceptsStale ? this.#kept(key) : undefined;
    return this.#leases.ask(key, this.#spanOf(key), question, stale);
  }

  /** The value of a key that is not fresh any more, if there is one that can be read. */
  #kept(key: string): { value: unknown; forMs: number } | undefined {
    const { store } = this.#options;
    const position = store.kept(this.#spanOf(key));
    if (position === 0) return undefined;
    const forMs = Math.max(0, store.nowMs - store.reader.freshUntilMs(position));
    const value = this.#read(position);
    if (value === MISS) return undefined;
    store.use(position);
    return { value, forMs };
  }

  /** Stores what was computed, unless a newer write has come first. */
  #fill(key: string, value: unknown, token: unknown, { ttlMs, renewOnHit, staleMs }: Lifetime): boolean {
    const { store } = this.#options;
    const { flags, payload } = encodeValue(checkData(value), SERVER_CACHE_UNITS, this.#values);
    if (!this.#leases.isValid(this.#spanOf(key), token)) return false;
    const entry: EntryInput = {
      flags,
      marks: renewOnHit ? 0 : MARK.fixed,
      value: spanOf(typeof payload === "string" ? utf8.encode(payload) : payload),
      ttlMs,
    };
    age(entry, ttlMs ?? store.ttlMs, staleMs, store.nowMs);
    const isStored = entry.value.to <= MAX_VALUE_BYTES && store.set(this.#spanOf(key), entry);
    if (isStored) this.#calls.stores++;
    else this.#leases.give(this.#spanOf(key), token);
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
    slices?.spend(decodingUnits(store.reader.flags(position), store.reader.valueBytes(position)));
    const value = this.#read(position);
    if (near !== undefined && value !== MISS) near.keep(key, value, position, this.#readBytes);
    return value;
  }

  /** Reads the value at a position; one whose bytes are not what its flags say is a miss. */
  #read(position: number): unknown {
    try {
      return this.#valueAt(position);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#calls.failures.protocol++;
      return MISS;
    }
  }

  #valueAt(position: number): unknown {
    const { reader } = this.#options.store;
    const length = reader.valueBytes(position);
    const bytes = length <= SHARED_BYTES ? this.#shared : Buffer.from(new ArrayBuffer(length));
    reader.copyValue(position, bytes, 0);
    const part = { bytes, from: 0, to: length };
    const value = decodePart(reader.flags(position), part, SERVER_CACHE_UNITS);
    this.#readBytes = part.to;
    return value;
  }
}
