/** A cache in memory of which a prefix is cleared: what is found, and what leaves; and its keys, while it changes. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { seeded } from "../../bench/compare.ts";
import { MemoryCache } from "../../lib/client/memory_cache.ts";
import { MemoryEntries, NONE } from "../../lib/client/memory_entries.ts";
import { CacheEvents } from "../../lib/platform/cache_events.ts";
import { stillTime } from "../support/still_time.ts";
import { until } from "../support/waiting.ts";

/** More entries than the first slice of a sweep looks at. */
const MANY = 5000;

/** A cache of many entries, every other under `users:`. */
async function filled(count = MANY): Promise<MemoryCache> {
  const cache = new MemoryCache({ maxSize: Infinity });
  for (let i = 0; i < count; i++) await cache.store(`${i % 2 === 0 ? "users:" : "pages:"}${i}`, i);
  return cache;
}

async function entriesOf(cache: MemoryCache): Promise<number | undefined> {
  return (await cache.stats()).entries;
}

Deno.test("to clear a namespace has nothing of it found from then on, by any call, and all else", async () => {
  await using cache = await filled();
  const users = cache.namespace("users:");
  assertEquals(await users.clear(), true);
  assert((await entriesOf(cache))! > MANY / 2, "the sweep is over, and this tests nothing");
  await cache.store("users:2", "new");
  await users.store("4", "new");
  const keys = ["users:0", "users:2", "users:4", "users:6", "pages:1"];
  assertEquals(
    await cache.retrieveMany<unknown>(keys),
    new Map<string, unknown>([["users:2", "new"], ["users:4", "new"], ["pages:1", 1]]),
  );
  assertEquals([await cache.retrieve("users:8"), await cache.retrieveEntry("users:10")], [undefined, undefined]);
  assertEquals([await cache.has("users:12"), await cache.touch("users:14"), await cache.take("users:16")], [
    false,
    false,
    undefined,
  ]);
  assertEquals([await cache.remove("users:18"), await cache.removeMany(["users:20", "pages:3"])], [false, 1]);
  assertEquals([await cache.increment("users:22"), await cache.store("users:24", 1, { onlyIf: "present" })], [
    undefined,
    false,
  ]);
  assertEquals(await cache.store("users:26", "new", { onlyIf: "absent" }), true);
  assertEquals(await cache.retrieveOrStore("users:28", () => "new"), "new");
  assertEquals((await Array.fromAsync(users.keys())).sort(), ["2", "26", "28", "4"]);
  assertEquals((await Array.fromAsync(cache.keys())).length, MANY / 2 - 1 + 4);
});

Deno.test("what a namespace has had leaves memory though nobody calls, and nothing else does", async () => {
  await using cache = await filled();
  await cache.namespace("users:").clear();
  await until("all have left", async () => await entriesOf(cache) === MANY / 2);
  assertEquals((await Array.fromAsync(cache.keys())).every((key) => key.startsWith("pages:")), true);
});

Deno.test("what a namespace has had leaves with later calls when the cache has been closed", async () => {
  await using cache = await filled();
  await cache.namespace("users:").clear();
  await cache.close();
  for (let calls = 0; calls < MANY / 8; calls++) await cache.has("none");
  assertEquals(await entriesOf(cache), MANY / 2);
});

Deno.test("what a namespace has had makes room for new entries", async () => {
  const cache = new MemoryCache({ maxSize: 2000 });
  for (let i = 0; i < 1000; i++) await cache.store(`kept:${i}`, i);
  for (let i = 0; i < 1000; i++) await cache.store(`users:${i}`, i);
  await cache.namespace("users:").clear();
  for (let i = 0; i < 1000; i++) await cache.store(`new:${i}`, i);
  assertEquals([await cache.has("kept:0"), await cache.has("new:0"), await entriesOf(cache)], [true, true, 2000]);
  await cache.close();
});

Deno.test("to clear a namespace removes what was kept for longer than it is fresh", async () => {
  using time = stillTime();
  await using cache = await filled();
  const options = { ttlMs: 10, staleIfErrorMs: 1000 };
  const fails = () => Promise.reject(new Error("no"));
  for (const key of ["users:old", "pages:old"]) await cache.retrieveOrStore(key, () => "old", options);
  time.nowMs += 10;
  await cache.namespace("users:").clear();
  assertEquals(await cache.retrieveOrStore("pages:old", fails, options), "old");
  await assertRejects(() => cache.retrieveOrStore("users:old", fails, options), Error, "no");
});

Deno.test("to clear everything ends the clear of a prefix, and an older version comes never again", async () => {
  await using cache = await filled();
  const versions = new Set<number>();
  const take = async () => versions.add((await cache.retrieveEntry("users:0"))!.version);
  await take();
  await cache.namespace("users:").clear();
  await cache.clear();
  await cache.store("users:0", 1);
  await take();
  await cache.namespace("users:0").clear();
  assertEquals(await entriesOf(cache), 0);
  await cache.store("users:0", 1);
  await take();
  assertEquals(versions.size, 3);
});

Deno.test("clears of many prefixes at once, one within another, end together", async () => {
  await using cache = await filled();
  for (let i = 0; i < 300; i++) await cache.namespace(`users:${i}`).clear();
  await cache.namespace("pages:1").clear();
  await cache.store("pages:1", "new");
  await cache.namespace("pages:").clear();
  await cache.store("pages:3", "new");
  assertEquals(await cache.retrieveMany(["pages:1", "pages:3"]), new Map([["pages:3", "new"]]));
  const left = (await Array.fromAsync(cache.keys())).length;
  await until("all have left", async () => await entriesOf(cache) === left);
  assertEquals(left, 1); // no number of a user begins with none of these
});

