/** Strangers that keep peers from each other, or try to: they bear a peer's number, or take all places. */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { PEER_PLACES } from "../../lib/server/connections.ts";
import type { PeerStats, ServerOptions } from "../../mod.ts";
import { Authority, hasOpenssl } from "../support/certificates.ts";
import { MESSAGE } from "../../lib/replication/message.ts";
import { type Node, startedNode } from "../support/cluster.ts";
import { FakeServer } from "../support/fake_server.ts";
import { PeerSocket } from "../support/native_socket.ts";
import { freePort, portOf } from "../support/ports.ts";
import { TcpProxy } from "../support/proxy.ts";
import { clientOf, reportingClient } from "../support/servers.ts";
import { until } from "../support/waiting.ts";
import { writeGreeting } from "../../lib/wire/hello.ts";

/** What a node shows of an address. */
function rowOf({ server }: Node, address: string): PeerStats {
  return server.stats().peers.find((peer) => peer.address === address)!;
}

/** A stranger that bears a number, and says something now and then, so that it is not taken for dead. */
async function talker(node: Node, id: number): Promise<Disposable> {
  const stranger = await PeerSocket.greeted(node, { id });
  const talk = setInterval(() => stranger.say({ type: MESSAGE.same, to: 1 }).catch(() => {}), 200);
  return {
    [Symbol.dispose]() {
      clearInterval(talk);
      stranger.close();
    },
  };
}

/** How many connections others have made to a node. */
function arrivals({ server }: Node): number {
  return server.stats().connections;
}

for (const whose of ["the lower", "the higher"]) {
  Deno.test(`a stranger that bears ${whose} number does not keep a server from its peer, which was away`, async () => {
    for (let times = 0; times < 50; times++) {
      await using other = await startedNode();
      await using proxy = new TcpProxy(portOf(other.address));
      await using node = await startedNode({ peers: [proxy.address] });
      await until("they are connected", () => rowOf(node, proxy.address).state === "connected");
      const { id } = rowOf(node, proxy.address);
      const { id: own } = other.server.stats().peers[0];
      if ((id < own) !== (whose === "the lower")) continue;
      proxy.cut();
      await until("the peer is gone", () => rowOf(node, proxy.address).state !== "connected");
      using _stranger = await talker(node, id);
      await until("the stranger is there", () => arrivals(node) === 1);
      proxy.heal();
      await until("the peer is back", () => rowOf(node, proxy.address).state === "connected");
      await other.cache.store("key", 1);
      await until("its entry is there", () => node.cache.has("key"));
      return;
    }
    throw new Error("Fifty pairs of numbers were all in one order");
  });
}

Deno.test("a stranger that bears a peer's number does not keep servers apart that list each other", async () => {
  for (let repeat = 0; repeat < 5; repeat++) {
    const [one, two] = [freePort(), freePort()];
    await using first = await startedNode({ listen: `127.0.0.1:${one}`, peers: [`127.0.0.1:${two}`] });
    const second = await startedNode({ listen: `127.0.0.1:${two}`, peers: [`127.0.0.1:${one}`] });
    await until("they are connected", () => rowOf(first, second.address).lastRoundMs >= 0);
    const { id } = rowOf(first, second.address);
    using _stranger = await talker(first, id);
    await second.server.stop();
    await until("it is gone", () => rowOf(first, second.address).state !== "connected");
    await second.server.startServer(); // with the same number
    await until("it is back", () => rowOf(first, second.address).lastRoundMs >= 0);
    await second.cache.store("key", 1);
    await until("its entry is there", () => first.cache.has("key"));
    await second.server.stop();
  }
});

Deno.test("one row and one connection stay where servers list each other, though each calls the other", async () => {
  const [one, two] = [freePort(), freePort()];
  await using first = await startedNode({ listen: `127.0.0.1:${one}`, peers: [`127.0.0.1:${two}`] });
  await using second = await startedNode({ listen: `127.0.0.1:${two}`, peers: [`127.0.0.1:${one}`] });
  const isOne = () => arrivals(first) + arrivals(second) === 1;
  await until("one is left", () => isOne() && [first, second].every(({ server }) => server.stats().peers.length === 1));
  const calls = () => first.server.stats().connectionsAccepted + second.server.stats().connectionsAccepted;
  for (let before = 0; before !== calls();) {
    before = calls();
    const { bytesSent } = rowOf(first, second.address);
    await until("they have talked", () => {
      const row = rowOf(first, second.address);
      return row.bytesSent > bytesSent + 3000 || calls() !== before;
    });
  }
  assert(isOne());
  assert(calls() <= 4, `${calls()}`);
});

