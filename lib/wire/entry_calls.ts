/**
 * Calls of the native protocol beyond reading and storing one value: entries with what is known of them, numbers, conditions,
 * many entries at once, and lists of keys. It writes the requests and their replies, and reads the replies; it knows bytes, not
 * which entries there are. The format is in docs/protocol.md.
 */

import { Buffer, isUtf8 } from "node:buffer";
import { CacheError, ProtocolError } from "../base/errors.ts";
import { MAX_BODY_BYTES, MAX_VALUE_BYTES } from "../base/limits.ts";
import type { ValueCodec } from "../base/value_options.ts";
import { endWithValue, MISS, readValue } from "./calls.ts";
import { unexpectedReply } from "./control.ts";
import { type FrameReader, type FrameWriter, HEADER_BYTES, REPLY, REQUEST } from "./frame.ts";
import { msAt, setMs } from "./near.ts";
import { type Allowance, NO_LIMIT } from "./protocol_handler.ts";
import type { EncodedValue } from "./values.ts";

/** Marks of an `INCREMENT`: it subtracts, and makes an entry where there is none. */
export const INCREMENT_MARK = { subtracts: 1, makes: 2 } as const;
/** What a `SET_IF` asks for: that the key has no entry, that it has one, or that it has one of a version. */
export const CONDITION = { absent: 1, present: 2, version: 3 } as const;
/** Bytes between the key and the value of a `SET_IF`. */
export const SET_IF_HEAD_BYTES = 21;
/** Bytes before the key of an entry in a `SET_MANY`. */
export const LISTED_ENTRY_BYTES = 18;
/** Bytes of entries that a client puts into one `SET_MANY` at most, unless one alone has more: others wait while it is stored. */
export const MAX_LISTED_BYTES: number = 1024 * 1024;
/** Bytes of an `ENTRY` before its value. */
export const ENTRY_HEAD_BYTES = 20;
/** Bytes of a `KEYS` reply before its keys. */
export const KEYS_HEAD_BYTES = 10;
/** The place at which the keys of a server end. */
export const KEYS_END: number = 2 ** 32;

/** An entry to be stored with others. */
export interface ListedEntry {
  readonly key: string;
  readonly value: EncodedValue;
}

/** An entry as a server gives it. */
export interface FoundEntry {
  readonly value: unknown;
  /** Milliseconds until it expires if nobody uses it; `Infinity` if it never does. */
  readonly remainingMs: number;
  readonly version: number;
}

/**
 * Writes an `INCREMENT`.
 *
 * @param by What is added: −2⁶⁴ + 1 to 2⁶⁴ − 1.
 * @param initial The number with which an entry is made, 0 to 2⁶⁴ − 1; `undefined` if none is to be made.
 * @param ttlMs Time to live of an entry that is made, in milliseconds, 0 for ever; `undefined` is the server's default.
 * @throws {RangeError} If the key is not allowed.
 */
export function writeIncrement(
  output: FrameWriter,
  key: string,
  by: bigint,
  initial: bigint | undefined,
  ttlMs: number | undefined,
): void {
  output.begin(REQUEST.increment);
  output.key(key);
  output.uint8((by < 0n ? INCREMENT_MARK.subtracts : 0) | (initial === undefined ? 0 : INCREMENT_MARK.makes));
  const at = output.room(16);
  output.view.setBigUint64(at, by < 0n ? -by : by);
  output.view.setBigUint64(at + 8, initial ?? 0n);
  output.ttl(initial === undefined ? 0 : ttlMs);
  output.end();
}

/**
 * Writes a `SET_IF`.
 *
 * @param onlyIf What has to be there: no entry, any, or one of this version.
 * @param ttlMs The entry's time to live in milliseconds, 0 for ever; `undefined` is the server's default.
 * @param isFixed Whether a hit does not renew it.
 * @throws {CacheError} If the encoded value is larger than a server takes.
 * @throws {RangeError} If the key is not allowed.
 */
export function writeSetIf(
  output: FrameWriter,
  key: string,
  onlyIf: "absent" | "present" | number,
  value: EncodedValue,
  ttlMs: number | undefined,
  isFixed: boolean,
): void {
  output.begin(REQUEST.setIf);
  output.key(key);
  output.uint8(typeof onlyIf === "number" ? CONDITION.version : CONDITION[onlyIf]);
  const at = output.room(8);
  setMs(output.view, at, typeof onlyIf === "number" ? onlyIf : 0);
  output.uint32(value.flags);
  output.ttl(ttlMs, isFixed);
  endWithValue(output, value);
}

/** Bytes that an entry takes in a `SET_MANY`. */
export function listedBytes({ key, value: { payload } }: ListedEntry): number {
  const valueBytes = typeof payload === "string" ? Buffer.byteLength(payload) : payload.length;
  return LISTED_ENTRY_BYTES + Buffer.byteLength(key) + valueBytes;
}

/**
 * Writes a `SET_MANY`, of 1 to 1,024 entries, and {@linkcode MAX_LISTED_BYTES} of them, or one alone.
 *
 * @param ttlMs The time to live of all, in milliseconds, 0 for ever; `undefined` is the server's default.
 * @param isFixed Whether hits do not renew them.
 * @throws {CacheError} If the encoded values are larger than a server takes.
 * @throws {RangeError} If a key is not allowed.
 */
