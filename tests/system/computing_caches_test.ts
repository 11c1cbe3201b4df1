/** One list of cases of `retrieveOrStore` for every `OrmucoCache`: what stands behind a cache makes no difference to who uses it. */

import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { FLAGS } from "../../lib/wire/values.ts";
import { CacheError, type OrmucoCache, OrmucoCacheClient, type RetrieveOrStoreOptions } from "../../mod.ts";
import { type Case, KINDS, testAll } from "../support/caches.ts";
import { held } from "../support/compute_backend.ts";
import { freeAddress, portOf } from "../support/ports.ts";
import { startedServer } from "../support/servers.ts";
import { stillTime } from "../support/still_time.ts";
import { exchange } from "../support/text_socket.ts";
import { turn, until } from "../support/waiting.ts";

const VALUES = ["text", 7, -0, 12n, true, null, undefined, [1, [2]], { a: { b: "c" } }, new Date(5), new Map([[1, 2]])];

/** What may come while a value is computed. */
const OVERTAKING: Record<string, { change: (cache: OrmucoCache) => Promise<void>; after: unknown }> = {
  "a store": { change: async (cache) => void await cache.store("k", "newer"), after: "newer" },
  "a removal": { change: async (cache) => void await cache.remove("k"), after: undefined },
  "a clear": { change: async (cache) => void await cache.clear(), after: undefined },
  "a clear of a namespace": { change: async (cache) => void await cache.namespace("k").clear(), after: undefined },
  "a removal of many": { change: async (cache) => void await cache.removeMany(["j", "k"]), after: undefined },
  "a store of many": {
    change: async (cache) => void await cache.storeMany([["j", 1], ["k", "newer"]]),
    after: "newer",
  },
  "a counter": { change: async (cache) => void await cache.increment("k", 1, { initial: 7 }), after: 7 },
  "a store where there is none": {
    change: async (cache) => void await cache.store("k", "newer", { onlyIf: "absent" }),
    after: "newer",
  },
};

