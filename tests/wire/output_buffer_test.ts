/** Bytes to be written: in order, whole, and in memory that goes back. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import type { Borrower, ValueSource } from "../../lib/base/lent.ts";
import { keptBuffer, returnBuffer, SMALL_BUFFER_BYTES } from "../../lib/wire/buffer_pool.ts";
import { OutputBuffer } from "../../lib/wire/output_buffer.ts";
import { emptyPool, patternOf } from "../support/buffers.ts";
import { joined } from "../support/mutate.ts";

/** A connection with memory without end. */
const RICH: Borrower = { changed: () => {}, mayHold: () => true, giveUp: () => {} };

Deno.test("OutputBuffer collects numbers, bytes and text in order", () => {
  const output = new OutputBuffer();
  output.uint8(0xfe);
  output.uint16(0xfedc);
  output.uint32(0xfedcba98);
  output.bytes(Uint8Array.of(1, 2));
  output.text("aé€😀");
  output.buffer.set([3, 4], output.room(2));
  output.text("");
  const text = new TextEncoder().encode("aé€😀");
  const expected = Uint8Array.of(0xfe, 0xfe, 0xdc, 0xfe, 0xdc, 0xba, 0x98, 1, 2, ...text, 3, 4);
  assertStrictEquals(output.length, expected.length);
  assertEquals(output.taken().slice(), expected);
  assertEquals([output.length, output.pendingBytes], [0, expected.length]);
});

Deno.test("OutputBuffer keeps what it has when it grows, whatever makes it grow", () => {
  emptyPool();
  const writes: Record<string, [write: (output: OutputBuffer) => void, added: number]> = {
    uint8: [(output) => output.uint8(7), 1],
    uint16: [(output) => output.uint16(7), 2],
    uint32: [(output) => output.uint32(7), 4],
    bytes: [(output) => output.bytes(new Uint8Array(1_000_000)), 1_000_000],
    text: [(output) => output.text("é".repeat(100_000)), 200_000],
    room: [(output) => output.room(100_000), 100_000],
  };
  const before = patternOf(SMALL_BUFFER_BYTES);
  for (const [name, [write, added]] of Object.entries(writes)) {
    const output = new OutputBuffer();
    output.bytes(before);
    write(output);
    assertStrictEquals(output.length, before.length + added, name);
    assertEquals(output.taken().slice(0, before.length), before, name);
    if (name.startsWith("uint")) assertStrictEquals(output.taken().at(-1), 7, name);
    output.reset();
  }
});

Deno.test("OutputBuffer.text() writes text whole whose characters take three bytes each", () => {
  const output = new OutputBuffer();
  output.uint8(7);
  const text = "€".repeat(SMALL_BUFFER_BYTES / 2);
  output.text(text);
  assertStrictEquals(new TextDecoder().decode(output.taken().subarray(1)) === text, true);
});

Deno.test("OutputBuffer.sent() leaves what has not been sent, and nothing when all has", () => {
  const output = new OutputBuffer();
  output.bytes(Uint8Array.of(1, 2, 3));
  assertEquals(output.taken().slice(), Uint8Array.of(1, 2, 3));
  output.sent(2);
  assertEquals(output.taken().slice(), Uint8Array.of(3));
  output.sent(1);
  assertEquals([output.taken().length, output.length], [0, 0]);
  output.uint8(9);
  assertEquals(output.taken().slice(), Uint8Array.of(9));
});

Deno.test("OutputBuffer.reset() forgets what was collected, and gives large memory back", () => {
  emptyPool();
  const output = new OutputBuffer();
  output.bytes(new Uint8Array(1_000_000));
  output.reset();
  assertEquals([output.length, output.taken().length, output.buffer.length], [0, 0, 0]);
  output.text("next");
  assertEquals(output.taken().slice(), new TextEncoder().encode("next"));
});

