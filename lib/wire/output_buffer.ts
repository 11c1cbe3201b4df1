/** A buffer that collects bytes for one write; it grows and shrinks. It knows no protocol. */

import { giveBack } from "../base/memory.ts";
import type { Borrower, Lent, ValueSource } from "../base/lent.ts";
import { borrowBuffer, returnBuffer } from "./buffer_pool.ts";

const utf8 = new TextEncoder();
const NO_BYTES = new Uint8Array(0);
const NO_VIEW = new DataView(NO_BYTES.buffer);

/** Bytes of a buffer's own array, for little output: most is. */
const OWN_BYTES = 4 * 1024;
/** Bytes of one write at most, where more are collected, and of a value that is copied when it is asked for. */
const PART_BYTES = 256 * 1024;
/** Bytes written at once to a reader that takes all, at most: a write costs more than a copy. A MiB, and what stands around it. */
const MOST_AT_ONCE = 1024 * 1024 + 64 * 1024;
/** Replies in parts after one that was not taken at once. */
const IN_PARTS = 32;

/** A value that is lent: `bytes` bytes, of which `sent` have been written, stand before the byte at `at` of those collected. */
interface LentPart {
  readonly at: number;
  readonly lent: Lent;
  readonly bytes: number;
  sent: number;
}

const NONE: LentPart[] = [];

/**
 * Collects bytes, in a small array of its own, or in memory that is borrowed until they are sent. The bytes that `taken`
 * returns for a write stay unchanged until the write has ended; bytes collected during the write go to another buffer.
 */
export class OutputBuffer {
  /** Bytes collected since the last `taken`. */
  length = 0;
  /** The array that holds the collected bytes; collecting more may replace it. */
  buffer: Uint8Array<ArrayBuffer> = NO_BYTES;
  /** A view of `buffer`. */
  view: DataView = NO_VIEW;
  readonly #account: Borrower | undefined;
  /** The buffer of the write under way: bytes up to `#takenTo` are to be sent, those up to `#sent` have been. */
  #taken: Uint8Array<ArrayBuffer> = NO_BYTES;
  #takenTo = 0;
  #sent = 0;
  /** Values lent between the bytes collected, those between the bytes taken that have not been sent whole, and the bytes of these. */
  #lent = NONE;
  #takenLent = NONE;
  #lentBytes = 0;
  #takenLentBytes = 0;
  /** The buffer for parts of a large one, the bytes of the part in it, and whether each of those taken last was sent by one write. */
  #part: Uint8Array<ArrayBuffer> = NO_BYTES;
  #partLength = 0;
  #takesAll = false;
  /** Replies that are sent in parts before all of one is tried at once again, since it was not taken. */
  #inParts = 0;
  /** The array of its own, once it has been used. */
  #own: Uint8Array<ArrayBuffer> = NO_BYTES;
  #ownView: DataView = NO_VIEW;

  readonly #ownBytes: number;

  /** @param account Told of the borrowed memory. @param ownBytes Bytes of the array of its own. */
  constructor(account?: Borrower, ownBytes = OWN_BYTES) {
    this.#account = account;
    this.#ownBytes = ownBytes;
  }

  /** Number of bytes collected and not yet sent. */
  get pendingBytes(): number {
    return this.#takenTo - this.#sent + this.length + this.#lentBytes + this.#takenLentBytes;
  }

  /** Number of bytes collected since the last `taken`, lent ones included. */
  get collectedBytes(): number {
    return this.length + this.#lentBytes;
  }

  /** Bytes that a value of `bytes` bytes takes among those collected: none if it is long, and stays where it is until it is written. */
  copiedBytes(bytes: number): number {
    return bytes > PART_BYTES && this.#account !== undefined ? 0 : bytes;
  }

