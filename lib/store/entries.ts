/**
 * Entries and graves by key, in order of use, within limits of count and memory. It knows their versions and deadlines,
 * not who asks for them, what time it is, or what the bytes mean.
 */

import { Arrivals, usedMs } from "./arrivals.ts";
import type { EntriesOptions } from "./entries_options.ts";
import { RecordList } from "./record_list.ts";
import { hashBytes } from "./keyed_hash.ts";
import type { History } from "./history.ts";
import { CAUSE, type Cause } from "./store_listener.ts";
import { type HashedPosition, HashIndex } from "./hash_index.ts";
import { ENTRY, MARK, type NewEntry, PREFIX, TOMB } from "./entry.ts";
import { PrefixClears } from "./prefix_clears.ts";
import { Records } from "./records.ts";
import { beginsWith, type ByteSpan } from "../base/byte_span.ts";
import { ExpirySweep } from "./expiry_sweep.ts";
import { WHY, type Why } from "./misses.ts";
import { compareVersions, timeOf, type Version } from "./version.ts";

/** Where a search for covered entries goes on; it begins at `{ h: 0 }`. */
export interface SweepCursor {
  /** The version from which on entries come next. */
  h: number;
}

/** Bytes of a segment; fewer where the memory limit is below `LEAST_SEGMENTS` segments of this size. */
const SEGMENT_BYTES = 512 * 1024;
const SMALLEST_SEGMENT_BYTES = 8 * 1024;
const LEAST_SEGMENTS = 128;
/** Part of the memory that graves may take, and part of it that clears of prefixes may. */
const GRAVES_SHARE = 1 / 8;
const PREFIXES_SHARE = 1 / 16;
/** Places that take as long to be looked at as one entry to be erased. */
const ERASE_PLACES = 4;
/** Entries that are prefetched at a time, at most. */
export const MAX_PREFETCHED = 32;
const NOTHING: ByteSpan = { bytes: new Uint8Array(0), from: 0, to: 0 };

/** Entries and graves. A position is valid until anything is added or removed, or holes are closed. */
export class Entries {
  /** The records in which entries and graves lie. */
  readonly records: Records;
  /** The order in which entries and graves were written. */
  readonly history: History;
  /** Entries in order of use. */
  readonly order: RecordList;
  /** Puts what other nodes have used into that order. */
  readonly #arrivals: Arrivals;
  /** Whether any entry has had a deadline. */
  isTimed = false;
  /** Whether any entry has been aging. */
  isAging = false;
  /** Clears of prefixes. */
  readonly prefixes: PrefixClears = new PrefixClears();
  /** Among entries with versions up to this are some that have been cleared and only wait to be erased; 0 if there are none. */
  doomed = 0;
  /** Rounds of erasing: the number of the one under way, where it goes on, and the last one that has to be done. */
  #round = 1;
  readonly #erasing: SweepCursor = { h: 0 };
  #lastRound = 0;
  readonly #options: EntriesOptions;
  readonly #table: HashIndex;
  readonly #graves: RecordList;
  readonly #sweep: ExpirySweep;
  #graveBytes = 0;
  /** The key of a record that leaves. */
  readonly #key: ByteSpan = { ...NOTHING };
  readonly #prefetched = new Int32Array(MAX_PREFETCHED);
  readonly #prefetchedBeside = new Int32Array(2 * MAX_PREFETCHED);

