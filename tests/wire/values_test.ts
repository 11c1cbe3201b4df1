/** The codec: what comes back the same, what is refused and where, and that no bytes do worse than ProtocolError. */

import { assert, assertEquals, assertInstanceOf, assertStrictEquals, assertThrows } from "@std/assert";
import { seeded } from "../../bench/compare.ts";
import { decodeValue, encodeValue, FLAGS } from "../../lib/wire/values.ts";
import { ProtocolError } from "../../lib/base/errors.ts";
import { EXT } from "../../lib/wire/msgpack_values.ts";
import { MAX_DEPTH } from "../../lib/base/limits.ts";

interface Encoded {
  flags: number;
  bytes: Uint8Array;
}

const utf8 = new TextEncoder();
const LONE = "\ud800";
const BOM = "\ufeff";

function encoded(value: unknown): Encoded {
  const { flags, payload } = encodeValue(value);
  return { flags, bytes: typeof payload === "string" ? utf8.encode(payload) : payload };
}

/** Decodes from the middle of a larger buffer, as a client does. */
function decodedAt({ flags, bytes }: Encoded): unknown {
  const buffer = new Uint8Array(bytes.length + 10).fill(0xc1);
  buffer.set(bytes, 3);
  return decodeValue(flags, buffer.subarray(3, 3 + bytes.length));
}

function roundTrip(value: unknown): unknown {
  return decodedAt(encoded(value));
}

function shown(value: unknown): string {
  return Deno.inspect(value).slice(0, 99);
}

/** Where two values differ, as a path, or `undefined`. Stricter than assertEquals: classes, -0, order and own keys. */
function difference(actual: unknown, expected: unknown, path = "data"): string | undefined {
  if (typeof expected !== "object" || expected === null || typeof actual !== "object" || actual === null) {
    return Object.is(actual, expected) ? undefined : `${path}: ${shown(actual)} for ${shown(expected)}`;
  }
  if (Object.getPrototypeOf(actual) !== Object.getPrototypeOf(expected)) {
    return `${path}: class ${actual.constructor?.name} for ${expected.constructor?.name}`;
  }
  return listDifference(parts(actual), parts(expected), path);
}

