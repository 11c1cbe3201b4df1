/** A clear of another node beside newer writes. */

import { assert, assertEquals } from "@std/assert";
import { TOMB } from "../../lib/store/entry.ts";
import { get, hit, join, key, PAIR, set } from "../support/gossip_nodes.ts";
import { knowsAll } from "../support/stores.ts";
import { maintain } from "../support/store_entries.ts";

Deno.test("Store.clearUpTo() beside newer writes: the old are not found at once, and leave slice by slice", () => {
  const { stores: [store], clock } = join(PAIR, { ttlMs: 1000 });
  for (let i = 0; i < 3000; i++) set(store, i);
  const { h } = store.versionOf(key(2999))!;
  for (let i = 2990; i < 3010; i++) set(store, i, "newer");
  assertEquals([store.clearUpTo(h), store.clearUpTo(h), store.clearUpTo(h - 1)], [true, false, false]);
  for (const i of [0, 1, 1500, 2989]) {
    assertEquals([hit(store, i), store.has(key(i)), get(store, i)], [false, false, undefined]);
  }
  for (const i of [2990, 3009]) assertEquals([hit(store, i), get(store, i)], [true, "newer"]);
  assertEquals(store.delete(key(2)), false);
  set(store, 3, "again");
  const version = { h: h - 1, origin: 7 };
  assertEquals(store.apply(key(4), { version, kind: TOMB }, knowsAll(store)), false);
  let before = store.stats().entries;
  const slices = maintain(store, () => {
    const { entries } = store.stats();
    assert(before - entries <= 500, `${before - entries} in one slice`);
    before = entries;
  });
  assert(slices >= 6);
  const { entries, deletions, expirations, evictions } = store.stats();
  assertEquals([entries, deletions, expirations, evictions], [21, 2990, 0, 0]);
  assertEquals([...store.history.logs.all[0].after(0)].length, 22, "and the grave of a deletion");
  clock.nowMs += 1000;
  maintain(store);
  assertEquals([store.stats().entries, store.stats().expirations], [0, 21]);
});
