/** What a catch-up that broke off has left, and how the others hear of it. */

import { assert, assertEquals } from "@std/assert";
import { MAX_ORIGIN_ID } from "../../lib/base/limits.ts";
import { ENTRY } from "../../lib/store/entry.ts";
import { applyFrom, breakOff, get, HUB, join, key, pair, rounds, set } from "../support/gossip_nodes.ts";
import { knowsAll } from "../support/stores.ts";

Deno.test("Gossip shares what a catch-up has left when its peer does not come back", () => {
  const all = join(HUB, { eager: false, maxWrites: 10 });
  const [a, b, c] = all.stores;
  all.gossips[0].disconnect(2);
  for (let i = 0; i < 50; i++) set(a, i);
  a.delete(key(0));
  breakOff(all);
  rounds(all, 3);
  assertEquals([all.gossips[1].adoptions, b.stats().entries, c.stats().entries], [0, 10, 0]);
  rounds(all, 2);
  assertEquals([all.gossips[1].adoptions, c.stats().entries], [1, 10]);
  for (let i = 1; i <= 10; i++) {
    assertEquals([b, c].map((store) => get(store, i)), [`value ${i}`, `value ${i}`]);
    assertEquals(
      [b, c].map((store) => store.versionOf(key(i))),
      [b, c].map(() => ({ ...a.versionOf(key(i))!, by: MAX_ORIGIN_ID })),
    );
  }
  assertEquals([b.history.knownOf(100), c.history.digest], [0, b.history.digest]);
  all.gossips[0].connect(2);
  rounds(all, 3);
  assertEquals(all.stores.map((store) => store.stats().entries), [49, 49, 49]);
  assertEquals(all.stores.map((store) => store.history.digest), all.stores.map(() => a.history.digest));
  assertEquals(b.history.knownOf(100), a.history.knownOf(100));
});

Deno.test("Gossip brings a deletion that only a third node knows, after what it deletes was adopted", () => {
  const all = join(HUB, { eager: false, maxWrites: 10 });
  const [a, b, c] = all.stores;
  for (let i = 0; i < 50; i++) set(a, i);
  all.gossips[2].disconnect(1);
  rounds(all, 2);
  all.gossips[0].disconnect(2);
  all.gossips[2].disconnect(0);
  c.delete(key(3));
  breakOff(all);
  all.waiting.length = 0;
  for (let i = 0; i < 5; i++) all.gossips[1].round(() => 0);
  all.waiting.length = 0;
  assertEquals([all.gossips[1].adoptions, get(b, 3), get(c, 3)], [1, "value 3", undefined]);
  all.gossips[2].connect(1);
  rounds(all, 2);
  for (const store of [b, c]) {
    assertEquals([store.stats().entries, get(store, 3), get(store, 4)], [49, undefined, "value 4"]);
  }
  assertEquals(b.history.digest, c.history.digest);
});

Deno.test("Gossip brings a deletion that the pages of a catch-up left out, since a newer write was to come", () => {
  const all = join(HUB, { eager: false, maxWrites: 10 });
  const [a, b, c] = all.stores;
  set(a, 1, "old");
  rounds(all, 2);
  assertEquals([b, c].map((store) => get(store, 1)), ["old", "old"]);
  all.gossips[2].disconnect(1);
  a.delete(key(1));
  for (let i = 10; i < 50; i++) set(a, i);
  rounds(all, 2);
  assertEquals(get(c, 1), undefined);
  all.gossips[0].disconnect(2);
  all.gossips[2].disconnect(0);
  set(a, 1, "newest"); // it is on the last page, and is lost with its node
  breakOff(all);
  assertEquals([b.stats().entries, get(b, 1)], [11, "old"]);
  all.gossips[2].connect(1);
  rounds(all, 2);
  assertEquals([get(b, 1), b.stats().entries, b.history.digest], [undefined, 40, c.history.digest]);
});

Deno.test("Gossip adopts more than a round's worth in slices, and makes it known with the last", () => {
  const all = join([[1, 2]], { eager: false, maxWrites: 1000 });
  const [, b, c] = all.stores;
  applyFrom(b, 55, 0);
  rounds(all);
  for (let i = 1; i <= 4500; i++) {
    const entry = { flags: 0, value: key(i), ttlMs: Infinity, remainingMs: Infinity };
    assert(b.apply(key(i), { version: { h: 5000 + i, origin: 55 }, kind: ENTRY, entry }, knowsAll(b)));
  }
  rounds(all, 3);
  assertEquals(b.history.knownOf(MAX_ORIGIN_ID), 0);
  rounds(all, 2);
  assertEquals([b.history.knownOf(MAX_ORIGIN_ID), c.stats().entries], [0, 1]);
  rounds(all, 2);
  assertEquals([b.history.knownOf(MAX_ORIGIN_ID), c.history.knownOf(MAX_ORIGIN_ID), c.stats().entries], [
    9500,
    9500,
    4501,
  ]);
  assertEquals([b.history.knownOf(55), c.history.knownOf(55), b.history.orphaned, c.history.orphaned], [
    4096,
    4096,
    [],
    [],
  ]);
});

Deno.test("Gossip adopts orphans that were forgotten, though each peer that lacks something keeps asking for it", () => {
  const all = pair({ maxGraves: 1, sweepPlaces: 3 });
  const { stores, gossips } = all;
  set(stores[0], 1);
  rounds(all, 2);
  stores.forEach((store, at) => {
    store.history.forget({ origin: 55, h: store.clock });
    for (let i = 11; i <= 40; i++) set(store, 100 * at + i);
    for (let i = 11; i <= 20; i++) store.delete(key(100 * at + i)); // nine tombstones leave fingerprints
  });
  rounds(all, 3);
  assertEquals(stores[0].history.digest === stores[1].history.digest, false);
  assertEquals(stores.map((store) => store.stats().entries), [41, 41], "writes are taken");
  assertEquals(gossips.map(({ verified }) => verified.verifications), [0, 0], "that would be for nothing");
  rounds(all, 4);
  assertEquals(gossips.map(({ adoptions }) => adoptions), [2, 2], "what was forgotten, and what the other gave");
  assertEquals(stores.map(({ history }) => history.orphaned), [[], []]);
  assertEquals(stores[0].history.digest, stores[1].history.digest);
  assertEquals(stores.map((store) => store.stats().entries), [41, 41]);
});
