/** Buffers that are lent: which one is, which are kept, and which are given back to the system. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import {
  borrowBuffer,
  forgetBuffer,
  keptBuffer,
  returnBuffer,
  SMALL_BUFFER_BYTES,
} from "../../lib/wire/buffer_pool.ts";
import { emptyPool } from "../support/buffers.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** A buffer that has been returned. */
function returned(bytes: number): Uint8Array<ArrayBuffer> {
  const buffer = new Uint8Array(bytes);
  returnBuffer(buffer);
  return buffer;
}

Deno.test("borrowBuffer() lends at least what is asked for, in steps of 64 KiB", () => {
  emptyPool();
  const sizes = [1, SMALL_BUFFER_BYTES, SMALL_BUFFER_BYTES + 1, 128 * KIB, MIB - 1, 5 * MIB + 1];
  const lent = sizes.map((bytes) => borrowBuffer(bytes).length);
  assertEquals(lent, [64 * KIB, 64 * KIB, 128 * KIB, 128 * KIB, MIB, 5 * MIB + 64 * KIB]);
});

Deno.test("borrowBuffer() lends a buffer to one borrower at a time", () => {
  emptyPool();
  const buffer = returned(128 * KIB);
  assert(borrowBuffer(100 * KIB) === buffer);
  assert(borrowBuffer(100 * KIB) !== buffer);
});

Deno.test("borrowBuffer() lends the smallest that fits, and of equal ones the one returned last", () => {
  emptyPool();
  const large = returned(512 * KIB);
  const small = returned(128 * KIB);
  const middle = returned(256 * KIB);
  const twin = returned(256 * KIB);
  assert(borrowBuffer(200 * KIB) === twin);
  assert(borrowBuffer(200 * KIB) === middle);
  assert(borrowBuffer(200 * KIB) === large);
  assert(borrowBuffer(1) === small);
});

Deno.test("keptBuffer() tells the size of a buffer that is large enough, and 0 when none is", () => {
  emptyPool();
  assertStrictEquals(keptBuffer(1), 0);
  returned(256 * KIB);
  assertEquals([keptBuffer(1), keptBuffer(256 * KIB), keptBuffer(256 * KIB + 1)], [256 * KIB, 256 * KIB, 0]);
  borrowBuffer(1);
  assertStrictEquals(keptBuffer(1), 0);
});

Deno.test("returnBuffer() gives a buffer of more than 4 MiB back to the system at once", () => {
  emptyPool();
  const kept = returned(4 * MIB);
  const larger = returned(4 * MIB + 1);
  assertEquals([kept.length, larger.length, keptBuffer(1)], [4 * MIB, 0, 4 * MIB]);
});

Deno.test("returnBuffer() keeps 32 MiB at most, and gives those back that were used the longest ago", () => {
  emptyPool();
  const buffers = Array.from({ length: 10 }, () => returned(4 * MIB));
  const sizes = () => buffers.map(({ length }) => length / MIB);
  assertEquals(sizes(), [0, 0, 4, 4, 4, 4, 4, 4, 4, 4]);
  const small = returned(64 * KIB);
  assertEquals([...sizes(), small.length], [0, 0, 0, 4, 4, 4, 4, 4, 4, 4, 64 * KIB]);
  const used = borrowBuffer(4 * MIB);
  assert(used === buffers[9]);
  returnBuffer(used);
  returned(4 * MIB);
  assertEquals(sizes(), [0, 0, 0, 0, 4, 4, 4, 4, 4, 4]);
});

Deno.test("forgetBuffer() gives back the buffer used the longest ago, and does nothing when there is none", () => {
  emptyPool();
  forgetBuffer();
  const first = returned(128 * KIB);
  const second = returned(256 * KIB);
  forgetBuffer();
  assertEquals([first.length, second.length, keptBuffer(1)], [0, 256 * KIB, 256 * KIB]);
  forgetBuffer();
  assertEquals([second.length, keptBuffer(1)], [0, 0]);
  assertStrictEquals(borrowBuffer(1).length, 64 * KIB);
});
