/** The sweep for expired entries: what it finds, what it passes over, and how much it looks at. */

import { assert, assertEquals } from "@std/assert";
import { spanOf } from "../../lib/base/byte_span.ts";
import { ExpirySweep } from "../../lib/store/expiry_sweep.ts";
import { ENTRY, TOMB } from "../../lib/store/entry.ts";
import type { SweepCounts } from "../../lib/store/losses.ts";
import { Records } from "../../lib/store/records.ts";

const SEGMENT_BYTES = 8 * 1024;
const KEY = spanOf(new Uint8Array(4));

interface Fixture {
  readonly records: Records;
  readonly sweep: ExpirySweep;
  /** Positions of entries that have expired, in this order. */
  readonly expired: number[];
  /** Positions that entries have left, and where they are. */
  readonly moved: Map<number, number>;
  readonly counts: SweepCounts;
}

function fixture(): Fixture {
  const expired: number[] = [];
  const moved = new Map<number, number>();
  const records = new Records(SEGMENT_BYTES, (from, to) => {
    moved.set(from, to);
    sweep.note(to, records.deadlineMs(to));
  });
  records.slab.limitBytes = 1024 * SEGMENT_BYTES;
  const counts = { looked: 0, swept: 0 };
  const remove = (position: number) => {
    expired.push(position);
    records.remove(position);
  };
  const sweep: ExpirySweep = new ExpirySweep(records, remove, counts);
  return { records, sweep, expired, moved, counts };
}

/** Adds an entry that expires at a time; its value looks like entries that have expired. Returns its position. */
function add({ records, sweep }: Fixture, deadlineMs: number, valueBytes = 0): number {
  const value = spanOf(new Uint8Array(valueBytes).fill(8 | ENTRY));
  assert(records.slab.reserve(records.entryBytes(4, valueBytes)));
  const position = records.add(1, KEY, value);
  records.setDeadlineMs(position, deadlineMs);
  sweep.note(position, deadlineMs);
  return position;
}

/** Adds entries until so many segments are filled. Returns their positions. */
function fill(all: Fixture, segments: number, deadlineMs: (i: number) => number): number[] {
  const positions: number[] = [];
  while (all.records.slab.heldBytes < segments * SEGMENT_BYTES) positions.push(add(all, deadlineMs(positions.length)));
  return positions;
}

const ENOUGH = 100_000;

/** Looks at one place after another until something has expired. Returns the number of places. */
function untilOne({ sweep, expired }: Fixture, nowMs: number): number {
  for (let places = 1; places <= ENOUGH; places++) {
    sweep.run(1, nowMs);
    if (expired.length > 0) return places;
  }
  throw new Error(`nothing has expired at ${ENOUGH} places`);
}

Deno.test("ExpirySweep.run() finds nothing, and does not stop within anything, when there is nothing", () => {
  const all = fixture();
  assertEquals([all.sweep.run(ENOUGH, Infinity), all.expired], [false, []]);
});

Deno.test("ExpirySweep.run() finds all that has expired, and nothing else", () => {
  const all = fixture();
  const positions = fill(all, 5, (i) => [10, 20, Infinity][i % 3]);
  all.sweep.run(ENOUGH, 9);
  assertEquals(all.expired, []);
  all.sweep.run(ENOUGH, 10);
  const due = (remainder: number) => positions.filter((_, i) => i % 3 === remainder);
  assertEquals(all.expired.splice(0).sort((a, b) => a - b), due(0));
  all.sweep.run(ENOUGH, 19);
  assertEquals(all.expired, []);
  all.sweep.run(ENOUGH, 20);
  assertEquals(all.expired.splice(0).sort((a, b) => a - b), due(1));
  all.sweep.run(ENOUGH, Number.MAX_SAFE_INTEGER);
  assertEquals(all.expired, []);
});

Deno.test("ExpirySweep.run() looks at so many places, tells whether it stopped within a segment, and goes on there", () => {
  const all = fixture();
  const positions = Array.from({ length: 10 }, () => add(all, 5));
  assertEquals([all.sweep.run(1, 5), all.expired.length], [true, 0]); // the segment
  assertEquals([all.sweep.run(4, 5), all.expired.length], [true, 4]);
  assertEquals([all.sweep.run(6, 5), all.expired], [true, positions]);
  assertEquals(all.sweep.run(1, 5), false); // its end
});

Deno.test("ExpirySweep.run() looks at fewer places when each entry that has expired counts for more", () => {
  const all = fixture();
  for (let i = 0; i < 10; i++) add(all, 5);
  all.sweep.run(1, 5); // the segment
  all.sweep.run(6, 5, 2);
  assertEquals(all.expired.length, 2);
});

Deno.test("ExpirySweep.run() tells that it stopped within a segment when it is at the first record of any", () => {
  const all = fixture();
  const positions = fill(all, 6, () => 5);
  const used = 1 + (positions.at(-1)! >>> all.records.slab.shift);
  const begun: boolean[] = [];
  for (let segment = 0; segment < used; segment++) {
    begun.push(all.sweep.run(1, 5));
    for (let places = 0; all.sweep.run(1, 5); places++) assert(places < 1000, "a segment without end");
  }
  assertEquals([begun, all.expired.length], [Array(used).fill(true), positions.length]);
});

