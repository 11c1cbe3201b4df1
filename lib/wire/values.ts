/**
 * Encodes JavaScript values as bytes, and decodes them. The entry's flags name the format: plain bytes, text, JSON if
 * JSON carries the value unchanged (it is the fastest, and every language reads it), or else MessagePack with extension
 * types. It knows nothing of frames, keys or stores.
 */

import { Buffer } from "node:buffer";
import { ProtocolError } from "../base/errors.ts";
import { decodeMsgpack, encodeMsgpack } from "./msgpack_values.ts";
import { MAX_DEPTH, MAX_PARTS } from "../base/limits.ts";
import type { ByteSpan } from "../base/byte_span.ts";

/**
 * Flags of an entry, one per format. The upper half ("OC" in ASCII) keeps them apart from the small numbers that
 * memcached clients choose; all flags that are not listed here mean bytes.
 */
export const FLAGS = { bytes: 0, text: 0x4f430001, json: 0x4f430002, msgpack: 0x4f430003 } as const;

/**
 * A value ready to be sent. A string payload stands for its UTF-8 bytes, which are written straight into the output.
 */
export interface EncodedValue {
  flags: number;
  payload: string | Uint8Array;
}

const SHORT_TEXT_BYTES = 512;

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
const strictUtf8 = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

/**
 * Encodes a value. A `Uint8Array` is passed on, not copied.
 *
 * @throws {TypeError} If it holds something that cannot be sent, such as a function, a symbol, a cycle or a class
 * instance; the message names the path, as in `data.items[3].callback`.
 * @throws {RangeError} If it is nested deeper than 256 or has more than 8,388,608 parts.
 */
export function encodeValue(value: unknown): EncodedValue {
  if (typeof value === "string") {
    return value.isWellFormed()
      ? { flags: FLAGS.text, payload: value }
      : { flags: FLAGS.json, payload: JSON.stringify(value) };
  }
  if (value instanceof Uint8Array) return { flags: FLAGS.bytes, payload: value };
  partsLeft = MAX_PARTS;
  if (isJson(value, 0)) return { flags: FLAGS.json, payload: JSON.stringify(value) };
  if (partsLeft < 0) throw new RangeError(`Cannot encode data: more than ${MAX_PARTS} parts`);
  return { flags: FLAGS.msgpack, payload: encodeMsgpack(value) };
}

/**
 * Decodes what {@linkcode encodeValue} made. Bytes are copied, so the input may be reused afterwards.
 *
 * @throws {ProtocolError} If the bytes are not what the flags say, or nested deeper than 256.
 */
export function decodeValue(flags: number, bytes: Uint8Array): unknown {
  return decodePart(flags, {
    bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length),
    from: 0,
    to: bytes.length,
  });
}

/** A part of a `Buffer`, whose own decoder reads short text. */
export interface BufferPart extends ByteSpan {
  bytes: Buffer;
}

/** Decodes a value, like {@linkcode decodeValue}, from a part of a buffer. */
export function decodePart(flags: number, { bytes, from, to }: BufferPart): unknown {
  try {
    switch (flags) {
      case FLAGS.text:
        return decodeText(bytes, from, to);
      case FLAGS.json:
        if (to - from > 2 * MAX_DEPTH) checkJsonDepth(bytes.subarray(from, to));
        return JSON.parse(decodeText(bytes, from, to));
      case FLAGS.msgpack:
        return decodeMsgpack(new Uint8Array(bytes.subarray(from, to)));
      default:
        return new Uint8Array(bytes.subarray(from, to));
    }
  } catch (error) {
    throw new ProtocolError(`Cannot decode value: ${(error as Error).message}`, { cause: error });
  }
}

/**
 * Decodes UTF-8. For short text the buffer's own decoder is twice as fast as `TextDecoder`, for long text a fifth. A
 * strict decoder takes three times as long, so it is used only if the first one has put in a replacement character.
 */
function decodeText(bytes: Buffer, from: number, to: number): string {
  const isShort = to - from <= SHORT_TEXT_BYTES;
  const text = isShort ? bytes.toString("utf8", from, to) : utf8.decode(bytes.subarray(from, to));
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

/** Bounds the nesting before `JSON.parse` builds it: 16 MiB of `[` would otherwise become gigabytes. */
function checkJsonDepth(bytes: Uint8Array): void {
  let depth = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === 0x22) {
      at++;
      while (at < bytes.length && bytes[at] !== 0x22) at += bytes[at] === 0x5c ? 2 : 1;
    } else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > MAX_DEPTH) throw new RangeError(`nested deeper than ${MAX_DEPTH}`);
    } else if (byte === 0x5d || byte === 0x7d) {
      depth--;
    }
  }
}
