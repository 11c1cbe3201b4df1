/**
 * A call with bounds of its own: milliseconds, or a signal. It ends the call when one of them is over, while its connection goes on
 * and passes the reply over. What a late call says of the server is not decided here.
 */

import type { CallOptions } from "../base/cache.ts";
import type { CacheError } from "../base/errors.ts";
import type { FrameWriter } from "../wire/frame.ts";
import type { Call, PendingCall, Pipeline, Turn } from "./pipeline.ts";
import { listen, unlisten } from "./signals.ts";

/** What may end one call before others. */
export interface Bounds extends CallOptions {
  /** Receives the reason of the signal when that is aborted, in place of a result or a failure. */
  readonly aborted: (reason: unknown) => void;
}

/** Returns the bounds that options give a call, if they give any. */
export function boundsOf(
  { timeoutMs, signal }: CallOptions,
  aborted: (reason: unknown) => void,
): Bounds | undefined {
  return timeoutMs === undefined && signal === undefined ? undefined : { timeoutMs, signal, aborted };
}

/** Who is told of the end of a bounded call. */
export interface BoundedCallHost {
  /** The call's own time is over: the host is to fail it. Where its reply does not come for as long again, this comes again. */
  late(call: BoundedCall, isAgain: boolean): void;
  /** Somebody waits for this call no more. */
  givenUp(pipeline: Pipeline): void;
}

/** A call with bounds. */
export class BoundedCall implements Call<unknown> {
  readonly read: Call<unknown>["read"];
  readonly late: Call<unknown>["late"];
  readonly #call: Call<unknown>;
  readonly #bounds: Bounds;
  readonly #host: BoundedCallHost;
  /** Where the call has been made. */
  pipeline!: Pipeline;
  pending!: PendingCall;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Whether the time is over and the timer waits 1 ms more, so that a reply that has arrived is read. */
  #isOverdue = false;
  #isLate = false;

  constructor(call: Call<unknown>, bounds: Bounds, host: BoundedCallHost) {
    this.read = call.read;
    this.late = call.late;
    this.#call = call;
    this.#bounds = bounds;
    this.#host = host;
  }

  /** Makes the call, begins its time, and listens to its signal. Throws what `write` throws. */
  make(pipeline: Pipeline, write: (output: FrameWriter) => void, turn: Turn): void {
    const { timeoutMs, signal } = this.#bounds;
    this.pipeline = pipeline;
    this.pending = pipeline.call(write, this, turn, timeoutMs);
    if (timeoutMs !== undefined) this.#startTimer(timeoutMs);
    if (signal !== undefined) listen(signal, this.#onAbort);
  }

  settle(result: unknown, error: CacheError | undefined): void {
    const { signal } = this.#bounds;
    if (signal !== undefined) unlisten(signal, this.#onAbort);
    this.#call.settle(result, error);
  }

  ended(): void {
    clearTimeout(this.#timer);
    this.#call.ended?.();
  }

  #onAbort = (): void => {
    this.pipeline.giveUp(this.pending);
    this.#bounds.aborted(this.#bounds.signal!.reason);
    this.#host.givenUp(this.pipeline);
  };

  #startTimer(delayMs: number): void {
    this.#timer = setTimeout(() => this.#onTimer(), Math.max(1, Math.ceil(delayMs)));
    Deno.unrefTimer(this.#timer); // while somebody waits, the connection keeps the process alive
  }

  #onTimer(): void {
    const { pipeline, pending } = this;
    const leftMs = pipeline.leftMs(pending, performance.now(), this.#isLate ? 2 : 1);
    const isOver = leftMs <= 0;
    if (!isOver || !this.#isOverdue) {
      this.#isOverdue = isOver;
      return this.#startTimer(leftMs);
    }
    const isAgain = this.#isLate;
    this.#isLate = true;
    this.#isOverdue = false;
    if (!isAgain) this.#startTimer(pending.ownMs!);
    this.#host.late(this, isAgain);
  }
}
