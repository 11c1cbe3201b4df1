/** A connection of a simulated client: two ways with an order of their own, which can be cut. */

import type { Events } from "./near_events.ts";

/** What the ends of a connection are. */
export interface LinkEnds<Request, Words> {
  /** Takes a request at the server. */
  readonly ask: (link: NearLink<Request, Words>, request: Request) => void;
  /** Takes what the server says at the client. */
  readonly hear: (link: NearLink<Request, Words>, words: Words) => void;
  /** Milliseconds that something takes on its way. */
  readonly wayMs: () => number;
}

/** A connection. */
export class NearLink<Request, Words> {
  /** Words of the server that the client has not taken yet. */
  waiting = 0;
  /** Whether nothing arrives any more. */
  isCut = false;
  readonly #events: Events;
  readonly #ends: LinkEnds<Request, Words>;
  #toServerMs = 0;
  #toClientMs = 0;

  constructor(events: Events, ends: LinkEnds<Request, Words>) {
    this.#events = events;
    this.#ends = ends;
  }

  /** Sends a request. */
  ask(request: Request): void {
    this.#toServerMs = Math.max(this.#toServerMs, this.#events.nowMs + this.#ends.wayMs());
    this.#events.at(this.#toServerMs, () => this.isCut || this.#ends.ask(this, request));
  }

  /** Sends what a server says. */
  say(words: Words): void {
    this.waiting++;
    this.#toClientMs = Math.max(this.#toClientMs, this.#events.nowMs + this.#ends.wayMs());
    this.#events.at(this.#toClientMs, () => this.#ends.hear(this, words));
  }
}
