/** Checks of what the calls of every cache are given beside a key: options, numbers, and pairs to store. It calls nothing. */

import type { CallOptions, EntryOptions, IncrementOptions, KeysOptions, StoreValueOptions } from "./cache.ts";
import { checkData, checkKey } from "./checks.ts";
import { MAX_KEY_BYTES, MAX_TTL_MS } from "./limits.ts";
import {
  areAllowed,
  BOOLEAN_OPTION,
  checkOptions,
  isObject,
  type OptionRule,
  type OptionRules,
  shown,
  SIGNAL_OPTION,
  TIMEOUT_OPTION,
  TTL_OPTION,
} from "./options.ts";

/** The largest counter: one more begins again at 0. */
export const MAX_COUNTER: bigint = 2n ** 64n - 1n;

const COUNTER_OPTION: OptionRule = {
  allowed: "a whole number from 0 to 2⁶⁴ − 1",
  isType: (value) => typeof value === "bigint" || Number.isInteger(value),
  accepts: (value: number | bigint) => value >= 0 && value <= MAX_COUNTER,
};

const CALL_OPTIONS: OptionRules<CallOptions> = { timeoutMs: TIMEOUT_OPTION, signal: SIGNAL_OPTION };
const ENTRY_OPTIONS: OptionRules<EntryOptions> = { ttlMs: TTL_OPTION, renewOnHit: BOOLEAN_OPTION, ...CALL_OPTIONS };
const STORE_OPTIONS: OptionRules<StoreValueOptions> = {
  ...ENTRY_OPTIONS,
  onlyIf: {
    allowed: '"absent", "present" or a version, a whole number from 0 to 2⁵³ − 1',
    isType: (value) => typeof value === "string" || typeof value === "number",
    accepts: (value: string | number) =>
      typeof value === "number" ? Number.isSafeInteger(value) && value >= 0 : value === "absent" || value === "present",
  },
};
const INCREMENT_OPTIONS: OptionRules<IncrementOptions> = {
  initial: COUNTER_OPTION,
  ttlMs: TTL_OPTION,
  ...CALL_OPTIONS,
};
const KEYS_OPTIONS: OptionRules<KeysOptions> = {
  prefix: {
    allowed: `well-formed text of at most ${MAX_KEY_BYTES} characters`,
    isType: (value) => typeof value === "string",
    accepts: (value: string) => value.length <= MAX_KEY_BYTES && value.isWellFormed(),
  },
  ...CALL_OPTIONS,
};

const NONE: Readonly<Record<string, never>> = {};

/**
 * Checks the options of a call that takes no others, and returns them; where they are right they are not copied. It does
 * not look whether the signal is aborted.
 *
 * @param verb What the call does, for messages: "Cannot …: unknown option …".
 * @throws {TypeError} If they are no object, or have another name.
 * @throws {RangeError} If one is of another type than it has to be, or out of range; so do all functions here.
 */
export function checkCallOptions(verb: string, options: CallOptions | null | undefined): CallOptions {
  return checked(verb, options, CALL_OPTIONS);
}

/** Checks the options of `storeMany`, like {@linkcode checkCallOptions}. */
export function checkStoreManyOptions(options: EntryOptions | null | undefined): EntryOptions {
  return checked("store", options, ENTRY_OPTIONS);
}

/** Checks the options of `store`, like {@linkcode checkCallOptions}. */
export function checkStoreOptions(options: StoreValueOptions | null | undefined): StoreValueOptions {
  if (options === undefined || options === null) return NONE;
  if (areUsual(options)) return options;
  return checked("store", options, STORE_OPTIONS);
}

/** Checks the options of `keys`, like {@linkcode checkCallOptions}. */
export function checkKeysOptions(options: KeysOptions | null | undefined): KeysOptions {
  return checked("list keys", options, KEYS_OPTIONS);
}

/** What `increment` is to do. */
export interface Increment extends CallOptions {
  /** What is added; less than 0 where it is taken away. */
  readonly by: bigint;
  /** The number with which an entry is made; `undefined` if none is made. */
  readonly initial: bigint | undefined;
  /** The time to live of an entry that is made, in milliseconds; `undefined` for the cache's default. */
  readonly ttlMs: number | undefined;
}

/** Checks what `increment` is given beside a key, and returns it; see {@linkcode checkCallOptions} for the errors. */
export function checkIncrement(
  by: number | bigint | null | undefined,
  options: IncrementOptions | null | undefined,
): Increment {
  const { initial, ttlMs, timeoutMs, signal } = checked("increment", options, INCREMENT_OPTIONS);
  const amount = by ?? 1;
  const isWhole = typeof amount === "bigint" || Number.isInteger(amount);
  if (!isWhole || amount > MAX_COUNTER || amount < -MAX_COUNTER) {
    throw new RangeError(
      `Cannot increment: by must be a whole number from −2⁶⁴ + 1 to 2⁶⁴ − 1: received ${shown(amount)}`,
    );
  }
  return { by: BigInt(amount), initial: initial === undefined ? undefined : BigInt(initial), ttlMs, timeoutMs, signal };
}

/**
 * Checks what `storeMany` is to store, and returns it by key; of a key that comes twice, the last value counts.
 *
 * @throws {TypeError} If it is no list of pairs of a key and a value, or a value is a promise.
 * @throws {RangeError} If a key is out of range.
 */
export function checkPairs(entries: Iterable<readonly [string, unknown]>): Map<string, unknown> {
  if (typeof entries !== "object" || typeof entries?.[Symbol.iterator] !== "function") throw pairsError(entries);
  const values = new Map<string, unknown>();
  for (const pair of entries) {
    if (!Array.isArray(pair) || pair.length !== 2) throw pairsError(entries, pair);
    checkKey(pair[0]);
    values.set(pair[0], checkData(pair[1]));
  }
  return values;
}

/** Whether options are those that most stores have, and right: a few nanoseconds instead of a look at the rules. */
function areUsual(options: StoreValueOptions): boolean {
  if (!isObject(options)) return false;
  for (const name in options) if (name !== "ttlMs" && name !== "renewOnHit") return false;
  const { ttlMs, renewOnHit } = options;
  const isTtl = ttlMs === undefined || (typeof ttlMs === "number" && ttlMs >= 0 && ttlMs <= MAX_TTL_MS);
  return isTtl && (renewOnHit === undefined || typeof renewOnHit === "boolean");
}

function pairsError(entries: unknown, ...items: unknown[]): TypeError {
  const received = items.length === 0 ? shown(entries) : `${shown(items[0])} as one of them`;
  return new TypeError(`Cannot store: entries must be a list of pairs of a key and a value: received ${received}`);
}

function checked<Options extends object>(
  verb: string,
  options: Options | null | undefined,
  rules: OptionRules<Options>,
): Options {
  if (options === undefined || options === null) return NONE as Options;
  return areAllowed(options, rules) ? options : checkOptions(verb, options, rules);
}
