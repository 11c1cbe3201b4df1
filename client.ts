/**
 * The client: `store` and `retrieve`, in this process's memory or on a server.
 *
 * ```ts
 * import { OrmucoCacheClient } from "@ormuco/cache/client";
 *
 * const cache = new OrmucoCacheClient({ servers: ["127.0.0.1:11142"] });
 * await cache.store("my-key", [1, 2, 3]); // true
 * await cache.retrieve("my-key"); // [1, 2, 3]
 * ```
 *
 * @module
 */

import { type Address, parseAddress } from "./lib/base/address.ts";
import { encodeValue } from "./lib/wire/values.ts";
import { clientOptions } from "./lib/base/settings.ts";
import { readEnvironment } from "./lib/platform/environment.ts";
import { CacheError, type CacheErrorCode } from "./lib/base/errors.ts";
import { type FrameReader, type FrameWriter, REQUEST } from "./lib/wire/frame.ts";
import { checkKey, checkTtlMs } from "./lib/base/checks.ts";
import { MAX_KEYS_PER_GET } from "./lib/base/limits.ts";
import { ClientConnection } from "./lib/client/connection.ts";
import { LruCache } from "./lib/lru.ts";
import { MISS, OMITTED, readFound, readMany, readYesNo, writeGetMany, writeKeyed, writeSet } from "./lib/wire/calls.ts";
import { readData } from "./lib/wire/control.ts";
import { SOFTWARE } from "./lib/base/software.ts";
import type { ClientStats } from "./lib/base/stats.ts";

export { CacheError, type CacheErrorCode } from "./lib/base/errors.ts";
export type { ClientStats, GossipTotals, PeerStats, ServerStats } from "./lib/base/stats.ts";

/** Options of {@linkcode OrmucoCacheClient}. */
export interface ClientOptions {
  /**
   * Servers as `host`, `host:port`, `[ipv6]:port` or `unix:/path`; the port is 11142 unless given. With several, the
   * next takes over when one fails, with the entries that it has itself, and is then kept. None: stand-alone, in this
   * process's memory.
   *
   * @default {[]}
   */
  servers?: string[];
  /**
   * Milliseconds after which a call to a server counts as failed.
   *
   * @default {1000}
   */
  timeoutMs?: number;
  /**
   * Told why calls fail: once for each call refused, timed out or not understood, once for each connection lost.
   * What it throws is ignored.
   */
  onError?: (error: CacheError) => void;
  /**
   * Milliseconds until an entry that this client stores expires; 0 or `Infinity` means never. By default the server
   * decides; stand-alone it is one hour.
   */
  ttlMs?: number;
  /**
   * Stand-alone: entries held at most.
   *
   * @default {128}
   */
  maxSize?: number;
  /**
   * Stand-alone: whether a hit restarts the entry's time to live. A server follows its own setting.
   *
   * @default {true}
   */
  renewOnHit?: boolean;
}

/** Options of {@linkcode OrmucoCacheClient.store}. */
export interface StoreValueOptions {
  /** Milliseconds until this entry expires, in place of the default; 0 or `Infinity` means never. */
  ttlMs?: number;
}

const DEFAULT_TIMEOUT_MS = 1000;
const DEFAULT_TTL_MS = 3_600_000;

/**
 * A cache with two methods that matter: `store` and `retrieve`.
 *
 * Stand-alone it keeps the values themselves, of any kind but promises. With a server it sends copies; see docs/protocol.md for the
 * kinds of values. A server that is down, slow or hostile makes `retrieve` a miss and `store` false within the
 * time-out: no call hangs, and none rejects but for misuse (a bad key, ttl or value).
 *
 * A connection with no call under way does not keep the process alive.
 *
 * @example
 * ```ts
 * import { OrmucoCacheClient } from "@ormuco/cache/client";
 *
 * await using cache = new OrmucoCacheClient({ servers: ["127.0.0.1:11142"], onError: console.error });
 *
 * export async function page(path: string): Promise<string> {
 *   const known = await cache.retrieve<string>(path);
 *   if (known !== undefined) return known;
 *   const html = await (await fetch(`https://example.com${path}`)).text();
 *   await cache.store(path, html, { ttlMs: 60_000 });
 *   return html;
 * }
 * ```
 */
