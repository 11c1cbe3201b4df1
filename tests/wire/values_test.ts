/** The codec: what comes back the same, what is changed, and what cannot be sent. */

import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { decodeValue, encodeValue, FLAGS } from "../../lib/wire/values.ts";
import { assertSame, difference, shown } from "../support/same_value.ts";
import { encoded, roundTrip } from "../support/value_bytes.ts";
import { ALL_SAMPLES, BOM, record, SAMPLES } from "../support/value_samples.ts";

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
  for (const flags of [0, 1, 2, 32, 0x4f430000, 0x4f430005, 0xffffffff]) {
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
    [
      { page: new Response("a") },
      "data.page: received a Response (store what it holds: await response.text(), .json() or .bytes())",
    ],
    [
      new Request("http://a/"),
      "data: received a Request (store what it holds: await request.text(), .json() or .bytes())",
    ],
    [[new Blob(["a"])], "data[0]: received a Blob (store its bytes: await blob.bytes())"],
    [new File(["a"], "b"), "data: received a File (store its bytes: await file.bytes())"],
    [new ReadableStream(), "data: received a ReadableStream (read it first: await new Response(stream).bytes())"],
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

Deno.test("decodeValue() gives a nested Uint8Array a buffer of its own", () => {
  const [, bytes] = roundTrip([undefined, Uint8Array.of(1, 2, 3)]) as [undefined, Uint8Array];
  assertStrictEquals(bytes.buffer.byteLength, 3);
});

Deno.test("a key with an escape comes back, whatever objects were read before: V8 takes it for one of theirs in JSON", () => {
  const keys = ["\\", "C:\\", '"', "\n", "C:\n", "C:\u0001", "\\\n", "C:\\dir", "\u007f", "é", "\\\\", "\ud800"];
  for (const before of keys) {
    for (const after of keys) {
      for (const key of [before, before, after]) {
        assertSame(roundTrip({ first: 1, [key]: [{ [key]: "\n" }] }), { first: 1, [key]: [{ [key]: "\n" }] });
      }
    }
  }
  assertStrictEquals(encodeValue({ text: "a\n", é: '"\\' }).flags, FLAGS.json);
  assertStrictEquals(encodeValue({ "\n": 1 }).flags, FLAGS.msgpack);
});
