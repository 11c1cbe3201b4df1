/** Checks of what `retrieveOrStore` is given beside a key. It computes nothing. */

import type { RetrieveOrStoreOptions } from "./cache.ts";
import {
  areAllowed,
  BOOLEAN_OPTION,
  checkOptions,
  type OptionRules,
  shown,
  SIGNAL_OPTION,
  TIMEOUT_OPTION,
  TTL_OPTION,
} from "./options.ts";

/** The rules for the options of `retrieveOrStore`. */
export const RETRIEVE_OR_STORE_OPTIONS: OptionRules<RetrieveOrStoreOptions> = {
  ...{ ttlMs: TTL_OPTION, renewOnHit: BOOLEAN_OPTION },
  ...{ staleWhileRevalidateMs: TTL_OPTION, staleIfErrorMs: TTL_OPTION },
  timeoutMs: TIMEOUT_OPTION,
  signal: SIGNAL_OPTION,
};

const NO_OPTIONS: RetrieveOrStoreOptions = {};

/**
 * Checks what `retrieveOrStore` is given beside a key, and returns the options; where they are right they are not copied.
 *
 * @throws {TypeError} If `compute` is no function, or the options are no object or have another name.
 * @throws {RangeError} If an option is of another type than it has to be, or out of range.
 */
export function checkRetrieveOrStore(
  compute: unknown,
  options: RetrieveOrStoreOptions | null | undefined,
): RetrieveOrStoreOptions {
  if (typeof compute !== "function") {
    throw new TypeError(`Cannot retrieve or store: compute must be a function: received ${shown(compute)}`);
  }
  if (options === undefined || options === null) return NO_OPTIONS;
  const areRight = areAllowed(options, RETRIEVE_OR_STORE_OPTIONS);
  return areRight ? options : checkOptions("retrieve or store", options, RETRIEVE_OR_STORE_OPTIONS);
}
