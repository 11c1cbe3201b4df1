/**
 * Weighs keys that the engine may take to one place of its hash tables. V8 hashes numbers, bigints and texts of digits
 * without a secret, so that anybody can make keys which all collide; each is then compared with all before it. This
 * counts the comparisons, as V8 makes them. Where another engine hashes otherwise, it counts none that are made.
 */

import { MAX_LONG_BIGINT_KEYS } from "../base/limits.ts";
import type { DecodingBudget } from "./decoding_budget.ts";

/** Units of one comparison of keys. */
const COMPARISON = { number: 20, bigint: 100, text: 20, longTextCharacter: 3 / 16 } as const;
/** Characters of a text from which on V8 takes its length for a hash (`kMaxHashCalcLength`). */
const LONG_TEXT = 16_384;
/** Keys up to which it makes no difference whether they collide. */
const FEW_KEYS = 32;
/** Units of collisions that are spent at once. */
const UNITS_AT_ONCE = 100_000;
/** Bits of a text of digits that V8 hashes: those of the number that it stands for (`kArrayIndexValueBits`). */
const DIGITS_MASK = 0xffffff;
const MAX_ARRAY_INDEX = 2 ** 32 - 2;

const scratch = new BigUint64Array(1);
const words = new Uint32Array(scratch.buffer); // little-endian on all machines that Deno runs on
const double = new Float64Array(scratch.buffer);

const LONG_BIGINTS = "bigints of over 64 bits as keys of a Map or items of a Set";

/** Spends what it costs to put `keys` into a new `Map` or `Set`, all of them distinct. */
export function spendKeys(keys: Iterable<unknown>, size: number, budget: DecodingBudget): void {
  if (size <= FEW_KEYS) return;
  const table = new KeyTable(size, budget);
  let i = 0;
  for (const key of keys) table.meet(key, i++);
  table.end();
}

/** Makes a `Set`, and spends what its collisions cost. */
export function setOf(items: readonly unknown[], budget: DecodingBudget): Set<unknown> {
  if (items.length <= FEW_KEYS) return new Set(items);
  const made = new Set<unknown>();
  const table = new KeyTable(items.length, budget);
  for (const item of items) {
    table.meet(item, made.size);
    made.add(item);
  }
  table.end();
  return made;
}

/** Makes a `Map` of keys and values in turn, and spends what its collisions cost. */
export function mapOf(items: readonly unknown[], budget: DecodingBudget): Map<unknown, unknown> {
  const made = new Map<unknown, unknown>();
  const table = items.length <= 2 * FEW_KEYS ? undefined : new KeyTable(items.length / 2, budget);
  for (let i = 0; i + 1 < items.length; i += 2) {
    table?.meet(items[i], made.size);
    made.set(items[i], items[i + 1]);
  }
  table?.end();
  return made;
}

/** The buckets of a `Map` or `Set` that grows: V8 doubles a table of two keys a bucket when it is full. */
class KeyTable {
  readonly #budget: DecodingBudget;
  /** Keys in each bucket, of which there are one more than `#mask`. */
  readonly #counts: Uint32Array;
  #mask = 1;
  /** Hashes of the keys that have been added, but of those that nobody can foretell. */
  readonly #hashes: Int32Array;
  #hashed = 0;
  #size = 0;
  #last = -1;
  #longBigints = 0;
  /** Units that are not spent yet. */
  #units = 0;

  constructor(mostKeys: number, budget: DecodingBudget) {
    this.#budget = budget;
    this.#hashes = new Int32Array(mostKeys);
    this.#counts = new Uint32Array(2 ** Math.ceil(Math.log2(mostKeys + 1)));
  }

