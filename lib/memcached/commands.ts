/**
 * What memcached's three protocols have in common: their commands on entries, as memcached answers them. It knows the
 * store, not how a command or a reply is written.
 */

import { type Unsigned, unsignedOf } from "../base/unsigned.ts";
import { addDelta } from "./c_numbers.ts";
import { MARK, STAMP_BYTES } from "../store/entry.ts";
import { type ByteSpan, spanOf } from "../base/byte_span.ts";
import { KeyBatch } from "../store/key_batch.ts";
import { idleMsOf } from "../store/losses.ts";
import { OF_TIMES, rewrite } from "../store/steps.ts";
import type { Store } from "../store/store.ts";
import { STATS_UNITS, unitsOf } from "../wire/protocol_handler.ts";
import { PrefixCounters } from "./prefixes.ts";
import type { Asker, Leases } from "../near/leases.ts";
import { type Promised, Promises } from "./promises.ts";

/** How a storage command treats an entry that its key has. */
export type Mode = typeof MODES[number];
const MODES = ["set", "add", "replace", "append", "prepend", "cas"] as const;

/** Whether a text names one. */
export function isMode(text: string): text is Mode {
  return (MODES as readonly string[]).includes(text);
}

/** How a storage command ended. */
export type Stored = "stored" | "not-stored" | "exists" | "not-found" | "too-large" | "no-memory";

/** A storage command. */
export interface StoreRequest {
  mode: Mode;
  flags: number;
  value: ByteSpan;
  /** Time to live in milliseconds, as returned by `ttlOf`. */
  ttlMs: number;
  /** The CAS that the entry must have; 0 is any. */
  cas: Unsigned;
  /** The CAS that the entry is given; 0 is a new one. */
  newCas?: Unsigned;
  /** Whether a `cas` lower than the entry's stores a stale value. */
  invalidates?: boolean;
  /** Whether the key came as base64. */
  hasBinaryKey?: boolean;
  /** Time to live of the entry that `append` and `prepend` create if the key has none. */
  vivifyTtlMs?: number;
}

/** How an addition ended: the entry's position and its new value, or why it failed. */
export type DeltaResult = { position: number; value: Unsigned } | "non-numeric" | "not-found" | "exists" | "no-memory";

/** A request to add to a number or subtract from it. */
export interface DeltaRequest {
  by: Unsigned;
  isDown: boolean;
  cas: Unsigned;
  newCas?: Unsigned;
}

/** The promise of a key without an entry. */
export interface Vivified {
  promised: Promised;
  /** Whether it was promised to who asked. */
  isWon: boolean;
}

/** What memcached's commands need of the server. */
export interface MemcachedOptions {
  readonly store: Store;
  /** Bytes of an item at most, counted as memcached does. */
  readonly maxItemBytes: number;
  /** Keys without an entry that are promised to a client. */
  readonly leases: Leases;
  /** Runs a function after `ms` milliseconds; a function that still waits is dropped. */
  readonly later: (ms: number, run: () => void) => void;
}

/** Time to live of an entry that has expired as soon as it is stored. */
export const EXPIRED = -1;
/** Largest number of seconds that is counted from now; a larger one is a time since 1970. */
const MAX_RELATIVE_SECONDS = 60 * 60 * 24 * 30;
/** Milliseconds before the server's start at which memcached's time begins: a `flush_all` of an earlier time clears nothing. */
const EPOCH_BEFORE_START_MS = 61_000;
/** Bytes that memcached adds to key and value: the item's head and CAS, the end of the key, and a line end. */
const ITEM_BYTES = 48 + 8 + 1 + 2;
const FLAGS_BYTES = 4;
/** Bytes of a number's text, at most: memcached takes no longer value for a number. */
const MAX_NUMBER_BYTES = 512 * 1024;
const SPACE = 0x20;
/** Marks of a new entry: it expires when its client has asked, and no hit renews it. */
const NEW = MARK.fixed;

