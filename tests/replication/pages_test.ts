/** Writes out of a store as pages: their order, where they are cut, and what is said of what is missing. */

import { assert, assertEquals } from "@std/assert";
import { seeded } from "../../bench/compare.ts";
import { spanOf } from "../../lib/base/byte_span.ts";
import { MORE, type Page, type Place, type Pull, type Write } from "../../lib/replication/message.ts";
import {
  isAfter,
  livesAt,
  MAX_PAGE_BYTES,
  nameAt,
  pageAt,
  pageFor,
  placeOf,
  placesBefore,
  writesAt,
} from "../../lib/replication/pages.ts";
import { ALL_RULES, type Rules } from "../../lib/store/rules.ts";
import { publicHash } from "../../lib/base/public_hash.ts";
import { ENTRY, GHOST, MARK, TOMB, TRAVELS } from "../../lib/store/entry.ts";
import type { Store } from "../../lib/store/store.ts";
import type { Version } from "../../lib/store/version.ts";
import { get, key, set, START } from "../support/gossip_nodes.ts";
import { knowsAll, NOW_MS, replicatingStore, type StoreSettings } from "../support/stores.ts";

const KIB = 1024;
const MOST = 256;

type Out = Omit<Page, "to">;

/** Applies a write of another node, of which nothing is known by that. */
function apply(store: Store, i: number, version: Version, bytes = 0): void {
  const entry = { flags: 0, value: spanOf(new Uint8Array(bytes)), ttlMs: Infinity, remainingMs: Infinity };
  assert(store.apply(key(i), { version, kind: ENTRY, entry }, knowsAll(store)));
}

/** A store with writes of some origins that are known: `[h, id]` each, under keys by their number. */
function storeOf(
  writes: readonly (readonly [h: number, id: number])[],
  bytes = 0,
  settings: StoreSettings = {},
): Store {
  const store = replicatingStore({ nowMs: NOW_MS }, settings);
  for (const [i, [h, origin]] of writes.entries()) apply(store, i, { h, origin }, bytes);
  for (const [h, origin] of writes) store.history.know({ h, origin });
  return store;
}

function page(store: Store, known: [number, number][] = [], after: Place = START, maxWrites = MOST): Out {
  return pageOf(store, { question: 9, known: new Map(known), after }, maxWrites);
}

function pageOf(store: Store, pull: Pull, maxWrites: number, rules: Rules = ALL_RULES): Out {
  return pageFor(store, pull, {
    maxWrites,
    maxBytes: MAX_PAGE_BYTES,
    rules,
    known: store.history.known,
    inCommon: true,
  });
}

function placed(store: Store, question: number, places: Place[], maxWrites: number): Out {
  return pageAt(store, { question, places }, { maxWrites, maxBytes: MAX_PAGE_BYTES, known: store.history.known });
}

function placesOf({ writes }: { writes: readonly Write[] }): [number, number][] {
  return writes.map(({ version: { h, origin, by = origin } }) => [h, by]);
}

/** All pages that a peer is given who asks until there are no more. */
function pagesFor(store: Store, maxWrites: number): Out[] {
  const pages: Out[] = [];
  let after = START;
  while (pages.length === 0 || pages.at(-1)!.more === MORE.writes) {
    assert(pages.length < 1000, "pages without end");
    const next = pageOf(store, { question: 1, known: new Map(), after }, maxWrites);
    if (next.writes.length > 0) after = placeOf(next.writes.at(-1)!.version);
    pages.push(next);
  }
  return pages;
}

Deno.test("pageFor() gives nothing when the peer knows all, be it more", () => {
  const store = storeOf([[5, 7], [6, 8]]);
  for (const known of [[[7, 5], [8, 6]], [[7, 50], [8, 60], [9, 70]]] as [number, number][][]) {
    const { writes, lossy, more, question } = page(store, known);
    assertEquals([writes, lossy.size, more, question], [[], 0, MORE.nothing, 9]);
  }
  assertEquals(page(replicatingStore({ nowMs: NOW_MS })).writes, []);
});