  /** Weighs the search for a key among `size` others, before it is added. */
  meet(key: unknown, size: number): void {
    if (size > this.#size) this.#added(size);
    const hash = hashOf(key);
    this.#last = hash;
    if (hash < 0) return;
    if (typeof key === "bigint" && BigInt.asIntN(64, key) !== key && ++this.#longBigints > MAX_LONG_BIGINT_KEYS) {
      throw new RangeError(`received more than ${MAX_LONG_BIGINT_KEYS} ${LONG_BIGINTS}`);
    }
    const comparisons = this.#counts[hash & this.#mask];
    if (comparisons === 0) return;
    this.#units += comparisons * comparisonUnits(key);
    if (this.#units > UNITS_AT_ONCE) this.end();
  }

  /** Spends what has been weighed. */
  end(): void {
    this.#budget.spend(this.#units, "keys that collide");
    this.#units = 0;
  }

  /** Counts the last key, which was a new one. */
  #added(size: number): void {
    this.#size = size;
    if (this.#last >= 0) {
      this.#hashes[this.#hashed++] = this.#last;
      this.#counts[this.#last & this.#mask]++;
    }
    if (size <= 2 * this.#mask + 1) return;
    this.#mask = 2 * this.#mask + 1;
    this.#counts.fill(0, 0, this.#mask + 1);
    for (let i = 0; i < this.#hashed; i++) this.#counts[this.#hashes[i] & this.#mask]++;
  }
}

/** V8's hash of a key, or -1 if nobody can foretell it. */
function hashOf(key: unknown): number {
  switch (typeof key) {
    case "number":
      if (key === (key | 0)) return integerHash(key);
      double[0] = key;
      return longHash(words[0], words[1]);
    case "bigint":
      scratch[0] = key < 0n ? -key : key;
      return longHash(words[0], words[1]);
    case "string": {
      if (key.length >= LONG_TEXT) return key.length;
      const index = arrayIndex(key);
      return index < 0 ? -1 : index & DIGITS_MASK;
    }
    default:
      return -1;
  }
}

function comparisonUnits(key: unknown): number {
  if (typeof key === "number") return COMPARISON.number;
  if (typeof key === "bigint") return COMPARISON.bigint;
  const { length } = key as string;
  return length < LONG_TEXT ? COMPARISON.text : length * COMPARISON.longTextCharacter;
}

/** The array index that a text stands for, or -1. */
function arrayIndex(text: string): number {
  const { length } = text;
  if (length === 0 || length > 10) return -1;
  let index = 0;
  for (let i = 0; i < length; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    index = 10 * index + digit;
  }
  return index > MAX_ARRAY_INDEX || (length > 1 && text.charCodeAt(0) === 0x30) ? -1 : index;
}

/** V8's `ComputeUnseededHash`. */
function integerHash(key: number): number {
  let hash = (~key + (key << 15)) | 0;
  hash ^= hash >>> 12;
  hash = (hash + (hash << 2)) | 0;
  hash ^= hash >>> 4;
  hash = Math.imul(hash, 2057);
  hash ^= hash >>> 16;
  return hash & 0x3fffffff;
}

/** V8's `ComputeLongHash` of 64 bits, in two halves: `~h + (h << 18)` is `h * (2 ** 18 - 1) - 1`. */
function longHash(lowHalf: number, highHalf: number): number {
  let product = lowHalf * 0x3ffff;
  let low = product >>> 0;
  let high = (Math.imul(highHalf, 0x3ffff) + Math.floor(product / 2 ** 32)) >>> 0;
  high = (low === 0 ? high - 1 : high) >>> 0;
  low = (low - 1) >>> 0;
  low = (low ^ ((low >>> 31) | (high << 1))) >>> 0;
  high = (high ^ (high >>> 31)) >>> 0;
  product = low * 21;
  low = product >>> 0;
  high = (Math.imul(high, 21) + Math.floor(product / 2 ** 32)) >>> 0;
  low = (low ^ ((low >>> 11) | (high << 21))) >>> 0;
  high = (high ^ (high >>> 11)) >>> 0;
  product = low * 65;
  low = product >>> 0;
  high = (Math.imul(high, 65) + Math.floor(product / 2 ** 32)) >>> 0;
  return (low ^ ((low >>> 22) | (high << 10))) & 0x3fffffff;
}

/** Texts of digits among the texts of a value: the engine's table of all short texts hashes them as a `Map` does. */
export class DigitTexts {
  readonly #budget: DecodingBudget;
  readonly #first = new Int32Array(1 << 16).fill(-1);
  readonly #values: number[] = [];
  readonly #next: number[] = [];

  constructor(budget: DecodingBudget) {
    this.#budget = budget;
  }

  /** Spends what it costs to look for a text in that table, and to add it unless it is there. */
  meet(text: string): void {
    const value = arrayIndex(text);
    if (value < 0) return;
    const bucket = value & 0xffff;
    let at = this.#first[bucket];
    while (at >= 0 && this.#values[at] !== value) {
      this.#budget.spend(COMPARISON.text, "texts of digits that collide");
      at = this.#next[at];
    }
    if (at >= 0) return;
    this.#next.push(this.#first[bucket]);
    this.#first[bucket] = this.#values.push(value) - 1;
  }
}
