/**
 * Ormuco Cache keeps JavaScript values by key: in the memory of one process, or on a small server that keeps them when
 * the process that stored them is gone. The client turns every failure of a server into a miss, so a program works
 * without its cache, only more slowly. Servers can be peers of each other, which share their entries.
 *
 * The client, the stand-alone client and a server's `cache` are all an {@linkcode OrmucoCache}: code written for that
 * interface takes any of the three.
 *
 * ## A cache in the process
 *
 * {@linkcode LruCache} holds values of any type and drops the least recently used. It needs no permission.
 *
 * ```ts
 * import { LruCache } from "@ormuco/cache";
 *
 * const pages = new LruCache<string>({ maxSize: 1000, ttlMs: 60_000 });
 * pages.set("/", "<h1>Home</h1>");
 * console.log(pages.get("/")); // <h1>Home</h1>
 * ```
 *
 * ## A server
 *
 * {@linkcode OrmucoCacheServer} needs `--allow-net=HOST:PORT` for the address that it listens on, and for each peer.
 *
 * ```ts
 * import { OrmucoCacheServer } from "@ormuco/cache"; // run with --allow-net=127.0.0.1:11142
 *
 * await using server = new OrmucoCacheServer({ listen: "127.0.0.1:11142", maxSize: 10_000 });
 * await server.startServer(); // prints: Server listens on port 11142; it stops at the end of this scope
 * await server.cache.store("greeting", "hello"); // the server's own entries, without a socket
 * ```
 *
 * ## A client
 *
 * {@linkcode OrmucoCacheClient} needs `--allow-net=HOST:PORT` for each of its servers. Without `servers` it is
 * stand-alone: it keeps the values themselves in this process (copies, as a server does, with `copies: true`) and needs no
 * permission.
 *
 * ```ts
 * import { OrmucoCacheClient } from "@ormuco/cache"; // run with --allow-net=127.0.0.1:11142
 *
 * await using cache = new OrmucoCacheClient({ servers: ["127.0.0.1:11142"] });
 * await cache.store("my-key", [1, 2, 3], { ttlMs: 60_000 });
 * console.log(await cache.retrieve("my-key")); // [ 1, 2, 3 ]
 * console.log(await cache.retrieve("other-key")); // undefined
 * ```
 *
 * A client or a server that is made without any options reads them from the environment and from `.env`: it needs
 * `--allow-env` and `--allow-read=.env` too.
 *
 * ## The command line
 *
 * The command line reads the environment and `.env` as well, so each command takes all three permissions.
 *
 * ```sh
 * deno run --allow-net=127.0.0.1:11142 --allow-env --allow-read=.env jsr:@ormuco/cache/cli serve
 * deno run --allow-net=127.0.0.1:11142 --allow-env --allow-read=.env jsr:@ormuco/cache/cli store my-key hello
 * deno run --allow-net=127.0.0.1:11142 --allow-env --allow-read=.env jsr:@ormuco/cache/cli retrieve my-key
 * ```
 *
 * @module
 */

export {
  CacheError,
  type CacheErrorCode,
  type CacheErrorOptions,
  type CacheEvent,
  type CallOptions,
  type ClientOptions,
  type ClientStats,
  type ComputeContext,
  type EntryOptions,
  type HitEstimates,
  type HotKey,
  type IncrementOptions,
  type KeyExplanation,
  type KeysOptions,
  type MissCounts,
  type NearCopyStats,
  type NearOptions,
  type OrmucoCache,
  OrmucoCacheClient,
  type RetrievedEntry,
  type RetrieveOrStoreOptions,
  type ServerInsight,
  type StoreValueOptions,
  type ValueCodec,
} from "./client.ts";
export { memoize, type MemoizeOptions } from "./lib/compute/memoize.ts";
export { type EvictReason, LruCache, type LruCacheOptions, type LruSetOptions } from "./lib/lru.ts";
export {
  type GossipTotals,
  type LocalCache,
  type LogLevel,
  OrmucoCacheServer,
  type PeerStats,
  type ServerNearOptions,
  type ServerOptions,
  type ServerStats,
} from "./server.ts";
