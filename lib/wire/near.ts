/**
 * Frames of near copies: slots, what a server says of an entry of which a client may keep a copy, and which copies are not to
 * be used any more. It knows bytes, not who keeps copies of what. The format is in docs/protocol.md, the rules in docs/near.md.
 */

import type { ByteSpan } from "../base/byte_span.ts";
import { ProtocolError } from "../base/errors.ts";
import { MAX_KEY_BYTES } from "../base/limits.ts";
import { publicHash } from "../base/public_hash.ts";
import { unexpectedReply } from "./control.ts";
import { type FrameReader, type FrameWriter, HEADER_BYTES, INVALID, REPLY, STATE } from "./frame.ts";

/** Number of slots. */
export const SLOTS: number = 2 ** 18;
/** Slots in one push at most; more are told as all. */
export const MAX_PUSHED_SLOTS = 1024;
/** Bytes before the value of a `COPY`. */
export const COPY_HEAD_BYTES = 21;
/** Bytes before the value of a copy in a list, its state included. */
export const LISTED_COPY_BYTES: number = 1 + COPY_HEAD_BYTES + 4;
/** Marks of a copy: the client may keep it, hits renew the entry, and it is stale. */
export const COPY_MARK = { kept: 1, renews: 2, stale: 4 } as const;

/** Each half of a time that is for ever. */
const EVER = 0xffffffff;

/** What remains of an entry. */
export interface Remaining {
  /** Milliseconds for which it remains fresh; `Infinity` for ever. */
  freshMs: number;
  /**
   * Milliseconds by which a hit renews it; `Infinity` for ever, and 0 where hits do not renew it. Of a stale one those for which
   * it has not been fresh.
   */
  ttlMs: number;
}

/** What a server says of an entry that it sends as a copy. */
export interface CopyTerms extends Remaining {
  /** A sum of bits of {@linkcode COPY_MARK}. */
  marks: number;
}

/** The terms that were read last: an object for each copy would be waste. */
const read: CopyTerms = { marks: 0, freshMs: 0, ttlMs: 0 };

const utf8 = new TextEncoder();
const text: ByteSpan = { bytes: new Uint8Array(MAX_KEY_BYTES), from: 0, to: 0 };

/** The slot of a key, which both sides take from it: 0 to `SLOTS` − 1. */
export function slotOf(key: ByteSpan): number {
  return publicHash(key) & SLOTS - 1;
}

/** The slot of a key that is text of at most 4,096 bytes. */
export function slotOfText(key: string): number {
  text.to = utf8.encodeInto(key, text.bytes).written;
  return slotOf(text);
}

/** Writes a `COPY`, whose value the caller then writes into `buffer`, from the returned index on. */
export function writeCopy(output: FrameWriter, terms: CopyTerms, flags: number, valueBytes: number): number {
  const at = output.room(HEADER_BYTES + COPY_HEAD_BYTES + output.copiedBytes(valueBytes));
  const { view } = output;
  view.setUint32(at, COPY_HEAD_BYTES + valueBytes);
  view.setUint32(at + 4, REPLY.copy << 8);
  setHead(view, at + HEADER_BYTES, terms, flags);
  return at + HEADER_BYTES + COPY_HEAD_BYTES;
}

/** Writes a copy into a list, as `writeCopy` does. */
export function writeListedCopy(output: FrameWriter, terms: CopyTerms, flags: number, valueBytes: number): number {
  const at = output.room(LISTED_COPY_BYTES + valueBytes);
  const { view } = output;
  view.setUint8(at, STATE.copy);
  setHead(view, at + 1, terms, flags);
  view.setUint32(at + 1 + COPY_HEAD_BYTES, valueBytes);
  return at + LISTED_COPY_BYTES;
}

/** Writes a `LEFT`. */
export function writeLeft(output: FrameWriter, { freshMs, ttlMs }: Remaining): void {
  output.begin(REPLY.left);
  const at = output.room(16);
  setMs(output.view, at, freshMs);
  setMs(output.view, at + 8, ttlMs);
  output.end();
}

/** Writes an `INVALID` of at most 65,535 slots; `undefined` stands for all. */
export function writeInvalid(
  output: FrameWriter,
  slots: Iterable<number> & { readonly size: number } | undefined,
): void {
  output.begin(INVALID);
  if (slots !== undefined) {
    output.uint16(slots.size);
    for (const slot of slots) output.uint32(slot);
  }
  output.end();
}

/** Reads what stands before a copy's value, from index `at` of the buffer on. The result is valid until the next call. */
export function readTerms(frame: FrameReader, at: number): CopyTerms {
  read.marks = frame.uint8(at);
  read.freshMs = msAt(frame, at + 5);
  read.ttlMs = msAt(frame, at + 13);
  return read;
}

/**
 * Reads the reply to a `USE`.
 *
 * @returns What remains of the entry; `undefined` if there is none.
 * @throws {ProtocolError} If the frame is another reply.
 */
export function readLeft(frame: FrameReader): Remaining | undefined {
  const { code, start, end } = frame;
  if (code === REPLY.miss) return undefined;
  if (code !== REPLY.left || end - start !== 16) throw unexpectedReply(frame);
  return { freshMs: msAt(frame, start), ttlMs: msAt(frame, start + 8) };
}

/**
 * Reads an `INVALID`.
 *
 * @param onSlot Called with each slot.
 * @param onAll Called in place of that if it stands for all.
 * @throws {ProtocolError} If its length is wrong, or a number is no slot: nothing has been called then.
 */
export function readInvalid(frame: FrameReader, onSlot: (slot: number) => void, onAll: () => void): void {
  const { start, end } = frame;
  if (start === end) return onAll();
  const count = end - start < 2 ? -1 : frame.uint16(start);
  if (end - start !== 2 + 4 * count) throw new ProtocolError("a list of slots whose length is wrong");
  for (let at = start + 2; at < end; at += 4) {
    if (frame.uint32(at) >= SLOTS) throw new ProtocolError(`a slot that there is not: ${frame.uint32(at)}`);
  }
  for (let at = start + 2; at < end; at += 4) onSlot(frame.uint32(at));
}

/** Writes what stands before a copy's value. */
export function setHead(view: DataView, at: number, { marks, freshMs, ttlMs }: CopyTerms, flags: number): void {
  view.setUint8(at, marks);
  view.setUint32(at + 1, flags);
  setMs(view, at + 5, freshMs);
  setMs(view, at + 13, ttlMs);
}

/** Writes milliseconds, of which a part does not count: what remains must not be more than it is. */
export function setMs(view: DataView, at: number, ms: number): void {
  const high = ms < 2 ** 32 ? 0 : ms === Infinity ? EVER : Math.floor(ms / 2 ** 32);
  view.setUint32(at, high);
  view.setUint32(at + 4, ms === Infinity ? EVER : high === 0 ? ms : ms - high * 2 ** 32); // which leaves the part out
}

/** Reads milliseconds; all ones are for ever. */
export function msAt(frame: FrameReader, at: number): number {
  const [high, low] = [frame.uint32(at), frame.uint32(at + 4)];
  return high === EVER && low === EVER ? Infinity : high * 2 ** 32 + low;
}
