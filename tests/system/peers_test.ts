/** Servers that are peers: in this process, in processes of their own, across a network that fails, and beside bad ones. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import {
  OrmucoCacheClient,
  OrmucoCacheServer,
  type PeerStats,
  type ServerOptions,
  type ServerStats,
} from "../../mod.ts";
import { FrameReader, FrameWriter, GOSSIP, REQUEST } from "../../lib/wire/frame.ts";
import { type Head, MESSAGE, type Message, type MessageBody, MessageWriter } from "../../lib/replication/message.ts";
import { MAX_GOSSIP_BYTES } from "../../lib/base/limits.ts";
import { readGreeting, writeGreeting, writeHello } from "../../lib/wire/hello.ts";
import { versionAt } from "../../lib/store/version.ts";
import { run, serve, type ServeProcess } from "../support/processes.ts";
import { freePort } from "../support/ports.ts";
import { Proxy } from "../support/proxy.ts";
import { nextMoment, turn, until } from "../support/waiting.ts";

/** Rounds so far apart that none passes while a test runs. */
const NO_ROUNDS = 60_000;

/** A server in this process, with the lines that it says. */
interface Node extends AsyncDisposable {
  readonly server: OrmucoCacheServer;
  readonly cache: OrmucoCacheServer["cache"];
  readonly lines: string[];
  /** Where others reach it. */
  readonly address: string;
}

async function started(options: ServerOptions = {}): Promise<Node> {
  const lines: string[] = [];
  const server = new OrmucoCacheServer({
    listen: "127.0.0.1:0",
    maxSize: 1_000_000,
    gossipIntervalMs: 20,
    log: (line) => lines.push(line),
    ...options,
  });
  await server.startServer();
  return { server, cache: server.cache, lines, address: server.address!, [Symbol.asyncDispose]: () => server.stop() };
}

/** Servers that have been started one after another: each lists those before it that `lists` names. */
async function cluster(lists: number[][], options: ServerOptions = {}): Promise<Node[] & AsyncDisposable> {
  const nodes: Node[] = [];
  for (const list of lists) nodes.push(await started({ ...options, peers: list.map((i) => nodes[i].address) }));
  const stop = async () => void await Promise.all(nodes.map(({ server }) => server.stop()));
  const all = Object.assign(nodes, { [Symbol.asyncDispose]: stop });
  await until("all are connected, and know the same", () => {
    return nodes.every(({ server }, i) => {
      const own = lists[i].length + lists.filter((list) => list.includes(i)).length;
      return connected(server).length === own && connected(server).every(({ lastRoundMs }) => lastRoundMs >= 0);
    });
  });
  return all;
}

function connected(server: OrmucoCacheServer): PeerStats[] {
  return server.stats().peers.filter(({ state }) => state === "connected");
}

/** Connections from peers and to them, however many lead to one. */
function connections(...nodes: Node[]): number {
  return nodes.reduce((sum, { server }) => sum + server.stats().connections, 0);
}

function clientOf(address: string): OrmucoCacheClient {
  return new OrmucoCacheClient({ servers: [address], timeoutMs: 10_000 });
}

