/**
 * Leases: who may compute the value of a key that has none, and who waits for that. It knows keys, tokens, times and those who
 * ask, not how they are told or what they store. The rules are in docs/near.md.
 */

import { beginsWith, type ByteSpan, spanOf } from "../base/byte_span.ts";
import type { LeaseStats } from "../base/stats.ts";
import type { Store } from "../store/store.ts";
import { CAUSE, type Cause, type StoreListener } from "../store/store_listener.ts";
import { type LeaseToken, MAX_LEASE_MS } from "../wire/leases.ts";
import { LeaseList, type Listed } from "./lease_list.ts";

/** Keys that are leased at once, at most, and the bytes of them together; with more, the lease that was given first is over. */
export const MAX_LEASES = 65_536;
export const MAX_LEASED_BYTES: number = 16 * 1024 * 1024;
/** Keys that one connection waits for, at most, and all together. Who would wait for more waits for whatever comes first. */
export const MAX_WAITS = 1024;
export const MAX_ALL_WAITS = 65_536;
/** Milliseconds for which a key whose old value will do is not leased again after it was given back, at most. */
export const MAX_REST_MS = 1000;
/** Milliseconds for which leases are kept that have run out and that nobody has asked for since: every write looks for them. */
export const KEPT_MS = 60_000;

/** Stands for those who wait where nobody does: a set of its own would be a quarter of a lease's memory. It remains empty. */
const NOBODY: Set<Asker> = new Set();

/** A key that somebody may compute. */
export interface Lease extends Listed<Lease> {
  readonly key: Uint8Array;
  readonly hash: number;
  /** Another lease of the same hash. */
  next: Lease | undefined;
  /** Who may compute; `undefined` if it was given back. */
  holder: Asker | undefined;
  high: number;
  low: number;
  leaseMs: number;
  /** When it runs out or, if it was given back, when it has rested. `Infinity` is never. */
  deadlineMs: number;
  /** Until when others wait for it: until then, but for a minute at most, since a promise to memcached's clients may be for ever. */
  awaitedUntilMs: number;
  /** When the key was last asked for by memcached's clients, and whether it was since the lease was given. */
  usedMs: number;
  isUsed: boolean;
  /** Those who wait for its end. */
  waiters: Set<Asker>;
}

/** One connection that asks for leases. */
export class Asker {
  /** The leases that it has. */
  readonly held: Set<Lease> = new Set();
  /** The leases that it waits for. */
  readonly waits: Set<Lease> = new Set();
  /** Whether it waits for too many: then the end of any lease tells it to ask again for all. */
  waitsForAny = false;
  /** Tells it to ask again for a key, or for all. */
  readonly again: (key: Uint8Array | undefined) => void;

  constructor(again: Asker["again"]) {
    this.again = again;
  }
}

/** A lease that is given. */
export interface Granted extends LeaseToken {
  readonly nowMs: number;
  /** Milliseconds for which the lease is to last. */
  readonly leaseMs: number;
}

/** A question for a key that has no fresh entry. */
export interface LeaseQuestion extends Granted {
  /** Whether there is a value that is not fresh any more and will do. */
  readonly hasStale: boolean;
}

/** Counters of leases. */
export type LeaseCounters = Omit<LeaseStats, "leaseWaits">;

/** What leases need of a store. */
export type LeaseStore = Pick<Store, "hash" | "listen" | "recentMs">;

/** The leases of one server. */
export class Leases implements StoreListener {
  readonly causes: number = CAUSE.written | CAUSE.deleted | CAUSE.applied | CAUSE.cleared;
  readonly stats: LeaseCounters = { leasesGiven: 0, leasesLost: 0, leasesHandedOver: 0 };
  readonly #store: LeaseStore;
  readonly #onDue: (dueMs: number) => void;
  readonly #byHash = new Map<number, Lease>();
  /** In the order in which they were given. */
  readonly #all = new LeaseList<Lease>();
  #bytes = 0;
  /** When all have run out. */
  #lastDeadlineMs = 0;
  /** Those that somebody waits for. */
  readonly #waited = new Set<Lease>();
  #waits = 0;
  readonly #forAny = new Set<Asker>();
  /** When the first lease runs out that somebody waits for who waits for any. */
  #anyDueMs = Infinity;
  /** When `tick` is due, as far as `onDue` has been told. */
  #dueMs = Infinity;
  #isListening = false;

  /** @param onDue Told when `tick` is to be called, in place of what was said before; `Infinity` is never. */
  constructor(store: LeaseStore, onDue: (dueMs: number) => void) {
    this.#store = store;
    this.#onDue = onDue;
  }

  /** Leases that there are, those included that have run out and nobody has asked for since. */
  get size(): number {
    return this.#all.size;
  }

  /** Connections and keys that are waited for. */
  get waiting(): number {
    return this.#waits + this.#forAny.size;
  }

