/** What a connection is told that there is no place for. */

import { assertEquals } from "@std/assert";
import { refusalOf, refuse, tooMany } from "../../lib/server/refusal.ts";
import { readError } from "../../lib/wire/control.ts";
import { FrameReader, REPLY } from "../../lib/wire/frame.ts";
import { MemoryStream } from "../support/memory_stream.ts";
import { greetingAnd } from "../support/native_socket.ts";
import { until } from "../support/waiting.ts";

const utf8 = new TextEncoder();
const TEXT = utf8.encode("ERROR Too many open connections\r\n");

Deno.test("refusalOf() speaks memcached's text to its clients, and to who has said nothing", () => {
  assertEquals(refusalOf(utf8.encode("get a\r\n"), tooMany("no")), TEXT);
  assertEquals(refusalOf(new Uint8Array(0), tooMany("no")), TEXT);
});

Deno.test("refusalOf() answers the first packet of memcached's binary protocol", () => {
  const asked = Uint8Array.of(0x80, 0x0a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0);
  const text = utf8.encode("Too many open connections");
  const head = [0x81, 0x0a, 0, 0, 0, 0, 0, 0x85, 0, 0, 0, text.length, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0];
  assertEquals(refusalOf(asked, tooMany("no")), Uint8Array.of(...head, ...text));
  assertEquals(refusalOf(asked.subarray(0, 1), tooMany("no")).length, 24 + text.length);
});

Deno.test("refusalOf() says CLOSING to our own clients", () => {
  const frame = new FrameReader();
  frame.push(refusalOf(greetingAnd(), tooMany("no")));
  assertEquals([frame.next(), frame.code], [true, REPLY.closing]);
  assertEquals(readError(frame), { code: "too-many-connections", message: "no" });
});

Deno.test("refuse() answers the first bytes and ends the connection when they have been read", async () => {
  const stream = new MemoryStream();
  const done = refuse(stream, () => {});
  stream.send(utf8.encode("get a\r\n"));
  await until("it is answered", () => stream.written.length === TEXT.length);
  stream.close();
  await done;
  assertEquals(Uint8Array.from(stream.written), TEXT);
});

Deno.test("refuse() ends the connection of who says nothing, with memcached's text", async () => {
  const stream = new MemoryStream();
  await refuse(stream, () => {});
  assertEquals([Uint8Array.from(stream.written), stream.isClosed], [TEXT, true]);
});

Deno.test("refuse() leaves a connection of our own protocol as it is: it may be a peer's", async () => {
  const stream = new MemoryStream();
  let refused = 0;
  const looking = refuse(stream, () => refused++);
  stream.send(greetingAnd());
  const candidate = await looking;
  assertEquals(candidate?.first, greetingAnd().subarray(0, candidate?.first.length));
  assertEquals([stream.written.length, stream.isClosed, refused], [0, false, 0]);
});
