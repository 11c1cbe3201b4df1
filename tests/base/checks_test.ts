/** Keys and times to live: what is taken, what is refused, and what the error says. */

import { assertStrictEquals, assertThrows } from "@std/assert";
import { checkEntryOptions, checkKey, checkTtlMs, keyError } from "../../lib/base/checks.ts";
import { MAX_KEY_BYTES, MAX_TTL_MS } from "../../lib/base/limits.ts";

/** A text of so many bytes as UTF-8, of letters that take `each`. */
function textOf(bytes: number, letter: string, each: number): string {
  return letter.repeat(Math.floor(bytes / each)) + "x".repeat(bytes % each);
}

const LETTERS: [letter: string, bytes: number][] = [["k", 1], ["é", 2], ["€", 3], ["😀", 4]];

Deno.test("checkKey() takes well-formed text of 1 to 4,096 bytes when letters take 1, 2, 3 or 4 bytes", () => {
  for (const [letter, each] of LETTERS) {
    for (const bytes of [each, 1364, 1365, 1366, 1367, 2731, MAX_KEY_BYTES - 1, MAX_KEY_BYTES]) {
      checkKey(textOf(bytes, letter, each));
    }
  }
  for (const key of ["\0", " ", "\n", "\u{10ffff}", "\ufeff"]) checkKey(key);
});

Deno.test("checkKey() throws a RangeError when the key is empty, or a byte too long as UTF-8", () => {
  assertThrows(() => checkKey(""), RangeError, 'of 1 to 4096 bytes as UTF-8: received ""');
  for (const [letter, each] of LETTERS) {
    for (const bytes of [MAX_KEY_BYTES + 1, 2 * MAX_KEY_BYTES, 100_000]) {
      assertThrows(() => checkKey(textOf(bytes, letter, each)), RangeError, "Cannot use key: ");
    }
  }
});

Deno.test("checkKey() throws a RangeError when a surrogate stands alone, in a key of any length", () => {
  for (const lone of ["\ud800", "\udfff", "\ude00\ud83d"]) {
    for (const around of ["", "a", "x".repeat(1300), "x".repeat(2000)]) {
      assertThrows(() => checkKey(around + lone), RangeError, "well-formed");
      assertThrows(() => checkKey(lone + around), RangeError, "well-formed");
    }
  }
});

Deno.test("checkKey() throws a RangeError that names the type when the key is no text", () => {
  for (
    const [key, shown] of [
      ...[[undefined, "undefined"], [null, "null"], [5, "number"], [5n, "bigint"], [true, "boolean"]],
      ...[[Symbol("k"), "symbol"], [{ length: 3 }, "object"], [["a"], "object"], [new String("a"), "object"]],
    ]
  ) assertThrows(() => checkKey(key as string), RangeError, `received ${shown as string}`);
});

Deno.test("keyError() shows a key of 40 letters whole, and of a longer one the beginning and its length", () => {
  const shown = (key: unknown) => keyError(key).message.split(": received ")[1];
  assertStrictEquals(shown('a"b\n'), '"a\\"b\\n"');
  assertStrictEquals(shown("x".repeat(40)), `"${"x".repeat(40)}"`);
  assertStrictEquals(shown("x".repeat(41)), `"${"x".repeat(40)}"… (41 characters)`);
  assertStrictEquals(shown("\ud800"), '"\\ud800"');
  assertStrictEquals(shown("x".repeat(1_000_000)).length < 100, true);
});

Deno.test("checkTtlMs() returns the time when it is 0 or more, up to the longest, or endless", () => {
  for (const ttlMs of [0, 0.5, 1, 60_000, MAX_TTL_MS, Infinity]) assertStrictEquals(checkTtlMs(ttlMs), ttlMs);
});

Deno.test("checkTtlMs() throws a RangeError that shows what it received when that is no such time", () => {
  for (const ttlMs of [-1, -Number.MIN_VALUE, NaN, -Infinity, MAX_TTL_MS + 1, 1e300]) {
    assertThrows(() => checkTtlMs(ttlMs), RangeError, `0 to ${MAX_TTL_MS}, or Infinity: received ${ttlMs}`);
  }
  const others: [unknown, string][] = [["5", '"5"'], [undefined, "undefined"], [null, "null"], [{}, "an object"]];
  for (const [ttlMs, shown] of others) assertThrows(() => checkTtlMs(ttlMs as number), RangeError, `received ${shown}`);
});

Deno.test("checkEntryOptions() takes options that are right, and throws an error that names one that is not", () => {
  const right = [undefined, null, {}, { ttlMs: 5 }, { renewOnHit: false }, { ttlMs: 0, renewOnHit: true }];
  for (const options of right) checkEntryOptions(options);
  const wrong: [unknown, typeof Error, string][] = [
    [{ renewOnHit: "no" }, RangeError, 'Cannot store: renewOnHit must be true or false: received "no"'],
    [{ ttlMs: 5, renewOnHit: 0 }, RangeError, "renewOnHit must be true or false: received 0"],
    [{ renewOnhit: false }, TypeError, "Cannot store: unknown option renewOnhit: did you mean renewOnHit?"],
    [{ ttlMs: "5" }, RangeError, 'received "5"'],
    [5, TypeError, "Cannot store: options must be an object: received 5"],
  ];
  for (const [options, type, words] of wrong) assertThrows(() => checkEntryOptions(options as object), type, words);
});
