/** Spans: bytes that are copied lie where they should, and nothing else changes. */

import { assertEquals, assertStrictEquals } from "@std/assert";
import { copyFew, copySpan, spanOf } from "../../lib/base/byte_span.ts";

Deno.test("copySpan() copies what a span holds and changes nothing beside it, whatever its length", () => {
  const bytes = Uint8Array.from({ length: 300 }, (_, i) => i % 251);
  for (const length of [0, 1, 2, 47, 48, 49, 50, 200]) {
    for (const from of [0, 1, 100]) {
      for (const at of [0, 1, 57]) {
        const target = new Uint8Array(260).fill(0xff);
        copySpan({ bytes, from, to: from + length }, target, at);
        const expected = new Uint8Array(260).fill(0xff);
        expected.set(bytes.slice(from, from + length), at);
        assertEquals(target, expected, `${length} bytes from ${from} to ${at}`);
      }
    }
  }
});

Deno.test("copyFew() copies every byte from any place to any other, up to the last, and changes nothing beside them", () => {
  const bytes = Uint8Array.from({ length: 60 }, (_, i) => 255 - i);
  for (let length = 0; length <= 33; length++) {
    for (const from of [0, 3, 60 - length]) {
      for (const at of [0, 5, 50 - length]) {
        const target = new Uint8Array(50).fill(1);
        copyFew(new DataView(bytes.buffer), from, from + length, new DataView(target.buffer), at);
        const expected = new Uint8Array(50).fill(1);
        expected.set(bytes.slice(from, from + length), at);
        assertEquals(target, expected, `${length} bytes from ${from} to ${at}`);
      }
    }
  }
});

Deno.test("copySpan() fills the target to its last byte", () => {
  for (const length of [10, 100]) {
    const target = new Uint8Array(length + 5);
    copySpan({ bytes: new Uint8Array(length).fill(7), from: 0, to: length }, target, 5);
    assertEquals(target, Uint8Array.from({ length: length + 5 }, (_, i) => i < 5 ? 0 : 7));
  }
});

Deno.test("copySpan() counts from the beginning of the array when that is a view of a larger buffer", () => {
  const buffer = Uint8Array.from({ length: 200 }, (_, i) => i).buffer;
  for (const length of [3, 60]) {
    const target = new Uint8Array(length);
    copySpan({ bytes: new Uint8Array(buffer, 100), from: 10, to: 10 + length }, target, 0);
    assertEquals(target, Uint8Array.from({ length }, (_, i) => 110 + i));
  }
});

Deno.test("spanOf() holds all bytes of an array, a view and an empty one", () => {
  for (const bytes of [Uint8Array.of(1, 2, 3), new Uint8Array(new ArrayBuffer(10), 4, 2), new Uint8Array(0)]) {
    const span = spanOf(bytes);
    assertStrictEquals(span.bytes, bytes);
    assertEquals([span.from, span.to], [0, bytes.length]);
  }
});
