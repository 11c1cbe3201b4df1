/** A cache in this process's memory: the client without a server. It keeps values themselves or, if told to, copies. */

import { Buffer } from "node:buffer";

import type { ComputeContext, OrmucoCache, RetrieveOrStoreOptions, StoreValueOptions } from "../base/cache.ts";
import { CallCounters } from "../base/call_counters.ts";
import { checkData, checkEntryOptions, checkKey, uniqueKeys } from "../base/checks.ts";
import { CacheError } from "../base/errors.ts";
import { MAX_VALUE_BYTES } from "../base/limits.ts";
import { type ValueOptions, valueOptions } from "../base/value_options.ts";
import { checkRetrieveOrStore } from "../base/retrieve_or_store.ts";
import type { ClientStats } from "../base/stats.ts";
import type { Asked, Lifetime, Stale } from "../compute/backend.ts";
import { Computations } from "../compute/computations.ts";
import { processClock } from "../platform/clock.ts";
import { CLIENT_UNITS } from "../wire/decoding_budget.ts";
import { decodePart, encodeValue } from "../wire/values.ts";
import { Failures } from "./failures.ts";
import { MemoryEntries, NONE } from "./memory_entries.ts";

const utf8 = new TextEncoder();

/** Options of {@linkcode MemoryCache}; the names are those of the client's options. */
export interface MemoryCacheOptions extends ValueOptions {
  readonly maxSize?: number;
  readonly renewOnHit?: boolean;
  readonly ttlMs?: number;
  /** Whether values are checked and copied as they are with a server. */
  readonly copies?: boolean;
  readonly onError?: (error: CacheError) => void;
}

/** A copy of a value: the bytes that a server would hold. */
interface Copy {
  readonly flags: number;
  readonly bytes: Buffer;
}

/** Stands for a copy of a value that is larger than a server takes. */
const TOO_LARGE: unique symbol = Symbol("too large");

/** A cache in memory. */
export class MemoryCache implements OrmucoCache {
  readonly #entries: MemoryEntries;
  readonly #calls = new CallCounters();
  readonly #copies: boolean;
  /** How values become bytes, where they are copied and an option says so. */
  readonly #values: ValueOptions | undefined;
  readonly #failures: Failures;
  readonly #computations: Computations;

