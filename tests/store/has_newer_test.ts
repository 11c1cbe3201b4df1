/** Whether something newer than an entry has left: by which fingerprints, and where it is known that nothing has. */

import { assert, assertEquals } from "@std/assert";
import { hasLeft } from "../../lib/replication/pages.ts";
import { ENTRY, GHOST, TOMB } from "../../lib/store/entry.ts";
import type { History } from "../../lib/store/history.ts";
import type { Known } from "../../lib/store/known.ts";
import { publicHash } from "../../lib/base/public_hash.ts";
import type { Store } from "../../lib/store/store.ts";
import type { Version } from "../../lib/store/version.ts";
import { get, key, set } from "../support/gossip_nodes.ts";
import { knowsAll, knowsNothing, NOW_MS, replicatingStore, type StoreSettings } from "../support/stores.ts";

/** The origin of the stores under test. */
const ME = 100;

function storeWith(settings: StoreSettings = {}): Store {
  return replicatingStore({ nowMs: NOW_MS }, settings);
}

/** Applies an entry of another node. Returns its position. */
function applied(store: Store, i: number, version: Version): number {
  const entry = { flags: 0, value: key(i), ttlMs: Infinity, remainingMs: Infinity };
  assert(store.apply(key(i), { version, kind: ENTRY, entry }, knowsAll(store)));
  return store.peek(key(i));
}

/** Tells a history of a write that has left elsewhere. */
function told(history: History, i: number, upTo: number, id: number, writer = id): void {
  history.take({ hash: publicHash(key(i)), upTo, id, writer });
}

/** The highest version for which something newer of a key may have left, among those from 1 to 100 of an origin. */
function newerThan({ history }: Store, i: number, origin: number, known?: Known): number {
  const all = Array.from({ length: 100 }, (_, at) => 1 + at);
  const below = all.filter((h) => history.hasNewer(key(i), { h, origin }, known));
  assertEquals(below, all.slice(0, below.length), "what is newer than a version is newer than those below it");
  return below.length;
}

Deno.test("History.hasNewer() counts a fingerprint of a higher version, and of the same version by another writer", () => {
  const store = storeWith();
  store.history.depart({ h: 50, origin: 7 }, key(1));
  assertEquals([newerThan(store, 1, 7), newerThan(store, 1, 8), newerThan(store, 2, 7)], [49, 50, 0]);
});

Deno.test("History.hasNewer() knows an adopted write by its writer, whatever the number under which it is counted", () => {
  const store = storeWith();
  const { history } = store;
  applied(store, 1, { h: 50, origin: 7, by: 70 });
  store.distrust(store.peek(key(1)));
  told(history, 2, 60, 71, 8);
  assertEquals([7, 70, 8].map((origin) => newerThan(store, 1, origin)), [49, 50, 50]);
  assertEquals([8, 71, 7].map((origin) => newerThan(store, 2, origin)), [59, 60, 60]);
  assertEquals(history.hasNewer(key(1), { h: 50, origin: 7, by: 72 }), false);
  const { departures } = history.departures(new Map(), { cell: 0, moves: 0 }, 10);
  assertEquals(departures, [
    { hash: publicHash(key(1)), upTo: 50, id: 70, writer: 7 },
    { hash: publicHash(key(2)), upTo: 60, id: 71, writer: 8 },
  ]);
});

Deno.test("History.hasNewer() passes over what the sender knows, by the origin under which it is counted", () => {
  const store = storeWith();
  store.history.depart({ h: 50, origin: 7 }, key(1));
  told(store.history, 1, 60, 71, 8);
  const cases: [known: [number, number][], newer: number][] = [
    [[], 60],
    [[[71, 59]], 60],
    [[[71, 60]], 50],
    [[[8, 60]], 60],
    [[[71, 60], [7, 49]], 50],
    [[[71, 60], [7, 50]], 0],
  ];
  for (const [known, newer] of cases) assertEquals(newerThan(store, 1, 9, new Map(known)), newer, String(known));
});

Deno.test("History.take() lets an origin's writes that are held keep their writer", () => {
  const store = storeWith();
  applied(store, 1, { h: 50, origin: 7, by: 70 });
  told(store.history, 2, 60, 70, 8);
  assertEquals(store.versionOf(key(1)), { h: 50, origin: 7, by: 70 });
  store.distrust(store.peek(key(1)));
  told(store.history, 2, 60, 70, 8);
  assertEquals(newerThan(store, 2, 8), 59);
});

Deno.test("History.leftLast() tells that an entry left as the newest of its key, by its very version", () => {
  const store = storeWith({ maxSize: 1 });
  set(store, 1);
  const version = store.versionOf(key(1))!;
  const { history } = store;
  assertEquals(history.leftLast(key(1), version), false, "it lives");
  set(store, 2);
  assertEquals([get(store, 1), history.leftLast(key(1), version)], [undefined, true]);
  const { h } = version;
  const others = [{ h: h - 1, origin: ME }, { h: h + 1, origin: ME }, { h, origin: 7 }, { h, origin: ME, by: 70 }];
  for (const other of others) assertEquals(history.leftLast(key(1), other), false, JSON.stringify(other));
  assertEquals(history.leftLast(key(3), version), false, "another key");
});