Deno.test("pageFor() gives what a peer lacks of each origin, the oldest first, and by number where versions are equal", () => {
  const store = storeOf([[9, 7], [5, 8], [5, 7], [7, 3], [5, 3], [6, 8]]);
  const all = page(store);
  assertEquals(placesOf(all), [[5, 3], [5, 7], [5, 8], [6, 8], [7, 3], [9, 7]]);
  assertEquals([all.more, all.known], [MORE.nothing, store.history.known]);
  const some = page(store, [[7, 5], [8, 6]]);
  assertEquals(placesOf(some), [[5, 3], [7, 3], [9, 7]]);
});

Deno.test("pageFor() cuts by count, and goes on after the place that was reached, between equal versions too", () => {
  const store = storeOf([[5, 3], [5, 7], [5, 8], [6, 8], [7, 3]]);
  const first = page(store, [], START, 2);
  assertEquals([placesOf(first), first.more], [[[5, 3], [5, 7]], MORE.writes]);
  const second = page(store, [], { h: 5, id: 7 }, 2);
  assertEquals([placesOf(second), second.more], [[[5, 8], [6, 8]], MORE.writes]);
  const last = page(store, [], { h: 6, id: 8 }, 2);
  assertEquals([placesOf(last), last.more], [[[7, 3]], MORE.nothing]);
  assertEquals([first, second, last].map(({ known }) => known), Array(3).fill(store.history.known));
});

Deno.test("pageFor() gives nothing before the place that was reached, though it has come to know that since", () => {
  const store = storeOf([[5, 3], [9, 3]]);
  apply(store, 100, { h: 6, origin: 8 });
  store.history.know({ h: 6, origin: 8 });
  assertEquals(placesOf(page(store, [], { h: 7, id: 3 })), [[9, 3]]);
});

Deno.test("pageFor() does not say that there is more when the last write just fits", () => {
  const store = storeOf([[5, 3], [6, 3]]);
  assertEquals([page(store, [], START, 2).more, page(store, [], START, 1).more], [MORE.nothing, MORE.writes]);
});

Deno.test("pageFor() cuts before 128 KiB of keys and values", () => {
  const bytes = 32 * KIB - "key:0".length;
  const store = storeOf([[5, 3], [6, 3], [7, 3], [8, 3], [9, 3]], bytes);
  const first = page(store);
  assertEquals([placesOf(first), first.more], [[[5, 3], [6, 3], [7, 3], [8, 3]], MORE.writes]);
  const larger = page(storeOf([[5, 3], [6, 3], [7, 3], [8, 3]], bytes + 1));
  assertEquals([larger.writes.length, larger.more], [3, MORE.writes]);
});

Deno.test("pageFor() gives a write alone that is larger than a message", () => {
  const store = storeOf([[5, 3], [6, 3]], 200 * KIB);
  const pages = pagesFor(store, MOST);
  assertEquals(pages.map(placesOf), [[[5, 3]], [[6, 3]]]);
  const [{ entry }] = pages[0].writes;
  assertEquals(entry!.value.to - entry!.value.from, 200 * KIB);
});

Deno.test("pageFor() gives each write once over all pages, in ascending order, whatever the size of a page", () => {
  const random = seeded(20261127);
  const below = (n: number) => Math.floor(random() * n);
  for (let round = 0; round < 50; round++) {
    const places = new Map<string, [number, number]>();
    for (let i = 0; i < 60; i++) {
      const place: [number, number] = [1 + below(40), 1 + below(6)];
      places.set(place.join("/"), place);
    }
    const store = storeOf([...places.values()]);
    const pages = pagesFor(store, 1 + below(9));
    const expected = [...places.values()].sort(([h, id], [h2, id2]) => h - h2 || id - id2);
    assertEquals(pages.flatMap(placesOf), expected);
  }
});

