/** Values as MessagePack: another program's encoder and decoder agree, and values do not meddle with each other. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { decode, encode, ExtData } from "@msgpack/msgpack";
import { MAX_VALUE_BYTES } from "../../lib/base/limits.ts";
import { generator } from "../../lib/simulation/seeded_random.ts";
import { decodeValue, encodeValue, FLAGS } from "../../lib/wire/values.ts";
import { assertSame, shown } from "../support/same_value.ts";
import { RandomValues } from "../support/random_values.ts";
import { encoded } from "../support/value_bytes.ts";
import { ALL_SAMPLES, BOM } from "../support/value_samples.ts";

/** Values that MessagePack carries without extensions, and JSON not all of: NaN makes MessagePack of them. */
const PLAIN: unknown[] = [
  ...[null, true, false, 0.1, -0.5, 5e-324, 1e300, Infinity, -Infinity],
  ...[0, 7, 8, 15, 16, 31, 32, 53].flatMap((power) => [2 ** power - 1, 2 ** power, 2 ** power + 1]),
  ...[0, 5, 7, 15, 31, 32, 53].flatMap((power) => [1 - 2 ** power, -(2 ** power), -1 - 2 ** power]),
  ...[0, 1, 12, 13, 31, 32, 64, 65, 255, 256, 65_535, 65_536].map((length) => "s".repeat(length)),
  ...[1, 10, 11, 15, 16, 21, 22, 85, 86, 21_845, 21_846].flatMap((length) => ["é".repeat(length), "€".repeat(length)]),
  ...["😀", "a😀".repeat(20), "Ã©", "\u0080", "\u07ff\u0800\uffff"],
  ...[0, 1, 15, 16, 65_535, 65_536].map((length) => new Array(length).fill("a")),
  ...[0, 1, 15, 16, 600].map((count) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, i]))),
  { "": 1, "é": 2, "Ã©": 3, ["k".repeat(32)]: 4, ["k".repeat(33)]: 5, ["€".repeat(100)]: 6, toString: 7 },
];

const beside = (value: unknown) => [NaN, value];

Deno.test("encodeValue() writes what another encoder of MessagePack does", () => {
  for (const value of PLAIN) {
    const { flags, bytes } = encoded(beside(value));
    assertStrictEquals(flags, FLAGS.msgpack);
    assertEquals(Buffer.from(bytes), Buffer.from(encode(beside(value))), shown(value));
  }
});

Deno.test("decodeValue() reads what another encoder of MessagePack wrote", () => {
  for (const value of PLAIN) assertSame(decodeValue(FLAGS.msgpack, encode(beside(value))), beside(value));
  const others = [
    encode(0.5, { forceFloat32: true }),
    encode(2n ** 53n, { useBigInt64: true }),
    encode(-5n, {
      useBigInt64: true,
    }),
  ];
  assertEquals(others.map((bytes) => decodeValue(FLAGS.msgpack, bytes)), [0.5, 2 ** 53, -5]);
  for (const length of [0, 255, 256, 65_536]) {
    const bytes = new Uint8Array(length).fill(length);
    assertSame(decodeValue(FLAGS.msgpack, encode([bytes])), [bytes]);
  }
  for (const ms of [0, 1000, 1.7e12, 1.7e12 + 1, 2 ** 34 * 1000, -1000, -8e12]) {
    assertSame(decodeValue(FLAGS.msgpack, encode([new Date(ms)])), [new Date(ms)]);
  }
});

Deno.test("decodeValue() keeps the U+FEFF that begins a string of another encoder, whatever its length", () => {
  for (const length of [0, 20, 300, 70_000]) {
    const text = BOM + "x".repeat(length);
    assertSame(decodeValue(FLAGS.msgpack, encode([text, { [text]: 1 }])), [text, { [text]: 1 }]);
  }
});

Deno.test("another decoder of MessagePack reads what encodeValue() wrote, with extensions for what it does not know", () => {
  let extensions = 0;
  const look = (value: unknown): void => {
    if (value instanceof ExtData) extensions++;
    if (Array.isArray(value)) value.forEach(look);
    else if (value?.constructor === Object) Object.values(value).forEach(look);
  };
  const values = new RandomValues(generator(1));
  for (const value of [...ALL_SAMPLES, ...Array.from({ length: 3000 }, () => values.value(3))]) {
    const { flags, bytes } = encoded(value);
    if (flags === FLAGS.msgpack) look(decode(bytes));
  }
  assert(extensions > 1000, `${extensions} extensions`);
  for (const value of PLAIN) assertSame(decode(encoded(beside(value)).bytes), beside(value));
});

Deno.test("encodeValue() leaves the bytes of values alone that it has made before", () => {
  const values = Array.from({ length: 3000 }, (_, i) => ({ i, big: BigInt(i), text: "x".repeat((37 * i) % 1500) }));
  const all = values.map((value) => encoded(value));
  all.forEach(({ flags, bytes }, i) => assertSame(decodeValue(flags, bytes), values[i]));
});

Deno.test("encodeValue() encodes a value while it encodes another, whose getter asks for it", () => {
  const inner = { at: new Date(5), list: [1n, "é", undefined] };
  let made = encoded(inner);
  const outer = {
    before: 1n,
    get inner(): unknown {
      made = encoded(inner);
      return "read";
    },
    after: new Map([["k", 2n]]),
  };
  const { flags, bytes } = encoded(outer);
  assertSame(decodeValue(flags, bytes), { before: 1n, inner: "read", after: new Map([["k", 2n]]) });
  assertSame(decodeValue(made.flags, made.bytes), inner);
});

Deno.test("encodeValue() encodes a map and an array as they were when a getter within changes them", () => {
  const map = new Map<string, unknown>([["a", {
    get grows() {
      map.set(`k${map.size}`, 1n);
      return 1n;
    },
  }], ["b", 2]]);
  assertSame(
    decodeValue(FLAGS.msgpack, encoded(map).bytes),
    new Map<string, unknown>([["a", { grows: 1n }], ["b", 2]]),
  );
  const list: unknown[] = [undefined, {
    get shrinks() {
      list.length = 2;
      return 1n;
    },
  }, 3];
  assertSame(decodeValue(FLAGS.msgpack, encoded(list).bytes), [undefined, { shrinks: 1n }, undefined]);
});

Deno.test("encodeValue() encodes the next value when one before was refused", () => {
  for (let i = 0; i < 3; i++) {
    try {
      encodeValue([1n, "x".repeat(i * 20_000), () => 1]);
    } catch {
      // It is refused.
    }
    assertSame(decodeValue(FLAGS.msgpack, encoded([i, 1n]).bytes), [i, 1n]);
  }
});

Deno.test("encodeValue() makes no more bytes than can be too many when a value repeats a long text", () => {
  const long = "é".repeat(500_000);
  const { flags, payload } = encodeValue([undefined, ...new Array(100_000).fill(long)]);
  assertStrictEquals(flags, FLAGS.msgpack);
  assert(payload.length > MAX_VALUE_BYTES && payload.length < 4 * MAX_VALUE_BYTES, `${payload.length} bytes`);
  assert(encodeValue([undefined, "x".repeat(MAX_VALUE_BYTES)]).payload.length > MAX_VALUE_BYTES, "the text is kept");
});
