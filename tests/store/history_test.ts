/** What a node knows of all writes: known, forgotten, given up, adopted and inherited. */

import { assert, assertEquals } from "@std/assert";
import { spanOf } from "../../lib/base/byte_span.ts";
import { ALL_RULES, exceeds, History, type Known, MAX_ORIGINS } from "../../lib/store/history.ts";
import { NOW_MS, replicatingStore } from "../support/stores.ts";
import { Records } from "../../lib/store/records.ts";
import type { Version } from "../../lib/store/version.ts";
import { GOSSIP_VERSION } from "../../lib/wire/hello.ts";

const SEGMENT_BYTES = 8 * 1024;
const ME = 100;
const NOTHING = spanOf(new Uint8Array(0));

interface Fixture {
  readonly records: Records;
  readonly history: History;
  /** Positions of what the history has let go. */
  readonly dropped: number[];
}

function fixture(): Fixture {
  const dropped: number[] = [];
  const records = new Records(SEGMENT_BYTES, (_from, to) => history.moved(to));
  records.slab.limitBytes = 1024 * SEGMENT_BYTES;
  const history: History = new History(ME, (position) => {
    dropped.push(position);
    history.remove(position);
  });
  history.attach(records);
  return { records, history, dropped };
}

/** Adds a write of a version. Returns its position. */
function add({ records, history }: Fixture, version: Version): number {
  assert(records.slab.reserve(records.entryBytes(0, 0)));
  const position = records.add(1, NOTHING, NOTHING);
  history.add(position, version);
  return position;
}

/** Versions that are held under a number, the oldest first. */
function heldBy({ history }: Fixture, id: number): Version[] {
  const found = history.origins.find((origin) => origin.id === id);
  return found === undefined ? [] : [...found.log.after(0)].map((position) => history.version(position));
}

/** A copy that can be compared, in the order of numbers. */
function sorted(known: Known): [number, number][] {
  return [...known].sort(([a], [b]) => a - b);
}

Deno.test("exceeds() tells whether one knows anything that the other does not", () => {
  const cases: [one: [number, number][], other: [number, number][], expected: boolean][] = [
    [[], [], false],
    [[], [[1, 5]], false],
    [[[1, 5]], [], true],
    [[[1, 5]], [[1, 5]], false],
    [[[1, 5]], [[1, 4], [2, 9]], true],
    [[[1, 5]], [[1, 6]], false],
    [[[1, 5], [2, 1]], [[1, 6]], true],
    [[[3, 0]], [], false],
  ];
  for (const [one, other, expected] of cases) assertEquals(exceeds(new Map(one), new Map(other)), expected);
});

Deno.test("History knows nothing at first, and has met itself alone", () => {
  const { history } = fixture();
  assertEquals([history.known.size, history.digest, history.floor, history.cleared, history.orphaned], [
    0,
    0,
    0,
    0,
    [],
  ]);
  assertEquals([history.hasMet(ME), history.hasMet(7), history.knownOf(7), history.origins[0].id], [
    true,
    false,
    0,
    ME,
  ]);
});

Deno.test("History.know() raises what is known and never lowers it", () => {
  const { history } = fixture();
  for (const h of [5, 9, 7]) history.know({ h, origin: 7 });
  history.know({ h: 0, origin: 8 });
  assertEquals([history.knownOf(7), sorted(history.known), history.hasMet(8)], [9, [[7, 9]], true]);
});

Deno.test("History.digest is the same when the same is known, in whatever order it came", () => {
  const facts = Array.from({ length: 50 }, (_, i) => ({ h: 2 ** 40 + 977 * i, origin: 1 + i * 88_000_001 % 2 ** 32 }));
  const [one, other] = [fixture().history, fixture().history];
  for (const fact of facts) one.know(fact);
  for (const fact of facts.toReversed()) other.know(fact);
  other.know({ h: 0, origin: 12_345 });
  assertEquals(one.digest, other.digest);
  assert(Number.isSafeInteger(one.digest) && one.digest < 2 ** 52);
  const digests = new Set([one.digest]);
  for (const { h, origin } of facts) {
    one.know({ h: h + 1, origin });
    digests.add(one.digest);
  }
  assertEquals(digests.size, 1 + facts.length);
});

