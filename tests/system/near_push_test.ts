/** Servers tell clients that keep near copies of what changes: there, in the server's own cache, and on a peer. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { greet } from "../../lib/platform/handshake.ts";
import { FrameWriter, INVALID, REPLY, REQUEST } from "../../lib/wire/frame.ts";
import { NEAR, readGreeting, writeHello } from "../../lib/wire/hello.ts";
import { readInvalid, slotOfText } from "../../lib/wire/near.ts";
import { writeKeyed } from "../../lib/wire/calls.ts";
import { cluster, NO_ROUNDS } from "../support/cluster.ts";
import { NativeSocket } from "../support/native_socket.ts";
import { portOf } from "../support/ports.ts";
import { startedServer } from "../support/servers.ts";
import { until } from "../support/waiting.ts";

/** A client that keeps near copies and has read a key, by what it was answered. */
async function reader(at: { readonly address: string | undefined }, key: string, answer: number) {
  const socket = await NativeSocket.to(at);
  const output = new FrameWriter();
  writeHello(output, "test", undefined, false, [NEAR]);
  writeKeyed(output, REQUEST.get, key);
  await socket.write(output.taken());
  assert(readGreeting((await socket.next())!).features.includes(NEAR));
  assertStrictEquals((await socket.next())!.code, answer);
  return socket;
}

/** The slots that are told next, or all. */
async function told(socket: NativeSocket): Promise<unknown[]> {
  const frame = (await socket.next())!;
  assertStrictEquals(frame.code, INVALID);
  const said: unknown[] = [];
  readInvalid(frame, (slot) => said.push(slot), () => said.push("all"));
  return said;
}

Deno.test("a client is told what the server's own cache changes, and that its connection has ended is known", async () => {
  await using server = await startedServer();
  {
    using socket = await reader(server, "k", REPLY.miss);
    await server.cache.store("k", 1);
    assertEquals(await told(socket), [slotOfText("k")]);
    await server.cache.clear();
    assertEquals(await told(socket), ["all"]);
    const { nearConnections, nearInvalidations, nearResets } = server.stats();
    assertEquals([nearConnections, nearInvalidations, nearResets], [1, 1, 1]);
  }
  await until("the connection has ended", () => server.stats().nearConnections === 0);
});

Deno.test("greet() names the features that it is given, and returns what the server names", async () => {
  await using server = await startedServer();
  for (const features of [undefined, [NEAR]]) {
    const socket = await Deno.connect({ port: portOf(server.address!) });
    const { server: said } = await greet(socket, { software: "test/1", features });
    assert(said.features.includes(NEAR));
    assertStrictEquals(server.stats().nearConnections, features?.length ?? 0);
    socket.close();
  }
});

Deno.test("a client is told what is changed on a peer of its server: a store, a removal and a clear", async () => {
  await using nodes = await cluster([[], [0]], { gossipIntervalMs: NO_ROUNDS });
  const [here, there] = nodes;
  const changes = [() => there.cache.store("k", 1), () => there.cache.store("k", 2), () => there.cache.remove("k")];
  for (const [i, change] of changes.entries()) {
    using socket = await reader(here, "k", i === 0 ? REPLY.miss : REPLY.copy);
    await change();
    assertEquals(await told(socket), [slotOfText("k")]);
  }
  using socket = await reader(here, "other", REPLY.miss);
  await there.cache.clear();
  assertEquals(await told(socket), ["all"]);
});
