/** A peer of a build from before features were agreed on: it is greeted as it greets, and the two are peers. */

import { assert, assertEquals } from "@std/assert";
import { MESSAGE, type Message, MessageWriter } from "../../lib/replication/message.ts";
import { readMessage } from "../../lib/replication/message_reader.ts";
import { GOSSIP, REPLY, REQUEST } from "../../lib/wire/frame.ts";
import { versionAt } from "../../lib/store/version.ts";
import { connected, NO_ROUNDS, startedNode } from "../support/cluster.ts";
import { recorded } from "../support/conversation.ts";
import { FakeServer } from "../support/fake_server.ts";
import { bytesOfHex } from "../support/golden.ts";
import { frameOf, NativeSocket, PeerSocket } from "../support/native_socket.ts";
import { entryWrite } from "../support/peer_messages.ts";
import { until } from "../support/waiting.ts";

/** The number under which each side of the recorded greeting speaks. */
const IDS = { HELLO: 0x01020304, DATA: 1 };
const HEADER_BYTES = 8;

function greeting(side: keyof typeof IDS): Uint8Array {
  const [, , hex] = recorded().find(([what, ofWhom]) => what === "greeted" && ofWhom === side)!;
  return bytesOfHex(hex);
}

/** A push of one entry. */
function pushOf(id: number): Uint8Array {
  const last = versionAt(Date.now());
  const writes = [entryWrite("k", { h: last, origin: id })];
  const push: Message = {
    type: 8,
    from: id,
    clock: last,
    cleared: 0,
    origin: id,
    before: 0,
    last,
    sentTo: [id],
    writes,
  };
  return new MessageWriter().write(push).slice();
}

Deno.test("a peer of a former build that connects is a peer, and is sent what it can read alone", async () => {
  await using node = await startedNode({ gossipIntervalMs: NO_ROUNDS });
  await node.cache.store("own", 1);
  using socket = await NativeSocket.to(node);
  await socket.write(greeting("HELLO"));
  assertEquals((await socket.next())!.code, REPLY.data);
  await socket.write(frameOf(GOSSIP, pushOf(IDS.HELLO)));
  await until("its write is there", () => node.cache.has("k"));
  await node.cache.store("more", 1);
  const types = new Set<number>();
  while (!types.has(MESSAGE.push)) {
    const frame = await socket.next();
    assert(frame !== undefined, "the server hung up");
    types.add(readMessage(frame.slice(frame.start, frame.end)).type); // throws what a former build would not have read
  }
  assertEquals([...types].filter((type) => type > MESSAGE.explained), []);
  assertEquals(node.server.stats().peers.map(({ id, state }) => [id, state]), [[IDS.HELLO, "connected"]]);
});

Deno.test("a peer may say more than is known here if both pass over that, and a former build's may not", async () => {
  await using node = await startedNode({ gossipIntervalMs: NO_ROUNDS });
  const unknown = pushOf(7).fill(200, 0, 1);
  using later = await PeerSocket.greeted(node, { id: 7 });
  await later.write(frameOf(GOSSIP, unknown));
  await later.write(frameOf(GOSSIP, Uint8Array.of(...pushOf(7), 1, 2, 3)));
  await until("what is known of it is there", () => node.cache.has("k"));
  assertEquals(node.server.stats().protocolErrors, 0);
  using former = await NativeSocket.to(node);
  await former.write(greeting("HELLO"));
  await former.write(frameOf(GOSSIP, unknown));
  await until("it is gone", () => node.server.stats().protocolErrors === 1);
  assertEquals(connected(node.server).map(({ id }) => id), [7]);
  assert(node.lines.some((line) => line.includes("a peer's message of unknown type 200")), node.lines.join("\n"));
});

Deno.test("a listed peer of a former build is a peer", async () => {
  const [greet, push] = [greeting("DATA"), pushOf(IDS.DATA)];
  const frame = (
    code: number,
    body: Uint8Array,
    output: Parameters<ConstructorParameters<typeof FakeServer>[0]>[1],
  ) => {
    output.begin(code);
    output.bytes(body);
    output.end();
  };
  await using former = new FakeServer((code, output) => {
    if (code === REQUEST.hello) frame(REPLY.data, greet.subarray(HEADER_BYTES), output);
    else frame(GOSSIP, push, output);
  }, { greets: false });
  await using node = await startedNode({ peers: [former.address], gossipIntervalMs: NO_ROUNDS });
  await until("its write is there", () => node.cache.has("k"));
  assertEquals(node.server.stats().peers.map(({ id, state }) => [id, state]), [[IDS.DATA, "connected"]]);
});
