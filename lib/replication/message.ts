/**
 * The messages of peers, and how they are written as bytes; message_reader.ts reads them. It knows the fields of messages,
 * not when they are sent or what follows. The tables are in docs/replication.md.
 */

import { FLAGS } from "../wire/values.ts";
import type { Departure } from "../store/history.ts";
import type { Base, Known, KnownList } from "../store/known.ts";
import type { Cursor } from "../store/fingerprints.ts";
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
  list: 11,
  listed: 12,
  want: 13,
  explain: 14,
  explained: 15,
  window: 16,
} as const;

/** What a `known` message is: the answer to a `sync`, an offer to take first, or the answer to that offer. */
export const TURN = { answer: 0, offer: 1, take: 2 } as const;

/**
 * What comes after a page: nothing, more writes, or, after the last write, more of those that have left. `recent` is said of a
 * page of entries that were used last, which come before their turn; all the others come after it.
 */
export const MORE = { nothing: 0, writes: 1, departures: 2, recent: 3 } as const;

/** A kind of write beside those of records: a key and its version alone. `TOUCH` is a use that has put off a deadline. */
export const NAME = 0;
export const TOUCH = 5;

/** A write in a message. */
export interface Write extends RemoteWrite {
  key: ByteSpan;
  /** What remains of the time to live, in milliseconds; only of a touch. */
  remainingMs?: number;
}

/** Fields of every message. */
export interface Head {
  /** The sender's origin, new for each start. */
  from: number;
  /** The sender's wall clock, as a version. */
  clock: number;
  /** Version of the last clear that the sender knows. */
  cleared: number;
}

/** A question for the oldest writes that the asker lacks. */
export interface Pull {
  /** The question's number, so that a late answer is not taken for another question's. */
  question: number;
  /** How far the asker knows writes. */
  known: Known;
  /** Place of the last write that the asker has been given. */
  after: Place;
  /** Where fingerprints go on, once there are no more writes. */
  cursor?: Cursor;
}

/**
 * How many pages may answer a pull: one, unless this has said more, before the pull or since. The first bears the question's
 * number, the next one the next even number, and so on.
 */
export interface Window {
  /** The question's number. */
  question: number;
  pages: number;
  /** How many of the entries that were used last are to come first, at most; this counts where it comes before the pull. */
  recent: number;
}

/** Place of a write in the order of pages: by version, then by the number under which the write is counted. */
export interface Place {
  h: number;
  id: number;
}

/** Writes that the receiver lacks. */
export interface Page {
  /** Origin of the asker; `question` is the number of the question that the page answers. */
  to: number;
  question: number;
  /** How far the sender knows writes; the receiver knows them so far with the last page. */
  known: Known;
  /** How far the sender has forgotten writes beyond what the receiver knows. */
  lossy: Known;
  writes: Write[];
  /** One of {@linkcode MORE}: what is to be asked for next. */
  more: number;
  /** Writes that the receiver does not know and that have left the sender, in ascending order; `cursor` is where further ones are. */
  departures: Departure[];
  cursor: Cursor;
}

/** Versions that live at the asker, with the question whether they are the newest. */
export interface Verify {
  /** The question's number. */
  question: number;
  /** How far the asker knows writes. */
  known: Known;
  writes: Write[];
}

/** The answer to a `Verify`: one boolean per write, in its order. */
export interface Verified {
  /** Origin of the asker. */
  to: number;
  question: number;
  confirmed: boolean[];
}

/** Places of entries that the sender holds, the newest first. */
export interface Listed {
  /** Origin of the asker; `question` is the number of the question that the list answers. */
  to: number;
  question: number;
  /** Whether there are older ones. */
  more: boolean;
  places: Place[];
}

/** New writes of one origin, sent without having been asked for. */
export interface Push {
  origin: number;
  /** Version before the first write; `last` is that of the last. All writes held between them are in `writes`. */
  before: number;
  last: number;
  /** Origins of the nodes that have been sent this. */
  sentTo: number[];
  writes: Write[];
}

/** A message without the fields of its head. */
export type MessageBody =
  | { type: typeof MESSAGE.sync; digest: number }
  | { type: typeof MESSAGE.same; to: number }
  | { type: typeof MESSAGE.known; known: Known; turn: number }
  | { type: typeof MESSAGE.pull } & Pull
  | { type: typeof MESSAGE.window } & Window
  | { type: typeof MESSAGE.page } & Page
  | { type: typeof MESSAGE.verify } & Verify
  | { type: typeof MESSAGE.verified } & Verified
  | { type: typeof MESSAGE.push } & Push
  | { type: typeof MESSAGE.news; origin: number; last: number }
  | { type: typeof MESSAGE.touch; sentTo: number[]; writes: Write[] }
  | { type: typeof MESSAGE.list; question: number; before: Place }
  | { type: typeof MESSAGE.listed } & Listed
  | { type: typeof MESSAGE.want; question: number; places: Place[] }
  | { type: typeof MESSAGE.explain; base: Base }
  | { type: typeof MESSAGE.explained; base: Base; told: KnownList };

/** A message. */
export type Message = Head & MessageBody;

