/** A cache on servers of whose calls OpenTelemetry is told: a span for each, and how long it has taken. It makes no calls of its own. */

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
import { checkPairs } from "../base/call_checks.ts";
import { uniqueKeys } from "../base/checks.ts";
import type { ClientStats } from "../base/stats.ts";
import { Namespace, type WholeCache } from "../compute/namespace.ts";
import { type Attributes, CLIENT, errorType, fail, type Telemetry, telemetry } from "../platform/telemetry.ts";
import type { RemoteCache } from "./remote_cache.ts";
import { CallUnderWay } from "./traced_connection.ts";

/** Whether there was a value, other than `undefined`; of `retrieveOrStore`, one that this caller did not compute. */
const HIT = "ormuco_cache.hit";

/** What a call does: gives its result, and adds what is to be told of that to the attributes of its span. */
type Work<Result> = (attributes: Attributes, call: CallUnderWay) => Promise<Result>;

/** The calls of a cache on servers, traced; all but those that ask for no entry, and `keys`, whose time is mostly that of who iterates. */
export class TracedCache implements WholeCache {
  readonly #cache: RemoteCache;
  readonly #telemetry: Telemetry;

  constructor(cache: RemoteCache, telemetry: Telemetry) {
    this.#cache = cache;
    this.#telemetry = telemetry;
  }

