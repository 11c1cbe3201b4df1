/**
 * Catching up with a peer: page after page of the writes that this node lacks; where the peer has forgotten some of them,
 * the entries that live here are verified first. One peer at a time, so that nothing is sent twice. It knows what to ask,
 * not how messages travel.
 */

import { MAX_ORIGIN_ID } from "../base/limits.ts";
import { Adoption } from "./adoption.ts";
import type { CatchUpOptions } from "./catch_up_options.ts";
import { PageWindow } from "./page_window.ts";
import { isAfter, livesAt, MAX_PASSED_OVER, nameAt, placeOf } from "./pages.ts";
import { type Head, MESSAGE, MORE, NAME, type Page, type Place, type Verified, type Write } from "./message.ts";
import { copyOf, exceeds, forEachListed, type Known } from "../store/known.ts";
import { MAX_ORIGINS } from "../store/origins.ts";
import { ENTRY } from "../store/entry.ts";
import type { Cursor } from "../store/fingerprints.ts";
import type { SweepCursor } from "../store/entries.ts";
import { compareVersions } from "../store/version.ts";

/** A finished comparison: entries here of versions up to `upTo` are as new as any write that the peer knew, by `known`. */
interface Compared {
  readonly known: Known;
  readonly upTo: number;
}

/** A verification under way. */
interface Verification extends Compared {
  /** Versions after this one are to be verified. */
  readonly from: number;
  /** Place of the last write that has been looked at. */
  after: Place;
  /** The writes asked about last; `question` is the number of that question. */
  asked: Write[];
  question: number;
}

/** How far a catch-up with one start of one peer has come; if it breaks off, it is continued from here. */
interface Progress {
  /** How far the pages give writes, once all have come: they are known here with the last one. */
  given: Known;
  /** Place of the last page's last write: pages must ascend, or they could go on without end. */
  reached: Place;
  /** How far the peer has said that it has forgotten writes. */
  readonly lossy: Known;
  /** Turns that ended before the catch-up was complete. */
  turns: number;
}

interface CatchUpRun extends Progress {
  readonly peer: number;
  readonly origin: number | undefined;
  /** Rounds since the run began; `idleRounds` are those since anything was heard of the peer. */
  rounds: number;
  idleRounds: number;
  /** When anything was last heard of the peer. */
  heardMs: number;
  /** The pages that the peer has been asked for. */
  readonly window: PageWindow;
  /** Where the peer's fingerprints go on, once it has given all writes. */
  cursor?: Cursor;
  /** Whether the peer has given all fingerprints: those of what has left it since are not needed. */
  isWalked: boolean;
  /** Whether this goes on for what the peer has come to know during another one. */
  readonly isAgain: boolean;
  verified?: Compared;
  verification?: Verification;
  /** Entries dropped so far, by reason. */
  readonly dropped: { covered: number; unconfirmed: number };
  /** Entries that fingerprints cover, about which the peer has been asked. */
  doubts?: { readonly asked: Write[]; readonly question: number };
}

/** Rounds that a catch-up waits for its silent peer. */
const PATIENCE = 3;
/**
 * Rounds that a catch-up may take while another peer waits: one slow or malicious peer must not keep all others out. Each
 * further turn of that peer has twice as many, since it may have much to give.
 */
const TURN_ROUNDS = 300;
const MAX_DOUBLINGS = 6;
/** Peers whose progress is kept after a catch-up broke off, at most. */
const MAX_UNFINISHED = 8;

/** Entries that are compared with fingerprints for one page, where nothing else is said: they take about two milliseconds. */
const SWEEP_PLACES = 8192;

/** Entries that a peer is asked about at a time, at most. */
const MOST_ASKED = 1024;
/** Entries that were used last which a peer is asked to give first; it may give fewer. */
const MOST_RECENT = 2 ** 20;
/** Before and after all places. */
const START: Place = { h: 0, id: 0 };
const END: Place = { h: Number.MAX_SAFE_INTEGER, id: MAX_ORIGIN_ID };

