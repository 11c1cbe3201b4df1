/** A naive model of a store: a map in order of use. Random operations are done on both, and must come to the same. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import type { ByteSpan } from "../../lib/base/byte_span.ts";
import type { MissCounts, StoreStats } from "../../lib/base/stats.ts";
import { MOST_CLEARED } from "../../lib/store/misses.ts";
import type { Store } from "../../lib/store/store.ts";
import { type Below, belowOf, fixture, noise, noiseSpan, sameBytes } from "./store_entries.ts";
import type { StoreSettings, TestClock } from "./stores.ts";

/** How random operations go. */
export interface Course {
  readonly settings: StoreSettings;
  readonly operations: number;
  /** Keys to choose from. */
  readonly keys: number;
  /** Lengths of values, in turn for equal parts of the operations. */
  readonly lengths: readonly ((below: Below) => number)[];
  /** Whether entries have times to live and time passes. */
  readonly isTimed: boolean;
  /** One operation of so many is followed by a clear. */
  readonly clearEvery: number;
}

type Why = keyof MissCounts;

interface Expected {
  flags: number;
  value: ByteSpan;
  deadlineMs: number;
  ttlMs: number;
}

const KEY_BYTES = 4;

/** Does random operations on a store and on its model, and compares them after each. */
export function assertLikeModel(course: Course): void {
  new Comparison(course).run();
}

/** What lives or has expired, the least recently used first. */
class Model {
  readonly #clock: TestClock;
  readonly #entries = new Map<number, Expected>();
  /** Of what has left, why: what may be counted if it is asked for. */
  readonly #whys = new Map<number, readonly Why[]>();
  #order = this.#entries.keys();

  constructor(clock: TestClock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Whether there is an entry, be it one that has expired and that nobody has looked at since. */
  hasAny(id: number): boolean {
    return this.#entries.has(id);
  }

  alive(id: number): Expected | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined || entry.deadlineMs > this.#clock.nowMs) return entry;
    this.delete(id, "expired");
    return undefined;
  }

  /** Why a key without an entry has none. */
  whyOf(id: number): readonly Why[] {
    return this.#whys.get(id) ?? ["absent"];
  }

  /** Makes an entry the most recently used. */
  use(id: number, entry: Expected): void {
    this.#entries.delete(id);
    this.#entries.set(id, entry);
  }

  delete(id: number, ...whys: readonly Why[]): void {
    this.#entries.delete(id);
    this.#whys.set(id, whys);
  }

