/**
 * The client's half of a connection without its socket: calls in, request bytes out; reply bytes in, results out, matched
 * in order. It knows frames and values, not how bytes travel or what to do when a server fails.
 */

import { decode, encode } from "@std/msgpack";
import { decodePart, type EncodedValue } from "./codec.ts";
import { CacheError, ProtocolError } from "./errors.ts";
import { FIRST_PUSH, FrameReader, FrameWriter, PROTOCOL, REPLY, REQUEST, STATE } from "./frame.ts";
import { MAX_BODY_BYTES, MAX_VALUE_BYTES } from "./limits.ts";

/** What stands for a miss in the place of a value … */
export const MISS: unique symbol = Symbol("miss");
/** … and for a value too large for a common reply. */
export const OMITTED: unique symbol = Symbol("omitted");

/** A call that waits for its reply. Whatever happens, `settle` is called once. */
export interface Call<Result> {
  /** Reads the result out of the reply in `frame`; throws `ProtocolError` if the reply does not fit the call. */
  readonly read: (frame: FrameReader) => Result;
  /** Takes the result, or the failure. */
  readonly settle: (result: Result | undefined, error: CacheError | undefined) => void;
}

interface PendingCall {
  readonly call: Call<unknown>;
  readonly sentAtMs: number;
  settled: boolean;
}

/** Bytes that may wait to be written; calls beyond fail at once. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;
/** Calls that may wait for a reply. */
const MAX_WAITING_CALLS = 100_000;

/** Calls on one connection, in the order they were made. */
export class Pipeline {
  /** Replies as they arrive; valid once `attach` has been called. */
  input: FrameReader = new FrameReader();
  /** Requests not yet taken for writing. */
  output: FrameWriter = new FrameWriter();
  /** Whether a write is under way: one at a time. */
  isWriting = false;
  #spare = new FrameWriter();
  #calls: PendingCall[] = [];
  #head = 0;
  #receivedAtMs = 0;

  /** Begins to read replies, after the greeting and with the reader that read it. */
  attach(input: FrameReader, nowMs: number): void {
    this.input = input;
    this.#receivedAtMs = nowMs;
    input.maxBodyBytes = MAX_BODY_BYTES;
  }

  /** Calls without a reply yet. */
  get pending(): number {
    return this.#calls.length - this.#head;
  }

  /** Whether another call may be added. */
  get isFull(): boolean {
    return this.output.length > MAX_WAITING_BYTES || this.pending >= MAX_WAITING_CALLS;
  }

  /**
   * Adds a call; `write` puts its request into the output, whole or not at all: half of one would shift every later
   * reply to the wrong call. Throws what `write` throws, and then the call is not made.
   */
  call<Result>(write: (output: FrameWriter) => void, call: Call<Result>, nowMs: number): void {
    const { length } = this.output;
    try {
      write(this.output);
    } catch (error) {
      this.output.length = length;
      throw error;
    }
    this.#calls.push({ call: call as Call<unknown>, sentAtMs: nowMs, settled: false });
  }

  /** The requests that wait, for one write; later ones collect elsewhere until `written`. */
  take(): FrameWriter {
    this.isWriting = true;
    const taken = this.output;
    this.output = this.#spare;
    return taken;
  }

  /** Takes back what `take` gave. */
  written(taken: FrameWriter): void {
    this.isWriting = false;
    taken.reset();
    this.#spare = taken;
  }

