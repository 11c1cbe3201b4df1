/**
 * Entries as records in a slab: how an entry's fields, key and value lie in memory. It knows nothing of limits, recency
 * or time, beyond the fields that hold them.
 *
 * | offset | field |
 * |---|---|
 * | 0 | size of the record, and its kind in the lower 3 bits |
 * | 4 | hash of the key |
 * | 8, 12 | position of the entry used next after this one, and next before it |
 * | 16 | flags |
 * | 20 | bytes of the key (13 bits), marks (7 bits) |
 * | 24 | bytes of the value, those of a stamp included |
 * | 28 | first piece of the rest of the value; 0 if it is all here |
 * | 32 | deadline, as a double: milliseconds, `Infinity` for none |
 * | 40 | version, as a double |
 * | 48 | place in a log of writes, which leads to the origin of its version |
 * | 52 | when peers were last told of its use, or, of a fixed entry, when it was last used: milliseconds, the lower 32 bits |
 * | 56 | time to live that set the deadline, as a float: to a ten-millionth, and a day's to 4 ms; of an aging entry, the span for which it is kept |
 * | 60 | key, then value |
 *
 * A grave is a record without a value. A value too long for one record goes on in pieces: size and kind, position
 * before, next piece (0 at the end), bytes.
 */

import { ENTRY, type EntryReader, MARK, STAMP_BYTES } from "./entry.ts";
import { LentValues } from "./lent_values.ts";
import { KIND_MASK, Slab } from "./slab.ts";
import { type ByteSpan, copyFew, copySpan, FEW_BYTES } from "../base/byte_span.ts";
import type { Borrower, Lent } from "../base/lent.ts";

const HEAD_BYTES = 60;
const HASH = 1;
const NEWER = 2;
const OLDER = 3;
const FLAGS = 4;
const KEY_BYTES = 5;
const VALUE_BYTES = 6;
const REST = 7;
const DEADLINE = 4; // in doubles
const H = 5; // in doubles
const PLACE = 12;
const TOLD = 13;
const TTL = 14;
const KEY = 8; // in doubles
const NEAR = 14; // in doubles

const KEY_MASK = 0x1fff;
const MARKS_SHIFT = 13;
const MARKS_MASK = 0x7f;

/** Kind of a record that holds a part of a long value; the other kinds are in entry.ts. */
const PIECE = 2;
const PIECE_HEAD_BYTES = 16;
const PIECE_BEFORE = 1;
const PIECE_NEXT = 2;
const PIECE_BYTES = 3;

/** Part of the largest record: with less room than this, the end of a segment is not used for a piece. */
const SMALLEST_PIECE = 1 / 4;

const NO_BYTES = new Uint8Array(0);

/** Called when an entry or grave has moved. */
export type EntryMoved = (from: number, to: number) => void;

/** A float whose bits `floatBits` reads and writes as an integer. */
const float = new Float32Array(1);
const floatBits = new Int32Array(float.buffer);

/** Entries by position: a number above 0 that stays the same until room is made or an entry leaves. */
export class Records implements EntryReader {
  /** The slab in which the records lie. */
  readonly slab: Slab;
  /** Values that are given out now. */
  readonly lent: LentValues = new LentValues(this);
  readonly #entryMoved: EntryMoved;
  readonly #shift: number;
  readonly #mask: number;
  readonly #words: Int32Array[];
  /** The part of a value that is being copied. */
  readonly #part: ByteSpan = { bytes: NO_BYTES, from: 0, to: 0 };

  constructor(segmentBytes: number, entryMoved: EntryMoved) {
    this.slab = new Slab({ owner: this, segmentBytes });
    this.#entryMoved = entryMoved;
    this.#shift = this.slab.shift;
    this.#mask = this.slab.mask;
    this.#words = this.slab.words;
  }

