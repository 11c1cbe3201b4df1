/** Peers that say what they should not: each does harm to its own connection and to nothing else. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { MAX_GOSSIP_BYTES } from "../../lib/base/limits.ts";
import { MESSAGE } from "../../lib/replication/message.ts";
import { versionAt } from "../../lib/store/version.ts";
import { GOSSIP, REQUEST } from "../../lib/wire/frame.ts";
import { writeGreeting } from "../../lib/wire/hello.ts";
import { cluster, connected, startedNode } from "../support/cluster.ts";
import { FakeServer } from "../support/fake_server.ts";
import { frameOf, PeerSocket } from "../support/native_socket.ts";
import { clientOf, startedServer } from "../support/servers.ts";
import { until } from "../support/waiting.ts";

const soon = (): number => versionAt(Date.now() + 1000);
const far = (): number => versionAt(Date.now() + 120_000);

const NAME = { id: 7, port: 7 };

/** The header of a frame that is longer than may be. */
function tooLong(): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setUint32(0, MAX_GOSSIP_BYTES + 1);
  bytes[6] = GOSSIP;
  return bytes;
}

for (
  const [what, bytes, reason] of [
    ["sends rubbish", new Uint8Array(1000).fill(0xff), "bad header"],
    ["sends a frame of a client", frameOf(REQUEST.clear, new Uint8Array()), "a frame of code 7"],
    ["sends a frame of an unknown code", frameOf(0xee, new Uint8Array()), "a frame of code 238"],
    ["announces a frame that is too long", tooLong(), "bad header"],
    ["sends a message that is none", frameOf(GOSSIP, new Uint8Array(100).fill(99)), "a version that is none"],
    ["sends a message that is empty", frameOf(GOSSIP, new Uint8Array()), "truncated"],
  ] as [string, Uint8Array, string][]
) {
  Deno.test(`a peer that ${what} loses its own connection and nothing else`, async () => {
    await using nodes = await cluster([[], [0]]);
    const [node, good] = nodes;
    await node.cache.store("k", "v");
    {
      using bad = await PeerSocket.greeted(node, NAME);
      await until("it is taken for a peer", () => connected(node.server).length === 2);
      await bad.write(bytes);
      await bad.end();
    }
    await until("it is gone", () => connected(node.server).length === 1);
    assertEquals([node.server.stats().protocolErrors, good.server.stats().protocolErrors], [1, 0]);
    const line = node.lines.at(-1)!;
    assertStringIncludes(line, "Peer 127.0.0.1:7 is gone: ");
    assertStringIncludes(line, reason);
    await node.cache.store("after", 1);
    await until("the good one hears", () => good.cache.has("after"));
    assertEquals([await node.cache.retrieve("k"), connected(good.server).length], ["v", 1]);
    assertEquals(good.lines.filter((line) => line.includes("is gone")), []);
  });
}

Deno.test("a peer that claims writes of the server's own does no harm to what it writes next", async () => {
  await using nodes = await cluster([[], [0]]);
  const [node, good] = nodes;
  await node.cache.store("k", "v");
  using bad = await PeerSocket.greeted(node, NAME);
  await until("it is taken for a peer", () => connected(node.server).length === 2);
  await bad.say({ type: MESSAGE.known, turn: 0, known: new Map([[bad.other, soon()]]) });
  await bad.say({ type: MESSAGE.news, origin: bad.other, last: soon() });
  for (let i = 0; i < 10; i++) {
    await node.cache.store(`after:${i}`, i);
    await until("the good one hears", () => good.cache.has(`after:${i}`));
  }
  assertEquals([await good.cache.retrieve("k"), node.server.stats().protocolErrors], ["v", 0]);
});

Deno.test("a peer whose clock is far ahead is not believed, is named once, and may go on", async () => {
  await using nodes = await cluster([[], [0]]);
  const [node, good] = nodes;
  await node.cache.store("k", "v");
  using bad = await PeerSocket.greeted(node, NAME);
  const row = () => node.server.stats().peers.find(({ id }) => id === bad.id);
  await until("it is taken for a peer", () => row() !== undefined);
  const none = { known: new Map(), turn: 0 };
  await bad.say({ type: MESSAGE.known, ...none }, { clock: far() });
  await bad.say({ type: MESSAGE.known, ...none }, { cleared: far() });
  await bad.say({ type: MESSAGE.news, origin: bad.id, last: far() });
  await bad.say({ type: MESSAGE.known, turn: 0, known: new Map([[bad.other, far()]]) });
  await until("they are counted", () => row()?.refusedFuture === 4);
  const { gossip, protocolErrors } = node.server.stats();
  assertEquals([gossip.fromFuture, protocolErrors, row()!.state], [4, 0, "clocks-differ"]);
  assertEquals(node.lines.filter((line) => line.startsWith("Peer 127.0.0.1:7 is not believed")).length, 1);
  await node.cache.store("after", 1);
  await until("the good one hears", () => good.cache.has("after"));
  assertEquals([await node.cache.retrieve("k"), await good.cache.retrieve("k")], ["v", "v"]);
  await bad.say({ type: MESSAGE.sync, digest: 1 }, { cleared: versionAt(Date.now()) }); // it is believed again
  await until("a clear is taken", () => good.server.stats().entries === 0);
});