  /**
   * Settles calls with the replies that have arrived.
   *
   * @throws {ProtocolError | CacheError} If the server breaks the protocol or says that it is closing; the connection
   * is of no use then.
   */
  receive(nowMs: number): void {
    const { input } = this;
    this.#receivedAtMs = nowMs;
    while (input.next()) {
      if (input.code >= FIRST_PUSH) continue;
      if (input.code === REPLY.closing) throw closingError(input);
      if (this.#head === this.#calls.length) throw new ProtocolError(`a reply (${input.code}) that nothing asked for`);
      this.#settle(this.#calls[this.#head]);
      this.#head++; // only now: a reply that breaks the protocol leaves its call to be failed with the others
    }
    if (this.#head === this.#calls.length) {
      this.#calls.length = this.#head = 0;
    } else if (this.#head > 1024 && 2 * this.#head > this.#calls.length) {
      this.#calls = this.#calls.slice(this.#head);
      this.#head = 0;
    }
  }

  /**
   * Fails calls that have waited for `timeoutMs` with the error `late`. Their replies are still awaited, to keep the order.
   *
   * @returns Whether the connection is still worth having: not when its oldest call has waited without a byte from the
   * server, nor when it has waited twice the time (a server that trickles).
   */
  expire(nowMs: number, timeoutMs: number, late: CacheError): boolean {
    for (let i = this.#head; i < this.#calls.length; i++) {
      const pending = this.#calls[i];
      if (nowMs - pending.sentAtMs < timeoutMs) break;
      finish(pending, undefined, late);
    }
    const oldest = this.#calls[this.#head];
    if (oldest === undefined || nowMs - oldest.sentAtMs < timeoutMs) return true;
    return this.#receivedAtMs > oldest.sentAtMs && nowMs - oldest.sentAtMs < 2 * timeoutMs;
  }

  /** When `expire` is next of use, or `undefined` while no call waits. */
  deadlineMs(timeoutMs: number): number | undefined {
    const oldest = this.#calls[this.#head];
    if (oldest === undefined) return undefined;
    if (!oldest.settled) return oldest.sentAtMs + timeoutMs;
    const next = this.#calls.find((pending, i) => i > this.#head && !pending.settled);
    return Math.min(oldest.sentAtMs + 2 * timeoutMs, (next?.sentAtMs ?? Infinity) + timeoutMs);
  }

  /** Fails every call that waits. */
  fail(error: CacheError): void {
    const calls = this.#calls.slice(this.#head);
    this.#calls = [];
    this.#head = 0;
    for (const pending of calls) finish(pending, undefined, error);
  }

  #settle(pending: PendingCall): void {
    if (pending.settled) return;
    const { input } = this;
    if (input.code === REPLY.refused) {
      const { code, message } = errorData(input);
      return finish(pending, undefined, new CacheError("refused", `the server refused (${code}): ${message}`));
    }
    let result: unknown;
    try {
      result = pending.call.read(input);
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      return finish(pending, undefined, new CacheError("protocol", error.message, { cause: error }));
    }
    finish(pending, result, undefined);
  }
}

/** A value that cannot be read: only its call fails, since the frame around it is sound. */
class ValueError extends ProtocolError {}

function finish(pending: PendingCall, result: unknown, error: CacheError | undefined): void {
  if (pending.settled) return;
  pending.settled = true;
  pending.call.settle(result, error);
}

/** What one who connects says about itself: its name and version, and if it is a peer, who and at which port. */
export interface Hello {
  client: string;
  peer?: number;
  port?: number;
}

/** Writes the greeting. */
export function writeHello(output: FrameWriter, hello: Hello): void {
  output.begin(REQUEST.hello);
  output.bytes(encode({ protocol: PROTOCOL, ...hello }));
  output.end();
}

/**
 * Reads and checks the reply to the greeting.
 *
 * @throws {ProtocolError | CacheError} If the other side is no server of ours, or does not want us.
 */
export function readGreeting(frame: FrameReader): Record<string, unknown> {
  if (frame.code === REPLY.closing) throw closingError(frame);
  const server = readData(frame);
  if (server.protocol === PROTOCOL) return server;
  throw new ProtocolError(`the server speaks protocol ${server.protocol}, not ${PROTOCOL}`);
}

/**
 * Writes a `SET`.
 *
 * @throws {CacheError} If the encoded value is larger than a server takes.
 * @throws {RangeError} If the key is none.
 */
export function writeSet(output: FrameWriter, key: string, value: EncodedValue, ttlMs: number | undefined): void {
  output.begin(REQUEST.set);
  output.key(key);
  output.uint32(value.flags);
  output.ttl(ttlMs);
  if (typeof value.payload === "string") output.text(value.payload);
  else output.bytes(value.payload);
  if (output.bodyBytes > MAX_BODY_BYTES) {
    throw new CacheError("refused", `the value has more than ${MAX_VALUE_BYTES} bytes`);
  }
  output.end();
}

