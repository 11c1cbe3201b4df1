/** The calls of a cache in memory, with and without copies: what they do, refuse and leave as it was. */

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import type { CallOptions, OrmucoCache, StoreValueOptions } from "../../lib/base/cache.ts";
import { CacheError } from "../../lib/base/errors.ts";
import { MAX_VALUE_BYTES } from "../../lib/base/limits.ts";
import { MemoryCache } from "../../lib/client/memory_cache.ts";
import { held } from "../support/compute_backend.ts";
import { stillTime } from "../support/still_time.ts";

const TOP = 2n ** 64n - 1n;
const TOO_LARGE = "x".repeat(MAX_VALUE_BYTES + 1);

/** A test of a cache without copies, and of one with them. */
function both(name: string, test: (cache: MemoryCache, errors: CacheError[]) => Promise<void>, ttlMs?: number): void {
  for (const copies of [false, true]) {
    Deno.test(`MemoryCache${copies ? " with copies" : ""} ${name}`, async () => {
      const errors: CacheError[] = [];
      await test(new MemoryCache({ copies, ttlMs, onError: (error) => errors.push(error) }), errors);
    });
  }
}

/** Every call that takes options. */
const CALLS: Record<string, (cache: OrmucoCache, options: CallOptions) => Promise<unknown>> = {
  store: (cache, options) => cache.store("k", 1, options),
  "store with a condition": (cache, options) => cache.store("k", 1, { onlyIf: "present", ...options }),
  storeMany: (cache, options) => cache.storeMany([["k", 1]], options),
  retrieve: (cache, options) => cache.retrieve("k", options),
  retrieveEntry: (cache, options) => cache.retrieveEntry("k", options),
  retrieveMany: (cache, options) => cache.retrieveMany(["k"], options),
  take: (cache, options) => cache.take("k", options),
  has: (cache, options) => cache.has("k", options),
  touch: (cache, options) => cache.touch("k", 0, options),
  increment: (cache, options) => cache.increment("k", 1, options),
  remove: (cache, options) => cache.remove("k", options),
  removeMany: (cache, options) => cache.removeMany(["k"], options),
  keys: (cache, options) => Array.fromAsync(cache.keys(options)),
  clear: (cache, options) => cache.clear(options),
  "clear of a namespace": (cache, options) => cache.namespace("k").clear(options),
  ping: (cache, options) => cache.ping(options),
};

both("does nothing when a signal is aborted, and rejects with its reason", async (cache) => {
  await cache.store("k", 5);
  const before = await cache.stats();
  for (const [name, call] of Object.entries(CALLS)) {
    const signal = AbortSignal.abort(new Error(`no ${name}`));
    await assertRejects(() => call(cache, { signal, timeoutMs: 5 }), Error, `no ${name}`);
  }
  assertEquals(await cache.stats(), before);
  assertEquals(await cache.retrieveEntry("k"), { value: 5, remainingMs: 3_600_000, version: 0 });
});

both("takes a time-out and a signal that is not aborted, and no other option", async (cache) => {
  const { signal } = new AbortController();
  for (const call of Object.values(CALLS)) {
    await cache.store("k", 5);
    await call(cache, { signal, timeoutMs: 5 });
    await call(cache, null as unknown as CallOptions);
    await assertRejects(() => call(cache, { timeoutMs: 0 }), RangeError, "timeoutMs must be more than 0");
    const wrong = { timeout: 5 } as CallOptions;
    await assertRejects(() => call(cache, wrong), TypeError, "unknown option timeout: did you mean timeoutMs?");
  }
});

both("stores only where there is what onlyIf asks for", async (cache, errors) => {
  assertEquals(await cache.store("k", 1, { onlyIf: "present" }), false);
  assertEquals(await cache.store("k", 1, { onlyIf: 0 }), false);
  assertEquals(await cache.has("k"), false);
  assertEquals(await cache.store("k", 1, { onlyIf: "absent", ttlMs: 50 }), true);
  assertEquals(await cache.store("k", 2, { onlyIf: "absent" }), false);
  assertEquals(await cache.store("k", 2, { onlyIf: "present" }), true);
  const { value, version } = (await cache.retrieveEntry("k"))!;
  assertEquals(value, 2);
  assertEquals(await cache.store("k", 3, { onlyIf: version + 1 }), false);
  assertEquals(await cache.store("k", 3, { onlyIf: version, ttlMs: 40 }), true);
  assertEquals(await cache.store("k", 4, { onlyIf: version }), false);
  assertEquals((await cache.retrieveEntry("k"))?.value, 3);
  assertEquals([(await cache.stats()).stores, errors], [3, []]);
});

