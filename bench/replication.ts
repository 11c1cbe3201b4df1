/**
 * What replication costs, on real sockets and by the servers' own counters: bytes in step and after losses, entries
 * sent while all nodes evict, rounds to agree, how soon a store is visible, processor time of a store, and pauses while a
 * node catches up. Run with `deno task bench:replication`; it takes some two minutes. Linux only: it reads /proc.
 */

import { processClock } from "../lib/platform/clock.ts";
import { OrmucoCacheClient } from "../client.ts";
import { Gossip } from "../lib/replication/gossip.ts";
import { spanOf } from "../lib/base/byte_span.ts";
import { Store } from "../lib/store/store.ts";
import { OrmucoCacheServer, type ServerOptions, type ServerStats } from "../server.ts";
import { denoArguments } from "../tests/support/processes.ts";
import { seeded } from "./compare.ts";

const VALUE = "v".repeat(100);
const INTERVAL_MS = 200;

async function server(options: ServerOptions): Promise<OrmucoCacheServer> {
  const started = new OrmucoCacheServer({
    listen: 0,
    maxSize: Infinity,
    maxBytes: 2 ** 31,
    ttlMs: 0,
    gossipIntervalMs: INTERVAL_MS,
    log: () => {},
    ...options,
  });
  await started.startServer();
  return started;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await pause(5);
}

function key(i: number): string {
  return `key:${String(i).padStart(8, "0")}`;
}

async function fill({ cache }: OrmucoCacheServer, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) {
    cache.store(key(i), VALUE);
    if (i % 500 === 0) await pause(0);
  }
}

function traffic({ peers }: ServerStats): number {
  return peers.reduce((sum, { bytesReceived, bytesSent }) => sum + bytesReceived + bytesSent, 0);
}

/** A way between two servers that can be cut. */
class Bridge {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #sockets = new Set<Deno.Conn>();
  isCut = false;

  constructor(readonly port: number) {
    this.#run();
  }

  get address(): string {
    return `127.0.0.1:${(this.#listener.addr as Deno.NetAddr).port}`;
  }

  cut(): void {
    this.isCut = true;
    for (const socket of this.#sockets) close(socket);
    this.#sockets.clear();
  }

  close(): void {
    this.cut();
    this.#listener.close();
  }

  async #run(): Promise<void> {
    for await (const socket of this.#listener) {
      if (this.isCut) close(socket);
      else this.#join(socket);
    }
  }

  async #join(socket: Deno.TcpConn): Promise<void> {
    const other = await Deno.connect({ hostname: "127.0.0.1", port: this.port });
    for (const end of [socket, other]) end.setNoDelay(true);
    for (const end of [socket, other]) this.#sockets.add(end);
    const pipes = [socket.readable.pipeTo(other.writable), other.readable.pipeTo(socket.writable)];
    await Promise.allSettled(pipes);
  }
}

function close(socket: Deno.Conn): void {
  try {
    socket.close();
  } catch {
    // closed before
  }
}

async function inStep(): Promise<void> {
  const one = await server({});
  await fill(one, 0, 1_000_000);
  const other = await server({ peers: [one.address!] });
  const startedMs = performance.now();
  await until(() => other.stats().entries === 1_000_000);
  const seconds = (performance.now() - startedMs) / 1000;
  await pause(2 * INTERVAL_MS);
  const before = traffic(one.stats());
  const rounds = 20;
  await pause(rounds * INTERVAL_MS);
  const bytes = traffic(one.stats()) - before;
  // Each of the two asks once in a round; each message has a frame's header of 8 bytes.
  const perRound = bytes / rounds / 2;
  console.log(`1,000,000 entries in step: ${perRound.toFixed(1)} bytes a round, ${(perRound - 16).toFixed(1)} payload`);
  console.log(`a cold node took 1,000,000 entries in ${seconds.toFixed(1)} s`);
  await other.stop();
  await one.stop();
}

async function afterLosses(missing: number): Promise<void> {
  const one = await server({});
  await fill(one, 0, 1000);
  const bridge = new Bridge(Number(one.address!.split(":")[1]));
  const other = await server({ peers: [bridge.address] });
  await until(() => other.stats().entries === 1000);
  bridge.cut();
  await until(() => one.stats().peers.length === 0);
  await fill(one, 1000, 1000 + missing);
  bridge.isCut = false;
  await until(() => other.stats().entries === 1000 + missing);
  const bytes = traffic(one.stats());
  const payload = missing * (key(0).length + VALUE.length);
  console.log(`${missing} missed entries: ${((bytes - payload) / missing).toFixed(1)} bytes each beside key and value`);
  await other.stop();
  bridge.close();
  await one.stop();
}

