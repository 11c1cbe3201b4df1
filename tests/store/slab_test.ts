/** Slab and records together: entries of all sizes stay whole while what is around them dies, moves and grows. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { seeded } from "../../bench/compare.ts";
import { Records } from "../../lib/store/records.ts";
import { KIND_MASK, type Slab } from "../../lib/store/slab.ts";
import { spanOf } from "../../lib/base/byte_span.ts";

const SEGMENT_BYTES = 8 * 1024;

/** What must be found in an entry, whatever has happened to others. */
interface Expected {
  id: number;
  key: Uint8Array;
  value: Uint8Array;
}

interface Fixture {
  records: Records;
  slab: Slab;
  /** By position. */
  entries: Map<number, Expected>;
  /** By id, the oldest first. */
  positions: Map<number, number>;
  /** Makes room as an owner does, by dropping the oldest, and adds an entry. */
  add(keyBytes: number, valueBytes: number): number;
  remove(position: number): void;
  /** How many entries have moved. */
  moves(): number;
  below(n: number): number;
}

function randomBytes(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = Math.imul(seed, 0x9e3779b1);
  for (let i = 0; i < length; i++) {
    state = Math.imul(state, 1664525) + 1013904223 | 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

function fixture(limitBytes: number, seed = 1, segmentBytes = SEGMENT_BYTES): Fixture {
  const random = seeded(seed);
  const below = (n: number) => Math.floor(random() * n);
  const entries = new Map<number, Expected>();
  const positions = new Map<number, number>();
  let moves = 0;
  let id = 0;
  const records = new Records(segmentBytes, (from, to) => {
    const entry = entries.get(from);
    assert(entry !== undefined, `moved ${from}, where nothing lives`);
    assert(!entries.has(to), `moved to ${to}, where something lives`);
    entries.delete(from);
    entries.set(to, entry);
    positions.set(entry.id, to);
    moves++;
  });
  const { slab } = records;
  slab.limitBytes = limitBytes;
  const remove = (position: number) => {
    positions.delete(entries.get(position)!.id);
    entries.delete(position);
    records.remove(position);
  };
  const dropOldest = () => {
    const [oldest] = positions.values();
    remove(oldest);
  };
  const add = (keyBytes: number, valueBytes: number) => {
    const bytes = records.entryBytes(keyBytes, valueBytes);
    assert(bytes <= slab.capacityBytes, `${bytes} bytes are over the limit alone`);
    slab.cleanAhead(bytes);
    while (slab.liveBytes + bytes > slab.capacityBytes) dropOldest();
    while (!slab.reserve(bytes)) dropOldest();
    const key = randomBytes(keyBytes, ++id);
    const value = randomBytes(valueBytes, ~id);
    const offset = below(9);
    const padded = new Uint8Array(offset + valueBytes + 9).fill(0xee);
    padded.set(value, offset);
    const before = slab.liveBytes;
    const position = records.add(id, spanOf(key), { bytes: padded, from: offset, to: offset + valueBytes });
    const taken = slab.liveBytes - before;
    assert(taken <= bytes, `${taken} bytes for a key of ${keyBytes} and a value of ${valueBytes}, ${bytes} announced`);
    assert(taken >= keyBytes + valueBytes);
    assert(!entries.has(position));
    records.setNewer(position, id + 1);
    records.setOlder(position, id - 1);
    records.setFlags(position, ~id);
    records.setDeadlineMs(position, id + 0.125);
    records.setTtlMs(position, id + 0.5);
    entries.set(position, { id, key, value });
    positions.set(id, position);
    return position;
  };
  return { records, slab, entries, positions, add, remove, moves: () => moves, below };
}

/** Holds each entry against what it must be, and each sum against a walk over all records. */
function assertWhole({ records, slab, entries }: Fixture): void {
  const values = new Uint8Array(70_000);
  for (const [position, { id, key, value }] of entries) {
    assert(records.hasKey(position, spanOf(key)), `key of ${id}`);
    assertStrictEquals(records.keyBytes(position), key.length);
    assertStrictEquals(records.valueBytes(position), value.length);
    assertStrictEquals(records.hash(position), id);
    assertStrictEquals(records.newer(position), id + 1);
    assertStrictEquals(records.older(position), id - 1);
    assertStrictEquals(records.flags(position), ~id >>> 0);
    assertStrictEquals(records.deadlineMs(position), id + 0.125);
    assertStrictEquals(records.ttlMs(position), id + 0.5);
    const target = value.length + 5 > values.length ? new Uint8Array(value.length + 5) : values;
    target.fill(0xaa, 0, value.length + 5);
    records.copyValue(position, target, 3, id % 2 === 0 ? undefined : new DataView(target.buffer));
    for (let i = 0; i < value.length; i++) {
      if (target[i + 3] !== value[i]) throw new Error(`byte ${i} of ${value.length} of ${id} is ${target[i + 3]}`);
    }
    for (const at of [2, value.length + 3]) assertStrictEquals(target[at], 0xaa, `copied over byte ${at}`);
  }
  let liveBytes = 0;
  const walked: number[] = [];
  for (let segment = 0; segment < slab.segments; segment++) {
    let at = slab.firstAt(segment);
    for (; at < slab.ends[segment]; at = records.nextAt(segment, at)) {
      const word = slab.words[segment][at >> 2];
      if ((word & KIND_MASK) !== 0) liveBytes += word & ~KIND_MASK;
      const position = records.entryAt(segment, at);
      if (position !== 0) walked.push(position);
    }
    assert(at === slab.ends[segment] || slab.ends[segment] === 0, `segment ${segment} walked to ${at}`);
  }
  assertStrictEquals(liveBytes, slab.liveBytes);
  assertStrictEquals(slab.bytes.reduce((sum, { length }) => sum + length, 0), slab.heldBytes);
  assertEquals(walked.sort((a, b) => a - b), [...entries.keys()].sort((a, b) => a - b));
}

function assertWithin({ slab }: Fixture, limitBytes: number): void {
  if (slab.heldBytes > limitBytes) throw new Error(`${slab.heldBytes} bytes held, ${limitBytes} allowed`);
}

Deno.test("Records.add() keeps key and value byte for byte when they are of any sizes", () => {
  const all = fixture(64 * SEGMENT_BYTES);
  const sizes = [0, 1, 3, 4, 7, 8, 47, 48, 49, 100, 460, 467, 468, 469, 495, 496, 497, 511, 512, 513];
  for (const keyBytes of [1, 4, 44, 468, 469, 4096]) {
    for (const valueBytes of [...sizes, 1000, 8192, 3 * 8192 + 5, 50_000]) {
      all.remove(all.add(keyBytes, valueBytes));
      for (let i = all.below(4); i > 0; i--) all.add(1 + all.below(20), all.below(700));
      all.add(keyBytes, valueBytes);
      assertWithin(all, 64 * SEGMENT_BYTES);
    }
  }
  assertWhole(all);
});

Deno.test("Records.hasKey() tells keys apart when they differ in a byte or in length", () => {
  const { records, add, entries } = fixture(64 * SEGMENT_BYTES);
  const position = add(20, 30);
  const { key } = entries.get(position)!;
  const around = Uint8Array.from([9, ...key, 9]);
  assertStrictEquals(records.hasKey(position, { bytes: around, from: 1, to: 21 }), true);
  for (const [from, to] of [[0, 20], [1, 20], [1, 22], [2, 22], [5, 5]]) {
    assertStrictEquals(records.hasKey(position, { bytes: around, from, to }), false);
  }
  for (let i = 0; i < 20; i++) {
    const other = key.slice();
    other[i] ^= 0x80;
    assertStrictEquals(records.hasKey(position, spanOf(other)), false);
  }
});

Deno.test("Records.replace() puts another value into the entry's place when it fits", () => {
  const { records, slab, add } = fixture(64 * SEGMENT_BYTES);
  const position = add(10, 20); // 74 bytes in 80
  add(5, 5);
  const { liveBytes } = slab;
  assertEquals([18, 19, 26, 27].map((length) => records.fits(position, length)), [false, true, true, false]);
  for (const length of [26, 19, 22]) {
    const value = Uint8Array.from({ length }, (_, i) => length + i);
    records.replace(position, { bytes: Uint8Array.from([1, ...value, 2]), from: 1, to: 1 + length });
    const copy = new Uint8Array(length + 1);
    records.copyValue(position, copy, 0);
    assertEquals(copy, Uint8Array.from([...value, 0]));
    assertEquals([records.valueBytes(position), records.keyBytes(position)], [length, 10]);
  }
  assertStrictEquals(slab.liveBytes, liveBytes);
  const long = add(10, 5000);
  for (let length = 0; length <= 5000; length++) assertStrictEquals(records.fits(long, length), false);
});

Deno.test("Records.ttlMs() is the float next to what was set, and Infinity when that was", () => {
  const { records, add } = fixture(64 * SEGMENT_BYTES);
  const position = add(1, 1);
  for (const ttlMs of [0.001, 10, 12_345.678, 86_400_001, Number.MAX_SAFE_INTEGER, Infinity]) {
    records.setTtlMs(position, ttlMs);
    records.setDeadlineMs(position, ttlMs);
    assertEquals([records.ttlMs(position), records.deadlineMs(position)], [Math.fround(ttlMs), ttlMs]);
  }
});

/** How sizes are drawn in the random tests: they change while entries of before still live. */
const SIZES: Record<string, (below: (n: number) => number) => number> = {
  small: (below) => below(40),
  middling: (below) => 200 + below(400),
  large: (below) => below(4 * SEGMENT_BYTES),
  mixed: (below) => below(12) === 0 ? below(4 * SEGMENT_BYTES) : below(below(3) === 0 ? 1500 : 100),
};

for (const segments of [12, 40.7]) {
  for (const phases of ["small large small", "mixed middling mixed", "large small middling large"]) {
    Deno.test(`Records stay whole in ${segments} segments when sizes go ${phases.replaceAll(" ", ", ")}`, () => {
      const limitBytes = segments * SEGMENT_BYTES;
      const all = fixture(limitBytes, segments + phases.length);
      for (const phase of phases.split(" ")) {
        for (let step = 0; step < 3000; step++) {
          const what = all.below(20);
          if (what < 13) {
            all.add(1 + all.below(30), SIZES[phase](all.below));
          } else if (what < 18 && all.entries.size > 0) {
            let skip = all.below(Math.min(50, all.entries.size));
            for (const position of all.positions.values()) {
              if (skip-- > 0) continue;
              all.remove(position);
              break;
            }
          } else {
            all.slab.tidy(all.below(3000));
          }
          assertWithin(all, limitBytes);
          assert(all.slab.segments <= segments, `${all.slab.segments} segments`);
          if (step % 250 === 0) assertWhole(all);
        }
        assertWhole(all);
      }
      assert(all.moves() > 100, `only ${all.moves()} moves`);
    });
  }
}

Deno.test("Slab.reserve() returns false rather than exceed the limit, and leaves room when it returns true", () => {
  for (const limit of [8, 20, 63.5]) {
    for (const bytes of [48, 400, 512]) {
      const limitBytes = limit * SEGMENT_BYTES;
      const { slab, entries, records } = fixture(limitBytes);
      let count = 0;
      while (slab.reserve(bytes)) {
        entries.set(slab.allocate(bytes, 1), { id: ++count, key: new Uint8Array(), value: new Uint8Array() });
        assert(slab.heldBytes <= limitBytes);
        assert(count <= limitBytes / bytes);
      }
      assert(slab.liveBytes > (Math.floor(limit) - 2) * (SEGMENT_BYTES - bytes), `only ${slab.liveBytes} bytes`);
      assertStrictEquals(slab.reserve(bytes), false);
      assert(slab.heldBytes <= limitBytes);
      // A segment's worth in holes, one at a time: closing them makes room.
      let released = 0;
      for (const position of [...entries.keys()]) {
        if (position % 4 !== 0) continue;
        slab.release(position);
        entries.delete(position);
        released += bytes;
      }
      assert(released > 2 * SEGMENT_BYTES || limit === 8);
      if (released > 2 * SEGMENT_BYTES) assertStrictEquals(slab.reserve(bytes), true);
      assert(slab.heldBytes <= limitBytes);
      assertStrictEquals(slab.liveBytes, bytes * entries.size);
      assert(records.slab === slab);
    }
  }
});

Deno.test("Slab.reserve() of many records makes room for all of them at once when it returns true", () => {
  const limitBytes = 40 * SEGMENT_BYTES;
  for (const bytes of [504, 512]) {
    const { slab } = fixture(limitBytes);
    const count = 500;
    assertStrictEquals(slab.reserve(count * bytes), true);
    for (let i = 0; i < count; i++) slab.allocate(bytes, 1);
    assert(slab.heldBytes <= limitBytes - SEGMENT_BYTES, `${slab.heldBytes} bytes held`);
  }
});

Deno.test("Slab.tidy() gives memory back until little more is held than lives when most entries have gone", () => {
  for (const size of ["small", "mixed", "large"]) {
    const all = fixture(2000 * SEGMENT_BYTES, 3);
    while (all.slab.liveBytes < 300 * SEGMENT_BYTES) all.add(10, SIZES[size](all.below));
    const full = all.slab.heldBytes;
    assert(full < 1.1 * all.slab.liveBytes + 4 * SEGMENT_BYTES, `${full} held for ${all.slab.liveBytes}`);
    for (const position of [...all.entries.keys()]) if (all.below(10) > 0) all.remove(position);
    let slices = 0;
    while (all.slab.tidy(4096)) slices++;
    const { heldBytes, liveBytes } = all.slab;
    assert(slices < 2 * full / 4096 + 100, `${slices} slices`);
    assert(heldBytes < full / 4, `${heldBytes} of ${full}`);
    assert(heldBytes <= liveBytes / 0.85 + 6 * SEGMENT_BYTES, `${heldBytes} held for ${liveBytes}`);
    assertWhole(all);
    for (const position of [...all.entries.keys()]) all.remove(position);
    while (all.slab.tidy(4096));
    assertStrictEquals(all.slab.liveBytes, 0);
    assert(all.slab.heldBytes <= 6 * SEGMENT_BYTES, `${all.slab.heldBytes} held for nothing`);
    assertWhole(all);
  }
});

Deno.test("Slab.tidy() lets memory go back also where a few records that stay lie far from each other", () => {
  const all = fixture(4000 * SEGMENT_BYTES, 5);
  while (all.slab.liveBytes < 1000 * SEGMENT_BYTES) all.add(10, 400);
  const full = mappedBytes(all.slab);
  // Of every 50 segments two stay as they are: there are no holes to be closed.
  for (const position of [...all.entries.keys()]) if ((position >>> all.slab.shift) % 50 > 1) all.remove(position);
  while (all.slab.tidy(4096));
  assert(mappedBytes(all.slab) < full / 4, `${mappedBytes(all.slab)} of ${full} for ${all.slab.liveBytes}`);
  assertWhole(all);
  for (const position of [...all.entries.keys()]) all.remove(position);
  while (all.slab.tidy(4096));
  assert(mappedBytes(all.slab) <= 16 * SEGMENT_BYTES, `${mappedBytes(all.slab)} of ${full} for nothing`);
  while (all.slab.liveBytes < 100 * SEGMENT_BYTES) all.add(10, 400);
  assertWhole(all);
});

/** Bytes of all buffers that segments lie in: what they keep from going back to the system. */
function mappedBytes({ words }: Slab): number {
  const buffers = new Set(words.filter(({ length }) => length > 0).map(({ buffer }) => buffer));
  return [...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0);
}

Deno.test("Slab keeps all records whole when it is tidied between any others", () => {
  const all = fixture(600 * SEGMENT_BYTES, 7);
  for (let round = 0; round < 12; round++) {
    while (all.slab.liveBytes < 400 * SEGMENT_BYTES) {
      all.add(10, 1 + all.below(450));
      if (all.below(20) === 0) all.slab.tidy(2048);
    }
    const kept = all.below(40);
    for (const id of [...all.positions.keys()]) {
      const position = all.positions.get(id);
      if (position !== undefined && (position >>> all.slab.shift) % 40 !== kept) all.remove(position);
      if (all.below(50) === 0) all.slab.tidy(2048);
      if (all.below(50) === 0) all.add(10, 1 + all.below(450));
      assert(all.slab.heldBytes <= all.slab.limitBytes);
    }
    assertWhole(all);
  }
});

Deno.test("Slab holds a few segments when each record dies before the next comes", () => {
  for (const segmentBytes of [SEGMENT_BYTES, 512 * 1024]) {
    const { slab } = fixture(100 * segmentBytes, 9, segmentBytes);
    for (let i = 0; i < 1000; i++) {
      assertStrictEquals(slab.reserve(slab.maxRecordBytes), true);
      slab.release(slab.allocate(slab.maxRecordBytes, 1));
      assert(slab.heldBytes <= 4 * segmentBytes, `${slab.heldBytes} bytes held`);
    }
  }
});

Deno.test("Slab gives memory back without the collector when segments are small or large", () => {
  for (const segmentBytes of [SEGMENT_BYTES, 512 * 1024]) {
    const { slab } = fixture(100 * segmentBytes, 10, segmentBytes);
    const positions: number[] = [];
    for (let i = 0; i < 160; i++) positions.push(slab.allocate(slab.maxRecordBytes, 1));
    const buffers = new Set(slab.bytes.map(({ buffer }) => buffer));
    const buffersBytes = () => [...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0);
    const fullBytes = buffersBytes();
    assert(fullBytes >= slab.heldBytes && slab.heldBytes >= 10 * segmentBytes);
    for (const position of positions) slab.release(position);
    assert(slab.heldBytes <= 3 * segmentBytes, `${slab.heldBytes} bytes held`);
    assert(buffersBytes() < fullBytes, `${buffersBytes()} bytes of regions`);
    while (slab.abandon(1));
    assertStrictEquals(buffersBytes(), 0);
  }
});

Deno.test("Slab moves few entries for each that comes when it is as full as it may be", () => {
  const all = fixture(100 * SEGMENT_BYTES, 11);
  let ids = 0;
  let most = 0;
  const churn = (count: number) => {
    for (const end = ids + count; ids < end; ids++) {
      while (all.slab.liveBytes > 0.99 * all.slab.capacityBytes) {
        const position = all.positions.get(all.below(ids)); // any, whatever its age
        if (position !== undefined) all.remove(position);
      }
      const before = all.moves();
      all.add(10, 20 + all.below(60));
      most = Math.max(most, all.moves() - before);
    }
    return all.moves();
  };
  const before = churn(20_000);
  const moves = (churn(20_000) - before) / 20_000;
  assert(moves > 1 && moves < 6, `${moves} moves for each entry added`);
  assert(most < 100, `${most} moves at once`);
  assertWhole(all);
});

Deno.test("Slab.tidy() looks at records of so many bytes at most when it closes holes", () => {
  const all = fixture(200 * SEGMENT_BYTES, 4);
  while (all.slab.liveBytes < 50 * SEGMENT_BYTES) all.add(10, 10);
  for (const position of [...all.entries.keys()]) if (all.below(10) > 0) all.remove(position);
  for (let before = all.moves(); all.slab.tidy(640); before = all.moves()) {
    assert(all.moves() - before <= 11, `${all.moves() - before} moved in a slice`);
  }
  assertWhole(all);
});

Deno.test("Slab keeps to a lower limit with the next reserve when most entries have gone", () => {
  const all = fixture(100 * SEGMENT_BYTES, 5);
  while (all.slab.liveBytes < 80 * SEGMENT_BYTES) all.add(10, 30);
  for (const position of [...all.entries.keys()]) if (all.below(10) > 0) all.remove(position);
  const limitBytes = 15.5 * SEGMENT_BYTES;
  all.slab.limitBytes = limitBytes;
  for (let i = 0; i < 5000; i++) {
    all.add(10, all.below(60));
    assertWithin(all, limitBytes);
  }
  assertWhole(all);
});

Deno.test("Slab keeps to a limit that falls and rises by parts of a segment while entries come", () => {
  const all = fixture(20 * SEGMENT_BYTES, 6);
  for (let i = 0; i < 20_000; i++) {
    const limitBytes = (20 - (i >> 5) % 160 / 20) * SEGMENT_BYTES;
    all.slab.limitBytes = limitBytes;
    all.add(10, all.below(300));
    assertWithin(all, limitBytes);
    if (i % 1000 === 0) assertWhole(all);
  }
});

Deno.test("Slab.abandon() gives back so many segments a time until none is held", () => {
  const all = fixture(100 * SEGMENT_BYTES, 7);
  while (all.slab.liveBytes < 30 * SEGMENT_BYTES) all.add(10, 100);
  for (let held = all.slab.heldBytes, more = true; more; held = all.slab.heldBytes) {
    more = all.slab.abandon(4);
    assertStrictEquals(all.slab.heldBytes, Math.max(0, held - 4 * SEGMENT_BYTES));
    assertStrictEquals(more, all.slab.heldBytes > 0);
  }
});

Deno.test("Slab.abandon() never holds more than before when some segments were without memory", () => {
  const all = fixture(200 * SEGMENT_BYTES, 8);
  while (all.slab.liveBytes < 100 * SEGMENT_BYTES) all.add(10, 100);
  for (const position of [...all.entries.keys()]) if (all.below(10) > 0) all.remove(position);
  while (all.slab.tidy(4096));
  for (let held = all.slab.heldBytes, more = true; more; held = all.slab.heldBytes) {
    more = all.slab.abandon(1);
    assert(all.slab.heldBytes <= held, `${all.slab.heldBytes} bytes held after ${held}`);
  }
  assertStrictEquals(all.slab.heldBytes, 0);
});
