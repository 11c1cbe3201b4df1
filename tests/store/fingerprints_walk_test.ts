/** Walks over fingerprints that go on while the table changes, labels, and the table against a model of it. */

import { assert, assertEquals } from "@std/assert";
import { type Cursor, type Fingerprint, Fingerprints } from "../../lib/store/fingerprints.ts";
import { belowOf } from "../support/store_entries.ts";

const MOST_STEPS = 10_000;
/** Every fingerprint counts. */
const ANY = () => true;

function hashOf(i: number): number {
  i = Math.imul(i ^ i >>> 16, 0x85ebca6b);
  i = Math.imul(i ^ i >>> 13, 0xc2b2ae35);
  return (i ^ i >>> 16) >>> 0;
}

function nothingDropped(upTo: number): never {
  throw new Error(`fingerprints up to ${upTo} were dropped`);
}

function filled(count: number, most: number, labels = 1): Fingerprints {
  const fingerprints = new Fingerprints(most, nothingDropped);
  for (let h = 1; h <= count; h++) assert(fingerprints.add(hashOf(h), h, 1 + h % labels));
  return fingerprints;
}

/** Walks in steps, between which something happens. Returns how often each hash was met. */
function walk(fingerprints: Fingerprints, cells: number, between: () => void = () => {}): Map<number, number> {
  const cursor: Cursor = { cell: 0, moves: 0 };
  const met = new Map<number, number>();
  const visit = ({ hash }: Fingerprint) => void met.set(hash, 1 + (met.get(hash) ?? 0));
  for (let steps = 0; fingerprints.walk(cursor, cells, visit); steps++) {
    assert(steps < MOST_STEPS, "a walk without end");
    between();
  }
  return met;
}

/** Fingerprints of a label, as texts, in order. */
function ofLabel(fingerprints: Fingerprints, label: number): string[] {
  const found: string[] = [];
  fingerprints.walk({ cell: 0, moves: 0 }, Infinity, (fingerprint) => {
    if (fingerprint.label === label) found.push(`${fingerprint.hash} ${fingerprint.upTo}`);
  });
  return found.sort();
}

Deno.test("Fingerprints.walk() meets each fingerprint once, whatever the size of a step", () => {
  const fingerprints = filled(5000, 5000);
  for (const cells of [1, 13, 1000, Infinity]) {
    const cursor: Cursor = { cell: 0, moves: 0 };
    const met: number[] = [];
    let steps = 0;
    while (fingerprints.walk(cursor, cells, ({ hash }) => void met.push(hash))) assert(++steps < MOST_STEPS);
    assertEquals([met.length, new Set(met).size], [5000, 5000]);
  }
});

Deno.test("Fingerprints.walk() meets all that was there, though others are added between its steps", () => {
  const most = 10_000; // the table is nearly full, so that fingerprints move
  const fingerprints = filled(10_000, most);
  for (let start = 0; start < 20; start++) fingerprints.removeLabels((label) => label === 2);
  let added = 10_000;
  const met = walk(fingerprints, 500, () => {
    for (let i = 0; i < 20; i++) assert(fingerprints.add(hashOf(++added), added, 1));
  });
  assert(added > 10_300, `${added - 10_000} were added`);
  for (let h = 1; h <= 10_000; h++) assert(met.has(hashOf(h)), `${h} was not met`);
});

Deno.test("Fingerprints.walk() meets all that was there, though the table grows between its steps", () => {
  for (const [few, many] of [[1000, 5000], [90_000, 130_000]]) { // it grows for spans, or for cells
    const fingerprints = filled(few, 400_000);
    const { bytes } = fingerprints;
    let added = few;
    const met = walk(fingerprints, 4000, () => {
      for (let i = 0; added < many && i < many / 10; i++) assert(fingerprints.add(hashOf(++added), added, 1));
    });
    assert(fingerprints.bytes > bytes);
    for (let h = 1; h <= few; h++) assert(met.has(hashOf(h)), `${h} was not met`);
  }
});

