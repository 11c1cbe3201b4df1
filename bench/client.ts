/**
 * `retrieve` with value decoding over one connection, beside npm's redis (node-redis) against redis-server: same value,
 * same machine, one run. Usage: deno task bench:client     Needs redis-server (Debian: apt install redis-server).
 */

import { createClient } from "redis";
import { OrmucoCacheClient } from "../client.ts";
import { denoArguments } from "../tests/processes.ts";
import { compare, order } from "./compare.ts";

const CALLS = 40_000;
const KEYS = 1000;

const [ourPort, redisPort] = [freePort(), freePort()];
const servers = [
  start(Deno.execPath(), [
    ...denoArguments("cli.ts"),
    ...["serve", "--listen", `127.0.0.1:${ourPort}`, "--max-size", String(2 * KEYS)],
  ]),
  start("redis-server", ["--port", String(redisPort), "--save", "", "--appendonly", "no"]),
];
try {
  await Promise.all([answers(ourPort), answers(redisPort)]);
  await run();
} finally {
  for (const server of servers) server.kill("SIGTERM");
  await Promise.all(servers.map((server) => server.status));
}

async function run(): Promise<void> {
  const ours = new OrmucoCacheClient({ servers: [`127.0.0.1:${ourPort}`], onError: console.error });
  const redis = createClient({ socket: { host: "127.0.0.1", port: redisPort } });
  await redis.connect();
  for (let i = 0; i < KEYS; i++) {
    await ours.store(`key:${i}`, { ...order, id: i });
    await redis.set(`key:${i}`, JSON.stringify({ ...order, id: i }));
  }
  const retrieve = async (i: number) => check(await ours.retrieve(`key:${i % KEYS}`), i);
  const get = async (i: number) => check(JSON.parse(await redis.get(`key:${i % KEYS}`) ?? "null"), i);
  for (const inFlight of [1, 64, 512]) {
    const operations = inFlight === 1 ? CALLS / 10 : CALLS;
    await compare({ title: `retrieve, ${inFlight} in flight`, operations, repeats: 11, against: "node-redis get" }, {
      "node-redis get": () => drive(inFlight, operations, get),
      "retrieve": () => drive(inFlight, operations, retrieve),
    });
  }
  await ours.close();
  await redis.quit();
}

function check(value: unknown, i: number): void {
  if ((value as typeof order).id !== i % KEYS) throw new Error(`Cannot go on: wrong value for key:${i % KEYS}`);
}

/** Keeps `inFlight` calls under way until all are made. */
async function drive(inFlight: number, calls: number, call: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < calls) await call(next++);
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}

function start(command: string, args: string[]): Deno.ChildProcess {
  try {
    return new Deno.Command(command, { args, stdout: "null", stderr: "inherit" }).spawn();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    console.error(`Cannot start ${command}: not found. On Debian: apt install ${command}`);
    Deno.exit(1);
  }
}

async function answers(port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    try {
      (await Deno.connect({ port })).close();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Error(`Cannot reach port ${port}`);
}
