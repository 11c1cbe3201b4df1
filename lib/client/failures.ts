/** Failures of a client's calls: counts them, and tells of each once. It makes no calls. */

import type { EventTeller } from "../base/cache_event.ts";
import type { CallCounters } from "../base/call_counters.ts";
import { CacheError } from "../base/errors.ts";
import { shown } from "../base/options.ts";
import { isDenied } from "../platform/connect.ts";
import { warnOnce } from "./warnings.ts";

/** What becomes of failures. */
export interface FailuresOptions {
  readonly counters: CallCounters;
  /** Told of what `onError` is told of. */
  readonly events: EventTeller;
  /** Of what the client is one, so that failures of another's kind are told too. */
  readonly of: string;
  readonly onError: ((error: CacheError) => void) | undefined;
}

/** Counts and tells failures. */
export class Failures {
  readonly #options: FailuresOptions;
  readonly #told = new WeakSet<CacheError>();

  constructor(options: FailuresOptions) {
    this.#options = options;
  }

  /** Counts a failed call and tells of it: with its key, unless the error is one of the whole connection. */
  failed(error: CacheError, verb: string, key?: string): void {
    this.#options.counters.failures[error.code]++;
    if (error.concerns === "connection") return this.tell(error);
    const what = key === undefined ? verb : `${verb} ${JSON.stringify(key)}`;
    this.tell(new CacheError(error.code, `Cannot ${what}: ${error.message}`, { cause: error }));
  }

  /** Counts a computation that failed behind an older value, and tells of it. */
  computing(error: unknown, key: string): void {
    const reason = error instanceof Error ? error.message : shown(error);
    this.failed(new CacheError("compute", reason, { cause: error }), "compute", key);
  }

  /**
   * Passes an error on, once: a lost connection fails many calls with one error. Without `onError` the first error of a kind is
   * said in the process's log.
   */
  tell(error: CacheError): void {
    const { onError, of, events } = this.#options;
    if (this.#told.has(error) || isDenied(error)) return;
    this.markTold(error);
    events.tell({ type: "error", error });
    if (onError === undefined) {
      const kind = `${error.code} ${of}`;
      return warnOnce(`OrmucoCacheClient: ${error.message} (said once; option onError is told of every failure)`, kind);
    }
    try {
      const result = onError(error) as unknown;
      if (result instanceof Promise) result.catch(() => {});
    } catch {
      // An error of the callback must not end the connection.
    }
  }

  /** Takes note that the caller has been told of an error. */
  markTold(error: CacheError): void {
    this.#told.add(error);
  }
}
