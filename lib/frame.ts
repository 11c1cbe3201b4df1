/**
 * Native frames: bytes in, one frame at a time out, and the other way round. Incremental and bounded; it knows codes
 * and lengths, not what they ask for. The format is in docs/protocol.md.
 */

import { Buffer } from "node:buffer";
import { borrowBuffer, giveBack, keptBuffer, returnBuffer, SMALL_BUFFER_BYTES } from "./buffers.ts";
import { ProtocolError } from "./errors.ts";
import { keyError } from "./key.ts";
import { MAX_HELLO_BYTES, MAX_KEY_BYTES } from "./limits.ts";
import type { Span } from "./span.ts";

/** Version of the protocol. */
export const PROTOCOL = 1;
/** Bytes before a frame's body. */
export const HEADER_BYTES = 8;
/** The most significant half of a ttl that means "the default": all ones, like the other half. */
export const TTL_DEFAULT = 0xffffffff;

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
} as const;

/** Codes of replies. */
export const REPLY = {
  ok: 0x80,
  value: 0x81,
  miss: 0x82,
  values: 0x83,
  data: 0x84,
  refused: 0x8e,
  closing: 0x8f,
} as const;

/** From this code on a frame is a push: not a reply to anything. */
export const FIRST_PUSH = 0xc0;

/** A message between peers, either way: a push. */
export const GOSSIP = 0xc0;

/** States of a key in a `VALUES` reply. */
export const STATE = { miss: 0, hit: 1, omitted: 2 } as const;

/** Less free space than this at the buffer's end is not worth a read. */
const LEAST_SPACE_BYTES = 4 * 1024;

/**
 * Collects received bytes and hands out frames. The bytes of a frame stay valid until `space` is called again.
 *
 * A frame larger than the buffer makes it grow by doubling as bytes arrive, never because a header announced them; a
 * large buffer that is at hand is used at once.
 */
export class FrameReader {
  /** Code of the current frame. */
  code = 0;
  /** Bytes of its key, which starts its body. */
  keyBytes = 0;
  /** Where its body starts in the buffer. */
  start = 0;
  /** Where its body ends. */
  end = 0;
  /** Longest body allowed; raised once the greeting is done. */
  maxBodyBytes: number = MAX_HELLO_BYTES;

