/**
 * Catching up with a peer: page after page of the writes that this node lacks, and before them the verification of what
 * lives here where the peer has forgotten some of those. One peer at a time, so that nothing is sent twice. It knows what
 * to ask, not how messages travel.
 */

import { livesAt, nameAt } from "./delta.ts";
import { type Delta, MESSAGE, type MessageBody, NAME, type Verified, type Write } from "./gossip_message.ts";
import { exceeds, type Known, MAX_ORIGINS, type Rules } from "./history.ts";
import { ENTRY } from "./records.ts";
import type { Store } from "./store.ts";
import { compareVersions, type Version } from "./version.ts";

/** What a catch-up needs. */
export interface CatchUpOptions {
  readonly store: Store;
  readonly rules: Rules;
  /** Writes in a message at most. */
  readonly maxWrites: number;
  readonly send: (link: number, message: MessageBody) => void;
  /** Applies a write; `isDominated` is whether its sender knows all that this node knows. */
  readonly apply: (link: number, write: Write, isDominated: boolean) => void;
}

/** What lives here is at least as new as any write that the peer knew, of those up to a version. */
interface Compared {
  readonly known: Known;
  readonly upTo: number;
}

/** A verification under way. */
interface Verification extends Compared {
  /** Versions after this are to be verified. */
  readonly from: number;
  /** Of which origin, by index, and after which version the next are. */
  index: number;
  after: number;
  /** What has been asked last, and by which question. */
  asked: Write[];
  question: number;
}

interface Session {
  readonly link: number;
  /** Rounds since it began, and since anything was heard of the peer. */
  rounds: number;
  idleRounds: number;
  /** The last write of the last page: pages ascend, or there would be no end to them. */
  reached?: Version;
  /** What the pages have brought, which a history of too many origins may not hold. */
  readonly given: Known;
  /** What was known here when it was asked last. */
  asked?: Known;
  verified?: Compared;
  verification?: Verification;
}

/** Rounds that a catch-up waits for its peer. */
const PATIENCE = 3;
/** Rounds that it may take while another peer waits: one peer, slow or worse, must not keep all others out. */
const TURN_ROUNDS = 300;

/** The catch-up under way, if any. */
export class CatchUp {
  /** Verifications begun, and entries dropped by them. */
  readonly stats: { verifications: number; unconfirmed: number } = { verifications: 0, unconfirmed: 0 };
  readonly #options: CatchUpOptions;
  #session: Session | undefined;
  /** A peer that waits for its turn. */
  #next: number | undefined;
  #questions = 0;
  readonly #owed: Known = new Map();

  constructor(options: CatchUpOptions) {
    this.#options = options;
  }

  /** With which peer, if there is one. */
  get link(): number | undefined {
    return this.#session?.link;
  }

