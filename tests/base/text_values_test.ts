/** Numbers, sizes, times, and yes or no, as people write them. */

import { assertEquals, assertStrictEquals } from "@std/assert";
import { readBoolean, readBytes, readNumber, readSeconds, readWhole, sizeText } from "../../lib/base/text_values.ts";

const NONE = ["", " ", "x", "-1", "+1", "1,000", "1_000", "0x10", "1e3", ".5", "5.", "NaN", "Infinity", "１"];

Deno.test("readBytes() reads k, m, g and t as powers of 1024, however the unit is written", () => {
  for (const [i, letter] of ["k", "m", "g", "t"].entries()) {
    const units = [letter, `${letter}b`, `${letter}ib`];
    for (
      const unit of [
        ...units,
        ...units.map((unit) => unit.toUpperCase()),
        `${letter.toUpperCase()}iB`,
        ` ${letter}B`,
      ]
    ) {
      assertStrictEquals(readBytes(`2${unit}`, 0, 2 ** 53), 2 * 1024 ** (i + 1), unit);
    }
  }
  for (
    const [text, bytes] of [["64", 64], ["64b", 64], ["64 B", 64], ["1.5k", 1536], ["0.001k", 1], ["007", 7]] as const
  ) {
    assertStrictEquals(readBytes(text, 0, 100_000), bytes);
  }
});

Deno.test("readBytes() reads nothing that is no size, or out of range", () => {
  for (const text of [...NONE, "k", "1ki", "1kk", "1bb", "1p", "1 constructor", "1.k", "9007199254740994"]) {
    assertStrictEquals(readBytes(text, 0, 2 ** 53), undefined, text);
  }
  assertEquals(["9", "10", "1k", "1025"].map((text) => readBytes(text, 10, 1024)), [undefined, 10, 1024, undefined]);
});

Deno.test("readSeconds() reads seconds, minutes, hours and days", () => {
  const texts = ["90", "90s", "1.5m", "2 H", "1d", "0", "0d"];
  assertEquals(texts.map((text) => readSeconds(text, 0, 1e6)), [90, 90, 90, 7200, 86_400, 0, 0]);
  for (const text of [...NONE, "1ms", "1min", "1w", "1h30m", "h", "1 constructor", "12d"]) {
    assertStrictEquals(readSeconds(text, 0, 1e6), undefined, text);
  }
});

Deno.test("readNumber() and readWhole() read plain numbers within bounds", () => {
  for (const text of NONE) {
    assertEquals([readNumber(text, 0, 1e9), readWhole(text, 0, 1e9)], [undefined, undefined], text);
  }
  assertEquals(["0", "1.5", "2", "2.0", "3"].map((text) => readNumber(text, 1, 2)), [undefined, 1.5, 2, 2, undefined]);
  assertEquals(["0", "1.5", "2", "2.0", "3"].map((text) => readWhole(text, 1, 2)), [
    undefined,
    undefined,
    2,
    2,
    undefined,
  ]);
});

Deno.test("readBoolean() reads yes and no, and nothing that could be either", () => {
  for (const text of ["true", "True", "TRUE", "tRuE", "1", "yes", "YES"]) assertStrictEquals(readBoolean(text), true);
  for (const text of ["false", "False", "FALSE", "0", "no", "NO"]) assertStrictEquals(readBoolean(text), false);
  for (const text of ["", "on", "off", "y", "n", "2", "t", "00", "truefalse", "null"]) {
    assertStrictEquals(readBoolean(text), undefined);
  }
});

Deno.test("sizeText() writes the largest unit that leaves a whole number, which readBytes() reads back", () => {
  const sizes = [0, 1, 1023, 1024, 1536, 2 ** 20, 3 * 2 ** 30, 2 ** 40];
  assertEquals(sizes.slice(1).map(sizeText), ["1B", "1023B", "1KiB", "1536B", "1MiB", "3GiB", "1024GiB"]);
  for (const bytes of sizes) assertStrictEquals(readBytes(sizeText(bytes), 0, 2 ** 53), bytes);
});
