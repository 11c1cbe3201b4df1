/** What a store counts misses as: each once, for the reason for which the key is not here. */

import { assert, assertEquals } from "@std/assert";
import { MARK } from "../../lib/store/entry.ts";
import { spanOf } from "../../lib/base/byte_span.ts";
import { age, ENTRY, type EntryInput, GHOST, PREFIX, type RemoteWrite, TOMB } from "../../lib/store/entry.ts";
import { Misses, MOST_CLEARED, WHY, wordOf } from "../../lib/store/misses.ts";
import type { Store } from "../../lib/store/store.ts";
import { assertMisses, fixture, maintain, set, span } from "../support/store_entries.ts";
import { knowsAll, knowsNothing, NOW_MS, replicatingStore, type StoreSettings } from "../support/stores.ts";

const NO_VALUE = spanOf(new Uint8Array(0));

/** A store that replicates, on a clock of its own. */
function replicating(settings: StoreSettings = {}): { store: Store; clock: { nowMs: number } } {
  const clock = { nowMs: NOW_MS };
  return { store: replicatingStore(clock, settings), clock };
}

/** Asks for a key and returns the reason for which that is a miss. */
function missed(store: Store, key: string): string {
  const before = store.stats();
  assertEquals(store.get(span(key)), 0, key);
  const { misses, missesByReason } = store.stats();
  assertEquals(misses, before.misses + 1);
  const more = Object.entries(missesByReason).filter(([why, count]) =>
    count !== before.missesByReason[why as keyof typeof missesByReason]
  );
  assertEquals(more.length, 1);
  return more[0][0];
}

/** A write that another node made `later` versions after the last one here. */
function write(store: Store, kind: number, later = 10, value = 0, remainingMs = Infinity): RemoteWrite {
  const version = { h: store.clock + later, origin: 8 };
  if (kind !== ENTRY) return { version, kind };
  const entry = { flags: 0, value: spanOf(new Uint8Array(value)), ttlMs: remainingMs, remainingMs };
  return { version, kind, entry };
}

for (const [name, make] of Object.entries({ "that replicates": replicating, "that does not": fixture })) {
  Deno.test(`Store counts misses as absent, expired, evicted, deleted and cleared, where it is one ${name}`, () => {
    const { store, clock } = make({ maxSize: 3, ttlMs: 0 });
    assertMisses(store, {});
    assertEquals(missed(store, "never"), "absent");
    for (const key of ["evicted", "deleted", "b", "c"]) set(store, key);
    assertEquals(missed(store, "evicted"), "evicted");
    store.delete(span("deleted"));
    assertEquals(missed(store, "deleted"), "deleted");
    set(store, "asked", 0, 10);
    clock.nowMs += 11;
    assertEquals(missed(store, "asked"), "expired");
    assertEquals(missed(store, "asked"), "expired", "whoever asks again is told the same");
    store.clearPrefix(span("b"));
    assertEquals([missed(store, "b"), store.has(span("c"))], ["cleared", true]);
    maintain(store);
    assertEquals(
      [missed(store, "b"), missed(store, "bb")],
      ["cleared", "absent"],
      "what was never here, no clear has removed",
    );
    store.clear();
    assertEquals([missed(store, "c"), missed(store, "evicted")], ["cleared", "evicted"]);
    assertMisses(store, { absent: 2, expired: 2, evicted: 2, deleted: 1, cleared: 3 });
  });

  Deno.test(`Store counts a miss for the last reason of several, where it is one ${name}`, () => {
    const { store, clock } = make({ maxSize: 2, ttlMs: 0 });
    set(store, "k");
    store.delete(span("k"));
    set(store, "k");
    for (const key of ["a", "b"]) set(store, key);
    assertEquals(missed(store, "k"), "evicted");
    set(store, "k", 0, 10);
    clock.nowMs += 11;
    maintain(store);
    assertEquals(missed(store, "k"), "expired", "a sweep has found it");
    store.delete(span("k"));
    assertEquals(missed(store, "k"), "deleted", "though it was not here");
    set(store, "k", 16 * 2 ** 20);
    store.clear();
    assertEquals(missed(store, "k"), "cleared");
  });
}

Deno.test("Store counts no miss for what is no retrieval, or a hit", () => {
  const { store } = replicating();
  set(store, "k");
  store.get(span("k"));
  for (const key of ["k", "none"]) {
    store.has(span(key));
    store.peek(span(key));
    store.touch(span(key), 5);
    store.delete(span(key));
  }
  assertMisses(store, {});
});