  /** Whether something has been verified, or is: it stays so only if nothing comes from elsewhere meanwhile. */
  get isExclusive(): boolean {
    return (this.#session?.verification ?? this.#session?.verified) !== undefined;
  }

  /**
   * What is to be known here until all is whole that has been taken in part. A write that is known may be missing where a
   * newer one of its key was in a page that has not come.
   */
  get owed(): Known {
    for (const [id, h] of this.#owed) if (this.#options.store.history.knownOf(id) >= h) this.#owed.delete(id);
    return this.#owed;
  }

  #owe(known: Known): void {
    for (const [id, h] of known) if (h > (this.#owed.get(id) ?? 0)) this.#owed.set(id, h);
  }

  /** Begins with a peer; if there is another, it waits for its turn. Returns whether it is this one's. */
  begin(link: number): boolean {
    if (this.#session === undefined) {
      this.#session = { link, rounds: 0, idleRounds: 0, given: new Map() };
      this.#pull(this.#session);
    } else if (this.#session.link !== link) {
      this.#next ??= link;
    }
    return this.#session.link === link;
  }

  /** Gives a peer up. */
  end(link: number): void {
    if (this.#next === link) this.#next = undefined;
    if (this.#session?.link === link) this.#finish();
  }

  /** A peer is in the middle of saying something long. */
  heard(link: number): void {
    if (this.#session?.link === link) this.#session.idleRounds = 0;
  }

  /** A round has passed: a peer that says nothing is given up, and one that takes long while another waits. */
  wait(): void {
    const session = this.#session;
    if (session === undefined) return;
    const isLong = ++session.rounds > TURN_ROUNDS && this.#next !== undefined;
    if (++session.idleRounds > PATIENCE || isLong) this.#finish();
  }

  #finish(): void {
    const next = this.#next;
    this.#session = this.#next = undefined;
    if (next !== undefined) this.begin(next);
  }

  /**
   * Takes writes.
   *
   * @returns Whether they were the last.
   */
  takeDelta(link: number, delta: Delta): boolean {
    const { store: { history }, rules, apply } = this.#options;
    const session = this.#session;
    // Another's, or one of before a verification.
    if (session?.link !== link || session.verification !== undefined) return false;
    if (session.verified !== undefined && exceeds(session.verified.known, delta.known)) return false;
    // A page that has come twice: only one of the two is to be followed by the next.
    if (delta.more && session.asked !== undefined && !exceeds(delta.upTo, session.asked)) return false;
    const mine = history.known;
    session.idleRounds = 0;
    if (rules.verify && this.#isUnsafe(session, mine, delta) && this.#verify(session)) {
      this.stats.verifications++;
      return false;
    }
    const isDominated = rules.dominance && delta.owed.size === 0 && !exceeds(mine, delta.known);
    for (const write of delta.writes) apply(link, write, isDominated);
    const last = delta.writes.at(-1)?.version;
    const isEndless = delta.more && (last === undefined || !isAfter(last, session.reached));
    session.reached = last;
    for (const [origin, h] of delta.upTo) {
      history.know({ origin, h });
      if (delta.more && session.given.size < MAX_ORIGINS) session.given.set(origin, h);
    }
    for (const [origin, h] of delta.lossy) history.forget({ origin, h: Math.min(h, history.knownOf(origin)) });
    this.#owe(delta.owed);
    if (delta.more) this.#owe(delta.known);
    if (delta.more && !isEndless) this.#pull(session);
    else this.#finish();
    return !delta.more;
  }

  /** Takes the answer to a verification: what was not confirmed may have been deleted, and is dropped. */
  takeVerified(link: number, { question, confirmed }: Verified): void {
    const { store } = this.#options;
    const session = this.#session;
    const asked = session?.verification?.asked;
    if (session?.link !== link || session.verification?.question !== question) return;
    if (asked?.length !== confirmed.length) return;
    session.idleRounds = 0;
    for (let i = 0; i < asked.length; i++) {
      const position = confirmed[i] ? 0 : livesAt(store, asked[i].key, asked[i].version);
      if (position === 0) continue;
      this.stats.unconfirmed++;
      store.distrust(position);
    }
    if (!this.#verify(session)) this.#pull(session);
  }

  #pull(session: Session): void {
    session.asked = this.#options.store.history.known;
    for (const [id, h] of session.given) if (h > (session.asked.get(id) ?? 0)) session.asked.set(id, h);
    this.#options.send(session.link, { type: MESSAGE.pull, known: session.asked });
  }

  /**
   * Whether the sender has forgotten writes that this node does not know: if one of them was a deletion, what it deleted
   * may live here. A verification is prepared then, of no more than has not been verified yet.
   */
  #isUnsafe(session: Session, mine: Known, { lossy, known }: Delta): boolean {
    const { verified } = session;
    let [unsafe, isNew] = [0, verified === undefined];
    for (const [id, h] of lossy) {
      if (h <= (mine.get(id) ?? 0)) continue;
      unsafe = Math.max(unsafe, h);
      if (verified !== undefined && h > (verified.known.get(id) ?? 0)) isNew = true;
    }
    const from = isNew ? 0 : verified!.upTo;
    if (unsafe <= from) return false;
    const base = isNew ? known : verified!.known;
    session.verification = { known: base, from, upTo: unsafe, index: 0, after: from, asked: [], question: 0 };
    return true;
  }

  /** Asks the peer about the next live entries; false, with the verification done, if there are none. */
  #verify(session: Session): boolean {
    const { store, maxWrites, send } = this.#options;
    const { history, records } = store;
    const verification = session.verification!;
    const asked: Write[] = [];
    for (; verification.index < history.origins.length; verification.index++, verification.after = verification.from) {
      const { log } = history.origins[verification.index];
      for (const position of log.after(Math.max(verification.after, history.cleared))) {
        if (records.h(position) > verification.upTo || asked.length === maxWrites) break;
        verification.after = records.h(position);
        if (records.kind(position) === ENTRY) asked.push({ ...nameAt(store, position), kind: NAME });
      }
      if (asked.length === maxWrites) break;
    }
    if (asked.length === 0) {
      session.verified = { known: verification.known, upTo: verification.upTo };
      session.verification = undefined;
      return false;
    }
    verification.asked = asked.sort((a, b) => compareVersions(a.version, b.version));
    const question = verification.question = ++this.#questions;
    send(session.link, { type: MESSAGE.verify, question, known: history.known, writes: asked });
    return true;
  }
}

function isAfter(version: Version, other: Version | undefined): boolean {
  return other === undefined || compareVersions(version, other) > 0;
}
