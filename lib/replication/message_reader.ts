/** Reads peers' messages from bytes, and checks what can be checked by a message alone. */

import { ProtocolError } from "../base/errors.ts";
import {
  FLAG_CODES,
  type Head,
  type Listed,
  MESSAGE,
  type Message,
  MORE,
  NAME,
  OTHER_FLAGS,
  type Page,
  type Place,
  type Pull,
  type Push,
  TOUCH,
  type Verified,
  type Write,
} from "./message.ts";
import { type Cursor, MAX_LABEL } from "../store/fingerprints.ts";
import type { Departure } from "../store/history.ts";
import type { Base, Known, KnownList } from "../store/known.ts";
import { MAX_ORIGINS } from "../store/origins.ts";
import { DecodingBudget } from "../wire/decoding_budget.ts";
import { spendKeys } from "../wire/key_collisions.ts";
import { MAX_KEY_BYTES, MAX_VALUE_BYTES } from "../base/limits.ts";
import { ENTRY, GHOST, MARK, PREFIX, STAMP_BYTES, TOMB, TRAVELS } from "../store/entry.ts";
import type { ByteSpan } from "../base/byte_span.ts";

/** Items in a list, at most: no peer has reason to send a longer list, which would only keep this node busy. */
const MAX_ITEMS = 8192;
/** Origins in a list of what is known, at most: peers list their newest, their own and those of their peers. */
const MAX_KNOWN = 2048;
/** Writes, or names of writes, in a message at most: each is looked up, and may change the store. */
const MAX_WRITES = 1024;
/** What finding numbers of origins may cost: more than random ones do, by the decoding budget. */
const COLLISION_UNITS = 20_000_000;
/** So few numbers cannot cost that, though each collides with all others, at 20 units. */
const FEW_IDS = Math.floor(Math.sqrt(COLLISION_UNITS / 10));
/** Kinds of writes that change the store. */
const WRITES = [ENTRY, TOMB, GHOST, PREFIX];

/**
 * Reads a message. Its keys and values are parts of `bytes`.
 *
 * @throws {ProtocolError} If the bytes are not a message.
 */
export function readMessage(bytes: Uint8Array): Message;
/**
 * Reads a message; if `skipsUnknown`, passes over what follows its last field, and returns `undefined` where nothing is known
 * of its type.
 *
 * @throws {ProtocolError} If the bytes are not a message.
 */
export function readMessage(bytes: Uint8Array, skipsUnknown: boolean | undefined): Message | undefined;
export function readMessage(bytes: Uint8Array, skipsUnknown = false): Message | undefined {
  return new MessageReader(bytes).read(skipsUnknown);
}

const TYPES: readonly number[] = Object.values(MESSAGE);

class MessageReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  read(skipsUnknown: boolean): Message | undefined {
    const type = this.#uint8();
    const head = { from: this.#uint32(), clock: this.#version(), cleared: this.#version() };
    if (skipsUnknown && !TYPES.includes(type)) return undefined;
    const message = this.#body(type, head);
    if (!skipsUnknown && this.#at !== this.#bytes.length) throw new ProtocolError("bytes after a peer's message");
    return message;
  }

  #body(type: number, head: Head): Message {
    switch (type) {
      case MESSAGE.sync:
        return { type, ...head, digest: this.#float64() };
      case MESSAGE.same:
        return { type, ...head, to: this.#uint32() };
      case MESSAGE.known:
        return { type, ...head, turn: this.#uint8(), known: this.#known() };
      case MESSAGE.pull:
        return { type, ...head, ...this.#pull() };
      case MESSAGE.page:
        return { type, ...head, ...this.#page() };
      case MESSAGE.verify:
        return { type, ...head, question: this.#count(), known: this.#known(), writes: this.#writes([NAME]) };
      case MESSAGE.verified:
        return { type, ...head, ...this.#verified() };
      case MESSAGE.push:
        return { type, ...head, ...this.#push() };
      case MESSAGE.news:
        return { type, ...head, origin: this.#uint32(), last: this.#version() };
      case MESSAGE.touch:
        return { type, ...head, sentTo: this.#told(), writes: this.#writes([TOUCH]) };
      case MESSAGE.list:
        return { type, ...head, question: this.#count(), before: this.#place() };
      case MESSAGE.listed:
        return { type, ...head, ...this.#listed() };
      case MESSAGE.want:
        return { type, ...head, question: this.#count(), places: this.#places() };
      case MESSAGE.window:
        return { type, ...head, question: this.#count(), pages: this.#count(), recent: this.#count() };
      case MESSAGE.explain:
        return { type, ...head, base: this.#someBase() };
      case MESSAGE.explained:
        return { type, ...head, base: this.#someBase(), told: this.#knownList() };
      default:
        throw new ProtocolError(`a peer's message of unknown type ${type}`);
    }
  }

  #pull(): Pull {
    const pull = { question: this.#count(), known: this.#known(), after: this.#place() };
    return { ...pull, cursor: this.#cursor() };
  }

  #page(): Page {
    const [to, question, more] = [this.#uint32(), this.#count(), this.#uint8()];
    if (more > MORE.recent) throw new ProtocolError(`a page that says that ${more} comes after it`);
    const [known, lossy] = [this.#known(), this.#known(MAX_ORIGINS)];
    const writes = this.#writes(WRITES);
    const departures = this.#departures();
    const cursor = this.#cursor();
    if (cursor === undefined) throw new ProtocolError("a page that does not say where fingerprints go on");
    return { to, question, more, known, lossy, writes, departures, cursor };
  }

  #cursor(): Cursor | undefined {
    const cell = this.#count();
    return cell === 0 ? undefined : { cell: cell - 1, moves: this.#count() };
  }

  #departures(): Departure[] {
    const ids = this.#list(4, MAX_ITEMS, () => this.#uint32());
    if (ids.length > MAX_LABEL) {
      throw new ProtocolError(`fingerprints of ${ids.length} origins, of ${MAX_LABEL} at most`);
    }
    const adopted = this.#adopted(ids.length);
    let upTo = 0;
    return this.#list(6, MAX_ITEMS, () => {
      const [hash, index, more] = [this.#uint32(), this.#count(), this.#count()];
      if (index >= ids.length) throw new ProtocolError("a fingerprint without an origin");
      upTo += more;
      if (!Number.isSafeInteger(upTo)) throw new ProtocolError(`a version that is none: ${upTo}`);
      return { hash, upTo, id: ids[index], writer: adopted.get(index) ?? ids[index] };
    });
  }

  #listed(): Listed {
    const [to, question, more] = [this.#uint32(), this.#count(), this.#uint8() === 1];
    return { to, question, more, places: this.#places() };
  }

  #places(): Place[] {
    const ids = this.#list(4, MAX_ITEMS, () => this.#uint32());
    let before = 0;
    return this.#list(2, MAX_ITEMS, () => {
      const [index, less] = [this.#count(), this.#count()];
      if (index >= ids.length) throw new ProtocolError("a place without an origin");
      before = before === 0 ? less : before - less;
      if (before < 0) throw new ProtocolError(`a version that is none: ${before}`);
      return { h: before, id: ids[index] };
    });
  }

  #verified(): Verified {
    return {
      to: this.#uint32(),
      question: this.#count(),
      confirmed: this.#list(1, MAX_ITEMS, () => this.#uint8() === 1),
    };
  }

  #push(): Push {
    const push: Push = {
      origin: this.#uint32(),
      before: this.#version(),
      last: this.#version(),
      sentTo: this.#told(),
      writes: this.#writes(WRITES),
    };
    for (const { version: { origin, h } } of push.writes) {
      if (origin === push.origin && h > push.before && h <= push.last) continue;
      throw new ProtocolError("a push of a write that is not in its range");
    }
    return push;
  }

  #known(most = MAX_KNOWN): Known {
    const count = this.#length(12, most);
    if (count > FEW_IDS) {
      checkIds(Uint32Array.from({ length: count }, (_, i) => this.#view.getUint32(this.#at + 12 * i)));
    }
    const known = new Map<number, number>();
    for (let left = count; left > 0; left--) known.set(this.#uint32(), this.#version());
    const base = this.#base();
    return base === undefined ? known : Object.assign(known, { base });
  }

  /** Reads a list that goes into a table with a secret: numbers that collide there cannot be chosen. */
  #knownList(): KnownList {
    const count = this.#length(12, MAX_ORIGINS);
    const [ids, versions] = [new Uint32Array(count), new Float64Array(count)];
    for (let i = 0; i < count; i++) {
      ids[i] = this.#uint32();
      versions[i] = this.#version();
    }
    this.#base(); // what a list of what is known ends with
    return { ids, versions };
  }

  /** Reads who has been told. */
  #told(): number[] {
    const ids = this.#list(4, MAX_ITEMS, () => this.#uint32());
    if (ids.length > FEW_IDS) checkIds(ids);
    return ids;
  }

  /** Reads who has written what was adopted by others, by the places of those among `origins` origins. */
  #adopted(origins: number): Map<number, number> {
    return new Map(this.#list(5, MAX_ITEMS, () => {
      const index = this.#count();
      if (index >= origins) throw new ProtocolError("adopted writes of no origin");
      return [index, this.#uint32()];
    }));
  }

  #base(): Base | undefined {
    const upTo = this.#count();
    return upTo === 0 ? undefined : { upTo, digest: this.#float64() };
  }

  #someBase(): Base {
    const base = this.#base();
    if (base === undefined) throw new ProtocolError("a base that stands for nothing");
    return base;
  }

  #writes(kinds: readonly number[]): Write[] {
    const origins = this.#list(4, MAX_ITEMS, () => this.#uint32());
    const adopted = this.#adopted(origins.length);
    let h = 0;
    return this.#list(4, MAX_WRITES, () => {
      const bits = this.#uint8();
      const marks = (bits & 0x80) === 0 ? 0 : this.#uint8() & TRAVELS;
      const index = this.#count();
      const [by, writer] = [origins[index], adopted.get(index)];
      if (by === undefined) throw new ProtocolError("a write without an origin");
      h += this.#count();
      const key = this.#span(MAX_KEY_BYTES);
      const version = writer === undefined ? { h, origin: by } : { h, origin: writer, by };
      const write: Write = { key, version, kind: bits & 7 };
      if (!kinds.includes(write.kind)) throw new ProtocolError(`a write of a kind that is none: ${write.kind}`);
      if (write.kind === TOUCH) write.remainingMs = this.#count();
      if (write.kind !== ENTRY) return write;
      const code = bits >> 4 & 7;
      const flags = code === OTHER_FLAGS ? this.#uint32() : FLAG_CODES[code] ?? 0;
      const isTimed = (bits & 8) !== 0;
      const ttlMs = isTimed ? this.#count() : Infinity;
      const remainingMs = isTimed ? this.#count() : Infinity;
      const value = this.#span(MAX_VALUE_BYTES + STAMP_BYTES);
      if ((marks & MARK.stamped) !== 0 && value.to - value.from < STAMP_BYTES) {
        throw new ProtocolError("a stamped value without a stamp");
      }
      write.entry = { flags, marks, ttlMs, remainingMs, value };
      return write;
    });
  }

  /** Reads a counted list of `most` items of `leastBytes` bytes or more; a count without those bytes allocates nothing. */
  #list<T>(leastBytes: number, most: number, item: (i: number) => T): T[] {
    return Array.from({ length: this.#length(leastBytes, most) }, (_, i) => item(i));
  }

  #length(leastBytes: number, most: number): number {
    const count = this.#count();
    if (count > most) throw new ProtocolError(`${count} items in a peer's message, of ${most} at most`);
    if (count * leastBytes > this.#bytes.length - this.#at) {
      throw new ProtocolError("a peer's message that is truncated");
    }
    return count;
  }

  #span(mostBytes: number): ByteSpan {
    const length = this.#count();
    if (length > mostBytes) throw new ProtocolError(`${length} bytes in a peer's message, of ${mostBytes} at most`);
    this.#has(length);
    const from = this.#at;
    this.#at += length;
    return { bytes: this.#bytes, from, to: this.#at };
  }

  #place(): Place {
    return { h: this.#version(), id: this.#uint32() };
  }

  #uint8(): number {
    this.#has(1);
    return this.#bytes[this.#at++];
  }

  #uint32(): number {
    this.#has(4);
    this.#at += 4;
    return this.#view.getUint32(this.#at - 4);
  }

  #float64(): number {
    this.#has(8);
    this.#at += 8;
    return this.#view.getFloat64(this.#at - 8);
  }

  #version(): number {
    const h = this.#float64();
    if (Number.isSafeInteger(h) && h >= 0) return h;
    throw new ProtocolError(`a version that is none: ${h}`);
  }

  #count(): number {
    let value = 0;
    for (let scale = 1; scale < 2 ** 53; scale *= 0x80) {
      const byte = this.#uint8();
      value += (byte & 0x7f) * scale;
      if (byte >= 0x80) continue;
      if (value > Number.MAX_SAFE_INTEGER) throw new ProtocolError("a number that is too large in a peer's message");
      return value;
    }
    throw new ProtocolError("a number without end in a peer's message");
  }

  #has(bytes: number): void {
    if (this.#at + bytes > this.#bytes.length) throw new ProtocolError("a peer's message that is truncated");
  }
}

/** Refuses numbers of origins that are chosen to collide in a table. */
function checkIds(ids: Uint32Array | number[]): void {
  try {
    spendKeys(ids, ids.length, new DecodingBudget(COLLISION_UNITS));
  } catch (error) {
    throw new ProtocolError(`numbers of origins in a peer's message that are ${(error as Error).message}`);
  }
}

/** The highest version anywhere in a message, but for the sender's clock: if it is from the far future, it would hide all writes until then. */
export function highest(message: Message): number {
  let h = message.cleared;
  if ("known" in message) h = Math.max(h, highestOf(message.known));
  if (message.type === MESSAGE.page) {
    h = Math.max(h, highestOf(message.lossy), message.writes.at(-1)?.version.h ?? 0);
    h = Math.max(h, message.departures.at(-1)?.upTo ?? 0);
  }
  if (message.type === MESSAGE.explained) {
    for (const version of message.told.versions) if (version > h) h = version;
  }
  if (message.type === MESSAGE.listed) h = Math.max(h, message.places[0]?.h ?? 0);
  return "last" in message ? Math.max(h, message.last) : h;
}

function highestOf(known: ReadonlyMap<number, number> & Pick<Known, "base">): number {
  let highest = known.base?.upTo ?? 0;
  for (const h of known.values()) if (h > highest) highest = h;
  return highest;
}

/** The highest version of an origin that a message says there is. */
export function claimed(message: Message, origin: number): number {
  if (message.type === MESSAGE.page) {
    const own = message.writes.findLast(({ version }) => version.origin === origin || version.by === origin);
    return Math.max(message.known.get(origin) ?? 0, own?.version.h ?? 0);
  }
  if ("known" in message) return message.known.get(origin) ?? 0;
  return "last" in message && message.origin === origin ? message.last : 0;
}
