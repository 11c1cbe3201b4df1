/** The packets of memcached's binary protocol, and where their fields lie. It knows no command. */

import type { InputBuffer } from "../wire/input_buffer.ts";
import { type Unsigned, unsignedOf } from "../base/unsigned.ts";
import { writeText } from "./ascii.ts";
import type { OutputBuffer } from "../wire/output_buffer.ts";
import { type ByteSpan, copySpan } from "../base/byte_span.ts";

/** First byte of a request. */
export const REQUEST_MAGIC = 0x80;
/** Bytes of a packet's header; extras, key and value follow in this order. */
export const HEADER_BYTES = 24;
const REPLY_MAGIC = 0x81;
/** The status of a server that has no place for a connection. */
const BUSY = 0x85;

/** Commands that are always answered. */
export const OPCODE = {
  get: 0x00,
  set: 0x01,
  add: 0x02,
  replace: 0x03,
  delete: 0x04,
  increment: 0x05,
  decrement: 0x06,
  quit: 0x07,
  flush: 0x08,
  noop: 0x0a,
  version: 0x0b,
  getk: 0x0c,
  append: 0x0e,
  prepend: 0x0f,
  stat: 0x10,
  touch: 0x1c,
  gat: 0x1d,
  saslMechanisms: 0x20,
  saslAuth: 0x21,
  saslStep: 0x22,
  gatk: 0x23,
} as const;

/** How a command ended. */
export const STATUS = {
  ok: 0,
  notFound: 1,
  exists: 2,
  tooLarge: 3,
  invalid: 4,
  notStored: 5,
  nonNumeric: 6,
  unauthenticated: 0x20,
  continued: 0x21,
  unknown: 0x81,
  noMemory: 0x82,
} as const;

/** A status of a command that failed. */
export type Failure = Exclude<(typeof STATUS)[keyof typeof STATUS], 0 | 0x21>;

const TEXTS: Record<Failure, string> = {
  [STATUS.notFound]: "Not found",
  [STATUS.exists]: "Data exists for key.",
  [STATUS.tooLarge]: "Too large.",
  [STATUS.invalid]: "Invalid arguments",
  [STATUS.notStored]: "Not stored.",
  [STATUS.nonNumeric]: "Non-numeric server-side value for incr or decr",
  [STATUS.unauthenticated]: "Auth failure.",
  [STATUS.unknown]: "Unknown command",
  [STATUS.noMemory]: "Out of memory",
};

/** A request whose header has arrived; the next one is read into the same object. */
export class BinaryRequest {
  /** The command. */
  opcode = 0;
  /** A number of the client's that the reply repeats. */
  opaque = 0;
  /** The CAS that an entry must have; 0 is any. */
  cas: Unsigned = 0;
  /** Length of the extras. */
  extrasBytes = 0;
  /** Length of the key. */
  keyBytes = 0;
  /** Length of extras, key and value. */
  bodyBytes = 0;
  /** The key, valid until the input moves. */
  readonly key: ByteSpan = { bytes: new Uint8Array(0), from: 0, to: 0 };
  readonly #input: InputBuffer;
  /** Where the extras begin. */
  #extras = 0;

  constructor(input: InputBuffer) {
    this.#input = input;
  }

  /** Length of header, extras and key, which come before the value. */
  get headBytes(): number {
    return HEADER_BYTES + this.extrasBytes + this.keyBytes;
  }

  /** Length of the value; below 0 if the lengths contradict each other. */
  get valueBytes(): number {
    return this.bodyBytes - this.extrasBytes - this.keyBytes;
  }

  /** Reads the header at the beginning of the input, which must have arrived whole. */
  read(): void {
    const input = this.#input;
    const { from } = input;
    const { key } = this;
    this.opcode = input.uint8(from + 1);
    this.keyBytes = input.uint16(from + 2);
    this.extrasBytes = input.uint8(from + 4);
    this.bodyBytes = input.uint32(from + 8);
    this.opaque = input.uint32(from + 12);
    this.cas = this.#unsigned(from + 16);
    this.#extras = from + HEADER_BYTES;
    key.bytes = input.bytes;
    key.from = this.#extras + this.extrasBytes;
    key.to = key.from + this.keyBytes;
  }

