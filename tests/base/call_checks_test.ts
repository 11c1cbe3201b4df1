/** What the calls of every cache are given beside a key: what is taken, what is refused, and what the error says. */

import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  checkCallOptions,
  checkIncrement,
  checkKeysOptions,
  checkPairs,
  checkStoreManyOptions,
  checkStoreOptions,
} from "../../lib/base/call_checks.ts";

type Wrong = [unknown, typeof Error, string];

const { signal } = new AbortController();

/** Checks that options of calls are refused by a check. */
function refuses(check: (options: never) => unknown, wrong: readonly Wrong[]): void {
  for (const [options, kind, words] of wrong) assertThrows(() => check(options as never), kind, words);
}

Deno.test("checkCallOptions() returns options that are right as they are, and none where there are none", () => {
  const options = { timeoutMs: 0.5, signal };
  assertStrictEquals(checkCallOptions("ping", options), options);
  assertStrictEquals(checkCallOptions("ping", { signal: AbortSignal.abort() }).signal?.aborted, true);
  for (const none of [undefined, null, {}, { timeoutMs: null as unknown as undefined }]) {
    assertEquals(checkCallOptions("ping", none), {});
  }
});

Deno.test("checkCallOptions() says what cannot be done, which option is wrong and what it received", () => {
  refuses((options) => checkCallOptions("retrieve", options), [
    [{ timeout: 5 }, TypeError, "Cannot retrieve: unknown option timeout: did you mean timeoutMs?"],
    [{ onlyIf: "absent" }, TypeError, "unknown option onlyIf: there are timeoutMs, signal"],
    [{ timeoutMs: 0 }, RangeError, "Cannot retrieve: timeoutMs must be more than 0 and below 2³⁰: received 0"],
    [{ timeoutMs: 2 ** 30 }, RangeError, "received 1073741824"],
    [{ signal: {} }, RangeError, "signal must be an AbortSignal: received an object"],
    [5000, TypeError, "Cannot retrieve: options must be an object: received 5000"],
    [[], TypeError, "options must be an object: received an array"],
  ]);
});

Deno.test("checkStoreOptions() takes conditions that can be met, and checkStoreManyOptions() none", () => {
  const rest = { ttlMs: Infinity, renewOnHit: false, timeoutMs: 5, signal };
  for (const onlyIf of ["absent", "present", 0, 7, 2 ** 53 - 1] as const) {
    const options = { ...rest, onlyIf };
    assertStrictEquals(checkStoreOptions(options), options);
    refuses(checkStoreManyOptions, [[options, TypeError, "Cannot store: unknown option onlyIf: there are ttlMs"]]);
  }
  assertStrictEquals(checkStoreManyOptions(rest), rest);
  for (const onlyIf of ["missing", "", -1, 0.5, NaN, Infinity, 2 ** 53, 5n, true]) {
    const words = 'Cannot store: onlyIf must be "absent", "present" or a version, a whole number from 0 to 2⁵³ − 1';
    refuses(checkStoreOptions, [[{ onlyIf }, RangeError, words]]);
  }
  refuses(checkStoreOptions, [
    [{ ttl: 60 }, TypeError, "Cannot store: unknown option ttl: did you mean ttlMs?"],
    [{ ttlMs: -1 }, RangeError, "ttlMs must be 0 to 9007199254740991, or Infinity: received -1"],
    [{ ttlMs: 2 ** 53 }, RangeError, "received 9007199254740992"],
    [{ renewOnHit: 1 }, RangeError, "renewOnHit must be true or false: received 1"],
    [60_000, TypeError, "Cannot store: options must be an object: received 60000"],
    [[], TypeError, "Cannot store: options must be an object: received an array"],
  ]);
});

Deno.test("checkKeysOptions() takes a prefix that a key can begin with, or no key has", () => {
  for (const prefix of ["", "users:", "\0", "x".repeat(4096)]) assertEquals(checkKeysOptions({ prefix }), { prefix });
  const words = "Cannot list keys: prefix must be well-formed text of at most 4096 characters: received";
  for (const prefix of ["\ud800", "x".repeat(4097), 7, {}]) {
    refuses(checkKeysOptions, [[{ prefix }, RangeError, words]]);
  }
});

Deno.test("checkIncrement() gives bigints, and 1 where nothing is said", () => {
  const none = { timeoutMs: undefined, signal: undefined };
  assertEquals(checkIncrement(undefined, undefined), { by: 1n, initial: undefined, ttlMs: undefined, ...none });
  const all = { ttlMs: 5, timeoutMs: 6, signal };
  assertEquals(checkIncrement(-7, { initial: 0, ...all }), { by: -7n, initial: 0n, ...all });
  for (const edge of [2n ** 64n - 1n, 2 ** 53, 2 ** 63]) {
    assertStrictEquals(checkIncrement(edge, { initial: edge }).initial, BigInt(edge));
    assertStrictEquals(checkIncrement(-edge, null).by, -BigInt(edge));
  }
});

Deno.test("checkIncrement() refuses what is no whole number of 64 bits", () => {
  for (const by of [0.5, NaN, Infinity, 2 ** 64, -(2 ** 64), 2n ** 64n, -(2n ** 64n), "1", true]) {
    const words = "Cannot increment: by must be a whole number from −2⁶⁴ + 1 to 2⁶⁴ − 1: received";
    assertThrows(() => checkIncrement(by as number, undefined), RangeError, words);
  }
  for (const initial of [-1, -1n, 0.5, NaN, 2 ** 64, 2n ** 64n, "1"]) {
    const words = "Cannot increment: initial must be a whole number from 0 to 2⁶⁴ − 1: received";
    assertThrows(() => checkIncrement(1, { initial: initial as number }), RangeError, words);
  }
  refuses((options) => checkIncrement(1, options), [
    [{ renewOnHit: true }, TypeError, "Cannot increment: unknown option renewOnHit"],
    [{ ttlMs: -1 }, RangeError, "ttlMs must be"],
  ]);
});

Deno.test("checkPairs() returns the last value of each key, in the order in which keys came", () => {
  const pairs: [string, unknown][] = [["b", 1], ["a", undefined], ["b", 2]];
  assertEquals([...checkPairs(pairs)], [["b", 2], ["a", undefined]]);
  assertEquals([...checkPairs(new Map(pairs))], [["b", 2], ["a", undefined]]);
  assertEquals(checkPairs([]).size, 0);
});

Deno.test("checkPairs() refuses what is no list of pairs, a key that is none, and a promise", () => {
  const wrong: Wrong[] = [
    ...["ab", 7, null, undefined].map((entries): Wrong => [entries, TypeError, "must be a list of pairs of a key and"]),
    [{ a: 1 }, TypeError, "received an object"],
    [["ab"], TypeError, 'received "ab" as one of them'],
    [[["a"]], TypeError, "received an array as one of them"],
    [[["a", 1, 2]], TypeError, "received an array as one of them"],
    [[["a", 1], ["", 2]], RangeError, "Cannot use key"],
    [[[7, 1]], RangeError, "Cannot use key"],
    [[["a", Promise.resolve(1)], ["a", 1]], TypeError, "Cannot store a Promise"],
  ];
  refuses(checkPairs as (entries: never) => unknown, wrong);
});
