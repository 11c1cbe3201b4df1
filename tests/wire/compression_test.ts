/** Compressed values: what is compressed, what comes back, and what is refused within bounds. */

import { assert, assertEquals, assertInstanceOf, assertStrictEquals, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import { deflateRawSync } from "node:zlib";
import { ProtocolError } from "../../lib/base/errors.ts";
import { MAX_VALUE_BYTES } from "../../lib/base/limits.ts";
import { generator } from "../../lib/simulation/seeded_random.ts";
import { CLIENT_UNITS, SERVER_CACHE_UNITS } from "../../lib/wire/decoding_budget.ts";
import { COMPRESSED, decodePart, decodeValue, encodeValue, FLAGS } from "../../lib/wire/values.ts";
import { bytesOfHex, goldenLines } from "../support/golden.ts";
import { RandomValues } from "../support/random_values.ts";
import { assertSame } from "../support/same_value.ts";
import { decodedOrRefused, type Encoded, encoded } from "../support/value_bytes.ts";

const utf8 = new TextEncoder();

/** Encodes, and compresses what has more than some bytes. */
function encodedOver(compressOverBytes: number, value: unknown, units = CLIENT_UNITS): Encoded {
  const { flags, payload } = encodeValue(value, units, { compressOverBytes });
  return { flags, bytes: typeof payload === "string" ? utf8.encode(payload) : payload };
}

const LONG: [name: string, flags: number, value: unknown][] = [
  ["bytes", 0x4f430010, new Uint8Array(1000).fill(7)],
  ["text", 0x4f430011, "é€😀".repeat(100)],
  ["JSON", 0x4f430012, Array.from({ length: 100 }, (_, id) => ({ id, name: `name ${id}` }))],
  ["MessagePack", 0x4f430013, new Map(Array.from({ length: 100 }, (_, i) => [i, new Date(i)]))],
];

for (const [name, flags, value] of LONG) {
  Deno.test(`encodeValue() compresses ${name} of more bytes than is said, and decodeValue() gives it back`, () => {
    const plain = encoded(value);
    for (const over of [0, plain.bytes.length - 1]) {
      const { flags: actual, bytes } = encodedOver(over, value);
      assertStrictEquals(actual, flags);
      assert(bytes.length < plain.bytes.length / 2, `${bytes.length} bytes`);
      assertSame(decodeValue(actual, bytes), value);
    }
    assertEquals(encodedOver(plain.bytes.length, value), plain);
  });
}

Deno.test("encodeValue() compresses nothing that this makes no smaller, also where it is long", () => {
  const random = generator(1);
  const noise = Uint8Array.from({ length: 100_000 }, () => 256 * random());
  for (const value of ["", "a", new Uint8Array(0), [1], -0, noise, noise.subarray(0, 1000), beginsWith(noise)]) {
    assertEquals(encodedOver(0, value), encoded(value));
  }
});

/** What would become smaller, but does not begin so. */
function beginsWith(noise: Uint8Array): Uint8Array {
  const value = new Uint8Array(200_000);
  value.set(noise);
  return value;
}

Deno.test("encodeValue() compresses no value of more than 16 MiB, which has to be refused", () => {
  assertStrictEquals(encodedOver(0, "a".repeat(MAX_VALUE_BYTES)).flags, 0x4f430011);
  const { flags, bytes } = encodedOver(0, "a".repeat(MAX_VALUE_BYTES + 1));
  assertEquals([flags, bytes.length], [FLAGS.text, MAX_VALUE_BYTES + 1]);
});

Deno.test("compressed bytes are bytes, also where they are digits or shared memory", () => {
  const digits = utf8.encode("11111111111111111111");
  assertSame(decodeValue(COMPRESSED, deflateRawSync(digits)), digits);
  const { flags, bytes } = encodedOver(0, new Uint8Array(new SharedArrayBuffer(100)));
  assertStrictEquals(flags, COMPRESSED);
  assertSame(decodeValue(flags, bytes), new Uint8Array(100));
});

Deno.test("decodeValue() gives bytes for flags beside those of what is compressed", () => {
  for (const flags of [0x4f430005, 0x4f43000f, 0x4f430015, 0x4f430020, 0x4f430031]) {
    assertSame(decodeValue(flags, Uint8Array.of(3, 0)), Uint8Array.of(3, 0));
  }
});

Deno.test("decodePart() leaves where a value has been unpacked to, and copies it for whoever is given bytes", () => {
  const { flags, bytes } = encodedOver(0, new Uint8Array(1000));
  const part = { bytes: Buffer.from(bytes), from: 0, to: bytes.length };
  const value = decodePart(flags, part) as Uint8Array;
  assertEquals([part.from, part.to, part.bytes.length], [0, 1000, 1000]);
  assertEquals([value.buffer.byteLength, Object.getPrototypeOf(value)], [1000, Uint8Array.prototype]);
});

Deno.test("decodeValue() refuses what unpacks to more than a value may have, or than is allowed", () => {
  const bomb = deflateRawSync(new Uint8Array(64 * 1024 * 1024));
  for (const flags of [COMPRESSED, 0x4f430011, 0x4f430012, 0x4f430013]) {
    const { message } = assertThrows(() => decodeValue(flags, bomb), ProtocolError);
    assertStrictEquals(message, `Cannot decode value: more than ${MAX_VALUE_BYTES} bytes when it is unpacked`);
  }
  const { message } = assertThrows(() => decodeValue(COMPRESSED, bomb, 10_000_000), ProtocolError);
  assert(/more than [12]\d{6} bytes when it is unpacked/.test(message), message);
  const just = deflateRawSync(new Uint8Array(MAX_VALUE_BYTES));
  assertStrictEquals((decodeValue(COMPRESSED, just, SERVER_CACHE_UNITS) as Uint8Array).length, MAX_VALUE_BYTES);
});

Deno.test("decodeValue() weighs bytes that yield nothing before it unpacks them", () => {
  const stored = Uint8Array.of(0, 0, 0, 0xff, 0xff); // an empty block
  const bytes = new Uint8Array(1_100_000);
  for (let at = 0; at < bytes.length; at += stored.length) bytes.set(stored, at);
  const refused = (units: number) => assertThrows(() => decodeValue(COMPRESSED, bytes, units), ProtocolError).message;
  assert(refused(SERVER_CACHE_UNITS).includes("what is compressed would take more than the 100 ms allowed"));
  assert(!refused(CLIENT_UNITS).includes("too costly")); // but it has no end
});

Deno.test("decodeValue() refuses what is not compressed, is cut off, or is not what the flags say", () => {
  const { flags, bytes } = encodedOver(0, LONG[2][2]);
  for (let length = 0; length < bytes.length; length += 7) {
    assertThrows(() => decodeValue(flags, bytes.subarray(0, length)), ProtocolError);
  }
  for (const wrong of [Uint8Array.of(), Uint8Array.of(7), new Uint8Array(100).fill(0xff)]) {
    assertThrows(() => decodeValue(flags, wrong), ProtocolError);
  }
  for (const other of [0x4f430011, 0x4f430012, 0x4f430013]) {
    assertThrows(() => decodeValue(other, deflateRawSync(Uint8Array.of(0xc1, 0xff))), ProtocolError);
  }
});

Deno.test("decodeValue() weighs the parts of a compressed value as those of any other", () => {
  const rows = utf8.encode(JSON.stringify(new Array(300_000).fill({})));
  assertThrows(() => decodeValue(0x4f430012, deflateRawSync(rows), SERVER_CACHE_UNITS), ProtocolError, "its parts");
  const deep = utf8.encode("[".repeat(257) + "]".repeat(257));
  assertThrows(() => decodeValue(0x4f430012, deflateRawSync(deep)), ProtocolError, "nested deeper");
});

Deno.test("encodeValue() leaves a value as it is where to unpack it, too, would cost more than is allowed", () => {
  const rows = Array.from({ length: 10_000 }, (_, i) => ({ id: i / 7 }));
  const least = [...range(1e6, 1e8, 1.1)].find((units) => isReadable(encoded(rows), units))!;
  assertEquals(encodedOver(0, rows, least), encoded(rows));
  assertStrictEquals(encodedOver(0, rows, 4 * least).flags, 0x4f430012);
});

Deno.test("decodeValue() reads with some budget what encodeValue() compressed with it, when values are random", () => {
  const taken = { compressed: 0, plain: 0, refused: 0 };
  for (let seed = 1; seed <= 40; seed++) {
    const values = new RandomValues(generator(seed));
    const value = Array.from({ length: 20 * (seed % 10) + 1 }, () => values.value(2));
    for (let units = 100_000; units < 1e9; units *= 3) {
      let made: Encoded;
      try {
        made = encodedOver(100, value, units);
      } catch (error) {
        assertInstanceOf(error, RangeError);
        taken.refused++;
        continue;
      }
      assert(isReadable(made, units), `seed ${seed}, ${units} units`);
      assertSame(decodeValue(made.flags, made.bytes), value);
      if (made.flags >= COMPRESSED) taken.compressed++;
      else taken.plain++;
    }
  }
  assert(taken.compressed > 100 && taken.plain > 5 && taken.refused > 5, JSON.stringify(taken));
});

Deno.test("decodeValue() gives a value or ProtocolError when compressed values are damaged", () => {
  const values = new RandomValues(generator(1));
  const counts = { refused: 0, decoded: 0 };
  let other = encodedOver(0, LONG[2][2]);
  for (let i = 0; i < 3000; i++) {
    const made = encodedOver(0, i % 2 === 0 ? LONG[i % LONG.length][2] : [values.value(3), "x".repeat(100)]);
    const result = decodedOrRefused(made.flags, values.mutated(made.bytes, other.bytes));
    if (result instanceof ProtocolError) counts.refused++;
    else counts.decoded++;
    other = made;
  }
  assert(counts.refused > 300 && counts.decoded > 100, JSON.stringify(counts));
});

Deno.test("decodeValue() reads the values of golden/values_compressed.txt", () => {
  const expected: Record<string, unknown> = {
    "bytes": new Uint8Array(40).fill(7),
    "text": "é".repeat(20),
    "JSON": { a: new Array(10).fill("aaaa") },
    "MessagePack": new Array(20).fill(undefined),
  };
  const lines = goldenLines(new URL("golden/values_compressed.txt", import.meta.url));
  assertEquals([...lines.keys()], Object.keys(expected));
  for (const [name, line] of lines) {
    const [flags, hex] = line.split(" ");
    assertSame(decodeValue(parseInt(flags, 16), bytesOfHex(hex)), expected[name], name);
    assertStrictEquals(encodedOver(0, expected[name]).flags, parseInt(flags, 16), name);
  }
});

function* range(from: number, to: number, factor: number): Generator<number> {
  for (let at = from; at < to; at *= factor) yield Math.floor(at);
}

/** Whether a value is not too costly to read. */
function isReadable({ flags, bytes }: Encoded, units: number): boolean {
  try {
    decodeValue(flags, bytes, units);
    return true;
  } catch (error) {
    assertInstanceOf(error, ProtocolError);
    return false;
  }
}