const CASES: Record<string, Case> = {
  "computes what it lacks, and keeps it, of any kind": async (cache) => {
    for (const [i, value] of VALUES.entries()) {
      assertStrictEquals(await cache.retrieveOrStore(`k${i}`, () => value), value);
      assertStrictEquals(await cache.retrieveOrStore(`other${i}`, () => Promise.resolve(value)), value);
      assertEquals([await cache.has(`k${i}`), await cache.retrieve(`k${i}`)], [true, value]);
      assertEquals(await cache.retrieveOrStore<unknown>(`k${i}`, () => "never"), value);
    }
    const { misses, stores } = await cache.stats();
    assertEquals([misses, stores], [2 * VALUES.length, 2 * VALUES.length]);
  },
  "gives what was stored": async (cache) => {
    await cache.store("k", [1]);
    assertEquals(await cache.retrieveOrStore<unknown>("k", () => "never"), [1]);
    assertEquals((await cache.stats()).hits, 1);
  },
  "computes once for 1,000 callers at once": async (cache) => {
    const made = held();
    const answers = Array.from({ length: 1000 }, () => cache.retrieveOrStore("k", made.compute));
    await until("it computes", () => made.calls > 0);
    const other = await cache.retrieveOrStore("other", () => 2);
    made.resolve(1);
    assertEquals([new Set(await Promise.all(answers)), made.calls, other], [new Set([1]), 1, 2]);
    assertEquals(await cache.retrieve("k"), 1);
  },
  "computes anew whenever the time is over, however much it is asked": async (cache) => {
    using time = stillTime();
    let calls = 0;
    for (let ms = 0; ms < 2000; ms += 10) {
      await cache.retrieveOrStore("k", () => ++calls, { ttlMs: 200 });
      time.nowMs += 10;
    }
    assertEquals([calls >= 9, calls <= 11], [true, true], `${calls}`);
  },
  "restarts the time by a hit where it is told to": async (cache) => {
    using time = stillTime();
    for (let ms = 0; ms < 200_000; ms += 10_000) {
      assertEquals(await cache.retrieveOrStore("k", () => ms, { ttlMs: 20_000, renewOnHit: true }), 0);
      time.nowMs += 10_000;
    }
  },
  "keeps a value for ever where its time is 0": async (cache) => {
    using time = stillTime();
    for (const expected of [1, 1]) {
      const value = await cache.retrieveOrStore("k", () => expected, { ttlMs: 0, staleIfErrorMs: 5 });
      assertEquals(value, expected);
      time.nowMs += 1e9;
    }
  },
  "tells all callers of an error, and computes for the next": async (cache) => {
    const made = held();
    const answers = [1, 2, 3].map(() => cache.retrieveOrStore("k", made.compute));
    await until("it computes", () => made.calls > 0);
    made.reject(new Error("no"));
    await Promise.all(answers.map((answer) => assertRejects(() => answer, Error, "no")));
    const fails = () => {
      throw new Error("at once");
    };
    await assertRejects(() => cache.retrieveOrStore("k", fails), Error, "at once");
    assertEquals([await cache.has("k"), await cache.retrieveOrStore("k", () => 1)], [false, 1]);
  },
  "ends a wait by a time-out or a signal, aborts what nobody waits for, and stores nothing of it": async (
    cache,
    prefix,
  ) => {
    const [made, stop] = [held(), new AbortController()];
    const late = cache.retrieveOrStore("k", made.compute, { timeoutMs: 1 });
    const stopped = cache.retrieveOrStore("k", made.compute, { signal: stop.signal });
    const words = `Cannot retrieve or store "${prefix}k": no value within 1 ms`;
    const error = await assertRejects(() => late, CacheError, words);
    assertEquals(error.code, "timeout");
    await until("it computes", () => made.calls > 0);
    assertEquals(made.signals[0].aborted, false);
    stop.abort(new Error("enough"));
    await assertRejects(() => stopped, Error, "enough");
    assertEquals(made.signals[0].aborted, true);
    made.resolve(1);
    await turn();
    assertEquals(await cache.has("k"), false);
    await assertRejects(() => cache.retrieveOrStore("k", () => 1, { signal: stop.signal }), Error, "enough");
  },
  "rejects what is wrong, and calls nothing": async (cache) => {
    const never = () => {
      throw new Error("it was called");
    };
    for (const key of ["", "\udc00", "x".repeat(4097), 7 as unknown as string]) {
      await assertRejects(() => cache.retrieveOrStore(key, never), RangeError, "Cannot use key");
    }
    const wrong: [unknown, ErrorConstructor, string][] = [
      [{ ttlMs: -1 }, RangeError, "Cannot retrieve or store: ttlMs must be 0 to 9007199254740991, or Infinity"],
      [{ timeoutMs: 0 }, RangeError, "timeoutMs must be more than 0 and below 2³⁰"],
      [{ stale: 5 }, TypeError, "unknown option stale"],
      [5, TypeError, "options must be an object"],
    ];
    for (const [options, kind, words] of wrong) {
      await assertRejects(() => cache.retrieveOrStore("k", never, options as RetrieveOrStoreOptions), kind, words);
    }
    const compute = 5 as unknown as () => number;
    await assertRejects(() => cache.retrieveOrStore("k", compute), TypeError, "compute must be a function: received 5");
    assertEquals(await cache.retrieveOrStore("k", () => 1, null as unknown as undefined), 1);
  },
  "gives a value that is too large to be stored, or stores it where it is not": async (cache) => {
    const large = new Uint8Array(16 * 1024 * 1024 + 1);
    assertStrictEquals(await cache.retrieveOrStore("k", () => large), large);
    await cache.remove("k");
    assertEquals(await cache.retrieveOrStore("k", () => 1), 1);
  },
};

