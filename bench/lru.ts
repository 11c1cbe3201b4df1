/** LruCache beside npm's lru-cache and quick-lru and a bare Map. Usage: deno task bench:lru */

import { LRUCache } from "lru-cache";
import QuickLRU from "quick-lru";
import { LruCache } from "../lib/lru.ts";
import { compare, seeded } from "./compare.ts";

const HOUR_MS = 3_600_000;
const OPERATIONS = 1 << 19;

interface Cache {
  get(key: string): number | undefined;
  set(key: string, value: number): unknown;
}

for (const size of [1000, 10_000, 100_000, 1_000_000]) await benchGet(size);
for (const size of [1000, 100_000, 1_000_000]) await benchEvict(size);

/** Hits on skewed keys: the cube of a uniform number, so that a tenth of the keys takes almost half of the hits. */
async function benchGet(size: number): Promise<void> {
  const keys = Array.from({ length: size }, (_, i) => `key:${i}`);
  const random = seeded(1);
  const asked = Array.from({ length: OPERATIONS }, () => keys[Math.floor(size * random() ** 3)]);
  const caches: Record<string, Cache> = {
    "Map": new Map<string, number>(),
    "quick-lru": new QuickLRU<string, number>({ maxSize: size }),
    "LruCache": new LruCache<number>({ maxSize: size }),
    "LruCache, ttl renewed on hit": new LruCache<number>({ maxSize: size, ttlMs: HOUR_MS }),
    "lru-cache": new LRUCache<string, number>({ max: size }),
    "lru-cache, ttl and updateAgeOnGet": new LRUCache<string, number>({
      max: size,
      ttl: HOUR_MS,
      updateAgeOnGet: true,
    }),
  };
  for (const cache of Object.values(caches)) keys.forEach((key, i) => cache.set(key, i));
  const runs = Object.entries(caches).map(([name, cache]) => [name, loop("get", cache, asked)]);
  await compare(
    { title: `get, ${size.toLocaleString("en")} entries, skewed`, operations: OPERATIONS, against: "quick-lru" },
    Object.fromEntries(runs),
  );
}

/** Sets of keys not seen before on a full cache: each evicts one. */
async function benchEvict(size: number): Promise<void> {
  const fresh = Array.from({ length: Math.max(OPERATIONS, 2 * size) }, (_, i) => `fresh:${i}`);
  const caches: Record<string, Cache> = {
    "LruCache": new LruCache<number>({ maxSize: size }),
    "LruCache, ttl": new LruCache<number>({ maxSize: size, ttlMs: HOUR_MS }),
    "lru-cache": new LRUCache<string, number>({ max: size }),
    "lru-cache, ttl": new LRUCache<string, number>({ max: size, ttl: HOUR_MS }),
    "quick-lru": new QuickLRU<string, number>({ maxSize: size }),
  };
  const runs = Object.entries(caches).map(([name, cache]) => [name, loop("set", cache, fresh)]);
  await compare(
    { title: `set that evicts, ${size.toLocaleString("en")} entries`, operations: fresh.length, against: "lru-cache" },
    Object.fromEntries(runs),
  );
}

/** A loop of its own for each cache, as a program that uses one cache has: shared, it would suit none of them. */
function loop(method: "get" | "set", cache: Cache, keys: string[]): () => unknown {
  const call = method === "get" ? "sum += cache.get(keys[i])" : "cache.set(keys[i], i)";
  const body = `let sum = 0; for (let i = 0; i < keys.length; i++) ${call}; return sum;`;
  return new Function("cache", "keys", body).bind(null, cache, keys);
}
