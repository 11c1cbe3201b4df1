/** Those whom a store tells of its changes. It changes nothing itself. */

import { type ByteSpan, spanOf } from "../base/byte_span.ts";
import type { Records } from "./records.ts";
import { CAUSE, type Cause, type StoreListener } from "./store_listener.ts";

/** The listeners of one store; where nobody listens, telling costs one comparison. */
export class Listeners {
  /** The causes that any listener wants to hear of. */
  heard = 0;
  readonly #all: StoreListener[] = [];
  /** The key of an entry that listeners are told of. */
  readonly #key: ByteSpan = spanOf(new Uint8Array(0));

  /** Tells a listener of changes from now on. Returns what ends that. */
  add(listener: StoreListener): () => void {
    this.#all.push(listener);
    this.heard |= listener.causes;
    return () => this.#remove(listener);
  }

  /** Tells of a change. */
  tell(cause: Cause, key: ByteSpan | undefined): void {
    if ((this.heard & cause) === 0) return;
    const all = this.#all;
    for (let i = 0; i < all.length; i++) if ((all[i].causes & cause) !== 0) all[i].changed(cause, key);
  }

  /** Tells that what was here of keys has been overtaken, by their public hashes; by all keys where these are not whole. */
  tellOvertaken(keys: readonly { readonly hash: number }[], isWhole: boolean): void {
    if ((this.heard & CAUSE.overtaken) === 0) return;
    if (!isWhole) return this.tell(CAUSE.overtaken, undefined);
    for (const listener of this.#all) for (const { hash } of keys) listener.overtaken?.(hash);
  }

  /** Tells of a change of the entry at a position. */
  tellOf(cause: Cause, records: Records, position: number): void {
    if ((this.heard & cause) === 0) return;
    records.leadToKey(position, this.#key);
    this.tell(cause, this.#key);
  }

  #remove(listener: StoreListener): void {
    const at = this.#all.indexOf(listener);
    if (at >= 0) this.#all.splice(at, 1);
    this.heard = this.#all.reduce((heard, { causes }) => heard | causes, 0);
  }
}