/** Takes from what remains of times to live in a message what the message has been late. */
export function shorten(writes: readonly Write[], lateMs: number): void {
  for (const write of writes) {
    if (write.remainingMs !== undefined) write.remainingMs -= lateMs;
    if (write.entry !== undefined) write.entry = { ...write.entry, remainingMs: write.entry.remainingMs - lateMs };
  }
}

/** Flags that take no bytes of their own in a message, by code. */
export const FLAG_CODES: readonly number[] = [FLAGS.bytes, FLAGS.text, FLAGS.json, FLAGS.msgpack];
/** The code of flags that have none in `FLAG_CODES`. */
export const OTHER_FLAGS = 7;

/** Writes messages as bytes. */
export class MessageWriter {
  #bytes = new Uint8Array(1024);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  /** Writes a message. The result is valid until the next call. */
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
        this.#place(message.after);
        this.#cursor(message.cursor);
        break;
      case MESSAGE.page:
        this.#page(message);
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
        break;
      default:
        this.#other(message);
    }
    return this.#bytes.subarray(0, this.#length);
  }

  #place({ h, id }: Place): void {
    this.#float64(h);
    this.#uint32(id);
  }

  /** Writes places in descending order: each holds its distance from the one before. */
  #places(places: readonly Place[]): void {
    const indexes = new Map<number, number>();
    for (const { id } of places) if (!indexes.has(id)) indexes.set(id, indexes.size);
    this.#ids([...indexes.keys()]);
    this.#count(places.length);
    let before = 0;
    for (const { h, id } of places) {
      this.#count(indexes.get(id)!);
      this.#count(before === 0 ? h : before - h);
      before = h;
    }
  }

  #cursor(cursor: Cursor | undefined): void {
    this.#count(cursor === undefined ? 0 : cursor.cell + 1);
    if (cursor !== undefined) this.#count(cursor.moves);
  }

  /** Writes fingerprints in ascending order of their versions: each holds its distance from the one before. */
  #departures(departures: readonly Departure[]): void {
    const indexes = this.#origins(departures);
    this.#count(departures.length);
    let before = 0;
    for (const { hash, upTo, id } of departures) {
      this.#uint32(hash);
      this.#count(indexes.get(id)!);
      this.#count(upTo - before);
      before = upTo;
    }
  }

  #ids(ids: readonly number[]): void {
    this.#count(ids.length);
    for (const id of ids) this.#uint32(id);
  }

  #known(known: ReadonlyMap<number, number> & Pick<Known, "base">): void {
    this.#count(known.size);
    for (const [id, h] of known) {
      this.#uint32(id);
      this.#float64(h);
    }
    this.#base(known.base);
  }

  #knownList({ ids, versions }: KnownList): void {
    this.#count(ids.length);
    this.#ensure(12 * ids.length);
    for (let i = 0; i < ids.length; i++) {
      this.#uint32(ids[i]);
      this.#float64(versions[i]);
    }
  }

  #base(base: Base | undefined): void {
    this.#count(base?.upTo ?? 0);
    if (base !== undefined) this.#float64(base.digest);
  }

  #page(message: Page): void {
    this.#uint32(message.to);
    this.#count(message.question);
    this.#uint8(message.more);
    this.#known(message.known);
    this.#known(message.lossy);
    this.#writes(message.writes);
    this.#departures(message.departures);
    this.#cursor(message.cursor);
  }

  #other(message: Message): void {
    switch (message.type) {
      case MESSAGE.list:
        this.#count(message.question);
        this.#place(message.before);
        break;
      case MESSAGE.listed:
        this.#uint32(message.to);
        this.#count(message.question);
        this.#uint8(Number(message.more));
        this.#places(message.places);
        break;
      case MESSAGE.want:
        this.#count(message.question);
        this.#places(message.places);
        break;
      case MESSAGE.window:
        this.#count(message.question);
        this.#count(message.pages);
        this.#count(message.recent);
        break;
      case MESSAGE.explain:
        this.#base(message.base);
        break;
      case MESSAGE.explained:
        this.#base(message.base);
        this.#knownList(message.told);
        this.#base(undefined); // what a list of what is known ends with
    }
  }

  /** Writes the origins under which writes are counted, and who wrote those of adopted ones. Returns their indexes. */
  #origins(counted: readonly { id: number; writer: number }[]): Map<number, number> {
    const indexes = new Map<number, number>();
    const adopted = new Map<number, number>();
    for (const { id, writer } of counted) {
      if (!indexes.has(id)) indexes.set(id, indexes.size);
      if (id !== writer) adopted.set(indexes.get(id)!, writer);
    }
    this.#ids([...indexes.keys()]);
    this.#count(adopted.size);
    for (const [index, writer] of adopted) {
      this.#count(index);
      this.#uint32(writer);
    }
    return indexes;
  }

  /**
   * Writes a list of writes in ascending order: each holds its distance from the one before, and an index into a list of
   * origins. A second list names the writers of origins that are numbers of adopted writes.
   */
  #writes(writes: readonly Write[]): void {
    const indexes = this.#origins(writes.map(({ version: { origin, by = origin } }) => ({ id: by, writer: origin })));
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

  /** Writes a whole number in groups of 7 bits, the lowest first. */
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
