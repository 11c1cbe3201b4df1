/** What `server.cache` has of its own in the calls of all caches: no promise, slices of work, and what others have stored. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { MAX_VALUE_BYTES } from "../../lib/base/limits.ts";
import { spanOf } from "../../lib/base/byte_span.ts";
import { Slices } from "../../lib/platform/slices.ts";
import { LocalCache } from "../../lib/server/local_cache.ts";
import { FLAGS } from "../../lib/wire/values.ts";
import { CacheError } from "../../mod.ts";
import { clientOf, madeServer, PATIENT_MS, startedServer } from "../support/servers.ts";
import { sessionHost } from "../support/session_host.ts";
import { until } from "../support/waiting.ts";

/** A cache whose slices each have time for one unit of work, and what happens between them. */
function slicedCache(between: () => void = () => {}): { cache: LocalCache; slices: { count: number } } {
  const slices = { count: 0 };
  let nowMs = 0;
  class Short extends Slices {
    override spend(units: number): void {
      super.spend(16 * units);
    }

    override async next(): Promise<void> {
      slices.count++;
      await super.next();
      between();
    }
  }
  const cache = new LocalCache({ ...sessionHost(), near: undefined, slices: () => new Short(() => nowMs += 1000) });
  return { cache, slices };
}

function pairs(count: number): [string, number][] {
  return Array.from({ length: count }, (_, i) => [`k${i}`, i]);
}

async function keysOf(cache: LocalCache): Promise<string[]> {
  const keys: string[] = [];
  for await (const key of cache.keys()) keys.push(key);
  return keys.sort();
}

Deno.test("server.cache gives a value without a promise, and counts it", async () => {
  const { cache } = madeServer();
  for (const value of ["text", 7, null, { a: [1] }, new Map([[1, 2]])]) {
    await cache.store("k", value);
    assertEquals(cache.retrieveSync("k"), value);
  }
  await cache.store("undefined", undefined);
  assertEquals([cache.retrieveSync("undefined"), cache.retrieveSync("none")], [undefined, undefined]);
  const { hits, misses } = await cache.stats();
  assertEquals([hits, misses], [6, 1]);
  for (const key of ["", "\udc00", "x".repeat(4097), 7, undefined] as string[]) {
    assertThrows(() => cache.retrieveSync(key), RangeError, "Cannot use key");
  }
});

Deno.test("server.cache makes a miss of a value that cannot be read, also where it is to be removed", async () => {
  const host = sessionHost();
  const cache = new LocalCache({ ...host, near: undefined });
  const entry = { flags: FLAGS.json, value: spanOf(new TextEncoder().encode("{not JSON")), ttlMs: undefined };
  host.store.set(spanOf(new TextEncoder().encode("k")), entry);
  assertEquals([cache.retrieveSync("k"), await cache.retrieveEntry("k")], [undefined, undefined]);
  assertEquals([await cache.take("k"), await cache.has("k")], [undefined, false]);
  const { hits, misses, failures } = await cache.stats();
  assertEquals([hits, misses, failures.protocol], [0, 3, 3]);
});

Deno.test("server.cache stores, removes and lists many in slices, between which the event loop looks after others", async () => {
  const { cache, slices } = slicedCache();
  assertEquals([await cache.storeMany(pairs(10)), slices.count], [true, 19]);
  slices.count = 0;
  assertEquals((await keysOf(cache)).length, 10);
  assert(slices.count >= 10, `${slices.count}`);
  slices.count = 0;
  assertEquals([await cache.removeMany(pairs(10).map(([key]) => key)), slices.count], [10, 9]);
});

Deno.test("server.cache ends a call of many when its signal is aborted between two slices", async () => {
  const stop = new AbortController();
  const { cache } = slicedCache(() => stop.abort(new Error("enough")));
  const { signal } = stop;
  await assertRejects(() => cache.storeMany(pairs(10), { signal }), Error, "enough");
  assertEquals(await keysOf(cache), []);
  for (const call of ["removeMany", "retrieveMany"] as const) {
    const again = new AbortController();
    const { cache } = slicedCache(() => again.abort(new Error("enough")));
    for (const [key, value] of pairs(10)) await cache.store(key, new Map([[value, value]]));
    const { signal } = again;
    await assertRejects(() => cache[call](pairs(10).map(([key]) => key), { signal }), Error, "enough");
  }
});

Deno.test("server.cache stores many under their own keys when getters of the values use it", async () => {
  const { cache } = madeServer();
  const value = {
    get inner() {
      cache.retrieveSync("another key");
      return 1;
    },
  };
  assertEquals(await cache.storeMany([["a", value], ["b", value]]), true);
  await cache.store("a", value, { onlyIf: "present" });
  assertEquals(await cache.retrieveMany(["a", "b"]), new Map([["a", { inner: 1 }], ["b", { inner: 1 }]]));
  assertEquals(await keysOf(cache), ["a", "b"]);
});

