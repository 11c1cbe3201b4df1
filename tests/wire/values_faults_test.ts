/** The codec and bytes that no encoder of ours made: they do no worse than ProtocolError. */

import { assert, assertStrictEquals } from "@std/assert";
import { ProtocolError } from "../../lib/base/errors.ts";
import { EXT } from "../../lib/wire/msgpack_types.ts";
import { decodeValue, FLAGS } from "../../lib/wire/values.ts";
import { assertSame, shown } from "../support/same_value.ts";
import { assertRefused, concat, decodedOrRefused, encoded, extension } from "../support/value_bytes.ts";
import { ALL_SAMPLES, BOM } from "../support/value_samples.ts";

const utf8 = new TextEncoder();

Deno.test("decodeValue() throws ProtocolError when the contents of an extension are not what its type holds", () => {
  const cases: [number, number[]][] = [
    [EXT.undefined, [0]],
    [EXT.negativeZero, [0]],
    [EXT.map, [0x91, 1]],
    [EXT.record, [0x93, 0xa1, 0x61, 1, 2]],
    [EXT.regexp, [0x90]],
    [EXT.regexp, [0x92, 1, 0xa0]],
    [EXT.error, [0x94, 0xa0, 0xa0, 0xa0, 0xa0]],
    [EXT.headers, [0x91, 0xa1, 0x61]],
    [EXT.headers, [0x92, 0xa1, 0x61, 1]],
    [EXT.headers, [0x92, 1, 0xa1, 0x61]],
    [EXT.headers, [0x92, 0xa0, 0xa1, 0x61]],
    [EXT.headers, [0x92, 0xa1, 0x20, 0xa1, 0x61]],
    [EXT.headers, [0x92, 0xa1, 0x61, 0xa1, 0x0a, 0xa1, 0x61]],
    [EXT.headers, [0x92, 0xa1, 0x61, 0xa3, 0x61, 0x0a, 0x62]],
    [EXT.temporal, []],
    [EXT.temporal, [0]],
    [EXT.temporal, [8, 0x50]],
    [EXT.temporal, [0, ...utf8.encode("2020-01-01")]],
    [EXT.temporal, [1, ...utf8.encode("2020-02-30")]],
    [EXT.temporal, [1, 0xff]],
    [EXT.temporal, [6, ...utf8.encode("2020-01-01T00:00Z[No/Where]")]],
    [EXT.temporal, [7, ...utf8.encode("P")]],
  ];
  for (const [type, payload] of cases) assertRefused(FLAGS.msgpack, extension(type, Uint8Array.from(payload)), "");
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
    ...[16, 17, 18, 19, 20, 21].map((type) => extension(type, Uint8Array.of(0x80))),
    ...[16, 17, 18, 19, 20, 21].map((type) => extension(type, Uint8Array.of(1))),
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

Deno.test("decodeValue() leaves errors their stacks when one that it reads has no text for a message", () => {
  const limited = Error as unknown as { stackTraceLimit: number };
  const { stackTraceLimit } = limited;
  const message = concat([0x82, 0xa8], utf8.encode("toString"), [1, 0xa7], utf8.encode("valueOf"), [1]);
  assertRefused(FLAGS.msgpack, extension(EXT.error, concat([0x93, 0xa5], utf8.encode("Error"), message, [0xc0])), "");
  assertStrictEquals(limited.stackTraceLimit, stackTraceLimit);
});

Deno.test("decodeValue() gives a Date when another client wrote MessagePack's own timestamp", () => {
  assertSame(decodeValue(FLAGS.msgpack, Uint8Array.of(0xd6, 0xff, 0, 0, 0, 1)), new Date(1000));
});

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