function listDifference(actual: unknown[], expected: unknown[], path: string): string | undefined {
  if (actual.length !== expected.length) return `${path}: ${actual.length} parts for ${expected.length}`;
  for (let i = 0; i < expected.length; i++) {
    const found = difference(actual[i], expected[i], `${path}/${i}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** All that makes an object's value, in order. */
function parts(value: object): unknown[] {
  if (Array.isArray(value)) return value;
  if (value instanceof Map) return [...value].flat();
  if (value instanceof Set) return [...value];
  if (value instanceof Date) return [value.getTime()];
  if (value instanceof RegExp) return [value.source, value.flags];
  if (value instanceof URL) return [value.href];
  if (value instanceof ArrayBuffer) return Array.from(new Uint8Array(value));
  if (ArrayBuffer.isView(value)) {
    return Array.from(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  }
  const record = value as Record<string, unknown>;
  if (!(value instanceof Error)) return Object.keys(value).flatMap((key) => [key, record[key]]);
  const own = Object.getOwnPropertyNames(value).filter((key) => !["name", "message", "stack"].includes(key)).sort();
  const enumerable = own.map((key) => Object.prototype.propertyIsEnumerable.call(value, key));
  return [value.name, value.message, value.stack, ...own, ...enumerable, ...own.map((key) => record[key])];
}

function assertSame(actual: unknown, expected: unknown, note = ""): void {
  const found = difference(actual, expected);
  assert(found === undefined, `${note} ${found}`);
}

/** An object with own data properties of any name, `__proto__` included. */
function record(entries: [string, unknown][]): object {
  return Object.fromEntries(entries);
}

const TYPED_ARRAYS = [
  "Int8Array",
  "Uint8Array",
  "Uint8ClampedArray",
  "Int16Array",
  "Uint16Array",
  "Int32Array",
  "Uint32Array",
  "Float32Array",
  "Float64Array",
  "BigInt64Array",
  "BigUint64Array",
  "Float16Array",
].filter((name) => name in globalThis);

/** Every kind of view over the same 24 bytes, with an offset. */
function views(): ArrayBufferView[] {
  const { buffer } = Uint8Array.from({ length: 40 }, (_, i) => 37 * i + 1);
  const named = globalThis as unknown as Record<string, { new (...args: unknown[]): ArrayBufferView }>;
  return [...TYPED_ARRAYS, "DataView"].map((name) => {
    const elementBytes = (named[name] as unknown as { BYTES_PER_ELEMENT?: number }).BYTES_PER_ELEMENT ?? 1;
    return new named[name](buffer, 8, 24 / elementBytes);
  });
}

function errors(): Error[] {
  const classes = [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError];
  const own = Object.assign(new RangeError("own"), { code: "E1", detail: { at: new Date(5) }, nothing: undefined });
  Object.defineProperty(own, "__proto__", { value: 7, enumerable: true, configurable: true, writable: true });
  const named = new Error("named");
  Object.defineProperty(named, "name", { value: "ValidationError", configurable: true, writable: true });
  return [
    ...classes.map((type) => new type(`a ${type.name}`)),
    new Error("with cause", { cause: new TypeError("inner", { cause: "text" }) }),
    new Error("with undefined cause", { cause: undefined }),
    new AggregateError([new Error("1"), 2n, undefined], "many", { cause: -0 }),
    new AggregateError([]),
    new Error(LONE),
    new Error(""),
    own,
    named,
  ];
}

const { bytes, text, json, msgpack: extended } = FLAGS;

/** Samples of every kind, by the flags they must get. */
const SAMPLES: [flags: number, values: unknown[]][] = [
  [text, ["", "a", "é€😀", `${BOM}text`, BOM, '\0\n"\\', "x".repeat(70_000), "__proto__", "null"]],
  [bytes, [new Uint8Array(0), new Uint8Array([0, 255, 0xc1]), new Uint8Array([9, 1, 2, 3, 9]).subarray(1, 4)]],
  [json, [
    ...[null, true, false, 0, 1, -1, 0.1, 1e300, 5e-324, -1.5, 2 ** 53, -(2 ** 53), 2 ** 32, 1e21],
    ...[LONE, `a${LONE}b`, "\udfff\ud800"],
    ...[[], {}, [[]], [null], [1, "a", [true, { b: [] }]], { a: { b: { c: null } } }],
    ...[{ "1": "a", "0": "b", "-1": "c", "01": "d", "4294967295": "e", "": "f" }],
    ...[record([["__proto__", { polluted: true }], ["constructor", 1], ["toString", null]])],
    ...[{ [LONE]: LONE, [`${BOM}key`]: `${BOM}value` }, ['[[[{{{"]]', "\\"]],
  ]],
  [extended, [
    ...[undefined, -0, NaN, Infinity, -Infinity],
    ...[0n, 1n, -1n, 255n, -256n, 2n ** 63n, -(2n ** 64n), 2n ** 4000n + 1n, -(2n ** 4000n) - 1n],
    ...[[undefined], { a: undefined }, [-0, 0, NaN], { a: [{ b: -0 }] }],
    ...[new Date(0), new Date(-1), new Date(1.7e12), new Date(8.64e15), new Date(NaN)],
    ...[
      /a/,
      /a\/b/giu,
      new RegExp(""),
      new RegExp("\n"),
      new RegExp(`[${LONE}]`),
      /(?<x>.)/dsy,
      new RegExp("[a]", "v"),
    ],
    ...[new URL("https://user:pw@example.com:8443/a%20b?q=é#f"), new URL("data:,x"), new URL("http://bücher.example/")],
    ...[new Map(), new Map<unknown, unknown>([["a", 1], [1, "a"], [null, undefined], [undefined, null], [NaN, -0]])],
    ...[new Map<unknown, unknown>([[LONE, 1], ["__proto__", 2], [`${BOM}k`, 3], [new Date(1), new Map([[{}, []]])]])],
    ...[new Set(), new Set([1, "1", 1n, NaN, undefined, null, LONE]), new Set([new Set([new Set()]), new Map()])],
    ...errors(),
    ...views().filter((view) => !(view instanceof Uint8Array)),
    ...views().map((view) => [view]),
    ...[new ArrayBuffer(0), new ArrayBuffer(3), Uint8Array.of(1, 2, 3).buffer, new Float64Array(0), [
      new Uint8Array(0),
    ]],
    ...[new Float32Array([NaN, -0, Infinity]), new BigInt64Array([-1n])],
    // Beside what JSON cannot carry, everything else takes the other way too.
    [
      undefined,
      ...[null, true, false, "", "é€😀", `${BOM}text`, LONE, { [`${BOM}key`]: 1 }],
      ...[0, 1, 127, 128, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 1e300, 0.1],
      ...[-1, -32, -33, -128, -129, -32_768, -32_769, -(2 ** 31), -(2 ** 31) - 1, -(2 ** 53), 5e-324],
      ...[{ "1": "a", "0": "b", "-1": "c", "": "f" }, { [LONE]: 1, a: undefined }],
      record([["a", 1], ["__proto__", { polluted: true }], ["constructor", -0], ["hasOwnProperty", null]]),
    ],
    // Each width of length that MessagePack has, for each kind that has a length.
    ...[5, 16, 31, 32, 255, 256, 65_535, 65_536].map((length) => [
      undefined,
      "s".repeat(length),
      new Uint8Array(length).fill(7),
      new Array(length).fill(0),
      LONE.repeat(length),
      new Map([[new Int8Array(length), new Set([new Uint8Array(length)])]]),
      new Set(Array.from({ length }, (_, i) => i)),
    ]),
    ...[15, 16, 70_000].map((keys) => [undefined, record(Array.from({ length: keys }, (_, i) => [`k${i}`, i]))]),
    ...[1, 2, 3, 4, 5, 8, 15, 16, 17].map((digits) => 16n ** BigInt(digits) - 1n),
  ]],
];

const ALL_SAMPLES = SAMPLES.flatMap(([, values]) => values);

Deno.test("difference() tells values apart when they differ as little as can be", () => {
  const own = (key: string) => Object.assign(new Error("e"), { [key]: 1, stack: "" });
  const pairs: [unknown, unknown][] = [
    [0, -0],
    [1, 1n],
    [undefined, null],
    [[undefined], []],
    [{}, { a: undefined }],
    [{ a: 1, b: 2 }, { b: 2, a: 1 }],
    [{}, Object.create(null)],
    [record([["__proto__", null]]), {}],
    [new Date(0), new Date(NaN)],
    [/a/g, /a/],
    [new Map([[1, 2]]), new Map([[1, 3]])],
    [new Set([1]), new Map([[1, 1]])],
    [new Int8Array(1), new Uint8Array(1)],
    [new ArrayBuffer(1), new ArrayBuffer(2)],
    [own("a"), own("b")],
    [own("a"), Object.defineProperty(own("a"), "a", { enumerable: false })],
    [new TypeError("e"), new Error("e")],
  ];
  for (const [left, right] of pairs) {
    assert(difference(left, right) !== undefined && difference([right], [left]) !== undefined, shown(left));
  }
});

Deno.test("encodeValue() chooses flags by what carries the value unchanged when it encodes", () => {
  for (const [flags, values] of SAMPLES) {
    for (const value of values) assertStrictEquals(encodeValue(value).flags, flags, shown(value));
  }
});

Deno.test("decodeValue() gives back an equal value of the same class when encodeValue() made the bytes", () => {
  for (const value of ALL_SAMPLES) assertSame(roundTrip(value), value, shown(value));
  assertSame(roundTrip(ALL_SAMPLES), ALL_SAMPLES);
  assertStrictEquals(({} as Record<string, unknown>).polluted, undefined);
});

Deno.test("decodeValue() keeps the U+FEFF that begins a string or key when extended text is long", () => {
  for (const length of [10, 190, 200, 250, 1_000, 70_000]) {
    const long = `${BOM}${"x".repeat(length)}`;
    for (const value of [long, [long], { [long]: long }]) assertSame(roundTrip(value), value, `${length}:`);
    assertStrictEquals((roundTrip([undefined, long]) as string[])[1], long, `${length}: the string changed`);
    assertSame(roundTrip([undefined, { [long]: 1 }]), [undefined, { [long]: 1 }], `${length}:`);
    assertSame(roundTrip(new Map([[long, 1]])), new Map([[long, 1]]), `${length}:`);
  }
});

Deno.test("decodeValue() leaves prototypes alone when __proto__ is an own key", () => {
  const hostile = record([["__proto__", { polluted: 1 }]]);
  for (const value of [hostile, [undefined, hostile]]) {
    const back = [roundTrip(value)].flat().at(-1) as Record<string, unknown>;
    assertStrictEquals(Object.getPrototypeOf(back), Object.prototype);
    assertStrictEquals(Object.hasOwn(back, "__proto__"), true);
    assertStrictEquals(back.polluted, undefined);
  }
});

Deno.test("decodeValue() copies bytes when the input is a buffer in use", () => {
  for (const value of ALL_SAMPLES) {
    const { flags, bytes } = encoded(value);
    const input = bytes.slice();
    const back = decodeValue(flags, input);
    input.fill(0xaa);
    assertSame(back, value, shown(value));
  }
});

Deno.test("decodeValue() gives bytes when the flags are none of ours", () => {
  for (const flags of [0, 1, 2, 32, 0x4f430000, 0x4f430004, 0xffffffff]) {
    const input = Uint8Array.of(0xc1, 0, 255);
    const back = decodeValue(flags, input);
    input.fill(0);
    assertSame(back, Uint8Array.of(0xc1, 0, 255));
  }
});

Deno.test("encodeValue() passes a Uint8Array on and does not copy it when it is the value", () => {
  const input = Uint8Array.of(1, 2);
  assertStrictEquals(encodeValue(input).payload, input);
});

Deno.test("encodeValue() writes the bytes that docs/protocol.md tabulates when the value is extended", () => {
  const error = new RangeError("m");
  error.stack = "s";
  const proto = record([["__proto__", 1]]);
  const cases: [string, unknown][] = [
    ["c7 00 00", undefined],
    ["c7 00 01", -0],
    ["d5 02 66 66", 255n],
    ["c7 03 02 2d 66 66", -255n],
    ["92 c7 00 00 d5 03 d8 00", [undefined, LONE]],
    ["d7 04 40 8f 40 00 00 00 00 00", new Date(1000)],
    ["c7 09 05 68 74 74 70 3a 2f 2f 61 2f", new URL("http://a/")],
    ["d5 06 00 07", Uint8Array.of(7).buffer],
    ["d5 06 01 07", new DataView(Uint8Array.of(7).buffer)],
    ["d5 06 02 ff", Int8Array.of(-1)],
    ["d5 06 04 07", Uint8ClampedArray.of(7)],
    ["c7 03 06 05 01 00", Int16Array.of(1)],
    ["c7 03 06 06 01 00", Uint16Array.of(1)],
    ["c7 05 06 07 01 00 00 00", Int32Array.of(1)],
    ["c7 05 06 08 01 00 00 00", Uint32Array.of(1)],
    ["c7 05 06 09 00 00 80 3f", Float32Array.of(1)],
    ["c7 09 06 0a 00 00 00 00 00 00 f0 3f", Float64Array.of(1)],
    ["c7 09 06 0b ff ff ff ff ff ff ff ff", BigInt64Array.of(-1n)],
    ["c7 09 06 0c 01 00 00 00 00 00 00 00", BigUint64Array.of(1n)],
    ["92 c7 00 00 d5 06 03 07", [undefined, Uint8Array.of(7)]],
    ["92 c7 00 00 c7 0c 10 92 a9 5f 5f 70 72 6f 74 6f 5f 5f 01", [undefined, proto]],
    ["d6 11 92 a1 61 01", new Map([["a", 1]])],
    ["d5 12 91 01", new Set([1])],
    ["c7 05 13 92 a1 61 a1 67", /a/g],
    ["c7 07 12 91 d6 11 92 a1 61 01", new Set([new Map([["a", 1]])])],
    ["d8 14 93 aa 52 61 6e 67 65 45 72 72 6f 72 a1 6d a1 73", error],
  ];
  for (const [hex, value] of cases) {
    const { flags, bytes } = encoded(value);
    assertStrictEquals(Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" "), hex);
    assertStrictEquals(flags, FLAGS.msgpack);
    assertSame(decodeValue(flags, bytes), value, hex);
  }
});

Deno.test("roundTrip() changes what docs/protocol.md says it changes when values have no likeness", () => {
  class Items extends Array<number> {}
  class Table extends Map<number, number> {}
  class Bytes extends Uint8Array {}
  class AppError extends Error {
    override name = "AppError";
  }
  const sticky = /a/g;
  sticky.lastIndex = 3;
  const holes = [1, 2, 3];
  delete holes[1];
  const bare: Record<string, unknown> = Object.create(null);
  bare.a = 1;
  const cases: [unknown, unknown][] = [
    [holes, [1, undefined, 3]],
    [Object.assign([1], { extra: 2 }), [1]],
    [{ a: 1, [Symbol("s")]: 2 }, { a: 1 }],
    [sticky, /a/g],
    [bare, { a: 1 }],
    [[undefined, bare], [undefined, { a: 1 }]],
    [Items.from([1, -0]), [1, -0]],
    [new Table([[1, 2]]), new Map([[1, 2]])],
    [Bytes.of(1, 2), Uint8Array.of(1, 2)],
  ];
  for (const [value, expected] of cases) assertSame(roundTrip(value), expected, shown(value));
  assertStrictEquals((roundTrip(sticky) as RegExp).lastIndex, 0);
  const back = roundTrip(Object.assign(new AppError("m", { cause: 1 }), { code: 5 })) as AppError & { code: number };
  assertStrictEquals(Object.getPrototypeOf(back), Error.prototype);
  assertEquals([back.name, back.message, back.cause, back.code], ["AppError", "m", 1, 5]);
});

Deno.test("roundTrip() keeps an error's class and own properties when one is an array named errors", () => {
  const error = Object.assign(new TypeError("invalid"), { errors: [{ field: "a" }] });
  assertSame(roundTrip(error), error);
});

Deno.test("encodeValue() stores an array's items when the array has a toJSON of its own", () => {
  assertSame(roundTrip(Object.assign([1, 2], { toJSON: () => "other" })), [1, 2]);
});

class Point {
  x = 1;
}

Deno.test("encodeValue() throws a TypeError that names the path when a value cannot be sent", () => {
  const fn = () => 1;
  const point = "received an instance of Point (store a plain object instead)";
  const cycle: Record<string, unknown> = { list: [] };
  (cycle.list as unknown[]).push(1, cycle);
  const map = new Map<unknown, unknown>();
  map.set("self", map);
  const loop = new Error("loop");
  loop.cause = loop;
  const cases: [unknown, string][] = [
    [fn, "data: received a function"],
    [Symbol("s"), "data: received a symbol"],
    [Point, "data: received a function"],
    [new Point(), `data: ${point}`],
    [[new Point()], `data[0]: ${point}`],
    [{ items: [1, { callback: fn }] }, "data.items[1].callback: received a function"],
    [{ "a b": { "": Symbol() } }, 'data["a b"][""]: received a symbol'],
    [record([["__proto__", fn]]), "data.__proto__: received a function"],
    [new Map([["k", fn]]), 'data.get("k"): received a function'],
    [new Map([[1, 1], [2, fn as unknown]]), "data.values()[1]: received a function"],
    [new Map([[fn, 1]]), "data.keys()[0]: received a function"],
    [new Map([["a", new Map([["b", [fn]]])]]), 'data.get("a").get("b")[0]: received a function'],
    [new Set([1, { a: fn }]), "data.values()[1].a: received a function"],
    [new Error("e", { cause: fn }), "data.cause: received a function"],
    [new AggregateError([0, new Point()]), `data.errors[1]: ${point}`],
    [Object.assign(new Error("e"), { on: fn }), "data.on: received a function"],
    [{ a: Promise.resolve(1) }, "data.a: received a Promise (await it first)"],
    [new WeakMap(), "data: received an instance of WeakMap (store a plain object instead)"],
    [[Object(1)], "data[0]: received an instance of Number (store a plain object instead)"],
    [[Object("s")], "data[0]: received an instance of String (store a plain object instead)"],
    [new SharedArrayBuffer(1), "data: received an instance of SharedArrayBuffer (store a plain object instead)"],
    [cycle, "data.list[1]: received a cycle"],
    [map, 'data.get("self"): received a cycle'],
    [loop, "data.cause: received a cycle"],
  ];
  for (const [value, message] of cases) {
    assertStrictEquals(assertThrows(() => encodeValue(value), TypeError).message, `Cannot encode ${message}`);
  }
});

Deno.test("encodeValue() takes a value twice when it is shared and no cycle", () => {
  const shared = { a: [1] };
  assertSame(roundTrip([shared, shared]), [shared, shared]);
  const dates = [new Date(1)];
  assertSame(roundTrip({ left: dates, right: new Map([[dates, dates]]) }), {
    left: dates,
    right: new Map([[dates, dates]]),
  });
});

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

Deno.test("decodeValue() gives a nested Uint8Array a buffer of its own", () => {
  const [, bytes] = roundTrip([undefined, Uint8Array.of(1, 2, 3)]) as [undefined, Uint8Array];
  assertStrictEquals(bytes.buffer.byteLength, 3);
});

Deno.test("decodeValue() throws ProtocolError when the contents of an extension are not what its type holds", () => {
  const cases: [number, number[]][] = [
    [EXT.undefined, [0]],
    [EXT.negativeZero, [0]],
    [EXT.map, [0x91, 1]],
    [EXT.record, [0x93, 0xa1, 0x61, 1, 2]],
    [EXT.regexp, [0x90]],
    [EXT.regexp, [0x92, 1, 0xa0]],
    [EXT.error, [0x94, 0xa0, 0xa0, 0xa0, 0xa0]],
  ];
  for (const [type, payload] of cases) assertRefused(FLAGS.msgpack, extension(type, Uint8Array.from(payload)), "");
});

/** MessagePack by hand: an extension of any length. */
function extension(type: number, payload: Uint8Array): Uint8Array {
  const header = new Uint8Array(6);
  header[0] = 0xc9;
  new DataView(header.buffer).setUint32(1, payload.length);
  header[5] = type;
  return concat(header, payload);
}

function concat(...chunks: (Uint8Array | readonly number[])[]): Uint8Array {
  return Uint8Array.from(chunks.flatMap((chunk) => [...chunk]));
}

function nestedBytes(levels: number, wrap: (inner: Uint8Array) => Uint8Array): Uint8Array {
  let bytes: Uint8Array = Uint8Array.of(1);
  for (let level = 0; level < levels; level++) bytes = wrap(bytes);
  return bytes;
}

function assertRefused(flags: number, bytes: Uint8Array, includes: string): void {
  const error = assertThrows(() => decodedAt({ flags, bytes }), ProtocolError, includes);
  assert(error.message.startsWith("Cannot decode value: "), error.message);
  assert(error.cause !== undefined, "keeps the cause");
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

Deno.test("decodeValue() throws ProtocolError when what a type holds is not what it stands for", () => {
  const utf8Extension = (type: number, content: string) => extension(type, utf8.encode(content));
  const array = (type: number, ...items: unknown[]) => {
    const { bytes } = encoded(new Set(items)); // a set's payload is its items
    const copy = bytes.slice();
    copy[copy.indexOf(EXT.set)] = type;
    return copy;
  };
  const cases: Uint8Array[] = [
    ...["", "-", "0x1", "1n", "fg", " 1", "--1", "1\n", "-0x1"].map((content) => utf8Extension(EXT.bigint, content)),
    extension(EXT.bigint, Uint8Array.of(0xff)),
    extension(EXT.utf16, Uint8Array.of(0xd8)),
    extension(EXT.utf16, Uint8Array.of(0xd8, 0, 1)),
    extension(EXT.date, new Uint8Array(0)),
    extension(EXT.date, new Uint8Array(7)),
    ...["", "no url", "http://", "//x"].map((content) => utf8Extension(EXT.url, content)),
    extension(EXT.url, Uint8Array.of(0x68, 0x3a, 0xff)),
    extension(EXT.buffer, new Uint8Array(0)),
    ...[14, 99, 255].map((kind) => extension(EXT.buffer, Uint8Array.of(kind, 1))),
    ...[5, 6].map((kind) => extension(EXT.buffer, Uint8Array.of(kind, 1))),
    ...[7, 8, 9].map((kind) => extension(EXT.buffer, Uint8Array.of(kind, 1, 2, 3))),
    ...[10, 11, 12].map((kind) => extension(EXT.buffer, Uint8Array.of(kind, 1, 2, 3, 4))),
    ...[16, 17, 18, 19, 20].map((type) => extension(type, Uint8Array.of(0x80))),
    ...[16, 17, 18, 19, 20].map((type) => extension(type, Uint8Array.of(1))),
    array(EXT.regexp, "(", ""),
    array(EXT.regexp, "a", "zz"),
    Uint8Array.of(0x81, 0xa9, ...utf8.encode("__proto__"), 1),
    Uint8Array.of(0x81, 0xc0, 1),
    Uint8Array.of(0x81, 0x90, 1),
  ];
  for (const bytes of cases) assertRefused(FLAGS.msgpack, bytes, "");
  const texts = ["", " ", "{", "[1,]", "nul", "01", "{a:1}", "[1]]", "]", '"\n"', "NaN", "undefined", "-", `${BOM}1`];
  for (const content of texts) assertRefused(FLAGS.json, utf8.encode(content), "");
});

Deno.test("decodeValue() throws ProtocolError when text or JSON is not UTF-8", () => {
  const ill = [[0xff], [0xc3], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80]];
  for (const sequence of ill) {
    assertRefused(FLAGS.text, Uint8Array.from([0x61, ...sequence]), "");
    assertRefused(FLAGS.json, Uint8Array.from([0x22, ...sequence, 0x22]), "");
  }
});

Deno.test("decodeValue() throws ProtocolError when a string of extended values is not UTF-8", () => {
  for (const sequence of [[0xff], [0xc3], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xe0]]) {
    assertRefused(FLAGS.msgpack, Uint8Array.from([0xa0 + sequence.length, ...sequence]), "");
    assertRefused(FLAGS.msgpack, Uint8Array.from([0x81, 0xa0 + sequence.length, ...sequence, 1]), "");
  }
  for (const [header, length] of [[[0xd9, 100], 100], [[0xda, 1, 0], 256], [[0xdb, 0, 1, 0, 0], 65_536]] as const) {
    const filled = (last: number) => concat(header, new Uint8Array(length - 1).fill(0x61), [last]);
    assertStrictEquals(decodeValue(FLAGS.msgpack, filled(0x62)), `${"a".repeat(length - 1)}b`);
    assertRefused(FLAGS.msgpack, filled(0xc3), "");
  }
});

Deno.test("decodeValue() throws ProtocolError when an extension type is not in docs/protocol.md", () => {
  const known = new Set<number>(Object.values(EXT));
  for (let type = 0; type < 255; type++) { // 255 is MessagePack's own timestamp
    if (!known.has(type)) assertRefused(FLAGS.msgpack, extension(type, Uint8Array.of(0x90)), "");
  }
});

Deno.test("decodeValue() gives a Date when another client wrote MessagePack's own timestamp", () => {
  assertSame(decodeValue(FLAGS.msgpack, Uint8Array.of(0xd6, 0xff, 0, 0, 0, 1)), new Date(1000));
});

/** What decoding gave: a value, or that it was refused; any error but ProtocolError passes through. */
function decodedOrRefused(flags: number, bytes: Uint8Array): unknown {
  try {
    return decodeValue(flags, bytes);
  } catch (error) {
    assertInstanceOf(error, ProtocolError);
    return error;
  }
}

Deno.test("decodeValue() throws ProtocolError at every length when extended or JSON is truncated", () => {
  for (const value of ALL_SAMPLES) {
    const { flags, bytes } = encoded(value);
    const isClosed = flags === FLAGS.msgpack || (flags === FLAGS.json && typeof value === "object");
    if (!isClosed || bytes.length > 5_000) continue;
    for (let length = 0; length < bytes.length; length++) {
      const result = decodedOrRefused(flags, bytes.subarray(0, length));
      assert(result instanceof ProtocolError, `${length} of ${bytes.length} bytes of ${shown(value)}`);
    }
  }
});

/** Makes random values of every kind, few levels deep. */
class Values {
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  whole(below: number): number {
    return Math.floor(this.#random() * below);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.whole(items.length)];
  }

  string(): string {
    const units = ["a", "é", "€", "😀", LONE, "\udc00", BOM, "\0", '"', "\\", "1", "__proto__", "x".repeat(40)];
    return Array.from({ length: this.whole(6) }, () => this.pick(units)).join("");
  }

  number(): number {
    const special = [0, -0, NaN, Infinity, -Infinity, 2 ** 31, 2 ** 32, 2 ** 53, Number.MIN_VALUE, Number.MAX_VALUE];
    const size = 2 ** this.whole(60);
    return this.pick([this.pick(special), this.whole(300), -this.whole(size), this.whole(size), this.#random() * size]);
  }

  view(): ArrayBufferView | ArrayBuffer {
    const { buffer } = Uint8Array.from({ length: 32 }, () => this.whole(256));
    const name = this.pick([...TYPED_ARRAYS, "DataView", "ArrayBuffer"]);
    if (name === "ArrayBuffer") return buffer.slice(0, this.whole(32));
    const named = globalThis as unknown as Record<string, { new (...args: unknown[]): ArrayBufferView }>;
    return new named[name](buffer, 8 * this.whole(4), this.whole(2));
  }

  error(depth: number): Error {
    const type = this.pick([Error, RangeError, TypeError, SyntaxError]);
    const error = this.whole(3) === 0
      ? new AggregateError(this.list(depth), this.string())
      : new type(this.string(), this.whole(2) === 0 ? undefined : { cause: this.value(depth) });
    if (this.whole(3) === 0) Object.assign(error, { code: this.value(depth), [`p${this.whole(3)}`]: this.string() });
    return error;
  }

  list(depth: number): unknown[] {
    return Array.from({ length: this.whole(5) }, () => this.value(depth));
  }

  leaf(): unknown {
    switch (this.whole(9)) {
      case 0:
        return this.pick([undefined, null, true, false]);
      case 1:
      case 2:
        return this.string();
      case 3:
        return BigInt(this.whole(2 ** 40)) ** BigInt(this.whole(9)) * this.pick([1n, -1n]);
      case 4:
        return new Date(this.pick([NaN, this.whole(2e12), -this.whole(2e12)]));
      case 5:
        return this.pick([/a/g, /[/]\u{1f600}?/u, new RegExp(LONE), new URL("http://a/?q#é"), new URL("a:b")]);
      case 6:
        return this.view();
      default:
        return this.number();
    }
  }

  value(depth: number): unknown {
    if (depth === 0) return this.leaf();
    switch (this.whole(9)) {
      case 0:
        return this.list(depth - 1);
      case 1:
        return record(this.list(depth - 1).map((item) => [this.string(), item]));
      case 2:
        return new Map(this.list(depth - 1).map((item) => [this.value(depth - 1), item]));
      case 3:
        return new Set(this.list(depth - 1));
      case 4:
        return this.whole(4) === 0 ? this.error(depth - 1) : this.list(depth - 1);
      default:
        return this.leaf();
    }
  }

  /** The bytes with some damage. */
  mutated(bytes: Uint8Array, other: Uint8Array): Uint8Array {
    const at = this.whole(bytes.length + 1);
    switch (this.whole(6)) {
      case 0:
        return bytes.subarray(0, at);
      case 1:
        return concat(bytes.subarray(0, at), other.subarray(this.whole(other.length + 1)));
      case 2:
        return concat(bytes.subarray(0, at), [this.whole(256)], bytes.subarray(at));
      case 3:
        return concat(bytes.subarray(0, at), bytes.subarray(at + 1 + this.whole(3)));
      default: {
        const copy = bytes.slice();
        for (let flips = 1 + this.whole(3); flips > 0; flips--) {
          const headers = [0x90, 0x9f, 0xdc, 0xdd, 0xdf, 0xc9, 0xc7, 0xd4, 0xd6, 0xa5, 0xff, 0, ...Object.values(EXT)];
          copy[this.whole(copy.length)] = this.whole(2) === 0 ? this.whole(256) : this.pick(headers);
        }
        return copy;
      }
    }
  }
}

const SEEDS = 400;
const VALUES_PER_SEED = 60;

/** Runs once a seed, and says which seed failed. */
function withSeeds(run: (values: Values) => void): void {
  for (let seed = 1; seed <= SEEDS; seed++) {
    try {
      run(new Values(seeded(seed)));
    } catch (cause) {
      throw new Error(`seed ${seed}: ${(cause as Error).message}`, { cause });
    }
  }
}

Deno.test("decodeValue() gives every value back when values are random", () => {
  const counts = new Map<number, number>();
  withSeeds((values) => {
    for (let i = 0; i < VALUES_PER_SEED; i++) {
      const value = values.value(3);
      const made = encoded(value);
      assertSame(decodedAt(made), value, `value ${i}:`);
      counts.set(made.flags, (counts.get(made.flags) ?? 0) + 1);
    }
  });
  for (const flags of Object.values(FLAGS)) assert((counts.get(flags) ?? 0) > 50, `too few with flags ${flags}`);
});

Deno.test("decodeValue() gives a value or ProtocolError when random encodings are damaged", () => {
  const allFlags = Object.values(FLAGS);
  let refused = 0;
  let decoded = 0;
  withSeeds((values) => {
    let other = encoded([undefined]);
    for (let i = 0; i < VALUES_PER_SEED; i++) {
      const made = encoded(values.value(3));
      const flags = values.whole(10) === 0 ? values.pick(allFlags) : made.flags;
      const result = decodedOrRefused(flags, values.mutated(made.bytes, other.bytes));
      if (result instanceof ProtocolError) refused++;
      else decoded++;
      other = made;
    }
  });
  assert(refused > 1000 && decoded > 1000, `${refused} refused and ${decoded} decoded`);
});
