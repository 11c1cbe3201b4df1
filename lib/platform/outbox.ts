/**
 * The output of one connection: frames of whoever has something to say collect here and leave once a turn, one write at a
 * time. It knows bytes and when they leave, not what they say.
 */

import { FrameWriter } from "../wire/frame.ts";
import type { ByteStream } from "./byte_stream.ts";

/** What an outbox is made of. */
export interface OutboxOptions {
  /** Where bytes go. */
  readonly stream: ByteStream;
  /** Where they collect; a new writer by default. */
  readonly output?: FrameWriter;
  /** Bytes that may wait; with more, `isFull` is true. No limit by default: replies are bounded by what asks for them. */
  readonly limitBytes?: number;
  /** Told why a write that `flushSoon` or `flushNow` began has failed. */
  readonly onError: (error: unknown) => void;
  /** Told before each write and when all is written; for one who watches whether the other side takes anything. */
  readonly onProgress?: (isIdle: boolean) => void;
}

/** Collects the output of one connection and writes it. */
export class Outbox {
  /** Takes what is to be said. Whoever writes into it outside a reply has to call `flushSoon`. */
  readonly output: FrameWriter;
  /** Bytes that have been written. */
  bytesSent = 0;
  readonly #stream: ByteStream;
  readonly #limitBytes: number;
  readonly #onError: (error: unknown) => void;
  readonly #onProgress: ((isIdle: boolean) => void) | undefined;
  #isQueued = false;
  #isHeld = false;
  #writing: Promise<void> | undefined;

  constructor({ stream, output, limitBytes = Infinity, onError, onProgress }: OutboxOptions) {
    this.#stream = stream;
    this.#limitBytes = limitBytes;
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

  /** Writes what has been collected at the end of this turn. */
  flushSoon(): void {
    if (this.#isQueued || this.#isHeld || this.#writing !== undefined) return;
    this.#isQueued = true;
    queueMicrotask(() => {
      this.#isQueued = false;
      if (!this.#isHeld) this.flushNow();
    });
  }

  /** Writes what has been collected, and has `onError` told if that fails. */
  flushNow(): void {
    if (this.#writing === undefined) this.flush().catch(this.#onError);
  }

  /** Writes what has been collected, and what is added meanwhile. */
  flush(): Promise<void> {
    return this.#writing ??= this.#write();
  }

  /**
   * Leaves all writing to the caller until `unhold`: a loop that answers requests writes its replies itself, since waiting
   * for a function that waits is felt in every request. What others add is written with them.
   */
  hold(): void {
    this.#isHeld = true;
  }

  /** Ends `hold`. */
  unhold(): void {
    this.#isHeld = false;
  }

  /** One write, for one who holds the outbox: it is followed by `sent`. */
  write(): Promise<number> {
    return this.#stream.write(this.output.taken());
  }

  /** Takes note of what a `write` has sent. */
  sent(count: number): void {
    this.bytesSent += count;
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
