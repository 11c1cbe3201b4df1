/**
 * The client's half of a connection, without its socket: it turns calls into request bytes, and reply bytes into
 * results, which belong to the calls in their order. It knows frames and values, not how bytes travel or what to do
 * when a server fails.
 */

import { CacheError, ProtocolError } from "../base/errors.ts";
import { MAX_BODY_BYTES } from "../base/limits.ts";
import { LATER, ValueError } from "../wire/calls.ts";
import { closingError, readError } from "../wire/control.ts";
import { FIRST_PUSH, FrameReader, FrameWriter, REPLY, STOPPING } from "../wire/frame.ts";
import { type Allowance, NO_LIMIT } from "../wire/protocol_handler.ts";

/** A call that waits for its reply. `settle` is called once, with a result or a failure. */
export interface Call<Result> {
  /**
   * Reads the result out of the reply in `frame`; throws `ProtocolError` if the reply does not fit the call. Where the
   * allowance is over it may return `LATER`, and is called again with the same reply. `givenAtMs` is a time before the request
   * was given to the connection; `undefined` where nobody hears of the connection, or not any more.
   */
  readonly read: (
    frame: FrameReader,
    allowance: Allowance,
    givenAtMs: number | undefined,
  ) => Result | typeof LATER;
  /** Receives the result, or the failure. */
  readonly settle: (result: Result | undefined, error: CacheError | undefined) => void;
  /** Receives the reply of a call that was late and has been settled: what came with it may have to be given back. It does not throw. */
  readonly late?: (frame: FrameReader) => void;
  /**
   * Called once when nothing more is to come: the reply is there, or the call was not made, or the connection has ended. A call
   * that was late has been settled long before.
   */
  readonly ended?: () => void;
}

/** When the calls of one turn were sent. */
export interface Turn {
  /** For time-outs: at the turn's end, since nothing has to leave before that, however long the turn takes. */
  sentAtMs: number;
  /**
   * Before any of them left: not later than the end of the turn either, but a write that was under way may take some of them along
   * before. What a reply says was so at this time, or after it.
   */
  givenAtMs: number;
}

/** Hears of what comes on a connection, in its order, while that is the one in use. */
export interface Hearer {
  /** A reply has come to a request that was given to the connection at a time or after it; it is read next, if anybody waits. */
  replied(givenAtMs: number): void;
  /**
   * A push has come, other than `STOPPING`.
   *
   * @throws {ProtocolError} If it is malformed; the connection is of no use then.
   */
  pushed(frame: FrameReader): void;
}

/** A call that has been made. */
export interface PendingCall {
  readonly call: Call<unknown>;
  readonly turn: Turn;
  /** Milliseconds after which it is late, in place of those of all; `undefined` without such a time. */
  readonly ownMs: number | undefined;
  settled: boolean;
}

/** A server has refused a request. */
export class RefusedError extends CacheError {
  /** @param reason The reason in one word, as in docs/protocol.md. */
  constructor(readonly reason: string, message: string) {
    super("refused", `the server refused (${reason}): ${message}`);
  }
}

/** Bytes of requests that may wait to be written; further calls fail at once. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;
/** Calls that may wait for a reply; further calls fail at once. */
const MAX_WAITING_CALLS = 100_000;

/** Bytes of the array for a connection's first requests: many clients may wait to connect. */
const OWN_OUTPUT_BYTES = 1024;
/** Stands for the reader while there is none. */
const NO_INPUT = new FrameReader();

/** Calls on one connection, in the order they were made. */
export class Pipeline {
  /** The reader of the replies, once `attach` has been called. */
  input: FrameReader = NO_INPUT;
  /** Requests that wait to be written. */
  readonly output: FrameWriter = new FrameWriter(undefined, OWN_OUTPUT_BYTES);
  /** Whether the server has said that it stops: it answers these calls, and the next had better be made elsewhere. */
  isLast = false;
  /** Who hears of what comes; nobody by default, nor when the connection is not the one in use any more. */
  hearer: Hearer | undefined;
  #calls: PendingCall[] = [];
  #head = 0;
  /** The first call for which `expire` has not found that the time of all is over. */
  #young = 0;
  /** Calls that are settled, and whose replies are still to come. */
  #passedOver = 0;
  #receivedAtMs = 0;
  /** Whether replies have arrived that wait to be read. */
  #isBehind = false;
  /** The time since which the reply to the oldest call is being read, if it could not be read in one turn. */
  #readingSinceMs: number | undefined;
  readonly #allowance: Allowance;

  /** @param allowance The reading that may be done in one turn of the event loop; no limit by default. */
  constructor(allowance: Allowance = NO_LIMIT) {
    this.#allowance = allowance;
  }