  /** Adds the value at a position, of `bytes` bytes, after others: in the room at `at`, if `copiedBytes` says that it takes any. */
  giveValue(source: ValueSource, position: number, bytes: number, at: number): void {
    if (this.copiedBytes(bytes) > 0 || bytes === 0) return source.copyValue(position, this.buffer, at, this.view);
    if (this.#lent === NONE) this.#lent = [];
    this.#lent.push({ at, lent: source.lend(position, this.#account!), bytes, sent: 0 });
    this.#lentBytes += bytes;
  }

  /** Returns the bytes to write next: the rest of those taken before, or else all that were collected since. */
  taken(): Uint8Array {
    if (this.#takenTo === 0) {
      if (this.length === 0) return NO_BYTES;
      this.#taken = this.buffer;
      this.#takenTo = this.length;
      this.#takenLent = this.#lent;
      this.#takenLentBytes = this.#lentBytes;
      this.#lent = NONE;
      this.#lentBytes = 0;
      this.buffer = NO_BYTES; // without room, so that `ensure` provides another buffer
      this.view = NO_VIEW;
      this.length = 0;
    }
    return this.#taken.subarray(this.#sent, this.#takenTo);
  }

  /**
   * Returns what `taken` does, with the values lent between the bytes. Of very many bytes, where an account is kept, it is a copy of
   * the first: a write keeps its memory until the system lets go of it, even when that is released.
   */
  part(): Uint8Array {
    const taken = this.taken();
    if (this.#takenLent.length > 0) return this.#lentPart();
    if (this.#taken.length <= PART_BYTES || this.#account === undefined) return taken;
    const part = this.#borrowPart(taken.length);
    part.set(taken.subarray(0, part.length));
    return part;
  }

  /** Takes note that a write has ended and has sent `count` of the bytes taken. */
  sent(count: number): void {
    if (this.#takenTo === 0) return; // released while the write was under way
    if (this.#part !== NO_BYTES) this.#endPart(count);
    if (this.#takenLent.length > 0) return this.#sentOfLent(count);
    this.#sent += count;
    if (this.#sent >= this.#takenTo) this.#endWrite();
  }

  /** Drops the collected bytes and gives the memory back. No write may be under way. */
  reset(): void {
    this.length = 0;
    this.#giveLentBack();
    if (this.#takenTo > 0) this.#endWrite();
    if (this.buffer !== NO_BYTES) this.#use(NO_BYTES, NO_VIEW);
  }

  /** Frees borrowed buffers, instead of lending them again: a write may be under way. Nothing may be added then. */
  release(): void {
    this.#giveLentBack();
    for (const buffer of [this.buffer, this.#taken, this.#part]) {
      if (buffer === NO_BYTES || buffer === this.#own) continue;
      this.#account?.changed(-buffer.length);
      giveBack(buffer);
    }
    this.buffer =
      this.#taken =
      this.#part =
      this.#own =
        NO_BYTES;
    this.view = this.#ownView = NO_VIEW;
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

  /** Bytes of memory that `more` bytes make the buffer grow by. */
  growth(more: number): number {
    const { length } = this.buffer;
    return this.length + more <= length ? 0 : Math.max(length, this.length + more - length);
  }

  /** Makes sure that `more` bytes fit into `buffer` after those collected. */
  ensure(more: number): void {
    if (this.length + more <= this.buffer.length) return;
    const isOwnFree = this.buffer === NO_BYTES && (this.#own === NO_BYTES || this.#taken !== this.#own);
    if (isOwnFree && more <= this.#ownBytes) return this.#useOwn();
    const bytes = borrowBuffer(this.buffer.length + this.growth(more));
    this.#account?.changed(bytes.length);
    this.#use(bytes, new DataView(bytes.buffer));
  }

  /** Returns room for the next part of `bytes` bytes: for all, if they are not many, nothing is sent yet, and the reader takes all. */
  #borrowPart(bytes: number): Uint8Array {
    const isFirst = this.#sent === 0;
    const isAtOnce = this.#takesAll && isFirst && bytes <= MOST_AT_ONCE && this.#inParts === 0;
    if (isFirst && this.#inParts > 0) this.#inParts--;
    this.#partLength = isAtOnce ? bytes : Math.min(bytes, PART_BYTES);
    if (this.#part === NO_BYTES) {
      this.#part = borrowBuffer(this.#partLength, isAtOnce ? Infinity : PART_BYTES);
      this.#account?.changed(this.#part.length);
    }
    return this.#part.subarray(0, this.#partLength);
  }

  /** Ends a part of which `count` bytes were sent. */
  #endPart(count: number): void {
    this.#takesAll = count === this.#partLength && (this.#takesAll || this.#sent === 0);
    if (this.#partLength > PART_BYTES && count < this.#partLength) this.#inParts = IN_PARTS;
    if (this.#part.length <= PART_BYTES) return;
    this.#giveBack(this.#part); // the reader is slow: it waits with little
    this.#part = NO_BYTES;
  }

  /** Puts the next bytes together, of those taken and of the values lent between them. */
  #lentPart(): Uint8Array {
    const part = this.#borrowPart(this.#takenTo - this.#sent + this.#takenLentBytes);
    let length = 0;
    let from = this.#sent;
    const copyUpTo = (to: number) => {
      const bytes = Math.min(to - from, part.length - length);
      part.set(this.#taken.subarray(from, from + bytes), length);
      length += bytes;
      from += bytes;
    };
    for (const { at, lent, bytes, sent } of this.#takenLent) {
      copyUpTo(at);
      const more = Math.min(bytes - sent, part.length - length);
      if (more > 0) lent.copyPart(sent, sent + more, part, length);
      length += more;
      if (length === part.length) return part;
    }
    copyUpTo(this.#takenTo);
    return part;
  }

  #sentOfLent(count: number): void {
    const lents = this.#takenLent;
    while (count > 0 && lents.length > 0) {
      const [first] = lents;
      const before = Math.min(count, first.at - this.#sent);
      const ofIt = Math.min(count - before, first.bytes - first.sent);
      this.#sent += before;
      first.sent += ofIt;
      this.#takenLentBytes -= ofIt;
      count -= before + ofIt;
      if (first.sent === first.bytes) lents.shift()!.lent.giveBack();
    }
    this.#sent += count;
    if (this.#sent >= this.#takenTo && lents.length === 0) this.#endWrite();
  }

  #giveLentBack(): void {
    for (const { lent } of [...this.#takenLent, ...this.#lent]) lent.giveBack();
    this.#lent = this.#takenLent = NONE;
    this.#lentBytes = this.#takenLentBytes = 0;
  }

  #useOwn(): void {
    if (this.#own === NO_BYTES) {
      this.#own = new Uint8Array(this.#ownBytes);
      this.#ownView = new DataView(this.#own.buffer);
    }
    this.buffer = this.#own;
    this.view = this.#ownView;
  }

  /** Ends a write and gives its buffer back. */
  #endWrite(): void {
    const [taken, part] = [this.#taken, this.#part];
    this.#taken = this.#part = NO_BYTES;
    this.#takenTo = this.#sent = 0;
    this.#giveBack(taken);
    this.#giveBack(part);
  }

  /** Uses another buffer from now on; the collected bytes are copied to its start. */
  #use(bytes: Uint8Array<ArrayBuffer>, view: DataView): void {
    const old = this.buffer;
    if (this.length > 0) bytes.set(old.subarray(0, this.length));
    this.buffer = bytes;
    this.view = view;
    this.#giveBack(old);
  }

  #giveBack(buffer: Uint8Array<ArrayBuffer>): void {
    if (buffer === NO_BYTES || buffer === this.#own) return;
    this.#account?.changed(-buffer.length);
    returnBuffer(buffer);
  }
}
