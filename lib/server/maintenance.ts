/** The work of a server that no request asks for: a timer runs it in slices, between requests. */

import type { Log } from "../base/log.ts";
import { grouped } from "../base/words.ts";
import { forgetSome } from "../wire/buffer_pool.ts";
import { Timer, unref } from "../platform/timer.ts";
import type { Store } from "../store/store.ts";
import type { Insight } from "./insight.ts";
import type { Part } from "./part.ts";

/** Milliseconds between slices, while there is more to do and while there is not. */
const BUSY_PAUSE_MS = 4;
const IDLE_PAUSE_MS = 500;
/** Milliseconds after which a slice ends with the step that is under way. */
export const SLICE_MS = 0.8;

/** Drops expired entries, frees memory, says when entries begin to be evicted, and runs what a memcached client wants done later. */
export class Maintenance implements Part {
  readonly #store: Store;
  readonly #insight: Pick<Insight, "look">;
  readonly #log: Log;
  readonly #later = new Timer();
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Evictions before the start; `undefined` once those since have been told of. */
  #evictions: number | undefined;

  /** @param log Called with a line on each failure, and one on the first eviction. */
  constructor(store: Store, insight: Pick<Insight, "look">, log: Log) {
    this.#store = store;
    this.#insight = insight;
    this.#log = log;
  }

  /** Begins with the first slice. */
  start(): void {
    this.#evictions = this.#store.losses.evictions;
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
      const endMs = performance.now() + SLICE_MS;
      if (this.#store.maintain(() => performance.now() >= endMs)) pauseMs = BUSY_PAUSE_MS;
      this.#insight.look();
      if (this.#evictions !== undefined) this.#tellOfEvictions(this.#evictions);
    } catch (error) {
      this.#log(`Cannot tidy up, trying again: ${(error as Error).message}`, "warn");
    }
    this.#timer = unref(setTimeout(() => this.#run(), pauseMs));
  }

  /** Says once that there is not room for all entries, and what to set: a cache that is too small only looks slow. */
  #tellOfEvictions(before: number): void {
    const { maxSize, maxBytes = 0, losses } = this.#store;
    if (losses.evictions <= before) return;
    this.#evictions = undefined;
    const limit = losses.lastEvictedOf >= maxSize
      ? `${grouped(maxSize)} entries (CACHE_MAX_SIZE, --max-size, option maxSize)`
      : `${grouped(maxBytes)} bytes of memory (CACHE_MAX_BYTES, --max-bytes, option maxBytes)`;
    this.#log(`Entries leave to make room for others from now on: the limit is ${limit}`);
  }
}
