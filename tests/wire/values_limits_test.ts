/** The codec's limits: nesting, parts, what a header claims, and memory. */

import { assert, assertStrictEquals, assertThrows } from "@std/assert";
import { MAX_DEPTH } from "../../lib/base/limits.ts";
import { ProtocolError } from "../../lib/base/errors.ts";
import { EXT } from "../../lib/wire/msgpack_types.ts";
import { decodeValue, encodeValue, FLAGS } from "../../lib/wire/values.ts";
import { assertSame } from "../support/same_value.ts";
import { assertRefused, concat, encoded, extension, roundTrip } from "../support/value_bytes.ts";
import { record } from "../support/value_samples.ts";

const utf8 = new TextEncoder();

/** Ways to put a value one level deeper. */
const WRAPS: Record<string, (inner: unknown) => unknown> = {
  array: (inner) => [inner],
  object: (inner) => ({ a: inner }),
  "extended array": (inner) => [inner, undefined],
  "extended object": (inner) => ({ a: inner, b: -0 }),
  record: (inner) => record([["__proto__", inner]]),
  "extended record": (inner) => record([["__proto__", inner], ["b", undefined]]),
  "map value": (inner) => new Map([["k", inner]]),
  "map key": (inner) => new Map([[inner, 1]]),
  set: (inner) => new Set([inner]),
  error: (inner) => new Error("e", { cause: inner }),
};

function nested(levels: number, wrap: (inner: unknown, level: number) => unknown): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level++) value = wrap(value, level);
  return value;
}

Deno.test("encodeValue() and decodeValue() take 256 levels and refuse 257 when values are nested", () => {
  const wraps = Object.values(WRAPS);
  const mixed = (inner: unknown, level: number) => wraps[level % wraps.length](inner);
  for (const [name, wrap] of Object.entries({ ...WRAPS, mixed })) {
    const deepest = nested(MAX_DEPTH, wrap);
    assertSame(roundTrip(deepest), deepest, name);
    const error = assertThrows(() => encodeValue(nested(MAX_DEPTH + 1, wrap)), RangeError);
    assert(error.message.startsWith("Cannot encode data: nested deeper than 256: at data"), error.message);
  }
});

Deno.test("encodeValue() throws a RangeError when shared values double 40 times", () => {
  let value: unknown = [];
  for (let level = 0; level < 40; level++) value = [value, value];
  const error = assertThrows(() => encodeValue(value), RangeError);
  assertStrictEquals(error.message, "Cannot encode data: more than 8388608 parts");
  let map: unknown = new Map();
  for (let level = 0; level < 40; level++) map = new Map([["left", map], ["right", map]]);
  const refused = assertThrows(() => encodeValue(map), RangeError);
  assertStrictEquals(refused.message, "Cannot encode data: more than 1048576 arrays, objects and the like");
});

Deno.test("decodeValue() refuses maps whose keys would take kilobytes each, and builds indexed objects thriftily", () => {
  const objects = 20_000;
  const byInteger = concat(
    [0xdd, 0, 0, objects >> 8, objects & 255],
    ...new Array(objects).fill([0x81, 0xcd, 3, 0xe8, 0]),
  );
  assertRefused(FLAGS.msgpack, byInteger, "a key that is no string");
  assertRefused(FLAGS.msgpack, Uint8Array.of(0x81, 0xa2, 0x31, 0x30, 1), "a key that is an array index");
  const sparse = Array.from({ length: objects }, () => ({ 1000: undefined, 4294967294: 1, x: 2 }));
  const { flags, bytes } = encoded(sparse);
  const before = Deno.memoryUsage().heapUsed;
  const back = decodeValue(flags, bytes);
  assert(Deno.memoryUsage().heapUsed - before < objects * 3000, "an object takes a fraction of 12 KB");
  assertSame(back, sparse);
});

