/** Counters among plain bytes: the decimal digits of a number, as memcached's clients write and add to it. */

const SPACE = 0x20;
const ZERO = 0x30;
const NINE = 0x39;
/** Digits of the largest number of 64 bits. */
export const MOST_DIGITS = 20;
const MOST = 2n ** 64n - 1n;

/**
 * Returns the number that bytes stand for: 1 to 20 decimal digits, at most 2⁶⁴ − 1, with no 0 before others, and spaces behind them,
 * as memcached's `decr` leaves them, up to 20 bytes in all. It is a number up to 2⁵³ − 1, and a bigint above; `undefined` if the bytes
 * are anything else.
 */
export function counterIn(bytes: Uint8Array, from: number, end: number): number | bigint | undefined {
  if (end - from > MOST_DIGITS) return undefined;
  let to = end;
  while (to > from && bytes[to - 1] === SPACE) to--;
  const digits = to - from;
  if (digits === 0 || (bytes[from] === ZERO && digits > 1)) return undefined;
  let value = 0;
  for (let at = from; at < to; at++) {
    const byte = bytes[at];
    if (byte < ZERO || byte > NINE) return undefined;
    value = 10 * value + (byte - ZERO); // in this order, which is exact as long as the value is
  }
  if (value <= Number.MAX_SAFE_INTEGER) return value;
  const exact = BigInt(String.fromCharCode(...bytes.subarray(from, to)));
  return exact <= MOST ? exact : undefined;
}
