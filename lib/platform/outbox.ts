/**
 * The output of one connection: frames collect here and are written together at the end of a turn, one write at a time.
 * It knows bytes and when they leave, not what they mean.
 */

import { FrameWriter } from "../wire/frame.ts";
import type { ByteStream } from "./byte_stream.ts";

/** Options of {@linkcode Outbox}. */
export interface OutboxOptions {
  /** The stream that bytes are written to. */
  readonly stream: ByteStream;
  /** The writer in which bytes collect; a new one by default. */
  readonly output?: FrameWriter;
  /** Bytes that may wait; with more, `isFull` is true. No limit by default: replies are bounded by what asks for them. */
  readonly limitBytes?: number;
  /** Counts the bytes that are written; with a counter of its own by default. */
  readonly traffic?: { bytesSent: number };
  /** Called with the error if a write fails that `flushSoon` or `flushNow` began. */
  readonly onError: (error: unknown) => void;
  /** Called before each write, and with `true` when all is written, so that a reader that takes nothing is noticed. */
  readonly onProgress?: (isIdle: boolean) => void;
}

/** Collects the output of one connection and writes it. */
export class Outbox {
  /** The writer in which output collects. Code that writes into it outside a reply has to call `flushSoon`. */
  readonly output: FrameWriter;
  /** Counter of the bytes that have been written. */
  readonly traffic: { bytesSent: number };
  /** Bytes that this connection has written. */
  sentBytes = 0;
  readonly #stream: ByteStream;
  readonly #limitBytes: number;
  readonly #onError: (error: unknown) => void;
  readonly #onProgress: ((isIdle: boolean) => void) | undefined;
  #isQueued = false;
  #isHeld = false;
  #writing: Promise<void> | undefined;

  constructor(
    { stream, output, limitBytes = Infinity, traffic = { bytesSent: 0 }, onError, onProgress }: OutboxOptions,
  ) {
    this.#stream = stream;
    this.#limitBytes = limitBytes;
    this.traffic = traffic;
    this.output = output ?? new FrameWriter();
    this.#onError = onError;
    this.#onProgress = onProgress;
  }

  /** Whether more waits than may: whoever has something to say that no request asked for leaves it out. */
  get isFull(): boolean {
    return this.output.length > this.#limitBytes;
  }

  /** The write under way that `flush` or `flushSoon` began; `undefined` if there is none. */
  get writing(): Promise<void> | undefined {
    return this.#writing;
  }

  /** Writes the output at the end of this turn. */
  flushSoon(): void {
    if (this.#isQueued || this.#isHeld || this.#writing !== undefined) return;
    this.#isQueued = true;
    queueMicrotask(() => {
      this.#isQueued = false;
      if (!this.#isHeld) this.flushNow();
    });
  }

  /** Begins to write the output; if that fails, `onError` is called. */
  flushNow(): void {
    if (this.#writing === undefined) this.flush().catch(this.#onError);
  }

  /** Writes the output, and what is added to it during the write. */
  flush(): Promise<void> {
    // An empty write would end before it could be remembered, and then be remembered for ever.
    if (this.output.pendingBytes === 0) return this.#writing ?? Promise.resolve();
    return this.#writing ??= this.#write();
  }

  /**
   * Leaves all writing to the caller until `unhold`: a loop that answers requests writes its replies itself, because
   * one more asynchronous function slows every request. Output that others add is written with the replies.
   */
  hold(): void {
    this.#isHeld = true;
  }

  /** Ends `hold`: the outbox writes by itself again. */
  unhold(): void {
    this.#isHeld = false;
  }

  /** Makes one write, for a caller that holds the outbox and then calls `sent`. */
  write(): Promise<number> {
    return this.#stream.write(this.output.part());
  }

  /** Takes note that a `write` has sent `count` bytes. */
  sent(count: number): void {
    this.traffic.bytesSent += count;
    this.sentBytes += count;
    this.output.sent(count);
  }

  async #write(): Promise<void> {
    try {
      while (this.output.pendingBytes > 0) {
        this.#onProgress?.(false);
        this.sent(await this.write());
      }
    } finally {
      this.#writing = undefined;
      this.#onProgress?.(true);
    }
  }
}
