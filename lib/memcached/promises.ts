/**
 * Keys that have no entry and are promised to a client, which will store one: leases, as memcached's clients see them. It knows
 * keys, numbers and deadlines, not commands; what a client of the native protocol computes is promised here too.
 */

import type { ByteSpan } from "../base/byte_span.ts";
import type { Asker, Lease, Leases } from "../near/leases.ts";
import type { Store } from "../store/store.ts";
import { type Unsigned, unsignedOf } from "../base/unsigned.ts";

/** The promise of a key to a client. */
export interface Promised {
  /** Stands for the promise where a client compares states. */
  readonly cas: Unsigned;
  /** When it ends by itself, in milliseconds, `Infinity` for never; and when the key was last asked for, if it was since. */
  readonly lease: Pick<Lease, "deadlineMs" | "usedMs" | "isUsed">;
}

/**
 * Promises by key. A promised key has no entry: whatever writes or removes one ends the promise, also if that entry has
 * left again since.
 */
export class Promises {
  readonly #clock: Pick<Store, "nowMs">;
  readonly #leases: Leases;

  constructor(clock: Pick<Store, "nowMs">, leases: Leases) {
    this.#clock = clock;
    this.#leases = leases;
  }

  /** The promise of a key, if there is one that has not ended. */
  find(key: ByteSpan): Promised | undefined {
    const lease = this.#leases.held(key, this.#clock.nowMs);
    return lease && { cas: casOf(lease), lease };
  }

  /** Promises a key for `ttlMs` milliseconds to a connection. */
  make(key: ByteSpan, ttlMs: number, cas: Unsigned, asker: Asker): Promised {
    const { nowMs } = this.#clock;
    const number = BigInt(cas);
    const token = { high: Number(number >> 32n), low: Number(BigInt.asUintN(32, number)) };
    return { cas, lease: this.#leases.grant(key, asker, { ...token, nowMs, leaseMs: ttlMs }) };
  }

  /** Ends the promise of a key, if there is one. */
  end(key: ByteSpan): void {
    this.#leases.end(key);
  }

  /** Ends the promises to a connection, which has ended. */
  leave(asker: Asker): void {
    this.#leases.leave(asker);
  }
}

function casOf({ high, low }: Lease): Unsigned {
  return unsignedOf(BigInt(high) << 32n | BigInt(low));
}
