/** Values of every kind that the codec carries, by the flags that they must get. */

import { FLAGS } from "../../lib/wire/values.ts";

/** A lone surrogate. */
export const LONE = "\ud800";
/** A byte order mark. */
export const BOM = "\ufeff";

/** An object with own data properties of any name, `__proto__` included. */
export function record(entries: [string, unknown][]): object {
  return Object.fromEntries(entries);
}

/** Typed arrays that this runtime has. */
export const TYPED_ARRAYS = [
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

/** A value of each type of `Temporal`, by the type's name; none where this runtime has no Temporal. */
export const TEMPORAL: Record<string, object> = temporalSamples({
  Instant: "2020-01-01T00:00:00.123456789Z",
  PlainDate: "-271821-04-19",
  PlainTime: "12:34:56.000000001",
  PlainDateTime: "2020-02-29T12:00:00[u-ca=hebrew]",
  PlainYearMonth: "2020-02",
  PlainMonthDay: "02-29",
  ZonedDateTime: "2020-10-25T02:30:00+01:00[Europe/Paris]", // the second of two
  Duration: "-P1Y2M3W4DT5H6M7.008009001S",
});

function temporalSamples(texts: Record<string, string>): Record<string, object> {
  const { Temporal: types } = globalThis as unknown as {
    Temporal?: Record<string, { from(text: string): object }>;
  };
  if (types === undefined || !("fromBase64" in Uint8Array)) return {};
  return Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, types[name].from(text)]));
}

const { bytes, text, json, msgpack: extended } = FLAGS;

/** Samples of every kind, by the flags they must get. */
export const SAMPLES: [flags: number, values: unknown[]][] = [
  [text, ["", "a", "é€😀", `${BOM}text`, BOM, '\0\n"\\', "x".repeat(70_000), "__proto__", "null"]],
  [bytes, [new Uint8Array(0), new Uint8Array([0, 255, 0xc1]), new Uint8Array([9, 1, 2, 3, 9]).subarray(1, 4)]],
  [json, [
    ...[null, true, false, 0, 1, -1, 0.1, 1e300, 5e-324, -1.5, 2 ** 53, -(2 ** 53), 2 ** 32, 1e21],
    ...[LONE, `a${LONE}b`, "\udfff\ud800"],
    ...[[], {}, [[]], [null], [1, "a", [true, { b: [] }]], { a: { b: { c: null } } }],
    ...[{ "1": "a", "0": "b", "-1": "c", "01": "d", "4294967295": "e", "": "f" }],
    ...[record([["__proto__", { polluted: true }], ["constructor", 1], ["toString", null]])],
    ...[{ lone: LONE, [`${BOM}key`]: `${BOM}value` }, ['[[[{{{"]]', "\\"]],
  ]],
  [extended, [
    ...[undefined, -0, NaN, Infinity, -Infinity],
    ...[0n, 1n, -1n, 255n, -256n, 2n ** 63n, -(2n ** 64n), 2n ** 4000n + 1n, -(2n ** 4000n) - 1n],
    ...[[undefined], { a: undefined }, [-0, 0, NaN], { a: [{ b: -0 }] }],
    ...[{ [LONE]: LONE, [`${BOM}key`]: `${BOM}value` }, [{ "\n": 1 }], { '"': 1 }, { "C:\\": 1 }],
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
    ...[new Headers(), new Headers([["a", "1"], ["Set-Cookie", "b=1"], ["set-cookie", "c=\xe9"], ["a", "2"]])],
    ...Object.values(TEMPORAL),
    [undefined, new Headers({ "x": "y" }), ...Object.values(TEMPORAL)],
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

/** All of them. */
export const ALL_SAMPLES = SAMPLES.flatMap(([, values]) => values);