Deno.test("encodeValue() and decodeValue() refuse crowds of long bigints as keys, which would collide", () => {
  const long = (count: number) => Array.from({ length: count }, (_, i) => BigInt(i + 1) << 64n);
  assertSame(roundTrip(new Set(long(1000))), new Set(long(1000)));
  assertThrows(
    () => encodeValue({ a: new Set(long(1001)) }),
    RangeError,
    "encode data.a: received more than 1000 bigints",
  );
  assertThrows(() => encodeValue(new Map(long(1001).map((key) => [key, 1]))), RangeError, "more than 1000 bigints");
  const items = long(1001).map((item) => encoded(item).bytes);
  const payload = concat([0xdc, 3, 0xe9], ...items);
  assertRefused(FLAGS.msgpack, extension(EXT.set, payload), "more than 1000 bigints");
});

function nestedBytes(levels: number, wrap: (inner: Uint8Array) => Uint8Array): Uint8Array {
  let bytes: Uint8Array = Uint8Array.of(1);
  for (let level = 0; level < levels; level++) bytes = wrap(bytes);
  return bytes;
}

Deno.test("decodeValue() takes 256 levels and refuses 257 when the bytes are another's", () => {
  const wraps: [string, (inner: Uint8Array) => Uint8Array][] = [
    ["array", (inner) => concat([0x91], inner)],
    ["array16", (inner) => concat([0xdc, 0, 1], inner)],
    ["array32", (inner) => concat([0xdd, 0, 0, 0, 1], inner)],
    ["object", (inner) => concat([0x81, 0xa1, 0x61], inner)],
    ["set", (inner) => extension(EXT.set, concat([0x91], inner))],
    ["map value", (inner) => extension(EXT.map, concat([0x92, 1], inner))],
    ["map key", (inner) => extension(EXT.map, concat([0x92], inner, [1]))],
    ["record", (inner) => extension(EXT.record, concat([0x92, 0xa1, 0x61], inner))],
    ["error", (inner) => extension(EXT.error, concat([0x95, 0xa1, 0x45, 0xa1, 0x6d, 0xc0, 0xa1, 0x61], inner))],
  ];
  for (const [name, wrap] of wraps) {
    assert(typeof decodeValue(FLAGS.msgpack, nestedBytes(MAX_DEPTH, wrap)) === "object", name);
    assertRefused(FLAGS.msgpack, nestedBytes(MAX_DEPTH + 1, wrap), "nested deeper than 256");
  }
  for (const [open, close] of [["[", "]"], ['{"a":', "}"], ['[{"a":[', "]}]"], ['["\\"[",', "]"]]) {
    const perWrap = [...close].length;
    const text = (wraps: number) => utf8.encode(`${open.repeat(wraps)}1${close.repeat(wraps)}`);
    assert(typeof decodeValue(FLAGS.json, text(Math.floor(MAX_DEPTH / perWrap))) === "object");
    assertRefused(FLAGS.json, text(Math.floor(MAX_DEPTH / perWrap) + 1), "nested deeper than 256");
  }
});

Deno.test("decodeValue() counts the levels around an extension when it holds more of them", () => {
  const arrays = (levels: number, inner: Uint8Array) => concat(new Array(levels).fill(0x91), inner);
  for (const outside of [1, 100, 200, 255]) {
    const bytes = (levels: number) => arrays(outside, extension(EXT.set, arrays(levels - outside, Uint8Array.of(1))));
    assert(Array.isArray(decodeValue(FLAGS.msgpack, bytes(MAX_DEPTH))));
    assertRefused(FLAGS.msgpack, bytes(MAX_DEPTH + 1), "nested deeper than 256");
  }
});

Deno.test("decodeValue() refuses before it builds when extensions hold extensions and no array", () => {
  for (const levels of [2, 257, 1_000, 500_000]) {
    const bytes = new Uint8Array(6 * levels + 1);
    for (let at = 0; at + 6 < bytes.length; at += 6) {
      bytes[at] = 0xc9;
      new DataView(bytes.buffer).setUint32(at + 1, bytes.length - at - 6);
      bytes[at + 5] = EXT.set;
    }
    const { message } = assertThrows(() => decodeValue(FLAGS.msgpack, bytes), ProtocolError);
    assert(!message.includes("call stack"), `${levels} levels: ${message}`);
  }
});

