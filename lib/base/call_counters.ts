/** Counts the results of a cache's calls, and has each told of. It makes no calls. */

import type { EventTeller } from "./cache_event.ts";
import type { CacheError, CacheErrorCode } from "./errors.ts";
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
  readonly #events: EventTeller;

  /** @param events Is told what is counted here. */
  constructor(events: EventTeller) {
    this.#events = events;
  }

  /** Counts a value that was asked for. */
  asked(key: string, isHit: boolean): void {
    if (isHit) this.hits++;
    else this.misses++;
    this.#events.asked(key, isHit);
  }

  /** Counts a value that was stored. */
  stored(key: string): void {
    this.stores++;
    this.#events.changed("store", key);
  }

  /** Tells of a number that was added to, or made. */
  added(key: string): void {
    this.#events.changed("store", key);
  }

  /** Tells of an entry that was removed. */
  removed(key: string): void {
    this.#events.changed("remove", key);
  }

  /** Tells that all entries were removed, or those whose keys begin with a prefix. */
  cleared(prefix = ""): void {
    this.#events.tell({ type: "clear", prefix });
  }

  /** Counts a failure that no caller is told of. */
  failed(error: CacheError): void {
    this.failures[error.code]++;
    this.#events.later({ type: "error", error });
  }

  /** The counters as statistics show them. */
  stats(): Pick<ClientStats, "hits" | "misses" | "stores" | "failures"> {
    return { hits: this.hits, misses: this.misses, stores: this.stores, failures: { ...this.failures } };
  }
}
