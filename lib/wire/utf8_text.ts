/** UTF-8 out of a buffer as text, by whichever way is quickest for its length. */

import { type Buffer, isUtf8 } from "node:buffer";

/** Bytes of ASCII up to which it is put together here: a decoder takes longer to be called. Of more, V8 would keep the pieces. */
const SHORT_ASCII_BYTES = 12;
/** Bytes of a text up to which the buffer decodes it. */
const SHORT_TEXT_BYTES = 512;
/** Bytes of a text from which on it is checked before it is decoded: a decoder is slow where it mends. */
const LONG_TEXT_BYTES = 1024 * 1024;

/** Keys that are kept, and how long they may be. */
const KNOWN_KEYS = 512;
const LONGEST_KNOWN_KEY = 32;

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
const strictUtf8 = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

/**
 * Decodes UTF-8. For short text the buffer's own decoder is twice as fast as `TextDecoder`, for long text a fifth. A
 * strict decoder takes three times as long, so it is used only if the first one has put in a replacement character.
 *
 * @throws {TypeError} If it is not UTF-8.
 */
export function decodeText(bytes: Buffer, from: number, to: number): string {
  if (to - from >= LONG_TEXT_BYTES && !isUtf8(bytes.subarray(from, to))) throw new TypeError("it is not UTF-8");
  const isShort = to - from <= SHORT_TEXT_BYTES;
  const text = isShort ? bytes.toString("utf8", from, to) : utf8.decode(bytes.subarray(from, to));
  if (to - from >= LONG_TEXT_BYTES) return text;
  return text.includes("\ufffd") ? strictUtf8.decode(bytes.subarray(from, to)) : text;
}

/** Decodes UTF-8 where most texts are of a few bytes. */
export function decodeShortText(bytes: Buffer, from: number, to: number): string {
  return (to - from <= SHORT_ASCII_BYTES ? asciiText(bytes, from, to) : undefined) ?? decodeText(bytes, from, to);
}

/** Returns the text if it is ASCII. */
function asciiText(bytes: Buffer, from: number, to: number): string | undefined {
  let text = "";
  let any = 0;
  let at = from;
  for (; at + 4 <= to; at += 4) {
    const [a, b, c, d] = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
    any |= a | b | c | d;
    text += String.fromCharCode(a, b, c, d);
  }
  for (; at < to; at++) {
    any |= bytes[at];
    text += String.fromCharCode(bytes[at]);
  }
  return any < 0x80 ? text : undefined;
}

/** Short keys of objects that have been read lately: the same come again and again. */
export class KnownKeys {
  readonly #keys: string[] = new Array(KNOWN_KEYS).fill("");

  /** Returns a key that has been kept, of these bytes; else `undefined`. */
  find(bytes: Buffer, from: number, to: number): string | undefined {
    const length = to - from;
    if (length > LONGEST_KNOWN_KEY) return undefined;
    const key = this.#keys[placeOf(bytes, from, length)];
    if (key.length !== length) return undefined;
    for (let i = 0; i < length; i++) if (key.charCodeAt(i) !== bytes[from + i]) return undefined;
    return key;
  }

  /** Keeps a key, in place of another. */
  keep(key: string, bytes: Buffer, from: number, to: number): void {
    if (key.length !== to - from || key.length > LONGEST_KNOWN_KEY) return; // only ASCII has a unit for each byte
    this.#keys[placeOf(bytes, from, to - from)] = key;
  }
}

/** Where a key is kept: by its length, and its first, middle and last byte. */
function placeOf(bytes: Buffer, from: number, length: number): number {
  const middle = bytes[from + (length >> 1)];
  return (bytes[from] * 37 + middle * 101 + bytes[from + length - 1] * 11 + length * 59) & (KNOWN_KEYS - 1);
}
