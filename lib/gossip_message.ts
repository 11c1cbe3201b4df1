/**
 * What peers say to each other, as bytes. It knows the fields of messages, not when they are sent or what follows. The
 * tables are in docs/protocol.md.
 */

import { FLAGS } from "./codec.ts";
import { ProtocolError } from "./errors.ts";
import { MAX_KEY_BYTES, MAX_VALUE_BYTES } from "./limits.ts";
import { ENTRY } from "./records.ts";
import type { Span } from "./span.ts";
import type { RemoteWrite } from "./store.ts";
import type { Version } from "./version.ts";

/** Kinds of messages. */
export const MESSAGE = { sync: 1, same: 2, known: 3, pull: 4, delta: 5, verify: 6, push: 7 } as const;

/** How far the writes of origins are known: id → h. */
export type Known = Map<number, number>;

/** A write on its way. */
export interface Write extends RemoteWrite {
  key: Span;
}

/** Fields of every message. */
interface Head {
  /** Who sends: its origin, new for each start. */
  from: number;
  /** The sender's clock. */
  clock: number;
  /** Version of the last clear that the sender knows. */
  cleared: number;
}

/** An answer to what a delta, or a request for one, said. */
export interface Delta {
  /** Whose question it answers. */
  to: number;
  /** What the sender knows. */
  known: Known;
  /** What the receiver knows once it has applied this. */
  upTo: Known;
  /** What the sender has forgotten beyond what the receiver knows. */
  lossy: Known;
  writes: Write[];
  /** Whether more writes are to be asked for. */
  more: boolean;
  /** Of the versions to be verified, those that the sender holds too; `undefined` if none were. */
  verified?: Version[];
}

/** A message, read. */
export type Message =
  & Head
  & (
    | { type: typeof MESSAGE.sync; digest: number }
    | { type: typeof MESSAGE.same; to: number }
    | { type: typeof MESSAGE.known; known: Known }
    | { type: typeof MESSAGE.pull; known: Known }
    | { type: typeof MESSAGE.delta } & Delta
    | { type: typeof MESSAGE.verify; known: Known; writes: Write[] }
    | { type: typeof MESSAGE.push; before: number; sentTo: number[]; write: Write }
  );

const FLAG_CODES: readonly number[] = [FLAGS.bytes, FLAGS.text, FLAGS.json, FLAGS.extended];
const OTHER_FLAGS = 7;
const MORE = 1;
const VERIFIED = 2;

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
      case MESSAGE.pull:
        this.#known(message.known);
        break;
      case MESSAGE.verify:
        this.#known(message.known);
        this.#writes(message.writes);
        break;
      case MESSAGE.push:
        this.#float64(message.before);
        this.#count(message.sentTo.length);
        for (const id of message.sentTo) this.#uint32(id);
        this.#writes([message.write]);
        break;
      case MESSAGE.delta:
        this.#delta(message);
    }
    return this.#bytes.subarray(0, this.#length);
  }

  #delta(delta: Delta): void {
    this.#uint32(delta.to);
    this.#uint8((delta.more ? MORE : 0) | (delta.verified ? VERIFIED : 0));
    this.#known(delta.known);
    this.#known(delta.upTo);
    this.#known(delta.lossy);
    this.#writes(delta.writes);
    if (delta.verified === undefined) return;
    this.#count(delta.verified.length);
    for (const { h, origin } of delta.verified) {
      this.#float64(h);
      this.#uint32(origin);
    }
  }

  #known(known: Known): void {
    this.#count(known.size);
    for (const [id, h] of known) {
      this.#uint32(id);
      this.#float64(h);
    }
  }

  /** Writes in ascending order: each says how far it is from the one before, and its origin by a number of this list. */
  #writes(writes: readonly Write[]): void {
    const origins = [...new Set(writes.map(({ version }) => version.origin))];
    const indexes = new Map(origins.map((id, i) => [id, i]));
    this.#count(origins.length);
    for (const id of origins) this.#uint32(id);
    this.#count(writes.length);
    let h = 0;
    for (const write of writes) {
      const entry = write.kind === ENTRY ? write.entry : undefined;
      const code = entry === undefined ? 0 : FLAG_CODES.indexOf(entry.flags);
      const flagCode = code < 0 ? OTHER_FLAGS : code;
      const isTimed = entry !== undefined && entry.ttlMs !== Infinity;
      this.#uint8(write.kind | (isTimed ? 8 : 0) | flagCode << 4);
      this.#count(indexes.get(write.version.origin)!);
      this.#count(write.version.h - h);
      h = write.version.h;
      this.#span(write.key);
      if (entry === undefined) continue;
      if (flagCode === OTHER_FLAGS) this.#uint32(entry.flags);
      if (isTimed) {
        this.#count(Math.ceil(entry.ttlMs));
        this.#count(Math.max(0, Math.ceil(entry.remainingMs)));
      }
      this.#span(entry.value);
    }
  }

  #span({ bytes, from, to }: Span): void {
    this.#count(to - from);
    this.#ensure(to - from);
    this.#bytes.set(bytes.subarray(from, to), this.#length);
    this.#length += to - from;
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

