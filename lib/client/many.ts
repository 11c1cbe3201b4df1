/**
 * Calls of many keys, of a cache on servers: each is divided into as few requests as will do, which are under way at the same time, or
 * one after another where a server gives its keys. It checks nothing, and does not know how bytes travel.
 */

import { Buffer } from "node:buffer";
import type { CallOptions, KeysOptions } from "../base/cache.ts";
import type { CallCounters } from "../base/call_counters.ts";
import { CacheError, ProtocolError } from "../base/errors.ts";
import { MAX_KEY_BYTES, MAX_KEYS_PER_GET } from "../base/limits.ts";
import { shown } from "../base/options.ts";
import type { ValueCodec } from "../base/value_options.ts";
import { isDenied } from "../platform/connect.ts";
import { manyReader, MISS, OMITTED, readFound, writeKeyed, writeKeyList } from "../wire/calls.ts";
import {
  doneReader,
  KEYS_END,
  LISTED_ENTRY_BYTES,
  listedBytes,
  type ListedEntry,
  MAX_LISTED_BYTES,
  readKeys,
  writeKeys,
  writeSetMany,
} from "../wire/entry_calls.ts";
import { REQUEST } from "../wire/frame.ts";
import type { ClientConnection } from "./connection.ts";
import type { Failures } from "./failures.ts";
import type { NearCache } from "./near_cache.ts";
import type { Read, Requests } from "./requests.ts";

/** What calls of many keys need of a client. */
export interface ManyOptions {
  readonly requests: Requests;
  readonly connection: ClientConnection;
  readonly counters: CallCounters;
  readonly failures: Failures;
  /** Near copies, if any are kept. */
  readonly near: NearCache | undefined;
  /** Decodes what a codec has encoded. */
  readonly codec: ValueCodec | undefined;
  /** Removes the entry of a key whose new value is refused here. */
  readonly removeOlder: (key: string, options: CallOptions) => Promise<void>;
}

/** How entries are stored. */
export interface Storing {
  /** Their time to live in milliseconds, 0 for ever; `undefined` is the server's default. */
  readonly ttlMs: number | undefined;
  /** Whether hits do not renew them. */
  readonly isFixed: boolean;
  readonly options: CallOptions;
}

/** Bytes of a listed key beside its own. */
const LISTED_KEY_BYTES = 3;

/** Calls of many keys. */
export class Many {
  readonly #options: ManyOptions;

  constructor(options: ManyOptions) {
    this.#options = options;
  }