Deno.test("History.leftLast() goes by the number under which an adopted write is counted", () => {
  const store = storeWith({ maxSize: 1 });
  const version = { h: 50, origin: 7, by: 70 };
  applied(store, 1, version);
  set(store, 2);
  assertEquals([get(store, 1), store.history.leftLast(key(1), version)], [undefined, true]);
  assertEquals(store.history.leftLast(key(1), { h: 50, origin: 7 }), false);
});

Deno.test("History.leftLast() is false where something newer may have been heard of", () => {
  const version = { h: 50, origin: 7 };
  const entry = { flags: 0, value: key(1), ttlMs: Infinity, remainingMs: Infinity };
  const cases: [what: string, leave: (store: Store) => void][] = [
    ["distrusted", (store) => store.distrust(store.peek(key(1)))],
    ["evicted before peers' fingerprints were compared with all entries", (store) => {
      store.history.isUnswept = true;
      set(store, 2);
    }],
    ["a peer has told of the key since", (store) => {
      set(store, 2);
      told(store.history, 1, 40, 8);
    }],
    ["a ghost has replaced it", (store) => {
      assert(store.apply(key(1), { version: { h: 60, origin: 8 }, kind: GHOST }, knowsAll(store)));
    }],
    ["a newer write was refused", (store) => {
      told(store.history, 1, 70, 8);
      store.history.isUnswept = false;
      const write = { version: { h: 60, origin: 9 }, kind: ENTRY, entry };
      assertEquals(store.apply(key(1), write, knowsNothing(store)), false);
    }],
  ];
  for (const [what, leave] of cases) {
    const store = storeWith({ maxSize: 1 });
    applied(store, 1, version);
    leave(store);
    assertEquals([store.has(key(1)), store.history.leftLast(key(1), version)], [false, false], what);
  }
});

Deno.test("History.leftLast() is false for a write that was never held", () => {
  const { history } = storeWith();
  history.depart({ h: 50, origin: 7 }, key(1));
  assertEquals(history.leftLast(key(1), { h: 50, origin: 7 }), false);
});

Deno.test("History.take() asks for a comparison with all entries, and nothing that leaves here does", () => {
  const store = storeWith({ maxSize: 1 });
  for (const i of [1, 2]) set(store, i);
  store.delete(key(2));
  assertEquals([store.history.fingerprints, store.history.isUnswept], [1, false]);
  told(store.history, 3, 50, 7);
  assertEquals(store.history.isUnswept, true);
});

Deno.test("hasLeft() is true for what something newer of its key has left after, not for the last that left", () => {
  const store = storeWith({ maxSize: 1 });
  applied(store, 1, { h: 50, origin: 7 });
  set(store, 2); // evicts it
  const { history } = store;
  const has = (h: number, origin: number) => hasLeft(store, key(1), { h, origin });
  assertEquals([has(49, 7), has(50, 7), has(50, 8), has(51, 7)], [true, false, true, false]);
  history.depart({ h: 60, origin: 8 }, key(1));
  assertEquals([has(50, 7), has(60, 8), has(60, 9)], [true, false, true]);
});

Deno.test("hasLeft() is false for the last that left though an older fingerprint seems newer than it", () => {
  const store = storeWith({ maxSize: 1 });
  const { history } = store;
  told(history, 1, 60, 8); // some of a peer's are told as a little newer than they are
  history.isUnswept = false;
  applied(store, 1, { h: 50, origin: 7 });
  set(store, 2); // evicts it
  const has = (h: number, origin: number) => hasLeft(store, key(1), { h, origin });
  assertEquals([history.hasNewer(key(1), { h: 50, origin: 7 }), has(50, 7)], [true, false]);
  assertEquals([has(49, 7), has(50, 9)], [true, true]);
});

Deno.test("History.at() finds a write that is held, by the origin under which it is counted", () => {
  const store = storeWith();
  const { history } = store;
  const position = applied(store, 1, { h: 50, origin: 7, by: 70 });
  store.apply(key(2), { version: { h: 51, origin: 8 }, kind: TOMB }, knowsAll(store));
  assertEquals([history.at(70, 50), history.at(7, 50), history.at(70, 49), history.at(70, 51)], [position, 0, 0, 0]);
  assertEquals(history.version(history.at(8, 51)), { h: 51, origin: 8 });
  store.distrust(position);
  assertEquals([history.at(70, 50), history.at(9, 1)], [0, 0]);
});

Deno.test("Store takes keys for each other by the first hashBits of their hash, where it is told to", () => {
  const groupOf = (i: number, bits: number) => publicHash(key(i)) >>> (32 - bits);
  for (const hashBits of [2, 8, 31, undefined]) {
    const store = storeWith({ hashBits });
    applied(store, 0, { h: 50, origin: 7 });
    store.distrust(store.peek(key(0)));
    const bits = hashBits ?? 32;
    let same = 0;
    for (let i = 0; i < 500; i++) {
      const isSame = groupOf(i, bits) === groupOf(0, bits);
      assertEquals(hasLeft(store, key(i), { h: 40, origin: 7 }), isSame, `key ${i} by ${bits} bits`);
      if (isSame) same++;
    }
    if (bits === 2) assert(same > 60, `${same} keys alike`);
    if (bits > 30) assertEquals(same, 1);
    const { departures: [{ hash }] } = store.history.departures(new Map(), { cell: 0, moves: 0 }, 10);
    assertEquals(hash, (groupOf(0, bits) * 2 ** (32 - bits)) >>> 0);
  }
});
