/**
 * Encodes JavaScript values as bytes, and decodes them. The entry's flags name the format: plain bytes, text, JSON if
 * JSON carries the value unchanged (it is the fastest, and every language reads it), or else MessagePack with extension
 * types. It knows nothing of frames, keys or stores.
 */

import { Buffer, isUtf8 } from "node:buffer";
import { ProtocolError } from "../base/errors.ts";
import { counterIn } from "./counter_value.ts";
import { CLIENT_UNITS, DecodingBudget, DecodingCostError } from "./decoding_budget.ts";
import { checkJson, JSON_UNITS_PER_BYTE } from "./json_check.ts";
import { decodeMsgpack, encodeMsgpack } from "./msgpack_values.ts";
import { MAX_DEPTH, MAX_PARTS, MAX_VALUE_BYTES } from "../base/limits.ts";
import type { ByteSpan } from "../base/byte_span.ts";
import { unitsOf } from "./protocol_handler.ts";

/**
 * Flags of an entry, one per format. The upper half ("OC" in ASCII) keeps them apart from the small numbers that
 * memcached clients choose; all flags that are not listed here mean bytes. Plain bytes may be a counter's, which is a number.
 */
export const FLAGS = { bytes: 0, text: 0x4f430001, json: 0x4f430002, msgpack: 0x4f430003 } as const;

/**
 * A value ready to be sent. A string payload stands for its UTF-8 bytes, which are written straight into the output.
 */
export interface EncodedValue {
  flags: number;
  payload: string | Uint8Array;
}

/** Units of work that a value of MessagePack may take though it is short: a few bytes stand for a costly part. */
const MSGPACK_UNITS = 16;

const SHORT_TEXT_BYTES = 512;
/** Bytes of a text from which on it is checked before it is decoded: a decoder is slow where it mends. */
const LONG_TEXT_BYTES = 1024 * 1024;
/** Characters of an error's message at most: some hold what the value held. */
const MAX_MESSAGE_LENGTH = 300;
/** Bytes of JSON up to which its parts need no look before it is parsed. */
const SHORT_JSON_BYTES = 2 * MAX_DEPTH;

const encoder = new TextEncoder();
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
const strictUtf8 = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

/**
 * Encodes a value. A `Uint8Array` is passed on, not copied, unless it would be read as a counter.
 *
 * @param value The value.
 * @param units What it may cost to decode it.
 * @throws {TypeError} If it holds something that cannot be sent, such as a function, a symbol, a cycle or a class
 * instance; the message names the path, as in `data.items[3].callback`.
 * @throws {RangeError} If it is nested deeper than 256, has more than 8,388,608 parts, or costs more to decode.
 */
export function encodeValue(value: unknown, units: number = CLIENT_UNITS): EncodedValue {
  if (typeof value === "string") {
    return value.isWellFormed()
      ? { flags: FLAGS.text, payload: value }
      : { flags: FLAGS.json, payload: JSON.stringify(value) };
  }
  if (value instanceof Uint8Array && counterIn(value, 0, value.length) === undefined) {
    return { flags: FLAGS.bytes, payload: value };
  }
  partsLeft = MAX_PARTS;
  if (isJson(value, 0)) return { flags: FLAGS.json, payload: affordable(JSON.stringify(value), units) };
  if (partsLeft < 0) throw new RangeError(`Cannot encode data: more than ${MAX_PARTS} parts`);
  return { flags: FLAGS.msgpack, payload: encodeMsgpack(value, new DecodingBudget(units)) };
}

/** Returns JSON that may be read; as bytes, if it had to be weighed. What is too large is refused by its size. */
function affordable(json: string, units: number): string | Uint8Array {
  if (json.length > MAX_VALUE_BYTES) return json;
  const budget = new DecodingBudget(units);
  if (budget.covers(Buffer.byteLength(json), JSON_UNITS_PER_BYTE)) return json;
  const bytes = encoder.encode(json);
  try {
    checkJson(bytes, budget);
  } catch (error) {
    if (!(error instanceof DecodingCostError)) throw error;
    throw new RangeError(`Cannot encode data: ${error.message}`, { cause: error });
  }
  return bytes;
}

