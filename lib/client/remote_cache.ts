/** A cache on a server: each call is a request, and a failed call is a miss. It does not know how bytes travel. */

import { type Address, formatAddress } from "../base/address.ts";
import type { ComputeContext, OrmucoCache, RetrieveOrStoreOptions, StoreValueOptions } from "../base/cache.ts";
import { CallCounters } from "../base/call_counters.ts";
import { checkData, checkEntryOptions, checkKey, uniqueKeys } from "../base/checks.ts";
import { CacheError } from "../base/errors.ts";
import { MAX_KEYS_PER_GET } from "../base/limits.ts";
import { checkRetrieveOrStore } from "../base/retrieve_or_store.ts";
import { SOFTWARE } from "../base/software.ts";
import type { ClientStats } from "../base/stats.ts";
import { type ValueOptions, valueOptions } from "../base/value_options.ts";
import { manyReader, MISS, OMITTED, readFound, readYesNo, writeGetMany, writeKeyed, writeSet } from "../wire/calls.ts";
import type { ClientTlsOptions } from "../base/tls_options.ts";
import { readData } from "../wire/control.ts";
import { type FrameWriter, REQUEST } from "../wire/frame.ts";
import { CLIENT_UNITS } from "../wire/decoding_budget.ts";
import { type EncodedValue, encodeValue } from "../wire/values.ts";
import { ASK, type NearLimits } from "../near/near_tier.ts";
import type { Asked } from "../compute/backend.ts";
import { Computations } from "../compute/computations.ts";
import { processClock } from "../platform/clock.ts";
import { isDenied } from "../platform/connect.ts";
import { ClientConnection } from "./connection.ts";
import { Failures } from "./failures.ts";
import { Hearers } from "./hearers.ts";
import { ClientLeases, isNoAnswer } from "./leases.ts";
import { NearCache } from "./near_cache.ts";
import type { Call } from "./pipeline.ts";
import type { TokenSource } from "./token_source.ts";
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
  /** With which the client proves itself to servers, and they to it. */
  readonly token?: TokenSource;
  /** Limits of near copies; `undefined` where none are kept. */
  readonly near?: NearLimits;
}

/** Reads a reply, as a {@linkcode Call} does. */
type Read<T> = Call<T>["read"];

/** A cache on one of several servers. */
export class RemoteCache implements OrmucoCache {
  readonly #connection: ClientConnection;
  readonly #servers: readonly Address[];
  readonly #timeoutMs: number;
  readonly #ttlMs: number | undefined;
  /** How values become bytes, where an option says so. */
  readonly #values: ValueOptions | undefined;
  /** Reads the reply to a `GET` of which no copy is kept. */
  readonly #readOnly: Read<unknown>;
  readonly #calls = new CallCounters();
  readonly #failures: Failures;
  readonly #near: NearCache | undefined;
  readonly #computations: Computations;

