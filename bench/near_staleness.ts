/**
 * How stale near copies are, with real processes and faults: readers with near copies beside two servers that are peers, while one
 * process stores numbers that grow, and servers and readers are stopped, cut off and started again. Prints the reads, the longest
 * time for which a read gave a number after the next one had been stored, and how long it takes until a store is seen.
 *
 * Usage: deno task bench:staleness [SECONDS] [MAX_STALE_MS]     (60 and 200 by default; it needs Linux or macOS)
 */

import { OrmucoCacheClient } from "../client.ts";
import { denoArguments, environment, serve, type ServeProcess } from "../tests/support/processes.ts";
import { TcpProxy } from "../tests/support/proxy.ts";
import type { Seen } from "./near/reader.ts";
import { generator } from "../lib/simulation/seeded_random.ts";

const SECONDS = Number(Deno.args[0] ?? 60);
const MAX_STALE_MS = Number(Deno.args[1] ?? 200);
const READERS = 3;
const KEYS = Array.from({ length: 200 }, (_, i) => `key:${i}`);
/** Keys that are stored often, by which the time until a store is seen is measured. */
const HOT = KEYS.slice(0, 5);

const random = generator(Number(Deno.args[2] ?? 1));
const between = (least: number, most: number) => least + Math.floor(random() * (most - least + 1));
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const now = () => performance.timeOrigin + performance.now();

/** Two servers that are peers, of which each can be started anew at its port. */
async function startServer(port: number, peer?: string): Promise<ServeProcess> {
  const peers = peer === undefined ? [] : ["--peers", peer];
  return await serve(["--listen", `127.0.0.1:${port}`, "--max-size", "10000", ...peers]);
}

const servers = [await startServer(0)];
servers.push(await startServer(0, servers[0].address));
const ports = servers.map(({ address }) => Number(address.split(":")[1]));
const proxies: TcpProxy[][] = [];
const readers: Deno.ChildProcess[] = [];
for (let i = 0; i < READERS; i++) {
  const own = ports.map((port) => new TcpProxy(port));
  proxies.push(own);
  const addresses = own.map(({ address }) => address);
  const options = { servers: i % 2 === 0 ? addresses : addresses.toReversed(), keys: KEYS, maxStaleMs: MAX_STALE_MS };
  readers.push(
    new Deno.Command(Deno.execPath(), {
      args: [...denoArguments("bench/near/reader.ts"), JSON.stringify(options)],
      ...environment(),
      stdin: "piped",
      stdout: "piped",
    }).spawn(),
  );
}

/** When each number of each key had been stored on both servers, by key and number. */
const stored = new Map<string, { number: number; atMs: number }[]>(KEYS.map((key) => [key, []]));
let isOver = false;

/** Stores numbers. Its calls never give up, so that it is always known which are there. */
async function write(): Promise<void> {
  const clients = servers.map(({ address }) => new OrmucoCacheClient({ servers: [address], timeoutMs: 60_000 }));
  for (let number = 1; !isOver; number++) {
    const key = random() < 0.5 ? HOT[between(0, HOT.length - 1)] : KEYS[between(0, KEYS.length - 1)];
    const isStored = await Promise.all(clients.map((client) => client.store(key, number)));
    if (isStored.every(Boolean)) stored.get(key)!.push({ number, atMs: now() });
    if (number % 2000 === 0) await Promise.all(KEYS.map((key) => clients[0].store(key, ++number))); // many at once
    await sleep(between(0, 4));
  }
  await Promise.all(clients.map((client) => client.close()));
}

/** Lets something go wrong, and mends it. */
async function fault(): Promise<void> {
  const [what, i, reader] = [random(), between(0, 1), between(0, READERS - 1)];
  if (what < 0.25) await servers[i].paused(() => sleep(between(100, 1500)));
  else if (what < 0.5) {
    readers[reader].kill("SIGSTOP");
    await sleep(between(100, 1500));
    readers[reader].kill("SIGCONT");
  } else if (what < 0.7) {
    proxies[reader][i].cut();
    await sleep(between(50, 800));
    proxies[reader][i].heal();
  } else if (what < 0.9) {
    proxies[reader][i].hold();
    await sleep(between(100, 1500));
    proxies[reader][i].heal();
  } else {
    await servers[i].stop("SIGKILL");
    servers[i] = await startServer(ports[i], `127.0.0.1:${ports[1 - i]}`);
  }
  faults++;
}

let faults = 0;
const writing = write();
const endMs = performance.now() + 1000 * SECONDS;
await sleep(1000);
while (performance.now() < endMs) {
  await fault();
  await sleep(between(100, 600));
}
isOver = true;
await writing;
const all: Seen[] = [];
for (const reader of readers) {
  const output = reader.output();
  await reader.stdin.close();
  all.push(JSON.parse(new TextDecoder().decode((await output).stdout)));
}
for (const proxy of proxies.flat()) await proxy[Symbol.asyncDispose]();
for (const server of servers) await server.stop();

const delays: number[] = [];
let [staleMs, stalest] = [0, ""];
for (const { seen } of all) {
  const firstSeen = new Map(seen.map(([key, number, firstMs]) => [`${key} ${number}`, firstMs]));
  for (const [key, number, , lastMs] of seen) {
    const next = stored.get(key)!.find((later) => later.number > number);
    if (next !== undefined && lastMs - next.atMs > staleMs) {
      [staleMs, stalest] = [lastMs - next.atMs, `${key} = ${number}, when ${next.number} had been stored`];
    }
  }
  for (const key of HOT) {
    for (const { number, atMs } of stored.get(key)!) {
      const firstMs = firstSeen.get(`${key} ${number}`);
      if (firstMs !== undefined) delays.push(Math.max(0, firstMs - atMs));
    }
  }
}
delays.sort((a, b) => a - b);
const at = (part: number) => delays[Math.min(delays.length - 1, Math.floor(part * delays.length))].toFixed(1);
const sum = (of: (seen: Seen) => number) => all.reduce((sum, seen) => sum + of(seen), 0).toLocaleString("en-US");
console.log(`${sum(({ reads }) => reads)} reads, ${sum(({ nearHits }) => nearHits)} of them near, ${faults} faults`);
console.log(`Most stale: ${staleMs.toFixed(1)} ms, of ${MAX_STALE_MS} ms allowed (${stalest})`);
console.log(`From a store to the first read that sees it: median ${at(0.5)} ms, p99 ${at(0.99)} ms`);
Deno.exit(staleMs > MAX_STALE_MS ? 1 : 0);
