/**
 * The client: stores and retrieves values on a server, or stand-alone in this process's memory. With options it needs
 * `--allow-net=HOST:PORT` for each server; without, `--allow-env` and `--allow-read=.env` too.
 *
 * ```ts
 * import { OrmucoCacheClient } from "@ormuco/cache/client";
 *
 * await using cache = new OrmucoCacheClient({ servers: ["127.0.0.1:11142"] });
 * await cache.store("my-key", [1, 2, 3]); // true
 * await cache.retrieve("my-key"); // [1, 2, 3]; a miss is undefined
 * ```
 *
 * @module
 */

import { type Address, parseAddress } from "./lib/base/address.ts";
import type { OrmucoCache, StoreValueOptions } from "./lib/base/cache.ts";
import { checkTtlMs } from "./lib/base/checks.ts";
import type { CacheError } from "./lib/base/errors.ts";
import { MAX_PORT } from "./lib/base/limits.ts";
import { clientOptions } from "./lib/base/settings.ts";
import type { ClientStats } from "./lib/base/stats.ts";
import { MemoryCache } from "./lib/client/memory_cache.ts";
import { RemoteCache } from "./lib/client/remote_cache.ts";
import { readEnvironment } from "./lib/platform/environment.ts";

export type { OrmucoCache, StoreValueOptions } from "./lib/base/cache.ts";
export { CacheError, type CacheErrorCode, type CacheErrorOptions } from "./lib/base/errors.ts";
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

const DEFAULT_TIMEOUT_MS = 1000;

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
export class OrmucoCacheClient implements OrmucoCache {
  readonly #cache: OrmucoCache;

  /**
   * Makes a client; it connects when first used.
   *
   * @param options Servers, time-out and defaults. Without this argument they come from the environment and `.env`
   * (`SERVER_HOST`, `SERVER_PORT`, `NETWORK_TIMEOUT`, `CACHE_MAX_SIZE`, `CACHE_EXPIRATION`, `CACHE_RENEW_ON_HIT`).
   * @throws {RangeError} If an option or variable is out of range.
   */
  constructor(options: ClientOptions = clientOptions(readEnvironment())) {
    const { maxSize, renewOnHit, onError, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
    const ttlMs = options.ttlMs === undefined ? undefined : checkTtlMs(options.ttlMs);
    const servers = checkedServers(options.servers ?? []);
    this.#cache = servers.length === 0
      ? new MemoryCache({ maxSize, renewOnHit, ttlMs })
      : new RemoteCache({ servers, timeoutMs: checkedTimeoutMs(timeoutMs), ttlMs, onError });
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
  store(key: string, data: unknown, options?: StoreValueOptions): Promise<boolean> {
    return this.#cache.store(key, data, options);
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
    return this.#cache.retrieve(key);
  }

  /**
   * Returns the values of many keys, in one request per 1,024 of them.
   *
   * @typeParam T What you stored there; it is not checked.
   * @param keys The keys.
   * @returns The values found, by key; a miss is absent.
   * @throws {RangeError} If a key is out of range.
   */
  retrieveMany<T = unknown>(keys: Iterable<string>): Promise<Map<string, T>> {
    return this.#cache.retrieveMany(keys);
  }

  /**
   * Tells whether a key has an entry, without using or renewing it.
   *
   * @param key 1 to 4,096 bytes of text.
   * @returns Whether it has; `false` if the server failed.
   * @throws {RangeError} If the key is out of range.
   */
  has(key: string): Promise<boolean> {
    return this.#cache.has(key);
  }

  /**
   * Removes an entry.
   *
   * @param key 1 to 4,096 bytes of text.
   * @returns Whether there was one; `false` if the server failed.
   * @throws {RangeError} If the key is out of range.
   */
  remove(key: string): Promise<boolean> {
    return this.#cache.remove(key);
  }

  /**
   * Removes every entry, of the server or of this client's memory.
   *
   * @returns Whether it was done; `false` if the server failed.
   */
  clear(): Promise<boolean> {
    return this.#cache.clear();
  }

  /**
   * Returns counters of this client and, if there is one, of the server.
   *
   * @returns The statistics.
   */
  stats(): Promise<ClientStats> {
    return this.#cache.stats();
  }

  /**
   * Waits for the calls under way, each bounded by the time-out, and ends the connection: later calls fail. Stand-alone
   * there is nothing to end.
   */
  close(): Promise<void> {
    return this.#cache.close();
  }

  /** Same as {@linkcode OrmucoCacheClient.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function checkedServers(servers: readonly string[]): Address[] {
  if (!Array.isArray(servers)) throw new TypeError("Cannot create client: servers must be an array of text");
  return servers.map((text) => {
    const address = parseAddress(text);
    if (address !== undefined) return address;
    throw new RangeError(
      `Cannot create client: servers must be "host", "host:port" (port 0 to ${MAX_PORT}), "[ipv6]:port" or "unix:/path": ` +
        `received "${text}"`,
    );
  });
}

function checkedTimeoutMs(timeoutMs: number): number {
  if (timeoutMs > 0 && timeoutMs < 2 ** 31 / 2) return timeoutMs; // a timer takes 2³¹ − 1, and twice the time is needed
  throw new RangeError(`Cannot create client: timeoutMs must be more than 0 and below 2³⁰: received ${timeoutMs}`);
}