  constructor(options: EntriesOptions, history: History) {
    this.#options = options;
    const most = 2 ** Math.floor(Math.log2(options.limitBytes / LEAST_SEGMENTS));
    const segmentBytes = Math.min(SEGMENT_BYTES, Math.max(SMALLEST_SEGMENT_BYTES, most));
    this.records = new Records(segmentBytes, (from, to) => this.#moved(from, to));
    this.history = history;
    history.attach(this.records);
    this.order = new RecordList(this.records);
    this.#arrivals = new Arrivals(this.records, this.order);
    this.#graves = new RecordList(this.records);
    this.#table = new HashIndex(segmentBytes);
    this.#sweep = new ExpirySweep(this.records, (position) => this.expire(position), options.sweeps);
    this.#limit();
  }

  /** Memory of entries, graves and the table, in bytes. */
  get bytes(): number {
    return this.records.slab.liveBytes + this.#tableBytes;
  }

  /** Memory held, in bytes, the room between entries included. */
  get heldBytes(): number {
    return this.records.slab.heldBytes + this.#tableBytes;
  }

  /** Bytes that one entry may take. */
  get maxEntryBytes(): number {
    return this.records.slab.capacityBytes;
  }

  /** Hash of a key. */
  hash(key: ByteSpan): number {
    return hashBytes(key, this.#options.hashKey);
  }

  /** Position of a key's entry or grave, or 0. */
  lookup(hash: number, key: ByteSpan): number {
    const table = this.#table;
    let position = table.find(hash);
    while (position !== 0 && !this.records.hasKey(position, key)) position = table.findNext();
    return position;
  }

  /** Reads what uses of the entries of the first `count` hashes will read: loads that do not wait for each other. */
  prefetch(hashes: Int32Array, count: number): void {
    const { records } = this;
    const table = this.#table;
    const found = this.#prefetched;
    const beside = this.#prefetchedBeside;
    let seen = 0;
    for (let i = 0; i < count; i++) seen ^= table.home(hashes[i]);
    for (let i = 0; i < count; i++) found[i] = table.find(hashes[i]);
    for (let i = 0; i < count; i++) {
      beside[2 * i] = beside[2 * i + 1] = 0;
      const position = found[i];
      if (position === 0) continue;
      beside[2 * i] = records.newer(position);
      beside[2 * i + 1] = records.older(position);
      seen ^= records.near(position);
    }
    for (let i = 0; i < 2 * count; i++) if (beside[i] !== 0) seen ^= records.hash(beside[i]);
    found[0] = seen; // `seen` must be used, or the compiler leaves the loads out
  }

  /** Position of a key's entry or grave, or 0. An expired entry becomes a grave first, which may be dropped at once. */
  settled(hash: number, key: ByteSpan, nowMs: number): number {
    const position = this.lookup(hash, key);
    if (position === 0 || this.records.kind(position) !== ENTRY || this.isLive(position, nowMs)) return position;
    return this.lookup(hash, key);
  }

  /** Whether there is a living entry at a position, not a grave; an expired or cleared entry is removed. */
  isLive(position: number, nowMs: number): boolean {
    if (this.records.kind(position) !== ENTRY) return false;
    if (this.isDoomed(position)) {
      this.eraseCleared(position);
      return false;
    }
    if (!this.isTimed || this.records.deadlineMs(position) > nowMs) return true;
    this.expire(position);
    return false;
  }

  /** Whether the living entry at a position is fresh, not only kept, and not withheld. */
  isFresh(position: number, nowMs: number): boolean {
    return !this.isAging || (this.records.freshUntilMs(position) > nowMs && !this.isWithheld(position));
  }

  /** Whether the entry at a position is kept from clients for now. */
  isWithheld(position: number): boolean {
    // A record without a version may have any number in its place.
    return this.history.withheldBelow !== 0 && this.records.h(position) < this.history.withheldBelow;
  }

  /** Whether the entry or grave at a position has been cleared, and only waits to be erased. */
  isDoomed(position: number): boolean {
    if (this.doomed === 0) return false;
    const h = this.records.h(position);
    if (h > this.doomed) return false;
    if (h <= this.history.cleared) return true;
    this.records.leadToKey(position, this.#key);
    const clear = this.prefixes.newestOf(this.#key);
    return clear !== undefined && h <= clear.h && compareVersions(this.history.version(position), clear) < 0;
  }

  /** Goes through the fresh entries by hash, as `HashIndex.walk` does; removes none. */
  walk(from: number, nowMs: number): { found: HashedPosition[]; next: number } {
    const { records } = this;
    const { found, next } = this.#table.walk(from);
    const isHere = ({ position }: HashedPosition) =>
      records.kind(position) === ENTRY && !this.isDoomed(position) && records.freshUntilMs(position) > nowMs &&
      !this.isWithheld(position);
    return { found: found.filter(isHere), next };
  }

  /** Adds an entry as the most recently used, dropping others to make room. Its key must have no entry or grave. */
  add(hash: number, key: ByteSpan, version: Version, entry: NewEntry, nowMs: number): void {
    while (this.order.size >= this.#options.maxSize) this.#dropOldest(nowMs);
    this.#makeRoom(this.#bytesOf(key, entry.value), nowMs);
    const position = this.#insert(hash, key, version, entry.value);
    this.order.add(position);
    this.fill(position, entry, nowMs);
  }

  /**
   * Adds an entry of another node as used when it was used there, dropping others to make room, but none that was used
   * later. Its key must have no entry or grave.
   *
   * @param isInUse Whether the entry it replaces was used later here: then it is added as the most recently used.
   * @returns Whether it was added: otherwise it is the one that must leave.
   */
  arrive(
    hash: number,
    key: ByteSpan,
    version: Version,
    entry: NewEntry,
    isInUse: boolean,
    nowMs: number,
  ): boolean {
    if (isInUse) {
      this.add(hash, key, version, entry, nowMs);
      return true;
    }
    const arrivalMs = usedMs(version.h, entry.marks, entry.deadlineMs, entry.ttlMs);
    while (this.order.size >= this.#options.maxSize) if (!this.#dropOldest(nowMs, arrivalMs)) return false;
    if (!this.#makeRoom(this.#bytesOf(key, entry.value), nowMs, arrivalMs)) return false;
    const position = this.#insert(hash, key, version, entry.value);
    this.fill(position, entry, nowMs);
    this.#arrivals.add(position, arrivalMs, timeOf(this.history.knowledge.own.known));
    return true;
  }

  /** Whether the entry at a position has been used after the time of a version. */
  isUsedSince(position: number, { h }: Version): boolean {
    return this.#arrivals.isUsedSince(position, timeOf(h));
  }

  /** Adds a grave. Its key must have no entry or grave. */
  addGrave(hash: number, key: ByteSpan, version: Version, nowMs: number): void {
    this.#makeRoom(this.#bytesOf(key, NOTHING), nowMs);
    this.#buryUnordered(this.#insert(hash, key, version, NOTHING));
    this.limitGraves();
  }

  /** Adds a clear of a prefix that no other covers: what it clears is not found from now on. */
  addPrefix(prefix: ByteSpan, version: Version, nowMs: number): void {
    this.#makeRoom(this.#bytesOf(prefix, NOTHING), nowMs);
    const position = this.records.add(0, prefix, NOTHING);
    this.records.bury(position, PREFIX);
    this.history.add(position, version);
    const bytes = this.#graveBytesOf(position);
    for (const older of this.prefixes.add(prefix, version, position, bytes, this.doom(version.h))) this.erase(older);
    this.#limitPrefixes();
  }

  /** Drops the oldest clears of prefixes beyond the limits. What one clears is not found, though, until all of it is erased. */
  #limitPrefixes(): void {
    const { prefixes } = this;
    const { maxPrefixes } = this.#options;
    const mostBytes = PREFIXES_SHARE * this.maxEntryBytes;
    while (prefixes.held > maxPrefixes || (prefixes.bytes > mostBytes && prefixes.held > 1)) {
      this.depart(prefixes.oldest, WHY.cleared);
    }
    // Those that have left are needed until all is erased. Where they are many, each more erases its part of two rounds: so they
    // stay few, however fast they come.
    if (prefixes.size > 2 * maxPrefixes) this.eraseDoomed(Math.ceil((ERASE_PLACES + 1) * this.size / maxPrefixes));
  }

  /** Writes an entry's fields other than key and value. */
  fill(position: number, { flags, marks, deadlineMs, ttlMs }: NewEntry, nowMs: number): void {
    this.records.setFlags(position, flags);
    this.records.setMarks(position, marks);
    if ((marks & MARK.aging) !== 0 || this.history.withheldBelow > 0) this.isAging = this.isTimed = true;
    this.setTimes(position, deadlineMs, ttlMs, nowMs);
  }

  /** Writes an entry's time to live and deadline. */
  setTimes(position: number, deadlineMs: number, ttlMs: number, nowMs: number): void {
    if (ttlMs !== Infinity) this.isTimed = true;
    this.records.setTtlMs(position, ttlMs);
    this.records.setDeadlineMs(position, deadlineMs);
    // Not later than now, even by a rounding: a later time would count as long ago.
    this.records.setTold(position, ttlMs === Infinity ? nowMs : Math.min(nowMs, deadlineMs - ttlMs));
    this.#sweep.note(position, deadlineMs);
  }

  /** Gives the entry at a position another version. */
  setVersion(position: number, version: Version): void {
    if (!this.#options.replicates) return;
    this.history.remove(position);
    this.history.add(position, version);
  }

  /** Removes an entry that has expired. */
  expire(position: number): void {
    this.#leave(position, CAUSE.expired);
  }

  #leave(position: number, cause: Cause): void {
    this.#options.onLeave(position, cause);
    this.depart(position, cause === CAUSE.expired ? WHY.expired : WHY.evicted);
  }

  /** Turns an entry into a grave in its place; the caller must then call `limitGraves`. */
  bury(position: number): void {
    this.order.remove(position);
    this.#buryUnordered(position);
  }

  #buryUnordered(position: number): void {
    this.records.bury(position, TOMB);
    this.#graves.add(position);
    this.#graveBytes += this.#graveBytesOf(position);
  }

  /** Drops the oldest graves beyond the limits; fingerprints of them remain. */
  limitGraves(): void {
    const { maxGraves } = this.#options;
    const graves = this.#graves;
    const mostBytes = GRAVES_SHARE * this.maxEntryBytes;
    while (graves.size > maxGraves || (this.#graveBytes > mostBytes && graves.size > 1)) {
      this.depart(graves.oldest, WHY.deleted);
    }
  }

  /**
   * Removes an entry, a grave or a clear. Of an entry or grave a fingerprint remains, where writes have versions, and why it is not
   * here; the write is the newest of its key, unless something newer has superseded it, or may have.
   */
  depart(position: number, why: Why): void {
    if (this.records.kind(position) === PREFIX) {
      if (this.#options.forgetsPrefixes) this.history.forgetAt(position); // no fingerprint could tell of all its keys
    } else if (this.#options.hasFingerprints) {
      this.records.leadToKey(position, this.#key);
      this.history.departAt(position, this.#key, why !== WHY.superseded);
    }
    this.erase(position, why);
  }

  /**
   * Positions of about `most` entries that fingerprints cover, among about `places` from a cursor on; the cursor moves, at the
   * end to `Infinity`.
   */
  covered(cursor: SweepCursor, places: number, most: number): number[] {
    const { history, records } = this;
    const covered: number[] = [];
    for (const position of history.logs.ascending(Math.max(cursor.h, history.cleared + 1))) {
      const h = records.h(position);
      const isNext = h > cursor.h; // those of one version are looked at together
      cursor.h = h;
      if (isNext && (places <= 0 || covered.length >= most)) return covered;
      places--;
      if (records.kind(position) !== ENTRY || this.isDoomed(position)) continue;
      records.leadToKey(position, this.#key);
      if (history.hasNewer(this.#key, history.version(position))) covered.push(position);
    }
    cursor.h = Infinity;
    return covered;
  }

  /** Removes an entry or grave and remembers nothing of it but why it is not here, if it leaves for good. */
  erase(position: number, why?: Why): void {
    const { records } = this;
    const kind = records.kind(position);
    if (kind === ENTRY) {
      this.order.remove(position);
    } else if (kind === PREFIX) {
      records.leadToKey(position, this.#key);
      this.prefixes.left(this.#key, position);
    } else {
      this.#graves.remove(position);
      this.#graveBytes -= this.#graveBytesOf(position);
    }
    if (this.#options.replicates) this.history.remove(position);
    if (kind !== PREFIX) {
      this.#table.remove(records.hash(position), position);
      if (why !== undefined) this.#options.misses.note(records.hash(position), why);
    }
    records.remove(position);
  }

  /** Erases everything, after a clear. */
  eraseAll(): void {
    while (this.order.size > 0) this.erase(this.order.oldest, WHY.cleared);
    while (this.#graves.size > 0) this.erase(this.#graves.oldest, WHY.cleared);
    for (const position of this.prefixes.positions) this.erase(position);
    this.prefixes.clear();
    this.doomed = this.#erasing.h = 0;
  }

  /** Erases the cleared entry or grave at a position. */
  eraseCleared(position: number): void {
    if (this.records.kind(position) === ENTRY) this.#options.onLeave(position, CAUSE.cleared);
    this.erase(position, WHY.cleared);
  }

  /** Erases the entries of a store without versions whose keys begin with a prefix. */
  erasePrefix(prefix: ByteSpan): void {
    for (let at = this.order.oldest, newer = 0; at !== 0; at = newer) {
      newer = this.records.newer(at);
      this.records.leadToKey(at, this.#key);
      if (beginsWith(this.#key, prefix)) this.eraseCleared(at);
    }
  }

  /**
   * Dooms what has been cleared up to a version: it is not found from now on, and is erased in slices.
   *
   * @returns The round of erasing with which nothing is left of it.
   */
  doom(h: number): number {
    this.doomed = Math.max(this.doomed, h);
    return this.#lastRound = this.#erasing.h === 0 ? this.#round : this.#round + 1;
  }

  /** Looks for cleared entries and graves at up to `places` places, or fewer where it finds and erases some. */
  eraseDoomed(places: number): void {
    const { records } = this;
    const cursor = this.#erasing;
    const found: number[] = [];
    let isCut = false;
    for (const position of this.history.logs.ascending(cursor.h)) {
      const h = records.h(position);
      const isNext = h > cursor.h; // those of one version are looked at together
      if (h > this.doomed) break;
      cursor.h = h;
      isCut = isNext && places <= 0;
      if (isCut) break;
      const isDoomed = this.isDoomed(position);
      if (isDoomed) found.push(position);
      places -= isDoomed ? ERASE_PLACES : 1;
    }
    for (const position of found) this.eraseCleared(position);
    if (!isCut) this.#endRound();
  }

  #endRound(): void {
    this.prefixes.erased(this.#round);
    if (this.#round++ >= this.#lastRound) this.doomed = 0;
    this.#erasing.h = 0;
  }

  /** Looks for expired entries as `ExpirySweep.run` does. Returns whether there may be more close by. */
  sweep(places: number, nowMs: number, more?: number, isOver?: () => boolean): boolean {
    return this.isTimed && this.#sweep.run(places, nowMs, more, isOver);
  }

  /** Gives a region of memory none of which is in use back to the system. Returns whether there was one. */
  giveBack(): boolean {
    return this.records.slab.giveBackRegion() || this.#table.giveBackRegion() || this.history.logs.giveBackRegion();
  }

  /** Lets entries leave whose room the table, the order of writes or fingerprints have taken. */
  makeRoom(nowMs: number): void {
    this.#makeRoom(0, nowMs);
  }

  /**
   * Gives the table's memory back, after a clear; `records.slab.abandon` does so for the records. Nothing else may be called
   * afterwards. Of the keys that have been cleared those that were used last are remembered.
   */
  abandon(): void {
    this.#options.misses.cleared(this.order, this.#graves);
    this.#table.abandon();
  }

  get #tableBytes(): number {
    return this.size > 0 ? this.#table.bytes + this.history.bytes : this.history.fingerprintBytes;
  }

  #graveBytesOf(position: number): number {
    return this.records.entryBytes(this.records.keyBytes(position), 0);
  }

  /** Limits the records' memory to what the table and the order of writes leave. */
  #limit(): void {
    const { history } = this;
    const table = this.#table;
    const besideBytes = table.bytes + table.growthBytes + history.bytes + history.growthBytes;
    this.records.slab.limitBytes = this.#options.limitBytes - besideBytes;
  }

  #bytesOf(key: ByteSpan, value: ByteSpan): number {
    return this.records.entryBytes(key.to - key.from, value.to - value.from);
  }

  /** Adds a record, for which there is room, to the table and the history. */
  #insert(hash: number, key: ByteSpan, version: Version, value: ByteSpan): number {
    const position = this.records.add(hash, key, value);
    this.#table.insert(hash, position);
    if (this.#options.replicates) this.history.add(position, version);
    return position;
  }

  /**
   * Drops the least recently used entries until there is room for one more record.
   *
   * @param arrivalMs No entry is dropped that was used after this time.
   * @returns Whether there is room.
   */
  #makeRoom(bytes: number, nowMs: number, arrivalMs = Infinity): boolean {
    const { slab } = this.records;
    this.#limit();
    slab.cleanAhead(bytes);
    while (this.size > 0 && slab.liveBytes + bytes > slab.capacityBytes) {
      if (!this.#dropOldest(nowMs, arrivalMs)) return false;
    }
    while (!slab.reserve(bytes) && this.size > 0) {
      // The holes are too small to be worth closing: they must become larger.
      const target = slab.liveBytes - slab.segmentBytes / 8;
      while (this.size > 0 && slab.liveBytes > target) if (!this.#dropOldest(nowMs, arrivalMs)) return false;
    }
    return true;
  }

  /** Number of entries, graves and clears of prefixes. */
  get size(): number {
    return this.order.size + this.#graves.size + this.prefixes.held;
  }

  /** Drops the least recently used entry, or else the oldest grave or clear, but no entry used after `arrivalMs`. */
  #dropOldest(nowMs: number, arrivalMs = Infinity): boolean {
    if (this.order.size === 0) this.depart(this.#graves.oldest || this.prefixes.oldest, WHY.deleted);
    else if (this.isLive(this.order.oldest, nowMs)) {
      if (arrivalMs !== Infinity && this.#arrivals.isOldest(arrivalMs)) return false;
      this.#leave(this.order.oldest, CAUSE.evicted);
    }
    return true;
  }

  /** Updates whatever refers to an entry or grave that has moved. */
  #moved(from: number, to: number): void {
    const { records } = this;
    const isEntry = records.kind(to) === ENTRY;
    if (this.#options.replicates) this.history.moved(to);
    if (records.kind(to) === PREFIX) {
      records.leadToKey(to, this.#key);
      return this.prefixes.moved(this.#key, from, to);
    }
    (isEntry ? this.order : this.#graves).moved(from, to);
    this.#table.move(records.hash(to), from, to);
    if (this.isTimed && isEntry) this.#sweep.note(to, records.deadlineMs(to));
  }
}
