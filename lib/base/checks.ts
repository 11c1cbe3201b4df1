/** Checks of what a caller passes: keys (text of 1 to 4,096 bytes as UTF-8), times to live, and values. */

import { MAX_KEY_BYTES, MAX_TTL_MS } from "./limits.ts";
import { BOOLEAN_OPTION, checkOptions, type OptionRules, shown, TTL_OPTION } from "./options.ts";

/**
 * Checks a key.
 *
 * @throws {RangeError} If the key is empty, too long, or has a lone surrogate (which UTF-8 cannot carry).
 */
export function checkKey(key: string): void {
  if (typeof key !== "string") throw keyError(key);
  const isShort = key.length > 0 && key.length <= MAX_KEY_BYTES / 3; // no UTF-16 unit takes more than 3 bytes
  if (isShort ? key.isWellFormed() : isWholeKey(key)) return;
  throw keyError(key);
}

function isWholeKey(key: string): boolean {
  if (key.length === 0 || key.length > MAX_KEY_BYTES || !key.isWellFormed()) return false;
  return new TextEncoder().encode(key).length <= MAX_KEY_BYTES;
}

/**
 * Checks what the keys of a namespace begin with: it has to leave room for one byte of a key.
 *
 * @throws {RangeError} If it is empty, too long, or has a lone surrogate.
 */
export function checkPrefix(prefix: string): void {
  if (typeof prefix === "string" && prefix !== "" && isWholeKey(`${prefix}_`)) return; // as a key of it is
  throw new RangeError(
    `Cannot make a namespace: its prefix must be well-formed text of 1 to ${
      MAX_KEY_BYTES - 1
    } bytes as UTF-8: received ${shown(prefix)}`,
  );
}

/** The error for a key that is not allowed. */
export function keyError(key: unknown): RangeError {
  const shown = typeof key !== "string"
    ? `${key === null ? "null" : typeof key}`
    : key.length > 40
    ? `${JSON.stringify(key.slice(0, 40))}… (${key.length} characters)`
    : JSON.stringify(key);
  return new RangeError(
    `Cannot use key: it must be well-formed text of 1 to ${MAX_KEY_BYTES} bytes as UTF-8: received ${shown}`,
  );
}

/**
 * Checks that keys are a list, and returns each of them once. It does not look at the keys.
 *
 * @throws {TypeError} If they are no list; a text is one key, though it can be taken character by character.
 */
export function uniqueKeys(keys: Iterable<string>): Set<string> {
  checkKeyList(keys);
  return new Set(keys);
}

/**
 * Checks that keys are a list. It does not look at the keys.
 *
 * @throws {TypeError} As {@linkcode uniqueKeys} does.
 */
export function checkKeyList(keys: Iterable<string>): void {
  if (typeof keys === "object" && typeof keys?.[Symbol.iterator] === "function") return;
  throw new TypeError(`Cannot use keys: they must be a list of keys: received ${shown(keys)}`);
}

/**
 * Checks a time to live, and returns it.
 *
 * @throws {RangeError} If it is below 0 or above 2⁵³ − 1 ms, and not `Infinity`.
 */
export function checkTtlMs(ttlMs: number): number {
  if (ttlMs === Infinity || (typeof ttlMs === "number" && ttlMs >= 0 && ttlMs <= MAX_TTL_MS)) return ttlMs;
  throw new RangeError(`Cannot use ttlMs: it must be ${TTL_OPTION.allowed}: received ${shown(ttlMs)}`);
}

/** The options of a call that stores an entry. */
interface EntryOptions {
  ttlMs?: number;
  renewOnHit?: boolean;
}

const ENTRY_OPTIONS: OptionRules<EntryOptions> = { ttlMs: TTL_OPTION, renewOnHit: BOOLEAN_OPTION };

/**
 * Checks the options of a call that stores an entry, if any were given: a name that is none would be a time to live that
 * nobody keeps. It costs nothing where there are none, and a few nanoseconds where they are right.
 *
 * @throws {TypeError} If they are no object, or have another name.
 * @throws {RangeError} If one is of another type than it has to be, or out of range.
 */
export function checkEntryOptions(options: EntryOptions | null | undefined): void {
  if (options === undefined || options === null) return;
  if (typeof options === "object") {
    let isKnown = true;
    for (const name in options) isKnown &&= name in ENTRY_OPTIONS;
    const { ttlMs, renewOnHit } = options;
    isKnown &&= renewOnHit === undefined || typeof renewOnHit === "boolean";
    if (isKnown && (ttlMs === undefined || checkTtlMs(ttlMs) === ttlMs)) return;
  }
  checkOptions("store", options, ENTRY_OPTIONS);
}

/**
 * Checks a value to be stored, and returns it.
 *
 * @throws {TypeError} If it is a promise, since the caller wants its value stored.
 */
export function checkData(data: unknown): unknown {
  if (data instanceof Promise) throw new TypeError("Cannot store a Promise: await it first");
  return data;
}
