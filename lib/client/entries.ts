/**
 * Calls of one entry beyond storing, reading and removing its value, of a cache on servers: what is known of it, and what is done to it
 * in one step. It checks nothing, and does not know how bytes travel.
 */

import type { CallOptions, RetrievedEntry } from "../base/cache.ts";
import type { Increment } from "../base/call_checks.ts";
import type { CallCounters } from "../base/call_counters.ts";
import { CacheError, ProtocolError } from "../base/errors.ts";
import { MISS, readFound, writeKeyed, writeTouch } from "../wire/calls.ts";
import { type FoundEntry, readEntry, writeIncrement } from "../wire/entry_calls.ts";
import { REQUEST } from "../wire/frame.ts";
import { RefusedError } from "./pipeline.ts";
import type { Read, Requests } from "./requests.ts";

/** Calls of one entry. */
export class Entries {
  readonly #requests: Requests;
  readonly #counters: CallCounters;

  constructor(requests: Requests, counters: CallCounters) {
    this.#requests = requests;
    this.#counters = counters;
  }

  /** Asks the server for an entry: a near copy does not know its version. */
  async retrieve(key: string, options: CallOptions): Promise<RetrievedEntry<unknown> | undefined> {
    const entry = await this.#requests.ask<FoundEntry | typeof MISS>({
      write: (output) => writeKeyed(output, REQUEST.entry, key),
      read: (frame, allowance) => readEntry(frame, allowance),
      verb: "retrieve",
      key,
      options,
    });
    const isHit = entry !== undefined && entry !== MISS;
    this.#counters.asked(key, isHit);
    return isHit ? entry : undefined;
  }

  /** Retrieves the value of a key and removes its entry. */
  async take(key: string, options: CallOptions): Promise<unknown> {
    const found = await this.#requests.change([key], {
      write: (output) => writeKeyed(output, REQUEST.take, key),
      read: (frame, allowance) => ({ value: readFound(frame, allowance) }),
      verb: "take",
      key,
      options,
    });
    const isHit = found !== undefined && found.value !== MISS;
    this.#counters.asked(key, isHit);
    if (isHit) this.#counters.removed(key);
    return isHit ? found.value : undefined;
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
  async increment(key: string, { by, initial, ttlMs, ...options }: Increment): Promise<number | bigint | undefined> {
    const sum = await this.#requests.change([key], {
      write: (output) => writeIncrement(output, key, by, initial, ttlMs),
      read: readSum,
      verb: "increment",
      key,
      options,
      rejection: (error) => notANumber(error, key),
    });
    if (sum === undefined || sum === MISS) return undefined;
    this.#counters.added(key);
    return sum;
  }
}

/** Reads the reply to an `INCREMENT`. */
const readSum: Read<number | bigint | typeof MISS> = (frame, allowance) => {
  const sum = readFound(frame, allowance);
  if (sum === MISS || typeof sum === "number" || typeof sum === "bigint") return sum as number | bigint | typeof MISS;
  throw new ProtocolError("a sum that is no number");
};

/** What `increment` rejects with where an entry holds no number. */
function notANumber(error: CacheError, key: string): CacheError | undefined {
  if (!(error instanceof RefusedError) || error.reason !== "not-a-number") return undefined;
  return new CacheError("refused", `Cannot increment ${JSON.stringify(key)}: ${error.message}`, { cause: error });
}
