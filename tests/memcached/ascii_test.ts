/** Short text and numbers as bytes. */

import { assertStrictEquals } from "@std/assert";
import { writeDecimal, writeText } from "../../lib/memcached/ascii.ts";
import { bytesOf, textOf } from "../support/memcached_oracle.ts";

/** What stands in an array of dots after a write at 2, once the end that it returned is checked. */
function written(write: (bytes: Uint8Array, at: number) => number, length: number): string {
  const bytes = bytesOf(".".repeat(20));
  assertStrictEquals(write(bytes, 2), 2 + length);
  return textOf(bytes);
}

Deno.test("writeText() writes text at its place and nothing beside it", () => {
  for (const text of ["", "a", "END\r\n"]) {
    assertStrictEquals(written((bytes, at) => writeText(bytes, at, text), text.length), `..${text}`.padEnd(20, "."));
  }
});

Deno.test("writeDecimal() writes every length of number at its place and nothing beside it", () => {
  const powers = Array.from({ length: 10 }, (_, digits) => 10 ** digits);
  const numbers = [0, ...powers.flatMap((power) => [power - 1, power, power + 1]), 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];
  for (const number of numbers) {
    const text = `${number}`;
    assertStrictEquals(
      written((bytes, at) => writeDecimal(bytes, at, number), text.length),
      `..${text}`.padEnd(20, "."),
    );
  }
});
