/** Values as JSON text for the command line: what JSON has no word for included. */

import { assertStrictEquals } from "@std/assert";
import { toJson } from "../../lib/cli/json.ts";

const AS_THEY_ARE: unknown[] = [null, true, 0, -1.5, "", 'a"\n', "null", [], {}, [1, ["a", null]], {
  a: { b: [true] },
}];

const CHANGED: [value: unknown, text: string][] = [
  [undefined, "null"],
  [NaN, '"NaN"'],
  [-Infinity, '"-Infinity"'],
  [2n ** 70n, '"1180591620717411303424"'],
  [[1n, { a: Infinity }], '["1",{"a":"Infinity"}]'],
  [new Map<unknown, unknown>([["a", 1], [{ b: 2n }, new Map()]]), '[["a",1],[{"b":"2"},[]]]'],
  [new Map(), "[]"],
  [new Set([1, new Set([NaN])]), '[1,["NaN"]]'],
  [new TypeError("bad", { cause: 1 }), '{"name":"TypeError","message":"bad"}'],
  [{ error: new AggregateError([1], "many") }, '{"error":{"name":"AggregateError","message":"many"}}'],
  [/a\/b/gi, '"/a\\\\/b/gi"'],
  [Uint8Array.of(0, 255, 62), '"AP8+"'],
  [Uint8Array.of(9, 1, 2, 9).subarray(1, 3), '"AQI="'],
  [[new Uint8Array(0)], '[""]'],
  [Uint16Array.of(1), '"AQA="'],
  [Uint8Array.of(1, 2, 3).buffer, '"AQID"'],
  [new DataView(Uint8Array.of(9, 1).buffer, 1), '"AQ=="'],
  [new Headers({ a: "1" }), '[["a","1"]]'],
];

Deno.test("toJson() writes what JSON.stringify() writes when JSON shows the value as it is", () => {
  for (const value of AS_THEY_ARE) {
    assertStrictEquals(toJson(value), JSON.stringify(value));
  }
});

Deno.test("toJson() writes the nearest that JSON has when JSON lacks the value", () => {
  for (const [value, text] of CHANGED) {
    assertStrictEquals(toJson(value), text);
  }
});

Deno.test("toJson() writes text when the value is a date or a URL", () => {
  assertStrictEquals(toJson([new Date(0), new Date(NaN)]), '["1970-01-01T00:00:00.000Z",null]');
  assertStrictEquals(toJson({ at: new URL("http://a/b") }), '{"at":"http://a/b"}');
});

Deno.test("toJson() writes base64 of all bytes when a buffer is large", () => {
  const bytes = Uint8Array.from({ length: 200_000 }, (_, i) => i % 251);
  const text = JSON.parse(toJson(bytes)) as string;
  const back = Uint8Array.from(atob(text), (unit) => unit.charCodeAt(0));
  assertStrictEquals(back.length, bytes.length);
  assertStrictEquals(back.every((byte, i) => byte === bytes[i]), true);
});
