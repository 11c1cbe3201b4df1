/**
 * Entries of a cache in memory: fresh ones, and those that are kept for longer than they are fresh or have been cleared by
 * their prefix. It makes no copies.
 */

import { DEFAULT_TTL_MS, MAX_TTL_MS } from "../base/limits.ts";
import type { Lifetime, Stale } from "../compute/backend.ts";
import { LruCache, type LruSetOptions } from "../lru.ts";
import { type LruSlots, slotsOf } from "../lru/lru_cache.ts";
import { Timer } from "../platform/timer.ts";
import { PrefixClears } from "./prefix_clears.ts";

/** What stands for the value where there is none: `undefined` is a value. */
export const NONE: unique symbol = Symbol("none");

/** Slots up to which all are swept at once when a prefix is cleared: less work than a timer. */
const FEW_SLOTS = 128;
/** Slots that a sweep looks at with each later call. */
const SWEEP_SLOTS = 8;
/** Milliseconds for which a sweep goes on when nobody calls, before the event loop looks after everything else. */
const SWEEP_MS = 1;
/** Slots after which it looks at the clock. */
const SLOTS_PER_READING = 64;
/** Slots that one step of a walk looks at. */
const WALK_SLOTS = 1024;

/** Options of {@linkcode MemoryEntries}. */
export interface MemoryEntriesOptions {
  readonly maxSize: number | undefined;
  readonly renewOnHit: boolean | undefined;
  readonly ttlMs: number | undefined;
  /** Returns the time in milliseconds. */
  readonly now: () => number;
}

/** An entry, and what is known of it. */
export interface MemoryEntry {
  readonly value: unknown;
  /** Milliseconds for which it is fresh if nobody asks for it again. */
  readonly remainingMs: number;
  /** A number that every change of the entry changes. */
  readonly version: number;
}

/** A value that is kept for longer than it is fresh. */
class Kept {
  constructor(
    public value: unknown,
    public ttlMs: number,
    readonly staleMs: number,
    readonly renews: boolean,
    public freshUntilMs: number,
  ) {}

  /** Milliseconds until its entry expires: not fewer than it is fresh. */
  get keptMs(): number {
    return this.ttlMs === Infinity ? Infinity : Math.min(this.ttlMs + this.staleMs, MAX_TTL_MS);
  }
}

/** Entries in memory. */
export class MemoryEntries {
  readonly #entries: LruCache<unknown>;
  readonly #slots: LruSlots<unknown, string>;
  readonly #ttlMs: number;
  readonly #renews: boolean;
  readonly #now: () => number;
  /** Whether an entry has been kept for longer than it is fresh since all were removed: until then nobody looks for one. */
  #keepsStale = false;
  readonly #clears = new PrefixClears();
  readonly #sweeper = new Timer();
  /** Whether not every entry that is there is fresh. */
  #looksCloser = false;
  /** Versions of the entries, by slot, once anybody has asked for them; 0 for those that have not changed since. */
  #versions: Float64Array<ArrayBuffer> | undefined;
  /** The latest version, which is given to nobody again. */
  #version = 0;

  /** @throws {RangeError} If an option is out of range. */
  constructor({ maxSize, renewOnHit, ttlMs = DEFAULT_TTL_MS, now }: MemoryEntriesOptions) {
    this.#entries = new LruCache({ maxSize, renewOnHit, ttlMs, now });
    this.#slots = slotsOf(this.#entries);
    this.#ttlMs = ttlMs;
    this.#renews = renewOnHit !== false;
    this.#now = now;
  }

  /** Entries held now, including those that are not fresh any more, or have been cleared and not left yet. */
  get size(): number {
    return this.#entries.size;
  }

  /** Entries held at most. */
  get maxSize(): number {
    return this.#entries.maxSize;
  }

  /** Returns a value that is fresh, and makes it the one used last, or `NONE`. */
  find(name: string): unknown {
    if (this.#looksCloser) {
      const slot = this.#use(name);
      return slot === undefined ? NONE : this.#valueOf(slot);
    }
    const value = this.#entries.get(name);
    return value !== undefined || this.#entries.has(name) ? value : NONE;
  }

