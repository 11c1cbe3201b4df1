/** Values of `Headers` as a list of names and values in turn. It knows nothing of MessagePack. */

import type { DecodingBudget } from "./decoding_budget.ts";

/** Units: each header is compared with all before it, and each character looked at. */
const COST = { comparison: 15, character: 15 } as const;

/** Returns name, value, name, value …; each `set-cookie` has a name of its own. */
export function headersItems(headers: Headers): string[] {
  const items: string[] = [];
  headers.forEach((value, name) => items.push(name, value)); // the iterator makes all of them anew for each
  return items;
}

/**
 * Makes headers.
 *
 * @throws {TypeError} If the items are no names and values of headers.
 */
export function headersOf(items: readonly unknown[], budget: DecodingBudget): Headers {
  if (items.length % 2 !== 0 || !items.every((item) => typeof item === "string")) {
    throw new TypeError("headers without a name or a value");
  }
  spendHeaders(items, budget);
  const headers = new Headers();
  for (let i = 0; i < items.length; i += 2) headers.append(items[i], items[i + 1]);
  return headers;
}

/** Spends what it costs to make headers, beside their parts. */
export function spendHeaders(items: readonly string[], budget: DecodingBudget): void {
  const count = items.length / 2;
  const characters = items.reduce((sum, { length }) => sum + length, 0);
  budget.spend(COST.comparison * count * count + COST.character * characters, "Headers");
}
