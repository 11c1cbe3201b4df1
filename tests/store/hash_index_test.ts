/** HashIndex: its promises one by one, then all at once against a naive model. Small pages split and merge a lot. */

import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { seeded } from "../../bench/compare.ts";
import { HASHES_END, HashIndex } from "../../lib/store/hash_index.ts";

type Model = Map<number, Set<number>>;

function found(table: HashIndex, hash: number): number[] {
  const positions: number[] = [];
  for (let position = table.find(hash); position !== 0; position = table.findNext()) positions.push(position);
  return positions.sort((a, b) => a - b);
}

function assertHas(table: HashIndex, hash: number, positions: Iterable<number> = []): void {
  assertEquals(found(table, hash), [...positions].sort((a, b) => a - b), `hash ${hash}`);
}

/** Sets of hashes that are hard in some way; as many as may share all upper bits go into the smallest page. */
function hashes(kind: string, count: number, random: () => number): number[] {
  const int32 = () => Math.floor(random() * 2 ** 32) | 0;
  switch (kind) {
    case "any":
      return Array.from({ length: count }, int32);
    case "negative":
      return Array.from({ length: count }, () => int32() | 1 << 31);
    case "different in upper bits only":
      return Array.from({ length: count }, (_, i) => i << 20 | 0xabcde);
    case "different in lower bits only, a few at a time":
      return Array.from({ length: count }, (_, i) => Math.imul(i >> 2, 0x9e3779b1) << 2 | i & 3);
    case "at the ends of the pages":
      return Array.from({ length: count }, (_, i) => i << 22 | (i & 1 ? 0x3fffff : 0x3ffffe));
    default:
      throw new Error(kind);
  }
}

Deno.test("HashIndex.find() is 0 when the hash is absent", () => {
  const table = new HashIndex(8 * 16);
  for (const hash of [0, 1, -1, 1 << 31]) assertStrictEquals(table.find(hash), 0);
  table.insert(5, 7);
  for (const hash of [0, 4, 6, 13, 5 | 1 << 31]) assertStrictEquals(table.find(hash), 0, `${hash}`);
  assertStrictEquals(table.find(5), 7);
  assertStrictEquals(table.findNext(), 0);
});

Deno.test("HashIndex.find() and findNext() give each position once when several have one hash", () => {
  const table = new HashIndex(16 * 16);
  for (const position of [1, 2, 3]) for (const hash of [-16, 0, 16, 15]) table.insert(hash, position * 100 + hash);
  for (const hash of [-16, 0, 16, 15]) assertHas(table, hash, [100 + hash, 200 + hash, 300 + hash]);
});

Deno.test("HashIndex.move() and remove() throw when the position is not there", () => {
  const table = new HashIndex(8 * 16);
  table.insert(5, 7);
  table.insert(13, 8);
  for (const [hash, position] of [[5, 8], [13, 7], [6, 7], [-1, 7]]) {
    for (const act of [() => table.move(hash, position, 9), () => table.remove(hash, position)]) {
      const message = `Cannot move position ${position}: it is not in the table`;
      assertStrictEquals(assertThrows(act, RangeError).message, message);
    }
  }
  assertHas(table, 5, [7]);
  assertHas(table, 13, [8]);
  table.remove(5, 7);
  assertThrows(() => table.remove(5, 7), RangeError);
  assertHas(table, 13, [8]);
});

Deno.test("HashIndex.move() puts the other position in the same place when there are several", () => {
  const table = new HashIndex(8 * 16);
  for (const position of [1, 2, 3]) table.insert(-5, position);
  table.move(-5, 2, 0x7fffffff);
  assertHas(table, -5, [1, 3, 0x7fffffff]);
  table.remove(-5, 0x7fffffff);
  assertHas(table, -5, [1, 3]);
});

for (const kind of ["any", "different in upper bits only"]) {
  Deno.test(`HashIndex.bytes grows with its entries and shrinks again when hashes are ${kind}`, () => {
    const table = new HashIndex(16 * 16);
    const empty = table.bytes;
    const all = hashes(kind, 4000, seeded(5));
    const most: number[] = [];
    for (let round = 0; round < 3; round++) {
      for (const [i, hash] of all.entries()) table.insert(hash, i + 1);
      most.push(table.bytes);
      assert(table.bytes > all.length * 8, `${table.bytes} bytes`);
      assert(table.bytes < all.length * 8 * 5, `${table.bytes} bytes`);
      for (const [i, hash] of all.entries()) if (i % 10 !== 0) table.remove(hash, i + 1);
      assert(table.bytes < most[0] / 2, `${table.bytes} of ${most[0]} bytes for a tenth`);
      for (const [i, hash] of all.entries()) assertStrictEquals(table.find(hash), i % 10 === 0 ? i + 1 : 0);
      for (const [i, hash] of all.entries()) if (i % 10 === 0) table.remove(hash, i + 1);
      assert(table.bytes < empty + most[0] / 4, `${table.bytes} of ${most[0]} bytes for none`);
      for (const hash of all) assertStrictEquals(table.find(hash), 0);
    }
    assertEquals(most, most.map(() => most[0]));
  });
}

