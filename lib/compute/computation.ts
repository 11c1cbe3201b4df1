/** One computation of the value of a key, from the question to the answer, and who waits for it. It asks no cache. */

import type { ComputeContext, RetrieveOrStoreOptions } from "../base/cache.ts";
import { CacheError } from "../base/errors.ts";
import { computed } from "../platform/telemetry.ts";
import type { Stale } from "./backend.ts";
import { Caller } from "./caller.ts";

/** Computes a value. */
export type Compute = (context: ComputeContext) => unknown;

/** A computation. */
export class Computation {
  readonly key: string;
  /** The options of the first caller: for how long the value is kept, and how long it may take behind an answer. */
  readonly options: RetrieveOrStoreOptions;
  /** Whether an own store, removal or clear has come after its beginning: what it returns is not to be stored. */
  isOvertaken = false;
  readonly #now: () => number;
  readonly #callers = new Set<Caller>();
  readonly #abort = new AbortController();
  /** Rejects when nobody is interested any more. */
  readonly #abandoned = Promise.withResolvers<never>();
  /** Resolves when a caller has waited for another process for long enough. */
  readonly #impatience = Promise.withResolvers<void>();
  #isImpatient = false;
  #hasWaited = false;
  #isComputing = false;
  #beganAtMs = 0;
  /** Whether somebody has been given the stale value that this computation is to replace. */
  #isBehind = false;
  /** Whether somebody has been given a stale value in place of an error. */
  #isHidden = false;
  #isOverdue = false;
  #overdue: ReturnType<typeof setTimeout> | undefined;
  #stale: { readonly value: unknown; readonly sinceMs: number } | undefined;
  #result: { readonly value: unknown } | undefined;

  constructor(key: string, options: RetrieveOrStoreOptions, now: () => number) {
    this.key = key;
    this.options = options;
    this.#now = now;
    this.#abandoned.promise.catch(() => {});
  }

  /** Whether a caller waits. */
  get isAwaited(): boolean {
    return this.#callers.size > 0;
  }

  /** Whether the last caller has gone: nothing is to be done any more, and nobody may join. */
  get isAbandoned(): boolean {
    return this.#abort.signal.aborted;
  }

  /** Whether a caller has waited for another process for as long as it likes to: the value is to be computed here. */
  get isImpatient(): boolean {
    return this.#isImpatient;
  }

