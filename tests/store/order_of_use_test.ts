/** The order of use when other nodes' entries come late: what was used before goes behind what was used after it. */

import { assert, assertEquals } from "@std/assert";
import { hasLeft } from "../../lib/replication/pages.ts";
import { type ByteSpan, spanOf } from "../../lib/base/byte_span.ts";
import { CAUSE } from "../../lib/store/store_listener.ts";
import { ENTRY, MARK } from "../../lib/store/entry.ts";
import { MOST_STEPS, usedMs } from "../../lib/store/arrivals.ts";
import type { Store } from "../../lib/store/store.ts";
import { timeOf, versionAt } from "../../lib/store/version.ts";
import { belowOf, has, KIB, maintain, MIB, set, span } from "../support/store_entries.ts";
import { NOW_MS, replicatingStore, type StoreSettings, type TestClock } from "../support/stores.ts";

const NOBODY = new Map<number, number>();
/** The node whose entries arrive. */
const OTHER = 7;
/** A node that has written nothing. */
const STRANGER = 1;

interface Arrival {
  readonly length?: number;
  readonly marks?: number;
  readonly ttlMs?: number;
  readonly remainingMs?: number;
}

interface Node {
  readonly store: Store;
  readonly clock: TestClock;
}

function node(settings: StoreSettings): Node {
  const clock = { nowMs: NOW_MS };
  return { store: replicatingStore(clock, settings), clock };
}

/** Stores an entry at a time, in milliseconds from the beginning. */
function setAt({ store, clock }: Node, atMs: number, key: string, length = 0, ttlMs?: number): void {
  clock.nowMs = NOW_MS + atMs;
  assert(set(store, key, length, ttlMs));
}

/** Applies an entry that another node wrote at a time, in milliseconds from the beginning. Returns whether it was news. */
function arrive({ store }: Node, atMs: number, key: string, arrival: Arrival = {}): boolean {
  const { length = 0, marks, ttlMs = Infinity, remainingMs = ttlMs } = arrival;
  const value = spanOf(new Uint8Array(length));
  const version = { h: versionAt(NOW_MS + atMs), origin: OTHER };
  return store.apply(
    span(key),
    { version, kind: ENTRY, entry: { flags: 0, marks, value, ttlMs, remainingMs } },
    NOBODY,
  );
}

/** Adds entries, which evict all others in turn. Returns the others, the least recently used first. */
function order({ store, clock }: Node, keys: readonly string[]): string[] {
  const left: string[] = [];
  const changed = (_: unknown, key: ByteSpan | undefined) =>
    void left.push(new TextDecoder().decode(key!.bytes.slice(key!.from, key!.to)));
  const count = keys.filter((key) => store.has(span(key))).length;
  store.listen({ causes: CAUSE.evicted, changed });
  for (let i = 0; left.length < count; i++) {
    assert(i < store.maxSize, "nothing is evicted");
    clock.nowMs++;
    set(store, `beyond ${i}`);
  }
  return left;
}

Deno.test("timeOf() is the time of a version, and orders those of one millisecond", () => {
  for (const nowMs of [NOW_MS, NOW_MS + 1, NOW_MS + 60_000]) {
    const h = versionAt(nowMs);
    assertEquals(timeOf(h), nowMs);
    for (let i = 1; i < 4096; i++) assert(timeOf(h + i - 1) < timeOf(h + i) && timeOf(h + i) < nowMs + 1);
  }
});

Deno.test("usedMs() is the time of the write or, where hits renew, one time to live before the deadline", () => {
  const h = versionAt(NOW_MS);
  assertEquals(usedMs(h, 0, Infinity, Infinity), NOW_MS);
  assertEquals(usedMs(h, 0, NOW_MS + 1_000, 1_000), NOW_MS);
  assertEquals(usedMs(h, 0, NOW_MS + 1_700, 1_000), NOW_MS + 700);
  assertEquals(usedMs(h, MARK.fixed, NOW_MS + 1_700, 1_000), NOW_MS, "a hit does not renew it");
  assertEquals(usedMs(h, 0, NOW_MS + 300, 1_000), NOW_MS, "a deadline of its own");
});

Deno.test("Store.apply() puts an entry that was written before others behind them", () => {
  const all = node({ maxSize: 6 });
  for (const at of [10, 20, 30]) setAt(all, at, `own ${at}`);
  for (const at of [5, 15, 25]) arrive(all, at, `other ${at}`);
  const keys = [10, 20, 30].map((at) => `own ${at}`).concat([5, 15, 25].map((at) => `other ${at}`));
  assertEquals(order(all, keys), ["other 5", "own 10", "other 15", "own 20", "other 25", "own 30"]);
});

