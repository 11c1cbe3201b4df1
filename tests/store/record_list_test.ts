/** Records in order, the newest first: against an array. */

import { assertEquals } from "@std/assert";
import type { Records } from "../../lib/store/records.ts";
import { RecordList } from "../../lib/store/record_list.ts";
import { belowOf } from "../support/store_entries.ts";

/** Neighbours by position: all that a list asks of records. */
class Stub {
  readonly #newer = new Map<number, number>();
  readonly #older = new Map<number, number>();

  newer(position: number): number {
    return this.#newer.get(position)!;
  }

  older(position: number): number {
    return this.#older.get(position)!;
  }

  setNewer(position: number, newer: number): void {
    this.#newer.set(position, newer);
  }

  setOlder(position: number, older: number): void {
    this.#older.set(position, older);
  }

  /** Gives a record another position, as a slab does when it closes a hole; nothing is left at the old one. */
  move(from: number, to: number): void {
    for (const links of [this.#newer, this.#older]) {
      links.set(to, links.get(from)!);
      links.set(from, NaN);
    }
  }
}

function fixture(): { records: Stub; list: RecordList } {
  const records = new Stub();
  return { records, list: new RecordList(records as unknown as Records) };
}

/** Positions from the newest to the oldest, and back. */
function assertHolds({ records, list }: { records: Stub; list: RecordList }, expected: number[]): void {
  const forth: number[] = [];
  for (let at = list.newest; at !== 0 && forth.length <= list.size; at = records.older(at)) forth.push(at);
  const back: number[] = [];
  for (let at = list.oldest; at !== 0 && back.length <= list.size; at = records.newer(at)) back.push(at);
  assertEquals([forth, back.reverse(), list.size], [expected, expected, expected.length]);
}

Deno.test("RecordList holds nothing at first, and again when all have been removed", () => {
  const all = fixture();
  assertHolds(all, []);
  for (const position of [5, 6]) all.list.add(position);
  assertHolds(all, [6, 5]);
  for (const position of [5, 6]) all.list.remove(position);
  assertHolds(all, []);
  all.list.add(7);
  assertHolds(all, [7]);
});

Deno.test("RecordList.remove() takes the newest, the oldest and one between out", () => {
  for (const [position, left] of [[4, [3, 2, 1]], [1, [4, 3, 2]], [2, [4, 3, 1]]] as [number, number[]][]) {
    const all = fixture();
    for (const add of [1, 2, 3, 4]) all.list.add(add);
    all.list.remove(position);
    assertHolds(all, left);
  }
});

Deno.test("RecordList.toFront() makes a record the newest, be it that already", () => {
  const all = fixture();
  for (const position of [1, 2, 3]) all.list.add(position);
  for (const [position, expected] of [[3, [3, 2, 1]], [1, [1, 3, 2]], [3, [3, 1, 2]]] as [number, number[]][]) {
    all.list.toFront(position);
    assertHolds(all, expected);
  }
  const alone = fixture();
  alone.list.add(9);
  alone.list.toFront(9);
  assertHolds(alone, [9]);
});

Deno.test("RecordList.moved() leads to a record under its new position, at either end and alone", () => {
  for (const count of [1, 2, 3]) {
    for (let moving = 1; moving <= count; moving++) {
      const all = fixture();
      const order = Array.from({ length: count }, (_, i) => count - i);
      for (const position of order.toReversed()) all.list.add(position);
      all.records.move(moving, 100);
      all.list.moved(moving, 100);
      assertHolds(all, order.map((position) => position === moving ? 100 : position));
    }
  }
});

Deno.test("RecordList.insert() adds a record in front of another, as the oldest, or as the newest", () => {
  const all = fixture();
  const steps = [[1, 0, [1]], [2, 0, [1, 2]], [3, 1, [3, 1, 2]], [4, 2, [3, 1, 4, 2]], [5, 1, [3, 5, 1, 4, 2]]];
  for (const [position, older, expected] of steps as [number, number, number[]][]) {
    all.list.insert(position, older);
    assertHolds(all, expected);
  }
});

Deno.test("RecordList.cursor keeps its place when its record moves, and when that is removed or used", () => {
  const all = fixture();
  for (const position of [1, 2, 3, 4]) all.list.add(position);
  all.list.cursor = 3;
  all.records.move(3, 30);
  all.list.moved(3, 30);
  assertEquals(all.list.cursor, 30);
  all.list.toFront(30);
  assertEquals(all.list.cursor, 2);
  all.list.remove(4);
  assertEquals(all.list.cursor, 2);
  all.list.remove(2);
  all.list.remove(1);
  assertEquals(all.list.cursor, 0);
  all.list.insert(5, all.list.cursor);
  assertHolds(all, [30, 5]);
});

Deno.test("RecordList is an array in order of use through 20,000 changes by chance", () => {
  const all = fixture();
  const below = belowOf(20261130);
  let order: number[] = [];
  let next = 1;
  for (let step = 0; step < 20_000; step++) {
    const position = order.length === 0 ? 0 : order[below(order.length)];
    const what = below(100);
    if (position === 0 || what < 26) {
      all.list.add(next);
      order.unshift(next++);
    } else if (what < 50) {
      all.list.remove(position);
      order = order.filter((other) => other !== position);
    } else if (what < 80) {
      all.list.toFront(position);
      order = [position, ...order.filter((other) => other !== position)];
    } else {
      all.records.move(position, next);
      all.list.moved(position, next);
      order = order.map((other) => other === position ? next : other);
      next++;
    }
    if (step % 50 === 0) assertHolds(all, order);
  }
  assertHolds(all, order);
});
