/** One list of test cases for every `OrmucoCache`: what stands behind a cache makes no difference to who uses it. */

import { assertEquals, assertRejects } from "@std/assert";
import { MAX_KEY_BYTES, MAX_VALUE_BYTES } from "../../lib/base/limits.ts";
import { type Case, KINDS, MAX_SIZE, testAll } from "../support/caches.ts";
import { until } from "../support/waiting.ts";
import type { StoreValueOptions } from "../../mod.ts";

const BAD_KEYS: unknown[] = ["", "\udc00", "x".repeat(4097), "é".repeat(2049), 7, null, undefined];

const CASES: Record<string, Case> = {
  "returns what was stored, and undefined on a miss": async (cache) => {
    assertEquals(await cache.retrieve("k"), undefined);
    for (const value of ["text", 7, -0, 12n, true, null, [1, [2]], { a: { b: "c" } }, new Date(5), new Map([[1, 2]])]) {
      assertEquals(await cache.store("k", value), true);
      assertEquals(await cache.retrieve("k"), value);
    }
  },
  "tells a stored undefined from a miss": async (cache) => {
    await cache.store("k", undefined);
    assertEquals([await cache.has("k"), await cache.retrieve("k")], [true, undefined]);
    assertEquals(await cache.retrieveMany(["k", "none"]), new Map([["k", undefined]]));
    const { hits, misses } = await cache.stats();
    assertEquals([hits, misses], [2, 1]);
  },
  "finds many at once, each once, and leaves misses out": async (cache) => {
    for (let i = 0; i < 50; i++) await cache.store(`key:${i}`, i);
    const keys = Array.from({ length: 60 }, (_, i) => `key:${i}`);
    const found = await cache.retrieveMany<number>([...keys, ...keys]);
    assertEquals(found, new Map(Array.from({ length: 50 }, (_, i) => [`key:${i}`, i])));
    assertEquals(await cache.retrieveMany([]), new Map());
    const { hits, misses, stores } = await cache.stats();
    assertEquals([hits, misses, stores], [50, 10, 50]);
  },
  "says whether there was something to remove": async (cache) => {
    await cache.store("k", 1);
    assertEquals([await cache.remove("k"), await cache.remove("k")], [true, false]);
    assertEquals([await cache.has("k"), await cache.retrieve("k")], [false, undefined]);
  },
  "removes everything": async (cache) => {
    for (let i = 0; i < 10; i++) await cache.store(`key:${i}`, i);
    assertEquals(await cache.clear(), true);
    assertEquals((await cache.retrieveMany(Array.from({ length: 10 }, (_, i) => `key:${i}`))).size, 0);
    assertEquals(await cache.store("key:1", 1), true);
  },
  "lets the least recently used go first": async (cache) => {
    for (let i = 0; i < MAX_SIZE; i++) await cache.store(`key:${i}`, i);
    await cache.retrieve("key:0");
    await cache.has("key:1"); // no use
    await cache.store("new", 1);
    assertEquals([await cache.has("key:0"), await cache.has("key:1"), await cache.has("key:2")], [true, false, true]);
  },
  "keeps keys of any text apart": async (cache, prefix) => {
    const longest = "x".repeat(MAX_KEY_BYTES - prefix.length);
    const keys = ["a", "A", "0", "00", "é", "e\u0301", "😀", " ", "\0", "\ufeffa", "__proto__", longest];
    for (const key of keys) await cache.store(key, key);
    for (const key of keys) assertEquals(await cache.retrieve(key), key);
    assertEquals([...(await cache.retrieveMany(keys)).values()].sort(), [...keys].sort());
  },
  "lets an entry expire by its own time to live": async (cache) => {
    await cache.store("short", 1, { ttlMs: 1 });
    await cache.store("never", 1, { ttlMs: 0 });
    await cache.store("endless", 1, { ttlMs: Infinity });
    await until("it has expired", async () => !await cache.has("short"));
    assertEquals([await cache.retrieve("short"), await cache.has("never"), await cache.has("endless")], [
      undefined,
      true,
      true,
    ]);
  },
  "rejects a key that is none, in every call": async (cache) => {
    for (const key of BAD_KEYS as string[]) {
      await assertRejects(() => cache.store(key, 1), RangeError, "Cannot use key");
      await assertRejects(() => cache.retrieve(key), RangeError, "Cannot use key");
      await assertRejects(() => cache.retrieveMany(["fine", key]), RangeError, "Cannot use key");
      await assertRejects(() => cache.has(key), RangeError, "Cannot use key");
      await assertRejects(() => cache.remove(key), RangeError, "Cannot use key");
      await assertRejects(() => cache.retrieveEntry(key), RangeError, "Cannot use key");
      await assertRejects(() => cache.take(key), RangeError, "Cannot use key");
      await assertRejects(() => cache.touch(key), RangeError, "Cannot use key");
      await assertRejects(() => cache.increment(key, 1, { initial: 1 }), RangeError, "Cannot use key");
      await assertRejects(() => cache.removeMany(["fine", key]), RangeError, "Cannot use key");
      await assertRejects(() => cache.storeMany([["fine", 1], [key, 1]]), RangeError, "Cannot use key");
    }
    assertEquals(await cache.has("fine"), false);
    const { hits, misses, stores } = await cache.stats();
    assertEquals([hits, misses, stores], [0, 0, 0]);
  },
  "rejects keys that are no list: a text is one key, not many of one character": async (cache) => {
    await cache.store("k", 1);
    for (const keys of ["k", undefined, null, 7, {}] as unknown as string[][]) {
      const words = "Cannot use keys: they must be a list of keys: received";
      await assertRejects(() => cache.retrieveMany(keys), TypeError, words);
      await assertRejects(() => cache.removeMany(keys), TypeError, words);
    }
    assertEquals(await cache.retrieveMany(new Set(["k"])), new Map([["k", 1]]));
  },
  "answers a ping": async (cache) => assertEquals(await cache.ping(), undefined),
  "rejects a ttl out of range and a promise": async (cache) => {
    for (const ttlMs of [-1, NaN, 2 ** 53, "7" as unknown as number]) {
      await assertRejects(() => cache.store("k", 1, { ttlMs }), RangeError, "ttlMs");
    }
    await assertRejects(() => cache.store("k", Promise.resolve(1)), TypeError, "Cannot store a Promise");
    assertEquals(await cache.has("k"), false);
  },
  "rejects options of a store that are none, naming them": async (cache) => {
    const cases: [unknown, string][] = [
      [{ ttl: 60 }, "Cannot store: unknown option ttl: did you mean ttlMs?"],
      [{ ttlMs: 60, expiry: 5 }, "unknown option expiry"],
      [60_000, "options must be an object: received 60000"],
      ["60000", 'options must be an object: received "60000"'],
    ];
    for (const [options, words] of cases) {
      await assertRejects(() => cache.store("k", 1, options as StoreValueOptions), TypeError, words);
    }
    assertEquals(await cache.has("k"), false);
    assertEquals(await cache.store("k", 1, null as unknown as StoreValueOptions), true);
  },
  "leaves no older value where it refuses a newer one, but the other entries": async (cache) => {
    await cache.store("k", "old");
    await cache.store("other", 1);
    await assertRejects(() => cache.store("k", Promise.resolve(1)), TypeError, "Cannot store a Promise");
    assertEquals([await cache.has("k"), await cache.retrieve("k"), await cache.has("other")], [false, undefined, true]);
  },
  "keeps the value of a key where a store is no store for its ttl or its key": async (cache) => {
    await cache.store("k", "old");
    await assertRejects(() => cache.store("k", "new", { ttlMs: -1 }), RangeError);
    await assertRejects(() => cache.store("", "new"), RangeError);
    assertEquals(await cache.retrieve("k"), "old");
  },
  "may be closed twice": async (cache) => {
    await cache.store("k", 1);
    await cache.close();
    await cache.close();
    await cache[Symbol.asyncDispose]();
  },
};

