/** LruCache.getOrSet(): what is computed, shared, stored and forgotten. */

import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import type { LruCache, LruSetOptions } from "../../lib/lru.ts";
import { fixture } from "../support/lru_fixture.ts";

Deno.test("LruCache.getOrSet() computes on a miss, at once, and never on a hit, also of undefined", () => {
  const { cache } = fixture<number | undefined>();
  const asked: string[] = [];
  for (const value of [7, undefined]) {
    const compute = (key: string) => (asked.push(key), value);
    assertStrictEquals(cache.getOrSet(`${value}`, compute), value);
    assertStrictEquals(cache.getOrSet(`${value}`, compute), value);
    assert(cache.has(`${value}`));
  }
  assertEquals(asked, ["7", "undefined"]);
});

Deno.test("LruCache.getOrSet() makes a hit the entry used last, and renews it, as get() does", () => {
  const { cache, clock } = fixture({ maxSize: 2, ttlMs: 10 });
  cache.getOrSet("a", () => 1);
  cache.getOrSet("b", () => 2);
  clock.nowMs += 9;
  assertStrictEquals(cache.getOrSet("a", () => 5), 1);
  cache.set("c", 3);
  assertEquals([cache.has("a"), cache.has("b")], [true, false]);
  clock.nowMs += 9;
  assertStrictEquals(cache.get("a"), 1);
});

Deno.test("LruCache.getOrSet() stores with the options given, of a promise's value too", async () => {
  const { cache, clock } = fixture();
  cache.getOrSet("a", () => 1, { ttlMs: 10, renewOnHit: false });
  await cache.getOrSet("b", () => Promise.resolve(2), { ttlMs: 10, renewOnHit: false });
  clock.nowMs += 9;
  assertEquals([cache.get("a"), cache.get("b")], [1, 2]);
  clock.nowMs += 1;
  assertEquals([cache.get("a"), cache.get("b")], [undefined, undefined]);
});

Deno.test("LruCache.getOrSet() gives all callers one promise until it settles, and then the value", async () => {
  const { cache } = fixture();
  const { promise, resolve } = Promise.withResolvers<number>();
  let calls = 0;
  const compute = () => (calls++, promise);
  const first = cache.getOrSet("a", compute);
  assertStrictEquals(cache.getOrSet("a", compute), first);
  assertEquals([cache.has("a"), cache.get("a"), cache.size], [false, undefined, 0]);
  resolve(7);
  assertEquals([await first, calls], [7, 1]);
  assertStrictEquals(cache.getOrSet("a", compute), 7);
});

Deno.test("LruCache.getOrSet() keeps nothing of an error: the next caller computes", async () => {
  const { cache } = fixture();
  assertThrows(
    () =>
      cache.getOrSet("a", () => {
        throw new Error("at once");
      }),
    Error,
    "at once",
  );
  const { promise, reject } = Promise.withResolvers<number>();
  const answers = [1, 2].map(() => Promise.resolve(cache.getOrSet("a", () => promise)));
  reject(new Error("later"));
  await Promise.all(answers.map((answer) => assertRejects(() => answer, Error, "later")));
  assertEquals(cache.has("a"), false);
  assertStrictEquals(cache.getOrSet("a", () => 1), 1);
});

const OVERTAKING = {
  "set": [(cache: LruCache<number>) => cache.set("a", 5), 5],
  "delete": [(cache: LruCache<number>) => cache.delete("a"), undefined],
  "clear": [(cache: LruCache<number>) => cache.clear(), undefined],
} as const;

for (const [how, [change, after]] of Object.entries(OVERTAKING)) {
  Deno.test(`LruCache.getOrSet() gives a value that ${how}() has overtaken to who waits for it, and does not store it`, async () => {
    const { cache } = fixture();
    const [older, newer] = [Promise.withResolvers<number>(), Promise.withResolvers<number>()];
    const first = cache.getOrSet("a", () => older.promise);
    change(cache);
    assertEquals(cache.get("a"), after);
    const second = cache.getOrSet("a", () => newer.promise);
    older.resolve(1);
    assertEquals([await first, cache.get("a")], [1, after]);
    newer.resolve(2);
    assertEquals([await second, cache.get("a")], after === undefined ? [2, 2] : [after, after]);
  });

  Deno.test(`LruCache.getOrSet() leaves what comes after ${how}() alone when an overtaken promise rejects`, async () => {
    const { cache } = fixture();
    const older = Promise.withResolvers<number>();
    const first = Promise.resolve(cache.getOrSet("a", () => older.promise));
    change(cache);
    const second = cache.getOrSet("a", () => Promise.resolve(2));
    older.reject(new Error("no"));
    await assertRejects(() => first, Error, "no");
    assertEquals([await second, cache.get("a")], after === undefined ? [2, 2] : [after, after]);
  });
}

Deno.test("LruCache.getOrSet() goes on with a key when another is set or deleted", async () => {
  const { cache } = fixture();
  const { promise, resolve } = Promise.withResolvers<number>();
  const first = cache.getOrSet("a", () => promise);
  cache.set("b", 2);
  cache.delete("b");
  assertStrictEquals(cache.getOrSet("a", () => 5), first);
  resolve(1);
  assertEquals([await first, cache.get("a")], [1, 1]);
});

Deno.test("LruCache.getOrSet() gives a value that is larger than the cache, and does not store it", async () => {
  const { cache } = fixture({ maxTotalSize: 10, sizeOf: (value) => value });
  assertStrictEquals(cache.getOrSet("a", () => 11), 11);
  assertStrictEquals(await cache.getOrSet("a", () => Promise.resolve(12)), 12);
  assertEquals(cache.has("a"), false);
});

Deno.test("LruCache.getOrSet() says what is wrong before it computes, and what sizeOf refuses to who waits", async () => {
  const { cache } = fixture({ maxTotalSize: 10, sizeOf: (value) => value });
  const never = () => {
    throw new Error("it was called");
  };
  assertThrows(() => cache.getOrSet("a", never, { ttlMs: -1 }), RangeError, "Cannot use ttlMs: it must be 0");
  assertThrows(() => cache.getOrSet("a", never, { ttl: 1 } as LruSetOptions), TypeError, "unknown option ttl");
  const compute = 5 as unknown as () => number;
  assertThrows(
    () => cache.getOrSet("a", compute),
    TypeError,
    "Cannot get or set: compute must be a function: received 5",
  );
  const refused = Promise.resolve(cache.getOrSet("a", () => Promise.resolve(-1)));
  await assertRejects(() => refused, RangeError, "sizeOf must return");
  assertStrictEquals(cache.getOrSet("a", () => 1), 1);
});
