/**
 * A least-recently-used cache with expiration, for any JavaScript value. It knows nothing of servers or bytes.
 *
 * ```ts
 * import { LruCache } from "@ormuco/cache/lru";
 *
 * const pages = new LruCache<string>({ maxSize: 1000, ttlMs: 60_000 });
 * pages.set("/", "<h1>Home</h1>");
 * pages.get("/"); // "<h1>Home</h1>"
 * ```
 *
 * @module
 */

export { MAX_ENTRIES } from "./base/limits.ts";
export { LruCache } from "./lru/lru_cache.ts";
export type { EvictReason, LruCacheOptions, LruSetOptions } from "./lru/options.ts";
