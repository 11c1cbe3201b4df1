/** Clients with decoding, each against its own server: calls in flight, many keys at once, latency. */

import { OrmucoCacheClient } from "../../client.ts";
import { order } from "../compare.ts";
import type { Program } from "./programs.ts";
import { at, type Figures, measure, type Table } from "./table.ts";

const KEYS = 1000;
const MANY = 100;
const OURS = "Ormuco Cache";

const TEXTS = Array.from({ length: KEYS }, (_, i) => String(i).padStart(100, "text "));

type Order = typeof order;

/** A client, connected. */
interface Client {
  name: string;
  server: string;
  store(key: string, value: Order): Promise<unknown>;
  retrieve(key: string): Promise<Order>;
  retrieveMany?(keys: string[]): Promise<Order[]>;
  storeText?(key: string, text: string): Promise<unknown>;
  retrieveTexts?(keys: string[]): Promise<string[]>;
  close(): Promise<unknown>;
}

const CONNECT: Record<string, (port: number) => Promise<Client>> = { ours, nodeRedis, ioredis, memjs };

/** All clients side by side; tells of those whose package or server is missing. */
export async function benchClients(programs: Program[], repeats: number, missing: string[]): Promise<Table[]> {
  const clients: Client[] = [];
  for (const [name, connect] of Object.entries(CONNECT)) {
    const server = name === "ours" ? OURS : name === "memjs" ? "memcached" : "Redis";
    const program = programs.find((program) => program.name === server);
    if (program === undefined) continue;
    try {
      clients.push(await connect(program.port));
    } catch (error) {
      missing.push(`${name}: ${(error as Error).message.split("\n")[0]}. It comes from the npm registry`);
    }
  }
  for (const client of clients) {
    for (let i = 0; i < KEYS; i++) await client.store(keyOf(i), { ...order, id: i });
  }
  const tables: Table[] = [];
  for (const inFlight of [1, 64, 512]) {
    const calls = inFlight === 1 ? 5000 : 40_000;
    const run = (client: Client) => () =>
      drive(inFlight, calls, async (i) => check(await client.retrieve(keyOf(i)), i));
    tables.push(
      await measure(about(`Client: retrieve, ${inFlight} in flight`, "µs a call", repeats), named(clients, run)),
    );
  }
  const able = clients.filter(({ retrieveMany }) => retrieveMany !== undefined);
  const objects = (client: Client) => () =>
    driveMany(async (asked) => {
      const values = await client.retrieveMany!(asked.map(keyOf));
      for (let k = 0; k < MANY; k++) check(values[k], asked[k]);
    });
  tables.push(await measure(about(`Client: ${MANY} objects in a call`, "µs a key", repeats), named(able, objects)));
  for (const client of able) for (let i = 0; i < KEYS; i++) await client.storeText!(`t${keyOf(i)}`, textOf(i));
  const texts = (client: Client) => () =>
    driveMany(async (asked) => {
      const values = await client.retrieveTexts!(asked.map((i) => `t${keyOf(i)}`));
      for (let k = 0; k < MANY; k++) if (values[k] !== textOf(asked[k])) throw new Error("Cannot go on: wrong text");
    });
  tables.push(
    await measure({
      ...about(`Client: ${MANY} texts in a call`, "µs a key", repeats),
      note: "One connection, 8 calls in flight; values are texts of 100 bytes.",
    }, named(able, texts)),
  );
  for (const client of clients) await client.close();
  return tables;
}

function about(title: string, main: string, repeats: number) {
  const note =
    "One connection; values are objects of 143 bytes as JSON, decoded and checked; every reader decodes them " +
    "with JSON.parse or our codec.";
  return { title, note, main, lessIsBetter: true, ours: OURS, repeats };
}

function named(clients: Client[], run: (client: Client) => () => Promise<Figures>) {
  return Object.fromEntries(clients.map((client) => [client.name, run(client)]));
}

function keyOf(i: number): string {
  return `key:${i % KEYS}`;
}

