/**
 * A client with a near tier in a simulation: it makes requests on one connection after another, and hears what comes in its
 * order. What its near reads give is judged by the server's truth.
 */

import { ASK, DUE, NearTier } from "../near/near_tier.ts";
import type { Events } from "./near_events.ts";
import { NearLink } from "./near_link.ts";
import type { NearRequest, NearRule, NearWords } from "./near_rules.ts";
import type { Link, NearServer } from "./near_server.ts";
import { keyName, START_MS } from "./trace.ts";

/** What a simulated client needs. */
export interface NearClientOptions {
  readonly events: Events;
  readonly without: NearRule | undefined;
  readonly random: () => number;
  /** Part of what is sent that takes long. */
  readonly slow: number;
  /** Returns the server to connect to. */
  readonly server: () => NearServer;
  readonly onViolation: (what: string) => void;
  readonly maxStaleMs: number;
}

/** A request that has not been answered. */
interface Asked {
  readonly request: NearRequest;
  readonly sentAtMs: number;
}

/** Copies that a client keeps. */
const COPIES = 2000;
/** Milliseconds after which a copy is taken, where that is not done at once. */
const LATE_MS = 5;
/** Milliseconds that something takes on its way at most, where it takes long and else. */
const [SLOW_MS, QUICK_MS] = [400, 12];

/** One client. */
export class NearClient {
  /** The longest time for which a value that a near read gave had been replaced. */
  mostBehindMs = 0;
  /** Whether it does nothing for a while. */
  isFrozen = false;
  readonly tier: NearTier;
  readonly #options: NearClientOptions;
  #link: Link | undefined;
  #server: NearServer | undefined;
  #asked: Asked[] = [];
  /** What has come and was not heard yet. */
  readonly #heard: { link: Link; words: NearWords }[] = [];
  /** Milliseconds that the machine has slept: the steady clock is behind by them. */
  #sleptMs = 0;

  constructor(options: NearClientOptions) {
    this.#options = options;
    const { maxStaleMs } = options;
    this.tier = new NearTier({ maxSize: COPIES, maxTotalSize: Infinity, maxStaleMs, copies: false });
  }

