/**
 * Simulates clients with near tiers beside two servers that are peers, with delays, pauses, sleeps, cuts and restarts, and looks
 * whether a near read ever gives what is older than promised. The rules are in docs/near.md.
 */

import { spanOf } from "../base/byte_span.ts";
import { slotOf } from "../wire/near.ts";
import { NearClient } from "./near_client.ts";
import { Events } from "./near_events.ts";
import type { NearRule } from "./near_rules.ts";
import { NearServer } from "./near_server.ts";
import { generator } from "./seeded_random.ts";
import { keyName } from "./trace.ts";

/** What came of a run. */
export interface NearOutcome {
  readonly seed: number;
  readonly violations: readonly string[];
  /** Near reads that were answered by copies, and the longest time for which one of their values had been replaced. */
  readonly reads: number;
  readonly mostBehindMs: number;
}

/** What came of many runs. */
export interface NearSummary {
  readonly scenario: string;
  readonly seeds: number;
  readonly bad: number;
  readonly reads: number;
  readonly mostBehindMs: number;
  /** The first run with a violation. */
  readonly first: NearOutcome | undefined;
}

/** What these runs are called among scenarios. */
export const NEAR_SCENARIO = "near copies";

/** Milliseconds of a run. */
const RUN_MS = 5000;
/** What another client's write may be behind. */
const MAX_STALE_MS = 100;
/** Keys in use, of which two and two have one slot. */
const PAIRS = 4;
const KEYS: readonly number[] = keysInPairs(PAIRS);
/** Entries of a server that evicts. */
const FEW = 3;
/** Keys of a crowd: more than one push can tell of. */
const CROWD = 1100;
const FIRST_OF_CROWD = 1_000_000;

/** Runs once. */
export function simulateNear(seed: number, without?: NearRule): NearOutcome {
  return new NearSimulation(seed, without).run();
}

/** Runs with `seeds` seeds from `first` on; `onRun` is called after each. */
export function simulateAllNear(
  first: number,
  seeds: number,
  { without, onRun = () => {} }: { without?: NearRule; onRun?: (run: NearOutcome) => void } = {},
): NearSummary {
  const runs = { bad: 0, reads: 0, mostBehindMs: 0, first: undefined as NearOutcome | undefined };
  for (let seed = first; seed < first + seeds; seed++) {
    const run = simulateNear(seed, without);
    runs.bad += Number(run.violations.length > 0);
    runs.reads += run.reads;
    runs.mostBehindMs = Math.max(runs.mostBehindMs, run.mostBehindMs);
    if (run.violations.length > 0) runs.first ??= run;
    onRun(run);
  }
  return { scenario: NEAR_SCENARIO, seeds, ...runs };
}

class NearSimulation {
  readonly #seed: number;
  readonly #without: NearRule | undefined;
  readonly #random: () => number;
  readonly #events = new Events();
  readonly #servers: NearServer[] = [];
  readonly #clients: NearClient[] = [];
  readonly #violations: string[] = [];
  #starts = 0;
  /** Part of what clients do that is a write, of the most; and of what is sent, that takes long. */
  readonly #writes: number;
  readonly #slow: number;

  constructor(seed: number, without: NearRule | undefined) {
    this.#seed = seed;
    this.#without = without;
    this.#random = generator(seed);
    this.#writes = this.#one([1, 0.3, 0.05]);
    this.#slow = this.#one([0.1, 0.01, 0.003]);
  }

