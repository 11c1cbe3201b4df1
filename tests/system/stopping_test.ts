/** A server that stops says so first: clients and peers go elsewhere before it closes, and no call is lost. */

import { assert, assertEquals } from "@std/assert";
import { encode } from "@std/msgpack";
import { type CacheError, OrmucoCacheClient } from "../../mod.ts";
import { MESSAGE } from "../../lib/replication/message.ts";
import { REPLY, REQUEST, STOPPING } from "../../lib/wire/frame.ts";
import { cluster, connected, names, NO_ROUNDS, startedNode } from "../support/cluster.ts";
import { frameOf, greetingAnd, NativeSocket, PeerSocket } from "../support/native_socket.ts";
import { freeAddress } from "../support/ports.ts";
import { run, serve, type ServeProcess } from "../support/processes.ts";
import { PATIENT_MS, reportingClient, startedServer } from "../support/servers.ts";
import { until } from "../support/waiting.ts";

/** Clients that call all the time until `end`, and what went wrong with them. */
class Load {
  readonly errors: CacheError[] = [];
  readonly #clients: OrmucoCacheClient[];
  readonly #work: Promise<void>[];
  calls = 0;
  failed = 0;
  #isOver = false;

  constructor(lists: string[][]) {
    const onError = (error: CacheError) => this.errors.push(error);
    this.#clients = lists.map((servers) => new OrmucoCacheClient({ servers, timeoutMs: PATIENT_MS, onError }));
    this.#work = this.#clients.flatMap((client, i) => [0, 1, 2, 3].map((j) => this.#call(client, `${i}:${j}`)));
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#work);
    for (const client of this.#clients) {
      this.failed += Object.values((await client.stats()).failures).reduce((sum, count) => sum + count, 0);
      await client.close();
    }
  }

  async #call(client: OrmucoCacheClient, name: string): Promise<void> {
    for (let i = 0; !this.#isOver; i = (i + 1) % 100) {
      const key = `${name}:${i}`;
      const [isStored] = await Promise.all([
        client.store(key, key),
        client.retrieveMany([key, "other"]),
        client.has(key),
      ]);
      if (!isStored) this.failed++;
      this.calls++;
    }
  }
}

Deno.test("no call fails while the two servers of clients under load are restarted one after the other", async () => {
  const addresses = [freeAddress(), freeAddress()];
  const start = (i: number) => {
    return serve([
      "--listen",
      addresses[i],
      "--peers",
      addresses[1 - i],
      "--max-size",
      "100000",
      "--gossip-interval",
      "0.2",
    ]);
  };
  const running: ServeProcess[] = [await start(0), await start(1)];
  const load = new Load([addresses, addresses, addresses.toReversed()]);
  try {
    for (const i of [0, 1, 0]) {
      const { calls } = load;
      await until("calls are made", () => load.calls > calls + 100);
      const { status, err } = await running[i].stop();
      const others = err.split("\n").filter((line) =>
        !line.endsWith("cannot be used: Connection refused (os error 111)")
      );
      assertEquals([status, others], [0, [""]]); // while the other one is away, that is said
      await until("calls are made of the other", () => load.calls > calls + 200);
      running[i] = await start(i);
      assertEquals((await run("cli.ts", ["peers", "--wait", "30", "--server", addresses[i]])).status, 0);
    }
  } finally {
    await load.end();
    await Promise.all(running.map((server) => server.stop()));
  }
  assertEquals([load.failed, load.errors.map(({ message }) => message)], [0, []]);
});

Deno.test("a client's calls are answered by the server that stops, and the next ones by another", async () => {
  await using nodes = await cluster([[], [0]]);
  const [first, second] = nodes;
  const { client, errors } = reportingClient([first.address, second.address]);
  await using _client = client;
  assertEquals(await client.store("k", 1), true);
  const large = new Uint8Array(4_000_000);
  const stored = names(10).map((key) => client.store(key, large));
  const stopped = first.server.stop();
  assertEquals(await Promise.all(stored), names(10).map(() => true));
  await stopped;
  assertEquals([await client.retrieve("k"), errors], [1, []]);
  assertEquals((await client.stats()).connectedTo, second.address);
  await until("all are there", () => second.server.stats().entries === 11);
});

