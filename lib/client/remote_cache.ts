/** A cache on a server: each call is a request, and a failed call is a miss. It does not know how bytes travel. */

import { type Address, formatAddress } from "../base/address.ts";
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
import {
  checkCallOptions,
  checkIncrement,
  checkKeysOptions,
  checkPairs,
  checkStoreManyOptions,
  checkStoreOptions,
} from "../base/call_checks.ts";
import { CallCounters } from "../base/call_counters.ts";
import { checkData, checkKey, checkKeyList, checkPrefix, checkTtlMs } from "../base/checks.ts";
import { CacheError } from "../base/errors.ts";
import { checkRetrieveOrStore } from "../base/retrieve_or_store.ts";
import { SOFTWARE } from "../base/software.ts";
import type { KeyExplanation } from "../base/explanation.ts";
import type { ServerInsight } from "../base/insight.ts";
import type { ClientStats } from "../base/stats.ts";
import { type ValueOptions, valueOptions } from "../base/value_options.ts";
import type { ClientTlsOptions } from "../base/tls_options.ts";
import type { Asked } from "../compute/backend.ts";
import { Computations } from "../compute/computations.ts";
import { Namespace, type WholeCache } from "../compute/namespace.ts";
import { ASK, type NearLimits } from "../near/near_tier.ts";
import { CacheEvents } from "../platform/cache_events.ts";
import { processClock } from "../platform/clock.ts";
import { isDenied } from "../platform/connect.ts";
import { MISS, readFound, readYesNo, writeKeyed, writeSet } from "../wire/calls.ts";
import { type ListedEntry, writeSetIf } from "../wire/entry_calls.ts";
import { REQUEST } from "../wire/frame.ts";
import { CLIENT_UNITS } from "../wire/decoding_budget.ts";
import { type EncodedValue, encodeValue } from "../wire/values.ts";
import { boundsOf } from "./bounded_call.ts";
import type { ClientConnection } from "./connection.ts";
import { Entries } from "./entries.ts";
import { Failures } from "./failures.ts";
import { Hearers } from "./hearers.ts";
import { ClientLeases, isNoAnswer } from "./leases.ts";
import { Many } from "./many.ts";
import { NearCache } from "./near_cache.ts";
import { type Read, Requests, wireTtlMs, type Write } from "./requests.ts";
import { askInsight, askStats, askToExplain, askToForget } from "./server_questions.ts";
import { orAborted } from "./signals.ts";
import type { TokenSource } from "./token_source.ts";
import { connectionWith } from "./traced_connection.ts";
import { whatAnswers } from "./what_answers.ts";

/** Options of {@linkcode RemoteCache}; the names are those of the client's options. */
export interface RemoteCacheOptions extends ValueOptions {
  /** The servers, one or more. */
  readonly servers: readonly Address[];
  readonly timeoutMs: number;
  /** Milliseconds until an entry stored without a ttl of its own expires; `undefined` leaves this to the server. */
  readonly ttlMs: number | undefined;
  /** How connections are encrypted; `undefined` if they are not. */
  readonly tls?: ClientTlsOptions;
  readonly onError: ((error: CacheError) => void) | undefined;
  readonly onEvent: ((event: CacheEvent) => void) | undefined;
  /** With which the client proves itself to servers, and they to it. */
  readonly token?: TokenSource;
  /** Limits of near copies; `undefined` where none are kept. */
  readonly near?: NearLimits;
}

/** A cache on one of several servers. */
export class RemoteCache implements WholeCache {
  readonly #connection: ClientConnection;
  readonly #servers: readonly Address[];
  readonly #timeoutMs: number;
  readonly #ttlMs: number | undefined;
  /** How values become bytes, where an option says so. */
  readonly #values: ValueOptions | undefined;
  /** Reads the reply to a `GET` of which no copy is kept. */
  readonly #readOnly: Read<unknown>;
  readonly #calls: CallCounters;
  readonly #failures: Failures;
  readonly #near: NearCache | undefined;
  readonly #computations: Computations;
  readonly #requests: Requests;
  readonly #entries: Entries;
  readonly #many: Many;

