/**
 * Changes that depend on what is there, each in one step: a number that is added to, and what has to be there before a value is
 * stored. It knows entries and digits, not who asks.
 */

import type { ByteSpan } from "../base/byte_span.ts";
import { added, type Unsigned, unsignedOf } from "../base/unsigned.ts";
import { MARK } from "./entry.ts";
import type { Store } from "./store.ts";

/** An addition to a number, or a subtraction. */
export interface Increment {
  readonly by: Unsigned;
  readonly isDown: boolean;
  /** The number with which an entry is made where the key has none, and to which nothing is added; `undefined` if none is made. */
  readonly initial: Unsigned | undefined;
  /** Milliseconds until an entry that is made expires, 0 or `Infinity` for never; `undefined` is the store's default. No hit renews it. */
  readonly ttlMs: number | undefined;
}

/** What has to be there before a value is stored: no entry, any, or one of a version. */
export type Condition = "absent" | "present" | number;

/** Digits of a number of 64 bits, at most. */
const MAX_DIGITS = 20;
const MAX_UNSIGNED = 2n ** 64n - 1n;
const [SPACE, ZERO, NINE] = [0x20, 0x30, 0x39];
/** Marks that say what an entry's times mean: they stay where the times stay. */
export const OF_TIMES: number = MARK.fixed | MARK.aging;

/** Reused by all additions, none of which keeps it. */
const digits: ByteSpan = { bytes: new Uint8Array(MAX_DIGITS), from: 0, to: 0 };

/**
 * Adds to the number that an entry holds as 1 to 20 digits, which memcached's `decr` may have left with spaces after them, or
 * subtracts from it. Its flags are 0 from then on, its times stay. An entry that is no longer fresh is none.
 *
 * @returns The number after that; `not-found`; `not-a-number` if the entry holds something else, and nothing has changed; or
 * `too-large` if the entry alone is over the limit: then the key is deleted.
 */
export function increment(
  store: Store,
  key: ByteSpan,
  { by, isDown, initial, ttlMs }: Increment,
): Unsigned | "not-found" | "not-a-number" | "too-large" {
  const position = store.peek(key);
  if (position === 0) {
    if (initial === undefined) return "not-found";
    writeDigits(initial);
    return store.set(key, { flags: 0, marks: MARK.fixed, value: digits, ttlMs }) ? initial : "too-large";
  }
  const before = numberAt(store, position);
  if (before === undefined) return "not-a-number";
  const value = added(before, by, isDown);
  writeDigits(value);
  const marks = store.reader.marks(position) & OF_TIMES;
  return rewrite(store, key, position, { flags: 0, marks, value: digits }) ? value : "too-large";
}

/** Gives the entry of a key, at a position, other flags, marks and another value; its times stay. Returns what `set` returns. */
export function rewrite(
  store: Store,
  key: ByteSpan,
  position: number,
  entry: { flags: number; marks: number; value: ByteSpan },
): boolean {
  const [ttlMs, deadlineMs] = [store.reader.ttlMs(position), store.reader.deadlineMs(position)];
  if (!store.set(key, { ...entry, ttlMs, deadlineMs })) return false;
  if ((entry.marks & MARK.fixed) === 0) return true;
  // The store computes the time of use from a time to live that is not exact. The entry's deadline may have passed meanwhile.
  const rewritten = store.peek(key);
  if (rewritten !== 0) store.noteUse(rewritten);
  return true;
}

/** Whether what is there is what has to be there. An entry that is no longer fresh is none. This is no use of it. */
export function isMet(store: Store, key: ByteSpan, condition: Condition): boolean {
  const position = store.peek(key);
  if (position === 0) return condition === "absent";
  return typeof condition === "number" ? store.reader.h(position) === condition : condition === "present";
}

/** The number that the entry at a position holds, if it holds one. */
function numberAt({ reader }: Store, position: number): Unsigned | undefined {
  let length = reader.valueBytes(position);
  if (length > MAX_DIGITS) return undefined;
  const { bytes } = digits;
  reader.copyValue(position, bytes, 0);
  while (length > 0 && bytes[length - 1] === SPACE) length--;
  let number = 0;
  for (let i = 0; i < length; i++) {
    if (bytes[i] < ZERO || bytes[i] > NINE) return undefined;
    number = 10 * number + bytes[i] - ZERO;
  }
  if (length === 0) return undefined;
  if (number <= Number.MAX_SAFE_INTEGER) return number;
  const exact = BigInt(String.fromCharCode(...bytes.subarray(0, length)));
  return exact > MAX_UNSIGNED ? undefined : unsignedOf(exact);
}

function writeDigits(value: Unsigned): void {
  const text = String(value);
  for (let i = 0; i < text.length; i++) digits.bytes[i] = text.charCodeAt(i);
  digits.to = text.length;
}

/** Whether an entry of a key and a value of this length is within the store's limit for one. */
export function fits(store: Store, key: ByteSpan, valueBytes: number): boolean {
  return store.reader.entryBytes(key.to - key.from, valueBytes) <= store.maxEntryBytes;
}
