/** Peers that tell each other of peers, and servers that say where they are to be reached. */

import { assert, assertEquals } from "@std/assert";
import { encode } from "@std/msgpack";
import { parseToken } from "../../lib/base/token.ts";
import { writeError } from "../../lib/wire/control.ts";
import { FrameWriter, PEERS, REPLY, REQUEST } from "../../lib/wire/frame.ts";
import { GOSSIP_VERSION, MAX_TOLD_PEERS, readPeers, writePeers } from "../../lib/wire/hello.ts";
import { connected, type Node, startedNode } from "../support/cluster.ts";
import { connectTo } from "../support/door.ts";
import { FakeServer } from "../support/fake_server.ts";
import { frameOf, NativeSocket, PeerSocket } from "../support/native_socket.ts";
import { freeAddress, portOf } from "../support/ports.ts";
import { TcpProxy } from "../support/proxy.ts";
import { until } from "../support/waiting.ts";

const TOKEN = "correct-horse-battery";
const secret = { authToken: TOKEN };

/** A peer of the test's own, that knows the token. */
async function impostor(node: Node, id: number, port?: number): Promise<PeerSocket> {
  return await PeerSocket.on(await connectTo({ port: portOf(node.address) }), { id, port }, parseToken(TOKEN));
}

/** A frame that tells of peers. */
function telling(addresses: string[]): Uint8Array {
  const output = new FrameWriter();
  writePeers(output, addresses);
  return output.taken();
}

/** What peer and node have sent to each other, in rounds. */
async function roundsPass(node: Node): Promise<void> {
  const [{ bytesReceived }] = connected(node.server);
  await until("rounds pass", () => connected(node.server)[0].bytesReceived > bytesReceived + 3000);
}

Deno.test("servers with a token that all list one of them come to know each other", async () => {
  await using hub = await startedNode(secret);
  await using one = await startedNode({ ...secret, peers: [hub.address] });
  await using two = await startedNode({ ...secret, peers: [hub.address] });
  await using three = await startedNode({ ...secret, peers: [hub.address] });
  const nodes = [hub, one, two, three];
  for (const node of nodes) {
    const others = nodes.filter((other) => other !== node).map(({ address }) => address).sort().join();
    // For a moment there may be two connections to a peer, one made by each side.
    await until("it knows all, and each once", () => {
      const all = node.server.stats().peers;
      return connected(node.server).length === 3 && all.map(({ address }) => address).sort().join() === others;
    });
  }
  await hub.server.stop();
  await one.cache.store("key", 1);
  for (const node of [two, three]) await until("it is there without the first", () => node.cache.has("key"));
});

Deno.test("servers without a token tell nobody of their peers, and call nobody whom they do not list", async () => {
  await using hub = await startedNode();
  await using one = await startedNode({ peers: [hub.address] });
  await using two = await startedNode({ peers: [hub.address] });
  for (const node of [one, two]) await until("it is connected", () => connected(node.server).length === 1);
  await roundsPass(one);
  assertEquals([one, two].map(({ server }) => server.stats().connectionsAccepted), [0, 0]);
  assertEquals([one, two].map(({ server }) => connected(server).length), [1, 1]);
});

Deno.test("a peer is told of those that answer where they say they are, and of no others", async () => {
  await using silent = new FakeServer((_code, _output, hangUp) => hangUp(), { greets: false });
  await using hub = await startedNode(secret);
  using _claims = await impostor(hub, 5, portOf(silent.address));
  await until("the hub has called", () => silent.connections >= 2);
  using peer = await impostor(hub, 6);
  await using leaf = await startedNode({ ...secret, peers: [hub.address] });
  const told = new Set<string>();
  while (!told.has(leaf.address)) {
    const frame = await peer.next();
    assert(frame !== undefined);
    if (frame.code === PEERS) { for (const address of readPeers(frame)) told.add(address); }
  }
  assertEquals([...told], [leaf.address]);
});

