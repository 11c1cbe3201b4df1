/**
 * A cluster in one process, on the product's own store and gossip: a network that loses, repeats, delays and reorders,
 * partitions, restarts, wrong clocks; and a judge who knows all. One seed, one course of events.
 */

import { Gossip } from "./gossip.ts";
import { MESSAGE } from "./gossip_message.ts";
import { ALL_RULES, type Rules } from "./history.ts";
import { type Span, spanOf } from "./span.ts";
import { Store } from "./store.ts";
import { compareVersions, type Version } from "./version.ts";

/** Who is a peer of whom. */
export type Topology = "mesh" | "line" | "ring" | "star";

/** A cluster and what it has to bear. */
export interface Scenario {
  name: string;
  nodes: number;
  topology: Topology;
  /** Entries a node holds: one number for all, or one each. */
  maxSize: number | number[];
  maxGraves: number;
  keys: number;
  steps: number;
  /** Whether writes are pushed at once. */
  eager: boolean;
  /** Writes in a delta at most. */
  maxWrites: number;
  /** Rules switched off. */
  without?: keyof Rules;
}

/** What came of a run. */
export interface Outcome {
  seed: number;
  /** What should never happen, with the time it did; none if all is well. */
  violations: string[];
  /** What happened last before the first of them. */
  trace: string[];
  /** Rounds until nothing more was sent, once the network was whole. */
  rounds: number;
  evictions: number;
  /** Everything that happened, as one number: the same for the same seed. */
  fingerprint: number;
}

const START_MS = 1_767_225_600_000;
const STEP_MS = 50;
const LOSS = 0.1;
const REPETITION = 0.05;
const LONG_DELAY = 0.05;
const MAX_ROUNDS = 400;
const TRACE_LINES = 40;

/** The scenarios that a simulation goes through. */
export const SCENARIOS: readonly Scenario[] = [
  scenario("room for all, mesh", {}),
  scenario("room for all, line", { topology: "line" }),
  scenario("room for all, star of 5", { topology: "star", nodes: 5 }),
  scenario("room for all, ring of 6, no pushes", { topology: "ring", nodes: 6, eager: false }),
  scenario("few graves", { maxGraves: 20 }),
  scenario("eviction, mesh", { maxSize: 25, maxGraves: 20 }),
  scenario("eviction, line of unequal nodes", { maxSize: [40, 20, 10, 20], maxGraves: 20, topology: "line" }),
  scenario("eviction, ring of 5", { maxSize: 10, maxGraves: 5, topology: "ring", nodes: 5 }),
  scenario("eviction, a single grave, line, no pushes", { maxSize: 10, maxGraves: 1, topology: "line", eager: false }),
];

function scenario(name: string, differences: Partial<Scenario>): Scenario {
  const usual = { nodes: 4, topology: "mesh", maxSize: 1000, maxGraves: 1000, keys: 60, steps: 250 } as const;
  return { name, ...usual, eager: true, maxWrites: 40, ...differences };
}

interface Node {
  store: Store;
  gossip: Gossip;
  origin: number;
  /** By key, the newest version that this node has held as an entry or a grave. */
  held: Map<number, Version>;
  /** By key, the version that lives here now. */
  living: Map<number, string>;
  /** Versions that have lived here and left. */
  left: Set<string>;
}

interface Packet {
  atMs: number;
  number: number;
  from: number;
  to: number;
  bytes: Uint8Array;
}

/** Runs a scenario with a seed. */
export function simulate(scenario: Scenario, seed: number): Outcome {
  return new Simulation(scenario, seed).run();
}

class Simulation {
  readonly #scenario: Scenario;
  readonly #seed: number;
  readonly #random: () => number;
  readonly #nodes: Node[] = [];
  readonly #skews: number[] = [];
  readonly #sides: number[];
  #packets: Packet[] = [];
  #sentPackets = 0;
  #nowMs = 1000;
  #isFaulty = true;
  #origins = 0;
  #evictions = 0;
  #fingerprint = 0;
  readonly #keys: Span[];
  readonly #violations: string[] = [];
  readonly #recent: string[] = [];
  #trace: string[] = [];

  constructor(scenario: Scenario, seed: number) {
    this.#scenario = scenario;
    this.#seed = seed;
    this.#random = generator(seed);
    this.#keys = Array.from({ length: scenario.keys }, (_, i) => spanOf(new TextEncoder().encode(`key:${i}`)));
    this.#sides = Array.from({ length: scenario.nodes }, () => 0);
    for (let i = 0; i < scenario.nodes; i++) {
      this.#skews.push(Math.floor((this.#random() - 0.5) * 2000));
      this.#start(i);
    }
  }

