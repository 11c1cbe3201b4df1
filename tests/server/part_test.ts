/** Parts of a server: started in order, stopped in reverse, and none left behind when one fails. */

import { assertEquals, assertRejects } from "@std/assert";
import { type Part, startAll, stopAll, within } from "../../lib/server/part.ts";

function fixture(names: string[], failing?: string): { parts: Part[]; events: string[] } {
  const events: string[] = [];
  const parts = names.map((name): Part => ({
    start: async () => {
      await Promise.resolve();
      if (name === failing) throw new Error(`${name} fails`);
      events.push(`${name} starts`);
    },
    stop: async (limitMs) => {
      await Promise.resolve();
      events.push(`${name} stops within ${limitMs}`);
    },
  }));
  return { parts, events };
}

Deno.test("startAll() and stopAll() go through parts one after another, and back", async () => {
  const { parts, events } = fixture(["a", "b", "c"]);
  await startAll(parts, 5);
  await stopAll(parts, 7);
  assertEquals(events, [
    "a starts",
    "b starts",
    "c starts",
    "c stops within 7",
    "b stops within 7",
    "a stops within 7",
  ]);
});

Deno.test("startAll() stops what it has started when a part fails, and says why", async () => {
  const { parts, events } = fixture(["a", "b", "c", "d"], "c");
  await assertRejects(() => startAll(parts, 5), Error, "c fails");
  assertEquals(events, ["a starts", "b starts", "b stops within 5", "a stops within 5"]);
});

Deno.test("within() waits for work and for no longer than its limit", async () => {
  let isDone = false;
  await within(60_000, Promise.resolve().then(() => isDone = true));
  assertEquals(isDone, true);
  await within(1, new Promise(() => {})); // returns
});

Deno.test("within() rejects when the work fails", async () => {
  await assertRejects(() => within(60_000, Promise.reject(new Error("no"))), Error, "no");
});
