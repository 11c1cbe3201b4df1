/** Values in the store of a server in this process: how they are put in as bytes, and read. It knows keys as text, not who calls. */

import { Buffer } from "node:buffer";
import type { ByteSpan } from "../base/byte_span.ts";
import { spanOf } from "../base/byte_span.ts";
import type { EntryOptions } from "../base/cache.ts";
import type { CallCounters } from "../base/call_counters.ts";
import { checkData } from "../base/checks.ts";
import { CacheError, type CacheErrorCode, ProtocolError } from "../base/errors.ts";
import { MAX_KEY_BYTES, MAX_VALUE_BYTES } from "../base/limits.ts";
import { shown } from "../base/options.ts";
import { type ValueOptions, valueOptions } from "../base/value_options.ts";
import { type EntryInput, MARK } from "../store/entry.ts";
import type { Store } from "../store/store.ts";
import { MISS } from "../wire/calls.ts";
import { SERVER_CACHE_UNITS } from "../wire/decoding_budget.ts";
import { decodePart, decodingUnits, encodeValue } from "../wire/values.ts";

const utf8 = new TextEncoder();
/** Bytes up to which a value is decoded from one shared buffer. */
const SHARED_BYTES = 64 * 1024;

/** The values in a store. */
export class LocalValues {
  readonly #store: Store;
  readonly #calls: CallCounters;
  readonly #key: ByteSpan = { bytes: new Uint8Array(MAX_KEY_BYTES), from: 0, to: 0 };
  readonly #shared: Buffer = Buffer.from(new ArrayBuffer(SHARED_BYTES));

  /** How values become bytes, where an option says so. */
  readonly #options: ValueOptions | undefined;
  #readBytes = 0;

  /**
   * @param calls Counts values that cannot be read.
   * @param compressOverBytes Encoded bytes over which a value is compressed; `undefined` if none is.
   */
  constructor(store: Store, calls: CallCounters, compressOverBytes: number | undefined) {
    this.#store = store;
    this.#calls = calls;
    this.#options = valueOptions({ compressOverBytes });
  }

  /** Bytes of the value that has been read last, unpacked. */
  get readBytes(): number {
    return this.#readBytes;
  }

  /** The bytes of a key that is allowed, until the next call: a getter of a value may make one. */
  spanOf(key: string): ByteSpan {
    this.#key.to = utf8.encodeInto(key, this.#key.bytes).written;
    return this.#key;
  }

  /**
   * What is to be stored of a value; `undefined` if it is larger than a server takes.
   *
   * @throws {TypeError | RangeError} If it is no value for a server.
   */
  encoded(data: unknown, { ttlMs, renewOnHit }: EntryOptions): EntryInput | undefined {
    const { flags, payload } = encodeValue(checkData(data), SERVER_CACHE_UNITS, this.#options);
    const value = spanOf(typeof payload === "string" ? utf8.encode(payload) : payload);
    return value.to > MAX_VALUE_BYTES
      ? undefined
      : { flags, marks: renewOnHit === false ? MARK.fixed : 0, value, ttlMs };
  }

  /** Units of work, as an allowance counts them, that it takes to read the value at a position. */
  unitsAt(position: number): number {
    const { reader } = this.#store;
    return decodingUnits(reader.flags(position), reader.valueBytes(position));
  }

  /** Reads the value at a position, that of a key; one whose bytes are not what its flags say is a miss. */
  read(position: number, key: string): unknown {
    try {
      return this.#valueAt(position);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#calls.failed(failureOf("protocol", "retrieve", key, error));
      return MISS;
    }
  }

  #valueAt(position: number): unknown {
    const { reader } = this.#store;
    const length = reader.valueBytes(position);
    const bytes = length <= SHARED_BYTES ? this.#shared : Buffer.from(new ArrayBuffer(length));
    reader.copyValue(position, bytes, 0);
    const part = { bytes, from: 0, to: length };
    const value = decodePart(reader.flags(position), part, SERVER_CACHE_UNITS);
    this.#readBytes = part.to;
    return value;
  }
}

/** The error of a failure that no caller is told of. */
export function failureOf(code: CacheErrorCode, verb: string, key: string, cause: unknown): CacheError {
  const reason = cause instanceof Error ? cause.message : shown(cause);
  return new CacheError(code, `Cannot ${verb} ${JSON.stringify(key)}: ${reason}`, { cause });
}
