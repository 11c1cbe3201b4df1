/** Long values are read by slow clients as they were when they were asked for, in every protocol, whatever becomes of them meanwhile. */

import { assert, assertStrictEquals } from "@std/assert";
import { writeAll } from "../../lib/platform/socket.ts";
import { FrameWriter, REQUEST } from "../../lib/wire/frame.ts";
import { NEAR, writeHello } from "../../lib/wire/hello.ts";
import { patternOf } from "../support/buffers.ts";
import { portOf } from "../support/ports.ts";
import { startedServer } from "../support/servers.ts";
import { exchange } from "../support/text_socket.ts";

const BYTES = 12 * 1024 * 1024;
const KEY = "key";

/** What is sent, and the bytes that the reply has before and after the value. */
type Ask = readonly [request: Uint8Array, after: string];

const ASKS: Record<string, Ask> = {
  "get": [text(`get ${KEY}\r\n`), "\r\nEND\r\n"],
  "mg": [text(`mg ${KEY} v\r\n`), "\r\n"],
  "binary get": [binaryGet(), ""],
  "GET": [native(REQUEST.get), ""],
  "GET of a client with near copies": [native(REQUEST.get, [NEAR]), ""],
  "ENTRY": [native(REQUEST.entry), ""],
};

function text(line: string): Uint8Array {
  return new TextEncoder().encode(line);
}

function binaryGet(): Uint8Array {
  const packet = new Uint8Array(24 + KEY.length);
  packet.set([0x80, 0, 0, KEY.length, 0, 0, 0, 0, 0, 0, 0, KEY.length]);
  packet.set(text(KEY), 24);
  return packet;
}

function native(code: number, features: readonly string[] = []): Uint8Array {
  const output = new FrameWriter();
  writeHello(output, "test", undefined, false, features);
  output.begin(code);
  output.key(KEY);
  output.end();
  return output.taken();
}

function indexOf(bytes: Uint8Array, part: Uint8Array): number {
  return bytes.findIndex((_, at) => part.every((byte, i) => bytes[at + i] === byte));
}

async function set(port: number, value: string): Promise<void> {
  const reply = await exchange(
    port,
    `set ${KEY} 0 0 ${value.length}\r\n${value}\r\n`,
    (reply) => reply.endsWith("\r\n"),
  );
  assertStrictEquals(reply, "STORED\r\n");
}

for (const [name, [request, after]] of Object.entries(ASKS)) {
  Deno.test(`a slow client is given a long value whole by ${name}, though it is stored anew, deleted and cleared meanwhile`, async () => {
    await using server = await startedServer({
      maxBytes: 256 * 1024 * 1024,
      maxBuffers: 60 * 1024 * 1024,
      maxItemBytes: 16 * 1024 * 1024,
    });
    const port = portOf(server.address!);
    const letters = patternOf(BYTES).map((byte) => 97 + byte % 26);
    await set(port, new TextDecoder().decode(letters));
    using slow = await Deno.connect({ port });
    await writeAll(slow, request);
    let reply = new Uint8Array(BYTES + 10_000);
    let length = await slow.read(reply) ?? 0;
    await set(port, "b".repeat(BYTES));
    await exchange(port, `delete ${KEY}\r\n`, (reply) => reply.endsWith("\r\n"));
    await set(port, "c".repeat(1000));
    await exchange(port, "flush_all\r\n", (reply) => reply.endsWith("\r\n"));
    for (let i = 0; i < 5; i++) await set(port, "d".repeat(BYTES - i));
    await slow.closeWrite();
    for (let count; (count = await slow.read(reply.subarray(length))) !== null;) length += count;
    reply = reply.subarray(0, length);
    const at = indexOf(reply, letters.subarray(0, 64));
    assertStrictEquals(new TextDecoder().decode(reply.subarray(at + BYTES, at + BYTES + after.length)), after);
    assert(reply.subarray(at, at + BYTES).every((byte, i) => byte === letters[i]));
    assertStrictEquals(server.stats().connectionsCut, 0);
  });
}
