/** Text from elsewhere, made harmless to print. */

import { assertEquals } from "@std/assert";
import { escaped, printable } from "../../lib/base/printable.ts";

Deno.test("printable() has one line of bounded length, without what could move a cursor or turn text", () => {
  assertEquals(printable("ä\r\n\x1b[2J\u202e\x9b\ud800"), "ä\\u000d\\u000a\\u001b[2J\\u202e\\u009b\\ud800");
  assertEquals(printable("x".repeat(10_000)).length, 501);
});

Deno.test("escaped() does the same with text of any length", () => {
  assertEquals(escaped(`${"x".repeat(10_000)}\x1b[2J`), `${"x".repeat(10_000)}\\u001b[2J`);
});
