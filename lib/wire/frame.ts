/**
 * Native frames: reads received bytes as frames, one at a time, and writes frames as bytes, both incremental and
 * bounded. It knows codes and lengths, not what they ask for. The format is in docs/protocol.md.
 */

import { ProtocolError } from "../base/errors.ts";
import { InputBuffer } from "./input_buffer.ts";
import { keyError } from "../base/checks.ts";
import { MAX_HELLO_BYTES, MAX_KEY_BYTES } from "../base/limits.ts";
import { OutputBuffer } from "./output_buffer.ts";
import type { ByteSpan } from "../base/byte_span.ts";

/** Version of the protocol. */
export const PROTOCOL = 1;
/** Bytes before a frame's body. */
export const HEADER_BYTES = 8;
/** Each 32-bit half of a ttl that means "the default": all ones. */
export const TTL_DEFAULT = 0xffffffff;
/** Bit of a `SET`'s upper half of the ttl that is turned over where a hit does not renew the entry. */
export const TTL_FIXED = 0x40000000;

/** Codes of requests. */
export const REQUEST = {
  hello: 0x01,
  get: 0x02,
  getMany: 0x03,
  set: 0x04,
  delete: 0x05,
  touch: 0x06,
  clear: 0x07,
  stats: 0x08,
  ping: 0x09,
  has: 0x0a,
  auth: 0x0b,
  forget: 0x0c,
  use: 0x0d,
  lease: 0x0e,
  fill: 0x0f,
  give: 0x10,
  entry: 0x11,
  take: 0x12,
  increment: 0x13,
  setIf: 0x14,
  setMany: 0x15,
  deleteMany: 0x16,
  keys: 0x17,
  clearPrefix: 0x18,
  explain: 0x19,
  insight: 0x1a,
} as const;

/** Codes of replies. */
export const REPLY = {
  ok: 0x80,
  value: 0x81,
  miss: 0x82,
  values: 0x83,
  data: 0x84,
  challenge: 0x85,
  copy: 0x86,
  left: 0x87,
  token: 0x88,
  wait: 0x89,
  lost: 0x8a,
  entry: 0x8b,
  keys: 0x8c,
  done: 0x8d,
  refused: 0x8e,
  closing: 0x8f,
} as const;

/** The least code of a push: a frame that is no reply to a request. */
export const FIRST_PUSH = 0xc0;

/** Code of a message between peers, in either direction: a push. */
export const GOSSIP = 0xc0;
/** Code of a frame between peers that names other peers. */
export const PEERS = 0xc2;

/** Code of a push without a body: the server that sends it stops, so the other side had better go elsewhere. */
export const STOPPING = 0xc1;

/** Code of a push of slots whose keys' near copies are not to be used any more; without a body it stands for all. */
export const INVALID = 0xc3;

/** Code of a push of a key for which the client has been told to wait, and is to ask again. */
export const AGAIN = 0xc4;

/** Bytes of a header that are text, as other protocols send it: `HTTP/1.1`. */
const WORDS = /^[\r\n\x20-\x7e]+$/;

/** States of a key in a `VALUES` reply. */
export const STATE = { miss: 0, hit: 1, omitted: 2, copy: 3 } as const;

/** Bytes before a value in a list: its state, flags and length. */
export const LISTED_HEAD_BYTES = 9;

/** Reads received frames, one at a time. The bytes of a frame stay valid until `space` is called again. */
export class FrameReader extends InputBuffer {
  /** Code of the current frame. */
  code = 0;
  /** Bytes of the current frame's key, which is the start of the body. */
  keyBytes = 0;
  /** Index in the buffer at which the current frame's body starts. */
  start = 0;
  /** Index in the buffer at which the current frame's body ends. */
  end = 0;
  /** Bytes of a body at most; raised once the greeting is done. */
  maxBodyBytes: number = MAX_HELLO_BYTES;

  /** The current frame's key. */
  readonly key: ByteSpan = { bytes: this.bytes, from: 0, to: 0 };

  /**
   * Moves on to the next frame.
   *
   * @returns Whether a whole frame is there; if not, more bytes are needed.
   * @throws {ProtocolError} If the header is out of bounds. The reader cannot be used any more then.
   */
  next(): boolean {
    const { bytes, from: at } = this;
    const available = this.to - at;
    this.announced = 0;
    if (available < HEADER_BYTES) return false;
    const body = (bytes[at] << 24 | bytes[at + 1] << 16 | bytes[at + 2] << 8 | bytes[at + 3]) >>> 0;
    const keyBytes = bytes[at + 4] << 8 | bytes[at + 5];
    if (body > this.maxBodyBytes || keyBytes > body || bytes[at + 7] !== 0) {
      const text = String.fromCharCode(...bytes.subarray(at, at + HEADER_BYTES));
      const numbers = `body ${body} (at most ${this.maxBodyBytes}), key ${keyBytes}, last byte ${bytes[at + 7]}`;
      throw new ProtocolError(`bad header: ${WORDS.test(text) ? JSON.stringify(text) : numbers}`);
    }
    if (available < HEADER_BYTES + body) {
      this.announced = HEADER_BYTES + body;
      return false;
    }
    this.code = bytes[at + 6];
    this.keyBytes = keyBytes;
    this.start = at + HEADER_BYTES;
    this.end = this.start + body;
    this.key.bytes = bytes;
    this.key.from = this.start;
    this.key.to = this.start + keyBytes;
    this.from = this.end;
    return true;
  }
}

