/**
 * The end of a connection whose server has said that it stops: the calls that were made get their replies, within the time of each,
 * and then it is closed. It does not know where later calls go.
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
  readonly #options: PartingOptions;
  readonly #end: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: PartingOptions) {
    this.#options = options;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.done = promise;
    this.#end = resolve;
    this.#wait();
  }

  /** Closes the connection; calls that still wait fail. */
  end(error?: CacheError): void {
    clearTimeout(this.#timer);
    const { pipeline, socket } = this.#options;
    closeQuietly(socket);
    pipeline.fail(error ?? this.#error("unreachable", "it has stopped"));
    this.#end();
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
    const late = this.#error("timeout", `no reply within ${timeoutMs} ms`);
    if (!pipeline.expire(performance.now(), timeoutMs, late)) return this.end(late);
    this.#wait();
  }

  #error(code: "timeout" | "unreachable", reason: string): CacheError {
    return new CacheError(code, `Cannot use server ${this.#options.server}: ${reason}`, { concerns: "connection" });
  }
}