function check(value: Order, i: number): void {
  if (value?.id !== i % KEYS) throw new Error(`Cannot go on: wrong value for ${keyOf(i)}`);
}

function textOf(i: number): string {
  return TEXTS[i % KEYS];
}

/** Calls for many keys, 8 in flight. */
async function driveMany(call: (asked: number[]) => Promise<void>): Promise<Figures> {
  const figures = await drive(8, 400, (i) => call(Array.from({ length: MANY }, (_, k) => MANY * i + k)));
  return { "µs a key": figures["µs a call"] / MANY, "p50 ms": figures["p50 ms"], "p99.9 ms": figures["p99.9 ms"] };
}

/** Keeps `inFlight` calls under way until all are made. The latency of every eighth is noted. */
async function drive(inFlight: number, calls: number, call: (i: number) => Promise<void>): Promise<Figures> {
  const latencies: number[] = [];
  let next = 0;
  const worker = async () => {
    while (next < calls) {
      const i = next++;
      if (i % 8 > 0) {
        await call(i);
        continue;
      }
      const startMs = performance.now();
      await call(i);
      latencies.push(performance.now() - startMs);
    }
  };
  const startMs = performance.now();
  await Promise.all(Array.from({ length: inFlight }, worker));
  const us = 1000 * (performance.now() - startMs) / calls;
  return {
    "µs a call": us,
    "p50 ms": at(latencies, 0.5),
    "p99 ms": at(latencies, 0.99),
    "p99.9 ms": at(latencies, 0.999),
  };
}

function ours(port: number): Promise<Client> {
  const client = new OrmucoCacheClient({ servers: [`127.0.0.1:${port}`], onError: console.error });
  return Promise.resolve({
    name: OURS,
    server: OURS,
    store: (key, value) => client.store(key, value),
    retrieve: (key) => client.retrieve(key) as Promise<Order>,
    retrieveMany: async (keys) => {
      const found = await client.retrieveMany<Order>(keys);
      return [...found.values()];
    },
    storeText: (key, text) => client.store(key, text),
    retrieveTexts: async (keys) => [...(await client.retrieveMany<string>(keys)).values()],
    close: () => client.close(),
  });
}

async function nodeRedis(port: number): Promise<Client> {
  const { createClient } = await import("redis");
  const client = createClient({ socket: { host: "127.0.0.1", port } });
  await client.connect();
  return {
    name: "node-redis",
    server: "Redis",
    store: (key, value) => client.set(key, JSON.stringify(value)),
    retrieve: async (key) => JSON.parse(await client.get(key) as string),
    retrieveMany: async (keys) => (await client.mGet(keys)).map((text) => JSON.parse(text as string)),
    storeText: (key, text) => client.set(key, text),
    retrieveTexts: (keys) => client.mGet(keys) as Promise<string[]>,
    close: () => client.close(),
  };
}

async function ioredis(port: number): Promise<Client> {
  const { Redis } = await import("ioredis");
  const client = new Redis({ host: "127.0.0.1", port, enableAutoPipelining: true });
  return {
    name: "ioredis, auto-pipelining",
    server: "Redis",
    store: (key, value) => client.set(key, JSON.stringify(value)),
    retrieve: async (key) => JSON.parse(await client.get(key) as string),
    retrieveMany: async (keys) => (await client.mget(keys)).map((text) => JSON.parse(text as string)),
    storeText: (key, text) => client.set(key, text),
    retrieveTexts: (keys) => client.mget(keys) as Promise<string[]>,
    close: () => client.quit(),
  };
}

async function memjs(port: number): Promise<Client> {
  const { default: { Client: Memjs } } = await import("memjs");
  const client = Memjs.create(`127.0.0.1:${port}`);
  return {
    name: "memjs",
    server: "memcached",
    store: (key, value) => client.set(key, JSON.stringify(value), {}),
    retrieve: async (key) => JSON.parse((await client.get(key)).value.toString()),
    close: () => Promise.resolve(client.close()),
  };
}