  /** Returns a value that is fresh with what is known of its entry, and makes it the one used last. */
  entry(name: string): MemoryEntry | undefined {
    const versions = this.#begunVersions();
    const slot = this.#use(name);
    if (slot === undefined) return undefined;
    const held = this.#slots.value(slot);
    const remainingMs = held instanceof Kept ? held.freshUntilMs - this.#now() : this.#slots.remainingMs(slot);
    return { value: this.#valueOf(slot), remainingMs: Math.max(0, remainingMs), version: versions[slot] };
  }

  /** Tells whether there is a value that is fresh. It is no use of it. */
  has(name: string): boolean {
    return this.#looksCloser ? this.#fresh(name) !== undefined : this.#entries.has(name);
  }

  /** Tells whether there is what a caller asks for before it stores: no value that is fresh, one, or one of a version. */
  meets(name: string, onlyIf: "absent" | "present" | number): boolean {
    const versions = typeof onlyIf === "number" ? this.#begunVersions() : undefined;
    const slot = this.#fresh(name);
    if (slot === undefined) return onlyIf === "absent";
    return versions === undefined ? onlyIf === "present" : versions[slot] === onlyIf;
  }

  /** Returns a value that is not fresh any more, if it is kept still. It is no use of it. */
  stale(name: string): Stale | undefined {
    const slot = this.#keepsStale ? this.#there(name) : undefined;
    const held = slot === undefined ? undefined : this.#slots.value(slot);
    if (!(held instanceof Kept)) return undefined;
    const forMs = this.#now() - held.freshUntilMs;
    return forMs < 0 ? undefined : { value: held.value, forMs };
  }

  /** Stores a value that is kept for as long as it is fresh. */
  set(name: string, value: unknown, options: LruSetOptions | undefined): boolean {
    if (this.#versions === undefined) return this.#entries.set(name, value, options);
    this.#sweepSome(); // before: what has been cleared makes room
    const isSet = this.#entries.set(name, value, options);
    this.#changed(this.#slots.newest);
    return isSet;
  }

  /** Stores a value that may be kept for longer than it is fresh. */
  keep(name: string, value: unknown, { ttlMs = this.#ttlMs, renewOnHit, staleMs }: Lifetime): boolean {
    if (staleMs === 0 || ttlMs === 0 || ttlMs === Infinity) return this.set(name, value, { ttlMs, renewOnHit });
    this.#keepsStale = true;
    this.#looksCloser = true;
    const kept = new Kept(value, ttlMs, staleMs, renewOnHit && this.#renews, this.#now() + ttlMs);
    return this.set(name, kept, { ttlMs: kept.keptMs, renewOnHit });
  }

  /**
   * Gives an entry that is fresh another value, and makes it the one used last; its times go on as they were.
   *
   * @param change Returns the value for the one that is there. What it throws is thrown, and nothing has changed.
   * @returns The value, or `NONE` if there is no entry.
   */
  update(name: string, change: (value: unknown) => unknown): unknown {
    const slot = this.#fresh(name);
    if (slot === undefined) return NONE;
    const value = change(this.#valueOf(slot));
    const held = this.#slots.value(slot);
    if (held instanceof Kept) held.value = value;
    this.#slots.replace(slot, held instanceof Kept ? held : value);
    this.#changed(slot);
    return value;
  }

  /** Restarts the time for which a value is fresh, or gives it another. Returns whether there is one that is fresh. */
  touch(name: string, ttlMs: number | undefined): boolean {
    const slot = this.#fresh(name);
    if (slot === undefined) return false;
    const held = this.#slots.value(slot);
    if (held instanceof Kept) {
      if (ttlMs !== undefined) held.ttlMs = ttlMs || Infinity;
      held.freshUntilMs = this.#now() + held.ttlMs;
    }
    this.#changed(slot);
    return this.#entries.touch(name, held instanceof Kept ? held.keptMs : ttlMs);
  }

  /** Removes an entry. Returns whether it was fresh. */
  delete(name: string): boolean {
    if (!this.#looksCloser) return this.#entries.delete(name);
    const isFresh = this.#fresh(name) !== undefined;
    this.#entries.delete(name);
    return isFresh;
  }

  /** Removes every entry. */
  clear(): void {
    this.#entries.clear();
    this.#clears.end();
    this.#sweeper.stop();
    if (this.#versions !== undefined) this.#versions = new Float64Array(this.#slots.end);
    this.#keepsStale = false;
    this.#looksCloser = false;
  }

  /** Removes every entry whose name begins with a prefix: from now on none is found, and their memory comes back soon. */
  clearPrefix(prefix: string): void {
    this.#begunVersions();
    this.#clears.begin(prefix, this.#version, this.#slots.end);
    this.#looksCloser = true;
    if (this.#slots.end <= FEW_SLOTS) this.#sweep(FEW_SLOTS);
    if (this.#clears.areUnderWay) this.#sweeper.set(0, () => this.#sweepForTime());
  }

  /** Has a sweep go on with later calls only, so that no timer is left. */
  rest(): void {
    this.#sweeper.stop();
  }

  /**
   * Returns the names of some entries that are fresh and begin with a prefix; `next` is where to go on, at the end 0. Who begins
   * at 1 and goes on there, whatever has changed meanwhile, meets each entry once that is there all the time. It is no use of them.
   */
  walk(from: number, prefix: string): { names: string[]; next: number } {
    const names: string[] = [];
    const end = this.#slots.end;
    const to = Math.min(from + WALK_SLOTS, end);
    for (let slot = from; slot < to; slot++) {
      const name = this.#slots.key(slot);
      if (name === undefined || !name.startsWith(prefix) || this.#slots.remainingMs(slot) <= 0) continue;
      if (!this.#looksCloser || (!this.#isCleared(name, slot) && this.#isFresh(slot))) names.push(name);
    }
    return { names, next: to === end ? 0 : to };
  }

  /** Returns the slot of a value that is fresh, having made it the one used last. */
  #use(name: string): number | undefined {
    const slot = this.#fresh(name);
    if (slot === undefined) return undefined;
    this.#slots.use(slot);
    const held = this.#slots.value(slot);
    if (held instanceof Kept && held.renews) held.freshUntilMs = this.#now() + held.ttlMs;
    return slot;
  }

  /** Returns the slot of a value that is fresh. */
  #fresh(name: string): number | undefined {
    const slot = this.#there(name);
    return slot === undefined || !this.#looksCloser || this.#isFresh(slot) ? slot : undefined;
  }

  /** Returns the slot of a value that is there, fresh or not. */
  #there(name: string): number | undefined {
    this.#sweepSome();
    const slot = this.#slots.find(name);
    if (slot === undefined || !this.#isCleared(name, slot)) return slot;
    this.#slots.remove(slot);
    return undefined;
  }

  #isFresh(slot: number): boolean {
    const held = this.#slots.value(slot);
    return !(held instanceof Kept) || this.#now() < held.freshUntilMs;
  }

  #isCleared(name: string, slot: number): boolean {
    return this.#clears.areUnderWay && this.#clears.has(name, this.#versions?.[slot] ?? 0);
  }

  #valueOf(slot: number): unknown {
    const held = this.#slots.value(slot);
    return held instanceof Kept ? held.value : held;
  }

  #begunVersions(): Float64Array<ArrayBuffer> {
    return this.#versions ??= new Float64Array(this.#slots.end);
  }

  /** Gives an entry a new version, if anybody has asked for versions. */
  #changed(slot: number): void {
    if (this.#versions === undefined) return;
    if (slot >= this.#versions.length) {
      const versions = new Float64Array(2 * slot);
      versions.set(this.#versions);
      this.#versions = versions;
    }
    this.#versions[slot] = ++this.#version;
  }

  #sweepSome(): void {
    if (this.#clears.areUnderWay) this.#sweep(SWEEP_SLOTS);
  }

  /** Removes what has been cleared from the next slots. */
  #sweep(slots: number): void {
    for (let looked = 0; looked < slots; looked++) {
      const slot = this.#clears.next(this.#slots.end);
      if (slot === 0) return this.#swept();
      const name = this.#slots.key(slot);
      if (name !== undefined && this.#isCleared(name, slot)) this.#slots.remove(slot);
    }
  }

  #sweepForTime(): void {
    const endMs = performance.now() + SWEEP_MS;
    while (this.#clears.areUnderWay && performance.now() < endMs) this.#sweep(SLOTS_PER_READING);
    if (this.#clears.areUnderWay) this.#sweeper.set(0, () => this.#sweepForTime());
  }

  #swept(): void {
    this.#sweeper.stop();
    this.#looksCloser = this.#keepsStale;
    if (this.#entries.size === 0) this.clear(); // gives back what the entries stood in, too
  }
}
