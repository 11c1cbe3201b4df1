/**
 * MessagePack as bytes: it writes heads, numbers, text and extensions into one buffer that grows and is used again. It knows
 * nothing of what they stand for.
 */

import { MAX_VALUE_BYTES } from "../base/limits.ts";

/** Bytes of a buffer, which many small values share: to make one for each takes longer than to encode it. */
const SHARED_BYTES = 16 * 1024;
/** Bytes for which there is room: text takes three for each UTF-16 unit until its bytes are known. */
const MOST_BYTES = 3 * MAX_VALUE_BYTES + 64;
/** UTF-16 units of a text up to which it is copied here: to call the encoder takes as long. */
const SHORT_TEXT = 64;
/** Bytes that are kept free for the head of an extension, as most have it; the payload is moved where it is another. */
const EXTENSION_HEAD_BYTES = 3;

const utf8 = new TextEncoder();

/** What is being written has more bytes than any value may have. */
export class TooManyBytesError extends RangeError {}

/** The bytes of one value after another. */
export class MsgpackOutput {
  #bytes = new Uint8Array(0);
  #view = new DataView(this.#bytes.buffer);
  /** Where the value begins that is being written, and where its next byte will be. */
  #start = 0;
  #at = 0;

  /** Ends a value, and returns its bytes, which are not written again. */
  taken(): Uint8Array {
    const bytes = this.#bytes.subarray(this.#start, this.#at);
    this.#start = this.#at;
    if (bytes.length <= SHARED_BYTES) return bytes;
    this.dropped();
    return bytes.slice(); // the buffer may be twice as large
  }

  /** Forgets what has been written of a value. */
  dropped(): void {
    this.#at = this.#start;
    if (this.#bytes.length > SHARED_BYTES) this.#use(new Uint8Array(0), 0);
  }

  /** Writes one byte. */
  byte(byte: number): void {
    this.#room(1);
    this.#bytes[this.#at++] = byte;
  }

  /** Writes bytes as they are. */
  bytes(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** Writes a number in as few bytes as hold it: an integer up to 2⁵³ as one, and all others as float 64. */
  number(value: number): void {
    this.#room(9);
    if (value >= 0 && value < 0x80 && value === (value | 0)) this.#bytes[this.#at++] = value;
    else if (!Number.isSafeInteger(value)) this.#float64(0xcb, value);
    else if (value >= 0) this.#unsigned(value);
    else this.#negative(value);
  }

  #unsigned(value: number): void {
    if (value < 0x100) this.#head8(0xcc, value);
    else if (value < 0x10000) this.#head16(0xcd, value);
    else if (value < 2 ** 32) this.#head32(0xce, value);
    else this.#head64(0xcf, value);
  }

  #negative(value: number): void {
    if (value >= -0x20) this.#bytes[this.#at++] = value;
    else if (value >= -0x80) this.#head8(0xd0, value);
    else if (value >= -0x8000) this.#head16(0xd1, value);
    else if (value >= -(2 ** 31)) this.#head32(0xd2, value);
    else this.#head64(0xd3, value);
  }

  /** Writes the head of an array. */
  array(items: number): void {
    this.#room(5);
    if (items < 16) this.#bytes[this.#at++] = 0x90 | items;
    else if (items < 0x10000) this.#head16(0xdc, items);
    else this.#head32(0xdd, items);
  }

  /** Writes the head of a map. */
  map(keys: number): void {
    this.#room(5);
    if (keys < 16) this.#bytes[this.#at++] = 0x80 | keys;
    else if (keys < 0x10000) this.#head16(0xde, keys);
    else this.#head32(0xdf, keys);
  }

  /** Writes a text if it is short and ASCII, and says whether it is. */
  shortText(text: string): boolean {
    const { length } = text;
    if (length > SHORT_TEXT) return false;
    this.#room(2 + SHORT_TEXT);
    const bytes = this.#bytes;
    const from = this.#at + (length < 32 ? 1 : 2);
    for (let i = 0; i < length; i++) {
      const unit = text.charCodeAt(i);
      if (unit >= 0x80) return false;
      bytes[from + i] = unit;
    }
    this.#textHead(length);
    this.#at += length;
    return true;
  }

  /** Writes a text, which is well-formed. */
  text(text: string): void {
    this.#room(5 + 3 * text.length);
    const expected = textHeadBytes(text.length);
    const from = this.#at + expected;
    const length = this.#utf8(text, from);
    const head = textHeadBytes(length);
    if (head !== expected) this.#bytes.copyWithin(this.#at + head, from, from + length);
    this.#textHead(length);
    this.#at += length;
  }