function names(count: number, prefix = "key"): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}:${i}`);
}

type Cache = Pick<OrmucoCacheClient, "retrieveMany">;

/** What caches hold of some keys, as text to compare. */
async function held(caches: Cache[], keys: string[]): Promise<string[]> {
  return await Promise.all(caches.map(async (cache) => JSON.stringify([...await cache.retrieveMany(keys)])));
}

async function agree(caches: Cache[], keys: string[]): Promise<boolean> {
  const [first, ...others] = await held(caches, keys);
  return others.every((other) => other === first);
}

const text = (letter: string, bytes: number): string => letter.repeat(bytes);

for (
  const [shape, lists] of [
    ["a line", [[], [0], [1], [2]]],
    ["a ring", [[], [0], [1], [2, 0]]],
    ["a star", [[], [0], [0], [0], [0]]],
    ["a mesh", [[], [0], [0, 1], [0, 1, 2]]],
  ] as [string, number[][]][]
) {
  Deno.test(`servers in ${shape} come to hold the same, where one of two lists the other`, async () => {
    await using nodes = await cluster(lists);
    const caches = nodes.map(({ cache }) => cache);
    const keys = names(30).concat("shared");
    for (const [i, { address, cache }] of nodes.entries()) {
      await using client = clientOf(address);
      for (const key of names(30)) await (i % 2 === 0 ? client : cache).store(`${key}@${i}`, `${key} of ${i}`);
      await client.store("shared", i);
      keys.push(...names(30).map((key) => `${key}@${i}`));
    }
    await until("all hold all", () => nodes.every(({ server }) => server.stats().entries === nodes.length * 30 + 1));
    await until("all hold the same", () => agree(caches, keys));
    assertEquals(await caches[0].retrieve("shared"), nodes.length - 1);

    for (const [i, { cache }] of nodes.entries()) {
      assertEquals(await cache.remove(`key:1@${(i + 1) % nodes.length}`), true);
      await cache.store(`key:2@${(i + 1) % nodes.length}`, "again");
    }
    await until(
      "all have removed",
      () => nodes.every(({ server }) => server.stats().entries === nodes.length * 29 + 1),
    );
    await until("all have overwritten", () => agree(caches, keys));
    assertEquals((await caches[0].retrieveMany(keys.filter((key) => key.startsWith("key:2@")))).size, nodes.length);
    assertEquals(await caches.at(-1)!.retrieve("key:2@0"), "again");

    await caches.at(-1)!.clear();
    await until("all are empty", () => nodes.every(({ server }) => server.stats().entries === 0));
  });
}

Deno.test("a store, an overwrite, a removal and a clear reach a direct peer without a round", async () => {
  await using nodes = await cluster([[], [0]], { gossipIntervalMs: NO_ROUNDS });
  for (const [from, to] of [[0, 1], [1, 0]].map((pair) => pair.map((i) => nodes[i]))) {
    await using client = clientOf(from.address);
    const has = (value: unknown) => async () => await to.cache.retrieve("k") === value;
    await client.store("k", "first");
    await until("the store is there", has("first"));
    await client.store("k", "second");
    await until("the overwrite is there", has("second"));
    await client.remove("k");
    await until("the removal is there", has(undefined));
    await client.store("k", "third");
    await until("the next store is there", has("third"));
    await client.clear();
    await client.store("after", 1);
    await until("what followed the clear is there", () => to.cache.has("after"));
    assertEquals(to.server.stats().entries, 1);
    await from.cache.clear();
    await until("the clear alone is there", () => to.server.stats().entries === 0);
  }
});

for (const [size, bytes] of [["100 KB", 100_000], ["15 MiB", 15 * 1024 * 1024]] as [string, number][]) {
  Deno.test(`a value of ${size} reaches a direct peer without a round`, async () => {
    await using nodes = await cluster([[], [0], [0]], { gossipIntervalMs: NO_ROUNDS });
    for (const [i, node] of nodes.slice(0, 2).entries()) {
      const value = new Uint8Array(bytes).fill(1 + i);
      await node.cache.store("large", value);
      const peers = i === 0 ? [nodes[1], nodes[2]] : [nodes[0]];
      for (const { cache } of peers) {
        await until("it is there", async () => (await cache.retrieve<Uint8Array>("large"))?.[0] === 1 + i);
        const found = await cache.retrieve<Uint8Array>("large");
        assertEquals([found?.length, found?.every((byte) => byte === 1 + i)], [bytes, true]);
      }
      await node.cache.store("small", i);
      for (const { cache } of peers) {
        await until("what followed is there", async () => await cache.retrieve("small") === i);
      }
    }
  });
}

Deno.test("small writes pass along a line of three without a round", async () => {
  await using nodes = await cluster([[], [0], [1]], { gossipIntervalMs: NO_ROUNDS });
  const [first, , last] = nodes.map(({ cache }) => cache);
  for (const [from, to] of [[first, last], [last, first]]) {
    for (const key of names(50)) await from.store(key, "old");
    await until("stores have passed", async () => (await to.retrieveMany(names(50))).size === 50);
    await from.store("key:1", "new");
    await from.remove("key:2");
    await until("an overwrite has passed", async () => await to.retrieve("key:1") === "new");
    await until("a removal has passed", async () => !await to.has("key:2"));
    await from.clear();
    await from.store("after", 1);
    await until("a clear has passed", async () => !await to.has("key:1"));
    await until("what followed has passed", async () => await to.retrieve("after") === 1);
    assertEquals((await nodes[1].cache.retrieveMany([...names(50), "after"])).size, 1);
    await from.remove("after");
    await until("all is gone", () => nodes.every(({ server }) => server.stats().entries === 0));
  }
});

/** Time that stands still, for all servers in this process, until it is moved on. */
function stillTime(): Disposable & { nowMs: number } {
  const RealDate = Date;
  const time = {
    nowMs: RealDate.now(),
    [Symbol.dispose]() {
      globalThis.Date = RealDate;
    },
  };
  globalThis.Date = class extends RealDate {
    static override now = () => time.nowMs;
  } as DateConstructor;
  return time;
}

Deno.test("a peer is told what remains of a time to live, by a push and by a catch-up", async () => {
  using time = stillTime();
  await using first = await started({ renewOnHit: false });
  await first.cache.store("k", 1, { ttlMs: 1000 });
  time.nowMs += 600;
  await using second = await started({ renewOnHit: false, peers: [first.address] });
  await until("it is caught up with", () => second.cache.has("k"));
  await second.cache.store("other", 1, { ttlMs: 400 });
  await until("it is pushed", () => first.cache.has("other"));
  time.nowMs += 399;
  for (const { cache } of [first, second]) assertEquals((await cache.retrieveMany(["k", "other"])).size, 2);
  time.nowMs += 2;
  for (const { cache } of [first, second]) assertEquals((await cache.retrieveMany(["k", "other"])).size, 0);
});

Deno.test("hits on one server keep an entry alive on the others, also over two of them", async () => {
  using time = stillTime();
  await using nodes = await cluster([[], [0], [1]], { gossipIntervalMs: NO_ROUNDS });
  const [hit, ...others] = nodes;
  await hit.cache.store("k", 1, { ttlMs: 1000 });
  await hit.cache.store("unused", 1, { ttlMs: 1000 });
  for (const { cache } of others) await until("it is there", () => cache.has("unused"));
  for (let hits = 1; hits <= 5; hits++) {
    time.nowMs += 700;
    assertEquals(await hit.cache.retrieve("k"), 1);
    await until("others know", () => others.every(({ server }) => server.stats().gossip.extended === hits));
  }
  time.nowMs += 999;
  for (const { cache } of nodes) assertEquals([await cache.has("k"), await cache.has("unused")], [true, false]);
  time.nowMs += 2;
  for (const { cache } of nodes) assertEquals(await cache.has("k"), false);
});

Deno.test("a server that lists itself says so, and serves", async () => {
  const port = freePort();
  await using node = await started({ listen: `127.0.0.1:${port}`, peers: [`127.0.0.1:${port}`] });
  await until("it knows", () => node.server.stats().peers[0].state === "self");
  const [{ error, address }] = node.server.stats().peers;
  assertEquals([error, address], ["it is this server itself", `127.0.0.1:${port}`]);
  await until("it has hung up", () => connections(node) === 0);
  await node.cache.store("k", 1);
  assertEquals(await node.cache.retrieve("k"), 1);
});

Deno.test("one connection stays where a peer is listed by two addresses", async () => {
  await using other = await started();
  const { port } = new URL(`http://${other.address}`);
  await using node = await started({ peers: [`127.0.0.1:${port}`, `localhost:${port}`] });
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
      started({ listen: `127.0.0.1:${one}`, peers: [`127.0.0.1:${other}`] }),
      started({ listen: `127.0.0.1:${other}`, peers: [`127.0.0.1:${one}`] }),
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