  /** Stores a value. */
  store(key: string, data: unknown, options?: StoreValueOptions): Promise<boolean> {
    return this.#call("store", async (_, call) => {
      const isStored = await this.#cache.store(key, data, options);
      if (options?.onlyIf === undefined) refusedUnless(isStored, call);
      return isStored;
    });
  }

  /** Stores many values. */
  async storeMany(entries: Iterable<readonly [string, unknown]>, options?: EntryOptions): Promise<boolean> {
    const values = checkPairs(entries);
    return await this.#callMany("storeMany", values.size, async (_, call) => {
      const isStored = await this.#cache.storeMany(values, options);
      refusedUnless(isStored, call);
      return isStored;
    });
  }

  /** Returns the value of a key. */
  retrieve<T = unknown>(key: string, options?: CallOptions): Promise<T | undefined> {
    return this.#callForValue("retrieve", () => this.#cache.retrieve<T>(key, options));
  }

  /** Returns the value of a key, and what is known of its entry. */
  retrieveEntry<T = unknown>(key: string, options?: CallOptions): Promise<RetrievedEntry<T> | undefined> {
    return this.#callForValue("retrieveEntry", () => this.#cache.retrieveEntry<T>(key, options));
  }

  /** Returns the value of a key and removes its entry. */
  take<T = unknown>(key: string, options?: CallOptions): Promise<T | undefined> {
    return this.#callForValue("take", () => this.#cache.take<T>(key, options));
  }

  /** Returns the value of a key or, if there is none that is fresh, what `compute` returns. */
  retrieveOrStore<T>(
    key: string,
    compute: (context: ComputeContext) => T | Promise<T>,
    options?: RetrieveOrStoreOptions,
  ): Promise<T> {
    return this.#call("retrieveOrStore", async (attributes, call) => {
      let isComputed = false;
      const computeHere: typeof compute = (context) => {
        isComputed = true;
        return call.leave(() => compute(context));
      };
      const given = typeof compute === "function" ? computeHere : compute; // what is none is refused by name
      const value = await this.#cache.retrieveOrStore(key, given, options);
      attributes[HIT] = !isComputed;
      return value;
    });
  }

  /** Returns the values of many keys. */
  async retrieveMany<T = unknown>(keys: Iterable<string>, options?: CallOptions): Promise<Map<string, T>> {
    const wanted = uniqueKeys(keys);
    return await this.#callMany("retrieveMany", wanted.size, async (attributes) => {
      const found = await this.#cache.retrieveMany<T>(wanted, options);
      attributes["ormuco_cache.hits"] = found.size;
      return found;
    });
  }

  /** Tells whether a key has an entry. */
  has(key: string, options?: CallOptions): Promise<boolean> {
    return this.#call("has", () => this.#cache.has(key, options));
  }

  /** Restarts the time to live of an entry. */
  touch(key: string, ttlMs?: number, options?: CallOptions): Promise<boolean> {
    return this.#call("touch", () => this.#cache.touch(key, ttlMs, options));
  }

  /** Adds to a number. */
  increment(
    key: string,
    by?: number | bigint,
    options?: IncrementOptions,
  ): Promise<number | bigint | undefined> {
    return this.#call("increment", () => this.#cache.increment(key, by, options));
  }

  /** Removes an entry. */
  remove(key: string, options?: CallOptions): Promise<boolean> {
    return this.#call("remove", () => this.#cache.remove(key, options));
  }

  /** Removes the entries of many keys. */
  async removeMany(keys: Iterable<string>, options?: CallOptions): Promise<number> {
    const unwanted = uniqueKeys(keys);
    return await this.#callMany("removeMany", unwanted.size, () => this.#cache.removeMany(unwanted, options));
  }

  /** Removes every entry. */
  clear(options?: CallOptions): Promise<boolean> {
    return this.#call("clear", () => this.#cache.clear(options));
  }

  /** Removes every entry whose key begins with a prefix. */
  clearPrefix(prefix: string, options?: CallOptions): Promise<boolean> {
    return this.#call("clear", () => this.#cache.clearPrefix(prefix, options));
  }

  /** Returns a part of this cache, traced too. */
  namespace(prefix: string): OrmucoCache {
    return new Namespace(this, prefix);
  }

  /** Gives the keys. */
  keys(options?: KeysOptions): AsyncIterable<string> {
    return this.#cache.keys(options);
  }

  /** Returns counters of the client and of the server. */
  stats(): Promise<ClientStats> {
    return this.#cache.stats();
  }

  /** Resolves if a server answers. */
  ping(options?: CallOptions): Promise<void> {
    return this.#cache.ping(options);
  }

  /** Ends the connection. */
  close(): Promise<void> {
    return this.#cache.close();
  }

  /** Calls `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Facts for a debugger. */
  get facts(): object {
    return this.#cache.facts;
  }

  #callForValue<Result>(operation: string, work: () => Promise<Result>): Promise<Result> {
    return this.#call(operation, async (attributes) => {
      const found = await work();
      attributes[HIT] = found !== undefined;
      return found;
    });
  }

  #callMany<Result>(operation: string, size: number, work: Work<Result>): Promise<Result> {
    return this.#call(operation, (attributes, call) => {
      if (size > 1) attributes["db.operation.batch.size"] = size; // one is no batch, as the conventions have it
      return work(attributes, call);
    });
  }

  #call<Result>(operation: string, work: Work<Result>): Promise<Result> {
    const named: Attributes = { "db.system.name": "ormuco_cache", "db.operation.name": operation };
    return this.#telemetry.within(operation, { kind: CLIENT, attributes: named }, async (span) => {
      const call = new CallUnderWay();
      const attributes: Attributes = {};
      const beganAtMs = performance.now();
      try {
        const result = await call.run(() => work(attributes, call));
        if (call.error !== undefined) fail(span, call.error);
        return result;
      } catch (error) {
        call.error = errorType(error);
        throw error;
      } finally {
        const shared = call.attributes;
        span.setAttributes({ ...attributes, ...shared });
        this.#telemetry.measured(performance.now() - beganAtMs, { ...named, ...shared });
      }
    });
  }
}

/** A value that was not stored, without a failure of the server, was refused. */
function refusedUnless(isStored: boolean, call: CallUnderWay): void {
  if (!isStored) call.error ??= "refused";
}

/** Returns a cache whose calls are traced, or the same one where no spans are made. */
export function traced(cache: RemoteCache): RemoteCache | TracedCache {
  const makes = telemetry();
  return makes === undefined ? cache : new TracedCache(cache, makes);
}
