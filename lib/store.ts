/**
 * The server's entries: flags and bytes under a key, bounded by count and by memory, the least recently used leaving
 * first, with expiration and counters. It knows nothing of what the bytes mean, of frames or of sockets.
 */

import { turnNow } from "./clock.ts";
import { hashBytes, type HashKey } from "./hash.ts";
import { KeyTable } from "./key_table.ts";
import { MAX_STORE_BYTES, MIN_STORE_BYTES } from "./limits.ts";
import { Records } from "./records.ts";
import type { Span } from "./span.ts";
import type { ServerStats } from "./stats.ts";
import { Sweep } from "./sweep.ts";

/** Options of {@linkcode Store}; the names are those of the server's options. */
export interface StoreOptions {
  /** Entries held at most; `Infinity` leaves it to `maxBytes`. */
  maxSize: number;
  /** Memory held at most, in bytes: 64 KiB to 16 GiB, which is what is taken without it. */
  maxBytes?: number;
  /** Milliseconds until an entry expires that comes without a time to live; 0 or `Infinity` is never. */
  ttlMs: number;
  /** Whether a hit restarts the entry's time to live. */
  renewOnHit: boolean;
  /** Two random numbers, against keys chosen to collide. */
  hashKey: HashKey;
  /** The clock, in milliseconds. */
  now?: () => number;
}

/** What is to be stored under a key. */
export interface EntryInput {
  flags: number;
  /** The value's bytes; they are copied. */
  value: Span;
  /** Milliseconds until it expires, 0 or `Infinity` for never; `undefined` is the store's default. */
  ttlMs: number | undefined;
}

/** What a store counts, and what it holds now. */
export type StoreStats = Pick<
  ServerStats,
  "entries" | "bytes" | "memoryBytes" | "hits" | "misses" | "stores" | "deletions" | "evictions" | "expirations"
>;

/** Segments are of this size, and smaller where the limit would be fewer than `LEAST_SEGMENTS` of them. */
const SEGMENT_BYTES = 512 * 1024;
const SMALLEST_SEGMENT_BYTES = 8 * 1024;
const LEAST_SEGMENTS = 128;
/** Places where a `set` looks for expired entries: more than one, or they could grow faster than they are found. */
const SWEEP_STEPS = 4;
/** Bytes of records among which a `maintain` closes holes. */
const TIDY_BYTES = 128 * 1024;
/** Places where a `maintain` looks for expired entries: about a quarter of a millisecond's worth. */
const MAINTAIN_STEPS = 2000;
/** Segments whose memory a `maintain` gives back after a `clear`. */
const GIVE_BACK = 16;

/**
 * Bounded entries in memory outside the garbage-collected heap. A position that it returns is valid until it is told to
 * change anything.
 */
export class Store {
  /** Entries held at most. */
  readonly maxSize: number;
  /** Memory held at most, in bytes, if that is limited. */
  readonly maxBytes: number | undefined;

  readonly #segmentBytes: number;
  readonly #limitBytes: number;
  readonly #ttlMs: number;
  readonly #renewOnHit: boolean;
  readonly #hashKey: HashKey;
  readonly #now: () => number;
  #records!: Records;
  #table!: KeyTable;
  #size = 0;
  #newest = 0;
  #oldest = 0;
  /** Whether any entry has had a deadline: until then the clock is not read. */
  #timed = false;
  #sweep!: Sweep;
  /** Records of before a `clear`, whose memory is still to be given back. */
  #cleared: Records[] = [];
  #hits = 0;
  #misses = 0;
  #stores = 0;
  #deletions = 0;
  #evictions = 0;
  #expirations = 0;

