/** LruCache: keys, values, order of use and limits. */

import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { MAX_ENTRIES } from "../../lib/base/limits.ts";
import { LruCache, type LruCacheOptions } from "../../lib/lru.ts";
import { type Event, fixture, keys } from "../support/lru_fixture.ts";

Deno.test("LruCache() holds 128 entries that never expire when no options are given", () => {
  const cache = new LruCache<number>();
  assertEquals([cache.maxSize, cache.size, cache.totalSize, [...cache]], [128, 0, 0, []]);
  for (let i = 0; i < 200; i++) assertStrictEquals(cache.set(`${i}`, i), true);
  assertEquals([cache.size, cache.totalSize], [128, 0]);
  assertEquals(keys(cache), Array.from({ length: 128 }, (_, i) => `${199 - i}`));
});

Deno.test("LruCache() holds MAX_ENTRIES at most when maxSize is Infinity", () => {
  const { cache } = fixture({ maxSize: Infinity });
  assertStrictEquals(cache.maxSize, MAX_ENTRIES);
  for (let i = 0; i < 1000; i++) cache.set(`${i}`, i);
  assertStrictEquals(cache.size, 1000);
  assertStrictEquals(new LruCache({ maxSize: MAX_ENTRIES }).maxSize, MAX_ENTRIES);
});

Deno.test("LruCache() throws when an option is out of range", () => {
  const maxSize = (received: unknown) =>
    `Cannot create LruCache: maxSize must be a whole number from 1 to 16777215, or Infinity: received ${received}`;
  const sizeOf = () => 1;
  const cases: [LruCacheOptions<number>, string][] = [
    ...[0, -1, 1.5, NaN, -Infinity, 2 ** 24].map((
      n,
    ): [LruCacheOptions<number>, string] => [{ maxSize: n }, maxSize(n)]),
    [{ maxSize: "9" as unknown as number }, maxSize('"9"')],
    [{ maxTotalSize: 9 }, "Cannot create LruCache: maxTotalSize needs sizeOf"],
    ...[0, -1, NaN].map((n): [LruCacheOptions<number>, string] => [
      { maxTotalSize: n, sizeOf },
      `Cannot create LruCache: maxTotalSize must be a number greater than 0: received ${n}`,
    ]),
    ...[-1, NaN, -Infinity].map((n): [LruCacheOptions<number>, string] => [
      { ttlMs: n },
      `Cannot create LruCache: ttlMs must be 0 to 9007199254740991, or Infinity: received ${n}`,
    ]),
  ];
  for (const [options, message] of cases) {
    assertStrictEquals(assertThrows(() => new LruCache(options), RangeError).message, message);
  }
});

Deno.test("LruCache.get() returns the value and makes it the newest when the key has an entry", () => {
  const { cache, events } = fixture({ maxSize: 3 });
  for (const [i, key] of ["a", "b", "c"].entries()) cache.set(key, i);
  assertStrictEquals(cache.get("a"), 0);
  assertEquals(keys(cache), ["a", "c", "b"]);
  assertStrictEquals(cache.get("a"), 0);
  assertEquals(keys(cache), ["a", "c", "b"]);
  assertStrictEquals(cache.get("c"), 2);
  assertEquals(keys(cache), ["c", "a", "b"]);
  cache.set("d", 3);
  assertEquals(events, [["b", 1, "evicted"]]);
  assertStrictEquals(cache.get("b"), undefined);
  assertEquals(keys(cache), ["d", "c", "a"]);
});

Deno.test("LruCache.peek() and has() leave recency and expiration when they hit", () => {
  const { cache, clock } = fixture({ maxSize: 2, ttlMs: 10 });
  cache.set("a", 1);
  cache.set("b", 2);
  clock.nowMs += 9;
  assertEquals([cache.peek("a"), cache.has("a"), cache.peek("x"), cache.has("x")], [1, true, undefined, false]);
  assertEquals(keys(cache), ["b", "a"]);
  clock.nowMs += 1;
  assertEquals([cache.peek("a"), cache.has("b"), cache.size], [undefined, false, 0]);
});

