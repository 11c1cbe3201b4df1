/** What a server learns from reads: when it counts, what it is told of the store, and what it tells. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { encode } from "@std/msgpack";
import type { ServerInsight } from "../../lib/base/insight.ts";
import { MAX_KEY_BYTES } from "../../lib/base/limits.ts";
import { spanOf } from "../../lib/base/byte_span.ts";
import { Insight, PATIENCE_MS } from "../../lib/server/insight.ts";
import { set, span } from "../support/store_entries.ts";
import { NOW_MS, replicatingStore, type StoreSettings } from "../support/stores.ts";

function fixture(settings: StoreSettings = {}) {
  const clock = { nowMs: NOW_MS };
  const store = replicatingStore(clock, settings);
  const insight = new Insight(store, () => clock.nowMs);
  /** Reads a key, and stores it where it is missed. */
  const read = (key: string, bytes = 10, ttlMs = 0) => {
    if (store.get(span(key)) === 0) set(store, key, bytes, ttlMs);
  };
  const pass = (ms: number) => {
    clock.nowMs += ms;
    insight.look();
  };
  return { clock, store, insight, read, pass };
}

/** Counts until enough is known, of a loop over so many keys. */
function loop({ insight, read, pass }: ReturnType<typeof fixture>, keys: number, reads = 50_000): ServerInsight {
  insight.ask();
  for (let i = 0; i < reads; i++) {
    if (i % 1000 === 0) pass(1000);
    read(`key ${i % keys}`);
  }
  return insight.ask();
}

const round = (ratio: ServerInsight["hitRatio"]) =>
  ratio && Object.values(ratio).map((share: number) => Math.round(100 * share) / 100);

Deno.test("it counts from the first question on until nobody has asked for ten minutes", () => {
  const { insight, store, read, pass } = fixture();
  for (let i = 0; i < 10; i++) read("before");
  assertEquals([insight.isCounting, store.watch], [false, undefined]);
  const first = insight.ask();
  assertEquals([first.countedMs, first.hottestByReads, first.hitRatio], [0, [], undefined]);
  for (let i = 0; i < 10; i++) read("since");
  pass(PATIENCE_MS - 1);
  assertEquals(insight.ask().countedMs, PATIENCE_MS - 1);
  assertEquals(insight.ask().hottestByReads.map(({ key }) => key), ["since"]);
  pass(PATIENCE_MS - 1);
  assert(insight.isCounting);
  pass(1000);
  assertEquals([insight.isCounting, store.watch], [false, undefined]);
  set(store, "k"); // nobody listens any more
  assertEquals(insight.ask(), first);
});

Deno.test("it says what a cache of each size would do with a loop, and what SIEVE would", () => {
  const { hitRatio, isSettled, sampledKeys, meanBytes } = loop(fixture({ maxSize: 100 }), 150);
  assertEquals(round(hitRatio), [0, 0, 1, 1, 0]);
  assertEquals([isSettled, sampledKeys], [true, 150]);
  assert(meanBytes > 50 && meanBytes < 150, `${meanBytes}`);
  assertEquals(round(loop(fixture({ maxSize: 100 }), 40).hitRatio), [1, 1, 1, 1, 1]);
  assertEquals(round(loop(fixture({ maxSize: 100 }), 350).hitRatio), [0, 0, 0, 1, 0]);
});

Deno.test("where memory is the limit, sizes are those that it has room for", () => {
  const settings = { maxBytes: 2 ** 20 };
  const { store } = fixture(settings);
  for (let i = 0; store.stats().evictions === 0; i++) set(store, `key ${i}`, 1000);
  const room = store.losses.lastEvictedOf;
  const ratiosOf = (times: number) => {
    const at = fixture(settings);
    at.insight.ask();
    for (let i = 0; i < 200_000; i++) {
      if (i % 1000 === 0) at.pass(1000);
      at.read(`key ${i % Math.round(times * room)}`, 1000);
    }
    return round(at.insight.ask().hitRatio)?.slice(0, 4);
  };
  assertEquals(ratiosOf(0.8), [0, 1, 1, 1]);
  assertEquals(ratiosOf(1.6), [0, 0, 1, 1]);
});

