/** Times to live in an LruCache: who expires when, and who finds out. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { LruCache } from "../../lib/lru.ts";
import { fixture, keys } from "../support/lru_fixture.ts";

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

Deno.test("LruCache.get() leaves the time of an entry that was set with renewOnHit false, and only of that", () => {
  const { cache, clock, events } = fixture({ ttlMs: 10 });
  cache.set("fixed", 1, { renewOnHit: false });
  cache.set("own", 2, { ttlMs: 12, renewOnHit: false });
  cache.set("renewed", 3, { renewOnHit: true });
  cache.set("other", 4);
  for (let ms = 0; ms < 12; ms++) {
    assertEquals([cache.get("fixed"), cache.get("own")], [ms < 10 ? 1 : undefined, 2], `after ${ms} ms`);
    assertEquals([cache.get("renewed"), cache.get("other")], [3, 4], `after ${ms} ms`);
    clock.nowMs++;
  }
  assertEquals([cache.get("own"), events.map(([key]) => key)], [undefined, ["fixed", "own"]]);
  cache.set("fixed", 5);
  clock.nowMs += 9;
  assertStrictEquals(cache.get("fixed"), 5, "the newer entry is another");
  clock.nowMs += 9;
  assertStrictEquals(cache.get("fixed"), 5);
});

Deno.test("LruCache.set() renews nothing for an entry's renewOnHit where the cache renews nothing", () => {
  const { cache, clock } = fixture({ ttlMs: 10, renewOnHit: false });
  cache.set("a", 1, { renewOnHit: true });
  clock.nowMs += 9;
  assertStrictEquals(cache.get("a"), 1);
  clock.nowMs += 1;
  assertStrictEquals(cache.get("a"), undefined);
});

Deno.test("LruCache.touch() restarts the time of an entry that hits do not renew, and leaves that so", () => {
  const { cache, clock } = fixture({ ttlMs: 10 });
  cache.set("a", 1, { renewOnHit: false });
  cache.set("never", 1, { ttlMs: 0, renewOnHit: false });
  clock.nowMs += 9;
  assertEquals([cache.touch("a"), cache.touch("never", 20)], [true, true]);
  clock.nowMs += 9;
  assertEquals([cache.get("a"), cache.get("never")], [1, 1]);
  clock.nowMs += 1;
  assertEquals([cache.get("a"), cache.get("never")], [undefined, 1]);
  assertStrictEquals(cache.touch("never"), true);
  clock.nowMs += 19;
  assertStrictEquals(cache.get("never"), 1);
  clock.nowMs += 1;
  assertStrictEquals(cache.get("never"), undefined);
});

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

/** Keeps this turn of the event loop busy for longer than 5 ms. */
function work(): void {
  for (const untilMs = performance.now() + 6; performance.now() < untilMs;);
}

Deno.test("LruCache.has() tells within one turn that an entry has expired when its clock is exact", () => {
  const cache = new LruCache<number>({ ttlMs: 5, now: () => performance.now() });
  cache.set("a", 1);
  work();
  assertEquals([cache.has("a"), cache.get("a")], [false, undefined]);
});

Deno.test("LruCache.has() tells after 32 calls that an entry has expired within a turn, and in the next turn at once", async () => {
  const cache = new LruCache<number>({ ttlMs: 5 });
  cache.set("a", 1);
  cache.set("b", 1);
  work();
  assert(Array.from({ length: 32 }, () => cache.has("a")).includes(false));
  cache.set("c", 1);
  work();
  await undefined;
  assertEquals([cache.has("b"), cache.has("c")], [false, false]);
});

Deno.test("LruCache.set() lets what has expired leave before it evicts what has not", () => {
  const { cache, clock, events } = fixture({ maxSize: 2 });
  cache.set("lives", 1);
  cache.set("dies", 2, { ttlMs: 10 });
  clock.nowMs += 10;
  cache.set("new", 3);
  assertEquals(events, [["dies", 2, "expired"]]);
  assertEquals(keys(cache), ["new", "lives"]);
});

Deno.test("LruCache.set() stores the first entry of a cache with times, also after clear(), in a slot of its own", () => {
  const { cache } = fixture({ maxSize: 3, ttlMs: 10 });
  for (let round = 0; round < 2; round++) {
    for (const [i, key] of ["a", "b", "c"].entries()) cache.set(key, i);
    assertEquals([...cache], [["c", 2], ["b", 1], ["a", 0]]);
    cache.clear();
  }
});
