/** MessagePack that anybody may have written: each kind of value takes the bytes that it says, no more and no fewer. */

import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import { MAX_CONTAINERS, MAX_DEPTH } from "../../lib/base/limits.ts";
import { DecodingBudget } from "../../lib/wire/decoding_budget.ts";
import { decodeMsgpack } from "../../lib/wire/msgpack_decoder.ts";
import { EXT } from "../../lib/wire/msgpack_types.ts";
import { concat } from "../support/value_bytes.ts";

/** An extension that holds bytes, of which the first is its kind, and one that holds an array. */
const [LEAF, NESTED] = [EXT.buffer, EXT.set];
const KIND = 3;

type Bytes = Uint8Array | readonly number[];

function decoded(bytes: Uint8Array): unknown {
  return decodeMsgpack(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), 0, bytes.length, budget());
}

function budget(): DecodingBudget {
  return new DecodingBudget(1e12);
}

function check(...parts: Bytes[]): void {
  decoded(concat(...parts));
}

function refusal(...parts: Bytes[]): string {
  return assertThrows(() => check(...parts), RangeError, "bad MessagePack at byte ").message;
}

function assertRefused(reason: string, ...parts: Bytes[]): void {
  const message = refusal(...parts);
  assert(message.endsWith(`: ${reason}`), `${message} for ${reason}`);
}

const times = (count: number, byte: number) => new Array<number>(count).fill(byte);

/** Values whose length is known by their first bytes: head, and what follows it. */
const VALUES: Record<string, [head: number[], rest: number[]]> = {
  "fixint": [[0x7f], []],
  "negative fixint": [[0xe0], []],
  "fixmap": [[0x82], [0xa1, 0x61, 1, 0xa1, 0x62, 2]],
  "fixarray": [[0x93], [1, 2, 3]],
  "fixstr": [[0xa3], [0x61, 0x62, 0x63]],
  "nil": [[0xc0], []],
  "false": [[0xc2], []],
  "true": [[0xc3], []],
  "bin 8": [[0xc4, 200], times(200, 0xff)],
  "bin 16": [[0xc5, 1, 0], times(256, 0xff)],
  "bin 32": [[0xc6, 0, 1, 0, 0], times(65_536, 0xff)],
  "ext 8": [[0xc7, 200, LEAF], [KIND, ...times(199, 0xff)]],
  "ext 16": [[0xc8, 1, 0, LEAF], [KIND, ...times(255, 0xff)]],
  "ext 32": [[0xc9, 0, 1, 0, 0, LEAF], [KIND, ...times(65_535, 0xff)]],
  "float 32": [[0xca], times(4, 0xff)],
  "float 64": [[0xcb], times(8, 0xff)],
  "uint 8": [[0xcc], [0xff]],
  "uint 16": [[0xcd], times(2, 0xff)],
  "uint 32": [[0xce], times(4, 0xff)],
  "uint 64": [[0xcf], times(8, 0xff)],
  "int 8": [[0xd0], [0xff]],
  "int 16": [[0xd1], times(2, 0xff)],
  "int 32": [[0xd2], times(4, 0xff)],
  "int 64": [[0xd3], times(8, 0xff)],
  "fixext 1": [[0xd4, LEAF], [KIND, ...times(0, 0xff)]],
  "fixext 2": [[0xd5, LEAF], [KIND, ...times(1, 0xff)]],
  "fixext 4": [[0xd6, LEAF], [KIND, ...times(3, 0xff)]],
  "fixext 8": [[0xd7, LEAF], [KIND, ...times(7, 0xff)]],
  "fixext 16": [[0xd8, LEAF], [KIND, ...times(15, 0xff)]],
  "str 8": [[0xd9, 200], times(200, 0x61)],
  "str 16": [[0xda, 1, 0], times(256, 0x61)],
  "str 32": [[0xdb, 0, 1, 0, 0], times(65_536, 0x61)],
  "array 16": [[0xdc, 1, 0], times(256, 1)],
  "array 32": [[0xdd, 0, 1, 0, 0], times(65_536, 1)],
  "map 16": [[0xde, 0, 2], [0xa1, 0x61, 1, 0xa1, 0x62, 2]],
  "map 32": [[0xdf, 0, 0, 0, 2], [0xa1, 0x61, 1, 0xa1, 0x62, 2]],
};

