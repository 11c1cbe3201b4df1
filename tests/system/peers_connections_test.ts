/** Who is connected to whom among peers, and what a server tells of it. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import type { PeerStats } from "../../mod.ts";
import { cluster, connected, names, NO_ROUNDS, type Node, startedNode, together } from "../support/cluster.ts";
import { FakeServer } from "../support/fake_server.ts";
import { freeAddress, freePort } from "../support/ports.ts";
import { run } from "../support/processes.ts";
import { until } from "../support/waiting.ts";

/** Connections from peers and to them, however many lead to one. */
function connections(...nodes: Node[]): number {
  return nodes.reduce((sum, { server }) => sum + server.stats().connections, 0);
}

Deno.test("a server that lists itself says so, and serves", async () => {
  const port = freePort();
  const lines: string[] = [];
  const log = (line: string, level?: string) => void lines.push(`${level}: ${line}`);
  await using node = await startedNode({ listen: `127.0.0.1:${port}`, peers: [`127.0.0.1:${port}`], log });
  await until("it knows", () => node.server.stats().peers[0].state === "self");
  const [{ error, address }] = node.server.stats().peers;
  assertEquals([error, address], ["it is this server itself", `127.0.0.1:${port}`]);
  assertEquals(lines.filter((line) => line.includes("itself")), [`info: Peer 127.0.0.1:${port} is this server itself`]);
  await until("it has hung up", () => connections(node) === 0);
  await node.cache.store("k", 1);
  assertEquals(await node.cache.retrieve("k"), 1);
});

Deno.test("one connection stays where a peer is listed by two addresses", async () => {
  await using other = await startedNode();
  const { port } = new URL(`http://${other.address}`);
  await using node = await startedNode({ peers: [`127.0.0.1:${port}`, `localhost:${port}`] });
  const states = () => node.server.stats().peers.map(({ state }) => state).sort().join();
  await until("both addresses are known", () => states() === "connected,duplicate" && connections(other) === 1);
  assertEquals(connected(other.server).length, 1);
  await other.cache.store("k", 1);
  await until("it is there", () => node.cache.has("k"));
  assertEquals([states(), connections(other)], ["connected,duplicate", 1]);
});

Deno.test("one connection stays where both servers list each other, whoever connects first", async () => {
  for (let repeat = 0; repeat < 10; repeat++) {
    const [one, other] = [freePort(), freePort()];
    await using pair = await together(
      startedNode({ listen: `127.0.0.1:${one}`, peers: [`127.0.0.1:${other}`] }),
      startedNode({ listen: `127.0.0.1:${other}`, peers: [`127.0.0.1:${one}`] }),
    );
    const isDone = () => connections(...pair) === 1 && pair.every(({ server }) => connected(server).length === 1);
    await until("one connection is left", isDone);
    for (const { cache } of pair) await cache.store(`by ${repeat}`, repeat);
    const rounds = pair.map(({ server }) => connected(server)[0].bytesReceived);
    await until(
      "they go on",
      () => pair.every(({ server }, i) => connected(server)[0]?.bytesReceived > rounds[i] + 500),
    );
    assert(isDone(), "it is still the only one");
    assertEquals(pair.map(({ server }) => server.stats().peers.length), [1, 1]);
  }
});

