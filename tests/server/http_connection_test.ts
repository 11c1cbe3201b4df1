/** One connection by HTTP without a socket: what it does while its client takes nothing. */

import { assertEquals } from "@std/assert";
import { Buffers } from "../../lib/server/buffers.ts";
import { HttpConnection } from "../../lib/server/http_connection.ts";
import { HttpEvents } from "../../lib/server/http_events.ts";
import { HttpSite } from "../../lib/server/http_site.ts";
import { Turns } from "../../lib/server/turns.ts";
import { openRules } from "../support/access.ts";
import { requestOf } from "../support/http.ts";
import { MemoryStream, settled } from "../support/memory_stream.ts";

function connectionOn(stream: MemoryStream) {
  let pictures = 0;
  const events = new HttpEvents(() => `${++pictures}`);
  const buffers = new Buffers({ maxBytes: 2 ** 20, onCut: () => {} });
  const failures: string[] = [];
  const connection = new HttpConnection(stream, {
    site: new HttpSite({
      gate: { access: { ...openRules(), isInsecure: true }, isTlsRequired: false },
      isReady: () => true,
      metrics: () => "",
    }),
    events,
    turns: new Turns(),
    buffers,
    onReply: () => {},
    log: (_kind, _address, line) => failures.push(line),
  });
  return { connection, events, buffers, failures };
}

const textOf = (stream: MemoryStream) => new TextDecoder().decode(Uint8Array.from(stream.written));

Deno.test("events that a client does not take in time are left out, and those after them are told", async () => {
  const stream = new MemoryStream();
  const { connection, events, buffers } = connectionOn(stream);
  const done = connection.serve();
  stream.send(new TextEncoder().encode(requestOf("/events")));
  await settled();
  stream.hold();
  const before = buffers.bytes;
  for (let i = 0; i < 5; i++) events.tell();
  assertEquals(buffers.bytes - before, "data: 2\n\n".length);
  stream.release();
  await settled();
  events.tell();
  await settled();
  assertEquals(textOf(stream).match(/^data: .*$/gm), ["data: 1", "data: 2", "data: 7"]);
  connection.close();
  await done;
  assertEquals([events.lookers, buffers.bytes, stream.isClosed], [0, 0, true]);
});

Deno.test("who takes no events is looked at as one who takes no reply", async () => {
  const stream = new MemoryStream();
  const { connection, events } = connectionOn(stream);
  const done = connection.serve();
  stream.send(new TextEncoder().encode(requestOf("/events")));
  await settled();
  connection.look(0);
  assertEquals([connection.look(10_000_000), connection.mayGo], [undefined, false]);
  stream.hold();
  events.tell();
  connection.look(0);
  assertEquals([connection.look(30_000), connection.look(30_001), connection.mayGo], [undefined, "output", true]);
  connection.cut();
  stream.release();
  await done;
});

Deno.test("a failure is told, and one that means that the client has gone is not", async () => {
  for (const [error, told] of [[new Deno.errors.ConnectionReset("gone"), 0], [new Error("odd"), 1]] as const) {
    const stream = new MemoryStream();
    Object.assign(stream, { read: () => Promise.reject(error) });
    const { connection, buffers, failures } = connectionOn(stream);
    await connection.serve();
    assertEquals([failures.length, stream.isClosed, buffers.bytes], [told, true, 0]);
  }
});
