/**
 * Near copies of a server's own cache: values that stay decoded until their entries change. All is in one process, so a copy is
 * dropped in the turn in which its entry changes, and none is ever behind. It knows keys as text, not who reads them.
 */

import type { ByteSpan } from "../base/byte_span.ts";
import type { CopyLimits } from "../base/near_options.ts";
import type { NearCopyStats } from "../base/stats.ts";
import { ASK, DUE, NearTier } from "../near/near_tier.ts";
import type { Store } from "../store/store.ts";
import { CAUSE, type Cause, type StoreListener } from "../store/store_listener.ts";
import { type CopyTerms, slotOf, SLOTS } from "../wire/near.ts";
import { setTerms } from "./native_near.ts";

/** Copies of what a store holds. From when it is made it listens to the store. */
export class LocalNear implements StoreListener {
  // An eviction changes nothing: the copy is still true. An expiration is the copy's own, too: both go by one clock.
  readonly causes: number = CAUSE.written | CAUSE.deleted | CAUSE.applied | CAUSE.cleared | CAUSE.overtaken;
  readonly #store: Store;
  readonly #spanOf: (key: string) => ByteSpan;
  readonly #tier: NearTier;
  /** Whether objects may be handed out twice. Else they are not kept: to decode one again takes less time than to copy it. */
  readonly #keepsObjects: boolean;
  /** What is said of an entry; one object for all. */
  readonly #terms: CopyTerms = { marks: 0, freshMs: 0, ttlMs: 0 };

  /** @param spanOf Returns the bytes of a key that is allowed; valid until the next call. */
  constructor(store: Store, limits: CopyLimits, spanOf: (key: string) => ByteSpan) {
    this.#store = store;
    this.#spanOf = spanOf;
    this.#keepsObjects = !limits.copies;
    // Whatever changes is told in the same turn: there is no time after which a copy would have to be asked about.
    this.#tier = new NearTier({ ...limits, copies: false, maxStaleMs: Infinity });
    this.#tier.connected();
    store.listen(this);
  }

  /** Returns the value of a key, or `ASK`. */
  read(key: string): unknown {
    if (typeof key !== "string") return ASK; // it is refused where the store is asked
    const { nowMs } = this.#store;
    const value = this.#tier.read(key, nowMs, nowMs);
    if ((this.#tier.due & DUE.use) !== 0) this.#use(key, nowMs);
    return value;
  }

  /**
   * Keeps a copy of a value that the caller has read from the store in this turn.
   *
   * @param position Where its entry lies in the store.
   * @param bytes Bytes of the value as it is stored, unpacked.
   */
  keep(key: string, value: unknown, position: number, bytes: number): void {
    if (!this.#keepsObjects && typeof value === "object" && value !== null) return;
    const store = this.#store;
    const terms = setTerms(this.#terms, store, position);
    this.#tier.fill(key, value, store.nowMs, terms, bytes);
  }

  /** Drops the copies of what has changed in the store. */
  changed(cause: Cause, key: ByteSpan | undefined): void {
    if (cause === CAUSE.cleared || key === undefined) this.#tier.all();
    else this.#tier.invalid(slotOf(key));
  }

  /** Drops the copies of a key of which only the hash is known. */
  overtaken(hash: number): void {
    this.#tier.invalid(hash & SLOTS - 1);
  }

  /** The counters, as statistics show them. */
  stats(): NearCopyStats {
    return this.#tier.stats();
  }

  /** Uses an entry as a hit does, so that it neither expires behind its copy nor leaves as unused. */
  #use(key: string, nowMs: number): void {
    const position = this.#store.get(this.#spanOf(key));
    if (position === 0) this.#tier.drop(key);
    else this.#tier.used(key, nowMs, setTerms(this.#terms, this.#store, position));
  }
}
