/**
 * What peers are told unasked: writes and clears made here, renewals by hits, and what another peer has told that was news.
 * It knows who has been told, not what follows.
 */

import type { ByteSpan } from "../base/byte_span.ts";
import { CAUSE, type Cause, type StoreListener } from "../store/store_listener.ts";
import type { Store } from "../store/store.ts";
import { compareVersions, type Version } from "../store/version.ts";
import { MESSAGE, type MessageBody, type Push, TOUCH, type Write } from "./message.ts";
import { livesAt, nameOf, writesAt } from "./pages.ts";
import type { PeerState } from "./peer_state.ts";

/** What tidings need. */
export interface TidingsOptions {
  readonly store: Store;
  /** This node's number. */
  readonly origin: number;
  /** Writes in a message, at most. */
  readonly maxWrites: number;
  /** Whether to tell peers of writes at once. */
  readonly eager: boolean;
  /** The connected peers. */
  readonly peers: ReadonlyMap<number, PeerState>;
  readonly send: (peers: number[], message: MessageBody) => void;
  /** Asks a peer whether it knows the same writes. */
  readonly ask: (peer: number) => void;
  /** Called when there is something to `flush`, once until the next `flush`. */
  readonly onWaiting?: () => void;
  /** Called with the number of writes that peers are sent. */
  readonly onPushed: (writes: number) => void;
}

/** Bytes of a value that is pushed, at most: of a larger one peers are told that there is something, and ask for it. */
const MAX_PUSH_BYTES = 16 * 1024;
/** Peers that a message names as told, at most; a receiver refuses a much longer list. */
const MAX_TOLD = 4096;
/** Renewals that wait to be told, at most; peers hear of others when half the time to live has passed again. */
const MAX_RENEWALS = 4096;

/** Tells peers, once each. */
export class Tidings implements StoreListener {
  /** Peers are told of writes made here and of renewals. */
  readonly causes: number = CAUSE.written | CAUSE.deleted | CAUSE.cleared | CAUSE.renewed;
  /** Whether there is something to `flush`. */
  isWaiting = false;
  readonly #options: TidingsOptions;
  /** The last write made here that peers were told of. */
  #told = 0;
  /** The last clear that peers were told of. */
  #toldClear = 0;
  /** Entries of whose renewal peers are to be told. */
  #renewals: { key: ByteSpan; version: Version }[] = [];

  constructor(options: TidingsOptions) {
    this.#options = options;
  }

  /** Takes note of a write here or of a renewal by a hit: peers hear of it with the next `flush`. */
  changed(cause: Cause, key: ByteSpan | undefined): void {
    if (this.#options.peers.size === 0) return;
    if (cause === CAUSE.renewed && key !== undefined && this.#renewals.length < MAX_RENEWALS) {
      this.#renewals.push(nameOf(this.#options.store, key));
    }
    this.#wait();
  }

  #wait(): void {
    if (this.isWaiting || this.#options.peers.size === 0) return;
    this.isWaiting = true;
    this.#options.onWaiting?.();
  }

  /** Tells peers of the writes and renewals since the last `flush`. */
  flush(): void {
    this.isWaiting = false;
    this.#tellClear();
    this.#tellWrites();
    if (this.#renewals.length > 0) this.#tellRenewals();
  }

  /** Tells peers of a clear, by asking whether they know the same writes: every message carries the last clear. */
  #tellClear(): void {
    const { cleared } = this.#options.store.history;
    if (cleared === this.#toldClear) return;
    this.#toldClear = cleared;
    if (this.#options.eager) { for (const peer of this.#options.peers.keys()) this.#options.ask(peer); }
  }

  #tellWrites(): void {
    const { store, origin, eager } = this.#options;
    const before = this.#told;
    const { known: last, log, left, forgotten } = store.history.knowledge.own;
    this.#told = last;
    if (last === before || !eager || this.#options.peers.size === 0) return;
    const positions = [...log!.after(before)].filter((position) => !store.isCleared(position));
    // A push makes its range known, so it cannot leave out what has left already.
    const hasLeft = Math.max(left, forgotten) > before;
    if (hasLeft || positions.some((position) => store.reader.storedBytes(position) > MAX_PUSH_BYTES)) {
      return this.#options.send([...this.#options.peers.keys()], { type: MESSAGE.news, origin, last });
    }
    let told = before;
    do {
      const writes = writesAt(store, positions.splice(0, this.#options.maxWrites));
      const next = positions.length === 0 ? last : writes.at(-1)!.version.h;
      this.push({ origin, before: told, last: next, sentTo: [origin], writes });
      told = next;
    } while (positions.length > 0);
  }

  #tellRenewals(): void {
    const { store, origin } = this.#options;
    const writes = this.#renewals.flatMap(({ key, version }): Write[] => {
      const position = livesAt(store, key, version);
      if (position === 0) return [];
      return [{ key, version, kind: TOUCH, remainingMs: store.reader.deadlineMs(position) - store.nowMs }];
    }).sort((a, b) => compareVersions(a.version, b.version));
    this.#renewals = [];
    if (writes.length > 0) this.touch([origin], writes);
  }

  /** Sends writes to the peers that have not been sent them yet. */
  push(push: Push, exceptPeer?: number): void {
    const [peers, sentTo] = this.#others(push.sentTo, exceptPeer);
    if (peers.length === 0) return;
    this.#options.onPushed(push.writes.length * peers.length);
    for (const peer of peers) this.#options.peers.get(peer)!.sent += push.writes.length;
    this.#options.send(peers, { ...push, type: MESSAGE.push, sentTo });
  }

  /** Tells the peers that have not been told yet of renewals. */
  touch(sentTo: number[], writes: Write[], exceptPeer?: number): void {
    const [peers, all] = this.#others(sentTo, exceptPeer);
    for (let from = 0; peers.length > 0 && from < writes.length; from += this.#options.maxWrites) {
      const part = writes.slice(from, from + this.#options.maxWrites);
      this.#options.send(peers, { type: MESSAGE.touch, sentTo: all, writes: part });
    }
  }

  /** Peers that are not in `sentTo`, and the origins of all nodes that have been told once those peers are. */
  #others(sentTo: number[], exceptPeer?: number): [number[], number[]] {
    const peers: number[] = [];
    const all = new Set(sentTo).add(this.#options.origin);
    for (const [peer, { origin }] of this.#options.peers) {
      if (peer === exceptPeer || (origin !== undefined && sentTo.includes(origin))) continue;
      peers.push(peer);
      if (origin !== undefined) all.add(origin);
    }
    return [peers, [...all].slice(-MAX_TOLD)];
  }
}