Deno.test("server.cache stores those of many that are not too large, and leaves no older value of the others", async () => {
  for (const large of [new Uint8Array(MAX_VALUE_BYTES + 1), new Uint8Array(100_000)]) {
    const { cache } = madeServer({ maxBytes: large.length > MAX_VALUE_BYTES ? undefined : 64 * 1024 });
    for (const key of ["a", "b", "c"]) await cache.store(key, "old");
    assertEquals(await cache.storeMany([["a", "new"], ["b", large], ["c", "new"]]), false);
    assertEquals(await cache.retrieveMany(["a", "b", "c"]), new Map([["a", "new"], ["c", "new"]]));
    assertEquals((await cache.stats()).stores, 5);
  }
});

Deno.test("server.cache changes nothing where a value is too large that is to be stored on a condition", async () => {
  for (const large of [new Uint8Array(MAX_VALUE_BYTES + 1), new Uint8Array(100_000)]) {
    const { cache } = madeServer({ maxBytes: large.length > MAX_VALUE_BYTES ? undefined : 64 * 1024 });
    await cache.store("k", "old");
    const error = await assertRejects(() => cache.store("k", large, { onlyIf: "present" }), CacheError);
    assertEquals([error.code, await cache.retrieve("k")], ["refused", "old"]);
  }
});

Deno.test("server.cache leaves out keys that are no text", async () => {
  const host = sessionHost();
  const cache = new LocalCache({ ...host, near: undefined });
  const keys = [[0xff], [0x61, 0xc3], [0xed, 0xa0, 0x80], [0xef, 0xbb, 0xbf, 0x61], [0x61]];
  for (const key of keys) {
    host.store.set(spanOf(Uint8Array.from(key)), { flags: 0, value: spanOf(new Uint8Array(1)), ttlMs: 0 });
  }
  assertEquals(await keysOf(cache), ["a", "\ufeffa"]);
});

Deno.test("server.cache has what clients compute overtaken by whatever it changes, and nothing else", async () => {
  await using server = await startedServer();
  await using client = clientOf(server);
  const { cache } = server;
  const changes: Record<string, [change: () => Promise<unknown>, after: unknown]> = {
    storeMany: [() => cache.storeMany([["part:k", "newer"]]), "newer"],
    removeMany: [() => cache.removeMany(["part:k"]), undefined],
    "store with onlyIf": [() => cache.store("part:k", "newer", { onlyIf: "absent" }), "newer"],
    "clear of a namespace": [() => cache.namespace("part:").clear(), undefined],
    "clear of another namespace": [() => cache.namespace("par:").clear(), "computed"],
    "store with onlyIf where nothing is done": [() => cache.store("part:k", 1, { onlyIf: "present" }), "computed"],
    "take of nothing": [() => cache.take("part:k"), "computed"],
  };
  for (const [name, [change, after]] of Object.entries(changes)) {
    const { promise: computed, resolve } = Promise.withResolvers<string>();
    let begun = false;
    const answer = client.retrieveOrStore("part:k", () => {
      begun = true;
      return computed;
    });
    await until("it computes", () => begun);
    await change();
    resolve("computed");
    assertEquals([await answer, await cache.retrieve("part:k")], ["computed", after], name);
    await cache.clear();
  }
});

Deno.test("server.cache lets no caller join a computation when it has taken what a client has stored meanwhile", async () => {
  await using server = await startedServer();
  await using client = clientOf(server);
  const { cache } = server;
  const { promise: computed, resolve } = Promise.withResolvers<string>();
  const older = cache.retrieveOrStore("k", () => computed);
  await client.store("k", "newer");
  assertEquals(await cache.take("k"), "newer");
  assertEquals(await cache.retrieveOrStore("k", () => "anew", { timeoutMs: PATIENT_MS }), "anew");
  resolve("older");
  assertEquals([await older, cache.retrieveSync("k")], ["older", "anew"]);
});

Deno.test("server.cache has what it takes, adds to and clears gone on peers", async () => {
  await using one = await startedServer();
  await using other = await startedServer({ peers: [one.address!] });
  await until("they are peers", () => other.stats().peers[0].state === "connected");
  const sees = (what: string, key: string, value: unknown) =>
    until(`${what} is seen`, () => JSON.stringify(other.cache.retrieveSync(key)) === JSON.stringify(value));
  await one.cache.storeMany([["taken", 1], ["count", 1], ["part:a", 1], ["part:b", 1]]);
  await sees("what is stored", "part:b", 1);
  await one.cache.take("taken");
  await sees("a take", "taken", undefined);
  await one.cache.increment("count");
  await sees("an addition", "count", 2);
  await one.cache.namespace("part:").clear();
  await sees("a clear", "part:a", undefined);
  assertEquals([await keysOf(other.cache), await keysOf(one.cache)], [["count"], ["count"]]);
});
