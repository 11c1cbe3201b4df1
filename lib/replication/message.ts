/**
 * What peers say to each other, and how it is written as bytes; message_reader.ts reads them. It knows the fields of
 * messages, not when they are sent or what follows. The tables are in docs/replication.md.
 */

import { FLAGS } from "../wire/values.ts";
import type { Known } from "../store/history.ts";
import { MAX_TTL_MS } from "../base/limits.ts";
import { ENTRY, type RemoteWrite } from "../store/entry.ts";
import { type ByteSpan, copySpan } from "../base/byte_span.ts";

/** Kinds of messages. */
export const MESSAGE = {
  sync: 1,
  same: 2,
  known: 3,
  pull: 4,
  page: 5,
  verify: 6,
  verified: 7,
  push: 8,
  news: 9,
  touch: 10,
} as const;

/** What a `known` is: the answer to a `sync`, the offer to take first, or the answer to that. */
export const TURN = { answer: 0, offer: 1, take: 2 } as const;

/** Kinds of writes beside those of records: a key and its version alone, and a use that has put a deadline off. */
export const NAME = 0;
export const TOUCH = 5;

/** A write on its way. */
export interface Write extends RemoteWrite {
  key: ByteSpan;
  /** Of a touch: what is left of the time to live. */
  remainingMs?: number;
}

/** Fields of every message. */
export interface Head {
  /** Who sends: its origin, new for each start. */
  from: number;
  /** The sender's clock. */
  clock: number;
  /** Version of the last clear that the sender knows. */
  cleared: number;
}

/** A question for the oldest writes that the asker lacks. */
export interface Pull {
  /** Which question this is: a late answer must not be taken for another's. */
  question: number;
  /** What the asker knows, or has been given by this peer. */
  known: Known;
  /** Version and number of the last write that it has been given. */
  after: Place;
}

/** Place of a write among all that a peer has: by version, and by the number under which it is counted. */
export interface Place {
  h: number;
  id: number;
}

/** Writes that the receiver lacks. */
export interface Page {
  /** For whom it was made, and which question it answers. */
  to: number;
  question: number;
  /** What the sender knows. */
  known: Known;
  /** What the receiver knows once it has applied this. */
  upTo: Known;
  /** What the sender has forgotten beyond what the receiver knows. */
  lossy: Known;
  writes: Write[];
  /** Whether more writes are to be asked for. */
  more: boolean;
}

/** Versions that live at one who asks whether they are the newest. */
export interface Verify {
  /** Which question this is. */
  question: number;
  /** What the asker knows. */
  known: Known;
  writes: Write[];
}

/** What is said of them, in the same order. */
export interface Verified {
  /** Who asked. */
  to: number;
  question: number;
  confirmed: boolean[];
}

/** Writes of one origin, told at once. */
export interface Push {
  origin: number;
  /** Version before the first and of the last: all that is held between them is here. */
  before: number;
  last: number;
  /** Origins of those who are being told. */
  sentTo: number[];
  writes: Write[];
}

/** A message, but for the fields that all have. */
export type MessageBody =
  | { type: typeof MESSAGE.sync; digest: number }
  | { type: typeof MESSAGE.same; to: number }
  | { type: typeof MESSAGE.known; known: Known; turn: number }
  | { type: typeof MESSAGE.pull } & Pull
  | { type: typeof MESSAGE.page } & Page
  | { type: typeof MESSAGE.verify } & Verify
  | { type: typeof MESSAGE.verified } & Verified
  | { type: typeof MESSAGE.push } & Push
  | { type: typeof MESSAGE.news; origin: number; last: number }
  | { type: typeof MESSAGE.touch; sentTo: number[]; writes: Write[] };

/** A message. */
export type Message = Head & MessageBody;

/** Flags that take no bytes of their own in a message, by code. */
export const FLAG_CODES: readonly number[] = [FLAGS.bytes, FLAGS.text, FLAGS.json, FLAGS.msgpack];
/** The code of others. */
export const OTHER_FLAGS = 7;

