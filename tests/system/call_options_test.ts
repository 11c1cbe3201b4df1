/** Options that every call of every `OrmucoCache` takes: what they may be, and that a signal which is aborted lets nothing be done. */

import { assertEquals, assertRejects } from "@std/assert";
import { type Case, testAll } from "../support/caches.ts";
import type { CallOptions, OrmucoCache } from "../../mod.ts";

/** Each call, with options. */
const CALLS: Record<string, (cache: OrmucoCache, options: CallOptions) => Promise<unknown>> = {
  store: (cache, options) => cache.store("k", "new", options),
  "store with onlyIf": (cache, options) => cache.store("k", "new", { onlyIf: "present", ...options }),
  retrieve: (cache, options) => cache.retrieve("k", options),
  retrieveEntry: (cache, options) => cache.retrieveEntry("k", options),
  take: (cache, options) => cache.take("k", options),
  retrieveMany: (cache, options) => cache.retrieveMany(["k"], options),
  storeMany: (cache, options) => cache.storeMany([["k", "new"]], options),
  has: (cache, options) => cache.has("k", options),
  touch: (cache, options) => cache.touch("k", 1000, options),
  increment: (cache, options) => cache.increment("n", 1, { initial: 1, ...options }),
  remove: (cache, options) => cache.remove("k", options),
  removeMany: (cache, options) => cache.removeMany(["k"], options),
  keys: async (cache, options) => await cache.keys(options)[Symbol.asyncIterator]().next(),
  clear: (cache, options) => cache.clear(options),
  "clear of a namespace": (cache, options) => cache.namespace("k").clear(options),
  ping: (cache, options) => cache.ping(options),
};

/** What is there after calls that have done nothing. */
async function assertUnchanged(cache: OrmucoCache, version: number): Promise<void> {
  const { value, version: now } = (await cache.retrieveEntry("k"))!;
  assertEquals([value, now, await cache.has("n")], ["old", version, false]);
}

async function storedVersion(cache: OrmucoCache): Promise<number> {
  await cache.store("k", "old");
  return (await cache.retrieveEntry("k"))!.version;
}

const CASES: Record<string, Case> = {
  "rejects a call whose signal is aborted with its reason, and does nothing": async (cache) => {
    const version = await storedVersion(cache);
    const reason = new Error("enough");
    const { hits, misses, stores } = await cache.stats();
    for (const [name, call] of Object.entries(CALLS)) {
      const error = await call(cache, { signal: AbortSignal.abort(reason) }).catch((error) => error);
      assertEquals(error === reason, true, `${name}: ${error}`);
    }
    const after = await cache.stats();
    assertEquals([after.hits, after.misses, after.stores], [hits, misses, stores]);
    assertEquals(Object.values(after.failures).every((count) => count === 0), true, "that is no failure");
    await assertUnchanged(cache, version);
  },
  "rejects options that are none, naming them, and does nothing": async (cache) => {
    const version = await storedVersion(cache);
    const wrong: [unknown, ErrorConstructor, string][] = [
      [{ timeoutMs: 0 }, RangeError, "timeoutMs must be more than 0 and below 2³⁰"],
      [{ timeoutMs: 2 ** 30 }, RangeError, "timeoutMs must be more than 0 and below 2³⁰"],
      [{ timeoutMs: "7" }, RangeError, "timeoutMs must be more than 0 and below 2³⁰"],
      [{ signal: {} }, RangeError, "signal must be an AbortSignal"],
      [{ timeout: 5 }, TypeError, "unknown option timeout: did you mean timeoutMs?"],
    ];
    for (const call of Object.values(CALLS)) {
      for (const [options, kind, words] of wrong) {
        await assertRejects(() => call(cache, options as CallOptions), kind, words);
      }
    }
    await assertUnchanged(cache, version);
  },
  "does what it is asked under options that are right": async (cache) => {
    const options = { timeoutMs: 10_000, signal: new AbortController().signal };
    assertEquals(await cache.store("k", 1, options), true);
    assertEquals([await cache.retrieve("k", options), (await cache.retrieveEntry("k", options))!.value], [1, 1]);
    assertEquals([await cache.touch("k", 0, options), await cache.has("k", options)], [true, true]);
    assertEquals(await cache.increment("k", 2, options), 3);
    assertEquals([await cache.take("k", options), await cache.take("k", options)], [3, undefined]);
    assertEquals(await cache.storeMany([["a", 1], ["b", 2], ["c", 3]], options), true);
    assertEquals(await cache.retrieveMany(["a", "d"], options), new Map([["a", 1]]));
    assertEquals([await cache.remove("a", options), await cache.removeMany(["a", "b"], options)], [true, 1]);
    const keys: string[] = [];
    for await (const key of cache.keys(options)) keys.push(key);
    assertEquals([keys, await cache.ping(options), await cache.clear(options)], [["c"], undefined, true]);
    assertEquals([await cache.has("c"), await cache.namespace("d").clear(options)], [false, true]);
  },
  "takes null for no options": async (cache) => {
    await cache.store("k", "old");
    for (const [name, call] of Object.entries(CALLS)) {
      if (/onlyIf|increment/.test(name)) continue; // they are given some in any case
      await call(cache, null as unknown as CallOptions);
    }
  },
};

testAll(CASES);
