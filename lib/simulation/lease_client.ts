/** A process that computes by leases in a simulation: callers of one key share one computation. It stands in for what holds promises. */

import type { LeaseToken } from "../wire/leases.ts";
import type { LeaseRequest, LeaseRule, LeaseWords } from "./lease_rules.ts";
import type { LeaseLink, LeaseServer } from "./lease_server.ts";
import type { Events } from "./near_events.ts";
import { NearLink } from "./near_link.ts";

/** What a simulated client needs. */
export interface LeaseClientOptions {
  readonly events: Events;
  readonly random: () => number;
  readonly without: LeaseRule | undefined;
  /** Returns the server to connect to. */
  readonly server: () => LeaseServer;
  readonly wayMs: () => number;
  /** Milliseconds for which it asks for leases. */
  readonly leaseMs: number;
  readonly onComputed: () => void;
  readonly onViolation: (what: string) => void;
}

/** A key that callers want. */
interface Wanted {
  readonly key: number;
  /** When its callers give up waiting for others. */
  readonly endMs: number;
  state: "asking" | "waiting" | "computing";
  sinceMs: number;
  link: LeaseLink | undefined;
}

interface Asked {
  readonly request: LeaseRequest;
  readonly atMs: number;
  readonly wanted: Wanted | undefined;
}

/** Milliseconds for which callers wait for other processes. */
const TIMEOUT_MS = 4000;

/** One client. */
export class LeaseClient {
  /** Whether it does nothing for a while. */
  isFrozen = false;
  readonly #options: LeaseClientOptions;
  readonly #wanted = new Map<number, Wanted>();
  #link: LeaseLink | undefined;
  #server: LeaseServer | undefined;
  #asked: Asked[] = [];
  /** What is to be done when it goes on. */
  #later: (() => void)[] = [];

  constructor(options: LeaseClientOptions) {
    this.#options = options;
  }

