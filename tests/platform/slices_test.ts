import { assert, assertEquals } from "@std/assert";
import { Slices } from "../../lib/platform/slices.ts";

Deno.test("Slices are over after some time, which is looked at after some work", async () => {
  let nowMs = 0;
  const slices = new Slices(() => nowMs);
  slices.begin();
  slices.spend(1000);
  assertEquals(slices.isOver, false, "no time has passed");
  nowMs += 1000;
  slices.spend(1);
  assertEquals(slices.isOver, false, "there has been little work");
  slices.spend(1000);
  assertEquals(slices.isOver, true);
  let hasLooked = false;
  setTimeout(() => hasLooked = true, 0);
  await slices.next();
  assert(hasLooked, "the event loop has looked after others");
  slices.spend(1000);
  assertEquals(slices.isOver, false);
});
