/** Whole numbers of 64 bits without sign: how they are held, and what they are after an addition or a subtraction. */

/** A whole number of 64 bits: a bigint only where a number would not be exact, so that equal values are `===`. */
export type Unsigned = number | bigint;

/** Converts a bigint of 64 bits: to a number where that is exact. */
export function unsignedOf(value: bigint): Unsigned {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}

/** Adds to a number, which begins again at 0 after 2⁶⁴ − 1, or subtracts from it, which stops at 0. */
export function added(value: Unsigned, by: Unsigned, isDown: boolean): Unsigned {
  if (isDown) return by > value ? 0 : unsignedOf(BigInt(value) - BigInt(by));
  if (typeof value === "number" && typeof by === "number" && value + by <= Number.MAX_SAFE_INTEGER) return value + by;
  return unsignedOf(BigInt.asUintN(64, BigInt(value) + BigInt(by)));
}