Deno.test("pageFor() gives orphans too, each once, though they make nothing known", () => {
  const store = storeOf([[5, 3], [9, 3]]);
  for (const [i, h] of [6, 7, 20].entries()) apply(store, 100 + i, { h, origin: 8 });
  const all = page(store);
  assertEquals([placesOf(all), all.known], [[[5, 3], [6, 8], [7, 8], [9, 3], [20, 8]], new Map([[3, 9]])]);
  apply(store, 103, { h: 21, origin: 3 });
  store.history.know({ h: 21, origin: 3 });
  const pages = pagesFor(store, 2);
  assertEquals(pages.map(placesOf), [[[5, 3], [6, 8]], [[7, 8], [9, 3]], [[20, 8], [21, 3]]]);
});

Deno.test("pageFor() gives orphans also to a peer that lacks nothing else: one may have replaced what it knows", () => {
  const store = storeOf([[5, 3]]);
  apply(store, 100, { h: 6, origin: 8 });
  assertEquals(placesOf(page(store, [[3, 5]])), [[6, 8]]);
});

Deno.test("pageFor() gives orphans after the place that the peer has reached, also of the same version", () => {
  const store = storeOf([[9, 3]]);
  for (const [i, origin] of [5, 6, 7].entries()) apply(store, 100 + i, { h: 8, origin });
  assertEquals(placesOf(page(store, [], { h: 8, id: 5 })), [[8, 6], [8, 7], [9, 3]]);
  assertEquals(placesOf(page(store, [], { h: 8, id: 7 })), [[9, 3]]);
});

Deno.test("pageFor() names what has been forgotten beyond what the peer knows, and since the last clear", () => {
  const store = storeOf([[5, 3], [6, 7], [7, 8]], 0, { maxForgotten: 0 });
  for (const i of [0, 1]) store.distrust(store.peek(key(i)));
  assertEquals(page(store).lossy, new Map([[3, 5], [7, 6]]));
  assertEquals(page(store, [[3, 5]]).lossy, new Map([[7, 6]]));
  assertEquals(page(store, [[3, 4], [7, 6]]).lossy, new Map([[3, 5]]));
  store.history.cleared = 5;
  assertEquals(page(store).lossy, new Map([[7, 6]]));
  assertEquals(placesOf(page(store)), [[7, 8]]);
});

Deno.test("pageFor() gives fingerprints with the last page, of what the peer does not know, be it given already", () => {
  const store = storeOf([[5, 3], [6, 7], [7, 8]]);
  store.distrust(store.peek(key(1)));
  const departures = [{ hash: publicHash(key(1)), upTo: 6, id: 7, writer: 7 }];
  const first = page(store, [], START, 1);
  assertEquals([placesOf(first), first.departures, first.more], [[[5, 3]], [], MORE.writes]);
  const pull = { question: 1, known: new Map([[8, 7]]), after: { h: 5, id: 3 } };
  const last = pageOf(store, pull, MOST);
  assertEquals([last.writes, last.departures, last.more, last.lossy.size], [[], departures, MORE.nothing, 0]);
  assertEquals(last.known.get(7), 6);
  assertEquals(page(store, [[7, 6]]).departures, []);
});

Deno.test("pageFor() gives fingerprints alone to a peer that says where they go on", () => {
  const store = storeOf(Array.from({ length: 20_000 }, (_, i): [number, number] => [5 + i, 3]));
  for (let i = 0; i < 19_999; i++) store.distrust(store.peek(key(i)));
  const pull = { question: 1, known: new Map(), after: START };
  const pages = [pageOf(store, pull, MOST)];
  while (pages.at(-1)!.more === MORE.departures) {
    assert(pages.length < 100, "pages without end");
    pages.push(pageOf(store, { ...pull, cursor: { ...pages.at(-1)!.cursor } }, MOST));
  }
  assertEquals(pages.map(({ writes }) => writes.length), [1, ...pages.slice(1).map(() => 0)]);
  const hashes = pages.flatMap(({ departures }) => departures.map(({ hash }) => hash));
  assertEquals([hashes.length, new Set(hashes).size, pages.length > 2], [19_999, 19_999, true]);
  assertEquals(pages.at(-1)!.more, MORE.nothing);
});