Deno.test("OutputBuffer tells of the memory that it borrows, which it gives back once all is sent", () => {
  emptyPool();
  let bytes = 0;
  const output = new OutputBuffer({ ...RICH, changed: (more) => bytes += more });
  output.text("a");
  assertStrictEquals(bytes, 0, "a little goes into an array of its own");
  output.bytes(new Uint8Array(SMALL_BUFFER_BYTES));
  assertStrictEquals(bytes, 2 * SMALL_BUFFER_BYTES);
  output.taken();
  output.text("b");
  assertStrictEquals(bytes, 2 * SMALL_BUFFER_BYTES);
  output.sent(SMALL_BUFFER_BYTES + 1);
  assertStrictEquals(bytes, 0);
  output.taken();
  output.text("c");
  assertStrictEquals(bytes > 0 && bytes, output.buffer.length, "the array of its own is being written");
  output.bytes(new Uint8Array(5_000_000));
  output.bytes(new Uint8Array(5_000_000));
  assertStrictEquals(bytes, output.buffer.length);
  output.release();
  assertStrictEquals(bytes, 0);
});

Deno.test("OutputBuffer has much written in parts, which keep nothing of it when it is released", () => {
  const output = new OutputBuffer(RICH);
  const bytes = patternOf(1_000_000);
  output.bytes(bytes);
  const parts: Uint8Array[] = [];
  for (let writes = 0; output.pendingBytes > 0; writes++) {
    assert(writes < 100);
    const part = output.part();
    assert(part.buffer.byteLength <= 256 * 1024);
    parts.push(part.slice(0, 200_000));
    output.sent(parts.at(-1)!.length);
  }
  assertEquals(joined(...parts), bytes);
});

Deno.test("OutputBuffer leaves what was taken alone when more is collected before it has been sent", () => {
  for (const [first, second] of [[3, 5], [3, 200_000], [200_000, 3], [200_000, 200_000]]) {
    emptyPool();
    const output = new OutputBuffer();
    const [taken, added] = [patternOf(first), patternOf(second).map((byte) => byte ^ 0xff)];
    output.bytes(taken);
    const bytes = output.taken();
    output.bytes(added);
    output.uint8(1);
    assertEquals([output.length, output.pendingBytes], [second + 1, first + second + 1]);
    output.sent(1);
    assertEquals(output.taken().slice(), taken.slice(1), "a write goes on before the next begins");
    assertEquals(bytes.slice(), taken);
    output.sent(first - 1);
    assertEquals(output.taken().slice(), joined(added, Uint8Array.of(1)));
    output.sent(second + 1);
    assertEquals([output.pendingBytes, output.taken().length], [0, 0]);
    output.uint16(0x0203);
    assertEquals(output.taken().slice(), Uint8Array.of(2, 3));
  }
});

Deno.test("OutputBuffer.release() lends the buffer of a write under way to nobody, whenever that write ends", () => {
  emptyPool();
  const output = new OutputBuffer();
  output.bytes(new Uint8Array(200_000));
  output.taken();
  output.bytes(new Uint8Array(200_000));
  output.release();
  output.sent(200_000);
  assertEquals([output.pendingBytes, keptBuffer(1)], [0, 0]);
  emptyPool(); // throws if a buffer that is gone had been kept
});

/** A source of one value, and how many times it is lent now. */
function sourceOf(value: Uint8Array): ValueSource & { lent: number } {
  const source = {
    lent: 0,
    copyValue: (_: number, target: Uint8Array, at: number) => target.set(value, at),
    lend: () => {
      source.lent++;
      return {
        copyPart: (from: number, to: number, target: Uint8Array, at: number) =>
          target.set(value.subarray(from, to), at),
        giveBack: () => source.lent--,
      };
    },
  };
  return source;
}

/** Adds a text, a value, and another text, as a protocol does that knows how long the value is. */
function addValue(output: OutputBuffer, source: ValueSource, bytes: number): void {
  output.text("<<");
  const copied = output.copiedBytes(bytes);
  output.giveValue(source, 1, bytes, output.room(copied));
  output.text(">");
}

