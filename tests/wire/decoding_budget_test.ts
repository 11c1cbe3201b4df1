/** What it may cost to decode a value: costly ones are refused before they are built, and stored ones can be read. */

import { assert, assertInstanceOf, assertStrictEquals, assertThrows } from "@std/assert";
import { ProtocolError } from "../../lib/base/errors.ts";
import { MAX_VALUE_BYTES } from "../../lib/base/limits.ts";
import { generator } from "../../lib/simulation/seeded_random.ts";
import { CLIENT_UNITS, DecodingBudget, DecodingCostError, SERVER_CACHE_UNITS } from "../../lib/wire/decoding_budget.ts";
import { weighMsgpack } from "../../lib/wire/msgpack_weights.ts";
import { decodeValue, encodeValue, FLAGS } from "../../lib/wire/values.ts";
import { ATTACKS, collidingBigints, collidingDoubles, collidingIntegers, ORDINARY } from "../support/costly_values.ts";
import { RandomValues } from "../support/random_values.ts";
import { assertSame } from "../support/same_value.ts";
import { type Encoded, encoded } from "../support/value_bytes.ts";

/** Kinds that cost less than is allowed even where they take 16 MiB. */
const READ = new Set([
  "text of U+FFFD",
  "compressed: text",
  "JSON: small fractions",
  "JSON: fractions near a limit",
  "JSON: numbers of 800 digits",
  "JSON: strings of 11 letters",
  "JSON: one escaped string",
  "JSON: blanks",
  "doubles",
  "floats",
  "64-bit integers",
  "one bigint",
  "one utf16 string",
  "sets of 30 doubles that collide",
  "one long date",
  "headers of one long value",
]);

/** `server.cache` allows a fifth of what a client does: of a fifth of 16 MiB, which is quicker made. */
const SHARE = SERVER_CACHE_UNITS / CLIENT_UNITS;

for (const [name, make] of Object.entries(ATTACKS)) {
  if (name === "one long date" && !("Temporal" in globalThis)) continue;
  Deno.test(`decodeValue() ${READ.has(name) ? "reads" : "refuses"} a large value of this kind: ${name}`, () => {
    const isQuadratic = name.includes("alike"); // a share of such a value costs less than that share
    const { flags, bytes } = make(isQuadratic ? MAX_VALUE_BYTES : Math.floor(SHARE * MAX_VALUE_BYTES));
    if (READ.has(name)) return void decodeValue(flags, bytes, SERVER_CACHE_UNITS);
    const { message } = assertThrows(() => decodeValue(flags, bytes, SERVER_CACHE_UNITS), ProtocolError);
    assert(
      /too costly to read: .* 100 ms|more than \d+ bytes when|not UTF-8|more than 1048576 arrays and maps/.test(
        message,
      ),
      message,
    );
    assert(message.length < 400, `a message of ${message.length} characters`);
  });
}

for (const [name, make] of Object.entries(ORDINARY)) {
  Deno.test(`encodeValue() and decodeValue() take a large value of ordinary use: ${name}`, () => {
    const { flags, bytes } = make(SHARE);
    assertInstanceOf(Object(decodeValue(flags, bytes, SERVER_CACHE_UNITS)), Object);
  });
}

Deno.test("encodeValue() refuses what costs too much to decode, and names the path of keys and regular expressions", () => {
  const allowed = "would take more than the 500 ms allowed";
  const cases: [unknown, string][] = [
    [{ a: [new Set(collidingDoubles(10_000))] }, `data.a[0]: too costly to read: keys that collide ${allowed}`],
    [new Map(collidingBigints(5000).map((key) => [key, 1])), `data: too costly to read: keys that collide ${allowed}`],
    [new Set(collidingIntegers(10_000)), `data: too costly to read: keys that collide ${allowed}`],
    [[1, new RegExp("a".repeat(300_000))], `data[1]: too costly to read: a RegExp ${allowed}`],
    [new RegExp("[\\p{L}--\\p{Lu}]".repeat(50), "v"), `data: too costly to read: a RegExp ${allowed}`],
    [new RegExp("\\p{RGI_Emoji}".repeat(26), "v"), `data: too costly to read: a RegExp ${allowed}`],
    [{ a: headersOfMany(10_000) }, `data.a: too costly to read: Headers ${allowed}`],
    [Array.from({ length: 900_000 }, () => ({})), `data: too costly to read: its parts ${allowed}`],
    [Array.from({ length: 25_000 }, () => new Error("e")), `data: too costly to read: its parts ${allowed}`],
  ];
  for (const [value, message] of cases) {
    assertStrictEquals(assertThrows(() => encodeValue(value), RangeError).message, `Cannot encode ${message}`);
  }
});