both("leaves the older value where onlyIf is given and the newer is refused", async (cache) => {
  await cache.store("k", "old");
  for (const onlyIf of ["present", "absent"] as const) {
    await assertRejects(() => cache.store("k", Promise.resolve(1), { onlyIf }), TypeError, "Cannot store a Promise");
  }
  assertEquals(await cache.retrieve("k"), "old");
});

both("gives a version that every change of an entry changes, and no use of it", async (cache) => {
  const version = async () => (await cache.retrieveEntry("k"))?.version;
  const seen = new Set<number | undefined>();
  const changes: (() => Promise<unknown>)[] = [
    () => cache.store("k", 1),
    () => cache.store("k", 1),
    () => cache.storeMany([["k", 1]]),
    () => cache.increment("k", 0),
    () => cache.touch("k"),
    () => cache.remove("k"),
    () => cache.increment("k", 1, { initial: 1 }),
    () => cache.take("k"),
    () => cache.retrieveOrStore("k", () => 1, { ttlMs: 50 }),
    () => cache.clear(),
    () => cache.store("k", 1),
    () => cache.namespace("k").clear(),
    () => cache.retrieveOrStore("k", () => 1, { ttlMs: 50, staleIfErrorMs: 50 }),
    () => cache.increment("k", 1),
    () => cache.touch("k", 100),
  ];
  for (const [i, change] of changes.entries()) {
    await change();
    const now = await version();
    assert(now === undefined || !seen.has(now), `change ${i} gives ${now} again`);
    seen.add(now);
    await cache.retrieve("k");
    await cache.has("k");
    await cache.store("other", i);
    assertEquals(await version(), now, `change ${i}`);
  }
  assertEquals(seen.size, 12); // four of them have left no entry
});

both("keeps the version of an entry when many others come", async (cache) => {
  await cache.store("a", 1);
  await cache.retrieveEntry("a");
  await cache.store("k", 1);
  const before = await cache.retrieveEntry("k");
  for (let i = 0; i < 100; i++) await cache.store(`other ${i}`, i);
  assertEquals((await cache.retrieveEntry("k"))?.version, before?.version);
});

const USES: Record<string, (cache: MemoryCache) => Promise<unknown>> = {
  retrieve: (cache) => cache.retrieve("k"),
  retrieveEntry: (cache) => cache.retrieveEntry("k"),
  retrieveMany: (cache) => cache.retrieveMany(["k"]),
  touch: (cache) => cache.touch("k"),
  increment: (cache) => cache.increment("k"),
  store: (cache) => cache.store("k", 2, { onlyIf: "present" }),
};

for (const [name, use] of Object.entries(USES)) {
  Deno.test(`MemoryCache makes an entry the one used last by ${name}, also where some are kept for longer than they are fresh`, async () => {
    for (const staleIfErrorMs of [0, 1000]) {
      const cache = new MemoryCache({ maxSize: 3 });
      await cache.store("k", 1);
      await cache.retrieveOrStore("a", () => 1, { ttlMs: 1000, staleIfErrorMs });
      await cache.store("b", 1);
      await use(cache);
      await cache.has("a"); // no use
      await cache.store("c", 1);
      assertEquals([await cache.has("k"), await cache.has("a")], [true, false]);
    }
  });
}

