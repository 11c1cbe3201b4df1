/**
 * Simulates processes that compute by leases of one server, with delays, pauses, cut connections, restarts and writes of others, and
 * looks what must not come of it. The rules are in docs/near.md.
 */

import { spanOf } from "../base/byte_span.ts";
import { ENTRY, TOMB } from "../store/entry.ts";
import { LeaseClient } from "./lease_client.ts";
import type { LeaseRule } from "./lease_rules.ts";
import { LeaseServer } from "./lease_server.ts";
import { Events } from "./near_events.ts";
import { generator } from "./seeded_random.ts";
import { keyName } from "./trace.ts";

/** What came of a run. */
export interface LeaseOutcome {
  readonly seed: number;
  readonly violations: readonly string[];
  /** Computations, and how many of them were stored. */
  readonly computed: number;
  readonly stored: number;
}

/** What came of many runs. */
export interface LeaseSummary {
  readonly scenario: string;
  readonly seeds: number;
  readonly bad: number;
  readonly computed: number;
  readonly stored: number;
  /** The first run with a violation. */
  readonly first: LeaseOutcome | undefined;
}

/** What these runs are called among scenarios. */
export const LEASE_SCENARIO = "leases";

/** Milliseconds of a run, and of quiet after it, in which all callers are answered. */
const [RUN_MS, QUIET_MS] = [5000, 5000];
const KEYS = 4;
/** Milliseconds after which nobody waits any more who need not. */
const PATIENCE_MS = 900;
/** The origin of writes that a peer has made. */
const PEER = 1_000_000;

/** Runs once. */
export function simulateLeases(seed: number, without?: LeaseRule): LeaseOutcome {
  return new LeaseSimulation(seed, without).run();
}

/** Runs with `seeds` seeds from `first` on; `onRun` is called after each. */
export function simulateAllLeases(
  first: number,
  seeds: number,
  { without, onRun = () => {} }: { without?: LeaseRule; onRun?: (run: LeaseOutcome) => void } = {},
): LeaseSummary {
  const runs = { bad: 0, computed: 0, stored: 0, first: undefined as LeaseOutcome | undefined };
  for (let seed = first; seed < first + seeds; seed++) {
    const run = simulateLeases(seed, without);
    runs.bad += Number(run.violations.length > 0);
    runs.computed += run.computed;
    runs.stored += run.stored;
    if (run.violations.length > 0) runs.first ??= run;
    onRun(run);
  }
  return { scenario: LEASE_SCENARIO, seeds, ...runs };
}

class LeaseSimulation {
  readonly #seed: number;
  readonly #without: LeaseRule | undefined;
  readonly #random: () => number;
  readonly #events = new Events();
  readonly #clients: LeaseClient[] = [];
  readonly #violations: string[] = [];
  readonly #counts = { computed: 0, stored: 0 };
  #server!: LeaseServer;
  #starts = 0;
  readonly #leaseMs: number;

  constructor(seed: number, without: LeaseRule | undefined) {
    this.#seed = seed;
    this.#without = without;
    this.#random = generator(seed);
    this.#leaseMs = this.#one([300, 3000]);
  }

  run(): LeaseOutcome {
    this.#start();
    const clients = this.#between(2, 5);
    for (let i = 0; i < clients; i++) this.#addClient();
    const writePauseMs = this.#one([50, 400, 2000]);
    this.#events.every(() => this.#between(5, writePauseMs), () => this.#isQuiet || this.#write());
    this.#events.every(() => this.#between(100, 800), () => this.#isQuiet || this.#fault());
    this.#events.every(() => 50, () => this.#look());
    this.#events.runUntil(RUN_MS + QUIET_MS);
    for (const client of this.#clients) if (client.unanswered > 0) this.#violate("endless: callers without an answer");
    return { seed: this.#seed, violations: this.#violations, ...this.#counts };
  }

  get #isQuiet(): boolean {
    return this.#events.nowMs > RUN_MS;
  }

  #violate(what: string): void {
    this.#violations.push(`${what} at ${Math.round(this.#events.nowMs)}`);
  }

  #between(least: number, most: number): number {
    return least + Math.floor(this.#random() * (most - least + 1));
  }

  #one<T>(of: readonly T[]): T {
    return of[this.#between(0, of.length - 1)];
  }

  #start(): void {
    this.#server = new LeaseServer({
      events: this.#events,
      random: this.#random,
      without: this.#without,
      origin: ++this.#starts,
      onViolation: (what) => this.#violate(what),
      onStored: () => this.#counts.stored++,
    });
  }

  #addClient(): void {
    const slow = this.#one([0.1, 0.01]);
    const client: LeaseClient = new LeaseClient({
      events: this.#events,
      random: this.#random,
      without: this.#without,
      server: () => this.#server,
      wayMs: () => this.#random() < slow ? 400 * this.#random() : 1 + 12 * this.#random(),
      leaseMs: this.#leaseMs,
      onComputed: () => this.#counts.computed++,
      onViolation: (what) => this.#violate(what),
    });
    this.#clients.push(client);
    client.connect();
    const busyMs = this.#one([10, 60, 250, 2000]);
    this.#events.every(() => this.#between(1, busyMs), () => this.#isQuiet || client.isFrozen || this.#use(client));
    this.#events.every(() => this.#between(20, 200), () => client.isConnected || client.isFrozen || client.connect());
  }

  #use(client: LeaseClient): void {
    const [key, what] = [this.#between(0, KEYS - 1), this.#random()];
    if (what < 0.9) client.retrieveOrStore(key);
    else client.send({ kind: what < 0.95 ? "set" : "delete", key });
  }

  /** What others write: clients without leases, and a peer. */
  #write(): void {
    const [server, key, what] = [this.#server, this.#between(0, KEYS - 1), this.#random()];
    if (server.isFrozen) return;
    const span = spanOf(keyName(key));
    const value = spanOf(new Uint8Array(8));
    server.do((store) => {
      if (what < 0.3) store.set(span, { flags: 0, value, ttlMs: this.#between(20, 300) });
      else if (what < 0.7) store.delete(span);
      else if (what < 0.75) store.clear();
      else {
        const version = { h: store.newStamp(), origin: PEER };
        const entry = { flags: 0, value, ttlMs: 100, remainingMs: 100 };
        store.apply(span, what < 0.85 ? { version, kind: ENTRY, entry } : { version, kind: TOMB }, new Map());
      }
    });
  }

  /** Lets something go wrong. */
  #fault(): void {
    const [what, client] = [this.#random(), this.#one(this.#clients)];
    if (what < 0.2) this.#freezeServer();
    else if (what < 0.6) this.#freeze(client);
    else if (what < 0.75) client.cut();
    else if (what < 0.9) client.connect();
    else {
      for (const each of this.#clients) each.cut();
      this.#start();
    }
  }

  #freezeServer(): void {
    const server = this.#server;
    server.isFrozen = true;
    this.#events.at(this.#events.nowMs + this.#between(20, 500), () => server.thaw());
  }

  #freeze(client: LeaseClient): void {
    if (client.isFrozen) return;
    client.isFrozen = true;
    this.#events.at(this.#events.nowMs + this.#between(50, 1500), () => client.thaw());
  }

  /** Looks for those who wait for what will not come. */
  #look(): void {
    if (this.#server.wasFrozen(PATIENCE_MS)) return;
    for (const client of this.#clients) {
      for (const wait of client.isFrozen ? [] : client.waiting(PATIENCE_MS)) this.#violate(wait);
    }
  }
}