Deno.test("addresses of which a peer tells in vain are called a few times, and not shown", async () => {
  await using gone = new FakeServer((_code, _output, hangUp) => hangUp(), { greets: false });
  await using hub = await startedNode(secret);
  using peer = await impostor(hub, 6);
  await peer.write(telling([gone.address, ...Array.from({ length: MAX_TOLD_PEERS - 1 }, freeAddress)]));
  await until("it has been called", () => gone.connections >= 2);
  assertEquals(hub.server.stats().peers.map(({ id }) => id), [6]);
  assertEquals(hub.lines.filter((line) => line.includes("cannot be used")), []);
});

Deno.test("an address of which a peer has told, which refuses each time for another reason, fills no log", async () => {
  let calls = 0;
  await using fickle = new FakeServer((_code, output, hangUp) => {
    writeError(output, REPLY.closing, { code: "not-allowed", message: `for the reason ${++calls}` });
    hangUp();
  }, { greets: false });
  await using hub = await startedNode(secret);
  await using proxy = new TcpProxy();
  const natted = await startedNode({ ...secret, peers: [hub.address], advertise: proxy.address });
  proxy.target = portOf(natted.address);
  await until(
    "it is reached there",
    () => natted.server.stats().connectionsAccepted > 0 && connected(hub.server).length > 0,
  );
  await natted.server.stop();
  proxy.target = portOf(fickle.address);
  await until("it has been called several times", () => calls > 5);
  assertEquals(hub.lines.filter((line) => line.includes("cannot be used")).length, 1);
});

for (
  const [what, frame] of [
    ["more than it may", telling(Array.from({ length: MAX_TOLD_PEERS + 1 }, (_, i) => `10.0.0.1:${i + 1}`))],
    ["what is no address", telling(["unix:/run/cache.sock"])],
    ["an address that is too long", telling(["a".repeat(300)])],
  ] as const
) {
  Deno.test(`a peer that tells ${what} loses its connection`, async () => {
    await using hub = await startedNode(secret);
    using peer = await impostor(hub, 6);
    await peer.write(frame);
    await peer.end();
    assertEquals(hub.server.stats().protocolErrors, 1);
  });
}

Deno.test("an address that leads each machine to itself is not taken from a peer", async () => {
  await using other = await startedNode(secret);
  await using hub = await startedNode(secret);
  using peer = await impostor(hub, 6);
  await peer.write(telling([`0.0.0.0:${portOf(other.address)}`, other.address]));
  await until("the other is called", () => connected(hub.server).some(({ address }) => address === other.address));
  assertEquals(
    hub.server.stats().peers.map(({ address }) => address).filter((address) => address.includes("0.0.0.0")),
    [],
  );
});

Deno.test("a peer that has proven nothing may tell of nobody", async () => {
  await using hub = await startedNode();
  using peer = await PeerSocket.greeted(hub, { id: 6 });
  await peer.write(telling(["127.0.0.1:7"]));
  await peer.end();
  assertEquals(hub.server.stats().protocolErrors, 1);
});

Deno.test("a server is shown, called and told of where it says that it is to be reached", async () => {
  await using hub = await startedNode(secret);
  await using proxy = new TcpProxy();
  await using natted = await startedNode({ ...secret, peers: [hub.address], advertise: proxy.address });
  proxy.target = portOf(natted.address);
  await using other = await startedNode({ ...secret, peers: [hub.address] });
  for (const node of [hub, other]) {
    await until("it is connected", () => connected(node.server).some(({ address }) => address === proxy.address));
  }
  await natted.cache.store("key", 1);
  await until("the entry is there", () => other.cache.has("key"));
});

Deno.test("a peer that has proven nothing is shown where it connects from, whatever it says", async () => {
  await using node = await startedNode();
  using stranger = await NativeSocket.to(node);
  const hello = {
    protocol: 1,
    client: "x",
    peer: 7,
    port: 7,
    gossip: GOSSIP_VERSION,
    features: [],
    advertise: "10.0.0.1:7",
  };
  await stranger.write(frameOf(REQUEST.hello, encode(hello)));
  await until("it is connected", () => connected(node.server).length === 1);
  assertEquals(connected(node.server)[0].address, "127.0.0.1:7");
});
