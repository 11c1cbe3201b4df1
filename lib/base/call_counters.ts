/** Counts the results of a cache's calls. It makes no calls. */

import type { CacheErrorCode } from "./errors.ts";
import type { ClientStats } from "./stats.ts";

/** Counters of calls. */
export class CallCounters {
  /** Values found. */
  hits = 0;
  /** Values not found. */
  misses = 0;
  /** Values stored. */
  stores = 0;
  /** Calls that failed, by reason. */
  readonly failures: Record<CacheErrorCode, number> = {
    unreachable: 0,
    timeout: 0,
    refused: 0,
    protocol: 0,
    busy: 0,
    compute: 0,
  };

  /** Counts `values` hits for `keys` keys; the other keys are misses. */
  found(values: number, keys: number): void {
    this.hits += values;
    this.misses += keys - values;
  }

  /** The counters as statistics show them. */
  stats(): Pick<ClientStats, "hits" | "misses" | "stores" | "failures"> {
    return { hits: this.hits, misses: this.misses, stores: this.stores, failures: { ...this.failures } };
  }
}
