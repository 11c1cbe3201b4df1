/** What `onEvict` is told, and what it may do. */

import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { LruCache } from "../../lib/lru.ts";
import { fixture } from "../support/lru_fixture.ts";

Deno.test("LruCache calls onEvict with a consistent cache when it uses the cache itself", () => {
  const seen: unknown[] = [];
  const cache: LruCache<number> = new LruCache<number>({
    maxSize: 2,
    onEvict: (key, value, reason) => {
      seen.push([key, value, reason, cache.has(key), cache.size]);
      if (reason === "evicted" && value < 3) cache.set("again", 100);
      if (reason === "deleted") cache.delete("b");
    },
  });
  cache.set("a", 1);
  cache.set("b", 2);
  cache.set("c", 3);
  assertEquals(seen.splice(0), [["a", 1, "evicted", false, 2], ["b", 2, "evicted", false, 2], [
    "again",
    100,
    "replaced",
    true,
    2,
  ]]);
  assertEquals([...cache], [["again", 100], ["c", 3]]);
  cache.set("b", 200);
  seen.length = 0;
  cache.delete("again");
  assertEquals(seen, [["again", 100, "deleted", false, 1], ["b", 200, "deleted", false, 0]]);
  assertEquals([cache.size, [...cache]], [0, []]);
});

Deno.test("LruCache stays consistent when onEvict clears it in the middle of any method", () => {
  let nowMs = 0;
  const cache: LruCache<number> = new LruCache<number>({
    maxSize: 3,
    maxTotalSize: 30,
    sizeOf: (value) => value,
    ttlMs: 10,
    now: () => nowMs,
    onEvict: () => cache.clear(),
  });
  const fill = () => {
    cache.clear();
    for (const key of ["a", "b", "c"]) cache.set(key, 9);
    nowMs += 5;
  };
  const cases: [string, () => unknown][] = [
    ["replace", () => cache.set("a", 1)],
    ["evict", () => cache.set("d", 1)],
    ["evict for size", () => cache.set("c", 30)],
    ["delete", () => cache.delete("b")],
    ["too large", () => cache.set("b", 31)],
    ["expire", () => (nowMs += 5, cache.get("b"))],
    ["sweep", () => (nowMs += 5, cache.set("d", 1))],
  ];
  for (const [name, run] of cases) {
    fill();
    run();
    assertEquals([[...cache], cache.size, cache.totalSize], [[], 0, 0], name);
    cache.set("z", 4);
    assertEquals([[...cache], cache.size, cache.totalSize], [[["z", 4]], 1, 4], name);
  }
});

Deno.test("LruCache passes the error on and stays consistent when onEvict throws", () => {
  let armed = false;
  const { cache, clock } = fixture({
    maxSize: 3,
    ttlMs: 10,
    sizeOf: (value) => value,
    onEvict: (key, _value, reason) => {
      if (armed) throw new Error(`${key} ${reason}`);
    },
  });
  const cases: [string, () => unknown, [string, number][]][] = [
    ["a replaced", () => cache.set("a", 5), [["a", 5], ["c", 3], ["b", 2]]],
    ["a evicted", () => cache.set("d", 4), [["d", 4], ["c", 3], ["b", 2]]],
    ["b deleted", () => cache.delete("b"), [["c", 3], ["a", 1]]],
    ["c deleted", () => cache.clear(), []],
    ["b expired", () => (clock.nowMs += 10, cache.get("b")), []],
    ["c expired", () => (clock.nowMs += 10, cache.has("c")), []],
  ];
  for (const [message, run, left] of cases) {
    armed = false;
    cache.clear();
    for (const [i, key] of ["a", "b", "c"].entries()) cache.set(key, i + 1);
    armed = true;
    assertStrictEquals(assertThrows(run, Error).message, message);
    armed = false;
    assertEquals([...cache], left, message);
    cache.set("z", 7);
    assertEquals([...cache], [["z", 7], ...left].slice(0, 3), message);
    clock.nowMs += 10;
    for (const key of ["a", "b", "c", "d", "z"]) cache.get(key);
    assertEquals([cache.size, cache.totalSize], [0, 0], message);
  }
});

Deno.test("LruCache tells onEvict of every entry once when it throws in the middle", () => {
  const told: string[] = [];
  const { cache } = fixture({
    onEvict: (key) => {
      told.push(key);
      if (key === "b") throw new Error("onEvict");
    },
  });
  for (const [i, key] of ["a", "b", "c"].entries()) cache.set(key, i);
  assertThrows(() => cache.clear(), Error, "onEvict");
  assertEquals([told, cache.size], [["c", "b"], 0]);
  cache.set("d", 4);
  assertEquals(told, ["c", "b", "a"]);
  cache.delete("d");
  assertEquals(told, ["c", "b", "a", "d"]);
});

Deno.test("LruCache.set() keeps within its limits when onEvict throws at a replacement", () => {
  const { cache } = fixture({
    maxTotalSize: 10,
    sizeOf: (value) => value,
    onEvict: () => {
      throw new Error("onEvict");
    },
  });
  cache.set("a", 3);
  cache.set("b", 3);
  assertThrows(() => cache.set("a", 9), Error, "onEvict");
  assert(cache.totalSize <= 10, `at most 10 held: ${cache.totalSize}`);
});

Deno.test("LruCache.clear() reports an entry to onEvict when it had expired and was not swept", () => {
  const { cache, events, clock } = fixture({ ttlMs: 10 });
  cache.set("a", 1);
  clock.nowMs += 10;
  cache.clear();
  assertEquals(events, [["a", 1, "expired"]]);
});
