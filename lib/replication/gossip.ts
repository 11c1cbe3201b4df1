/**
 * How peers come to know the same writes: it takes messages and sends messages. The rules are in docs/replication.md. It
 * knows the store and its history, not how messages travel, and it reads no clock but the store's.
 */

import { giveUpWaiting, newPeerBases, resolve, takeExplained } from "./bases.ts";
import { CatchUp } from "./catch_up.ts";
import type { Dropped, GossipOptions } from "./gossip_options.ts";
import { Join } from "./join.ts";
import {
  type Listed,
  MESSAGE,
  type Message,
  type MessageBody,
  MessageWriter,
  type Push,
  shorten,
  TURN,
  type Write,
} from "./message.ts";
import {
  answered,
  heardOf,
  heardSame,
  isCaughtUp,
  newPeerState,
  type PeerState,
  type Refusal,
  seemsToBelieve,
} from "./peer_state.ts";
import { claimed, highest, readMessage } from "./message_reader.ts";
import { hasWindow, Supply } from "./supply.ts";
import { Tidings } from "./tidings.ts";
import { isDue, isLong, LONG_WAY_PAGES, patienceMs, quickestMs, shortestMs, tookAnswer } from "./round_trips.ts";
import type { PeerFeature } from "../wire/hello.ts";
import { ALL_RULES, type How, type Rules } from "../store/rules.ts";
import { type Base, type Known, type KnownList, someListed } from "../store/known.ts";
import type { GossipTotals } from "../base/stats.ts";
import { aheadMs, MAX_AHEAD_MS, MAX_PEER_AHEAD_MS, timeOf, versionAt } from "../store/version.ts";

export type { Dropped, GossipOptions } from "./gossip_options.ts";

const NOTHING: Known = new Map();
const MAX_WRITES = 256;
const JOIN_ROUNDS = 60;
/** Peers' origins that are listed where it is told what is known, at most: a receiver refuses a much longer list. */
const MAX_PRESENT = 1024;
/** Peers up to which all are asked in every round; of more, `SOME_PEERS` are asked by chance. */
const ALL_PEERS = 8;
const SOME_PEERS = 3;

/** One node's part in the gossip. The caller names each connected peer by a number of its choice. */
export class Gossip {
  /** Counters. */
  readonly stats: Omit<GossipTotals, keyof CatchUp["stats"]> = {
    applied: 0,
    repeated: 0,
    sent: 0,
    pushed: 0,
    gaps: 0,
    extended: 0,
    fromFuture: 0,
  };
  readonly #options: GossipOptions;
  readonly #maxWrites: number;
  readonly #rules: Rules;
  readonly #writer = new MessageWriter();
  readonly #peers = new Map<number, PeerState>();
  readonly #catchUp: CatchUp;
  readonly #join: Join;
  readonly #tidings: Tidings;
  readonly #supply: Supply;
  /** Questions for round trips are even, those of a join for its lists odd: a list answers either. */
  #questions = 0;

