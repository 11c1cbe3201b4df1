/** A cache in this process's memory: the client without a server. It keeps the values themselves, not copies. */

import type { OrmucoCache, StoreValueOptions } from "../base/cache.ts";
import { CallCounters } from "../base/call_counters.ts";
import { checkData, checkEntryOptions, checkKey } from "../base/checks.ts";
import { DEFAULT_TTL_MS } from "../base/limits.ts";
import type { ClientStats } from "../base/stats.ts";
import { LruCache } from "../lru.ts";

/** Options of {@linkcode MemoryCache}; the names are those of the client's options. */
export interface MemoryCacheOptions {
  readonly maxSize?: number;
  readonly renewOnHit?: boolean;
  readonly ttlMs?: number;
}

/** A cache in memory. */
export class MemoryCache implements OrmucoCache {
  readonly #entries: LruCache<unknown>;
  readonly #calls = new CallCounters();

  /** @throws {RangeError} If an option is out of range. */
  constructor({ maxSize, renewOnHit, ttlMs = DEFAULT_TTL_MS }: MemoryCacheOptions) {
    this.#entries = new LruCache({ maxSize, renewOnHit, ttlMs });
  }

  /** Stores a value. */
  async store(key: string, data: unknown, options?: StoreValueOptions): Promise<boolean> {
    checkEntryOptions(options);
    const name = memoryKey(key);
    if (data instanceof Promise) this.#entries.delete(name); // it is refused, and an older value is no longer right
    const isStored = await this.#entries.set(name, checkData(data), options);
    if (isStored) this.#calls.stores++;
    return isStored;
  }

  /** Returns the value of a key. */
  async retrieve<T = unknown>(key: string): Promise<T | undefined> {
    const name = memoryKey(key);
    const value = this.#entries.get(name);
    this.#calls.found(value !== undefined || this.#entries.has(name) ? 1 : 0, 1);
    return await value as T | undefined;
  }

  /** Returns the values of many keys. */
  async retrieveMany<T = unknown>(keys: Iterable<string>): Promise<Map<string, T>> {
    const values = new Map<string, T>();
    const asked = [...new Set(keys)];
    const names = asked.map(memoryKey);
    names.forEach((name, i) => {
      const value = this.#entries.get(name);
      if (value !== undefined || this.#entries.has(name)) values.set(asked[i], value as T);
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

  /** Has no effect: there is no connection to end. */
  async close(): Promise<void> {}

  /** Has no effect, like `close`. */
  async [Symbol.asyncDispose](): Promise<void> {}
}

/** Prefixes a key, because the engine hashes strings of digits predictably: chosen keys could all collide. */
function memoryKey(key: string): string {
  checkKey(key);
  return `\0${key}`;
}