Deno.test("Fingerprints.walk() begins again where more has moved than is remembered", () => {
  const fingerprints = filled(1000, 5000);
  for (const moves of [-1e9, 1e9]) {
    const met = new Set<number>();
    fingerprints.walk({ cell: 100, moves }, Infinity, ({ hash }) => void met.add(hash));
    assertEquals(met.size, 1000);
  }
});

Deno.test("Fingerprints.walk() ends from a place beyond the table, as after a clear", () => {
  const fingerprints = filled(1000, 5000);
  const cursor = { cell: 0, moves: 0 };
  assertEquals(fingerprints.walk(cursor, 500, () => {}), true);
  fingerprints.clear();
  const seen: number[] = [];
  assertEquals(fingerprints.walk(cursor, 2000, ({ hash }) => void seen.push(hash)), false);
  fingerprints.add(hashOf(7), 7, 1);
  assertEquals(fingerprints.walk({ cell: 2 ** 40, moves: 0 }, 2000, ({ hash }) => void seen.push(hash)), false);
  assertEquals(seen.filter((hash) => hash !== hashOf(7)), []);
});

Deno.test("Fingerprints.copyLabel() gives fingerprints above a version another label as well", () => {
  const fingerprints = filled(30, 5000, 2);
  fingerprints.add(hashOf(2), 100, 9);
  fingerprints.copyLabel(1, 9, 20);
  assertEquals(
    ofLabel(fingerprints, 9),
    [`${hashOf(2)} 100`, ...[22, 24, 26, 28, 30].map((h) => `${hashOf(h)} ${h}`)].sort(),
  );
  assertEquals([ofLabel(fingerprints, 1).length, ofLabel(fingerprints, 2).length, fingerprints.size], [15, 15, 36]);
});

Deno.test("Fingerprints.removeLabels() removes those of some labels, and makes room for others", () => {
  const fingerprints = filled(10_000, 10_000, 4);
  const kept = ofLabel(fingerprints, 1).length;
  fingerprints.removeLabels((label) => label !== 1);
  assertEquals([1, 2, 3, 4].map((label) => ofLabel(fingerprints, label).length), [kept, 0, 0, 0]);
  assertEquals(fingerprints.size, kept);
  for (let h = 10_001; fingerprints.size < 10_000; h++) assert(fingerprints.add(hashOf(h), h, 2));
  for (let h = 4; h <= 10_000; h += 4) assert(fingerprints.covers(hashOf(h), h, ANY));
});

Deno.test("Fingerprints.clear() removes all and gives the memory back, and others may come, of any version", () => {
  const dropped: number[] = [];
  const fingerprints = new Fingerprints(100, (_, upTo) => void dropped.push(upTo));
  for (let h = 1; h <= 1000; h++) fingerprints.add(hashOf(h), h, 1);
  assert(dropped.length > 0);
  const last = dropped.at(-1)!;
  fingerprints.clear();
  assertEquals([fingerprints.size, fingerprints.bytes, fingerprints.last, fingerprints.covers(hashOf(999), 999, ANY)], [
    0,
    0,
    0,
    false,
  ]);
  assertEquals([fingerprints.add(hashOf(1), last, 1), fingerprints.add(hashOf(2), last + 1, 1)], [false, true]);
  assertEquals([fingerprints.size, fingerprints.covers(hashOf(2), last + 1, ANY)], [1, true]);
});

/** Fingerprints and what was done to them, step by step. */
class Comparison {
  readonly #fingerprints: Fingerprints;
  /** The highest version of each hash under each label that has come since the last clear. */
  readonly #versions = new Map<string, { hash: number; label: number; h: number }>();
  readonly #hashes = new Map<number, number>();
  readonly #droppedOf = new Map<number, number>();
  #dropped = 0;
  drops = 0;

