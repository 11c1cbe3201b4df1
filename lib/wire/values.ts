/**
 * Encodes JavaScript values as bytes, and decodes them. The entry's flags name the format: plain bytes, text, JSON if
 * JSON carries the value unchanged (it is the fastest, and every language reads it), or else MessagePack with extension
 * types, or what a codec of the caller's own makes of it; each of them compressed where that is asked for. It knows nothing of
 * frames, keys or stores.
 */

import { Buffer } from "node:buffer";
import { ProtocolError } from "../base/errors.ts";
import { shown } from "../base/options.ts";
import type { ValueCodec, ValueOptions } from "../base/value_options.ts";
import { decodedBy, encodedBy } from "./codec.ts";
import { compressed, unpacked } from "./compression.ts";
import { counterIn, MOST_DIGITS } from "./counter_value.ts";
import { CLIENT_UNITS, DecodingBudget, DecodingCostError } from "./decoding_budget.ts";
import { checkJson, JSON_UNITS_PER_BYTE } from "./json_check.ts";
import { decodeMsgpack } from "./msgpack_decoder.ts";
import { encodeMsgpack } from "./msgpack_encoder.ts";
import { weighMsgpack } from "./msgpack_weights.ts";
import { MAX_DEPTH, MAX_PARTS, MAX_VALUE_BYTES } from "../base/limits.ts";
import type { ByteSpan } from "../base/byte_span.ts";
import { unitsOf } from "./protocol_handler.ts";
import { decodeText } from "./utf8_text.ts";

/**
 * Flags of an entry, one per format. The upper half ("OC" in ASCII) keeps them apart from the small numbers that
 * memcached clients choose; all flags that are not listed here mean bytes. Plain bytes may be a counter's, which is a number.
 */
export const FLAGS = {
  bytes: 0,
  text: 0x4f430001,
  json: 0x4f430002,
  msgpack: 0x4f430003,
  codec: 0x4f430004,
} as const;

/** What is added to the flags of a value that is compressed; plain bytes then have the flags 0x4F430010. */
export const COMPRESSED = 0x4f430010;
const COMPRESSED_BIT = 0x10;
const MOST_FLAGS = COMPRESSED | FLAGS.codec;

/**
 * A value ready to be sent. A string payload stands for its UTF-8 bytes, which are written straight into the output; bytes may
 * be those that the caller gave, or a part of a buffer that other values share.
 */
export interface EncodedValue {
  flags: number;
  payload: string | Uint8Array;
}

/** Where a value lies in a frame. */
export interface ValuePart {
  /** How its bytes are to be read. */
  flags: number;
  from: number;
  to: number;
  /** How many bytes it has, unpacked if it is compressed: known when it has been read. */
  bytes: number;
}

/** Units of work that other values than text and JSON may take though they are short: a few bytes stand for a costly part. */
const COSTLY_UNITS = 16;

/** Characters of an error's message at most: some hold what the value held. */
const MAX_MESSAGE_LENGTH = 300;
/** Bytes of JSON up to which its parts need no look before it is parsed. */
export const SHORT_JSON_BYTES: number = 2 * MAX_DEPTH;

const encoder = new TextEncoder();

/**
 * Encodes a value. A `Uint8Array` is passed on, not copied, unless it would be read as a counter.
 *
 * @param value The value.
 * @param units What it may cost to decode it.
 * @param options Whether it is encoded by a codec, and compressed.
 * @throws {TypeError} If it holds something that cannot be sent, such as a function, a symbol, a cycle or a class
 * instance; the message names the path, as in `data.items[3].callback`. And whatever a codec throws.
 * @throws {RangeError} If it is nested deeper than 256, has more than 8,388,608 parts, or costs more to decode.
 */
export function encodeValue(value: unknown, units: number = CLIENT_UNITS, options?: ValueOptions): EncodedValue {
  return options === undefined ? encodePlain(value, units) : encodeAs(value, units, options);
}

function encodeAs(value: unknown, units: number, { codec, compressOverBytes = Infinity }: ValueOptions): EncodedValue {
  const budget = new DecodingBudget(units);
  const { flags, payload } = codec === undefined
    ? encodePlain(value, units, budget)
    : { flags: FLAGS.codec, payload: encodedBy(codec, value) };
  if (3 * payload.length <= compressOverBytes) return { flags, payload }; // no UTF-16 unit takes more than 3 bytes
  const bytes = typeof payload === "string" ? encoder.encode(payload) : payload;
  const least = Math.max(compressOverBytes, MOST_DIGITS); // who adds to a number looks for digits
  const isTaken = bytes.length > least && bytes.length <= MAX_VALUE_BYTES;
  const smaller = isTaken ? compressed(bytes, budget) : undefined;
  return smaller === undefined ? { flags, payload: bytes } : { flags: COMPRESSED | flags, payload: smaller };
}

/** Encodes a value as none is compressed, within a budget that others go on with, or one for it alone. */
function encodePlain(value: unknown, units: number, budget?: DecodingBudget): EncodedValue {
  if (typeof value === "string") {
    return value.isWellFormed()
      ? { flags: FLAGS.text, payload: value }
      : { flags: FLAGS.json, payload: JSON.stringify(value) };
  }
  if (value instanceof Uint8Array && counterIn(value, 0, value.length) === undefined) {
    return { flags: FLAGS.bytes, payload: value };
  }
  partsLeft = MAX_PARTS;
  if (isJson(value, 0)) {
    const json = JSON.stringify(value);
    if (!json.includes("\\") || !hasEscapedKey(value)) {
      return { flags: FLAGS.json, payload: affordableJson(json, budget ?? new DecodingBudget(units)) };
    }
  }
  if (partsLeft < 0) throw new RangeError(`Cannot encode data: more than ${MAX_PARTS} parts`);
  return { flags: FLAGS.msgpack, payload: affordableMsgpack(value, budget ?? new DecodingBudget(units)) };
}