  /** @throws {RangeError} If a limit is out of range. */
  constructor(options: StoreOptions) {
    const { maxSize, maxBytes, ttlMs, renewOnHit, hashKey, now } = options;
    if (!(maxSize >= 1)) throw new RangeError(`Cannot create store: maxSize must be 1 or more: received ${maxSize}`);
    if (maxBytes !== undefined && !(maxBytes >= MIN_STORE_BYTES && maxBytes <= MAX_STORE_BYTES)) {
      const allowed = `${MIN_STORE_BYTES} to ${MAX_STORE_BYTES}`;
      throw new RangeError(`Cannot create store: maxBytes must be ${allowed}: received ${maxBytes}`);
    }
    if (!(ttlMs >= 0)) throw new RangeError(`Cannot create store: ttlMs must be 0 or more: received ${ttlMs}`);
    this.maxSize = maxSize;
    this.maxBytes = maxBytes;
    this.#limitBytes = maxBytes ?? MAX_STORE_BYTES;
    const most = 2 ** Math.floor(Math.log2(this.#limitBytes / LEAST_SEGMENTS));
    this.#segmentBytes = Math.min(SEGMENT_BYTES, Math.max(SMALLEST_SEGMENT_BYTES, most));
    this.#ttlMs = ttlMs === 0 ? Infinity : ttlMs;
    this.#renewOnHit = renewOnHit;
    this.#hashKey = hashKey;
    this.#now = now ?? turnNow;
    this.#reset();
  }

  /**
   * Looks an entry up, as a use of it.
   *
   * @returns Its position, or 0 on a miss.
   */
  get(key: Span): number {
    const position = this.#lookup(hashBytes(key, this.#hashKey), key);
    if (position === 0 || (this.#timed && !this.#isCurrent(position))) {
      this.#misses++;
      return 0;
    }
    this.#hits++;
    this.#toFront(position);
    return position;
  }

  /** Flags of the entry at a position. */
  flags(position: number): number {
    return this.#records.flags(position);
  }

  /** Bytes of the value at a position. */
  valueBytes(position: number): number {
    return this.#records.valueBytes(position);
  }

  /** Copies the value at a position to a place in an array that has room for it. */
  copyValue(position: number, target: Uint8Array, at: number): void {
    this.#records.copyValue(position, target, at);
  }

  /** Tells whether a key has an entry, without using it. */
  has(key: Span): boolean {
    return this.#find(key) !== 0;
  }

  /** Stores an entry as the most recently used. Returns false, with no entry left, if it alone is over the limit. */
  set(key: Span, { flags, value, ttlMs = this.#ttlMs }: EntryInput): boolean {
    const records = this.#records;
    const hash = hashBytes(key, this.#hashKey);
    let known = this.#lookup(hash, key);
    if (known !== 0 && this.#timed && this.#isExpired(known, this.#now())) {
      this.#expire(known);
      known = 0;
    }
    const bytes = records.entryBytes(key.to - key.from, value.to - value.from);
    if (bytes > this.maxEntryBytes) {
      if (known !== 0) {
        this.#remove(known);
        this.#deletions++;
      }
      return false;
    }
    const ttl = ttlMs === 0 ? Infinity : ttlMs;
    if (ttl !== Infinity) this.#timed = true;
    const nowMs = this.#timed ? this.#now() : 0;
    if (known !== 0 && records.fits(known, value.to - value.from)) {
      records.replace(known, value);
      this.#fill(known, flags, nowMs, ttl);
      this.#toFront(known);
    } else {
      if (known !== 0) this.#remove(known);
      this.#makeRoom(bytes, nowMs);
      const position = records.add(hash, key, value);
      this.#fill(position, flags, nowMs, ttl);
      this.#table.insert(hash, position);
      this.#linkNewest(position);
      this.#size++;
    }
    this.#stores++;
    if (this.#timed) this.#sweep.run(SWEEP_STEPS, nowMs);
    return true;
  }

  /** Restarts an entry's time to live, or gives it another, and makes it the most recently used. */
  touch(key: Span, ttlMs: number | undefined): boolean {
    const position = this.#find(key);
    if (position === 0) return false;
    const ttl = ttlMs === undefined ? this.#records.ttlMs(position) : ttlMs === 0 ? Infinity : ttlMs;
    if (ttl !== Infinity) this.#timed = true;
    this.#setTimes(position, this.#timed ? this.#now() : 0, ttl);
    this.#toFront(position);
    return true;
  }

  /** Removes an entry. Returns whether there was one. */
  delete(key: Span): boolean {
    const position = this.#find(key);
    if (position === 0) return false;
    this.#remove(position);
    this.#deletions++;
    return true;
  }

  /** Removes all entries. Their memory goes back to the system with the next calls of `maintain`. */
  clear(): void {
    this.#deletions += this.#size;
    if (this.#records.slab.heldBytes > 0) this.#cleared.push(this.#records);
    this.#table.abandon();
    this.#reset();
  }

  /**
   * Does a slice of the work that no request asks for: drops expired entries, closes holes, gives memory back. For a
   * timer; each slice takes about half a millisecond.
   *
   * @returns Whether there is more to do at once.
   */
  maintain(): boolean {
    const isSweeping = this.#timed && this.#sweep.run(MAINTAIN_STEPS, this.#now());
    const isTidying = this.#records.slab.tidy(TIDY_BYTES);
    this.#giveBack(GIVE_BACK);
    return isSweeping || isTidying || this.#cleared.length > 0;
  }

  /** Bytes of memory that an entry takes, its share of the table excepted. */
  entryBytes(keyBytes: number, valueBytes: number): number {
    return this.#records.entryBytes(keyBytes, valueBytes);
  }

  /** Bytes that one entry may take. */
  get maxEntryBytes(): number {
    return this.#records.slab.capacityBytes;
  }

  /** Counters and sizes. */
  stats(): StoreStats {
    const { slab } = this.#records;
    const tableBytes = this.#size === 0 ? 0 : this.#table.bytes;
    return {
      entries: this.#size,
      bytes: slab.liveBytes + tableBytes,
      memoryBytes: slab.heldBytes + tableBytes + this.#clearedBytes,
      hits: this.#hits,
      misses: this.#misses,
      stores: this.#stores,
      deletions: this.#deletions,
      evictions: this.#evictions,
      expirations: this.#expirations,
    };
  }

  get #clearedBytes(): number {
    return this.#cleared.reduce((sum, { slab }) => sum + slab.heldBytes, 0);
  }

  /** Gives back memory of before a `clear`. */
  #giveBack(segments: number): void {
    const [cleared] = this.#cleared;
    if (cleared !== undefined && !cleared.slab.abandon(segments)) this.#cleared.shift();
  }

  #reset(): void {
    this.#records = new Records(this.#segmentBytes, (from, to) => this.#moved(from, to));
    this.#table = new KeyTable(this.#segmentBytes);
    this.#size = this.#newest = this.#oldest = 0;
    this.#timed = false;
    this.#sweep = new Sweep(this.#records, (position) => this.#expire(position));
    this.#limit();
  }

  /** The table counts against the limit like the records. */
  #limit(): void {
    this.#records.slab.limitBytes = this.#limitBytes - this.#table.bytes - this.#table.growthBytes;
  }

  /** Position of the entry that has a key and has not expired, or 0; an expired one leaves here. */
  #find(key: Span): number {
    const position = this.#lookup(hashBytes(key, this.#hashKey), key);
    if (position === 0 || !this.#timed || !this.#isExpired(position, this.#now())) return position;
    this.#expire(position);
    return 0;
  }

  #lookup(hash: number, key: Span): number {
    const table = this.#table;
    let position = table.find(hash);
    while (position !== 0 && !this.#records.hasKey(position, key)) position = table.findNext();
    return position;
  }

  /**
   * Whether an entry that is being used has not expired; an expired one leaves here. A deadline that is renewed only moves
   * away, so its segment's earliest stays as it is: a bound, made exact by the next sweep.
   */
  #isCurrent(position: number): boolean {
    const deadlineMs = this.#records.deadlineMs(position);
    if (deadlineMs === Infinity) return true;
    const nowMs = this.#now();
    if (deadlineMs <= nowMs) {
      this.#expire(position);
      return false;
    }
    if (this.#renewOnHit) this.#records.setDeadlineMs(position, nowMs + this.#records.ttlMs(position));
    return true;
  }

  #isExpired(position: number, nowMs: number): boolean {
    return this.#records.deadlineMs(position) <= nowMs;
  }

  #expire(position: number): void {
    this.#remove(position);
    this.#expirations++;
  }

  #remove(position: number): void {
    this.#unlink(position);
    this.#table.remove(this.#records.hash(position), position);
    this.#records.remove(position);
    this.#size--;
  }