Deno.test("Store counts a miss of what is kept beyond its time as expired", () => {
  const { store, clock } = replicating();
  const entry: EntryInput = { flags: 0, marks: 0, value: NO_VALUE, ttlMs: undefined };
  age(entry, 10, 1000, clock.nowMs);
  store.set(span("k"), entry);
  store.get(span("k"));
  clock.nowMs += 11;
  assertEquals([missed(store, "k"), store.kept(span("k")) !== 0], ["expired", true]);
  assertEquals(store.reader.marks(store.kept(span("k"))) & MARK.aging, MARK.aging);
});

Deno.test("Store counts a miss of a deleted key as deleted when its grave has left, and as cleared after a clear", () => {
  const { store } = replicating({ maxGraves: 1 });
  for (const key of ["a", "b"]) set(store, key);
  for (const key of ["a", "b"]) store.delete(span(key));
  assertEquals([store.versionOf(span("a")), missed(store, "a"), missed(store, "b")], [undefined, "deleted", "deleted"]);
  const { h } = store.versionOf(span("b"))!;
  set(store, "newer");
  store.clearUpTo(h);
  assertEquals([store.versionOf(span("b"))?.h, missed(store, "b"), missed(store, "a")], [h, "cleared", "deleted"]);
  maintain(store);
  assertEquals([store.versionOf(span("b")), missed(store, "b")], [undefined, "cleared"]);
});

Deno.test("Store counts what was cleared by a peer as cleared, before it is erased and afterwards", () => {
  const { store } = replicating();
  for (const key of ["p:1", "p:2", "q"]) set(store, key);
  store.apply(span("p:"), write(store, PREFIX), knowsNothing(store));
  assertEquals(missed(store, "p:1"), "cleared");
  maintain(store);
  assertEquals([missed(store, "p:1"), missed(store, "p:2"), missed(store, "p:3")], ["cleared", "cleared", "absent"]);
  assertEquals(store.has(span("q")), true);
});

Deno.test("Store remembers of a large clear the keys that were used last, and nothing wrong of the others", () => {
  const { store } = fixture({ maxSize: MOST_CLEARED + 10, ttlMs: 0 });
  set(store, "again");
  for (let i = 0; i < MOST_CLEARED + 10; i++) set(store, `k${i}`);
  assertEquals(missed(store, "again"), "evicted");
  set(store, "again");
  for (let i = 1; i <= MOST_CLEARED; i++) store.get(span(`k${i}`));
  store.clear();
  assertEquals(missed(store, "again"), "absent", "it was here again, so it was not evicted");
  const before = store.stats().missesByReason;
  for (let i = 1; i <= MOST_CLEARED; i++) store.get(span(`k${i}`));
  const { absent, cleared } = store.stats().missesByReason;
  const shared = absent - before.absent; // those whose place another has taken
  assertEquals([cleared + shared, before.cleared], [MOST_CLEARED, 0]);
  assert(shared < MOST_CLEARED / 5, `${shared} are not remembered`);
});

Deno.test("Store remembers of a clear of more than a few keys whatever had left before", () => {
  for (const { store, clock } of [replicating(), fixture({ maxSize: Infinity, ttlMs: 0 })]) {
    for (const key of ["expired", "again"]) set(store, key, 0, 1);
    for (const key of ["deleted", "back", ...Array.from({ length: 1000 }, (_, i) => `k${i}`)]) set(store, key);
    clock.nowMs += 2;
    for (const key of ["deleted", "back"]) store.delete(span(key));
    assertEquals(["expired", "again", "deleted"].map((key) => missed(store, key)), ["expired", "expired", "deleted"]);
    for (const key of ["again", "back"]) set(store, key);
    store.clear();
    assertEquals(missed(store, "expired"), "expired");
    assertEquals(["k0", "again", "back"].map((key) => missed(store, key)), ["cleared", "cleared", "cleared"]);
  }
});

Deno.test("Store counts a deleted key as cleared after a clear of more than a few keys", () => {
  const { store } = replicating();
  for (let i = 0; i < 600; i++) set(store, `k${i}`);
  for (let i = 0; i < 300; i++) store.delete(span(`k${i}`));
  store.clear();
  assertEquals([missed(store, "k0"), missed(store, "k599")], ["cleared", "cleared"]);
});