Deno.test("Store.apply() makes an entry that was written after all others the most recently used", () => {
  const all = node({ maxSize: 3 });
  for (const at of [10, 20]) setAt(all, at, `own ${at}`);
  all.store.get(span("own 10"));
  arrive(all, 30, "other 30");
  assertEquals(order(all, ["own 10", "own 20", "other 30"]), ["own 20", "own 10", "other 30"]);
});

Deno.test("Store.apply() lets an entry leave at once for which only newer ones could leave", () => {
  const all = node({ maxSize: 3 });
  for (const at of [10, 20, 30]) setAt(all, at, `own ${at}`);
  const before = all.store.stats();
  const applied: unknown[] = [];
  all.store.listen({ causes: CAUSE.applied | CAUSE.evicted, changed: (cause) => void applied.push(cause) });
  assertEquals(arrive(all, 5, "other"), true, "it is news for others");
  assertEquals(has(all.store, "other", "own 10", "own 20", "own 30"), [false, true, true, true]);
  const { bytes: _, memoryBytes: __, ...counters } = all.store.stats();
  assertEquals({ ...before, ...counters }, { ...before, evictions: 1, fingerprints: 1 });
  assertEquals(applied, [CAUSE.evicted, CAUSE.applied]);
  assertEquals(
    hasLeft(all.store, span("other"), { h: versionAt(NOW_MS + 5), origin: STRANGER }),
    true,
    "it leaves a fingerprint",
  );
  assertEquals(arrive(all, 11, "another"), true);
  assertEquals(has(all.store, "another", "own 10"), [true, false]);
});

Deno.test("Store.apply() lets an older entry leave where memory is full, and evicts for a newer one", () => {
  const all = node({ maxBytes: MIB }); // fingerprints of 200 entries take no more memory than those of the first
  let count = 0;
  for (; all.store.stats().evictions === 0; count++) setAt(all, 1_000 + count, `own ${count}`, 200);
  const before = all.store.stats();
  for (let i = 0; i < 50; i++) assertEquals(arrive(all, 500 + i, `older ${i}`, { length: 200 }), true);
  assertEquals(all.store.stats().evictions, before.evictions + 50);
  const own = Array.from({ length: count }, (_, i) => `own ${i}`);
  assertEquals(has(all.store, ...own).filter(Boolean).length, before.entries);
  for (let i = 0; i < 50; i++) arrive(all, 2_000 + count + i, `newer ${i}`, { length: 200 });
  assertEquals(has(all.store, ...Array.from({ length: 50 }, (_, i) => `newer ${i}`)), Array(50).fill(true));
  const lives = has(all.store, ...own);
  assert(!lives[lives.indexOf(true) - 1] && lives.lastIndexOf(false) < lives.indexOf(true), "the oldest have left");
});

Deno.test("Store.apply() leaves exactly the newest 5,000 of two nodes' 5,000, about half of each", () => {
  const all = node({ maxSize: 5_000 });
  for (let i = 0; i < 5_000; i++) setAt(all, 2 * i, `own ${i}`);
  for (let i = 0; i < 5_000; i++) arrive(all, 2 * i + 1, `other ${i}`);
  for (const whose of ["own", "other"]) {
    const lives = has(all.store, ...Array.from({ length: 5_000 }, (_, i) => `${whose} ${i}`));
    assertEquals(lives, lives.map((_, i) => i >= 2_500), whose);
  }
});

for (const [where, from] of [["nearer to the oldest", 2_000], ["nearer to the newest", 3_000]] as [string, number][]) {
  Deno.test(`Store.apply() misplaces one arrival for each ${MOST_STEPS} entries to pass, where they begin ${where}`, () => {
    const count = 5_000;
    const all = node({ maxSize: 2 * count });
    for (let i = 0; i < count; i++) setAt(all, i, `own ${i}`);
    for (let i = from; i < count; i++) arrive(all, i + 0.5, `other ${i}`);
    const keys = Array.from({ length: count }, (_, i) => i < from ? [`own ${i}`] : [`own ${i}`, `other ${i}`]).flat();
    const left = order(all, keys);
    const first = from + Math.ceil(Math.min(from, count - from) / MOST_STEPS) + 1;
    const isRight = (key: string) => key.startsWith("own") || Number(key.split(" ")[1]) >= first;
    assertEquals(left.filter(isRight), keys.filter(isRight));
    assertEquals(left.toSorted(), keys.toSorted());
  });
}

Deno.test("Store.apply() finds the place of an entry with a time to live by its last renewal, there and here", () => {
  const all = node({ maxSize: 4, ttlMs: 10_000 });
  setAt(all, 0, "renewed here");
  setAt(all, 100, "own");
  all.clock.nowMs = NOW_MS + 300;
  assert(all.store.get(span("renewed here")) !== 0);
  all.clock.nowMs = NOW_MS + 400;
  arrive(all, 10, "renewed there", { ttlMs: 10_000, remainingMs: 9_800 }); // at 200
  arrive(all, 50, "other", { ttlMs: 10_000, remainingMs: 9_650 });
  const keys = ["renewed here", "own", "renewed there", "other"];
  assertEquals(order(all, keys), ["other", "own", "renewed there", "renewed here"]);
});

