/** One list of cases of `increment` for every `OrmucoCache`: numbers that grow by steps which nobody loses. */

import { assertEquals, assertRejects } from "@std/assert";
import { type Case, testAll } from "../support/caches.ts";
import { stillTime } from "../support/still_time.ts";
import { CacheError, type IncrementOptions } from "../../mod.ts";

const MOST = 2n ** 64n - 1n;

/** Values that are no numbers to be added to. */
const OTHERS: unknown[] = [
  ...["", "x", "-1", "1.5", "1e3", "0x10", "12x", `${MOST + 1n}`, "1".repeat(21), "٣"],
  ...[1.5, -1, -0, NaN, Infinity, 1e300, 5n, -5n, true, null, undefined],
  ...[[1], { a: 1 }, new Date(5), Uint8Array.of(0x31), new Map([[1, 2]])],
];

const CASES: Record<string, Case> = {
  "makes no entry unless it is told to": async (cache) => {
    assertEquals([await cache.increment("k"), await cache.has("k")], [undefined, false]);
    assertEquals(await cache.increment("k", 5, { ttlMs: 1000 }), undefined);
    assertEquals([await cache.increment("k", 5, { initial: 7 }), await cache.retrieve("k")], [7, 7]);
    assertEquals([await cache.increment("k", 5, { initial: 7 }), await cache.retrieve("k")], [12, 12]);
    assertEquals([await cache.increment("zero", 1, { initial: 0 }), await cache.increment("zero")], [0, 1]);
    assertEquals(await cache.increment("large", 1, { initial: MOST }), MOST);
  },
  "adds one by default, and what it is told to": async (cache) => {
    await cache.increment("k", 1, { initial: 10 });
    assertEquals([await cache.increment("k"), await cache.increment("k", 5), await cache.increment("k", 5n)], [
      11,
      16,
      21,
    ]);
    assertEquals([await cache.increment("k", 0), await cache.increment("k", -1), await cache.increment("k", -5n)], [
      21,
      20,
      15,
    ]);
    assertEquals([await cache.retrieve("k"), (await cache.retrieveEntry("k"))!.value], [15, 15]);
    assertEquals(await cache.retrieveMany(["k"]), new Map([["k", 15]]));
    assertEquals([await cache.take("k"), await cache.has("k")], [15, false]);
  },
  "stays at 0": async (cache) => {
    await cache.increment("k", 1, { initial: 3 });
    assertEquals([await cache.increment("k", -3), await cache.increment("k", -1), await cache.retrieve("k")], [
      0,
      0,
      0,
    ]);
    await cache.increment("k", 100);
    assertEquals([await cache.increment("k", -MOST), await cache.increment("k")], [0, 1]);
  },
  "goes on above 2⁵³ as a bigint, and below again as a number": async (cache) => {
    await cache.increment("k", 1, { initial: Number.MAX_SAFE_INTEGER - 1 });
    assertEquals(await cache.increment("k"), Number.MAX_SAFE_INTEGER);
    for (const expected of [2n ** 53n, 2n ** 53n + 1n]) {
      assertEquals([await cache.increment("k"), await cache.retrieve("k")], [expected, expected]);
    }
    assertEquals([await cache.increment("k", -2), await cache.retrieve("k")], [2 ** 53 - 1, 2 ** 53 - 1]);
  },
  "begins again at 0 above 2⁶⁴ − 1": async (cache) => {
    await cache.increment("k", 1, { initial: MOST - 1n });
    assertEquals([await cache.increment("k"), await cache.increment("k"), await cache.increment("k")], [MOST, 0, 1]);
    assertEquals([await cache.increment("k", MOST), await cache.increment("k", MOST)], [0, MOST]);
    assertEquals(await cache.increment("k", 10), 9);
  },
  "adds to a stored number and to text of digits": async (cache) => {
    const cases: [unknown, number | bigint][] = [[0, 1], [41, 42], [2 ** 53 - 1, 2n ** 53n]];
    cases.push(["0", 1], ["41", 42], ["0041", 42], ["9".repeat(19), 10n ** 19n], [`${MOST}`, 0]);
    for (const [value, expected] of cases) {
      await cache.store("k", value);
      assertEquals([await cache.increment("k"), await cache.retrieve("k")], [expected, expected], `${value}`);
    }
  },
  "refuses to add to anything else, and leaves it as it is": async (cache) => {
    for (const value of OTHERS) {
      await cache.store("k", value);
      const error = await assertRejects(() => cache.increment("k", 1, { initial: 1 }), CacheError);
      assertEquals([error.code, await cache.retrieve("k")], ["refused", value], `${value}`);
    }
  },
  "loses none of 100 additions at once": async (cache) => {
    await cache.store("k", 0);
    const counts = await Promise.all(Array.from({ length: 100 }, () => cache.increment("k")));
    assertEquals(new Set(counts), new Set(Array.from({ length: 100 }, (_, i) => i + 1)));
    assertEquals(await cache.retrieve("k"), 100);
  },
  "makes one entry of 10 callers at once": async (cache) => {
    const counts = await Promise.all(Array.from({ length: 10 }, () => cache.increment("k", 1, { initial: 1 })));
    assertEquals(new Set(counts), new Set(Array.from({ length: 10 }, (_, i) => i + 1)));
  },
  "lets the entry's time to live go on as it was": async (cache) => {
    using time = stillTime();
    await cache.store("fixed", 1, { ttlMs: 60_000, renewOnHit: false });
    await cache.store("renewed", 1, { ttlMs: 60_000 });
    await cache.store("ever", 1, { ttlMs: 0 });
    time.nowMs += 40_000;
    for (const key of ["fixed", "renewed", "ever"]) assertEquals(await cache.increment(key), 2);
    assertEquals(Math.round((await cache.retrieveEntry("fixed"))!.remainingMs), 20_000);
    assertEquals((await cache.retrieveEntry("ever"))!.remainingMs, Infinity);
    time.nowMs += 21_000;
    assertEquals([await cache.has("fixed"), await cache.has("renewed"), await cache.has("ever")], [false, false, true]);
    assertEquals(await cache.increment("fixed"), undefined);
  },
  "leaves it to the entry whether a hit renews it": async (cache) => {
    using time = stillTime();
    await cache.store("k", 1, { ttlMs: 60_000 });
    time.nowMs += 40_000;
    await cache.increment("k");
    assertEquals(Math.round((await cache.retrieveEntry("k"))!.remainingMs), 60_000);
  },
  "gives an entry that it makes a time to live that no hit puts off": async (cache) => {
    using time = stillTime();
    await cache.increment("k", 1, { initial: 1, ttlMs: 60_000 });
    await cache.increment("ever", 1, { initial: 1, ttlMs: Infinity });
    assertEquals((await cache.retrieveEntry("ever"))!.remainingMs, Infinity);
    time.nowMs += 40_000;
    assertEquals(await cache.increment("k", 1, { initial: 1, ttlMs: 60_000 }), 2);
    assertEquals(Math.round((await cache.retrieveEntry("k"))!.remainingMs), 20_000);
    time.nowMs += 21_000;
    assertEquals(await cache.increment("k", 1, { initial: 1, ttlMs: 60_000 }), 1);
  },
  "gives an entry that it makes the cache's own time to live by default": async (cache) => {
    using _time = stillTime();
    await cache.store("stored", 1);
    await cache.increment("made", 1, { initial: 1 });
    const [stored, made] = [await cache.retrieveEntry("stored"), await cache.retrieveEntry("made")];
    assertEquals(made!.remainingMs, stored!.remainingMs);
  },
  "takes a value that is not fresh any more for none": async (cache) => {
    using time = stillTime();
    await cache.retrieveOrStore("k", () => 41, { ttlMs: 1000, staleIfErrorMs: 60_000 });
    time.nowMs += 2000;
    assertEquals([await cache.increment("k"), await cache.increment("k", 1, { initial: 1 })], [undefined, 1]);
  },
  "rejects what is no number to add or to begin with": async (cache) => {
    await cache.store("k", 1);
    for (const by of [1.5, NaN, Infinity, MOST + 1n, -MOST - 1n, 2 ** 64, "1", true]) {
      await assertRejects(() => cache.increment("k", by as number), RangeError, "Cannot increment: by must be");
    }
    for (const initial of [-1, 1.5, NaN, Infinity, -1n, MOST + 1n, 2 ** 64, "1", true]) {
      const options = { initial } as IncrementOptions;
      await assertRejects(() => cache.increment("k", 1, options), RangeError, "Cannot increment: initial must be");
    }
    await assertRejects(() => cache.increment("k", 1, { ttlMs: -1 }), RangeError, "ttlMs");
    assertEquals(await cache.retrieve("k"), 1);
  },
};

testAll(Object.fromEntries(Object.entries(CASES).map(([name, use]) => [`.increment() ${name}`, use])));
