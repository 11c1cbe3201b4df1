/**
 * Peers of former builds: one that speaks another version of gossip is refused with a line that says so, and one that has none of
 * the features of today is a peer, and is sent what it can read.
 */

import { assert, assertEquals } from "@std/assert";
import { encode } from "@std/msgpack";
import { MESSAGE, type Message, MessageWriter } from "../../lib/replication/message.ts";
import { readMessage } from "../../lib/replication/message_reader.ts";
import { GOSSIP, REPLY, REQUEST } from "../../lib/wire/frame.ts";
import { readError } from "../../lib/wire/control.ts";
import { GOSSIP_VERSION } from "../../lib/wire/hello.ts";
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

/** What a peer says that speaks today's gossip and has no features, as one from before there were any. */
const PLAIN = { protocol: 1, features: [], gossip: GOSSIP_VERSION };

/** A greeting of such a peer. */
function plainHello(): Uint8Array {
  return frameOf(REQUEST.hello, encode({ ...PLAIN, client: "plain/1", peer: IDS.HELLO, port: 11142 }));
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

/** Why a peer is refused that greets as was recorded. */
const WHY = `gossip ${GOSSIP_VERSION} is spoken here: received 3; peers must run builds that agree`;

Deno.test("a peer of a build that speaks gossip 3 is refused with one line that says so, and hears nothing else", async () => {
  await using node = await startedNode({ gossipIntervalMs: NO_ROUNDS });
  using socket = await NativeSocket.to(node);
  await socket.write(greeting("HELLO"));
  assertEquals(readError((await socket.next())!), { code: "unsupported-gossip", message: WHY });
  assertEquals(await socket.codesUntilClosed(), []);
  const rows = node.server.stats().peers.map(({ id, state, error }) => [id, state, error]);
  assertEquals(rows, [[IDS.HELLO, "incompatible", WHY]]);
  assertEquals(node.lines.filter((line) => line.includes(WHY)).length, 1);
});

Deno.test("a peer without features that connects is a peer, and is sent what it can read alone", async () => {
  await using node = await startedNode({ gossipIntervalMs: NO_ROUNDS });
  await node.cache.store("own", 1);
  using socket = await NativeSocket.to(node);
  await socket.write(plainHello());
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

Deno.test("a peer may say more than is known here if both pass over that, and one without features may not", async () => {
  await using node = await startedNode({ gossipIntervalMs: NO_ROUNDS });
  const unknown = pushOf(7).fill(200, 0, 1);
  using later = await PeerSocket.greeted(node, { id: 7 });
  await later.write(frameOf(GOSSIP, unknown));
  await later.write(frameOf(GOSSIP, Uint8Array.of(...pushOf(7), 1, 2, 3)));
  await until("what is known of it is there", () => node.cache.has("k"));
  assertEquals(node.server.stats().protocolErrors, 0);
  using former = await NativeSocket.to(node);
  await former.write(plainHello());
  await former.write(frameOf(GOSSIP, unknown));
  await until("it is gone", () => node.server.stats().protocolErrors === 1);
  assertEquals(connected(node.server).map(({ id }) => id), [7]);
  assert(node.lines.some((line) => line.includes("a peer's message of unknown type 200")), node.lines.join("\n"));
});

for (
  const [kind, greet, state] of [
    ["of a build that speaks gossip 3 is refused", greeting("DATA").subarray(HEADER_BYTES), "incompatible"],
    ["without features is a peer", encode({ ...PLAIN, server: "plain/1", peer: IDS.DATA }), "connected"],
  ] as const
) {
  Deno.test(`a listed peer ${kind}`, async () => {
    const push = pushOf(IDS.DATA);
    await using former = new FakeServer((code, output) => {
      output.begin(code === REQUEST.hello ? REPLY.data : GOSSIP);
      output.bytes(code === REQUEST.hello ? greet : push);
      output.end();
    }, { greets: false });
    await using node = await startedNode({ peers: [former.address], gossipIntervalMs: NO_ROUNDS });
    await until(`it is ${state}`, () => node.server.stats().peers[0].state === state);
    if (state === "connected") await until("its write is there", () => node.cache.has("k"));
    const [{ id, error }] = node.server.stats().peers;
    assertEquals([id, error], [IDS.DATA, state === "connected" ? "" : WHY]);
  });
}
