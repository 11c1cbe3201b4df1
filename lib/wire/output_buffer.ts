/** A buffer that collects bytes for one write; it grows and shrinks. It knows no protocol. */

import { giveBack } from "../base/memory.ts";
import { borrowBuffer, returnBuffer, SMALL_BUFFER_BYTES } from "./buffer_pool.ts";

const utf8 = new TextEncoder();
const NO_BYTES = new Uint8Array(0);
const NO_VIEW = new DataView(NO_BYTES.buffer);

/**
 * Collects bytes. The bytes that `taken` returns for a write stay unchanged until the write has ended; bytes collected
 * during the write go to another buffer.
 */
export class OutputBuffer {
  /** Bytes collected since the last `taken`. */
  length = 0;
  readonly #small = new Uint8Array(SMALL_BUFFER_BYTES);
  readonly #smallView = new DataView(this.#small.buffer);
  /** The array that holds the collected bytes; collecting more may replace it. */
  buffer: Uint8Array<ArrayBuffer> = this.#small;
  /** A view of `buffer`. */
  view: DataView = this.#smallView;
  /** The buffer of the write under way: bytes up to `#takenTo` are to be sent, those up to `#sent` have been. */
  #taken: Uint8Array<ArrayBuffer> = NO_BYTES;
  #takenView: DataView = NO_VIEW;
  #takenTo = 0;
  #sent = 0;

  /** Number of bytes collected and not yet sent. */
  get pendingBytes(): number {
    return this.#takenTo - this.#sent + this.length;
  }

  /** Returns the bytes to write next: the rest of those taken before, or else all that were collected since. */
  taken(): Uint8Array {
    if (this.#takenTo === 0) {
      if (this.length === 0) return NO_BYTES;
      this.#taken = this.buffer;
      this.#takenView = this.view;
      this.#takenTo = this.length;
      this.buffer = NO_BYTES; // without room, so that `ensure` provides another buffer
      this.view = NO_VIEW;
      this.length = 0;
    }
    return this.#taken.subarray(this.#sent, this.#takenTo);
  }

  /** Takes note that a write has ended and has sent `count` of the bytes taken. */
  sent(count: number): void {
    if (this.#takenTo === 0) return; // released while the write was under way
    this.#sent += count;
    if (this.#sent >= this.#takenTo) this.#endWrite();
  }

  /** Drops the collected bytes and gives a large buffer back. No write may be under way. */
  reset(): void {
    this.length = 0;
    if (this.#takenTo > 0) this.#endWrite();
    else if (this.buffer !== this.#small) this.#use(this.#small, this.#smallView);
  }

  /** Frees borrowed buffers, instead of lending them again: a write may be under way. Nothing may be added then. */
  release(): void {
    for (const buffer of [this.buffer, this.#taken]) {
      if (buffer !== this.#small && buffer !== NO_BYTES) giveBack(buffer);
    }
    this.buffer = this.#small;
    this.view = this.#smallView;
    this.#taken = NO_BYTES;
    this.length = this.#takenTo = this.#sent = 0;
  }

  /** Adds one byte. */
  uint8(value: number): void {
    this.ensure(1);
    this.buffer[this.length++] = value;
  }

  /** Adds two bytes, big-endian. */
  uint16(value: number): void {
    this.ensure(2);
    this.view.setUint16(this.length, value);
    this.length += 2;
  }

  /** Adds four bytes, big-endian. */
  uint32(value: number): void {
    this.ensure(4);
    this.view.setUint32(this.length, value);
    this.length += 4;
  }

  /** Adds bytes. */
  bytes(bytes: Uint8Array): void {
    this.ensure(bytes.length);
    this.buffer.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** Adds `bytes` bytes that the caller then writes into `buffer`, from the returned index on. */
  room(bytes: number): number {
    this.ensure(bytes);
    this.length += bytes;
    return this.length - bytes;
  }

  /** Adds text as UTF-8. */
  text(text: string): void {
    this.ensure(3 * text.length); // no UTF-16 unit takes more
    this.length += utf8.encodeInto(text, this.buffer.subarray(this.length)).written;
  }

  /** Makes sure that `more` bytes fit into `buffer` after those collected. */
  ensure(more: number): void {
    if (this.length + more <= this.buffer.length) return;
    const isSmallFree = this.#taken !== this.#small && this.buffer !== this.#small;
    if (isSmallFree && this.length + more <= SMALL_BUFFER_BYTES) return this.#use(this.#small, this.#smallView);
    const bytes = borrowBuffer(Math.max(2 * this.buffer.length, this.length + more));
    this.#use(bytes, new DataView(bytes.buffer));
  }

  /** Ends a write: its buffer is used again, or given back. */
  #endWrite(): void {
    const [taken, view] = [this.#taken, this.#takenView];
    this.#taken = NO_BYTES;
    this.#takenTo = this.#sent = 0;
    if (taken === this.#small && this.length === 0) this.#use(taken, view);
    else if (taken !== this.#small) returnBuffer(taken);
    if (this.length === 0 && this.buffer !== this.#small) this.#use(this.#small, this.#smallView);
  }

  /** Uses another buffer from now on; the collected bytes are copied to its start. */
  #use(bytes: Uint8Array<ArrayBuffer>, view: DataView): void {
    const old = this.buffer;
    if (this.length > 0) bytes.set(old.subarray(0, this.length));
    this.buffer = bytes;
    this.view = view;
    if (old !== this.#small && old !== NO_BYTES) returnBuffer(old);
  }
}