Deno.test("too few reads tell nothing", () => {
  const at = fixture({ maxSize: 100 });
  assertStrictEquals(loop(at, 10, 999).hitRatio, undefined);
  at.read("key 1");
  assertEquals(round(at.insight.ask().hitRatio), [0.99, 0.99, 0.99, 0.99, 0.99]);
});

Deno.test("what is deleted, expires or is cleared is in no larger cache", () => {
  const ways: Record<string, (at: ReturnType<typeof fixture>, key: string) => void> = {
    deleted: ({ store }, key) => void store.delete(span(key)),
    expired: ({ clock }) => clock.nowMs += 5,
    "cleared with others": ({ store }) => store.clear(),
    "cleared under a prefix": ({ store }) => store.clearPrefix(span("p")),
  };
  for (const [name, leave] of Object.entries(ways)) {
    const at = fixture({ maxSize: 100 });
    at.insight.ask();
    for (let i = 0; i < 20_000; i++) {
      at.read(`p${i % 4}`, 10, 5);
      if (i % 4 === 3) leave(at, `p${i % 4}`);
    }
    const { double } = at.insight.ask().hitRatio!;
    assertEquals([name, Math.round(100 * double)], [name, name === "deleted" ? 75 : 0]);
  }
});

Deno.test("writes take room, read or not", () => {
  const at = fixture({ maxSize: 100 });
  at.insight.ask();
  for (let i = 0; i < 20_000; i++) {
    at.read(`key ${i % 60}`);
    set(at.store, `written ${i % 60}`);
  }
  assertEquals(round(at.insight.ask().hitRatio)?.slice(0, 3), [0, 0, 1]);
});

Deno.test("the hottest keys are those that are read most, and those of which most bytes are", () => {
  const { insight, store } = fixture();
  insight.ask();
  set(store, "small", 10);
  set(store, "large", 1000);
  for (let i = 0; i < 60; i++) store.get(span("small"));
  for (let i = 0; i < 30; i++) store.get(span("missed"));
  for (let i = 0; i < 10; i++) store.get(span("large"));
  const { hottestByReads, hottestByBytes } = insight.ask();
  assertEquals(hottestByReads, [
    { key: "small", share: 0.6, shareAtMost: 0.6 },
    { key: "missed", share: 0.3, shareAtMost: 0.3 },
    { key: "large", share: 0.1, shareAtMost: 0.1 },
  ]);
  assertEquals(hottestByBytes.map(({ key }) => key), ["large", "small"]);
  const { hottestByReads: unseen, hottestByBytes: either } = insight.ask(false);
  assertEquals([unseen, either], [[], []]);
});

Deno.test("keys that are no text are told in Base64, long ones in part, and all fit into one reply", () => {
  const { insight, store } = fixture();
  insight.ask();
  const readOften = (key: Uint8Array) => {
    for (let i = 0; i < 4; i++) store.get(spanOf(key));
  };
  readOften(Uint8Array.of(0xff, 0xfe));
  assertEquals(insight.ask().hottestByReads[0].key, "base64://4=");
  readOften(new TextEncoder().encode("x" + "é".repeat(2000)));
  assertEquals(insight.ask().hottestByReads[1].key, "x" + "é".repeat(499));
  insight.end();
  insight.ask();
  for (let i = 0; i < 20; i++) {
    const key = new Uint8Array(MAX_KEY_BYTES).fill(0xff);
    key[MAX_KEY_BYTES - 1] = i;
    store.set(spanOf(key), { flags: 0, value: spanOf(new Uint8Array(5)), ttlMs: 0 });
    readOften(key);
  }
  const told = insight.ask();
  assertEquals([told.hottestByReads.length, told.hottestByBytes.length], [20, 20]);
  assert(encode({ ...told } as unknown as Parameters<typeof encode>[0]).length < 64 * 1024);
});