  /** @throws {RangeError} If an option is out of range. */
  constructor({ maxSize, renewOnHit, ttlMs, copies = false, onError, ...others }: MemoryCacheOptions) {
    const { now } = processClock;
    this.#entries = new MemoryEntries({ maxSize, renewOnHit, ttlMs, now });
    this.#copies = copies;
    this.#values = valueOptions(others);
    this.#failures = new Failures({ counters: this.#calls, of: "this process", onError });
    this.#computations = new Computations({
      ask: (key) => this.#look(key),
      fill: (key, value, _token, lifetime) => this.#put(key, value, undefined, lifetime),
      give: () => {},
      failed: (key, error) => this.#failures.computing(error, key),
    }, now);
  }

  /** Stores a value. One that is refused leaves no older one: a miss is better than a value that is no longer right. */
  async store(key: string, data: unknown, options?: StoreValueOptions): Promise<boolean> {
    checkEntryOptions(options);
    checkKey(key);
    this.#computations.overtaken(key);
    return await this.#put(key, data, options);
  }

  /** Returns the value of a key, or what `compute` returns, which is stored. */
  async retrieveOrStore<T>(
    key: string,
    compute: (context: ComputeContext) => T | Promise<T>,
    options?: RetrieveOrStoreOptions,
  ): Promise<T> {
    const checked = checkRetrieveOrStore(compute, options);
    checkKey(key);
    return await this.#computations.retrieveOrStore(key, compute, checked) as T;
  }

  /** Returns the value of a key. */
  async retrieve<T = unknown>(key: string): Promise<T | undefined> {
    const value = this.#find(key, memoryKey(key));
    this.#calls.found(value === NONE ? 0 : 1, 1);
    return await (value === NONE ? undefined : value) as T | undefined;
  }

  /** Returns the values of many keys. */
  async retrieveMany<T = unknown>(keys: Iterable<string>): Promise<Map<string, T>> {
    const values = new Map<string, T>();
    const asked = [...uniqueKeys(keys)];
    const names = asked.map(memoryKey);
    names.forEach((name, i) => {
      const value = this.#find(asked[i], name);
      if (value !== NONE) values.set(asked[i], value as T);
    });
    this.#calls.found(values.size, asked.length);
    return await values;
  }

  /** Tells whether a key has an entry, without using or renewing it. */
  async has(key: string): Promise<boolean> {
    return await this.#entries.has(memoryKey(key));
  }

  /** Removes an entry. */
  async remove(key: string): Promise<boolean> {
    const name = memoryKey(key);
    this.#computations.overtaken(key);
    return await this.#entries.delete(name);
  }

  /** Removes every entry. */
  async clear(): Promise<boolean> {
    this.#computations.overtaken();
    this.#entries.clear();
    return await true;
  }

  /** Returns counters of the calls made here, and the number of entries. */
  async stats(): Promise<ClientStats> {
    return await {
      connectedTo: undefined,
      ...this.#calls.stats(),
      entries: this.#entries.size,
      server: undefined,
    };
  }

  /** Facts for a debugger. */
  get facts(): object {
    const { hits, misses, stores } = this.#calls;
    return { entries: this.#entries.size, maxSize: this.#entries.maxSize, hits, misses, stores };
  }

  /** Resolves: there is nobody to ask. */
  async ping(): Promise<void> {}

  /** Has no effect: there is no connection to end. */
  async close(): Promise<void> {}

  /** Has no effect, like `close`. */
  async [Symbol.asyncDispose](): Promise<void> {}

  /** Returns what there is of a key: a fresh value, or else leave to compute one. */
  #look(key: string): Asked {
    const name = memoryKey(key);
    const value = this.#find(key, name);
    this.#calls.found(value === NONE ? 0 : 1, 1);
    return value === NONE ? { state: "compute", stale: this.#stale(key, name) } : { state: "fresh", value };
  }

  #stale(key: string, name: string): Stale | undefined {
    const held = this.#entries.stale(name);
    const value = held === undefined ? NONE : this.#given(key, held.value);
    return value === NONE ? undefined : { value, forMs: held!.forMs };
  }

  /** Returns a value that is fresh, or `NONE`. */
  #find(key: string, name: string): unknown {
    const held = this.#entries.find(name);
    return held === NONE ? NONE : this.#given(key, held);
  }

  /** Stores a value, or a copy, for a lifetime if one is given. One that is refused leaves no older one. */
  #put(key: string, data: unknown, options?: StoreValueOptions, lifetime?: Lifetime): boolean {
    const name = memoryKey(key);
    try {
      const held = this.#copies ? this.#copyOf(checkData(data)) : checkData(data);
      if (held === TOO_LARGE) return this.#refuse(key, name);
      const isKept = lifetime !== undefined;
      const isStored = isKept ? this.#entries.keep(name, held, lifetime) : this.#entries.set(name, held, options);
      this.#calls.stores++;
      return isStored;
    } catch (error) {
      this.#entries.delete(name);
      throw error;
    }
  }

  #refuse(key: string, name: string): false {
    this.#entries.delete(name);
    const error = new CacheError("refused", `the value has more than ${MAX_VALUE_BYTES} bytes`);
    this.#failures.failed(error, "store", key);
    return false;
  }

  /** What is given for what is held: the same, or what is read from a copy; `NONE` if the codec fails to. */
  #given(key: string, held: unknown): unknown {
    if (!this.#copies || held === undefined) return held;
    const { flags, bytes } = held as Copy;
    try {
      return decodePart(flags, { bytes, from: 0, to: bytes.length }, CLIENT_UNITS, this.#values?.codec);
    } catch (error) {
      this.#failures.failed(new CacheError("protocol", (error as Error).message, { cause: error }), "retrieve", key);
      return NONE;
    }
  }

  /**
   * Returns a copy of a value, or `TOO_LARGE`.
   *
   * @throws {TypeError} If it holds something that a server cannot keep.
   * @throws {RangeError} If it is nested too deep, or would cost too much to read.
   */
  #copyOf(data: unknown): Copy | typeof TOO_LARGE {
    const { flags, payload } = encodeValue(data, CLIENT_UNITS, this.#values);
    const bytes = Buffer.from(typeof payload === "string" ? utf8.encode(payload) : payload); // a copy in either case
    return bytes.length <= MAX_VALUE_BYTES ? { flags, bytes } : TOO_LARGE;
  }
}

/** Prefixes a key, because the engine hashes strings of digits predictably: chosen keys could all collide. */
function memoryKey(key: string): string {
  checkKey(key);
  return `\0${key}`;
}
