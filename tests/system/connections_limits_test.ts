/** Limits on connections, on servers of this process and on one of its own: nobody is locked out, and memory is bounded. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { MAX_VALUE_BYTES } from "../../lib/base/limits.ts";
import { Connections } from "../../lib/server/connections.ts";
import { writeKeyed, writeKeyList } from "../../lib/wire/calls.ts";
import { FrameWriter, REPLY, REQUEST, TTL_DEFAULT } from "../../lib/wire/frame.ts";
import { packetOf, REQUEST as PACKET_REQUEST } from "../support/memcached_packets.ts";
import { greetingAnd, NativeSocket } from "../support/native_socket.ts";
import { portOf } from "../support/ports.ts";
import { serve } from "../support/processes.ts";
import { clientOf, startedServer } from "../support/servers.ts";
import { exchange } from "../support/text_socket.ts";
import { until } from "../support/waiting.ts";

const MIB = 1024 * 1024;
const isLine = (reply: string) => reply.endsWith("\r\n");

/** Connections that say nothing. */
async function strangers(address: string, count: number): Promise<Deno.TcpConn[]> {
  const opened: Deno.TcpConn[] = [];
  for (let i = 0; i < count; i++) opened.push(await Deno.connect({ hostname: "127.0.0.1", port: portOf(address) }));
  return opened;
}

/** All that comes until the other side hangs up. */
async function restOf(socket: Deno.TcpConn): Promise<string> {
  const [buffer, text] = [new Uint8Array(1024), new TextDecoder()];
  let said = "";
  for (let count = await socket.read(buffer); count !== null; count = await socket.read(buffer)) {
    said += text.decode(buffer.subarray(0, count));
  }
  return said;
}

/** A `SET` of the largest value. */
function largestSet(key: string): Uint8Array {
  const output = new FrameWriter();
  output.begin(REQUEST.set);
  output.key(key);
  output.uint32(0);
  output.uint32(TTL_DEFAULT);
  output.uint32(TTL_DEFAULT);
  output.bytes(new Uint8Array(MAX_VALUE_BYTES));
  output.end();
  const bytes = new Uint8Array(output.length);
  bytes.set(output.buffer.subarray(0, output.length));
  return bytes;
}

Deno.test("who has asked for nothing makes room for others when all places are taken", async () => {
  await using server = await startedServer({ maxConnections: 10 });
  const port = portOf(server.address!);
  await using client = clientOf(server);
  await client.store("key", 1);
  const silent = await strangers(server.address!, 9);
  await until("all places are taken", () => server.stats().connections === 10);
  for (let i = 0; i < 3; i++) assertEquals(await exchange(port, "mn\r\n", isLine), "MN\r\n");
  assertEquals(await client.retrieve("key"), 1);
  const { connectionsReplaced, connectionsRefused } = server.stats();
  assert(connectionsReplaced >= 1 && connectionsRefused === 0, `${connectionsReplaced} ${connectionsRefused}`);
  for (const socket of silent) socket.close();
});

Deno.test("who makes room for others is told so in the words of its protocol", async () => {
  await using server = await startedServer({ maxConnections: 3 });
  using native = await NativeSocket.to(server);
  await native.write(greetingAnd().subarray(0, 10));
  await until("it has come", () => server.stats().bytesReceived === 10);
  const [text, binary] = await strangers(server.address!, 2);
  await text.write(new TextEncoder().encode("set half 0 0 100\r\nvvvv"));
  const packet = packetOf(PACKET_REQUEST, 0x0a, { opaque: 5 });
  await until("it has come", () => server.stats().bytesReceived === 32);
  await binary.write(packet.subarray(0, 20));
  await until("all have come", () => server.stats().bytesReceived === 52);
  const others = await strangers(server.address!, 3);
  assertEquals(await native.codesUntilClosed(), [REPLY.closing]);
  assertEquals(await restOf(text), "ERROR Too many open connections\r\n");
  assertStringIncludes(await restOf(binary), "Too many open connections");
  assertEquals(server.stats().connectionsReplaced, 3);
  for (const socket of [text, binary, ...others]) socket.close();
});

Deno.test("who makes room before anything was read of it is told so in the words of what it has sent, or as text", async () => {
  await using server = await serve(["--listen", "127.0.0.1:0", "--max-connections", "8"]);
  const opened = await strangers(server.address, 8);
  const [native, text] = opened;
  // While the server stands still, some speak, and others come: it meets both at once.
  const others = await server.paused(async () => {
    await native.write(greetingAnd().subarray(0, 10));
    await text.write(new TextEncoder().encode("set half 0 0 100\r\nvvvv"));
    return await strangers(server.address, 8);
  });
  const told = await Promise.all(opened.map(restOf));
  assertStringIncludes(told[0], "too-many-connections");
  assertEquals(new Set(told.slice(1)), new Set(["ERROR Too many open connections\r\n"]));
  const { connectionsReplaced, connections } = (await clientOf(server).stats()).server!;
  assertEquals([connectionsReplaced, connections], [9, 8]);
  for (const socket of [...opened, ...others]) socket.close();
});

Deno.test("of very many strangers who come at once each is told why it makes room", async () => {
  await using server = await serve(["--listen", "127.0.0.1:0", "--max-connections", "8"]);
  const opened = await server.paused(() => strangers(server.address, 100));
  const told = Promise.all(opened.slice(0, 92).map(restOf));
  const more = await strangers(server.address, 400);
  assertEquals(new Set(await told), new Set(["ERROR Too many open connections\r\n"]));
  assertEquals(await exchange(portOf(server.address), "mn\r\n", isLine), "MN\r\n");
  for (const socket of [...opened, ...more]) socket.close();
});