  readonly #small = new Uint8Array(SMALL_BUFFER_BYTES);
  #bytes = this.#small;
  #view = new DataView(this.#bytes.buffer);
  #buffer = Buffer.from(this.#bytes.buffer);
  /** The current frame's key. */
  readonly key: Span = { bytes: this.#bytes, from: 0, to: 0 };
  /** Bytes of the frame that is arriving, as its header tells; 0 before that. */
  #announced = 0;
  /** What has been received and not handed out yet lies from here … */
  #from = 0;
  /** … to here. */
  #to = 0;

  /** Bytes received and not yet part of a frame that was handed out. */
  get pendingBytes(): number {
    return this.#to - this.#from;
  }

  /** Free space to read into; tell how much was used with `received`. Ends the life of the current frame's bytes. */
  space(): Uint8Array {
    if (this.#from === this.#to) {
      this.#from = this.#to = 0;
      if (this.#bytes !== this.#small) this.#use(this.#small);
    }
    const { length } = this.#bytes;
    if (this.#announced > length && keptBuffer(this.#announced) > 0) {
      this.#use(borrowBuffer(this.#announced));
    } else if (length - this.#to < LEAST_SPACE_BYTES) {
      if (this.#from >= length / 2) this.#use(this.#bytes);
      else this.#use(borrowBuffer(Math.min(2 * length, this.#announced || Infinity)));
    }
    return this.#bytes.subarray(this.#to);
  }

  /** Takes note of bytes written into `space`. */
  received(count: number): void {
    this.#to += count;
  }

  /** Takes a copy of bytes, whatever their number. */
  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const space = this.space();
      const part = bytes.subarray(at, at + space.length);
      space.set(part);
      this.received(part.length);
      at += part.length;
    }
  }

  /**
   * Moves on to the next frame.
   *
   * @returns Whether a whole frame is there; if not, more bytes are needed.
   * @throws {ProtocolError} If the header is out of bounds. The reader is of no use then.
   */
  next(): boolean {
    const available = this.#to - this.#from;
    this.#announced = 0;
    if (available < HEADER_BYTES) return false;
    const bytes = this.#bytes;
    const at = this.#from;
    const body = (bytes[at] << 24 | bytes[at + 1] << 16 | bytes[at + 2] << 8 | bytes[at + 3]) >>> 0;
    const keyBytes = bytes[at + 4] << 8 | bytes[at + 5];
    if (body > this.maxBodyBytes || keyBytes > body || bytes[at + 7] !== 0) {
      throw new ProtocolError(
        `bad header: body ${body} (at most ${this.maxBodyBytes}), key ${keyBytes}, last byte ${bytes[at + 7]}`,
      );
    }
    if (available < HEADER_BYTES + body) {
      this.#announced = HEADER_BYTES + body;
      return false;
    }
    this.code = bytes[at + 6];
    this.keyBytes = keyBytes;
    this.start = at + HEADER_BYTES;
    this.end = this.start + body;
    this.key.bytes = bytes;
    this.key.from = this.start;
    this.key.to = this.start + keyBytes;
    this.#from = this.end;
    return true;
  }

  /** First byte that waits, or -1: it tells which protocol a connection speaks. */
  firstByte(): number {
    return this.#from < this.#to ? this.#bytes[this.#from] : -1;
  }

  /** The array that holds the frame, valid as long as it. */
  get buffer(): Buffer {
    return this.#buffer;
  }

  /** A view of bytes, valid as long as the frame. */
  slice(from: number, to: number): Uint8Array {
    return this.#bytes.subarray(from, to);
  }

  /** One byte. */
  uint8(at: number): number {
    return this.#bytes[at];
  }

  /** Two bytes. */
  uint16(at: number): number {
    return this.#view.getUint16(at);
  }

  /** Four bytes. */
  uint32(at: number): number {
    return this.#view.getUint32(at);
  }

  /** Gives back what was borrowed; the reader is of no use then. */
  release(): void {
    this.#from = this.#to = 0;
    if (this.#bytes !== this.#small) this.#use(this.#small);
  }

  /** Goes on with a buffer, another or the same; what waits comes first in it. */
  #use(bytes: Uint8Array<ArrayBuffer>): void {
    const old = this.#bytes;
    const waiting = this.#to - this.#from;
    if (bytes === old) {
      bytes.copyWithin(0, this.#from, this.#to);
    } else {
      bytes.set(old.subarray(this.#from, this.#to));
      this.#bytes = bytes;
      this.#view = new DataView(bytes.buffer);
      this.#buffer = Buffer.from(bytes.buffer);
      if (old !== this.#small) returnBuffer(old);
    }
    this.#from = 0;
    this.#to = waiting;
  }
}

const utf8 = new TextEncoder();
const SHORT_KEY = 32;

/** Collects frames for one write: `begin`, the fields of the body, `end`. */
export class FrameWriter {
  /** Bytes collected. */
  length = 0;
  readonly #small = new Uint8Array(SMALL_BUFFER_BYTES);
  #bytes = this.#small;
  #view = new DataView(this.#bytes.buffer);
  #frame = 0;

  /** What was collected, valid until `reset`. */
  taken(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }

  /** Forgets what was collected, and gives back the memory of what was large. */
  reset(): void {
    this.length = 0;
    if (this.#bytes !== this.#small) this.#use(this.#small);
  }

  /** Gives back what was borrowed, to nobody else: a write of it may be under way. The writer is of no use then. */
  release(): void {
    if (this.#bytes === this.#small) return;
    giveBack(this.#bytes);
    this.#bytes = this.#small;
    this.length = 0;
  }

  /** Starts a frame. */
  begin(code: number): void {
    this.#ensure(HEADER_BYTES);
    this.#frame = this.length;
    this.#view.setUint32(this.length, 0);
    this.#view.setUint32(this.length + 4, code << 8);
    this.length += HEADER_BYTES;
  }

  /** Ends the frame: its header learns the body's length. */
  end(): void {
    this.#view.setUint32(this.#frame, this.length - this.#frame - HEADER_BYTES);
  }

  /** A frame without a body. */
  empty(code: number): void {
    this.begin(code);
  }

  /** Bytes of the body so far. */
  get bodyBytes(): number {
    return this.length - this.#frame - HEADER_BYTES;
  }

  /**
   * The frame's key, as UTF-8.
   *
   * @throws {RangeError} If it is empty, too long, or has a lone surrogate. The frame is unfinished then.
   */
  key(key: string): void {
    const written = this.#keyText(key); // before the view is looked at: writing the key may replace it
    this.#view.setUint16(this.#frame + 4, written);
  }

  /** A key among several: its length, a zero, its bytes. Throws like `key`. */
  listedKey(key: string): void {
    const at = this.length;
    this.uint16(0);
    this.uint8(0);
    const written = this.#keyText(key);
    this.#view.setUint16(at, written);
  }

  /** One byte. */
  uint8(value: number): void {
    this.#ensure(1);
    this.#bytes[this.length++] = value;
  }

  /** Two bytes. */
  uint16(value: number): void {
    this.#ensure(2);
    this.#view.setUint16(this.length, value);
    this.length += 2;
  }

  /** Four bytes. */
  uint32(value: number): void {
    this.#ensure(4);
    this.#view.setUint32(this.length, value);
    this.length += 4;
  }

  /** A time to live in milliseconds; `undefined` is the other side's default. */
  ttl(ttlMs: number | undefined): void {
    this.uint32(ttlMs === undefined ? TTL_DEFAULT : Math.floor(ttlMs / 2 ** 32));
    this.uint32(ttlMs === undefined ? TTL_DEFAULT : ttlMs % 2 ** 32);
  }

  /** Bytes as they are. */
  bytes(bytes: Uint8Array): void {
    this.#ensure(bytes.length);
    this.#bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** Makes room for bytes that the caller writes into what `place` returns. */
  room(bytes: number): number {
    this.#ensure(bytes);
    this.length += bytes;
    return this.length - bytes;
  }

  /** The array that holds what was collected: valid until more is. */
  get buffer(): Uint8Array {
    return this.#bytes;
  }

  /** Text as UTF-8. */
  text(text: string): void {
    this.#ensure(3 * text.length); // no UTF-16 unit takes more
    this.length += utf8.encodeInto(text, this.#bytes.subarray(this.length)).written;
  }

  #keyText(key: string): number {
    const at = this.length;
    if (typeof key === "string" && key.length <= SHORT_KEY && this.#asciiText(key)) return key.length;
    if (typeof key === "string" && key.length > 0 && key.length <= MAX_KEY_BYTES && key.isWellFormed()) this.text(key);
    const written = this.length - at;
    if (written >= 1 && written <= MAX_KEY_BYTES) return written;
    throw keyError(key);
  }

  /** Writes a short text if it is ASCII: for such a key a loop takes a third of the encoder's time. */
  #asciiText(text: string): boolean {
    this.#ensure(SHORT_KEY);
    const bytes = this.#bytes;
    const at = this.length;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) return false;
      bytes[at + i] = code;
    }
    this.length = at + text.length;
    return text.length > 0;
  }

  #ensure(more: number): void {
    if (this.length + more <= this.#bytes.length) return;
    this.#use(borrowBuffer(Math.max(2 * this.#bytes.length, this.length + more)));
  }

  #use(bytes: Uint8Array<ArrayBuffer>): void {
    const old = this.#bytes;
    bytes.set(old.subarray(0, this.length));
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
    if (old !== this.#small) returnBuffer(old);
  }
}
