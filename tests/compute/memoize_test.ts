/** memoize(): its keys, its types, and what it refuses. */

import { assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { memoize, type MemoizeOptions, OrmucoCacheClient } from "../../mod.ts";
import { held } from "../support/compute_backend.ts";
import { stillTime } from "../support/still_time.ts";
import { turn } from "../support/waiting.ts";

type Options = MemoizeOptions<never>;

function newCache(): OrmucoCacheClient {
  return new OrmucoCacheClient({ maxSize: 100 });
}

Deno.test("memoize() makes a function that computes once for each list of arguments, and has its types", async () => {
  const calls: unknown[][] = [];
  function add(a: number, b: number): number {
    calls.push([a, b]);
    return a + b;
  }
  const added = memoize(add, { cache: newCache() });
  const sum: Promise<number> = added(1, 2);
  assertEquals([await sum, await added(1, 2), await added(2, 1)], [3, 3, 3]);
  assertEquals(calls, [[1, 2], [2, 1]]);
  // @ts-expect-error: text is no number; the call is not made
  const wrong = () => added("1", 2);
  assertEquals(typeof wrong, "function");
});

Deno.test("memoize() has callers at the same time share one call, and remembers no error", async () => {
  const made = held();
  const { signal } = new AbortController();
  const shared = memoize(() => made.compute({ signal }), { cache: newCache(), name: "shared" });
  const answers = [shared(), shared(), shared()];
  made.reject(new Error("no"));
  await Promise.all(answers.map((answer) => assertRejects(() => answer, Error, "no")));
  assertEquals(made.calls, 1);
  await assertRejects(() => shared(), Error, "no");
  assertEquals(made.calls, 2);
});

Deno.test("memoize() keeps results for their time, and takes the other options of retrieveOrStore", async () => {
  using time = stillTime();
  let calls = 0;
  const counted = memoize(() => ++calls, { cache: newCache(), name: "counted", ttlMs: 10, staleWhileRevalidateMs: 5 });
  for (const [ms, expected] of [[0, 1], [9, 1], [1, 1], [0, 2], [15, 3]]) {
    time.nowMs += ms;
    assertEquals(await counted(), expected);
    await turn(); // what is computed behind an answer is stored
  }
});

Deno.test("memoize() makes a key of its name and arguments, which confuses no two lists of them", async () => {
  const cache = newCache();
  const show = memoize((...args: unknown[]) => args.length, { cache, name: "show" });
  const lists = [
    ...[[], [""], ["", ""], [1], ["1"], [true], ["true"], [0], [-0], ["-0"], [NaN], ["NaN"], [Infinity], [1, 2]],
    ...[["1,2"], ["1", "2"], ['1","2'], ["1)"], [1, "2"], ["a\nb"], ["\ud800"], ["\\ud800"], ["é"], ["e\u0301"], [
      1e21,
    ]],
  ];
  for (const list of lists) await show(...list);
  assertEquals((await cache.stats()).entries, lists.length);
  for (const key of ["show()", 'show(1,"2")', "show(-0)", 'show("1)")']) assertEquals(await cache.has(key), true, key);
});

Deno.test("memoize() names the argument of which it can make no key, and calls nothing", async () => {
  const made = held();
  const { signal } = new AbortController();
  const many = memoize((..._args: unknown[]) => made.compute({ signal }), { cache: newCache(), name: "many" });
  for (
    const [value, shown] of [[{}, "an object"], [undefined, "undefined"], [null, "null"], [5n, "5n"], [[1], "an array"]]
  ) {
    const words =
      'Cannot call memoized "many": argument 2 must be text, a number or a boolean unless option key makes the ' +
      `key: received ${shown}`;
    await assertRejects(() => many(1, value, 3), TypeError, words);
  }
  assertEquals(made.calls, 0);
});

Deno.test("memoize() takes keys of any arguments from option key, and refuses what is no key", async () => {
  const cache = newCache();
  const total = memoize((orders: { id: number }[], by: number) => orders.length * by, {
    cache,
    key: (orders, by) => `total:${orders.map(({ id }) => id)}:${by}`,
  });
  assertEquals(await total([{ id: 1 }, { id: 2 }], 10), 20);
  assertEquals([await cache.retrieve("total:1,2:10"), await total([{ id: 1 }, { id: 2 }], 10)], [20, 20]);
  const keyless = memoize((_: object) => 1, { cache, key: () => "" });
  await assertRejects(() => keyless({}), RangeError, "Cannot use key");
  const throwing = memoize((_: object) => 1, {
    cache,
    key: () => {
      throw new Error("no key");
    },
  });
  await assertRejects(() => throwing({}), Error, "no key");
});

Deno.test("memoize() takes the function's own name, and refuses one that has none or two of one name in one cache", async () => {
  const cache = newCache();
  const named = () => 1;
  const other = { named: () => 2 }.named;
  const first = memoize(named, { cache });
  assertThrows(
    () => memoize(other, { cache }),
    TypeError,
    'Cannot memoize "named": another function of that name is memoized with this cache',
  );
  assertThrows(() => memoize(other, { cache, name: "named" }), TypeError, "another function of that name");
  const again = memoize(named, { cache });
  const elsewhere = memoize(other, { cache: newCache() });
  const renamed = memoize(other, { cache, name: "renamed" });
  assertEquals(await Promise.all([first(), again(), elsewhere(), renamed()]), [1, 1, 2, 2]);
  assertEquals([await cache.has("named()"), await cache.has("renamed()")], [true, true]);
  for (const nameless of [() => 1, { "a(b": () => 1 }["a(b"]]) {
    Object.defineProperty(nameless, "name", { value: nameless.name.includes("(") ? "a(b" : "" });
    assertThrows(
      () => memoize(nameless, { cache }),
      TypeError,
      "Cannot memoize: a function needs a name or option key",
    );
    assertStrictEquals(await memoize(nameless, { cache, key: () => "own" })(), 1);
  }
});

Deno.test("memoize() says which option is wrong, and what is allowed", () => {
  const cache = newCache();
  const fn = () => 1;
  const wrong: [unknown, ErrorConstructor, string][] = [
    [{}, TypeError, "Cannot memoize: option cache must be given"],
    [undefined, TypeError, "Cannot memoize: options must be an object: received undefined"],
    [{ cache: {} }, RangeError, "Cannot memoize: cache must be a cache: received an object"],
    [{ cache, key: "k" }, RangeError, 'Cannot memoize: key must be a function: received "k"'],
    [{ cache, name: "a(b" }, RangeError, 'name must be text of 1 to 1000 characters without "(": received "a(b"'],
    [{ cache, name: "" }, RangeError, "name must be text of 1 to 1000 characters"],
    [{ cache, name: "\ud800" }, RangeError, "name must be text of 1 to 1000 characters"],
    [{ cache, key: fn, name: "n" }, TypeError, "name has no effect beside option key"],
    [{ cache, ttlMs: -1 }, RangeError, "ttlMs must be 0 to 9007199254740991, or Infinity: received -1"],
    [{ cache, ttl: 1 }, TypeError, "unknown option ttl: did you mean ttlMs?"],
    [{ cache, signal: AbortSignal.abort() }, TypeError, "unknown option signal"],
  ];
  for (const [options, kind, words] of wrong) assertThrows(() => memoize(fn, options as Options), kind, words);
  assertThrows(() => memoize(5 as unknown as () => 1, { cache }), TypeError, "there must be a function: received 5");
});