  /** Drops the least recently used until there is room for one more entry. */
  #makeRoom(bytes: number, nowMs: number): void {
    const { slab } = this.#records;
    while (this.#size >= this.maxSize) this.#dropOldest(nowMs);
    this.#limit();
    // What comes in now must not be held beside what was cleared: each segment may end with some waste, and three more
    // are needed beside.
    const needBytes = bytes / 0.9 + 3 * slab.segmentBytes;
    while (this.#cleared.length > 0 && slab.heldBytes + this.#clearedBytes + needBytes > slab.limitBytes) {
      this.#giveBack(1);
    }
    slab.cleanAhead(bytes);
    while (this.#size > 0 && slab.liveBytes + bytes > slab.capacityBytes) this.#dropOldest(nowMs);
    while (!slab.reserve(bytes) && this.#size > 0) {
      // Holes too small to be worth closing: they must become larger.
      const target = slab.liveBytes - slab.segmentBytes / 8;
      while (this.#size > 0 && slab.liveBytes > target) this.#dropOldest(nowMs);
    }
  }

  #dropOldest(nowMs: number): void {
    const position = this.#oldest;
    if (this.#timed && this.#isExpired(position, nowMs)) return this.#expire(position);
    this.#remove(position);
    this.#evictions++;
  }

  #fill(position: number, flags: number, nowMs: number, ttlMs: number): void {
    this.#records.setFlags(position, flags);
    this.#setTimes(position, nowMs, ttlMs);
  }

  #setTimes(position: number, nowMs: number, ttlMs: number): void {
    this.#records.setTtlMs(position, ttlMs);
    this.#records.setDeadlineMs(position, nowMs + ttlMs);
    this.#sweep.note(position, nowMs + ttlMs);
  }

  /** Leads to an entry that has moved: its neighbours in recency, the table, and the deadlines of its segment. */
  #moved(from: number, to: number): void {
    const records = this.#records;
    const newer = records.newer(to);
    const older = records.older(to);
    if (newer === 0) this.#newest = to;
    else records.setOlder(newer, to);
    if (older === 0) this.#oldest = to;
    else records.setNewer(older, to);
    this.#table.move(records.hash(to), from, to);
    if (this.#timed) this.#sweep.note(to, records.deadlineMs(to));
  }

  #toFront(position: number): void {
    if (position === this.#newest) return;
    this.#unlink(position);
    this.#linkNewest(position);
  }

  #unlink(position: number): void {
    const records = this.#records;
    const newer = records.newer(position);
    const older = records.older(position);
    if (newer === 0) this.#newest = older;
    else records.setOlder(newer, older);
    if (older === 0) this.#oldest = newer;
    else records.setNewer(older, newer);
  }

  #linkNewest(position: number): void {
    const records = this.#records;
    records.setNewer(position, 0);
    records.setOlder(position, this.#newest);
    if (this.#newest === 0) this.#oldest = position;
    else records.setNewer(this.#newest, position);
    this.#newest = position;
  }
}