Deno.test("a listed peer that breaks the protocol is counted in its row, and tried again", async () => {
  await using bad = new FakeServer((_code, output, hangUp) => {
    writeGreeting(output, "bad/1", { id: 9 }, {});
    output.bytes(new Uint8Array(100).fill(0xff));
    hangUp();
  }, { greets: false });
  await using node = await startedNode({ peers: [bad.address] });
  await until("it is tried again", () => bad.connections >= 2);
  await until("both are counted", () => node.server.stats().peers[0].refusedBad >= 2);
  const { error } = node.server.stats().peers[0];
  assertStringIncludes(error, "bad header");
  assert(node.server.stats().protocolErrors >= 2);
});

const STRANGER = { id: 77 };
const NO_CLOCK = { clock: 0 };

Deno.test("OrmucoCacheServer answers clients while a peer asks more than it reads, and cuts it off", async () => {
  await using server = await startedServer({ maxSize: 5000, gossipIntervalMs: 100 });
  await using client = clientOf(server);
  for (let i = 0; i < 2000; i++) client.store(`key:${i}`, "v".repeat(500));
  await client.store("last", 1);
  using peer = await PeerSocket.greeting(server, STRANGER);
  await peer.say(
    { type: MESSAGE.list, question: 1, before: { h: Number.MAX_SAFE_INTEGER, id: 1 } },
    NO_CLOCK,
    6000,
  );
  assertEquals(await client.retrieve("last"), 1); // a miss, had it been kept waiting for a second
  const talk = setInterval(() => peer.say({ type: MESSAGE.same, to: 1 }, NO_CLOCK).catch(() => {}), 200);
  await until("it is cut off", () => server.stats().peers.length === 0);
  clearInterval(talk);
});

Deno.test("OrmucoCacheServer keeps its connection to a peer when another comes that bears the peer's number", async () => {
  const interval = { gossipIntervalMs: 50 };
  for (let times = 0; times < 20; times++) {
    await using listed = await startedServer(interval);
    await using server = await startedServer({ ...interval, peers: [listed.address!] });
    await until("they are connected", () => listed.stats().peers[0]?.lastRoundMs !== undefined);
    const [{ id: own }, { id }] = [listed.stats().peers[0], server.stats().peers[0]];
    if (own < id) continue; // of two connections, the one that it had made would have stayed anyway
    using _other = await PeerSocket.greeting(server, { id });
    await until("the other is there", () => server.stats().connections === 1);
    await listed.cache.store("key", 1);
    await until("the entry is there", () => server.cache.has("key"));
    assertEquals(server.stats().peers[0].entriesReceived, 1);
    return;
  }
  throw new Error("The number of one server was below the other's twenty times");
});

Deno.test("OrmucoCacheServer tells a client its statistics however many peers have connected", async () => {
  await using server = await startedServer();
  await using client = clientOf(server);
  await client.store("key", 1);
  const peers = Array.from({ length: 300 }, (_, i) => PeerSocket.greeting(server, { id: 1000 + i }));
  const sockets = await Promise.all(peers);
  await until("many are there", () => server.stats().peers.length === 64);
  assertEquals((await client.stats()).server?.peers?.length, 64);
  for (const socket of sockets) socket.close();
});

Deno.test("OrmucoCacheServer takes longer and longer to come back to a peer that greets it and hangs up", async () => {
  const visits: number[] = [];
  await using other = new FakeServer((_code, output, hangUp) => {
    visits.push(performance.now());
    writeGreeting(output, "other/1", STRANGER, {});
    hangUp();
  }, { greets: false });
  await using _server = await startedServer({ peers: [other.address] });
  await until("it has come four times", () => visits.length === 4);
  // Pauses of 125, 250 and 500 ms at the least; without the doubling, of 750 at the most, and the machine's delays.
  assert(visits[3] - visits[0] > 850);
});