  constructor(most: number) {
    this.#fingerprints = new Fingerprints(most, (label, upTo) => {
      this.drops++;
      this.#dropped = Math.max(this.#dropped, upTo);
      this.#droppedOf.set(label, Math.max(upTo, this.#droppedOf.get(label) ?? 0));
    });
  }

  add(hash: number, h: number, label: number): void {
    const isAdded = this.#fingerprints.add(hash, h, label);
    assert(isAdded || h <= this.#dropped, `${h} was refused, above ${this.#dropped}`);
    if (isAdded) this.#note(hash, h, label);
  }

  #note(hash: number, h: number, label: number): void {
    const name = `${hash} ${label}`;
    this.#versions.set(name, { hash, label, h: Math.max(h, this.#versions.get(name)?.h ?? 0) });
    this.#hashes.set(hash, Math.max(h, this.#hashes.get(hash) ?? 0));
  }

  copy(from: number, to: number, h: number): void {
    this.#fingerprints.copyLabel(from, to, h);
    for (const { hash, label, h: version } of [...this.#versions.values()]) {
      if (label === from && version > h && !this.#isGone(version, from)) this.#note(hash, version, to);
    }
    this.#droppedOf.set(to, Math.max(this.#droppedOf.get(to) ?? 0, this.#droppedOf.get(from) ?? 0));
  }

  remove(label: number): void {
    this.#fingerprints.removeLabels((other) => other === label);
    for (const [name, version] of this.#versions) if (version.label === label) this.#versions.delete(name);
  }

  clear(): void {
    this.#fingerprints.clear();
    this.#versions.clear();
    this.#hashes.clear();
  }

  #isGone(h: number, label: number): boolean {
    return h <= (this.#droppedOf.get(label) ?? 0);
  }

  /** Compares all: what has come and was not dropped is there, and nothing that never came. */
  compare(keys: number): void {
    const met = new Map<string, number>();
    this.#fingerprints.walk({ cell: 0, moves: 0 }, Infinity, ({ hash, label, upTo }) => {
      assert(!met.has(`${hash} ${label}`), "the same twice");
      met.set(`${hash} ${label}`, upTo);
      assert(upTo <= this.#fingerprints.last);
    });
    assertEquals(met.size, this.#fingerprints.size);
    for (const [name, { hash, label, h }] of this.#versions) {
      if (this.#isGone(h, label)) continue;
      assert(this.#fingerprints.covers(hash, h, ANY), `${name} of ${h} is lost`);
      assert(this.#fingerprints.covers(hash, h, (other) => other === label), `${name} of ${h} has lost its label`);
      assert(met.get(name)! >= h, `${name} of ${h} is told as ${met.get(name)}`);
    }
    for (let i = 0; i < keys; i++) {
      if (!this.#hashes.has(hashOf(i))) {
        assertEquals(this.#fingerprints.covers(hashOf(i), 1, ANY), false, `${i} never left`);
      }
    }
  }
}

for (
  const [most, keys, labels, seed] of [[50, 100, 3, 1], [1000, 3000, 40, 2], [1000, 300, 255, 3], [
    5000,
    40_000,
    5,
    4,
  ]]
) {
  Deno.test(`Fingerprints are a bounded map, of ${keys} keys under ${labels} labels with room for ${most}`, () => {
    const below = belowOf(seed);
    const all = new Comparison(most);
    for (let i = 1; i <= 60_000; i++) {
      const h = Math.max(1, 10 * i - below(below(10) === 0 ? 100_000 : 100));
      all.add(hashOf(below(keys)), h, 1 + below(labels));
      if (below(2000) === 0) all.copy(1 + below(labels), 1 + below(labels), h - below(10_000));
      if (below(5000) === 0) all.remove(1 + below(labels));
      if (below(30_000) === 0) all.clear();
      if (i % 3000 === 0) all.compare(keys);
    }
    assert(all.drops > 0, "nothing was dropped");
  });
}