/** memcached's commands on a store. */
export class MemcachedCommands {
  readonly store: Store;
  readonly maxItemBytes: number;
  /** Counters under memcached's names. */
  readonly counters: MemcachedCounters = new MemcachedCounters();
  /** The next keys of one command; `nextKeys` are those of the next commands. No two runs use them at once. */
  readonly listedKeys: KeyBatch;
  readonly nextKeys: KeyBatch;
  /** Keys without an entry that are promised to a client. */
  readonly promises: Promises;
  /** Counts by the keys' prefixes; whoever serves a command looks whether they are wanted. */
  readonly prefixes: PrefixCounters = new PrefixCounters();
  readonly #later: MemcachedOptions["later"];
  readonly #epochMs: number;
  /** Reused bytes in which values are put together; the store keeps a copy. */
  #scratch = new Uint8Array(256);
  /** Units of work done since `takeWork` was last called: short commands can have long values copied. */
  #work = 0;

  constructor({ store, maxItemBytes, leases, later }: MemcachedOptions) {
    this.store = store;
    this.maxItemBytes = maxItemBytes;
    this.listedKeys = new KeyBatch(store);
    this.nextKeys = new KeyBatch(store);
    this.promises = new Promises(store, leases);
    this.#later = later;
    this.#epochMs = store.nowMs - EPOCH_BEFORE_START_MS;
  }

  /** Returns the units of work that commands have cost beside one for each, and begins to count anew. */
  takeWork(): number {
    const work = this.#work;
    this.#work = 0;
    return work;
  }

  /** Takes note of work beside one unit for each command. */
  worked(units: number): undefined {
    this.#work += units;
  }

  /** Looks an entry up, which counts as a use of it. Returns its position, or 0. */
  get(key: ByteSpan, hash?: number): number {
    const position = this.store.get(key, hash);
    this.counters.cmd_get++;
    if (position === 0) {
      this.counters.get_misses++;
      return 0;
    }
    this.counters.get_hits++;
    return position;
  }

  /** An entry's CAS, a number that stands for its state: no other state of the key has the same number. */
  casOf(position: number): Unsigned {
    const { reader } = this.store;
    if ((reader.marks(position) & MARK.stamped) === 0) return reader.h(position);
    const stored = reader.storedBytes(position);
    const { bytes } = this.#scratchOf(stored);
    reader.copyStored(position, bytes, 0);
    const view = new DataView(bytes.buffer, bytes.byteOffset + stored - STAMP_BYTES);
    return unsignedOf(view.getBigUint64(0));
  }

  /** Whole seconds that an entry has to live, or -1 if it does not expire. */
  ttlSeconds(position: number): number {
    const endMs = this.store.reader.freshUntilMs(position);
    return endMs === Infinity ? -1 : Math.ceil((endMs - this.store.nowMs) / 1000);
  }

  /** Whole seconds since an entry was last used. */
  idleSeconds(position: number): number {
    return Math.floor(idleMsOf(this.store.reader, position, this.store.nowMs) / 1000);
  }

  /** Bytes of memory that an entry takes at most. */
  sizeOf(position: number): number {
    const { reader } = this.store;
    return reader.entryBytes(reader.keyBytes(position), reader.storedBytes(position));
  }

  /** Converts memcached's seconds to milliseconds to live: 0 is never, below 0 expired, above 30 days a time since 1970. */
  ttlOf(seconds: number): number {
    if (seconds === 0) return Infinity;
    if (seconds < 0) return EXPIRED;
    if (seconds <= MAX_RELATIVE_SECONDS) return 1000 * seconds;
    const ttlMs = 1000 * seconds - this.store.wallMs;
    return ttlMs <= 0 ? EXPIRED : ttlMs;
  }

  /** Whether an item is at most `maxItemBytes` long. */
  fits(keyBytes: number, valueBytes: number, flags: number): boolean {
    return ITEM_BYTES + keyBytes + valueBytes + (flags === 0 ? 0 : FLAGS_BYTES) <= this.maxItemBytes;
  }

