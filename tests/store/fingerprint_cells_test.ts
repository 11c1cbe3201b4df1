/** The table of fingerprints while it grows, and while its spans get other numbers: at each step it has what it had. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { FingerprintCells, turned } from "../../lib/store/fingerprint_cells.ts";
import { CELLS, LAST_BITS, MAX_FINGERPRINTS } from "../../lib/store/fingerprint_size.ts";
import { GONE } from "../../lib/store/fingerprint_spans.ts";
import { type Fingerprint, Fingerprints } from "../../lib/store/fingerprints.ts";

const BITS = 9;
const SPANS = 2 ** (BITS - 1);

function hashOf(i: number): number {
  i = Math.imul(i ^ i >>> 16, 0x85ebca6b);
  i = Math.imul(i ^ i >>> 13, 0xc2b2ae35);
  return i ^ i >>> 16;
}

/** A table with fingerprints of numbers from 0 on, which say their label and span. */
function filled(count: number, bits = BITS): FingerprintCells {
  const cells = new FingerprintCells(() => {});
  cells.open(bits);
  for (let i = 0; i < count; i++) put(cells, i);
  return cells;
}

function put(cells: FingerprintCells, i: number): void {
  assert(cells.put(hashOf(i), 1 + i % 255, i % SPANS), `no room for ${i}`);
}

/** What the table has, as a walk over its cells meets it. */
function held(cells: FingerprintCells): string[] {
  const found: string[] = [];
  for (let cell = 0; cell < cells.length; cell++) {
    const label = cells.labelAt(cell);
    if (label !== 0) found.push(`${cells.hashAt(cell)} ${label} ${cells.spanAt(cell)}`);
  }
  return found.sort();
}

function expected(count: number, spanOf: (span: number) => number = (span) => span): string[] {
  const all: string[] = [];
  for (let i = 0; i < count; i++) {
    const span = spanOf(i % SPANS);
    if (span !== GONE) all.push(`${hashOf(i)} ${1 + i % 255} ${span}`);
  }
  return all.sort();
}

/** The spans that a hash has, by reads that change nothing. */
function spansOf(cells: FingerprintCells, hash: number): number[] {
  const spans: number[] = [];
  for (const second of [0, 1]) {
    for (let cell = cells.next(hash, second, 0); cell >= 0; cell = cells.next(hash, second, cell + 1)) {
      spans.push(cells.spanAt(cell));
    }
  }
  return spans;
}

Deno.test("turned() is its own opposite, and turns the upper bits to the lower", () => {
  for (const hash of [0, 1, 2 ** 31, 0x12345678, 2 ** 32 - 1]) assertStrictEquals(turned(turned(hash)) >>> 0, hash);
  assertEquals([turned(1), turned(2 ** 31), turned(0x80000003)], [-(2 ** 31), 1, 0xc0000001 | 0]);
});

for (const bits of [BITS, 10, 11]) {
  Deno.test(`FingerprintCells have all that they had at each step while ${2 ** bits} buckets are split, and what comes meanwhile`, () => {
    let count = Math.floor(0.9 * CELLS * 2 ** bits);
    const cells = filled(count, bits);
    assertEquals(held(cells), expected(count));
    cells.open(bits + 1);
    let steps = 0;
    for (let more = true; more; steps++) {
      more = cells.proceed(1);
      put(cells, count++);
      if (steps % (bits === BITS ? 64 : 600) === 0) assertEquals(held(cells), expected(count));
      const some = (steps * 97) % count;
      assertEquals(spansOf(cells, hashOf(some)), [some % SPANS]);
      assert(cells.find(hashOf(some), 1 + some % 255) >= 0);
    }
    assertEquals([steps, cells.isGrowing], [2 ** bits, false]);
    assertEquals(held(cells), expected(count));
  });
}

Deno.test("FingerprintCells move nothing towards the beginning when they grow: a walk that goes on meets all", () => {
  const cells = filled(3000);
  const placeOf = (i: number) => cells.find(hashOf(i), 1 + i % 255);
  const before = Array.from({ length: 3000 }, (_, i) => placeOf(i));
  cells.open(BITS + 1);
  cells.proceed(Infinity);
  assert(before.every((cell, i) => placeOf(i) >= cell));
});

Deno.test("FingerprintCells.renumber() gives spans their new numbers at once, for readers, and takes what is gone away", () => {
  const count = 5000;
  const cells = filled(count);
  const joined = Uint16Array.from({ length: SPANS }, (_, span) => span < 50 ? GONE : span >> 1);
  const spanOf = (span: number) => joined[span];
  cells.renumber(joined);
  for (let steps = 1; steps <= 2 ** BITS; steps++) {
    if (steps % 50 === 1) assertEquals(held(cells), expected(count, spanOf));
    const some = (steps * 97) % count;
    assertEquals(spansOf(cells, hashOf(some)), some % SPANS < 50 ? [] : [spanOf(some % SPANS)]);
    assertStrictEquals(cells.proceed(1), steps < 2 ** BITS);
  }
  assertEquals(held(cells), expected(count, spanOf));
});

