/** The leases of a server, with the one timer that tells those who wait for one that has run out, and with random tokens. */

import type { LeaseStats } from "../base/stats.ts";
import { Leases } from "../near/leases.ts";
import { Timer } from "../platform/timer.ts";
import type { Store } from "../store/store.ts";
import type { LeaseToken } from "../wire/leases.ts";

/** Milliseconds between two looks at all leases that somebody waits for, at least. */
const LEAST_PAUSE_MS = 10;
/** Random numbers that are made at once: one at a time, each would cost as much as a request. */
const RANDOM_NUMBERS = 256;

/** Keeps leases. It is no part that is started: its timer runs only while somebody waits. */
export class LeaseTimer {
  readonly leases: Leases;
  readonly #store: Store;
  readonly #timer = new Timer();
  readonly #random = new Uint32Array(RANDOM_NUMBERS);
  #used = RANDOM_NUMBERS;

  constructor(store: Store) {
    this.#store = store;
    this.leases = new Leases(store, (dueMs) => this.#set(dueMs));
  }

  /** Counts of leases, and who waits now. */
  get stats(): LeaseStats {
    return { ...this.leases.stats, leaseWaits: this.leases.waiting };
  }

  /** Makes a token that nobody can guess. */
  readonly newToken = (): LeaseToken => {
    if (this.#used === RANDOM_NUMBERS) {
      crypto.getRandomValues(this.#random);
      this.#used = 0;
    }
    return { high: this.#random[this.#used++], low: this.#random[this.#used++] };
  };

  #set(dueMs: number): void {
    const ms = Math.max(LEAST_PAUSE_MS, Math.ceil(dueMs - this.#store.nowMs));
    this.#timer.set(ms, () => this.leases.tick(this.#store.nowMs));
  }
}
