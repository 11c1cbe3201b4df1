/**
 * Three servers that are peers, clients that put a load on them, and what each server says by HTTP, to look at: `deno task try`. All is
 * in this one process, so that nothing is left of it however it ends. Where a usual port is taken, another is found.
 */

import { OrmucoCacheClient, OrmucoCacheServer } from "../mod.ts";

const PORT = 11142;
const HTTP_PORT = 9100;
const SERVERS = 3;
const CALLS_AT_ONCE = 10;
const PAUSE_MS = 20;
const KEYS = 5_000;
/** Fewer entries than keys, for less time than some wait for their next use: there are misses of more than one reason. */
const LIMITS = { maxSize: 2_000, ttlMs: 30_000 };

/** The port if nobody listens on it, else 0: any that is free. */
function freeOr0(port: number): number {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    return port;
  } catch {
    return 0;
  }
}

/** Starts a server that is a peer of those before it, and prints nothing of its log but warnings. */
async function started(number: number, peers: readonly string[]): Promise<OrmucoCacheServer> {
  const server: OrmucoCacheServer = new OrmucoCacheServer({
    listen: `127.0.0.1:${freeOr0(PORT + number)}`,
    http: `127.0.0.1:${freeOr0(HTTP_PORT + number)}`,
    peers: [...peers],
    log: (line, level = "info") => level === "info" || console.error(`${server.address}: ${line}`),
    ...LIMITS,
  });
  await server.startServer();
  return server;
}

/** A key, of which some are asked for much more often than others. */
function someKey(): string {
  return `item:${Math.floor(KEYS ** Math.random())}`;
}

async function call(client: OrmucoCacheClient): Promise<void> {
  const [key, choice] = [someKey(), Math.random()];
  if (choice < 0.01) await client.remove(key);
  else if (choice < 0.05) await client.store(key, { key, text: "y".repeat(300) });
  else await client.retrieveOrStore(key, () => ({ key, text: "x".repeat(300) }));
}

/** Calls until it is over, again and again. */
async function load(client: OrmucoCacheClient, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    await Promise.all(Array.from({ length: CALLS_AT_ONCE }, () => call(client)));
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

/**
 * Resolves at a signal, of which a second one ends the process at once, and when the process that has started this one is gone:
 * `deno task` may have been killed.
 */
function end(): Promise<void> {
  const parent = Deno.ppid;
  let asked = false;
  return new Promise((resolve) => {
    const onSignal = () => {
      if (asked) Deno.exit(130);
      asked = true;
      resolve();
    };
    Deno.addSignalListener("SIGINT", onSignal);
    if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", onSignal);
    Deno.unrefTimer(setInterval(() => Deno.ppid === parent || resolve(), 500));
  });
}

function say(servers: readonly OrmucoCacheServer[]): void {
  const config = import.meta.resolve("@std/msgpack").startsWith("file:") ? " -c deno.npm.json" : "";
  const [{ address }] = servers;
  console.log("Three servers, peers of each other:");
  for (const server of servers) console.log(`  ${server.address}   http://${server.httpAddress}`);
  console.log(
    `Three clients make some 1,000 calls a second, with ${KEYS} keys for ${LIMITS.maxSize} places on each server.`,
  );
  console.log("From a second terminal:");
  for (const command of ["peers", "stats", "explain item:7"]) {
    console.log(`  deno run -A${config} cli.ts ${command} --server ${address}`);
  }
  console.log("Ctrl-C stops all.");
}

const ended = end();
const servers: OrmucoCacheServer[] = [];
for (let i = 0; i < SERVERS; i++) servers.push(await started(i, servers.map(({ address }) => address!)));
let isOver = false;
const clients = servers.map((_, i) => {
  const addresses = [...servers.slice(i), ...servers.slice(0, i)].map(({ address }) => address!);
  return new OrmucoCacheClient({
    servers: addresses,
    ...(i === 0 && { near: true }),
    onError: ({ message }) => console.error(message),
  });
});
const loads = clients.map((client) => load(client, () => isOver));
say(servers);
await ended;
isOver = true;
await Promise.all(loads);
for (const each of [...clients, ...servers]) await each[Symbol.asyncDispose]();
console.log("Stopped");
Deno.exit(0);
