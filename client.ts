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
import { type ClientTlsOptions, whyNoTls } from "./lib/base/tls_options.ts";
import { MemoryCache } from "./lib/client/memory_cache.ts";
import { RemoteCache } from "./lib/client/remote_cache.ts";
import { tokenSource } from "./lib/client/token_source.ts";
import { readEnvironment, withTls } from "./lib/platform/environment.ts";

export type { OrmucoCache, StoreValueOptions } from "./lib/base/cache.ts";
export { CacheError, type CacheErrorCode, type CacheErrorOptions } from "./lib/base/errors.ts";
export type { ClientStats, GossipTotals, PeerStats, ServerStats } from "./lib/base/stats.ts";
export type { ClientTlsOptions } from "./lib/base/tls_options.ts";

/** Options of {@linkcode OrmucoCacheClient}. */
export interface ClientOptions {
  /**
   * Servers as `host`, `host:port`, `[ipv6]:port` or `unix:/path`; the port is 11142 unless given. When a server fails,
   * the client goes on with the next one and its entries. Without servers the client is stand-alone: it keeps values in
   * this process's memory.
   *
   * @default {[]}
   */
  servers?: string[];
  /**
   * Milliseconds after which a call to a server counts as failed, from the end of the turn of the event loop in which it is
   * made; more than 0 and below 2³⁰.
   *
   * @default {1000}
   */
  timeoutMs?: number;
  /**
   * Called with the reason of each failure; one that several calls share, such as a lost connection, is passed once. An
   * error that `onError` throws is ignored. Without this option, failures are only counted in `stats()`.
   */
  onError?: (error: CacheError) => void;
  /**
   * Milliseconds until an entry that this client stores expires; 0 or `Infinity` means never.
   *
   * @default {the server's own setting; 3600000 stand-alone}
   */
  ttlMs?: number;
  /**
   * Entries held at most by a stand-alone client: a whole number from 1 to 16,777,215, or `Infinity`. With servers this
   * option has no effect.
   *
   * @default {128}
   */
  maxSize?: number;
  /**
   * Whether a hit restarts the entry's time to live, in a stand-alone client. A server follows its own setting.
   *
   * @default {true}
   */
  renewOnHit?: boolean;
  /**
   * The token with which the client proves itself to servers, and servers prove themselves to it: a secret of 8 to 256 characters,
   * or a name, a colon and a secret. It is not sent. With a token, a server that asks for none is not used.
   *
   * @default {none}
   */
  authToken?: string;
  /**
   * A file that holds that token alone; it is read for each connection anew.
   *
   * @default {none}
   */
  authTokenFile?: string;
  /**
   * How connections to servers are encrypted, but those to unix sockets: `true` believes the system's authorities. Needs
   * Deno 2.8.1 or later.
   *
   * @default {undefined}
   */
  tls?: true | ClientTlsOptions;
}

const DEFAULT_TIMEOUT_MS = 1000;

