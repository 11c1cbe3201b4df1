/** The bytes of a snapshot's file: what is written is read, and what is damaged, cut, foreign or of another format is refused. */

import { assertEquals, assertThrows } from "@std/assert";
import { crc32 } from "node:zlib";
import { FrameMaker, HEADER_BYTES, headerOf, readFrame, readHeader } from "../../lib/replication/snapshot_format.ts";

const FACTS = {
  writtenMs: 1_767_225_600_000.5,
  clock: 258_785_280_000 * 4096,
  entries: 1_000_000,
  bytes: 150_000_000,
  lastBytes: 70_000,
  origin: 2 ** 32 - 1,
  cluster: "blue",
};
const GOLDEN = "6f726d75636f20736e617073686f740a" + // the words with which it begins
  "00000001" + "402aafdd" + "4279b76daa800800" + "430e206700000000" + "412e848000000000" + "41a1e1a300000000" +
  "00011170" + "ffffffff" + "626c7565";

function hexOf(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

Deno.test("headerOf() gives the golden bytes, and readHeader() reads them", () => {
  const bytes = headerOf(FACTS, crc32);
  assertEquals(hexOf(bytes), GOLDEN.padEnd(2 * HEADER_BYTES, "0"));
  assertEquals(readHeader(bytes, FACTS.bytes, crc32), FACTS);
  const none = { ...FACTS, cluster: "" };
  assertEquals(readHeader(headerOf(none, crc32), FACTS.bytes, crc32), none);
});

Deno.test("readHeader() refuses a header in which any bit is another one", () => {
  for (let bit = 0; bit < 8 * HEADER_BYTES; bit++) {
    const bytes = headerOf(FACTS, crc32);
    bytes[bit >> 3] ^= 1 << (bit & 7);
    assertThrows(() => readHeader(bytes, FACTS.bytes, crc32), Error, "it");
  }
});

Deno.test("readHeader() says what is wrong with a file", () => {
  const read = (bytes: Uint8Array, size = FACTS.bytes) => () => readHeader(bytes, size, crc32);
  const good = headerOf(FACTS, crc32);
  const later = good.slice();
  later[19] = 2;
  const damaged = good.slice();
  damaged[50] ^= 1;
  assertThrows(read(new Uint8Array(0)), Error, "it is no snapshot, or one that was never finished");
  assertThrows(read(new Uint8Array(HEADER_BYTES)), Error, "it is no snapshot, or one that was never finished");
  assertThrows(read(good.subarray(0, -1)), Error, "it is no snapshot, or one that was never finished");
  assertThrows(read(later), Error, "its format is 2, and this version reads 1");
  assertThrows(read(damaged), Error, "it is damaged");
  assertThrows(read(good, FACTS.bytes - 1), Error, "it has 149999999 bytes, and was written with 150000000");
});

Deno.test("readHeader() refuses what cannot be, though its sum is right", () => {
  const bad = [{ clock: -1 }, { entries: 0.5 }, { origin: 0 }, { writtenMs: NaN }, { cluster: "a b" }];
  for (const part of bad) {
    assertThrows(() => readHeader(headerOf({ ...FACTS, ...part }, crc32), FACTS.bytes, crc32), Error, "it is damaged");
  }
});

/** The frame of a message behind another one. */
function someFrame(): Uint8Array {
  const frames = new FrameMaker(crc32);
  frames.next(new Uint8Array(488));
  return frames.next(new TextEncoder().encode("message"));
}

Deno.test("FrameMaker.next() gives the golden bytes, and readFrame() reads them", () => {
  const bytes = someFrame();
  assertEquals(hexOf(bytes), "e4c00b9a" + "00000007" + "000001f4" + "6d657373616765");
  assertEquals(readFrame(bytes, crc32), { message: new TextEncoder().encode("message"), bytesBefore: 500 });
  const first = new FrameMaker(crc32).next(new Uint8Array(0));
  assertEquals(readFrame(first, crc32), { message: new Uint8Array(0), bytesBefore: 0 });
});

Deno.test("readFrame() refuses a frame in which any bit is another one, and one that is cut or longer", () => {
  const good = someFrame();
  const refused = (bytes: Uint8Array) => assertThrows(() => readFrame(bytes, crc32), Error, "a page of it is damaged");
  for (let bit = 0; bit < 8 * good.length; bit++) {
    const bytes = good.slice();
    bytes[bit >> 3] ^= 1 << (bit & 7);
    refused(bytes);
  }
  for (let length = 0; length < good.length; length++) refused(good.subarray(0, length));
  refused(Uint8Array.of(...good, 0));
});
