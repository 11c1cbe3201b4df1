/** Those whom a store tells of its changes. It changes nothing itself. */

import { type ByteSpan, spanOf } from "../base/byte_span.ts";
import type { Records } from "./records.ts";
import type { Cause, StoreListener } from "./store_listener.ts";

/** The listeners of one store; where nobody listens, telling costs one comparison. */
export class Listeners {
  /** The causes that any listener wants to hear of. */
  heard = 0;
  readonly #all: StoreListener[] = [];
  /** The key of an entry that listeners are told of. */
  readonly #key: ByteSpan = spanOf(new Uint8Array(0));

  /** Tells a listener of changes from now on. */
  add(listener: StoreListener): void {
    this.#all.push(listener);
    this.heard |= listener.causes;
  }

  /** Tells of a change. */
  tell(cause: Cause, key: ByteSpan | undefined): void {
    if ((this.heard & cause) === 0) return;
    const all = this.#all;
    for (let i = 0; i < all.length; i++) if ((all[i].causes & cause) !== 0) all[i].changed(cause, key);
  }

  /** Tells of a change of the entry at a position. */
  tellOf(cause: Cause, records: Records, position: number): void {
    if ((this.heard & cause) === 0) return;
    records.leadToKey(position, this.#key);
    this.tell(cause, this.#key);
  }
}
