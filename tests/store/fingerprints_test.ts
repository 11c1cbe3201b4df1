/** Fingerprints of what has left: none is lost that is not said to be dropped, and a walk meets all of them. */

import { assert, assertEquals } from "@std/assert";
import { spanOf } from "../../lib/base/byte_span.ts";
import { CELLS, fingerprintBytes, MAX_FINGERPRINTS, mostFingerprints } from "../../lib/store/fingerprint_size.ts";
import { FingerprintCells } from "../../lib/store/fingerprint_cells.ts";
import { type Fingerprint, Fingerprints, MAX_LABEL } from "../../lib/store/fingerprints.ts";
import { publicHash } from "../../lib/base/public_hash.ts";
import { belowOf, MIB } from "../support/store_entries.ts";

/** Every fingerprint counts. */
const ANY = () => true;

interface Fixture {
  readonly fingerprints: Fingerprints;
  /** What was said to be dropped: up to a version, of which label. */
  readonly dropped: [upTo: number, label: number][];
}

function fixture(most: number): Fixture {
  const dropped: Fixture["dropped"] = [];
  return { fingerprints: new Fingerprints(most, (label, upTo) => void dropped.push([upTo, label])), dropped };
}

/** A number as a hash that looks as if chosen by chance; another for each number (MurmurHash3's finalizer). */
function hashOf(i: number): number {
  i = Math.imul(i ^ i >>> 16, 0x85ebca6b);
  i = Math.imul(i ^ i >>> 13, 0xc2b2ae35);
  return (i ^ i >>> 16) >>> 0;
}

/** Versions from 1 to `count` of so many hashes. */
function filled(count: number, most = count): Fixture {
  const all = fixture(most);
  for (let h = 1; h <= count; h++) assert(all.fingerprints.add(hashOf(h), h, 1));
  return all;
}

/** All fingerprints that a walk meets, by their hash and label, in order. */
function met({ fingerprints }: Fixture): Fingerprint[] {
  const found: Fingerprint[] = [];
  assertEquals(
    fingerprints.walk({ cell: 0, moves: 0 }, Infinity, (fingerprint) => void found.push(fingerprint)),
    false,
  );
  return found.sort((a, b) => a.hash - b.hash || a.label - b.label);
}

Deno.test("Fingerprints take no memory and cover nothing at first, nor where none are remembered", () => {
  for (const most of [0, 100]) {
    const { fingerprints, dropped } = fixture(most);
    assertEquals([fingerprints.bytes, fingerprints.size, fingerprints.last, fingerprints.covers(1, 1, ANY)], [
      0,
      0,
      0,
      false,
    ]);
    assertEquals(met({ fingerprints, dropped }), []);
    assertEquals(fingerprints.growthBytes > 0, most > 0);
    assertEquals(fingerprints.add(hashOf(1), 5, 1), most > 0);
    assertEquals([fingerprints.size, fingerprints.bytes > 0, fingerprints.covers(hashOf(1), 5, ANY)], [
      Math.sign(most),
      most > 0,
      most > 0,
    ]);
  }
});

Deno.test("Fingerprints.covers() what has left in that version or a newer one, by its hash", () => {
  const { fingerprints } = fixture(1000);
  for (const [i, h] of [[1, 50], [2, 40], [3, 60]]) assertEquals(fingerprints.add(hashOf(i), h, i), true);
  const covered = [1, 2, 3, 4].map((i) =>
    [1, 40, 41, 50, 51, 60, 61].filter((h) => fingerprints.covers(hashOf(i), h, ANY))
  );
  assertEquals(covered, [[1, 40, 41, 50], [1, 40], [1, 40, 41, 50, 51, 60], []]);
  assertEquals([fingerprints.size, fingerprints.last], [3, 60]);
});

Deno.test("Fingerprints.covers() only what is said to count", () => {
  const { fingerprints } = fixture(1000);
  for (const [label, h] of [[7, 50], [8, 40]]) fingerprints.add(hashOf(1), h, label);
  const asked: number[][] = [];
  const covers = (h: number, counts: number) =>
    fingerprints.covers(hashOf(1), h, (label, upTo) => {
      asked.push([label, upTo]);
      return label === counts;
    });
  assertEquals([covers(40, 7), covers(40, 8), covers(41, 8), covers(40, 9)], [true, true, false, false]);
  assertEquals(new Set(asked.map(String)), new Set(["7,50", "8,40"]));
});

