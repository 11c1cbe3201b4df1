/** A cache in this process's memory: the client without a server. It keeps values themselves or, if told to, copies. */

import { Buffer } from "node:buffer";

import type { ComputeContext, OrmucoCache, RetrieveOrStoreOptions, StoreValueOptions } from "../base/cache.ts";
import { CallCounters } from "../base/call_counters.ts";
import { checkData, checkEntryOptions, checkKey, uniqueKeys } from "../base/checks.ts";
import { CacheError } from "../base/errors.ts";
import { MAX_VALUE_BYTES } from "../base/limits.ts";
import { checkRetrieveOrStore } from "../base/retrieve_or_store.ts";
import type { ClientStats } from "../base/stats.ts";
import type { Asked, Lifetime } from "../compute/backend.ts";
import { Computations } from "../compute/computations.ts";
import { processClock } from "../platform/clock.ts";
import { decodePart, encodeValue } from "../wire/values.ts";
import { Failures } from "./failures.ts";
import { MemoryEntries, NONE } from "./memory_entries.ts";

const utf8 = new TextEncoder();

/** Options of {@linkcode MemoryCache}; the names are those of the client's options. */
export interface MemoryCacheOptions {
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

/** A cache in memory. */
export class MemoryCache implements OrmucoCache {
  readonly #entries: MemoryEntries;
  readonly #calls = new CallCounters();
  readonly #copies: boolean;
  readonly #failures: Failures;
  readonly #computations: Computations;

  /** @throws {RangeError} If an option is out of range. */
  constructor({ maxSize, renewOnHit, ttlMs, copies = false, onError }: MemoryCacheOptions) {
    const { now } = processClock;
    this.#entries = new MemoryEntries({ maxSize, renewOnHit, ttlMs, now });
    this.#copies = copies;
    this.#failures = new Failures({ counters: this.#calls, of: "this process", onError });
    this.#computations = new Computations({
      ask: (key) => this.#look(memoryKey(key)),
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
    const held = this.#entries.find(memoryKey(key));
    this.#calls.found(held === NONE ? 0 : 1, 1);
    return await (held === NONE ? undefined : this.#given(held)) as T | undefined;
  }

  /** Returns the values of many keys. */
  async retrieveMany<T = unknown>(keys: Iterable<string>): Promise<Map<string, T>> {
    const values = new Map<string, T>();
    const asked = [...uniqueKeys(keys)];
    const names = asked.map(memoryKey);
    names.forEach((name, i) => {
      const held = this.#entries.find(name);
      if (held !== NONE) values.set(asked[i], this.#given(held) as T);
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
  #look(name: string): Asked {
    const held = this.#entries.find(name);
    this.#calls.found(held === NONE ? 0 : 1, 1);
    if (held !== NONE) return { state: "fresh", value: this.#given(held) };
    const stale = this.#entries.stale(name);
    return { state: "compute", stale: stale && { value: this.#given(stale.value), forMs: stale.forMs } };
  }

  /** Stores a value, or a copy, for a lifetime if one is given. One that is refused leaves no older one. */
  #put(key: string, data: unknown, options?: StoreValueOptions, lifetime?: Lifetime): boolean {
    const name = memoryKey(key);
    try {
      const held = this.#copies ? copyOf(checkData(data)) : checkData(data);
      const isKept = lifetime !== undefined;
      const isStored = isKept ? this.#entries.keep(name, held, lifetime) : this.#entries.set(name, held, options);
      this.#calls.stores++;
      return isStored;
    } catch (error) {
      this.#entries.delete(name);
      if (!(error instanceof CacheError)) throw error;
      this.#failures.failed(error, "store", key);
      return false;
    }
  }

  /** What is given for what is held: the same, or what is read from a copy. */
  #given(held: unknown): unknown {
    if (!this.#copies || held === undefined) return held;
    const { flags, bytes } = held as Copy;
    return decodePart(flags, { bytes, from: 0, to: bytes.length });
  }
}

/**
 * Returns a copy of a value.
 *
 * @throws {CacheError} If the value is larger than a server takes.
 * @throws {TypeError} If it holds something that a server cannot keep.
 * @throws {RangeError} If it is nested too deep, or would cost too much to read.
 */
function copyOf(data: unknown): Copy {
  const { flags, payload } = encodeValue(data);
  const bytes = Buffer.from(typeof payload === "string" ? utf8.encode(payload) : payload); // a copy in either case
  if (bytes.length <= MAX_VALUE_BYTES) return { flags, bytes };
  throw new CacheError("refused", `the value has more than ${MAX_VALUE_BYTES} bytes`);
}

/** Prefixes a key, because the engine hashes strings of digits predictably: chosen keys could all collide. */
function memoryKey(key: string): string {
  checkKey(key);
  return `\0${key}`;
}
