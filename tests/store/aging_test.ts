/** Entries that are kept for a span after their time: who finds them, until when, and what makes ordinary entries of them. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { writesAt } from "../../lib/replication/pages.ts";
import { age, ENTRY, type EntryInput, MARK, MAX_STALE_MS } from "../../lib/store/entry.ts";
import type { Store } from "../../lib/store/store.ts";
import { assertStats, fixture, has, maintain, set, span } from "../support/store_entries.ts";
import { knowsAll, NOW_MS, replicatingStore, type StoreSettings } from "../support/stores.ts";

/** Stores an entry that is fresh for `ttlMs` and kept for `staleMs` more. */
function setAging(store: Store, key: string, ttlMs: number, staleMs: number): void {
  const entry: EntryInput = { flags: 7, value: span(key), ttlMs: undefined };
  age(entry, ttlMs, staleMs, store.nowMs);
  store.set(span(key), entry);
}

/** A store with an entry "k" that is fresh for 10 ms and kept for 20 more. */
function aging(settings: StoreSettings = {}) {
  const made = fixture({ ttlMs: 0, ...settings });
  setAging(made.store, "k", 10, 20);
  return made;
}

function isKept(store: Store, key = "k"): boolean {
  return store.kept(span(key)) !== 0;
}

Deno.test("an aging entry is found until its time is over, and then only by who asks for what is kept", () => {
  const { store, clock } = aging();
  clock.nowMs += 9;
  assert(store.get(span("k")) !== 0);
  assertEquals([has(store, "k"), isKept(store)], [[true], true]);
  clock.nowMs += 1;
  assertEquals([store.get(span("k")), store.peek(span("k")), has(store, "k"), isKept(store)], [0, 0, [false], true]);
  clock.nowMs += 19;
  assertEquals([has(store, "k"), isKept(store)], [[false], true]);
  assertStats(store, { entries: 1, stores: 1, hits: 1, misses: 1 });
  clock.nowMs += 1;
  assertEquals([has(store, "k"), isKept(store)], [[false], false]);
  assertStats(store, { entries: 0, stores: 1, hits: 1, misses: 1, expirations: 1 });
});

Deno.test("a hit does not renew an aging entry, and a miss does not make it the most recently used", () => {
  const { store, clock } = aging({ maxSize: 2 });
  clock.nowMs += 5;
  assert(store.get(span("k")) !== 0);
  set(store, "other");
  clock.nowMs += 5;
  assertEquals(store.get(span("k")), 0);
  set(store, "third");
  assertEquals([isKept(store), has(store, "other", "third")], [false, [true, true]]);
});

Deno.test("an aging entry that is no longer fresh is not listed, and is swept when its span is over", () => {
  const { store, clock } = aging();
  const listed = () => store.walk(0).found.length;
  assertEquals(listed(), 1);
  clock.nowMs += 10;
  assertEquals(listed(), 0);
  maintain(store);
  assertStats(store, { entries: 1, stores: 1 });
  clock.nowMs += 20;
  maintain(store);
  assertStats(store, { entries: 0, stores: 1, expirations: 1 });
});

Deno.test("an entry that is no longer fresh is none for a touch and a deletion, which removes it all the same", () => {
  const { store, clock } = aging();
  clock.nowMs += 10;
  assertEquals(store.touch(span("k"), 50), false);
  assertEquals([store.delete(span("k")), isKept(store)], [false, false]);
  assertStats(store, { stores: 1, deletions: 1 });
});

Deno.test("a store replaces an aging entry by an ordinary one, fresh or not, in its place and elsewhere", () => {
  for (const [passedMs, length] of [[0, 1], [0, 3000], [10, 1], [10, 3000]]) {
    const { store, clock } = aging({ renewOnHit: false });
    clock.nowMs += passedMs;
    set(store, "k", length, 15);
    clock.nowMs += 14;
    assertEquals(has(store, "k"), [true], `${passedMs} ms, ${length} bytes`);
    clock.nowMs += 1;
    assertEquals([has(store, "k"), isKept(store)], [[false], false], `${passedMs} ms, ${length} bytes`);
  }
});

