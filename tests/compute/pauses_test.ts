/** Pauses of keys: how long they last, and how many there are. */

import { assertEquals } from "@std/assert";
import { Pauses } from "../../lib/compute/pauses.ts";

Deno.test("Pauses lasts for the time given, from the last beginning on, or until it is ended", () => {
  let nowMs = 0;
  const pauses = new Pauses(() => nowMs);
  pauses.begin("k", 10);
  nowMs = 5;
  pauses.begin("k", 10);
  nowMs = 14.5;
  assertEquals([pauses.has("k"), pauses.has("other")], [true, false]);
  nowMs = 15;
  assertEquals(pauses.has("k"), false);
  pauses.begin("a", 10);
  pauses.begin("b", 10);
  pauses.end("a");
  assertEquals([pauses.has("a"), pauses.has("b")], [false, true]);
  pauses.begin("bc", 10);
  pauses.begin("cb", 10);
  pauses.endUnder("bc");
  assertEquals(["b", "bc", "cb"].map((key) => pauses.has(key)), [true, false, true]);
  pauses.end();
  assertEquals(pauses.has("b"), false);
});

Deno.test("Pauses remembers 1,000 keys, those whose pause began last", () => {
  const pauses = new Pauses(() => 0);
  for (let i = 0; i < 1000; i++) pauses.begin(`${i}`, 10);
  pauses.begin("0", 10);
  pauses.begin("1000", 10);
  assertEquals(["0", "1", "2", "1000"].map((key) => pauses.has(key)), [true, false, true, true]);
});
