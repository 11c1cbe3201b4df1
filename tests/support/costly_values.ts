/**
 * Values that cost their reader far more than their bytes suggest, as somebody may write them who can store any bytes
 * with our flags; and large values of ordinary use. Tests and bench/decoding.ts share them.
 */

import { deflateRawSync } from "node:zlib";
import { EXT } from "../../lib/wire/msgpack_types.ts";
import { COMPRESSED, FLAGS } from "../../lib/wire/values.ts";
import { MAX_VALUE_BYTES } from "../../lib/base/limits.ts";
import { bytesOfHex } from "./golden.ts";
import { type Encoded, encoded } from "./value_bytes.ts";

const utf8 = new TextEncoder();
const LARGEST = MAX_VALUE_BYTES;

/** JSON: an array of as many `items` as 16 MiB hold; an item is told its number. */
function jsonArray(room: number, item: string | ((i: number) => string)): Encoded {
  const parts: string[] = [];
  let length = 1;
  for (let i = 0;; i++) {
    const part = typeof item === "string" ? item : item(i);
    length += part.length + 1;
    if (length > room) break;
    parts.push(part);
  }
  return { flags: FLAGS.json, bytes: utf8.encode(`[${parts.join(",")}]`) };
}

function jsonObject(room: number, member: (i: number) => string): Encoded {
  const { flags, bytes } = jsonArray(room, member);
  bytes[0] = 0x7b;
  bytes[bytes.length - 1] = 0x7d;
  return { flags, bytes };
}

/** MessagePack: an array of as many copies of some bytes as there is room for. */
export function packedArray(room: number, item: readonly number[], most = Infinity): Encoded {
  const count = Math.min(most, Math.floor((room - 5) / item.length));
  const bytes = new Uint8Array(5 + count * item.length);
  bytes[0] = 0xdd;
  new DataView(bytes.buffer).setUint32(1, count);
  for (let i = 0; i < item.length; i++) bytes[5 + i] = item[i];
  for (let have = item.length; have < count * item.length; have *= 2) {
    bytes.copyWithin(5 + have, 5, 5 + Math.min(have, count * item.length - have));
  }
  return { flags: FLAGS.msgpack, bytes };
}

