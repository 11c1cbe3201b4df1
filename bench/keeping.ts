/**
 * What a cluster keeps of what nobody overwrote or deleted, on real `cli.ts serve` processes: after a lonely server has
 * evicted, a restart, a pause, a cold join, a million deletions. One line each: how much is kept, how many stale values
 * are served, seconds until nothing changes any more, peak memory of the processes in the order of their start, and
 * bytes between them since they last connected. Linux only: it reads /proc.
 *
 * Usage: deno run -A bench/keeping.ts [lonely20k | restart50k | pause12 | pause90 | joins | joinsfar | deletions1m |
 * halves] … (all by default; takes about 8 minutes)
 */

import { OrmucoCacheClient } from "../client.ts";
import type { ServerStats } from "../server.ts";
import { Ledger } from "../tests/support/ledger.ts";
import { portOf } from "../tests/support/ports.ts";
import { serve, type ServeProcess } from "../tests/support/processes.ts";
import { TcpProxy } from "../tests/support/proxy.ts";
import { seeded } from "./compare.ts";

/** Nothing changes any more if nothing has changed for so long: three rounds. */
const QUIET_MS = 3000;
/** What takes longer is told as it is then. */
const LONGEST_MS = 300_000;
const LOOK_MS = 100;
const UNLIMITED = ["--max-size", "5000000"];
/** Rounds in which a peer that is silent for 5 seconds is dropped. */
const SHORT_ROUNDS = ["--gossip-interval", "0.2"];
/** A call that waits longer has failed. */
const PATIENT_MS = 60_000;

/** What a case has shown. */
interface Outcome {
  /** Of what nobody overwrote or deleted, the part that the node with the least of it holds. */
  kept: number;
  stale: number;
  seconds: number;
  note?: string;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function padded(text: string): string {
  return text.padEnd(100, ".");
}

function keys(count: number, prefix: string): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}:${String(i).padStart(8, "0")}`);
}

/** A server in a process of its own, and a client of it. */
class Node {
  readonly #process: ServeProcess;
  readonly cache: OrmucoCacheClient;
  /** The first call that failed: it would be taken for a miss. */
  failure: Error | undefined;

  constructor(process: ServeProcess) {
    this.#process = process;
    this.cache = new OrmucoCacheClient({
      servers: [process.address],
      timeoutMs: PATIENT_MS,
      onError: (error) => this.failure ??= error,
    });
  }

  get address(): string {
    return this.#process.address;
  }

  paused(whileIt: () => Promise<void>): Promise<void> {
    return this.#process.paused(whileIt);
  }

  async stats(): Promise<ServerStats> {
    const { server } = await this.cache.stats();
    if (server === undefined) throw new Error(`Cannot read statistics of ${this.address}`);
    return server as ServerStats;
  }

  /** Most memory that the process has had, in MB. */
  async peakMb(): Promise<number> {
    const status = await Deno.readTextFile(`/proc/${this.#process.pid}/status`);
    return Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)![1]) / 1000);
  }

  async stop(): Promise<void> {
    await this.cache.close();
    await this.#process.stop("SIGKILL");
  }
}

/** The servers of one case, and the proxies between them; all are ended with it. */
class Nodes implements AsyncDisposable {
  readonly #all: Node[] = [];
  readonly #proxies: TcpProxy[] = [];
  /** Peak memory of those that have been stopped. */
  readonly #peaksMb: number[] = [];

  async start(args: string[], ...peers: { readonly address: string }[]): Promise<Node> {
    const list = peers.map(({ address }) => address).join();
    const options = ["--listen", "127.0.0.1:0", "--expiration", "0", ...list === "" ? [] : ["--peers", list]];
    const node = new Node(await serve([...options, ...args]));
    this.#all.push(node);
    return node;
  }

  /** A way to a server that can be cut. */
  proxy({ address }: Node, delayMs = 0): TcpProxy {
    const proxy = new TcpProxy(portOf(address), { delayMs });
    this.#proxies.push(proxy);
    return proxy;
  }

  async stop(node: Node): Promise<void> {
    this.#peaksMb.push(await node.peakMb());
    this.#all.splice(this.#all.indexOf(node), 1);
    await node.stop();
  }