for (const [what, { change, after }] of Object.entries(OVERTAKING)) {
  CASES[`gives a value that ${what} has overtaken, and does not store it`] = async (cache) => {
    const made = held();
    const older = cache.retrieveOrStore("k", made.compute);
    await until("it computes", () => made.calls > 0);
    await change(cache);
    made.resolve("older");
    assertEquals([await older, await cache.retrieve("k")], ["older", after]);
  };
  CASES[`lets no caller join a computation that ${what} has overtaken`] = async (cache) => {
    const made = held();
    const older = cache.retrieveOrStore("k", made.compute);
    await until("it computes", () => made.calls > 0);
    await change(cache);
    const expected = after ?? "computed anew";
    assertEquals(await cache.retrieveOrStore<unknown>("k", () => "computed anew"), expected);
    made.resolve("older");
    assertEquals([await older, await cache.retrieve("k")], ["older", expected]);
  };
}

testAll(Object.fromEntries(Object.entries(CASES).map(([name, use]) => [`.retrieveOrStore() ${name}`, use])));

for (
  const kind of ["OrmucoCacheClient with a server", "LocalCache", "OrmucoCacheClient without a server, with copies"]
) {
  Deno.test(`${kind}.retrieveOrStore() tells who computes it of a value that cannot be kept`, () =>
    KINDS[kind](async (cache) => {
      await assertRejects(() => cache.retrieveOrStore("k", () => ({ items: [() => {}] })), TypeError, "items");
      assertEquals(await cache.has("k"), false);
    }));
}

Deno.test("a client whose server is gone computes for all callers at once, and tries to store nothing", async () => {
  const errors: CacheError[] = [];
  const servers = [freeAddress()];
  await using cache = new OrmucoCacheClient({ servers, onError: (error) => errors.push(error) });
  let calls = 0;
  const answers = await Promise.all([1, 2, 3].map(() => cache.retrieveOrStore("k", () => ++calls)));
  assertEquals([answers, errors.map(({ code }) => code)], [[1, 1, 1], ["unreachable"]]);
  assertEquals((await cache.stats()).misses, 1);
});

Deno.test("a client replaces a value that it cannot read", async () => {
  await using server = await startedServer();
  await using cache = new OrmucoCacheClient({ servers: [server.address!], onError: () => {} });
  const set = `set k ${FLAGS.json} 0 9\r\n{not JSON\r\n`;
  assertEquals(await exchange(portOf(server.address!), set, (reply) => reply.endsWith("\n")), "STORED\r\n");
  assertEquals(await cache.retrieveOrStore<unknown>("k", () => "computed"), "computed");
  assertEquals([await cache.retrieve("k"), (await cache.stats()).failures.protocol], ["computed", 1]);
});

Deno.test("clients that cannot read a value compute it once, and a newer one that is stored meanwhile remains", async () => {
  await using server = await startedServer();
  const servers = [server.address!];
  await using a = new OrmucoCacheClient({ servers, near: true, onError: () => {} });
  await using b = new OrmucoCacheClient({ servers, onError: () => {} });
  for (const isReplaced of [false, true]) {
    const set = `set k ${FLAGS.json} 0 9\r\n{not JSON\r\n`;
    assertEquals(await exchange(portOf(server.address!), set, (reply) => reply.endsWith("\n")), "STORED\r\n");
    const begun = Promise.withResolvers<void>();
    const { promise: computed, resolve } = Promise.withResolvers<string>();
    const first = a.retrieveOrStore("k", () => {
      begun.resolve();
      return computed;
    });
    await begun.promise;
    const second = b.retrieveOrStore<string>("k", () => "computed twice", { staleIfErrorMs: 1000 });
    await until("it waits", () => server.stats().leaseWaits === 1);
    if (isReplaced) await server.cache.store("k", "newer");
    else resolve("computed");
    assertEquals(await second, isReplaced ? "newer" : "computed");
    resolve("computed");
    assertEquals([await first, await server.cache.retrieve("k")], ["computed", await second]);
  }
});
