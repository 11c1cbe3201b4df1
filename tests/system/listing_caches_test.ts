/** Calls of every `OrmucoCache` for many entries: `storeMany`, `removeMany` and `keys`. */

import { assertEquals, assertRejects } from "@std/assert";
import { type Case, testAll } from "../support/caches.ts";
import { stillTime } from "../support/still_time.ts";
import type { EntryOptions, KeysOptions, OrmucoCache } from "../../mod.ts";

/** Entries that a cache holds in cases that need more than what is moved at once. */
const MANY = 8000;

/** The keys of a cache, sorted; fails where one comes twice. */
async function keysOf(cache: OrmucoCache, options?: KeysOptions): Promise<string[]> {
  const keys: string[] = [];
  for await (const key of cache.keys(options)) keys.push(key);
  assertEquals(new Set(keys).size, keys.length);
  return keys.sort();
}

function pairs(count: number, name: string): [string, number][] {
  return Array.from({ length: count }, (_, i) => [`${name}:${i}`, i]);
}

const STORE_MANY: Record<string, Case> = {
  ".storeMany() stores all, from pairs, a map or an object": async (cache) => {
    assertEquals(await cache.storeMany([["a", 1], ["b", "text"], ["c", undefined]]), true);
    assertEquals(await cache.storeMany(new Map<string, unknown>([["d", [1, { x: 2 }]]])), true);
    assertEquals(await cache.storeMany(Object.entries({ e: new Date(5) })), true);
    assertEquals(
      await cache.retrieveMany(["a", "b", "c", "d", "e", "f"]),
      new Map<string, unknown>([["a", 1], ["b", "text"], ["c", undefined], ["d", [1, { x: 2 }]], ["e", new Date(5)]]),
    );
    assertEquals([await cache.storeMany([]), (await cache.stats()).stores], [true, 5]);
  },
  ".storeMany() stores the last value of a key that comes twice": async (cache) => {
    await cache.store("a", 0);
    assertEquals(await cache.storeMany([["a", 1], ["b", 2], ["a", 3]]), true);
    assertEquals([await cache.retrieve("a"), await cache.retrieve("b")], [3, 2]);
    assertEquals((await cache.stats()).stores, 3);
  },
  ".storeMany() gives all entries the options": async (cache) => {
    using time = stillTime();
    await cache.storeMany([["a", 1], ["b", 1]], { ttlMs: 60_000, renewOnHit: false });
    await cache.storeMany([["c", 1]], { ttlMs: 60_000 });
    time.nowMs += 20_000;
    const remaining = ["a", "b", "c"].map(async (key) => Math.round((await cache.retrieveEntry(key))!.remainingMs));
    assertEquals(await Promise.all(remaining), [40_000, 40_000, 60_000]);
  },
  ".storeMany() stores none where a key, a value, a pair or an option is wrong": async (cache) => {
    await cache.store("a", "old");
    const values: [unknown, ErrorConstructor][] = [[[["a", 1], ["", 1]], RangeError], [
      [["a", 1], ["b", Promise.resolve(1)]],
      TypeError,
    ]];
    const shapes = ["a", 7, null, undefined, {}, [["a", 1], 7], [["a", 1], null], [["a", 1], ["b"]], [["a", 1], "bc"]];
    for (const [entries, kind] of [...values, ...shapes.map((shape) => [shape, TypeError] as const)]) {
      await assertRejects(() => cache.storeMany(entries as [string, unknown][]), kind);
    }
    await assertRejects(() => cache.storeMany([["a", 1]], { ttlMs: -1 }), RangeError, "ttlMs");
    await assertRejects(() => cache.storeMany([["a", 1]], { onlyIf: "absent" } as EntryOptions), TypeError, "onlyIf");
    assertEquals([await keysOf(cache), await cache.retrieve("a"), (await cache.stats()).stores], [["a"], "old", 1]);
  },
};

const REMOVE_MANY: Record<string, Case> = {
  ".removeMany() says how many had an entry, each once": async (cache) => {
    await cache.storeMany(pairs(10, "k"));
    assertEquals(await cache.removeMany(["k:0", "none", "k:1", "k:0"]), 2);
    assertEquals(await cache.removeMany(new Set(["k:0", "k:2"])), 1);
    assertEquals(await cache.removeMany([]), 0);
    assertEquals(await keysOf(cache), pairs(10, "k").slice(3).map(([key]) => key));
    assertEquals((await cache.retrieveMany(["k:0", "k:1", "k:2", "k:3"])).size, 1);
  },
  ".removeMany() removes none where a key is wrong": async (cache) => {
    await cache.store("a", 1);
    await assertRejects(() => cache.removeMany(["a", "\udc00"]), RangeError, "Cannot use key");
    assertEquals(await cache.retrieve("a"), 1);
  },
};