  /** Makes the cache; it connects with its first call. */
  constructor({ servers, timeoutMs, ttlMs, tls, onError, token, near, ...others }: RemoteCacheOptions) {
    this.#ttlMs = ttlMs;
    const values = this.#values = valueOptions(others);
    this.#readOnly = (frame, allowance) => readFound(frame, allowance, undefined, values?.codec);
    this.#servers = servers;
    this.#timeoutMs = timeoutMs;
    this.#failures = new Failures({ counters: this.#calls, of: servers.map(formatAddress).join(), onError });
    const call: ClientConnection["call"] = (write, call) => this.#connection.call(write, call);
    this.#near = near && new NearCache(near, call, undefined, values?.codec);
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
    this.#connection = new ClientConnection({
      servers,
      timeoutMs,
      tls,
      software: SOFTWARE,
      token,
      hearer: new Hearers(this.#near, leases),
      onQuiet: () => this.#ping(() => {}),
      onError: (error) => this.#failures.tell(error),
    });
  }

  /** Stores a copy of a value. */
  async store(key: string, data: unknown, options?: StoreValueOptions): Promise<boolean> {
    checkEntryOptions(options);
    const { ttlMs = this.#ttlMs, renewOnHit } = options ?? {};
    checkKey(key);
    this.#computations.overtaken(key);
    const wireTtlMs = ttlMs === Infinity ? 0 : ttlMs === undefined ? undefined : Math.ceil(ttlMs);
    let value: EncodedValue;
    try {
      value = encodeValue(checkData(data), CLIENT_UNITS, this.#values);
    } catch (error) {
      await this.#removeOlder(key);
      throw error; // also one of a codec, of whatever kind
    }
    try {
      const write = (output: FrameWriter) => writeSet(output, key, value, wireTtlMs, renewOnHit === false);
      const isStored = await this.#change(write, "store", key) ?? false;
      if (isStored) this.#calls.stores++;
      return isStored;
    } catch (error) {
      if (isDenied(error)) throw error;
      await this.#removeOlder(key);
      if (!(error instanceof CacheError)) throw error;
      this.#failures.failed(error, "store", key);
      return false;
    }
  }

  /** Removes the entry of a key whose new value is refused here: a miss is better than a value that is no longer right. */
  async #removeOlder(key: string): Promise<void> {
    await this.#change((output) => writeKeyed(output, REQUEST.delete, key), "remove the older value of", key);
  }

  /** Returns a copy of the value of a key, or what `compute` returns, of which a copy is stored. */
  async retrieveOrStore<T>(
    key: string,
    compute: (context: ComputeContext) => T | Promise<T>,
    options?: RetrieveOrStoreOptions,
  ): Promise<T> {
    const checked = checkRetrieveOrStore(compute, options);
    checkKey(key);
    checked.signal?.throwIfAborted();
    const near = this.#near === undefined ? ASK : this.#near.retrieve(key); // which may be undefined, or null
    if (near !== ASK) {
      this.#calls.hits++;
      return near as T;
    }
    return await this.#computations.retrieveOrStore(key, compute, checked) as T;
  }

  /** Returns a copy of the value of a key. */
  retrieve<T = unknown>(key: string): Promise<T | undefined> {
    const near = this.#near;
    if (near !== undefined) {
      const value = near.retrieve(key);
      if (value !== ASK) {
        this.#calls.hits++;
        return Promise.resolve(value as T);
      }
    }
    return new Promise((resolve, reject) => {
      checkKey(key);
      this.#connection.call((output) => writeKeyed(output, REQUEST.get, key), {
        read: near === undefined ? this.#readOnly : near.reader(key),
        settle: (value, error) => {
          if (error !== undefined && isDenied(error)) return reject(error);
          if (error !== undefined) this.#failures.failed(error, "retrieve", key);
          const isMiss = error !== undefined || value === MISS;
          if (isMiss) this.#calls.misses++;
          else this.#calls.hits++;
          resolve((isMiss ? undefined : value) as T | undefined);
        },
      });
    });
  }

  /** Returns copies of the values of many keys, in one request per 1,024 of them. */
  async retrieveMany<T = unknown>(keys: Iterable<string>): Promise<Map<string, T>> {
    const wanted = uniqueKeys(keys);
    wanted.forEach(checkKey);
    const near = this.#near?.retrieveMany(wanted);
    const asked = near === undefined ? [...wanted] : [...wanted].filter((key) => !near.has(key));
    const found = asked.length === 0 ? [] : await this.#find(asked);
    const values = new Map<string, T>();
    let next = 0;
    for (const key of wanted) {
      const value = near?.has(key) ? near.get(key) : found[next++];
      if (value !== MISS) values.set(key, value as T);
    }
    this.#calls.found(values.size, wanted.size);
    return values;
  }

  /** Tells whether a key has an entry, without using or renewing it. */
  async has(key: string): Promise<boolean> {
    checkKey(key);
    return await this.#ask((output) => writeKeyed(output, REQUEST.has, key), readYesNo, "look up", key) ?? false;
  }

  /** Removes an entry. */
  async remove(key: string): Promise<boolean> {
    checkKey(key);
    this.#computations.overtaken(key);
    return await this.#change((output) => writeKeyed(output, REQUEST.delete, key), "remove", key) ?? false;
  }

  /** Removes every entry of the server. */
  async clear(): Promise<boolean> {
    this.#near?.tier.clear();
    this.#computations.overtaken();
    return await this.#ask((output) => output.empty(REQUEST.clear), readYesNo) ?? false;
  }

  /** Has the server forget a peer. */
  async forgetPeer(address: string): Promise<boolean> {
    checkKey(address);
    const write = (output: FrameWriter) => writeKeyed(output, REQUEST.forget, address);
    return await this.#ask(write, readYesNo, "forget peer", address) ?? false;
  }

  /** Returns counters of this client and of the server. */
  async stats(): Promise<ClientStats> {
    const server = await this.#ask((output) => output.empty(REQUEST.stats), readData);
    const near = this.#near && { near: this.#near.tier.stats() };
    return { connectedTo: this.#connection.connectedTo, ...this.#calls.stats(), entries: undefined, ...near, server };
  }

  /** Resolves if a server answers, and rejects with what is wrong if none does. */
  async ping(): Promise<void> {
    const error = await new Promise<CacheError | undefined>((resolve) => {
      this.#connection.call((output) => output.empty(REQUEST.ping), {
        read: readYesNo,
        settle: (_, error) => resolve(error),
      });
    });
    if (error === undefined) return;
    this.#failures.markTold(error);
    if (error.code === "refused" || isDenied(error)) throw error;
    const others = await Promise.all(this.#servers.map((server) => whatAnswers(server, this.#timeoutMs)));
    const found = others.flatMap((what, i) =>
      what === undefined ? [] : [`${formatAddress(this.#servers[i])} speaks ${what}`]
    );
    if (found.length === 0) throw error;
    throw new CacheError(error.code, `${error.message}; what answers at ${found.join(", ")}`, { cause: error });
  }

  /** Waits for the calls under way, each bounded by the time-out, and ends the connection: later calls fail. */
  async close(): Promise<void> {
    // Replies come in order: when this one is there, all earlier ones are.
    if (this.#connection.pending > 0) await new Promise<void>((resolve) => this.#ping(resolve, true));
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

  #ping(settle: () => void, isLast = false): void {
    this.#connection.call((output) => output.empty(REQUEST.ping), { read: readYesNo, settle: () => settle() }, isLast);
  }

  async #find(keys: string[]): Promise<unknown[]> {
    const parts: Promise<unknown[]>[] = [];
    for (let from = 0; from < keys.length; from += MAX_KEYS_PER_GET) {
      parts.push(this.#findPart(keys.slice(from, from + MAX_KEYS_PER_GET)));
    }
    const found = parts.length === 1 ? await parts[0] : (await Promise.all(parts)).flat();
    if (!found.includes(OMITTED)) return found;
    return Promise.all(found.map((value, i) => value === OMITTED ? this.#findOne(keys[i]) : value));
  }

  async #findPart(keys: string[]): Promise<unknown[]> {
    const onBadValue = (i: number, error: Error) =>
      this.#failures.failed(new CacheError("protocol", error.message, { cause: error }), "retrieve", keys[i]);
    const read = this.#near?.manyReader(keys, onBadValue) ??
      manyReader(keys.length, onBadValue, undefined, this.#values?.codec);
    const found = await this.#ask((output) => writeGetMany(output, keys), read, "retrieve many values");
    return found ?? keys.map(() => MISS);
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
          this.#calls.found(isHit ? 1 : 0, 1);
          if (isHit) return resolve({ state: "fresh", value });
          resolve({ state: error !== undefined && isNoAnswer(error) ? "failed" : "compute" });
        },
      });
    });
  }

  async #findOne(key: string): Promise<unknown> {
    const read = this.#near?.reader(key) ?? this.#readOnly;
    const asked: Read<{ value: unknown }> = (...reply) => ({ value: read(...reply) });
    const found = await this.#ask((output) => writeKeyed(output, REQUEST.get, key), asked, "retrieve", key);
    return found === undefined ? MISS : found.value;
  }

  /** Makes a call that changes the entry of a key, and says whether it has; see `#ask`. */
  #change(write: (output: FrameWriter) => void, verb: string, key: string): Promise<boolean | undefined> {
    const tier = this.#near?.tier;
    if (tier === undefined) return this.#ask(write, readYesNo, verb, key);
    tier.began(key);
    return this.#ask(write, readYesNo, verb, key, () => tier.ended(key));
  }

  /**
   * Makes a call. Resolves to `undefined` if it fails; rejects if this process lacks a permission. `ended` is called when nothing
   * more is to come of it, however late that is.
   */
  #ask<T>(
    write: (output: FrameWriter) => void,
    read: Read<T>,
    verb = "ask the server",
    key?: string,
    ended?: () => void,
  ): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      this.#connection.call(write, {
        read,
        settle: (result, error) => {
          if (error !== undefined && isDenied(error)) return reject(error);
          if (error !== undefined) this.#failures.failed(error, verb, key);
          resolve(result);
        },
        ended,
      });
    });
  }
}