  /** Four bytes of the extras. */
  extra32(offset: number): number {
    return this.#input.uint32(this.#extras + offset);
  }

  /** Eight bytes of the extras. */
  extra64(offset: number): Unsigned {
    return this.#unsigned(this.#extras + offset);
  }

  #unsigned(at: number): Unsigned {
    const high = this.#input.uint32(at);
    const low = this.#input.uint32(at + 4);
    return high < 2 ** 21 ? 2 ** 32 * high + low : unsignedOf(BigInt(high) << 32n | BigInt(low));
  }
}

/** What a reply has besides its header. */
export interface ReplyParts {
  cas?: Unsigned;
  extrasBytes?: number;
  keyBytes?: number;
  valueBytes?: number;
}

/** Writes replies to a request. */
export class BinaryReplies {
  readonly #request: BinaryRequest;
  readonly #output: OutputBuffer;

  constructor(request: BinaryRequest, output: OutputBuffer) {
    this.#request = request;
    this.#output = output;
  }

  /** Writes a header and makes room for the body. Returns where the body begins; the caller writes it. */
  head(status: number, parts: ReplyParts = {}): number {
    const { cas = 0, extrasBytes = 0, keyBytes = 0, valueBytes = 0 } = parts;
    const output = this.#output;
    const bodyBytes = extrasBytes + keyBytes + valueBytes;
    const at = output.room(HEADER_BYTES + extrasBytes + keyBytes + output.copiedBytes(valueBytes));
    const { view } = output;
    view.setUint8(at, REPLY_MAGIC);
    view.setUint8(at + 1, this.#request.opcode);
    view.setUint16(at + 2, keyBytes);
    view.setUint8(at + 4, extrasBytes);
    view.setUint8(at + 5, 0);
    view.setUint16(at + 6, status);
    view.setUint32(at + 8, bodyBytes);
    view.setUint32(at + 12, this.#request.opaque);
    writeUnsigned(view, at + 16, cas);
    return at + HEADER_BYTES;
  }

  /** Replies that a command failed, with memcached's text for the status unless another is given. */
  fail(status: Failure, text: string = TEXTS[status]): void {
    const at = this.head(status, { valueBytes: text.length });
    writeText(this.#output.buffer, at, text);
  }

  /** Replies with a success and a text. */
  text(text: string): void {
    const at = this.head(STATUS.ok, { valueBytes: text.length });
    writeText(this.#output.buffer, at, text);
  }

  /** Replies with a success and a number. */
  number(value: Unsigned, cas: Unsigned): void {
    const at = this.head(STATUS.ok, { cas, valueBytes: 8 });
    writeUnsigned(this.#output.view, at, value);
  }

  /** Replies that nothing was found, with the key in place of the text. */
  missingKey(key: ByteSpan): void {
    const at = this.head(STATUS.notFound, { keyBytes: key.to - key.from });
    copySpan(key, this.#output.buffer, at);
  }

  /** Replies with a statistic. */
  statistic(name: string, value: string): void {
    const at = this.head(STATUS.ok, { keyBytes: name.length, valueBytes: value.length });
    writeText(this.#output.buffer, writeText(this.#output.buffer, at, name), value);
  }
}

/** The reply to the request that begins with `head`, as far as it is there, from a server that is too busy to take it. */
export function refusedRequest(head: Uint8Array, text: string): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + text.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, REPLY_MAGIC);
  view.setUint8(1, head[1] ?? 0);
  view.setUint16(6, BUSY);
  view.setUint32(8, text.length);
  if (head.length >= 16) bytes.set(head.subarray(12, 16), 12);
  writeText(bytes, HEADER_BYTES, text);
  return bytes;
}

function writeUnsigned(view: DataView, at: number, value: Unsigned): void {
  if (typeof value === "bigint") return view.setBigUint64(at, value);
  view.setUint32(at, Math.floor(value / 2 ** 32));
  view.setUint32(at + 4, value >>> 0);
}
