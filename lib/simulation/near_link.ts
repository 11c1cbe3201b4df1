/** A connection of a simulated near client: two ways with an order of their own, which can be cut. */

import type { Events } from "./near_events.ts";
import type { NearRequest, NearWords } from "./near_rules.ts";

/** What the ends of a connection are. */
export interface LinkEnds {
  /** Takes a request at the server. */
  readonly ask: (link: NearLink, request: NearRequest) => void;
  /** Takes what the server says at the client. */
  readonly hear: (link: NearLink, words: NearWords) => void;
  /** Milliseconds that something takes on its way. */
  readonly wayMs: () => number;
}

/** A connection. */
export class NearLink {
  /** Words of the server that the client has not taken yet. */
  waiting = 0;
  /** Whether nothing arrives any more. */
  isCut = false;
  readonly #events: Events;
  readonly #ends: LinkEnds;
  #toServerMs = 0;
  #toClientMs = 0;

  constructor(events: Events, ends: LinkEnds) {
    this.#events = events;
    this.#ends = ends;
  }

  /** Sends a request. */
  ask(request: NearRequest): void {
    this.#toServerMs = Math.max(this.#toServerMs, this.#events.nowMs + this.#ends.wayMs());
    this.#events.at(this.#toServerMs, () => this.isCut || this.#ends.ask(this, request));
  }

  /** Sends what a server says. */
  say(words: NearWords): void {
    this.waiting++;
    this.#toClientMs = Math.max(this.#toClientMs, this.#events.nowMs + this.#ends.wayMs());
    this.#events.at(this.#toClientMs, () => this.#ends.hear(this, words));
  }
}
