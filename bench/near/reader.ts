/**
 * Reads keys with near copies for as long as standard input is open, and then prints, as JSON: near hits; and for each key and number
 * read, when it was read first and last.
 */

import { OrmucoCacheClient } from "../../client.ts";

/** What a reader has seen. */
export interface Seen {
  readonly nearHits: number;
  readonly reads: number;
  readonly seen: readonly (readonly [key: string, number: number, firstMs: number, lastMs: number])[];
}

if (import.meta.main) await read(JSON.parse(Deno.args[0]));

async function read({ servers, keys, maxStaleMs }: { servers: string[]; keys: string[]; maxStaleMs: number }) {
  const cache = new OrmucoCacheClient({ servers, timeoutMs: 500, near: { maxStaleMs } });
  const seen = new Map<string, { firstMs: number; lastMs: number }>();
  let [isOver, reads, nearHits] = [false, 0, 0];
  (async () => {
    await Deno.stdin.read(new Uint8Array(1));
    isOver = true;
  })();
  const asking = new Set<string>();
  const readOne = async (key: string) => {
    if (asking.has(key)) return; // while one key waits for the server, others are near
    asking.add(key);
    const atMs = performance.timeOrigin + performance.now();
    const number = await cache.retrieve<number>(key);
    asking.delete(key);
    reads++;
    if (number === undefined) return;
    const name = `${key} ${number}`;
    const times = seen.get(name);
    if (times === undefined) seen.set(name, { firstMs: atMs, lastMs: atMs });
    else times.lastMs = Math.max(times.lastMs, atMs);
  };
  while (!isOver) {
    for (const key of keys) readOne(key);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  nearHits = (await cache.stats()).near!.hits;
  await cache.close();
  const rows = [...seen].map(([name, { firstMs, lastMs }]) => {
    const [key, number] = name.split(" ");
    return [key, Number(number), firstMs, lastMs] as const;
  });
  console.log(JSON.stringify({ nearHits, reads, seen: rows } satisfies Seen));
}