both("tells how long an entry remains, after the hit that this is", async (cache) => {
  using time = stillTime();
  await cache.store("renewed", 1);
  await cache.store("fixed", 2, { ttlMs: 80, renewOnHit: false });
  await cache.store("never", 3, { ttlMs: 0 });
  await cache.retrieveOrStore("kept", () => 4, { ttlMs: 90, staleIfErrorMs: 1000 });
  await cache.retrieveOrStore("kept, renewed", () => 4, { ttlMs: 90, staleIfErrorMs: 1000, renewOnHit: true });
  time.nowMs += 30;
  const remaining = async (key: string) => (await cache.retrieveEntry(key))?.remainingMs;
  const all = ["renewed", "fixed", "never", "kept", "kept, renewed", "none"];
  assertEquals(await Promise.all(all.map(remaining)), [100, 50, Infinity, 60, 90, undefined]);
  time.nowMs += 60;
  assertEquals(await Promise.all(all.map(remaining)), [100, undefined, Infinity, undefined, 90, undefined]);
  const { hits, misses } = await cache.stats();
  assertEquals([hits, misses], [8, 4 + 2]); // the two that were computed were misses
}, 100);

both("restarts the time to live of an entry, or gives it another", async (cache) => {
  using time = stillTime();
  await cache.store("k", 1, { ttlMs: 10 });
  await cache.store("fixed", 1, { ttlMs: 10, renewOnHit: false });
  time.nowMs += 6;
  assertEquals([await cache.touch("k"), await cache.touch("fixed"), await cache.touch("none")], [true, true, false]);
  time.nowMs += 6;
  assertEquals([await cache.touch("k", 20), await cache.touch("fixed", Infinity)], [true, true]);
  time.nowMs += 19;
  assertEquals([await cache.has("k"), await cache.has("fixed")], [true, true]);
  time.nowMs += 1;
  assertEquals([await cache.touch("k"), await cache.has("k"), await cache.has("fixed")], [false, false, true]);
  for (const ttlMs of [-1, NaN, "5" as unknown as number]) {
    await assertRejects(() => cache.touch("fixed", ttlMs), RangeError, "ttlMs");
  }
});

both("touches what is kept for longer than it is fresh, and does not revive it", async (cache) => {
  using time = stillTime();
  const options = { ttlMs: 10, staleIfErrorMs: 20 };
  const fails = () => Promise.reject(new Error("no"));
  await cache.retrieveOrStore("k", () => "old", options);
  time.nowMs += 9;
  assertEquals(await cache.touch("k"), true);
  time.nowMs += 9;
  assertEquals(await cache.touch("k", 5), true);
  time.nowMs += 4;
  assertEquals(await cache.retrieve("k"), "old");
  time.nowMs += 1;
  assertEquals([await cache.touch("k"), await cache.has("k")], [false, false]);
  time.nowMs += 19;
  assertEquals(await cache.retrieveOrStore("k", fails, options), "old");
  time.nowMs += 1;
  await assertRejects(() => cache.retrieveOrStore("k", fails, options), Error, "no");
  await cache.retrieveOrStore("k", () => "old", options);
  assertEquals(await cache.touch("k", 0), true);
  time.nowMs += 1e9;
  assertEquals(await cache.retrieve("k"), "old");
});

both("takes a value once, and what is not fresh not at all", async (cache) => {
  using time = stillTime();
  await cache.store("k", { a: 1 });
  const taken = await Promise.all(Array.from({ length: 10 }, () => cache.take("k")));
  assertEquals(taken.filter((value) => value !== undefined), [{ a: 1 }]);
  await cache.retrieveOrStore("stale", () => 1, { ttlMs: 10, staleIfErrorMs: 20 });
  time.nowMs += 10;
  assertEquals([await cache.take("stale"), (await cache.stats()).entries], [undefined, 0]);
  const { hits, misses } = await cache.stats();
  assertEquals([hits, misses], [1, 11]);
});

both("stores many, of a key that comes twice the last", async (cache) => {
  assertEquals(await cache.storeMany([["a", 1], ["b", 2], ["a", undefined]], { ttlMs: 0 }), true);
  assertEquals(await cache.retrieveMany(["a", "b"]), new Map<string, unknown>([["a", undefined], ["b", 2]]));
  assertEquals([(await cache.retrieveEntry("a"))?.remainingMs, (await cache.stats()).stores], [Infinity, 2]);
  assertEquals([await cache.storeMany([]), await cache.storeMany(new Map([["c", 3]]))], [true, true]);
  assertEquals(await cache.removeMany(["a", "none", "c", "a"]), 2);
  assertEquals(await Array.fromAsync(cache.keys()), ["b"]);
});

