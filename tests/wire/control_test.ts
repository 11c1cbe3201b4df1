/** Control data: maps in frames, and the errors that they stand for. */

import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { encode } from "@std/msgpack";
import { CacheError, ProtocolError } from "../../lib/base/errors.ts";
import {
  closingError,
  type ControlData,
  readControl,
  readData,
  readError,
  unexpectedReply,
  writeControl,
  writeError,
} from "../../lib/wire/control.ts";
import { type FrameReader, REPLY, REQUEST } from "../../lib/wire/frame.ts";
import { frameOf, written } from "../support/frames.ts";

function bodyOf(bytes: Uint8Array | number[], code: number = REPLY.data): FrameReader {
  return frameOf(written((output) => {
    output.begin(code);
    output.bytes(Uint8Array.from(bytes));
    output.end();
  }));
}

function control(data: ControlData, code: number = REPLY.data): FrameReader {
  return frameOf(written((output) => writeControl(output, code, data)));
}

Deno.test("readControl() gives the map back that writeControl() wrote, in a frame of its code", () => {
  const data = { protocol: 1, text: "é", list: ["a", 2, null, [true]], map: { a: { b: -1 } }, half: 0.5 };
  const frame = control(data, REQUEST.hello);
  assertEquals([frame.code, frame.keyBytes], [REQUEST.hello, 0]);
  assertEquals(readControl(frame), data);
  assertEquals(readControl(control({})), {});
});

Deno.test("readControl() throws ProtocolError when the body is no map", () => {
  const bodies = [[], "text", 1, null, true].map((value) => encode(value as Parameters<typeof encode>[0]));
  for (const body of bodies) assertThrows(() => readControl(bodyOf(body)), ProtocolError, "not a map");
});

Deno.test("readControl() throws ProtocolError with a cause when the body is no MessagePack", () => {
  for (const body of [[], [0xc1], [0x81, 0xa1], [0x80, 0x80], [0xdf, 0xff, 0xff, 0xff, 0xff]]) {
    const error = assertThrows(() => readControl(bodyOf(body)), ProtocolError, "control data that cannot be read");
    assertStrictEquals(error.cause === undefined, false);
  }
});

Deno.test("readControl() decodes up to 64 KiB, and refuses what is longer", () => {
  const text = (bytes: number) => control({ a: "x".repeat(bytes - 6) });
  const frame = text(64 * 1024);
  assertStrictEquals(frame.end - frame.start, 64 * 1024);
  assertStrictEquals((readControl(frame).a as string).length, 64 * 1024 - 6);
  assertThrows(() => readControl(text(64 * 1024 + 1)), ProtocolError, "more than 65536 bytes");
  assertThrows(() => readControl(bodyOf(new Array(1_000_000).fill(0x91))), ProtocolError, "more than 65536 bytes");
});

Deno.test("readData() takes DATA and no other reply", () => {
  assertEquals(readData(control({ a: 1 })), { a: 1 });
  for (const code of Object.values(REPLY).filter((code) => code !== REPLY.data)) {
    assertThrows(() => readData(control({ a: 1 }, code)), ProtocolError, `does not fit its request: code ${code}`);
  }
});

Deno.test("readError() gives code and message that writeError() wrote, and no other fields", () => {
  const error = Object.assign(new Error("why"), { code: "bad-key", stack: "secret" });
  const frame = frameOf(written((output) => writeError(output, REPLY.refused, error)));
  assertStrictEquals(frame.code, REPLY.refused);
  assertEquals(readControl(frame), { code: "bad-key", message: "why" });
  assertEquals(readError(frame), { code: "bad-key", message: "why" });
});

Deno.test("readError() makes text of what stands in place of text", () => {
  assertEquals(readError(control({ code: 5 })), { code: "5", message: "undefined" });
});

Deno.test("closingError() tells a server that is away from one that does not want this client", () => {
  const codes = [
    ["stopping", "unreachable"],
    ["too-many-connections", "unreachable"],
    ["bad-frame", "refused"],
    ["no-hello", "refused"],
    ["unsupported-version", "refused"],
  ];
  for (const [code, expected] of codes) {
    const error = closingError(control({ code, message: "why" }, REPLY.closing));
    assertEquals([error instanceof CacheError, error.code], [true, expected as CacheError["code"]]);
    assertStrictEquals(error.message, `the server closed the connection (${code}): why`);
  }
});

Deno.test("unexpectedReply() names the code of the reply", () => {
  const error = unexpectedReply(control({}, 0x85));
  assertEquals([error instanceof ProtocolError, error.message], [
    true,
    "a reply that does not fit its request: code 133",
  ]);
});
