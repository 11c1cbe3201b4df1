/** Servers in this process that are peers. */

import type { OrmucoCache, OrmucoCacheClient, OrmucoCacheServer, PeerStats, ServerOptions } from "../../mod.ts";
import { startedServer } from "./servers.ts";
import { until } from "./waiting.ts";

/** Rounds so far apart that none passes while a test runs. */
export const NO_ROUNDS = 60_000;

/** A server in this process, with the lines that it says. */
export interface Node extends AsyncDisposable {
  readonly server: OrmucoCacheServer;
  readonly cache: OrmucoCacheServer["cache"];
  readonly lines: string[];
  /** Where others reach it. */
  readonly address: string;
}

/** Starts one, with short rounds and room for all. */
export async function startedNode(options: ServerOptions = {}): Promise<Node> {
  const lines: string[] = [];
  const log = (line: string) => lines.push(line);
  const server = await startedServer({ maxSize: 1_000_000, gossipIntervalMs: 20, log, ...options });
  return { server, cache: server.cache, lines, address: server.address!, [Symbol.asyncDispose]: () => server.stop() };
}

/** Nodes that are stopped together. */
export async function together(...starting: Promise<Node>[]): Promise<Node[] & AsyncDisposable> {
  return stoppable(await Promise.all(starting));
}

function stoppable(nodes: Node[]): Node[] & AsyncDisposable {
  const stop = async () => void await Promise.all(nodes.map(({ server }) => server.stop()));
  return Object.assign(nodes, { [Symbol.asyncDispose]: stop });
}

/** Nodes that have been started one after another: each lists those before it that `lists` names. */
export async function cluster(lists: number[][], options: ServerOptions = {}): Promise<Node[] & AsyncDisposable> {
  const nodes: Node[] = [];
  for (const list of lists) nodes.push(await startedNode({ ...options, peers: list.map((i) => nodes[i].address) }));
  await until("all are connected, and know the same", () => {
    return nodes.every(({ server }, i) => {
      const own = lists[i].length + lists.filter((list) => list.includes(i)).length;
      return connected(server).length === own && connected(server).every(({ lastRoundMs }) => lastRoundMs >= 0);
    });
  });
  return stoppable(nodes);
}

/** The peers that a server is connected to. */
export function connected(server: OrmucoCacheServer): PeerStats[] {
  return server.stats().peers.filter(({ state }) => state === "connected");
}

/** Rounds in a row in which nothing is lacked and nothing changes, before a cluster counts as settled. */
const QUIET_ROUNDS = 10;

/** Waits until servers lack nothing of each other and hold as much as before, round after round. */
export async function settled(...caches: Pick<OrmucoCache, "stats">[]): Promise<void> {
  const look = async () => {
    const servers = (await Promise.all(caches.map((cache) => cache.stats()))).map(({ server }) => server);
    const rows = servers.flatMap((server) => server?.peers ?? []).filter(({ state }) => state === "connected");
    return { rows, entries: servers.map((server) => server?.entries).join() };
  };
  let before = await look();
  for (let quiet = 0; quiet < QUIET_ROUNDS;) {
    let now = before;
    await until("a round has passed", async () => {
      now = await look();
      return now.rows.every(({ bytesReceived }, i) => bytesReceived !== before.rows[i]?.bytesReceived);
    });
    const isQuiet = now.rows.every(({ lag, catchingUp }) => lag === 0 && !catchingUp);
    quiet = isQuiet && now.entries === before.entries ? quiet + 1 : 0;
    before = now;
  }
}

/** `key:0`, `key:1`, and so on. */
export function names(count: number, prefix = "key"): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}:${i}`);
}

/** Whether caches hold the same of some keys. */
export async function agree(caches: Pick<OrmucoCacheClient, "retrieveMany">[], keys: string[]): Promise<boolean> {
  const held = await Promise.all(caches.map(async (cache) => JSON.stringify([...await cache.retrieveMany(keys)])));
  return held.every((other) => other === held[0]);
}
