/** Numbers as C reads them, also against a plain reading with bigints. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { spanOf } from "../../lib/base/byte_span.ts";
import { type Unsigned, unsignedOf } from "../../lib/base/unsigned.ts";
import { addDelta, readInt32, readUint32, readUnsigned } from "../../lib/memcached/c_numbers.ts";
import { generator } from "../../lib/simulation/seeded_random.ts";
import { bytesOf } from "../support/memcached_oracle.ts";

type Read<T> = (bytes: Uint8Array, from: number, to: number) => T;

/** Reads text that stands between digits, which are not part of it. */
function reading<T>(read: Read<T>, text: string): T {
  const bytes = bytesOf(`77${text}88`);
  return read(bytes, 2, 2 + text.length);
}

function assertReads<T>(read: Read<T>, cases: [text: string, number: T][]): void {
  for (const [text, number] of cases) assertStrictEquals(reading(read, text), number, JSON.stringify(text));
}

const MOST = 2n ** 64n - 1n;
const SAFE = Number.MAX_SAFE_INTEGER;

Deno.test("unsignedOf() makes a number of what a number can hold, and else leaves a bigint", () => {
  const cases: [bigint, Unsigned][] = [[0n, 0], [BigInt(SAFE), SAFE], [BigInt(SAFE) + 1n, BigInt(SAFE) + 1n], [
    MOST,
    MOST,
  ]];
  for (const [value, expected] of cases) assertStrictEquals(unsignedOf(value), expected);
});

Deno.test("readUnsigned() reads digits after white space and a sign, up to a NUL, white space or the end", () => {
  assertReads(readUnsigned, [
    ["0", 0],
    ["42", 42],
    ["+42", 42],
    [" \t\n\v\f\r42", 42],
    ["42 x", 42],
    ["42\rx", 42],
    ["42\0x", 42],
    [`${"0".repeat(100)}7`, 7],
    ["00", 0],
    ["999999999999999", 999_999_999_999_999],
    ["9007199254740991", SAFE],
    ["9007199254740992", BigInt(SAFE) + 1n],
    [`000${MOST}`, MOST],
  ]);
});

Deno.test("readUnsigned() gives nothing for what is no number, or larger than 64 bits hold", () => {
  const texts = ["", " ", "+", "-", "x", "4x", "4.0", "0x10", "--1", "+-1", "- 1", "\x0042", "4\x0e", "\xa042"];
  for (const text of [...texts, `${MOST + 1n}`, "99999999999999999999", "1".repeat(21), "1".repeat(500)]) {
    assertStrictEquals(reading(readUnsigned, text), undefined, text);
  }
});

Deno.test("readUnsigned() counts a negative number from 2⁶⁴ down, and takes it where the upper bit stays 0", () => {
  assertReads(readUnsigned, [
    ["-0", 0],
    ["-1", undefined],
    ["-9223372036854775808", undefined],
    ["-9223372036854775809", 2n ** 63n - 1n],
    ["-18446744073709551615", 1],
    ["-18446744073709551616", undefined],
  ]);
});

Deno.test("readUint32() gives the lower 32 bits", () => {
  assertReads(readUint32, [
    ["4294967295", 2 ** 32 - 1],
    ["4294967296", 0],
    ["4294967301", 5],
    [`${MOST}`, 2 ** 32 - 1],
    ["-18446744073709551615", 1],
    ["-1", undefined],
    ["x", undefined],
  ]);
});

Deno.test("readInt32() gives the lower 32 bits with a sign, of numbers that 64 bits with a sign hold", () => {
  assertReads(readInt32, [
    ["7", 7],
    ["-7", -7],
    ["2147483647", 2 ** 31 - 1],
    ["2147483648", -(2 ** 31)],
    ["-2147483648", -(2 ** 31)],
    ["-2147483649", 2 ** 31 - 1],
    ["4294967301", 5],
    ["9223372036854775807", -1],
    ["9223372036854775808", undefined],
    ["-9223372036854775808", 0],
    ["-9223372036854775809", undefined],
    ["x", undefined],
  ]);
});

Deno.test("addDelta() wraps at 2⁶⁴ upwards, and stops at 0 downwards", () => {
  const cases: [text: string, by: Unsigned, isDown: boolean, sum: Unsigned | undefined][] = [
    ["10", 5, false, 15],
    ["10", 5, true, 5],
    ["10", 10, true, 0],
    ["10", 11, true, 0],
    ["10", MOST, true, 0],
    [`${SAFE}`, 0, false, SAFE],
    [`${SAFE}`, 1, false, BigInt(SAFE) + 1n],
    [`${BigInt(SAFE) + 1n}`, 1, true, SAFE],
    [`${MOST}`, 1, false, 0],
    [`${MOST}`, MOST, false, MOST - 1n],
    [`${MOST}`, MOST, true, 0],
    ["1", MOST, false, 0],
    ["12  ", 1, false, 13],
    ["x", 1, false, undefined],
    ["", 1, true, undefined],
  ];
  for (const [text, by, isDown, sum] of cases) {
    assertStrictEquals(addDelta(spanOf(bytesOf(text)), by, isDown), sum, `${text} ${isDown ? "-" : "+"} ${by}`);
  }
});

/** The same with a pattern and bigints: the value, before it is bounded. */
function plainValue(text: string): bigint | undefined {
  const [, sign, digits] = /^[\t-\r ]*([+-]?)([0-9]+)(?:[\0\t-\r ].*)?$/s.exec(text) ?? [];
  if (digits === undefined) return undefined;
  return sign === "-" ? -BigInt(digits) : BigInt(digits);
}

function plainUnsigned(text: string): bigint | undefined {
  const value = plainValue(text);
  if (value === undefined || value > MOST || value < -MOST) return undefined;
  return value < 0n && (value & MOST) >> 63n === 1n ? undefined : value & MOST;
}

Deno.test("readUnsigned(), readUint32() and readInt32() read random text as a plain reading does", () => {
  const random = generator(7);
  const below = (n: number) => Math.floor(n * random());
  const edges = [0n, 1n, 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 63n, 2n ** 64n];
  const edge = () => edges[below(edges.length)] + BigInt(below(3)) - 1n;
  let numbers = 0;
  for (let round = 0; round < 20_000; round++) {
    const digits = below(2) === 0 ? `${edge()}` : `${below(10 ** below(16))}${below(10 ** below(8))}`;
    const [before, sign, after] = [["", " ", "0", "\t"], ["", "+", "-"], ["", " ", "\0", "x", "\n3"]]
      .map((choices) => choices[below(choices.length)]);
    const text = `${before}${sign}${digits}${after}`;
    const unsigned = plainUnsigned(text);
    const value = plainValue(text);
    const isIn64 = value !== undefined && BigInt.asIntN(64, value) === value;
    assertStrictEquals(reading(readUnsigned, text), unsigned === undefined ? undefined : unsignedOf(unsigned), text);
    const lower = unsigned === undefined ? undefined : Number(unsigned & 0xffff_ffffn);
    assertStrictEquals(reading(readUint32, text), lower, text);
    const int32 = reading(readInt32, text); // -0 for "-0", which nobody tells from 0
    assertEquals(int32 === undefined ? int32 : int32 + 0, isIn64 ? Number(BigInt.asIntN(32, value)) : undefined, text);
    if (unsigned !== undefined) numbers++;
  }
  assert(numbers > 5000 && numbers < 19_000, `${numbers} numbers`);
});