Deno.test("who comes when all places are taken by others is told so in the words of its protocol", async () => {
  await using server = await startedServer({ maxConnections: 1 });
  await using client = clientOf(server);
  await client.store("key", 1);
  const port = portOf(server.address!);
  assertEquals(await exchange(port, "get a\r\n", isLine), "ERROR Too many open connections\r\n");
  using native = await NativeSocket.to(server);
  await native.write(greetingAnd());
  assertEquals(await native.codesUntilClosed(), [REPLY.closing]);
  assertEquals(server.stats().connectionsRefused, 2);
});

Deno.test("one address has no more connections than it may", async () => {
  const lines: string[] = [];
  await using server = await startedServer({ maxConnectionsPerAddress: 2, log: (line) => lines.push(line) });
  const port = portOf(server.address!);
  const first = await NativeSocket.to(server);
  using _second = await NativeSocket.to(server);
  await until("both are there", () => server.stats().connections === 2);
  for (let i = 0; i < 5; i++) {
    assertEquals(await exchange(port, "mn\r\n", isLine), "ERROR Too many open connections\r\n");
  }
  assertEquals(lines.filter((line) => line.includes("2 connections from one address")).length, 1);
  first.close();
  await until("there is a place again", async () => await exchange(port, "mn\r\n", isLine) === "MN\r\n");
});

Deno.test("who says nothing is disconnected, and who is idle when that is asked for", async () => {
  // Time goes by as fast as the test looks.
  const looks: (() => void)[] = [];
  const { start } = Connections.prototype;
  Connections.prototype.start = function () {
    start.call(this);
    looks.push(() => this.look(1000));
  };
  await using server = await startedServer({ idleTimeoutMs: 20_000 });
  Connections.prototype.start = start;
  using silent = await NativeSocket.to(server);
  using idle = await NativeSocket.to(server);
  await idle.write(greetingAnd());
  assertEquals((await idle.next())?.code, REPLY.data);
  await until("both are there", () => server.stats().connections === 2);
  for (let i = 0; i < 10; i++) looks[0]();
  assertEquals(await silent.next(), undefined);
  await until("one is left", () => server.stats().connections === 1);
  for (let i = 0; i < 15; i++) looks[0]();
  assertEquals(await idle.next(), undefined);
  const { connectionsSlow, connectionsIdle } = server.stats();
  assertEquals([connectionsSlow, connectionsIdle], [1, 1]);
});

Deno.test("values that arrive in part take no more memory than the budget, and the largest two are never cut", async () => {
  const lines: string[] = [];
  await using server = await startedServer({ maxBytes: 128 * MIB, log: (line) => lines.push(line) });
  const bytes = largestSet("key");
  const sockets = await Promise.all(Array.from({ length: 6 }, () => NativeSocket.to(server)));
  for (const socket of sockets) await socket.write(greetingAnd());
  const [one, other, ...more] = sockets;
  await Promise.all([one, other].map((socket) => socket.write(bytes.subarray(0, -1))));
  await until("both values wait", () => server.stats().bufferBytes > 32 * MIB);
  assertEquals(server.stats().connectionsCut, 0);
  await Promise.all([one, other].map((socket) => socket.write(bytes.subarray(-1))));
  for (const socket of [one, other]) {
    assertEquals([(await socket.next())?.code, (await socket.next())?.code], [0x84, 0x80]);
  }
  await until("all is given back", () => server.stats().bufferBytes === 0);
  await Promise.allSettled(more.map((socket) => socket.write(bytes.subarray(0, -1))));
  await until("some are cut", () => server.stats().connectionsCut >= 2);
  assert(server.stats().bufferBytes <= server.stats().maxBuffers);
  assertEquals(lines.filter((line) => line.includes("(maxBuffers)")).length, 1);
  for (const socket of sockets) socket.close();
});

for (const isList of [false, true]) {
  Deno.test(`a server that many do not read ${isList ? "lists" : "values"} from keeps its memory, and serves others`, async () => {
    await using server = await serve(["--listen", "127.0.0.1:0", "--max-bytes", "32MiB"]);
    const statm = `/proc/${server.pid}/statm`;
    const memory = () => Deno.build.os === "linux" ? 4096 * Number(Deno.readTextFileSync(statm).split(" ")[1]) : 0;
    await using client = clientOf(server);
    const large = new Uint8Array(8 * MIB);
    await client.store("large", large);
    const asked = greetingAnd((output) => {
      for (let i = 0; i < 4; i++) {
        if (isList) writeKeyList(output, REQUEST.getMany, ["large"]);
        else writeKeyed(output, REQUEST.get, "large");
      }
    }).slice();
    const sockets = await Promise.all(Array.from({ length: 40 }, () => NativeSocket.to(server)));
    await Promise.allSettled(sockets.map((socket) => socket.write(asked)));
    let most = 0;
    const told = async () => {
      most = Math.max(most, memory());
      return (await client.stats()).server!;
    };
    if (isList) await until("most are cut", async () => (await told()).connectionsCut! >= 30);
    else {
      // Each takes a part of what all read where it lies.
      await until("their replies wait", async () => (await told()).bufferBytes! >= 40 * 200_000);
      large[0] = 1;
      assertEquals(await client.store("large", large), true); // what they read is now copied, once for all
      await told();
      assertEquals((await client.stats()).server!.connectionsCut, 0);
    }
    assert(most < 260 * MIB, `${most / MIB} MiB`); // 40 replies of 8 MiB would take 320 beside the process
    assertEquals(await client.store("small", 1), true);
    for (const socket of sockets) socket.close();
    assertEquals((await server.stop()).err.includes("(maxBuffers)"), isList);
  });
}