  /** Stores a value, if the entry that the key has allows it. */
  set(key: ByteSpan, request: StoreRequest): Stored {
    this.counters.cmd_set++;
    const { store } = this;
    const { mode, value, flags, cas } = request;
    if (!this.fits(key.to - key.from, value.to - value.from, flags)) {
      this.counters.store_too_large++;
      return "too-large";
    }
    const isPlain = mode === "set" && cas === 0;
    const position = isPlain ? 0 : store.peek(key);
    if (position === 0) {
      if (mode === "append" || mode === "prepend") return this.#vivify(key, request);
      if (mode === "replace") return "not-stored";
      return mode === "cas" ? this.#keepPromise(key, request) : this.#put(key, request, NEW);
    }
    if (mode === "add") {
      store.use(position);
      return "not-stored";
    }
    if (mode === "append" || mode === "prepend") return this.#extend(key, position, request);
    if (mode !== "cas") return this.#put(key, request, NEW);
    return this.#compareAndSet(key, position, request);
  }

  /** Stores the first value of a key, if the request has the state of the key's promise. */
  #keepPromise(key: ByteSpan, request: StoreRequest): Stored {
    const promised = this.promises.find(key);
    if (promised === undefined) {
      this.counters.cas_misses++;
      return "not-found";
    }
    if (promised.cas !== request.cas) {
      this.counters.cas_badval++;
      return "exists";
    }
    this.counters.cas_hits++;
    return this.#put(key, request, NEW);
  }

  #compareAndSet(key: ByteSpan, position: number, request: StoreRequest): Stored {
    const { reader } = this.store;
    const here = this.casOf(position);
    const isStale = request.invalidates === true && request.cas !== 0 && request.cas < here;
    if (request.cas !== here && !isStale) {
      this.counters.cas_badval++;
      return "exists";
    }
    this.counters.cas_hits++;
    if (request.cas === here) return this.#put(key, request, NEW);
    // The value is replaced, but neither its deadline nor the promise of its replacement.
    const marks = reader.marks(position) & (MARK.promised | OF_TIMES) | MARK.stale;
    return this.#put(key, request, marks, position);
  }

  /** Appends or prepends to the value of an entry. */
  #extend(key: ByteSpan, position: number, request: StoreRequest): Stored {
    const { reader } = this.store;
    const { mode, value, cas } = request;
    if (cas !== 0 && cas !== this.casOf(position)) return "exists";
    const before = reader.valueBytes(position);
    const added = value.to - value.from;
    const flags = reader.flags(position);
    if (!this.fits(key.to - key.from, before + added, flags)) return "not-stored";
    const whole = this.#newBytes(before + added);
    reader.copyValue(position, whole, mode === "append" ? 0 : added);
    whole.set(value.bytes.subarray(value.from, value.to), mode === "append" ? before : 0);
    const marks = reader.marks(position) & OF_TIMES;
    const written = { ...request, flags, value: spanOf(whole), hasBinaryKey: false };
    return this.#put(key, written, marks, position);
  }

  #vivify(key: ByteSpan, request: StoreRequest): Stored {
    const { vivifyTtlMs } = request;
    return vivifyTtlMs === undefined ? "not-stored" : this.#put(key, { ...request, ttlMs: vivifyTtlMs }, NEW);
  }

  /** Writes an entry. If it `replaces` the value of the entry at a position, it keeps the deadline of that entry. */
  #put(key: ByteSpan, request: StoreRequest, marks: number, replaces = 0): Stored {
    const { store } = this;
    if (request.ttlMs < 0 && replaces === 0) {
      store.delete(key); // stored, and expired at once
      return "stored";
    }
    const { newCas = 0 } = request;
    const entry = {
      flags: request.flags,
      marks: marks | (request.hasBinaryKey === true ? MARK.binaryKey : 0) | (newCas === 0 ? 0 : MARK.stamped),
      value: newCas === 0 ? request.value : this.#stamped(request.value, newCas),
      ttlMs: request.ttlMs,
    };
    if (replaces === 0 ? store.set(key, entry) : rewrite(store, key, replaces, entry)) return "stored";
    this.counters.store_no_memory++;
    return "no-memory";
  }

  /** Removes the entry that a storage command has failed to replace, or ends the promise of one. */
  drop(key: ByteSpan): void {
    this.store.delete(key); // also where this server has no entry: a peer may have one
  }

  /**
   * Promises a key that has no entry to who asks first, for as long as that client said, or until the key is written or
   * removed, or that client's connection ends. This is no write.
   */
  vivify(key: ByteSpan, { ttlMs, newCas = 0 }: { ttlMs: number; newCas?: Unsigned }, asker: Asker): Vivified {
    const { store, promises } = this;
    const known = promises.find(key);
    if (known !== undefined) return { promised: known, isWon: false };
    if (ttlMs < 0) {
      return { promised: { cas: 0, lease: { deadlineMs: 0, usedMs: store.nowMs, isUsed: false } }, isWon: true };
    }
    return { promised: promises.make(key, ttlMs, newCas === 0 ? store.newStamp() : newCas, asker), isWon: true };
  }

  /** Ends the promise of a key that has no entry; if a state is given, only a promise that has it. */
  endPromise(key: ByteSpan, cas: Unsigned | undefined): void {
    if (cas === undefined || this.promises.find(key)?.cas === cas) this.promises.end(key);
  }

  /** Adds to a number, which wraps at 2⁶⁴, or subtracts from it, which stops at 0. */
  delta(key: ByteSpan, { by, isDown, cas, newCas = 0 }: DeltaRequest): DeltaResult {
    const { store } = this;
    const position = store.peek(key);
    if (position === 0) {
      this.counters[isDown ? "decr_misses" : "incr_misses"]++;
      return "not-found";
    }
    const length = store.reader.valueBytes(position);
    if (length === 0 || length > MAX_NUMBER_BYTES) return "non-numeric";
    if (cas !== 0 && cas !== this.casOf(position)) return "exists";
    const old = this.#scratchOf(length);
    store.reader.copyValue(position, old.bytes, 0);
    const value = addDelta(old, by, isDown);
    if (value === undefined) return "non-numeric";
    this.counters[isDown ? "decr_hits" : "incr_hits"]++;
    const digits = String(value);
    const isInPlace = digits.length <= length;
    const { bytes } = this.#scratchOf(Math.max(length, digits.length));
    for (let i = 0; i < digits.length; i++) bytes[i] = digits.charCodeAt(i);
    if (isInPlace) bytes.fill(SPACE, digits.length, length);
    const kept = isInPlace ? ~MARK.stamped : OF_TIMES;
    const request: StoreRequest = {
      mode: "set",
      flags: store.reader.flags(position),
      value: { bytes, from: 0, to: Math.max(length, digits.length) },
      ttlMs: 0,
      cas: 0,
      newCas,
    };
    if (this.#put(key, request, store.reader.marks(position) & kept, position) !== "stored") return "no-memory";
    return { position: store.peek(key), value };
  }

  /**
   * Gives an entry another time to live; its CAS stays the same.
   *
   * @returns The entry's new position, or 0 if the entry has expired by this.
   */
  touch(key: ByteSpan, position: number, ttlMs: number): number {
    const { store } = this;
    const { reader } = store;
    if (ttlMs < 0) {
      store.delete(key);
      return 0;
    }
    const marks = reader.marks(position);
    if ((marks & MARK.stamped) !== 0) {
      store.revise(position, { ttlMs });
      return position;
    }
    // Every write changes the version, which is the CAS unless a stamp beside the value keeps the old one.
    const length = reader.valueBytes(position);
    const value = this.#stamp(length, reader.h(position), (bytes) => reader.copyValue(position, bytes, 0));
    const kept = marks & ~MARK.aging | MARK.stamped; // with a time to live it does not age
    store.set(key, { flags: reader.flags(position), marks: kept, value, ttlMs });
    return store.peek(key);
  }

  /** Marks an entry as stale, for the next client that asks to replace it, with a new CAS and, if given, time to live. */
  invalidate(key: ByteSpan, position: number, { ttlMs, newCas = 0 }: Change): void {
    const { store } = this;
    const { reader } = store;
    const marks = reader.marks(position) & ~(MARK.promised | MARK.stamped) | MARK.stale;
    if (ttlMs !== undefined && ttlMs < 0) {
      store.delete(key);
      return;
    }
    if (newCas === 0 && (reader.marks(position) & MARK.stamped) === 0) {
      store.revise(position, { ttlMs, marks });
      return;
    }
    const value = this.#newBytes(reader.valueBytes(position));
    reader.copyValue(position, value, 0);
    const request = { mode: "set", flags: reader.flags(position), value: spanOf(value), cas: 0, newCas } as const;
    if (ttlMs === undefined) this.#put(key, { ...request, ttlMs: 0 }, marks, position);
    else this.#put(key, { ...request, ttlMs }, marks & ~MARK.aging);
  }

  /** Replaces an entry by one without value and flags, which keeps the CAS unless another is given. */
  empty(key: ByteSpan, position: number, { ttlMs = Infinity, newCas = 0 }: Change): void {
    const cas = newCas === 0 ? this.casOf(position) : newCas;
    this.#put(key, { mode: "set", flags: 0, value: spanOf(new Uint8Array(0)), ttlMs, cas: 0, newCas: cas }, NEW);
  }

  /** Removes an entry. Returns whether there was one. */
  delete(key: ByteSpan): boolean {
    const isDeleted = this.store.delete(key);
    this.counters[isDeleted ? "delete_hits" : "delete_misses"]++;
    return isDeleted;
  }

  /**
   * Removes all entries, now or later; none if `seconds` is a time since 1970 that is more than a minute before this
   * server's start. A later call replaces one that waits.
   */
  flush(seconds: number): void {
    this.counters.cmd_flush++;
    this.#work += STATS_UNITS;
    const ttlMs = this.ttlOf(seconds);
    if (seconds > 0 && ttlMs > 0) return this.#later(ttlMs, () => this.store.clear());
    this.#later(Infinity, () => {});
    const epochMs = this.#epochMs + this.store.wallMs - this.store.nowMs; // by the wall clock as it is now
    if (seconds <= 0 || 1000 * seconds > epochMs) this.store.clear();
  }

  /** Sets all counters back to 0. */
  resetCounters(): void {
    Object.assign(this.counters, new MemcachedCounters());
    this.prefixes.clear();
  }

  #stamped({ bytes, from, to }: ByteSpan, cas: Unsigned): ByteSpan {
    return this.#stamp(to - from, cas, (target) => target.set(bytes.subarray(from, to)));
  }

  /** A value of `length` bytes, which `copy` writes, followed by a stamp. */
  #stamp(length: number, cas: Unsigned, copy: (target: Uint8Array) => void): ByteSpan {
    const bytes = this.#newBytes(length + STAMP_BYTES);
    copy(bytes);
    new DataView(bytes.buffer).setBigUint64(length, BigInt(cas));
    return spanOf(bytes);
  }

  #scratchOf(length: number): ByteSpan {
    if (length > this.#scratch.length) return { bytes: this.#newBytes(length), from: 0, to: length };
    return { bytes: this.#scratch, from: 0, to: length };
  }

  /** Memory for a copy of a value. */
  #newBytes(length: number): Uint8Array<ArrayBuffer> {
    this.#work += unitsOf(length);
    return new Uint8Array(length);
  }
}

/** What a command changes of an entry beside its value. */
export interface Change {
  ttlMs?: number;
  newCas?: Unsigned;
}

/** Counters under memcached's names. */
export class MemcachedCounters {
  cmd_get = 0;
  cmd_set = 0;
  cmd_flush = 0;
  cmd_touch = 0;
  cmd_meta = 0;
  get_hits = 0;
  get_misses = 0;
  delete_misses = 0;
  delete_hits = 0;
  incr_misses = 0;
  incr_hits = 0;
  decr_misses = 0;
  decr_hits = 0;
  cas_misses = 0;
  cas_hits = 0;
  cas_badval = 0;
  touch_hits = 0;
  touch_misses = 0;
  store_too_large = 0;
  store_no_memory = 0;
}
