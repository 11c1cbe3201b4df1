/** The work of a server that no request asks for: a timer runs it in slices, between requests. */

import { forgetSome } from "../wire/buffer_pool.ts";
import { Timer } from "../platform/timer.ts";
import type { Store } from "../store/store.ts";
import type { Part } from "./part.ts";

/** Milliseconds between slices, while there is more to do and while there is not. */
const BUSY_PAUSE_MS = 4;
const IDLE_PAUSE_MS = 500;

/** Drops expired entries, frees memory, and runs what a memcached client wants done later. */
export class Maintenance implements Part {
  readonly #store: Store;
  readonly #log: (line: string) => void;
  readonly #later = new Timer();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param log Called with a line on each failure. */
  constructor(store: Store, log: (line: string) => void) {
    this.#store = store;
    this.#log = log;
  }

  /** Begins with the first slice. */
  start(): void {
    this.#run();
  }

  /** Ends at once, and drops the function that `runLater` was given. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#later.stop();
  }

  /** Runs `run` after `ms` milliseconds, instead of the function that waits. */
  runLater(ms: number, run: () => void): void {
    this.#later.set(ms, run);
  }

  #run(): void {
    let pauseMs = IDLE_PAUSE_MS;
    forgetSome();
    try {
      if (this.#store.maintain()) pauseMs = BUSY_PAUSE_MS;
    } catch (error) {
      this.#log(`Cannot tidy up, trying again: ${(error as Error).message}`);
    }
    this.#timer = setTimeout(() => this.#run(), pauseMs);
  }
}
