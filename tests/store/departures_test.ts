/** What a store remembers of writes that have left it, whom it believes, and what it tells peers. */

import { assert, assertEquals } from "@std/assert";
import { hasLeft as mayHaveLeft } from "../../lib/replication/pages.ts";
import { spanOf } from "../../lib/base/byte_span.ts";
import { ENTRY, GHOST, type RemoteWrite, TOMB } from "../../lib/store/entry.ts";
import { MAX_LABEL } from "../../lib/store/fingerprints.ts";
import type { Departure, History } from "../../lib/store/history.ts";
import { ALL_RULES, type Rules } from "../../lib/store/rules.ts";
import type { Known } from "../../lib/store/known.ts";
import { publicHash } from "../../lib/base/public_hash.ts";
import type { SweepCursor } from "../../lib/store/entries.ts";
import type { Store } from "../../lib/store/store.ts";
import { CAUSE, type Cause } from "../../lib/store/store_listener.ts";
import { get, key, set } from "../support/gossip_nodes.ts";
import { knowsAll, knowsNothing, NOW_MS, replicatingStore, type StoreSettings } from "../support/stores.ts";

const MOST_PAGES = 1000;
/** An origin that has written nothing: any fingerprint of its version or a newer one covers its writes. */
const STRANGER = 1;

function storeWith(settings: StoreSettings = {}): Store {
  return replicatingStore({ nowMs: NOW_MS }, settings);
}

/** Applies a write of another node. Returns whether it was news. */
function apply(
  store: Store,
  i: number,
  h: number,
  theirs: Known = knowsAll(store),
  more: Partial<RemoteWrite> = {},
): boolean {
  const entry = { flags: 0, value: key(i), ttlMs: Infinity, remainingMs: Infinity };
  return store.apply(key(i), { version: { h, origin: 7 }, kind: ENTRY, entry, ...more }, theirs);
}

/** Lets a node apply a write that leaves at once. */
function pass(store: Store, i: number, h: number, origin = 7): void {
  assert(apply(store, i, h, knowsAll(store), { version: { h, origin } }));
  store.distrust(store.peek(key(i)));
}

/** Whether a write of a key, of version `h` or a newer one, may have left. */
function hasLeft(store: Store, i: number, h: number): boolean {
  return mayHaveLeft(store, key(i), { h, origin: STRANGER });
}

/** All that is told a peer who knows `theirs`, page by page. */
function toldOf(history: History, theirs: Known, most = 100): Departure[] {
  const cursor = { cell: 0, moves: 0 };
  const all: Departure[] = [];
  for (let pages = 0; pages < MOST_PAGES; pages++) {
    const { departures, more } = history.departures(theirs, cursor, most);
    assertEquals(departures, departures.toSorted((a, b) => a.upTo - b.upTo));
    all.push(...departures);
    if (!more) return all.sort((a, b) => a.upTo - b.upTo);
  }
  throw new Error("pages without end");
}

Deno.test("Store remembers by a fingerprint what is evicted, expires, is distrusted, or was a tombstone too many", () => {
  const clock = { nowMs: NOW_MS };
  const cases: [what: string, settings: StoreSettings, leave: (store: Store) => void][] = [
    ["evicted", { maxSize: 1 }, (store) => set(store, 2)],
    ["expired", { ttlMs: 10 }, (store) => {
      clock.nowMs += 10;
      assertEquals(get(store, 1), undefined);
    }],
    ["distrusted", {}, (store) => store.distrust(store.peek(key(1)))],
    ["a tombstone", { maxGraves: 1 }, (store) => {
      store.delete(key(1));
      store.delete(key(2));
    }],
  ];
  for (const [what, settings, leave] of cases) {
    const store = replicatingStore(clock, settings);
    set(store, 1);
    const { h } = store.versionOf(key(1))!;
    const facts = () => [store.versionOf(key(1)) !== undefined, hasLeft(store, 1, h), store.history.fingerprints];
    assertEquals(facts(), [true, false, 0], what);
    leave(store);
    assertEquals(facts(), [false, true, 1], what);
    assertEquals([hasLeft(store, 1, h - 1), hasLeft(store, 3, 1), store.history.floor], [true, false, 0], what);
  }
});

Deno.test("Store remembers nothing of what is replaced, deleted or cleared: something newer tells of it", () => {
  const store = storeWith();
  for (const i of [1, 2, 3]) set(store, i);
  set(store, 1, "x".repeat(1000));
  store.delete(key(2));
  store.clear();
  assertEquals([store.history.fingerprints, store.history.floor, hasLeft(store, 3, 1)], [0, 0, false]);
});