Deno.test("encodeValue() and decodeValue() take regular expressions and keys of ordinary use, in server.cache too", () => {
  const values: unknown[] = [
    /^[\p{L}--\p{Lu}]+$/v,
    /\p{RGI_Emoji}/v,
    /[\p{L}\p{N}_]+@[\p{L}\p{N}_.]+/giu,
    new RegExp("(a|b)".repeat(1000)),
    new Set(collidingDoubles(1000)),
    new Map(Array.from({ length: 20_000 }, (_, i) => [i, i])),
    new Set(Array.from({ length: 20_000 }, (_, i) => i / 7)),
    new Set(Array.from({ length: 20_000 }, (_, i) => BigInt(i) << 40n)),
    Array.from({ length: 5000 }, (_, id) => ({ id, name: `name ${id}`, at: new Date(id), tags: ["a", "b"] })),
    Array.from({ length: 20_000 }, (_, id) => ({ id, name: `name ${id}`, tags: ["a", "b"] })),
  ];
  for (const value of values) {
    const { flags, payload } = encodeValue(value, SERVER_CACHE_UNITS);
    const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
    assertSame(decodeValue(flags, bytes, SERVER_CACHE_UNITS), value);
  }
});

Deno.test("decodeValue() weighs a key more if the row of keys before it is new, and counts a repeated key once", () => {
  const rows = (key: (i: number) => string) => encoded(Array.from({ length: 50_000 }, (_, i) => ({ [key(i)]: i })));
  for (const other of [[], [undefined]]) { // JSON, and MessagePack
    const alike = encoded([...other, ...Array.from({ length: 50_000 }, (_, i) => ({ alike: i }))]);
    decodeValue(alike.flags, alike.bytes, SERVER_CACHE_UNITS);
  }
  const apart = rows((i) => `key${i}`);
  const refused = decodedWithin(SERVER_CACHE_UNITS, apart);
  assertInstanceOf(refused, ProtocolError);
  assert(refused.message.includes("too costly to read"), refused.message);
  const repeated = encoded(new Array(100_000).fill("200"));
  assert(
    Array.isArray(decodeValue(repeated.flags, repeated.bytes)),
    "texts of digits that are the same do not collide",
  );
});

Deno.test("decodeValue() reads with some budget what encodeValue() made with it, when values are random", () => {
  let stored = 0;
  let refused = 0;
  for (let seed = 1; seed <= 100; seed++) {
    const values = new RandomValues(generator(seed));
    const list = Array.from({ length: 1 + (seed % 40) }, () => values.value(3));
    const value = seed % 3 === 0 ? new Set(list) : list;
    const all = encoded(value);
    for (let units = 1000; units < 1e9; units *= 5) {
      let isStored = true;
      try {
        encodeValue(value, units);
      } catch (error) {
        isStored = false;
        assert(/too costly to read/.test((error as Error).message), String(error));
      }
      const result = decodedWithin(units, all);
      const isShortJson = all.flags === FLAGS.json && all.bytes.length <= 512; // is read in any case
      assertStrictEquals(result instanceof ProtocolError, !isStored && !isShortJson, `seed ${seed}, ${units} units`);
      if (isStored) stored++;
      else refused++;
    }
  }
  assert(stored > 300 && refused > 300, `${stored} stored and ${refused} refused`);
});

Deno.test("weighMsgpack() spends a number of units, wherever the bytes end and whatever is wrong with them", () => {
  const values = new RandomValues(generator(3));
  for (let i = 0; i < 300; i++) {
    const { bytes } = encoded([undefined, ...Array.from({ length: 5 }, () => values.value(3))]);
    const damaged = values.mutated(bytes, bytes);
    for (let to = 1; to <= damaged.length; to++) {
      const units = 4000 * to; // so few that the parts have to be weighed
      const budget = new DecodingBudget(units);
      const cut = i % 2 === 0 ? damaged : damaged.slice(0, to); // with other bytes behind them, or none
      const isRefused = isTooCostly(() => weighMsgpack(cut, 0, to, budget));
      const { left } = budget;
      assert(isRefused ? left < 0 : left >= 0 && left < units, `value ${i}, ${to} bytes: ${left} units are left`);
    }
  }
});

Deno.test("decodeValue() costs no more units a byte than it takes for granted where it weighs no parts", () => {
  for (const [name, make] of Object.entries(ATTACKS)) {
    if (/collide|regular expression|compressed/.test(name)) continue; // these are weighed in any case, or unpack to more
    const { flags, bytes } = make(50_000);
    const most = (flags === FLAGS.json ? 700 : 2500) * bytes.length;
    for (const units of [1.99 * most, most]) { // weighed, and barely so
      const result = decodedWithin(units, { flags, bytes });
      assert(!(result instanceof ProtocolError && /too costly/.test(result.message)), `${name}: ${result}`);
    }
  }
});

function isTooCostly(weigh: () => void): boolean {
  try {
    weigh();
    return false;
  } catch (error) {
    assertInstanceOf(error, DecodingCostError);
    return true;
  }
}

function headersOfMany(count: number): Headers {
  const headers = new Headers();
  for (let i = 0; i < count; i++) headers.append(`name-${i}`, "");
  return headers;
}

/** What decoding gave with some units, or that it was refused. */
function decodedWithin(units: number, { flags, bytes }: Encoded): unknown {
  try {
    return decodeValue(flags, bytes, units);
  } catch (error) {
    assertInstanceOf(error, ProtocolError);
    return error;
  }
}