/** What a cache that copies values refuses: by `false` or by an error. */
const REFUSED: Record<string, unknown> = {
  "of more than 16 MiB": new Uint8Array(MAX_VALUE_BYTES + 1),
  "of 17 MiB of text": "x".repeat(17 * 1024 * 1024),
  "with a function": { items: [() => {}] },
  "that costs too much to read": Array.from({ length: 3_000_000 }, (_, i) => ({ [`k${i}`]: i })),
};
const COPYING = [
  "LocalCache",
  "OrmucoCacheClient without a server, with copies",
  "OrmucoCacheClient with a server",
  "A namespace of LocalCache",
];

for (const kind of COPYING) {
  for (const [what, value] of Object.entries(REFUSED)) {
    Deno.test(`${kind} leaves no older value where it refuses one ${what}`, () =>
      KINDS[kind](async (cache) => {
        await cache.store("k", "old");
        const error = await cache.store("k", value).then((isStored) => isStored, (error) => error);
        assertEquals(error === false || error instanceof TypeError || error instanceof RangeError, true, `${error}`);
        assertEquals([await cache.has("k"), await cache.retrieve("k")], [false, undefined]);
        assertEquals([await cache.store("k", "new"), await cache.retrieve("k")], [true, "new"]);
      }));
  }
}

testAll(CASES);
