/** Bytes received: none is lost or doubled, and memory follows what has arrived. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { generator } from "../../lib/simulation/seeded_random.ts";
import { borrowBuffer, keptBuffer, returnBuffer, SMALL_BUFFER_BYTES } from "../../lib/wire/buffer_pool.ts";
import { InputBuffer, OWN_BYTES } from "../../lib/wire/input_buffer.ts";
import { emptyPool, patternOf } from "../support/buffers.ts";

const MIB = 1024 * 1024;

/** What waits, as a copy. */
function waiting(input: InputBuffer): Uint8Array {
  return input.slice(input.from, input.to).slice();
}

Deno.test("InputBuffer tells what waits, and its first byte", () => {
  const input = new InputBuffer();
  assertEquals([input.firstByte(), input.pendingBytes], [-1, 0]);
  input.push(Uint8Array.of(0, 5, 6));
  assertEquals([input.firstByte(), input.pendingBytes], [0, 3]);
  input.from++;
  assertEquals([input.firstByte(), input.pendingBytes], [5, 2]);
});

Deno.test("InputBuffer reads numbers and text where they lie, in a small array and in a large one", () => {
  emptyPool();
  for (const before of [0, 3 * SMALL_BUFFER_BYTES]) {
    const input = new InputBuffer();
    input.push(new Uint8Array(before));
    input.push(Uint8Array.of(0xfe, 0xdc, 0xba, 0x98, 0xc3, 0xa9));
    const at = input.to - 6;
    assertEquals([input.uint8(at), input.uint16(at), input.uint32(at)], [0xfe, 0xfedc, 0xfedcba98]);
    assertStrictEquals(input.buffer.toString("utf8", at + 4, at + 6), "é");
    assertEquals(input.slice(at, at + 2), Uint8Array.of(0xfe, 0xdc));
  }
});

Deno.test("InputBuffer takes bytes written into its space, as many as it is told of", () => {
  const input = new InputBuffer();
  const space = input.space();
  assert(space.length > 0);
  space.set([1, 2, 3]);
  input.received(2);
  assertEquals(waiting(input), Uint8Array.of(1, 2));
  input.space().set([4]);
  input.received(1);
  assertEquals(waiting(input), Uint8Array.of(1, 2, 4));
});

Deno.test("InputBuffer keeps a borrowed array for the next read if it is to, after one that has brought much, and gives it back after little", () => {
  for (const [isLarge, kept] of [[true, SMALL_BUFFER_BYTES], [false, OWN_BYTES]] as const) {
    emptyPool();
    const input = new InputBuffer(undefined, isLarge);
    input.push(new Uint8Array(OWN_BYTES + 1));
    input.skip(OWN_BYTES + 1);
    assertEquals([input.space().length, keptBuffer(1)], [kept, isLarge ? 0 : SMALL_BUFFER_BYTES]);
    input.received(OWN_BYTES - 1);
    input.skip(OWN_BYTES - 1);
    assertEquals([input.space().length, keptBuffer(1)], [OWN_BYTES, SMALL_BUFFER_BYTES]);
    input.release();
  }
});

Deno.test("InputBuffer.skip() passes over bytes that are here, and those still to come", () => {
  const input = new InputBuffer();
  input.push(Uint8Array.of(1, 2, 3));
  input.skip(2);
  assertEquals(waiting(input), Uint8Array.of(3));
  input.skip(4);
  assertStrictEquals(input.pendingBytes, 0);
  input.push(Uint8Array.of(4, 5));
  assertStrictEquals(input.pendingBytes, 0);
  input.push(Uint8Array.of(6, 7, 8));
  assertEquals(waiting(input), Uint8Array.of(7, 8));
  input.push(Uint8Array.of(9));
  assertEquals(waiting(input), Uint8Array.of(7, 8, 9));
});

Deno.test("InputBuffer doubles as bytes arrive, and does not grow for what was only announced", () => {
  emptyPool();
  const input = new InputBuffer();
  input.announced = 16 * MIB;
  input.push(patternOf(SMALL_BUFFER_BYTES - 1));
  assertStrictEquals(input.bytes.length, SMALL_BUFFER_BYTES);
  for (let size = 2 * SMALL_BUFFER_BYTES; size <= 16 * SMALL_BUFFER_BYTES; size *= 2) {
    input.space();
    assertStrictEquals(input.bytes.length, size);
    input.push(new Uint8Array(size - 1 - input.to));
  }
  assertEquals(waiting(input).subarray(0, SMALL_BUFFER_BYTES - 1), patternOf(SMALL_BUFFER_BYTES - 1));
});