for (const [name, [head, rest]] of Object.entries(VALUES)) {
  Deno.test(`decodeMsgpack() takes ${name} whole, alone and within another, and not a byte more or less`, () => {
    check(head, rest);
    check([0x92], head, rest, [1]);
    check([0x81, 0xa1, 0x61], head, rest);
    assertRefused("bytes after the value", head, rest, [1]);
    const whole = concat(head, rest);
    const isLong = whole.length > 300;
    const lengths = isLong ? [0, 1, head.length - 1, head.length, whole.length - 1] : whole.keys();
    for (const length of lengths) {
      const reason = refusal(whole.subarray(0, length));
      assert(/: (truncated|more items claimed than bytes left)$/.test(reason), `${length} bytes: ${reason}`);
    }
  });
}

Deno.test("decodeMsgpack() refuses 0xc1, which no value begins with, and knows every other byte", () => {
  assertRefused("0xc1 is never used", [0xc1]);
  assertRefused("0xc1 is never used", [0x92, 1, 0xc1]);
  for (let byte = 0; byte < 256; byte++) {
    if (byte !== 0xc1) assert(!/0xc1/.test(messageOf([byte])), `${byte}`);
  }
});

/** What is said of bytes: nothing if they are taken. */
function messageOf(bytes: number[]): string {
  try {
    check(bytes);
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

Deno.test("decodeMsgpack() names the byte at which it stopped", () => {
  assertStrictEquals(refusal([0x93, 1, 2, 0xc1]), "bad MessagePack at byte 4: 0xc1 is never used");
  assertStrictEquals(refusal([1, 1]), "bad MessagePack at byte 1: bytes after the value");
});

Deno.test("decodeMsgpack() reads bytes that are a part of a larger array", () => {
  const within = Buffer.from(concat([0xc1, 0xc1], [0xdc, 0, 2, 1, 0xcd, 1, 2], [0xc1]));
  assertEquals(decodeMsgpack(within, 2, within.length - 1, budget()), [1, 258]);
  const { message } = assertThrows(() => decodeMsgpack(within, 2, within.length, budget()), RangeError);
  assertStrictEquals(message, "bad MessagePack at byte 7: bytes after the value");
});

Deno.test("decodeMsgpack() makes no array within an extension for which another one around it has claimed the bytes", () => {
  // Else extensions within extensions would each be given an array as large as the whole value: 255 times its memory.
  const within = [0x92, 1, 2];
  check([0x92, 0xc7, 3, NESTED], within, [3]);
  assertRefused("more items claimed than bytes left", [0xdc, 0, 3, 0xc7, 3, NESTED], within, [3]);
  assertRefused("more items claimed than bytes left", [0xc7, 9, NESTED, 0xdc, 0, 4, 0xc7, 3, NESTED], within);
});

Deno.test("decodeMsgpack() refuses extensions that it does not know", () => {
  for (const type of [8, 15, 22, 254]) assertRefused(`unknown extension type ${type}`, [0xd4, type, 0x90]);
});

Deno.test("decodeMsgpack() looks into extensions that hold an array, and into no others", () => {
  check([0xd5, LEAF, KIND, 0xc1]);
  check([0xd4, NESTED, 0x90]);
  check([0xc7, 4, NESTED, 0xdc, 0, 1, 1]);
  check([0xc7, 6, NESTED, 0xdd, 0, 0, 0, 1, 1]);
  check([0x92, 0xd5, NESTED, 0x91, 1, 2]);
  assertRefused("0xc1 is never used", [0xd5, NESTED, 0x91, 0xc1]);
  for (const payload of [1, 0x80, 0xa0, 0xc0]) {
    assertRefused(`extension ${NESTED} holds no array`, [0xd4, NESTED, payload]);
  }
  assertRefused(`extension ${NESTED} holds no array`, [0xc7, 0, NESTED]);
  assertRefused("bytes after the value", [0xd5, NESTED, 0x90, 1]);
  assertRefused("more items claimed than bytes left", [0x92, 0xd5, NESTED, 0x92, 1, 2]);
});

Deno.test("decodeMsgpack() takes keys that are strings, and none that may be an array index", () => {
  check([0x81, 0xa0, 1]);
  check([0x81, 0xd9, 1, 0x61, 1]);
  check([0x81, 0xda, 0, 1, 0x61, 1]);
  check([0x81, 0xdb, 0, 0, 0, 1, 0x61, 1]);
  check([0x81, 0xab], times(11, 0x31), [1]);
  check([0x81, 0xa2, 0x31, 0x2e, 1]);
  for (const key of [[1], [0xc0], [0x90], [0xc4, 1, 0x61], [0xd4, LEAF, 0]]) {
    assertRefused("a key that is no string", [0x81], key, [1]);
  }
  for (const head of [[0xaa], [0xd9, 10], [0xda, 0, 10], [0xdb, 0, 0, 0, 10]]) {
    assertRefused("a key that is an array index", [0x81], head, times(10, 0x39), [1]);
  }
  assertRefused("a key that is an array index", [0x82, 0xa1, 0x61, 1, 0xa1, 0x30, 1]);
  check([0x92, 0x81, 0xa1, 0x61, 1, 0xa1, 0x30]); // in an array it is no key
});

Deno.test("decodeMsgpack() takes no key __proto__ in a map", () => {
  const proto = [0xa9, ...new TextEncoder().encode("__proto__")];
  for (let i = 0; i < 2; i++) assertRefused("a key that is __proto__", [0x81], proto, [1]);
  check([0x91], proto);
});

Deno.test("decodeMsgpack() refuses strings that are not UTF-8, keys among them", () => {
  for (const bytes of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0x61, 0xc0, 0x80]]) {
    const text = [0xa0 + bytes.length, ...bytes];
    assertThrows(() => check(text), TypeError);
    assertThrows(() => check([0x81], text, [1]), TypeError);
    assertThrows(() => check([0x91], text), TypeError);
  }
  check([0xa9], [...new TextEncoder().encode("é€😀")]);
});

