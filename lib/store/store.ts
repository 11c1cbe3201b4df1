/**
 * The server's entries: flags and bytes under a key, the least recently used leaving first, with expiration, versions
 * and counters. It knows nothing of what the bytes mean, of frames or of sockets.
 */

import { RetiredRecords } from "./retired_records.ts";
import { Entries, type SweepCursor } from "./entries.ts";
import type { EntriesOptions } from "./entries_options.ts";
import { ENTRY, type EntryInput, type EntryReader, MARK, type RemoteWrite } from "./entry.ts";
import { explain } from "./explain.ts";
import { mostFingerprints } from "./fingerprint_size.ts";
import { Losses } from "./losses.ts";
import { Misses, WHY } from "./misses.ts";
import type { HashedPosition } from "./hash_index.ts";
import { type Departure, History } from "./history.ts";
import { RemoteWrites } from "./remote_writes.ts";
import type { SlabPages } from "./slab.ts";
import { ALL_RULES, type How, type Rules } from "./rules.ts";
import type { Known } from "./known.ts";
import { Listeners } from "./listeners.ts";
import { OwnVersions } from "./own_versions.ts";
import type { ReadWatch } from "./read_watch.ts";
import { CAUSE, type Cause, type StoreListener } from "./store_listener.ts";
import { MAX_STORE_BYTES } from "../base/limits.ts";
import type { ByteSpan } from "../base/byte_span.ts";
import type { KeyExplanation } from "../base/explanation.ts";
import type { StoreStats } from "../base/stats.ts";
import { checkStoreOptions, type StoreOptions } from "./store_options.ts";
import { Upkeep } from "./upkeep.ts";
import { compareVersions, type Version } from "./version.ts";

/** Places where a `set` looks for expired entries: more than one, or such entries could come faster than they are found. */
const SWEEP_STEPS = 4;
const MAX_GRAVES = 65_536;
const MAX_PREFIXES = 1024;
/** Up to this many entries and graves, a clear erases them one by one: retiring whole segments for so few would cost more. */
const FEW = 500;

/**
 * Bounded entries in memory outside the garbage-collected heap. A position that the store returns is valid until the
 * store is changed.
 */
export class Store {
  /** Entries held at most. */
  readonly maxSize: number;
  /** Memory held at most, in bytes, if that is limited. */
  readonly maxBytes: number | undefined;
  /** Writes that have left of which fingerprints are kept in any case. */
  readonly maxForgotten: number;