/** Writes a request that has a key and nothing else. */
export function writeKeyed(output: FrameWriter, code: number, key: string): void {
  output.begin(code);
  output.key(key);
  output.end();
}

/** Writes a `GET_MANY`, of as many keys as the server's limit allows. */
export function writeGetMany(output: FrameWriter, keys: readonly string[]): void {
  output.begin(REQUEST.getMany);
  output.uint16(keys.length);
  for (const key of keys) output.listedKey(key);
  output.end();
}

/** Reads a value, or `MISS`, out of the reply to a `GET`. */
export function readFound(frame: FrameReader): unknown {
  if (frame.code === REPLY.miss) return MISS;
  if (frame.code !== REPLY.value || frame.end - frame.start < 4) throw unexpected(frame);
  return readValue(frame, frame.uint32(frame.start), frame.start + 4, frame.end);
}

/** Reads the reply to a request that asks for a yes (`OK`) or a no (`MISS`). */
export function readYesNo(frame: FrameReader): boolean {
  if (frame.code === REPLY.ok) return true;
  if (frame.code === REPLY.miss) return false;
  throw unexpected(frame);
}

/** Reads a map of data. */
export function readData(frame: FrameReader): Record<string, unknown> {
  if (frame.code !== REPLY.data) throw unexpected(frame);
  return decodeMap(frame);
}

/** Reads values, `MISS` or `OMITTED` out of the reply to a `GET_MANY`. A value that cannot be read is a miss, and told of. */
export function readMany(
  frame: FrameReader,
  count: number,
  onBadValue: (i: number, error: Error) => void,
): unknown[] {
  const { end } = frame;
  if (frame.code !== REPLY.values || end - frame.start < 2) throw unexpected(frame);
  if (frame.uint16(frame.start) !== count) throw new ProtocolError(`a reply that does not hold ${count} keys`);
  const values: unknown[] = [];
  let at = frame.start + 2;
  for (let i = 0; i < count; i++) {
    if (at + 1 > end) throw new ProtocolError("a truncated list of values");
    const state = frame.uint8(at++);
    if (state !== STATE.hit) {
      values.push(state === STATE.omitted ? OMITTED : MISS);
      continue;
    }
    const valueAt = at + 8;
    const valueEnd = valueAt + (valueAt <= end ? frame.uint32(at + 4) : Infinity);
    if (valueEnd > end) throw new ProtocolError("a truncated list of values");
    values.push(MISS);
    try {
      values[i] = readValue(frame, frame.uint32(at), valueAt, valueEnd);
    } catch (error) {
      onBadValue(i, error as Error);
    }
    at = valueEnd;
  }
  return values;
}

function readValue(frame: FrameReader, flags: number, from: number, to: number): unknown {
  try {
    return decodePart(flags, { bytes: frame.buffer, from, to });
  } catch (error) {
    throw new ValueError((error as Error).message, { cause: error });
  }
}

function unexpected(frame: FrameReader): ProtocolError {
  return new ProtocolError(`a reply that does not fit its request: code ${frame.code}`);
}

function closingError(frame: FrameReader): CacheError {
  const { code, message } = errorData(frame);
  const isAway = code === "stopping" || code === "too-many-connections";
  return new CacheError(isAway ? "unreachable" : "refused", `the server closed the connection (${code}): ${message}`);
}

function errorData(frame: FrameReader): { code: string; message: string } {
  const { code, message } = decodeMap(frame);
  return { code: String(code), message: String(message) };
}

/** Bytes of control data that are looked at: the decoder of control data has no bound of its own on nesting. */
const MAX_CONTROL_BYTES = 64 * 1024;

function decodeMap(frame: FrameReader): Record<string, unknown> {
  let data: unknown;
  try {
    if (frame.end - frame.start > MAX_CONTROL_BYTES) throw new RangeError(`more than ${MAX_CONTROL_BYTES} bytes`);
    data = decode(frame.slice(frame.start, frame.end));
  } catch (error) {
    throw new ProtocolError(`control data that cannot be read: ${(error as Error).message}`, { cause: error });
  }
  if (typeof data === "object" && data !== null && !Array.isArray(data)) return data as Record<string, unknown>;
  throw new ProtocolError("control data that is not a map");
}