Deno.test("Fingerprints.add() keeps the highest of one hash and label, and each of other labels", () => {
  const all = fixture(1000);
  const { fingerprints } = all;
  for (const [h, label] of [[20, 1], [10, 1], [30, 1], [30, 1], [25, 1], [5, 2], [MAX_LABEL, MAX_LABEL]]) {
    assertEquals(fingerprints.add(0xffffffff, h, label), true);
  }
  assertEquals(met(all), [[30, 1], [5, 2], [255, 255]].map(([upTo, label]) => ({ hash: 0xffffffff, upTo, label })));
  assertEquals([fingerprints.size, all.dropped], [3, []]);
});

Deno.test("Fingerprints give back whatever hash was added", () => {
  const hashes = [0, 1, 2 ** 15, 2 ** 16 - 1, 2 ** 26, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 2, 2 ** 32 - 1];
  for (const most of [100, 5000, MAX_FINGERPRINTS]) {
    const all = fixture(most);
    for (const hash of hashes) all.fingerprints.add(hash, 5, 1);
    assertEquals(met(all).map(({ hash }) => hash), hashes);
    for (let h = 1; h < Math.min(most - 20, 50_000); h++) all.fingerprints.add(hashOf(h), h, 2); // the table grows
    assertEquals(met(all).filter(({ label }) => label === 1).map(({ hash }) => hash), hashes);
  }
});

for (const most of [2, 100, 5000, 400_000]) {
  Deno.test(`Fingerprints lose none of ${most}, however they move, and then drop the lowest so that ${most} stay`, () => {
    const all = filled(most);
    const { fingerprints, dropped } = all;
    assertEquals([fingerprints.size, dropped], [most, []]);
    for (let h = 1; h <= most; h++) assert(fingerprints.covers(hashOf(h), h, ANY), `${h} of ${most} is lost`);
    assert(fingerprints.bytes <= fingerprintBytes(most), `${fingerprints.bytes} bytes`);
    for (let h = most + 1; h <= 2 * most + 2; h++) {
      const { length } = dropped;
      assertEquals(fingerprints.add(hashOf(h), h, 1), true);
      if (dropped.length === length) continue;
      const [upTo] = dropped.at(-1)!;
      for (let i = upTo + 1; i <= h; i += 1 + (i & 15)) {
        assert(fingerprints.covers(hashOf(i), i, ANY), `${i} is lost without a word`);
      }
      assert(fingerprints.size >= Math.floor(0.95 * most), `${fingerprints.size} of ${most} are left`);
      assertEquals(fingerprints.size, h - upTo);
    }
    assert(dropped.length > 0 && fingerprints.bytes <= fingerprintBytes(most));
    assert(dropped.every(([upTo, label], i) => label === 1 && upTo > (dropped[i - 1]?.[0] ?? 0)));
  });
}

Deno.test("Fingerprints refuse what is as old as all that was dropped", () => {
  const { fingerprints, dropped } = filled(3000, 1000);
  const [upTo] = dropped.at(-1)!;
  const { size } = fingerprints;
  assertEquals([fingerprints.add(1, upTo, 1), fingerprints.add(1, 1, 1), fingerprints.size], [false, false, size]);
  assertEquals([fingerprints.add(1, upTo + 1, 1), fingerprints.covers(1, upTo + 1, ANY)], [true, true]);
});

Deno.test("Fingerprints grow in steps, for which room is kept free before", () => {
  const most = 400_000;
  const { fingerprints } = fixture(most);
  const seen: number[] = [];
  let room = fingerprints.growthBytes;
  for (let h = 1; h <= most; h++) {
    const { bytes } = fingerprints;
    fingerprints.add(hashOf(h), h, 1);
    if (fingerprints.bytes !== bytes) {
      const grown = fingerprints.bytes - bytes;
      assert(room >= 0.99 * grown, `${grown} bytes more, and room for ${room}, with ${h} fingerprints`);
      seen.push(fingerprints.bytes);
    }
    room = fingerprints.growthBytes;
  }
  assert(seen.length >= 4 && seen[0] < fingerprintBytes(most) / 8, seen.join());
  assertEquals([seen.at(-1), fingerprints.growthBytes], [fingerprintBytes(most), 0]);
});

Deno.test("mostFingerprints() fill an eighth of a store, more of a small one, and fingerprintBytes() says what they take", () => {
  assertEquals([fingerprintBytes(0), mostFingerprints(2 ** 40)], [0, MAX_FINGERPRINTS]);
  let before = 0;
  for (const limitBytes of [64 * 1024, 256 * 1024, MIB, 4 * MIB, 16 * MIB, 64 * MIB, 1024 * MIB]) {
    const most = mostFingerprints(limitBytes);
    assert(most >= before && most > 0, `${most} in ${limitBytes} bytes`);
    const share = fingerprintBytes(most) / limitBytes;
    assert(share <= (limitBytes < 20 * MIB ? 0.6 : 0.125), `${share} of ${limitBytes} bytes`);
    assert(fingerprintBytes(most + 1) > fingerprintBytes(most) || most === MAX_FINGERPRINTS);
    before = most;
  }
});