Deno.test("decodeMsgpack() bounds levels, those of maps, arrays and extensions alike", () => {
  const wraps: ((inner: Uint8Array) => Uint8Array)[] = [
    (inner) => concat([0x91], inner),
    (inner) => concat([0x81, 0xa1, 0x61], inner),
    (inner) => concat([0xc8, (inner.length + 1) >> 8, (inner.length + 1) & 255, NESTED, 0x91], inner),
  ];
  for (const offset of wraps.keys()) {
    let bytes: Uint8Array = Uint8Array.of(1);
    for (let level = 0; level < MAX_DEPTH; level++) bytes = wraps[(level + offset) % 3](bytes);
    check(bytes);
    for (const wrap of wraps) assertRefused(`nested deeper than ${MAX_DEPTH}`, wrap(bytes));
  }
});

Deno.test("decodeMsgpack() bounds arrays and maps", () => {
  const arrays = (count: number) => {
    const bytes = new Uint8Array(5 + count).fill(0x90);
    bytes[0] = 0xdd;
    new DataView(bytes.buffer).setUint32(1, count);
    return bytes;
  };
  decoded(arrays(MAX_CONTAINERS - 1));
  const tooMany = `more than ${MAX_CONTAINERS} arrays and maps`;
  assertThrows(() => decoded(arrays(MAX_CONTAINERS)), RangeError, tooMany);
});
