/** Keys in base64: what comes back, and what memcached lets pass. */

import { assertEquals, assertStrictEquals } from "@std/assert";
import { spanOf } from "../../lib/base/byte_span.ts";
import { base64Of, bytesOfBase64 } from "../../lib/memcached/base64.ts";
import { bytesOf, textOf } from "../support/memcached_oracle.ts";

function decoded(text: string): string {
  const target = new Uint8Array(250);
  return textOf(target.subarray(0, bytesOfBase64(spanOf(bytesOf(text)), target)));
}

Deno.test("base64Of() and bytesOfBase64() give keys of every length back", () => {
  for (let length = 1; length <= 187; length++) {
    const bytes = Uint8Array.from({ length: length + 6 }, (_, i) => 89 * i + length);
    const text = base64Of({ bytes, from: 2, to: 2 + length });
    assertStrictEquals(text, btoa(textOf(bytes.subarray(2, 2 + length))));
    const target = new Uint8Array(250).fill(0xee);
    const within = bytesOf(`AAAA${text}AAAA`);
    assertStrictEquals(bytesOfBase64({ bytes: within, from: 4, to: 4 + text.length }, target), length);
    assertEquals(target.subarray(0, length), bytes.subarray(2, 2 + length));
    assertEquals(target.subarray(length), new Uint8Array(250 - length).fill(0xee), "nothing is written beyond");
  }
});

Deno.test("bytesOfBase64() passes over what is no letter, and ends after padding", () => {
  const cases = [
    ["aGk=", "hi"],
    ["aG k=", "hi"],
    ["-a_G\0k\xff=", "hi"],
    ["aA==", "h"],
    ["aGk=aGk=", "hi"],
    ["+/+/", "\xfb\xff\xbf"],
  ];
  for (const [text, bytes] of cases) assertStrictEquals(decoded(text), bytes, text);
});

Deno.test("bytesOfBase64() gives no bytes for what is not made of fours, or of padding", () => {
  for (const text of ["", "a", "aG", "aGk", "aGk=a", "a===", "AAAAa===", "====", "!!!!"]) {
    assertStrictEquals(decoded(text), "", text);
  }
});
