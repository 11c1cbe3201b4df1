/** Frames of leases that golden frames do not show: what is read of what is wrong, and what cannot be written. */

import { assertEquals, assertThrows } from "@std/assert";
import { CacheError, ProtocolError } from "../../lib/base/errors.ts";
import { MAX_BODY_BYTES } from "../../lib/base/limits.ts";
import { AGAIN, type FrameWriter, REPLY } from "../../lib/wire/frame.ts";
import {
  type LeaseToken,
  readAgain,
  readIsValid,
  readLeased,
  writeFill,
  writeLease,
  writeStaleToken,
} from "../../lib/wire/leases.ts";
import { COPY_MARK, writeCopy } from "../../lib/wire/near.ts";
import { NO_LIMIT } from "../../lib/wire/protocol_handler.ts";
import { frameOf, written } from "../support/frames.ts";

const TOKEN: LeaseToken = { high: 1, low: 2 };
const STALE = { marks: COPY_MARK.stale, freshMs: 0, ttlMs: 5 };
/** Flags of JSON, of which a byte 0 is none. */
const JSON_FLAGS = 0x4f430002;

/** A frame of a code with a body of bytes. */
function frame(code: number, ...body: number[]) {
  return frameOf(written((output) => {
    output.begin(code);
    output.bytes(Uint8Array.from(body));
    output.end();
  }));
}

/** A frame with a byte 0 as its value. */
function withZero(write: (output: FrameWriter) => number) {
  return frameOf(written((output) => output.buffer[write(output)] = 0));
}

Deno.test("readLeased() tells onCopy of a fresh value, and of no stale one", () => {
  const told: unknown[] = [];
  const read = (marks: number) =>
    readLeased(
      withZero((output) => writeCopy(output, { marks, freshMs: 7, ttlMs: 9 }, 0, 1)),
      NO_LIMIT,
      (value, terms, i) => told.push([value, { ...terms }, i]),
    );
  assertEquals(read(COPY_MARK.kept), { state: "fresh", value: Uint8Array.of(0) });
  assertEquals(read(COPY_MARK.stale), { state: "stale", value: Uint8Array.of(0), forMs: 9 });
  assertEquals(told, [[Uint8Array.of(0), { marks: COPY_MARK.kept, freshMs: 7, ttlMs: 9 }, 0]]);
});

Deno.test("readLeased() takes a stale value that cannot be decoded for none beside a token, and throws for one alone", () => {
  const beside = withZero((output) => writeStaleToken(output, TOKEN, STALE, JSON_FLAGS, 1));
  assertEquals(readLeased(beside), { state: "compute", token: TOKEN, stale: undefined });
  assertThrows(() => readLeased(withZero((output) => writeCopy(output, STALE, JSON_FLAGS, 1))), ProtocolError);
});

Deno.test("replies to requests of leases that are none are refused", () => {
  for (const code of [REPLY.ok, REPLY.miss, REPLY.value, REPLY.lost, REPLY.copy, REPLY.token]) {
    assertThrows(() => readLeased(frame(code, 1, 2, 3)), ProtocolError, "does not fit");
  }
  assertThrows(() => readLeased(frame(REPLY.token, 1, 2, 3, 4, 5, 6, 7, 8, 9)), ProtocolError, "truncated");
  for (const code of [REPLY.miss, REPLY.wait]) {
    assertThrows(() => readIsValid(frame(code)), ProtocolError, "does not fit");
  }
  for (const bytes of [[], [0x6b]]) assertThrows(() => readAgain(frame(AGAIN, ...bytes)), ProtocolError, "a key alone");
});

Deno.test("a value that is too large, and a key that is none, are refused before they are sent", () => {
  const filling = { token: TOKEN, ttlMs: 1, isFixed: false, staleMs: 0 };
  const payload = new Uint8Array(MAX_BODY_BYTES);
  assertThrows(() => written((output) => writeFill(output, "k", { flags: 0, payload }, filling)), CacheError);
  assertThrows(() => written((output) => writeLease(output, "", 1, true)), RangeError);
});
