/** The one place where concurrent callers of one key share one computation, for every cache. It holds no values. */

import type { RetrieveOrStoreOptions } from "../base/cache.ts";
import type { Asked, Backend } from "./backend.ts";
import { Computation, type Compute } from "./computation.ts";
import { Pauses } from "./pauses.ts";

/** Leave to compute. */
type Leave = Extract<Asked, { state: "compute" | "failed" }>;

/** Milliseconds of a lease where no caller says how long it waits, and the most that a server gives. */
const DEFAULT_LEASE_MS = 10_000;
const MAX_LEASE_MS = 60_000;
/** Milliseconds at most until the next computation of a key for which a stale value has had to do. */
const MAX_PAUSE_MS = 1000;
/** What is computed without leave is not stored. */
const WITHOUT_LEAVE: Leave = { state: "failed" };

/** The computations of a cache that are under way, by key. */
export class Computations {
  readonly #backend: Backend;
  readonly #now: () => number;
  readonly #running = new Map<string, Computation>();
  readonly #pauses: Pauses;
  /** Whether there has been a computation: until then a store has nothing to overtake. */
  #isUsed = false;

  /**
   * @param backend What keeps the values.
   * @param now Returns the time in milliseconds, by a clock that is not put back.
   */
  constructor(backend: Backend, now: () => number) {
    this.#backend = backend;
    this.#now = now;
    this.#pauses = new Pauses(now);
  }