  /** Bytes of memory that an entry takes, the worst case of its pieces included. */
  entryBytes(keyBytes: number, valueBytes: number): number {
    const whole = align(HEAD_BYTES + keyBytes + valueBytes);
    const { maxRecordBytes, segmentBytes } = this.slab;
    if (whole <= maxRecordBytes) return whole;
    const full = Math.ceil(valueBytes / (maxRecordBytes - PIECE_HEAD_BYTES));
    const atEnds = 1 + Math.ceil(valueBytes / segmentBytes);
    return whole + (full + atEnds) * (PIECE_HEAD_BYTES + 8);
  }

  /** Whether a value of `valueBytes` bytes fits into the place of the entry's value. */
  fits(position: number, valueBytes: number): boolean {
    const words = this.#words[position >>> this.#shift];
    const at = (position & this.#mask) << 1;
    const whole = align(HEAD_BYTES + (words[at + KEY_BYTES] & KEY_MASK) + valueBytes);
    return words[at + REST] === 0 && whole === (words[at] & ~KIND_MASK);
  }

  /** Writes an entry into room that `slab.reserve` has made for it; it is not linked to others. */
  add(hash: number, key: ByteSpan, value: ByteSpan): number {
    const { slab } = this;
    const keyBytes = key.to - key.from;
    const valueBytes = value.to - value.from;
    const whole = align(HEAD_BYTES + keyBytes + valueBytes);
    const isWhole = whole <= slab.maxRecordBytes;
    const size = isWhole ? whole : this.#pieceBytes(HEAD_BYTES + keyBytes, valueBytes);
    const position = slab.allocate(size, ENTRY);
    const words = this.#words[position >>> this.#shift];
    const at = (position & this.#mask) << 1;
    words[at + HASH] = hash;
    words[at + NEWER] = words[at + OLDER] = 0;
    words[at + KEY_BYTES] = keyBytes;
    words[at + VALUE_BYTES] = valueBytes;
    words[at + REST] = 0;
    copySpan(key, slab.bytes[position >>> this.#shift], (at << 2) + HEAD_BYTES);
    if (isWhole) {
      this.#writeWhole(position, value);
      return position;
    }
    try {
      this.#writePieces(position, value, size - HEAD_BYTES - keyBytes);
    } catch (error) {
      this.remove(position); // no memory for the rest: a part of an entry must not live
      throw error;
    }
    return position;
  }

  /** Writes a value, for which `fits` is true, into the place of the entry's value. */
  replace(position: number, value: ByteSpan): void {
    if (this.lent.size > 0) this.lent.keep(position);
    this.#set(position, VALUE_BYTES, value.to - value.from);
    this.#writeWhole(position, value);
  }

  /** Removes an entry or grave that nothing refers to any more. */
  remove(position: number): void {
    if (this.lent.size > 0) this.lent.keep(position);
    this.#removePieces(position);
    this.slab.release(position);
  }

  /** Turns an entry into a grave in its place, without its value. */
  bury(position: number, kind: number): void {
    if (this.lent.size > 0) this.lent.keep(position);
    this.#removePieces(position);
    this.#set(position, VALUE_BYTES, 0);
    this.#set(position, REST, 0);
    this.setMarks(position, 0);
    this.slab.shrink(position, align(HEAD_BYTES + this.keyBytes(position)), kind);
  }

  /** Copies an entry's key to a place in an array. Returns where it ends. */
  copyKey(position: number, target: Uint8Array, at: number): number {
    const from = ((position & this.#mask) << 3) + HEAD_BYTES;
    return this.#copyPart(position >>> this.#shift, from, this.keyBytes(position), target, at);
  }

  /** Points a span to where an entry's key lies; valid until the entry moves or is removed. */
  leadToKey(position: number, key: ByteSpan): void {
    key.bytes = this.slab.bytes[position >>> this.#shift];
    key.from = ((position & this.#mask) << 3) + HEAD_BYTES;
    key.to = key.from + this.keyBytes(position);
  }

  #removePieces(position: number): void {
    let piece = this.#get(position, REST);
    while (piece !== 0) {
      const next = this.#get(piece, PIECE_NEXT);
      this.slab.release(piece);
      piece = next;
    }
  }

  /** Whether an entry has this key. */
  hasKey(position: number, { bytes, from, to }: ByteSpan): boolean {
    const segment = position >>> this.#shift;
    const at = (position & this.#mask) << 3;
    if ((this.#words[segment][(at >> 2) + KEY_BYTES] & KEY_MASK) !== to - from) return false;
    const own = this.slab.bytes[segment];
    for (let i = from, j = at + HEAD_BYTES; i < to; i++, j++) if (bytes[i] !== own[j]) return false;
    return true;
  }

  /** Copies an entry's value to a place in an array that has room for it. */
  copyValue(position: number, target: Uint8Array, at: number, view?: DataView): void {
    if ((this.marks(position) & MARK.stamped) === 0) return this.copyStored(position, target, at, view);
    const stored = new Uint8Array(this.storedBytes(position));
    this.copyStored(position, stored, 0);
    target.set(stored.subarray(0, -STAMP_BYTES), at);
  }

  /** Copies an entry's value and, if there is one, its stamp. */
  copyStored(position: number, target: Uint8Array, at: number, view?: DataView): void {
    const segment = position >>> this.#shift;
    const words = this.#words[segment];
    const word = (position & this.#mask) << 1;
    const from = (word << 2) + HEAD_BYTES + (words[word + KEY_BYTES] & KEY_MASK);
    let piece = words[word + REST];
    const here = piece === 0 ? words[word + VALUE_BYTES] : (word << 2) + (words[word] & ~KIND_MASK) - from;
    at = this.#copyPart(segment, from, here, target, at, view);
    while (piece !== 0) {
      const begin = (piece & this.#mask) << 3;
      at = this.#copyPart(piece >>> this.#shift, begin + PIECE_HEAD_BYTES, this.#get(piece, PIECE_BYTES), target, at);
      piece = this.#get(piece, PIECE_NEXT);
    }
  }

  /** Gives out an entry's value, to be read in parts; `borrower` is told of memory that is taken for it. */
  lend(position: number, borrower: Borrower): Lent {
    return this.lent.lend(position, borrower);
  }

  /** Copies the bytes of an entry's value from `from` up to `to` to a place in an array. */
  copyPart(position: number, from: number, to: number, target: Uint8Array, at: number): void {
    let before = 0; // bytes of the value before the piece
    for (let piece = position; piece !== 0 && before < to;) {
      const { segment, begin, bytes, next } = this.#pieceAt(piece, position);
      const [first, last] = [Math.max(from - before, 0), Math.min(to - before, bytes)];
      if (first < last) at = this.#copyPart(segment, begin + first, last - first, target, at);
      before += bytes;
      piece = next;
    }
  }

  /** Where the part of a value begins that lies in an entry, or in a piece of it, how long it is, and which piece follows. */
  #pieceAt(piece: number, position: number): { segment: number; begin: number; bytes: number; next: number } {
    const segment = piece >>> this.#shift;
    const words = this.#words[segment];
    const word = (piece & this.#mask) << 1;
    if (piece !== position) {
      return {
        segment,
        begin: (word << 2) + PIECE_HEAD_BYTES,
        bytes: words[word + PIECE_BYTES],
        next: words[word + PIECE_NEXT],
      };
    }
    const next = words[word + REST];
    const begin = (word << 2) + HEAD_BYTES + (words[word + KEY_BYTES] & KEY_MASK);
    const bytes = next === 0 ? words[word + VALUE_BYTES] : (word << 2) + (words[word] & ~KIND_MASK) - begin;
    return { segment, begin, bytes, next };
  }

  /** Kind of a record: `ENTRY`, `TOMB` or `GHOST`. */
  kind(position: number): number {
    return this.#get(position, 0) & KIND_MASK;
  }

  /** The number that orders an entry's version. */
  h(position: number): number {
    return this.slab.doubles[position >>> this.#shift][(position & this.#mask) + H];
  }

  /** Sets what `h` returns. */
  setH(position: number, h: number): void {
    this.slab.doubles[position >>> this.#shift][(position & this.#mask) + H] = h;
  }

  /** An entry's marks. */
  marks(position: number): number {
    return this.#get(position, KEY_BYTES) >>> MARKS_SHIFT & MARKS_MASK;
  }

  /** Sets what `marks` returns. */
  setMarks(position: number, marks: number): void {
    const rest = this.#get(position, KEY_BYTES) & ~(MARKS_MASK << MARKS_SHIFT);
    this.#set(position, KEY_BYTES, rest | marks << MARKS_SHIFT);
  }

  /** Place in a log of writes, as write_log.ts counts. */
  place(position: number): number {
    return this.#get(position, PLACE) >>> 0;
  }

  /** Sets what `place` returns. */
  setPlace(position: number, place: number): void {
    this.#set(position, PLACE, place);
  }

  /** Milliseconds since peers were told of the entry's use, up to 49 days. */
  toldMs(position: number, nowMs: number): number {
    return ((nowMs | 0) - this.#get(position, TOLD)) >>> 0;
  }

  /** Sets when peers were told of the entry's use. */
  setTold(position: number, nowMs: number): void {
    this.#set(position, TOLD, nowMs | 0);
  }

  /** Hash of an entry's key. */
  hash(position: number): number {
    return this.#get(position, HASH);
  }

  /** Words from behind an entry's head, where its key and its value are likely to be, as one: for loads that nobody waits for. */
  near(position: number): number {
    const words = this.#words[position >>> this.#shift];
    return words[((position + KEY) & this.#mask) << 1] ^ words[((position + NEAR) & this.#mask) << 1];
  }

  /** Position of the entry used next after this one; 0 for the newest. */
  newer(position: number): number {
    return this.#get(position, NEWER);
  }

  /** Position of the entry used next before this one; 0 for the oldest. */
  older(position: number): number {
    return this.#get(position, OLDER);
  }

  /** Sets what `newer` returns. */
  setNewer(position: number, newer: number): void {
    this.#set(position, NEWER, newer);
  }

  /** Sets what `older` returns. */
  setOlder(position: number, older: number): void {
    this.#set(position, OLDER, older);
  }

  /** An entry's flags. */
  flags(position: number): number {
    return this.#get(position, FLAGS) >>> 0;
  }

  /** Sets what `flags` returns. */
  setFlags(position: number, flags: number): void {
    this.#set(position, FLAGS, flags);
  }

  /** Bytes of an entry's key. */
  keyBytes(position: number): number {
    return this.#get(position, KEY_BYTES) & KEY_MASK;
  }

  /** Bytes of an entry's value. */
  valueBytes(position: number): number {
    const stored = this.#get(position, VALUE_BYTES);
    return (this.marks(position) & MARK.stamped) === 0 ? stored : stored - STAMP_BYTES;
  }

  /** Bytes of an entry's value and, if there is one, its stamp. */
  storedBytes(position: number): number {
    return this.#get(position, VALUE_BYTES);
  }

  /** When an entry expires, in milliseconds. */
  deadlineMs(position: number): number {
    return this.slab.doubles[position >>> this.#shift][(position & this.#mask) + DEADLINE];
  }

  /** Until when an entry is fresh, in milliseconds. */
  freshUntilMs(position: number): number {
    const deadlineMs = this.deadlineMs(position);
    return (this.marks(position) & MARK.aging) === 0 ? deadlineMs : deadlineMs - this.ttlMs(position);
  }

  /** Sets what `deadlineMs` returns. */
  setDeadlineMs(position: number, deadlineMs: number): void {
    this.slab.doubles[position >>> this.#shift][(position & this.#mask) + DEADLINE] = deadlineMs;
  }

  /** An entry's time to live, in milliseconds. */
  ttlMs(position: number): number {
    floatBits[0] = this.#get(position, TTL);
    return float[0];
  }

  /** Sets what `ttlMs` returns. */
  setTtlMs(position: number, ttlMs: number): void {
    float[0] = ttlMs;
    this.#set(position, TTL, floatBits[0]);
  }

  /** The entry at a place in a segment, or 0 if a piece or nothing living is there; for walks from record to record. */
  entryAt(segment: number, at: number): number {
    return (this.#words[segment][at >> 2] & KIND_MASK) === ENTRY ? segment << this.#shift | at >> 3 : 0;
  }

  /** Where the record after the one at a place begins. */
  nextAt(segment: number, at: number): number {
    return at + (this.#words[segment][at >> 2] & ~KIND_MASK);
  }

  /** Updates whatever refers to a record that the slab has moved. */
  moved(from: number, to: number): void {
    if ((this.#get(to, 0) & KIND_MASK) === PIECE) {
      this.#linkPieces(this.#get(to, PIECE_BEFORE), to);
      this.#linkPieces(to, this.#get(to, PIECE_NEXT));
    } else {
      this.#linkPieces(to, this.#get(to, REST));
      if (this.lent.size > 0) this.lent.moved(from, to);
      this.#entryMoved(from, to);
    }
  }

  #linkPieces(before: number, piece: number): void {
    const isPiece = (this.#get(before, 0) & KIND_MASK) === PIECE;
    this.#set(before, isPiece ? PIECE_NEXT : REST, piece);
    if (piece !== 0) this.#set(piece, PIECE_BEFORE, before);
  }

  #writeWhole(position: number, value: ByteSpan): void {
    const at = ((position & this.#mask) << 3) + HEAD_BYTES + this.keyBytes(position);
    copySpan(value, this.slab.bytes[position >>> this.#shift], at);
  }

  /** Writes a value into an entry that has room for its first `here` bytes, and into pieces. */
  #writePieces(position: number, { bytes, from, to }: ByteSpan, here: number): void {
    const part = this.#part;
    part.bytes = bytes;
    part.from = from;
    part.to = from + here;
    this.#writeWhole(position, part);
    for (let before = position; part.to < to;) {
      part.from = part.to;
      const size = this.#pieceBytes(PIECE_HEAD_BYTES, to - part.from);
      const piece = this.slab.allocate(size, PIECE);
      part.to = Math.min(to, part.from + size - PIECE_HEAD_BYTES);
      this.#set(piece, PIECE_NEXT, 0);
      this.#set(piece, PIECE_BYTES, part.to - part.from);
      copySpan(part, this.slab.bytes[piece >>> this.#shift], ((piece & this.#mask) << 3) + PIECE_HEAD_BYTES);
      this.#linkPieces(before, piece);
      before = piece;
    }
    part.bytes = NO_BYTES;
  }

  /** Size for a record of a fixed part and as much of a value as fits; the end of a segment is used if it is large enough. */
  #pieceBytes(fixed: number, valueBytes: number): number {
    const { maxRecordBytes, roomBytes } = this.slab;
    const most = Math.max(maxRecordBytes, align(fixed));
    const room = roomBytes - fixed >= SMALLEST_PIECE * maxRecordBytes ? Math.min(roomBytes, most) : most;
    return Math.min(room & -8, align(fixed + valueBytes));
  }

  #copyPart(segment: number, from: number, length: number, target: Uint8Array, at: number, view?: DataView): number {
    if (view !== undefined && length <= FEW_BYTES) {
      copyFew(this.slab.views[segment], from, from + length, view, at);
      return at + length;
    }
    const part = this.#part;
    part.bytes = this.slab.bytes[segment];
    part.from = from;
    part.to = from + length;
    copySpan(part, target, at);
    return at + length;
  }

  #get(position: number, field: number): number {
    return this.#words[position >>> this.#shift][((position & this.#mask) << 1) + field];
  }

  #set(position: number, field: number, value: number): void {
    this.#words[position >>> this.#shift][((position & this.#mask) << 1) + field] = value;
  }
}

function align(bytes: number): number {
  return (bytes + 7) & -8;
}