Deno.test("LruCache.set() replaces the value and makes it the newest when the key has an entry", () => {
  const { cache, events } = fixture({ maxSize: 2 });
  cache.set("a", 1);
  cache.set("b", 2);
  assertStrictEquals(cache.set("a", 3), true);
  assertEquals([...cache], [["a", 3], ["b", 2]]);
  assertEquals(events, [["a", 1, "replaced"]]);
  assertStrictEquals(cache.size, 2);
});

Deno.test("LruCache.set() evicts the least recently used when maxSize is exceeded, down to one entry", () => {
  const { cache, events } = fixture({ maxSize: 1 });
  for (let i = 0; i < 4; i++) cache.set(`${i}`, i);
  assertEquals([...cache], [["3", 3]]);
  assertEquals(events, [["0", 0, "evicted"], ["1", 1, "evicted"], ["2", 2, "evicted"]]);
});

Deno.test("LruCache.set() evicts until the sizes fit when maxTotalSize is exceeded", () => {
  const asked: [number, string][] = [];
  const { cache, events } = fixture({ maxTotalSize: 10, sizeOf: (value, key) => (asked.push([value, key]), value) });
  for (const [i, key] of ["a", "b", "c"].entries()) cache.set(key, i + 2);
  assertEquals(asked, [[2, "a"], [3, "b"], [4, "c"]]);
  assertEquals([cache.totalSize, cache.size], [9, 3]);
  assertStrictEquals(cache.set("d", 6), true);
  assertEquals(events.splice(0), [["a", 2, "evicted"], ["b", 3, "evicted"]]);
  assertEquals([cache.totalSize, keys(cache)], [10, ["d", "c"]]);
  cache.set("c", 10);
  assertEquals(events.splice(0), [["c", 4, "replaced"], ["d", 6, "evicted"]]);
  assertEquals([cache.totalSize, keys(cache)], [10, ["c"]]);
  cache.set("c", 0);
  assertStrictEquals(cache.totalSize, 0);
  for (let i = 0; i < 50; i++) cache.set(`zero ${i}`, 0);
  assertStrictEquals(cache.size, 51);
});

Deno.test("LruCache.set() returns false and drops the key's entry when the value alone is too large", () => {
  const { cache, events, clock } = fixture({ maxTotalSize: 10, sizeOf: (value) => value, ttlMs: 5 });
  cache.set("a", 1);
  cache.set("b", 2);
  assertStrictEquals(cache.set("a", 11), false);
  assertStrictEquals(cache.set("new", 11), false);
  assertEquals([...cache], [["b", 2]]);
  assertEquals(events.splice(0), [["a", 1, "deleted"]]);
  assertStrictEquals(cache.totalSize, 2);
  clock.nowMs += 5;
  assertStrictEquals(cache.set("b", 11), false);
  assertEquals(events, [["b", 2, "expired"]]);
  assertStrictEquals(cache.set("b", 10), true);
});

Deno.test("LruCache.set() keeps an entry that fits alone when fractions of sizes add up inexactly", () => {
  const { cache } = fixture({ maxTotalSize: 0.3, sizeOf: (value) => value });
  cache.set("a", 0.1);
  cache.set("b", 0.2);
  assertStrictEquals(cache.set("b", 0.3), true);
  assertStrictEquals(cache.get("b"), 0.3);
});

Deno.test("LruCache.totalSize is 0 when the cache is empty, whatever fractions of sizes added up to", () => {
  const { cache } = fixture({ sizeOf: (value) => value });
  for (const size of [0.1, 0.2, 0.3]) cache.set(`${size}`, size);
  for (const size of [0.1, 0.2, 0.3]) cache.delete(`${size}`); // leaves 0.6000000000000001 less 0.6
  assertStrictEquals(cache.totalSize, 0);
});

Deno.test("LruCache.set() throws and changes nothing when the time to live or the size is out of range", () => {
  let size = 1;
  const { cache, events } = fixture({ maxTotalSize: 10, sizeOf: () => size });
  cache.set("a", 1);
  cache.set("b", 2);
  for (const ttlMs of [-1, NaN, -Infinity]) {
    const message = `Cannot use ttlMs: it must be 0 to 9007199254740991, or Infinity: received ${ttlMs}`;
    assertStrictEquals(assertThrows(() => cache.set("a", 9, { ttlMs }), RangeError).message, message);
    assertStrictEquals(assertThrows(() => cache.touch("a", ttlMs), RangeError).message, message);
  }
  for (size of [-1, NaN, Infinity]) {
    const message = `Cannot set entry: sizeOf must return a finite number of 0 or more: received ${size}`;
    assertStrictEquals(assertThrows(() => cache.set("a", 9), RangeError).message, message);
  }
  assertEquals([[...cache], cache.totalSize, events], [[["b", 2], ["a", 1]], 2, []]);
});