/** Returns JSON that may be read; as bytes, if it had to be weighed. What is too large is refused by its size. */
function affordableJson(json: string, budget: DecodingBudget): string | Uint8Array {
  if (json.length > MAX_VALUE_BYTES) return json;
  if (budget.covers(Buffer.byteLength(json), JSON_UNITS_PER_BYTE)) return json;
  const bytes = encoder.encode(json);
  affordable(() => checkJson(bytes, budget));
  return bytes;
}

/** The same as MessagePack. */
function affordableMsgpack(value: unknown, budget: DecodingBudget): Uint8Array {
  const bytes = encodeMsgpack(value, budget);
  if (bytes.length <= MAX_VALUE_BYTES) affordable(() => weighMsgpack(bytes, 0, bytes.length, budget));
  return bytes;
}

/** @throws {RangeError} If what is weighed costs too much. */
function affordable(weigh: () => void): void {
  try {
    weigh();
  } catch (error) {
    if (!(error instanceof DecodingCostError)) throw error;
    throw new RangeError(`Cannot encode data: ${error.message}`, { cause: error });
  }
}

/**
 * Decodes what {@linkcode encodeValue} made. Bytes are copied, so the input may be reused afterwards.
 *
 * @throws {ProtocolError} If the bytes are not what the flags say, are nested deeper than 256, or cost too much.
 */
export function decodeValue(
  flags: number,
  bytes: Uint8Array,
  units: number = CLIENT_UNITS,
  codec?: ValueCodec,
): unknown {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return decodePart(flags, { bytes: buffer, from: 0, to: bytes.length }, units, codec);
}

/** Units of work, as an allowance counts them, that it takes to decode a value. */
export function decodingUnits(flags: number, bytes: number): number {
  return unitsOf(bytes) + (flags > FLAGS.json ? COSTLY_UNITS : 0);
}

/** Whether a codec has encoded the value, compressed or not. */
export function isOfCodec(flags: number): boolean {
  return flags === FLAGS.codec || flags === MOST_FLAGS;
}

/** A part of a `Buffer`, whose own decoder reads short text. */
export interface BufferPart extends ByteSpan {
  bytes: Buffer;
}

/**
 * Decodes a value, like {@linkcode decodeValue}, from a part of a buffer. If it is compressed, the part is afterwards what it has been
 * unpacked to.
 */
export function decodePart(
  flags: number,
  part: BufferPart,
  units: number = CLIENT_UNITS,
  codec?: ValueCodec,
): unknown {
  try {
    return decodeFormat(flags, part, units, codec);
  } catch (error) {
    const reason = error instanceof Error ? String(error.message) : shown(error); // a codec may throw anything
    throw new ProtocolError(`Cannot decode value: ${reason.slice(0, MAX_MESSAGE_LENGTH)}`, { cause: error });
  }
}

/** @param budget What is left to spend on it; `undefined` where nothing has been spent. */
function decodeFormat(
  flags: number,
  part: BufferPart,
  units: number,
  codec: ValueCodec | undefined,
  budget?: DecodingBudget,
): unknown {
  const { bytes, from, to } = part;
  switch (flags) {
    case FLAGS.text:
      return decodeText(bytes, from, to);
    case FLAGS.json:
      if (to - from > SHORT_JSON_BYTES) {
        checkJson(bytes.subarray(from, to), budget ?? new DecodingBudget(units));
      }
      return JSON.parse(decodeText(bytes, from, to));
    case FLAGS.msgpack:
      return decodeWeighed(part, budget ?? new DecodingBudget(units));
    case FLAGS.bytes:
      return counterIn(bytes, from, to) ?? new Uint8Array(bytes.subarray(from, to));
    case FLAGS.codec:
      return decodedBy(codec, new Uint8Array(bytes.subarray(from, to)));
    default:
      if (flags >= COMPRESSED && flags <= MOST_FLAGS) return decodeCompressed(flags, part, units, codec);
      return new Uint8Array(bytes.subarray(from, to));
  }
}

function decodeWeighed({ bytes, from, to }: BufferPart, budget: DecodingBudget): unknown {
  weighMsgpack(bytes, from, to, budget);
  return decodeMsgpack(bytes, from, to, budget);
}

function decodeCompressed(flags: number, part: BufferPart, units: number, codec: ValueCodec | undefined): unknown {
  const budget = new DecodingBudget(units);
  part.bytes = unpacked(part.bytes.subarray(part.from, part.to), budget);
  part.from = 0;
  part.to = part.bytes.length;
  if (flags === COMPRESSED) return new Uint8Array(part.bytes); // digits, too: no counter is compressed
  return decodeFormat(flags & ~COMPRESSED_BIT, part, units, codec, budget);
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

/**
 * Whether what JSON carries has a key with an escape. V8's JSON.parse (13.7 to 15.0 at least) may take such a key for another: where
 * objects with a key that ends in `\` have been parsed, one that goes on with an escape there is read as it.
 */
function hasEscapedKey(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return value.some(hasEscapedKey);
  return Object.entries(value).some(([key, part]) => JSON.stringify(key).includes("\\") || hasEscapedKey(part));
}
