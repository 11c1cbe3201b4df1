/**
 * How peers come to know the same writes: messages in, messages out. The rules are in docs/replication.md. It knows the
 * store and its history, not how messages travel, and it reads no clock but the store's.
 */

import {
  type Delta,
  type Known,
  MESSAGE,
  type Message,
  MessageWriter,
  readMessage,
  type Write,
} from "./gossip_message.ts";
import { spanOf } from "./span.ts";
import { ENTRY } from "./records.ts";
import { ALL_RULES, type Rules } from "./history.ts";
import type { Store } from "./store.ts";
import { compareVersions, type Version } from "./version.ts";

/** What gossip needs. */
export interface GossipOptions {
  readonly store: Store;
  /** Who this node is: the store's origin. */
  readonly origin: number;
  /** Sends a message to a peer; the bytes are valid during the call. */
  readonly send: (link: number, message: Uint8Array) => void;
  /** Writes in a delta at most. */
  readonly maxWrites?: number;
  /** Whether to tell peers of a write at once. */
  readonly eager?: boolean;
  /** Rules of replication; for the simulator. */
  readonly rules?: Rules;
}

/** What happened, in numbers. */
export interface GossipStats {
  /** Writes of others applied. */
  applied: number;
  /** Writes received that were no news. */
  repeated: number;
  /** Writes sent in deltas. */
  sent: number;
  /** Pushes that found a gap. */
  gaps: number;
  /** Verifications asked for, and live entries dropped by them. */
  verifications: number;
  unconfirmed: number;
  /** Messages refused because their clock is too far ahead. */
  fromFuture: number;
}

const MAX_WRITES = 512;
/** Keys and values in a delta, in bytes, beyond which no write is added. */
const MAX_DELTA_BYTES = 256 * 1024;
/** A value larger than this is not pushed: peers find a gap, and ask. */
const MAX_PUSH_BYTES = 16 * 1024;

/** One node's part in the gossip. A link is a peer that can be reached, by any number that the caller likes. */
export class Gossip {
  /** Counters. */
  readonly stats: GossipStats = {
    applied: 0,
    repeated: 0,
    sent: 0,
    gaps: 0,
    verifications: 0,
    unconfirmed: 0,
    fromFuture: 0,
  };
  readonly #options: GossipOptions;
  readonly #maxWrites: number;
  readonly #writer = new MessageWriter();
  /** Links in use, and the origin of the peer at the other end once it has spoken. */
  readonly #links = new Map<number, number | undefined>();

  constructor(options: GossipOptions) {
    this.#options = options;
    this.#maxWrites = options.maxWrites ?? MAX_WRITES;
  }