Deno.test("a client that hears of a stop is served until it leaves, and an older one is told that the connection ends", async () => {
  const server = await startedServer();
  const address = { address: server.address };
  const socket = await NativeSocket.to(address);
  using older = await NativeSocket.to(address);
  await socket.write(greetingAnd());
  await older.write(frameOf(REQUEST.hello, encode({ protocol: 1, client: "older/1" })));
  for (const each of [socket, older]) assertEquals((await each.next())?.code, REPLY.data);
  const stopped = server.stop();
  assertEquals((await socket.next())?.code, STOPPING);
  assertEquals(await older.codesUntilClosed(), [REPLY.closing]);
  await socket.write(frameOf(REQUEST.ping, new Uint8Array(0)));
  assertEquals((await socket.next())?.code, REPLY.ok);
  socket.close();
  await stopped;
});

Deno.test("what was stored just before a stop reaches the peer, also where it is not pushed", async () => {
  for (const size of [1000, 100_000, 8_000_000]) {
    await using nodes = await cluster([[], [0]], { gossipIntervalMs: NO_ROUNDS });
    const [leaving, staying] = nodes;
    await leaving.cache.store("k", new Uint8Array(size).fill(7));
    await leaving.server.stop();
    assertEquals((await staying.cache.retrieve<Uint8Array>("k"))?.length, size);
  }
});

Deno.test("what was stored just before two stops, one after the other, is handed on along a chain", async () => {
  const keys = names(60);
  await using nodes = await cluster([[], [0], [1]], { gossipIntervalMs: NO_ROUNDS });
  const [staying, ...leaving] = nodes;
  for (const key of keys) await leaving[1].cache.store(key, new Uint8Array(100_000).fill(7));
  for (const { server } of leaving.toReversed()) await server.stop();
  assertEquals((await staying.cache.retrieveMany(keys)).size, keys.length);
});

Deno.test("peers hear that a server stops, say so, and find it again when it is back", async () => {
  const address = freeAddress();
  await using leaving = await startedNode({ listen: address });
  await using one = await startedNode({ peers: [address] });
  await using other = await startedNode({ peers: [address, one.address] });
  const staying = [one, other];
  await until("all are connected", () => staying.every(({ server }) => connected(server).length === 2));
  await leaving.server.stop();
  for (const { server, lines } of staying) {
    await until("they say so", () => lines.includes(`Peer ${address} has stopped`));
    assertEquals(lines.filter((line) => line.includes("is gone")), []);
    const row = server.stats().peers.find((peer) => peer.address === address)!;
    assert(["waiting", "connecting"].includes(row.state), row.state);
  }
  await leaving.server.startServer();
  await until("it is back", () => staying.every(({ server }) => connected(server).length === 2));
});

Deno.test("a peer that says on one of its connections that it stops is not gone when the other ends without a word", async () => {
  await using node = await startedNode();
  const [first, second] = [
    await PeerSocket.greeted(node, { id: 1, port: 1 }),
    await PeerSocket.greeted(node, { id: 1, port: 1 }),
  ];
  await until("both are used", () => node.server.stats().gossip !== undefined && connected(node.server).length > 0);
  for (const each of [first, second]) await each.say({ type: MESSAGE.same, to: 7 });
  await first.write(frameOf(STOPPING, new Uint8Array(0)));
  await first.socket.closeWrite();
  await first.end();
  second.close();
  await until("it is noticed", () => node.lines.some((line) => /is gone|has stopped/.test(line)));
  assertEquals(node.lines.filter((line) => line.includes("is gone")), []);
  first.close();
});

Deno.test("a stop does not wait for long for a peer that takes nothing", async () => {
  await using wrong = await startedNode();
  await using node = await startedNode({ peers: [wrong.address] });
  await until("they are connected", () => connected(node.server).length === 1);
  await wrong.server.stop();
  await node.cache.store("k", 1);
  await node.server.stop();
  assertEquals(node.server.address, undefined);
});
