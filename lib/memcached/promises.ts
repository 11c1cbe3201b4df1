/**
 * Keys that have no entry and are promised to a client, which will store one: a bounded table beside the store. It knows
 * keys, numbers and deadlines, not commands; no peer and no other protocol sees what is in it.
 */

import type { ByteSpan } from "../base/byte_span.ts";
import { MAX_MEMCACHED_KEY_BYTES } from "../base/limits.ts";
import type { Store } from "../store/store.ts";
import { CAUSE, type Cause, type StoreListener } from "../store/store_listener.ts";
import type { Unsigned } from "./c_numbers.ts";

/** Keys that are promised at once, at most; the oldest promises are dropped first. */
export const MAX_PROMISES = 65_536;
/** Bytes of those keys together, at most. */
export const MAX_PROMISED_BYTES: number = 4 * 1024 * 1024;

/** The promise of a key to a client. */
export interface Promised {
  /** Stands for the promise where a client compares states. */
  readonly cas: Unsigned;
  /** When the promise ends by itself, in milliseconds; `Infinity` is never. */
  readonly deadlineMs: number;
  /** When the key was last asked for, and whether it was at all: not by lookups that are no use. */
  usedMs: number;
  isUsed: boolean;
}

/**
 * Promises by key. A promised key has no entry: whatever writes or removes one ends the promise, also if that entry has
 * left again since. For this the table must listen to the store.
 */
export class Promises implements StoreListener {
  readonly causes: number = CAUSE.written | CAUSE.deleted | CAUSE.applied | CAUSE.cleared;
  readonly #clock: Pick<Store, "nowMs" | "recentMs">;
  /** By the keys' bytes, one character for each. */
  readonly #byKey = new Map<string, Promised>();
  /** Goes on where it stopped, since what it has visited is dropped: a new one would pass all that has left before. */
  #oldest = this.#byKey.keys();
  #bytes = 0;
  /** When all have ended. */
  #lastDeadlineMs = 0;

  constructor(clock: Pick<Store, "nowMs" | "recentMs">) {
    this.#clock = clock;
  }

  /** Promises held, some of which may have ended. */
  get size(): number {
    return this.#byKey.size;
  }

  /** Bytes of the keys held. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The promise of a key, if there is one that has not ended. */
  find(key: ByteSpan): Promised | undefined {
    if (this.#byKey.size === 0) return undefined;
    const text = textOf(key);
    const promised = this.#byKey.get(text);
    if (promised === undefined || promised.deadlineMs > this.#clock.nowMs) return promised;
    this.#drop(text);
    return undefined;
  }

  /** Promises a key for `ttlMs` milliseconds, in place of what was promised of it before. */
  make(key: ByteSpan, ttlMs: number, cas: Unsigned): Promised {
    const usedMs = this.#clock.nowMs;
    const promised = { cas, deadlineMs: usedMs + ttlMs, usedMs, isUsed: false };
    if (usedMs >= this.#lastDeadlineMs) this.#clear();
    this.#lastDeadlineMs = Math.max(this.#lastDeadlineMs, promised.deadlineMs);
    const text = textOf(key);
    this.#drop(text);
    this.#byKey.set(text, promised);
    this.#bytes += text.length;
    if (this.#isOver) this.#makeRoom();
    return promised;
  }

  /** Ends the promise of a key, if there is one. */
  end(key: ByteSpan): void {
    if (this.#byKey.size > 0 && key.to - key.from <= MAX_MEMCACHED_KEY_BYTES) this.#drop(textOf(key));
  }

  /** Ends the promise of a key that has changed in the store, or all. */
  changed(_cause: Cause, key: ByteSpan | undefined): void {
    if (this.#byKey.size === 0) return;
    if (key === undefined || this.#clock.recentMs >= this.#lastDeadlineMs) this.#clear();
    else this.end(key);
  }

  get #isOver(): boolean {
    return this.#byKey.size > MAX_PROMISES || this.#bytes > MAX_PROMISED_BYTES;
  }

  #makeRoom(): void {
    for (const text of this.#oldest) {
      this.#drop(text);
      if (!this.#isOver) return;
    }
  }

  #drop(text: string): void {
    if (this.#byKey.delete(text)) this.#bytes -= text.length;
  }

  #clear(): void {
    this.#byKey.clear();
    this.#oldest = this.#byKey.keys();
    this.#bytes = 0;
    this.#lastDeadlineMs = 0;
  }
}

/** A key as text of its own: not a part of a longer text, nor put together of parts, which would take much more memory. */
function textOf({ bytes, from, to }: ByteSpan): string {
  return String.fromCharCode(...bytes.subarray(from, to));
}