  /** Writes the UTF-8 of a text without a head, as a part of an extension. */
  plainText(text: string): void {
    this.#room(3 * text.length);
    this.#at += this.#utf8(text, this.#at);
  }

  #utf8(text: string, at: number): number {
    return utf8.encodeInto(text, this.#bytes.subarray(at)).written;
  }

  /** Writes the UTF-16 of a text without a head, big-endian. */
  utf16(text: string): void {
    this.#room(2 * text.length);
    for (let i = 0; i < text.length; i++) this.#view.setUint16(this.#at + 2 * i, text.charCodeAt(i));
    this.#at += 2 * text.length;
  }

  /** Writes an extension without a payload. */
  emptyExtension(type: number): void {
    this.#room(3);
    this.#head8(0xc7, 0);
    this.#bytes[this.#at++] = type;
  }

  /** Writes an extension that holds a float 64. */
  float64Extension(type: number, value: number): void {
    this.#room(10);
    this.#bytes[this.#at++] = 0xd7;
    this.#float64(type, value);
  }

  /** Begins an extension, whose payload follows, and returns what `end` needs. */
  begin(): number {
    this.#room(EXTENSION_HEAD_BYTES);
    this.#at += EXTENSION_HEAD_BYTES;
    return this.#at - this.#start;
  }

  /** Ends an extension. */
  end(begun: number, type: number): void {
    this.#room(6 - EXTENSION_HEAD_BYTES);
    const from = this.#start + begun;
    const length = this.#at - from;
    const head = extensionHeadBytes(length);
    this.#at = from - EXTENSION_HEAD_BYTES;
    if (head !== EXTENSION_HEAD_BYTES) this.#bytes.copyWithin(this.#at + head, from, from + length);
    if (head === 2) this.#bytes[this.#at++] = FIXED_EXTENSIONS.indexOf(length) + 0xd4;
    else if (head === 3) this.#head8(0xc7, length);
    else if (head === 4) this.#head16(0xc8, length);
    else this.#head32(0xc9, length);
    this.#bytes[this.#at] = type;
    this.#at += 1 + length;
  }

  #textHead(length: number): void {
    if (length < 32) this.#bytes[this.#at++] = 0xa0 | length;
    else if (length < 0x100) this.#head8(0xd9, length);
    else if (length < 0x10000) this.#head16(0xda, length);
    else this.#head32(0xdb, length);
  }

  #head8(first: number, value: number): void {
    this.#bytes[this.#at] = first;
    this.#bytes[this.#at + 1] = value;
    this.#at += 2;
  }

  #head16(first: number, value: number): void {
    this.#bytes[this.#at] = first;
    this.#view.setUint16(this.#at + 1, value);
    this.#at += 3;
  }

  #head32(first: number, value: number): void {
    this.#bytes[this.#at] = first;
    this.#view.setUint32(this.#at + 1, value);
    this.#at += 5;
  }

  #head64(first: number, value: number): void {
    this.#bytes[this.#at] = first;
    this.#view.setInt32(this.#at + 1, Math.floor(value / 2 ** 32));
    this.#view.setUint32(this.#at + 5, value);
    this.#at += 9;
  }

  #float64(first: number, value: number): void {
    this.#bytes[this.#at] = first;
    this.#view.setFloat64(this.#at + 1, value);
    this.#at += 9;
  }

  /** Makes room for more bytes. */
  #room(bytes: number): void {
    if (this.#at + bytes > this.#bytes.length) this.#grow(this.#at - this.#start, bytes);
  }

  #grow(written: number, bytes: number): void {
    const needed = written + bytes;
    if (needed > MOST_BYTES) throw new TooManyBytesError(`more than ${MAX_VALUE_BYTES} bytes`);
    const least = needed <= SHARED_BYTES ? SHARED_BYTES : Math.max(needed, 2 * written);
    const larger = new Uint8Array(Math.min(MOST_BYTES, least));
    larger.set(this.#bytes.subarray(this.#start, this.#at));
    this.#use(larger, written);
  }

  #use(bytes: Uint8Array<ArrayBuffer>, written: number): void {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
    this.#start = 0;
    this.#at = written;
  }
}

/** Lengths of a payload that have a head of their own. */
const FIXED_EXTENSIONS = [1, 2, 4, 8, 16];

function extensionHeadBytes(length: number): number {
  if (length <= 16 && FIXED_EXTENSIONS.includes(length)) return 2;
  if (length < 0x100) return 3;
  return length < 0x10000 ? 4 : 6;
}

function textHeadBytes(length: number): number {
  if (length < 32) return 1;
  if (length < 0x100) return 2;
  return length < 0x10000 ? 3 : 5;
}