const SHORT_KEY = 32;
/** What stands before each key of a list. */
const KEY_HEAD = "\0\0\0";
/** Characters of a list's first key from which on its keys are put together: of shorter ones a loop takes less time. */
const LEAST_JOINED_KEY = 17;
/** Characters of a list whose keys are put together at most: room for three times as many bytes is made. */
const MOST_JOINED_KEYS = 16 * 1024;

/** Collects frames for one write: `begin`, the fields of the body, `end`. */
export class FrameWriter extends OutputBuffer {
  #frame = 0;

  /** Starts a frame. */
  begin(code: number): void {
    this.ensure(HEADER_BYTES);
    this.#frame = this.length;
    this.view.setUint32(this.length, 0);
    this.view.setUint32(this.length + 4, code << 8);
    this.length += HEADER_BYTES;
  }

  /** Ends the frame: writes the body's length into its header. */
  end(): void {
    this.view.setUint32(this.#frame, this.length - this.#frame - HEADER_BYTES);
  }

  /** Writes a frame without a body. */
  empty(code: number): void {
    this.begin(code);
  }

  /**
   * Writes a `VALUE`, whose value the caller then writes into `buffer`, from the returned index on, if it has `copiedBytes`; gives by
   * `giveValue`, if it has none.
   */
  value(flags: number, valueBytes: number, copiedBytes = valueBytes): number {
    const at = this.room(HEADER_BYTES + 4 + copiedBytes);
    const { view } = this;
    view.setUint32(at, 4 + valueBytes);
    view.setUint32(at + 4, REPLY.value << 8);
    view.setUint32(at + HEADER_BYTES, flags);
    return at + HEADER_BYTES + 4;
  }

  /** Writes a hit of a list, whose value the caller then writes into `buffer`, from the returned index on. */
  listedValue(flags: number, valueBytes: number): number {
    const at = this.room(LISTED_HEAD_BYTES + valueBytes);
    this.view.setUint8(at, STATE.hit);
    this.view.setUint32(at + 1, flags);
    this.view.setUint32(at + 5, valueBytes);
    return at + LISTED_HEAD_BYTES;
  }

  /** Bytes of the body written so far. */
  get bodyBytes(): number {
    return this.length - this.#frame - HEADER_BYTES;
  }

  /**
   * Writes the frame's key, as UTF-8.
   *
   * @throws {RangeError} If the key is empty, too long, or has a lone surrogate. The frame is unfinished then.
   */
  key(key: string): void {
    const written = this.keyText(key); // before the view is looked at: writing the key may replace it
    this.view.setUint16(this.#frame + 4, written);
  }

  /** Writes the frame's key, of 1 to 4,096 bytes. */
  keyBytes(key: Uint8Array): void {
    this.bytes(key);
    this.view.setUint16(this.#frame + 4, key.length);
  }

  /** Writes keys of a list, each with its length and a zero before its bytes. Throws what `key` throws. */
  listedKeys(keys: readonly string[]): void {
    const isShort = keys[0]?.length < LEAST_JOINED_KEY; // as the others are, most likely
    if (!isShort && this.#listedAscii(keys)) return;
    for (const key of keys) this.#listedKey(key);
  }

  /** Writes keys as one text, if they are ASCII: to call an encoder takes longer than it takes to encode a key. */
  #listedAscii(keys: readonly string[]): boolean {
    let length = 0;
    for (const key of keys) {
      if (typeof key !== "string" || key.length === 0 || key.length > MAX_KEY_BYTES) throw keyError(key);
      length += KEY_HEAD.length + key.length;
    }
    if (length > MOST_JOINED_KEYS) return false;
    const from = this.length;
    this.text(KEY_HEAD + keys.join(KEY_HEAD));
    if (this.length - from !== length) {
      this.length = from;
      return false;
    }
    let at = from;
    for (const key of keys) {
      this.view.setUint16(at, key.length);
      at += KEY_HEAD.length + key.length;
    }
    return true;
  }

  #listedKey(key: string): void {
    const at = this.room(KEY_HEAD.length);
    const written = this.keyText(key);
    const { view } = this; // which writing the key may have replaced
    view.setUint16(at, written);
    view.setUint8(at + 2, 0);
  }

  /**
   * Writes a time to live in milliseconds; `undefined` means the other side's default.
   *
   * @param isFixed Whether a hit does not renew the entry, in a `SET`.
   */
  ttl(ttlMs: number | undefined, isFixed = false): void {
    const high = ttlMs === undefined ? TTL_DEFAULT : Math.floor(ttlMs / 2 ** 32);
    this.uint32(isFixed ? (high ^ TTL_FIXED) >>> 0 : high);
    this.uint32(ttlMs === undefined ? TTL_DEFAULT : ttlMs % 2 ** 32);
  }

  /** Writes a key's text alone, and returns how many bytes it has. Throws what `key` throws. */
  keyText(key: string): number {
    const at = this.length;
    if (typeof key === "string" && key.length <= SHORT_KEY && this.#asciiText(key)) return key.length;
    if (typeof key === "string" && key.length > 0 && key.length <= MAX_KEY_BYTES && key.isWellFormed()) this.text(key);
    const written = this.length - at;
    if (written >= 1 && written <= MAX_KEY_BYTES) return written;
    throw keyError(key);
  }

  /** Writes a short text if it is ASCII: for such a key a loop takes a third of the encoder's time. */
  #asciiText(text: string): boolean {
    this.ensure(SHORT_KEY);
    const bytes = this.buffer;
    const at = this.length;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) return false;
      bytes[at + i] = code;
    }
    this.length = at + text.length;
    return text.length > 0;
  }
}
