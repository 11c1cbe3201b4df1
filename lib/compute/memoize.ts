/** Functions that remember in a cache what they have returned. It makes their keys; what is computed, the cache decides. */

import type { OrmucoCache, RetrieveOrStoreOptions } from "../base/cache.ts";
import { checkOptions, FUNCTION_OPTION, isObject, type OptionRules, shown, textOption } from "../base/options.ts";
import { RETRIEVE_OR_STORE_OPTIONS } from "../base/retrieve_or_store.ts";

/**
 * Options of {@linkcode memoize}: those of `retrieveOrStore` that concern all callers, the cache, and how keys are made.
 *
 * @typeParam Args The function's arguments.
 */
export interface MemoizeOptions<Args extends unknown[]> extends Omit<RetrieveOrStoreOptions, "signal"> {
  /** Where results are kept. */
  cache: OrmucoCache;
  /**
   * Returns the key of a call, 1 to 4,096 bytes as UTF-8: the same for calls that have the same result, and for no others of this cache.
   *
   * @default {the name and the arguments, as in `report("monday",7)`, where all arguments are text, numbers or booleans}
   */
  key?: (...args: Args) => string;
  /**
   * What keys begin with, if there is no `key`: text of 1 to 1,000 characters without `(`. Processes that share a server share what
   * functions of one name return.
   *
   * @default {the function's own name}
   */
  name?: string;
}

const MAX_NAME_LENGTH = 1000;
/** Where the name ends in a key is plain, since none holds what follows it. */
const isName = (text: string) =>
  text.length > 0 && text.length <= MAX_NAME_LENGTH && text.isWellFormed() && !text.includes("(");

const { signal: _, ...SHARED_OPTIONS } = RETRIEVE_OR_STORE_OPTIONS;
const RULES: OptionRules<MemoizeOptions<never>> = {
  ...SHARED_OPTIONS,
  cache: {
    allowed: "a cache",
    isType: (value) => isObject(value) && typeof (value as Partial<OrmucoCache>).retrieveOrStore === "function",
  },
  key: FUNCTION_OPTION,
  name: textOption(`text of 1 to ${MAX_NAME_LENGTH} characters without "("`, isName),
};

/** Functions whose keys are made here, by cache and name: two of one name would be given each other's results. */
const named = new WeakMap<OrmucoCache, Map<string, unknown>>();

/**
 * Makes a function that remembers what `fn` has returned, and has callers at the same time share one call: each call is a
 * `retrieveOrStore`.
 *
 * `fn` is called without `this`. What it returns has to be something that the cache can keep, and callers are given the same object
 * or copies as `retrieveOrStore` says. An error is not remembered.
 *
 * @typeParam Args The function's arguments.
 * @typeParam Result What it returns.
 * @param fn The function: what it returns has to follow from its arguments.
 * @param options The cache, how keys are made, and for how long results are fresh.
 * @returns The function that remembers. It rejects with a `TypeError` if there is no option `key` and an argument is no text, number or
 * boolean, and with what `retrieveOrStore` rejects with.
 * @throws {TypeError} If there is no cache, no function, no option of that name, neither a name nor a `key`, or both; or if another function of that
 * name has been memoized with this cache.
 * @throws {RangeError} If an option is out of range.
 *
 * @example
 * ```ts
 * import { memoize, OrmucoCacheClient } from "@ormuco/cache";
 *
 * const cache = new OrmucoCacheClient({});
 * async function report(day: string, top: number) {
 *   return await Promise.resolve({ day, top }); // your slow work
 * }
 * const cachedReport = memoize(report, { cache, ttlMs: 60_000 });
 * await cachedReport("monday", 7); // { day: "monday", top: 7 }, kept as report("monday",7)
 *
 * const cachedTotal = memoize((orders: { id: number }[]) => orders.length, {
 *   cache,
 *   key: (orders) => `total:${orders.map(({ id }) => id)}`,
 * });
 * await cachedTotal([{ id: 1 }]); // 1
 * ```
 */
export function memoize<Args extends unknown[], Result>(
  fn: (...args: Args) => Result,
  options: MemoizeOptions<Args>,
): (...args: Args) => Promise<Awaited<Result>> {
  if (typeof fn !== "function") throw new TypeError(`Cannot memoize: there must be a function: received ${shown(fn)}`);
  const { cache, key, name, ...shared } = checkOptions("memoize", options, RULES as OptionRules<MemoizeOptions<Args>>);
  if (cache === undefined) throw new TypeError("Cannot memoize: option cache must be given");
  if (key !== undefined && name !== undefined) {
    throw new TypeError("Cannot memoize: option name has no effect beside option key: give one of them");
  }
  const keyOf = key ?? madeKeys(fn, cache, name);
  return async (...args): Promise<Awaited<Result>> => {
    return await cache.retrieveOrStore<Awaited<Result>>(keyOf(...args), () => fn(...args) as Awaited<Result>, shared);
  };
}

/** Returns what makes the keys of a function by its name. */
function madeKeys(fn: { readonly name: string }, cache: OrmucoCache, given: string | undefined) {
  const name = given ?? fn.name;
  if (!isName(name)) {
    throw new TypeError(`Cannot memoize: a function needs a name or option key: received ${shown(name)} as its name`);
  }
  const functions = named.get(cache) ?? new Map<string, unknown>();
  if ((functions.get(name) ?? fn) !== fn) {
    throw new TypeError(
      `Cannot memoize ${shown(name)}: another function of that name is memoized with this cache: ` +
        "give one of them another option name, or option key",
    );
  }
  named.set(cache, functions.set(name, fn));
  return (...args: unknown[]) => `${name}(${args.map((arg, i) => keyPart(name, arg, i + 1))})`;
}

/** An argument as it stands in a key: text in quotes, so that it is no number, and without a comma that could end it. */
function keyPart(name: string, argument: unknown, place: number): string {
  if (typeof argument === "string") return JSON.stringify(argument);
  if (typeof argument === "number") return Object.is(argument, -0) ? "-0" : `${argument}`;
  if (typeof argument === "boolean") return `${argument}`;
  throw new TypeError(
    `Cannot call memoized ${
      shown(name)
    }: argument ${place} must be text, a number or a boolean unless option key makes the key: ` +
      `received ${shown(argument)}`,
  );
}
