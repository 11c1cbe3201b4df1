/** A cache in memory that keeps values for longer than they are fresh: who is given them, and who is not. */

import { assertEquals, assertRejects } from "@std/assert";
import { MemoryCache, type MemoryCacheOptions } from "../../lib/client/memory_cache.ts";
import type { CacheError } from "../../mod.ts";
import { held } from "../support/compute_backend.ts";
import { stillTime } from "../support/still_time.ts";
import { turn } from "../support/waiting.ts";

const OPTIONS = { ttlMs: 10, staleWhileRevalidateMs: 5, staleIfErrorMs: 20 };
const fails = () => Promise.reject(new Error("no"));

/** A cache that holds the value `old` of `k`, for 10 ms, and what it has told of errors. */
async function filled(options: MemoryCacheOptions = {}): Promise<{ cache: MemoryCache; errors: CacheError[] }> {
  const errors: CacheError[] = [];
  const cache = new MemoryCache({ onError: (error) => errors.push(error), ...options });
  await cache.retrieveOrStore("k", () => "old", OPTIONS);
  return { cache, errors };
}

for (const copies of [false, true]) {
  Deno.test(`a value ${copies ? "of which copies are kept " : ""}that is not fresh is a miss to all but retrieveOrStore`, async () => {
    using time = stillTime();
    const { cache } = await filled({ copies });
    const found = async () => [
      await cache.has("k"),
      await cache.retrieve("k"),
      await cache.retrieveMany(["k"]),
    ];
    time.nowMs += 9;
    assertEquals(await found(), [true, "old", new Map([["k", "old"]])]);
    time.nowMs += 1;
    assertEquals(await found(), [false, undefined, new Map()]);
    const made = held();
    assertEquals(await cache.retrieveOrStore("k", made.compute, OPTIONS), "old");
    made.resolve("new");
    await turn();
    assertEquals(await found(), [true, "new", new Map([["k", "new"]])]);
  });
}

Deno.test("a value is given at once for the first of the two times, in place of an error for the second, and then not", async () => {
  using time = stillTime();
  const { cache, errors } = await filled();
  time.nowMs += 14.5;
  const made = held();
  assertEquals(await cache.retrieveOrStore("k", made.compute, OPTIONS), "old");
  made.reject(new Error("behind"));
  await turn();
  assertEquals(errors.map(({ code, message }) => [code, message]), [["compute", 'Cannot compute "k": behind']]);
  time.nowMs += 0.5;
  const strict = { ttlMs: 10, staleWhileRevalidateMs: 5 };
  await assertRejects(() => cache.retrieveOrStore("k", fails, strict), Error, "no");
  time.nowMs += 14.5;
  assertEquals(await cache.retrieveOrStore("k", fails, OPTIONS), "old");
  time.nowMs += 0.5;
  await assertRejects(() => cache.retrieveOrStore("k", fails, OPTIONS), Error, "no");
  assertEquals((await cache.stats()).failures.compute, 1);
});

Deno.test("an error in whose place a value was given is counted, and told with its cause", async () => {
  using time = stillTime();
  const { cache, errors } = await filled();
  time.nowMs += 20;
  assertEquals(await cache.retrieveOrStore("k", fails, OPTIONS), "old");
  const [{ cause }] = errors;
  assertEquals([(await cache.stats()).failures.compute, ((cause as Error).cause as Error).message], [1, "no"]);
});

Deno.test("a hit renews nothing of what is kept for longer, unless it is told to, and of what is stale never", async () => {
  using time = stillTime();
  for (
    const [renewOnHit, cacheRenews, expected] of [[false, true, undefined], [true, true, "old"], [
      true,
      false,
      undefined,
    ]]
  ) {
    const cache = new MemoryCache({ renewOnHit: cacheRenews as boolean });
    await cache.retrieveOrStore("k", () => "old", { ...OPTIONS, renewOnHit: renewOnHit as boolean });
    time.nowMs += 9;
    assertEquals(await cache.retrieve("k"), "old");
    time.nowMs += 9;
    assertEquals(await cache.retrieve("k"), expected);
    time.nowMs += expected === undefined ? 11.5 : 29.5; // half a millisecond before the end of the second time
    assertEquals([await cache.has("k"), await cache.retrieve("k")], [false, undefined]);
    assertEquals(await cache.retrieveOrStore("k", fails, OPTIONS), "old");
    time.nowMs += 0.5;
    assertEquals(await cache.retrieveOrStore("k", () => "new", OPTIONS), "new");
  }
});

Deno.test("to remove a value that is not fresh removes it, and there was none", async () => {
  using time = stillTime();
  const { cache } = await filled();
  time.nowMs += 10;
  assertEquals([await cache.remove("k"), (await cache.stats()).entries], [false, 0]);
  await cache.retrieveOrStore("k", () => "old", OPTIONS);
  assertEquals(await cache.remove("k"), true);
});

Deno.test("a stale undefined is given like any other value, and other entries stay what they are", async () => {
  using time = stillTime();
  const { cache } = await filled();
  await cache.store("plain", undefined);
  await cache.retrieveOrStore("nothing", () => undefined, OPTIONS);
  assertEquals([await cache.has("plain"), await cache.has("nothing")], [true, true]);
  assertEquals((await cache.retrieveMany(["plain", "nothing", "none"])).size, 2);
  time.nowMs += 10;
  assertEquals(await cache.retrieveOrStore<unknown>("nothing", fails, OPTIONS), undefined);
  await turn();
  assertEquals([await cache.has("plain"), await cache.has("nothing")], [true, false]);
  await cache.clear();
  assertEquals(await cache.retrieveOrStore<unknown>("nothing", () => "new", OPTIONS), "new");
});

Deno.test("a store replaces a value that is kept for longer by one that is not", async () => {
  using time = stillTime();
  const { cache } = await filled();
  await cache.store("k", "stored", { ttlMs: 5 });
  assertEquals(await cache.retrieve("k"), "stored");
  time.nowMs += 5;
  assertEquals(await cache.retrieveOrStore("k", () => "new", OPTIONS), "new");
});
