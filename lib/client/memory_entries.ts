/** Entries of a cache in memory: fresh ones, and those that are kept for longer than they are fresh. It makes no copies. */

import { DEFAULT_TTL_MS, MAX_TTL_MS } from "../base/limits.ts";
import type { Lifetime, Stale } from "../compute/backend.ts";
import { LruCache, type LruSetOptions } from "../lru.ts";

/** What stands for the value where there is none: `undefined` is a value. */
export const NONE: unique symbol = Symbol("none");

/** Options of {@linkcode MemoryEntries}. */
export interface MemoryEntriesOptions {
  readonly maxSize: number | undefined;
  readonly renewOnHit: boolean | undefined;
  readonly ttlMs: number | undefined;
  /** Returns the time in milliseconds. */
  readonly now: () => number;
}

/** A value that is kept for longer than it is fresh. */
class Kept {
  constructor(readonly value: unknown, readonly ttlMs: number, readonly renews: boolean, public freshUntilMs: number) {}
}

/** Entries in memory. */
export class MemoryEntries {
  readonly #entries: LruCache<unknown>;
  readonly #ttlMs: number;
  readonly #renews: boolean;
  readonly #now: () => number;
  /** Whether an entry has been kept for longer than it is fresh since all were removed: until then nobody looks for one. */
  #keepsStale = false;

  /** @throws {RangeError} If an option is out of range. */
  constructor({ maxSize, renewOnHit, ttlMs = DEFAULT_TTL_MS, now }: MemoryEntriesOptions) {
    this.#entries = new LruCache({ maxSize, renewOnHit, ttlMs, now });
    this.#ttlMs = ttlMs;
    this.#renews = renewOnHit !== false;
    this.#now = now;
  }

  /** Entries held now, including those that are not fresh any more. */
  get size(): number {
    return this.#entries.size;
  }

  /** Entries held at most. */
  get maxSize(): number {
    return this.#entries.maxSize;
  }

  /** Returns a value that is fresh, and makes it the one used last, or `NONE`. */
  find(name: string): unknown {
    if (this.#keepsStale) return this.#findFresh(name);
    const value = this.#entries.get(name);
    return value !== undefined || this.#entries.has(name) ? value : NONE;
  }

  /** Tells whether there is a value that is fresh. It is no use of it. */
  has(name: string): boolean {
    if (!this.#keepsStale) return this.#entries.has(name);
    const held = this.#entries.peek(name);
    return held instanceof Kept ? this.#now() < held.freshUntilMs : held !== undefined || this.#entries.has(name);
  }

  /** Returns a value that is not fresh any more, if it is kept still. It is no use of it. */
  stale(name: string): Stale | undefined {
    const held = this.#keepsStale ? this.#entries.peek(name) : undefined;
    if (!(held instanceof Kept)) return undefined;
    const forMs = this.#now() - held.freshUntilMs;
    return forMs < 0 ? undefined : { value: held.value, forMs };
  }

  /** Stores a value that is kept for as long as it is fresh. */
  set(name: string, value: unknown, options: LruSetOptions | undefined): boolean {
    return this.#entries.set(name, value, options);
  }

  /** Stores a value that may be kept for longer than it is fresh. */
  keep(name: string, value: unknown, { ttlMs = this.#ttlMs, renewOnHit, staleMs }: Lifetime): boolean {
    if (staleMs === 0 || ttlMs === 0 || ttlMs === Infinity) return this.set(name, value, { ttlMs, renewOnHit });
    this.#keepsStale = true;
    const kept = new Kept(value, ttlMs, renewOnHit && this.#renews, this.#now() + ttlMs);
    return this.#entries.set(name, kept, { ttlMs: Math.min(ttlMs + staleMs, MAX_TTL_MS), renewOnHit });
  }

  /** Removes an entry. Returns whether it was fresh. */
  delete(name: string): boolean {
    if (!this.#keepsStale) return this.#entries.delete(name);
    const isFresh = this.has(name);
    this.#entries.delete(name);
    return isFresh;
  }

  /** Removes every entry. */
  clear(): void {
    this.#entries.clear();
    this.#keepsStale = false;
  }

  #findFresh(name: string): unknown {
    if (!this.has(name)) return NONE;
    const held = this.#entries.get(name);
    if (!(held instanceof Kept)) return held;
    if (held.renews) held.freshUntilMs = this.#now() + held.ttlMs;
    return held.value;
  }
}