Deno.test("Store.touch() makes an ordinary entry of an aging one, unless it is given no time to live", () => {
  const { store, clock } = aging();
  clock.nowMs += 5;
  assertStrictEquals(store.touch(span("k"), undefined), true);
  clock.nowMs += 4;
  assertEquals(has(store, "k"), [true]);
  clock.nowMs += 1;
  assertEquals([has(store, "k"), isKept(store)], [[false], true]);
  setAging(store, "t", 10, 20);
  assertStrictEquals(store.touch(span("t"), 15), true);
  assertEquals(store.reader.marks(store.peek(span("t"))) & (MARK.aging | MARK.fixed), MARK.fixed);
  clock.nowMs += 14;
  assertEquals(has(store, "t"), [true]);
  clock.nowMs += 1;
  assertEquals([has(store, "t"), isKept(store, "t")], [[false], false]);
});

Deno.test("Store.revise() of marks alone leaves an aging entry its times", () => {
  const { store, clock } = aging();
  const position = store.peek(span("k"));
  store.revise(position, { marks: store.reader.marks(position) | MARK.stale });
  clock.nowMs += 10;
  assertEquals([has(store, "k"), isKept(store)], [[false], true]);
});

Deno.test("a renewal of a peer does not touch an aging entry", () => {
  const store = replicatingStore({ nowMs: NOW_MS });
  setAging(store, "k", 10, 20);
  const position = store.peek(span("k"));
  const before = store.reader.deadlineMs(position);
  assertEquals(store.extend(span("k"), store.history.version(position), 1000), false);
  assertEquals(store.reader.deadlineMs(position), before);
});

Deno.test("an aging entry keeps its times on its way to a peer", () => {
  const clock = { nowMs: NOW_MS };
  const [from, to] = [replicatingStore(clock), replicatingStore(clock, { origin: 200 })];
  setAging(from, "k", 10, 20);
  clock.nowMs += 4;
  const [{ key, version, kind, entry }] = writesAt(from, [from.peek(span("k"))]);
  assertEquals(kind, ENTRY);
  assert(to.apply(key, { version, kind, entry: entry as Required<typeof entry> }, knowsAll(from)));
  clock.nowMs += 5;
  assertEquals([has(to, "k"), isKept(to)], [[true], true]);
  clock.nowMs += 1;
  assertEquals([has(to, "k"), isKept(to)], [[false], true]);
  clock.nowMs += 20;
  assertEquals(isKept(to), false);
});

Deno.test("age() leaves an entry as it is that is fresh for ever or not kept for longer, also where its times were others", () => {
  for (const [ttlMs, staleMs] of [[0, 20], [Infinity, 20], [10, 0]]) {
    const entry: EntryInput = { flags: 0, marks: 0, value: span("v"), ttlMs: 1, deadlineMs: 2 };
    age(entry, ttlMs, staleMs, NOW_MS);
    assertEquals(entry, { flags: 0, marks: 0, value: span("v"), ttlMs, deadlineMs: undefined });
  }
});

Deno.test("an aging entry is fresh for as long as was said, however long it is kept, and is kept a little shorter at most", () => {
  for (const staleMs of [1, 16_777_217, 86_400_001, 2 ** 40 + 1, MAX_STALE_MS, Number.MAX_SAFE_INTEGER]) {
    const { store, clock } = fixture({ ttlMs: 0 });
    clock.nowMs = NOW_MS;
    setAging(store, "k", 1000, staleMs);
    clock.nowMs += 999;
    assertEquals(has(store, "k"), [true], `${staleMs}`);
    clock.nowMs += 1;
    assertEquals([has(store, "k"), isKept(store)], [[false], true], `${staleMs}`);
    const keptMs = store.reader.deadlineMs(store.kept(span("k"))) - clock.nowMs;
    assert(Math.abs(keptMs - Math.min(staleMs, MAX_STALE_MS)) <= staleMs / 1e7, `${keptMs} of ${staleMs}`);
  }
});
