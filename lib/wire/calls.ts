/**
 * Calls of the native protocol: writes a client's requests, and reads the replies. It knows frames and values, not
 * which reply belongs to which request.
 */

import { CacheError, ProtocolError } from "../base/errors.ts";
import { MAX_BODY_BYTES, MAX_VALUE_BYTES } from "../base/limits.ts";
import { unexpectedReply } from "./control.ts";
import { type FrameReader, type FrameWriter, REPLY, REQUEST, STATE } from "./frame.ts";
import { decodePart, type EncodedValue } from "./values.ts";

/** Stands for a miss among values, because `undefined` is a value. */
export const MISS: unique symbol = Symbol("miss");
/** Stands for a value that was left out because the reply to a `GET_MANY` would have become too large. */
export const OMITTED: unique symbol = Symbol("omitted");

/** A value that cannot be decoded: only its call fails, since the frame around it is sound. */
export class ValueError extends ProtocolError {}

/**
 * Writes a `SET`.
 *
 * @throws {CacheError} If the encoded value is larger than a server takes.
 * @throws {RangeError} If the key is not allowed.
 */
export function writeSet(output: FrameWriter, key: string, value: EncodedValue, ttlMs: number | undefined): void {
  output.begin(REQUEST.set);
  output.key(key);
  output.uint32(value.flags);
  output.ttl(ttlMs);
  if (typeof value.payload === "string") output.text(value.payload);
  else output.bytes(value.payload);
  if (output.bodyBytes > MAX_BODY_BYTES) {
    throw new CacheError("refused", `the value has more than ${MAX_VALUE_BYTES} bytes`);
  }
  output.end();
}

/** Writes a request that has a key and nothing else. */
export function writeKeyed(output: FrameWriter, code: number, key: string): void {
  output.begin(code);
  output.key(key);
  output.end();
}

/** Writes a `GET_MANY`, of 1,024 keys at most. */
export function writeGetMany(output: FrameWriter, keys: readonly string[]): void {
  output.begin(REQUEST.getMany);
  output.uint16(keys.length);
  for (const key of keys) output.listedKey(key);
  output.end();
}

/** Reads a value, or `MISS`, out of the reply to a `GET`. */
export function readFound(frame: FrameReader): unknown {
  if (frame.code === REPLY.miss) return MISS;
  if (frame.code !== REPLY.value || frame.end - frame.start < 4) throw unexpectedReply(frame);
  return readValue(frame, frame.uint32(frame.start), frame.start + 4, frame.end);
}

/** Reads the reply to a request that asks for a yes (`OK`) or a no (`MISS`). */
export function readYesNo(frame: FrameReader): boolean {
  if (frame.code === REPLY.ok) return true;
  if (frame.code === REPLY.miss) return false;
  throw unexpectedReply(frame);
}

/** Reads the reply to a `GET_MANY`: values, `MISS` or `OMITTED`. A bad value is a miss, reported to `onBadValue`. */
export function readMany(
  frame: FrameReader,
  count: number,
  onBadValue: (i: number, error: Error) => void,
): unknown[] {
  const { end } = frame;
  if (frame.code !== REPLY.values || end - frame.start < 2) throw unexpectedReply(frame);
  if (frame.uint16(frame.start) !== count) throw new ProtocolError(`a reply that does not hold ${count} keys`);
  const values: unknown[] = [];
  let at = frame.start + 2;
  for (let i = 0; i < count; i++) {
    if (at + 1 > end) throw new ProtocolError("a truncated list of values");
    const state = frame.uint8(at++);
    if (state !== STATE.hit) {
      values.push(state === STATE.omitted ? OMITTED : MISS);
      continue;
    }
    const valueAt = at + 8;
    const valueEnd = valueAt + (valueAt <= end ? frame.uint32(at + 4) : Infinity);
    if (valueEnd > end) throw new ProtocolError("a truncated list of values");
    values.push(MISS);
    try {
      values[i] = readValue(frame, frame.uint32(at), valueAt, valueEnd);
    } catch (error) {
      onBadValue(i, error as Error);
    }
    at = valueEnd;
  }
  return values;
}

function readValue(frame: FrameReader, flags: number, from: number, to: number): unknown {
  try {
    return decodePart(flags, { bytes: frame.buffer, from, to });
  } catch (error) {
    throw new ValueError((error as Error).message, { cause: error });
  }
}
