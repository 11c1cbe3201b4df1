/** Lines cut into words. */

import { assertEquals, assertStrictEquals } from "@std/assert";
import { TextLine } from "../../lib/memcached/text_line.ts";
import { bytesOf } from "../support/memcached_oracle.ts";

/** A line that stands between others in a buffer. */
function lineOf(text: string, line: TextLine = new TextLine()): TextLine {
  line.split(bytesOf(`before${text}after`), 6, 6 + text.length);
  return line;
}

function words(line: TextLine): string[] {
  return Array.from({ length: line.count }, (_, word) => line.text(word));
}

Deno.test("TextLine.split() cuts at spaces, however many, and ends at a NUL", () => {
  const cases: [text: string, words: string[]][] = [
    ["get k", ["get", "k"]],
    ["  get   k  ", ["get", "k"]],
    ["get\tk\r", ["get\tk\r"]],
    ["get k\0 x", ["get", "k"]],
    ["get \0k", ["get"]],
    ["", []],
    ["   ", []],
    ["\0", []],
    ["a", ["a"]],
  ];
  for (const [text, expected] of cases) assertEquals(words(lineOf(text)), expected, JSON.stringify(text));
});

Deno.test("TextLine.split() keeps the first 64 words, and none of the line before", () => {
  const all = Array.from({ length: 70 }, (_, i) => `w${i}`);
  const line = lineOf(all.join(" "));
  assertEquals(words(line), all.slice(0, 64));
  assertEquals(words(lineOf("mn", line)), ["mn"]);
});

Deno.test("TextLine tells where a word lies, and what it is", () => {
  const line = lineOf("get key");
  assertEquals([line.from(1), line.to(1), line.length(1), line.first(1)], [10, 13, 3, "k".charCodeAt(0)]);
  assertEquals([line.is(1, "key"), line.is(1, "ke"), line.is(1, "keys"), line.is(1, "kex"), line.is(0, "key")], [
    true,
    false,
    false,
    false,
    false,
  ]);
  const span = { bytes: new Uint8Array(0), from: 0, to: 0 };
  assertStrictEquals(line.span(1, span), span);
  assertEquals(span, { bytes: line.bytes, from: 10, to: 13 });
});

Deno.test("TextLine.text() gives each word's own text, and of a long one the first 64 bytes", () => {
  const long = "x".repeat(64);
  const line = lineOf(`get get set ${long}y ${long} \xe9`);
  assertEquals(words(line), ["get", "get", "set", long, long, "\xe9"]);
  line.bytes.set(bytesOf("got"), line.from(0));
  assertEquals([line.text(0), line.text(1)], ["got", "get"]);
});

Deno.test("TextLine reads a word, or what comes after some bytes of it, as a number", () => {
  const line = lineOf("7 T30 -5 T-5 4294967297 T123456789 18446744073709551615 x T 1x");
  const read = (
    word: number,
    skip: number,
  ) => [line.int32(word, skip), line.uint32(word, skip), line.unsigned(word, skip)];
  assertEquals(read(0, 0), [7, 7, 7]);
  assertEquals(read(1, 1), [30, 30, 30]);
  assertEquals(read(2, 0), [-5, undefined, undefined]);
  assertEquals(read(3, 1), [-5, undefined, undefined]);
  assertEquals(read(4, 0), [1, 1, 4294967297]);
  assertEquals(read(5, 1), [123456789, 123456789, 123456789]);
  assertEquals(read(6, 0), [undefined, 4294967295, 18446744073709551615n]);
  for (const [word, skip] of [[7, 0], [8, 1], [9, 0]]) {
    assertEquals(read(word, skip), [undefined, undefined, undefined]);
  }
  assertEquals([line.int32(0), line.uint32(0), line.unsigned(0)], [7, 7, 7]);
});
