/** Calls of every `OrmucoCache` that say or ask more of an entry than its value: `retrieveEntry`, `onlyIf`, `take`, `touch`. */

import { assertEquals, assertRejects } from "@std/assert";
import { type Case, MAX_SIZE, testAll } from "../support/caches.ts";
import { stillTime } from "../support/still_time.ts";
import type { OrmucoCache, StoreValueOptions } from "../../mod.ts";

/** The version of an entry. */
async function versionOf(cache: OrmucoCache, key: string): Promise<number> {
  return (await cache.retrieveEntry(key))!.version;
}

/** What remains of an entry, in whole milliseconds. */
async function remainingMs(cache: OrmucoCache, key: string): Promise<number> {
  return Math.round((await cache.retrieveEntry(key))!.remainingMs);
}

/** What `changes` resolve to that are made at once, those of `count` callers. */
function atOnce<T>(count: number, change: (i: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, i) => change(i)));
}

const ENTRY: Record<string, Case> = {
  ".retrieveEntry() gives the value, or undefined on a miss, and counts as a hit or a miss": async (cache) => {
    assertEquals(await cache.retrieveEntry("k"), undefined);
    for (const value of ["text", 7, null, undefined, [1, [2]], new Map([[1, 2]])]) {
      await cache.store("k", value, { ttlMs: 0 });
      const entry = await cache.retrieveEntry("k");
      assertEquals([entry!.value, entry!.remainingMs], [value, Infinity]);
    }
    const { hits, misses } = await cache.stats();
    assertEquals([hits, misses], [6, 1]);
  },
  ".retrieveEntry() says what remains of it, which a hit renews": async (cache) => {
    using time = stillTime();
    await cache.store("renewed", 1, { ttlMs: 60_000 });
    await cache.store("fixed", 1, { ttlMs: 60_000, renewOnHit: false });
    assertEquals([await remainingMs(cache, "renewed"), await remainingMs(cache, "fixed")], [60_000, 60_000]);
    time.nowMs += 20_000;
    assertEquals([await remainingMs(cache, "renewed"), await remainingMs(cache, "fixed")], [60_000, 40_000]);
    time.nowMs += 40_000;
    assertEquals([await remainingMs(cache, "renewed"), await cache.retrieveEntry("fixed")], [60_000, undefined]);
  },
  ".retrieveEntry() says for how long a value is fresh that is kept for longer": async (cache) => {
    using time = stillTime();
    await cache.retrieveOrStore("k", () => 1, { ttlMs: 60_000, staleIfErrorMs: 60_000 });
    time.nowMs += 20_000;
    assertEquals(await remainingMs(cache, "k"), 40_000);
    time.nowMs += 50_000;
    assertEquals(await cache.retrieveEntry("k"), undefined);
  },
  ".retrieveEntry() gives a version that every change of the entry changes, and nothing else": async (cache) => {
    await cache.store("k", 1);
    const first = await versionOf(cache, "k");
    assertEquals([Number.isSafeInteger(first), first >= 0], [true, true], `${first}`);
    await cache.store("other", 1);
    await cache.retrieve("k");
    await cache.has("k");
    await cache.store("k", 2, { onlyIf: "absent" });
    assertEquals(await versionOf(cache, "k"), first);
    const seen = [first];
    const changes: ((cache: OrmucoCache) => Promise<void>)[] = [
      async (cache) => void await cache.store("k", 1),
      async (cache) => void await cache.store("k", 1, { ttlMs: 60_000 }),
      async (cache) => void await cache.store("k", 1, { onlyIf: "present" }),
      async (cache) => void await cache.storeMany([["k", 1]]),
      async (cache) => void await cache.increment("k"),
      async (cache) => void await cache.touch("k", 50_000),
      async (cache) => void (await cache.remove("k"), await cache.store("k", 1)),
      async (cache) => void (await cache.take("k"), await cache.store("k", 1)),
      async (cache) => void (await cache.clear(), await cache.store("k", 1)),
    ];
    for (const change of changes) {
      await change(cache);
      seen.push(await versionOf(cache, "k"));
    }
    assertEquals(new Set(seen).size, changes.length + 1, `${seen}`);
  },
};