Deno.test("pageFor() gives fingerprints with the first page where the rule says so", () => {
  const store = storeOf([[5, 3], [6, 7]]);
  store.distrust(store.peek(key(0)));
  apply(store, 9, { h: 9, origin: 9 });
  const pull = { question: 1, known: new Map(), after: START };
  const { departures, more } = pageOf(store, pull, 1, { ...ALL_RULES, lastPage: false });
  assertEquals([departures.length, more], [1, MORE.writes]);
});

Deno.test("pageFor() gives nothing from before a clear", () => {
  const store = storeOf([[5, 3], [6, 3], [7, 3]]);
  store.history.cleared = 6;
  assertEquals(placesOf(page(store)), [[7, 3]]);
});

Deno.test("writesAt() gives entries with all that belongs to them, graves, and what has expired as a ghost", () => {
  const clock = { nowMs: NOW_MS };
  const store = replicatingStore(clock);
  const marks = MARK.fixed | MARK.fetched;
  store.set(key(1), { flags: 5, marks, value: spanOf(new TextEncoder().encode("one")), ttlMs: 1000 });
  set(store, 2, "two", 100);
  set(store, 3);
  store.delete(key(3));
  clock.nowMs += 100;
  const positions = [...store.history.logs.all[0].after(0)];
  const [one, two, three] = writesAt(store, positions);
  assertEquals([one, two, three].map(({ kind }) => kind), [ENTRY, GHOST, TOMB]);
  assertEquals([two.entry, three.entry], [undefined, undefined]);
  const { value, ...rest } = one.entry!;
  assertEquals(rest, { flags: 5, marks: marks & TRAVELS, ttlMs: 1000, remainingMs: 900 });
  const text = ({ bytes, from, to }: Write["key"]) => new TextDecoder().decode(bytes.subarray(from, to));
  assertEquals([one, two, three].map(({ key }) => text(key)), ["key:1", "key:2", "key:3"]);
  assertEquals(text(value), "one");
  assertEquals([one, two, three].map(({ version }) => version), positions.map((at) => store.history.version(at)));
});

Deno.test("writesAt() gives an entry of which a part of a millisecond is left, and a ghost of one that has none", () => {
  const clock = { nowMs: NOW_MS };
  const store = replicatingStore(clock);
  set(store, 1, "value", 100);
  const positions = [store.peek(key(1))];
  const kinds = [99.5, 100].map((elapsedMs) => {
    clock.nowMs = NOW_MS + elapsedMs;
    return writesAt(store, positions)[0].kind;
  });
  assertEquals(kinds, [ENTRY, GHOST]);
});

Deno.test("writesAt() gives what stays as it was when the store changes", () => {
  const store = replicatingStore({ nowMs: NOW_MS });
  set(store, 1, "before");
  const [write] = writesAt(store, [store.peek(key(1))]);
  set(store, 1, "behind");
  const { bytes, from, to } = write.entry!.value;
  assertEquals([new TextDecoder().decode(bytes.subarray(from, to)), get(store, 1)], ["before", "behind"]);
});

Deno.test("nameAt() and livesAt() name a version of a key, and find it while it lives", () => {
  const store = replicatingStore({ nowMs: NOW_MS });
  set(store, 1);
  const position = store.peek(key(1));
  const name = nameAt(store, position);
  assertEquals(name, { key: key(1), version: store.versionOf(key(1))! });
  assertEquals(livesAt(store, name.key, name.version), position);
  assertEquals(livesAt(store, key(2), name.version), 0);
  set(store, 1);
  assertEquals(livesAt(store, name.key, name.version), 0);
  const { version } = nameAt(store, store.peek(key(1)));
  store.delete(key(1));
  assertEquals(livesAt(store, name.key, version), 0);
});

Deno.test("isAfter() orders places by version, then by the number under which a write is counted", () => {
  assertEquals(placeOf({ h: 5, origin: 7 }), { h: 5, id: 7 });
  assertEquals(placeOf({ h: 5, origin: 7, by: 3 }), { h: 5, id: 3 });
  const places = [{ h: 4, id: 9 }, { h: 5, id: 3 }, { h: 5, id: 7 }, { h: 6, id: 1 }];
  for (const [i, one] of places.entries()) {
    for (const [j, other] of places.entries()) assertEquals(isAfter(one, other), i > j);
  }
});

