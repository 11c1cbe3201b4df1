/** Caches within the process: hits, and sets that evict. */

import { LruCache } from "../../lib/lru.ts";
import { seeded } from "../compare.ts";
import { type Figures, measure, part, type Table } from "./table.ts";

const OPERATIONS = 1 << 19;
const HOUR_MS = 3_600_000;
const OURS = "LruCache";
const RENEWING = `${OURS}, ttl renewed on hit`;

interface Cache {
  get(key: string): number | undefined;
  set(key: string, value: number): unknown;
}

const MAKE: Record<string, (size: number) => Cache | Promise<Cache>> = {
  [OURS]: (maxSize) => new LruCache<number>({ maxSize }),
  [RENEWING]: (maxSize) => new LruCache<number>({ maxSize, ttlMs: HOUR_MS }),
  "lru-cache": async (max) => new (await import("lru-cache")).LRUCache<string, number>({ max }),
  "lru-cache, ttl and updateAgeOnGet": async (max) =>
    new (await import("lru-cache")).LRUCache<string, number>({ max, ttl: HOUR_MS, updateAgeOnGet: true }),
  "quick-lru": async (maxSize) => new (await import("quick-lru")).default<string, number>({ maxSize }),
  "tiny-lru": async (max) => (await import("tiny-lru")).lru<number>(max) as Cache,
  "lru.min": async (max) => (await import("lru.min")).createLRU<string, number>({ max }),
};

/** Hits and evicting sets of all caches that are there. */
export async function benchInProcess(size: number, repeats: number, missing: string[]): Promise<Table[]> {
  const keys = Array.from({ length: size }, (_, i) => `key:${i}`);
  const random = seeded(1);
  const asked = Array.from({ length: OPERATIONS }, () => keys[Math.floor(size * random() ** 3)]);
  const fresh = Array.from({ length: Math.max(OPERATIONS, 2 * size) }, (_, i) => `fresh:${i}`);
  const [hits, sets]: Record<string, () => Figures>[] = [{}, {}];
  for (const [name, make] of Object.entries(MAKE)) {
    try {
      const [toHit, toSet] = [await make(size), await make(size)];
      keys.forEach((key, i) => toHit.set(key, i));
      hits[name] = loop("get", toHit, asked);
      sets[name] = loop("set", toSet, fresh);
    } catch (error) {
      missing.push(`${name}: ${(error as Error).message.split("\n")[0]}. It comes from the npm registry`);
    }
  }
  const about = { main: "ns", lessIsBetter: true, ours: OURS, repeats };
  const note = `${size.toLocaleString("en")} entries, keys of text.`;
  const hit = await measure({ ...about, title: "In process: get, a hit", note: `${note} Skewed.` }, hits);
  const set = await measure({ ...about, title: "In process: set of a new key, which evicts", note }, sets);
  return [hit, set].flatMap(comparisons);
}

/** What one run says: caches without expiration, caches with it, and what it costs ours. */
function comparisons(table: Table): Table[] {
  const { title, rows } = table;
  const withTtl = Object.keys(rows).filter((name) => name.includes(", ttl"));
  const plain = Object.keys(rows).filter((name) => !withTtl.includes(name));
  return [
    part(table, title, plain),
    ...withTtl.length > 1 ? [part(table, `${title}, with a time to live that it renews`, withTtl)] : [],
    part(table, `${title}, without and with a time to live`, [OURS, RENEWING], true),
  ];
}

/** A loop of its own for each cache, as a program that uses one cache has: shared, it would suit none of them. */
function loop(method: "get" | "set", cache: Cache, keys: string[]): () => Figures {
  const call = method === "get" ? "sum += cache.get(keys[i])" : "cache.set(keys[i], i)";
  const body = `let sum = 0; for (let i = 0; i < keys.length; i++) ${call}; return sum;`;
  const run = new Function("cache", "keys", body);
  return () => {
    const startMs = performance.now();
    run(cache, keys);
    return { "ns": 1e6 * (performance.now() - startMs) / keys.length };
  };
}