Deno.test("Store remembers nothing where it does not replicate, or the rule is switched off", () => {
  const rules: Rules = { ...ALL_RULES, fingerprints: false };
  const store = storeWith({ maxSize: 1, rules });
  for (const i of [1, 2, 3]) set(store, i);
  assertEquals([store.history.fingerprints, store.history.floor], [0, 0]);
});

Deno.test("Store.apply() remembers by a fingerprint what it cannot hold: expired on its way, or too large", () => {
  const store = storeWith({ maxBytes: 64 * 1024 });
  const large = { flags: 0, value: spanOf(new Uint8Array(64 * 1024)), ttlMs: Infinity, remainingMs: Infinity };
  const late = { flags: 0, value: key(1), ttlMs: 10, remainingMs: 0 };
  const all = [{ kind: GHOST, entry: undefined }, { entry: late }, { entry: large }];
  for (const [i, more] of all.entries()) {
    apply(store, i, 50 + i);
    assertEquals(store.has(key(i)), true);
    assertEquals(apply(store, i, 100 + i, knowsAll(store), more), true);
    assertEquals([store.has(key(i)), hasLeft(store, i, 100 + i), hasLeft(store, i, 103 + i)], [
      false,
      true,
      false,
    ]);
  }
  assertEquals([store.history.fingerprints, store.stats().entries], [3, 0]);
});

Deno.test("Store.apply() refuses what is older than what has left of its key, unless the sender knows of that", () => {
  for (const [sender, isNews] of [["all", true], ["nothing", false], ["another", false]] as const) {
    const store = storeWith();
    pass(store, 1, 50);
    const known = new Map([[8, 1000]]);
    const from = { all: knowsAll(store), nothing: knowsNothing(store), another: known }[sender];
    const version = { h: 40, origin: 9 };
    assertEquals(apply(store, 1, 40, from, { version }), isNews, sender);
    assertEquals([store.has(key(1)), hasLeft(store, 1, 50)], [isNews, true]);
    assertEquals(apply(store, 2, 40, from, { version: { h: 41, origin: 9 } }), true, "another key");
    assertEquals(apply(store, 1, 60, from, { version: { h: 60, origin: 9 } }), true, "a newer write");
  }
});

Deno.test("Store.apply() remembers what it refuses, since it counts as known before long", () => {
  for (const bury of [true, false]) {
    const store = storeWith({ rules: { ...ALL_RULES, bury } });
    pass(store, 1, 50);
    assertEquals(apply(store, 1, 40, knowsNothing(store), { version: { h: 40, origin: 9 } }), false);
    store.history.know({ h: 40, origin: 9 });
    const told = toldOf(store.history, new Map([[7, 50]]));
    assertEquals(told, bury ? [{ hash: publicHash(key(1)), upTo: 40, id: 9, writer: 9 }] : []);
  }
});

Deno.test("Store.apply() accepts what is known already only as a fill, and remembers nothing of a fill that it refuses", () => {
  for (const isFill of [true, false]) {
    const store = storeWith();
    const { history } = store;
    pass(store, 1, 50);
    history.know({ h: 100, origin: 7 });
    const entry = { flags: 0, value: key(2), ttlMs: Infinity, remainingMs: Infinity };
    const write = { version: { h: 60, origin: 7 }, kind: ENTRY, entry };
    assertEquals([store.apply(key(2), write, knowsNothing(store), isFill ? "known" : undefined), store.has(key(2))], [
      isFill,
      isFill,
    ]);
    const older = { ...write, version: { h: 40, origin: 9 } };
    assertEquals(store.apply(key(1), older, knowsNothing(store), isFill ? "known" : undefined), false);
    assertEquals(toldOf(history, new Map()).map(({ upTo, id }) => [upTo, id]), isFill ? [[50, 7]] : [[40, 9], [50, 7]]);
  }
});

Deno.test("Store.apply() takes no newer write for older than a peer says has left while an entry lives, and drops that", () => {
  const store = storeWith();
  apply(store, 1, 50);
  store.history.take({ hash: publicHash(key(1)), upTo: 60, id: 8, writer: 8 });
  const apply9 = (h: number, from: Known) => {
    const isNews = apply(store, 1, h, from, { version: { h, origin: 9 } });
    return [isNews, store.versionOf(key(1))?.h];
  };
  assertEquals(apply9(55, knowsNothing(store)), [false, undefined]);
  assertEquals(apply9(56, new Map([[8, 59]])), [false, undefined]);
  assertEquals(apply9(57, new Map([[8, 60]])), [true, 57]);
  assertEquals(apply9(61, knowsNothing(store)), [true, 61]);
});

