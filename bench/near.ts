/**
 * Hits of near copies: our client beside other caches that keep copies in the process of what a server holds. Medians of
 * interleaved runs, in one process, each against its own server. It installs no server: what is missing is named, and left out.
 *
 * Usage: deno task bench:near [REPEATS]     (9 by default; takes about a minute)
 */

import { OrmucoCacheClient } from "../client.ts";
import { order } from "./compare.ts";
import { Missing, type Program, start } from "./peers/programs.ts";
import { at, measure, verdict } from "./peers/table.ts";

const KEYS = Array.from({ length: 100 }, (_, i) => `user:${i}`);
const CALLS = 200_000;
const OURS = "Ormuco Cache, near";
/** Packages that nothing else needs: they are loaded, and downloaded, by this alone. */
const BENTOCACHE: string = "npm:bentocache@^1.6.1";
const IOREDIS_5: string = "npm:ioredis@^5.3.2";

type Order = typeof order;

/** A cache whose second retrieval of a key needs no server. */
interface Near {
  store(key: string, value: Order): Promise<unknown>;
  retrieve(key: string): Promise<Order>;
  /** How many retrievals no server has answered; `undefined` if the package does not tell. */
  hits(): Promise<number | undefined>;
  close(): Promise<unknown>;
}

const CONTENDERS: Record<string, [server: string, connect: (port: number) => Promise<Near>]> = {
  [OURS]: ["Ormuco Cache", (port) => ours(port, false)],
  "Ormuco Cache, near with copies": ["Ormuco Cache", (port) => ours(port, true)],
  "bentocache, memory and Redis": ["Redis", bentocache],
  "node-redis, clientSideCache": ["Redis", nodeRedis],
};

const repeats = Number(Deno.args[0] ?? 9);
const programs: Program[] = [];
const near: Record<string, Near> = {};
for (const name of ["Ormuco Cache", "Redis"]) {
  try {
    programs.push(await start(name));
  } catch (error) {
    if (!(error instanceof Missing)) throw error;
    console.log(error.message);
  }
}
for (const [name, [server, connect]] of Object.entries(CONTENDERS)) {
  const program = programs.find((program) => program.name === server);
  if (program === undefined) continue;
  try {
    near[name] = await connect(program.port);
  } catch (error) {
    console.log(`${name}: ${(error as Error).message.split("\n")[0]}. It comes from the npm registry`);
  }
}
for (const cache of Object.values(near)) {
  for (let i = 0; i < KEYS.length; i++) await cache.store(KEYS[i], { ...order, id: i });
  for (const key of KEYS) await cache.retrieve(key);
}
const table = await measure({
  title: "Near hits, one after the other",
  note: "Objects of 143 bytes as JSON; node-redis keeps text, which is parsed here.",
  main: "ns a call",
  lessIsBetter: true,
  ours: OURS,
  repeats,
}, Object.fromEntries(Object.entries(near).map(([name, cache]) => [name, () => drive(cache)])));
console.log(verdict({ ...table, rows: withoutOurCopies(table.rows), runs: withoutOurCopies(table.runs) }));
for (const [name, cache] of Object.entries(near)) {
  const hits = await cache.hits();
  const asked = (repeats + 1) * CALLS;
  if (hits !== undefined && hits < 0.99 * asked) {
    throw new Error(`Cannot compare: ${name} had ${hits} hits of ${asked}`);
  }
  await cache.close();
}
for (const program of programs) await program.stop();

/** Makes calls, each awaited. */
async function drive(cache: Near): Promise<{ "ns a call": number; "p99.9 µs": number }> {
  const latencies: number[] = [];
  const startMs = performance.now();
  for (let i = 0; i < CALLS; i++) {
    const of = i % KEYS.length;
    const isNoted = i % 64 === 0;
    const callMs = isNoted ? performance.now() : 0;
    const value = await cache.retrieve(KEYS[of]);
    if (isNoted) latencies.push(1000 * (performance.now() - callMs));
    if (value.id !== of) throw new Error(`Cannot go on: wrong value for ${KEYS[of]}`);
  }
  return { "ns a call": 1e6 * (performance.now() - startMs) / CALLS, "p99.9 µs": at(latencies, 0.999) };
}

function withoutOurCopies<Value>(rows: Record<string, Value>): Record<string, Value> {
  return Object.fromEntries(Object.entries(rows).filter(([name]) => name === OURS || !name.startsWith("Ormuco")));
}

function ours(port: number, copies: boolean): Promise<Near> {
  const client = new OrmucoCacheClient({ servers: [`127.0.0.1:${port}`], near: { copies }, onError: console.error });
  return Promise.resolve({
    store: (key, value) => client.store(key, value),
    retrieve: (key) => client.retrieve<Order>(key) as Promise<Order>,
    hits: async () => (await client.stats()).near!.hits,
    close: () => client.close(),
  });
}

async function nodeRedis(port: number): Promise<Near> {
  const { createClient } = await import("redis");
  const clientSideCache = { ttl: 0, maxEntries: 1000, evictPolicy: "LRU" } as const;
  const client = createClient({ socket: { host: "127.0.0.1", port }, RESP: 3, clientSideCache });
  await client.connect();
  return {
    store: (key, value) => client.set(key, JSON.stringify(value)),
    retrieve: async (key) => JSON.parse(await client.get(key) as string),
    hits: () => Promise.resolve(undefined),
    close: () => client.close(),
  };
}

async function bentocache(port: number): Promise<Near> {
  const { Redis } = await import(IOREDIS_5);
  const { BentoCache, bentostore } = await import(BENTOCACHE);
  const { memoryDriver } = await import(`${BENTOCACHE}/drivers/memory`);
  const { redisDriver } = await import(`${BENTOCACHE}/drivers/redis`);
  const connection = new Redis({ host: "127.0.0.1", port });
  const memory = memoryDriver({ maxItems: 1000, serialize: false }); // its fastest: the same object for all
  const tiers = bentostore().useL1Layer(memory).useL2Layer(redisDriver({ connection }));
  const cache = new BentoCache({ default: "tiers", ttl: "1h", stores: { tiers } });
  return {
    store: (key, value) => cache.set({ key, value }),
    retrieve: (key) => cache.get({ key }),
    hits: () => Promise.resolve(undefined),
    close: () => cache.disconnectAll(),
  };
}
