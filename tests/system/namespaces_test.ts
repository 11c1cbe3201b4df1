/** Namespaces of every `OrmucoCache`, also of a namespace: parts of a cache whose keys begin with a text. */

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { MAX_KEY_BYTES } from "../../lib/base/limits.ts";
import { type Case, testAll } from "../support/caches.ts";
import { held } from "../support/compute_backend.ts";
import { until } from "../support/waiting.ts";
import type { OrmucoCache } from "../../mod.ts";

async function keysOf(cache: OrmucoCache, prefix?: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const key of cache.keys({ prefix })) keys.push(key);
  return keys.sort();
}

const CASES: Record<string, Case> = {
  "has the same entries under longer keys": async (cache) => {
    const users = cache.namespace("users:");
    await users.store("1", "Ada");
    await cache.store("users:2", "Bob");
    await cache.store("1", "none of them");
    assertEquals([await cache.retrieve("users:1"), await users.retrieve("2")], ["Ada", "Bob"]);
    assertEquals(await users.retrieveMany(["1", "2", "3"]), new Map([["1", "Ada"], ["2", "Bob"]]));
    assertEquals([await users.has("1"), await users.remove("1"), await cache.has("users:1")], [true, true, false]);
    assertEquals([await users.take("2"), await cache.has("users:2"), await cache.retrieve("1")], [
      "Bob",
      false,
      "none of them",
    ]);
    assertEquals(await users.storeMany([["3", 3], ["4", 4]]), true);
    assertEquals([await cache.retrieve("users:3"), await users.removeMany(["3", "4", "5"])], [3, 2]);
    assertEquals(await users.retrieveOrStore("6", () => "computed"), "computed");
    assertEquals(await cache.retrieve("users:6"), "computed");
  },
  "counts, touches and compares by the longer keys": async (cache) => {
    const part = cache.namespace("part:");
    assertEquals([await part.increment("n", 1, { initial: 5 }), await cache.increment("part:n")], [5, 6]);
    const entry = await part.retrieveEntry("n");
    assertEquals([entry!.value, entry!.version], [6, (await cache.retrieveEntry("part:n"))!.version]);
    assertEquals([await part.touch("n", 60_000), await part.touch("none")], [true, false]);
    assertEquals([await part.store("n", 1, { onlyIf: "absent" }), await part.store("n", 1, { onlyIf: "present" })], [
      false,
      true,
    ]);
  },
  "lists its own keys, without what they begin with": async (cache) => {
    const part = cache.namespace("part:");
    await cache.storeMany([["part:a", 1], ["part:ab", 1], ["part:b", 1], ["part:", 1], ["parta", 1], ["other:a", 1]]);
    assertEquals([await keysOf(part), await keysOf(part, "a")], [["a", "ab", "b"], ["a", "ab"]]);
    assertEquals(await keysOf(cache, "part:a"), ["part:a", "part:ab"]);
  },
  "removes only what is its own": async (cache) => {
    const [users, pages] = [cache.namespace("users:"), cache.namespace("pages:")];
    await cache.storeMany([["users", 0], ["users;1", 0], ["Users:1", 0]]);
    for (const part of [users, pages]) await part.storeMany([["1", 1], ["2", 2]]);
    for (const key of ["1", "2"]) await users.retrieve(key);
    assertEquals(await users.clear(), true);
    assertEquals([await keysOf(users), await keysOf(pages)], [[], ["1", "2"]]);
    assertEquals((await users.retrieveMany(["1", "2"])).size, 0);
    assertEquals([await users.retrieve("1"), await cache.has("users:2"), await pages.retrieve("1")], [
      undefined,
      false,
      1,
    ]);
    assertEquals(await keysOf(cache), ["Users:1", "pages:1", "pages:2", "users", "users;1"]);
  },
  "keeps what is stored after a clear, until the next one": async (cache) => {
    const part = cache.namespace("part:");
    for (const value of [1, 2, 3]) {
      await part.store("a", value);
      await part.store("b", value);
      await part.clear();
      assertEquals([await part.has("a"), await part.retrieve("b"), await part.increment("a")], [
        false,
        undefined,
        undefined,
      ]);
      await part.store("a", value + 10);
      assertEquals([await part.retrieve("a"), await part.has("b"), await keysOf(part)], [value + 10, false, ["a"]]);
      assertEquals([await part.take("a"), await part.remove("b")], [value + 10, false]);
    }
  },
  "holds namespaces of its own": async (cache) => {
    const outer = cache.namespace("outer:");
    const inner = outer.namespace("inner:");
    await inner.store("k", 1);
    await outer.store("k", 2);
    assertEquals([await cache.retrieve("outer:inner:k"), await outer.retrieve("inner:k")], [1, 1]);
    assertEquals([await keysOf(outer), await keysOf(inner)], [["inner:k", "k"], ["k"]]);
    await inner.clear();
    assertEquals([await keysOf(outer), await inner.has("k")], [["k"], false]);
    await inner.store("k", 3);
    await outer.clear();
    assertEquals([await keysOf(cache), await inner.has("k")], [[], false]);
    await inner.store("k", 4);
    assertEquals(await cache.retrieve("outer:inner:k"), 4);
  },
  "is cleared with the whole": async (cache) => {
    const part = cache.namespace("part:");
    await part.store("k", 1);
    await cache.clear();
    assertEquals([await part.has("k"), await part.retrieve("k")], [false, undefined]);
  },
  "leaves the whole open when it is closed": async (cache) => {
    const part = cache.namespace("part:");
    await part.store("k", 1);
    await part.close();
    await part[Symbol.asyncDispose]();
    assertEquals([await part.retrieve("k"), await cache.retrieve("part:k")], [1, 1]);
  },
  "pings and counts as the whole does": async (cache) => {
    const part = cache.namespace("part:");
    await part.store("k", 1);
    await part.retrieve("k");
    assertEquals(await part.ping(), undefined);
    const [whole, own] = [await cache.stats(), await part.stats()];
    assertEquals([own.hits, own.stores, own.hits, own.stores], [1, 1, whole.hits, whole.stores]);
  },
  "has keys as long as there is room for": async (cache, prefix) => {
    const name = "n".repeat(MAX_KEY_BYTES - prefix.length - 1);
    const part = cache.namespace(name);
    await part.store("k", 1);
    assertEquals([await cache.retrieve(`${name}k`), await keysOf(part)], [1, ["k"]]);
    await assertRejects(() => part.store("kk", 1), RangeError, "Cannot use key");
    await part.clear();
    assertEquals(await part.has("k"), false);
  },
  "rejects a prefix that is none": (cache) => {
    for (const prefix of ["", "\udc00", "x".repeat(MAX_KEY_BYTES), 7, null, undefined] as string[]) {
      assertThrows(() => cache.namespace(prefix), RangeError, "Cannot make a namespace: its prefix must be");
      assertThrows(() => cache.namespace("a").namespace(prefix), RangeError, "Cannot make a namespace");
    }
    return Promise.resolve();
  },
  "rejects keys that are none, also where the longer one would be one": async (cache) => {
    const part = cache.namespace("part:");
    await assertRejects(() => part.store("", 1), RangeError, "Cannot use key");
    await assertRejects(() => part.retrieve(7 as unknown as string), RangeError, "Cannot use key");
    await assertRejects(() => part.storeMany([["", 1]]), RangeError, "Cannot use key");
    await assertRejects(() => part.removeMany([""]), RangeError, "Cannot use key");
    assertEquals(await keysOf(cache), []);
  },
  "overtakes by a clear what is computed for it, and nothing else": async (cache) => {
    const [own, other] = [held(), held()];
    const part = cache.namespace("part:");
    const first = part.retrieveOrStore("k", own.compute);
    const second = cache.retrieveOrStore("other", other.compute);
    await until("both compute", () => own.calls + other.calls === 2);
    await part.clear();
    own.resolve(1);
    other.resolve(2);
    assertEquals([await first, await second], [1, 2]);
    assertEquals([await part.retrieve("k"), await cache.retrieve("other")], [undefined, 2]);
  },
};

testAll(Object.fromEntries(Object.entries(CASES).map(([name, use]) => [`.namespace() ${name}`, use])));
