/** A server that gives leases in a simulation: a store, the leases, and connections. It looks whether what is filled in is right. */

import { spanOf } from "../base/byte_span.ts";
import { Asker, Leases } from "../near/leases.ts";
import { Store } from "../store/store.ts";
import { CAUSE } from "../store/store_listener.ts";
import type { LeaseToken } from "../wire/leases.ts";
import type { LeaseRequest, LeaseRule, LeaseWords } from "./lease_rules.ts";
import type { Events } from "./near_events.ts";
import type { NearLink } from "./near_link.ts";
import { keyName, numberOf, START_MS } from "./trace.ts";

/** Milliseconds within which who waits is told that a lease has run out. */
const MOMENT_MS = 50;

/** A connection of a client that asks for leases. */
export type LeaseLink = NearLink<LeaseRequest, LeaseWords>;

/** What a simulated server needs. */
export interface LeaseServerOptions {
  readonly events: Events;
  readonly random: () => number;
  readonly without: LeaseRule | undefined;
  /** A number that no other start of a server has. */
  readonly origin: number;
  readonly onViolation: (what: string) => void;
  readonly onStored: () => void;
}

/** A lease that was given. */
interface Given {
  readonly link: LeaseLink;
  readonly token: LeaseToken;
  readonly atMs: number;
  readonly leaseMs: number;
  /** Changes of the key when it was given. */
  readonly changes: number;
  isBack: boolean;
}

interface Connected {
  readonly asker: Asker;
  readonly requests: LeaseRequest[];
  /** Keys that the client is to ask for again, at the end of the turn. */
  readonly again: (number | undefined)[];
}

/** One start of a server. */
export class LeaseServer {
  /** Whether it does nothing for a while. */
  isFrozen = false;
  readonly #options: LeaseServerOptions;
  readonly #store: Store;
  readonly #leases: Leases;
  readonly #connected = new Map<LeaseLink, Connected>();
  readonly #given = new Map<number, Given[]>();
  readonly #changes = new Map<number, number>();
  #clears = 0;
  #turnIsDue = false;
  #tokens = 0;
  #thawedAtMs = -Infinity;

