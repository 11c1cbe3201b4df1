/**
 * Calls of one entry beyond storing, reading and removing its value, of a cache on servers: what is known of it, and what is done to it
 * in one step. It checks nothing, and does not know how bytes travel.
 */

import type { CallOptions, RetrievedEntry } from "../base/cache.ts";
import type { Increment } from "../base/call_checks.ts";
import type { CallCounters } from "../base/call_counters.ts";
import { CacheError, ProtocolError } from "../base/errors.ts";
import type { ValueCodec } from "../base/value_options.ts";
import { MISS, readFound, readYesNo, writeKeyed, writeTouch } from "../wire/calls.ts";
import { type FoundEntry, readEntry, writeIncrement } from "../wire/entry_calls.ts";
import { REQUEST } from "../wire/frame.ts";
import { RefusedError } from "./pipeline.ts";
import type { Read, Requests, Write } from "./requests.ts";

/** Calls of one entry. */
export class Entries {
  readonly #requests: Requests;
  readonly #counters: CallCounters;
  readonly #readFoundEntry: Read<FoundEntry | typeof MISS>;
  /** Reads the reply to a `TAKE`: a value stands in an object, since it may be `undefined`. */
  readonly #readTaken: Read<{ value: unknown } | typeof MISS>;

  /** @param codec Decodes what a codec has encoded. */
  constructor(requests: Requests, counters: CallCounters, codec: ValueCodec | undefined) {
    this.#requests = requests;
    this.#counters = counters;
    this.#readFoundEntry = (frame, allowance) => readEntry(frame, allowance, codec);
    this.#readTaken = (frame, allowance) => {
      const value = readFound(frame, allowance, undefined, codec);
      return value === MISS ? MISS : { value };
    };
  }

  /** Asks the server for an entry: a near copy does not know its version. */
  retrieve(key: string, options: CallOptions): Promise<RetrievedEntry<unknown> | undefined> {
    return this.#requests.ask({
      write: (output) => writeKeyed(output, REQUEST.entry, key),
      read: this.#readFoundEntry,
      verb: "retrieve",
      key,
      options,
      result: (entry) => this.#counted(key, entry) ? entry : undefined,
    });
  }

  /** Retrieves the value of a key and removes its entry. */
  take(key: string, options: CallOptions): Promise<unknown> {
    return this.#requests.change([key], {
      write: (output) => writeKeyed(output, REQUEST.take, key),
      read: this.#readTaken,
      verb: "take",
      key,
      options,
      result: (found) => {
        const isHit = this.#counted(key, found);
        if (isHit) this.#counters.removed(key);
        return isHit ? found.value : undefined;
      },
    });
  }

  /** Counts a hit or a miss, and tells whether it is a hit. */
  #counted<T>(key: string, found: T | typeof MISS | undefined): found is T {
    const isHit = found !== undefined && found !== MISS;
    this.#counters.asked(key, isHit);
    return isHit;
  }

  /** Restarts the time to live of an entry; `ttlMs` is another, 0 for ever. */
  async touch(key: string, ttlMs: number | undefined, options: CallOptions): Promise<boolean> {
    return await this.#requests.changeOne(key, (output) => writeTouch(output, key, ttlMs), "touch", options) ?? false;
  }

  /**
   * Adds to a number; the ttl of an entry that is made is 0 for ever.
   *
   * @throws {CacheError} `refused` if the entry holds something else.
   */
  increment(key: string, { by, initial, ttlMs, ...options }: Increment): Promise<number | bigint | undefined> {
    return this.#requests.change([key], {
      write: (output) => writeIncrement(output, key, by, initial, ttlMs),
      read: readSum,
      verb: "increment",
      key,
      options,
      result: (sum) => {
        if (sum === undefined || sum === MISS) return undefined;
        this.#counters.added(key);
        return sum;
      },
      rejection: (error) => refusedFor("not-a-number", error, `increment ${JSON.stringify(key)}`),
    });
  }

  /**
   * Stores a value if there is what the request asks for.
   *
   * @throws {CacheError} `refused` if the value is larger than the server takes: by `false` a caller would try again for ever.
   */
  async storeIf(key: string, write: Write, options: CallOptions): Promise<boolean | undefined> {
    const verb = `store ${JSON.stringify(key)}`;
    try {
      return await this.#requests.change([key], {
        write,
        read: readYesNo,
        verb: "store",
        key,
        options,
        rejection: (error) => refusedFor("too-large", error, verb),
      });
    } catch (error) {
      if (!(error instanceof CacheError) || error.code !== "refused" || error.cause !== undefined) throw error;
      throw new CacheError("refused", `Cannot ${verb}: ${error.message}`, { cause: error }); // it was not even sent
    }
  }
}

/** Reads the reply to an `INCREMENT`. */
const readSum: Read<number | bigint | typeof MISS> = (frame, allowance) => {
  const sum = readFound(frame, allowance);
  if (sum === MISS || Number.isSafeInteger(sum) && Number(sum) >= 0 || typeof sum === "bigint") {
    return sum as number | bigint | typeof MISS;
  }
  throw new ProtocolError("a sum that is no number");
};

/** What a call rejects with that a server has refused for a reason. */
function refusedFor(reason: string, error: CacheError, verb: string): CacheError | undefined {
  if (!(error instanceof RefusedError) || error.reason !== reason) return undefined;
  return new CacheError("refused", `Cannot ${verb}: ${error.message}`, { cause: error });
}
