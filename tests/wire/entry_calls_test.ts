/** Frames of entries that golden frames do not show: what is read of what is wrong, and what cannot be written. */

import { assertEquals, assertThrows } from "@std/assert";
import { CacheError, ProtocolError } from "../../lib/base/errors.ts";
import { MAX_BODY_BYTES } from "../../lib/base/limits.ts";
import { MISS, ValueError, writeKeyList } from "../../lib/wire/calls.ts";
import {
  doneReader,
  listedBytes,
  readEntry,
  readKeys,
  writeEntry,
  writeIncrement,
  writeKeys,
  writeSetIf,
  writeSetMany,
} from "../../lib/wire/entry_calls.ts";
import { REPLY, REQUEST } from "../../lib/wire/frame.ts";
import { encodeValue } from "../../lib/wire/values.ts";
import { frameOf, written } from "../support/frames.ts";

const utf8 = new TextEncoder();

/** A frame of a code with a body of bytes. */
function frame(code: number, ...body: number[]) {
  return frameOf(written((output) => {
    output.begin(code);
    output.bytes(Uint8Array.from(body));
    output.end();
  }));
}

const zeros = (count: number) => Array.from({ length: count }, () => 0);
/** A number as 8 bytes. */
const u64 = (value: bigint) => [...new Uint8Array(new BigUint64Array([value]).buffer)].reverse();

Deno.test("writeKeyList() writes the length of each key, a zero and its bytes, whatever the keys are", () => {
  const ascii = Array.from({ length: 30 }, (_, i) => `key:${"k".repeat(i * i)}`);
  const long = ["k".repeat(4096), "\0".repeat(4095), "a", "k".repeat(3000), "k".repeat(4096), "k".repeat(2500)];
  const middle = ascii.slice(5);
  for (
    const keys of [[], ["k"], ["k", "k"], ascii, middle, [...middle, "é"], ["k", "é€", "😀", "\0\0\0", "k"], long, [
      ...ascii,
      "é".repeat(2048),
    ]]
  ) {
    const listed = keys.flatMap((key) => {
      const bytes = [...utf8.encode(key)];
      return [bytes.length >> 8, bytes.length & 255, 0, ...bytes];
    });
    const frame = written((output) => {
      output.empty(REQUEST.ping);
      writeKeyList(output, REQUEST.getMany, keys);
    });
    const size = 2 + listed.length;
    const head = [...new Uint8Array(7), 0, 0, size >> 16, size >> 8 & 255, size & 255, 0, 0, REQUEST.getMany, 0];
    head[6] = REQUEST.ping;
    assertEquals([...frame], [...head, 0, keys.length, ...listed]);
  }
});

Deno.test("writeKeyList() refuses a list with what is no key, wherever that stands", () => {
  const wrong = ["", "k".repeat(4097), "é".repeat(2049), "\ud83d", 5, undefined, null, {}] as string[];
  for (const key of wrong) {
    for (const keys of [[key], ["k", key, "k"], ["k", "k".repeat(4000), "é", key]]) {
      assertThrows(
        () => written((output) => writeKeyList(output, REQUEST.getMany, keys)),
        RangeError,
        "Cannot use key",
      );
    }
  }
});

Deno.test("readEntry() knows a miss, and refuses what is no entry", () => {
  assertEquals(readEntry(frame(REPLY.miss)), MISS);
  for (const code of [REPLY.ok, REPLY.value, REPLY.copy]) {
    assertThrows(() => readEntry(frame(code, ...zeros(30))), ProtocolError, "does not fit");
  }
  assertThrows(() => readEntry(frame(REPLY.entry, ...zeros(19))), ProtocolError, "does not fit");
  for (const version of [2n ** 53n, 2n ** 64n - 1n]) {
    assertThrows(() => readEntry(frame(REPLY.entry, ...u64(version), ...zeros(12))), ProtocolError, "a version");
  }
});

Deno.test("readEntry() gives the largest version, and a time without end", () => {
  const read = readEntry(frame(REPLY.entry, ...u64(2n ** 53n - 1n), ...u64(2n ** 64n - 1n), ...zeros(4), 7));
  assertEquals(read, { value: Uint8Array.of(7), remainingMs: Infinity, version: Number.MAX_SAFE_INTEGER });
});

Deno.test("readEntry() fails for a value that cannot be decoded", () => {
  const entry = { version: 1, remainingMs: 2, flags: encodeValue({}).flags };
  assertThrows(() => readEntry(frameOf(written((output) => writeEntry(output, entry, 0)))), ValueError);
});