  constructor(options: GossipOptions) {
    this.#options = options;
    this.#maxWrites = options.maxWrites ?? MAX_WRITES;
    this.#rules = options.rules ?? ALL_RULES;
    this.#catchUp = new CatchUp({
      store: options.store,
      rules: this.#rules,
      maxWrites: this.#maxWrites,
      sweepPlaces: options.sweepPlaces,
      send: (peer, message) => this.#send([peer], message),
      known: () => this.#known,
      apply: (peer, write, theirs) => this.#apply(peer, write, theirs),
      patienceMs: (peer) => this.patienceMs(peer),
      originOf: (peer) => this.#peers.get(peer)?.origin,
      hasWindow: (peer) => hasWindow(this.#peers.get(peer)),
      leastPages: (peer) => isLong(this.#peers.get(peer)?.roundTrips) ? LONG_WAY_PAGES : 1,
      quickestMs: (peer) => quickestMs(this.#peers.get(peer)?.roundTrips),
      onDropped: (peer, counts) => this.#dropped(peer, counts),
      onComplete: (origin) => this.#join.caughtUp(origin),
    });
    this.#join = new Join({
      store: options.store,
      rounds: options.joinRounds ?? JOIN_ROUNDS,
      patienceMs: (peer) => this.patienceMs(peer),
      send: (peer, message) => this.#send([peer], message),
      fill: (peer, write, theirs) => this.#apply(peer, write, theirs, "known"),
    });
    this.#tidings = new Tidings({
      store: options.store,
      origin: options.origin,
      maxWrites: this.#maxWrites,
      eager: options.eager ?? true,
      peers: this.#peers,
      send: (peers, message) => this.#send(peers, message),
      ask: (peer) => this.ask(peer),
      onWaiting: options.onWaiting,
      onPushed: (writes) => this.stats.pushed += writes,
    });
    options.store.listen(this.#tidings);
    this.#supply = new Supply({
      ...options,
      rules: this.#rules,
      maxWrites: this.#maxWrites,
      known: () => this.#known,
      send: (peer, message) => this.#send([peer], message),
      onSent: (writes) => this.stats.sent += writes,
    });
  }

  /** Origins of peers. */
  get #present(): number[] {
    return [...this.#peers.values()].flatMap(({ origin }) => origin ?? []).slice(0, MAX_PRESENT);
  }

  /** What is known here, as peers are told. */
  get #known(): Known {
    return this.#options.store.history.knowledge.knownFor(this.#present);
  }

  /** Everything that is counted. */
  get totals(): GossipTotals {
    return { ...this.stats, ...this.#catchUp.stats };
  }

  /** Counts of verifications of live entries begun, and of entries that they dropped. */
  get verified(): Readonly<CatchUp["stats"]> {
    return this.#catchUp.stats;
  }

  /** How many times orphans of a catch-up that broke off have been adopted. */
  get adoptions(): number {
    return this.#catchUp.adoptions;
  }

  /** Adds a peer, under a number, with the features that the two have agreed on. */
  connect(peer: number, features: readonly PeerFeature[] = []): void {
    if (this.#peers.size === 0) this.flush(); // writes made without peers are left to catching up
    this.#peers.set(peer, newPeerState(features));
  }

  /** Removes a peer. */
  disconnect(peer: number): void {
    this.#peers.delete(peer);
    this.#catchUp.end(peer);
    this.#join.end(peer);
  }

  /** Takes note that a snapshot of a former start, with this number, has been loaded: it counts as the first peer that gave all. */
  loaded(origin: number): void {
    this.#join.caughtUp(origin);
  }

  /** Whether this node still asks peers for entries of before its start. */
  get isJoining(): boolean {
    return this.#join.isJoining;
  }

  /** The peer that this node is catching up with, if any, or the one that it asks for what it holds. */
  get catchingUpWith(): number | undefined {
    return this.#catchUp.peer ?? this.#join.peer;
  }

  /** Takes note that a message of a peer is arriving, and is incomplete yet. */
  heard(peer: number): void {
    this.#catchUp.heard(peer);
    this.#join.heard(peer);
  }

  /** What is known of a connected peer. */
  peer(peer: number): Readonly<PeerState> | undefined {
    return this.#peers.get(peer);
  }

  /**
   * Whether this node has caught up with a peer since it was connected: it knows all that the peer knew when it was first heard,
   * and has asked for what the peer holds, where that is asked.
   */
  isCaughtUp(peer: number): boolean {
    const state = this.#peers.get(peer);
    if (state?.origin === undefined) return false;
    const { knowledge } = this.#options.store.history;
    return isCaughtUp(state, (theirs) => knowledge.lacks(theirs)) && this.#join.isOver(state.origin);
  }

  /** Whether a peer has confirmed to know all writes that were made here, and those of others held here up to a version. */
  hasConfirmed(peer: number, upTo = 0): boolean {
    const { store: { history }, origin } = this.#options;
    const known = this.#peers.get(peer)?.confirmed.known ?? NOTHING;
    return (known.get(origin) ?? 0) >= history.knownOf(origin) && history.oldestBeyond(known) > upTo;
  }

  /** How many writes held here a peer has not confirmed to know, and the age of the oldest. */
  lag(peer: number): { writes: number; ms: number } {
    const { store, store: { history } } = this.#options;
    const known = this.#peers.get(peer)?.confirmed.known ?? NOTHING;
    const writes = history.countBeyond(known);
    return { writes, ms: writes === 0 ? 0 : Math.max(0, store.wallMs - timeOf(history.oldestBeyond(known))) };
  }

  /** How far the newest write known here is in the future, in milliseconds: peers refuse what is too far. */
  get writesAheadMs(): number {
    const { store } = this.#options;
    return aheadMs(store.clock, store.wallMs);
  }

  /** Does one round: asks every peer, or of many some by chance, whether it knows the same writes as this node. */
  round(random: () => number): void {
    this.flush();
    this.#catchUp.wait(random);
    if (this.#catchUp.peer === undefined) {
      this.#join.round([...this.#peers].map(([peer, { origin }]) => [peer, origin]));
    }
    const { nowMs } = this.#options.store;
    for (const [peer, state] of this.#peers) {
      state.isOffered = false;
      giveUpWaiting(state.bases, nowMs, shortestMs(state.roundTrips));
      this.#supply.pour(peer, state);
    }
    const peers = [...this.#peers.keys()];
    while (this.#peers.size > ALL_PEERS && peers.length > SOME_PEERS) {
      peers.splice(Math.floor(random() * peers.length), 1);
    }
    for (const peer of peers) if (!this.#isInStep(this.#peers.get(peer)!)) this.ask(peer);
    for (const state of this.#peers.values()) state.askedWith = undefined;
  }

  /** Whether a peer knows the same as this node, as the peer's own question has shown: of two, that of the lower origin is enough. */
  #isInStep(state: PeerState): boolean {
    const { store: { history }, origin } = this.#options;
    return state.askedWith === history.digest && state.origin! < origin && seemsToBelieve(state);
  }

  /** Measures the round trips to peers, where it is time. */
  measure(): void {
    const { nowMs } = this.#options.store;
    for (const [peer, { roundTrips }] of this.#peers) {
      if (!isDue(roundTrips, nowMs, peer === this.catchingUpWith)) continue;
      const question = roundTrips.question = this.#questions += 2;
      roundTrips.askedMs = nowMs;
      this.#send([peer], { type: MESSAGE.list, question, before: { h: 0, id: 0 } });
    }
  }

  /** Milliseconds that a peer, or any, may be silent before it is given up; three rounds in any case. */
  patienceMs(peer?: number): number {
    if (!this.#rules.patience) return 0;
    const states = peer === undefined ? [...this.#peers.values()] : [this.#peers.get(peer)];
    return Math.max(0, ...states.map((state) => state === undefined ? 0 : patienceMs(state.roundTrips)));
  }

  /** Asks one peer whether it knows the same writes as this node. */
  ask(peer: number): void {
    const state = this.#peers.get(peer)!;
    state.unanswered++;
    state.confirmed.asked(this.#known);
    this.#send([peer], { type: MESSAGE.sync, digest: this.#options.store.history.digest });
  }

  /** Tells peers of the writes and renewals since the last `flush`. */
  flush(): void {
    this.#tidings.flush();
  }

  /**
   * Takes a message from a peer.
   *
   * @returns False if the message was refused because its sender's clock, or a version in it, is too far ahead.
   * @throws {ProtocolError} If the bytes are not a message.
   */
  receive(peer: number, bytes: Uint8Array): boolean {
    const { store, origin } = this.#options;
    const state = this.#peers.get(peer);
    const message = readMessage(bytes, this.#rules.skipUnknown && state?.features.includes("skip-unknown"));
    if (state === undefined || message === undefined) return true;
    if (store.history.limitOrigins()) this.#catchUp.restart();
    if (message.from === origin) {
      this.#catchUp.end(peer); // the peer is this node itself, and a message of an earlier start may have begun this
      return true;
    }
    state.clockAheadMs = aheadMs(message.clock, store.wallMs);
    state.refusal = this.#refusalOf(state, message);
    if (state.refusal !== undefined) {
      this.stats.fromFuture++;
      return false;
    }
    if (this.#tidings.isWaiting) this.flush(); // own writes are told before newer ones of another node replace them
    // If this claims more writes of this node than it has made, a peer has lied. The next write is newer than the claim.
    store.history.know({ h: claimed(message, origin), origin });
    // What a former start of the peer has been asked, this one does not know.
    if (state.origin !== message.from) {
      [state.origin, state.bases, state.pages, state.window] = [message.from, newPeerBases(), undefined, undefined];
    }
    store.clearUpTo(message.cleared);
    const means = { knowledge: store.history.knowledge, ask: (body: MessageBody) => this.#send([peer], body) };
    if (!resolve(message, bytes, state.bases, means)) return true;
    if ("known" in message) state.confirmed.known = message.known;
    const lateMs = state.lateness.of(state.clockAheadMs, store.nowMs);
    state.lateMs = this.#rules.lateness ? lateMs : 0;
    if ("writes" in message && state.lateMs > 0) shorten(message.writes, state.lateMs);
    this.#dispatch(peer, state, message);
    return true;
  }

  /** Why a message is refused, if it is; else its versions are adopted. */
  #refusalOf({ clockAheadMs }: PeerState, message: Message): Refusal | undefined {
    const mostMs = this.#rules.peerClock ? MAX_PEER_AHEAD_MS : MAX_AHEAD_MS;
    if (clockAheadMs > mostMs) return "clock";
    return this.#options.store.seeClock(highest(message)) ? undefined : "writes";
  }

  /** Tells a peer what a base stands for that it has been told; or the present one, and puts its own question again. */
  #explain(peer: number, asked: Base): void {
    const explained = this.#options.store.history.knowledge.explain(asked, this.#present);
    if (explained === undefined) return;
    this.#send([peer], { type: MESSAGE.explained, ...explained });
    if (explained.base.digest !== asked.digest) this.#catchUp.repeat(peer);
  }

  /** Takes the messages that have waited for what a base stands for; if that has changed since, asks for others. */
  #takeExplained(peer: number, state: PeerState, message: { base: Base; told: KnownList }): void {
    const { held, isMissed } = takeExplained(state.bases, message, this.#options.store.history.knowledge);
    const { receive = (bytes: Uint8Array) => this.receive(peer, bytes) } = this.#options;
    for (const bytes of held) receive(bytes, peer);
    if (isMissed && !this.#catchUp.repeat(peer)) this.ask(peer);
  }

  #dispatch(peer: number, state: PeerState, message: Message): void {
    if (this.#supply.take(peer, state, message)) return;
    switch (message.type) {
      case MESSAGE.sync:
        return this.#answerSync(peer, state, message.digest, message.from);
      case MESSAGE.same:
        state.confirmed.answered(true);
        state.bases.told = undefined; // what it was needed for is over
        heardSame(state);
        return answered(state, this.#options.store.nowMs);
      case MESSAGE.known:
        answered(state, this.#options.store.nowMs);
        heardOf(state, message.known);
        return this.#compare(peer, state, message.turn, message.known);
      case MESSAGE.page:
        if (this.#rules.incarnation && message.to !== this.#options.origin) return;
        if (this.#join.takePage(peer, message, this.#catchUp.isExclusive)) return;
        // Once a round: two nodes that cannot keep what the other gives would never come to rest.
        if (!this.#catchUp.takePage(peer, message) || state.isOffered) return;
        state.isOffered = this.#offer(peer, TURN.take, message.known);
        return;
      case MESSAGE.verified:
        if (message.to === this.#options.origin) this.#catchUp.takeVerified(peer, message);
        return;
      case MESSAGE.push:
        return this.#takePush(peer, message);
      case MESSAGE.news:
        if (this.#options.store.history.knownOf(message.origin) < message.last) this.#catchUp.begin(peer);
        return;
      case MESSAGE.touch:
        return this.#takeTouch(peer, message.sentTo, message.writes);
      case MESSAGE.listed:
        if (message.to === this.#options.origin) this.#takeListed(peer, state, message);
        return;
      case MESSAGE.explain:
        return this.#explain(peer, message.base);
      case MESSAGE.explained:
        return this.#takeExplained(peer, state, message);
    }
  }

  #answerSync(peer: number, state: PeerState, digest: number, from: number): void {
    const { history } = this.#options.store;
    if (digest !== history.digest) {
      return this.#send([peer], { type: MESSAGE.known, turn: TURN.answer, known: this.#known });
    }
    heardSame(state);
    state.confirmed.known = this.#known;
    state.askedWith = digest;
    if (this.#isInStep(state)) answered(state, this.#options.store.nowMs);
    this.#send([peer], { type: MESSAGE.same, to: from });
  }

  /**
   * Lets the peer take what it lacks, or else asks for what this node lacks. Not both at once: the node that has taken all
   * gives in turn, and is believed more, since it then knows everything that the other knows.
   */
  #compare(peer: number, state: PeerState, turn: number, theirs: Known): void {
    if (turn === TURN.answer) state.confirmed.answered(false);
    if (turn === TURN.answer && this.#offer(peer, TURN.offer, theirs)) return;
    if (this.#lacks(state, theirs) && this.#catchUp.begin(peer)) return;
    if (turn === TURN.offer) this.#offer(peer, TURN.take, theirs);
  }

  /** Tells a peer what is known here, if the peer lacks any of it. Returns whether it does. */
  #offer(peer: number, turn: number, theirs: Known): boolean {
    if (!this.#options.store.history.knowledge.isBeyond(theirs)) return false;
    this.#send([peer], { type: MESSAGE.known, turn, known: this.#known });
    return true;
  }

  /**
   * Whether a peer knows writes that this node should have received by now. Writes of another peer that answers do not
   * count, since that peer's own messages may be on their way.
   */
  #lacks(state: PeerState, theirs: Known): boolean {
    const { history } = this.#options.store;
    const others = new Set<number>();
    for (const other of this.#peers.values()) {
      if (other.origin !== undefined && other.origin !== state.origin && other.unanswered < 2) others.add(other.origin);
    }
    return someListed(theirs, (id, h) => h > history.knownOf(id) && !others.has(id));
  }

  #takePush(peer: number, push: Push): void {
    const { store } = this.#options;
    const { origin, before, last, writes } = push;
    const known = store.history.knownOf(origin);
    if (known >= last) {
      this.stats.repeated += writes.length;
      return;
    }
    // What is verified stays so: only the peer that confirms it can say more, and only what is newer than all of it.
    const { isExclusive, verifiedUpTo, peer: giver } = this.#catchUp;
    if (isExclusive && (before < verifiedUpTo || peer !== giver)) return this.#askAfterGap(peer);
    if (this.#rules.prefix && known < before) {
      // While pages come these are visible at once, as orphans, and known when what is before has come.
      if (this.#catchUp.peer !== undefined) { for (const write of writes) this.#apply(peer, write, NOTHING, "ahead"); }
      return this.#askAfterGap(peer);
    }
    let isNews = false;
    // A push does not say what its sender knows.
    for (const write of writes) if (this.#apply(peer, write, NOTHING)) isNews = true;
    store.history.know({ origin, h: last });
    if (isNews) this.#tidings.push(push, peer);
  }

  #askAfterGap(peer: number): void {
    this.stats.gaps++;
    this.#catchUp.begin(peer);
  }

  #takeTouch(peer: number, sentTo: number[], writes: Write[]): void {
    const { store } = this.#options;
    const news = writes.filter(({ key, version, remainingMs }) => store.extend(key, version, remainingMs!));
    this.stats.extended += news.length;
    if (news.length > 0) this.#tidings.touch(sentTo, news, peer);
  }

  #apply(peer: number, write: Write, theirs: Known, how?: How): boolean {
    const isNews = this.#options.store.apply(write.key, write, theirs, how);
    this.stats[isNews ? "applied" : "repeated"]++;
    if (isNews) this.#peers.get(peer)!.applied++;
    return isNews;
  }

  #dropped(peer: number, counts: Dropped): void {
    const state = this.#peers.get(peer);
    if (state !== undefined) state.dropped += counts.covered + counts.unconfirmed;
    this.#options.onDropped?.(peer, counts);
  }

  #takeListed(peer: number, { roundTrips }: PeerState, message: Listed): void {
    tookAnswer(roundTrips, message.question, this.#options.store.nowMs);
    this.#join.takeList(peer, message);
  }

  /** Goes on with the pages that a peer has asked for, which has taken what waited for it. */
  resume(peer: number): void {
    const state = this.#peers.get(peer);
    if (state !== undefined) this.#supply.pour(peer, state);
  }

  #send(peers: number[], body: MessageBody): void {
    const { store, origin } = this.#options;
    const head = { from: origin, clock: versionAt(store.wallMs), cleared: store.history.cleared };
    const bytes = this.#writer.write({ ...body, ...head });
    for (const peer of peers) this.#options.send(peer, bytes);
  }
}
