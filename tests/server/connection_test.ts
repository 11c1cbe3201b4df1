/** One connection of a server over a stream of the test's own: replies and pushes, and how it ends. */

import { assert, assertEquals } from "@std/assert";
import { Buffers } from "../../lib/server/buffers.ts";
import { Connection, type ConnectionHost } from "../../lib/server/connection.ts";
import { refusalOf, tooMany } from "../../lib/server/refusal.ts";
import { newCounters, type ServerCounters } from "../../lib/server/statistics.ts";
import { FIRST_PUSH, FrameReader, FrameWriter, REPLY, REQUEST } from "../../lib/wire/frame.ts";
import { writeHello } from "../../lib/wire/hello.ts";
import { Turns } from "../../lib/server/turns.ts";
import { packetOf, REQUEST as PACKET_REQUEST } from "../support/memcached_packets.ts";
import { MemoryStream, settled } from "../support/memory_stream.ts";
import { greetingAnd } from "../support/native_socket.ts";
import { sessionHost } from "../support/session_host.ts";
import { openRules } from "../support/access.ts";

const PUSH = FIRST_PUSH + 1;

interface Fixture {
  stream: MemoryStream;
  connection: Connection;
  done: Promise<void>;
  lines: string[];
  counters: ServerCounters;
  /** Sends frames without a body. */
  ask(...codes: number[]): void;
}

/** A connection of a client that has said nothing yet. */
function silent(onPeer: ConnectionHost["onPeer"] = () => Promise.resolve()): Omit<Fixture, "ask"> {
  const stream = new MemoryStream();
  const lines: string[] = [];
  const counters = newCounters();
  const host: ConnectionHost = {
    session: sessionHost(),
    access: openRules(),
    counters,
    turns: new Turns(),
    buffers: new Buffers({ maxBytes: Infinity, onCut: () => {} }),
    idleMs: Infinity,
    onPeer,
    onRefused: () => {},
    log: (_kind, _address, line) => lines.push(line),
  };
  const connection = new Connection(stream, host);

  return { stream, connection, done: connection.serve(), lines, counters };
}

/** A connection that has been greeted: by a client, or by a peer, which `onPeer` takes. */
async function greeted(
  peer?: { id: number; port: number },
  onPeer?: ConnectionHost["onPeer"],
): Promise<Fixture> {
  const { stream, connection, done, lines, counters } = silent(onPeer);
  const hello = new FrameWriter();
  writeHello(hello, "test", peer);
  stream.send(hello.taken());
  await settled();
  const ask = (...codes: number[]) => {
    const output = new FrameWriter();
    for (const code of codes) output.empty(code);
    stream.send(output.taken());
  };
  return { stream, connection, done, lines, counters, ask };
}

/** Codes of the frames that the client has been sent. */
function codesOf({ written }: MemoryStream): number[] {
  const reader = new FrameReader();
  reader.maxBodyBytes = 1 << 20;
  reader.push(Uint8Array.from(written));
  const codes: number[] = [];
  while (reader.next()) codes.push(reader.code);
  return codes;
}

const push = (connection: Connection) => connection.push((output) => output.empty(PUSH));

Deno.test("Connection.push() tells an idle client something", async () => {
  const { stream, connection, done, ask } = await greeted();
  push(connection);
  await settled();
  assertEquals(codesOf(stream), [REPLY.data, PUSH]);
  ask(REQUEST.ping);
  await settled();
  assertEquals(codesOf(stream), [REPLY.data, PUSH, REPLY.ok]);
  stream.close();
  await done;
});

Deno.test("Connection keeps the order of replies and pushes when writes are slow", async () => {
  const { stream, connection, done, ask } = await greeted();
  stream.hold();
  push(connection);
  await settled();
  ask(REQUEST.ping, REQUEST.ping);
  await settled();
  push(connection);
  push(connection);
  stream.release();
  await settled();
  ask(REQUEST.ping);
  await settled();
  assertEquals(codesOf(stream), [REPLY.data, PUSH, REPLY.ok, REPLY.ok, PUSH, PUSH, REPLY.ok]);
  stream.close();
  await done;
});

Deno.test("Connection writes what is pushed while it writes a reply, though the client asks for nothing more", async () => {
  const { stream, connection, done, ask } = await greeted();
  stream.hold();
  ask(REQUEST.ping);
  await settled();
  push(connection);
  await settled();
  stream.release();
  await settled();
  assertEquals(codesOf(stream), [REPLY.data, REPLY.ok, PUSH]);
  stream.close();
  await done;
});

Deno.test("Connection.push() says nothing more once the connection has been parted with", async () => {
  const { stream, connection, done, lines } = await greeted();
  stream.send(new Uint8Array(8).fill(0xff));
  await settled();
  push(connection);
  await settled();
  assertEquals(codesOf(stream), [REPLY.data, REPLY.closing]);
  stream.close();
  await done;
  push(connection);
  await settled();
  assertEquals(lines, []);
});