Deno.test("a prefix is no namespace when it is empty, too long or no text", async () => {
  const cache = new MemoryCache({});
  for (const prefix of ["", "x".repeat(4096), "\ud800", 7 as unknown as string]) {
    await assertRejects(() => cache.clearPrefix(prefix), RangeError, "Cannot make a namespace");
  }
});

Deno.test("keys come once each, in slices, though others come, go and are used meanwhile", async () => {
  using time = stillTime();
  const cache = new MemoryCache({ maxSize: Infinity });
  for (let i = 0; i < MANY; i++) await cache.store(`${i % 2 === 0 ? "there:" : "gone:"}${i}`, i);
  await cache.store("there:short", 1, { ttlMs: 10 });
  await cache.retrieveOrStore("there:stale", () => 1, { ttlMs: 10, staleIfErrorMs: 1000 });
  time.nowMs += 10;
  const seen = new Map<string, number>();
  for await (const key of cache.keys({ prefix: "there:" })) {
    seen.set(key, (seen.get(key) ?? 0) + 1);
    const i = seen.size;
    await cache.retrieve(`there:${2 * (MANY - i)}`); // used, replaced and counted: none of it moves its slot
    await cache.store(`there:${(2 * i) % MANY}`, i);
    await cache.increment(`there:${(2 * i) % MANY}`);
    await cache.remove(`gone:${2 * i + 1}`);
    await cache.store(`new:${i}`, i);
  }
  assertEquals(seen.size, MANY / 2);
  for (let i = 0; i < MANY; i += 2) assertEquals(seen.get(`there:${i}`), 1);
});

Deno.test("keys leave the event loop to others when their slice of time is over", async () => {
  await using cache = await filled();
  let others = 0;
  setTimeout(() => others++, 0);
  const startMs = performance.now();
  for await (const _ of cache.keys()) while (performance.now() < startMs + 15); // the first one takes the slice's time
  assertEquals(others, 1);
});

Deno.test("keys end where the caller ends them", async () => {
  await using cache = await filled();
  const control = new AbortController();
  let count = 0;
  const walk = async () => {
    for await (const _ of cache.keys({ signal: control.signal })) if (++count === 3) control.abort(new Error("enough"));
  };
  await assertRejects(walk, Error, "enough");
  assertEquals(count, 3);
  for await (const _ of cache.keys()) if (++count === 5) break;
  assertEquals(count, 5);
});

Deno.test("keys end when the cache is cleared meanwhile", async () => {
  await using cache = await filled();
  let count = 0;
  for await (const _ of cache.keys()) if (++count === 1) await cache.clear();
  assert(count < MANY);
});

/** One random sequence of operations, on entries in memory and on a `Map` alike. */
function runSequence(random: () => number): void {
  const whole = (below: number) => Math.floor(random() * below);
  let nowMs = 1000;
  const events = new CacheEvents(undefined);
  const entries = new MemoryEntries({ maxSize: Infinity, renewOnHit: false, ttlMs: 0, now: () => nowMs, events });
  const model = new Map<string, { value: unknown; untilMs: number }>();
  const nameOf = () => `${whole(3)}:${whole(3)}:${whole(1000)}`;
  for (let step = 0; step < 8000; step++) {
    nowMs += whole(2);
    const name = nameOf();
    const held = model.get(name);
    const expected = held === undefined || held.untilMs <= nowMs ? NONE : held.value;
    const at = random();
    if (at < 0.6) {
      const ttlMs = whole(4) === 0 ? 1 + whole(500) : Infinity;
      if (whole(5) > 0) entries.set(name, step, { ttlMs });
      else entries.keep(name, step, { ttlMs, renewOnHit: false, staleMs: 100 });
      model.set(name, { value: step, untilMs: nowMs + ttlMs });
    } else if (at < 0.8) assertEquals(entries.find(name), expected);
    else if (at < 0.9) assertEquals(entries.has(name), expected !== NONE);
    else if (at < 0.95) {
      assertEquals(entries.delete(name), expected !== NONE);
      model.delete(name);
    } else if (at < 0.99) {
      const changed = entries.update(name, () => -step);
      assertEquals(changed, expected === NONE ? NONE : -step);
      if (changed !== NONE) held!.value = -step;
    } else if (at < 0.9995) {
      const prefix = name.slice(0, 2 + whole(4));
      entries.clearPrefix(prefix);
      for (const key of model.keys()) if (key.startsWith(prefix)) model.delete(key);
    } else {
      entries.clear();
      model.clear();
    }
    if (step % 400 > 0) continue;
    const names: string[] = [];
    for (let from = 1; from !== 0;) {
      const walked = entries.walk(from, "");
      names.push(...walked.names);
      from = walked.next;
    }
    const live = [...model].filter(([, { untilMs }]) => untilMs > nowMs).map(([key]) => key);
    assertEquals(names.sort(), live.sort());
  }
  entries.rest();
}

Deno.test("MemoryEntries does as a Map when operations are random", () => {
  for (let seed = 1; seed <= 20; seed++) {
    try {
      runSequence(seeded(seed));
    } catch (cause) {
      throw new Error(`seed ${seed}: ${(cause as Error).message}`, { cause });
    }
  }
});