const ONLY_IF: Record<string, Case> = {
  ".store() with onlyIf absent stores only where there is no entry": async (cache) => {
    assertEquals(await cache.store("k", "first", { onlyIf: "absent", ttlMs: 0 }), true);
    assertEquals(await cache.store("k", "second", { onlyIf: "absent", ttlMs: 1 }), false);
    const { value, remainingMs } = (await cache.retrieveEntry("k"))!;
    assertEquals([value, remainingMs], ["first", Infinity]);
    await cache.remove("k");
    assertEquals([await cache.store("k", "third", { onlyIf: "absent" }), await cache.retrieve("k")], [true, "third"]);
    assertEquals((await cache.stats()).stores, 2);
  },
  ".store() with onlyIf present stores only where there is an entry": async (cache) => {
    assertEquals(await cache.store("k", "first", { onlyIf: "present" }), false);
    assertEquals(await cache.has("k"), false);
    await cache.store("k", "second");
    assertEquals([await cache.store("k", "third", { onlyIf: "present" }), await cache.retrieve("k")], [true, "third"]);
    assertEquals((await cache.stats()).stores, 2);
  },
  ".store() with onlyIf of a version stores only where the entry has it": async (cache) => {
    assertEquals(await cache.store("k", "none", { onlyIf: 0 }), false);
    await cache.store("k", "first");
    const version = await versionOf(cache, "k");
    assertEquals(await cache.store("k", "second", { onlyIf: version }), true);
    assertEquals(await cache.store("k", "stale", { onlyIf: version }), false);
    assertEquals(await cache.store("k", "stale", { onlyIf: version + 2 ** 40 }), false);
    assertEquals(await cache.retrieve("k"), "second");
    const last = await versionOf(cache, "k");
    await cache.remove("k");
    assertEquals([await cache.store("k", "stale", { onlyIf: last }), await cache.has("k")], [false, false]);
  },
  ".store() with onlyIf lets one of 10 callers at once store": async (cache) => {
    const absent = await atOnce(10, (i) => cache.store("k", i, { onlyIf: "absent" }));
    assertEquals(absent.filter(Boolean).length, 1);
    assertEquals(await cache.retrieve("k"), absent.indexOf(true));
    const onlyIf = await versionOf(cache, "k");
    const versioned = await atOnce(10, (i) => cache.store("k", 10 + i, { onlyIf }));
    assertEquals(versioned.filter(Boolean).length, 1);
    assertEquals(await cache.retrieve("k"), 10 + versioned.indexOf(true));
  },
  ".store() with onlyIf takes an entry that is not fresh for none": async (cache) => {
    using time = stillTime();
    await cache.store("expired", 1, { ttlMs: 1000, renewOnHit: false });
    await cache.retrieveOrStore("stale", () => 1, { ttlMs: 1000, staleIfErrorMs: 60_000 });
    time.nowMs += 2000;
    for (const key of ["expired", "stale"]) {
      assertEquals(await cache.store(key, "present", { onlyIf: "present" }), false);
      assertEquals([await cache.store(key, "absent", { onlyIf: "absent" }), await cache.retrieve(key)], [
        true,
        "absent",
      ]);
    }
  },
  ".store() with onlyIf gives the entry the options beside it": async (cache) => {
    using time = stillTime();
    await cache.store("k", 1);
    await cache.store("k", 2, { onlyIf: "present", ttlMs: 60_000, renewOnHit: false });
    time.nowMs += 20_000;
    assertEquals(await remainingMs(cache, "k"), 40_000);
  },
  ".store() with onlyIf changes nothing where it refuses the value or the condition": async (cache) => {
    await cache.store("k", "old");
    for (const onlyIf of ["absent", "present"] as const) {
      await assertRejects(() => cache.store("k", Promise.resolve(1), { onlyIf }), TypeError, "Cannot store a Promise");
      assertEquals(await cache.retrieve("k"), "old");
    }
    for (const onlyIf of ["never", -1, 1.5, NaN, 2 ** 53, true, 7n]) {
      const options = { onlyIf } as unknown as StoreValueOptions;
      await assertRejects(() => cache.store("k", "new", options), RangeError, "Cannot store: onlyIf must be");
      assertEquals(await cache.retrieve("k"), "old");
    }
  },
};