Deno.test("Store counts what it has dropped for a peer's sake as superseded", () => {
  const { store } = replicating();
  for (const key of ["unconfirmed", "covered", "left"]) set(store, key);
  store.distrust(store.peek(span("unconfirmed")));
  const gone = write(store, ENTRY, 1000);
  store.history.depart({ h: store.clock + 2000, origin: 9 }, span("covered"));
  store.apply(span("covered"), gone, knowsNothing(store));
  store.apply(span("left"), write(store, GHOST, 3000), knowsAll(store));
  const keys = ["unconfirmed", "covered", "left"];
  assertEquals(keys.map((key) => missed(store, key)), ["superseded", "superseded", "superseded"]);
  set(store, "left");
  store.delete(span("left"));
  assertEquals(missed(store, "left"), "deleted");
});

Deno.test("Store counts what it has refused of a peer as superseded, unless it remembers more of the key", () => {
  const { store } = replicating({ maxSize: 1 });
  store.history.depart({ h: store.clock + 2000, origin: 9 }, span("newer"));
  assertEquals(store.apply(span("newer"), write(store, ENTRY), knowsNothing(store)), false);
  assertEquals(missed(store, "newer"), "superseded");
  for (const key of ["evicted", "other"]) set(store, key);
  store.history.depart({ h: store.clock + 2000, origin: 9 }, span("evicted"));
  assertEquals(store.apply(span("evicted"), write(store, ENTRY), knowsNothing(store)), false);
  assertEquals(missed(store, "evicted"), "evicted");
});

Deno.test("Store counts a write that was dealt with, and is refused, as what has become of it", () => {
  const { store } = replicating();
  const entry = write(store, ENTRY);
  store.history.know({ h: entry.version.h + 1, origin: 8 });
  assertEquals(store.apply(span("k"), entry, knowsNothing(store)), false);
  assertEquals(missed(store, "k"), "absent", "of which nothing is remembered");
});

Deno.test("Store counts what a peer has sent in vain as evicted, expired, cleared or deleted", () => {
  const { store, clock } = replicating({ maxBytes: 2 ** 20 });
  const send = (key: string, made: RemoteWrite) => store.apply(span(key), made, knowsAll(store));
  const old = write(store, ENTRY, 1);
  const oldOfPrefix = write(store, ENTRY, 2);
  assertEquals(send("large", write(store, ENTRY, 10, 2 ** 21)), true);
  assertEquals(send("late", write(store, ENTRY, 20, 0, 0)), true);
  assertEquals(send("gone", write(store, TOMB, 30)), true);
  assertEquals(send("left", write(store, GHOST, 40)), true);
  clock.nowMs += 1000;
  store.clearPrefix(span("p:"));
  assertEquals(send("p:1", oldOfPrefix), false);
  store.clear();
  assertEquals(send("old", old), false);
  const keys = ["large", "late", "gone", "left", "p:1", "old"];
  assertEquals(keys.map((key) => missed(store, key)), [
    "evicted",
    "expired",
    "cleared",
    "absent",
    "cleared",
    "cleared",
  ]);
});

Deno.test("Store counts what was used too long ago to be taken from a peer as evicted", () => {
  const { store, clock } = replicating({ maxSize: 1 });
  const old = write(store, ENTRY, 1);
  clock.nowMs += 60_000;
  set(store, "here");
  assertEquals(store.apply(span("k"), old, knowsAll(store)), true);
  assertEquals([store.has(span("here")), missed(store, "k"), store.stats().evictions], [true, "evicted", 1]);
});

Deno.test("Misses has places for four times the entries, 8,192 at least and 262,144 at most, and takes a 64th of the memory at most", () => {
  const places = (maxSize: number, limitBytes: number) => new Misses(maxSize, limitBytes).places;
  const most = 16 * 2 ** 30;
  assertEquals([places(1, most), places(2048, most), places(5000, most)], [8192, 8192, 16_384]);
  assertEquals([places(10 ** 6, most), places(Infinity, most)], [2 ** 18, 2 ** 18]);
  assertEquals([places(Infinity, 64 * 1024), places(Infinity, 100 * 2 ** 20)], [256, 2 ** 18]);
});

Deno.test("Misses tells hashes of one place apart, and remembers the one that left last", () => {
  const misses = new Misses(1, 64 * 1024);
  const hashes = [0, 7, -1, 0x7fffffff, 256, 5 << 8, -256];
  for (const hash of hashes) {
    for (const why of Object.values(WHY)) {
      misses.note(hash, why);
      assertEquals(wordOf(misses.whyOf(hash)), wordOf(why), `${hash}`);
    }
    misses.note(hash, WHY.evicted);
    for (const other of hashes) {
      if (other !== hash && (other & 255) === (hash & 255)) assertEquals(misses.whyOf(other), WHY.absent);
    }
  }
  assertEquals([misses.whyOf(-256), misses.whyOf(0)], [WHY.evicted, WHY.absent]);
});