export function writeSetMany(
  output: FrameWriter,
  entries: readonly ListedEntry[],
  ttlMs: number | undefined,
  isFixed: boolean,
): void {
  output.begin(REQUEST.setMany);
  output.uint16(entries.length);
  for (const { key, value: { flags, payload } } of entries) {
    const head = output.length;
    output.uint16(0);
    output.uint32(flags);
    output.ttl(ttlMs, isFixed);
    output.uint32(0);
    const keyBytes = output.keyText(key);
    output.view.setUint16(head, keyBytes);
    const from = output.length;
    if (typeof payload === "string") output.text(payload);
    else output.bytes(payload);
    output.view.setUint32(head + LISTED_ENTRY_BYTES - 4, output.length - from);
  }
  if (output.bodyBytes > MAX_BODY_BYTES) {
    const what = entries.length === 1 ? "the value has" : "the values have";
    throw new CacheError("refused", `${what} more than ${MAX_VALUE_BYTES} bytes`);
  }
  output.end();
}

/**
 * Writes a `KEYS`.
 *
 * @param prefix What the keys begin with; empty for all.
 * @param from The place to go on at: 0, or the `next` of the reply before.
 * @throws {RangeError} If the prefix is not allowed.
 */
export function writeKeys(output: FrameWriter, prefix: string, from: number): void {
  output.begin(REQUEST.keys);
  if (prefix !== "") output.key(prefix);
  const at = output.room(8);
  setMs(output.view, at, from);
  output.end();
}

/**
 * Reads the reply to an `ENTRY`.
 *
 * @param codec Decodes what a codec has encoded.
 * @throws {ProtocolError} If the frame is another reply, or holds a value that cannot be decoded.
 */
export function readEntry(
  frame: FrameReader,
  allowance: Allowance = NO_LIMIT,
  codec?: ValueCodec,
): FoundEntry | typeof MISS {
  const { code, start, end } = frame;
  if (code === REPLY.miss) return MISS;
  if (code !== REPLY.entry || end - start < ENTRY_HEAD_BYTES) throw unexpectedReply(frame);
  const version = msAt(frame, start);
  if (!Number.isSafeInteger(version)) throw new ProtocolError(`a version that there cannot be: ${version}`);
  const part = { flags: frame.uint32(start + 16), from: start + ENTRY_HEAD_BYTES, to: end, bytes: 0 };
  return { value: readValue(frame, part, allowance, codec), remainingMs: msAt(frame, start + 8), version };
}

/** Returns a function that reads the reply to a `SET_MANY` or a `DELETE_MANY` of `count` entries or keys: which were done. */
export function doneReader(count: number): (frame: FrameReader) => boolean[] {
  return (frame) => {
    const { code, start, end } = frame;
    if (code !== REPLY.done || end - start < 2) throw unexpectedReply(frame);
    if (frame.uint16(start) !== count || end - start !== 2 + count) {
      throw new ProtocolError(`a reply that does not tell of ${count} entries`);
    }
    const done: boolean[] = [];
    for (let at = start + 2; at < end; at++) done.push(isDone(frame.uint8(at)));
    return done;
  };
}

function isDone(state: number): boolean {
  if (state > 1) throw new ProtocolError(`an entry that is neither done nor not: ${state}`);
  return state === 1;
}

/**
 * Reads the reply to a `KEYS`. Keys that are no UTF-8 are left out.
 *
 * @param from The place that was asked for.
 * @returns Some keys, and the place to go on at: {@linkcode KEYS_END} if there are no more.
 * @throws {ProtocolError} If the frame is another reply, or the place is not behind the one that was asked for.
 */
export function readKeys(frame: FrameReader, from: number): { keys: string[]; next: number } {
  const { code, start, end } = frame;
  if (code !== REPLY.keys || end - start < KEYS_HEAD_BYTES) throw unexpectedReply(frame);
  const next = msAt(frame, start);
  if (!(next > from && next <= KEYS_END)) throw new ProtocolError(`keys after ${from} that go on at ${next}`);
  const keys: string[] = [];
  let at = start + KEYS_HEAD_BYTES;
  for (let left = frame.uint16(start + 8); left > 0; left--) {
    const to = at + 2 + (at + 2 <= end ? frame.uint16(at) : Infinity);
    if (to > end) throw new ProtocolError("a truncated list of keys");
    if (isUtf8(frame.buffer.subarray(at + 2, to))) keys.push(frame.buffer.toString("utf8", at + 2, to));
    at = to;
  }
  if (at !== end) throw new ProtocolError("bytes after the last key");
  return { keys, next };
}

/** Writes an `ENTRY`, whose value the caller then writes into `buffer`, from the returned index on. */
export function writeEntry(
  output: FrameWriter,
  { version, remainingMs, flags }: { version: number; remainingMs: number; flags: number },
  valueBytes: number,
): number {
  const at = output.room(HEADER_BYTES + ENTRY_HEAD_BYTES + output.copiedBytes(valueBytes));
  const { view } = output;
  view.setUint32(at, ENTRY_HEAD_BYTES + valueBytes);
  view.setUint32(at + 4, REPLY.entry << 8);
  setMs(view, at + HEADER_BYTES, version);
  setMs(view, at + HEADER_BYTES + 8, remainingMs);
  view.setUint32(at + HEADER_BYTES + 16, flags);
  return at + HEADER_BYTES + ENTRY_HEAD_BYTES;
}

/** Writes a `DONE`: for each entry or key 1 if it was done, else 0. */
export function writeDone(output: FrameWriter, done: Uint8Array): void {
  output.begin(REPLY.done);
  output.uint16(done.length);
  output.bytes(done);
  output.end();
}

/** Writes what stands before the keys of a `KEYS`, from index `at` of the buffer on: the place to go on at, and their number. */
export function setNext({ view }: FrameWriter, at: number, next: number, count: number): void {
  setMs(view, at, next);
  view.setUint16(at + 8, count);
}