async function together(...starting: Promise<Node>[]): Promise<Node[] & AsyncDisposable> {
  const nodes = await Promise.all(starting);
  const stop = async () => void await Promise.all(nodes.map(({ server }) => server.stop()));
  return Object.assign(nodes, { [Symbol.asyncDispose]: stop });
}

Deno.test("a peer that cannot be used is named once, with what is wrong, and the server serves", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let attempts = 0;
  const answering = (async () => {
    for await (const socket of listener) {
      attempts++;
      await socket.write(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n"));
      socket.close();
    }
  })();
  const foreign = `127.0.0.1:${(listener.addr as Deno.NetAddr).port}`;
  const dead = `127.0.0.1:${freePort()}`;
  await using node = await started({ peers: [dead, foreign] });
  await until("both have failed", () => node.server.stats().peers.every(({ error }) => error !== ""));
  await until("it has been tried again", () => attempts >= 3);
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
  listener.close();
  await answering;
});

Deno.test("a server joins that starts late, and one that stops is found again", async () => {
  const port = freePort();
  await using first = await started({ peers: [`127.0.0.1:${port}`] });
  await until("it fails", () => first.server.stats().peers[0].error !== "");
  const second = await started({ listen: `127.0.0.1:${port}` });
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
    const stored = names(250).map((key) => leaving.cache.store(key, text("v", 16_000)));
    await Promise.all([...stored, leaving.server.stop()]);
    await until("all are there", () => staying.server.stats().entries === 250);
  }
});

