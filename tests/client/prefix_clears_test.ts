/** Clears of prefixes: which entries they have removed, and when all slots have been looked at. */

import { assertEquals } from "@std/assert";
import { PrefixClears } from "../../lib/client/prefix_clears.ts";

/** The slots that are looked at until no clear is under way. */
function rest(clears: PrefixClears, end: number): number[] {
  const slots: number[] = [];
  for (let slot = clears.next(end); slot !== 0; slot = clears.next(end)) slots.push(slot);
  return slots;
}

Deno.test("PrefixClears has what begins with a prefix and is not newer, until every slot has been looked at", () => {
  const clears = new PrefixClears();
  clears.begin("a", 5, 4);
  assertEquals([clears.has("a", 5), clears.has("ab", 0), clears.has("ab", 6), clears.has("b", 0)], [
    true,
    true,
    false,
    false,
  ]);
  assertEquals([clears.next(4), clears.next(4), clears.next(4)], [3, 2, 1]);
  assertEquals([clears.areUnderWay, clears.has("ab", 5)], [true, true]); // of the last slot it does not know yet
  assertEquals([clears.next(4), clears.areUnderWay, clears.has("ab", 5)], [0, false, false]);
});

Deno.test("PrefixClears has a clear that begins meanwhile wait for a pass of its own, over slots that are new too", () => {
  const clears = new PrefixClears();
  clears.begin("a", 5, 4);
  clears.next(4);
  clears.begin("long", 7, 6);
  assertEquals([clears.next(6), clears.next(6)], [2, 1]);
  assertEquals([clears.has("a", 5), clears.has("longer", 7)], [true, true]);
  assertEquals(clears.next(6), 5);
  assertEquals([clears.has("a", 5), clears.has("longer", 7), clears.has("longer", 8)], [false, true, false]);
  assertEquals([rest(clears, 9), clears.areUnderWay], [[4, 3, 2, 1], false]);
});

Deno.test("PrefixClears has the later of two clears of one prefix", () => {
  const clears = new PrefixClears();
  clears.begin("a", 5, 3);
  clears.next(3);
  clears.begin("a", 8, 3);
  assertEquals([clears.has("a", 8), clears.has("a", 9)], [true, false]);
  assertEquals([rest(clears, 3), clears.has("a", 8)], [[1, 2, 1], false]);
  clears.begin("a", 9, 3);
  assertEquals([clears.has("a", 9), rest(clears, 3)], [true, [2, 1]]);
});

Deno.test("PrefixClears ends at once when there are no slots, or no entries any more", () => {
  const clears = new PrefixClears();
  clears.begin("a", 0, 1);
  assertEquals([clears.next(1), clears.areUnderWay], [0, false]);
  clears.begin("a", 0, 9);
  clears.end();
  assertEquals([clears.areUnderWay, clears.has("a", 0), clears.next(9)], [false, false, 0]);
  clears.begin("b", 0, 3);
  assertEquals([clears.has("a", 0), rest(clears, 3)], [false, [2, 1]]);
});