  run(): NearOutcome {
    for (let i = 0; i < 2; i++) this.#start(i);
    const clients = this.#between(2, 4);
    for (let i = 0; i < clients; i++) this.#addClient();
    const writePauseMs = [40, 300, 900][this.#between(0, 2)];
    this.#events.every(() => this.#between(5, writePauseMs), () => this.#write());
    this.#events.every(() => this.#between(100, 700), () => this.#fault());
    this.#events.every(() => 50, () => this.#round());
    if (this.#seed % 3 === 0) this.#events.every(() => 250, () => this.#evictAndRemove());
    if (this.#seed % 8 === 0) this.#events.every(() => 900, () => this.#crowd());
    this.#events.runUntil(RUN_MS);
    return {
      seed: this.#seed,
      violations: this.#violations,
      reads: this.#clients.reduce((sum, { tier }) => sum + tier.hits, 0),
      mostBehindMs: Math.max(...this.#clients.map(({ mostBehindMs }) => mostBehindMs)),
    };
  }

  #between(least: number, most: number): number {
    return least + Math.floor(this.#random() * (most - least + 1));
  }

  #one<T>(of: readonly T[]): T {
    return of[this.#between(0, of.length - 1)];
  }

  /** Starts a server with nothing in memory. */
  #start(i: number): void {
    const server: NearServer = new NearServer({
      events: this.#events,
      without: this.#without,
      origin: ++this.#starts,
      keys: KEYS,
      maxSize: this.#seed % 3 === 0 ? FEW : Infinity,
      sendPeer: (bytes) => this.#sendPeer(server, i, bytes.slice()),
    });
    this.#servers[i] = server;
  }

  #sendPeer(from: NearServer, i: number, bytes: Uint8Array): void {
    const delayMs = this.#random() < 0.1 ? this.#between(100, 1500) : this.#between(2, 40);
    this.#events.at(this.#events.nowMs + delayMs, () => {
      const other = this.#servers[1 - i];
      if (this.#servers[i] === from && !other.isFrozen) other.receive(bytes);
    });
  }

  #round(): void {
    for (const server of this.#servers) if (!server.isFrozen) server.round(this.#random);
  }

  #addClient(): void {
    const client: NearClient = new NearClient({
      events: this.#events,
      without: this.#without,
      random: this.#random,
      slow: this.#slow,
      server: () => this.#one(this.#servers),
      onViolation: (what) => void this.#violations.push(what),
      maxStaleMs: MAX_STALE_MS,
    });
    this.#clients.push(client);
    client.connect();
    const busyMs = [1, 3, 6, 25][this.#between(0, 3)];
    const pauseMs = () => this.#random() < 0.02 ? this.#between(300, 900) : this.#between(1, busyMs);
    this.#events.every(pauseMs, () => client.isFrozen || this.#use(client));
    this.#events.every(() => this.#between(20, 200), () => client.isConnected || client.isFrozen || client.connect());
  }

  /** What a client does. */
  #use(client: NearClient): void {
    const [key, what] = [this.#one(KEYS), this.#random()];
    if (what < 0.7 || this.#random() > this.#writes) client.retrieve(key);
    else if (what < 0.85) client.send({ kind: "getMany", keys: [key, ...KEYS.filter(() => this.#random() < 0.3)] });
    else if (what < 0.93) client.send({ kind: "set", key, ...this.#lifetime() });
    else if (what < 0.99) client.send({ kind: "delete", key });
    else client.send({ kind: "clear" });
  }

  #lifetime(): { ttlMs: number; isFixed: boolean } {
    return { ttlMs: this.#random() < 0.3 ? 0 : this.#between(40, 600), isFixed: this.#random() < 0.5 };
  }

  /** What clients without near copies write. */
  #write(): void {
    const server = this.#one(this.#servers);
    if (server.isFrozen) return;
    const [key, what, { ttlMs, isFixed }] = [this.#one(KEYS), this.#random(), this.#lifetime()];
    if (what < 0.6) server.do(() => server.write(key, ttlMs, isFixed));
    else if (what < 0.97) server.do(() => server.remove(key));
    else server.do((store) => store.clear());
  }

  /** Lets a client read a crowd of keys, and all of them change while it hears nothing. */
  #crowd(): void {
    const [server, client] = [this.#one(this.#servers), this.#one(this.#clients)];
    if (server.isFrozen || client.isFrozen) return;
    const keys = Array.from({ length: CROWD }, (_, i) => FIRST_OF_CROWD + i);
    const writeAll = () => server.isFrozen || server.do(() => keys.forEach((key) => server.write(key, 0, true)));
    writeAll();
    client.send({ kind: "getMany", keys });
    this.#events.at(this.#events.nowMs + 60, () => {
      this.#freeze(client, 60);
      writeAll();
    });
    this.#events.at(this.#events.nowMs + 200, () => {
      for (let i = 0; i < 20 && !client.isFrozen; i++) client.retrieve(this.#one(keys));
    });
  }

  /** Lets a key leave that a client has just read, and then be removed. */
  #evictAndRemove(): void {
    const [server, client, key] = [this.#one(this.#servers), this.#one(this.#clients), this.#one(KEYS)];
    const { nowMs } = this.#events;
    const others = Array.from({ length: FEW }, (_, i) => FIRST_OF_CROWD + i);
    const later = (ms: number, act: () => void) => this.#events.at(nowMs + ms, () => server.isFrozen || server.do(act));
    later(0, () => server.write(key, 0, true));
    this.#events.at(nowMs + 1, () => client.isFrozen || client.send({ kind: "get", keys: [key] }));
    later(30, () => others.forEach((other) => server.write(other, 0, true)));
    later(31, () => server.remove(key));
    for (const ms of [132, 150, 170]) this.#events.at(nowMs + ms, () => client.isFrozen || client.retrieve(key));
  }

  /** Lets something go wrong. */
  #fault(): void {
    const [what, client, i] = [this.#random(), this.#one(this.#clients), this.#between(0, 1)];
    if (what < 0.25) this.#freezeServer(this.#servers[i]);
    else if (what < 0.45) this.#freeze(client, this.#between(20, 500));
    else if (what < 0.55) this.#sleep(client);
    else if (what < 0.75) client.cut();
    else if (what < 0.9) client.connect();
    else this.#restart(i);
  }

  #freezeServer(server: NearServer): void {
    server.isFrozen = true;
    this.#events.at(this.#events.nowMs + this.#between(20, 500), () => {
      server.isFrozen = false;
      server.turn();
    });
  }

  #freeze(client: NearClient, ms: number): void {
    if (client.isFrozen) return;
    client.isFrozen = true;
    this.#events.at(this.#events.nowMs + ms, () => {
      client.isFrozen = false;
      for (let i = 0; i < 3; i++) client.retrieve(this.#one(KEYS)); // before it hears what has come
      client.hearAll();
    });
  }

  /** Lets a client's machine sleep: its steady clock stands still. */
  #sleep(client: NearClient): void {
    if (client.isFrozen) return;
    const ms = this.#between(150, 500);
    client.isFrozen = true;
    this.#events.at(this.#events.nowMs + ms, () => {
      client.slept(ms);
      client.isFrozen = false;
      for (let i = 0; i < 3; i++) client.retrieve(this.#one(KEYS));
      client.hearAll();
    });
  }

  #restart(i: number): void {
    for (const client of this.#clients) client.lose(this.#servers[i]);
    this.#start(i);
  }
}

/** Numbers of keys, of which two and two have one slot. */
function keysInPairs(pairs: number): number[] {
  const bySlot = new Map<number, number>();
  const keys: number[] = [];
  for (let key = 0; keys.length < 2 * pairs; key++) {
    const slot = slotOf(spanOf(keyName(key)));
    const other = bySlot.get(slot);
    if (other === undefined) bySlot.set(slot, key);
    else keys.push(other, key);
  }
  return keys;
}