  #holds(rule: NearRule): boolean {
    return this.#options.without !== rule;
  }

  get #nowMs(): number {
    return this.#options.events.nowMs - this.#sleptMs;
  }

  /** The wall clock; it shows no sleep where that is not looked at. */
  get #wallMs(): number {
    return START_MS + (this.#holds("sleep") ? this.#options.events.nowMs : this.#nowMs);
  }

  /** Begins to use another connection, and leaves the one that there is. */
  connect(): void {
    this.leave();
    const { events, random, server, slow } = this.#options;
    const connected = this.#server = server();
    const link: Link = this.#link = new NearLink<NearRequest, NearWords>(events, {
      ask: (link, request) => connected.ask(link, request),
      hear: (link, words) => this.#hear(link, words),
      wayMs: () => random() < slow ? SLOW_MS * random() : 1 + QUICK_MS * random(),
    });
    connected.connect(link);
    if (this.#holds("empty when connected") || !this.tier.isOn) this.tier.connected();
  }

  /** Leaves the connection; its server may hear of that late. */
  leave(): void {
    const [link, server] = [this.#link, this.#server];
    if (link === undefined || server === undefined) return;
    const { events, random } = this.#options;
    link.isCut = this.#holds("this connection");
    events.at(events.nowMs + 40 * random(), () => server.ended(link));
    for (const { request } of this.#asked) this.#settle(request);
    this.#asked = [];
    this.#link = undefined;
    if (this.#holds("empty when connected")) this.tier.lost();
  }

  /** Loses the connection if it is to a server that has ended; of what was on its way, nothing comes. */
  lose(server: NearServer): void {
    if (this.#server !== server) return;
    this.cut();
    if (!this.isFrozen) this.leave();
  }

  /** Cuts the connection, which the client does not notice yet. */
  cut(): void {
    const link = this.#link;
    if (link === undefined || link.isCut) return;
    link.isCut = true;
    const { events, random } = this.#options;
    events.at(events.nowMs + 300 * random(), () => this.#link === link && this.leave());
  }

  /** Whether it is connected. */
  get isConnected(): boolean {
    return this.#link !== undefined;
  }

  /** Takes note that the machine has slept. */
  slept(ms: number): void {
    this.#sleptMs += ms;
  }

  /** Retrieves a key, from the near tier if that may be. */
  retrieve(key: number): void {
    if (!this.#holds("fence")) this.tier.replied(this.#nowMs);
    const value = this.tier.read(nameOf(key), this.#nowMs, this.#wallMs);
    if (value === ASK) return this.send({ kind: "get", keys: [key] });
    this.#judge(key, value as number);
    if ((this.tier.due & DUE.ping) !== 0) this.send({ kind: "ping" });
    if ((this.tier.due & DUE.use) !== 0) this.send({ kind: "use", key });
  }

  #judge(key: number, value: number): void {
    const { events: { nowMs }, maxStaleMs, onViolation } = this.#options;
    const { truth } = this.#server!;
    const fault = truth.judge(key, value, nowMs - maxStaleMs);
    if (fault !== undefined) onViolation(`${fault}: a near read of ${key} at ${nowMs}`);
    this.mostBehindMs = Math.max(this.mostBehindMs, truth.ageMs(key, value, nowMs));
  }

  /** Sends a request. */
  send(request: NearRequest): void {
    if (this.#link === undefined) return;
    const sentAtMs = this.#nowMs;
    if (request.kind === "set" || request.kind === "delete") this.tier.began(nameOf(request.key));
    if (request.kind === "clear") this.tier.clear();
    this.tier.sent(sentAtMs);
    this.#asked.push({ request, sentAtMs });
    this.#link.ask(request);
  }

  #settle(request: NearRequest): void {
    if (request.kind === "set" || request.kind === "delete") this.tier.ended(nameOf(request.key));
    if (request.kind === "ping") this.tier.pinged();
  }

  #hear(link: Link, words: NearWords): void {
    if (link !== this.#link && this.#holds("this connection")) return;
    this.#heard.push({ link, words });
    this.hearAll();
  }

  /** Hears what has come, unless it is frozen. */
  hearAll(): void {
    while (!this.isFrozen && this.#heard.length > 0) {
      const { link, words } = this.#heard.shift()!;
      link.waiting--;
      if (link.isCut && link !== this.#link) continue;
      this.#take(link, words);
    }
  }

  #take(link: Link, words: NearWords): void {
    this.tier.read("", this.#nowMs, this.#wallMs); // clocks are compared
    if (words.kind === "invalid") {
      if (words.slots === undefined) this.tier.all();
      else for (const slot of words.slots) this.tier.invalid(slot);
      return;
    }
    const asked = link === this.#link ? this.#asked.shift() : undefined;
    const sentAtMs = asked === undefined ? this.#nowMs : asked.sentAtMs;
    this.tier.replied(this.#holds("send time") ? sentAtMs : this.#nowMs);
    const fromMs = this.#holds("deadline from sending") ? sentAtMs : this.#nowMs;
    for (const { key, value, terms } of words.copies ?? []) {
      const fill = () => {
        if (terms === undefined) this.tier.drop(nameOf(key));
        else this.tier.fill(nameOf(key), value, fromMs, terms, 8);
      };
      if (this.#holds("taken at once")) fill();
      else this.#options.events.at(this.#options.events.nowMs + LATE_MS * this.#options.random(), fill);
    }
    if (asked === undefined) return;
    if (asked.request.kind === "use" && words.left !== undefined) {
      this.tier.used(nameOf(asked.request.key), fromMs, words.left);
    } else if (asked.request.kind === "use") this.tier.drop(nameOf(asked.request.key));
    this.#settle(asked.request);
  }
}

/** The text of a key. */
function nameOf(key: number): string {
  return new TextDecoder().decode(keyName(key));
}