  run(): Outcome {
    for (let step = 0; step < this.#scenario.steps; step++) {
      for (let i = 0; i < this.#nodes.length; i++) this.#use(i);
      this.#fault();
      this.#pass(STEP_MS);
    }
    const rounds = this.#settle();
    this.#judge();
    return {
      seed: this.#seed,
      violations: this.#violations,
      trace: this.#trace,
      rounds,
      evictions: this.#evictions + this.#nodes.reduce((sum, { store }) => sum + store.stats().evictions, 0),
      fingerprint: this.#fingerprint,
    };
  }

  /** Starts a node, or starts it again with nothing in memory. */
  #start(i: number): void {
    const { maxSize, maxGraves, maxWrites, eager, without } = this.#scenario;
    const rules = without === undefined ? ALL_RULES : { ...ALL_RULES, [without]: false };
    const origin = ++this.#origins;
    this.#evictions += this.#nodes[i]?.store.stats().evictions ?? 0;
    const store: Store = new Store({
      maxSize: typeof maxSize === "number" ? maxSize : maxSize[i],
      maxBytes: 8 * 1024 * 1024,
      maxGraves,
      ttlMs: 0,
      renewOnHit: true,
      hashKey: [this.#seed, i],
      now: () => START_MS + this.#nowMs + this.#skews[i],
      origin,
      rules,
      onWrite: () => gossip.wrote(),
      onRenew: (position) => gossip.renewed(position),
    });
    const send = (to: number, bytes: Uint8Array) => this.#send(i, to, bytes.slice());
    const gossip = new Gossip({ store, origin, maxWrites, eager, rules, send });
    for (const peer of this.#peersOf(i)) gossip.connect(peer);
    this.#nodes[i] = { store, gossip, origin, held: new Map(), living: new Map(), left: new Set() };
    this.#note(`node ${i} starts as ${origin}`);
  }

  #peersOf(i: number): number[] {
    const { nodes, topology } = this.#scenario;
    const others = Array.from({ length: nodes }, (_, j) => j).filter((j) => j !== i);
    if (topology === "mesh") return others;
    if (topology === "star") return i === 0 ? others : [0];
    const isNext = (j: number) => Math.abs(i - j) === 1 || (topology === "ring" && Math.abs(i - j) === nodes - 1);
    return others.filter(isNext);
  }

  /** A few operations on a node, by its clients. */
  #use(i: number): void {
    const { store, gossip } = this.#nodes[i];
    for (let left = this.#below(4); left > 0; left--) {
      const k = Math.floor(this.#random() * this.#random() * this.#scenario.keys);
      const key = this.#keys[k];
      const dice = this.#random();
      if (dice < 0.5) {
        const ttlMs = this.#random() < 0.5 ? 50 + this.#below(3000) : 0;
        store.set(key, { flags: k, value: spanOf(new Uint8Array([i, k])), ttlMs });
        this.#note(`node ${i} stores ${k}, ttl ${ttlMs}`);
      } else if (dice < 0.65) {
        store.delete(key);
        this.#note(`node ${i} deletes ${k}`);
      } else if (dice < 0.652) {
        store.clear();
        this.#note(`node ${i} clears`);
      } else {
        store.get(key);
      }
      this.#watch(i, [k]);
    }
    if (this.#random() < 0.5) gossip.round(this.#random);
    else gossip.flush();
  }

  #fault(): void {
    const dice = this.#random();
    if (dice < 0.01) {
      for (let i = 0; i < this.#sides.length; i++) this.#sides[i] = this.#below(2);
      this.#note(`partition: ${this.#sides}`);
    } else if (dice < 0.03) {
      this.#sides.fill(0);
    } else if (dice < 0.034) {
      this.#start(this.#below(this.#nodes.length));
    } else if (dice < 0.037) {
      const i = this.#below(this.#nodes.length);
      this.#skews[i] += Math.floor((this.#random() - 0.5) * 4000);
      this.#note(`clock of node ${i} jumps to ${this.#skews[i]}`);
    }
  }

  #send(from: number, to: number, bytes: Uint8Array): void {
    if (this.#isFaulty && this.#random() < LOSS) return;
    const copies = this.#isFaulty && this.#random() < REPETITION ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const mostMs = this.#isFaulty && this.#random() < LONG_DELAY ? 3000 : 20;
      const atMs = this.#nowMs + 1 + this.#below(mostMs);
      this.#packets.push({ atMs, number: this.#sentPackets++, from, to, bytes });
    }
  }

  /** Lets time pass, and packets arrive. */
  #pass(ms: number): void {
    const endMs = this.#nowMs + ms;
    while (true) {
      let next: Packet | undefined;
      for (const packet of this.#packets) {
        if (packet.atMs <= endMs && (next === undefined || isEarlier(packet, next))) next = packet;
      }
      if (next === undefined) break;
      this.#packets.splice(this.#packets.indexOf(next), 1);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      if (this.#sides[next.from] === this.#sides[next.to]) this.#deliver(next);
    }
    this.#nowMs = endMs;
  }

