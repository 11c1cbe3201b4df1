/** One caller that waits for a computation, until it is answered, its time is over or its signal says so. */

import type { RetrieveOrStoreOptions } from "../base/cache.ts";

/** Who is told that a caller waits no more, or no longer likes to. */
export interface CallerHost {
  /** The caller's time is over. It still waits: it may be answered, or given its time again. */
  late(caller: Caller): void;
  /** The caller has been told the reason of its own signal, and is gone. */
  aborted(caller: Caller, reason: unknown): void;
}

/** A caller. It is answered once; what comes later changes nothing. */
export class Caller {
  /** What the caller is given. */
  readonly promise: Promise<unknown>;
  readonly options: RetrieveOrStoreOptions;
  readonly #host: CallerHost;
  #resolve!: (value: unknown) => void;
  #reject!: (reason: unknown) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: RetrieveOrStoreOptions, host: CallerHost) {
    this.options = options;
    this.#host = host;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.startTime();
    options.signal?.addEventListener("abort", this.#abort);
  }

  /** Begins the caller's time, if it has one, anew. */
  startTime(): void {
    const { timeoutMs } = this.options;
    if (timeoutMs !== undefined) this.#timer = setTimeout(() => this.#host.late(this), timeoutMs);
  }

  /** Gives the caller a value. */
  resolve(value: unknown): void {
    this.#end();
    this.#resolve(value);
  }

  /** Gives the caller an error. */
  reject(reason: unknown): void {
    this.#end();
    this.#reject(reason);
  }

  #abort = (): void => {
    const reason = this.options.signal!.reason;
    this.reject(reason);
    this.#host.aborted(this, reason);
  };

  /** A timer would keep the process alive, and a listener the caller, for as long as its signal is used. */
  #end(): void {
    clearTimeout(this.#timer);
    this.options.signal?.removeEventListener("abort", this.#abort);
  }
}