  /** Begins to read replies with `input`, the reader that has read the greeting. */
  attach(input: FrameReader, nowMs: number): void {
    this.input = input;
    this.#receivedAtMs = nowMs;
    input.maxBodyBytes = MAX_BODY_BYTES;
  }

  /** Calls without a reply yet. */
  get pending(): number {
    return this.#calls.length - this.#head;
  }

  /** Calls of these for whose reply somebody waits: those that were late, or were given up, are passed over. */
  get awaited(): number {
    return this.pending - this.#passedOver;
  }

  /** Whether another call may be added. */
  get isFull(): boolean {
    return this.output.length > MAX_WAITING_BYTES || this.pending >= MAX_WAITING_CALLS;
  }

  /**
   * Adds a call; `write` puts its request into the output. If `write` throws, what it wrote is dropped and the call is
   * not made: half a request would shift every later reply to the wrong call. It has ended then, but is not settled.
   *
   * @param ownMs Its own time: `expire` does not fail it, since whoever has made the call does.
   */
  call<Result>(
    write: (output: FrameWriter) => void,
    call: Call<Result>,
    turn: Turn,
    ownMs: number | undefined = undefined,
  ): PendingCall {
    const { length } = this.output;
    try {
      write(this.output);
    } catch (error) {
      this.output.length = length;
      call.ended?.();
      throw error;
    }
    const pending = { call: call as Call<unknown>, turn, ownMs, settled: false };
    this.#calls.push(pending);
    return pending;
  }