  /** Makes the cache; it connects with its first call. */
  constructor({ servers, timeoutMs, ttlMs, tls, onError, onEvent, token, near, ...others }: RemoteCacheOptions) {
    this.#ttlMs = ttlMs;
    const values = this.#values = valueOptions(others);
    const codec = values?.codec;
    this.#readOnly = (frame, allowance) => readFound(frame, allowance, undefined, codec);
    this.#servers = servers;
    this.#timeoutMs = timeoutMs;
    const events = new CacheEvents(onEvent);
    this.#calls = new CallCounters(events);
    this.#failures = new Failures({ counters: this.#calls, events, of: servers.map(formatAddress).join(), onError });
    const call: ClientConnection["call"] = (write, call) => this.#connection.call(write, call);
    this.#near = near && new NearCache(near, call, undefined, codec);
    const leases = new ClientLeases({
      call,
      values,
      near: this.#near,
      calls: this.#calls,
      failures: this.#failures,
      ttlMs,
      retrieve: (key) => this.#look(key),
      store: (key, value, { ttlMs, renewOnHit }) => this.store(key, value, { ttlMs, renewOnHit }),
    });
    this.#computations = new Computations(leases, processClock.now);
    this.#connection = connectionWith({
      servers,
      timeoutMs,
      tls,
      software: SOFTWARE,
      token,
      hearer: new Hearers(this.#near, leases),
      onQuiet: () => this.#ping(() => {}),
      onError: (error) => this.#failures.tell(error),
      onReconnect: (server) => events.later({ type: "reconnect", server }),
    });
    this.#requests = new Requests(this.#connection, this.#failures, this.#near);
    this.#entries = new Entries(this.#requests, this.#calls, codec);
    this.#many = new Many({
      requests: this.#requests,
      connection: this.#connection,
      counters: this.#calls,
      failures: this.#failures,
      near: this.#near,
      codec,
      removeOlder: (key, options) => this.#removeOlder(key, options),
    });
  }

  /** Stores a copy of a value. */
  async store(key: string, data: unknown, given?: StoreValueOptions): Promise<boolean> {
    const options = checkStoreOptions(given);
    const { ttlMs = this.#ttlMs, renewOnHit, onlyIf } = options;
    check(key, options);
    this.#computations.overtaken(key);
    const wireMs = wireTtlMs(ttlMs);
    const isFixed = renewOnHit === false;
    let value: EncodedValue;
    try {
      value = encodeValue(checkData(data), CLIENT_UNITS, this.#values);
    } catch (error) {
      if (onlyIf === undefined) await this.#removeOlder(key, options);
      throw error; // also one of a codec, of whatever kind
    }
    try {
      const write: Write = onlyIf === undefined
        ? (output) => writeSet(output, key, value, wireMs, isFixed)
        : (output) => writeSetIf(output, key, onlyIf, value, wireMs, isFixed);
      const change = onlyIf === undefined
        ? this.#requests.changeOne(key, write, "store", options)
        : this.#entries.storeIf(key, write, options);
      const isStored = await change ?? false;
      if (isStored) this.#calls.stored(key);
      return isStored;
    } catch (error) {
      if (isDenied(error) || options.signal?.aborted || onlyIf !== undefined) throw error;
      await this.#removeOlder(key, options);
      if (!(error instanceof CacheError)) throw error;
      this.#failures.failed(error, "store", key);
      return false;
    }
  }

  /** Stores copies of many values, as many as will do in one request. */
  async storeMany(entries: Iterable<readonly [string, unknown]>, given?: EntryOptions): Promise<boolean> {
    const options = checkStoreManyOptions(given);
    const { ttlMs = this.#ttlMs, renewOnHit, signal } = options;
    const values = checkPairs(entries);
    signal?.throwIfAborted();
    const encoded: ListedEntry[] = [];
    for (const [key, data] of values) encoded.push({ key, value: encodeValue(data, CLIENT_UNITS, this.#values) });
    for (const { key } of encoded) this.#computations.overtaken(key);
    return await this.#many.store(encoded, { ttlMs: wireTtlMs(ttlMs), isFixed: renewOnHit === false, options });
  }

  /** Removes the entry of a key whose new value is refused here: a miss is better than a value that is no longer right. */
  async #removeOlder(key: string, options: CallOptions): Promise<void> {
    const write: Write = (output) => writeKeyed(output, REQUEST.delete, key);
    await this.#requests.changeOne(key, write, "remove the older value of", options);
  }

  /** Returns a copy of the value of a key, or what `compute` returns, of which a copy is stored. */
  async retrieveOrStore<T>(
    key: string,
    compute: (context: ComputeContext) => T | Promise<T>,
    options?: RetrieveOrStoreOptions,
  ): Promise<T> {
    const checked = checkRetrieveOrStore(compute, options);
    check(key, checked);
    const near = this.#nearValue(key);
    if (near !== ASK) return near as T;
    return await this.#computations.retrieveOrStore(key, compute, checked) as T;
  }

  /** Returns a copy of the value of a key. */
  retrieve<T = unknown>(key: string, options?: CallOptions): Promise<T | undefined> {
    if (options !== undefined) return this.#retrieveBounded(key, options);
    const near = this.#nearValue(key);
    return near === ASK ? this.#get(key) : Promise.resolve(near as T);
  }

  /** Returns a copy of the value of a key, asked of the server, and what is known of its entry. */
  retrieveEntry<T = unknown>(key: string, given?: CallOptions): Promise<RetrievedEntry<T> | undefined> {
    let options: CallOptions;
    try { // in place of `async`, which would be a promise more
      options = checkCallOptions("retrieve", given);
      check(key, options);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#entries.retrieve(key, options) as Promise<RetrievedEntry<T> | undefined>;
  }

  /** Returns a copy of the value of a key, and removes its entry. */
  async take<T = unknown>(key: string, given?: CallOptions): Promise<T | undefined> {
    const options = checkCallOptions("take", given);
    check(key, options);
    this.#computations.overtaken(key);
    return await this.#entries.take(key, options) as T | undefined;
  }

  /** Returns copies of the values of many keys, in one request per 1,024 of them. */
  async retrieveMany<T = unknown>(keys: Iterable<string>, given?: CallOptions): Promise<Map<string, T>> {
    const options = checkCallOptions("retrieve", given);
    const values = checkedKeys(keys, options);
    const wanted = [...values.keys()];
    const near = this.#near?.retrieveMany(wanted);
    const asked = near === undefined ? wanted : wanted.filter((key) => !near.has(key));
    const found = asked.length === 0 ? [] : await this.#many.find(asked, options);
    let next = 0;
    for (const key of wanted) {
      const value = near?.has(key) ? near.get(key) : found[next++];
      if (value === MISS) values.delete(key);
      else values.set(key, value);
      this.#calls.asked(key, value !== MISS);
    }
    return values as Map<string, T>;
  }

  /** Tells whether a key has an entry, without using or renewing it. */
  async has(key: string, given?: CallOptions): Promise<boolean> {
    const options = checkCallOptions("look up", given);
    check(key, options);
    const write: Write = (output) => writeKeyed(output, REQUEST.has, key);
    return await this.#requests.ask({ write, read: readYesNo, verb: "look up", key, options }) ?? false;
  }

  /** Restarts the time to live of an entry, or gives it another. */
  async touch(key: string, ttlMs?: number, given?: CallOptions): Promise<boolean> {
    const options = checkCallOptions("touch", given);
    const wireMs = wireTtlMs(ttlMs === undefined ? undefined : checkTtlMs(ttlMs));
    check(key, options);
    return await this.#entries.touch(key, wireMs, options);
  }

  /** Adds to a number. */
  async increment(
    key: string,
    by?: number | bigint,
    given?: IncrementOptions,
  ): Promise<number | bigint | undefined> {
    const { ttlMs = this.#ttlMs, ...increment } = checkIncrement(by, given);
    check(key, increment);
    this.#computations.overtaken(key);
    return await this.#entries.increment(key, { ...increment, ttlMs: wireTtlMs(ttlMs) });
  }

  /** Removes an entry. */
  async remove(key: string, given?: CallOptions): Promise<boolean> {
    const options = checkCallOptions("remove", given);
    check(key, options);
    this.#computations.overtaken(key);
    const write: Write = (output) => writeKeyed(output, REQUEST.delete, key);
    const isRemoved = await this.#requests.changeOne(key, write, "remove", options) ?? false;
    if (isRemoved) this.#calls.removed(key);
    return isRemoved;
  }

  /** Removes the entries of many keys, in one request per 1,024 of them. */
  async removeMany(keys: Iterable<string>, given?: CallOptions): Promise<number> {
    const options = checkCallOptions("remove", given);
    const unwanted = [...checkedKeys(keys, options).keys()];
    for (const key of unwanted) this.#computations.overtaken(key);
    return await this.#many.remove(unwanted, options);
  }

  /** Gives the keys of the server, a request after another. */
  async *keys(options?: KeysOptions): AsyncGenerator<string, void> {
    yield* this.#many.keys(checkKeysOptions(options));
  }

  /** Removes every entry of the server. */
  async clear(given?: CallOptions): Promise<boolean> {
    const options = checkCallOptions("clear", given);
    options.signal?.throwIfAborted();
    this.#near?.tier.clear();
    this.#computations.overtaken();
    const write: Write = (output) => output.empty(REQUEST.clear);
    return this.#cleared(await this.#requests.ask({ write, read: readYesNo, options }));
  }

  /** Removes every entry of the server whose key begins with a prefix. */
  async clearPrefix(prefix: string, given?: CallOptions): Promise<boolean> {
    checkPrefix(prefix);
    const options = checkCallOptions("clear", given);
    options.signal?.throwIfAborted();
    this.#near?.tier.clear();
    this.#computations.overtakenUnder(prefix);
    const write: Write = (output) => writeKeyed(output, REQUEST.clearPrefix, prefix);
    return this.#cleared(
      await this.#requests.ask({ write, read: readYesNo, verb: "clear", key: prefix, options }),
      prefix,
    );
  }

  /** Returns a part of this cache. */
  namespace(prefix: string): OrmucoCache {
    return new Namespace(this, prefix);
  }

  /** Has the server forget a peer. */
  async forgetPeer(address: string): Promise<boolean> {
    return await askToForget(this.#requests, address) ?? false;
  }

  /** Returns what the server tells of a key. */
  explain(key: string): Promise<KeyExplanation | undefined> {
    return askToExplain(this.#requests, key);
  }

  /** Returns what the server has learned from reads. */
  insight(): Promise<ServerInsight | undefined> {
    return askInsight(this.#requests);
  }

  /** Returns counters of this client and of the server. */
  async stats(): Promise<ClientStats> {
    const server = await askStats(this.#requests);
    const near = this.#near && { near: this.#near.tier.stats() };
    return { connectedTo: this.#connection.connectedTo, ...this.#calls.stats(), entries: undefined, ...near, server };
  }

  /** Resolves if a server answers, and rejects with what is wrong if none does. */
  async ping(given?: CallOptions): Promise<void> {
    const options = checkCallOptions("ping", given);
    const error = await new Promise<CacheError | undefined>((resolve, reject) => {
      this.#connection.call((output) => output.empty(REQUEST.ping), {
        read: readYesNo,
        settle: (_, error) => resolve(error),
      }, boundsOf(options, reject));
    });
    if (error === undefined) return;
    this.#failures.markTold(error);
    if (error.code === "refused" || isDenied(error)) throw error;
    const { timeoutMs = this.#timeoutMs, signal } = options;
    const asked = Promise.all(this.#servers.map((server) => whatAnswers(server, timeoutMs)));
    const found = (await orAborted(asked, signal)).flatMap((what, i) =>
      what === undefined ? [] : [`${formatAddress(this.#servers[i])} speaks ${what}`]
    );
    if (found.length === 0) throw error;
    throw new CacheError(error.code, `${error.message}; what answers at ${found.join(", ")}`, { cause: error });
  }

  /** Waits for the calls under way, each bounded by the time-out, and ends the connection: later calls fail. */
  async close(): Promise<void> {
    // Replies come in order: when this one is there, all earlier ones are.
    if (this.#connection.awaited > 0) await new Promise<void>((resolve) => this.#ping(resolve, true));
    await this.#connection.parted();
    this.#connection.close();
  }

  /** Facts for a debugger, and no secret. */
  get facts(): object {
    const { hits, misses, stores, failures } = this.#calls;
    const { connectedTo } = this.#connection;
    const servers = this.#servers.map(formatAddress);
    const near = this.#near && { near: this.#near.tier.stats() };
    const limits = { timeoutMs: this.#timeoutMs, ttlMs: this.#ttlMs };
    return { servers, connectedTo, ...limits, hits, misses, stores, failures, ...near };
  }

  /** Calls `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Tells of a clear that has been made. Returns whether it has. */
  #cleared(isCleared = false, prefix?: string): boolean {
    if (isCleared) this.#calls.cleared(prefix);
    return isCleared;
  }

  #ping(settle: () => void, isLast = false): void {
    const call = { read: readYesNo, settle: () => settle() };
    this.#connection.call((output) => output.empty(REQUEST.ping), call, undefined, isLast);
  }

  /** Returns the value of a near copy, or `ASK`. */
  #nearValue(key: string): unknown {
    if (this.#near === undefined) return ASK;
    const value = this.#near.retrieve(key); // which may be undefined, or null
    if (value !== ASK) this.#calls.asked(key, true);
    return value;
  }

  async #retrieveBounded<T>(key: string, given: CallOptions): Promise<T | undefined> {
    const options = checkCallOptions("retrieve", given);
    check(key, options);
    const near = this.#nearValue(key);
    return near === ASK ? await this.#get(key, options) : near as T;
  }

  #get<T>(key: string, options?: CallOptions): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      checkKey(key);
      const call = {
        read: this.#near === undefined ? this.#readOnly : this.#near.reader(key),
        settle: (value: unknown, error: CacheError | undefined) => {
          if (error !== undefined && isDenied(error)) return reject(error);
          if (error !== undefined) this.#failures.failed(error, "retrieve", key);
          const isMiss = error !== undefined || value === MISS;
          this.#calls.asked(key, !isMiss);
          resolve((isMiss ? undefined : value) as T | undefined);
        },
      };
      const bounds = options && boundsOf(options, reject);
      this.#connection.call((output) => writeKeyed(output, REQUEST.get, key), call, bounds);
    });
  }

  /** Returns the value of a key, or else leave to compute it; where no server answers, what is computed is not stored. */
  #look(key: string): Promise<Asked> {
    return new Promise((resolve, reject) => {
      this.#connection.call((output) => writeKeyed(output, REQUEST.get, key), {
        read: this.#readOnly,
        settle: (value, error) => {
          if (error !== undefined && isDenied(error)) return reject(error);
          if (error !== undefined) this.#failures.failed(error, "retrieve", key);
          const isHit = error === undefined && value !== MISS;
          this.#calls.asked(key, isHit);
          if (isHit) return resolve({ state: "fresh", value });
          resolve({ state: error !== undefined && isNoAnswer(error) ? "failed" : "compute" });
        },
      });
    });
  }
}

/** Checks a key, and that the call's signal is not aborted. */
function check(key: string, { signal }: CallOptions): void {
  checkKey(key);
  signal?.throwIfAborted();
}

/** Returns keys, each once, without values yet: to put them into a set first takes half as much time again. */
function checkedKeys(keys: Iterable<string>, { signal }: CallOptions): Map<string, unknown> {
  checkKeyList(keys);
  const unique = new Map<string, unknown>();
  for (const key of keys) {
    checkKey(key);
    unique.set(key, MISS);
  }
  signal?.throwIfAborted();
  return unique;
}
