/** What a store tells of a key, which is what a retrieval of it would come to, and since when that is so. */

import { assert, assertEquals } from "@std/assert";
import { spanOf } from "../../lib/base/byte_span.ts";
import type { KeyExplanation } from "../../lib/base/explanation.ts";
import { age, ENTRY, type EntryInput, MARK, PREFIX } from "../../lib/store/entry.ts";
import type { Store } from "../../lib/store/store.ts";
import { versionAt } from "../../lib/store/version.ts";
import { maintain, set, span } from "../support/store_entries.ts";
import { knowsNothing, NOW_MS, replicatingStore, type StoreSettings } from "../support/stores.ts";

const NO_VALUE = spanOf(new Uint8Array(0));

/** A store of origin 100 on a clock of its own. */
function replicating(settings: StoreSettings = {}): { store: Store; clock: { nowMs: number } } {
  const clock = { nowMs: NOW_MS };
  return { store: replicatingStore(clock, settings), clock };
}

/** What is told of a key; that tells why a retrieval is a miss, if it is one, and changes nothing. */
function told(store: Store, key: string): KeyExplanation {
  const before = store.stats();
  const explanation = store.explain(span(key));
  assertEquals(store.explain(span(key)), explanation);
  assertEquals(store.stats(), before);
  const isHit = store.get(span(key)) !== 0;
  const { missesByReason } = store.stats();
  const why = Object.entries(missesByReason).find(([name, count]) =>
    count !== before.missesByReason[name as keyof typeof missesByReason]
  );
  assertEquals(explanation.state, isHit ? "held" : why?.[0]);
  return explanation;
}

Deno.test("Store.explain() tells of an entry its version, age, times, sizes and marks", () => {
  const { store, clock } = replicating({ renewOnHit: false });
  store.set(span("k"), { flags: 7, value: spanOf(new Uint8Array(21)), ttlMs: 60_000 });
  clock.nowMs += 1500;
  const held = {
    server: 100,
    state: "held",
    valueBytes: 21,
    flags: 7,
    version: versionAt(NOW_MS),
    origin: 100,
  } as const;
  const bytes = store.reader.entryBytes(1, 21);
  assertEquals(told(store, "k"), { ...held, bytes, remainingMs: 58_500, ageMs: 1500, marks: [] });
  store.set(span("k"), { flags: 7, marks: MARK.fixed, value: spanOf(new Uint8Array(21)), ttlMs: 0 });
  const version = store.versionOf(span("k"))!.h;
  assertEquals(told(store, "k"), { ...held, bytes, version, ageMs: 0, marks: ["fixed"] });
  assertEquals(store.explain(span("k")).marks, ["fixed", "fetched"], "it has been retrieved now");
});

Deno.test("Store.explain() tells for how long an entry is kept whose time is over", () => {
  const { store, clock } = replicating();
  const entry: EntryInput = { flags: 0, marks: 0, value: NO_VALUE, ttlMs: undefined };
  age(entry, 10, 1000, clock.nowMs);
  store.set(span("aging"), entry);
  set(store, "k", 0, 10);
  assertEquals(store.explain(span("aging")).remainingMs, 10);
  clock.nowMs += 15;
  const { state, keptMs, remainingMs, marks } = told(store, "aging");
  assertEquals([state, keptMs, remainingMs, marks], ["expired", 995, undefined, ["fixed", "aging"]]);
  assertEquals(store.explain(span("k")).keptMs, 0, "it is only waiting to be removed");
  const { version } = told(store, "k");
  assertEquals(store.explain(span("k")), { server: 100, state: "expired", version, ageMs: 15 }, "it has been");
});

Deno.test("Store.explain() tells when a key was deleted", () => {
  const { store, clock } = replicating({ maxGraves: 1 });
  set(store, "k");
  clock.nowMs += 1000;
  store.delete(span("k"));
  clock.nowMs += 30;
  const version = versionAt(NOW_MS + 1000);
  assertEquals(told(store, "k"), { server: 100, state: "deleted", version, origin: 100, ageMs: 30 });
  store.delete(span("other"));
  assertEquals(store.versionOf(span("k")), undefined);
  assertEquals(told(store, "k"), { server: 100, state: "deleted", version, ageMs: 30 }, "by its fingerprint");
});

Deno.test("Store.explain() tells which prefix was cleared, and when, and of a clear of all keys only when", () => {
  const { store, clock } = replicating();
  for (const key of ["user:1", "user:2", "é", "b"]) set(store, key);
  clock.nowMs += 1000;
  const version = { h: versionAt(clock.nowMs), origin: 8 };
  store.apply(span("user:"), { version, kind: PREFIX }, knowsNothing(store));
  clock.nowMs += 5;
  const cleared = { server: 100, state: "cleared", version: version.h, origin: 8, ageMs: 5, prefix: "user:" } as const;
  assertEquals(told(store, "user:1"), cleared, "before it is erased");
  maintain(store);
  assertEquals([told(store, "user:2"), told(store, "user:3").state], [cleared, "absent"]);
  store.clearPrefix(span("é"));
  assertEquals(told(store, "é").prefix, "é");
  store.clear();
  clock.nowMs += 7;
  assertEquals(told(store, "b"), { server: 100, state: "cleared", version: store.clock, ageMs: 7 });
  assertEquals(told(store, "user:1").prefix, undefined, "all keys were cleared since then");
});

Deno.test("Store.explain() tells the version of what has left, where a fingerprint does", () => {
  const { store, clock } = replicating({ maxSize: 1 });
  assertEquals(told(store, "k"), { server: 100, state: "absent" });
  set(store, "k");
  clock.nowMs += 50;
  set(store, "other");
  assertEquals(told(store, "k"), { server: 100, state: "evicted", version: versionAt(NOW_MS), ageMs: 50 });
  store.distrust(store.peek(span("other")));
  assertEquals(told(store, "other"), { server: 100, state: "superseded", version: versionAt(NOW_MS + 50), ageMs: 0 });
  const version = { h: versionAt(clock.nowMs + 1), origin: 8 };
  store.history.depart({ h: version.h + 5, origin: 9 }, span("new"));
  store.apply(span("new"), { version, kind: ENTRY }, knowsNothing(store));
  assertEquals(told(store, "new").state, "superseded");
});

Deno.test("Store.explain() tells of no future, whatever clocks say", () => {
  const { store, clock } = replicating();
  set(store, "k");
  clock.nowMs -= 60_000;
  assertEquals(store.explain(span("k")).ageMs, 0);
});

Deno.test("Store.explain() has no field without a value, which the wire does not carry", () => {
  const { store } = replicating();
  set(store, "held");
  for (const key of ["held", "absent"]) {
    assert(!Object.values(store.explain(span(key))).includes(undefined), key);
    store.clear();
    assert(!Object.values(store.explain(span(key))).includes(undefined), key);
  }
});