  #holds(rule: LeaseRule): boolean {
    return this.#options.without !== rule;
  }

  get #nowMs(): number {
    return this.#options.events.nowMs;
  }

  /** Keys whose callers have no answer. */
  get unanswered(): number {
    return this.#wanted.size;
  }

  get isConnected(): boolean {
    return this.#link !== undefined;
  }

  /** Does something, or later if it is frozen. */
  #do(act: () => void): void {
    if (this.isFrozen) this.#later.push(act);
    else act();
  }

  /** Goes on after a pause. */
  thaw(): void {
    this.isFrozen = false;
    for (const act of this.#later.splice(0)) this.#do(act);
  }

  /** Begins to use another connection. */
  connect(): void {
    this.#leave();
    const server = this.#server = this.#options.server();
    const link: LeaseLink = new NearLink<LeaseRequest, LeaseWords>(this.#options.events, {
      ask: (link, request) => server.ask(link, request),
      hear: (link, words) => this.#do(() => link === this.#link && this.#hear(words)),
      wayMs: this.#options.wayMs,
    });
    this.#link = link;
    server.connect(link);
  }

  #leave(): void {
    const [link, server] = [this.#link, this.#server];
    if (link === undefined || server === undefined) return;
    link.isCut = true;
    const { events, random } = this.#options;
    events.at(events.nowMs + 40 * random(), () => server.ended(link));
    this.#link = undefined;
    const asked = this.#asked;
    this.#asked = [];
    for (const { wanted } of asked) if (wanted?.state === "asking") this.#alone(wanted);
    if (!this.#holds("asked again when lost")) return;
    for (const wanted of this.#wanted.values()) if (wanted.state === "waiting") this.#ask(wanted);
  }

  /** Cuts the connection, which the client notices later. */
  cut(): void {
    const link = this.#link;
    if (link === undefined || link.isCut) return;
    link.isCut = true;
    const { events, random } = this.#options;
    events.at(events.nowMs + 300 * random(), () => this.#do(() => this.#link === link && this.#leave()));
  }

  /** A caller wants a key. */
  retrieveOrStore(key: number): void {
    if (this.#wanted.has(key)) return;
    const wanted: Wanted = {
      key,
      endMs: this.#nowMs + TIMEOUT_MS,
      state: "asking",
      sinceMs: this.#nowMs,
      link: undefined,
    };
    this.#wanted.set(key, wanted);
    this.#ask(wanted);
  }

  #ask(wanted: Wanted): void {
    if (this.#nowMs >= wanted.endMs || this.#link === undefined) return this.#alone(wanted);
    [wanted.state, wanted.sinceMs, wanted.link] = ["asking", this.#nowMs, this.#link];
    this.send({ kind: "lease", key: wanted.key, leaseMs: this.#options.leaseMs }, wanted);
  }

  /** Computes without a lease; that is not stored. */
  #alone(wanted: Wanted): void {
    this.#compute(wanted, undefined, Infinity);
  }

  #compute(wanted: Wanted, token: LeaseToken | undefined, untilMs: number): void {
    const { events, random, onComputed, onViolation } = this.#options;
    if (this.#nowMs > untilMs) onViolation(`late: ${wanted.key} is computed with a lease that is over`);
    wanted.state = "computing";
    onComputed();
    events.at(events.nowMs + 10 + 250 * random(), () =>
      this.#do(() => {
        this.#wanted.delete(wanted.key);
        if (token !== undefined) this.send({ kind: random() < 0.1 ? "give" : "fill", key: wanted.key, token });
      }));
  }

  send(request: LeaseRequest, wanted?: Wanted): void {
    if (this.#link === undefined) return;
    this.#asked.push({ request, atMs: this.#nowMs, wanted });
    this.#link.ask(request);
  }

  #hear(words: LeaseWords): void {
    this.#link!.waiting--;
    if (words.kind === "again") {
      const isMeant = ({ key, state }: Wanted) => state === "waiting" && (words.key === undefined || words.key === key);
      for (const wanted of [...this.#wanted.values()].filter(isMeant)) this.#ask(wanted);
      return;
    }
    const { wanted, atMs } = this.#asked.shift()!;
    if (wanted === undefined || wanted.state !== "asking") return;
    if (words.answer === "fresh") this.#wanted.delete(wanted.key);
    else if (words.answer === "wait") this.#wait(wanted);
    else if (words.answer !== "done") this.#take(wanted, words.answer, atMs);
  }

  #take(wanted: Wanted, token: LeaseToken, askedAtMs: number): void {
    const untilMs = askedAtMs + this.#options.leaseMs;
    if (this.#nowMs <= untilMs || !this.#holds("late ones are not used")) return this.#compute(wanted, token, untilMs);
    this.send({ kind: "give", key: wanted.key, token });
    this.#ask(wanted);
  }

  #wait(wanted: Wanted): void {
    [wanted.state, wanted.sinceMs] = ["waiting", this.#nowMs];
    this.#options.events.at(wanted.endMs, () =>
      this.#do(() => {
        if (wanted.state === "waiting" && this.#nowMs >= wanted.endMs) this.#alone(wanted);
      }));
  }

  /** What it waits for in vain, for longer than some milliseconds. */
  *waiting(ms: number): Generator<string, void, void> {
    for (const { key, state, sinceMs, link } of this.#wanted.values()) {
      if (state !== "waiting" || this.#nowMs - sinceMs < ms) continue;
      if (link !== this.#link) yield `forgotten: who waits for ${key} on a connection that is over`;
      else if (this.#link!.isCut || this.#link!.waiting > 0 || this.#server!.isToTell(this.#link!)) continue;
      else if (!this.#server!.isLeased(key)) yield `forgotten: who waits for ${key}, which nobody computes`;
      else if (this.#server!.isLeasedToNobody(key)) {
        yield `forgotten: who waits for ${key}, of which the holder has gone`;
      }
    }
  }
}