Deno.test("History.digest tells apart who knows how much of whom", () => {
  const digestOf = (...facts: Version[]) => {
    const { history } = fixture();
    for (const fact of facts) history.know(fact);
    return history.digest;
  };
  const [a, b] = [{ h: 5, origin: 7 }, { h: 9, origin: 8 }];
  const all = [[], [a], [b], [a, b], [{ h: 9, origin: 7 }, { h: 5, origin: 8 }], [{ h: 5 + 2 ** 32, origin: 7 }]];
  assertEquals(new Set(all.map((facts) => digestOf(...facts))).size, all.length);
});

Deno.test("History.digest is the number that peers reckon, too: another goes with raising GOSSIP_VERSION", () => {
  const { history } = fixture();
  const digests = [{ h: 1, origin: 1 }, { h: 258_539_520_000_000, origin: 2 ** 32 - 1 }, { h: 5, origin: 7 }].map(
    (fact) => {
      history.know(fact);
      return history.digest;
    },
  );
  const expected = [2_037_810_992_093_367, 3_502_572_337_823_291, 3_336_148_175_005_295];
  assertEquals([digests, GOSSIP_VERSION], [expected, 1]);
});

Deno.test("ALL_RULES are in force", () => {
  assertEquals(new Set(Object.values(ALL_RULES)), new Set([true]));
});

Deno.test("History.version() gives back the version of each write, adopted or not", () => {
  const all = fixture();
  const versions = [
    { h: 5, origin: ME },
    { h: 5, origin: 7 },
    { h: 6, origin: 7, by: 70 },
    { h: 2 ** 52, origin: 2 ** 32 - 1 },
  ];
  const positions = versions.map((version) => add(all, version));
  assertEquals(positions.map((position) => all.history.version(position)), versions);
});

Deno.test("History.add() counts an adopted write under its writer where the number stands for another, or for itself", () => {
  const all = fixture();
  add(all, { h: 5, origin: 7, by: 70 });
  const other = add(all, { h: 6, origin: 8, by: 70 });
  assertEquals(all.history.version(other), { h: 6, origin: 8 });
  const mine = add(all, { h: 7, origin: 9, by: ME });
  assertEquals(all.history.version(mine), { h: 7, origin: 9 });
  const own = add(all, { h: 8, origin: ME, by: 70 });
  assertEquals(all.history.version(own), { h: 8, origin: ME });
});

Deno.test("History.recognizes() a version that is held, and counts an orphan under the number under which it comes", () => {
  const all = fixture();
  const { history } = all;
  add(all, { h: 5, origin: 7 });
  assertEquals([history.recognizes({ h: 5, origin: 7 }), history.recognizes({ h: 6, origin: 7 })], [true, false]);
  assertEquals(history.recognizes({ h: 5, origin: 8 }), false);
  assertEquals(history.recognizes({ h: 6, origin: 7, by: 70 }), false);
  assertEquals([history.recognizes({ h: 5, origin: 7, by: 70 }), heldBy(all, 7)], [true, []]);
  assertEquals(heldBy(all, 70), [{ h: 5, origin: 7, by: 70 }]);
});

Deno.test("History.recognizes() no orphan in what is known", () => {
  const all = fixture();
  add(all, { h: 5, origin: 7 });
  all.history.know({ h: 5, origin: 7 });
  assertEquals(all.history.recognizes({ h: 5, origin: 7, by: 70 }), false);
  assertEquals(heldBy(all, 7), [{ h: 5, origin: 7 }]);
});

Deno.test("History.covers() what is known by either number, and what may be an orphan that has left no trace", () => {
  const all = fixture();
  const { history } = all;
  history.know({ h: 5, origin: 7 });
  history.know({ h: 9, origin: 70 });
  const covers = (h: number, by?: number) => history.covers({ h, origin: 7, by });
  assertEquals([covers(5), covers(6), covers(9, 70), covers(10, 70)], [true, false, true, false]);
  assertEquals(history.covers({ h: 1, origin: 8 }), false);
  const orphan = add(all, { h: 12, origin: 7 });
  assertEquals(covers(12), false);
  history.forgetAt(orphan);
  assertEquals([covers(12), covers(12, 70), covers(13), history.knownOf(7)], [true, true, false, 5]);
});

