/**
 * What a server does beside its first catch-up, so that it does not take the little that a small peer holds for all there
 * is: it asks every other peer what that holds, and fetches what is missing here. The rules are in docs/replication.md.
 */

import { isAfter, placeOf } from "./pages.ts";
import {
  type Head,
  type Listed,
  MESSAGE,
  type MessageBody,
  MORE,
  type Page,
  type Place,
  type Write,
} from "./message.ts";
import type { Known } from "../store/known.ts";
import type { Store } from "../store/store.ts";

/** What a join needs. */
export interface JoinOptions {
  readonly store: Store;
  readonly send: (peer: number, message: MessageBody) => void;
  /** Rounds after its start for which a node asks peers that it meets. */
  readonly rounds: number;
  /** Milliseconds that a peer may be silent. */
  readonly patienceMs: (peer: number) => number;
  /** Takes an entry in that a peer holds and this node does not. */
  readonly fill: (peer: number, write: Write, theirs: Known) => void;
}

/** A peer that is being asked. */
interface Asked {
  readonly peer: number;
  readonly origin: number;
  /** Rounds since anything was heard of the peer, and when that was. */
  idleRounds: number;
  heardMs: number;
  /** Number of the question for the list that goes on at `next`. */
  question: number;
  next: Place;
  isLast: boolean;
  /** Places that the peer has listed. */
  listed: number;
  /** Places that are still to be asked for, and those that have been asked for, by question. */
  wanted: Place[];
  readonly waiting: Map<number, Place[]>;
}

/** Rounds that an answer may take; then the peer is asked again from the beginning, once. */
const PATIENCE = 15;
const MOST_TRIES = 2;
/** Questions for entries that wait for an answer at a time, and places in each, at most. */
const MOST_WAITING = 4;
const MOST_WANTED = 256;
/** Places that a peer lists at most: no node has room for more entries. */
const MOST_LISTED = 2 ** 28;
/** Before all places: the list begins with the newest entry. */
const BEGINNING: Place = { h: Number.MAX_SAFE_INTEGER, id: 0 };

/** A node's joining of its peers. */
export class Join {
  readonly #options: JoinOptions;
  /** Origins of peers that need not be asked any more, and how often others have been asked in vain. */
  readonly #met = new Set<number>();
  readonly #tries = new Map<number, number>();
  #rounds = 0;
  #questions = 0;
  #asked: Asked | undefined;

  constructor(options: JoinOptions) {
    this.#options = options;
  }

