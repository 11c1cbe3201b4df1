/**
 * Ormuco Cache: an in-process LRU cache with expiration, a client with `store` and `retrieve`, and a server that keeps
 * the data when the process is gone.
 *
 * ```ts
 * import { OrmucoCacheClient } from "@ormuco/cache";
 *
 * const cache = new OrmucoCacheClient({ servers: ["127.0.0.1:11142"] });
 * await cache.store("my-key", [1, 2, 3]); // true
 * await cache.retrieve("my-key"); // [1, 2, 3]; a miss is undefined
 * ```
 *
 * @module
 */

export {
  CacheError,
  type CacheErrorCode,
  type CacheErrorOptions,
  type ClientOptions,
  type ClientStats,
  type OrmucoCache,
  OrmucoCacheClient,
  type StoreValueOptions,
} from "./client.ts";
export { type EvictReason, LruCache, type LruCacheOptions, type LruSetOptions } from "./lib/lru.ts";
export {
  type GossipTotals,
  type LocalCache,
  OrmucoCacheServer,
  type PeerStats,
  type ServerOptions,
  type ServerStats,
} from "./server.ts";