/** The catch-up under way, if any. */
export class CatchUp {
  /** Counts of verifications begun, of entries that they dropped, and of entries that fingerprints covered. */
  readonly stats: { verifications: number; unconfirmed: number; covered: number } = {
    verifications: 0,
    unconfirmed: 0,
    covered: 0,
  };
  readonly #options: CatchUpOptions;
  #run: CatchUpRun | undefined;
  /** A peer that waits for its turn. */
  #next: number | undefined;
  #questions = 0;
  /** Progress of catch-ups that broke off, by the origin of the peer. */
  readonly #unfinished = new Map<number, Progress>();
  readonly #adoption: Adoption;
  /** Where the comparison of entries with fingerprints that have been taken goes on; `undefined` if there are no new ones. */
  #sweep: SweepCursor | undefined;

  constructor(options: CatchUpOptions) {
    this.#options = options;
    this.#adoption = new Adoption(options.store, options.rules);
  }

  /** How many times an origin's orphans have been adopted. */
  get adoptions(): number {
    return this.#adoption.count;
  }

  /** The peer of the catch-up under way, if any. */
  get peer(): number | undefined {
    return this.#run?.peer;
  }

  /** Whether entries have been or are being verified, which holds only if no writes come from elsewhere meanwhile. */
  get isExclusive(): boolean {
    return (this.#run?.verification ?? this.#run?.verified) !== undefined;
  }

  /** Up to which version entries are being or have been verified; of newer writes any may come from elsewhere. */
  get verifiedUpTo(): number {
    return (this.#run?.verification ?? this.#run?.verified)?.upTo ?? 0;
  }

  /** Begins a catch-up with a peer, which waits if one with another is under way. Returns whether it is the peer's turn. */
  begin(peer: number, isAgain = false): boolean {
    const origin = this.#options.originOf(peer);
    // A peer that has started again since it was asked knows nothing of the question.
    if (this.#run?.peer === peer && this.#run.origin !== origin) this.#breakOff(this.#run);
    if (this.#run === undefined) {
      const beginning = { given: new Map(), reached: START, lossy: new Map(), turns: 0 };
      const progress = this.#unfinished.get(origin ?? 0) ?? beginning;
      this.#unfinished.delete(origin ?? 0);
      const dropped = { covered: 0, unconfirmed: 0 };
      const start = {
        rounds: 0,
        idleRounds: 0,
        heardMs: this.#options.store.nowMs,
        window: new PageWindow(this.#options.leastPages(peer)),
        dropped,
        isWalked: false,
        isAgain,
      };
      this.#run = { peer, origin, ...progress, ...start };
      this.#pull(this.#run);
    } else if (this.#run.peer !== peer) {
      this.#next ??= peer;
    }
    return this.#run.peer === peer;
  }

  /** Asks a peer again for a page that could not be read. Returns whether one is waited for. */
  repeat(peer: number): boolean {
    const run = this.#run;
    if (run?.peer !== peer || (run.verification ?? run.doubts) !== undefined) return false;
    this.#pull(run);
    return true;
  }

  /** Begins anew with whatever is under way or broke off: what has been given is not all here any more. */
  restart(): void {
    this.#unfinished.clear();
    if (this.#run !== undefined) this.#finish(this.#run);
  }

  /** Ends a catch-up with a peer, or the peer's waiting for one. */
  end(peer: number): void {
    if (this.#next === peer) this.#next = undefined;
    if (this.#run?.peer === peer) this.#breakOff(this.#run);
  }

  /** Takes note that a message of a peer is arriving, so that the peer is not taken for silent. */
  heard(peer: number): void {
    if (this.#run?.peer === peer) this.#heard(this.#run);
  }

  #heard(run: CatchUpRun): void {
    run.idleRounds = 0;
    run.heardMs = this.#options.store.nowMs;
  }

  /** Takes note of a round: a peer that is silent is given up, as is one that takes long while another waits. */
  wait(random: () => number): void {
    const run = this.#run;
    if (run === undefined) {
      return this.#adoption.round(random, () => this.#options.patienceMs(), () => this.#dropCovered());
    }
    const most = TURN_ROUNDS * 2 ** Math.min(run.turns, MAX_DOUBLINGS);
    const isLong = ++run.rounds > most && this.#next !== undefined;
    if (isLong) run.turns++;
    const { store, patienceMs } = this.#options;
    const [silentMs, mostMs] = [store.nowMs - run.heardMs, patienceMs(run.peer)];
    if (isLong || (++run.idleRounds > PATIENCE && silentMs >= mostMs)) return this.#breakOff(run);
    // What has been passed over comes no more, if what was lost before it does not.
    if (run.window.hasPassedOver && run.idleRounds > 1 && 2 * silentMs >= mostMs) this.repeat(run.peer);
  }

  /** Ends a catch-up that is incomplete: the writes that its pages have brought are kept, but are not known. */
  #breakOff(run: CatchUpRun): void {
    const { origin, given, reached, lossy, turns, idleRounds } = run;
    if (origin !== undefined && (turns > 0 || reached.h > 0)) {
      this.#unfinished.set(origin, { given, reached, lossy, turns });
      for (const [oldest] of this.#unfinished) {
        if (this.#unfinished.size > MAX_UNFINISHED) this.#unfinished.delete(oldest);
      }
    }
    this.#adoption.brokeOff(idleRounds, run.heardMs);
    this.#finish(run);
  }

  #finish({ peer, dropped }: CatchUpRun): void {
    if (dropped.covered + dropped.unconfirmed > 0) this.#options.onDropped?.(peer, dropped);
    const next = this.#next;
    this.#run = this.#next = undefined;
    if (next !== undefined) this.begin(next);
  }

  /**
   * Applies a page of writes.
   *
   * @returns Whether the page was taken and was the last.
   */
  takePage(peer: number, page: Page & Head): boolean {
    const { rules, apply } = this.#options;
    const run = this.#run;
    // A page of another peer, or one from before a verification.
    if (run?.peer !== peer || (run.verification ?? run.doubts) !== undefined) return false;
    if (run.window.next !== page.question) return this.#passOver(run, page);
    if (run.origin !== page.from) {
      this.begin(peer);
      return false;
    }
    this.#heard(run);
    run.window.took(run.heardMs, this.#options.quickestMs(peer));
    // A peer that has forgotten orphans of its own cannot say which writes those had replaced: what it gives makes nothing known.
    const isSure = !exceeds(page.lossy, page.known);
    if (isSure && rules.verify && this.#isUnsafe(run, page) && this.#verify(run)) {
      this.stats.verifications++;
      return false;
    }
    const theirs: Known = rules.dominance ? page.known : new Map();
    for (const write of page.writes) apply(peer, write, theirs);
    const isMore = page.more === MORE.writes || page.more === MORE.recent;
    const isAscending = page.more === MORE.recent || this.#take(run, page);
    for (const [id, h] of page.lossy) run.lossy.set(id, Math.max(h, run.lossy.get(id) ?? 0));
    // A node keeps no more origins than this: a peer that has lost writes of more lies.
    if (run.lossy.size > MAX_ORIGINS) {
      this.#finish(run);
      return false;
    }
    if (isSure && !run.isWalked) this.#takeDepartures(page);
    if (isMore && isAscending && !run.window.hasPassedOver) this.#goOn(run);
    else if (isMore && isAscending) this.#pull(run);
    else if (!isSure || isMore) this.#breakOff(run);
    else return this.#takeLast(run, page);
    return !isMore;
  }

  /** Takes note of a page that is not the next: one that has come twice, or that others before it have not come before. */
  #passOver(run: CatchUpRun, { question, from }: Page & Head): false {
    if (from === run.origin && run.window.passOver(question)) this.#heard(run);
    return false;
  }

  /** Takes note of how far a page has given writes. Returns false if it has gone back: then all begins again. */
  #take(run: CatchUpRun, { known, more, writes }: Page): boolean {
    if (run.cursor !== undefined) return true; // it answers a question for fingerprints
    const last = writes.at(-1);
    const reached = more !== MORE.writes ? END : last === undefined ? START : placeOf(last.version);
    const isAscending = isAfter(reached, run.reached) || more !== MORE.writes;
    run.given = !isAscending ? new Map() : run.reached.h === 0 ? copyOf(known) : run.given;
    // What the peer has come to know meanwhile counts where all of that comes after what it has given before.
    for (const [id, h] of run.given) if (h >= run.reached.h) run.given.set(id, known.get(id) ?? 0);
    run.reached = isAscending ? reached : START;
    if (!this.#options.rules.pages) this.#know(run);
    return isAscending;
  }

  #know({ given, reached }: CatchUpRun): void {
    const { history } = this.#options.store;
    if (given.base !== undefined) history.knowledge.expect(given.base);
    forEachListed(given, (id, h) => {
      history.know({ origin: id, h: Math.min(h, id <= reached.id ? reached.h : reached.h - 1) });
    });
  }

  /** Takes a page after which no writes come. Returns whether the catch-up is complete. */
  #takeLast(run: CatchUpRun, page: Page & Head): boolean {
    run.cursor = page.cursor;
    const { history } = this.#options.store;
    history.addDoubts(run.lossy);
    if (page.more === MORE.nothing) run.isWalked = true;
    if (!run.isWalked) {
      this.#goOn(run);
    } else if (this.#options.rules.verify && this.#isUnsafe(run, page) && this.#verify(run)) {
      this.stats.verifications++;
    } else if (!this.#doubt(run)) {
      this.#complete(run, page.known);
      return true;
    }
    return false;
  }

  /** Asks about the next entries that fingerprints cover. Returns false if there are none left. */
  #doubt(run: CatchUpRun): boolean {
    const { store, maxWrites, send } = this.#options;
    if (this.#sweep === undefined) {
      store.history.isUnswept = false;
      return false;
    }
    const covered = store.covered(this.#sweep, this.#options.sweepPlaces ?? SWEEP_PLACES, maxWrites);
    // All entries of one version are looked at together. No server writes more of them than are asked for at once: a peer has made
    // the others up.
    for (const position of covered.splice(MOST_ASKED)) store.distrust(position);
    const isLast = this.#sweep.h === Infinity;
    if (isLast) this.#sweep = undefined;
    if (covered.length === 0 && isLast) return this.#doubt(run);
    if (covered.length === 0) {
      this.#pull(run); // the peer's answer leads back to here, and clients are served meanwhile
      return true;
    }
    const asked = covered.map((position): Write => ({ ...nameAt(store, position), kind: NAME }));
    asked.sort((a, b) => compareVersions(a.version, b.version));
    run.doubts = { asked, question: this.#questions += 2 };
    send(run.peer, {
      type: MESSAGE.verify,
      question: run.doubts.question,
      known: this.#options.known(),
      writes: asked,
    });
    return true;
  }

  /**
   * Takes a peer's fingerprints over. Where there is no room for all, the history says how far some have been dropped before
   * they were compared with entries: `#takeLast` has those verified.
   */
  #takeDepartures({ departures }: Page): void {
    const { store, rules } = this.#options;
    if (departures.length === 0) return;
    store.takeDepartures(departures);
    if (rules.sweep) this.#sweep = { h: 0 };
  }

  /** Drops entries that fingerprints cover, where there is no peer to ask about them. Returns whether there are more. */
  #dropCovered(): boolean {
    if (this.#sweep === undefined) return false;
    const { store, sweepPlaces = SWEEP_PLACES } = this.#options;
    const covered = store.covered(this.#sweep, sweepPlaces, sweepPlaces);
    for (const position of covered) store.distrust(position);
    this.stats.covered += covered.length;
    if (this.#sweep.h < Infinity) return true;
    this.#sweep = undefined;
    store.history.isUnswept = false;
    return false;
  }

  /** Makes known what the pages have given: with the last page, whatever has replaced a write is here too. */
  #complete(run: CatchUpRun, theirs: Known): void {
    const { lossy, origin } = run;
    const { store: { history }, onComplete } = this.#options;
    this.#know(run);
    history.rest();
    history.forgetAll(lossy);
    onComplete(origin);
    this.#finish(run);
    // The peer has come to know more meanwhile.
    if (!run.isAgain && this.#run === undefined && history.knowledge.lacks(theirs)) this.begin(run.peer, true);
  }

  /** Takes the answer to a question about entries: one that was not confirmed may have been deleted, and is dropped. */
  takeVerified(peer: number, { question, confirmed }: Verified): void {
    const run = this.#run;
    if (run?.peer !== peer) return;
    const { doubts, verification } = run;
    if (doubts?.question === question && doubts.asked.length === confirmed.length) {
      const dropped = this.#dropUnconfirmed(doubts.asked, confirmed);
      this.stats.covered += dropped;
      run.dropped.covered += dropped;
      run.doubts = undefined;
      this.#pull(run);
    } else if (verification?.question === question && verification.asked.length === confirmed.length) {
      const dropped = this.#dropUnconfirmed(verification.asked, confirmed);
      this.stats.unconfirmed += dropped;
      run.dropped.unconfirmed += dropped;
      if (!this.#verify(run)) this.#pull(run);
    } else {
      return;
    }
    this.#heard(run);
  }

  #dropUnconfirmed(asked: readonly Write[], confirmed: readonly boolean[]): number {
    const { store } = this.#options;
    let dropped = 0;
    for (let i = 0; i < asked.length; i++) {
      const position = confirmed[i] ? 0 : livesAt(store, asked[i].key, asked[i].version);
      if (position === 0) continue;
      dropped++;
      store.distrust(position);
    }
    return dropped;
  }

  /** Asks for what comes after the pages that have been taken. */
  #pull(run: CatchUpRun): void {
    const { known, send, store: { nowMs } } = this.#options;
    const { window, peer, reached: after, cursor } = run;
    const question = this.#questions + 2;
    window.begin(question, nowMs, run.isWalked || !this.#options.hasWindow(peer));
    this.#questions = window.last;
    const recent = this.#recent(run);
    if (window.said.pages > 1 || recent > 0) send(peer, { type: MESSAGE.window, ...window.said, recent });
    send(peer, { type: MESSAGE.pull, question, known: known(), after, cursor });
  }

  /** Lets the peer send the pages that follow, as many as may be under way. */
  #goOn(run: CatchUpRun): void {
    const { hasWindow, send, store: { nowMs } } = this.#options;
    if (!hasWindow(run.peer)) return this.#pull(run);
    if (!run.window.allow(nowMs)) return;
    this.#questions = run.window.last;
    send(run.peer, { type: MESSAGE.window, ...run.window.said, recent: 0 });
  }

  /** How many of the entries that were used last a peer is to give first: where nothing is known here yet. */
  #recent({ peer, reached, cursor }: CatchUpRun): number {
    const { store, hasWindow, known } = this.#options;
    if (reached.h > 0 || cursor !== undefined || !hasWindow(peer)) return 0;
    const { base, size } = known();
    const own = store.history.knowledge.own.known > 0 ? 1 : 0;
    return base === undefined && size <= own ? Math.min(store.maxSize, MOST_RECENT) : 0;
  }

  /**
   * Whether the sender has forgotten writes that this node does not know: if one of them was a deletion, the deleted entry
   * may live here. A verification is prepared then, of entries that have not been verified yet.
   */
  #isUnsafe(run: CatchUpRun, { lossy, known }: Page): boolean {
    const { verified } = run;
    const { history } = this.#options.store;
    const forgotten = [...run.lossy, ...lossy];
    let [unsafe, isNew] = [0, verified === undefined];
    for (const [id, h] of forgotten) {
      if (h <= history.knownOf(id)) continue;
      unsafe = Math.max(unsafe, h);
      if (verified !== undefined && h > (verified.known.get(id) ?? 0)) isNew = true;
    }
    const from = isNew ? 0 : verified!.upTo;
    if (unsafe <= from) return false;
    const base = isNew ? copyOf(known) : verified!.known;
    for (const [id, h] of forgotten) base.set(id, Math.max(h, base.get(id) ?? 0));
    const after = { h: from, id: MAX_ORIGIN_ID };
    run.verification = { known: base, from, upTo: unsafe, after, asked: [], question: 0 };
    return true;
  }

  /** Asks the peer about the next live entries; if there are none, ends the verification and returns false. */
  #verify(run: CatchUpRun): boolean {
    const { store, maxWrites, send } = this.#options;
    const { history, reader } = store;
    const verification = run.verification!;
    const asked: Write[] = [];
    let passedOver = 0;
    for (const position of history.logs.ascending(Math.max(verification.after.h, history.cleared + 1))) {
      if (reader.h(position) > verification.upTo || asked.length === maxWrites) break;
      const place = { h: reader.h(position), id: history.logs.originAt(position).id };
      if (!isAfter(place, verification.after)) continue;
      verification.after = place;
      if (reader.kind(position) !== ENTRY || (store.isCleared(position) && ++passedOver < MAX_PASSED_OVER)) continue;
      asked.push({ ...nameAt(store, position), kind: NAME });
      if (passedOver === MAX_PASSED_OVER) break;
    }
    if (asked.length === 0) {
      run.verified = { known: verification.known, upTo: verification.upTo };
      run.verification = undefined;
      return false;
    }
    verification.asked = asked.sort((a, b) => compareVersions(a.version, b.version));
    const question = verification.question = this.#questions += 2;
    send(run.peer, { type: MESSAGE.verify, question, known: this.#options.known(), writes: asked });
    return true;
  }
}
