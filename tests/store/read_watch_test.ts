/** Whoever watches what is read in a store is told of each retrieval, once, and of nothing else. */

import { assertEquals, assertStrictEquals } from "@std/assert";
import type { ByteSpan } from "../../lib/base/byte_span.ts";
import { wordOf } from "../../lib/store/misses.ts";
import { set, span } from "../support/store_entries.ts";
import { NOW_MS, replicatingStore, type StoreSettings } from "../support/stores.ts";

function watched(settings: StoreSettings = {}) {
  const clock = { nowMs: NOW_MS };
  const store = replicatingStore(clock, settings);
  const told: string[] = [];
  const say = (key: ByteSpan, hash: number, what: string) => {
    const text = new TextDecoder().decode(key.bytes.subarray(key.from, key.to));
    told.push(`${text} ${what}`);
    assertStrictEquals(hash, store.hash(key));
  };
  store.watch = {
    hit: (key, hash, position) => say(key, hash, `hit of ${store.reader.valueBytes(position)} bytes`),
    missed: (key, hash, why) => say(key, hash, wordOf(why)),
  };
  return { clock, store, told };
}

Deno.test("a hit and a miss are told, with what has been found and why nothing was", () => {
  const { clock, store, told } = watched({ maxSize: 4 });
  for (const key of ["evicted", "deleted", "cleared", "held"]) set(store, key, 7);
  set(store, "expired", 7, 10);
  store.delete(span("deleted"));
  store.clearPrefix(span("clear"));
  clock.nowMs += 10;
  for (const key of ["held", "absent", "evicted", "deleted", "cleared", "expired"]) store.get(span(key));
  store.get(span("held"), store.hash(span("held")));
  assertEquals(told, [
    "held hit of 7 bytes",
    "absent absent",
    "evicted evicted",
    "deleted deleted",
    "cleared cleared",
    "expired expired",
    "held hit of 7 bytes",
  ]);
});

Deno.test("what is no retrieval is not told, and neither is anything once nobody watches", () => {
  const { store, told } = watched();
  set(store, "a");
  store.peek(span("a"));
  store.has(span("b"));
  store.kept(span("a"));
  store.touch(span("a"), 50);
  store.explain(span("a"));
  store.walk(0);
  store.delete(span("a"));
  assertEquals(told, []);
  store.watch = undefined;
  set(store, "a");
  store.get(span("a"));
  store.get(span("b"));
  assertEquals(told, []);
});

Deno.test("Store.find() finds an entry or a grave as it lies there, and changes nothing", () => {
  const { clock, store } = watched();
  set(store, "a", 1, 10);
  clock.nowMs += 10;
  const { expirations } = store.stats();
  assertEquals([store.find(span("a")) !== 0, store.find(span("b"))], [true, 0]);
  assertEquals([store.stats().entries, store.stats().expirations], [1, expirations]);
  store.delete(span("b"));
  assertEquals(store.find(span("b"), store.hash(span("b"))) !== 0, true);
});