Deno.test("Store.apply() drops the entry that is older than what it refuses, with a fingerprint, and tells listeners", () => {
  const store = storeWith();
  apply(store, 1, 50);
  apply(store, 2, 51);
  store.history.take({ hash: publicHash(key(1)), upTo: 60, id: 8, writer: 8 });
  const told: Cause[] = [];
  store.listen({ causes: CAUSE.applied | CAUSE.evicted | CAUSE.deleted, changed: (cause) => void told.push(cause) });
  assertEquals(apply(store, 1, 49, knowsNothing(store), { version: { h: 49, origin: 9 } }), false);
  assertEquals([store.has(key(1)), told], [true, []], "what is older than the entry changes nothing");
  assertEquals(apply(store, 1, 55, knowsNothing(store), { version: { h: 55, origin: 9 } }), false);
  assertEquals([store.has(key(1)), store.has(key(2)), told], [false, true, [CAUSE.applied]]);
  assertEquals(toldOf(store.history, new Map()).map(({ upTo, id }) => [upTo, id]), [[50, 7], [55, 9], [60, 8]]);
});

Deno.test("History.departures() gives what a peer does not know, in ascending order and page by page", () => {
  const store = storeWith();
  for (let i = 1; i <= 3000; i++) pass(store, i, 10 * i, 7 + i % 2);
  const { history } = store;
  const all = toldOf(history, new Map());
  assertEquals(all.length, 3000);
  const byHash = new Map(all.map((departure) => [departure.hash, departure]));
  for (let i = 1; i <= 3000; i++) {
    const { upTo, id } = byHash.get(publicHash(key(i)))!;
    assert(id === 7 + i % 2 && upTo >= 10 * i && upTo < 10 * i + 10_000, `${i} up to ${upTo} of ${id}`);
  }
  const known = new Map([[8, 40_000], [7, 29_990]]);
  const few = toldOf(history, known).map(({ hash }) => hash);
  assert(few.includes(publicHash(key(3000))) && few.length < 100, `${few.length} are told`); // some of its span, too
  assertEquals(toldOf(history, new Map([[8, 40_000], [7, 40_000]])), []);
  history.clear(29_000);
  const since = toldOf(history, new Map());
  assert(since.length >= 100 && since.length < 300 && since.every(({ upTo }) => upTo > 29_000), `${since.length}`);
});

Deno.test("History.take() remembers what a peer tells, and makes nothing known by that", () => {
  const { history } = storeWith();
  history.take({ hash: publicHash(key(1)), upTo: 50, id: 7, writer: 7 });
  assertEquals([history.knownOf(7), history.hasMet(7), history.orphaned, history.floor], [0, true, [], 0]);
  const has = (h: number, known?: [number, number][]) =>
    history.hasNewer(key(1), { h, origin: STRANGER }, known === undefined ? undefined : new Map(known));
  assertEquals([has(50), has(51), has(50, []), has(50, [[7, 49]]), has(50, [[7, 50]])], [
    true,
    false,
    true,
    true,
    false,
  ]);
  assertEquals(toldOf(history, new Map()), [{ hash: publicHash(key(1)), upTo: 50, id: 7, writer: 7 }]);
});

Deno.test("History.take() says how far it has dropped what nothing known here rests on, and forgets nothing of that", () => {
  const { history } = storeWith({ maxForgotten: 0 });
  history.take({ hash: 1, upTo: 50, id: 7, writer: 7 });
  assertEquals([history.unclaimed, history.floor], [new Map([[7, 50]]), 0]);
  history.know({ h: 40, origin: 8 });
  history.take({ hash: 1, upTo: 60, id: 8, writer: 8 });
  assertEquals([history.unclaimed, history.floor], [new Map([[7, 50], [8, 60]]), 40]);
});

Deno.test("History.orphaned names origins of which more has left here than is known", () => {
  const store = storeWith();
  pass(store, 1, 50);
  assertEquals(store.history.orphaned, [7]);
  store.history.know({ h: 50, origin: 7 });
  assertEquals(store.history.orphaned, []);
});

