/**
 * A least-recently-used cache with expiration, for any JavaScript value. It knows nothing of servers or bytes.
 *
 * A `Map` takes a key to a slot; recency is a doubly linked list over slots, kept in a typed array with their deadlines.
 * A hit therefore moves links instead of reordering the `Map`, and no entry owns a timer.
 */

import { checkEntryOptions, checkTtlMs } from "../base/checks.ts";
import { INSPECT, inspected } from "../base/inspect.ts";
import { DEFAULT_MAX_SIZE, MAX_ENTRIES } from "../base/limits.ts";
import { checkOptions, shown } from "../base/options.ts";
import { type EvictReason, LRU_OPTIONS, type LruCacheOptions, type LruSetOptions, processNow } from "./options.ts";
import { slotOf } from "./slot_of.ts";
import { Slots } from "./slots.ts";

const FIRST_SIZES = 16;
/** Slots in which each `set` looks for expired entries: 2 outpace any growth, since a `set` adds one entry at most. */
const SWEEP_SLOTS = 2;

/**
 * What other caches of this package may know of an `LruCache` beside its methods: its slots, whole numbers from 1 on. An entry keeps
 * its slot for as long as it is there, also where its value is replaced.
 */
export interface LruSlots<V, K> {
  /** The first number that no slot has had since the last `clear`. */
  readonly end: number;
  /** The slot of the entry used last: after a `set`, that of its entry; 0 if there is none. */
  readonly newest: number;
  /** The slot of a key whose entry has not expired. It is no use of the entry. */
  find(key: K): number | undefined;
  /** The key of a slot; `undefined` if it has no entry. */
  key(slot: number): K | undefined;
  /** The value of a slot. */
  value(slot: number): V;
  /** Milliseconds for which a slot's entry remains if nobody asks for it again; 0 or less if it has expired. */
  remainingMs(slot: number): number;
  /** Does what a hit by `get` does. */
  use(slot: number): void;
  /** Gives an entry another value, and makes it the one used last. Its times stay as they are, and nobody is told. */
  replace(slot: number, value: V): void;
  /** Does what `delete` does. */
  remove(slot: number): void;
  /** Has a function called before each entry leaves, but by `clear` or for another value in its time. It must not change the cache. */
  onLeaving(hear: (slot: number, reason: EvictReason) => void): void;
}

/** Gives other caches of this package the slots of a cache without `sizeOf`. */
export let slotsOf: <V, K>(cache: LruCache<V, K>) => LruSlots<V, K>;

/**
 * A least-recently-used cache with expiration. Every operation takes constant time, except `clear` and iteration.
 *
 * An entry that had expired when the turn of the event loop began is never returned. One that expires within a turn, while
 * synchronous code runs, may be returned until the turn ends or the clock has been asked 32 times, whichever is first, unless
 * the option `now` is an exact clock. An expired entry leaves when its key is next asked for, or within a bounded number of
 * later `set` calls, each of which looks at two slots; until then `size` counts it.
 *
 * @typeParam V Type of the values; `undefined` is a value like any other (see {@linkcode LruCache.has}).
 * @typeParam K Type of the keys, compared as `Map` does.
 *
 * @example
 * ```ts
 * import { LruCache } from "@ormuco/cache/lru";
 *
 * const sessions = new LruCache<{ user: string }>({
 *   maxSize: 10_000,
 *   ttlMs: 30 * 60_000,
 *   onEvict: (key, _value, reason) => console.log(key, reason),
 * });
 * sessions.set("s1", { user: "ada" });
 * sessions.get("s1")?.user; // "ada"
 * sessions.delete("s1"); // prints: s1 deleted
 * ```
 */