Deno.test("decodeValue() counts no bracket as a level when it stands in a JSON string", () => {
  const value = ["[".repeat(1000), '"\\["'.repeat(500), { ["{".repeat(600)]: "\\" }, "[".repeat(300)];
  assertSame(decodeValue(FLAGS.json, utf8.encode(JSON.stringify(value))), value);
  const flat = Array.from({ length: 1000 }, () => [[]]);
  assertSame(decodeValue(FLAGS.json, utf8.encode(JSON.stringify(flat))), flat);
});

Deno.test("decodeValue() refuses before it builds when a header claims what is not there", () => {
  const most = [0xff, 0xff, 0xff, 0xff];
  const claimed = "more items claimed than bytes left";
  const nests = (levels: number, header: number[]) => concat(...Array.from({ length: levels }, () => header));
  const cases: [Uint8Array | number[], string][] = [
    [[0xdd, ...most], claimed],
    [[0xdd, 1, 0xc9, 0xc3, 0x80], claimed], // 30,000,000: an array of so many would be allocated at once
    [[0xdf, ...most], claimed],
    [[0xdf, 0x80, 0, 0, 0], claimed], // twice 2³¹ is 2³², not 0
    [[0xdc, 0xff, 0xff, 1], claimed],
    [[0xde, 0, 2, 1, 1, 1], claimed],
    [[0x9f, 1], claimed],
    [[0x81, 1], claimed],
    [[0x92, 0x91, 1], claimed], // each fits alone, and not both
    [nests(200, [0xdc, 0, 199]), claimed], // 199 to the power of 200 items, each header within the bytes left at first
    [concat([0xdd, 0, 0, 1, 0], new Uint8Array(255)), claimed],
    [nests(300, [0x91]), "nested deeper than 256"],
    [extension(EXT.set, Uint8Array.of(0xdd, ...most)), claimed],
    [concat([0x92], extension(EXT.set, Uint8Array.of(0x92, 1)), [1, 1]), claimed], // must not take items from outside
    [extension(EXT.set, Uint8Array.of(0x91, 1, 1)), "bytes after the value"],
    [concat([0x92], extension(EXT.set, Uint8Array.of(0x91, 0xa2, 0x61)), [1]), "truncated"], // nor bytes
    [extension(EXT.map, Uint8Array.of()), ""],
    [[0xc6, ...most], "truncated"],
    [[0xdb, ...most, 0x61], "truncated"],
    [[0xc9, ...most, EXT.set], "truncated"],
    [[0xc9, ...most, EXT.bigint], "truncated"],
    [[0xbf, 0x61], "truncated"],
    [[0xcb, 0, 0], "truncated"],
    [[0xcf, 0], "truncated"],
    [[0xd8, 4], "truncated"],
    [[], "truncated"],
    [[0xc1], "0xc1 is never used"],
    [[0x91, 0xc1], "0xc1 is never used"],
    [[1, 1], "bytes after the value"],
  ];
  for (const [bytes, includes] of cases) {
    assertRefused(FLAGS.msgpack, Uint8Array.from(bytes), includes);
    assertRefused(FLAGS.msgpack, Uint8Array.from(bytes), "bad MessagePack at byte");
  }
  for (const open of ["[", '{"a":']) {
    const deep = new Uint8Array(16 * 1024 * 1024);
    const unit = utf8.encode(open);
    for (let at = 0; at < deep.length; at++) deep[at] = unit[at % unit.length];
    assertRefused(FLAGS.json, deep, "nested deeper than 256");
  }
  assertRefused(FLAGS.msgpack, new Uint8Array(16 * 1024 * 1024).fill(0x91), "nested deeper than 256");
  assertRefused(FLAGS.msgpack, new Uint8Array(16 * 1024 * 1024).fill(0xdd), claimed);
});