  /** Milliseconds until an entry stored without a time to live expires; `Infinity` is never. */
  readonly ttlMs: number;
  /** Whether a hit restarts an entry's time to live, unless it is fixed. */
  readonly renewOnHit: boolean;
  readonly #now: () => number;
  readonly #recent: () => number;
  readonly #rules: Rules;
  readonly #replicates: boolean;
  readonly #listeners = new Listeners();
  readonly #versions: OwnVersions;
  /** What is known of all writes. */
  readonly history: History;
  /** Counts of entries that have left. */
  readonly losses: Losses;
  /** Counts of misses, and what is remembered of keys that have left. */
  readonly misses: Misses;
  readonly #entriesOptions: EntriesOptions;
  #entries: Entries;
  readonly #remote: RemoteWrites;
  /** Records from before a `clear`, whose memory is still to be given back. */
  readonly #cleared = new RetiredRecords();
  readonly #upkeep = new Upkeep({
    entries: () => this.#entries,
    retired: this.#cleared,
    abandon: () => this.#abandon(),
  });
  /** Told of each retrieval, while anybody wants to know. */
  watch: ReadWatch | undefined;
  #hits = 0;
  #stores = 0;

  /** @throws {RangeError} If a limit is out of range. */
  constructor(options: StoreOptions) {
    const { maxSize, maxBytes, ttlMs, renewOnHit, hashKey, clock } = options;
    checkStoreOptions(options);
    this.maxSize = maxSize;
    this.maxBytes = maxBytes;
    this.ttlMs = ttlMs === 0 ? Infinity : ttlMs;
    this.renewOnHit = renewOnHit;
    this.losses = new Losses(renewOnHit);
    this.#now = clock.now;
    this.#recent = clock.recent ?? clock.now;
    this.#rules = options.rules ?? ALL_RULES;
    this.#replicates = options.replicates ?? false;
    const limitBytes = maxBytes ?? MAX_STORE_BYTES;
    this.maxForgotten = !this.#replicates ? 0 : options.maxForgotten ?? mostFingerprints(limitBytes);
    this.misses = new Misses(maxSize, limitBytes);
    const evict = (position: number) => this.#entries.depart(position, WHY.evicted);
    const history = this.history = new History(options.origin ?? 1, this.maxForgotten, evict, options);
    const { wallAheadMs = () => 0 } = clock;
    this.#versions = new OwnVersions({ history, replicates: this.#replicates, wallAheadMs });
    this.#entriesOptions = {
      maxSize,
      replicates: this.#replicates,
      hasFingerprints: this.#replicates && this.#rules.fingerprints,
      maxGraves: options.maxGraves ?? MAX_GRAVES,
      maxPrefixes: options.maxPrefixes ?? MAX_PREFIXES,
      forgetsPrefixes: this.#rules.prefixFloor,
      limitBytes,
      hashKey,
      sweeps: this.losses,
      misses: this.misses,
      onLeave: (position, cause) => this.#left(position, cause),
    };
    this.#entries = new Entries(this.#entriesOptions, this.history);
    const { losses, misses } = this;
    const means = { rules: this.#rules, losses, misses, listeners: this.#listeners, now: this.#now };
    this.#remote = new RemoteWrites(this.#entries, { ...means, retired: this.#cleared });
  }

  /** Reads entries and graves by position. */
  get reader(): EntryReader {
    return this.#entries.records;
  }

  /** Tells a listener of changes from now on. Returns what ends that. */
  listen(listener: StoreListener): () => void {
    return this.#listeners.add(listener);
  }

  /** The last version given or seen. */
  get clock(): number {
    return this.#versions.last;
  }

  /** A number that no write here has, made like their versions: it stands for a state that is not stored. */
  newStamp(): number {
    return this.#versions.stamp(this.#now());
  }

  /** Time, in milliseconds since 1970, by which entries age. */
  get nowMs(): number {
    return this.#now();
  }

  /** Time, in milliseconds since 1970, by the wall clock. */
  get wallMs(): number {
    return this.#versions.wallMs(this.#now());
  }

  /** Time, in milliseconds, up to half a second late where `maintain` is called: reading it costs nothing. */
  get recentMs(): number {
    return this.#recent();
  }

  /**
   * Looks an entry up, which counts as a use of it.
   *
   * @returns Its position, or 0 on a miss.
   */
  get(key: ByteSpan, hash: number = this.hash(key)): number {
    const entries = this.#entries;
    const position = entries.lookup(hash, key);
    const isWatched = entries.isTimed || entries.doomed !== 0;
    if (position === 0 || entries.records.kind(position) !== ENTRY) return this.#missed(key, hash, position);
    if (isWatched && !this.#isCurrent(position)) return this.#missed(key, hash, 0);
    this.#hits++;
    entries.order.toFront(position);
    if ((entries.records.marks(position) & (MARK.fetched | MARK.fixed)) !== MARK.fetched) this.fetched(position);
    if (this.watch !== undefined) this.watch.hit(key, hash, position);
    return position;
  }

  /** Hash of a key, by which it is looked up. */
  hash(key: ByteSpan): number {
    return this.#entries.hash(key);
  }

  /** Prefetches what `get` will read for the first `count` hashes: the processor waits for all at once, not one by one. */
  prefetch(hashes: Int32Array, count: number): void {
    this.#entries.prefetch(hashes, count);
  }

  /** Makes the entry at a position the most recently used. */
  use(position: number): void {
    this.#entries.order.toFront(position);
  }

  /** Marks the entry at a position as fetched and, if the entry is fixed, notes the time of this use. This is no write. */
  fetched(position: number): void {
    const { records } = this.#entries;
    const marks = records.marks(position);
    if ((marks & MARK.fetched) === 0) records.setMarks(position, marks | MARK.fetched);
    if ((marks & MARK.fixed) !== 0) records.setTold(position, this.#recent());
  }

  /** Notes that the entry at a position, which must be fixed, is used now. This is no write. */
  noteUse(position: number): void {
    this.#entries.records.setTold(position, this.#now());
  }

  /** Marks the replacement of the entry at a position as promised to a client or, with 0, to nobody. This is no write. */
  promise(position: number, mark: number = MARK.promised): void {
    this.#entries.records.setMarks(position, this.reader.marks(position) & ~MARK.promised | mark);
  }

  /** Position of the entry of a key, or 0, without using it. One that is no longer fresh is none. */
  peek(key: ByteSpan): number {
    const position = this.kept(key);
    if (position === 0 || !this.#entries.isAging) return position;
    return this.#entries.isFresh(position, this.#now()) ? position : 0;
  }

  /** Position of the entry of a key, fresh or not, or 0, without using it. One that is withheld is none. */
  kept(key: ByteSpan): number {
    const position = this.living(key);
    return position !== 0 && this.#entries.isWithheld(position) ? 0 : position;
  }

  /** Position of the entry of a key, fresh or not, withheld or not, or 0, without using it. */
  living(key: ByteSpan): number {
    const entries = this.#entries;
    const position = entries.lookup(entries.hash(key), key);
    if (position === 0) return 0;
    const { losses, losses: { expirations, cleared } } = this;
    if (entries.isLive(position, this.#now())) return position;
    losses.askedExpired += losses.expirations - expirations;
    losses.askedCleared += losses.cleared - cleared;
    return 0;
  }

  /** Tells what is held of a key, or why nothing is, where writes have versions. This changes nothing, and is no use. */
  explain(key: ByteSpan): KeyExplanation {
    return explain(this.#entries, key, this);
  }

  /** Tells whether a key has an entry, without using it. */
  has(key: ByteSpan): boolean {
    return this.peek(key) !== 0;
  }

  /**
   * Positions of some fresh entries with the hashes of their keys, in the order of the hashes, from a hash on; `next` is the
   * first hash behind them, at the end `HASHES_END`. Who goes on there, whatever has changed meanwhile, meets each entry once
   * that is there all the time. This is no use of them.
   */
  walk(from: number): { found: HashedPosition[]; next: number } {
    return this.#entries.walk(from, this.#now());
  }

  /** Position of the entry or grave of a key, current or not, or 0. This changes nothing. */
  find(key: ByteSpan, hash: number = this.hash(key)): number {
    return this.#entries.lookup(hash, key);
  }

  /** Version of a key's entry or grave. */
  versionOf(key: ByteSpan): Version | undefined {
    const position = this.find(key);
    return position === 0 ? undefined : this.history.version(position);
  }

  /** Stores an entry as the most recently used. Returns false if the entry alone is over the limit: then the key is deleted. */
  set(key: ByteSpan, { flags, marks = 0, value, ttlMs = this.ttlMs, deadlineMs }: EntryInput): boolean {
    const entries = this.#entries;
    const nowMs = this.#now();
    const hash = entries.hash(key);
    const known = entries.settled(hash, key, nowMs);
    const isLive = known !== 0 && entries.records.kind(known) === ENTRY;
    const bytes = this.#entries.records.entryBytes(key.to - key.from, value.to - value.from);
    if (bytes > this.maxEntryBytes) {
      this.delete(key); // also where this node has no entry: a peer may have one
      return false;
    }
    const ttl = ttlMs === 0 ? Infinity : ttlMs;
    const entry = { flags, marks, value, ttlMs: ttl, deadlineMs: deadlineMs ?? nowMs + ttl };
    const version = this.#versions.next(nowMs);
    if (isLive && entries.records.fits(known, value.to - value.from)) {
      entries.records.replace(known, value);
      entries.fill(known, entry, nowMs);
      entries.order.toFront(known);
      entries.setVersion(known, version);
    } else {
      if (known !== 0) entries.erase(known);
      this.#cleared.makeRoomFor(bytes, this.#entries.records);
      entries.add(hash, key, version, entry, nowMs);
    }
    this.#versions.know(version);
    this.#listeners.tell(CAUSE.written, key);
    this.#stores++;
    entries.sweep(SWEEP_STEPS, nowMs);
    return true;
  }

  /**
   * Restarts an entry's time to live, or gives it another, and makes it the most recently used: a write like others. An aging
   * entry, whose time to live is not known any more, keeps its times if it is given none.
   */
  touch(key: ByteSpan, ttlMs: number | undefined): boolean {
    const position = this.peek(key);
    if (position === 0) return false;
    const isAging = (this.reader.marks(position) & MARK.aging) !== 0;
    const ownMs = isAging ? undefined : this.reader.ttlMs(position);
    this.revise(position, { ttlMs: ttlMs ?? ownMs });
    this.use(position);
    this.fetched(position);
    return true;
  }

  /** Gives the entry at a position another time to live, after which it does not age, marks or both: a write like others. */
  revise(position: number, { ttlMs, marks }: { ttlMs?: number; marks?: number }): void {
    const nowMs = this.#now();
    const { records } = this.#entries;
    if (marks !== undefined) records.setMarks(position, marks);
    if (ttlMs !== undefined) {
      records.setMarks(position, records.marks(position) & ~MARK.aging);
      const ttl = ttlMs === 0 ? Infinity : ttlMs;
      this.#entries.setTimes(position, nowMs + ttl, ttl, nowMs);
    }
    const version = this.#versions.next(nowMs);
    this.#entries.setVersion(position, version);
    this.#versions.know(version);
    this.#listeners.tellOf(CAUSE.written, records, position);
  }

  /**
   * Puts off an entry's deadline, as another node has done, if the entry lives here in this very version. This is a use:
   * the order of use is that of deadlines put off.
   *
   * @returns Whether that was news: the deadline moved by more than an eighth of the time to live.
   */
  extend(key: ByteSpan, version: Version, remainingMs: number): boolean {
    return this.#remote.extend(this.living(key), version, remainingMs);
  }

  /** Removes an entry. Returns whether there was one; one that is no longer fresh is none, and is removed all the same. */
  delete(key: ByteSpan): boolean {
    const entries = this.#entries;
    const nowMs = this.#now();
    const hash = entries.hash(key);
    const known = entries.settled(hash, key, nowMs);
    const isLive = known !== 0 && entries.records.kind(known) === ENTRY;
    const isFound = isLive && entries.isFresh(known, nowMs);
    if (isLive) {
      this.#entomb(known, nowMs);
    } else if (this.#replicates) {
      // The entry may live elsewhere, if it was evicted here.
      if (known !== 0) entries.erase(known);
      const version = this.#versions.next(nowMs);
      entries.addGrave(hash, key, version, nowMs);
      this.#versions.know(version);
    }
    if (!this.#replicates) this.misses.note(hash, WHY.deleted); // there is no grave
    this.#listeners.tell(CAUSE.deleted, key);
    return isFound;
  }

  /** Removes all entries. Their memory goes back to the system with the next calls of `maintain`. */
  clear(): void {
    this.history.clear(this.#versions.next(this.#now()).h);
    this.#dropAll();
    this.#listeners.tell(CAUSE.cleared, undefined);
  }

  /**
   * Removes all entries whose keys begin with a prefix; an empty one stands for all. What other nodes have written under it before
   * is removed there, and does not come back. The entries are not found any more at once; they count in `stats`, and their
   * memory goes back to the system, with the next calls of `maintain`.
   */
  clearPrefix(prefix: ByteSpan): void {
    if (prefix.from === prefix.to) return this.clear();
    const { records } = this.#entries;
    const nowMs = this.#now();
    if (this.#replicates) {
      this.#cleared.makeRoomFor(records.entryBytes(prefix.to - prefix.from, 0), records);
      const version = this.#versions.next(nowMs);
      this.#entries.addPrefix(prefix, version, nowMs);
      this.#versions.know(version);
    } else this.#entries.erasePrefix(prefix);
    this.#listeners.tell(CAUSE.cleared, prefix);
  }

  /**
   * Applies a write of another node, by the rules of docs/replication.md. An entry counts as used when it was used there:
   * if there is no room and all entries were used after it, it leaves at once.
   *
   * @param theirs What the sender of the write knows.
   * @param how What is special about it, if anything.
   * @returns Whether it was news.
   */
  apply(key: ByteSpan, write: RemoteWrite, theirs: Known, how?: How): boolean {
    return this.#remote.apply(key, write, theirs, how);
  }

  /** Applies a clear of another node: drops everything up to a version. Returns whether the clear was news. */
  clearUpTo(h: number): boolean {
    const { history } = this.#entries;
    if (h <= history.cleared) return false;
    history.clear(h);
    // Where newer writes remain, cleared entries are erased in slices, and are no longer found.
    if (history.logs.all.some((log) => log.countAfter(h) > 0)) this.#entries.doom(h);
    else this.#dropAll();
    this.#listeners.tell(CAUSE.cleared, undefined);
    return true;
  }

  /**
   * Takes a peer's fingerprints over: writes have left there that may be newer than what is here, or was before it was evicted.
   * Lets entries leave whose room they take.
   */
  takeDepartures(departures: readonly Departure[]): void {
    for (const departure of departures) this.history.take(departure);
    this.#listeners.tellOvertaken(departures, this.history.hasWholeHashes);
    this.#entries.makeRoom(this.#now());
  }

  /** Takes note of another node's clock; returns false if that is too far in the future. */
  seeClock(h: number): boolean {
    return this.#versions.see(h, this.#now());
  }

  /** Drops the entry at a position, which has not been confirmed: it may have been deleted elsewhere. */
  distrust(position: number): void {
    this.#remote.distrust(position);
  }

  /** Whether the entry or grave at a position has been cleared, and only waits to be erased: peers are told of the clear. */
  isCleared(position: number): boolean {
    return this.#entries.isDoomed(position);
  }

  /** Whether something newer of a key than a version is held: an entry, a grave, or a clear of a prefix of the key. */
  holdsNewer(key: ByteSpan, version: Version): boolean {
    const held = this.versionOf(key);
    return (held !== undefined && compareVersions(held, version) > 0) || this.#entries.prefixes.covers(key, version);
  }

  /** Positions of up to `most` entries that fingerprints cover, among about `places` from a cursor on, which moves. */
  covered(cursor: SweepCursor, places: number, most: number): number[] {
    return this.#entries.covered(cursor, places, most);
  }

  /**
   * Does a slice of the work that no request asks for: drops expired entries, closes holes, gives memory back. For a
   * timer; where nobody tells the time, a slice takes about a millisecond on a usual machine.
   *
   * @param isOver Returns whether the slice has taken as long as it may: it ends soon then, and has done something.
   * @returns Whether there is more to do at once, or may be: it has ended since its time was over.
   */
  maintain(isOver: () => boolean = () => false): boolean {
    return this.#upkeep.run(this.#now(), isOver); // the clock is read in any case, for `recentMs`
  }

  /** Bytes that one entry may take. */
  get maxEntryBytes(): number {
    return this.#entries.maxEntryBytes;
  }

  /** The memory of records. */
  get pages(): SlabPages {
    return this.#entries.records.slab.pages;
  }

  /** Positions of the entries that were used last and first, 0 if there are none; and how many there are. */
  get order(): { readonly newest: number; readonly oldest: number; readonly size: number } {
    return this.#entries.order;
  }

  /** Counters and sizes. */
  stats(): StoreStats {
    return {
      entries: this.#entries.order.size,
      bytes: this.#entries.bytes,
      memoryBytes: this.#entries.heldBytes + this.#cleared.bytes,
      fingerprints: this.history.fingerprints,
      hits: this.#hits,
      ...this.misses.stats,
      stores: this.#stores,
      ...this.losses.totals,
    };
  }

  /**
   * Whether an entry that is being used is fresh, and has not been cleared; if its deadline is over or it has, it is removed. A deadline that is
   * renewed only moves away, so its segment's earliest stays as it is: a bound, made exact by the next sweep.
   */
  #isCurrent(position: number): boolean {
    const { records } = this.#entries;
    if (this.#entries.isDoomed(position)) {
      this.losses.askedCleared++;
      this.#entries.eraseCleared(position);
      return false;
    }
    const deadlineMs = records.deadlineMs(position);
    if (deadlineMs === Infinity && !this.#entries.isAging) return true;
    const nowMs = this.#now();
    if (deadlineMs <= nowMs) {
      this.losses.askedExpired++;
      this.#entries.expire(position);
      return false;
    }
    if (!this.#entries.isFresh(position, nowMs)) {
      // It is kept for who asks for what is stale, or until the server knows whether it is the newest.
      this.misses.note(records.hash(position), this.#entries.isWithheld(position) ? WHY.superseded : WHY.expired);
      return false;
    }
    if (this.renewOnHit && deadlineMs !== Infinity && (records.marks(position) & MARK.fixed) === 0) {
      this.#renew(position, nowMs);
    }
    return true;
  }

  /** Counts a miss of a key that has a grave at a position or, at 0, nothing: then what is remembered says why. */
  #missed(key: ByteSpan, hash: number, grave: number): 0 {
    const { misses } = this;
    const why = grave === 0 ? misses.whyOf(hash) : this.#entries.isDoomed(grave) ? WHY.cleared : WHY.deleted;
    misses.count(why);
    if (this.watch !== undefined) this.watch.missed(key, hash, why);
    return 0;
  }

  #renew(position: number, nowMs: number): void {
    const { records } = this.#entries;
    const ttlMs = records.ttlMs(position);
    records.setDeadlineMs(position, nowMs + ttlMs);
    if ((this.#listeners.heard & CAUSE.renewed) === 0 || records.toldMs(position, nowMs) < ttlMs / 2) return;
    records.setTold(position, nowMs);
    this.#listeners.tellOf(CAUSE.renewed, this.#entries.records, position);
  }

  /** A deletion is a write: its grave has a version of its own. */
  #entomb(position: number, nowMs: number): void {
    this.losses.deletions++;
    if (!this.#replicates) return this.#entries.erase(position);
    const version = this.#versions.next(nowMs);
    this.#entries.setVersion(position, version);
    this.#entries.bury(position);
    this.#versions.know(version);
    this.#entries.limitGraves();
  }

  /** Counts an entry that is about to leave, and tells listeners of it unless a clear has doomed it: they know of the clear. */
  #left(position: number, cause: Cause): void {
    this.losses.count(cause, this.reader, position, this.#recent(), this.#entries.order.size);
    if (cause !== CAUSE.cleared) this.#listeners.tellOf(cause, this.#entries.records, position);
  }

  #dropAll(): void {
    const old = this.#entries;
    this.losses.deletions += old.order.size;
    this.losses.cleared += old.order.size;
    if (old.size <= FEW) old.eraseAll();
    else this.#abandon();
  }

  /** Begins with new records; the memory of the old ones goes back in slices. */
  #abandon(): void {
    const old = this.#entries;
    this.#cleared.add(old.records);
    old.abandon();
    this.#remote.entries = this.#entries = new Entries(this.#entriesOptions, this.history);
  }
}