  /** Returns the values of keys, `MISS` where there is none. */
  async find(keys: readonly string[], options: CallOptions): Promise<unknown[]> {
    if (keys.length <= MAX_KEYS_PER_GET) return this.#whole(keys, await this.#findPart(keys, options), options);
    const parts: Promise<unknown[]>[] = [];
    for (let from = 0; from < keys.length; from += MAX_KEYS_PER_GET) {
      parts.push(this.#findPart(keys.slice(from, from + MAX_KEYS_PER_GET), options));
    }
    return this.#whole(keys, (await Promise.all(parts)).flat(), options);
  }

  /** Asks by themselves for values that have been left out. */
  #whole(keys: readonly string[], found: unknown[], options: CallOptions): unknown[] | Promise<unknown[]> {
    if (!found.includes(OMITTED)) return found;
    return Promise.all(found.map((value, i) => value === OMITTED ? this.#findOne(keys[i], options) : value));
  }

  /** Stores entries. Returns whether all are. */
  async store(entries: readonly ListedEntry[], storing: Storing): Promise<boolean> {
    const parts = divided(entries, mostListedBytes, listedBytes);
    const stored = await Promise.all(parts.map((part) => this.#storePart(part, storing)));
    return !stored.includes(false);
  }

  /** Removes the entries of keys. Returns how many there were. */
  async remove(keys: readonly string[], options: CallOptions): Promise<number> {
    const parts = divided(keys, mostKeyBytes, (key) => Buffer.byteLength(key) + LISTED_KEY_BYTES);
    const removed = await Promise.all(parts.map((part) => this.#removePart(part, options)));
    return removed.reduce((sum, count) => sum + count, 0);
  }

  /** Gives the keys that begin with a prefix. */
  async *keys({ prefix = "", ...options }: KeysOptions): AsyncGenerator<string, void> {
    if (Buffer.byteLength(prefix) > MAX_KEY_BYTES) return; // no key does
    const { connection } = this.#options;
    let usedConnection: object | undefined;
    for (let from = 0; from < KEYS_END;) {
      if (from > 0 && (usedConnection === undefined || connection.current !== usedConnection)) {
        throw new CacheError(
          "unreachable",
          "Cannot list keys: the connection was lost, and another server cannot go on",
        );
      }
      const { keys, next, on } = await this.#keysFrom(from, prefix, options);
      for (const key of keys) {
        options.signal?.throwIfAborted();
        yield key;
      }
      [from, usedConnection] = [next, on];
    }
  }

  async #keysFrom(from: number, prefix: string, options: CallOptions) {
    const { requests, connection, counters } = this.#options;
    const read: Read<{ keys: string[]; next: number; on: object | undefined }> = (frame, _, givenAtMs) => {
      const isInUse = givenAtMs !== undefined; // and not that of a server that stops
      const page = readKeys(frame, from);
      const foreign = page.keys.find((key) => !key.startsWith(prefix) || key === "");
      if (foreign !== undefined) throw new ProtocolError(`a key that was not asked for: ${shown(foreign)}`);
      return { ...page, on: isInUse ? connection.current : undefined };
    };
    const rejection = (error: CacheError) => {
      counters.failures[error.code]++;
      return new CacheError(error.code, `Cannot list keys: ${error.message}`, { cause: error });
    };
    const found = await requests.ask({ write: (output) => writeKeys(output, prefix, from), read, options, rejection });
    return found!; // a failure rejects
  }

  async #findPart(keys: readonly string[], options: CallOptions): Promise<unknown[]> {
    const { requests, failures, near, codec } = this.#options;
    const onBadValue = (i: number, error: Error) =>
      failures.failed(new CacheError("protocol", error.message, { cause: error }), "retrieve", keys[i]);
    const read = near?.manyReader(keys, onBadValue) ?? manyReader(keys.length, onBadValue, undefined, codec);
    const found = await requests.ask({
      write: (output) => writeKeyList(output, REQUEST.getMany, keys),
      read,
      verb: "retrieve many values",
      options,
    });
    return found ?? keys.map(() => MISS);
  }

  async #findOne(key: string, options: CallOptions): Promise<unknown> {
    const { requests, near, codec } = this.#options;
    const read: Read<unknown> = near?.reader(key) ??
      ((frame, allowance) => readFound(frame, allowance, undefined, codec));
    const found = await requests.ask<{ value: unknown }>({
      write: (output) => writeKeyed(output, REQUEST.get, key),
      read: (...reply) => ({ value: read(...reply) }),
      verb: "retrieve",
      key,
      options,
    });
    return found === undefined ? MISS : found.value;
  }

  async #storePart(part: readonly ListedEntry[], { ttlMs, isFixed, options }: Storing): Promise<boolean> {
    const { requests, counters, failures, removeOlder } = this.#options;
    const keys = part.map(({ key }) => key);
    try {
      const stored = await requests.change(keys, {
        write: (output) => writeSetMany(output, part, ttlMs, isFixed),
        read: doneReader(keys.length),
        verb: "store many values",
        options,
      });
      if (stored === undefined) return false;
      stored.forEach((isStored, i) => {
        if (isStored) counters.stored(keys[i]);
        else failures.failed(new CacheError("refused", "the value is larger than the server takes"), "store", keys[i]);
      });
      return !stored.includes(false);
    } catch (error) {
      if (!(error instanceof CacheError) || isDenied(error) || options.signal?.aborted) throw error;
      const [key] = keys; // alone: it has more bytes than any server takes
      await removeOlder(key, options);
      failures.failed(error, "store", key);
      return false;
    }
  }

  async #removePart(keys: readonly string[], options: CallOptions): Promise<number> {
    const { requests, counters } = this.#options;
    const removed = await requests.change(keys, {
      write: (output) => writeKeyList(output, REQUEST.deleteMany, keys),
      read: doneReader(keys.length),
      verb: "remove many entries",
      options,
    });
    const gone = keys.filter((_, i) => removed?.[i]);
    for (const key of gone) counters.removed(key);
    return gone.length;
  }
}

/** Bytes that an entry takes in a list at most, and a key: no unit of text takes more than 3. */
function mostListedBytes({ key, value: { payload } }: ListedEntry): number {
  return LISTED_ENTRY_BYTES + 3 * (key.length + payload.length);
}

function mostKeyBytes(key: string): number {
  return LISTED_KEY_BYTES + 3 * key.length;
}

/**
 * Divides a list into parts of 1,024 items and 1 MiB at most; what is larger stands alone. How many bytes an item has is asked only where
 * as many as it has at most would be too many for one part.
 */
function divided<T>(
  items: readonly T[],
  mostBytesOf: (item: T) => number,
  bytesOf: (item: T) => number,
): (readonly T[])[] {
  let most = 0;
  for (const item of items) most += mostBytesOf(item);
  if (items.length > 0 && items.length <= MAX_KEYS_PER_GET && most <= MAX_LISTED_BYTES) return [items];
  const parts: T[][] = [];
  let left = 0;
  for (const item of items) {
    const bytes = bytesOf(item);
    if (parts.length === 0 || bytes > left || parts.at(-1)!.length === MAX_KEYS_PER_GET) {
      parts.push([]);
      left = MAX_LISTED_BYTES;
    }
    parts.at(-1)!.push(item);
    left -= bytes;
  }
  return parts;
}
