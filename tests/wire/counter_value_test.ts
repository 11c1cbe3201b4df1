/** Counters: which bytes are numbers, and that bytes which somebody stores remain bytes. */

import { assertEquals, assertStrictEquals } from "@std/assert";
import { decodeValue, encodeValue, FLAGS } from "../../lib/wire/values.ts";
import { assertSame } from "../support/same_value.ts";
import { roundTrip } from "../support/value_bytes.ts";

const ascii = (text: string) => new TextEncoder().encode(text);

const COUNTERS: [string, number | bigint][] = [
  ["0", 0],
  ["7", 7],
  ["42", 42],
  ["9007199254740991", 2 ** 53 - 1],
  ["9007199254740992", 2n ** 53n],
  ["9007199254740993", 2n ** 53n + 1n],
  ["10000000000000000", 10n ** 16n],
  ["18446744073709551615", 2n ** 64n - 1n],
  ["99 ", 99],
  ["0                   ", 0],
  ["9007199254740992    ", 2n ** 53n],
];
const OTHERS = [
  ...["", "00", "042", "18446744073709551616", "99999999999999999999", "100000000000000000000"],
  ...[
    "-1",
    "+1",
    "1.5",
    "1e3",
    "0x1",
    "4 2",
    " ",
    "42                   ",
    "1 2 ",
    "042 ",
    " 42",
    "42\n",
    "a",
    "/",
    ":",
    "4/",
    "4:",
    "٣",
  ],
];

Deno.test("decodeValue() gives a number or bigint for digits with flags 0, if they are a number's only ones", () => {
  for (const [digits, counter] of COUNTERS) assertStrictEquals(decodeValue(FLAGS.bytes, ascii(digits)), counter);
  for (const text of OTHERS) assertSame(decodeValue(FLAGS.bytes, ascii(text)), ascii(text), text);
});

Deno.test("decodeValue() gives bytes for digits with other flags that are none of ours", () => {
  for (const flags of [1, 2, 0x4f430000, 0xffffffff]) assertSame(decodeValue(flags, ascii("42")), ascii("42"));
});

Deno.test("encodeValue() writes bytes that are a counter's digits so that they come back as bytes, and no others so", () => {
  for (const [digits] of COUNTERS) {
    assertStrictEquals(encodeValue(ascii(digits)).flags, FLAGS.msgpack, digits);
    assertSame(roundTrip(ascii(digits)), ascii(digits), digits);
  }
  for (const text of OTHERS) {
    assertEquals(encodeValue(ascii(text)), { flags: FLAGS.bytes, payload: ascii(text) });
    assertSame(roundTrip(ascii(text)), ascii(text), text);
  }
});
