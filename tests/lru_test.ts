/** LruCache: each promise of its comments alone, then all of them at once against a naive model. Time is an argument. */

import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { seeded } from "../bench/compare.ts";
import { MAX_ENTRIES } from "../lib/base/limits.ts";
import { type EvictReason, LruCache, type LruCacheOptions } from "../lib/lru.ts";

type Event = [key: unknown, value: unknown, reason: EvictReason];

interface Fixture<V> {
  cache: LruCache<V>;
  events: Event[];
  clock: { nowMs: number; readings: number };
}

/** A cache on a clock of its own that keeps what `onEvict` was told. */
function fixture<V = number>(options: LruCacheOptions<V> = {}): Fixture<V> {
  const events: Event[] = [];
  const clock = { nowMs: 1_000, readings: 0 };
  const now = () => (clock.readings++, clock.nowMs);
  const cache = new LruCache<V>({ now, onEvict: (...event) => events.push(event), ...options });
  return { cache, events, clock };
}

function keys<V>(cache: LruCache<V>): string[] {
  return [...cache].map(([key]) => key);
}

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
    [{ maxSize: "9" as unknown as number }, maxSize("9")],
    [{ maxTotalSize: 9 }, "Cannot create LruCache: maxTotalSize needs sizeOf"],
    ...[0, -1, NaN].map((n): [LruCacheOptions<number>, string] => [
      { maxTotalSize: n, sizeOf },
      `Cannot create LruCache: maxTotalSize must be greater than 0: received ${n}`,
    ]),
    ...[-1, NaN, -Infinity].map((n): [LruCacheOptions<number>, string] => [
      { ttlMs: n },
      `Cannot set an entry's time to live: ttlMs must be 0 or more: received ${n}`,
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
    const message = `Cannot set an entry's time to live: ttlMs must be 0 or more: received ${ttlMs}`;
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

Deno.test("LruCache.clear() reports an entry to onEvict when it had expired and was not swept", () => {
  const { cache, events, clock } = fixture({ ttlMs: 10 });
  cache.set("a", 1);
  clock.nowMs += 10;
  cache.clear();
  assertEquals(events, [["a", 1, "expired"]]);
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

Deno.test("LruCache[Symbol.iterator]() leaves out an entry when it has expired, which size still counts", () => {
  const { cache, clock, events } = fixture({ ttlMs: 10 });
  cache.set("a", 1);
  cache.set("b", 2, { ttlMs: 20 });
  clock.nowMs += 10;
  assertEquals([[...cache], cache.size, events.length], [[["b", 2]], 2, 0]);
});

Deno.test("LruCache.get() returns undefined from the very millisecond when the time to live is over", () => {
  const { cache, clock, events } = fixture({ ttlMs: 10 });
  cache.set("a", 1);
  cache.set("b", 2);
  clock.nowMs += 9.5;
  assertStrictEquals(cache.peek("a"), 1);
  clock.nowMs += 0.5;
  assertStrictEquals(cache.get("a"), undefined);
  assertEquals([events, cache.size], [[["a", 1, "expired"]], 1]);
});

for (const renewOnHit of [undefined, true, false]) {
  Deno.test(`LruCache.get() ${renewOnHit === false ? "leaves" : "restarts"} the time when renewOnHit is ${renewOnHit}`, () => {
    const { cache, clock } = fixture({ ttlMs: 10, renewOnHit });
    cache.set("a", 1);
    cache.set("own", 2, { ttlMs: 8 });
    clock.nowMs += 7;
    assertEquals([cache.get("a"), cache.get("own")], [1, 2]);
    clock.nowMs += 7; // 14 after set, 7 after the hit
    const renewed = renewOnHit !== false;
    assertEquals([cache.has("a"), cache.has("own")], [renewed, renewed]);
    clock.nowMs += 1; // an entry's own 8 ms after the hit
    assertEquals([cache.has("a"), cache.has("own")], [renewed, false]);
  });
}

Deno.test("LruCache.set() lets an entry have its own time to live when one is given", () => {
  const { cache, clock } = fixture({ ttlMs: 10 });
  cache.set("short", 1, { ttlMs: 1 });
  cache.set("long", 2, { ttlMs: 100 });
  cache.set("never", 3, { ttlMs: 0 });
  cache.set("also never", 4, { ttlMs: Infinity });
  cache.set("default", 5, { ttlMs: undefined });
  clock.nowMs += 1;
  assertEquals(keys(cache), ["default", "also never", "never", "long"]);
  clock.nowMs += 9;
  assertEquals(keys(cache), ["also never", "never", "long"]);
  clock.nowMs = Number.MAX_SAFE_INTEGER;
  assertEquals(keys(cache), ["also never", "never"]);
});

Deno.test("LruCache.set() gives the new value its own time when the key has an entry", () => {
  const { cache, clock, events } = fixture({ ttlMs: 10 });
  cache.set("a", 1, { ttlMs: 0 });
  cache.set("a", 2);
  clock.nowMs += 9;
  cache.set("a", 3);
  clock.nowMs += 9;
  assertStrictEquals(cache.peek("a"), 3);
  clock.nowMs += 1;
  cache.set("a", 4, { ttlMs: Infinity });
  clock.nowMs += 1e9;
  assertStrictEquals(cache.get("a"), 4);
  assertEquals(events, [["a", 1, "replaced"], ["a", 2, "replaced"], ["a", 3, "expired"]]);
});

Deno.test("LruCache.touch() restarts the time and makes the entry the newest when it has one", () => {
  const { cache, clock, events } = fixture({ ttlMs: 10, renewOnHit: false });
  cache.set("a", 1);
  cache.set("own", 2, { ttlMs: 20 });
  clock.nowMs += 9;
  assertStrictEquals(cache.touch("a"), true);
  assertEquals(keys(cache), ["a", "own"]);
  assertStrictEquals(cache.touch("own"), true);
  clock.nowMs += 10;
  assertEquals([cache.touch("a"), cache.touch("x"), cache.has("own")], [false, false, true]);
  assertEquals(events, [["a", 1, "expired"]]);
  clock.nowMs += 10;
  assertStrictEquals(cache.has("own"), false);
});

Deno.test("LruCache.touch() gives another time to live, for renewals too, when one is given", () => {
  const { cache, clock } = fixture({ ttlMs: 10 });
  for (const key of ["longer", "never", "ever"]) cache.set(key, 1);
  assertEquals([cache.touch("longer", 50), cache.touch("never", 0), cache.touch("ever", Infinity)], [true, true, true]);
  clock.nowMs += 49;
  assertStrictEquals(cache.get("longer"), 1); // renews by 50
  clock.nowMs += 49;
  assertEquals([cache.has("longer"), cache.has("never"), cache.has("ever")], [true, true, true]);
  clock.nowMs += 1;
  assertEquals([cache.has("longer"), cache.has("never"), cache.has("ever")], [false, true, true]);
  cache.touch("never", 1);
  clock.nowMs += 1;
  assertStrictEquals(cache.get("never"), undefined);
});

Deno.test("LruCache.touch() starts expiration when no entry had a time to live before", () => {
  const { cache, clock } = fixture();
  cache.set("a", 1);
  cache.set("b", 2);
  assertStrictEquals(cache.touch("a", 5), true);
  clock.nowMs += 5;
  assertEquals([keys(cache), cache.peek("a"), cache.size], [["b"], undefined, 1]);
});

Deno.test("LruCache does not read the clock when no entry has had a time to live", () => {
  const { cache, clock } = fixture({ maxSize: 3 });
  for (let i = 0; i < 9; i++) cache.set(`${i}`, i);
  cache.get("8");
  cache.has("8");
  cache.peek("7");
  cache.touch("7");
  cache.delete("7");
  assertEquals([[...cache].length, clock.readings], [2, 0]);
  cache.set("timed", 1, { ttlMs: 1 });
  assert(clock.readings > 0);
  cache.clear();
  clock.readings = 0;
  cache.set("a", 1);
  assertEquals([cache.has("a"), [...cache].length, clock.readings], [true, 1, 0]);
});

Deno.test("LruCache asks Date when no clock is given", () => {
  const RealDate = Date;
  let nowMs = 5_000;
  globalThis.Date = class extends RealDate {
    static override now = () => nowMs;
  } as DateConstructor;
  try {
    const cache = new LruCache<number>({ ttlMs: 10 });
    cache.set("a", 1);
    nowMs += 9;
    assertStrictEquals(cache.peek("a"), 1);
    nowMs += 1;
    assertStrictEquals(cache.peek("a"), undefined);
  } finally {
    globalThis.Date = RealDate;
  }
});

Deno.test("LruCache.set() sweeps expired entries when nothing reads them, two slots a call", () => {
  const { cache, clock, events } = fixture({ maxSize: 1000, ttlMs: 10 });
  for (let i = 0; i < 100; i++) cache.set(`${i}`, i);
  cache.set("live", -1, { ttlMs: 0 });
  clock.nowMs += 10;
  cache.set("live", -2, { ttlMs: 0 });
  assert(cache.size >= 99, "one set looks at two slots only");
  for (let i = 0; i < 51; i++) cache.set("live", -3, { ttlMs: 0 });
  assertEquals([[...cache], cache.size], [[["live", -3]], 1]);
  assertEquals(events.filter(([, , reason]) => reason === "expired").length, 100);
});

Deno.test("LruCache.set() outpaces growth when every entry is new and expires", () => {
  const { cache, clock } = fixture({ maxSize: Infinity, ttlMs: 100 });
  let most = 0;
  for (let i = 0; i < 20_000; i++) {
    clock.nowMs += 1;
    cache.set(`${i}`, i);
    most = Math.max(most, cache.size);
  }
  assert(most >= 100 && most <= 300, `100 entries live at a time: held ${most}`);
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

interface ModelEntry {
  key: string;
  value: number;
  size: number;
  ttlMs: number;
  deadline: number;
  /** Calls of `set` that swept, counted when the entry had expired; it must leave within a bound. */
  expiredAt: number | undefined;
}

/**
 * What the comments promise, done naively: an array, newest first. The one thing not promised exactly is which dead
 * entries a `set` sweeps, so those the model takes from the cache, and checks that they are dead, few and not too late.
 */
class Model {
  entries: ModelEntry[] = [];
  events: Event[] = [];
  #nowMs = 0;
  #sets = 0;
  #most = 0;
  readonly #options: Required<Pick<LruCacheOptions<number>, "maxSize" | "maxTotalSize" | "ttlMs" | "renewOnHit">>;
  readonly #sizeOf: (value: number) => number;

  constructor(options: LruCacheOptions<number>) {
    const { maxSize = 128, maxTotalSize = Infinity, ttlMs = 0, renewOnHit = true, sizeOf } = options;
    this.#options = { maxSize, maxTotalSize, ttlMs, renewOnHit };
    this.#sizeOf = sizeOf === undefined ? () => 0 : (value) => sizeOf(value, "");
  }

  get totalSize(): number {
    return this.entries.reduce((sum, { size }) => sum + size, 0);
  }

  get live(): [string, number][] {
    return this.entries.filter((entry) => !this.#dead(entry)).map(({ key, value }) => [key, value]);
  }

  advance(nowMs: number): void {
    this.#nowMs = nowMs;
    for (const entry of this.entries) if (this.#dead(entry)) entry.expiredAt ??= this.#sets;
  }

  get(key: string): number | undefined {
    const entry = this.#find(key);
    if (entry === undefined) return undefined;
    if (this.#options.renewOnHit) entry.deadline = this.#nowMs + entry.ttlMs;
    this.#toFront(entry);
    return entry.value;
  }

  peek(key: string): number | undefined {
    return this.#find(key)?.value;
  }

  has(key: string): boolean {
    return this.#find(key) !== undefined;
  }

  touch(key: string, ttlMs: number | undefined): boolean {
    const entry = this.#find(key);
    if (entry === undefined) return false;
    entry.ttlMs = ttlMs === undefined ? entry.ttlMs : ttlMs || Infinity;
    entry.deadline = this.#nowMs + entry.ttlMs;
    this.#toFront(entry);
    return true;
  }

  delete(key: string): boolean {
    const entry = this.#find(key);
    if (entry === undefined) return false;
    this.#remove(entry, "deleted");
    return true;
  }

  clear(): void {
    for (const entry of this.entries) this.#remove(entry, this.#dead(entry) ? "expired" : "deleted");
    this.#most = 0;
  }

  set(key: string, value: number, own: number | undefined, observed: Event[]): boolean {
    const size = this.#sizeOf(value);
    if (size > this.#options.maxTotalSize) {
      this.delete(key);
      return false;
    }
    const ttlMs = (own ?? this.#options.ttlMs) || Infinity;
    const old = this.entries.find((entry) => entry.key === key);
    if (old !== undefined) this.#remove(old, this.#dead(old) ? "expired" : "replaced");
    this.entries.unshift({ key, value, size, ttlMs, deadline: this.#nowMs + ttlMs, expiredAt: undefined });
    this.#most = Math.max(this.#most, this.entries.length);
    this.#sets++;
    this.#sweep(observed.slice(old === undefined ? 0 : 1).filter(([, , reason]) => reason === "expired"));
    while (this.entries.length > this.#options.maxSize || this.totalSize > this.#options.maxTotalSize) {
      this.#remove(this.entries[this.entries.length - 1], "evicted");
    }
    return true;
  }

  #sweep(swept: Event[]): void {
    assert(swept.length <= 2, "a set looks at two slots");
    for (const [key] of swept) {
      const entry = this.entries.find((entry) => entry.key === key);
      assert(entry !== undefined && this.#dead(entry), `swept ${key}, which has not expired`);
      this.#remove(entry, "expired");
    }
    // Two slots a call: as many calls as slots pass over all of them twice, growth meanwhile included.
    const late = this.entries.find(({ expiredAt }) =>
      expiredAt !== undefined && this.#sets - expiredAt > this.#most + 1
    );
    assert(late === undefined, `${late?.key} expired and was not swept`);
  }

  #dead(entry: ModelEntry): boolean {
    return this.#nowMs >= entry.deadline;
  }

  #find(key: string): ModelEntry | undefined {
    const entry = this.entries.find((entry) => entry.key === key);
    if (entry === undefined || !this.#dead(entry)) return entry;
    this.#remove(entry, "expired");
    return undefined;
  }

  #remove(entry: ModelEntry, reason: EvictReason): void {
    this.entries = this.entries.filter((other) => other !== entry);
    this.events.push([entry.key, entry.value, reason]);
  }

  #toFront(entry: ModelEntry): void {
    this.entries = [entry, ...this.entries.filter((other) => other !== entry)];
  }
}

const SEQUENCES = 400;
const OPERATIONS = 400;

/** One random sequence of operations, on the cache and on the model alike. */
function runSequence(random: () => number): void {
  const whole = (below: number) => Math.floor(random() * below);
  const pick = <T>(items: T[]): T => items[whole(items.length)];
  const events: Event[] = [];
  let nowMs = whole(2) * 1e12;
  const options: LruCacheOptions<number> = {
    maxSize: pick([1, 2, 3, 8, 20, 50, Infinity]),
    ttlMs: pick([0, 0, 5, 20, Infinity]),
    renewOnHit: pick([true, false]),
    now: () => nowMs,
    onEvict: (...event) => events.push(event),
  };
  if (random() < 0.5) {
    options.sizeOf = (value) => value % 7;
    options.maxTotalSize = pick([1, 5, 12, 40, 200]);
  }
  const untimed = random() < 0.3;
  if (untimed) options.ttlMs = 0;
  const ownTtl = () => untimed ? undefined : pick([undefined, undefined, 0, 1, 7, 30, Infinity]);
  const cache = new LruCache<number>(options);
  const model = new Model(options);
  const pool = 2 + whole(60);
  for (let step = 0; step < OPERATIONS; step++) {
    if (random() < 0.3) nowMs += whole(8);
    model.advance(nowMs);
    const key = `k${whole(pool)}`;
    const at = random();
    let results: unknown[];
    if (at < 0.45) {
      const ttlMs = ownTtl();
      const stored = cache.set(key, step, { ttlMs });
      results = [stored, model.set(key, step, ttlMs, events)];
    } else if (at < 0.7) results = [cache.get(key), model.get(key)];
    else if (at < 0.78) results = [cache.peek(key), model.peek(key)];
    else if (at < 0.85) results = [cache.has(key), model.has(key)];
    else if (at < 0.92) {
      const ttlMs = ownTtl();
      results = [cache.touch(key, ttlMs), model.touch(key, ttlMs)];
    } else if (at < 0.995) results = [cache.delete(key), model.delete(key)];
    else {
      cache.clear();
      model.clear();
      results = [undefined, undefined];
    }
    assertStrictEquals(results[0], results[1], `step ${step}: result`);
    assertEquals(events.splice(0), model.events.splice(0), `step ${step}: events`);
    assertStrictEquals(cache.size, model.entries.length, `step ${step}: size`);
    assertStrictEquals(cache.totalSize, model.totalSize, `step ${step}: totalSize`);
    assertEquals([...cache], model.live, `step ${step}: entries`);
  }
}

Deno.test("LruCache does as a naive model when operations are random", () => {
  for (let seed = 1; seed <= SEQUENCES; seed++) {
    try {
      runSequence(seeded(seed));
    } catch (cause) {
      throw new Error(`seed ${seed}: ${(cause as Error).message}`, { cause });
    }
  }
});