both("stores none of many, and removes nothing, when one is no value, key or pair", async (cache) => {
  await cache.storeMany([["a", "old"], ["b", "old"]]);
  const none = Promise.resolve(1);
  for (const wrong of [["b", none], ["", 1], ["b"], "bc"] as unknown as [string, unknown][]) {
    await assertRejects(() => cache.storeMany([["a", "new"], wrong, ["new", 1]]));
  }
  await assertRejects(() => cache.storeMany([["a", "new"]], { onlyIf: "absent" } as StoreValueOptions), TypeError);
  assertEquals([await cache.retrieve("a"), await cache.retrieve("b"), await cache.has("new")], ["old", "old", false]);
  await assertRejects(() => cache.removeMany(["a", ""]), RangeError, "Cannot use key");
  await assertRejects(() => cache.removeMany("a"), TypeError, "Cannot use keys");
  assertEquals([await cache.has("a"), (await cache.stats()).stores], [true, 2]);
});

Deno.test("MemoryCache with copies stores the others of many where one is larger than a server takes", async () => {
  const errors: CacheError[] = [];
  const cache = new MemoryCache({ copies: true, onError: (error) => errors.push(error) });
  await cache.store("large", "old");
  assertEquals(await cache.storeMany([["a", 1], ["large", TOO_LARGE], ["b", 2]]), false);
  assertEquals(await cache.retrieveMany(["a", "large", "b"]), new Map([["a", 1], ["b", 2]]));
  assertEquals([errors.map(({ code }) => code), (await cache.stats()).stores], [["refused"], 3]);
});

Deno.test("MemoryCache with copies stores none of many where a server could not keep one", async () => {
  const cache = new MemoryCache({ copies: true });
  await assertRejects(() => cache.storeMany([["a", 1], ["b", { call: () => {} }]]), TypeError, "data.call");
  assertEquals((await cache.stats()).entries, 0);
});

both("adds to a number: 0 at the least, from 0 on again above the largest", async (cache) => {
  assertEquals(await cache.increment("k"), undefined);
  assertEquals(await cache.has("k"), false);
  assertEquals(await cache.increment("k", 7, { initial: 5 }), 5);
  assertEquals([await cache.increment("k"), await cache.increment("k", 10n), await cache.retrieve("k")], [6, 16, 16]);
  assertEquals([await cache.increment("k", -6), await cache.increment("k", -100), await cache.retrieve("k")], [
    10,
    0,
    0,
  ]);
  assertEquals(await cache.increment("k", Number.MAX_SAFE_INTEGER), 2 ** 53 - 1);
  assertStrictEquals(await cache.increment("k"), 2n ** 53n);
  assertStrictEquals(await cache.retrieve("k"), 2n ** 53n);
  assertStrictEquals(await cache.increment("k", -1), 2 ** 53 - 1);
  assertStrictEquals(await cache.increment("k", TOP - 2n ** 53n + 1n), TOP);
  assertStrictEquals(await cache.increment("k", 0), TOP);
  assertStrictEquals(await cache.increment("k", 3), 2);
  assertStrictEquals(await cache.increment("top", 1, { initial: TOP }), TOP);
  assertStrictEquals(await cache.increment("top", -TOP), 0);
  assertEquals((await cache.stats()).stores, 0);
});

both("adds to a stored number or digits, and to nothing else", async (cache) => {
  const counts: [unknown, number | bigint][] = [
    ...[[0, 1], [41, 42], [2 ** 53 - 1, 2n ** 53n]] as [unknown, number | bigint][],
    ...[["0", 1], ["007", 8], ["00000000000000000009", 10], [`${TOP - 1n}`, TOP], [`${TOP}`, 0]] as [string, bigint][],
  ];
  for (const [value, expected] of counts) {
    await cache.store("k", value);
    assertStrictEquals(await cache.increment("k"), expected, `${value}`);
    assertStrictEquals(await cache.retrieve("k"), expected, `${value}`);
  }
  const others = [
    ...[-1, -0, 0.5, NaN, Infinity, 5n, -5n, 2n ** 64n, true, null, undefined, [1], { a: 1 }],
    ...["", " 1", "1 ", "-1", "1.5", "1e3", "0x1", "x", `${TOP + 1n}`, "000000000000000000001", new Uint8Array([0x31])],
  ];
  for (const value of others) {
    await cache.store("k", value);
    const error = await assertRejects(() => cache.increment("k", 1, { initial: 3 }), CacheError);
    assertEquals(
      [error.code, error.message],
      ["refused", 'Cannot increment "k": its entry must hold a whole number from 0 to 2⁶⁴ − 1'],
    );
    assertEquals(await cache.retrieve("k"), value);
  }
  assertEquals((await cache.stats()).failures.refused, 0);
});