  #deliver({ from, to, bytes }: Packet): void {
    this.#note(`node ${to} hears type ${bytes[0]}, ${bytes.length} bytes, from ${from}`);
    for (const byte of bytes) this.#fingerprint = (Math.imul(this.#fingerprint, 31) + byte) | 0;
    this.#nodes[to].gossip.receive(from, bytes);
    if (bytes[0] === MESSAGE.delta || bytes[0] === MESSAGE.push) this.#watch(to);
  }

  /**
   * No node may serve an older version of a key than it has held before, be it as a grave, nor take in again one that
   * has left.
   */
  #watch(i: number, keys: Iterable<number> = this.#keys.keys()): void {
    const { store, held, living, left } = this.#nodes[i];
    for (const k of keys) {
      const position = store.peek(this.#keys[k]);
      const name = position === 0 ? undefined : `${k}:${show(store.history.version(position))}`;
      const was = living.get(k);
      if (name !== was) {
        if (was !== undefined) left.add(was);
        if (name === undefined) living.delete(k);
        else living.set(k, name);
        if (name !== undefined && left.has(name)) this.#violate(`node ${i} takes in ${name} again`);
      }
      const version = store.versionOf(this.#keys[k]);
      if (version === undefined) continue;
      const before = held.get(k);
      if (before === undefined || compareVersions(version, before) > 0) held.set(k, version);
      else if (compareVersions(version, before) < 0 && store.peek(this.#keys[k]) !== 0) {
        this.#violate(`node ${i} serves ${show(version)} of key ${k} after ${show(before)}`);
      }
    }
  }

  /** Makes the network whole, and waits until nothing more is sent. Returns the rounds that took. */
  #settle(): number {
    this.#sides.fill(0);
    this.#isFaulty = false;
    this.#pass(5000);
    const work = () =>
      this.#nodes.reduce((sum, { gossip: { stats, verified } }) => sum + stats.sent + verified.verifications, 0);
    let rounds = 0;
    for (; rounds < MAX_ROUNDS; rounds++) {
      const before = work();
      this.#round();
      if (rounds > 0 && work() === before && this.#agree()) break;
    }
    if (rounds === MAX_ROUNDS) this.#violate("no agreement");
    const after = work();
    for (let i = 0; i < 20; i++) this.#round();
    if (work() !== after) this.#violate(`${work() - after} writes sent after agreement`);
    return rounds;
  }

  #round(): void {
    for (const { store, gossip } of this.#nodes) {
      store.maintain();
      gossip.round(this.#random);
    }
    this.#pass(200);
  }

  #agree(): boolean {
    const known = ({ store }: Node) =>
      store.history.origins.filter(({ known }) => known > 0).map(({ id, known }) => `${id}:${known}`).sort().join();
    return new Set(this.#nodes.map(known)).size === 1;
  }

  /** At rest: every live copy is the newest version that any node has held, and no clear left any. */
  #judge(): void {
    const newest = new Map<number, Version>();
    for (const { held } of this.#nodes) {
      for (const [k, version] of held) {
        const known = newest.get(k);
        if (known === undefined || compareVersions(version, known) > 0) newest.set(k, version);
      }
    }
    const cleared = Math.max(...this.#nodes.map(({ store }) => store.history.cleared));
    const copies = this.#nodes.map(({ store }, i) => {
      if (store.history.cleared !== cleared) this.#violate(`node ${i} has not heard of the last clear`);
      const live: string[] = [];
      for (let k = 0; k < this.#keys.length; k++) {
        const position = store.peek(this.#keys[k]);
        if (position === 0) continue;
        const version = store.history.version(position);
        live.push(`${k}:${show(version)}`);
        const best = newest.get(k)!;
        if (compareVersions(version, best) < 0) {
          this.#violate(`node ${i} keeps ${show(version)} of key ${k}, not ${show(best)}`);
        }
        if (version.h <= cleared) this.#violate(`node ${i} keeps key ${k} from before a clear`);
      }
      return live.join();
    });
    const { maxSize, maxGraves, keys } = this.#scenario;
    const isRoomy = typeof maxSize === "number" && maxSize >= keys && maxGraves >= keys;
    if (isRoomy && new Set(copies).size > 1) this.#violate("nodes with room for all hold different entries");
  }

  #violate(what: string): void {
    if (this.#violations.length === 0) this.#trace = [...this.#recent];
    this.#violations.push(`${this.#nowMs} ms: ${what}`);
  }

  #note(line: string): void {
    this.#recent.push(`${this.#nowMs} ms: ${line}`);
    if (this.#recent.length > TRACE_LINES) this.#recent.shift();
  }

  #below(n: number): number {
    return Math.floor(this.#random() * n);
  }
}

function isEarlier(a: Packet, b: Packet): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.number < b.number);
}

function show({ h, origin }: Version): string {
  return `${h}/${origin}`;
}

/** Numbers from 0 to 1, the same for the same seed (a finaliser of MurmurHash3 over a Weyl sequence). */
function generator(seed: number): () => number {
  let state = Math.imul(seed, 0x9e3779b1) | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ state >>> 16, 0x85ebca6b);
    x = Math.imul(x ^ x >>> 13, 0xc2b2ae35);
    return ((x ^ x >>> 16) >>> 0) / 2 ** 32;
  };
}