Deno.test("OutputBuffer writes long values between other bytes without collecting them, however they are cut", () => {
  const [long, longer, short] = [300_000, 700_001, 10].map((length, i) => patternOf(length, i));
  const sources = [long, longer, short].map(sourceOf);
  const expected = joined(...[long, longer, short].flatMap((value) => [
    Uint8Array.of(60, 60),
    value,
    Uint8Array.of(62),
  ]));
  for (const written of [1 << 20, 200_000, 4093]) {
    const output = new OutputBuffer(RICH);
    sources.forEach((source, i) => addValue(output, source, [long, longer, short][i].length));
    assertEquals([output.length, output.collectedBytes, output.pendingBytes], [19, expected.length, expected.length]);
    const parts: Uint8Array[] = [];
    for (let length = 0; length < expected.length;) {
      const part = output.part();
      assert(part.length > 0 && part.length <= 256 * 1024);
      parts.push(part.slice(0, written));
      output.sent(parts.at(-1)!.length);
      length += parts.at(-1)!.length;
      if (parts.length === 1) output.text("!"); // collected meanwhile: it follows
      assertStrictEquals(output.pendingBytes, expected.length - length + 1);
    }
    assertEquals(joined(...parts), expected);
    assertEquals([sources.map(({ lent }) => lent), output.part().slice()], [[0, 0, 0], Uint8Array.of(33)]);
  }
});

Deno.test("OutputBuffer has up to a MiB written at once to a reader that took all before, and little to one that did not", () => {
  emptyPool();
  let held = 0;
  let output: OutputBuffer;
  const value = patternOf(1024 * 1024);
  const source = sourceOf(value);
  /** Has a value written; the write at `slow` sends all but a byte. Returns the lengths of its parts. */
  const lengths = (isLent: boolean, slow = -1) => {
    if (isLent) addValue(output, source, value.length);
    else output.bytes(value);
    const all: number[] = [];
    const parts: Uint8Array[] = [];
    while (output.pendingBytes > 0) {
      const part = output.part();
      assert(part.length < 4 * 1024 || held >= part.length, "what is written is counted");
      parts.push(part.slice(0, all.length === slow ? -1 : undefined));
      all.push(part.length);
      output.sent(parts.at(-1)!.length);
    }
    const expected = isLent ? joined(Uint8Array.of(60, 60), value, Uint8Array.of(62)) : value;
    assertEquals([joined(...parts), held], [expected, 0]);
    return all;
  };
  for (const isLent of [true, false]) {
    output = new OutputBuffer({ ...RICH, changed: (bytes) => held += bytes });
    const inParts = [...Array(4).fill(256 * 1024), ...(isLent ? [3] : [])];
    const whole = value.length + (isLent ? 3 : 0);
    assertEquals(lengths(isLent), inParts, "at first");
    assertEquals(lengths(isLent), [whole], "one that took all");
    assertEquals(lengths(isLent), [whole], "takes all");
    assertEquals(lengths(isLent, 0), [whole, 1], "but once");
    assertEquals(lengths(isLent, 2).slice(0, 4), inParts.slice(0, 4), "and is slow");
    for (let i = 1; i < 32; i++) assertEquals(lengths(isLent), inParts, "whichever of the parts it was");
    assertEquals(lengths(isLent), [whole], "it is tried again");
    output.bytes(new Uint8Array(2_000_000));
    assertStrictEquals(output.part().length, 256 * 1024, "very much is never written at once");
    output.reset();
    assertStrictEquals(held, 0);
  }
});

Deno.test("OutputBuffer has a slow reader wait with no larger a buffer than its part, though others are kept", () => {
  emptyPool();
  returnBuffer(new Uint8Array(4 * 1024 * 1024));
  let held = 0;
  const output = new OutputBuffer({ ...RICH, changed: (bytes) => held += bytes });
  addValue(output, sourceOf(patternOf(1_000_000)), 1_000_000);
  output.part();
  assertStrictEquals(held, 256 * 1024);
  output.reset();
  assertStrictEquals(held, 0);
});

Deno.test("OutputBuffer gives lent values back when it is reset or released, whether they were being written or not", () => {
  const source = sourceOf(patternOf(300_000));
  for (const end of ["reset", "release"] as const) {
    const output = new OutputBuffer(RICH);
    addValue(output, source, 300_000);
    output.part();
    output.sent(1000);
    addValue(output, source, 300_000);
    assertStrictEquals(source.lent, 2);
    output[end]();
    assertEquals([source.lent, output.pendingBytes, output.collectedBytes], [0, 0, 0]);
  }
});

Deno.test("OutputBuffer copies values where nobody counts its memory", () => {
  const value = patternOf(300_000);
  const source = sourceOf(value);
  const output = new OutputBuffer();
  addValue(output, source, value.length);
  assertEquals([output.length, source.lent], [300_003, 0]);
});
