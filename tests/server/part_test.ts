/** Parts of a server: started in order, stopped in reverse, and none left behind when one fails. */

import { assertEquals, assertRejects } from "@std/assert";
import { LaterPart, LoadedPart, type Part, startAll, stopAll, within } from "../../lib/server/part.ts";
import { until } from "../support/waiting.ts";

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

Deno.test("LaterPart starts its part when something is over, and stops what it has started", async () => {
  const { parts, events } = fixture(["a"]);
  const over = Promise.withResolvers<void>();
  const later = new LaterPart(parts[0], () => over.promise);
  later.start();
  await Promise.resolve();
  assertEquals(events, []);
  over.resolve();
  await until("it has started", () => events.length === 1);
  await later.stop(7);
  assertEquals(events, ["a starts", "a stops within 7"]);
});

Deno.test("LaterPart does not start what was stopped before, and starts it once after another start", async () => {
  const { parts, events } = fixture(["a"]);
  const over = Promise.withResolvers<void>();
  const later = new LaterPart(parts[0], () => over.promise);
  later.start();
  await later.stop(7);
  later.start();
  over.resolve();
  await until("it has started", () => events.length > 0);
  await later.stop(8);
  assertEquals(events, ["a starts", "a stops within 8"]);
});

Deno.test("LoadedPart loads its part with the first start that can, keeps it, and stops nothing before", async () => {
  const { parts: [part], events } = fixture(["a"]);
  let loads = 0;
  const loaded = new LoadedPart(() => ++loads === 1 ? Promise.reject(new Error("not now")) : Promise.resolve(part));
  await loaded.stop(5);
  assertEquals(loaded.part, undefined);
  await assertRejects(() => loaded.start(), Error, "not now");
  await loaded.start();
  await loaded.stop(7);
  await loaded.start();
  assertEquals(loaded.part, part);
  assertEquals(loads, 2);
  assertEquals(events, ["a starts", "a stops within 7", "a starts"]);
});
