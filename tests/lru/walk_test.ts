/** LruCache: walking over the entries, taking the oldest, and how long an entry remains. */

import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { LruCache } from "../../lib/lru.ts";
import { fixture, keys } from "../support/lru_fixture.ts";

/** What each way to walk over a cache gives, as pairs. */
function walks(cache: LruCache<number>): [string, number][][] {
  const seen: [string, number][] = [];
  cache.forEach((value, key, given) => {
    assertStrictEquals(given, cache);
    seen.push([key, value]);
  });
  const values = [...cache.values()];
  return [[...cache], [...cache.entries()], [...cache.keys()].map((key, i) => [key, values[i]]), seen];
}

Deno.test("LruCache walks over keys, values and entries, the most recently used first, by every call alike", () => {
  const { cache } = fixture();
  for (const walked of walks(cache)) assertEquals(walked, []);
  for (let i = 0; i < 4; i++) cache.set(`${i}`, i);
  cache.get("1");
  for (const walked of walks(cache)) assertEquals(walked, [["1", 1], ["3", 3], ["2", 2], ["0", 0]]);
});

Deno.test("LruCache leaves out what has expired when it walks, and a walk is no use of an entry", () => {
  const { cache, clock, events } = fixture({ ttlMs: 10 });
  for (let i = 0; i < 4; i++) cache.set(`${i}`, i, { ttlMs: i % 2 === 0 ? 10 : 20 });
  clock.nowMs += 10;
  for (const walked of walks(cache)) assertEquals(walked, [["3", 3], ["1", 1]]);
  assertEquals([events, cache.size], [[], 4]);
  clock.nowMs += 10; // 20 after they were set: the walk has renewed none
  for (const walked of walks(cache)) assertEquals(walked, []);
});

Deno.test("LruCache walks over what was there at the call when the cache changes meanwhile", () => {
  for (const walk of ["keys", "values", "entries", "forEach"] as const) {
    const { cache } = fixture();
    for (let i = 0; i < 4; i++) cache.set(`${i}`, i);
    const seen: unknown[] = [];
    const step = (item: unknown) => {
      seen.push(item);
      cache.delete("1");
      cache.set("2", 22);
      cache.set(`new ${cache.size}`, 9);
      if (seen.length === 3) cache.clear();
    };
    if (walk === "forEach") cache.forEach((value) => step(value));
    else {
      const iterator: IterableIterator<unknown> = cache[walk]();
      cache.set("after the call", 9);
      for (const item of iterator) step(item);
    }
    const expected = { keys: ["3", "2", "1", "0"], entries: [["3", 3], ["2", 2], ["1", 1], ["0", 0]] };
    assertEquals(seen, walk === "keys" || walk === "entries" ? expected[walk] : [3, 2, 1, 0], walk);
  }
});

Deno.test("LruCache.forEach() throws what its function throws, and goes no further", () => {
  const { cache } = fixture();
  for (let i = 0; i < 4; i++) cache.set(`${i}`, i);
  let calls = 0;
  const callback = () => {
    calls++;
    throw new Error("enough");
  };
  assertThrows(() => cache.forEach(callback), Error, "enough");
  assertEquals([calls, cache.size], [1, 4]);
});

Deno.test("LruCache.pop() removes the least recently used entry and returns it, until there is none", () => {
  const { cache, events } = fixture({ sizeOf: (value) => value });
  assertStrictEquals(cache.pop(), undefined);
  for (let i = 0; i < 3; i++) cache.set(`${i}`, i);
  cache.get("0");
  assertEquals([cache.pop(), keys(cache), cache.size, cache.totalSize], [["1", 1], ["0", "2"], 2, 2]);
  assertEquals([cache.pop(), cache.pop(), cache.pop(), cache.size, cache.totalSize], [
    ["2", 2],
    ["0", 0],
    undefined,
    0,
    0,
  ]);
  assertEquals(events, [["1", 1, "deleted"], ["2", 2, "deleted"], ["0", 0, "deleted"]]);
  cache.set("3", 3);
  assertEquals([...cache], [["3", 3]]);
});

Deno.test("LruCache.pop() passes over what has expired, which leaves, and tells an undefined from none", () => {
  const { cache, clock, events } = fixture<number | undefined>({ ttlMs: 10 });
  cache.set("a", 1);
  cache.set("b", 2, { ttlMs: 10 });
  cache.set("c", undefined, { ttlMs: 20 });
  cache.set("d", 4, { ttlMs: 20 });
  clock.nowMs += 10;
  assertEquals([cache.pop(), cache.size], [["c", undefined], 1]);
  assertEquals(events, [["a", 1, "expired"], ["b", 2, "expired"], ["c", undefined, "deleted"]]);
  clock.nowMs += 10;
  assertEquals([cache.pop(), cache.size], [undefined, 0]);
});

Deno.test("LruCache.pop() is done when onEvict is called, which may use the cache", () => {
  const sizes: number[] = [];
  const cache: LruCache<number> = new LruCache({
    onEvict: (key, value) => {
      sizes.push(cache.size);
      if (value === 1) cache.set(`${key} again`, 7);
    },
  });
  cache.set("a", 1);
  cache.set("b", 2);
  assertEquals([cache.pop(), sizes, [...cache]], [["a", 1], [1], [["a again", 7], ["b", 2]]]);
});

Deno.test("LruCache.remainingTtlMs() tells how long an entry remains, which is no use of it", () => {
  const { cache, clock } = fixture({ ttlMs: 10, maxSize: 3 });
  cache.set("a", 1);
  cache.set("never", 2, { ttlMs: 0 });
  cache.set("fixed", 3, { ttlMs: 20, renewOnHit: false });
  clock.nowMs += 4;
  const remaining = () => ["a", "never", "fixed", "none"].map((key) => cache.remainingTtlMs(key));
  assertEquals(remaining(), [6, Infinity, 16, undefined]);
  assertEquals(keys(cache), ["fixed", "never", "a"]);
  cache.get("a");
  cache.get("fixed");
  assertEquals(remaining(), [10, Infinity, 16, undefined]);
  cache.touch("fixed", Infinity);
  clock.nowMs += 9.5;
  assertEquals(remaining(), [0.5, Infinity, Infinity, undefined]);
  clock.nowMs += 0.5;
  assertEquals(remaining(), [undefined, Infinity, Infinity, undefined]);
});

Deno.test("LruCache.remainingTtlMs() and pop() read no clock where nothing expires", () => {
  const { cache, clock } = fixture();
  cache.set("a", 1);
  assertEquals([cache.remainingTtlMs("a"), cache.pop(), clock.readings], [Infinity, ["a", 1], 0]);
});