Deno.test("FingerprintCells take what comes, with its span, while spans get other numbers", () => {
  const count = Math.floor(0.9 * CELLS * 2 ** BITS);
  const cells = filled(count);
  cells.renumber(Uint16Array.from({ length: SPANS }, (_, span) => span % 2 === 0 ? GONE : span));
  const odd = (span: number) => span % 2 === 0 ? GONE : span;
  const added = expected(count, odd);
  for (let i = count; i < count + 2000; i++) {
    put(cells, i);
    added.push(`${hashOf(i)} ${1 + i % 255} ${i % SPANS}`);
    if (i % 500 === 0) assertEquals(held(cells), added.toSorted());
  }
  const cell = cells.find(hashOf(count), 1 + count % 255);
  cells.setSpan(cell, 7);
  cells.proceed(Infinity);
  assertStrictEquals(cells.spanAt(cells.find(hashOf(count), 1 + count % 255)), 7);
});

Deno.test("FingerprintCells have the last span that the largest table can tell, whose number means that one is gone elsewhere", () => {
  const cells = new FingerprintCells(() => {});
  cells.open(LAST_BITS);
  assert(cells.put(hashOf(1), 7, 2 ** (LAST_BITS - 1) - 1));
  assertEquals(held(cells), [`${hashOf(1)} 7 ${GONE}`]);
});

Deno.test("Fingerprints tell of each label that was dropped, also where it was added below what had been dropped before", () => {
  const most = 500;
  const dropped = new Map<number, number>();
  const tell = (label: number, upTo: number) => void dropped.set(label, Math.max(upTo, dropped.get(label) ?? 0));
  const fingerprints = new Fingerprints(most, tell);
  const versions: number[] = [];
  const add = (h: number) => {
    if (fingerprints.add(hashOf(h) >>> 0, h, 1 + h % 9)) versions.push(h);
  };
  for (let i = 1; i <= 4000; i++) add(i % 5 === 0 ? i * 10 - (i * 37) % 5001 : i * 10);
  for (const h of versions) {
    const isKnown = fingerprints.covers(hashOf(h) >>> 0, h, (label) => label === 1 + h % 9);
    assert(isKnown || h <= dropped.get(1 + h % 9)!, `${h} is lost without a word`);
  }
  assertEquals(dropped.size, 9);
});

Deno.test("Fingerprints tell how far they were dropped where a span stood for a version before it came", () => {
  const most = 500;
  let upTo = 0;
  const fingerprints = new Fingerprints(most, (label, h) => label === 2 && (upTo = Math.max(upTo, h)));
  for (let h = 1; h <= 1000; h++) fingerprints.add(hashOf(h) >>> 0, 100 * h, 1); // several in a span
  const found: Fingerprint[] = [];
  for (let h = 100_001; upTo === 0 && h < 200_000; h += 100) {
    fingerprints.add(hashOf(1) >>> 0, h, 2);
    fingerprints.walk({ cell: 0, moves: 0 }, Infinity, (one) => one.label === 2 && found.push(one));
    fingerprints.add(hashOf(1) >>> 0, found.at(-1)!.upTo, 2); // what a peer was told of it
    if (found.length < 3) continue;
    for (let i = 0; i < 2000 && upTo === 0; i++) fingerprints.add(hashOf(5000 + i) >>> 0, h + 1000 + i, 1);
  }
  assert(upTo >= found.at(-1)!.upTo, `dropped up to ${upTo}, of ${found.at(-1)!.upTo}`);
});

Deno.test("Fingerprints.add() splits and renumbers a few buckets of a large table, never all", () => {
  const { proceed } = FingerprintCells.prototype;
  let [most, work] = [0, 0];
  FingerprintCells.prototype.proceed = function (buckets: number) {
    const isLarge = this.length > CELLS * 2 ** 14 && (this.isGrowing || this.isRenumbering);
    if (isLarge) [most, work] = [Math.max(most, buckets), work + buckets];
    return proceed.call(this, buckets);
  };
  try {
    const fingerprints = new Fingerprints(MAX_FINGERPRINTS / 4, () => {});
    for (let h = 1; h <= MAX_FINGERPRINTS / 2; h++) fingerprints.add(hashOf(h) >>> 0, h, 1);
  } finally {
    FingerprintCells.prototype.proceed = proceed;
  }
  assert(most <= 8 && work > 2 ** 14, `${most} buckets at once, of ${work}`);
});