/** Servers in processes of their own, on ports that stay theirs. */
class Processes implements AsyncDisposable {
  readonly #lists: number[][];
  readonly #ports: number[];
  readonly #running: (ServeProcess | undefined)[] = [];
  readonly clients: OrmucoCacheClient[];

  constructor(lists: number[][]) {
    this.#lists = lists;
    this.#ports = lists.map(freePort);
    this.clients = this.#ports.map((port) => clientOf(`127.0.0.1:${port}`));
  }

  async start(i: number): Promise<void> {
    const peers = this.#lists[i].map((j) => `127.0.0.1:${this.#ports[j]}`).join();
    this.#running[i] = await serve([
      ...["--listen", `127.0.0.1:${this.#ports[i]}`, "--max-size", "1000000", "--gossip-interval", "0.05"],
      ...peers === "" ? [] : ["--peers", peers],
    ]);
  }

  async startAll(): Promise<void> {
    await Promise.all(this.#lists.map((_, i) => this.start(i)));
    await until("all are connected", () => this.areConnected());
  }

  async kill(i: number): Promise<void> {
    await this.#running[i]!.stop("SIGKILL");
  }

  async stats(i: number): Promise<ServerStats> {
    return (await this.clients[i].stats()).server as ServerStats;
  }

  async areConnected(): Promise<boolean> {
    const all = await Promise.all(this.#lists.map((_, i) => this.stats(i)));
    return all.every((stats, i) => {
      const own = new Set(this.#lists.flatMap((list, j) => j === i ? list : list.includes(i) ? [j] : []));
      return stats?.peers.filter(({ state }) => state === "connected").length === own.size;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.clients.map((client) => client.close()));
    await Promise.all(this.#running.map((server) => server?.stop("SIGKILL")));
  }
}

Deno.test("a server that is killed and starts again on its port is caught up", async () => {
  await using all = new Processes([[], [0]]);
  const [first, second] = all.clients;
  await all.startAll();
  const keys = names(500);
  for (const key of keys) await first.store(key, `${key} of before`);
  await until("it has them", async () => await agree(all.clients, keys));
  await all.kill(0); // the one that is listed: it cannot connect itself
  await second.remove("key:1");
  await second.store("key:2", "of meanwhile");
  await all.start(0);
  await until("it has them again", async () => (await first.retrieveMany(keys)).size === 499);
  assert(await agree(all.clients, keys));
  assertEquals([await first.retrieve("key:1"), await first.retrieve("key:2")], [undefined, "of meanwhile"]);
  await first.store("key:3", "of after");
  await until("it is a peer like before", async () => await second.retrieve("key:3") === "of after");
});

Deno.test("a server that joins is sent every write once, or little more, though both ask at once", async () => {
  await using warm = await started({ gossipIntervalMs: NO_ROUNDS });
  for (const key of names(5000)) await warm.cache.store(key, key);
  await using cold = await started({ gossipIntervalMs: NO_ROUNDS, peers: [warm.address] });
  await until("it has all", () => cold.server.stats().entries === 5000);
  assertEquals(cold.server.stats().gossip.applied, 5000);
  const { sent } = warm.server.stats().gossip;
  assert(sent <= 5512, `${sent} writes were sent for 5000`); // two pages of 256 more
});

Deno.test("a cold server joins and takes 20,000 entries while clients use both", async () => {
  await using warm = await started();
  const keys = names(20_000);
  for (const key of keys) await warm.cache.store(key, key);
  await using cold = await started({ peers: [warm.address] });
  const nodes = [warm, cold];
  await using clients = new AsyncDisposableStack();
  let isOver = false;
  const use = async ({ address }: Node, i: number) => {
    const client = clients.use(clientOf(address));
    for (let n = 0; !isOver; n++) {
      const key = `key:${(n * 7919 + i) % 20_000}`;
      assertEquals(await client.store(key, `${key} again`), true);
      const own = `own:${i}:${n % 100}`;
      await client.store(own, n);
      assertEquals(await client.retrieve(own), n);
    }
  };
  const uses = nodes.map(use);
  await until("it has all", () => cold.server.stats().entries >= 20_000);
  isOver = true;
  await Promise.all(uses);
  const all = [...keys, ...names(100, "own:0"), ...names(100, "own:1")];
  await until("both agree", () => agree(nodes.map(({ cache }) => cache), all));
  assertEquals(warm.server.stats().entries, cold.server.stats().entries);
});

for (
  const [count, lists] of [
    [3, [[], [0], [0, 1]]],
    [5, [[], [0], [1, 0], [2, 1], [3, 0]]],
  ] as [number, number[][]][]
) {
  Deno.test(`${count} processes under load agree after some were killed and started again`, async () => {
    await using all = new Processes(lists);
    await all.startAll();
    const { clients } = all;
    const [steady] = clients;
    let isOver = false;
    let steps = 0;
    /** Everyone writes the same keys, whoever is there or not; the first is never killed. */
    const use = async (client: OrmucoCacheClient, i: number) => {
      for (let n = 0; !isOver; n++) {
        const isThere = await client.store(`shared:${n % 50}`, `${i} ${n}`);
        if (!isThere) await turn(); // its calls fail at once
        await Promise.all([
          client.store(`own:${i}:${n % 200}`, text("v", n % 500)),
          client.remove(`shared:${(n + 25) % 50}`),
          client.retrieve(`shared:${n % 50}`),
        ]);
        if (i === 0) {
          await steady.store(`gone:${n}`, n);
          if (n >= 20) await steady.remove(`gone:${n - 20}`);
          steps = n;
        }
      }
      return client;
    };
    const uses = clients.map(use);
    for (const killed of [count - 1, 1]) {
      const before = steps;
      await until("there is load", () => steps > before + 50);
      await all.kill(killed);
      const since = steps;
      await until("there is load without it", () => steps > since + 50);
      await all.start(killed);
    }
    const back = steps;
    await until("there is load with it", () => steps > back + 50);
    isOver = true;
    await Promise.all(uses);
    const removed = names(steps - 20, "gone");
    const kept = [...Array(20).keys()].map((i) => `gone:${steps - i}`);
    const keys = [
      ...names(50, "shared"),
      ...clients.flatMap((_, i) => names(200, `own:${i}`)),
      ...kept,
    ];
    await until("all are connected again", () => all.areConnected());
    await until("all agree", () => agree(clients, keys));
    const entries = async () => await Promise.all(clients.map(async (_, i) => (await all.stats(i)).entries));
    const isEqual = async () => new Set(await entries()).size === 1;
    await until("all hold as many", isEqual);
    for (const client of clients) {
      assertEquals((await client.retrieveMany(removed)).size, 0, "what was removed is not back");
      assertEquals((await client.retrieveMany(kept)).size, 20);
    }
  });
}

for (const how of ["cut", "hold"] as const) {
  Deno.test(`what both sides of a partition wrote comes together after it (${how})`, async () => {
    await using left = await cluster([[], [0]]);
    await using proxy = new Proxy(Number(left[0].address.split(":")[1]));
    await using right = await started({ peers: [proxy.address] });
    const nodes = [...left, right];
    const caches = nodes.map(({ cache }) => cache);
    const keys = names(100);
    for (const key of keys) await caches[0].store(key, "before");
    await until("all have it", async () => (await right.cache.retrieveMany(keys)).size === 100);
    proxy[how]();
    if (how === "cut") await until("it is noticed", () => connected(right.server).length === 0);
    for (const [i, key] of keys.entries()) {
      const [first, second] = i % 2 === 0 ? [left[1].cache, right.cache] : [right.cache, left[1].cache];
      if (i < 40) {
        await first.store(key, "older");
        await nextMoment();
      }
      if (i < 20) await second.store(key, "newest");
      else if (i < 60) await second.remove(key);
    }
    await left[1].cache.store("of the left", 1);
    await right.cache.store("of the right", 1);
    await until("one side agrees", async () => await agree(left.map(({ cache }) => cache), [...keys, "of the left"]));
    const all = [...keys, "of the left", "of the right"];
    assertEquals(await agree(caches, all), false);
    proxy.heal();
    await until("all agree", () => agree(caches, all));
    const values = [...Array(20).fill("newest"), ...Array(40).fill(undefined), ...Array(40).fill("before"), 1, 1];
    for (const cache of caches) {
      const found = await cache.retrieveMany(all);
      assertEquals(all.map((key) => found.get(key)), values);
    }
  });
}

Deno.test("a clear on one side of a partition spares what the other wrote after it", async () => {
  await using first = await started();
  await using proxy = new Proxy(Number(first.address.split(":")[1]));
  await using second = await started({ peers: [proxy.address] });
  for (const key of names(2000)) await first.cache.store(key, "before");
  await until("both have it", async () => second.server.stats().entries === 2000 && await second.cache.has("key:1999"));
  proxy.cut();
  await until("it is noticed", () => connected(second.server).length === 0);
  await second.cache.store("older", 1);
  await nextMoment();
  await first.cache.clear();
  await nextMoment();
  await second.cache.store("newer", 1);
  proxy.heal();
  await until("both have cleared", () => [first, second].every(({ server }) => server.stats().entries === 1));
  for (const { cache } of [first, second]) {
    assertEquals([await cache.has("older"), await cache.has("newer")], [false, true]);
  }
  assertEquals(second.server.stats().deletions, 2001);
});

Deno.test("a peer behind a slow link holds up no other, and no more waits for it than may", async () => {
  await using slow = await started();
  await using fast = await started();
  await using proxy = new Proxy(Number(slow.address.split(":")[1]));
  await using node = await started({ peers: [proxy.address, fast.address], maxBytes: 64 * 1024 * 1024 });
  await until("both are connected", () => connected(node.server).length === 2);
  proxy.rateBytesPerSecond = 100_000;
  const value = text("v", 16_000);
  const last = async (i: number) => await fast.cache.has(`key:${i}`);
  const row = () => node.server.stats().peers[0];
  let stored = 0;
  for (; row().droppedFull === 0; stored++) {
    assert(stored < 5000, "too much waits");
    await node.cache.store(`key:${stored}`, value);
    if (stored % 20 === 19) await until("the fast one has it", () => last(stored));
  }
  await node.cache.store("end", 1);
  await until("the fast one has all", () => fast.cache.has("end"));
  assertEquals(await slow.cache.has("end"), false);
  assert(row().bytesSent < node.server.stats().peers[1].bytesSent, "the slow one has not been sent as much");
  proxy.heal();
  const keys = [...names(stored), "end"];
  await until("the slow one has all", async () => (await slow.cache.retrieveMany(keys)).size === stored + 1);
  assert(await agree([node, fast, slow].map(({ cache }) => cache), keys));
});

Deno.test("a large value that takes many rounds to arrive is sent once", async () => {
  await using node = await started();
  await using proxy = new Proxy(Number(node.address.split(":")[1]));
  await using other = await started({ peers: [proxy.address] });
  await until("they are connected", () => connected(other.server).length === 1);
  proxy.rateBytesPerSecond = 1_500_000; // 1 MB in some thirty rounds
  await node.cache.store("large", new Uint8Array(1_000_000));
  await until("it is there", () => other.cache.has("large"));
  assertEquals(node.server.stats().gossip.sent, 1);
});

/** A peer of the test's own, that says what it is told to. */
class BadPeer implements Disposable {
  readonly id: number;
  /** Who the server says it is. */
  readonly other: number;
  readonly #socket: Deno.TcpConn;
  readonly #input: FrameReader;

  private constructor(socket: Deno.TcpConn, id: number, input: FrameReader) {
    this.#socket = socket;
    this.id = id;
    this.#input = input;
    this.other = readGreeting(input).peer!.id;
    input.maxBodyBytes = MAX_GOSSIP_BYTES;
  }

  static async connect(node: Node, id = 7, port = 7): Promise<BadPeer> {
    const socket = await Deno.connect({ hostname: "127.0.0.1", port: Number(node.address.split(":")[1]) });
    const output = new FrameWriter();
    writeHello(output, "bad", { id, port });
    await socket.write(output.taken());
    const input = new FrameReader();
    while (!input.next()) input.received(await socket.read(input.space()) ?? 0);
    return new BadPeer(socket, id, input);
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#socket.write(bytes);
  }

  async frame(code: number, bytes: Uint8Array): Promise<void> {
    const output = new FrameWriter();
    output.begin(code);
    output.bytes(bytes);
    output.end();
    await this.write(output.taken());
  }

  async say(body: MessageBody, head: Partial<Head> = {}): Promise<void> {
    const message = { from: this.id, clock: versionAt(Date.now()), cleared: 0, ...body, ...head } as Message;
    await this.frame(GOSSIP, new MessageWriter().write(message));
  }

  /** Reads until the server hangs up. */
  async end(): Promise<void> {
    for (let count: number | null = 0; count !== null;) {
      count = await this.#socket.read(this.#input.space()).catch(() => null);
    }
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

const soon = (): number => versionAt(Date.now() + 1000);
const far = (): number => versionAt(Date.now() + 120_000);

for (
  const [what, speak, reason] of [
    ["sends rubbish", (peer) => peer.write(new Uint8Array(1000).fill(0xff)), "bad header"],
    ["sends a frame of a client", (peer) => peer.frame(REQUEST.clear, new Uint8Array()), "a frame of code 7"],
    ["sends a frame of an unknown code", (peer) => peer.frame(0xee, new Uint8Array()), "a frame of code 238"],
    [
      "announces a frame that is too long",
      (peer) =>
        peer.write(
          Uint8Array.of(...new Uint8Array(Uint32Array.of(MAX_GOSSIP_BYTES + 1).buffer).reverse(), 0, 0, GOSSIP, 0),
        ),
      "bad header",
    ],
    [
      "sends a message that is none",
      (peer) => peer.frame(GOSSIP, new Uint8Array(100).fill(99)),
      "a version that is none",
    ],
    ["sends a message that is empty", (peer) => peer.frame(GOSSIP, new Uint8Array()), "truncated"],
  ] as [string, (peer: BadPeer) => Promise<void>, string][]
) {
  Deno.test(`a peer that ${what} loses its own connection and nothing else`, async () => {
    await using nodes = await cluster([[], [0]]);
    const [node, good] = nodes;
    await node.cache.store("k", "v");
    {
      using bad = await BadPeer.connect(node);
      await until("it is taken for a peer", () => connected(node.server).length === 2);
      await speak(bad);
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
  using bad = await BadPeer.connect(node);
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
  using bad = await BadPeer.connect(node);
  const row = () => node.server.stats().peers.find(({ id }) => id === bad.id);
  await until("it is taken for a peer", () => row() !== undefined);
  const none = { known: new Map(), turn: 0 };
  await bad.say({ type: MESSAGE.known, ...none }, { clock: far() });
  await bad.say({ type: MESSAGE.known, ...none }, { cleared: far() });
  await bad.say({ type: MESSAGE.news, origin: bad.id, last: far() });
  await bad.say({ type: MESSAGE.known, turn: 0, known: new Map([[bad.other, far()]]) });
  await until("they are counted", () => row()?.refusedFuture === 4);
  const { gossip, protocolErrors } = node.server.stats();
  assertEquals([gossip.fromFuture, protocolErrors, row()!.state], [4, 0, "connected"]);
  assertEquals(node.lines.filter((line) => line.startsWith("Peer 127.0.0.1:7 is not believed")).length, 1);
  await node.cache.store("after", 1);
  await until("the good one hears", () => good.cache.has("after"));
  assertEquals([await node.cache.retrieve("k"), await good.cache.retrieve("k")], ["v", "v"]);
  await bad.say({ type: MESSAGE.sync, digest: 1 }, { cleared: versionAt(Date.now()) }); // it is believed again
  await until("a clear is taken", () => good.server.stats().entries === 0);
});

Deno.test("a listed peer that breaks the protocol is counted in its row, and tried again", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let greetings = 0;
  const answering = (async () => {
    for await (const socket of listener) {
      const input = new FrameReader();
      while (!input.next()) input.received(await socket.read(input.space()) ?? 0);
      const output = new FrameWriter();
      writeGreeting(output, "bad/1", 9, {});
      output.bytes(new Uint8Array(100).fill(0xff));
      await socket.write(output.taken());
      socket.close();
      greetings++;
    }
  })();
  await using node = await started({ peers: [`127.0.0.1:${(listener.addr as Deno.NetAddr).port}`] });
  await until("it is tried again", () => greetings >= 2);
  await until("both are counted", () => node.server.stats().peers[0].refusedBad >= 2);
  const { error } = node.server.stats().peers[0];
  assertStringIncludes(error, "bad header");
  assert(node.server.stats().protocolErrors >= 2);
  listener.close();
  await answering;
});

/** All fields of a peer, as the compiler knows them. */
const FIELDS: Record<keyof PeerStats, string> = {
  address: "string",
  state: "string",
  id: "number",
  error: "string",
  roundTripMs: "number",
  lastRoundMs: "number",
  lag: "number",
  catchingUp: "boolean",
  bytesReceived: "number",
  bytesSent: "number",
  entriesReceived: "number",
  entriesSent: "number",
  refusedFuture: "number",
  refusedBad: "number",
  droppedFull: "number",
};

Deno.test("cli stats --json and peers --json show all that is known of each peer", async () => {
  const dead = `127.0.0.1:${freePort()}`;
  await using listed = await started();
  await using node = await started({ peers: [listed.address, dead] });
  await using lister = await started({ peers: [node.address] });
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