Deno.test("History.refuses() what is covered, and what is as old as anything forgotten unless it is dominated", () => {
  const { history } = fixture();
  history.know({ h: 5, origin: 7 });
  history.forget({ h: 20, origin: 8 });
  const refuses = (h: number, isDominated = false, rules = ALL_RULES) =>
    history.refuses({ h, origin: 7 }, isDominated, rules);
  assertEquals([refuses(5), refuses(5, true), refuses(21)], [true, true, false]);
  assertEquals([refuses(10, true), history.dealt.get(7)], [false, 5]);
  assertEquals([refuses(20), history.dealt.get(7)], [true, 20], "it is forgotten too");
  const { cover, floor } = { cover: { ...ALL_RULES, cover: false }, floor: { ...ALL_RULES, floor: false } };
  assertEquals([refuses(5, true, cover), refuses(20, false, floor)], [false, false]);
});

Deno.test("History.forget() raises what is forgotten of an origin, and the floor of all", () => {
  const { history } = fixture();
  history.know({ h: 30, origin: 8 });
  for (const [h, origin] of [[9, 7], [20, 8], [5, 7]]) history.forget({ h, origin });
  assertEquals([history.floor, sorted(history.dealt), sorted(history.known)], [20, [[7, 9], [8, 30]], [[8, 30]]]);
  history.forget({ h: 25, origin: 7, by: 70 });
  assertEquals([history.floor, history.dealt.get(7), history.dealt.get(70)], [25, 9, 25]);
});

Deno.test("History.countBeyond() counts what is held and known here, and not known to another", () => {
  const all = fixture();
  for (const h of [1, 2, 3, 4]) add(all, { h, origin: 7 });
  for (const h of [5, 6]) add(all, { h, origin: 8 });
  all.history.know({ h: 3, origin: 7 });
  all.history.know({ h: 6, origin: 8 });
  const beyond = (...theirs: [number, number][]) => all.history.countBeyond(new Map(theirs));
  assertEquals([beyond(), beyond([7, 1]), beyond([7, 3]), beyond([7, 9], [8, 5]), beyond([7, 3], [8, 6])], [
    5,
    4,
    2,
    1,
    0,
  ]);
});

Deno.test("History.orphaned names origins of which more is held or forgotten than is known, and not cleared", () => {
  const all = fixture();
  const { history } = all;
  add(all, { h: 5, origin: 7 });
  add(all, { h: 5, origin: 8 });
  history.know({ h: 5, origin: 8 });
  history.forget({ h: 9, origin: 9 });
  assertEquals(history.orphaned, [7, 9]);
  history.know({ h: 5, origin: 7 });
  history.cleared = 9;
  assertEquals(history.orphaned, []);
});

Deno.test("History.adopt() gives an origin of which nothing is known another number, at once", () => {
  const all = fixture();
  for (const h of [5, 6, 7]) add(all, { h, origin: 7 });
  assertEquals(all.history.adopt(7, 70, 2), 0);
  assertEquals([all.history.hasMet(7), all.history.knownOf(70), all.history.orphaned], [true, 7, []]);
  assertEquals(heldBy(all, 70), [5, 6, 7].map((h) => ({ h, origin: 7, by: 70 })));
});

Deno.test("History.adopt() moves what is beyond the known, so many at a time, and knows it once all has moved", () => {
  const all = fixture();
  const { history } = all;
  for (let h = 1; h <= 10; h++) add(all, { h, origin: 7 });
  history.know({ h: 3, origin: 7 });
  history.forget({ h: 20, origin: 7 });
  assertEquals([history.adopt(7, 70, 4), heldBy(all, 70).length, history.knownOf(70)], [4, 4, 0]);
  assertEquals([history.adopt(7, 70, 4), heldBy(all, 70).length, history.knownOf(70)], [3, 7, 20]);
  assertEquals(heldBy(all, 7), [1, 2, 3].map((h) => ({ h, origin: 7 })));
  assertEquals(heldBy(all, 70), [4, 5, 6, 7, 8, 9, 10].map((h) => ({ h, origin: 7, by: 70 })));
  const [seven, seventy] = [7, 70].map((id) => history.origins.find((origin) => origin.id === id)!);
  assertEquals([history.knownOf(7), seven.forgotten, seventy.forgotten, history.orphaned], [3, 3, 20, []]);
});

Deno.test("History.adopt() moves what is forgotten beyond the known, where nothing is held of it", () => {
  const { history } = fixture();
  history.know({ h: 3, origin: 7 });
  history.forget({ h: 20, origin: 7 });
  assertEquals([history.adopt(7, 70, 10), history.knownOf(7), history.knownOf(70)], [0, 3, 20]);
  assertEquals([sorted(history.dealt), history.orphaned], [[[7, 3], [70, 20]], []]);
});