const KINDS = [
  "any",
  "negative",
  "different in upper bits only",
  "different in lower bits only, a few at a time",
  "at the ends of the pages",
];
for (const [seed, kind] of KINDS.entries()) {
  for (const pairs of [16, 64]) {
    Deno.test(`HashIndex() is a map to sets of positions when pages hold ${pairs} and hashes are ${kind}`, () => {
      const random = seeded(seed + pairs);
      const below = (n: number) => Math.floor(random() * n);
      const pool = hashes(kind, 400, random);
      const table = new HashIndex(16 * pairs);
      const model: Model = new Map(pool.map((hash) => [hash, new Set<number>()]));
      const pairsIn: [hash: number, position: number][] = [];
      const mostPerHash = pairs >> 3; // 4 hashes of the same upper bits and their positions fit into one page
      let position = 0;
      for (let phase = 0; phase < 20; phase++) {
        const grow = [0.9, 0.5, 0.1, 0.5][phase % 4];
        for (let step = 0; step < 1000; step++) {
          const hash = pool[below(pool.length)];
          const positions = model.get(hash)!;
          if (random() < 0.2 && pairsIn.length > 0) {
            const pair = pairsIn[below(pairsIn.length)];
            table.move(pair[0], pair[1], ++position);
            model.get(pair[0])!.delete(pair[1]);
            model.get(pair[0])!.add(pair[1] = position);
            assertHas(table, pair[0], model.get(pair[0]));
          } else if (random() < grow && positions.size < mostPerHash) {
            table.insert(hash, ++position);
            positions.add(position);
            pairsIn.push([hash, position]);
          } else if (pairsIn.length > 0) {
            const at = below(pairsIn.length);
            const [removed, from] = pairsIn[at];
            table.remove(removed, from);
            model.get(removed)!.delete(from);
            pairsIn[at] = pairsIn[pairsIn.length - 1];
            pairsIn.pop();
            assertHas(table, removed, model.get(removed));
          }
          assertHas(table, hash, positions);
        }
        for (const [hash, positions] of model) assertHas(table, hash, positions);
        if (phase % 8 === 7) {
          for (const [hash, from] of pairsIn.splice(0)) table.remove(hash, from);
          for (const [hash, positions] of model) {
            positions.clear();
            assertStrictEquals(table.find(hash), 0);
          }
        }
      }
    });
  }
}

Deno.test("HashIndex.walk() meets once what is there all the time, however pages split and merge meanwhile", () => {
  for (const kind of ["any", "negative", "different in upper bits only", "at the ends of the pages"]) {
    const random = seeded(kind.length);
    const below = (most: number) => Math.floor(most * random());
    const table = new HashIndex(8 * 16);
    const [kept, passing] = [hashes(kind, 300, random), hashes("any", 3000, random)];
    kept.forEach((hash, i) => table.insert(hash, 1 + i));
    const met: number[] = [];
    let [from, added, removed] = [0, 0, 0];
    while (from < HASHES_END) {
      const { found, next } = table.walk(from);
      assert(next > from, `${kind}: ${from}`);
      assertEquals(found.map(({ hash }) => hash), found.map(({ hash }) => hash).sort((a, b) => a - b));
      for (const { hash } of found) assert(hash >= from && hash < next, `${kind}: ${hash}`);
      met.push(...found.map(({ position }) => position).filter((position) => position <= kept.length));
      from = next;
      for (let i = below(60); i > 0 && added < passing.length; i--) table.insert(passing[added], 1000 + added++);
      for (let i = below(60); i > 0 && removed < added; i--) table.remove(passing[removed], 1000 + removed++);
    }
    assert(removed > 300, kind);
    assertEquals(met.sort((a, b) => a - b), kept.map((_, i) => 1 + i), kind);
  }
});

Deno.test("HashIndex.walk() can be broken off at any hash", () => {
  const random = seeded(9);
  const table = new HashIndex(8 * 16);
  const all = hashes("any", 500, random);
  all.forEach((hash, i) => table.insert(hash, 1 + i));
  const met: number[] = [];
  for (let from = 0; from < HASHES_END;) {
    const { found, next } = table.walk(from);
    const taken = found.slice(0, 1 + Math.floor(3 * random()));
    met.push(...taken.map(({ position }) => position));
    from = taken.length < found.length ? taken.at(-1)!.hash + 1 : next;
  }
  assertEquals(met.sort((a, b) => a - b), all.map((_, i) => 1 + i));
});