const TAKE: Record<string, Case> = {
  ".take() gives the value and removes the entry": async (cache) => {
    assertEquals(await cache.take("k"), undefined);
    for (const value of ["text", 0, null, { a: [1] }, new Date(5)]) {
      await cache.store("k", value);
      await cache.retrieve("k");
      assertEquals([await cache.take("k"), await cache.has("k"), await cache.retrieve("k")], [value, false, undefined]);
    }
    const { hits, misses } = await cache.stats();
    assertEquals([hits, misses], [10, 6]);
  },
  ".take() removes a stored undefined, too": async (cache) => {
    await cache.store("k", undefined);
    assertEquals([await cache.take("k"), await cache.has("k")], [undefined, false]);
    assertEquals((await cache.stats()).hits, 1);
  },
  ".take() gives a value once, to one of 10 callers at once": async (cache) => {
    await cache.store("k", "once");
    const taken = await atOnce(10, () => cache.take("k"));
    assertEquals(taken.filter((value) => value !== undefined), ["once"]);
    assertEquals((await cache.stats()).misses, 9);
  },
};

const TOUCH: Record<string, Case> = {
  ".touch() says whether there is an entry, and makes none": async (cache) => {
    assertEquals([await cache.touch("k"), await cache.touch("k", 1000), await cache.has("k")], [false, false, false]);
    await cache.store("k", "value");
    assertEquals([await cache.touch("k"), await cache.touch("k", 1000), await cache.retrieve("k")], [
      true,
      true,
      "value",
    ]);
    const { hits, misses, stores } = await cache.stats();
    assertEquals([hits, misses, stores], [1, 0, 1]);
  },
  ".touch() restarts the entry's own time to live": async (cache) => {
    using time = stillTime();
    await cache.store("k", 1, { ttlMs: 60_000, renewOnHit: false });
    for (let i = 0; i < 3; i++) {
      time.nowMs += 40_000;
      assertEquals(await cache.touch("k"), true);
    }
    assertEquals(await remainingMs(cache, "k"), 60_000);
    time.nowMs += 61_000;
    assertEquals([await cache.touch("k"), await cache.has("k")], [false, false]);
  },
  ".touch() gives the entry another time to live, which remains its own": async (cache) => {
    using time = stillTime();
    await cache.store("k", 1, { ttlMs: 1000, renewOnHit: false });
    assertEquals([await cache.touch("k", 60_000), await remainingMs(cache, "k")], [true, 60_000]);
    time.nowMs += 20_000;
    assertEquals([await remainingMs(cache, "k"), await cache.touch("k"), await remainingMs(cache, "k")], [
      40_000,
      true,
      60_000,
    ]);
    for (const ever of [0, Infinity]) {
      await cache.store("k", 1, { ttlMs: 1000, renewOnHit: false });
      assertEquals([await cache.touch("k", ever), await remainingMs(cache, "k")], [true, Infinity]);
    }
  },
  ".touch() makes the entry the most recently used": async (cache) => {
    for (let i = 0; i < MAX_SIZE; i++) await cache.store(`key:${i}`, i);
    await cache.touch("key:0");
    await cache.store("new", 1);
    assertEquals([await cache.has("key:0"), await cache.has("key:1"), await cache.has("key:2")], [true, false, true]);
  },
  ".touch() rejects a time to live out of range": async (cache) => {
    await cache.store("k", 1);
    const version = await versionOf(cache, "k");
    for (const ttlMs of [-1, NaN, 2 ** 53, "7" as unknown as number]) {
      await assertRejects(() => cache.touch("k", ttlMs), RangeError, "ttlMs");
    }
    assertEquals(await versionOf(cache, "k"), version);
  },
};

testAll({ ...ENTRY, ...ONLY_IF, ...TAKE, ...TOUCH });
