/**
 * The end of a connection whose server has said that it stops, or does not answer in time: the calls that were made get their
 * replies, within the time of each, and then it is closed. It does not know where later calls go.
 */

import { CacheError } from "../base/errors.ts";
import { closeQuietly, type Socket } from "../platform/socket.ts";
import type { Pipeline } from "./pipeline.ts";

/** What a parting needs. */
export interface PartingOptions {
  readonly socket: Socket;
  readonly pipeline: Pipeline;
  readonly timeoutMs: number;
  /** The server, for messages. */
  readonly server: string;
}

/** A connection that takes no new calls. */
export class Parting {
  /** Resolves when every call is settled. */
  readonly done: Promise<void>;
  /** Resolves then, or when the server is known to be hung. */
  readonly answered: Promise<void>;
  readonly #options: PartingOptions;
  readonly #end: () => void;
  readonly #isAnswered: () => void;
  #isHung = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: PartingOptions) {
    this.#options = options;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.done = promise;
    this.#end = resolve;
    const answered = Promise.withResolvers<void>();
    this.answered = answered.promise;
    this.#isAnswered = answered.resolve;
    this.#wait();
  }

  /** Closes the connection; calls that still wait fail. */
  end(error?: CacheError): void {
    clearTimeout(this.#timer);
    const { pipeline, socket } = this.#options;
    closeQuietly(socket);
    pipeline.fail(error ?? this.#error("unreachable", this.#isHung ? "the connection was lost" : "it has stopped"));
    this.#end();
    this.#isAnswered();
  }

  /** The server does not answer: calls fail, but those that have more time of their own, after which they fail by themselves. */
  hang(error: CacheError): void {
    const { pipeline, timeoutMs } = this.#options;
    this.#isHung = true;
    clearTimeout(this.#timer);
    this.#isAnswered();
    pipeline.failImpatient(error, timeoutMs);
    if (pipeline.awaited === 0) this.end(error);
  }

  /** The error of a call that has waited for so long. */
  late(ms: number): CacheError {
    return this.#error("timeout", `no reply within ${ms} ms`);
  }

  /** Waits for the time of the next call that is late, and 1 ms more, so that a reply that has arrived is read first. */
  #wait(): void {
    const { pipeline, timeoutMs } = this.#options;
    const deadlineMs = pipeline.deadlineMs(timeoutMs) ?? performance.now() + timeoutMs;
    const leftMs = Math.min(deadlineMs - performance.now(), 2 * timeoutMs);
    this.#timer = setTimeout(() => {
      this.#timer = setTimeout(() => this.#expire(), 1);
      Deno.unrefTimer(this.#timer);
    }, Math.max(1, Math.ceil(leftMs)));
    Deno.unrefTimer(this.#timer);
  }

  #expire(): void {
    const { pipeline, timeoutMs } = this.#options;
    const late = this.late(timeoutMs);
    if (!pipeline.expire(performance.now(), timeoutMs, late)) return this.hang(late);
    this.#wait();
  }

  #error(code: "timeout" | "unreachable", reason: string): CacheError {
    return new CacheError(code, `Cannot use server ${this.#options.server}: ${reason}`, { concerns: "connection" });
  }
}
