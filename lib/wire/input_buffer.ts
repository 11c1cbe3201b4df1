/**
 * A buffer of bytes that were received and not yet processed; it grows as bytes arrive and shrinks when they are gone.
 * It knows no protocol.
 */

import type { BufferAccount } from "../base/lent.ts";
import { Buffer } from "node:buffer";
import { giveBack } from "../base/memory.ts";
import { borrowBuffer, keptBuffer, returnBuffer, SMALL_BUFFER_BYTES } from "./buffer_pool.ts";

/** Bytes of a reader's own array, into which it reads while little arrives: a read that waits keeps its array. */
export const OWN_BYTES = 4 * 1024;
/** Bytes of free space at the buffer's end below which a read is not worthwhile. */
const LEAST_SPACE_BYTES = 4 * 1024;
const LEAST_OWN_SPACE_BYTES = 1024;

/**
 * Collects received bytes. They stay where they are until `space` is called again.
 *
 * A read goes into a small array of its own, and into a borrowed one only if the read before has filled its space: so a
 * connection that is quiet holds no large memory.
 *
 * A message larger than the buffer makes it grow by doubling as bytes arrive, not because a length was announced. Only
 * a large buffer that the pool keeps already is used at once.
 */
export class InputBuffer {
  readonly #small = new Uint8Array(OWN_BYTES);
  readonly #account: BufferAccount | undefined;
  #view = new DataView(this.#small.buffer);
  #buffer = Buffer.from(this.#small.buffer);
  /** The array that holds the bytes. */
  bytes: Uint8Array<ArrayBuffer> = this.#small;
  /** Index of the first byte that was received and not yet processed. */
  from = 0;
  /** Index after the last byte received. */
  to = 0;
  /** Length of the message that is arriving, in bytes from `from` on; 0 if it is unknown. */
  announced = 0;
  /** Bytes that have not arrived yet and are to be skipped. */
  #skipped = 0;
  #isFull = false;
  /** Whether a read follows one that has brought much, for a reader that expects as much again. */
  #goesOn = false;
  readonly #isLarge: boolean;

  /**
   * @param account Told of the borrowed memory.
   * @param isLarge Whether a borrowed array is kept for the next read after one that has brought more than the own array holds: it
   * saves that read a half, and holds the array until something comes.
   */
  constructor(account?: BufferAccount, isLarge = false) {
    this.#account = account;
    this.#isLarge = isLarge;
  }

  /** Whether the last read has filled its space, so that more may have arrived. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Whether a message has arrived in part. */
  get isPartial(): boolean {
    return this.from < this.to || this.#skipped > 0;
  }

  /** Number of bytes received and not yet processed. */
  get pendingBytes(): number {
    return this.to - this.from;
  }

  /** The first byte not yet processed, or -1: it tells which protocol a connection speaks. */
  firstByte(): number {
    return this.from < this.to ? this.bytes[this.from] : -1;
  }

  /** Returns free space to read into; `received` is called next. Bytes that were processed may be overwritten. */
  space(): Uint8Array {
    if (this.from === this.to) {
      this.from = this.to = 0;
      if (this.#goesOn && this.bytes.length === SMALL_BUFFER_BYTES) return this.bytes;
      if (!this.#isFull || this.bytes.length > SMALL_BUFFER_BYTES) {
        if (this.bytes !== this.#small) this.#use(this.#small);
      } else if (this.bytes === this.#small) this.#use(borrowBuffer(SMALL_BUFFER_BYTES));
    }
    const { length } = this.bytes;
    if (this.announced > length && keptBuffer(this.announced) > 0) {
      this.#use(borrowBuffer(this.announced));
    } else if (length - this.to < (length === OWN_BYTES ? LEAST_OWN_SPACE_BYTES : LEAST_SPACE_BYTES)) {
      if (this.from >= length / 2 && !this.#isFull) this.#use(this.bytes);
      else if (length === OWN_BYTES) this.#use(borrowBuffer(SMALL_BUFFER_BYTES));
      else if (this.from >= length / 2) this.#use(this.bytes);
      else this.#use(borrowBuffer(Math.min(2 * length, this.announced || Infinity)));
    }
    return this.to === 0 ? this.bytes : this.bytes.subarray(this.to);
  }

  /** Takes note that `count` bytes were written into `space`. */
  received(count: number): void {
    this.to += count;
    this.#isFull = this.to === this.bytes.length;
    this.#goesOn = this.#isLarge && this.to > OWN_BYTES;
    if (this.#skipped > 0) this.skip(this.#skipped);
  }

  /** Skips `count` bytes, whether they have arrived or not. */
  skip(count: number): void {
    const here = Math.min(count, this.to - this.from);
    this.from += here;
    this.#skipped = count - here;
  }

  /** Receives a copy of any number of bytes. */
  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const space = this.space();
      const part = bytes.subarray(at, at + space.length);
      space.set(part);
      this.received(part.length);
      at += part.length;
    }
  }

  /** The array as a `Buffer`, which decodes text. */
  get buffer(): Buffer {
    return this.#buffer;
  }

  /** A view of the bytes from `from` up to `to`. */
  slice(from: number, to: number): Uint8Array {
    return this.bytes.subarray(from, to);
  }

  /** The byte at an index. */
  uint8(at: number): number {
    return this.bytes[at];
  }

  /** The two bytes at an index, big-endian. */
  uint16(at: number): number {
    return this.#view.getUint16(at);
  }

  /** The four bytes at an index, big-endian. */
  uint32(at: number): number {
    return this.#view.getUint32(at);
  }

  /** Frees a borrowed array, instead of lending it again: a read may be under way. What it reads is of no use. */
  drop(): void {
    const { bytes } = this;
    this.from = this.to = this.#skipped = 0;
    if (bytes === this.#small) return;
    this.bytes = this.#small;
    this.#account?.changed(-bytes.length);
    giveBack(bytes);
  }

  /** Gives a borrowed array back and drops all bytes. */
  release(): void {
    this.from = this.to = 0;
    if (this.bytes !== this.#small) this.#use(this.#small);
  }

  /** Uses an array, which may be the current one, from now on; bytes not yet processed are moved to its start. */
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
      const held = bytes === this.#small ? 0 : bytes.length;
      const heldBefore = old === this.#small ? 0 : old.length;
      if (old !== this.#small) returnBuffer(old);
      this.#account?.changed(held - heldBefore);
    }
    this.from = 0;
    this.to = waiting;
  }
}
