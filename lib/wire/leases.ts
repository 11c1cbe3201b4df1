/**
 * Frames of leases: a client asks for a value or for leave to compute it, fills it in, or gives the leave back. It knows bytes,
 * not who computes what. The format is in docs/protocol.md, the rules in docs/near.md.
 */

import { ProtocolError } from "../base/errors.ts";
import type { ValueCodec } from "../base/value_options.ts";
import { endWithValue, type OnCopy, readValue, ValueError } from "./calls.ts";
import { unexpectedReply } from "./control.ts";
import { AGAIN, type FrameReader, type FrameWriter, HEADER_BYTES, REPLY, REQUEST } from "./frame.ts";
import { COPY_HEAD_BYTES, COPY_MARK, type CopyTerms, readTerms, setHead, setMs } from "./near.ts";
import { type Allowance, NO_LIMIT } from "./protocol_handler.ts";
import { type EncodedValue, isOfCodec, type ValuePart } from "./values.ts";

/** Milliseconds for which a lease lasts, at most. */
export const MAX_LEASE_MS = 60_000;
/** Bytes between the key and the value of a `FILL`. */
export const FILL_HEAD_BYTES = 28;
/** Bytes of a token. */
const TOKEN_BYTES = 8;

/** Stands for leave to compute: two random numbers of 32 bits. */
export interface LeaseToken {
  readonly high: number;
  readonly low: number;
}

/** A value that is not fresh any more. */
export interface StaleValue {
  readonly value: unknown;
  /** Milliseconds for which it has not been fresh. */
  readonly forMs: number;
}

/**
 * What a server answers to who asks for a value or for leave to compute it: here it is (`fresh`); compute it, perhaps with a
 * value that will do meanwhile (`compute`); somebody else computes it, and this value will do meanwhile (`stale`); or somebody
 * else computes it, and a push will say when to ask again (`wait`).
 */
export type Leased =
  | { readonly state: "fresh"; readonly value: unknown }
  | { readonly state: "compute"; readonly token: LeaseToken; readonly stale: StaleValue | undefined }
  | ({ readonly state: "stale" } & StaleValue)
  | { readonly state: "wait" };

/** How a value is filled in. */
export interface Filling {
  readonly token: LeaseToken;
  /** Milliseconds for which it is fresh, 0 for ever; `undefined` is the server's default. */
  readonly ttlMs: number | undefined;
  /** Whether a hit does not renew it; where it is kept for longer than it is fresh, a hit never does. */
  readonly isFixed: boolean;
  /** Milliseconds for which it is kept when it is not fresh any more; `Infinity` is for ever. */
  readonly staleMs: number;
}

/**
 * Writes a `LEASE`.
 *
 * @param leaseMs How long the client wants to compute, in milliseconds: 1 to {@linkcode MAX_LEASE_MS}.
 * @param acceptsStale Whether a value that is not fresh any more will do.
 * @throws {RangeError} If the key is not allowed.
 */
export function writeLease(output: FrameWriter, key: string, leaseMs: number, acceptsStale: boolean): void {
  output.begin(REQUEST.lease);
  output.key(key);
  output.uint32(leaseMs);
  output.uint8(acceptsStale ? 1 : 0);
  output.end();
}

/**
 * Writes a `FILL`.
 *
 * @throws {CacheError} If the encoded value is larger than a server takes.
 * @throws {RangeError} If the key is not allowed.
 */
export function writeFill(
  output: FrameWriter,
  key: string,
  value: EncodedValue,
  { token, ttlMs, isFixed, staleMs }: Filling,
): void {
  output.begin(REQUEST.fill);
  output.key(key);
  writeTokenBytes(output, token);
  output.uint32(value.flags);
  output.ttl(ttlMs, isFixed);
  const at = output.room(8);
  setMs(output.view, at, staleMs);
  endWithValue(output, value);
}

/**
 * Writes a `GIVE`.
 *
 * @throws {RangeError} If the key is not allowed.
 */
export function writeGive(output: FrameWriter, key: string, token: LeaseToken): void {
  output.begin(REQUEST.give);
  output.key(key);
  writeTokenBytes(output, token);
  output.end();
}

/**
 * Reads the reply to a `LEASE`. A stale value that cannot be decoded is none.
 *
 * @param onCopy Told of a fresh value, as of that of a `GET`.
 * @param codec Decodes what a codec has encoded.
 * @throws {ProtocolError} If the frame is another reply, or holds a fresh value that cannot be decoded.
 */