async function underPressure(): Promise<void> {
  const capacity = 20_000;
  const one = await server({ maxSize: capacity });
  const two = await server({ maxSize: 2 * capacity, peers: [one.address!] });
  const four = await server({ maxSize: 4 * capacity, peers: [one.address!, two.address!] });
  const all = [one, two, four];
  await until(() => all.every((node) => node.stats().peers.filter(({ state }) => state === "connected").length === 2));
  const random = seeded(7);
  const endMs = performance.now() + 8000;
  let stores = 0;
  const sent = () => all.reduce((sum, node) => sum + node.stats().gossip.sent, 0);
  while (performance.now() < endMs) {
    for (let i = 0; i < 100; i++, stores++) all[stores % 3].cache.store(key(Math.floor(random() * 200_000)), VALUE);
    await pause(1);
  }
  const whileBusy = sent();
  await pause(10 * INTERVAL_MS);
  const before = [sent(), all.reduce((sum, node) => sum + traffic(node.stats()), 0)];
  await pause(10 * INTERVAL_MS);
  const after = [sent(), all.reduce((sum, node) => sum + traffic(node.stats()), 0)];
  const evictions = all.reduce((sum, node) => sum + node.stats().evictions, 0);
  console.log(
    `capacities 1×, 2×, 4×: ${stores} stores, ${evictions} evictions, ${whileBusy} entries pulled meanwhile, ` +
      `${after[0] - before[0]} in 10 rounds after, ${
        ((after[1] - before[1]) / 10 / 12).toFixed(1)
      } bytes a round of a pair`,
  );
  for (const node of all) await node.stop();
}

async function afterHealing(): Promise<void> {
  const nodes = [await server({})];
  const bridges: Bridge[] = [];
  for (let i = 1; i < 5; i++) {
    const bridge = new Bridge(Number(nodes[i - 1].address!.split(":")[1]));
    bridges.push(bridge);
    nodes.push(await server({ peers: [bridge.address] }));
  }
  const isAgreed = (entries: number) => nodes.every((node) => node.stats().entries === entries);
  await fill(nodes[0], 0, 1000);
  await until(() => isAgreed(1000));
  for (const bridge of bridges) bridge.cut();
  await pause(INTERVAL_MS);
  for (let i = 0; i < 5; i++) await fill(nodes[i], 1000 + 100 * i, 1100 + 100 * i);
  for (const bridge of bridges) bridge.isCut = false;
  const isWhole = () =>
    nodes.every(({ stats }, i) => {
      const { peers } = stats.call(nodes[i]);
      return peers.filter(({ state }) => state === "connected").length === (i % 4 === 0 ? 1 : 2);
    });
  await until(isWhole);
  const startedMs = performance.now();
  await until(() => isAgreed(1500));
  const rounds = (performance.now() - startedMs) / INTERVAL_MS;
  console.log(`a line of 5 (diameter 4), once connected again: agreed after ${rounds.toFixed(1)} rounds`);
  for (const node of nodes) await node.stop();
  for (const bridge of bridges) bridge.close();
}

async function visibility(): Promise<void> {
  const processes = await Promise.all([0, 1].map(() => watched()));
  const second = await watched([processes[0].address]);
  await using writer = new OrmucoCacheClient({ servers: [processes[0].address] });
  await using reader = new OrmucoCacheClient({ servers: [second.address] });
  await writer.store("first", 1);
  while (!await reader.has("first")) await pause(1);
  const times: number[] = [];
  for (let i = 0; i < 2000; i++) {
    const startedMs = performance.now();
    await writer.store(`seen:${i}`, i);
    while (await reader.retrieve(`seen:${i}`) === undefined);
    times.push(performance.now() - startedMs);
  }
  times.sort((a, b) => a - b);
  console.log(
    `a store is read on a peer after ${times[1000].toFixed(2)} ms (p50), ${times[1980].toFixed(2)} ms (p99), ` +
      "store and retrieve included",
  );
  for (const process of [...processes, second]) await process.stop();
}

interface Watched {
  readonly address: string;
  readonly pid: number;
  /** Longest pause since the last call, in milliseconds. */
  worstMs(): number;
  stop(): Promise<void>;
}