Deno.test({
  name: "a peer that connects from another address than that at which it listens has its own row, and no other",
  ignore: Deno.build.os !== "linux", // only Linux has all addresses of 127.0.0.0/8
  fn: async () => {
    const port = freePort();
    const [away, there] = [`127.0.0.1:${port}`, `127.0.0.22:${port}`];
    await using _spare = new FakeServer((_code, output, hangUp) => {
      writeGreeting(output, "fake/1", { id: 1 }, {});
      hangUp(); // it has another connection
    }, { greets: false, listen: there });
    await using node = await startedNode({ peers: [away, there] });
    using _peer = await PeerSocket.greeted(node, { id: 1, port });
    const rows = () => node.server.stats().peers.map(({ address, state }) => `${address} ${state}`);
    const isOwn = () =>
      rows().length === 2 && rows().includes(`${there} connected`) && !rows().includes(`${away} connected`);
    await until("it is connected there, and not where it connects from", isOwn);
  },
});

const TOKEN = "correct-horse-battery";

/** What server and peer are told, by how they know each other. */
const DOORS: Record<string, (authority: Authority) => Promise<ServerOptions> | ServerOptions> = {
  "no token": () => ({}),
  "a token": () => ({ authToken: TOKEN }),
  "a token and TLS": async (authority) => ({
    authToken: TOKEN,
    tls: { ...await authority.files(), caFile: authority.caFile },
  }),
};

for (const [door, optionsOf] of Object.entries(DOORS)) {
  for (const limit of ["maxConnections", "maxConnectionsPerAddress"] as const) {
    Deno.test({
      name: `clients that have all places (${limit}) do not lock a peer out, which has ${door}`,
      ignore: !hasOpenssl,
      fn: async () => {
        await using authority = await Authority.make();
        const options = await optionsOf(authority);
        await using node = await startedNode({ ...options, [limit]: 2 });
        const access = { authToken: options.authToken, tls: options.tls && { caCerts: [authority.ca] } };
        const clients = [1, 2].map(() => reportingClient([node.address], access).client);
        for (const client of clients) assert(await client.store("key", 1));
        const { client: third, errors } = reportingClient([node.address], access);
        assertEquals(await third.store("key", 2), false);
        assertMatch(errors[0].message, /this server takes 2 connections/);
        await using peer = await startedNode({ ...options, peers: [node.address] });
        await until("the peer is connected", () => rowOf(peer, node.address).state === "connected");
        await until("it has the entry", async () => await peer.cache.retrieve("key") === 1);
        assertEquals(await third.store("key", 2), false);
        for (const client of [...clients, third]) await client.close();
        assert(node.server.stats().connectionsRefused >= 1);
      },
    });
  }
}

Deno.test("strangers that say nothing, where all places are taken, do not lock a peer out", async () => {
  await using node = await startedNode({ maxConnections: 1 });
  await using client = clientOf(node);
  assert(await client.store("key", 1));
  const strangers: Deno.Conn[] = [];
  try {
    for (let i = 0; i < 100; i++) {
      strangers.push(await Deno.connect({ hostname: "127.0.0.1", port: portOf(node.address) }));
      const stranger = strangers[i];
      await stranger.write(new Uint8Array(i % 2)); // the half of them begins as a peer does
    }
    await using peer = await startedNode({ peers: [node.address] });
    await until("the peer is connected", () => rowOf(peer, node.address).state === "connected");
    assertEquals(await client.retrieve("key"), 1);
  } finally {
    for (const stranger of strangers) stranger.close();
  }
});

Deno.test("a peer takes no place of a client", async () => {
  await using node = await startedNode({ maxConnections: 1, maxConnectionsPerAddress: 1 });
  await using peer = await startedNode({ peers: [node.address] });
  await until("the peer is connected", () => rowOf(peer, node.address).state === "connected");
  await using client = clientOf(node);
  assert(await client.store("key", 1));
  assertEquals(arrivals(node), 2);
});

Deno.test("peers beyond their places take those of clients", async () => {
  await using node = await startedNode({ maxConnections: 1, log: () => {} });
  const peers: PeerSocket[] = [];
  const meet = async (id: number) => void peers.push(await PeerSocket.greeted(node, { id }));
  try {
    for (let id = 1; id <= PEER_PLACES; id++) await meet(id);
    await until("all are there", () => arrivals(node) === PEER_PLACES);
    await meet(PEER_PLACES + 1);
    await assertRejects(() => meet(PEER_PLACES + 2), Error, "this server takes 1 connections at most");
    assertEquals(arrivals(node), PEER_PLACES + 1);
  } finally {
    for (const peer of peers) peer.close();
  }
});