Deno.test("writeEntry() leaves out parts of milliseconds", () => {
  const entry = { version: 2 ** 40 + 1, remainingMs: 2 ** 33 + 1.9, flags: 0 };
  const read = readEntry(frameOf(written((output) => writeEntry(output, entry, 0))));
  assertEquals(read, { value: new Uint8Array(0), remainingMs: 2 ** 33 + 1, version: 2 ** 40 + 1 });
});

Deno.test("doneReader() refuses what does not tell of as many entries", () => {
  assertEquals(doneReader(3)(frame(REPLY.done, 0, 3, 1, 0, 1)), [true, false, true]);
  assertThrows(() => doneReader(3)(frame(REPLY.ok)), ProtocolError, "does not fit");
  assertThrows(() => doneReader(3)(frame(REPLY.done, 0)), ProtocolError, "does not fit");
  for (const body of [[0, 2, 1, 1], [0, 3, 1, 1], [0, 3, 1, 1, 1, 1]]) {
    assertThrows(() => doneReader(3)(frame(REPLY.done, ...body)), ProtocolError, "3 entries");
  }
  assertThrows(() => doneReader(1)(frame(REPLY.done, 0, 1, 2)), ProtocolError, "neither");
});

Deno.test("readKeys() leaves out keys that are no UTF-8, and nothing else", () => {
  const body = [...u64(9n), 0, 4, 0, 1, 0x6b, 0, 1, 0xff, 0, 3, 0xef, 0xbf, 0xbd, 0, 2, 0xc3, 0xa9];
  assertEquals(readKeys(frame(REPLY.keys, ...body), 8), { keys: ["k", "\ufffd", "é"], next: 9 });
});

Deno.test("readKeys() refuses a place that is not behind the one that was asked for", () => {
  const read = (next: bigint, from: number) => readKeys(frame(REPLY.keys, ...u64(next), 0, 0), from);
  assertEquals(read(2n ** 32n, 2 ** 32 - 1), { keys: [], next: 2 ** 32 });
  for (const next of [0n, 7n, 8n, 2n ** 32n + 1n, 2n ** 64n - 1n]) {
    assertThrows(() => read(next, 8), ProtocolError, "keys after 8");
  }
});

Deno.test("readKeys() refuses a list that does not end where its frame does", () => {
  assertThrows(() => readKeys(frame(REPLY.ok), 0), ProtocolError, "does not fit");
  assertThrows(() => readKeys(frame(REPLY.keys, ...u64(1n), 0), 0), ProtocolError, "does not fit");
  for (const list of [[0, 1], [0, 1, 0], [0, 1, 0, 2, 0x6b], [0, 2, 0, 1, 0x6b]]) {
    assertThrows(() => readKeys(frame(REPLY.keys, ...u64(1n), ...list), 0), ProtocolError, "truncated");
  }
  assertThrows(() => readKeys(frame(REPLY.keys, ...u64(1n), 0, 1, 0, 1, 0x6b, 0), 0), ProtocolError, "bytes after");
});

Deno.test("listedBytes() are those that an entry takes in a SET_MANY", () => {
  for (const value of ["hé€llo", { a: "é" }, new Uint8Array(300), new Map([[1, 2]])]) {
    const entry = { key: "ké", value: encodeValue(value) };
    const bytes = written((output) => writeSetMany(output, [entry, entry], 1, false)).length;
    assertEquals(bytes, 8 + 2 + 2 * listedBytes(entry));
  }
});

Deno.test("a value that is too large, and a key that is none, are refused before they are sent", () => {
  const value = { flags: 0, payload: new Uint8Array(MAX_BODY_BYTES) };
  assertThrows(() => written((output) => writeSetIf(output, "k", "absent", value, 1, false)), CacheError);
  assertThrows(() => written((output) => writeSetMany(output, [{ key: "k", value }], 1, false)), CacheError);
  const one = encodeValue(1);
  for (const key of ["", "\ud800", "é".repeat(2049)]) {
    assertThrows(() => written((output) => writeIncrement(output, key, 1n, undefined, 1)), RangeError);
    assertThrows(() => written((output) => writeSetIf(output, key, "absent", one, 1, false)), RangeError);
    assertThrows(() => written((output) => writeSetMany(output, [{ key, value: one }], 1, false)), RangeError);
    assertThrows(() => written((output) => writeKeyList(output, REQUEST.deleteMany, [key])), RangeError);
    if (key !== "") assertThrows(() => written((output) => writeKeys(output, key, 0)), RangeError);
  }
});