  /**
   * Returns the value of a key, or a promise of it: what the cache has or what `compute` returns, which is stored. What is
   * passed has been checked.
   *
   * @throws What the signal in the options gives as its reason, if it is aborted already, and what the backend throws.
   */
  retrieveOrStore(key: string, compute: Compute, options: RetrieveOrStoreOptions): unknown {
    options.signal?.throwIfAborted();
    const running = this.#running.get(key);
    if (running !== undefined && !running.isAbandoned) return running.join(options);
    const askedAtMs = this.#now();
    const asked = this.#backend.ask(key, { leaseMs: leaseMsOf(options), acceptsStale: acceptsStale(options) });
    if (!(asked instanceof Promise) && asked.state === "fresh") return asked.value;
    const computation = new Computation(key, options, this.#now);
    this.#running.set(key, computation);
    this.#isUsed = true;
    const answer = computation.join(options);
    this.#answer(computation, compute, asked, askedAtMs);
    return answer;
  }

  /**
   * Has a key's computation, or all, take no more callers and store nothing: what the cache holds has changed since it began.
   * To be called before what changes it is sent or done.
   */
  overtaken(key?: string): void {
    if (!this.#isUsed) return;
    this.#pauses.end(key);
    if (this.#running.size === 0) return;
    for (const computation of key === undefined ? this.#running.values() : [this.#running.get(key)]) {
      if (computation !== undefined) computation.isOvertaken = true;
    }
    if (key === undefined) this.#running.clear();
    else this.#running.delete(key);
  }

  /** Does the same for all keys that begin with a prefix. */
  overtakenUnder(prefix: string): void {
    if (!this.#isUsed) return;
    this.#pauses.endUnder(prefix);
    for (const key of this.#running.keys()) if (key.startsWith(prefix)) this.overtaken(key);
  }

  /** Sees to it that all callers of a computation are answered. It does not reject. */
  async #answer(computation: Computation, compute: Compute, first: Asked | Promise<Asked>, askedAtMs: number) {
    try {
      const leave = isLeave(first) ? first : await this.#leave(computation, first, askedAtMs);
      if (leave !== undefined) await this.#compute(computation, compute, leave);
    } catch (error) {
      this.#detach(computation);
      const { key, options, isOvertaken } = computation;
      const isHidden = computation.fail(error);
      if (isHidden && !isOvertaken) this.#pauses.begin(key, Math.min(leaseMsOf(options), MAX_PAUSE_MS));
      if (isHidden) this.#backend.failed(key, error);
    } finally {
      computation.end();
      this.#detach(computation);
    }
  }

  /** Asks until this process is to compute. Returns nothing if all callers are answered without that, or gone. */
  async #leave(
    computation: Computation,
    first: Asked | Promise<Asked>,
    firstAskedAtMs: number,
  ): Promise<Leave | undefined> {
    const { key, options } = computation;
    let leaseMs = leaseMsOf(options);
    let takesStale = acceptsStale(options);
    for (let [question, askedAtMs] = [first, firstAskedAtMs];;) {
      const asked = await question;
      if (computation.isAbandoned) return this.#giveBack(key, asked);
      if (isLeave(asked)) {
        const isLate = this.#tokenOf(asked) !== undefined && this.#now() - askedAtMs > leaseMs;
        if (!isLate) return asked;
        this.#giveBack(key, asked); // somebody else may have leave by now
        leaseMs = Math.min(2 * leaseMs, MAX_LEASE_MS); // or none would ever come in time, from a server far away
      } else if (asked.state === "fresh") {
        this.#detach(computation); // at once: who is answered may ask again in the same moment, and nobody would answer that
        return void computation.settle(asked.value);
      } else if (asked.state === "stale") {
        if (!takesStale) return WITHOUT_LEAVE;
        computation.offer(asked);
        if (!computation.isAwaited) return this.#detach(computation);
        takesStale = false; // who still waits is for a fresh value
      } else {
        if (!computation.isImpatient) await computation.wait(asked.again, leaseMs);
        if (computation.isImpatient) return WITHOUT_LEAVE;
      }
      askedAtMs = this.#now();
      question = this.#backend.ask(key, { leaseMs, acceptsStale: takesStale });
    }
  }

  async #compute(computation: Computation, compute: Compute, leave: Leave): Promise<void> {
    const { key, options } = computation;
    const token = this.#tokenOf(leave);
    computation.begin(leave.state === "compute" ? leave.stale : undefined);
    if (this.#pauses.has(key)) {
      computation.offerForWant();
      if (!computation.isAwaited) {
        this.#detach(computation);
        return this.#giveBack(key, leave);
      }
    }
    try {
      const value = await computation.compute(compute);
      this.#detach(computation); // who comes now asks, and is answered in the order of what is stored
      if (computation.isOvertaken || leave.state === "failed") this.#giveBack(key, leave);
      else await this.#backend.fill(key, value, token, lifetimeOf(options));
      computation.settle(value);
    } catch (error) {
      this.#giveBack(key, leave);
      throw error;
    }
  }

  #tokenOf(asked: Asked): unknown {
    return asked.state === "compute" ? asked.token : undefined;
  }

  #giveBack(key: string, asked: Asked): undefined {
    const token = this.#tokenOf(asked);
    if (token !== undefined) this.#backend.give(key, token);
  }

  /** Has no more callers share a computation. */
  #detach(computation: Computation): undefined {
    if (this.#running.get(computation.key) === computation) this.#running.delete(computation.key);
  }
}

function isLeave(asked: Asked | Promise<Asked>): asked is Leave {
  return !(asked instanceof Promise) && (asked.state === "compute" || asked.state === "failed");
}

/** What is not computed within the caller's time is given up, so a lease need not last longer. */
function leaseMsOf({ timeoutMs = DEFAULT_LEASE_MS }: RetrieveOrStoreOptions): number {
  return Math.min(Math.ceil(timeoutMs), MAX_LEASE_MS);
}

function acceptsStale({ staleWhileRevalidateMs = 0, staleIfErrorMs = 0 }: RetrieveOrStoreOptions): boolean {
  return staleWhileRevalidateMs > 0 || staleIfErrorMs > 0;
}

function lifetimeOf(
  { ttlMs, renewOnHit = false, staleWhileRevalidateMs = 0, staleIfErrorMs = 0 }: RetrieveOrStoreOptions,
) {
  return { ttlMs, renewOnHit, staleMs: Math.max(staleWhileRevalidateMs, staleIfErrorMs) };
}