/**
 * A cache on one or several servers, or stand-alone in this process's memory. `store` and `retrieve` are the two
 * methods that matter.
 *
 * A stand-alone client keeps the values themselves, of any kind but promises. A client with servers sends copies: of
 * primitive values but symbols, arrays, plain objects, dates, maps, sets, regular expressions, URLs, errors, array
 * buffers and their views. A server that is down, slow or hostile makes `retrieve` a miss and `store` false within the
 * time-out. No call waits longer, and a call rejects only on misuse: a bad key, ttl or value.
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
   * Makes a client; it connects with its first call.
   *
   * @param options Servers, time-out and defaults. Without this argument they come from the environment and `.env`
   * (`SERVER_HOST`, `SERVER_PORT`, `NETWORK_TIMEOUT`, `AUTH_TOKEN`, `AUTH_TOKEN_FILE`, `CACHE_MAX_SIZE`,
   * `CACHE_EXPIRATION`, `CACHE_RENEW_ON_HIT`, `TLS`, `TLS_CA`, `TLS_CERT`, `TLS_KEY`).
   * @throws {RangeError} If an option or variable is out of range, or Deno does not permit reading the variables.
   * @throws {TypeError} If `servers` is not an array.
   */
  constructor(options: ClientOptions = withTls(clientOptions(readEnvironment()))) {
    const { maxSize, renewOnHit, onError } = options;
    const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    const ttlMs = options.ttlMs === undefined ? undefined : checkTtlMs(options.ttlMs);
    const servers = checkedServers(options.servers ?? []);
    const token = tokenSource(options);
    this.#cache = servers.length === 0 ? new MemoryCache({ maxSize, renewOnHit, ttlMs }) : new RemoteCache({
      servers,
      timeoutMs: checkedTimeoutMs(timeoutMs),
      ttlMs,
      tls: checkedTls(options.tls),
      onError,
      token,
    });
  }

  /**
   * Stores a value.
   *
   * A value that is refused, by `false` or by an error, leaves no older value under its key. After a failure of the server
   * (a time-out, a lost connection) it is not known what is there: the new value, the older one or none.
   *
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @param data The value to store.
   * @param options The entry's own time to live.
   * @returns Whether the value was stored; `false` if the server failed or refused.
   * @throws {TypeError} If the value is a promise; with servers, also if it holds something that cannot be sent (a
   * function, a symbol, a cycle, a class instance): the message names the path to it.
   * @throws {RangeError} If the key or the time to live is out of range; with servers, also if the value is nested
   * deeper than 256 levels, has too many parts, or would take more than half a second to read.
   */
  store(key: string, data: unknown, options?: StoreValueOptions): Promise<boolean> {
    return this.#cache.store(key, data, options);
  }

  /**
   * Retrieves the value of a key. A hit makes the entry the most recently used and, by default, restarts its time to
   * live.
   *
   * @typeParam T Type of the value that was stored; it is not checked.
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @returns The value, or `undefined` on a miss; a server that fails is a miss.
   * @throws {RangeError} If the key is empty, longer than 4,096 bytes, or not well-formed text.
   */
  retrieve<T = unknown>(key: string): Promise<T | undefined> {
    return this.#cache.retrieve(key);
  }

  /**
   * Retrieves the values of many keys, each as `retrieve` does, with one request to the server per 1,024 keys.
   *
   * @typeParam T Type of the value that was stored; it is not checked.
   * @param keys The keys, each of 1 to 4,096 bytes as UTF-8; a key that comes twice counts once.
   * @returns The values found, by key; a key without an entry is absent.
   * @throws {RangeError} If a key is empty, longer than 4,096 bytes, or not well-formed text.
   */
  retrieveMany<T = unknown>(keys: Iterable<string>): Promise<Map<string, T>> {
    return this.#cache.retrieveMany(keys);
  }

  /**
   * Tells whether a key has an entry. Unlike `retrieve`, it does not count as a hit of the entry.
   *
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @returns Whether the key has an entry; `false` if the server failed.
   * @throws {RangeError} If the key is empty, longer than 4,096 bytes, or not well-formed text.
   */
  has(key: string): Promise<boolean> {
    return this.#cache.has(key);
  }

  /**
   * Removes the entry of a key.
   *
   * @param key Text of 1 to 4,096 bytes as UTF-8.
   * @returns Whether there was an entry; `false` if the server failed.
   * @throws {RangeError} If the key is empty, longer than 4,096 bytes, or not well-formed text.
   */
  remove(key: string): Promise<boolean> {
    return this.#cache.remove(key);
  }

  /**
   * Removes every entry of the server and its peers, or of the stand-alone client's memory.
   *
   * @returns Whether the entries were removed; `false` if the server failed.
   */
  clear(): Promise<boolean> {
    return this.#cache.clear();
  }

  /**
   * Returns counters of this client and, if there is a server, the server's statistics.
   *
   * @returns The statistics.
   */
  stats(): Promise<ClientStats> {
    return this.#cache.stats();
  }

  /**
   * Waits for the calls under way, `timeoutMs` at most, and ends the connection: later calls fail. On a stand-alone
   * client it has no effect.
   */
  close(): Promise<void> {
    return this.#cache.close();
  }

  /** Calls {@linkcode OrmucoCacheClient.close}; `await using` needs it. */
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
  if (timeoutMs > 0 && timeoutMs < 2 ** 31 / 2) return timeoutMs; // timers of twice the time must fit
  throw new RangeError(`Cannot create client: timeoutMs must be more than 0 and below 2³⁰: received ${timeoutMs}`);
}

/** Returns options for TLS. */
function checkedTls(tls: ClientOptions["tls"]): ClientTlsOptions | undefined {
  if (tls === undefined || tls === null) return undefined;
  const why = whyNoTls(Deno.version.deno);
  if (why !== undefined) throw new RangeError(`Cannot create client: ${why}`);
  if (tls === true) return {};
  if (typeof tls !== "object") {
    throw new TypeError(`Cannot create client: tls must be true or an object: received ${tls}`);
  }
  if ((tls.cert === undefined) === (tls.key === undefined)) return { ...tls };
  throw new RangeError("Cannot create client: tls.cert and tls.key must be given together");
}