/** Puts a message together. */
export class MessageWriter {
  #bytes = new Uint8Array(1024);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  /** Writes a message. The result is valid until the next. */
  write(message: Message): Uint8Array {
    this.#length = 0;
    this.#uint8(message.type);
    this.#uint32(message.from);
    this.#float64(message.clock);
    this.#float64(message.cleared);
    switch (message.type) {
      case MESSAGE.sync:
        this.#float64(message.digest);
        break;
      case MESSAGE.same:
        this.#uint32(message.to);
        break;
      case MESSAGE.known:
        this.#uint8(message.turn);
        this.#known(message.known);
        break;
      case MESSAGE.pull:
        this.#count(message.question);
        this.#known(message.known);
        this.#float64(message.after.h);
        this.#uint32(message.after.id);
        break;
      case MESSAGE.page:
        this.#uint32(message.to);
        this.#count(message.question);
        this.#uint8(Number(message.more));
        this.#known(message.known);
        this.#known(message.upTo);
        this.#known(message.lossy);
        this.#writes(message.writes);
        break;
      case MESSAGE.verify:
        this.#count(message.question);
        this.#known(message.known);
        this.#writes(message.writes);
        break;
      case MESSAGE.verified:
        this.#uint32(message.to);
        this.#count(message.question);
        this.#count(message.confirmed.length);
        for (const isConfirmed of message.confirmed) this.#uint8(Number(isConfirmed));
        break;
      case MESSAGE.push:
        this.#uint32(message.origin);
        this.#float64(message.before);
        this.#float64(message.last);
        this.#ids(message.sentTo);
        this.#writes(message.writes);
        break;
      case MESSAGE.news:
        this.#uint32(message.origin);
        this.#float64(message.last);
        break;
      case MESSAGE.touch:
        this.#ids(message.sentTo);
        this.#writes(message.writes);
    }
    return this.#bytes.subarray(0, this.#length);
  }

  #ids(ids: readonly number[]): void {
    this.#count(ids.length);
    for (const id of ids) this.#uint32(id);
  }

  #known(known: Known): void {
    this.#count(known.size);
    for (const [id, h] of known) {
      this.#uint32(id);
      this.#float64(h);
    }
  }

  /**
   * Writes in ascending order: each says how far it is from the one before, and its origin by a number of this list; where
   * they have been adopted, another list tells who wrote.
   */
  #writes(writes: readonly Write[]): void {
    const indexes = new Map<number, number>();
    const adopted = new Map<number, number>();
    for (const { version: { origin, by = origin } } of writes) {
      if (!indexes.has(by)) indexes.set(by, indexes.size);
      if (by !== origin) adopted.set(indexes.get(by)!, origin);
    }
    this.#ids([...indexes.keys()]);
    this.#count(adopted.size);
    for (const [index, writer] of adopted) {
      this.#count(index);
      this.#uint32(writer);
    }
    this.#count(writes.length);
    let h = 0;
    for (const write of writes) {
      const entry = write.kind === ENTRY ? write.entry : undefined;
      const code = entry === undefined ? 0 : FLAG_CODES.indexOf(entry.flags);
      const flagCode = code < 0 ? OTHER_FLAGS : code;
      const isTimed = entry !== undefined && entry.ttlMs !== Infinity;
      const marks = entry?.marks ?? 0;
      this.#uint8(write.kind | (isTimed ? 8 : 0) | flagCode << 4 | (marks === 0 ? 0 : 0x80));
      if (marks !== 0) this.#uint8(marks);
      this.#count(indexes.get(write.version.by ?? write.version.origin)!);
      this.#count(write.version.h - h);
      h = write.version.h;
      this.#span(write.key);
      if (write.kind === TOUCH) this.#count(Math.min(MAX_TTL_MS, Math.max(0, Math.ceil(write.remainingMs!))));
      if (entry === undefined) continue;
      if (flagCode === OTHER_FLAGS) this.#uint32(entry.flags);
      if (isTimed) {
        this.#count(Math.min(MAX_TTL_MS, Math.ceil(entry.ttlMs)));
        this.#count(Math.min(MAX_TTL_MS, Math.max(0, Math.ceil(entry.remainingMs))));
      }
      this.#span(entry.value);
    }
  }

  #span(span: ByteSpan): void {
    const length = span.to - span.from;
    this.#count(length);
    this.#ensure(length);
    copySpan(span, this.#bytes, this.#length);
    this.#length += length;
  }

  #uint8(value: number): void {
    this.#ensure(1);
    this.#bytes[this.#length++] = value;
  }

  #uint32(value: number): void {
    this.#ensure(4);
    this.#view.setUint32(this.#length, value);
    this.#length += 4;
  }

  #float64(value: number): void {
    this.#ensure(8);
    this.#view.setFloat64(this.#length, value);
    this.#length += 8;
  }

  /** A whole number in groups of 7 bits, the lowest first. */
  #count(value: number): void {
    this.#ensure(8);
    for (; value >= 0x80; value = Math.floor(value / 0x80)) this.#bytes[this.#length++] = value % 0x80 | 0x80;
    this.#bytes[this.#length++] = value;
  }

  #ensure(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const bytes = new Uint8Array(2 * (this.#length + more));
    bytes.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }
}