/** Before all places. */
const BEGINNING = { h: Number.MAX_SAFE_INTEGER, id: 0 };

/** Places as pairs. */
function pairsOf(places: readonly Place[]): [number, number][] {
  return places.map(({ h, id }) => [h, id]);
}

Deno.test("placesBefore() gives the entries of all origins, the newest first, and where versions are equal by number", () => {
  const store = storeOf([[9, 7], [5, 8], [5, 7], [7, 3], [5, 3], [6, 8]]);
  const all = placesBefore(store, BEGINNING, MOST);
  assertEquals([pairsOf(all.places), all.more], [[[9, 7], [7, 3], [6, 8], [5, 8], [5, 7], [5, 3]], false]);
  for (const most of [1, 2, 3, 4, 5, 6]) {
    const lists: [number, number][][] = [];
    for (let [before, more] = [BEGINNING as Place, true]; more;) {
      assert(lists.length < 10, "lists without end");
      const list = placesBefore(store, before, most);
      lists.push(pairsOf(list.places));
      [before, more] = [list.places.at(-1)!, list.more];
    }
    assertEquals([lists.flat(), lists.length], [pairsOf(all.places), Math.ceil(6 / most)]);
  }
  assertEquals(placesBefore(store, { h: 5, id: 3 }, MOST), { places: [], more: false });
});

Deno.test("placesBefore() passes over graves, orphans, and what is from before a clear", () => {
  const store = storeOf([[5, 3], [6, 3], [7, 3], [8, 4]]);
  store.apply(key(1), { version: { h: 9, origin: 3 }, kind: TOMB }, knowsAll(store));
  store.history.know({ h: 9, origin: 3 });
  apply(store, 50, { h: 10, origin: 3 });
  apply(store, 51, { h: 20, origin: 8 });
  assertEquals(pairsOf(placesBefore(store, BEGINNING, MOST).places), [[8, 4], [7, 3], [5, 3]]);
  store.clearUpTo(7);
  assertEquals(pairsOf(placesBefore(store, BEGINNING, MOST).places), [[8, 4]]);
  assertEquals(placesBefore(replicatingStore({ nowMs: NOW_MS }), BEGINNING, MOST), { places: [], more: false });
});

Deno.test("pageAt() gives the entries at places that are held, the oldest of a page first, and nothing known by them", () => {
  const store = storeOf([[5, 3], [6, 3], [7, 8], [8, 8]]);
  store.apply(key(1), { version: { h: 9, origin: 3 }, kind: TOMB }, knowsAll(store));
  store.history.know({ h: 9, origin: 3 });
  const places = [[9, 3], [8, 8], [8, 3], [7, 8], [6, 3], [5, 3], [5, 77]].map(([h, id]) => ({ h, id }));
  const all = placed(store, 7, places, MOST);
  assertEquals([placesOf(all), all.more, all.question], [[[5, 3], [7, 8], [8, 8]], MORE.nothing, 7]);
  assertEquals([all.known, all.lossy.size, all.departures], [store.history.known, 0, []]);
  const some = placed(store, 7, places, 2);
  assertEquals([placesOf(some), some.more], [[[7, 8], [8, 8]], MORE.writes]);
  assertEquals(placed(store, 7, [], MOST).writes, []);
});

Deno.test("pageAt() cuts before 128 KiB of keys and values, and gives an entry alone that is larger", () => {
  const places = [8, 7, 6, 5].map((h) => ({ h, id: 3 }));
  const half = placed(storeOf([[5, 3], [6, 3], [7, 3], [8, 3]], 60 * KIB), 1, places, MOST);
  assertEquals([placesOf(half), half.more], [[[7, 3], [8, 3]], MORE.writes]);
  const large = placed(storeOf([[5, 3], [6, 3], [7, 3], [8, 3]], 200 * KIB), 1, places, MOST);
  assertEquals([placesOf(large), large.more], [[[8, 3]], MORE.writes]);
});
