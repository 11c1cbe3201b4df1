/**
 * Failed attempts to get in: counts them for each address, delays what a wrong guess is told, and logs them. It knows no
 * credentials, and delays nobody whose own attempt is good.
 */

import { pause } from "../platform/socket.ts";
import { hostOf, type LimitedLog } from "./limited_log.ts";

/** Milliseconds for which the first failure of an address is not answered; each further one takes twice as long. */
const FIRST_DELAY_MS = 25;
/** The longest: short enough for a client that waits half a second for each of two servers to hear why. */
const LAST_DELAY_MS = 400;
/** Answers that wait at the same time; more are sent at once, so that strangers take no more memory. */
const MAX_WAITING = 64;
/** Addresses that are remembered, and milliseconds after the last failure of one. */
const MAX_ADDRESSES = 1024;
const REMEMBERED_MS = 60_000;

interface Failures {
  count: number;
  lastMs: number;
}

/** The failed attempts at one server. */
export class Attempts {
  readonly #log: LimitedLog;
  readonly #now: () => number;
  readonly #wait: (ms: number) => Promise<void>;
  /** By address; that whose last failure is the latest comes last. */
  readonly #failures = new Map<string, Failures>();
  #waiting = 0;

  /** @param options The clock `now`, in milliseconds; `wait` resolves after the milliseconds that it is given. */
  constructor(
    log: LimitedLog,
    { now = () => performance.now(), wait = pause }: { now?: () => number; wait?: (ms: number) => Promise<void> } = {},
  ) {
    this.#log = log;
    this.#now = now;
    this.#wait = wait;
  }

  /** Addresses that are remembered. */
  get addresses(): number {
    return this.#failures.size;
  }

  /** Takes note of a failure and logs why. Resolves when it may be answered. */
  readonly failed = async (address: string, why: string): Promise<void> => {
    this.#log.say("login", address, `Client ${address} is not let in: ${why}`);
    const delayMs = this.#count(hostOf(address));
    if (this.#waiting >= MAX_WAITING) return;
    this.#waiting++;
    await this.#wait(delayMs);
    this.#waiting--;
  };

  /** Counts a failure. Returns the milliseconds until its answer. */
  #count(host: string): number {
    const nowMs = this.#now();
    for (const [oldest, { lastMs }] of this.#failures) {
      if (this.#failures.size < MAX_ADDRESSES && nowMs - lastMs < REMEMBERED_MS) break;
      this.#failures.delete(oldest);
    }
    const { count } = this.#failures.get(host) ?? { count: 0 };
    this.#failures.delete(host); // it comes last then
    this.#failures.set(host, { count: count + 1, lastMs: nowMs });
    return Math.min(FIRST_DELAY_MS * 2 ** Math.min(count, 20), LAST_DELAY_MS);
  }
}
