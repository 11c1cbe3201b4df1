/** What was written to a cluster, and what a node holds of it. */

import type { OrmucoCache } from "../../mod.ts";

/** Calls in flight at once; a client in another process may have some more. */
const BATCH = 1000;

/** What a node holds of some keys. */
export interface Holding {
  /** Keys with their newest value. */
  readonly newest: number;
  /** Keys with an older value, or with any though they were removed. */
  readonly stale: number;
}

/** The newest value of every key that was written through it. */
export class Ledger {
  readonly #newest = new Map<string, string | undefined>();
  /** Calls that failed: a count of what is held says nothing then. */
  failures = 0;

  /** Every key that was written or removed. */
  get keys(): string[] {
    return [...this.#newest.keys()];
  }

  /** Stores a value under each key, in their order. */
  async store(
    cache: OrmucoCache,
    keys: readonly string[],
    value: string,
    ttlMs?: number,
  ): Promise<void> {
    await inBatches(keys, async (key) => {
      this.#newest.set(key, value);
      if (!await cache.store(key, value, { ttlMs })) this.failures++;
    });
  }

  /** Removes each key, in their order. */
  async remove(cache: OrmucoCache, keys: readonly string[]): Promise<void> {
    await inBatches(keys, async (key) => {
      this.#newest.set(key, undefined);
      await cache.remove(key);
    });
  }

  /** What a node holds of keys. */
  async audit(
    cache: OrmucoCache,
    keys: readonly string[] = this.keys,
  ): Promise<Holding> {
    let [newest, stale] = [0, 0];
    for (let from = 0; from < keys.length; from += 20 * BATCH) {
      const found = await cache.retrieveMany(
        keys.slice(from, from + 20 * BATCH),
      );
      for (const [key, value] of found) {
        if (value === this.#newest.get(key)) newest++;
        else stale++;
      }
    }
    return { newest, stale };
  }
}

async function inBatches(
  keys: readonly string[],
  call: (key: string) => Promise<void>,
): Promise<void> {
  for (let from = 0; from < keys.length; from += BATCH) {
    await Promise.all(keys.slice(from, from + BATCH).map(call));
    // A cache in this process answers at once: its server needs a turn to speak with its peers.
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}
