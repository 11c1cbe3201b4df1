/** The slots below LruCache: who is free, who was used when, whose times are whose; and how a key finds its slot. */

import { assertEquals, assertStrictEquals } from "@std/assert";
import { bySearchingTwice, slotOf } from "../../lib/lru/slot_of.ts";
import { Slots } from "../../lib/lru/slots.ts";

/** Takes slots from 1 on, whose deadlines are their numbers. */
function taken(count: number, ownMs = 100): Slots {
  const slots = new Slots(ownMs);
  for (let slot = 1; slot <= count; slot++) {
    assertStrictEquals(slots.next, slot);
    slots.take();
    slots.fill(slot, slot, ownMs);
  }
  return slots;
}

/** Slots in use, that used last first. */
function inOrder(slots: Slots): number[] {
  const order: number[] = [];
  for (let slot = slots.newest; slot !== 0; slot = slots.older(slot)) order.push(slot);
  return order;
}

Deno.test("Slots keeps order, deadlines and times to live when it grows", () => {
  const slots = new Slots(100);
  for (let slot = 1; slot <= 1000; slot++) {
    slots.take();
    slots.fill(slot, slot + 0.5, slot === 3 ? 7 : 100);
    if (slot > 5) slots.toFront(2);
  }
  assertEquals([slots.newest, slots.oldest, slots.end], [2, 1, 1001]);
  assertEquals(inOrder(slots), [2, ...Array.from({ length: 998 }, (_, i) => 1000 - i), 1]);
  for (let slot = 1; slot <= 1000; slot++) {
    assertEquals([slots.deadline(slot), slots.ownMs(slot)], [slot + 0.5, slot === 3 ? 7 : 100], `slot ${slot}`);
  }
});

Deno.test("Slots gives those that are free again, that freed last first, before one that nobody has had", () => {
  const slots = taken(40);
  for (const slot of [7, 40, 1]) slots.release(slot);
  assertEquals([slots.deadline(7), slots.deadline(8), slots.end], [Infinity, 8, 41]);
  const given = Array.from({ length: 4 }, () => {
    const slot = slots.next;
    slots.take();
    return slot;
  });
  assertEquals([given, slots.end], [[1, 40, 7, 41], 42]);
  assertEquals(inOrder(slots).slice(0, 5), [41, 7, 40, 1, 39]);
});

Deno.test("Slots is empty at both ends when all are free", () => {
  const slots = taken(3);
  for (const slot of [2, 3, 1]) slots.release(slot);
  assertEquals([slots.newest, slots.oldest, inOrder(slots)], [0, 0, []]);
});

Deno.test("Slots renews by the times of each entry from when one has its own, and those before by the cache's", () => {
  const slots = taken(20);
  slots.renew(20, 1000);
  slots.fill(5, 5, 8);
  slots.fill(6, 6, -9);
  for (const slot of [4, 5, 6]) slots.renew(slot, 1000);
  assertEquals([4, 5, 6, 20, 19].map((slot) => slots.deadline(slot)), [1100, 1008, 6, 1100, 19]);
  slots.fill(5, 5, 100);
  slots.renew(5, 2000);
  assertStrictEquals(slots.deadline(5), 2100);
});

Deno.test("Slots renews nothing but what has its own time where the cache's entries are not renewed", () => {
  const slots = taken(3, -100);
  slots.renew(1, 1000);
  slots.fill(2, 2, 8);
  for (const slot of [1, 2]) slots.renew(slot, 1000);
  assertEquals([1, 2, 3].map((slot) => slots.deadline(slot)), [1, 1008, 3]);
});

for (const [name, find] of Object.entries({ slotOf, bySearchingTwice })) {
  Deno.test(`${name}() returns the slot that a key has, and gives a key that has none the free one`, () => {
    const slots = new Map<unknown, number>();
    assertEquals(["a", "a", NaN, NaN, 0, -0, undefined, "b"].map((key, i) => find(slots, key, i + 1)), [
      1,
      1,
      3,
      3,
      5,
      5,
      7,
      8,
    ]);
    assertEquals([...slots], [["a", 1], [NaN, 3], [0, 5], [undefined, 7], ["b", 8]]);
  });
}