/** MessagePack: an extension around an array of `items`, given as bytes. */
export function packedExtension(type: number, count: number, items: Uint8Array): Encoded {
  const bytes = new Uint8Array(11 + items.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = 0xc9;
  view.setUint32(1, 5 + items.length);
  bytes[5] = type;
  bytes[6] = 0xdd;
  view.setUint32(7, count);
  bytes.set(items, 11);
  return { flags: FLAGS.msgpack, bytes };
}

/** An extension of up to 255 bytes. */
export function small(type: number, payload: readonly number[] | string): number[] {
  const content = typeof payload === "string" ? [...utf8.encode(payload)] : payload;
  return [0xc7, content.length, type, ...content];
}

function text(content: string): number[] {
  const bytes = [...utf8.encode(content)];
  return bytes.length < 32 ? [0xa0 + bytes.length, ...bytes] : [0xd9, bytes.length, ...bytes];
}

/** The engine's hash of an integer of 32 bits (V8's `ComputeUnseededHash`). */
export function integerHash(key: number): number {
  let hash = key | 0;
  hash = (~hash + (hash << 15)) | 0;
  hash ^= hash >>> 12;
  hash = (hash + (hash << 2)) | 0;
  hash ^= hash >>> 4;
  hash = Math.imul(hash, 2057);
  hash ^= hash >>> 16;
  return hash & 0x3fffffff;
}

const MASK_64 = 2n ** 64n - 1n;

/** Numbers of 64 bits that V8's `ComputeLongHash` takes to one hash: it is undone from its last step to its first. */
function* longCollisions(): Generator<bigint> {
  const inverse = (odd: bigint) => {
    let found = 1n;
    for (let i = 0; i < 6; i++) found = (found * (2n - odd * found)) & MASK_64;
    return found;
  };
  const unshift = (hash: bigint, by: bigint) => {
    let found = hash;
    for (let i = 0; i < 7; i++) found = hash ^ (found >> by);
    return found;
  };
  for (let high = 1n;; high++) {
    let hash = (high << 30n) | 5n;
    hash = unshift(hash, 22n);
    hash = (hash * inverse(65n)) & MASK_64;
    hash = unshift(hash, 11n);
    hash = (hash * inverse(21n)) & MASK_64;
    hash = unshift(hash, 31n);
    hash = ((hash + 1n) * inverse((1n << 18n) - 1n)) & MASK_64; // ~h + (h << 18) is h * (2**18 - 1) - 1
    yield hash;
  }
}

export function collidingIntegers(count: number): number[] {
  const found: number[] = [];
  for (let i = 0; found.length < count; i++) if ((integerHash(i) & 0x7fff) === 5) found.push(i);
  return found;
}

export function collidingDoubles(count: number): number[] {
  const view = new DataView(new ArrayBuffer(8));
  const found: number[] = [];
  for (const bits of longCollisions()) {
    view.setBigUint64(0, bits);
    const double = view.getFloat64(0);
    if (Number.isFinite(double) && !Number.isInteger(double)) found.push(double);
    if (found.length === count) return found;
  }
  return found;
}

export function collidingBigints(count: number): bigint[] {
  const found: bigint[] = [];
  for (const bits of longCollisions()) {
    if (bits < 2n ** 63n) found.push(bits);
    if (found.length === count) return found;
  }
  return found;
}

/** MessagePack: an array of as many distinct items as fit, each made by its number. */
function packedItems(room: number, item: (i: number) => ArrayLike<number>, most = Infinity): Encoded {
  const bytes = new Uint8Array(room);
  let at = 5;
  let count = 0;
  for (; count < most; count++) {
    const part = item(count);
    if (at + part.length > bytes.length) break;
    bytes.set(part, at);
    at += part.length;
  }
  bytes[0] = 0xdd;
  new DataView(bytes.buffer).setUint32(1, count);
  return { flags: FLAGS.msgpack, bytes: bytes.subarray(0, at) };
}

/** MessagePack: a set of as many items as fit. */
function packedSet(room: number, item: (i: number) => ArrayLike<number>, most = Infinity): Encoded {
  const { bytes } = packedItems(room - 11, item, most);
  return packedExtension(EXT.set, new DataView(bytes.buffer).getUint32(1), bytes.subarray(5));
}

function cycled<T>(items: readonly T[]): (i: number) => T {
  return (i) => items[i % items.length];
}

function longText(content: string): Uint8Array {
  const bytes = new Uint8Array(3 + content.length);
  bytes[0] = 0xda;
  new DataView(bytes.buffer).setUint16(1, content.length);
  utf8.encodeInto(content, bytes.subarray(3));
  return bytes;
}

function packedDouble(number: number): number[] {
  const bytes = new Uint8Array(9);
  bytes[0] = 0xcb;
  new DataView(bytes.buffer).setFloat64(1, number);
  return [...bytes];
}

const letters = (i: number, length: number) => {
  let name = "";
  for (let rest = i, n = 0; n < length; n++, rest = Math.floor(rest / 52)) {
    name += String.fromCharCode((rest % 52 < 26 ? 65 : 71) + rest % 52);
  }
  return name;
};

const digits = (stride: number, count: number) => Array.from({ length: count }, (_, i) => String(i * stride));
const error = (...rest: number[][]) =>
  small(EXT.error, [0x90 + 3 + rest.length, ...text("Error"), ...text("m"), ...text("s"), ...rest.flat()]);
const regexp = (source: string, flags: string): Encoded => encodedPair(EXT.regexp, source, flags);

function encodedPair(type: number, source: string, flags: string): Encoded {
  const bytes = utf8.encode(source);
  const head = new Uint8Array(5);
  head[0] = 0xdb;
  new DataView(head.buffer).setUint32(1, bytes.length);
  const flagBytes = text(flags);
  const items = new Uint8Array(5 + bytes.length + flagBytes.length);
  items.set(head);
  items.set(bytes, 5);
  items.set(flagBytes, 5 + bytes.length);
  const made = packedExtension(type, 2, items);
  return made;
}

function filled(room: number, flags: number, unit: string, before = "", after = ""): Encoded {
  const left = room - before.length - after.length;
  return { flags, bytes: utf8.encode(before + unit.repeat(Math.floor(left / utf8.encode(unit).length)) + after) };
}

function largeExtension(room: number, type: number, unit: number[]): Encoded {
  const bytes = new Uint8Array(room);
  bytes[0] = 0xc9;
  const length = Math.floor((room - 6) / unit.length) * unit.length;
  new DataView(bytes.buffer).setUint32(1, length);
  bytes[5] = type;
  for (let i = 0; i < length; i++) bytes[6 + i] = unit[i % unit.length];
  return { flags: FLAGS.msgpack, bytes: bytes.subarray(0, 6 + length) };
}

/** Eight blocks of DEFLATE that have tables of their own, and yield nothing. */
const EMPTY_BLOCKS = bytesOfHex(
  "04c081000000000090ff6b100007020000000040feaf41001c080000000000f9bf0601702000000000" +
    "00e4ff1a04c081000000000090ff6b100007020000000040feaf41001c080000000000f9bf060170200000000000e4ff1a",
);

/** What unpacks to `room` bytes. */
function compressed({ flags, bytes }: Encoded): Encoded {
  return { flags: COMPRESSED | flags, bytes: deflateRawSync(bytes) };
}

/** Values by which somebody might stop a reader: each is made when it is asked for. */
export const ATTACKS: Record<string, (room: number) => Encoded> = {
  "compressed: blocks that yield nothing": (room) => {
    const bytes = new Uint8Array(room);
    for (let at = 0; at + EMPTY_BLOCKS.length <= room; at += EMPTY_BLOCKS.length) bytes.set(EMPTY_BLOCKS, at);
    return { flags: COMPRESSED, bytes };
  },
  "compressed: zeros that are too many": () => compressed({ flags: FLAGS.bytes, bytes: new Uint8Array(2 * LARGEST) }),
  "compressed: text": (room) => compressed(filled(room, FLAGS.text, "a")),
  "compressed: empty objects as JSON": (room) => compressed(jsonArray(room, "{}")),
  "compressed: dates": (room) => compressed(packedArray(room, [0xd7, EXT.date, 0, 0, 0, 0, 0, 0, 0, 0])),
  "text, not UTF-8 at its end": (room) => {
    const made = filled(room, FLAGS.text, "a");
    made.bytes[made.bytes.length - 1] = 0xff;
    return made;
  },
  "text, not UTF-8 anywhere": (room) => ({ flags: FLAGS.text, bytes: new Uint8Array(room).fill(0xff) }),
  "text of U+FFFD": (room) => filled(room, FLAGS.text, "\ufffd"),
  "JSON: empty objects": (room) => jsonArray(room, "{}"),
  "JSON: empty arrays": (room) => jsonArray(room, "[]"),
  "JSON: nests of 200 arrays": (room) => jsonArray(room, "[".repeat(200) + "]".repeat(200)),
  "JSON: nests of 200 objects": (room) => jsonArray(room, '{"a":'.repeat(200) + "0" + "}".repeat(200)),
  "JSON: digits": (room) => jsonArray(room, "0"),
  "JSON: small fractions": (room) => jsonArray(room, "5e-324"),
  "JSON: fractions near a limit": (room) => jsonArray(room, "2.2250738585072011e-308"),
  "JSON: numbers of 800 digits": (room) => jsonArray(room, `1.${"0123456789".repeat(80)}1e-300`),
  "JSON: mixed fractions and nulls": (room) => jsonArray(room, "1.5,null"),
  "JSON: empty strings": (room) => jsonArray(room, '""'),
  "JSON: short strings": (room) => jsonArray(room, (i) => `"${letters(i, 4)}"`),
  "JSON: strings of 11 letters": (room) => jsonArray(room, (i) => `"${letters(i, 11)}"`),
  "JSON: escaped strings": (room) => jsonArray(room, (i) => `"\\u0${(i & 0xfff).toString(16).padStart(3, "0")}"`),
  "JSON: one escaped string": (room) => filled(room, FLAGS.json, "\\n", '"', '"'),
  "JSON: objects with one key of its own each": (room) => jsonArray(room, (i) => `{"${letters(i, 4)}":0}`),
  "JSON: objects with one fraction": (room) => jsonArray(room, '{"a":0.5}'),
  "JSON: objects of 100 keys of their own": (room) =>
    jsonArray(room, (i) => `{${Array.from({ length: 100 }, (_, k) => `"${letters(100 * i + k, 4)}":0`)}}`),
  "JSON: objects of 20 keys in an order of their own": (room) =>
    jsonArray(
      room,
      (i) => `{${Array.from({ length: 20 }, (_, k) => `"${letters((i * 7919 + k * k * 31) % 2500, 2)}":0`)}}`,
    ),
  "JSON: one object of many keys": (room) => jsonObject(room, (i) => `"${letters(i, 4)}":0`),
  "JSON: one key again and again": (room) => jsonObject(room, () => `"a":0`),
  "JSON: two keys of __proto__": (room) => jsonArray(room, '{"__proto__":{}}'),
  "JSON: objects with the key 1000": (room) => jsonArray(room, '{"1000":0}'),
  "JSON: objects with the keys 0 and 1023": (room) => jsonArray(room, '{"0":0,"1023":0}'),
  "JSON: objects with the key 60": (room) => jsonArray(room, '{"60":0}'),
  "JSON: objects with the keys 0 and 30": (room) => jsonArray(room, '{"0":0,"30":0}'),
  "JSON: strings of digits that collide, escaped": (room) =>
    jsonArray(room, (i) => `"\\u003${String((i % 60_000) * 65_536).padStart(1)}"`),
  "JSON: objects with a huge index": (room) => jsonArray(room, '{"4294967294":0}'),
  "JSON: one object of scattered indices": (room) => jsonObject(room, (i) => `"${i * 1024}":0`),
  "JSON: strings of digits that collide": (room) => jsonArray(room, (i) => `"${(i % 60_000) * 65_536}"`),
  "JSON: strings of 7 digits that collide": (room) => jsonArray(room, (i) => `"${(i % 2441) * 4096}"`),
  "JSON: keys of 11 to 15 digits": (room) => jsonObject(room, (i) => `"${2 ** 33 + i * 2 ** 20}":0`),
  "JSON: long keys alike": (room) => jsonObject(room, (i) => `"${"x".repeat(16_384)}${String(i).padStart(4, "0")}":0`),
  "JSON: blanks": (room) => filled(room, FLAGS.json, " ", "", "0"),
  "nils": (room) => packedArray(room, [0xc0]),
  "small integers": (room) => packedArray(room, [1]),
  "doubles": (room) => packedArray(room, [0xcb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0]),
  "floats": (room) => packedArray(room, [0xca, 0x3f, 0xc0, 0, 0]),
  "64-bit integers": (room) => packedArray(room, [0xcf, 1, 2, 3, 4, 5, 6, 7, 8]),
  "empty strings": (room) => packedArray(room, [0xa0]),
  "strings of one byte": (room) => packedArray(room, [0xa1, 0x61]),
  "strings of one é": (room) => packedArray(room, text("é")),
  "strings of ten é": (room) => packedArray(room, text("é".repeat(10))),
  "strings of 200 bytes": (room) => packedArray(room, text("a".repeat(200))),
  "strings of 100 é": (room) => packedArray(room, text("é".repeat(100))),
  "empty arrays": (room) => packedArray(room, [0x90]),
  "empty objects": (room) => packedArray(room, [0x80]),
  "objects of one key": (room) => packedArray(room, [0x81, 0xa1, 0x61, 1]),
  "objects of one key of its own each": (room) =>
    packedItems(room, (i) => [0x81, 0xa4, ...utf8.encode(letters(i, 4)), 0]),
  "objects of 15 keys of their own": (room) =>
    packedItems(
      room,
      (i) => [0x8f, ...Array.from({ length: 15 }, (_, k) => [...text(letters(15 * i + k, 4)), 0]).flat()],
    ),
  "undefined": (room) => packedArray(room, small(EXT.undefined, [])),
  "-0": (room) => packedArray(room, small(EXT.negativeZero, [])),
  "bigints": (room) => packedArray(room, [0xd4, EXT.bigint, 0x31]),
  "bigints of 64 bits": (room) => packedArray(room, small(EXT.bigint, "f234567812345678")),
  "one bigint": (room) => largeExtension(room, EXT.bigint, [0x66]),
  "utf16 strings": (room) => packedArray(room, [0xd5, EXT.utf16, 0xd8, 0]),
  "empty utf16 strings": (room) => packedArray(room, small(EXT.utf16, [])),
  "one utf16 string": (room) => largeExtension(room, EXT.utf16, [0xd8, 0]),
  "dates": (room) => packedArray(room, [0xd7, EXT.date, 0, 0, 0, 0, 0, 0, 0, 0]),
  "timestamps": (room) => packedArray(room, [0xd6, 0xff, 0, 0, 0, 1]),
  "short URLs": (room) => packedArray(room, [0xd5, EXT.url, 0x61, 0x3a]),
  "URLs": (room) => packedArray(room, small(EXT.url, "http://a.b/")),
  "URLs with a name to be converted": (room) => packedArray(room, small(EXT.url, "http://é.ü.日本/é?é#é")),
  "one URL": (room) => largeExtension(room, EXT.url, [0x61, 0x3a]),
  "one URL of é": (room) => {
    const made = largeExtension(room, EXT.url, [0xc3, 0xa9]);
    made.bytes.set(utf8.encode("http://a/é"), 6);
    made.bytes.set([0x61], 6 + 11);
    return made;
  },
  "one URL with a long name": (room) => {
    const made = largeExtension(room, EXT.url, [0xc3, 0xa9]);
    made.bytes.set(utf8.encode("http://é"), 6);
    made.bytes.set([0x61], 6 + 9);
    return made;
  },
  "one URL of dots": (room) => {
    const made = largeExtension(room, EXT.url, [0x2f, 0x2e, 0x2e]);
    made.bytes.set(utf8.encode("http://a"), 6);
    return made;
  },
  "empty bins": (room) => packedArray(room, [0xc4, 0]),
  "empty buffers": (room) => packedArray(room, [0xd4, EXT.buffer, 0]),
  "empty views": (room) => packedArray(room, [0xd4, EXT.buffer, 3]),
  "empty Float64Arrays": (room) => packedArray(room, [0xd4, EXT.buffer, 10]),
  "empty records": (room) => packedArray(room, [0xd4, EXT.record, 0x90], 1_040_000),
  "records of __proto__": (room) => packedArray(room, small(EXT.record, [0x92, ...text("__proto__"), 1]), 1_040_000),
  "records of an index": (room) => packedArray(room, small(EXT.record, [0x92, ...text("1000"), 1]), 1_040_000),
  "records of 7 keys of their own": (room) =>
    packedItems(
      room,
      (i) =>
        small(EXT.record, [0x9e, ...Array.from({ length: 7 }, (_, k) => [...text(letters(7 * i + k, 4)), 0]).flat()]),
    ),
  "one record": (room) => {
    const { bytes } = packedItems(room - 20, (i) => [...text(letters(i, 4)), 0]);
    return packedExtension(EXT.record, (bytes.length - 5) / 3, bytes.subarray(5));
  },
  "empty maps": (room) => packedArray(room, [0xd4, EXT.map, 0x90], 1_040_000),
  "maps of one": (room) => packedArray(room, [0xc7, 3, EXT.map, 0x92, 1, 2], 1_040_000),
  "empty sets": (room) => packedArray(room, [0xd4, EXT.set, 0x90], 1_040_000),
  "nests of 200 sets": (room) => {
    let inner: number[] = [1];
    for (let i = 0; i < 200; i++) {
      const length = inner.length + 1;
      inner = [0xc8, length >> 8, length & 255, EXT.set, 0x91, ...inner];
    }
    return packedArray(room, inner, 5000);
  },
  "times": (room) => packedArray(room, small(EXT.temporal, "\x0200")),
  "dates of time zones": (room) => packedArray(room, small(EXT.temporal, "\x06+275760-01-01T00:00Z[Europe/Paris]")),
  "months of calendars": (room) => packedArray(room, small(EXT.temporal, "\x04+275760-01-05[u-ca=dangi]")),
  "one long date": (room) => {
    const made = largeExtension(room, EXT.temporal, [...utf8.encode("[foo=bar]")]);
    made.bytes.set(utf8.encode("\x012020-01-01[fo=ba]"), 6);
    return made;
  },
  "empty headers": (room) => packedArray(room, [0xd4, EXT.headers, 0x90], 1_040_000),
  "headers of one": (room) => packedArray(room, small(EXT.headers, [0x92, ...text("a"), 0xa0]), 1_040_000),
  "headers of 20": (room) => {
    const pairs = Array.from({ length: 20 }, (_, i) => [...text(letters(i, 1)), ...text("1")]).flat();
    return packedArray(room, small(EXT.headers, [0xdc, 0, 40, ...pairs]), 1_040_000);
  },
  "headers of one long value": (room) => {
    const value = utf8.encode("a".repeat(room - 30));
    const items = new Uint8Array(7 + value.length);
    items.set([0xa1, 0x61, 0xdb]);
    new DataView(items.buffer).setUint32(3, value.length);
    items.set(value, 7);
    return packedExtension(EXT.headers, 2, items);
  },
  "headers that collide, all in one": (room) => {
    const { bytes } = packedItems(room - 20, (i) => [...text(letters(i, 4)), 0xa0]);
    return packedExtension(EXT.headers, Math.floor((bytes.length - 5) / 6) * 2, bytes.subarray(5));
  },
  "errors": (room) => packedArray(room, error(), 1_040_000),
  "errors with a cause": (room) => packedArray(room, error(text("cause"), [1]), 1_040_000),
  "errors with six properties": (room) =>
    packedArray(room, error(...[..."abcdef"].flatMap((name) => [text(name), [1]])), 1_040_000),
  "regular expressions": (room) => packedArray(room, small(EXT.regexp, [0x92, ...text("a"), ...text("")]), 1_040_000),
  "regular expressions of their own": (room) =>
    packedItems(room, (i) => small(EXT.regexp, [0x92, ...text(letters(i, 4)), ...text("")]), 1_040_000),
  "a regular expression of 16 MiB": (room) => regexp("a".repeat(room - 100), ""),
  "a regular expression of groups": (room) => regexp("(a|b)".repeat(room / 6), ""),
  "a regular expression of named groups": (room) =>
    regexp(Array.from({ length: room / 12 }, (_, i) => `(?<${letters(i, 4)}>)`).join(""), ""),
  "a regular expression of nested groups": (room) => regexp("(".repeat(room / 2 - 50) + ")".repeat(room / 2 - 50), ""),
  "a regular expression of counts": (room) => regexp("(".repeat(room / 12) + "a" + "{1,1000})".repeat(room / 12), ""),
  "a regular expression of properties": (room) => regexp("\\p{L}".repeat(room / 6), "u"),
  "a regular expression of classes": (room) => regexp("[\\p{L}\\P{Lu}]".repeat(room / 16), "u"),
  "a regular expression of classes, v": (room) => regexp("[\\p{L}--\\p{Lu}]".repeat(room / 18), "v"),
  "a regular expression of classes, vi": (room) => regexp("[\\p{L}--\\p{Lu}]".repeat(room / 18), "vi"),
  "a regular expression of emoji, v": (room) => regexp("[\\p{RGI_Emoji}--\\q{ab}]".repeat(room / 25), "v"),
  "a regular expression of emoji, vi": (room) => regexp("\\p{RGI_Emoji}".repeat(room / 15), "vi"),
  "a regular expression of nested classes, v": (room) => regexp("[a".repeat(room / 4) + "]".repeat(room / 4), "v"),
  "a regular expression of strings, v": (room) =>
    regexp(`[${"\\q{" + Array.from({ length: room / 5 }, (_, i) => letters(i, 3)).join("|") + "}"}]`, "v"),
  "a set of integers that collide": (room) =>
    packedSet(room, cycled(collidingIntegers(60_000).map(packedDouble)), 60_000),
  "a set of doubles that collide": (room) =>
    packedSet(room, cycled(collidingDoubles(58_000).map(packedDouble)), 58_000),
  "a set of 2,000 doubles that collide, again and again": (room) =>
    packedSet(room, cycled(collidingDoubles(2_000).map(packedDouble))),
  "sets of 30 doubles that collide": (room) => {
    const { bytes } = packedSet(room, cycled(collidingDoubles(30).map(packedDouble)), 30);
    return packedArray(room, [...bytes]);
  },
  "sets of 100 doubles that collide": (room) => {
    const { bytes } = packedSet(room, cycled(collidingDoubles(100).map(packedDouble)), 100);
    return packedArray(room, [...bytes]);
  },
  "a set of bigints that collide": (room) =>
    packedSet(room, cycled(collidingBigints(58_000).map((key) => small(EXT.bigint, key.toString(16))))),
  "a set of strings of digits that collide": (room) =>
    packedSet(room, cycled(digits(65_536, 60_000).map(text)), 60_000),
  "a set of 2,000 strings of digits that collide, again and again": (room) =>
    packedSet(room, cycled(digits(4096, 2000).map(text))),
  "a set of long strings alike": (room) => packedSet(room, (i) => longText(`${"x".repeat(16_384)}${1e4 + i}`)),
  "objects with long keys alike": (room) => {
    const { bytes } = packedItems(room, (i) => [...longText(`${"x".repeat(16_384)}${1e4 + i}`), 0]);
    bytes[0] = 0xdf;
    return { flags: FLAGS.msgpack, bytes };
  },
};

/** Large values of ordinary use, which are read, or a `share` of each. */
export const ORDINARY: Record<string, (share: number) => Encoded> = {
  "16 MiB of text": (share) => filled(share * LARGEST, FLAGS.text, "a"),
  "16 MiB of text with accents": (share) => filled(share * LARGEST, FLAGS.text, "abcé"),
  "16 MiB of bytes": (share) => ({ flags: FLAGS.bytes, bytes: new Uint8Array(share * LARGEST) }),
  "100,000 rows as JSON": (share) =>
    encoded(
      Array.from(
        { length: share * 100_000 },
        (_, id) => ({ id, name: `name ${id}`, score: id / 7, active: id % 2 === 0, tags: ["a", "b"] }),
      ),
    ),
  "100,000 rows with dates": (share) =>
    encoded(Array.from({ length: share * 100_000 }, (_, id) => ({ id, name: `name ${id}`, at: new Date(1e12 + id) }))),
  "a map of 500,000 strings": (share) =>
    encoded(new Map(Array.from({ length: share * 500_000 }, (_, i) => [`key:${i}`, i]))),
  "an object of 500,000 keys": (share) =>
    encoded(Object.fromEntries(Array.from({ length: share * 500_000 }, (_, i) => [`key:${i}`, i]))),
  "a set of 100,000 integers": (share) => encoded(new Set(Array.from({ length: share * 100_000 }, (_, i) => i))),
  "a set of 100,000 doubles": (share) =>
    encoded(new Set(Array.from({ length: share * 100_000 }, (_, i) => (i + 1) / 7))),
  "a set of 100,000 bigints": (share) =>
    encoded(new Set(Array.from({ length: share * 100_000 }, (_, i) => BigInt(i) * 2n ** 40n))),
  "a set of 100,000 strings of digits": (share) =>
    encoded(new Set(Array.from({ length: share * 100_000 }, (_, i) => `${1e9 + 37 * i}`))),
  "a map of 100,000 small objects by number": (share) =>
    encoded(new Map(Array.from({ length: share * 100_000 }, (_, i) => [i, { id: i, name: "n" }]))),
  "2,000,000 numbers in a Float64Array": (share) =>
    encoded(Float64Array.from({ length: share * 2_000_000 }, (_, i) => i / 3)),
  "800,000 fractions as JSON": (share) => encoded(Array.from({ length: share * 800_000 }, (_, i) => (i + 1) / 7)),
  "2,000,000 integers as JSON": (share) => encoded(Array.from({ length: share * 2_000_000 }, (_, i) => i)),
  "a bigint of 10,000 digits": () => encoded(10n ** 10_000n),
};