const KEYS: Record<string, Case> = {
  ".keys() gives the keys of all entries": async (cache) => {
    assertEquals(await keysOf(cache), []);
    const keys = ["a", "A", "0", "é", "e\u0301", "😀", " ", "\0", "\ufeffa", "__proto__", "x".repeat(3000)].sort();
    await cache.storeMany(keys.map((key) => [key, 1]));
    await cache.store("removed", 1);
    await cache.remove("removed");
    assertEquals(await keysOf(cache), keys);
    assertEquals(await keysOf(cache, {}), keys);
    await cache.clear();
    assertEquals(await keysOf(cache), []);
  },
  ".keys() gives those that begin with a prefix": async (cache) => {
    await cache.storeMany([...pairs(3, "a"), ...pairs(3, "ab"), ["a", 1], ["é1", 1], ["è1", 1], ["ba", 1]]);
    assertEquals(await keysOf(cache, { prefix: "a:" }), ["a:0", "a:1", "a:2"]);
    assertEquals(await keysOf(cache, { prefix: "a" }), ["a", "a:0", "a:1", "a:2", "ab:0", "ab:1", "ab:2"]);
    assertEquals([await keysOf(cache, { prefix: "ba" }), await keysOf(cache, { prefix: "baa" })], [["ba"], []]);
    assertEquals([await keysOf(cache, { prefix: "é" }), await keysOf(cache, { prefix: "É" })], [["é1"], []]);
    assertEquals((await keysOf(cache, { prefix: "" })).length, 10);
  },
  ".keys() leaves out what is not fresh, and is no use of the entries": async (cache) => {
    using time = stillTime();
    await cache.store("expires", 1, { ttlMs: 60_000 });
    await cache.retrieveOrStore("stale", () => 1, { ttlMs: 60_000, staleIfErrorMs: 600_000 });
    await cache.store("ever", 1, { ttlMs: 0 });
    time.nowMs += 40_000;
    assertEquals(await keysOf(cache), ["ever", "expires", "stale"]);
    time.nowMs += 40_000;
    assertEquals(await keysOf(cache), ["ever"]);
    const { hits, misses } = await cache.stats();
    assertEquals([hits, misses], [0, 1]);
  },
  ".keys() may be left before its end, and used by two at once": async (cache) => {
    await cache.storeMany(pairs(10, "k"));
    for await (const _key of cache.keys()) break;
    const [one, other] = await Promise.all([keysOf(cache), keysOf(cache)]);
    assertEquals([one.length, one], [10, other]);
  },
  ".keys() rejects options that are wrong, when it is iterated": async (cache) => {
    const wrong: [unknown, ErrorConstructor, string][] = [
      [{ prefix: 7 }, RangeError, "prefix must be"],
      [{ prefix: "\udc00" }, RangeError, "prefix must be"],
      [{ prefx: "a" }, TypeError, "unknown option prefx: did you mean prefix?"],
      ["a", TypeError, "options must be an object"],
    ];
    for (const [options, kind, words] of wrong) {
      const keys = cache.keys(options as KeysOptions);
      await assertRejects(async () => await keys[Symbol.asyncIterator]().next(), kind, words);
    }
    assertEquals(await keysOf(cache, null as unknown as KeysOptions), []);
  },
  ".keys() ends when its signal is aborted": async (cache) => {
    await cache.storeMany(pairs(10, "k"));
    const stop = new AbortController();
    const keys = cache.keys({ signal: stop.signal })[Symbol.asyncIterator]();
    assertEquals((await keys.next()).done, false);
    stop.abort(new Error("enough"));
    await assertRejects(
      async () => {
        while (!(await keys.next()).done); // what has been fetched may still come
      },
      Error,
      "enough",
    );
  },
};

/** Cases of caches that hold `MANY` entries. */
const LARGE: Record<string, Case> = {
  "stores, lists and removes thousands at once": async (cache) => {
    const entries = pairs(5000, "k");
    assertEquals(await cache.storeMany(entries), true);
    const names = entries.map(([key]) => key);
    assertEquals(await keysOf(cache), [...names].sort());
    assertEquals(await cache.retrieveMany(names), new Map(entries));
    assertEquals(await cache.removeMany([...names.slice(1000), "none"]), 4000);
    assertEquals(await keysOf(cache), names.slice(0, 1000).sort());
  },
  "stores values of megabytes at once": async (cache) => {
    const entries = Array.from({ length: 5 }, (_, i) => [`k${i}`, `${i}`.repeat(800_000)] as const);
    assertEquals(await cache.storeMany([...entries, ["small", 1]]), true);
    for (const [key, text] of entries) assertEquals(await cache.retrieve(key) === text, true);
    assertEquals(await cache.retrieve("small"), 1);
  },
  "lists once what is there all the time, while other keys come and go": async (cache) => {
    await cache.storeMany(pairs(3000, "stays"));
    await cache.storeMany(pairs(2000, "goes"));
    const found: string[] = [];
    for await (const key of cache.keys()) {
      const n = found.push(key);
      if (n % 10 !== 1) continue;
      await cache.store(`comes:${n}`, n);
      await cache.removeMany([`goes:${n % 2000}`, `goes:${n % 2000 + 1}`]);
      await cache.store(`stays:${n % 3000}`, "another value");
      await cache.retrieve(`stays:${(n + 1) % 3000}`);
    }
    assertEquals(new Set(found).size, found.length);
    const stays = found.filter((key) => key.startsWith("stays:")).sort();
    assertEquals(stays, pairs(3000, "stays").map(([key]) => key).sort());
  },
};

testAll({ ...STORE_MANY, ...REMOVE_MANY, ...KEYS });
testAll(LARGE, MANY);
