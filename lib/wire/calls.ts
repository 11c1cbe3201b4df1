/**
 * Calls of the native protocol: writes a client's requests, and reads the replies. It knows frames and values, not
 * which reply belongs to which request.
 */

import { CacheError, ProtocolError } from "../base/errors.ts";
import { MAX_BODY_BYTES, MAX_VALUE_BYTES } from "../base/limits.ts";
import type { ValueCodec } from "../base/value_options.ts";
import { unexpectedReply } from "./control.ts";
import { type FrameReader, type FrameWriter, REPLY, REQUEST, STATE } from "./frame.ts";
import { ShortRun } from "./short_run.ts";
import { COPY_HEAD_BYTES, type CopyTerms, readTerms } from "./near.ts";
import { type Allowance, NO_LIMIT } from "./protocol_handler.ts";
import { CLIENT_UNITS } from "./decoding_budget.ts";
import { decodePart, decodingUnits, type EncodedValue, isOfCodec, type ValuePart } from "./values.ts";

/** Stands for a miss among values, because `undefined` is a value. */
export const MISS: unique symbol = Symbol("miss");
/** Stands for a value that was left out because the reply to a `GET_MANY` would have become too large. */
export const OMITTED: unique symbol = Symbol("omitted");

/** Stands for a result that is not there yet: the allowance is over, and the reply is to be read on in the next turn. */
export const LATER: unique symbol = Symbol("later");

/** A value that cannot be decoded: only its call fails, since the frame around it is sound. */
export class ValueError extends ProtocolError {}

/**
 * Writes a `SET`.
 *
 * @param ttlMs The entry's time to live, 0 for ever; `undefined` is the server's default.
 * @param isFixed Whether a hit does not renew it.
 * @throws {CacheError} If the encoded value is larger than a server takes.
 * @throws {RangeError} If the key is not allowed.
 */
export function writeSet(
  output: FrameWriter,
  key: string,
  value: EncodedValue,
  ttlMs: number | undefined,
  isFixed = false,
): void {
  output.begin(REQUEST.set);
  output.key(key);
  output.uint32(value.flags);
  output.ttl(ttlMs, isFixed);
  endWithValue(output, value);
}

/**
 * Writes the value that ends a frame.
 *
 * @throws {CacheError} If it is larger than a server takes.
 */