  /**
   * Asks for a lease.
   *
   * @returns `given` if the asker is to compute; `stale` if it is to use the stale value, and `wait` if it will be told to ask again.
   */
  ask(key: ByteSpan, asker: Asker, question: LeaseQuestion): "given" | "stale" | "wait" {
    const { nowMs, hasStale } = question;
    const hash = this.#store.hash(key);
    const lease = this.#find(key, hash);
    const isHeld = lease !== undefined && lease.awaitedUntilMs > nowMs && (lease.holder !== undefined || hasStale);
    if (isHeld && hasStale) return "stale";
    if (isHeld) {
      this.#wait(lease, asker);
      return "wait";
    }
    this.#give(lease ?? this.#newLease(key, hash), asker, question);
    return "given";
  }

  /** The lease of a key that somebody has, if it has not run out. */
  held(key: ByteSpan, nowMs: number): Lease | undefined {
    if (this.#all.size === 0) return undefined;
    const lease = this.#find(key, this.#store.hash(key));
    return lease?.holder === undefined || lease.deadlineMs <= nowMs ? undefined : lease;
  }

  /** Gives the lease of a key, which nobody may have (`held`), to a connection. */
  grant(key: ByteSpan, asker: Asker, granted: Granted): Lease {
    const hash = this.#store.hash(key);
    const lease = this.#find(key, hash) ?? this.#newLease(key, hash);
    this.#give(lease, asker, granted);
    return lease;
  }

  /** Ends the lease of a key, if there is one, as a removal does. */
  end(key: ByteSpan): void {
    if (this.#all.size === 0) return;
    const lease = this.#find(key, this.#store.hash(key));
    if (lease !== undefined) this.#end(lease, false);
  }

  /** Whether a token is that of a key's lease, which may have run out if it has not been handed on; counts one that is not. */
  isValid(key: ByteSpan, { high, low }: LeaseToken): boolean {
    const lease = this.#find(key, this.#store.hash(key));
    if (lease?.holder !== undefined && lease.high === high && lease.low === low) return true;
    this.stats.leasesLost++;
    return false;
  }

  /**
   * Takes a lease back.
   *
   * @param rests Whether there is a value that will do for a while, so that not everybody tries in turn what has failed.
   * @returns Whether the token was valid.
   */
  takeBack(key: ByteSpan, token: LeaseToken, nowMs: number, rests: boolean): boolean {
    if (!this.isValid(key, token)) return false;
    const lease = this.#find(key, this.#store.hash(key))!;
    if (!rests) {
      this.#end(lease, true);
      return true;
    }
    lease.holder!.held.delete(lease);
    lease.holder = undefined;
    lease.deadlineMs = lease.awaitedUntilMs = nowMs + Math.min(lease.leaseMs, MAX_REST_MS);
    this.#wake(lease, true);
    return true;
  }

  /** Ends the lease of a key that has changed in the store, those of all keys under a prefix that has been cleared, or all. */
  changed(cause: Cause, key: ByteSpan | undefined): void {
    if (this.#all.size === 0) return;
    if (key === undefined || this.#store.recentMs >= this.#lastDeadlineMs + KEPT_MS) this.#endAll();
    else if (cause === CAUSE.cleared) this.#endUnder(key);
    else this.end(key);
  }

  #endUnder(prefix: ByteSpan): void {
    const ended: Lease[] = [];
    const first = prefix.bytes[prefix.from];
    for (let lease = this.#all.oldest; lease !== undefined; lease = lease.newer) {
      if (lease.key[0] === first && beginsWith(spanOf(lease.key), prefix)) ended.push(lease);
    }
    for (const lease of ended) this.#end(lease, false);
  }

  /** Hands over what a connection had that has ended, and forgets what it waited for. */
  leave(asker: Asker): void {
    for (const lease of asker.waits) this.#unwait(lease, asker);
    asker.waits.clear();
    if (this.#forAny.delete(asker) && this.#forAny.size === 0) this.#anyDueMs = Infinity;
    for (const lease of asker.held) this.#end(lease, true);
    this.#rest();
  }

  /** Tells those who wait for a lease that has run out to ask again. To be called at the time that `onDue` was told. */
  tick(nowMs: number): void {
    for (const lease of this.#waited) if (lease.awaitedUntilMs <= nowMs) this.#wake(lease, true);
    if (this.#anyDueMs <= nowMs) this.#wakeForAny();
    this.#dueMs = Infinity;
    let dueMs = this.#anyDueMs;
    for (const { awaitedUntilMs } of this.#waited) if (awaitedUntilMs < dueMs) dueMs = awaitedUntilMs;
    this.#due(dueMs);
  }

  #find({ bytes, from, to }: ByteSpan, hash: number): Lease | undefined {
    let lease = this.#byHash.get(hash);
    for (; lease !== undefined; lease = lease.next) {
      const { key } = lease;
      if (key.length !== to - from) continue;
      let i = 0;
      while (i < key.length && key[i] === bytes[from + i]) i++;
      if (i === key.length) return lease;
    }
    return undefined;
  }

  #newLease({ bytes, from, to }: ByteSpan, hash: number): Lease {
    if (!this.#isListening) this.#store.listen(this); // only now: where nobody asks for leases, no write tells of itself
    this.#isListening = true;
    const lease: Lease = {
      key: bytes.slice(from, to),
      hash,
      next: this.#byHash.get(hash),
      holder: undefined,
      high: 0,
      low: 0,
      leaseMs: 0,
      deadlineMs: 0,
      awaitedUntilMs: 0,
      usedMs: 0,
      isUsed: false,
      waiters: NOBODY,
      older: undefined,
      newer: undefined,
    };
    this.#byHash.set(hash, lease);
    this.#bytes += lease.key.length;
    return lease;
  }

  #give(lease: Lease, asker: Asker, { high, low, nowMs, leaseMs }: Granted): void {
    lease.holder?.held.delete(lease);
    lease.holder = asker;
    asker.held.add(lease);
    lease.high = high;
    lease.low = low;
    lease.leaseMs = leaseMs;
    lease.deadlineMs = nowMs + leaseMs;
    lease.awaitedUntilMs = Math.min(lease.deadlineMs, nowMs + MAX_LEASE_MS);
    lease.usedMs = nowMs;
    lease.isUsed = false;
    this.#lastDeadlineMs = Math.max(this.#lastDeadlineMs, lease.deadlineMs);
    this.#all.add(lease);
    this.stats.leasesGiven++;
    if (lease.waiters.size > 0) this.#due(lease.awaitedUntilMs);
    while (this.#all.size > MAX_LEASES || this.#bytes > MAX_LEASED_BYTES) this.#end(this.#all.oldest!, true);
  }

  /** Has a connection wait for the end of a lease. */
  #wait(lease: Lease, asker: Asker): void {
    if (lease.waiters.has(asker)) return;
    if (!asker.waitsForAny && asker.waits.size < MAX_WAITS && this.#waits < MAX_ALL_WAITS) {
      if (lease.waiters === NOBODY) lease.waiters = new Set();
      lease.waiters.add(asker);
      asker.waits.add(lease);
      this.#waited.add(lease);
      this.#waits++;
      return this.#due(lease.awaitedUntilMs);
    }
    asker.waitsForAny = true;
    this.#forAny.add(asker);
    for (const { awaitedUntilMs } of [lease, ...asker.waits]) {
      this.#anyDueMs = Math.min(this.#anyDueMs, awaitedUntilMs);
    }
    for (const other of asker.waits) this.#unwait(other, asker);
    asker.waits.clear();
    this.#due(this.#anyDueMs);
  }

  #unwait(lease: Lease, asker: Asker): void {
    if (lease.waiters.delete(asker)) this.#waits--;
    if (lease.waiters.size === 0) this.#waited.delete(lease);
  }

  /** Ends a lease; `isUnused` says that no value has come of it. */
  #end(lease: Lease, isUnused: boolean): void {
    this.#all.delete(lease);
    if (this.#all.size === 0) this.#lastDeadlineMs = 0;
    this.#bytes -= lease.key.length;
    this.#unlink(lease);
    lease.holder?.held.delete(lease);
    lease.holder = undefined;
    this.#wake(lease, isUnused);
  }

  #unlink(lease: Lease): void {
    const { hash, next } = lease;
    let at = this.#byHash.get(hash)!;
    if (at === lease) {
      if (next === undefined) this.#byHash.delete(hash);
      else this.#byHash.set(hash, next);
      return;
    }
    while (at.next !== lease) at = at.next!;
    at.next = next;
  }

  #endAll(): void {
    const waiters = new Set(this.#forAny);
    for (const lease of this.#all.takeAll()) {
      for (const asker of lease.waiters) waiters.add(asker);
      lease.holder?.held.clear();
      lease.holder = undefined;
    }
    this.#byHash.clear();
    this.#waited.clear();
    this.#forAny.clear();
    this.#bytes = this.#waits = this.#lastDeadlineMs = 0;
    this.#anyDueMs = Infinity;
    for (const asker of waiters) {
      asker.waits.clear();
      asker.waitsForAny = false;
      asker.again(undefined);
    }
    this.#rest();
  }

  /** Tells those who wait for a lease to ask again, and those who wait for any. */
  #wake(lease: Lease, isUnused: boolean): void {
    const { waiters } = lease;
    if (isUnused && waiters.size > 0) this.stats.leasesHandedOver++;
    this.#waited.delete(lease);
    this.#waits -= waiters.size;
    for (const asker of waiters) {
      asker.waits.delete(lease);
      asker.again(lease.key);
    }
    waiters.clear();
    if (this.#forAny.size > 0) this.#wakeForAny();
    else this.#rest();
  }

  /** Has `tick` not be called where nobody waits. */
  #rest(): void {
    if (this.waiting > 0 || this.#dueMs === Infinity) return;
    this.#dueMs = Infinity;
    this.#onDue(Infinity);
  }

  #wakeForAny(): void {
    const askers = [...this.#forAny];
    this.#forAny.clear();
    this.#anyDueMs = Infinity;
    for (const asker of askers) {
      asker.waitsForAny = false;
      asker.again(undefined);
    }
    this.#rest();
  }

  #due(dueMs: number): void {
    if (dueMs >= this.#dueMs) return;
    this.#dueMs = dueMs;
    this.#onDue(dueMs);
  }
}