Deno.test("ExpirySweep.run() walks through no segment where nothing is due", () => {
  const all = fixture();
  fill(all, 4, () => 1000);
  const due = add(all, 5);
  const segments = 1 + (due >>> all.records.slab.shift);
  const places = untilOne(all, 5);
  const inItsSegment = SEGMENT_BYTES / all.records.entryBytes(4, 0);
  assert(places <= segments + inItsSegment + 1, `${places} places`);
  assertEquals(all.expired, [due]);
});

Deno.test("ExpirySweep.run() passes over an entry whose deadline has been put off, and finds it at its new one", () => {
  const all = fixture();
  const positions = [add(all, 5), add(all, 5)];
  all.records.setDeadlineMs(positions[0], 50); // which nobody notes: it has only moved away
  all.sweep.run(ENOUGH, 5);
  assertEquals(all.expired.splice(0), [positions[1]]);
  all.sweep.run(ENOUGH, 49);
  assertEquals(all.expired, []);
  all.sweep.run(ENOUGH, 50);
  assertEquals(all.expired, [positions[0]]);
});

Deno.test("ExpirySweep.run() finds what is noted in a segment while it walks there, before and behind it", () => {
  const all = fixture();
  const positions = Array.from({ length: 10 }, () => add(all, 5));
  for (const position of positions.slice(1)) all.records.setDeadlineMs(position, 100);
  assertEquals(all.sweep.run(5, 5), true);
  assertEquals(all.expired.splice(0), [positions[0]]);
  for (const position of [positions[1], positions[8]]) {
    all.records.setDeadlineMs(position, 7);
    all.sweep.note(position, 7);
  }
  all.sweep.run(ENOUGH, 7);
  assertEquals(all.expired.splice(0).sort((a, b) => a - b), [positions[1], positions[8]]);
  all.sweep.run(ENOUGH, 100);
  assertEquals(all.expired.length, 7);
});

Deno.test("ExpirySweep.run() passes over graves, and what has been removed", () => {
  const all = fixture();
  const positions = Array.from({ length: 3 }, () => add(all, 5));
  all.records.bury(positions[0], TOMB);
  all.records.remove(positions[1]);
  all.sweep.run(ENOUGH, 5);
  assertEquals(all.expired, [positions[2]]);
});

Deno.test("ExpirySweep.run() passes over the pieces of a long value", () => {
  const all = fixture();
  const long = add(all, 5, 5 * SEGMENT_BYTES);
  const short = add(all, 5);
  all.sweep.run(ENOUGH, 5);
  assertEquals(all.expired.sort((a, b) => a - b), [long, short].sort((a, b) => a - b));
});

Deno.test("ExpirySweep.run() leaves a segment that has been emptied and opened anew, and walks there again", () => {
  const all = fixture();
  const positions = fill(all, 8, () => 5);
  const { slab } = all.records;
  untilOne(all, 5);
  const segment = all.expired[0] >>> slab.shift;
  const opened = slab.opened[segment];
  for (const position of positions) if (!all.expired.includes(position)) all.records.remove(position);
  all.expired.length = 0;
  const again: number[] = [];
  while (slab.opened[segment] === opened) {
    again.push(add(all, again.length % 2 === 0 ? 6 : 60, 200)); // of another size: they begin elsewhere
    assert(again.length < 10_000, "the segment is not opened anew");
  }
  all.sweep.run(ENOUGH, 6);
  assertEquals(all.expired.sort((a, b) => a - b), again.filter((_, i) => i % 2 === 0).sort((a, b) => a - b));
});

Deno.test("ExpirySweep.run() finds what has moved to another segment", () => {
  const all = fixture();
  const positions = fill(all, 6, (i) => i % 10 === 0 ? 50 : 1000);
  for (const [i, position] of positions.entries()) if (i % 10 !== 0) all.records.remove(position);
  for (let slices = 0; all.records.slab.tidy(SEGMENT_BYTES); slices++) assert(slices < 1000, "it tidies for ever");
  const due = positions.filter((_, i) => i % 10 === 0);
  assert(all.moved.size > 0, "nothing has moved");
  all.sweep.run(ENOUGH, 49);
  assertEquals(all.expired, []);
  all.sweep.run(ENOUGH, 50);
  assertEquals(all.expired.length, due.length);
});

Deno.test("ExpirySweep counts the entries that it looks at, and those of them that it removes", () => {
  const all = fixture();
  const positions = [5, 7, 20].map((deadlineMs) => add(all, deadlineMs));
  all.records.remove(positions[1]);
  all.sweep.run(ENOUGH, 4);
  assertEquals(all.counts, { looked: 0, swept: 0 }); // nothing is due
  all.sweep.run(2 + 4, 10); // two of the places are segments
  assertEquals(all.counts, { looked: 2, swept: 1 });
});