  /** Removes everything; what has expired may have left before, or not. Returns how many lived. */
  clear(): number {
    let lived = 0;
    for (const id of [...this.#entries.keys()]) {
      if (this.alive(id) === undefined) this.delete(id, "expired", "cleared");
      else {
        this.delete(id, "cleared");
        lived++;
      }
    }
    this.#order = this.#entries.keys();
    return lived;
  }

  /** Takes note that of what has left by now nothing need be remembered. */
  forget(): void {
    for (const [id, whys] of this.#whys) this.#whys.set(id, [...whys, "absent"]);
  }

  /** Takes the oldest that is alive out, and what has expired before it. */
  evict(): Expected {
    while (this.#entries.size > 0) {
      let next = this.#order.next();
      if (next.done === true) next = (this.#order = this.#entries.keys()).next();
      const oldest = this.alive(next.value!);
      if (oldest === undefined) continue;
      this.delete(next.value!, "evicted");
      return oldest;
    }
    throw new Error("evicted more than lived");
  }
}

class Comparison {
  readonly #course: Course;
  readonly #store: Store;
  readonly #clock: TestClock;
  readonly #model: Model;
  readonly #below: Below;
  readonly #maxBytes: number;
  readonly #defaultTtlMs: number;
  readonly #keyBytes = new Uint8Array(12).fill(7);
  readonly #keyNumber = new DataView(this.#keyBytes.buffer);
  readonly #key: ByteSpan = { bytes: this.#keyBytes, from: 3, to: 3 + KEY_BYTES };
  readonly #copy = new Uint8Array(noise.length);
  readonly #copyView = new DataView(this.#copy.buffer);
  readonly #counted = { hits: 0, misses: 0, stores: 0, deletions: 0, evictions: 0 };
  /** Keys by their place in the store's memory of what has left, and reasons for which any was missed. */
  readonly #keysByPlace = new Map<number, number>();
  readonly #reasons = new Set<Why>();
  #added = 0;
  /** Entries that a set may have replaced after their time, and a clear may have removed. */
  #replacedLate = 0;
  #clearedLate = 0;
  #mostBytes = 0;
  #before: StoreStats;

  constructor(course: Course) {
    this.#course = course;
    const { store, clock } = fixture(course.settings);
    this.#store = store;
    this.#clock = clock;
    this.#model = new Model(clock);
    this.#below = belowOf(course.operations + course.keys);
    this.#before = store.stats();
    const { maxBytes = Infinity, ttlMs = 10 } = course.settings;
    this.#maxBytes = maxBytes;
    this.#defaultTtlMs = ttlMs === 0 ? Infinity : ttlMs;
    for (let id = 0; id < course.keys; id++) {
      const place = this.#placeOf(id);
      this.#keysByPlace.set(place, 1 + (this.#keysByPlace.get(place) ?? 0));
    }
  }

  run(): void {
    const { operations, keys, clearEvery } = this.#course;
    for (let i = 0; i < operations; i++) {
      this.#operate(this.#choose(this.#below(keys)), i);
      if (this.#below(clearEvery) === 0) this.#clear();
      this.#compareCounters();
      if (i % Math.floor(operations / 5) === 0 || i === operations - 1) this.#compareAll();
      this.#before = this.#store.stats();
    }
    const { isTimed } = this.#course;
    for (const why of ["absent", "deleted", "cleared", isTimed ? "expired" : "evicted"] as const) {
      assert(this.#reasons.has(why), `nothing that is ${why} was asked for`);
    }
    assert(this.#mostBytes <= this.#maxBytes, `${this.#mostBytes - this.#maxBytes} bytes over ${this.#maxBytes}`);
  }

  /** Makes a key the one that is used. */
  #choose(id: number): number {
    this.#keyNumber.setUint32(3, id);
    return id;
  }

  #operate(id: number, i: number): void {
    const { lengths, operations, isTimed } = this.#course;
    const what = this.#below(100);
    if (what < 40) this.#set(id, lengths[Math.floor(i / operations * lengths.length)](this.#below));
    else if (what < 75) this.#get(id);
    else if (what < 80) assertStrictEquals(this.#store.has(this.#key), this.#model.alive(id) !== undefined);
    else if (what < 85) this.#touch(id);
    else if (what < 91) this.#delete(id);
    else if (what < 94) this.#store.maintain();
    else if (isTimed) this.#clock.nowMs += this.#below(10) === 0 ? this.#below(100) : this.#below(4);
  }

  #set(id: number, length: number): void {
    const store = this.#store;
    const value = noiseSpan(length, this.#below);
    const flags = this.#below(2 ** 32);
    const ownTtlMs = this.#ownTtl();
    const ttlMs = ownTtlMs === undefined ? this.#defaultTtlMs : ownTtlMs === 0 ? Infinity : ownTtlMs;
    const fits = store.reader.entryBytes(KEY_BYTES, length) <= store.maxEntryBytes;
    const hadAny = this.#model.hasAny(id);
    const had = this.#model.alive(id) !== undefined;
    assertStrictEquals(store.set(this.#key, { flags, value, ttlMs: ownTtlMs }), fits);
    this.#model.delete(id, "deleted"); // unless it fits
    if (hadAny && !had) this.#replacedLate++;
    if (!fits) {
      assertStrictEquals(store.stats().evictions, this.#before.evictions);
      if (had) this.#counted.deletions++;
      return;
    }
    this.#evict(had);
    this.#counted.stores++;
    if (!had) this.#added++;
    this.#model.use(id, { flags, value, deadlineMs: this.#clock.nowMs + ttlMs, ttlMs });
    assertStrictEquals(store.has(this.#key), true);
    if (this.#below(4) === 0) this.#get(id);
  }

  #ownTtl(): number | undefined {
    if (!this.#course.isTimed || this.#below(2) === 0) return undefined;
    return [0, Infinity, 1 + this.#below(500), 20 * this.#below(2 ** 30) / 2 ** 30, 2 ** 25 + 1][this.#below(5)];
  }

  /** Takes out of the model what the store has evicted for a new entry, or for a larger value where it had one. */
  #evict(had: boolean): void {
    const store = this.#store;
    const { isTimed } = this.#course;
    const { evictions, bytes } = store.stats();
    const isUnbounded = this.#maxBytes === Infinity;
    if (!isTimed && isUnbounded) {
      const isFull = !had && this.#before.entries === store.maxSize;
      assertStrictEquals(evictions - this.#before.evictions, isFull ? 1 : 0);
    }
    for (; this.#counted.evictions < evictions; this.#counted.evictions++) {
      const { value } = this.#model.evict();
      if (isTimed || isUnbounded || this.#counted.evictions < evictions - 1) continue;
      const lastBytes = store.reader.entryBytes(KEY_BYTES, value.to - value.from);
      assert(bytes + lastBytes > 0.9 * store.maxEntryBytes, `one of ${lastBytes} bytes evicted down to ${bytes}`);
    }
  }

  #get(id: number): void {
    const { reader } = this.#store;
    const before = this.#store.stats().missesByReason;
    const position = this.#store.get(this.#key);
    const entry = this.#model.alive(id);
    if (entry === undefined) {
      assertStrictEquals(position, 0, `found ${id}`);
      this.#counted.misses++;
      return this.#compareReason(id, before);
    }
    assert(position !== 0, `lost ${id}`);
    this.#counted.hits++;
    assertStrictEquals(reader.flags(position), entry.flags);
    assertStrictEquals(reader.valueBytes(position), entry.value.to - entry.value.from);
    reader.copyValue(position, this.#copy, 1, id % 2 === 0 ? undefined : this.#copyView);
    if (!sameBytes(this.#copy, 1, entry.value)) throw new Error(`value of ${id} is not what was stored`);
    const renews = this.#course.settings.renewOnHit !== false;
    if (renews && entry.ttlMs !== Infinity) entry.deadlineMs = this.#clock.nowMs + Math.fround(entry.ttlMs);
    this.#model.use(id, entry);
  }

  /** A miss counts for the reason for which the key has left, or as absent where another's may stand in the place of that. */
  #compareReason(id: number, before: MissCounts): void {
    const counted = Object.entries(this.#store.stats().missesByReason) as [Why, number][];
    const changed = counted.filter(([name, count]) => count !== before[name]);
    assertEquals(changed.map(([name, count]) => count - before[name]), [1]);
    const [[why]] = changed;
    const isRight = this.#model.whyOf(id).includes(why) || (why === "absent" && this.#sharesPlace(id));
    assert(isRight, `${id} is ${why} and not ${this.#model.whyOf(id)}`);
    this.#reasons.add(why);
  }

  /** Whether why a key has left is remembered in the place of another key's. */
  #sharesPlace(id: number): boolean {
    return this.#keysByPlace.get(this.#placeOf(id))! > 1;
  }

  #placeOf(id: number): number {
    this.#choose(id);
    return this.#store.hash(this.#key) & this.#store.misses.places - 1;
  }

  #touch(id: number): void {
    const ttlMs = this.#course.isTimed ? [undefined, 0, 1 + this.#below(500)][this.#below(3)] : undefined;
    const entry = this.#model.alive(id);
    assertStrictEquals(this.#store.touch(this.#key, ttlMs), entry !== undefined);
    if (entry === undefined) return;
    if (ttlMs === undefined) entry.ttlMs = Math.fround(entry.ttlMs);
    else entry.ttlMs = ttlMs === 0 ? Infinity : ttlMs;
    entry.deadlineMs = this.#clock.nowMs + entry.ttlMs;
    this.#model.use(id, entry);
  }

  #delete(id: number): void {
    const isAlive = this.#model.alive(id) !== undefined;
    assertStrictEquals(this.#store.delete(this.#key), isAlive);
    this.#model.delete(id, "deleted");
    if (isAlive) this.#counted.deletions++;
  }

  #clear(): void {
    const { entries } = this.#store.stats();
    this.#store.clear();
    const lived = this.#model.clear();
    if (entries > MOST_CLEARED) this.#model.forget();
    this.#counted.deletions += lived;
    this.#clearedLate += entries - lived;
  }

  /** Each entry that has left has been counted once, but for those that left after their time for another. */
  #compareCounters(): void {
    const counted = this.#counted;
    const stats = this.#store.stats();
    const { hits, misses, missesByReason, stores, deletions, evictions, expirations, entries } = stats;
    this.#mostBytes = Math.max(this.#mostBytes, stats.memoryBytes);
    assert(entries <= this.#store.maxSize, `${entries} entries`);
    assert(stats.bytes <= stats.memoryBytes);
    assertStrictEquals(hits, counted.hits);
    assertStrictEquals(misses, counted.misses);
    assertStrictEquals(Object.values(missesByReason).reduce((sum, count) => sum + count), misses);
    assertStrictEquals(stores, counted.stores);
    assertStrictEquals(evictions, counted.evictions);
    const isDeleted = deletions >= counted.deletions && deletions <= counted.deletions + this.#clearedLate;
    assert(isDeleted, `${deletions} deletions`);
    const uncounted = this.#added - entries - deletions - evictions - expirations;
    assert(uncounted >= 0 && uncounted <= this.#replacedLate, `${uncounted} entries went uncounted`);
    if (!this.#course.isTimed) assertEquals([entries, expirations], [this.#model.size, 0]);
  }

  #compareAll(): void {
    for (let id = 0; id < this.#course.keys; id++) {
      this.#choose(id);
      assertStrictEquals(this.#store.has(this.#key), this.#model.alive(id) !== undefined, `${id}`);
    }
  }
}