  /** Adds a caller. Returns what it is given: a stale value that will do for it, or a promise. */
  join(options: RetrieveOrStoreOptions): unknown {
    if (this.#stale !== undefined && this.#age() < (options.staleWhileRevalidateMs ?? 0)) {
      if (this.#isComputing) this.#goBehind();
      return this.#stale.value;
    }
    const caller = new Caller(options, {
      late: (caller) => this.#late(caller),
      aborted: (caller, reason) => this.#leave(caller, reason),
    });
    this.#callers.add(caller);
    return caller.promise;
  }

  /** Gives a stale value to the callers for whom it will do, while somebody else, or this computation, replaces it. */
  offer(stale: Stale): void {
    this.#stale = { value: stale.value, sinceMs: this.#now() - (stale.forMs ?? 0) };
    const isTaken = this.#giveStale("staleWhileRevalidateMs");
    if (isTaken && this.#isComputing) this.#goBehind();
  }

  /** Gives the stale value, if there is one, to the callers for whom it will do since the value cannot be computed now. */
  offerForWant(): void {
    this.#giveStale("staleIfErrorMs");
  }

  /**
   * Waits for another process, until it is told to ask again, has waited for `ms`, or a caller's time is over.
   *
   * @throws If the last caller goes.
   */
  async wait(again: Promise<void>, ms: number): Promise<void> {
    this.#hasWaited = true;
    const pause = Promise.withResolvers<void>();
    const timer = setTimeout(pause.resolve, ms);
    try {
      await Promise.race([again, pause.promise, this.#impatience.promise, this.#abandoned.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Begins to compute: from now on a stale value that is given is replaced by this computation. */
  begin(stale: Stale | undefined): void {
    this.#isComputing = true;
    this.#beganAtMs = this.#now();
    if (stale !== undefined) this.offer(stale);
  }

  /**
   * Computes the value.
   *
   * @throws What `compute` throws; if the last caller goes, the reason.
   */
  async compute(compute: Compute): Promise<unknown> {
    const value = await Promise.race([computed(() => called(compute, this.#abort.signal)), this.#abandoned.promise]);
    this.#result = { value };
    return value;
  }

  /** Answers all callers. */
  settle(value: unknown): void {
    for (const caller of this.#callers) caller.resolve(value);
    this.end();
  }

  /**
   * Tells all callers of an error, but those for whom a stale value will do.
   *
   * @returns Whether somebody was given a stale value: then the error is to be told elsewhere.
   */
  fail(error: unknown): boolean {
    this.offerForWant();
    for (const caller of this.#callers) caller.reject(error);
    this.end();
    return this.#isHidden || this.#isBehind;
  }

  /** Somebody has been given the stale value: the computation goes on without callers, but not beyond the first one's time. */
  #goBehind(): void {
    if (this.#isBehind) return;
    this.#isBehind = true;
    const { timeoutMs } = this.options;
    if (timeoutMs === undefined) return;
    const leftMs = Math.max(0, this.#beganAtMs + timeoutMs - this.#now());
    this.#overdue = setTimeout(() => this.#endOverdue(), leftMs);
  }

  /** Nothing more is to come of it. */
  end(): void {
    this.#callers.clear();
    clearTimeout(this.#overdue);
  }

  /** Milliseconds for which the stale value has not been fresh. */
  #age(): number {
    return this.#now() - this.#stale!.sinceMs;
  }

  #giveStale(window: "staleWhileRevalidateMs" | "staleIfErrorMs"): boolean {
    if (this.#stale === undefined) return false;
    const [age, { size }] = [this.#age(), this.#callers];
    for (const caller of this.#callers) {
      if (age >= (caller.options[window] ?? 0)) continue;
      caller.resolve(this.#stale.value);
      this.#callers.delete(caller);
    }
    const isTaken = this.#callers.size < size;
    this.#isHidden ||= isTaken && window === "staleIfErrorMs";
    return isTaken;
  }

  /** A caller's time is over: it is given what there is, and one that has waited for another process its time again. */
  #late(caller: Caller): void {
    if (this.#result !== undefined) {
      this.#callers.delete(caller);
      return caller.resolve(this.#result.value);
    }
    if (this.#hasWaited && !this.#isComputing && !this.#isImpatient) {
      this.#isImpatient = true;
      this.#impatience.resolve();
      return caller.startTime();
    }
    const error = this.#timeout(caller.options.timeoutMs!);
    const isStaleEnough = this.#stale !== undefined && this.#age() < (caller.options.staleIfErrorMs ?? 0);
    this.#isHidden ||= isStaleEnough;
    if (isStaleEnough) caller.resolve(this.#stale!.value);
    else caller.reject(error);
    this.#leave(caller, error);
  }

  #leave(caller: Caller, reason: unknown): void {
    this.#callers.delete(caller);
    if (this.#isBehind && !this.#isOverdue) return;
    if (!this.isAwaited && this.#result === undefined) this.#abandon(reason);
  }

  /** The time is over that the first caller, who has been answered, would have waited. */
  #endOverdue(): void {
    this.#isOverdue = true;
    if (!this.isAwaited && this.#result === undefined) this.#abandon(this.#timeout(this.options.timeoutMs!));
  }

  #abandon(reason: unknown): void {
    this.#abort.abort(reason);
    this.#abandoned.reject(reason);
  }

  #timeout(timeoutMs: number): CacheError {
    const key = JSON.stringify(this.key);
    return new CacheError("timeout", `Cannot retrieve or store ${key}: no value within ${timeoutMs} ms`);
  }
}

/** Calls a function at once. What it throws rejects, like what it rejects with. */
async function called(compute: Compute, signal: AbortSignal): Promise<unknown> {
  return await compute({ signal });
}