export function endWithValue(output: FrameWriter, { payload }: EncodedValue): void {
  if (typeof payload === "string") output.text(payload);
  else output.bytes(payload);
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

/** Writes a `TOUCH`. `ttlMs` is the entry's time to live, 0 for ever; `undefined` is its own. */
export function writeTouch(output: FrameWriter, key: string, ttlMs: number | undefined): void {
  output.begin(REQUEST.touch);
  output.key(key);
  output.ttl(ttlMs);
  output.end();
}

/** Writes a request that lists keys and has nothing else: a `GET_MANY` or a `DELETE_MANY`, of 1,024 keys at most. */
export function writeKeyList(output: FrameWriter, code: number, keys: readonly string[]): void {
  output.begin(code);
  output.uint16(keys.length);
  output.listedKeys(keys);
  output.end();
}

/**
 * Hears of each value that the server has sent as a copy, once it has been read: what the server says of it, and which of the
 * keys it is of, how many bytes the value has when it is unpacked, and the codec that has decoded it, if one has. The terms are
 * valid during the call.
 */
export type OnCopy = (
  value: unknown,
  terms: CopyTerms,
  i: number,
  bytes: number,
  codec: ValueCodec | undefined,
) => void;

/** Reads a value, or `MISS`, out of the reply to a `GET`. */
export function readFound(
  frame: FrameReader,
  allowance: Allowance = NO_LIMIT,
  onCopy?: OnCopy,
  codec?: ValueCodec,
): unknown {
  const { start, end } = frame;
  if (frame.code === REPLY.value && end - start >= 4) {
    return readValue(frame, { flags: frame.uint32(start), from: start + 4, to: end, bytes: 0 }, allowance, codec);
  }
  if (frame.code === REPLY.miss) return MISS;
  if (frame.code !== REPLY.copy || end - start < COPY_HEAD_BYTES) throw unexpectedReply(frame);
  const part = { flags: frame.uint32(start + 1), from: start + COPY_HEAD_BYTES, to: end, bytes: 0 };
  const value = readValue(frame, part, allowance, codec);
  onCopy?.(value, readTerms(frame, start), 0, part.bytes, isOfCodec(part.flags) ? codec : undefined);
  return value;
}

/** Reads the reply to a request that asks for a yes (`OK`) or a no (`MISS`). */
export function readYesNo(frame: FrameReader): boolean {
  if (frame.code === REPLY.ok) return true;
  if (frame.code === REPLY.miss) return false;
  throw unexpectedReply(frame);
}

/**
 * Returns a function that reads the reply to a `GET_MANY`: values, `MISS` or `OMITTED`. It returns `LATER` where the
 * allowance is over, and is then to be called again with the same frame. A bad value is a miss, reported to `onBadValue`, and
 * no copy.
 */
export function manyReader(
  count: number,
  onBadValue: (i: number, error: Error) => void,
  onCopy?: OnCopy,
  codec?: ValueCodec,
): (frame: FrameReader, allowance?: Allowance) => unknown[] | typeof LATER {
  const values: unknown[] = [];
  let at = 0;
  const read = (frame: FrameReader, part: ValuePart, allowance: Allowance): unknown => {
    try {
      return readValue(frame, part, allowance, codec);
    } catch (error) {
      onBadValue(values.length, error as Error);
      return MISS;
    }
  };
  return (frame, allowance = NO_LIMIT) => {
    if (at === 0) at = startOfMany(frame, count);
    while (values.length < count) {
      if (allowance.isOver) return LATER;
      const begin = at;
      const part = valueIn(frame, at);
      const run = part.state === STATE.hit ? ShortRun.at(frame, at, count - values.length) : undefined;
      if (run !== undefined) {
        at = run.end;
        allowance.spend(run.units);
        for (let i = 0; i < run.count; i++) values.push(run.value(i) ?? read(frame, run.part(i), allowance));
        continue;
      }
      at = part.to;
      if (part.state !== STATE.hit && part.state !== STATE.copy) {
        values.push(part.state === STATE.omitted ? OMITTED : MISS);
        continue;
      }
      const value = read(frame, part, allowance);
      if (part.state === STATE.copy && value !== MISS) {
        const from = isOfCodec(part.flags) ? codec : undefined;
        onCopy?.(value, readTerms(frame, begin + 1), values.length, part.bytes, from);
      }
      values.push(value);
    }
    return values;
  };
}

function startOfMany(frame: FrameReader, count: number): number {
  if (frame.code !== REPLY.values || frame.end - frame.start < 2) throw unexpectedReply(frame);
  if (frame.uint16(frame.start) !== count) throw new ProtocolError(`a reply that does not hold ${count} keys`);
  return frame.start + 2;
}

/** Finds the value that is listed from `at` on; one that is no hit has no bytes. */
function valueIn(frame: FrameReader, at: number): ValuePart & { state: number } {
  const { end } = frame;
  if (at + 1 > end) throw new ProtocolError("a truncated list of values");
  const state = frame.uint8(at);
  const isCopy = state === STATE.copy;
  if (state !== STATE.hit && !isCopy) return { state, flags: 0, from: at + 1, to: at + 1, bytes: 0 };
  const from = at + (isCopy ? 5 + COPY_HEAD_BYTES : 9);
  const to = from + (from <= end ? frame.uint32(from - 4) : Infinity);
  if (to > end) throw new ProtocolError("a truncated list of values");
  return { state, flags: frame.uint32(isCopy ? at + 2 : at + 1), from, to, bytes: 0 };
}

/** Reads a value, which the allowance pays for. */
export function readValue(frame: FrameReader, part: ValuePart, allowance: Allowance, codec?: ValueCodec): unknown {
  const { flags, from, to } = part;
  allowance.spend(decodingUnits(flags, to - from));
  try {
    const source = { bytes: frame.buffer, from, to };
    const value = decodePart(flags, source, CLIENT_UNITS, codec);
    part.bytes = source.to - source.from;
    return value;
  } catch (error) {
    throw new ValueError((error as Error).message, { cause: error });
  }
}