Deno.test("a peer that cannot be used is named once, with what is wrong, and the server serves", async () => {
  await using stranger = new FakeServer((_code, output, hangUp) => {
    output.bytes(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n"));
    hangUp();
  }, { greets: false });
  const foreign = stranger.address;
  const dead = freeAddress();
  await using node = await startedNode({ peers: [dead, foreign] });
  await until("both have failed", () => node.server.stats().peers.every(({ error }) => error !== ""));
  await until("it has been tried again", () => stranger.connections >= 3);
  const rows = node.server.stats().peers;
  assertEquals(rows.map(({ address, id }) => [address, id]), [[dead, 0], [foreign, 0]]);
  for (const { state } of rows) assertMatch(state, /^(waiting|connecting)$/);
  assertMatch(rows[0].error, /refused/);
  assertMatch(rows[1].error, /no Ormuco Cache server/);
  await until("they wait", () => node.server.stats().peers.every(({ state }) => state === "waiting"));
  for (const address of [dead, foreign]) {
    assertEquals(node.lines.filter((line) => line.startsWith(`Peer ${address} cannot be used: `)).length, 1);
  }
  await node.cache.store("k", 1);
  assertEquals(await node.cache.retrieve("k"), 1);
});

Deno.test("a server joins that starts late, and one that stops is found again", async () => {
  const port = freePort();
  await using first = await startedNode({ peers: [`127.0.0.1:${port}`] });
  await until("it fails", () => first.server.stats().peers[0].error !== "");
  const second = await startedNode({ listen: `127.0.0.1:${port}` });
  await first.cache.store("k", 1);
  await until("they have met", () => second.cache.has("k"));
  await second.server.stop();
  await until("it is gone", () => first.server.stats().peers[0].state !== "connected");
  await first.cache.remove("k");
  await first.cache.store("meanwhile", 1);
  await second.cache.store("own", 1);
  await second.server.startServer();
  await until("both have all", async () => await second.cache.has("meanwhile") && await first.cache.has("own"));
  assertEquals([await first.cache.has("k"), await second.cache.has("k")], [false, false]);
  await second.server.stop();
});

Deno.test("writes made just before stop() reach the peer", async () => {
  for (let repeat = 0; repeat < 5; repeat++) {
    await using nodes = await cluster([[], [0]], { gossipIntervalMs: NO_ROUNDS });
    const [leaving, staying] = repeat % 2 === 0 ? nodes : [nodes[1], nodes[0]];
    // In one message, which is more than the system takes at once.
    const stored = names(250).map((key) => leaving.cache.store(key, "v".repeat(16_000)));
    await Promise.all([...stored, leaving.server.stop()]);
    await until("all are there", () => staying.server.stats().entries === 250);
  }
});

/** All fields of a peer, as the compiler knows them. */
const FIELDS: Record<keyof PeerStats, string> = {
  address: "string",
  name: "string",
  state: "string",
  ready: "boolean",
  id: "number",
  error: "string",
  roundTripMs: "number",
  lastRoundMs: "number",
  lag: "number",
  lagMs: "number",
  catchingUp: "boolean",
  bytesReceived: "number",
  bytesSent: "number",
  entriesReceived: "number",
  entriesSent: "number",
  entriesDropped: "number",
  refusedFuture: "number",
  refusedBad: "number",
  droppedFull: "number",
};

Deno.test("cli stats --json and peers --json show all that is known of each peer", async () => {
  const dead = freeAddress();
  await using listed = await startedNode();
  await using node = await startedNode({ peers: [listed.address, dead] });
  await using lister = await startedNode({ peers: [node.address] });
  await node.cache.store("k", 1);
  await until("it knows its peers", () => {
    const { peers } = node.server.stats();
    return peers.length === 3 &&
      peers.every(({ state, error, lastRoundMs }) => (lastRoundMs >= 0 && state === "connected") || error !== "");
  });
  const ask = async (command: string) => {
    const { status, out } = await run("cli.ts", [command, "--json", "--server", node.address]);
    assertEquals(status, 0);
    return JSON.parse(out);
  };
  for (const peers of [(await ask("stats")).peers, await ask("peers")] as PeerStats[][]) {
    assertEquals(peers.length, 3);
    for (const peer of peers) {
      assertEquals(
        Object.fromEntries(Object.entries(peer).map(([name, value]) => [name, String(typeof value)])),
        FIELDS,
      );
    }
    const [first, second, third] = peers;
    assertEquals([first.address, first.state, first.entriesSent > 0], [listed.address, "connected", true]);
    assertEquals([second.address, second.id, second.roundTripMs, second.lastRoundMs], [dead, 0, -1, -1]);
    assertMatch(second.error, /refused/);
    assertEquals([third.address, third.state, third.error], [lister.address, "connected", ""]);
    for (const { id, roundTripMs, bytesReceived, bytesSent } of [first, third]) {
      assert(id > 0 && roundTripMs >= 0 && bytesReceived > 0 && bytesSent > 0);
    }
  }
});

Deno.test("OrmucoCacheServer.stop() leaves nothing under way when a listed peer has taken a connection and says nothing", async () => {
  await using silent = new FakeServer(() => {}, { greets: false });
  const node = await startedNode({ peers: [silent.address] });
  await until("it has connected", () => silent.connections === 1);
  const { setTimeout: start, clearTimeout: stop } = globalThis;
  const waiting = new Set<unknown>();
  globalThis.setTimeout = ((run: () => void, ms?: number) => {
    const timer = start(() => {
      waiting.delete(timer);
      run();
    }, ms);
    waiting.add(timer);
    return timer;
  }) as typeof setTimeout;
  globalThis.clearTimeout = (timer) => {
    waiting.delete(timer);
    stop(timer);
  };
  try {
    await node.server.stop();
    await node.server.startServer();
    await until("it has connected again", () => silent.connections === 2);
    await node.server.stop();
    assertEquals(waiting.size, 0);
  } finally {
    Object.assign(globalThis, { setTimeout: start, clearTimeout: stop });
  }
});
