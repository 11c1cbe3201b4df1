/** Entries that are kept from clients for a while: none of their calls finds one, and all that peers ask for does. */

import { assertEquals } from "@std/assert";
import { spanOf } from "../../lib/base/byte_span.ts";
import { livesAt } from "../../lib/replication/pages.ts";
import { ENTRY, MARK } from "../../lib/store/entry.ts";
import { HASHES_END } from "../../lib/store/hash_index.ts";
import type { Store } from "../../lib/store/store.ts";
import { increment, isMet } from "../../lib/store/steps.ts";
import { get, key, set } from "../support/gossip_nodes.ts";
import { span } from "../support/store_entries.ts";
import { knowsAll, NOW_MS, replicatingStore, type TestClock } from "../support/stores.ts";

/** A store with entries of another origin, all of which are withheld: one for ever, one for a minute, one that ages. */
function fixture(clock: TestClock = { nowMs: NOW_MS }): { store: Store; h: number } {
  const store = replicatingStore(clock);
  set(store, 100);
  const h = store.clock;
  store.history.withheldBelow = h;
  const times: [number, number, number][] = [[Infinity, Infinity, 0], [60_000, 60_000, 0], [
    30_000,
    60_000,
    MARK.aging | MARK.fixed,
  ]];
  for (const [i, [ttlMs, remainingMs, marks]] of times.entries()) {
    const entry = { flags: 1, marks, value: span("1"), ttlMs, remainingMs };
    store.apply(key(i), { version: { h: h - 10 + i, origin: 7 }, kind: ENTRY, entry }, knowsAll(store));
  }
  return { store, h };
}

const ALL = [0, 1, 2];

Deno.test("withheld entries are found by no retrieval, fresh or stale, nor listed, and others are", () => {
  const { store } = fixture();
  for (const i of ALL) {
    assertEquals([store.get(key(i)), store.peek(key(i)), store.kept(key(i)), store.has(key(i))], [0, 0, 0, false]);
  }
  assertEquals([get(store, 100), store.get(key(100)) !== 0, store.walk(0).found.length], ["value 100", true, 1]);
  const { entries, misses, missesByReason: { superseded } } = store.stats();
  assertEquals([entries, misses, superseded, store.walk(0).next], [4, 3, 3, HASHES_END]);
});

Deno.test("withheld entries are found by peers, and their deadlines are put off", () => {
  const clock = { nowMs: NOW_MS };
  const { store, h } = fixture(clock);
  for (const i of ALL) assertEquals(livesAt(store, key(i), { h: h - 10 + i, origin: 7 }) !== 0, true);
  clock.nowMs += 30_000;
  assertEquals(store.extend(key(1), { h: h - 9, origin: 7 }, 60_000), true);
});

Deno.test("withheld entries are as good as not there for what a client changes, and what it stores is found", () => {
  const { store } = fixture();
  assertEquals([store.touch(key(1), 5000), store.delete(key(2)), isMet(store, key(0), "absent")], [false, false, true]);
  const counted = { by: 1, isDown: false, initial: 5, ttlMs: undefined };
  assertEquals([increment(store, key(0), counted), get(store, 0)], [5, "5"]);
  store.set(key(1), { flags: 0, value: spanOf(new Uint8Array(3)), ttlMs: undefined });
  assertEquals([store.has(key(1)), store.living(key(2))], [true, 0]);
});

Deno.test("withheld entries are found when they are not withheld any more, and those of a cleared store are not", () => {
  const clock = { nowMs: NOW_MS };
  const { store } = fixture(clock);
  store.history.withheldBelow = 0;
  assertEquals(ALL.map((i) => store.get(key(i)) !== 0), [true, true, true]);
  clock.nowMs += 45_000;
  assertEquals(ALL.map((i) => [store.peek(key(i)) !== 0, store.kept(key(i)) !== 0]), [[true, true], [true, true], [
    false,
    true,
  ]]);
});

Deno.test("entries that arrive after a clear are withheld, too", () => {
  const { store, h } = fixture();
  for (let i = 200; i < 1000; i++) set(store, i); // so many that the store begins anew
  store.clearUpTo(h - 20);
  store.clear();
  store.history.withheldBelow = store.clock + 100;
  const entry = { flags: 1, value: span("1"), ttlMs: Infinity, remainingMs: Infinity };
  store.apply(key(5), { version: { h: store.clock + 50, origin: 7 }, kind: ENTRY, entry }, knowsAll(store));
  assertEquals([store.get(key(5)), store.living(key(5)) !== 0], [0, true]);
});

Deno.test("withheld entries are explained as what a retrieval of them counts as", () => {
  const clock = { nowMs: NOW_MS };
  const { store } = fixture(clock);
  assertEquals([...ALL, 100].map((i) => store.explain(key(i)).state), [
    "superseded",
    "superseded",
    "superseded",
    "held",
  ]);
  clock.nowMs += 60_000;
  assertEquals(store.explain(key(1)).state, "expired");
  store.history.withheldBelow = 0;
  assertEquals(store.explain(key(0)).state, "held");
});