/**
 * Reads a message. Keys and values in it are parts of the bytes given.
 *
 * @throws {ProtocolError} If the bytes are none.
 */
export function readMessage(bytes: Uint8Array): Message {
  return new MessageReader(bytes).read();
}

class MessageReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  read(): Message {
    const type = this.#uint8();
    const head = { from: this.#uint32(), clock: this.#version(), cleared: this.#version() };
    const message = this.#body(type, head);
    if (this.#at !== this.#bytes.length) throw new ProtocolError("bytes after a peer's message");
    return message;
  }

  #body(type: number, head: Head): Message {
    switch (type) {
      case MESSAGE.sync:
        return { type, ...head, digest: this.#float64() };
      case MESSAGE.same:
        return { type, ...head, to: this.#uint32() };
      case MESSAGE.known:
      case MESSAGE.pull:
        return { type, ...head, known: this.#known() };
      case MESSAGE.verify:
        return { type, ...head, known: this.#known(), writes: this.#writes() };
      case MESSAGE.push: {
        const before = this.#version();
        const sentTo = this.#list(4, () => this.#uint32());
        const [write, ...rest] = this.#writes();
        if (write === undefined || rest.length > 0) throw new ProtocolError("a push that is not of one write");
        return { type, ...head, before, sentTo, write };
      }
      case MESSAGE.delta:
        return { type, ...head, ...this.#delta() };
      default:
        throw new ProtocolError(`a peer's message of unknown type ${type}`);
    }
  }

  #delta(): Delta {
    const to = this.#uint32();
    const bits = this.#uint8();
    const delta = {
      to,
      more: (bits & MORE) !== 0,
      known: this.#known(),
      upTo: this.#known(),
      lossy: this.#known(),
      writes: this.#writes(),
    };
    if ((bits & VERIFIED) === 0) return delta;
    return { ...delta, verified: this.#list(12, () => ({ h: this.#version(), origin: this.#uint32() })) };
  }

  #known(): Known {
    return new Map(this.#list(12, () => [this.#uint32(), this.#version()]));
  }

  #writes(): Write[] {
    const origins = this.#list(4, () => this.#uint32());
    let h = 0;
    return this.#list(4, () => {
      const bits = this.#uint8();
      const origin = origins[this.#count()];
      if (origin === undefined) throw new ProtocolError("a write without an origin");
      h += this.#count();
      const key = this.#span(MAX_KEY_BYTES);
      const write: Write = { key, version: { h, origin }, kind: bits & 7 };
      if (write.kind !== ENTRY) return write;
      const code = bits >> 4 & 7;
      const flags = code === OTHER_FLAGS ? this.#uint32() : FLAG_CODES[code] ?? 0;
      const isTimed = (bits & 8) !== 0;
      const ttlMs = isTimed ? this.#count() : Infinity;
      const remainingMs = isTimed ? this.#count() : Infinity;
      write.entry = { flags, ttlMs, remainingMs, value: this.#span(MAX_VALUE_BYTES) };
      return write;
    });
  }

  /** A counted list of items of so many bytes at least: a count alone allocates nothing. */
  #list<T>(leastBytes: number, item: () => T): T[] {
    const count = this.#count();
    if (count * leastBytes > this.#bytes.length - this.#at) {
      throw new ProtocolError("a peer's message that is truncated");
    }
    return Array.from({ length: count }, item);
  }

  #span(mostBytes: number): Span {
    const length = this.#count();
    if (length > mostBytes) throw new ProtocolError(`${length} bytes in a peer's message, of ${mostBytes} at most`);
    this.#has(length);
    const from = this.#at;
    this.#at += length;
    return { bytes: this.#bytes, from, to: this.#at };
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
      if (byte < 0x80) return value;
    }
    throw new ProtocolError("a number without end in a peer's message");
  }

  #has(bytes: number): void {
    if (this.#at + bytes > this.#bytes.length) throw new ProtocolError("a peer's message that is truncated");
  }
}