Deno.test("Connection counts every byte that it receives and sends", async () => {
  const { stream, connection, done, counters, ask } = await greeted();
  const received = counters.bytesReceived;
  stream.mostBytes = 3; // a write may take a part
  ask(REQUEST.ping, REQUEST.ping);
  await settled();
  push(connection);
  await settled();
  stream.send(new Uint8Array(8).fill(0xff));
  await settled();
  assertEquals(counters.bytesReceived - received, 3 * 8);
  assertEquals(counters.bytesSent, stream.written.length);
  assertEquals(codesOf(stream), [REPLY.data, REPLY.ok, REPLY.ok, PUSH, REPLY.closing]);
  stream.close();
  await done;
});

Deno.test("Connection.push() says that it is too much when the client does not read", async () => {
  const { stream, connection, done, ask } = await greeted();
  stream.hold();
  const say = () => connection.push((output) => (output.begin(PUSH), output.bytes(new Uint8Array(1000)), output.end()));
  assertEquals(say(), true);
  await settled(); // this one is being written
  let said = 0;
  while (said < 10_000 && say()) said++;
  assertEquals(said, Math.ceil(1024 * 1024 / 1008));
  stream.release();
  for (let turns = 0; say() === false; turns++) {
    assert(turns < 100, "there is never room again");
    await settled();
  }
  ask(REQUEST.ping);
  await settled();
  assertEquals(codesOf(stream).filter((code) => code === PUSH).length, said + 2);
  stream.close();
  await done;
});

Deno.test("Connection.push() does nothing once the client has gone", async () => {
  const { stream, connection, done, lines } = await greeted();
  stream.close();
  await done;
  push(connection);
  await settled();
  assertEquals([codesOf(stream), lines], [[REPLY.data], []]);
});

Deno.test("Connection.push() says nothing to a peer, which reads no frames of a server any more", async () => {
  let taken = 0;
  const peer = Promise.withResolvers<void>();
  const { stream, connection, done } = await greeted({ id: 7, port: 7 }, () => {
    taken++;
    return peer.promise;
  });
  const said = stream.written.length;
  assertEquals([push(connection), connection.isPeer, taken], [false, true, 1]);
  await settled();
  assertEquals(stream.written.length, said);
  peer.resolve();
  await done;
});

Deno.test("Connection.dismiss() says why it ends, and ends", async () => {
  const { stream, connection, done } = await greeted();
  connection.dismiss();
  await done;
  assertEquals([codesOf(stream), stream.isClosed], [[REPLY.data, REPLY.closing], true]);
});

Deno.test("Connection logs once why a write has failed that both a push and a reply waited for", async () => {
  const { stream, connection, done, lines, ask } = await greeted();
  let fail = (_: Error) => {};
  stream.write = () => new Promise((_, reject) => fail = reject);
  push(connection);
  await settled();
  ask(REQUEST.ping);
  await settled();
  fail(new Error("a fault of the stream"));
  await done;
  assertEquals(lines.length, 1);
});

const ascii = new TextEncoder();
const TOLD = ascii.encode("ERROR Too many open connections\r\n");
const PACKET = packetOf(PACKET_REQUEST, 0x0a, { opaque: 5 });
for (
  const [name, said, told] of [
    ["our own protocol", greetingAnd(), refusalOf(Uint8Array.of(0), tooMany("others came"))],
    ["memcached's binary protocol", PACKET, refusalOf(PACKET, tooMany(""))],
    ["memcached's text", ascii.encode("get a\r\n"), TOLD],
    ["TLS, which could hear nothing before its handshake", Uint8Array.of(0x16, 3, 1), new Uint8Array(0)],
  ] as const
) {
  Deno.test(`Connection.replace() waits for first bytes that nobody has read, and answers them: ${name}`, async () => {
    const { stream, connection, done } = silent();
    connection.replace("others came");
    await settled();
    assertEquals([stream.written, stream.isClosed, connection.isStranger], [[], false, false]);
    stream.send(said);
    await done;
    assertEquals([Uint8Array.from(stream.written), stream.isClosed], [told, true]);
  });
}

Deno.test("Connection.refuse() ends the wait for first bytes, and answers once", async () => {
  const { stream, connection, done } = silent();
  connection.replace("others came");
  connection.refuse();
  connection.refuse();
  await done;
  assertEquals([Uint8Array.from(stream.written), stream.isClosed], [TOLD, true]);
});

Deno.test("Connection.close() ends the wait for first bytes, and no timer is left", async () => {
  const { stream, connection, done } = silent();
  connection.replace("others came");
  connection.close();
  await done;
  assertEquals(stream.written, []);
});
