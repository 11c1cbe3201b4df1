/**
 * Bytes received and not yet dealt with, in one array: a buffer that grows as bytes arrive and shrinks when they are gone.
 * It knows no protocol.
 */

import { Buffer } from "node:buffer";
import { borrowBuffer, keptBuffer, returnBuffer, SMALL_BUFFER_BYTES } from "./buffer_pool.ts";

/** Less free space than this at the buffer's end is not worth a read. */
const LEAST_SPACE_BYTES = 4 * 1024;

/**
 * Collects received bytes. They stay where they are until `space` is called again.
 *
 * What is larger than the buffer makes it grow by doubling as bytes arrive, never because it was announced; a large
 * buffer that is at hand is used at once.
 */
export class InputBuffer {
  readonly #small = new Uint8Array(SMALL_BUFFER_BYTES);
  #view = new DataView(this.#small.buffer);
  #buffer = Buffer.from(this.#small.buffer);
  /** The array. */
  bytes: Uint8Array<ArrayBuffer> = this.#small;
  /** What has been received and not dealt with yet lies from here … */
  from = 0;
  /** … to here. */
  to = 0;
  /** Bytes, from `from` on, of what is arriving, if that is known; else 0. */
  announced = 0;
  /** Bytes still to come that are passed over. */
  #skipped = 0;

  /** Bytes that wait. */
  get pendingBytes(): number {
    return this.to - this.from;
  }

  /** First byte that waits, or -1: it tells which protocol a connection speaks. */
  firstByte(): number {
    return this.from < this.to ? this.bytes[this.from] : -1;
  }

  /** Free space to read into; tell how much was used with `received`. What has been dealt with may be overwritten. */
  space(): Uint8Array {
    if (this.from === this.to) {
      this.from = this.to = 0;
      if (this.bytes !== this.#small) this.#use(this.#small);
    }
    const { length } = this.bytes;
    if (this.announced > length && keptBuffer(this.announced) > 0) {
      this.#use(borrowBuffer(this.announced));
    } else if (length - this.to < LEAST_SPACE_BYTES) {
      if (this.from >= length / 2) this.#use(this.bytes);
      else this.#use(borrowBuffer(Math.min(2 * length, this.announced || Infinity)));
    }
    return this.to === 0 ? this.bytes : this.bytes.subarray(this.to);
  }

  /** Takes note of bytes written into `space`. */
  received(count: number): void {
    this.to += count;
    if (this.#skipped > 0) this.skip(this.#skipped);
  }

  /** Passes over bytes that nobody wants, be they here or still to come. */
  skip(count: number): void {
    const here = Math.min(count, this.to - this.from);
    this.from += here;
    this.#skipped = count - here;
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

  /** The array, as a buffer that decodes text. */
  get buffer(): Buffer {
    return this.#buffer;
  }

  /** A view of bytes. */
  slice(from: number, to: number): Uint8Array {
    return this.bytes.subarray(from, to);
  }

  /** One byte. */
  uint8(at: number): number {
    return this.bytes[at];
  }

  /** Two bytes. */
  uint16(at: number): number {
    return this.#view.getUint16(at);
  }

  /** Four bytes. */
  uint32(at: number): number {
    return this.#view.getUint32(at);
  }

  /** Gives back what was borrowed; the buffer is of no use then. */
  release(): void {
    this.from = this.to = 0;
    if (this.bytes !== this.#small) this.#use(this.#small);
  }

  /** Goes on with an array, another or the same; what waits comes first in it. */
  #use(bytes: Uint8Array<ArrayBuffer>): void {
    const old = this.bytes;
    const waiting = this.to - this.from;
    if (bytes === old) {
      bytes.copyWithin(0, this.from, this.to);
    } else {
      bytes.set(old.subarray(this.from, this.to));
      this.bytes = bytes;
      this.#view = new DataView(bytes.buffer);
      this.#buffer = Buffer.from(bytes.buffer);
      if (old !== this.#small) returnBuffer(old);
    }
    this.from = 0;
    this.to = waiting;
  }
}
