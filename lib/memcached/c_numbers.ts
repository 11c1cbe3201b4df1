/**
 * Numbers in text, read as memcached reads them: with C's `strtol` and `strtoull`, which skip white space before a number,
 * take a sign, and stop at the first byte that is no digit, which has to be white space or the end.
 */

import type { ByteSpan } from "../base/byte_span.ts";
import { added, type Unsigned, unsignedOf } from "../base/unsigned.ts";

const [NUL, SPACE, PLUS, MINUS, ZERO, NINE] = [0, 0x20, 0x2b, 0x2d, 0x30, 0x39];
/** Decimal digits that are exact in a double. */
const SAFE_DIGITS = 15;

/** Reads an unsigned number of 64 bits as C's `strtoull` does: a negative one wraps from 2⁶⁴ and must end below 2⁶³. */
export function readUnsigned(bytes: Uint8Array, from: number, to: number): Unsigned | undefined {
  const number = read(bytes, from, to);
  if (number === undefined) return undefined;
  const { digits, isNegative } = number;
  if (digits > 0xffff_ffff_ffff_ffffn) return undefined;
  if (!isNegative) return typeof digits === "number" ? digits : unsignedOf(digits);
  const value = BigInt.asUintN(64, -BigInt(digits));
  return BigInt.asIntN(64, value) < 0n ? undefined : unsignedOf(value);
}

/** Reads the lower 32 bits of a number, without sign. */
export function readUint32(bytes: Uint8Array, from: number, to: number): number | undefined {
  const value = readUnsigned(bytes, from, to);
  if (value === undefined) return undefined;
  return typeof value === "number" ? value % 2 ** 32 : Number(BigInt.asUintN(32, value));
}

/** Reads the lower 32 bits of a number, with a sign. */
export function readInt32(bytes: Uint8Array, from: number, to: number): number | undefined {
  const number = read(bytes, from, to);
  if (number === undefined) return undefined;
  const { digits, isNegative } = number;
  if (typeof digits === "number" && digits < 2 ** 31) return isNegative ? -digits : digits;
  const value = isNegative ? -BigInt(digits) : BigInt(digits);
  return BigInt.asIntN(64, value) === value ? Number(BigInt.asIntN(32, value)) : undefined;
}

/** Adds to a number in text, or subtracts from it. Returns `undefined` if the text is not a number. */
export function addDelta({ bytes, from, to }: ByteSpan, by: Unsigned, isDown: boolean): Unsigned | undefined {
  const value = readUnsigned(bytes, from, to);
  return value === undefined ? undefined : added(value, by, isDown);
}

function read(bytes: Uint8Array, from: number, to: number): { digits: Unsigned; isNegative: boolean } | undefined {
  let at = from;
  while (at < to && isSpace(bytes[at])) at++;
  const isNegative = at < to && bytes[at] === MINUS;
  if (at < to && (bytes[at] === MINUS || bytes[at] === PLUS)) at++;
  while (at + 1 < to && bytes[at] === ZERO && isDigit(bytes[at + 1])) at++; // leading zeros say nothing
  const first = at;
  let digits = 0;
  for (; at < to && isDigit(bytes[at]); at++) digits = 10 * digits + bytes[at] - ZERO;
  if (at === first || (at < to && bytes[at] !== NUL && !isSpace(bytes[at]))) return undefined;
  if (at - first <= SAFE_DIGITS) return { digits, isNegative };
  if (at - first > 20) return { digits: 1n << 64n, isNegative };
  let exact = 0n;
  for (let i = first; i < at; i++) exact = 10n * exact + BigInt(bytes[i] - ZERO);
  return { digits: exact, isNegative };
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE;
}

function isSpace(byte: number): boolean {
  return byte === SPACE || (byte >= 9 && byte <= 13);
}