  /** Takes a link into use, or out of it. */
  connect(link: number): void {
    if (!this.#links.has(link)) this.#links.set(link, undefined);
  }

  /** Takes a link out of use. */
  disconnect(link: number): void {
    this.#links.delete(link);
  }

  /** One round: asks every peer whether it knows the same. */
  round(): void {
    const digest = this.#digest();
    for (const link of this.#links.keys()) this.#send(link, { type: MESSAGE.sync, ...this.#head(), digest });
  }

  /** Tells peers of a write made here, at a position; `before` is the one before it. */
  wrote(position: number, before: number): void {
    if (this.#options.eager === false || this.#links.size === 0) return;
    if (this.#options.store.records.valueBytes(position) > MAX_PUSH_BYTES) return;
    this.#push(this.#writeAt(position), before, [this.#options.origin]);
  }

  /**
   * Takes a message from a peer.
   *
   * @throws {ProtocolError} If it is none.
   */
  receive(link: number, bytes: Uint8Array): void {
    const message = readMessage(bytes);
    const { store } = this.#options;
    if (!store.seeClock(highest(message))) {
      this.stats.fromFuture++;
      return;
    }
    if (this.#links.has(link)) this.#links.set(link, message.from);
    store.clearUpTo(message.cleared);
    switch (message.type) {
      case MESSAGE.sync:
        return this.#answerSync(link, message);
      case MESSAGE.known:
        return this.#compare(link, message);
      case MESSAGE.pull:
        return this.#sendDelta(link, message.from, message.known);
      case MESSAGE.verify:
        return this.#sendDelta(link, message.from, message.known, this.#confirmed(message.writes));
      case MESSAGE.push:
        return this.#takePush(link, message);
      case MESSAGE.delta:
        if (message.to === this.#options.origin) this.#takeDelta(link, message);
    }
  }

  #answerSync(link: number, message: Message & { type: typeof MESSAGE.sync }): void {
    if (message.digest === this.#digest()) {
      return this.#send(link, { type: MESSAGE.same, ...this.#head(), to: message.from });
    }
    this.#send(link, { type: MESSAGE.known, ...this.#head(), known: this.#known() });
  }

  /**
   * Gives what the peer lacks, or else asks for what it has beyond. Not both at once: the peer that has taken all gives in
   * turn, and is believed more, since it then knows everything that this node knows.
   */
  #compare(link: number, { from, known }: { from: number; known: Known }): void {
    if (exceeds(this.#known(), known)) this.#sendDelta(link, from, known);
    else if (exceeds(known, this.#known())) this.#pull(link);
  }

  #pull(link: number): void {
    this.#send(link, { type: MESSAGE.pull, ...this.#head(), known: this.#known() });
  }

  #takePush(link: number, message: Message & { type: typeof MESSAGE.push }): void {
    const { write, before, sentTo } = message;
    const { store } = this.#options;
    const { origin, h } = write.version;
    const known = store.history.knownOf(origin);
    if (known >= h) {
      this.stats.repeated++;
      return;
    }
    if (known < before) {
      this.stats.gaps++;
      return this.#pull(link);
    }
    const isNews = this.#apply(write, false);
    store.history.know(write.version);
    if (isNews) this.#push(write, before, sentTo);
  }

  /** Sends a write to the peers that have not had it yet. */
  #push(write: Write, before: number, sentTo: number[]): void {
    const links = [...this.#links].filter(([, origin]) => origin === undefined || !sentTo.includes(origin));
    const all = [...sentTo, ...links.flatMap(([, origin]) => origin ?? [])];
    const message: Message = { type: MESSAGE.push, ...this.#head(), before, sentTo: all, write };
    for (const [link] of links) this.#send(link, message);
  }

  #takeDelta(link: number, delta: Delta & { from: number }): void {
    const { store } = this.#options;
    const mine = this.#known();
    const { verify, dominance } = this.#options.rules ?? ALL_RULES;
    let unsafe = 0;
    for (const [id, h] of verify ? delta.lossy : []) if (h > (mine.get(id) ?? 0)) unsafe = Math.max(unsafe, h);
    const isDominated = dominance && !exceeds(mine, delta.known);
    if (unsafe > 0) {
      const doubtful = this.#liveUpTo(unsafe);
      if (doubtful.length > 0 && delta.verified === undefined) return this.#verify(link, doubtful);
      this.#dropUnconfirmed(doubtful, delta);
    }
    for (const write of delta.writes) this.#apply(write, isDominated);
    for (const [origin, h] of delta.lossy) store.history.forget({ origin, h });
    for (const [origin, h] of delta.upTo) store.history.know({ origin, h });
    if (delta.more) this.#pull(link);
    else this.#compare(link, delta);
  }

  #apply(write: Write, isDominated: boolean): boolean {
    const isNews = this.#options.store.apply(write.key, write, isDominated);
    if (isNews) this.stats.applied++;
    else this.stats.repeated++;
    return isNews;
  }

  #verify(link: number, doubtful: Write[]): void {
    this.stats.verifications++;
    const writes = doubtful.map(({ key, version, kind }) => ({ key, version, kind: kind === ENTRY ? 0 : kind }));
    this.#send(link, { type: MESSAGE.verify, ...this.#head(), known: this.#known(), writes });
  }

  /** Of versions to be verified, those that live here too. */
  #confirmed(writes: Write[]): Version[] {
    const { store } = this.#options;
    return writes.filter(({ key, version }) => {
      const position = store.peek(key);
      return position !== 0 && compareVersions(store.history.version(position), version) === 0;
    }).map(({ version }) => version);
  }

  #dropUnconfirmed(doubtful: Write[], delta: Delta): void {
    const { store } = this.#options;
    const name = ({ h, origin }: Version) => `${h}/${origin}`;
    const safe = new Set([...delta.verified ?? [], ...delta.writes.map(({ version }) => version)].map(name));
    for (const { key, version } of doubtful) {
      if (safe.has(name(version))) continue;
      this.stats.unconfirmed++;
      const position = store.peek(key);
      if (position !== 0) store.distrust(position);
    }
  }

  /** Live entries with versions up to one. */
  #liveUpTo(h: number): Write[] {
    const { records, history } = this.#options.store;
    const found: Write[] = [];
    for (const { first } of history.origins) {
      for (let position = first; position !== 0 && records.h(position) <= h; position = records.writeAfter(position)) {
        if (records.kind(position) === ENTRY) found.push(this.#writeAt(position, false));
      }
    }
    return found.filter(({ key }) => this.#options.store.peek(key) !== 0)
      .sort((a, b) => compareVersions(a.version, b.version));
  }

  #sendDelta(link: number, to: number, theirs: Known, verified?: Version[]): void {
    const { history } = this.#options.store;
    const { positions, cut } = this.#missing(theirs);
    const upTo: Known = new Map();
    const lossy: Known = new Map();
    for (const { id, known, forgotten } of history.origins) {
      const have = theirs.get(id) ?? 0;
      if (Math.min(known, cut) > have) upTo.set(id, Math.min(known, cut));
      if (forgotten > have) lossy.set(id, forgotten);
    }
    const writes = positions.map((position) => this.#writeAt(position));
    this.stats.sent += writes.length;
    const delta: Delta = { to, known: this.#known(), upTo, lossy, writes, more: cut < Infinity, verified };
    this.#send(link, { type: MESSAGE.delta, ...this.#head(), ...delta });
  }

  /** The oldest writes that a peer lacks, and the version at which they had to be cut off. */
  #missing(theirs: Known): { positions: number[]; cut: number } {
    const { records, history } = this.#options.store;
    // By origin, where the writes begin that the peer lacks.
    const heads: number[] = [];
    for (const { id, known, last } of history.origins) {
      const have = theirs.get(id) ?? 0;
      if (known <= have) continue;
      let head = 0;
      for (let at = last; at !== 0 && records.h(at) > have; at = records.writeBefore(at)) head = at;
      if (head !== 0) heads.push(head);
    }
    const positions: number[] = [];
    let [bytes, cut] = [0, Infinity];
    while (heads.length > 0) {
      let least = 0;
      for (let i = 1; i < heads.length; i++) if (records.h(heads[i]) < records.h(heads[least])) least = i;
      const position = heads[least];
      const h = records.h(position);
      if ((positions.length >= this.#maxWrites || bytes > MAX_DELTA_BYTES) && h > cut) return { positions, cut };
      if (positions.length >= this.#maxWrites - 1 || bytes > MAX_DELTA_BYTES) cut = h;
      positions.push(position);
      bytes += records.keyBytes(position) + records.valueBytes(position);
      const next = records.writeAfter(position);
      if (next === 0) heads.splice(least, 1);
      else heads[least] = next;
    }
    return { positions, cut: Infinity };
  }

  #writeAt(position: number, withValue = true): Write {
    const { records, history, nowMs } = this.#options.store;
    const key = new Uint8Array(records.keyBytes(position));
    records.copyKey(position, key, 0);
    const write: Write = { key: spanOf(key), version: history.version(position), kind: records.kind(position) };
    if (write.kind !== ENTRY || !withValue) return write;
    const value = new Uint8Array(records.valueBytes(position));
    records.copyValue(position, value, 0);
    const remainingMs = records.deadlineMs(position) - nowMs;
    write.entry = { flags: records.flags(position), value: spanOf(value), ttlMs: records.ttlMs(position), remainingMs };
    return write;
  }

  #known(): Known {
    const known: Known = new Map();
    for (const origin of this.#options.store.history.origins) if (origin.known > 0) known.set(origin.id, origin.known);
    return known;
  }

  /** A number that two nodes share when they know the same: sums do not depend on the order of origins. */
  #digest(): number {
    let sum = 0;
    for (const { id, known } of this.#options.store.history.origins) {
      if (known > 0) sum = (sum + mixed(id, known)) % Number.MAX_SAFE_INTEGER;
    }
    return sum;
  }

  #head() {
    const { store, origin } = this.#options;
    return { from: origin, clock: store.clock, cleared: store.history.cleared };
  }

  #send(link: number, message: Message): void {
    this.#options.send(link, this.#writer.write(message));
  }
}

/** The highest version in a message: one from the far future, wherever it stands, would hide all writes until then. */
function highest(message: Message): number {
  let h = Math.max(message.clock, message.cleared);
  const see = (versions: Iterable<number>) => {
    for (const version of versions) h = Math.max(h, version);
  };
  if ("known" in message) see(message.known.values());
  if (message.type === MESSAGE.push) see([message.write.version.h, message.before]);
  if (message.type === MESSAGE.delta) {
    see(message.upTo.values());
    see(message.lossy.values());
    see(message.writes.map(({ version }) => version.h));
  }
  return h;
}

/** Whether one knows anything that the other does not. */
function exceeds(one: Known, other: Known): boolean {
  for (const [id, h] of one) if (h > (other.get(id) ?? 0)) return true;
  return false;
}

/** 53 bits out of an origin and how far it is known: multiplication and shifts of two halves (after MurmurHash3's end). */
function mixed(id: number, h: number): number {
  const [high, low] = [Math.floor(h / 2 ** 32), h >>> 0];
  const a = scramble(Math.imul(id, 0x9e3779b1) ^ low);
  const b = scramble(a ^ Math.imul(high, 0x85ebca6b) ^ id);
  return (b & 0x1fffff) * 2 ** 32 + (scramble(a + b) >>> 0);
}

function scramble(x: number): number {
  x = Math.imul(x ^ x >>> 16, 0x85ebca6b);
  x = Math.imul(x ^ x >>> 13, 0xc2b2ae35);
  return x ^ x >>> 16;
}
