/** Bytes to be written, collected for one write in a buffer that grows and shrinks. It knows no protocol. */

import { giveBack } from "../base/memory.ts";
import { borrowBuffer, returnBuffer, SMALL_BUFFER_BYTES } from "./buffer_pool.ts";

const utf8 = new TextEncoder();

/** Collects bytes. */
export class OutputBuffer {
  /** Bytes collected. */
  length = 0;
  #sent = 0;
  readonly #small = new Uint8Array(SMALL_BUFFER_BYTES);
  /** The array that holds what was collected, the same until more is; with room for what `ensure` was told. */
  buffer: Uint8Array<ArrayBuffer> = this.#small;
  /** The same bytes. */
  view: DataView = new DataView(this.buffer.buffer);

  /** What was collected and not sent, valid until `reset`. */
  taken(): Uint8Array {
    return this.buffer.subarray(this.#sent, this.length);
  }

  /** Takes note that so many bytes of it have been sent; all of them is a `reset`. */
  sent(count: number): void {
    this.#sent += count;
    if (this.#sent === this.length) this.reset();
  }

  /** Forgets what was collected, and gives back the memory of what was large. */
  reset(): void {
    this.length = this.#sent = 0;
    if (this.buffer !== this.#small) this.#use(this.#small);
  }

  /** Gives back what was borrowed, to nobody else: a write of it may be under way. The buffer is of no use then. */
  release(): void {
    if (this.buffer === this.#small) return;
    giveBack(this.buffer);
    this.buffer = this.#small;
    this.length = this.#sent = 0;
  }

  /** One byte. */
  uint8(value: number): void {
    this.ensure(1);
    this.buffer[this.length++] = value;
  }

  /** Two bytes. */
  uint16(value: number): void {
    this.ensure(2);
    this.view.setUint16(this.length, value);
    this.length += 2;
  }

  /** Four bytes. */
  uint32(value: number): void {
    this.ensure(4);
    this.view.setUint32(this.length, value);
    this.length += 4;
  }

  /** Bytes as they are. */
  bytes(bytes: Uint8Array): void {
    this.ensure(bytes.length);
    this.buffer.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** Makes room for bytes that the caller writes into `buffer` at what this returns. */
  room(bytes: number): number {
    this.ensure(bytes);
    this.length += bytes;
    return this.length - bytes;
  }

  /** Text as UTF-8. */
  text(text: string): void {
    this.ensure(3 * text.length); // no UTF-16 unit takes more
    this.length += utf8.encodeInto(text, this.buffer.subarray(this.length)).written;
  }

  /** Makes sure that so many bytes more fit into `buffer`. */
  ensure(more: number): void {
    if (this.length + more <= this.buffer.length) return;
    this.#use(borrowBuffer(Math.max(2 * this.buffer.length, this.length + more)));
  }

  #use(bytes: Uint8Array<ArrayBuffer>): void {
    const old = this.buffer;
    bytes.set(old.subarray(0, this.length));
    this.buffer = bytes;
    this.view = new DataView(bytes.buffer);
    if (old !== this.#small) returnBuffer(old);
  }
}
