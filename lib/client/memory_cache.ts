/** A cache in this process's memory: the client without a server. It keeps values themselves or, if told to, copies. */

import { Buffer } from "node:buffer";

import type { OrmucoCache, StoreValueOptions } from "../base/cache.ts";
import { CallCounters } from "../base/call_counters.ts";
import { checkData, checkEntryOptions, checkKey, uniqueKeys } from "../base/checks.ts";
import { CacheError } from "../base/errors.ts";
import { DEFAULT_TTL_MS, MAX_VALUE_BYTES } from "../base/limits.ts";
import type { ClientStats } from "../base/stats.ts";
import { LruCache } from "../lru.ts";
import { decodePart, encodeValue } from "../wire/values.ts";
import { Failures } from "./failures.ts";

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
  readonly #entries: LruCache<unknown>;
  readonly #calls = new CallCounters();
  readonly #copies: boolean;
  readonly #failures: Failures;

  /** @throws {RangeError} If an option is out of range. */
  constructor({ maxSize, renewOnHit, ttlMs = DEFAULT_TTL_MS, copies = false, onError }: MemoryCacheOptions) {
    this.#entries = new LruCache({ maxSize, renewOnHit, ttlMs });
    this.#copies = copies;
    this.#failures = new Failures({ counters: this.#calls, of: "this process", onError });
  }

  /** Stores a value. One that is refused leaves no older one: a miss is better than a value that is no longer right. */
  async store(key: string, data: unknown, options?: StoreValueOptions): Promise<boolean> {
    checkEntryOptions(options);
    const name = memoryKey(key);
    let isStored = false;
    try {
      isStored = this.#entries.set(name, this.#copies ? copyOf(checkData(data)) : checkData(data), options);
      this.#calls.stores++;
    } catch (error) {
      this.#entries.delete(name);
      if (!(error instanceof CacheError)) throw error;
      this.#failures.failed(error, "store", key);
    }
    return await isStored;
  }

  /** Returns the value of a key. */
  async retrieve<T = unknown>(key: string): Promise<T | undefined> {
    const name = memoryKey(key);
    const value = this.#entries.get(name);
    this.#calls.found(value !== undefined || this.#entries.has(name) ? 1 : 0, 1);
    return await this.#given(value) as T | undefined;
  }

  /** Returns the values of many keys. */
  async retrieveMany<T = unknown>(keys: Iterable<string>): Promise<Map<string, T>> {
    const values = new Map<string, T>();
    const asked = [...uniqueKeys(keys)];
    const names = asked.map(memoryKey);
    names.forEach((name, i) => {
      const value = this.#entries.get(name);
      if (value !== undefined || this.#entries.has(name)) values.set(asked[i], this.#given(value) as T);
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
    return await this.#entries.delete(memoryKey(key));
  }

  /** Removes every entry. */
  async clear(): Promise<boolean> {
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