Deno.test("Store.extend() counts as a use, as deadlines put off are what arrivals are compared with", () => {
  const all = node({ maxSize: 3, ttlMs: 10_000 });
  setAt(all, 0, "a");
  setAt(all, 10, "b");
  all.clock.nowMs = NOW_MS + 5_000;
  assertEquals(all.store.extend(span("a"), all.store.versionOf(span("a"))!, 10_000), true);
  arrive(all, 20, "other");
  assertEquals(order(all, ["a", "b", "other"]), ["b", "other", "a"]);
});

Deno.test("Store.apply() passes no entry that is newer, whatever has been hit in front of it", () => {
  const all = node({ maxSize: 100 });
  for (let i = 0; i < 40; i++) setAt(all, i, `own ${i}`);
  for (let i = 0; i < 20; i++) all.store.get(span(`own ${i}`));
  for (let i = 0; i < 39; i++) arrive(all, i + 0.5, `other ${i}`);
  const left = order(all, Array.from({ length: 40 }, (_, i) => [`own ${i}`, `other ${i}`]).flat());
  assertEquals(left.slice(-20), Array.from({ length: 20 }, (_, i) => `own ${i}`));
});

Deno.test("Store.apply() keeps an entry in front that was hit since the write that replaces it", () => {
  const all = node({ maxSize: 20 });
  for (let i = 0; i < 10; i++) setAt(all, 100 + i, `own ${i}`);
  setAt(all, 110, "last");
  all.store.get(span("own 0"));
  arrive(all, 105, "own 0");
  arrive(all, 108.5, "own 1");
  const left = order(all, [...Array.from({ length: 10 }, (_, i) => `own ${i}`), "last"]);
  assertEquals(left.at(-1), "own 0");
  assertEquals(left.slice(-4, -1), ["own 1", "own 9", "last"]);
});

Deno.test("Store.apply() keeps the place of the last arrival when records move and leave", () => {
  const all = node({ maxBytes: 256 * KIB });
  const below = belowOf(20270102);
  for (let i = 0; i < 400; i++) setAt(all, 2 * i, `own ${i}`, 300);
  for (let i = 0; i < 400; i++) {
    arrive(all, 2 * i + 1, `other ${i}`, { length: below(100) });
    if (below(3) === 0) all.store.delete(span(`own ${below(400)}`));
    if (below(3) === 0) all.store.delete(span(`other ${i}`));
    if (i % 10 === 0) maintain(all.store);
  }
  const keys = Array.from({ length: 400 }, (_, i) => [`own ${i}`, `other ${i}`]).flat();
  const lives = has(all.store, ...keys);
  const expected = keys.filter((_, i) => lives[i]);
  const left: string[] = [];
  all.store.listen({
    causes: CAUSE.evicted,
    changed: (_, key) => void left.push(new TextDecoder().decode(key!.bytes.slice(key!.from, key!.to))),
  });
  assert(expected.length > 400);
  for (let i = 0; left.length < expected.length; i++) {
    assert(i < 4_000, "nothing is evicted");
    set(all.store, `beyond ${i}`, 300);
  }
  assertEquals(left.slice(0, expected.length), expected);
});

Deno.test("Store.apply() keeps the order of times through 20,000 changes by chance, as a sorted list does", () => {
  const maxSize = MOST_STEPS - 4;
  const all = node({ maxSize });
  const below = belowOf(20270103);
  let model: { key: string; atMs: number }[] = [];
  const add = (key: string, atMs: number) => {
    model = [...model, { key, atMs }].sort((a, b) => a.atMs - b.atMs).slice(-maxSize);
  };
  const times = new Set<number>();
  for (let i = 0; i < 20_000; i++) {
    const what = below(10);
    const atMs = what < 3 ? 10 * i : 10 * Math.max(0, i - below(200)) + 1 + below(9);
    if (times.has(atMs)) continue;
    times.add(atMs);
    if (what < 3) {
      setAt(all, atMs, `own ${i}`);
      add(`own ${i}`, atMs);
    } else if (what < 8 || model.length === 0) {
      arrive(all, atMs, `other ${i}`);
      add(`other ${i}`, atMs);
    } else {
      const [{ key }] = model.splice(below(model.length), 1);
      assertEquals(all.store.delete(span(key)), true, key);
      maintain(all.store);
    }
    assertEquals(has(all.store, ...model.map(({ key }) => key)).indexOf(false), -1, `change ${i}`);
    assertEquals(all.store.stats().entries, model.length);
  }
  assertEquals(order(all, model.map(({ key }) => key)), model.map(({ key }) => key));
});