Deno.test("Fingerprints cover hardly any other key", () => {
  const { fingerprints } = fixture(400_000);
  const keyOf = (i: number) => publicHash(spanOf(new TextEncoder().encode(`key:${i}`)));
  for (let i = 0; i < 400_000; i++) fingerprints.add(keyOf(i), 1 + i, 1);
  let wrong = 0;
  for (let i = 400_000; i < 700_000; i++) if (fingerprints.covers(keyOf(i), 1, ANY)) wrong++;
  assert(wrong < 4 * 300_000 * 400_000 / 2 ** 32, `${wrong} of 300,000`); // a fourth of that is to be expected
});

for (const [far, most, mean] of [[1, 100, 50], [10, 600, 200], [1_000_000, 50_000, 5_000]]) {
  Deno.test(`Fingerprints tell no version too low, nor far too high where they come ${far - 1} places out of order`, () => {
    const all = fixture(100_000);
    const below = belowOf(1);
    const places = Array.from({ length: 100_000 }, (_, i) => ({ h: i + 1, at: i + below(far) }));
    const order = places.sort((a, b) => a.at - b.at).map(({ h }) => h);
    for (const h of order) assertEquals(all.fingerprints.add(hashOf(h), 1000 * h, 1), true);
    const upTo = new Map(met(all).map((fingerprint) => [fingerprint.hash, fingerprint.upTo]));
    assertEquals([upTo.size, all.dropped], [100_000, []]);
    let sum = 0;
    for (const h of order) {
      const more = upTo.get(hashOf(h))! / 1000 - h;
      sum += more;
      assert(more >= 0 && more <= most, `${more} more than ${h}`);
    }
    assert(sum / order.length <= mean, `${sum / order.length} more on average`);
  });
}

for (const [count, most] of [[30, 30], [30, 100_000], [4096, 400_000], [4096, MAX_FINGERPRINTS]]) {
  Deno.test(`Fingerprints tell each version as it was while there are few: ${count} with room for ${most}`, () => {
    const { fingerprints, dropped } = filled(count, most);
    const all = met({ fingerprints, dropped });
    for (const { hash, upTo } of all) assertEquals(hash, hashOf(upTo));
    assertEquals([all.length, dropped], [count, []]);
    assert(fingerprints.bytes < fingerprintBytes(most) || most === 30);
  });
}

Deno.test("Fingerprints.wasLast() the version that left exactly, under its label, until another of its hash comes", () => {
  const { fingerprints } = fixture(1000);
  const wasLast = (h: number, label = 1, hash = hashOf(1)) => fingerprints.wasLast(hash, h, label);
  assertEquals([wasLast(50), wasLast(0), wasLast(0, 0)], [false, false, false]);
  fingerprints.add(hashOf(1), 50, 1, true);
  assertEquals([wasLast(50), wasLast(49), wasLast(51), wasLast(50, 2), wasLast(50, 1, hashOf(2))], [
    true,
    false,
    false,
    false,
    false,
  ]);
  fingerprints.add(hashOf(1), 40, 2, true); // older, but the last to leave
  assertEquals([wasLast(50), wasLast(40, 2)], [false, true]);
  fingerprints.add(hashOf(1), 40, 2);
  assertEquals(wasLast(40, 2), false, "a peer has told of it");
  fingerprints.add(hashOf(1), 30, 2, true);
  assertEquals([wasLast(30, 2), fingerprints.covers(hashOf(1), 50, ANY)], [true, true]);
  fingerprints.clear();
  assertEquals(wasLast(30, 2), false);
});

Deno.test("Fingerprints.wasLast() says nothing of what another hash may have taken the place of", () => {
  const { fingerprints } = fixture(100_000);
  for (let h = 1; h <= 45_000; h++) fingerprints.add(hashOf(h), h, 1, true);
  let known = 0;
  for (let h = 1; h <= 45_000; h++) if (fingerprints.wasLast(hashOf(h), h, 1)) known++;
  assert(known > 1000 && known < 10_000, `${known} are known exactly`);
  for (let h = 44_900; h <= 45_000; h++) fingerprints.add(hashOf(h), h, 1);
  for (let h = 44_900; h <= 45_000; h++) assertEquals(fingerprints.wasLast(hashOf(h), h, 1), false);
});

