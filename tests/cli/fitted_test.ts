/** Text in the lines of a terminal: what is too long is broken between words, or loses its middle, and wide letters count twice. */

import { assert, assertEquals } from "@std/assert";
import { columnsOf, fitted, shortened, tableLines } from "../../lib/cli/fitted.ts";

Deno.test("columnsOf() counts the columns that a terminal takes for letters of any script", () => {
  const texts: [string, number][] = [["", 0], ["abc", 3], ["é", 1], ["e\u0301", 1], ["人口", 4], ["한국", 4], [
    "カキ",
    4,
  ]];
  for (const [text, columns] of [...texts, ["😀", 2], ["…", 1]] as const) assertEquals(columnsOf(text), columns, text);
});

Deno.test("fitted() leaves a line that fits, and breaks others between words, indented", () => {
  assertEquals(fitted("  one two", 9, 4), ["  one two"]);
  assertEquals(fitted("  one two three four", 12, 4), ["  one two", "    three", "    four"]);
  assertEquals(fitted("label     one three four", 20, 10), ["label     one three", "          four"]);
  assertEquals(fitted("a b", Infinity, 4), ["a b"]);
  assertEquals(fitted("is 99.9 % of 16.0 GiB, in all", 12, 2), ["is 99.9 % of", "  16.0 GiB,", "  in all"]);
});

Deno.test("fitted() takes the middle out of a word that is longer than a line, and indents by half a line at most", () => {
  assertEquals(
    fitted("  abcdefghijklmnop q", 12, 4),
    ["  abcde…lmnop", "    q"].map((line) => line.replace("de…lm", "de…m")),
  );
  assertEquals(fitted("x abcdefghijklmnop", 12, 2), ["x", "  abcde…mnop"]);
  for (const line of fitted(`${"word ".repeat(20)}`, 20, 19)) assert(line.length <= 20, line);
});

Deno.test("fitted() escapes what would move the cursor, and gives it the room that it takes then", () => {
  assertEquals(fitted("a\nb \u001b[2J", 80, 2), ["a\\u000ab \\u001b[2J"]);
  assertEquals(fitted("a\nb \u001b[2J", 12, 2), ["a\\u000ab", "  \\u001b[2J"]);
});

Deno.test("shortened() keeps both ends, and does not halve a letter", () => {
  assertEquals(shortened("abcdefghijkl", 12), "abcdefghijkl");
  assertEquals(shortened("abcdefghijklm", 12), "abcdef…ijklm");
  assertEquals(shortened("人人人人人人人", 9), "人人…人人");
  assertEquals(shortened("abcdefghijkl", 1), "abcd…jkl");
});

Deno.test("tableLines() puts numbers at the right, and what has no room into a table below", () => {
  const first = { heading: "of", cells: ["a", "人"] };
  const columns = [{ heading: "n", cells: ["1,000", "1"], isRight: true }, { heading: "word", cells: ["x", "yy"] }];
  assertEquals(tableLines(first, columns, 80), ["of      n  word", "a   1,000  x", "人      1  yy"]);
  assertEquals(tableLines(first, columns, 12), [
    "of      n",
    "a   1,000",
    "人      1",
    "",
    "of  word",
    "a   x",
    "人  yy",
  ]);
});