Deno.test("LruCache.delete() tells whether there was a live entry when called", () => {
  const { cache, events, clock } = fixture({ ttlMs: 5, sizeOf: (value) => value });
  cache.set("a", 1);
  assertEquals([cache.delete("a"), cache.delete("a"), cache.delete("x")], [true, false, false]);
  assertEquals([cache.size, cache.totalSize, cache.get("a")], [0, 0, undefined]);
  cache.set("a", 2);
  clock.nowMs += 5;
  assertStrictEquals(cache.delete("a"), false);
  assertEquals(events, [["a", 1, "deleted"], ["a", 2, "expired"]]);
});

Deno.test("LruCache.clear() empties the cache and leaves it usable when it held entries", () => {
  const { cache, events, clock } = fixture({ maxSize: 100, sizeOf: (value) => value, ttlMs: 10 });
  for (let i = 0; i < 100; i++) cache.set(`${i}`, i);
  events.length = 0;
  cache.clear();
  assertEquals([cache.size, cache.totalSize, [...cache], cache.has("5")], [0, 0, [], false]);
  assertEquals(events.splice(0), Array.from({ length: 100 }, (_, i): Event => [`${99 - i}`, 99 - i, "deleted"]));
  cache.clear();
  assertEquals(events, []);
  for (let i = 0; i < 150; i++) cache.set(`${i}`, 1);
  assertEquals([cache.size, cache.totalSize, cache.get("50"), cache.get("49")], [100, 100, 1, undefined]);
  clock.nowMs += 10;
  assertEquals([...cache], []);
});

Deno.test("LruCache[Symbol.iterator]() walks a copy when the cache changes meanwhile", () => {
  const { cache } = fixture();
  for (let i = 0; i < 4; i++) cache.set(`${i}`, i);
  const seen: string[] = [];
  for (const [key] of cache) {
    seen.push(key);
    cache.delete(key);
    cache.delete("1");
    cache.set(`new ${key}`, 9);
  }
  assertEquals(seen, ["3", "2", "1", "0"]);
  assertEquals(keys(cache), ["new 0", "new 1", "new 2", "new 3"]);
});

Deno.test("LruCache tells undefined from a miss by has() when undefined is a value", () => {
  const { cache, events } = fixture<undefined | number>({ maxSize: 1 });
  cache.set("a", undefined);
  assertEquals([cache.get("a"), cache.peek("a"), cache.has("a"), cache.size], [undefined, undefined, true, 1]);
  assertEquals([...cache], [["a", undefined]]);
  cache.set("a", 1);
  cache.set("a", undefined);
  cache.set("b", 1);
  assertEquals(events, [["a", undefined, "replaced"], ["a", 1, "replaced"], ["a", undefined, "evicted"]]);
});

Deno.test("LruCache compares keys as Map does when they are not strings", () => {
  const cache = new LruCache<string, unknown>({ maxSize: 20 });
  const object = {};
  const symbol = Symbol("s");
  const distinct = [1, "1", 1n, NaN, null, undefined, true, object, {}, symbol, "", 0];
  for (const [i, key] of distinct.entries()) cache.set(key, `${i}`);
  assertEquals(distinct.map((key) => cache.get(key)), distinct.map((_, i) => `${i}`));
  assertStrictEquals(cache.get(-0), "11");
  assertStrictEquals(cache.has({}), false);
  assertEquals([cache.delete(NaN), cache.delete(undefined), cache.size], [true, true, distinct.length - 2]);
  for (const key of ["__proto__", "constructor", "toString"]) {
    assertStrictEquals(cache.get(key), undefined);
    cache.set(key, key);
    assertStrictEquals(cache.get(key), key);
  }
});
