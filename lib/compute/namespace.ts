/** A part of a cache: the entries whose keys begin with a text. It holds nothing itself. */

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
import { checkKeysOptions, checkPairs } from "../base/call_checks.ts";
import { checkKey, checkPrefix, uniqueKeys } from "../base/checks.ts";
import type { ClientStats } from "../base/stats.ts";

/** What a part of a cache needs of the whole. */
export interface WholeCache extends OrmucoCache {
  /** Removes every entry whose key begins with a prefix. */
  clearPrefix(prefix: string, options?: CallOptions): Promise<boolean>;
}

/** The entries of a cache whose keys begin with a text. */
export class Namespace implements OrmucoCache {
  readonly #cache: WholeCache;
  readonly #prefix: string;

  /** @throws {RangeError} If the prefix is out of range. */
  constructor(cache: WholeCache, prefix: string) {
    checkPrefix(prefix);
    this.#cache = cache;
    this.#prefix = prefix;
  }

  /** Stores a value. */
  async store(key: string, data: unknown, options?: StoreValueOptions): Promise<boolean> {
    return await this.#cache.store(this.#whole(key), data, options);
  }

  /** Returns the value of a key. */
  async retrieve<T = unknown>(key: string, options?: CallOptions): Promise<T | undefined> {
    return await this.#cache.retrieve<T>(this.#whole(key), options);
  }

  /** Returns the value of a key, and what is known of its entry. */
  async retrieveEntry<T = unknown>(key: string, options?: CallOptions): Promise<RetrievedEntry<T> | undefined> {
    return await this.#cache.retrieveEntry<T>(this.#whole(key), options);
  }

  /** Returns the value of a key and removes its entry. */
  async take<T = unknown>(key: string, options?: CallOptions): Promise<T | undefined> {
    return await this.#cache.take<T>(this.#whole(key), options);
  }

  /** Returns the value of a key or, if there is none that is fresh, what `compute` returns. */
  async retrieveOrStore<T>(
    key: string,
    compute: (context: ComputeContext) => T | Promise<T>,
    options?: RetrieveOrStoreOptions,
  ): Promise<T> {
    return await this.#cache.retrieveOrStore(this.#whole(key), compute, options);
  }

  /** Returns the values of many keys. */
  async retrieveMany<T = unknown>(keys: Iterable<string>, options?: CallOptions): Promise<Map<string, T>> {
    const found = await this.#cache.retrieveMany<T>(this.#wholeOf(keys), options);
    return new Map(Array.from(found, ([key, value]) => [this.#rest(key), value]));
  }

  /** Stores many values. */
  async storeMany(entries: Iterable<readonly [string, unknown]>, options?: EntryOptions): Promise<boolean> {
    const whole = Array.from(checkPairs(entries), ([key, value]) => [this.#whole(key), value] as const);
    return await this.#cache.storeMany(whole, options);
  }

  /** Tells whether a key has an entry. */
  async has(key: string, options?: CallOptions): Promise<boolean> {
    return await this.#cache.has(this.#whole(key), options);
  }

  /** Restarts the time to live of an entry. */
  async touch(key: string, ttlMs?: number, options?: CallOptions): Promise<boolean> {
    return await this.#cache.touch(this.#whole(key), ttlMs, options);
  }

  /** Adds to a number. */
  async increment(
    key: string,
    by?: number | bigint,
    options?: IncrementOptions,
  ): Promise<number | bigint | undefined> {
    return await this.#cache.increment(this.#whole(key), by, options);
  }

  /** Removes an entry. */
  async remove(key: string, options?: CallOptions): Promise<boolean> {
    return await this.#cache.remove(this.#whole(key), options);
  }

  /** Removes the entries of many keys. */
  async removeMany(keys: Iterable<string>, options?: CallOptions): Promise<number> {
    return await this.#cache.removeMany(this.#wholeOf(keys), options);
  }

  /** Gives the keys, without what all have in common. */
  async *keys(given?: KeysOptions): AsyncGenerator<string, void> {
    const { prefix = "", ...options } = checkKeysOptions(given);
    for await (const key of this.#cache.keys({ ...options, prefix: this.#prefix + prefix })) {
      if (key !== this.#prefix) yield this.#rest(key); // a key of the whole may be just that, but no key here is empty
    }
  }

  /** Removes every entry of this part. */
  async clear(options?: CallOptions): Promise<boolean> {
    return await this.#cache.clearPrefix(this.#prefix, options);
  }

  /** Returns a part of this part. */
  namespace(prefix: string): OrmucoCache {
    checkPrefix(prefix);
    return new Namespace(this.#cache, this.#prefix + prefix);
  }

  /** Returns the statistics of the whole. */
  stats(): Promise<ClientStats> {
    return this.#cache.stats();
  }

  /** Resolves if the cache can be used. */
  ping(options?: CallOptions): Promise<void> {
    return this.#cache.ping(options);
  }

  /** Does nothing: the whole goes on. */
  async close(): Promise<void> {}

  /** Does nothing, like `close`. */
  async [Symbol.asyncDispose](): Promise<void> {}

  #whole(key: string): string {
    checkKey(key);
    return this.#prefix + key;
  }

  #wholeOf(keys: Iterable<string>): string[] {
    return Array.from(uniqueKeys(keys), (key) => this.#whole(key));
  }

  #rest(key: string): string {
    return key.slice(this.#prefix.length);
  }
}
