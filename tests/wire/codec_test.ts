/** Values that a caller's own codec encodes: their flags, and what becomes of what it returns and throws. */

import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import type { ValueCodec } from "../../lib/base/value_options.ts";
import { ProtocolError } from "../../lib/base/errors.ts";
import { decodeValue, encodeValue, FLAGS } from "../../lib/wire/values.ts";
import { CLIENT_UNITS } from "../../lib/wire/decoding_budget.ts";

const COMPRESSED_CODEC = 0x4f430014;

class Point {
  constructor(readonly x: number) {}
}

/** Knows points and nothing else, and is called as an object with methods of its own. */
class PointCodec implements ValueCodec {
  readonly #digit = 0x30;
  encode(value: unknown): Uint8Array {
    return Uint8Array.from({ length: 50 }, () => this.#digit + (value as Point).x);
  }
  decode(bytes: Uint8Array): unknown {
    return new Point(bytes[0] - this.#digit);
  }
}

const codec = new PointCodec();
const encode = (value: unknown, codec: unknown) => encodeValue(value, CLIENT_UNITS, { codec: codec as ValueCodec });
const decode = (flags: number, bytes: Uint8Array, codec?: unknown) =>
  decodeValue(flags, bytes, CLIENT_UNITS, codec as ValueCodec);

Deno.test("encodeValue() writes what a codec returns with flags of its own, compressed too, and decodeValue() has it read", () => {
  const plain = encode(new Point(5), codec);
  assertEquals(plain, { flags: FLAGS.codec, payload: new Uint8Array(50).fill(0x35) });
  const smaller = encodeValue(new Point(5), CLIENT_UNITS, { codec, compressOverBytes: 10 });
  assertStrictEquals(smaller.flags, COMPRESSED_CODEC);
  for (const { flags, payload } of [plain, smaller]) {
    const value = decode(flags, payload as Uint8Array, codec);
    assertEquals([value instanceof Point, (value as Point).x], [true, 5]);
  }
});

Deno.test("a codec may keep the bytes that it is given, which are an array of their own", () => {
  const input = Uint8Array.of(9, 1, 2, 9).subarray(1, 3);
  const kept = decode(FLAGS.codec, input, { encode, decode: (bytes: Uint8Array) => bytes }) as Uint8Array;
  input.fill(0);
  assertEquals([kept, kept.byteOffset, Object.getPrototypeOf(kept)], [Uint8Array.of(1, 2), 0, Uint8Array.prototype]);
});

Deno.test("decodeValue() with a codec reads what others have written as ever", () => {
  for (const value of ["text", { a: 1 }, new Map([[1, 2]]), Uint8Array.of(1)]) {
    const { flags, payload } = encodeValue(value);
    const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
    assertEquals(decode(flags, bytes, codec), value);
  }
});

Deno.test("encodeValue() throws what a codec throws, and a TypeError if it returns no bytes", () => {
  for (const reason of [new RangeError("no"), "no", undefined]) {
    let thrown: unknown = "nothing";
    try {
      encode(1, {
        encode: () => {
          throw reason;
        },
        decode,
      });
    } catch (error) {
      thrown = error;
    }
    assertStrictEquals(thrown, reason);
  }
  const cases: [unknown, string][] = [
    ["text", '"text"'],
    [undefined, "undefined"],
    [new ArrayBuffer(1), "an object"],
    [Promise.resolve(Uint8Array.of(1)), "a Promise"],
  ];
  for (const [returned, words] of cases) {
    assertStrictEquals(
      assertThrows(() => encode(1, { encode: () => returned, decode }), TypeError).message,
      `Cannot encode data: codec.encode() must return a Uint8Array: received ${words}`,
    );
  }
});

Deno.test("decodeValue() throws ProtocolError for whatever a codec throws, for a promise, and where there is no codec", () => {
  const cases: [thrown: unknown, message: string][] = [
    [new RangeError("bad"), "bad"],
    ["bad", '"bad"'],
    [undefined, "undefined"],
    [null, "null"],
    [{ message: 5 }, "an object"],
    [Object.assign(new Error(), { message: 5 }), "5"],
  ];
  for (const [thrown, message] of cases) {
    const throwing = {
      encode,
      decode: () => {
        throw thrown;
      },
    };
    const error = assertThrows(() => decode(FLAGS.codec, Uint8Array.of(1), throwing), ProtocolError);
    assertEquals([error.message, error.cause], [`Cannot decode value: ${message}`, thrown]);
  }
  const later = { encode, decode: () => Promise.reject(new Error("not unhandled")) };
  for (const [other, words] of [[later, "received a Promise"], [undefined, "there is none here"]] as const) {
    for (const flags of [FLAGS.codec, COMPRESSED_CODEC]) {
      assertThrows(() => decode(flags, Uint8Array.of(3, 0), other), ProtocolError, words);
    }
  }
});