  constructor(options: LeaseServerOptions) {
    this.#options = options;
    const { events, origin } = options;
    this.#store = new Store({
      maxSize: Infinity,
      ttlMs: 0,
      renewOnHit: true,
      hashKey: [origin, 1],
      clock: { now: () => START_MS + events.nowMs },
      origin,
      replicates: true,
    });
    const { recentMs, hash } = { recentMs: () => this.#store.recentMs, hash: this.#store.hash.bind(this.#store) };
    const listen: Store["listen"] = (heard) => this.#holds("changes end leases") ? this.#store.listen(heard) : () => {};
    const store = {
      hash,
      listen,
      get recentMs() {
        return recentMs();
      },
    };
    this.#leases = new Leases(store, (dueMs) => this.#tickAt(dueMs));
    this.#store.listen({
      causes: CAUSE.written | CAUSE.deleted | CAUSE.applied | CAUSE.cleared,
      changed: (_, key) => {
        if (key === undefined) this.#clears++;
        else this.#changes.set(numberOf(key), 1 + (this.#changes.get(numberOf(key)) ?? 0));
      },
    });
  }

  #holds(rule: LeaseRule): boolean {
    return this.#options.without !== rule;
  }

  #tickAt(dueMs: number): void {
    if (dueMs === Infinity || !this.#holds("handed over in time")) return;
    const { events } = this.#options;
    events.at(Math.max(events.nowMs, dueMs - START_MS), () => this.#tick());
  }

  #tick(): void {
    if (this.isFrozen) return void this.#options.events.at(this.#options.events.nowMs + 20, () => this.#tick());
    this.#leases.tick(this.#store.nowMs);
    this.#turnSoon();
  }

  /** Goes on after a pause. */
  thaw(): void {
    this.isFrozen = false;
    this.#thawedAtMs = this.#options.events.nowMs;
    this.#turn();
  }

  /** Whether it has been frozen within some milliseconds. */
  wasFrozen(ms: number): boolean {
    return this.isFrozen || this.#options.events.nowMs - this.#thawedAtMs < ms;
  }

  /** Whether somebody may compute a key, or might a moment ago: those who wait are about to be told. */
  isLeased(key: number): boolean {
    return this.#leases.held(spanOf(keyName(key)), this.#store.nowMs - MOMENT_MS) !== undefined;
  }

  /** Whether a client is about to be told something. */
  isToTell(link: LeaseLink): boolean {
    return (this.#connected.get(link)?.again.length ?? 0) > 0;
  }

  /** Whether whoever may compute a key has gone, and the server knows it. */
  isLeasedToNobody(key: number): boolean {
    const last = this.#given.get(key)?.at(-1);
    return last !== undefined && !this.#connected.has(last.link) && this.isLeased(key);
  }

  connect(link: LeaseLink): void {
    const asker: Asker = new Asker((key) => {
      connected.again.push(key === undefined ? undefined : numberOf(spanOf(key)));
      this.#turnSoon();
    });
    const connected: Connected = { asker, requests: [], again: [] };
    this.#connected.set(link, connected);
  }

  ended(link: LeaseLink): void {
    const connected = this.#connected.get(link);
    this.#connected.delete(link);
    if (connected !== undefined && this.#holds("handed over at the end")) this.#leases.leave(connected.asker);
  }

  ask(link: LeaseLink, request: LeaseRequest): void {
    this.#connected.get(link)?.requests.push(request);
    this.#turnSoon();
  }

  /** Does what others ask for. */
  do(act: (store: Store) => void): void {
    act(this.#store);
    this.#turnSoon();
  }

  #turnSoon(): void {
    if (this.#turnIsDue) return;
    this.#turnIsDue = true;
    this.#options.events.at(this.#options.events.nowMs, () => this.#turn());
  }

  #turn(): void {
    this.#turnIsDue = false;
    if (this.isFrozen) return;
    for (const [link, connected] of this.#connected) {
      for (const request of connected.requests.splice(0)) {
        link.say({ kind: "reply", answer: this.#answer(link, connected, request) });
      }
    }
    for (const [link, { again }] of this.#connected) {
      for (const key of again.splice(0)) link.say({ kind: "again", key });
    }
  }

  #answer(link: LeaseLink, { asker }: Connected, request: LeaseRequest): "fresh" | "wait" | "done" | LeaseToken {
    const { key } = request;
    const span = spanOf(keyName(key));
    switch (request.kind) {
      case "lease":
        return this.#lease(link, asker, request);
      case "fill":
        return this.#fill(key, request.token);
      case "give":
        for (const given of this.#given.get(key) ?? []) if (given.token.low === request.token.low) given.isBack = true;
        this.#leases.takeBack(span, request.token, this.#store.nowMs, false);
        return "done";
      case "set":
        this.#store.set(span, { flags: 0, value: spanOf(new Uint8Array(8)), ttlMs: 50 + 200 * this.#options.random() });
        return "done";
      case "delete":
        this.#store.delete(span);
        return "done";
    }
  }

  #lease(link: LeaseLink, asker: Asker, { key, leaseMs }: { key: number; leaseMs: number }) {
    const span = spanOf(keyName(key));
    if (this.#store.get(span) !== 0) return "fresh";
    const token = { high: this.#options.origin, low: ++this.#tokens };
    const { nowMs } = this.#store;
    const question = { ...token, nowMs, leaseMs, hasStale: false };
    if (!this.#holds("one at a time")) this.#leases.grant(span, asker, question);
    else if (this.#leases.ask(span, asker, question) === "wait") return "wait";
    const { events, onViolation } = this.#options;
    const changes = this.#changesOf(key);
    const all = this.#given.get(key) ?? [];
    const isComputing = (given: Given) =>
      !given.isBack && given.changes === changes && events.nowMs < given.atMs + given.leaseMs &&
      this.#connected.has(given.link);
    if (all.some(isComputing)) onViolation(`twice: two compute ${key} at once`);
    all.push({ link, token, atMs: events.nowMs, leaseMs, changes, isBack: false });
    this.#given.set(key, all.slice(-8));
    return token;
  }

  #changesOf(key: number): number {
    return (this.#changes.get(key) ?? 0) + this.#clears;
  }

  #fill(key: number, token: LeaseToken): "done" {
    const span = spanOf(keyName(key));
    if (!this.#leases.isValid(span, token) && this.#holds("tokens are checked")) return "done";
    const given = this.#given.get(key)?.find((given) =>
      given.token.low === token.low && given.token.high === token.high
    );
    const isOld = token.high !== this.#options.origin ||
      (given !== undefined && given.changes !== this.#changesOf(key));
    if (isOld) this.#options.onViolation(`overwritten: what has come after the lease of ${key}`);
    this.#store.set(span, { flags: 0, value: spanOf(new Uint8Array(8)), ttlMs: 30 + 200 * this.#options.random() });
    this.#options.onStored();
    return "done";
  }
}