Deno.test("History.adopt() still knows which orphans of the writer have left no trace", () => {
  const all = fixture();
  const { history } = all;
  add(all, { h: 5, origin: 7 });
  history.forgetAt(add(all, { h: 6, origin: 7 }));
  history.adopt(7, 70, 10);
  assertEquals([history.covers({ h: 6, origin: 7 }), history.covers({ h: 7, origin: 7 })], [true, false]);
  assertEquals([history.knownOf(7), history.knownOf(70)], [0, 6]);
});

Deno.test("History.adopt() does nothing for an origin that is not met", () => {
  const { history } = fixture();
  assertEquals([history.adopt(7, 70, 10), history.hasMet(7), history.hasMet(70)], [0, false, false]);
});

Deno.test("History.indexOf() gives up an origin without writes first, and lets go what the one with the fewest holds", () => {
  const all = fixture();
  const { history, dropped } = all;
  for (let id = 1000; history.origins.length < MAX_ORIGINS; id++) history.know({ h: id, origin: id });
  assertEquals([history.hasMet(1000), history.indexOf(1001)], [true, 2]);
  const held = [1000, 1001].map((origin) => add(all, { h: 9000, origin }));
  history.know({ h: 9000, origin: 1 });
  assertEquals([1000, 1001, 1002].map((id) => history.hasMet(id)), [true, true, false]);
  for (let id = 1003; id < 1000 + MAX_ORIGINS - 1; id++) history.indexOf(id);
  for (let id = 1003; id < 1000 + MAX_ORIGINS - 1; id++) for (const h of [1, 2]) add(all, { h, origin: id });
  for (const h of [1, 2]) add(all, { h, origin: 1 });
  add(all, { h: 9001, origin: 1001 });
  assertEquals(dropped, []);
  history.indexOf(2);
  assertEquals([dropped, history.hasMet(1000), history.hasMet(ME)], [[held[0]], false, true]);
  assertEquals(history.origins.length, MAX_ORIGINS);
});

Deno.test("History.attach() keeps what is known, forgotten and cleared, and no writes", () => {
  const { history, ...all } = fixture();
  add({ history, ...all }, { h: 5, origin: 7, by: 70 });
  history.know({ h: 9, origin: 8 });
  history.forget({ h: 12, origin: 8 });
  history.forgetAt(add({ history, ...all }, { h: 11, origin: 7 }));
  history.cleared = 4;
  const facts = () => [history.floor, history.cleared, sorted(history.known), sorted(history.dealt), history.digest];
  const before = facts();
  history.attach(fixture().records);
  assertEquals(facts(), before);
  assertEquals(history.covers({ h: 11, origin: 7 }), true);
  assertEquals([history.origins.length, history.bytes], [4, 0]);
  assertEquals(history.origins.map(({ log }) => log.size), [0, 0, 0, 0]);
});

Deno.test("History.remove() and moved() keep each write in the order of its origin", () => {
  const all = fixture();
  const { records, history } = all;
  const positions = Array.from({ length: 2000 }, (_, i) => add(all, { h: 1 + i, origin: 7 + i % 2 }));
  for (const [i, position] of positions.entries()) {
    if (i % 10 === 0) continue;
    history.remove(position);
    records.remove(position);
  }
  for (let slices = 0; records.slab.tidy(SEGMENT_BYTES); slices++) assert(slices < 10_000, "it tidies for ever");
  const expected = Array.from({ length: 200 }, (_, i) => ({ h: 1 + 10 * i, origin: 7 }));
  assertEquals([heldBy(all, 7), heldBy(all, 8)], [expected, []]);
});

const VALUE = { flags: 0, value: NOTHING, ttlMs: undefined };

Deno.test("History forgets nothing of the first 8,192 entries that leave a store without peers", () => {
  const store = replicatingStore({ nowMs: NOW_MS }, { maxSize: 1, isAlone: true });
  const evict = (count: number) => {
    for (let i = 0; i < count; i++) store.set(spanOf(new TextEncoder().encode(`${i % 3}`)), VALUE); // whatever their keys
  };
  evict(1 + 8192);
  assertEquals([store.history.floor, store.stats().evictions], [0, 8192]);
  const { clock } = store;
  evict(1);
  assertEquals([store.history.floor, store.stats().evictions], [clock, 8193], "the next leaves no trace");
  store.endAlone();
  const { floor } = store.history;
  evict(1000);
  assertEquals(store.history.floor, floor);
});
