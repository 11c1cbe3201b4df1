/** What a store counts of the entries that leave it, and of those whom somebody asked for in vain. */

import { assertEquals } from "@std/assert";
import { spanOf } from "../../lib/base/byte_span.ts";
import { MARK } from "../../lib/store/entry.ts";
import { idleMsOf, type Losses } from "../../lib/store/losses.ts";
import { fixture, set, span } from "../support/store_entries.ts";
import { NOW_MS, replicatingStore } from "../support/stores.ts";

/** Some counts of a store's. */
function counts<K extends keyof Losses>({ losses }: { losses: Losses }, ...names: K[]): Losses[K][] {
  return names.map((name) => losses[name]);
}

Deno.test("Losses counts what is evicted: that had a time to live, and that nobody had retrieved", () => {
  const { store, clock } = fixture({ maxSize: 3, ttlMs: 0 });
  const told = () => counts(store, "evictions", "evictedTimed", "evictedUnfetched", "lastEvictedIdleMs");
  set(store, "timed", 0, 5000);
  set(store, "fetched", 0, 5000);
  store.set(span("fixed"), { flags: 0, marks: MARK.fixed, value: spanOf(new Uint8Array(0)), ttlMs: 0 });
  store.get(span("fetched"));
  assertEquals(told(), [0, 0, 0, undefined]);
  clock.nowMs += 100;
  set(store, "a");
  assertEquals(told(), [1, 1, 1, 100]);
  clock.nowMs += 100;
  store.get(span("fixed"));
  set(store, "b");
  assertEquals(told(), [2, 2, 1, 200]); // "fetched"
  clock.nowMs += 1000;
  set(store, "c"); // in the place of "a", which has no time to live: when it was used, nobody knows
  assertEquals(told(), [3, 2, 2, undefined]);
  set(store, "d"); // in the place of "fixed"
  assertEquals(told(), [4, 2, 2, 1000]);
});

Deno.test("Losses knows no time of use where hits renew nothing", () => {
  const { store } = fixture({ maxSize: 1, ttlMs: 5000, renewOnHit: false });
  set(store, "a");
  assertEquals(store.losses.isUseNoted(store.reader, store.order.oldest), false);
  set(store, "b");
  assertEquals(counts(store, "evictions", "lastEvictedIdleMs"), [1, undefined]);
});

Deno.test("Losses counts what has expired, how it was found, and what had not been retrieved", () => {
  const { store, clock } = fixture({ ttlMs: 10 });
  const told = () => counts(store, "expirations", "expiredUnfetched", "askedExpired", "swept");
  for (const key of ["got", "peeked", "replaced", "swept", "fetched"]) set(store, key);
  store.get(span("fetched"));
  store.touch(span("got"), 10);
  clock.nowMs += 11;
  store.get(span("got"));
  assertEquals(told(), [1, 0, 1, 0]);
  store.peek(span("peeked"));
  assertEquals(told(), [2, 1, 2, 0]);
  store.get(span("peeked"));
  store.has(span("peeked"));
  assertEquals(told(), [2, 1, 2, 0]); // it is gone
  store.delete(span("replaced"));
  assertEquals(told(), [3, 2, 2, 0]);
  store.maintain();
  assertEquals(told(), [5, 3, 2, 2]);
});

Deno.test("Losses counts what is cleared among what is deleted, and who asks for it before it is erased", () => {
  const store = replicatingStore({ nowMs: NOW_MS });
  for (const key of ["a", "b", "c"]) set(store, key);
  store.delete(span("c"));
  const { h } = store.versionOf(span("b"))!;
  set(store, "d");
  store.clearUpTo(h);
  store.get(span("a"));
  store.peek(span("b"));
  assertEquals(counts(store, "deletions", "cleared", "askedCleared"), [3, 2, 2]);
  store.clear();
  assertEquals(counts(store, "deletions", "cleared", "askedCleared"), [4, 3, 2]);
  store.get(span("d"));
  assertEquals(counts(store, "askedCleared", "askedExpired"), [2, 0]);
});

Deno.test("idleMsOf() tells the time since any use of an entry that is fixed, and of one that hits renew", () => {
  const { store, clock } = fixture({ ttlMs: 5000 });
  set(store, "renewed");
  store.set(span("fixed"), { flags: 0, marks: MARK.fixed, value: spanOf(new Uint8Array(0)), ttlMs: 5000 });
  const idle = () => ["renewed", "fixed"].map((key) => idleMsOf(store.reader, store.peek(span(key)), clock.nowMs));
  clock.nowMs += 300;
  assertEquals(idle(), [300, 300]);
  store.get(span("renewed"));
  store.get(span("fixed"));
  clock.nowMs += 20;
  assertEquals(idle(), [20, 20]);
});

Deno.test("Store.pages tells the memory of records, none of it before the first entry", () => {
  const { store } = fixture({ maxBytes: 1024 * 1024, ttlMs: 0 });
  assertEquals(store.pages, { count: 0, bytes: 8192, liveBytes: 0, roomBytes: 0 });
  set(store, "k", 100);
  const { count, bytes, liveBytes, roomBytes } = store.pages;
  assertEquals([count, bytes, bytes - liveBytes - roomBytes], [1, 8192, 8]); // the first unit of all is no place
  store.clear();
  store.maintain();
  assertEquals(store.pages.count, 0);
});