Deno.test("MemoryCache adds to no number that may not be exact", async () => {
  const cache = new MemoryCache({});
  await cache.store("k", 2 ** 53);
  await assertRejects(() => cache.increment("k"), CacheError, "Cannot increment");
});

Deno.test("MemoryCache with copies adds to digits, as a server does, to a large bigint that it has made, and to none that was stored", async () => {
  const cache = new MemoryCache({ copies: true });
  await cache.store("k", 2 ** 53);
  assertStrictEquals(await cache.increment("k"), 2n ** 53n + 1n);
  await cache.store("k", 2n ** 53n);
  await assertRejects(() => cache.increment("k"), CacheError, "Cannot increment");
  await cache.increment("own", 1, { initial: 2n ** 53n });
  assertStrictEquals(await cache.increment("own"), 2n ** 53n + 1n);
});

both("lets a counter's time go on as it was, and no hit renew that of one it has made", async (cache) => {
  using time = stillTime();
  await cache.store("stored", 1, { ttlMs: 10 });
  await cache.increment("made", 1, { initial: 1, ttlMs: 10 });
  await cache.increment("by default", 1, { initial: 1 });
  time.nowMs += 6;
  for (const key of ["stored", "made", "by default"]) assertEquals(await cache.increment(key), 2);
  await cache.retrieve("made");
  const remaining = async (key: string) => (await cache.retrieveEntry(key))?.remainingMs;
  assertEquals([await remaining("made"), await remaining("by default")], [4, 94]);
  time.nowMs += 4;
  assertEquals([await cache.increment("stored"), await cache.increment("made")], [undefined, undefined]);
  assertEquals(await cache.increment("made", 1, { initial: 9, ttlMs: 0 }), 9);
  assertEquals(await remaining("made"), Infinity);
}, 100);

both("adds to a number that is kept for longer than it is fresh, while it is fresh", async (cache) => {
  using time = stillTime();
  const options = { ttlMs: 10, staleIfErrorMs: 20 };
  await cache.retrieveOrStore("k", () => 5, options);
  time.nowMs += 9;
  assertEquals([await cache.increment("k"), await cache.retrieve("k")], [6, 6]);
  time.nowMs += 1;
  assertEquals(await cache.increment("k"), undefined);
  assertEquals(await cache.retrieveOrStore("k", () => Promise.reject(new Error("no")), options), 6);
  assertEquals(await cache.increment("k", 1, { initial: 1 }), 1);
});

both("has what is changed overtake what is being computed", async (cache) => {
  const changes: Record<string, () => Promise<unknown>> = {
    increment: () => cache.increment("k", 1, { initial: 1 }),
    take: () => cache.take("k"),
    "store with a condition": () => cache.store("k", 1, { onlyIf: "absent" }),
    storeMany: () => cache.storeMany([["k", 1]]),
    removeMany: () => cache.removeMany(["k"]),
    "clear of a namespace": () => cache.namespace("k").clear(),
  };
  for (const [name, change] of Object.entries(changes)) {
    await cache.remove("k");
    const made = held();
    const computed = cache.retrieveOrStore("k", made.compute);
    await change();
    made.resolve("computed");
    assertEquals(await computed, "computed");
    assert(await cache.retrieve("k") !== "computed", name);
  }
  const made = held();
  const computed = cache.retrieveOrStore("mine", made.compute);
  await cache.namespace("others:").clear();
  await cache.store("mine", 1, { onlyIf: "present" });
  await cache.increment("mine");
  made.resolve("computed");
  await computed;
  assertEquals(await cache.retrieve("mine"), "computed");
});