export class OrmucoCacheClient implements AsyncDisposable {
  readonly #memory: LruCache<unknown> | undefined;
  readonly #link: ClientConnection | undefined;
  readonly #ttlMs: number | undefined;
  readonly #onError: ((error: CacheError) => void) | undefined;
  readonly #reported = new WeakSet<CacheError>();
  readonly #failures: Record<CacheErrorCode, number> = { unreachable: 0, timeout: 0, refused: 0, protocol: 0, busy: 0 };
  #hits = 0;
  #misses = 0;
  #stores = 0;

  /**
   * Makes a client; it connects when first used.
   *
   * @param options Servers, time-out and defaults. Without this argument they come from the environment and `.env`
   * (`SERVER_HOST`, `SERVER_PORT`, `NETWORK_TIMEOUT`, `CACHE_MAX_SIZE`, `CACHE_EXPIRATION`, `CACHE_RENEW_ON_HIT`).
   * @throws {RangeError} If an option or variable is out of range.
   */
  constructor(options: ClientOptions = clientOptions(readEnvironment())) {
    this.#ttlMs = options.ttlMs === undefined ? undefined : checkTtlMs(options.ttlMs);
    this.#onError = options.onError;
    const servers = checkedServers(options.servers ?? []);
    if (servers.length === 0) {
      const { maxSize, renewOnHit } = options;
      this.#memory = new LruCache({ maxSize, renewOnHit, ttlMs: this.#ttlMs ?? DEFAULT_TTL_MS });
      return;
    }
    this.#link = new ClientConnection({
      servers,
      timeoutMs: checkedTimeoutMs(options.timeoutMs ?? DEFAULT_TIMEOUT_MS),
      software: SOFTWARE,
      onError: (error) => this.#report(error),
    });
  }

  /**
   * Stores a value.
   *
   * @param key 1 to 4,096 bytes of text.
   * @param data The value.
   * @param options The entry's own time to live.
   * @returns Whether it was stored; `false` if the server failed or refused.
   * @throws {TypeError} If the value is a promise; with a server, if it holds what cannot be sent: the message names the
   * path in it.
   * @throws {RangeError} If the key, the ttl or the value's nesting is out of range.
   */
  async store(key: string, data: unknown, options: StoreValueOptions = {}): Promise<boolean> {
    const ttlMs = options.ttlMs === undefined ? this.#ttlMs : checkTtlMs(options.ttlMs);
    checkKey(key);
    if (data instanceof Promise) throw new TypeError("Cannot store a Promise: await it first");
    const stored = this.#memory
      ? this.#memory.set(memoryKey(key), data, { ttlMs })
      : await this.#storeRemotely(key, data, ttlMs);
    if (stored) this.#stores++;
    return stored;
  }

  /**
   * Returns the value of a key.
   *
   * @typeParam T What you stored there; it is not checked.
   * @param key 1 to 4,096 bytes of text.
   * @returns The value, or `undefined` on a miss; a server that fails is a miss.
   * @throws {RangeError} If the key is out of range.
   */
  retrieve<T = unknown>(key: string): Promise<T | undefined> {
    if (this.#memory) return this.#retrieveHere(key) as Promise<T | undefined>;
    return new Promise((resolve) => {
      checkKey(key);
      this.#link!.call((output) => writeKeyed(output, REQUEST.get, key), {
        read: readFound,
        settle: (value, error) => {
          if (error !== undefined) this.#failed(error, "retrieve", key);
          resolve(this.#count(error === undefined ? value : MISS) as T | undefined);
        },
      });
    });
  }

  /**
   * Returns the values of many keys, in one request per 1,024 of them.
   *
   * @typeParam T What you stored there; it is not checked.
   * @param keys The keys.
   * @returns The values found, by key; a miss is absent.
   * @throws {RangeError} If a key is out of range.
   */
  async retrieveMany<T = unknown>(keys: Iterable<string>): Promise<Map<string, T>> {
    const asked = [...new Set(keys)];
    asked.forEach(checkKey);
    const found = this.#memory ? asked.map((key) => this.#find(key)) : await this.#findRemotely(asked);
    const values = new Map<string, T>();
    for (let i = 0; i < asked.length; i++) if (found[i] !== MISS) values.set(asked[i], found[i] as T);
    this.#hits += values.size;
    this.#misses += asked.length - values.size;
    return values;
  }

  /**
   * Tells whether a key has an entry, without using or renewing it.
   *
   * @param key 1 to 4,096 bytes of text.
   * @returns Whether it has; `false` if the server failed.
   * @throws {RangeError} If the key is out of range.
   */
  async has(key: string): Promise<boolean> {
    checkKey(key);
    if (this.#memory) return this.#memory.has(memoryKey(key));
    return await this.#ask((output) => writeKeyed(output, REQUEST.has, key), readYesNo, "look up", key) ?? false;
  }

  /**
   * Removes an entry.
   *
   * @param key 1 to 4,096 bytes of text.
   * @returns Whether there was one; `false` if the server failed.
   * @throws {RangeError} If the key is out of range.
   */
  async remove(key: string): Promise<boolean> {
    checkKey(key);
    if (this.#memory) return this.#memory.delete(memoryKey(key));
    return await this.#ask((output) => writeKeyed(output, REQUEST.delete, key), readYesNo, "remove", key) ?? false;
  }

  /**
   * Removes every entry, of the server or of this client's memory.
   *
   * @returns Whether it was done; `false` if the server failed.
   */
  async clear(): Promise<boolean> {
    if (this.#memory) {
      this.#memory.clear();
      return true;
    }
    return await this.#ask((output) => output.empty(REQUEST.clear), readYesNo) ?? false;
  }

  /**
   * Returns counters of this client and, if there is one, of the server.
   *
   * @returns The statistics.
   */
  async stats(): Promise<ClientStats> {
    const server = this.#link && await this.#ask((output) => output.empty(REQUEST.stats), readData);
    return {
      connectedTo: this.#link?.connectedTo,
      hits: this.#hits,
      misses: this.#misses,
      stores: this.#stores,
      failures: { ...this.#failures },
      entries: this.#memory?.size,
      server,
    };
  }

  /**
   * Waits for the calls under way, each bounded by the time-out, and ends the connection: later calls fail. Stand-alone
   * there is nothing to end.
   */
  async close(): Promise<void> {
    if (this.#link === undefined) return;
    // Replies come in order: with this one, all earlier ones are there.
    if (this.#link.pending > 0) {
      await new Promise<void>((resolve) => {
        this.#link!.call((output) => output.empty(REQUEST.ping), { read: readYesNo, settle: () => resolve() }, true);
      });
    }
    this.#link.close();
  }

  /** Same as {@linkcode OrmucoCacheClient.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #storeRemotely(key: string, data: unknown, ttlMs: number | undefined): Promise<boolean> {
    const value = encodeValue(data);
    const wireTtlMs = ttlMs === Infinity ? 0 : ttlMs === undefined ? undefined : Math.ceil(ttlMs);
    try {
      return await this.#ask((output) => writeSet(output, key, value, wireTtlMs), readYesNo, "store", key) ?? false;
    } catch (error) {
      if (!(error instanceof CacheError)) throw error;
      this.#failed(error, "store", key);
      return false;
    }
  }

  async #retrieveHere(key: string): Promise<unknown> {
    checkKey(key);
    return await this.#count(this.#find(key));
  }

  #find(key: string): unknown {
    const value = this.#memory!.get(memoryKey(key));
    return value !== undefined || this.#memory!.has(memoryKey(key)) ? value : MISS;
  }

  async #findRemotely(keys: string[]): Promise<unknown[]> {
    const parts: Promise<unknown[]>[] = [];
    for (let from = 0; from < keys.length; from += MAX_KEYS_PER_GET) {
      parts.push(this.#findPart(keys.slice(from, from + MAX_KEYS_PER_GET)));
    }
    const found = parts.length === 1 ? await parts[0] : (await Promise.all(parts)).flat();
    if (!found.includes(OMITTED)) return found;
    return Promise.all(found.map((value, i) => value === OMITTED ? this.#findOne(keys[i]) : value));
  }

  async #findPart(keys: string[]): Promise<unknown[]> {
    const onBadValue = (i: number, error: Error) =>
      this.#failed(new CacheError("protocol", error.message, { cause: error }), "retrieve", keys[i]);
    const read = (frame: FrameReader) => readMany(frame, keys.length, onBadValue);
    return await this.#ask((output) => writeGetMany(output, keys), read) ?? keys.map(() => MISS);
  }

  async #findOne(key: string): Promise<unknown> {
    const read = (frame: FrameReader) => ({ value: readFound(frame) });
    const found = await this.#ask((output) => writeKeyed(output, REQUEST.get, key), read, "retrieve", key);
    return found === undefined ? MISS : found.value;
  }

  /** Makes a call whose failure is `undefined`. */
  #ask<T>(
    write: (output: FrameWriter) => void,
    read: (frame: FrameReader) => T,
    verb = "ask the server",
    key?: string,
  ): Promise<T | undefined> {
    return new Promise((resolve) => {
      this.#link!.call(write, {
        read,
        settle: (result, error) => {
          if (error !== undefined) this.#failed(error, verb, key);
          resolve(result);
        },
      });
    });
  }

  #count(value: unknown): unknown {
    if (value === MISS) {
      this.#misses++;
      return undefined;
    }
    this.#hits++;
    return value;
  }

  /** Counts a failed call. What concerns this call alone is told with its key; the rest, many calls share. */
  #failed(error: CacheError, verb?: string, key?: string): void {
    this.#failures[error.code]++;
    const isShared = error.message.startsWith("Cannot use") || verb === undefined;
    const what = key === undefined ? verb : `${verb} ${JSON.stringify(key)}`;
    this.#report(isShared ? error : new CacheError(error.code, `Cannot ${what}: ${error.message}`, { cause: error }));
  }

  /** A lost connection fails many calls with one error: it is told once. */
  #report(error: CacheError): void {
    if (this.#onError === undefined || this.#reported.has(error)) return;
    this.#reported.add(error);
    try {
      const result = this.#onError(error) as unknown;
      if (result instanceof Promise) result.catch(() => {});
    } catch {
      // The callback's own trouble must not become that of a connection.
    }
  }
}

/** The engine hashes strings of digits predictably: a stranger's keys could make a crowd of them collide. */
function memoryKey(key: string): string {
  return `\0${key}`;
}

function checkedServers(servers: readonly string[]): Address[] {
  if (!Array.isArray(servers)) throw new TypeError("Cannot create client: servers must be an array of text");
  return servers.map((text) => {
    const address = parseAddress(text);
    if (address !== undefined) return address;
    throw new RangeError(
      'Cannot create client: servers must be "host", "host:port" (port 0 to 65535), "[ipv6]:port" or "unix:/path": ' +
        `received "${text}"`,
    );
  });
}

function checkedTimeoutMs(timeoutMs: number): number {
  if (timeoutMs > 0 && timeoutMs < 2 ** 31 / 2) return timeoutMs; // a timer takes 2³¹ − 1, and twice the time is needed
  throw new RangeError(`Cannot create client: timeoutMs must be more than 0 and below 2³⁰: received ${timeoutMs}`);
}
