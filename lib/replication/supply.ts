/**
 * What this node gives to peers that ask for entries: pages of what they lack or want, lists, and what it confirms. It sends no
 * more than a peer takes, and knows nothing of what is lacked here.
 */

import type { GossipOptions } from "./gossip_options.ts";
import { type Head, MESSAGE, type Message, type MessageBody, type Place } from "./message.ts";
import { isLatest, PageStream, wider } from "./page_stream.ts";
import { listFor, MAX_PAGE_BYTES, pageAt, type PageSize, verifiedFor } from "./pages.ts";
import type { PeerState } from "./peer_state.ts";
import { isLong, LONG_WAY_PAGES } from "./round_trips.ts";
import type { Known } from "../store/known.ts";
import type { Rules } from "../store/rules.ts";

/** Pages that are sent at once, at most; others follow when these are written, and clients are served in between. */
const PAGES_AT_ONCE = 1;

/** What a supply needs. */
export interface SupplyOptions extends Pick<GossipOptions, "store" | "hasRoom" | "isReady"> {
  readonly rules: Rules;
  /** Writes in a page, at most. */
  readonly maxWrites: number;
  /** What is known here, as peers are told. */
  readonly known: () => Known;
  readonly send: (peer: number, message: MessageBody) => void;
  /** Called with the number of writes that a peer is sent. */
  readonly onSent: (writes: number) => void;
}

/** Answers peers. */
export class Supply {
  readonly #options: SupplyOptions;

  constructor(options: SupplyOptions) {
    this.#options = options;
  }

  /** Takes a message by which a peer asks for entries. Returns false if it is another message. */
  take(peer: number, state: PeerState, message: Message): boolean {
    const { store, send, hasRoom } = this.#options;
    switch (message.type) {
      case MESSAGE.pull:
        if (!isLatest(state.asked, message)) return true;
        state.pages = new PageStream(store, message, state.window);
        this.pour(peer, state);
        return true;
      case MESSAGE.window:
        state.window = wider(message, state.window);
        this.pour(peer, state);
        return true;
      case MESSAGE.verify:
        send(peer, { type: MESSAGE.verified, ...verifiedFor(store, message) });
        return true;
      // Who does not read what it has asked for has to ask again.
      case MESSAGE.list:
        if (hasRoom?.(peer) !== false) send(peer, { type: MESSAGE.listed, ...listFor(store, message) });
        return true;
      case MESSAGE.want:
        if (hasRoom?.(peer) !== false) this.#sendWanted(peer, state, message);
        return true;
    }
    return false;
  }

  /** Sends the pages that a peer has asked for and allowed, as far as it takes them. */
  pour(peer: number, state: PeerState): void {
    const { isReady, rules, known, send } = this.#options;
    let left = isReady === undefined ? Infinity : PAGES_AT_ONCE;
    while (left-- > 0 && state.pages?.isDue(state.window) && isReady?.(peer) !== false) {
      if (!state.pages.isClear) return state.pages.end(); // the peer asks again
      const inCommon = state.features.includes("forgotten-in-common");
      const page = state.pages.next({ ...this.#pageSize(state), rules, known: known(), inCommon });
      this.#sent(state, page.writes.length);
      send(peer, { type: MESSAGE.page, to: state.pages.to, ...page });
    }
  }

  #sendWanted(
    peer: number,
    state: PeerState,
    { from: to, question, places }: Head & { question: number; places: Place[] },
  ): void {
    const { store, known, send } = this.#options;
    const page = pageAt(store, { question, places }, { ...this.#pageSize(state), known: known() });
    this.#sent(state, page.writes.length);
    send(peer, { type: MESSAGE.page, to, ...page });
  }

  /** How much a page to a peer holds: over a long way more, where there is one page a round trip. */
  #pageSize(state: PeerState): PageSize {
    const { rules, maxWrites } = this.#options;
    const times = !hasWindow(state) && rules.patience && isLong(state.roundTrips) ? LONG_WAY_PAGES : 1;
    return { maxWrites: times * maxWrites, maxBytes: times * MAX_PAGE_BYTES };
  }

  #sent(state: PeerState, writes: number): void {
    state.sent += writes;
    this.#options.onSent(writes);
  }
}

/** Whether a peer can say how many pages may answer a pull. */
export function hasWindow(state: PeerState | undefined): boolean {
  return state?.features.includes("page-window") ?? false;
}
