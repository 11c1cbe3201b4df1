/**
 * The client's methods on the store of a server in the same process, without a socket. It knows values and keys, not
 * what a server is. Its methods return promises, as the client's do, and are done when they return.
 */

import { Buffer } from "node:buffer";
import type { OrmucoCache, StoreValueOptions } from "../base/cache.ts";
import { CallCounters } from "../base/call_counters.ts";
import { MISS } from "../wire/calls.ts";
import { decodePart, encodeValue } from "../wire/values.ts";
import { ProtocolError } from "../base/errors.ts";
import { checkData, checkKey, checkTtlMs } from "../base/checks.ts";
import { MAX_KEY_BYTES, MAX_VALUE_BYTES } from "../base/limits.ts";
import { type ByteSpan, spanOf } from "../base/byte_span.ts";
import type { ClientStats, ServerStats } from "../base/stats.ts";
import type { Store } from "../store/store.ts";

/** What a local cache needs. */
export interface LocalCacheOptions {
  readonly store: Store;
  /** The statistics of the server that it is a part of. */
  readonly stats: () => ServerStats;
}

const utf8 = new TextEncoder();
/** Values up to this share a buffer on their way. */
const SHARED_BYTES = 64 * 1024;

/**
 * `store`, `retrieve` and the other methods of `OrmucoCacheClient`, on the entries that a server in this process holds and
 * shares with its peers. Values are copies, as with any server.
 */
export class LocalCache implements OrmucoCache {
  readonly #options: LocalCacheOptions;
  readonly #key: ByteSpan = { bytes: new Uint8Array(MAX_KEY_BYTES), from: 0, to: 0 };
  readonly #shared: Buffer = Buffer.from(new ArrayBuffer(SHARED_BYTES));
  readonly #calls = new CallCounters();

  /** Made by a server: see its `cache`. */
  constructor(options: LocalCacheOptions) {
    this.#options = options;
  }

  /**
   * Stores a value.
   *
   * @param key 1 to 4,096 bytes of text.
   * @param data The value.
   * @param options The entry's own time to live, in milliseconds; 0 or `Infinity` means never.
   * @returns Whether it was stored; `false` if it is larger than 16 MiB or than the server's limit.
   * @throws {TypeError} If the value holds what cannot be sent: the message names the path in it.
   * @throws {RangeError} If the key, the ttl or the value's nesting is out of range.
   */
  async store(key: string, data: unknown, options: StoreValueOptions = {}): Promise<boolean> {
    const ttlMs = options.ttlMs === undefined ? undefined : checkTtlMs(options.ttlMs);
    const span = this.#keyOf(key);
    const { flags, payload } = encodeValue(checkData(data));
    const value = spanOf(typeof payload === "string" ? utf8.encode(payload) : payload);
    const isStored = await (value.to <= MAX_VALUE_BYTES && this.#options.store.set(span, { flags, value, ttlMs }));
    if (isStored) this.#calls.stores++;
    return isStored;
  }

  /**
   * Returns the value of a key.
   *
   * @typeParam T What you stored there; it is not checked.
   * @param key 1 to 4,096 bytes of text.
   * @returns The value, or `undefined` on a miss; one that cannot be read is a miss.
   * @throws {RangeError} If the key is out of range.
   */
  async retrieve<T = unknown>(key: string): Promise<T | undefined> {
    const value = this.#find(key);
    this.#calls.found(value === MISS ? 0 : 1, 1);
    return await (value === MISS ? undefined : value as T);
  }

  /**
   * Returns the values of many keys.
   *
   * @typeParam T What you stored there; it is not checked.
   * @param keys The keys.
   * @returns The values found, by key; a miss is absent.
   * @throws {RangeError} If a key is out of range.
   */
  async retrieveMany<T = unknown>(keys: Iterable<string>): Promise<Map<string, T>> {
    const values = new Map<string, T>();
    const asked = new Set(keys);
    for (const key of asked) checkKey(key);
    for (const key of asked) {
      const value = this.#find(key);
      if (value !== MISS) values.set(key, value as T);
    }
    this.#calls.found(values.size, asked.size);
    return await values;
  }

  /**
   * Tells whether a key has an entry, without using or renewing it.
   *
   * @param key 1 to 4,096 bytes of text.
   * @returns Whether it has.
   * @throws {RangeError} If the key is out of range.
   */
  async has(key: string): Promise<boolean> {
    return await this.#options.store.has(this.#keyOf(key));
  }

  /**
   * Removes an entry, here and on every peer.
   *
   * @param key 1 to 4,096 bytes of text.
   * @returns Whether there was one here.
   * @throws {RangeError} If the key is out of range.
   */
  async remove(key: string): Promise<boolean> {
    return await this.#options.store.delete(this.#keyOf(key));
  }

  /**
   * Removes every entry, here and on every peer.
   *
   * @returns True.
   */
  async clear(): Promise<boolean> {
    this.#options.store.clear();
    return await true;
  }

  /**
   * Returns counters of these methods, and the server's.
   *
   * @returns The statistics.
   */
  async stats(): Promise<ClientStats> {
    const server = this.#options.stats();
    return await {
      ...this.#calls.stats(),
      connectedTo: undefined,
      entries: server.entries,
      server,
    };
  }

  /** Has no effect: the entries are the server's, and stay as long as it does. */
  async close(): Promise<void> {}

  /** Same as {@linkcode LocalCache.close}, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {}

  #keyOf(key: string): ByteSpan {
    checkKey(key);
    this.#key.to = utf8.encodeInto(key, this.#key.bytes).written;
    return this.#key;
  }

  /** The value of a key, or `MISS`: a client can have stored bytes that are not what their flags say. */
  #find(key: string): unknown {
    const position = this.#options.store.get(this.#keyOf(key));
    if (position === 0) return MISS;
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
    return decodePart(reader.flags(position), { bytes, from: 0, to: length });
  }
}