/**
 * Decodes what {@linkcode encodeValue} made. Bytes are copied, so the input may be reused afterwards.
 *
 * @throws {ProtocolError} If the bytes are not what the flags say, are nested deeper than 256, or cost too much.
 */
export function decodeValue(flags: number, bytes: Uint8Array, units: number = CLIENT_UNITS): unknown {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return decodePart(flags, { bytes: buffer, from: 0, to: bytes.length }, units);
}

/** Units of work, as an allowance counts them, that it takes to decode a value. */
export function decodingUnits(flags: number, bytes: number): number {
  return unitsOf(bytes) + (flags === FLAGS.msgpack ? MSGPACK_UNITS : 0);
}

/** A part of a `Buffer`, whose own decoder reads short text. */
export interface BufferPart extends ByteSpan {
  bytes: Buffer;
}

/** Decodes a value, like {@linkcode decodeValue}, from a part of a buffer. */
export function decodePart(flags: number, { bytes, from, to }: BufferPart, units: number = CLIENT_UNITS): unknown {
  try {
    switch (flags) {
      case FLAGS.text:
        return decodeText(bytes, from, to);
      case FLAGS.json:
        if (to - from > SHORT_JSON_BYTES) checkJson(bytes.subarray(from, to), new DecodingBudget(units));
        return JSON.parse(decodeText(bytes, from, to));
      case FLAGS.msgpack:
        return decodeMsgpack(new Uint8Array(bytes.subarray(from, to)), new DecodingBudget(units));
      case FLAGS.bytes:
        return counterIn(bytes, from, to) ?? new Uint8Array(bytes.subarray(from, to));
      default:
        return new Uint8Array(bytes.subarray(from, to));
    }
  } catch (error) {
    const message = (error as Error).message.slice(0, MAX_MESSAGE_LENGTH);
    throw new ProtocolError(`Cannot decode value: ${message}`, { cause: error });
  }
}

/**
 * Decodes UTF-8. For short text the buffer's own decoder is twice as fast as `TextDecoder`, for long text a fifth. A
 * strict decoder takes three times as long, so it is used only if the first one has put in a replacement character.
 */
function decodeText(bytes: Buffer, from: number, to: number): string {
  if (to - from >= LONG_TEXT_BYTES && !isUtf8(bytes.subarray(from, to))) throw new TypeError("it is not UTF-8");
  const isShort = to - from <= SHORT_TEXT_BYTES;
  const text = isShort ? bytes.toString("utf8", from, to) : utf8.decode(bytes.subarray(from, to));
  if (to - from >= LONG_TEXT_BYTES) return text;
  return text.includes("\ufffd") ? strictUtf8.decode(bytes.subarray(from, to)) : text;
}

/**
 * Parts that {@linkcode isJson} may still visit: values shared by many parents could otherwise keep it busy for ever.
 */
let partsLeft = 0;

/** Whether `JSON.parse(JSON.stringify(value))` gives the value back, `-0`, `undefined` and prototypes included. */
function isJson(value: unknown, depth: number): boolean {
  if (--partsLeft < 0) return false;
  switch (typeof value) {
    case "string":
    case "boolean":
      return true;
    case "number":
      return value === 0 ? 1 / value > 0 : Number.isFinite(value);
    case "object":
      break;
    default:
      return false;
  }
  if (value === null) return true;
  if (depth === MAX_DEPTH || "toJSON" in value) return false;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) if (!isJson(value[i], depth + 1)) return false;
    return true;
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  for (const key in value) if (!isJson((value as Record<string, unknown>)[key], depth + 1)) return false;
  return true;
}
