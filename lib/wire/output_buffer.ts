/** Bytes to be written, collected for one write in a buffer that grows and shrinks. It knows no protocol. */

import { giveBack } from "../base/memory.ts";
import { borrowBuffer, returnBuffer, SMALL_BUFFER_BYTES } from "./buffer_pool.ts";

const utf8 = new TextEncoder();
const NO_BYTES = new Uint8Array(0);
const NO_VIEW = new DataView(NO_BYTES.buffer);

/**
 * Collects bytes. What `taken` hands out for a write stays as it is until the write has ended, whatever is collected
 * meanwhile: that goes to another buffer, and only if there is any.
 */
export class OutputBuffer {
  /** Bytes collected since the last `taken`. */
  length = 0;
  readonly #small = new Uint8Array(SMALL_BUFFER_BYTES);
  readonly #smallView = new DataView(this.#small.buffer);
  /** The array that holds what was collected, the same until more is; with room for what `ensure` was told. */
  buffer: Uint8Array<ArrayBuffer> = this.#small;
  /** The same bytes. */
  view: DataView = this.#smallView;
  /** The buffer of the write under way, of which bytes up to `#takenTo` go and those up to `#sent` are gone. */
  #taken: Uint8Array<ArrayBuffer> = NO_BYTES;
  #takenView: DataView = NO_VIEW;
  #takenTo = 0;
  #sent = 0;

  /** Bytes collected and not sent. */
  get pendingBytes(): number {
    return this.#takenTo - this.#sent + this.length;
  }

  /** What is to be written next: the rest of what was taken before, or else all that was collected since. */
  taken(): Uint8Array {
    if (this.#takenTo === 0) {
      if (this.length === 0) return NO_BYTES;
      this.#taken = this.buffer;
      this.#takenView = this.view;
      this.#takenTo = this.length;
      this.buffer = NO_BYTES; // has no room, so that whoever writes on gets another buffer from `ensure`
      this.view = NO_VIEW;
      this.length = 0;
    }
    return this.#taken.subarray(this.#sent, this.#takenTo);
  }

  /** Takes note that a write has ended, and how many bytes of what was taken it has sent. */
  sent(count: number): void {
    if (this.#takenTo === 0) return; // released while the write was under way
    this.#sent += count;
    if (this.#sent >= this.#takenTo) this.#endWrite();
  }

  /** Forgets what was collected, and gives back the memory of what was large. No write may be under way. */
  reset(): void {
    this.length = 0;
    if (this.#takenTo > 0) this.#endWrite();
    else if (this.buffer !== this.#small) this.#use(this.#small, this.#smallView);
  }

  /** Gives back what was borrowed, to nobody else: a write of it may be under way. The buffer is of no use then. */
  release(): void {
    for (const buffer of [this.buffer, this.#taken]) {
      if (buffer !== this.#small && buffer !== NO_BYTES) giveBack(buffer);
    }
    this.buffer = this.#small;
    this.view = this.#smallView;
    this.#taken = NO_BYTES;
    this.length = this.#takenTo = this.#sent = 0;
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

  /** Makes sure that `more` bytes fit into `buffer` after those that were collected. */
  ensure(more: number): void {
    if (this.length + more <= this.buffer.length) return;
    const isSmallFree = this.#taken !== this.#small && this.buffer !== this.#small;
    if (isSmallFree && this.length + more <= SMALL_BUFFER_BYTES) return this.#use(this.#small, this.#smallView);
    const bytes = borrowBuffer(Math.max(2 * this.buffer.length, this.length + more));
    this.#use(bytes, new DataView(bytes.buffer));
  }

  /** What was taken has been sent: its buffer is used again, or goes back. */
  #endWrite(): void {
    const [taken, view] = [this.#taken, this.#takenView];
    this.#taken = NO_BYTES;
    this.#takenTo = this.#sent = 0;
    if (taken === this.#small && this.length === 0) this.#use(taken, view);
    else if (taken !== this.#small) returnBuffer(taken);
    if (this.length === 0 && this.buffer !== this.#small) this.#use(this.#small, this.#smallView);
  }

  /** Goes on with another buffer, in which what was collected comes first. */
  #use(bytes: Uint8Array<ArrayBuffer>, view: DataView): void {
    const old = this.buffer;
    if (this.length > 0) bytes.set(old.subarray(0, this.length));
    this.buffer = bytes;
    this.view = view;
    if (old !== this.#small && old !== NO_BYTES) returnBuffer(old);
  }
}
