/** Encoded values, byte by byte: golden/values.txt is what every client has agreed on. */

import { assertEquals } from "@std/assert";
import { EXT } from "../../lib/wire/msgpack_types.ts";
import { decodeValue, FLAGS } from "../../lib/wire/values.ts";
import { bytesOfHex, goldenLines, hexOf } from "../support/golden.ts";
import { assertSame } from "../support/same_value.ts";
import { encoded } from "../support/value_bytes.ts";
import { BOM, LONE, record, TEMPORAL } from "../support/value_samples.ts";

/** What has no format of its own is put beside what only MessagePack carries. */
const beside = (value: unknown) => [undefined, value];
/** The bytes of that before the value: an array of two, and `undefined`. */
const BESIDE = "92c70000";

const VALUES: Record<string, unknown> = {
  "bytes": Uint8Array.of(0, 1, 255),
  "text": "é€😀",
  "JSON": { a: [1, -0.5, true, null, "é"] },
  "JSON of a lone surrogate": LONE,
  "MessagePack of what JSON carries too": beside([null, true, -1, 200, 70_000, 2 ** 40, 0.5, "é", { a: [] }]),
  "extension 0, undefined": undefined,
  "extension 1, -0": -0,
  "extension 2, bigint": 255n,
  "extension 2, bigint below 0": -255n,
  "extension 3, string with a lone surrogate": beside(LONE),
  "extension 3, string that begins with U+FEFF": beside(`${BOM}a`),
  "extension 4, Date": new Date(1000),
  "extension 4, invalid Date": new Date(NaN),
  "extension 5, URL": new URL("http://a/"),
  "extension 6, ArrayBuffer": Uint8Array.of(7).buffer,
  "extension 6, DataView": new DataView(Uint8Array.of(7).buffer),
  "extension 6, Int8Array": Int8Array.of(-1),
  "extension 6, Uint8Array": beside(Uint8Array.of(7)),
  "extension 6, Uint8Array of a counter's digits": Uint8Array.of(0x34, 0x32),
  "extension 6, Uint8ClampedArray": Uint8ClampedArray.of(7),
  "extension 6, Int16Array": Int16Array.of(1),
  "extension 6, Uint16Array": Uint16Array.of(1),
  "extension 6, Int32Array": Int32Array.of(1),
  "extension 6, Uint32Array": Uint32Array.of(1),
  "extension 6, Float32Array": Float32Array.of(1),
  "extension 6, Float64Array": Float64Array.of(1),
  "extension 6, BigInt64Array": BigInt64Array.of(-1n),
  "extension 6, BigUint64Array": BigUint64Array.of(1n),
  "extension 6, Float16Array": float16Array(),
  "extension 7, Temporal.Instant": TEMPORAL.Instant,
  "extension 7, Temporal.PlainDate": TEMPORAL.PlainDate,
  "extension 7, Temporal.PlainTime": TEMPORAL.PlainTime,
  "extension 7, Temporal.PlainDateTime": TEMPORAL.PlainDateTime,
  "extension 7, Temporal.PlainYearMonth": TEMPORAL.PlainYearMonth,
  "extension 7, Temporal.PlainMonthDay": TEMPORAL.PlainMonthDay,
  "extension 7, Temporal.ZonedDateTime": TEMPORAL.ZonedDateTime,
  "extension 7, Temporal.Duration": TEMPORAL.Duration,
  "extension 16, object with a key __proto__": beside(record([["__proto__", 1]])),
  "extension 16, object with a key of digits": beside({ "10": 1 }),
  "extension 17, Map": new Map([["a", 1]]),
  "extension 18, Set": new Set([1]),
  "extension 18, Set of a Map": new Set([new Map([["a", 1]])]),
  "extension 19, RegExp": /a/g,
  "extension 20, Error": error(),
  "extension 20, Error with a cause": error({ cause: 1 }),
  "extension 21, Headers": new Headers([["Set-Cookie", "a"], ["b", "é"], ["Set-Cookie", "c"]]),
};

/** Younger than the oldest runtime that is supported, as is Temporal: where it is not there, its line is not looked at. */
function float16Array(): unknown {
  const { Float16Array: type } = globalThis as unknown as { Float16Array?: new (items: number[]) => unknown };
  return type && new type([1]);
}

function error(options?: ErrorOptions): Error {
  return Object.assign(new RangeError("m", options), { stack: "s" });
}

const LINES = goldenLines(new URL("golden/values.txt", import.meta.url));
for (const [name, value] of Object.entries(VALUES)) {
  if (value !== undefined || name === "extension 0, undefined") continue;
  delete VALUES[name];
  LINES.delete(name);
}

/** The line of a value: its flags, and its bytes. */
function lineOf(value: unknown): string {
  const { flags, bytes } = encoded(value);
  return `${flags.toString(16).padStart(8, "0")} ${hexOf(bytes)}`;
}

/** Flags and bytes of a line. */
function partsOf(line: string): { flags: number; bytes: Uint8Array } {
  const [flags, hex] = line.split(" ");
  return { flags: parseInt(flags, 16), bytes: bytesOfHex(hex) };
}

/** Type and payload of the extension that a line is about, by its bytes. */
function extensionIn(line: string): { type: number; payload: Uint8Array } | undefined {
  const { flags, bytes } = partsOf(line);
  if (flags !== FLAGS.msgpack) return undefined;
  const own = hexOf(bytes).startsWith(BESIDE) ? bytes.subarray(BESIDE.length / 2) : bytes;
  if (own[0] >= 0xd4 && own[0] <= 0xd8) return { type: own[1], payload: own.subarray(2) };
  return own[0] === 0xc7 ? { type: own[2], payload: own.subarray(3) } : undefined;
}

Deno.test("golden/values.txt has the flags and bytes of every value as encodeValue() writes it today", () => {
  const today = Object.entries(VALUES).map(([name, value]) => [name, lineOf(value)]);
  assertEquals(Object.fromEntries(today.sort()), Object.fromEntries([...LINES].sort()));
});

Deno.test("decodeValue() reads the values of golden/values.txt", () => {
  for (const [name, line] of LINES) {
    const { flags, bytes } = partsOf(line);
    assertSame(decodeValue(flags, bytes), VALUES[name], name);
  }
});

Deno.test("golden/values.txt has a line for every format, every extension type and every kind of buffer", () => {
  const lines = [...LINES];
  const flags = new Set(lines.map(([, line]) => partsOf(line).flags));
  const missing = Object.values(FLAGS).filter((value) => !flags.has(value));
  assertEquals(missing, [FLAGS.codec], "what a codec makes is its own affair");
  const extensions = lines.map(([name, line]) => ({ name, ...extensionIn(line) }));
  for (const { name, type } of extensions) {
    if (name.startsWith("extension")) assertEquals(`extension ${type}`, name.split(",")[0]);
  }
  const types = new Set(extensions.map(({ type }) => type));
  const hasAll = TEMPORAL.Instant !== undefined;
  assertEquals(Object.entries(EXT).filter(([, type]) => !types.has(type) && (hasAll || type !== EXT.temporal)), []);
  const kinds = [
    ...new Set(extensions.filter(({ type }) => type === EXT.buffer).map(({ payload }) => payload![0])),
  ];
  const youngest = LINES.has("extension 6, Float16Array") ? 13 : 12;
  assertEquals(kinds.sort((a, b) => a - b), Array.from({ length: youngest + 1 }, (_, kind) => kind));
});