Deno.test("History.clear() drops fingerprints once all are from before it", () => {
  const store = storeWith();
  const { history } = store;
  pass(store, 1, 50);
  pass(store, 2, 60, 8);
  history.clear(55);
  assertEquals([history.fingerprints, toldOf(history, new Map()).map(({ id }) => id)], [2, [8]]);
  history.clear(60);
  assertEquals([history.fingerprints, hasLeft(store, 2, 1), history.orphaned], [0, false, []]);
  pass(store, 3, 70);
  assertEquals(toldOf(history, new Map()), [{ hash: publicHash(key(3)), upTo: 70, id: 7, writer: 7 }]);
});

Deno.test("History labels fingerprints of more origins than there are labels, and forgets those of the lowest", () => {
  const store = storeWith();
  const { history } = store;
  const origins = MAX_LABEL + 1;
  for (let i = 1; i <= origins; i++) {
    pass(store, i, 1000 + i, 5000 + i);
    history.know({ h: 1000 + i, origin: 5000 + i });
  }
  assert(history.floor > 1000 && history.floor < 1100, `${history.floor} forgotten`);
  const gone = history.floor - 1000;
  assertEquals(history.fingerprints, origins - gone);
  for (let i = 1; i <= origins; i++) {
    const { forgotten, left } = history.origins.find(({ id }) => id === 5000 + i)!;
    assertEquals([hasLeft(store, i, 1000 + i), forgotten > 0, left > 0], [i > gone, i <= gone, i > gone]);
  }
  assertEquals(
    toldOf(history, new Map()).map(({ id }) => id),
    Array.from({ length: origins - gone }, (_, i) => 5001 + gone + i),
  );
});

Deno.test("Store.covered() finds entries that fingerprints cover, so many places at a time", () => {
  const store = storeWith();
  for (let i = 1; i <= 100; i++) apply(store, i, i, knowsAll(store), { version: { h: i, origin: 7 + i % 3 } });
  apply(store, 200, 200, knowsAll(store), { kind: TOMB, entry: undefined });
  for (const i of [5, 50, 77, 200]) store.history.take({ hash: publicHash(key(i)), upTo: 300, id: 66, writer: 66 });
  store.history.take({ hash: publicHash(key(6)), upTo: 5, id: 66, writer: 66 }); // older than the entry
  for (const [places, most] of [[1000, 1000], [7, 1000], [1000, 1], [1, 1]]) {
    const cursor: SweepCursor = { h: 0 };
    const found: number[] = [];
    for (let steps = 0; cursor.h < Infinity; steps++) {
      assert(steps < MOST_PAGES, "a search without end");
      const covered = store.covered(cursor, places, most);
      assert(covered.length <= most);
      found.push(...covered.map((position) => store.reader.h(position)));
    }
    assertEquals(found.sort((a, b) => a - b), [5, 50, 77], `${places} places, ${most} at most`);
  }
});

Deno.test("Store.covered() passes over what has been cleared, and misses none that are counted under another number meanwhile", () => {
  const store = storeWith();
  const { history } = store;
  for (const i of [1, 2, 3]) apply(store, i, i);
  apply(store, 4, 4, knowsAll(store), { version: { h: 4, origin: 8 } });
  for (const i of [1, 2, 3, 4]) history.take({ hash: publicHash(key(i)), upTo: 300, id: 66, writer: 66 });
  store.clearUpTo(2);
  const cursor: SweepCursor = { h: 0 };
  const next = (most: number) => store.covered(cursor, 1000, most).map((position) => store.reader.h(position));
  assertEquals(next(1), [3]);
  history.know({ h: 1, origin: 7 });
  history.know({ h: 1, origin: 8 });
  history.adopt(7, 70, 10);
  history.adopt(8, 2, 10);
  assertEquals([next(1), next(1), cursor.h], [[4], [], Infinity]);
});

Deno.test("History forgets of all that is known what may rest on the fingerprint of an orphan, when that is dropped", () => {
  for (const rests of [false, true]) {
    const { history } = storeWith({ maxForgotten: 4 });
    history.know({ h: 40, origin: 8 });
    history.know({ h: 90, origin: 9 });
    history.take({ hash: 1, upTo: 50, id: 7, writer: 7 }); // an orphan that may have replaced what is known of 8
    if (rests) history.rest();
    for (let i = 0; history.unclaimed.get(7) === undefined; i++) {
      assert(i < 10_000, "nothing is dropped");
      history.take({ hash: i * 40_503, upTo: 1000 + i, id: 10, writer: 10 });
    }
    assertEquals(history.forgottenBeyond(new Map()), new Map(rests ? [[8, 40], [9, 50]] : []));
  }
});