Deno.test("InputBuffer uses a large buffer that is at hand for what was announced", () => {
  emptyPool();
  const large = borrowBuffer(MIB);
  returnBuffer(large);
  const input = new InputBuffer();
  input.push(Uint8Array.of(1, 2, 3));
  input.from++;
  input.announced = MIB;
  input.space();
  assert(input.bytes === large);
  assertEquals(waiting(input), Uint8Array.of(2, 3));
});

Deno.test("InputBuffer gives a large array back once all of it is dealt with", () => {
  emptyPool();
  const input = new InputBuffer();
  input.push(new Uint8Array(MIB));
  const large = input.bytes;
  input.from = input.to;
  assert(input.bytes === large, "the bytes stay where they are until space is asked for");
  input.space();
  assert(input.bytes.length <= SMALL_BUFFER_BYTES);
  assertStrictEquals(keptBuffer(large.length), large.length);
});

Deno.test("InputBuffer borrows memory only while more arrives than its own array takes, and says so", () => {
  emptyPool();
  let bytes = 0;
  const input = new InputBuffer({ changed: (more) => bytes += more });
  const read = (count: number) => {
    const { length } = input.space();
    assert(count <= length, `${count} of ${length}`);
    input.received(count);
    input.from = input.to;
  };
  read(OWN_BYTES - 1);
  read(1);
  assertStrictEquals(bytes, 0);
  read(OWN_BYTES);
  read(SMALL_BUFFER_BYTES);
  assertStrictEquals(bytes, SMALL_BUFFER_BYTES);
  read(SMALL_BUFFER_BYTES - 1);
  read(1); // the last read has found nothing more
  assertStrictEquals(bytes, 0);
  input.push(new Uint8Array(9 * MIB)); // larger than what is kept
  assertStrictEquals(bytes, input.bytes.length);
  input.release();
  assertStrictEquals(bytes, 0);
});

Deno.test("InputBuffer moves what waits to the front rather than to grow, where half is dealt with", () => {
  emptyPool();
  const input = new InputBuffer();
  const bytes = patternOf(SMALL_BUFFER_BYTES);
  input.push(bytes);
  const { bytes: array } = input;
  input.from = SMALL_BUFFER_BYTES / 2;
  assert(input.space().length >= SMALL_BUFFER_BYTES / 2);
  assert(input.bytes === array);
  assertEquals(waiting(input), bytes.subarray(SMALL_BUFFER_BYTES / 2));
});

Deno.test("InputBuffer.release() gives what was borrowed back", () => {
  emptyPool();
  const input = new InputBuffer();
  input.push(new Uint8Array(MIB));
  const { length } = input.bytes;
  assertStrictEquals(keptBuffer(length), 0);
  input.release();
  assertEquals([keptBuffer(length), input.pendingBytes], [length, 0]);
});

Deno.test("InputBuffer gives all bytes in order, however they arrive and are dealt with", () => {
  emptyPool();
  for (let seed = 1; seed <= 20; seed++) {
    const random = generator(seed);
    const below = (n: number) => Math.floor(n * random());
    const stream = patternOf(2 * MIB, seed);
    const input = new InputBuffer();
    let [arrived, dealt] = [0, 0];
    for (let round = 0; round < 10_000 && dealt < stream.length; round++) {
      const part = stream.subarray(arrived, arrived + below(4 ** below(9) + 1));
      input.announced = below(3) === 0 ? below(MIB) : 0;
      input.push(part);
      arrived += part.length;
      if (below(4) === 0 && arrived < stream.length) continue;
      const take = arrived === stream.length ? input.pendingBytes : below(input.pendingBytes + 1);
      const isSame = indexOfDifference(input.slice(input.from, input.from + take), stream.subarray(dealt)) === take;
      assert(isSame, `seed ${seed}, round ${round}`);
      if (below(2) === 0) input.from += take;
      else input.skip(take);
      dealt += take;
    }
    assertStrictEquals(dealt, stream.length, `seed ${seed}`);
    input.release();
  }
});

/** How many bytes are the same at the beginning. */
function indexOfDifference(bytes: Uint8Array, others: Uint8Array): number {
  let at = 0;
  while (at < bytes.length && bytes[at] === others[at]) at++;
  return at;
}
