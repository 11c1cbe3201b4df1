/** A cache in this process's memory: the client without a server. It keeps values themselves or, if told to, copies. */

import {
  checkCallOptions,
  checkIncrement,
  checkKeysOptions,
  checkPairs,
  checkStoreManyOptions,
  checkStoreOptions,
} from "../base/call_checks.ts";
import type { CacheEvent } from "../base/cache_event.ts";
import type {
  CallOptions,
  ComputeContext,
  EntryOptions,
  IncrementOptions,
  KeysOptions,
  OrmucoCache,
  RetrievedEntry,
  RetrieveOrStoreOptions,
  StoreValueOptions,
} from "../base/cache.ts";
import { CallCounters } from "../base/call_counters.ts";
import { checkKey, checkPrefix, checkTtlMs, uniqueKeys } from "../base/checks.ts";
import { CacheError } from "../base/errors.ts";
import { MAX_VALUE_BYTES } from "../base/limits.ts";
import { checkRetrieveOrStore } from "../base/retrieve_or_store.ts";
import type { ClientStats } from "../base/stats.ts";
import { added, type Unsigned, unsignedOf } from "../base/unsigned.ts";
import { type ValueOptions, valueOptions } from "../base/value_options.ts";
import type { Asked, Lifetime, Stale } from "../compute/backend.ts";
import { Computations } from "../compute/computations.ts";
import { Namespace, type WholeCache } from "../compute/namespace.ts";
import { CacheEvents } from "../platform/cache_events.ts";
import { processClock } from "../platform/clock.ts";
import { Slices } from "../platform/slices.ts";
import { Failures } from "./failures.ts";
import { HeldValues, TOO_LARGE } from "./held_values.ts";
import { MemoryEntries, NONE } from "./memory_entries.ts";

/** Units of a slice's work that a step of a walk over all keys is. */
const WALK_UNITS = 16;

const TOO_LARGE_MESSAGE = `the value has more than ${MAX_VALUE_BYTES} bytes`;

/** Options of {@linkcode MemoryCache}; the names are those of the client's options. */
export interface MemoryCacheOptions extends ValueOptions {
  readonly maxSize?: number;
  readonly renewOnHit?: boolean;
  readonly ttlMs?: number;
  /** Whether values are checked and copied as they are with a server. */
  readonly copies?: boolean;
  readonly onError?: (error: CacheError) => void;
  readonly onEvent?: (event: CacheEvent) => void;
}

/** A cache in memory. Nobody is waited for, so that a call's `timeoutMs` has no effect, and its `signal` one before it begins. */
export class MemoryCache implements WholeCache {
  readonly #entries: MemoryEntries;
  readonly #values: HeldValues;
  readonly #calls: CallCounters;
  readonly #failures: Failures;
  readonly #computations: Computations;