Deno.test("Fingerprints.wasLast() nothing that was refused because it is older than all that was dropped", () => {
  const { fingerprints, dropped } = filled(3000, 1000);
  const [upTo] = dropped.at(-1)!;
  assertEquals([fingerprints.add(1, upTo, 1, true), fingerprints.wasLast(1, upTo, 1)], [false, false]);
  assertEquals([fingerprints.add(1, upTo + 1, 1, true), fingerprints.wasLast(1, upTo + 1, 1)], [true, true]);
});

Deno.test("Fingerprints of one hash under more labels than its buckets have cells all stay, and are met and renewed", () => {
  const all = fixture(100_000);
  const { fingerprints, dropped } = all;
  const { bytes } = filled(1, 100_000).fingerprints;
  const expected = Array.from({ length: MAX_LABEL }, (_, i) => ({ hash: hashOf(1), upTo: 1999 - i, label: 1 + i }));
  for (const { hash, upTo, label } of expected.slice(0, 39)) assert(fingerprints.add(hash, upTo, label));
  assertEquals([met(all), fingerprints.size, dropped], [expected.slice(0, 39), 39, []]);
  assert(fingerprints.bytes > bytes, "those without a cell take no memory");
  for (let i = 2; i < 1500; i++) fingerprints.add(hashOf(i), i, 1); // the table grows
  for (const { hash, upTo, label } of expected) assert(fingerprints.add(hash, upTo, label));
  const ofOne = () => met(all).filter(({ hash }) => hash === hashOf(1));
  assertEquals([ofOne(), fingerprints.size, dropped], [expected, 1498 + MAX_LABEL, []]);
  const cursor = { cell: 0, moves: 0 };
  let visits = 0;
  while (fingerprints.walk(cursor, 1000, () => void visits++));
  assertEquals(visits >= fingerprints.size && visits < 2 * fingerprints.size, true);
  for (const { upTo, label } of expected) {
    assert(fingerprints.covers(hashOf(1), upTo, (of) => of === label));
    assert(!fingerprints.covers(hashOf(1), upTo + 1, (of) => of === label));
  }
  assertEquals(fingerprints.last, 1999);
  for (const { hash, label } of expected) assert(fingerprints.add(hash, 5000, label));
  assertEquals([ofOne().every(({ upTo }) => upTo === 5000), fingerprints.last], [true, 5000]);
  fingerprints.removeLabels((label) => label > 3);
  assertEquals(ofOne().map(({ label }) => label), [1, 2, 3]);
  fingerprints.clear();
  assertEquals([fingerprints.size, fingerprints.bytes, fingerprints.last, met(all)], [0, 0, 0, []]);
});

Deno.test("Fingerprints without a cell drop the lowest where they are too many, and say how far", () => {
  const all = fixture(5000);
  const { fingerprints, dropped } = all;
  const nameOf = (hash: number, label: number) => `${hash}/${label}`;
  const added: Fingerprint[] = [];
  for (let label = 1; label <= MAX_LABEL; label++) {
    for (let i = 1; i <= 10; i++) added.push({ hash: hashOf(i), upTo: 1 + (added.length * 37) % 2551, label });
  }
  for (const { hash, upTo, label } of added) assert(fingerprints.add(hash, upTo, label));
  const held = new Map(met(all).map(({ hash, label, upTo }) => [nameOf(hash, label), upTo]));
  const forgotten = new Map<number, number>();
  for (const [upTo, label] of dropped) forgotten.set(label, Math.max(upTo, forgotten.get(label) ?? 0));
  for (const { hash, upTo, label } of added) {
    const is = held.get(nameOf(hash, label)) ?? forgotten.get(label) ?? 0;
    assert(is >= upTo, `${upTo} of ${label} is lost without a word`);
  }
  assertEquals([held.size + dropped.length, fingerprints.size], [added.length, held.size]);
  assert(held.size > 10 * 26 && dropped.length > 500, `${held.size} stay, ${dropped.length} are dropped`);
});

Deno.test("Fingerprints split or renumber 8 buckets at most for one that comes, and all at once only while the table is small", () => {
  const { proceed } = FingerprintCells.prototype;
  let [most, atOnce, steps] = [0, 0, 0];
  FingerprintCells.prototype.proceed = function (buckets) {
    if (buckets === Infinity) atOnce = Math.max(atOnce, this.length / CELLS);
    else most = Math.max(most, buckets);
    steps++;
    return proceed.call(this, buckets);
  };
  try {
    const { dropped } = filled(400_000, 150_000);
    assert(dropped.length > 1 && steps > 10_000, `${steps} steps`);
    assertEquals([most, atOnce], [8, 2 ** 12]);
  } finally {
    FingerprintCells.prototype.proceed = proceed;
  }
});