export class LruCache<V, K = string> {
  readonly #index = new Map<K, number>();
  #keys: (K | undefined)[] = [undefined];
  #values: (V | undefined)[] = [undefined];
  #slots: Slots;
  #sizes = new Float64Array(0);
  #sweepAt = 0;
  #totalSize = 0;
  /** Whether any entry has had a deadline since the last `clear`: until then the clock is not read. */
  #timed = false;
  /** What `getOrSet` waits for, by key; `undefined` until there has been anything. */
  #computing: Map<K, Promise<V>> | undefined;
  /** Entries that have left and that `onEvict` has not been called for. */
  #left: [key: K, value: V, reason: EvictReason][] = [];
  /** Hears of entries of another cache of this package before they leave. */
  #onLeaving: ((slot: number, reason: EvictReason) => void) | undefined;

  readonly #maxSize: number;
  readonly #maxTotalSize: number;
  readonly #sizeOf: ((value: V, key: K) => number) | undefined;
  readonly #ttlMs: number;
  readonly #renewOnHit: boolean;
  readonly #now: () => number;
  readonly #onEvict: ((key: K, value: V, reason: EvictReason) => void) | undefined;

  static {
    slotsOf = <V, K>(cache: LruCache<V, K>): LruSlots<V, K> => ({
      get end() {
        return cache.#slots.end;
      },
      get newest() {
        return cache.#slots.newest;
      },
      find: (key) => cache.#find(key),
      key: (slot) => cache.#keys[slot],
      value: (slot) => cache.#values[slot] as V,
      remainingMs: (slot) => cache.#remainingMs(slot),
      use: (slot) => {
        if (cache.#slots.deadline(slot) !== Infinity) cache.#slots.renew(slot, cache.#now());
        cache.#slots.toFront(slot);
      },
      replace: (slot, value) => {
        cache.#values[slot] = value;
        cache.#slots.toFront(slot);
      },
      remove: (slot) => {
        cache.#remove(slot, "deleted");
        cache.#tell();
      },
      onLeaving: (hear) => {
        cache.#onLeaving = hear;
      },
    });
  }

  /**
   * Makes an empty cache. Its arrays grow with use, not with `maxSize`.
   *
   * @param options Limits, expiration and callbacks; see {@linkcode LruCacheOptions} for the defaults.
   * @throws {RangeError} If an option is not allowed, or `maxTotalSize` comes without `sizeOf`.
   * @throws {TypeError} If there is no option of that name.
   */
  constructor(options: LruCacheOptions<V, K> = {}) {
    const {
      maxSize = DEFAULT_MAX_SIZE,
      maxTotalSize,
      sizeOf,
      ttlMs = 0,
      renewOnHit = true,
      now = processNow,
      onEvict,
    } = checkOptions("create LruCache", options, LRU_OPTIONS);
    if (maxTotalSize !== undefined && sizeOf === undefined) {
      throw new RangeError("Cannot create LruCache: maxTotalSize needs sizeOf");
    }
    this.#maxSize = Math.min(maxSize, MAX_ENTRIES);
    this.#maxTotalSize = maxTotalSize ?? Infinity;
    this.#sizeOf = sizeOf;
    this.#ttlMs = ttlMs === 0 ? Infinity : ttlMs;
    this.#renewOnHit = renewOnHit;
    this.#slots = this.#noSlots();
    this.#now = now;
    this.#onEvict = onEvict;
    if (this.#sizeOf) this.#sizes = new Float64Array(FIRST_SIZES);
  }

  /** Entries held now, including those that have expired and not left yet. */
  get size(): number {
    return this.#index.size;
  }

  /** Entries held at most; 16,777,215 if the option was `Infinity`. */
  get maxSize(): number {
    return this.#maxSize;
  }

  /** Sum of the sizes of the entries held now; 0 without `sizeOf`. */
  get totalSize(): number {
    return this.#totalSize;
  }

  /**
   * Returns the value of a key and makes its entry the most recently used. Unless `renewOnHit` of the cache or of the entry
   * is false, the entry's time to live restarts.
   *
   * @param key The key.
   * @returns The value, or `undefined` on a miss.
   *
   * @example
   * ```ts
   * import { LruCache } from "@ormuco/cache/lru";
   *
   * const cache = new LruCache<number>({ maxSize: 2 });
   * cache.set("a", 1);
   * cache.set("b", 2);
   * console.log(cache.get("a")); // 1
   * cache.set("c", 3); // in place of b, which has not been asked for
   * console.log(cache.get("b")); // undefined
   * ```
   */
  get(key: K): V | undefined {
    const slot = this.#index.get(key);
    if (slot === undefined) return undefined;
    const slots = this.#slots;
    const deadline = slots.deadline(slot);
    if (deadline !== Infinity) {
      const now = this.#now();
      if (now >= deadline) return this.#expire(slot);
      slots.renew(slot, now);
    }
    slots.toFront(slot);
    return this.#values[slot];
  }

  /**
   * Returns the value of a key without a use of its entry: the order of use and the time to live stay as they are.
   *
   * @param key The key.
   * @returns The value, or `undefined` on a miss.
   *
   * @example
   * ```ts
   * import { LruCache } from "@ormuco/cache/lru";
   *
   * const cache = new LruCache<number>({ maxSize: 2 });
   * cache.set("a", 1);
   * cache.set("b", 2);
   * console.log(cache.peek("a")); // 1
   * cache.set("c", 3); // in place of a, all the same
   * console.log(cache.peek("a")); // undefined
   * ```
   */
  peek(key: K): V | undefined {
    const slot = this.#find(key);
    return slot === undefined ? undefined : this.#values[slot];
  }

  /**
   * Tells whether a key has an entry. The order of use and the time to live stay as they are.
   *
   * @param key The key.
   * @returns Whether `get` would be a hit.
   *
   * @example
   * ```ts
   * import { LruCache } from "@ormuco/cache/lru";
   *
   * const cache = new LruCache<number | undefined>();
   * cache.set("a", undefined);
   * console.log(cache.get("a"), cache.has("a"), cache.has("b")); // undefined true false
   * ```
   */
  has(key: K): boolean {
    return this.#find(key) !== undefined;
  }

  /**
   * Stores a value as the most recently used entry, and evicts the least recently used entries to make room.
   *
   * @param key The key; if it has an entry, the new one replaces that.
   * @param value Any value.
   * @param options The entry's own time to live, and whether a hit restarts it.
   * @returns Whether the value was stored; `false` if it alone is larger than `maxTotalSize`: then the key has no entry
   * any more.
   * @throws {RangeError} If an option or the result of `sizeOf` is out of range; the cache is unchanged then.
   *
   * @example
   * ```ts
   * import { LruCache } from "@ormuco/cache/lru";
   *
   * const pages = new LruCache<string>({ maxTotalSize: 10, sizeOf: (page) => page.length });
   * pages.set("/", "hello", { ttlMs: 60_000, renewOnHit: false }); // for a minute, however much it is asked for
   * console.log(pages.set("/large", "x".repeat(11)), pages.size); // false 1
   * ```
   */
  set(key: K, value: V, options?: LruSetOptions): boolean {
    if (options !== undefined) checkEntryOptions(options);
    const ttlMs = options?.ttlMs === undefined ? this.#ttlMs : options.ttlMs === 0 ? Infinity : options.ttlMs;
    const own = this.#renewOnHit && options?.renewOnHit !== false ? ttlMs : -ttlMs;
    const size = this.#sizeOf === undefined ? 0 : checkedSize(this.#sizeOf(value, key));
    if (size > this.#maxTotalSize) {
      this.delete(key);
      return false;
    }
    if (this.#computing !== undefined) this.#computing.delete(key);
    if (ttlMs !== Infinity) this.#timed = true;
    const now = this.#timed ? this.#now() : 0;
    if (this.#timed) this.#sweep(now);
    const free = this.#slots.next;
    const slot = slotOf(this.#index, key, free);
    if (slot === free) this.#insert(slot, key);
    else this.#leaveForAnother(slot, now);
    if (this.#sizeOf !== undefined) this.#addSize(slot, size);
    // Before all else is written: the processor may then search for both keys at the same time. The new entry, which is the
    // newest, stays: it fits alone, even if fractions of sizes have not added up exactly.
    while ((this.#index.size > this.#maxSize || this.#totalSize > this.#maxTotalSize) && this.#index.size > 1) {
      this.#remove(this.#slots.oldest, "evicted");
    }
    this.#values[slot] = value;
    this.#slots.fill(slot, now + ttlMs, own);
    this.#tell();
    return true;
  }

  /**
   * Returns the value of a key as `get` does or, on a miss, what `compute` returns, and stores that.
   *
   * Where `compute` returns a promise, all callers of the key are given one promise until it settles; then its value is stored, and
   * given without a promise. An error is kept no more than what a promise rejects with: the next caller computes. If the key is set or
   * deleted, or the cache cleared, while a promise is waited for, its value goes to those who wait for it and is not stored.
   *
   * @param key The key, which `compute` is given too.
   * @param compute Returns the value, or a promise of it. It must not use this key itself.
   * @param options The entry's own time to live, and whether a hit restarts it.
   * @returns The value, or a promise of it.
   * @throws {TypeError} If `compute` is no function. What it throws is thrown too.
   * @throws {RangeError} If an option or the result of `sizeOf` is out of range.
   *
   * @example
   * ```ts
   * import { LruCache } from "@ormuco/cache/lru";
   *
   * const squares = new LruCache<number, number>();
   * squares.getOrSet(7, (n) => n * n); // 49
   *
   * const pages = new LruCache<string>({ ttlMs: 60_000 });
   * const load = async (url: string) => await (await fetch(url)).text();
   * console.log(await pages.getOrSet("data:,hello", load)); // hello
   * ```
   */
  getOrSet(key: K, compute: (key: K) => V, options?: LruSetOptions): V;
  /**
   * The same for a function that returns a promise, or may.
   *
   * @param key The key, which `compute` is given too.
   * @param compute Returns the value, or a promise of it.
   * @param options The entry's own time to live, and whether a hit restarts it.
   * @returns The value, or a promise of it.
   */
  getOrSet(key: K, compute: (key: K) => V | Promise<V>, options?: LruSetOptions): V | Promise<V>;
  getOrSet(key: K, compute: (key: K) => V | Promise<V>, options?: LruSetOptions): V | Promise<V> {
    const held = this.get(key);
    if (held !== undefined || this.has(key)) return held as V;
    const shared = this.#computing?.get(key);
    if (shared !== undefined) return shared;
    if (typeof compute !== "function") {
      throw new TypeError(`Cannot get or set: compute must be a function: received ${shown(compute)}`);
    }
    checkEntryOptions(options);
    const computed = compute(key);
    if (computed instanceof Promise) return this.#share(key, computed, options);
    this.set(key, computed, options);
    return computed;
  }

  /**
   * Restarts an entry's time to live and makes it the most recently used.
   *
   * @param key The key.
   * @param ttlMs The entry's new time to live, in milliseconds; 0 or `Infinity` means never. By default its own.
   * @returns Whether the key has an entry.
   * @throws {RangeError} If the time to live is negative or not a number.
   *
   * @example
   * ```ts
   * import { LruCache } from "@ormuco/cache/lru";
   *
   * const sessions = new LruCache<string>({ ttlMs: 60_000 });
   * sessions.set("s1", "ada");
   * sessions.touch("s1"); // a minute from now on
   * sessions.touch("s1", 0); // for ever
   * console.log(sessions.remainingTtlMs("s1"), sessions.touch("s2")); // Infinity false
   * ```
   */
  touch(key: K, ttlMs?: number): boolean {
    const checked = ttlMs === undefined ? undefined : checkTtlMs(ttlMs) || Infinity;
    const slot = this.#find(key);
    if (slot === undefined) return false;
    const own = this.#slots.ownMs(slot);
    const restarted = checked ?? Math.abs(own);
    if (restarted !== Infinity) this.#timed = true;
    const deadline = restarted === Infinity ? Infinity : this.#now() + restarted;
    this.#slots.fill(slot, deadline, own > 0 ? restarted : -restarted);
    this.#slots.toFront(slot);
    return true;
  }

  /**
   * Removes the entry of a key.
   *
   * @param key The key.
   * @returns Whether there was an entry that had not expired.
   *
   * @example
   * ```ts
   * import { LruCache } from "@ormuco/cache/lru";
   *
   * const cache = new LruCache<number>();
   * cache.set("a", 1);
   * console.log(cache.delete("a"), cache.delete("a")); // true false
   * ```
   */
  delete(key: K): boolean {
    if (this.#computing !== undefined) this.#computing.delete(key);
    const slot = this.#find(key);
    if (slot === undefined) return false;
    this.#remove(slot, "deleted");
    this.#tell();
    return true;
  }

  /**
   * Removes every entry and frees the cache's arrays.
   *
   * @example
   * ```ts
   * import { LruCache } from "@ormuco/cache/lru";
   *
   * const cache = new LruCache<number>();
   * cache.set("a", 1);
   * cache.clear();
   * console.log(cache.size); // 0
   * ```
   */
  clear(): void {
    this.#computing = undefined;
    if (this.#onEvict !== undefined) this.#leaveAll();
    this.#index.clear();
    this.#keys = [undefined];
    this.#values = [undefined];
    this.#slots = this.#noSlots();
    this.#sizes = new Float64Array(this.#sizeOf ? FIRST_SIZES : 0);
    this.#sweepAt = 0;
    this.#totalSize = 0;
    this.#timed = false;
    this.#tell();
  }

  /**
   * Removes the least recently used entry that has not expired. `onEvict` is called for it, with the reason `deleted`.
   *
   * @returns Its key and value, or `undefined` if the cache has no entry.
   *
   * @example
   * ```ts
   * import { LruCache } from "@ormuco/cache/lru";
   *
   * const waiting = new LruCache<number>({ maxSize: 1000 });
   * waiting.set("a", 1);
   * waiting.set("b", 2);
   * for (let entry = waiting.pop(); entry !== undefined; entry = waiting.pop()) console.log(...entry);
   * ```
   */
  pop(): [key: K, value: V] | undefined {
    const now = this.#timed ? this.#now() : -Infinity;
    let popped: [K, V] | undefined;
    while (popped === undefined && this.#index.size > 0) {
      const slot = this.#slots.oldest;
      const isLive = now < this.#slots.deadline(slot);
      if (isLive) popped = [this.#keys[slot] as K, this.#values[slot] as V];
      this.#remove(slot, isLive ? "deleted" : "expired");
    }
    this.#tell();
    return popped;
  }

  /**
   * Tells how long an entry remains if nobody asks for it again. It is no use of the entry.
   *
   * @param key The key.
   * @returns Milliseconds, `Infinity` if the entry never expires, or `undefined` if the key has no entry.
   *
   * @example
   * ```ts
   * import { LruCache } from "@ormuco/cache/lru";
   *
   * const tokens = new LruCache<string>({ ttlMs: 60_000 });
   * const isFresh = (user: string) => (tokens.remainingTtlMs(user) ?? 0) > 5_000;
   * tokens.set("ada", "t1");
   * console.log(isFresh("ada"), isFresh("grace")); // true false
   * ```
   */
  remainingTtlMs(key: K): number | undefined {
    const slot = this.#find(key);
    return slot === undefined ? undefined : this.#remainingMs(slot);
  }

  /**
   * Returns the keys of the entries that have not expired, the most recently used first.
   *
   * These are copied by the call, as those of `values`, `entries` and `forEach` are, so the cache may be changed during the
   * iteration, which does not show in it. It is no use of the entries.
   *
   * @returns An iterator over the keys.
   *
   * @example
   * ```ts
   * import { LruCache } from "@ormuco/cache/lru";
   *
   * const users = new LruCache<number>();
   * users.set("user:1", 1);
   * for (const key of users.keys()) if (key.startsWith("user:")) users.delete(key);
   * ```
   */
  keys(): IterableIterator<K> {
    return this.#copied((slot) => this.#keys[slot] as K).values();
  }

  /**
   * Returns the values, in the order and by the rules of {@linkcode LruCache.keys}.
   *
   * @returns An iterator over the values.
   *
   * @example
   * ```ts
   * import { LruCache } from "@ormuco/cache/lru";
   *
   * const sockets = new LruCache<WebSocket>();
   * for (const socket of sockets.values()) socket.close();
   * ```
   */
  values(): IterableIterator<V> {
    return this.#copied((slot) => this.#values[slot] as V).values();
  }

  /**
   * Returns the entries, in the order and by the rules of {@linkcode LruCache.keys}.
   *
   * @returns An iterator over `[key, value]` pairs.
   *
   * @example
   * ```ts
   * import { LruCache } from "@ormuco/cache/lru";
   *
   * const counts = new LruCache<number>();
   * counts.set("a", 1);
   * Object.fromEntries(counts.entries()); // { a: 1 }
   * ```
   */
  entries(): IterableIterator<[K, V]> {
    return this.#copied((slot): [K, V] => [this.#keys[slot] as K, this.#values[slot] as V]).values();
  }

  /** Does what `entries` does. */
  [Symbol.iterator](): IterableIterator<[K, V]> {
    return this.entries();
  }

  /**
   * Calls a function for each entry, in the order and by the rules of {@linkcode LruCache.keys}. What it throws is thrown.
   *
   * @param callback Is given the value, the key and this cache, as that of `Map.forEach` is.
   *
   * @example
   * ```ts
   * import { LruCache } from "@ormuco/cache/lru";
   *
   * const counts = new LruCache<number>();
   * counts.set("a", 1);
   * counts.forEach((count, key) => console.log(key, count));
   * ```
   */
  forEach(callback: (value: V, key: K, cache: LruCache<V, K>) => void): void {
    for (const [key, value] of this.entries()) callback(value, key, this);
  }

  /** Shows size and limits in a debugger. */
  [INSPECT](
    inspect: (value: unknown, options?: Record<string, unknown>) => string,
    options?: Record<string, unknown>,
  ): string {
    const [size, maxSize, totalSize, maxTotalSize] = [this.size, this.#maxSize, this.#totalSize, this.#maxTotalSize];
    const sizes = this.#sizeOf === undefined ? {} : { totalSize, maxTotalSize };
    const facts = { size, maxSize, ...sizes, ttlMs: this.#ttlMs, renewOnHit: this.#renewOnHit };
    return inspected("LruCache", facts, inspect, options);
  }

  /** Has all callers of a key wait for one promise, and stores its value, unless the key is set or deleted meanwhile. */
  #share(key: K, computed: Promise<V>, options: LruSetOptions | undefined): Promise<V> {
    const isLast = () => this.#computing?.get(key) === shared && this.#computing.delete(key);
    const shared: Promise<V> = computed.then((value) => {
      if (isLast()) this.set(key, value, options);
      return value;
    }, (error) => {
      isLast();
      throw error;
    });
    this.#computing ??= new Map();
    this.#computing.set(key, shared);
    return shared;
  }

  /** Returns the slot of a key whose entry has not expired; removes an expired entry. */
  #find(key: K): number | undefined {
    const slot = this.#index.get(key);
    if (slot === undefined || !this.#timed) return slot;
    const deadline = this.#slots.deadline(slot);
    return deadline === Infinity || this.#now() < deadline ? slot : this.#expire(slot);
  }

  #remainingMs(slot: number): number {
    const deadline = this.#slots.deadline(slot);
    return deadline === Infinity ? Infinity : deadline - this.#now();
  }

  /** Returns something of each entry that has not expired, the most recently used first. */
  #copied<T>(of: (slot: number) => T): T[] {
    const copied: T[] = [];
    const now = this.#timed ? this.#now() : -Infinity;
    for (let slot = this.#slots.newest; slot !== 0; slot = this.#slots.older(slot)) {
      if (now < this.#slots.deadline(slot)) copied.push(of(slot));
    }
    return copied;
  }

  #noSlots(): Slots {
    return new Slots(this.#renewOnHit ? this.#ttlMs : -this.#ttlMs);
  }

  #insert(slot: number, key: K): void {
    this.#slots.take();
    this.#keys[slot] = key;
  }

  /** Has the value of an entry leave for another, which makes the entry the one used last. */
  #leaveForAnother(slot: number, now: number): void {
    const expired = this.#timed && now >= this.#slots.deadline(slot);
    if (expired) this.#onLeaving?.(slot, "expired");
    if (this.#sizeOf !== undefined) this.#totalSize -= this.#sizes[slot];
    if (this.#onEvict !== undefined) {
      this.#left.push([this.#keys[slot] as K, this.#values[slot] as V, expired ? "expired" : "replaced"]);
    }
    this.#slots.toFront(slot);
  }

  #addSize(slot: number, size: number): void {
    if (slot >= this.#sizes.length) {
      const sizes = new Float64Array(2 * this.#sizes.length);
      sizes.set(this.#sizes);
      this.#sizes = sizes;
    }
    this.#sizes[slot] = size;
    this.#totalSize += size;
  }

  /** Removes an expired entry. Returns `undefined`, which `get` and `#find` return too. */
  #expire(slot: number): undefined {
    this.#remove(slot, "expired");
    this.#tell();
  }

  #remove(slot: number, reason: EvictReason): void {
    if (this.#onLeaving !== undefined) this.#onLeaving(slot, reason);
    const key = this.#keys[slot] as K;
    if (this.#onEvict !== undefined) this.#left.push([key, this.#values[slot] as V, reason]);
    this.#index.delete(key);
    this.#keys[slot] = undefined;
    this.#values[slot] = undefined;
    this.#slots.release(slot);
    if (this.#sizeOf === undefined) return;
    // An empty cache has size 0, even if fractions of sizes have not added up exactly.
    this.#totalSize = this.#index.size === 0 ? 0 : this.#totalSize - this.#sizes[slot];
  }

  #leaveAll(): void {
    const now = this.#timed ? this.#now() : -Infinity;
    for (let slot = this.#slots.newest; slot !== 0; slot = this.#slots.older(slot)) {
      const reason = now < this.#slots.deadline(slot) ? "deleted" : "expired";
      this.#left.push([this.#keys[slot] as K, this.#values[slot] as V, reason]);
    }
  }

  /** Calls `onEvict` for the entries that have left. It may use the cache, and is called again within that use. */
  #tell(): void {
    if (this.#left.length === 0) return;
    const left = this.#left;
    this.#left = [];
    let told = 0;
    try {
      while (told < left.length) this.#onEvict?.(...left[told++]);
    } finally {
      if (told < left.length) this.#left = left.slice(told).concat(this.#left);
    }
  }

  /** Removes expired entries from the next few slots, so that they leave even if their keys are never asked for. */
  #sweep(now: number): void {
    const slots = this.#slots;
    let at = this.#sweepAt;
    for (let looked = 0; looked < SWEEP_SLOTS && slots.end > 1; looked++) {
      at = at + 1 < slots.end ? at + 1 : 1;
      if (now >= slots.deadline(at)) this.#remove(at, "expired");
    }
    this.#sweepAt = at;
  }
}

function checkedSize(size: number): number {
  if (size >= 0 && size < Infinity) return size;
  throw new RangeError(`Cannot set entry: sizeOf must return a finite number of 0 or more: received ${size}`);
}