export function readLeased(
  frame: FrameReader,
  allowance: Allowance = NO_LIMIT,
  onCopy?: OnCopy,
  codec?: ValueCodec,
): Leased {
  const { code, start, end } = frame;
  if (code === REPLY.wait) return { state: "wait" };
  if (code === REPLY.copy && end - start >= COPY_HEAD_BYTES) {
    const { marks, ttlMs } = readTerms(frame, start);
    const part = valueAt(frame, start);
    const value = readValue(frame, part, allowance, codec);
    if ((marks & COPY_MARK.stale) !== 0) return { state: "stale", value, forMs: ttlMs };
    onCopy?.(value, readTerms(frame, start), 0, part.bytes, isOfCodec(part.flags) ? codec : undefined);
    return { state: "fresh", value };
  }
  if (code !== REPLY.token || end - start < TOKEN_BYTES) throw unexpectedReply(frame);
  const token = tokenAt(frame, start);
  const at = start + TOKEN_BYTES;
  if (at === end) return { state: "compute", token, stale: undefined };
  if (end - at < COPY_HEAD_BYTES) throw new ProtocolError("a truncated stale value");
  const { ttlMs: forMs } = readTerms(frame, at);
  try {
    return { state: "compute", token, stale: { value: readValue(frame, valueAt(frame, at), allowance, codec), forMs } };
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    return { state: "compute", token, stale: undefined };
  }
}

/** Reads the token out of the reply to a `LEASE`, whatever else it holds; `undefined` if there is none. */
export function readToken(frame: FrameReader): LeaseToken | undefined {
  const { code, start, end } = frame;
  return code === REPLY.token && end - start >= TOKEN_BYTES ? tokenAt(frame, start) : undefined;
}

/**
 * Reads the reply to a `FILL` or a `GIVE`.
 *
 * @returns Whether the token was valid; if not, nothing has changed.
 * @throws {ProtocolError} If the frame is another reply.
 */
export function readIsValid(frame: FrameReader): boolean {
  if (frame.code === REPLY.ok) return true;
  if (frame.code === REPLY.lost) return false;
  throw unexpectedReply(frame);
}

/**
 * Reads the key of an `AGAIN`.
 *
 * @throws {ProtocolError} If it has none, or more than that.
 */
export function readAgain(frame: FrameReader): string {
  const { key: { from, to }, end, buffer } = frame;
  if (from === to || to !== end) throw new ProtocolError("a push to ask again without a key alone");
  return buffer.toString("utf8", from, to);
}

/** Reads a token, from index `at` of the buffer on. */
export function tokenAt(frame: FrameReader, at: number): LeaseToken {
  return { high: frame.uint32(at), low: frame.uint32(at + 4) };
}

/** Writes a `TOKEN` without a value. */
export function writeToken(output: FrameWriter, token: LeaseToken): void {
  output.begin(REPLY.token);
  writeTokenBytes(output, token);
  output.end();
}

/** Writes a `TOKEN` with a stale value, which the caller then writes into `buffer`, from the returned index on. */
export function writeStaleToken(
  output: FrameWriter,
  { high, low }: LeaseToken,
  terms: CopyTerms,
  flags: number,
  valueBytes: number,
): number {
  const bodyBytes = TOKEN_BYTES + COPY_HEAD_BYTES + valueBytes;
  const at = output.room(HEADER_BYTES + bodyBytes);
  const { view } = output;
  view.setUint32(at, bodyBytes);
  view.setUint32(at + 4, REPLY.token << 8);
  view.setUint32(at + HEADER_BYTES, high);
  view.setUint32(at + HEADER_BYTES + 4, low);
  setHead(view, at + HEADER_BYTES + TOKEN_BYTES, terms, flags);
  return at + HEADER_BYTES + TOKEN_BYTES + COPY_HEAD_BYTES;
}

/** Writes an `AGAIN`. */
export function writeAgain(output: FrameWriter, key: Uint8Array): void {
  output.begin(AGAIN);
  output.keyBytes(key);
  output.end();
}

function writeTokenBytes(output: FrameWriter, { high, low }: LeaseToken): void {
  output.uint32(high);
  output.uint32(low);
}

/** Where the value lies whose head stands at `at`; it is the last of the frame. */
function valueAt(frame: FrameReader, at: number): ValuePart {
  return { flags: frame.uint32(at + 1), from: at + COPY_HEAD_BYTES, to: frame.end, bytes: 0 };
}