  /**
   * Settles calls with the replies that have arrived, as many as the allowance allows.
   *
   * @returns Whether that was all of them; if not, it is to be called again, in a later turn, before more is read.
   * @throws {ProtocolError | CacheError} If the server breaks the protocol or says that it is closing; the connection
   * is of no use then.
   */
  receive(nowMs: number): boolean {
    const [input, allowance] = [this.input, this.#allowance];
    this.#receivedAtMs = nowMs;
    this.#isBehind = true;
    while (this.#readingSinceMs !== undefined || input.next()) {
      if (input.code >= FIRST_PUSH) {
        if (input.code === STOPPING) this.isLast = true;
        else this.hearer?.pushed(input);
        continue;
      }
      if (input.code === REPLY.closing) throw closingError(input);
      if (this.#head === this.#calls.length) throw new ProtocolError(`a reply (${input.code}) that nothing asked for`);
      const pending = this.#calls[this.#head];
      if (!this.#settle(pending)) {
        this.#readingSinceMs ??= nowMs;
        return false;
      }
      this.#readingSinceMs = undefined;
      this.#head++; // only now: a reply that breaks the protocol leaves its call to be failed with the others
      pending.call.ended?.();
      if (allowance.isOver) return false;
    }
    this.#isBehind = false;
    if (this.#head === this.#calls.length) {
      this.#calls.length = this.#head = this.#young = 0;
    } else if (this.#head > 1024 && 2 * this.#head > this.#calls.length) {
      this.#calls = this.#calls.slice(this.#head);
      this.#young = Math.max(0, this.#young - this.#head);
      this.#head = 0;
    }
    return true;
  }

  /**
   * Fails calls that have waited for `timeoutMs` with the error `late`, but those with a time of their own. Their replies are
   * still awaited, to keep the order. While there are replies that wait to be read, only the one is late whose reply has been read
   * for so long.
   *
   * @returns Whether to keep the connection: not if the server has sent nothing since its oldest call, nor if that call
   * has waited for twice `timeoutMs` (a server that trickles). Calls with longer times of their own say nothing of that here; see
   * `isHung`.
   */
  expire(nowMs: number, timeoutMs: number, late: CacheError): boolean {
    if (this.#isBehind) {
      const limitMs = this.#calls[this.#head]?.ownMs ?? timeoutMs;
      if (nowMs - (this.#readingSinceMs ?? nowMs) >= limitMs) this.#passOver(this.#calls[this.#head], tooLong(limitMs));
      return true;
    }
    for (this.#young = Math.max(this.#young, this.#head); this.#young < this.#calls.length; this.#young++) {
      const pending = this.#calls[this.#young];
      if (nowMs - pending.turn.sentAtMs < timeoutMs) break;
      if (pending.ownMs === undefined) this.#passOver(pending, late);
    }
    const oldest = this.#calls[this.#oldest(timeoutMs)];
    if (oldest === undefined || nowMs - oldest.turn.sentAtMs < timeoutMs) return true;
    return this.#receivedAtMs > oldest.turn.sentAtMs && nowMs - oldest.turn.sentAtMs < 2 * timeoutMs;
  }

  /** The time at which `expire` has something to do, in milliseconds; `undefined` while no call waits that it fails, or is to judge by. */
  deadlineMs(timeoutMs: number): number | undefined {
    if (this.#head === this.#calls.length) return undefined;
    if (this.#isBehind) {
      return (this.#readingSinceMs ?? this.#receivedAtMs) + (this.#calls[this.#head].ownMs ?? timeoutMs);
    }
    const at = this.#oldest(timeoutMs);
    if (at === this.#calls.length) return undefined;
    const { sentAtMs } = this.#calls[at].turn;
    if (at >= this.#young) return sentAtMs + timeoutMs;
    const next = this.#calls.find((pending, i) => i >= this.#young && !pending.settled && pending.ownMs === undefined);
    return Math.min(sentAtMs + 2 * timeoutMs, (next?.turn.sentAtMs ?? Infinity) + timeoutMs);
  }

  /** The oldest call that has no more time than `timeoutMs`. */
  #oldest(timeoutMs: number): number {
    let at = this.#head;
    while (at < this.#calls.length && (this.#calls[at].ownMs ?? 0) > timeoutMs) at++;
    return at;
  }

  /**
   * Milliseconds that are left of a call's own time, or of a multiple of it; 0 or less if that is over. While replies wait to be
   * read, only the one is late whose reply has been read for so long.
   */
  leftMs(pending: PendingCall, nowMs: number, times = 1): number {
    const ownMs = times * pending.ownMs!;
    if (!this.#isBehind) return Math.min(ownMs, pending.turn.sentAtMs + ownMs - nowMs);
    const isRead = pending === this.#calls[this.#head] && this.#readingSinceMs !== undefined;
    return isRead ? this.#readingSinceMs! + ownMs - nowMs : ownMs;
  }

  /** Fails a call whose own time is over, with the error `late` or a better one; see `expire`. */
  failLate(pending: PendingCall, late: CacheError): void {
    this.#passOver(pending, this.#isBehind ? tooLong(pending.ownMs!) : late);
  }

  /** Whether the server has sent nothing since a call was sent. */
  isHung({ turn }: PendingCall): boolean {
    return this.#receivedAtMs <= turn.sentAtMs;
  }

  /** Takes note that nobody waits for a call any more, which is not settled. */
  giveUp(pending: PendingCall): void {
    this.#passOver(pending);
  }

  /** Whether somebody waits for a call that has more time of its own than `timeoutMs`. */
  hasPatient(timeoutMs: number): boolean {
    return this.#calls.some((pending, i) => i >= this.#head && !pending.settled && (pending.ownMs ?? 0) > timeoutMs);
  }

  /** Fails calls that wait, but those that have more time of their own than `timeoutMs`. Replies are still awaited. */
  failImpatient(error: CacheError, timeoutMs: number): void {
    for (const pending of this.#calls.slice(this.#head)) {
      if ((pending.ownMs ?? 0) <= timeoutMs) this.#passOver(pending, error);
    }
  }

  /** Fails every call that waits. */
  fail(error: CacheError): void {
    const calls = this.#calls.slice(this.#head);
    this.#calls = [];
    this.#head = this.#young = this.#passedOver = 0;
    this.#readingSinceMs = undefined;
    for (const pending of calls) {
      finish(pending, undefined, error);
      pending.call.ended?.();
    }
  }

  /** Has the reply to a call passed over; settles it with an error, if there is one. */
  #passOver(pending: PendingCall, error?: CacheError): void {
    if (pending.settled) return;
    this.#passedOver++;
    if (error === undefined) pending.settled = true;
    else finish(pending, undefined, error);
  }

  /** Settles a call with its reply. Returns false if that is to be read on. */
  #settle(pending: PendingCall): boolean {
    const { input, hearer } = this;
    let givenAtMs: number | undefined;
    if (hearer !== undefined) {
      givenAtMs = pending.turn.givenAtMs;
      hearer.replied(givenAtMs); // also to a call that is late
    }
    if (pending.settled) {
      this.#passedOver--;
      pending.call.late?.(input);
      return true;
    }
    if (input.code === REPLY.refused) {
      const { code, message } = readError(input);
      finish(pending, undefined, new RefusedError(code, message));
      return true;
    }
    let result: unknown;
    try {
      result = pending.call.read(input, this.#allowance, givenAtMs);
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      finish(pending, undefined, new CacheError("protocol", error.message, { cause: error }));
      return true;
    }
    if (result === LATER) return false;
    finish(pending, result, undefined);
    return true;
  }
}

function tooLong(timeoutMs: number): CacheError {
  return new CacheError("timeout", `to decode what the server has found takes longer than ${timeoutMs} ms`);
}

function finish(pending: PendingCall, result: unknown, error: CacheError | undefined): void {
  if (pending.settled) return;
  pending.settled = true;
  pending.call.settle(result, error);
}
