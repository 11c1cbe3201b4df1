/** Slots, and the frames of near copies beyond the golden ones: times, bad frames, and what a bad value does. */

import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { spanOf } from "../../lib/base/byte_span.ts";
import { ProtocolError } from "../../lib/base/errors.ts";
import { manyReader, MISS, readFound, ValueError } from "../../lib/wire/calls.ts";
import { type FrameReader, type FrameWriter, INVALID, REPLY, STATE } from "../../lib/wire/frame.ts";
import {
  COPY_HEAD_BYTES,
  readInvalid,
  readLeft,
  readTerms,
  slotOf,
  slotOfText,
  SLOTS,
  writeCopy,
  writeInvalid,
  writeLeft,
  writeListedCopy,
} from "../../lib/wire/near.ts";
import { NO_LIMIT } from "../../lib/wire/protocol_handler.ts";
import { FLAGS } from "../../lib/wire/values.ts";
import { frameOf, written } from "../support/frames.ts";

const utf8 = new TextEncoder();
/** Outputs of MurmurHash3's 32-bit variant with seed 0, as other programs give them. */
const VECTORS: readonly (readonly [text: string, hash: number])[] = [
  ["a", 0x3c2569b2],
  ["abc", 0xb3dd93fa],
  ["test", 0xba6bd213],
  ["Hello, world!", 0xc0363e43],
  ["The quick brown fox jumps over the lazy dog", 0x2e4ff723],
];

/** A frame of any code and body. */
function frame(code: number, ...body: number[]): FrameReader {
  return frameOf(written((output) => {
    output.begin(code);
    for (const byte of body) output.uint8(byte);
    output.end();
  }));
}

Deno.test("a key's slot is the lower 18 bits of its public hash", () => {
  for (const [text, hash] of VECTORS) {
    assertStrictEquals(slotOf(spanOf(utf8.encode(text))), hash & 0x3ffff, text);
    assertStrictEquals(slotOfText(text), hash & 0x3ffff, text);
  }
});

Deno.test("a text has the slot of its UTF-8, however long the one before it was", () => {
  for (const key of ["k", "é€\u{1f600}", "x".repeat(4096), "€".repeat(1365), "k"]) {
    const bytes = utf8.encode(`before ${key} after`);
    const slot = slotOf({ bytes, from: 7, to: bytes.length - 6 });
    assertStrictEquals(slotOfText(key), slot, key);
  }
});

Deno.test("times of a copy come back in whole milliseconds, never as more than they are", () => {
  const times = [0, 0.9, 1, 999.999, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 0.5, Number.MAX_SAFE_INTEGER, Infinity];
  for (const [i, freshMs] of times.entries()) {
    const ttlMs = times.at(-1 - i)!;
    const copy = frameOf(written((output) => writeCopy(output, { marks: 3, freshMs, ttlMs }, 7, 0)));
    assertEquals(readTerms(copy, copy.start), { marks: 3, freshMs: Math.floor(freshMs), ttlMs: Math.floor(ttlMs) });
    const left = frameOf(written((output) => writeLeft(output, { freshMs, ttlMs })));
    assertEquals(readLeft(left), { freshMs: Math.floor(freshMs), ttlMs: Math.floor(ttlMs) });
  }
});

Deno.test("readLeft() takes a miss for no entry, and throws for any other reply", () => {
  assertStrictEquals(readLeft(frame(REPLY.miss)), undefined);
  for (const bad of [frame(REPLY.ok), frame(REPLY.left), frame(REPLY.left, ...new Uint8Array(17))]) {
    assertThrows(() => readLeft(bad), ProtocolError, "does not fit its request");
  }
});

Deno.test("readFound() throws for a copy that is shorter than what stands before its value", () => {
  const short = frame(REPLY.copy, ...new Uint8Array(COPY_HEAD_BYTES - 1));
  assertThrows(() => readFound(short), ProtocolError, "does not fit its request");
});

Deno.test("readFound() and manyReader() read copies also where nobody hears of them", () => {
  const terms = { marks: 1, freshMs: 1, ttlMs: 1 };
  const copy = written((output) => hold(output, writeCopy(output, terms, FLAGS.text, 1), 0x61));
  assertStrictEquals(readFound(frameOf(copy)), "a");
  assertEquals(manyReader(1, () => {})(listOf((output) => writeListedCopy(output, terms, FLAGS.text, 0))), [""]);
});

/** Writes the one byte of a value. */
function hold(output: FrameWriter, at: number, byte: number): void {
  output.buffer[at] = byte;
}

/** A `VALUES` of one key. */
function listOf(write: (output: FrameWriter) => void): FrameReader {
  return frameOf(written((output) => {
    output.begin(REPLY.values);
    output.uint16(1);
    write(output);
    output.end();
  }));
}

Deno.test("a copy whose value cannot be read is told to nobody", () => {
  const told: unknown[] = [];
  const terms = { marks: 1, freshMs: 1, ttlMs: 1 };
  const copy = frameOf(written((output) => hold(output, writeCopy(output, terms, FLAGS.json, 1), 0x7b)));
  assertThrows(() => readFound(copy, NO_LIMIT, (value) => told.push(value)), ValueError);
  const listed = listOf((output) => hold(output, writeListedCopy(output, terms, FLAGS.json, 1), 0x7b));
  const bad: number[] = [];
  assertEquals(manyReader(1, (i) => bad.push(i), (value) => told.push(value))(listed), [MISS]);
  assertEquals([told, bad], [[], [0]]);
});

Deno.test("manyReader() throws for a list that ends within a copy, wherever that is", () => {
  const all = written((output) => writeListedCopy(output, { marks: 1, freshMs: 1, ttlMs: 1 }, FLAGS.text, 3));
  for (let bytes = 1; bytes < all.length; bytes++) {
    const listed = listOf((output) => output.bytes(all.subarray(0, bytes)));
    assertThrows(() => manyReader(1, () => {})(listed), ProtocolError, "a truncated list of values");
  }
  assertStrictEquals(all[0], STATE.copy);
});

Deno.test("readInvalid() gives back what writeInvalid() says, and refuses what has a wrong length or no slot in it", () => {
  const read = (input: FrameReader) => {
    const slots: unknown[] = [];
    readInvalid(input, (slot) => slots.push(slot), () => slots.push("all"));
    return slots;
  };
  for (const slots of [[], [0], [5, SLOTS - 1], Array.from({ length: 1024 }, (_, i) => i)]) {
    assertEquals(read(frameOf(written((output) => writeInvalid(output, new Set(slots))))), slots);
  }
  assertEquals(read(frameOf(written((output) => writeInvalid(output, undefined)))), ["all"]);
  for (const body of [[0], [0, 1], [0, 0, 0], [0, 1, 0, 0, 0], [0, 1, 0, 0, 0, 1, 9], [0, 1, 0, 4, 0, 0]]) {
    assertThrows(() => read(frame(INVALID, ...body)), ProtocolError, "slot");
  }
});