/** A server in a process of its own that tells of its pauses. */
async function watched(peers: string[] = []): Promise<Watched> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  const args = [...denoArguments("bench/peers/watched_server.ts"), String(port), String(2 ** 31), ...peers];
  const child = new Deno.Command(Deno.execPath(), { args, stdout: "piped", stderr: "inherit" }).spawn();
  let worstMs = 0;
  const reading = (async () => {
    let rest = "";
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) worstMs = Math.max(worstMs, Number(line));
    }
  })();
  const address = `127.0.0.1:${port}`;
  await using client = new OrmucoCacheClient({ servers: [address], timeoutMs: 1000 });
  while ((await client.stats()).server === undefined) await pause(20);
  return {
    address,
    pid: child.pid,
    worstMs: () => {
      const worst = worstMs;
      worstMs = 0;
      return worst;
    },
    stop: async () => {
      child.kill();
      await child.status;
      await reading;
    },
  };
}

async function catchUp(entries: number): Promise<void> {
  const one = await watched();
  await using writer = new OrmucoCacheClient({ servers: [one.address], timeoutMs: 10_000 });
  for (let i = 0; i < entries; i++) {
    writer.store(key(i), VALUE, { ttlMs: 0 });
    if (i % 5000 === 0) await writer.has("x");
  }
  await writer.has("x");
  await pause(500);
  one.worstMs();
  const read = async (times: number[], isDone: () => boolean): Promise<void> => {
    while (!isDone()) {
      const startedMs = performance.now();
      await writer.retrieve(key(Math.floor(Math.random() * entries)));
      times.push(performance.now() - startedMs);
    }
  };
  const other = await watched([one.address]);
  await using client = new OrmucoCacheClient({ servers: [other.address], timeoutMs: 10_000 });
  const times: number[] = [];
  let isThere = false;
  const reading = read(times, () => isThere);
  const startedMs = performance.now();
  while ((await client.stats()).server!.entries! < entries) await pause(20);
  const seconds = (performance.now() - startedMs) / 1000;
  isThere = true;
  await reading;
  await pause(200);
  times.sort((a, b) => a - b);
  console.log(
    `a cold node takes ${entries} entries in ${seconds.toFixed(2)} s: longest slice ${one.worstMs().toFixed(1)} ms ` +
      `at the giver, ${other.worstMs().toFixed(1)} ms at the taker; a reader's p99.9 ` +
      `${times[Math.floor(times.length * 0.999)].toFixed(1)} ms of ${times.length} reads`,
  );
  await other.stop();
  await one.stop();
}

/** Processor time of a store in this process, alone and with two peers that the messages do not really go to. */
function storeCost(): void {
  const keys = Array.from({ length: 100_000 }, (_, i) => spanOf(new TextEncoder().encode(key(i))));
  const value = spanOf(new TextEncoder().encode(VALUE));
  const run = (peers: number): number => {
    const options = {
      maxSize: Infinity,
      ttlMs: 3_600_000,
      renewOnHit: true,
      hashKey: [1, 2] as const,
      origin: 1,
      clock: processClock,
    };
    const store: Store = new Store({ ...options, replicates: peers >= 0 });
    const gossip = new Gossip({ store, origin: 1, send: () => {} });
    for (let i = 0; i < peers; i++) gossip.connect(i);
    const random = seeded(3);
    const entry = { flags: 0, value, ttlMs: undefined };
    for (const k of keys) store.set(k, entry);
    if (peers >= 0) gossip.flush();
    const startedMs = performance.now();
    for (let i = 1; i <= 500_000; i++) {
      store.set(keys[Math.floor(random() * keys.length)], entry);
      if (peers >= 0 && i % 16 === 0) gossip.flush(); // what a server does after each read
    }
    return (performance.now() - startedMs) * 2;
  };
  const [alone, book, two]: number[][] = [[], [], []];
  for (let i = 0; i < 7; i++) {
    alone.push(run(-1));
    book.push(run(0));
    two.push(run(2));
  }
  const [a, b, c] = [alone, book, two].map((times) => times.sort((x, y) => x - y)[3]);
  console.log(
    `a store without replication ${a.toFixed(0)} ns, with its bookkeeping ${b.toFixed(0)} ns (${
      (b / a).toFixed(2)
    }×), ` +
      `with messages to two peers made too ${c.toFixed(0)} ns`,
  );
}

const parts: Record<string, () => void | Promise<void>> = {
  inStep,
  afterLosses: async () => {
    for (const missing of [10, 1000, 100_000]) await afterLosses(missing);
  },
  underPressure,
  afterHealing,
  visibility,
  catchUp: () => catchUp(100_000),
  storeCost,
};

const asked = Deno.args.length > 0 ? Deno.args : Object.keys(parts);
for (const name of asked) await parts[name]();