  /** @throws {RangeError} If an option is out of range. */
  constructor({ maxSize, renewOnHit, ttlMs, copies = false, onError, onEvent, ...others }: MemoryCacheOptions) {
    const { now } = processClock;
    const events = new CacheEvents(onEvent);
    this.#entries = new MemoryEntries({ maxSize, renewOnHit, ttlMs, now, events });
    this.#values = new HeldValues(copies, valueOptions(others));
    this.#calls = new CallCounters(events);
    this.#failures = new Failures({ counters: this.#calls, events, of: "this process", onError });
    this.#computations = new Computations({
      ask: (key) => this.#look(key),
      fill: (key, value, _token, lifetime) => this.#put(key, value, undefined, lifetime),
      give: () => {},
      failed: (key, error) => this.#failures.computing(error, key),
    }, now);
  }

  /** Stores a value. One that is refused leaves no older one: a miss is better than a value that is no longer right. */
  async store(key: string, data: unknown, options?: StoreValueOptions): Promise<boolean> {
    const checked = options === undefined ? undefined : checkStoreOptions(options);
    checkKey(key);
    if (checked !== undefined) {
      checked.signal?.throwIfAborted();
      if (checked.onlyIf !== undefined) return await this.#storeIf(key, data, checked.onlyIf, checked);
    }
    this.#computations.overtaken(key);
    return await this.#put(key, data, checked);
  }

  /** Stores many values: all that a server would take or, where one is no value at all, none. */
  async storeMany(entries: Iterable<readonly [string, unknown]>, options?: EntryOptions): Promise<boolean> {
    const checked = checkStoreManyOptions(options);
    const values = checkPairs(entries);
    checked.signal?.throwIfAborted();
    return await this.#putAll(values, checked);
  }

  /** Returns the value of a key, or what `compute` returns, which is stored. */
  async retrieveOrStore<T>(
    key: string,
    compute: (context: ComputeContext) => T | Promise<T>,
    options?: RetrieveOrStoreOptions,
  ): Promise<T> {
    const checked = checkRetrieveOrStore(compute, options);
    checkKey(key);
    return await this.#computations.retrieveOrStore(key, compute, checked) as T;
  }

  /** Returns the value of a key. */
  async retrieve<T = unknown>(key: string, options?: CallOptions): Promise<T | undefined> {
    if (options !== undefined) begin("retrieve", options);
    const value = this.#find(key, memoryKey(key));
    this.#calls.asked(key, value !== NONE);
    return await (value === NONE ? undefined : value) as T | undefined;
  }

  /** Returns the value of a key, and what is known of its entry. */
  async retrieveEntry<T = unknown>(key: string, options?: CallOptions): Promise<RetrievedEntry<T> | undefined> {
    begin("retrieve", options);
    const entry = this.#entries.entry(memoryKey(key));
    const value = entry === undefined ? NONE : this.#given(key, entry.value);
    this.#calls.asked(key, value !== NONE);
    return await (value === NONE ? undefined : { ...entry!, value: value as T });
  }

  /** Returns the value of a key and removes its entry. */
  async take<T = unknown>(key: string, options?: CallOptions): Promise<T | undefined> {
    begin("take", options);
    const name = memoryKey(key);
    const held = this.#entries.find(name);
    this.#computations.overtaken(key);
    this.#entries.delete(name);
    const value = held === NONE ? NONE : this.#given(key, held, "take");
    this.#calls.asked(key, value !== NONE);
    if (held !== NONE) this.#calls.removed(key);
    return await (value === NONE ? undefined : value) as T | undefined;
  }

  /** Returns the values of many keys. */
  async retrieveMany<T = unknown>(keys: Iterable<string>, options?: CallOptions): Promise<Map<string, T>> {
    const values = new Map<string, T>();
    const asked = [...uniqueKeys(keys)];
    const names = asked.map(memoryKey);
    begin("retrieve", options);
    names.forEach((name, i) => {
      const value = this.#find(asked[i], name);
      if (value !== NONE) values.set(asked[i], value as T);
      this.#calls.asked(asked[i], value !== NONE);
    });
    return await values;
  }

  /** Tells whether a key has an entry, without using or renewing it. */
  async has(key: string, options?: CallOptions): Promise<boolean> {
    begin("look up", options);
    return await this.#entries.has(memoryKey(key));
  }

  /** Restarts the time to live of an entry, or gives it another. */
  async touch(key: string, ttlMs?: number, options?: CallOptions): Promise<boolean> {
    const checked = ttlMs === undefined ? undefined : checkTtlMs(ttlMs);
    begin("touch", options);
    return await this.#entries.touch(memoryKey(key), checked);
  }

  /** Adds to a number. */
  async increment(
    key: string,
    by?: number | bigint,
    options?: IncrementOptions,
  ): Promise<number | bigint | undefined> {
    const { by: amount, initial, ttlMs, signal } = checkIncrement(by, options);
    const name = memoryKey(key);
    signal?.throwIfAborted();
    const changed = this.#entries.update(name, (held) => this.#added(key, held, amount));
    if (changed === NONE && initial === undefined) return await undefined;
    this.#computations.overtaken(key);
    const number = changed === NONE ? unsignedOf(initial!) : changed as Unsigned;
    if (changed === NONE) this.#entries.set(name, number, { ttlMs, renewOnHit: false });
    this.#calls.added(key);
    return number;
  }

  /** Removes an entry. */
  async remove(key: string, options?: CallOptions): Promise<boolean> {
    begin("remove", options);
    const name = memoryKey(key);
    return await this.#delete(key, name);
  }

  /** Removes the entries of many keys. */
  async removeMany(keys: Iterable<string>, options?: CallOptions): Promise<number> {
    const removed = [...uniqueKeys(keys)];
    const names = removed.map(memoryKey);
    begin("remove", options);
    return await names.filter((name, i) => this.#delete(removed[i], name)).length;
  }

  /** Gives the keys, slice by slice, in the order of where their entries stand: that of use changes meanwhile. */
  async *keys(options?: KeysOptions): AsyncGenerator<string, void> {
    const { prefix = "", signal } = checkKeysOptions(options);
    const slices = new Slices();
    slices.begin();
    for (let from = 1; from !== 0;) {
      signal?.throwIfAborted();
      const { names, next } = this.#entries.walk(from, `\0${prefix}`);
      for (const name of names) {
        yield name.slice(1);
        signal?.throwIfAborted();
      }
      from = next;
      slices.spend(WALK_UNITS);
      if (slices.isOver) await slices.next();
    }
  }

  /** Removes every entry. */
  async clear(options?: CallOptions): Promise<boolean> {
    begin("clear", options);
    this.#computations.overtaken();
    this.#entries.clear();
    this.#calls.cleared();
    return await true;
  }

  /**
   * Removes every entry whose key begins with a prefix: from then on none is found. They leave memory in slices, until which
   * `stats` counts them.
   */
  async clearPrefix(prefix: string, options?: CallOptions): Promise<boolean> {
    checkPrefix(prefix);
    begin("clear", options);
    this.#computations.overtakenUnder(prefix);
    this.#entries.clearPrefix(`\0${prefix}`);
    this.#calls.cleared(prefix);
    return await true;
  }

  /** Returns the entries whose keys begin with a prefix. */
  namespace(prefix: string): OrmucoCache {
    return new Namespace(this, prefix);
  }

  /** Returns counters of the calls made here, and the number of entries. */
  async stats(): Promise<ClientStats> {
    return await {
      connectedTo: undefined,
      ...this.#calls.stats(),
      entries: this.#entries.size,
      server: undefined,
    };
  }

  /** Facts for a debugger. */
  get facts(): object {
    const { hits, misses, stores } = this.#calls;
    return { entries: this.#entries.size, maxSize: this.#entries.maxSize, hits, misses, stores };
  }

  /** Resolves: there is nobody to ask. */
  async ping(options?: CallOptions): Promise<void> {
    await begin("ping", options);
  }

  /** Ends no connection, as there is none; what a cleared prefix has left in memory leaves with later calls from now on. */
  async close(): Promise<void> {
    await this.#entries.rest();
  }

  /** Calls `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Returns what there is of a key: a fresh value, or else leave to compute one. */
  #look(key: string): Asked {
    const name = memoryKey(key);
    const value = this.#find(key, name);
    this.#calls.asked(key, value !== NONE);
    return value === NONE ? { state: "compute", stale: this.#stale(key, name) } : { state: "fresh", value };
  }

  #stale(key: string, name: string): Stale | undefined {
    const held = this.#entries.stale(name);
    const value = held === undefined ? NONE : this.#given(key, held.value);
    return value === NONE ? undefined : { value, forMs: held!.forMs };
  }

  /** Returns a value that is fresh, or `NONE`. */
  #find(key: string, name: string): unknown {
    const held = this.#entries.find(name);
    return held === NONE ? NONE : this.#given(key, held);
  }

  /** Returns the value for what is held; `NONE`, of which is told, if the codec does not read it. */
  #given(key: string, held: unknown, verb = "retrieve"): unknown {
    try {
      return this.#values.give(held);
    } catch (error) {
      this.#failures.failed(new CacheError("protocol", (error as Error).message, { cause: error }), verb, key);
      return NONE;
    }
  }

  /** Stores a value, or a copy, for a lifetime if one is given. One that is refused leaves no older one. */
  #put(key: string, data: unknown, options?: EntryOptions, lifetime?: Lifetime): boolean {
    const name = memoryKey(key);
    let held: unknown;
    try {
      held = this.#hold(key, data);
    } catch (error) {
      this.#entries.delete(name);
      throw error;
    }
    if (held === NONE) {
      this.#entries.delete(name);
      return false;
    }
    if (lifetime !== undefined) this.#entries.keep(name, held, lifetime);
    else this.#entries.set(name, held, options && lifetimeOf(options));
    this.#calls.stored(key);
    return true;
  }

  /** Stores values, and says whether all are. Where one is no value at all, it throws and has changed nothing. */
  #putAll(values: Map<string, unknown>, options: EntryOptions): boolean {
    const all = Array.from(values, ([key, data]) => ({ key, held: this.#hold(key, data) }));
    for (const { key, held } of all) {
      this.#computations.overtaken(key);
      if (held === NONE) this.#entries.delete(memoryKey(key));
      else this.#entries.set(memoryKey(key), held, lifetimeOf(options));
      if (held !== NONE) this.#calls.stored(key);
    }
    return all.every(({ held }) => held !== NONE);
  }

  /** Stores a value if there is what the caller asks for, and changes nothing else. */
  #storeIf(key: string, data: unknown, onlyIf: "absent" | "present" | number, options: EntryOptions): boolean {
    const held = this.#values.hold(data);
    if (held === TOO_LARGE) {
      throw new CacheError("refused", `Cannot store ${JSON.stringify(key)}: ${TOO_LARGE_MESSAGE}`);
    }
    const name = memoryKey(key);
    if (!this.#entries.meets(name, onlyIf)) return false;
    this.#computations.overtaken(key);
    this.#entries.set(name, held, lifetimeOf(options));
    this.#calls.stored(key);
    return true;
  }

  /** Removes an entry. Returns whether there was one. */
  #delete(key: string, name: string): boolean {
    this.#computations.overtaken(key);
    const isRemoved = this.#entries.delete(name);
    if (isRemoved) this.#calls.removed(key);
    return isRemoved;
  }

  /** Returns what is held for a value; `NONE`, of which is told, if it is larger than a server takes. */
  #hold(key: string, data: unknown): unknown {
    const held = this.#values.hold(data);
    if (held !== TOO_LARGE) return held;
    this.#failures.failed(new CacheError("refused", TOO_LARGE_MESSAGE), "store", key);
    return NONE;
  }

  /** Returns a number to which another is added: not below 0, and above the largest from 0 on. */
  #added(key: string, held: unknown, by: bigint): Unsigned {
    const counter = this.#values.counter(held);
    if (counter === undefined) {
      const what = `Cannot increment ${JSON.stringify(key)}`;
      throw new CacheError("refused", `${what}: its entry must hold a whole number from 0 to 2⁶⁴ − 1`);
    }
    return added(counter, by < 0n ? -by : by, by < 0n);
  }
}

/** Checks the options of a call, and throws the reason of a signal that is aborted. */
function begin(verb: string, options: CallOptions | undefined): void {
  checkCallOptions(verb, options).signal?.throwIfAborted();
}

/** The options that an entry has: the same object if there are no others. */
function lifetimeOf(options: EntryOptions): EntryOptions {
  for (const name in options) {
    if (name !== "ttlMs" && name !== "renewOnHit") return { ttlMs: options.ttlMs, renewOnHit: options.renewOnHit };
  }
  return options;
}

/** Prefixes a key, because the engine hashes strings of digits predictably: chosen keys could all collide. */
function memoryKey(key: string): string {
  checkKey(key);
  return `\0${key}`;
}