  /** Whether peers are still asked. */
  get isJoining(): boolean {
    return (this.#rounds < this.#options.rounds && !this.#isFull) || this.#asked !== undefined;
  }

  /** Whether nothing more is asked of a peer: it has been asked, need not be, or nobody has given anything yet. */
  isOver(origin: number): boolean {
    if (this.#asked?.origin === origin) return false;
    return this.#met.size === 0 || this.#met.has(origin) || !this.isJoining;
  }

  /** The peer that is being asked, if any. */
  get peer(): number | undefined {
    return this.#asked?.peer;
  }

  /** Takes note that a message of a peer is arriving. */
  heard(peer: number): void {
    if (this.#asked?.peer === peer) this.#heard(this.#asked);
  }

  /** Takes note of a peer that has given all that it holds: the first with which a catch-up came to its end. */
  caughtUp(origin: number | undefined): void {
    if (this.#met.size === 0 && origin !== undefined) this.#met.add(origin);
  }

  /** Does a round: asks the next of the given peers, unless one is being asked, or no peer has given anything yet. */
  round(peers: Iterable<readonly [peer: number, origin: number | undefined]>): void {
    this.#rounds++;
    if (this.#asked !== undefined && ++this.#asked.idleRounds > PATIENCE && this.#isLate(this.#asked)) {
      this.#giveUp(this.#asked);
    }
    if (this.#asked !== undefined && this.#asked.waiting.size === 0 && this.#asked.wanted.length > 0) {
      this.#goOn(this.#asked);
    }
    if (this.#asked !== undefined || this.#rounds > this.#options.rounds || this.#met.size === 0 || this.#isFull) {
      return;
    }
    for (const [peer, origin] of peers) {
      if (origin === undefined || this.#met.has(origin)) continue;
      const start = {
        idleRounds: 0,
        heardMs: this.#options.store.nowMs,
        question: 0,
        next: BEGINNING,
        isLast: false,
        listed: 0,
        wanted: [],
        waiting: new Map(),
      };
      this.#asked = { peer, origin, ...start };
      return this.#goOn(this.#asked);
    }
  }

  #heard(asked: Asked): void {
    asked.idleRounds = 0;
    asked.heardMs = this.#options.store.nowMs;
  }

  #isLate({ peer, heardMs }: Asked): boolean {
    return this.#options.store.nowMs - heardMs >= this.#options.patienceMs(peer);
  }

  /** Asks no more of a peer that does not answer, for now or for ever. */
  #giveUp({ origin }: Asked): void {
    this.#asked = undefined;
    const tries = (this.#tries.get(origin) ?? 0) + 1;
    this.#tries.set(origin, tries);
    if (tries === MOST_TRIES) this.#met.add(origin);
  }

  /** Takes note that a peer is gone. */
  end(peer: number): void {
    if (this.#asked?.peer === peer) this.#asked = undefined;
  }

  /** Takes a list of what a peer holds. */
  takeList(peer: number, { question, places, more }: Listed): void {
    const asked = this.#asked;
    if (asked?.peer !== peer || asked.question !== question) return;
    asked.question = 0; // it has been answered
    const { history } = this.#options.store;
    asked.wanted = places.filter(({ h, id }) =>
      h > history.cleared && history.knownOf(id) >= h && history.at(id, h) === 0
    );
    asked.listed += places.length;
    const isBeyond = asked.listed > MOST_LISTED;
    asked.isLast = !more || places.length === 0 || isBeyond || !isAfter(asked.next, places.at(-1)!);
    asked.next = places.at(-1) ?? asked.next;
    this.#goOn(asked);
  }

  /**
   * Takes entries that were asked for; they are asked for again if nothing may come from elsewhere, since entries are verified.
   *
   * @returns Whether the page was an answer to that.
   */
  takePage(peer: number, page: Page & Head, isExclusive: boolean): boolean {
    const asked = this.#asked;
    const places = asked?.peer === peer ? asked.waiting.get(page.question) : undefined;
    if (asked === undefined || places === undefined) return false;
    asked.waiting.delete(page.question);
    if (isExclusive) {
      asked.wanted.unshift(...places); // for a later round
      return true;
    }
    const versions = new Set(places.map(({ h }) => h));
    for (const write of page.writes) if (versions.has(write.version.h)) this.#options.fill(peer, write, page.known);
    const last = page.more === MORE.nothing ? undefined : page.writes[0];
    const left = last === undefined ? [] : places.filter((place) => isAfter(placeOf(last.version), place));
    if (left.length < places.length) asked.wanted.unshift(...left);
    this.#goOn(asked);
    return true;
  }

  #goOn(asked: Asked): void {
    const { send } = this.#options;
    const { peer, wanted, waiting } = asked;
    this.#heard(asked);
    const isDone = wanted.length === 0 && waiting.size === 0;
    if (this.#isFull || (isDone && asked.isLast)) {
      this.#met.add(asked.origin);
      this.#asked = undefined;
    } else if (isDone) {
      asked.question = this.#nextQuestion();
      send(peer, { type: MESSAGE.list, question: asked.question, before: asked.next });
    }
    while (wanted.length > 0 && waiting.size < MOST_WAITING && this.#asked === asked) {
      const question = this.#nextQuestion();
      const places = wanted.splice(0, MOST_WANTED);
      waiting.set(question, places);
      send(peer, { type: MESSAGE.want, question, places });
    }
  }

  /** Questions of a join are odd, those of a catch-up even: a page answers either. */
  #nextQuestion(): number {
    return 2 * ++this.#questions + 1;
  }

  /** Whether something has been evicted: then what is not here would only push out something newer. */
  get #isFull(): boolean {
    return this.#options.store.stats().evictions > 0;
  }
}