  /** Waits until nothing changes any more; returns seconds from a time to the last change. */
  async settled(sinceMs: number): Promise<number> {
    let before = "";
    let changedMs = performance.now();
    while (performance.now() < Math.min(changedMs + QUIET_MS, sinceMs + LONGEST_MS)) {
      const all = await Promise.all(this.#all.map((node) => node.stats()));
      const peers = all.flatMap(({ peers }) => peers);
      const now = JSON.stringify([
        all.map(({ entries, gossip }) => [entries, gossip.applied, gossip.unconfirmed]),
        peers.map(({ id, state, lag, catchingUp }) => [id, state, lag, catchingUp]),
      ]);
      const isBusy = peers.some(({ lag, catchingUp }) => lag > 0 || catchingUp);
      if (now !== before || isBusy) changedMs = performance.now();
      before = now;
      await pause(LOOK_MS);
    }
    return (changedMs - sinceMs) / 1000;
  }

  /** Memory and traffic, for the end of a line. */
  async costs(): Promise<string> {
    const peaks = [...await Promise.all(this.#all.map((node) => node.peakMb())), ...this.#peaksMb];
    const stats = await Promise.all(this.#all.map((node) => node.stats()));
    const bytes = stats.flatMap(({ peers }) => peers).reduce((sum, { bytesReceived }) => sum + bytesReceived, 0);
    const shown = peaks.length > 6 ? [...peaks.slice(0, 2), `at most ${Math.max(...peaks.slice(2))}`] : peaks;
    return `peak RSS ${shown.join(" / ")} MB, ${(bytes / 1e6).toFixed(2)} MB between peers`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#all.map((node) => node.stop()));
    await Promise.all(this.#proxies.map((proxy) => proxy[Symbol.asyncDispose]()));
  }
}

async function until(what: string, isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const startedMs = performance.now();
  while (!await isTrue()) {
    if (performance.now() > startedMs + LONGEST_MS) throw new Error(`This did not come to pass: ${what}`);
    await pause(20);
  }
}

async function connections(node: Node): Promise<number> {
  return (await node.stats()).peers.filter(({ state }) => state === "connected").length;
}

/** The least part that any node holds of some keys, and each node's count; stale values of all keys on any of `asked`. */
async function audit(
  ledger: Ledger,
  holders: Node[],
  staying: string[],
  asked: Node[] = holders,
): Promise<{ kept: number; stale: number; counts: number[] }> {
  if (ledger.failures > 0) throw new Error(`Cannot judge: ${ledger.failures} stores failed`);
  const counts: number[] = [];
  for (const { cache } of holders) counts.push((await ledger.audit(cache, staying)).newest);
  let stale = 0;
  for (const { cache } of asked) stale += (await ledger.audit(cache)).stale;
  for (const { failure } of [...holders, ...asked]) if (failure !== undefined) throw failure;
  return { kept: Math.min(...counts, staying.length) / Math.max(1, staying.length), stale, counts };
}

/** A pair with 20,000 entries; a server of 128 places that evicted 20,000; a fourth that lists it and one of the pair. */
async function lonely(nodes: Nodes): Promise<Outcome> {
  const ledger = new Ledger();
  const held = keys(20_000, "held");
  const b = await nodes.start(UNLIMITED);
  const c = await nodes.start(UNLIMITED, b);
  await ledger.store(b.cache, held, padded("held"));
  await until("both hold it", async () => (await c.stats()).entries === held.length);
  const alone = await nodes.start(["--max-size", "128"]);
  await ledger.store(alone.cache, keys(20_128, "alone"), padded("alone"));
  const { evictions } = await alone.stats();
  const sinceMs = performance.now();
  const d = await nodes.start(UNLIMITED, alone, b);
  await until("it is connected", async () => await connections(d) >= 2);
  const seconds = await nodes.settled(sinceMs);
  const { kept, stale, counts } = await audit(ledger, [b, c, d], held, [alone, b, c, d]);
  return { kept, stale, seconds, note: `${evictions} evicted alone; B, C and D hold ${counts.join(", ")}` };
}

/** README's set-up: A lists nobody, B and C list A; A restarts, and 20,000 expire there before they are back. */
async function restart(nodes: Nodes): Promise<Outcome> {
  const ledger = new Ledger();
  const held = keys(50_000, "held");
  const first = await nodes.start(UNLIMITED);
  const proxy = nodes.proxy(first);
  const [b, c] = [await nodes.start(UNLIMITED, proxy), await nodes.start(UNLIMITED, proxy)];
  await ledger.store(b.cache, held, padded("held"));
  await until("all hold it", async () => (await c.stats()).entries === held.length);
  proxy.cut();
  await nodes.stop(first);
  const again = await nodes.start(UNLIMITED);
  proxy.target = portOf(again.address);
  const short = keys(20_000, "short");
  await new Ledger().store(again.cache, short, padded("short"), 300);
  await until("they have expired", async () => (await again.stats()).expirations === short.length);
  const sinceMs = performance.now();
  proxy.heal();
  await until("both are back", async () => await connections(again) === 2);
  const seconds = await nodes.settled(sinceMs);
  const { kept, stale, counts } = await audit(ledger, [again, b, c], held);
  return { kept, stale, seconds, note: `${short.length} expired alone; A, B and C hold ${counts.join(", ")}` };
}

/** Keys to write: new ones, and of each 20 the last an old one. */
class Keys {
  readonly #old: string[];
  readonly #random = seeded(13);
  /** Old keys that were taken. */
  readonly overwritten = new Set<string>();
  count = 0;
  /** The last new one. */
  last = "";

  constructor(old: string[]) {
    this.#old = old;
  }

  take(count: number): string[] {
    return Array.from({ length: count }, () => {
      if (++this.count % 20 !== 0) return this.last = `new:${String(this.count).padStart(8, "0")}`;
      const key = this.#old[Math.floor(this.#random() * this.#old.length)];
      this.overwritten.add(key);
      return key;
    });
  }
}

/** A pair of 200,000 entries and 4 MiB; the large one is held up while the small one takes 4,000 writes a second. */
async function paused(nodes: Nodes, pauseSeconds: number): Promise<Outcome> {
  const ledger = new Ledger();
  const old = keys(200_000, "old");
  const large = await nodes.start([...UNLIMITED, ...SHORT_ROUNDS]);
  await ledger.store(large.cache, old, padded("old"));
  const small = await nodes.start(["--max-bytes", "4MiB", ...SHORT_ROUNDS], large);
  await until("it is there", () => small.cache.has(old.at(-1)!));
  await nodes.settled(performance.now());
  const before = await small.stats();
  const written = new Keys(old);
  await large.paused(async () => {
    const startedMs = performance.now();
    while (written.count < 4000 * pauseSeconds) {
      const due = Math.min(4 * Math.floor(performance.now() - startedMs), 4000 * pauseSeconds);
      await ledger.store(small.cache, written.take(due - written.count), padded(`write ${written.count}`));
      await pause(5);
    }
  });
  const sinceMs = performance.now();
  await until("they are connected", async () => await connections(large) === 1);
  await until("it has heard of the last", () => large.cache.has(written.last));
  const seconds = await nodes.settled(sinceMs);
  const staying = old.filter((key) => !written.overwritten.has(key));
  const { kept, stale, counts } = await audit(ledger, [large], staying, [large, small]);
  const { newest } = await ledger.audit(large.cache, [...written.overwritten]);
  const evicted = (await small.stats()).evictions - before.evictions;
  const note = `${written.count} writes, ${evicted} evicted by the small one; the large one holds ${counts[0]} of ` +
    `${staying.length} untouched, ${newest} of ${written.overwritten.size} overwritten`;
  return { kept, stale, seconds, note };
}

/** A large node with 200,000 entries, a small one with 10,000 of them, and cold ones, one after another, that list both. */
async function joins(nodes: Nodes, count: number, delayMs: number): Promise<Outcome> {
  const ledger = new Ledger();
  const held = keys(200_000, "held");
  const large = await nodes.start(UNLIMITED);
  const small = await nodes.start(["--max-size", "10000"], large);
  await ledger.store(large.cache, held, padded("held"));
  await until("it is there", () => small.cache.has(held.at(-1)!));
  await nodes.settled(performance.now());
  const counts: number[] = [];
  const way = delayMs === 0 ? large : nodes.proxy(large, delayMs);
  let [seconds, stale] = [0, 0];
  for (let i = 0; i < count; i++) {
    const sinceMs = performance.now();
    const cold = await nodes.start(UNLIMITED, ...i % 2 === 0 ? [way, small] : [small, way]);
    await until("it is connected", async () => await connections(cold) === 2);
    seconds = Math.max(seconds, await nodes.settled(sinceMs));
    const outcome = await audit(ledger, [cold], held);
    counts.push(outcome.counts[0]);
    stale += outcome.stale;
    await nodes.stop(cold);
  }
  const complete = counts.filter((count) => count >= 0.99 * held.length).length;
  const incomplete = counts.flatMap((count, i) => count < 0.99 * held.length ? [`${count} in join ${i + 1}`] : []);
  const note = `${complete} of ${counts.length} joins kept 99 %${incomplete.map((text) => `, ${text}`).join("")}; ` +
    "seconds of the longest";
  return { kept: Math.min(...counts) / held.length, stale, seconds, note };
}

/** A million deletions on one side of a partition, while the other side writes too. */
async function deletions(nodes: Nodes): Promise<Outcome> {
  const ledger = new Ledger();
  const all = keys(1_200_000, "key");
  const one = await nodes.start(UNLIMITED);
  const proxy = nodes.proxy(one);
  const other = await nodes.start(UNLIMITED, proxy);
  await ledger.store(one.cache, all, padded("old"));
  await until("both have all", async () => (await other.stats()).entries === all.length);
  proxy.cut();
  await until("it is noticed", async () => await connections(one) + await connections(other) === 0);
  const [early, late, here] = ["early", "late", "here"].map((name) => keys(10_000, name));
  await ledger.store(other.cache, early, padded("early"));
  await ledger.store(other.cache, all.slice(0, 10_000), padded("older than its deletion"));
  await ledger.remove(one.cache, all.slice(0, 1_000_000));
  await ledger.store(other.cache, late, padded("late"));
  await ledger.store(one.cache, here, padded("here"));
  const sinceMs = performance.now();
  proxy.heal();
  await until("they are connected", async () => await connections(other) === 1);
  const seconds = await nodes.settled(sinceMs);
  const { stale } = await audit(ledger, [], [], [one, other]);
  const [notes, parts]: [string[], number[]] = [[], []];
  for (const [name, group] of Object.entries({ untouched: all.slice(1_000_000), early, late, here })) {
    const { kept, counts } = await audit(ledger, [one, other], group, []);
    notes.push(`${name} ${counts.join(" and ")} of ${group.length}`);
    parts.push(kept);
  }
  return { kept: Math.min(...parts), stale, seconds, note: `the two hold ${notes.join(", ")}` };
}

/** Two nodes of 50,000 places that each take 50,000 writes of their own, apart. */
async function halves(nodes: Nodes): Promise<Outcome> {
  const ledger = new Ledger();
  const one = await nodes.start(["--max-size", "50000"]);
  const proxy = nodes.proxy(one);
  const other = await nodes.start(["--max-size", "50000"], proxy);
  await until("they are connected", async () => await connections(other) === 1);
  proxy.cut();
  await until("it is noticed", async () => await connections(one) + await connections(other) === 0);
  const [ones, others] = [keys(50_000, "one"), keys(50_000, "other")];
  await Promise.all([
    ledger.store(one.cache, ones, padded("one")),
    ledger.store(other.cache, others, padded("other")),
  ]);
  const sinceMs = performance.now();
  proxy.heal();
  await until("they are connected", async () => await connections(other) === 1);
  const seconds = await nodes.settled(sinceMs);
  const newest = await Promise.all([ones, others].map((all) => audit(ledger, [one, other], all.slice(25_000))));
  const [ofOnes, ofOthers] = newest.map(({ counts }) => counts);
  const note = [0, 1].map((i) => `${i === 0 ? "one" : "the other"} holds ${ofOnes[i]} and ${ofOthers[i]}`).join(", ");
  return {
    kept: Math.min(...newest.map(({ kept }) => kept)),
    stale: newest[0].stale,
    seconds,
    note: `of each one's newest 25000: ${note}`,
  };
}

const CASES: Record<string, (nodes: Nodes) => Promise<Outcome>> = {
  lonely20k: lonely,
  restart50k: restart,
  pause12: (nodes) => paused(nodes, 12),
  pause90: (nodes) => paused(nodes, 90),
  joins: (nodes) => joins(nodes, 20, 0),
  joinsfar: (nodes) => joins(nodes, 4, 20), // the large one is so many milliseconds away
  deletions1m: deletions,
  halves,
};

const asked = Deno.args.length === 0 ? Object.keys(CASES) : Deno.args;
const unknown = asked.find((name) => CASES[name] === undefined);
if (unknown !== undefined) {
  console.error(`Cannot run case "${unknown}": it must be ${Object.keys(CASES).join(", ")}`);
  Deno.exit(2);
}
for (const name of asked) {
  await using nodes = new Nodes();
  const { kept, stale, seconds, note = "" } = await CASES[name](nodes);
  const percent = (Math.floor(10_000 * kept) / 100).toFixed(2);
  console.log(
    `${name}: kept ${percent} %, stale ${stale}, ${seconds.toFixed(1)} s, ${await nodes.costs()}` +
      (note === "" ? "" : `; ${note}`),
  );
}
