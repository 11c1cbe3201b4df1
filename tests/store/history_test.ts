/** What a node knows of all writes: known, forgotten, given up, adopted and inherited. */

import { assert, assertEquals } from "@std/assert";
import { spanOf } from "../../lib/base/byte_span.ts";
import { History, type HistoryOptions } from "../../lib/store/history.ts";
import { ALL_RULES } from "../../lib/store/rules.ts";
import { exceeds } from "../../lib/store/known.ts";
import type { Known } from "../../lib/store/known.ts";
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

function fixture(maxForgotten = 0, sizes: HistoryOptions = {}): Fixture {
  const dropped: number[] = [];
  const records = new Records(SEGMENT_BYTES, (_from, to) => history.moved(to));
  records.slab.limitBytes = 1024 * SEGMENT_BYTES;
  const history: History = new History(ME, maxForgotten, (position: number) => {
    dropped.push(position);
    history.remove(position);
  }, sizes);
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
  return found === undefined ? [] : [...history.logs.after(found, 0)].map((position) => history.version(position));
}

/** Lets the write at a position leave. */
function leave({ records, history }: Fixture, position: number): void {
  history.departAt(position, NOTHING, true);
  history.remove(position);
  records.remove(position);
}

/** How far each origin's writes are forgotten, where some are, in the order of numbers. */
function forgotten({ origins }: History): [number, number][] {
  return sorted(new Map(origins.filter(({ forgotten }) => forgotten > 0).map(({ id, forgotten }) => [id, forgotten])));
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
  assertEquals([history.knownOf(7), sorted(history.known), history.hasMet(8)], [9, [[7, 9]], false]);
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
  assertEquals([digests, GOSSIP_VERSION], [expected, 4]);
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

Deno.test("History.covers() what is known by either number", () => {
  const { history } = fixture();
  history.know({ h: 5, origin: 7 });
  history.know({ h: 9, origin: 70 });
  const covers = (h: number, by?: number) => history.covers({ h, origin: 7, by });
  assertEquals([covers(5), covers(6), covers(9, 70), covers(10, 70)], [true, false, true, false]);
  assertEquals(history.covers({ h: 1, origin: 8 }), false);
  history.forget({ h: 12, origin: 7 });
  assertEquals(covers(12), false);
});

Deno.test("History.refuses() what is covered, and what is as old as anything forgotten that the sender does not know", () => {
  const { history } = fixture();
  history.know({ h: 5, origin: 7 });
  history.forget({ h: 20, origin: 8 });
  const stranger: Known = new Map();
  const friend: Known = new Map([[8, 20]]);
  const refuses = (h: number, theirs = stranger, rules = ALL_RULES, isLive = false) =>
    history.refuses({ h, origin: 7 }, NOTHING, isLive, theirs, rules);
  const seven = () => history.origins.find(({ id }) => id === 7)!;
  assertEquals([refuses(5), refuses(5, friend), refuses(21)], [true, true, false]);
  assertEquals([refuses(10, friend), refuses(10, stranger, ALL_RULES, true), seven().forgotten], [false, false, 0]);
  const bury = { ...ALL_RULES, bury: false };
  assertEquals([refuses(20, stranger, bury), seven().forgotten], [true, 0]);
  assertEquals([refuses(20), seven().forgotten], [true, 20], "it is forgotten too");
  friend.set(7, 20);
  const { cover, floor } = { cover: { ...ALL_RULES, cover: false }, floor: { ...ALL_RULES, floor: false } };
  assertEquals([refuses(5, friend, cover), refuses(20, stranger, floor)], [false, false]);
});

Deno.test("History.refuses() what is as old as the highest version that is forgotten here and that the sender does not know", () => {
  const { history } = fixture();
  for (const [h, origin] of [[10, 7], [20, 8], [30, 9]]) history.forget({ h, origin });
  const rules = { ...ALL_RULES, bury: false };
  const floors = ([[], [[9, 30]], [[9, 29]], [[7, 10], [8, 20], [9, 30]]] as [number, number][][]).map((known) => {
    const all = Array.from({ length: 40 }, (_, i) => 1 + i);
    const refused = all.filter((h) => history.refuses({ h, origin: 6 }, NOTHING, false, new Map(known), rules));
    assertEquals(refused, all.slice(0, refused.length));
    return refused.length;
  });
  assertEquals(floors, [30, 20, 30, 0]);
});

Deno.test("History.forget() raises what is forgotten of an origin, and the floor of all", () => {
  const { history } = fixture();
  history.know({ h: 30, origin: 8 });
  for (const [h, origin] of [[9, 7], [20, 8], [5, 7]]) history.forget({ h, origin });
  assertEquals([history.floor, forgotten(history), sorted(history.known)], [20, [[7, 9], [8, 20]], [[8, 30]]]);
  history.forget({ h: 25, origin: 7, by: 70 });
  assertEquals([history.floor, forgotten(history)], [25, [[7, 9], [8, 20], [70, 25]]]);
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
  const oldest = (...theirs: [number, number][]) => all.history.oldestBeyond(new Map(theirs));
  assertEquals([oldest(), oldest([7, 2]), oldest([7, 3]), oldest([7, 3], [8, 5]), oldest([7, 3], [8, 6])], [
    1,
    3,
    5,
    6,
    Infinity,
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
  assertEquals([all.history.hasMet(7), all.history.knownOf(70), all.history.orphaned], [false, 7, []]);
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
  assertEquals([forgotten(history), history.orphaned], [[[7, 3], [70, 20]], []]);
});

Deno.test("History.adopt() still knows which orphans of the writer have left", () => {
  for (const maxForgotten of [0, 100]) {
    const all = fixture(maxForgotten);
    const { history } = all;
    add(all, { h: 5, origin: 7 });
    leave(all, add(all, { h: 6, origin: 7 }));
    assertEquals(history.orphaned, [7]);
    history.adopt(7, 70, 10);
    assertEquals(
      [history.hasNewer(NOTHING, { h: 6, origin: 1 }), history.floor],
      maxForgotten === 0 ? [false, 6] : [true, 0],
    );
    assertEquals([history.knownOf(7), history.knownOf(70), history.orphaned], [0, 6, []]);
  }
});

Deno.test("History.adopt() does nothing for an origin that is not met", () => {
  const { history } = fixture();
  assertEquals([history.adopt(7, 70, 10), history.hasMet(7), history.hasMet(70)], [0, false, false]);
});

Deno.test("History.limitOrigins() gives up those without writes first, and lets go what those with the fewest hold", () => {
  const all = fixture(0, { maxOrigins: 64 }); // two at a time, and what is too many
  const { history, dropped } = all;
  for (let id = 1000; history.origins.length < 64; id++) history.know({ h: id, origin: id });
  assertEquals(history.limitOrigins(), false);
  const held = [add(all, { h: 9000, origin: 1000 })];
  history.know({ h: 9000, origin: 1 });
  assertEquals([history.limitOrigins(), history.limitOrigins()], [true, false]);
  assertEquals([1000, 1001, 1003, 1004, 1].map((id) => history.hasMet(id)), [true, false, false, true, true]);
  assertEquals([history.floor, dropped], [1003, []], "what those had replaced counts as forgotten");
  for (const id of [2, 3, 4]) history.know({ h: 9000, origin: id });
  for (const { id } of [...history.origins]) {
    const positions = id === ME || id === 1000 ? [] : [1, 2].map((h) => add(all, { h, origin: id }));
    if (id === 1004 || id === 1005) held.push(...positions);
  }
  assertEquals([history.limitOrigins(), dropped.sort()], [true, held.sort()]);
  assertEquals([1000, 1004, 1005, 1006, 4, ME].map((id) => history.hasMet(id)), [
    false,
    false,
    false,
    true,
    true,
    true,
  ]);
  assertEquals([history.origins.length, history.floor], [62, 9000]);
});

Deno.test("History.attach() keeps what is known, forgotten and cleared, and no writes", () => {
  const { history, ...all } = fixture();
  add({ history, ...all }, { h: 5, origin: 7, by: 70 });
  history.know({ h: 9, origin: 8 });
  history.forget({ h: 12, origin: 8 });
  leave({ history, ...all }, add({ history, ...all }, { h: 11, origin: 7 }));
  history.cleared = 4;
  const facts = () => [history.floor, history.cleared, sorted(history.known), forgotten(history), history.digest];
  const before = facts();
  history.attach(fixture().records);
  assertEquals(facts(), before);
  assertEquals([history.origins.length, history.bytes], [4, 0]);
  assertEquals(history.origins.map(({ size }) => size), [0, 0, 0, 0]);
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

Deno.test("History forgets nothing of what leaves a store while there is room for fingerprints, whatever their keys", () => {
  const store = replicatingStore({ nowMs: NOW_MS }, { maxSize: 1 });
  for (let i = 0; i <= 8192; i++) store.set(spanOf(new TextEncoder().encode(`${i % 3}`)), VALUE);
  const { history } = store;
  assertEquals([history.floor, store.stats().evictions, history.fingerprints], [0, 8192, 3]);
});

Deno.test("History forgets the lowest of what leaves a store beyond maxForgotten, and all of it where that is 0", () => {
  for (const maxForgotten of [0, 100]) {
    const store = replicatingStore({ nowMs: NOW_MS }, { maxSize: 1, maxForgotten });
    const versions: number[] = [];
    for (let i = 0; i < 1000; i++) {
      if (i <= 100 && (maxForgotten > 0 || i < 2)) assertEquals(store.history.floor, 0);
      store.set(spanOf(new TextEncoder().encode(`${i}`)), VALUE);
      versions.push(store.clock);
    }
    const { history } = store;
    const left = versions.slice(0, -1);
    if (maxForgotten === 0) assertEquals([history.floor, history.fingerprints], [left.at(-1), 0]);
    else assert(history.floor < left.at(-100)! && history.fingerprints >= 100, `${history.fingerprints} fingerprints`);
  }
});
