/** Servers that are peers, some in processes of their own: they join, are killed, and start again under load. */

import { assert, assertEquals } from "@std/assert";
import type { OrmucoCacheClient, ServerStats } from "../../mod.ts";
import { agree, names, NO_ROUNDS, type Node, startedNode } from "../support/cluster.ts";
import { freePort } from "../support/ports.ts";
import { serve, type ServeProcess } from "../support/processes.ts";
import { clientOf } from "../support/servers.ts";
import { turn, until } from "../support/waiting.ts";

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
  await using warm = await startedNode({ gossipIntervalMs: NO_ROUNDS });
  for (const key of names(5000)) await warm.cache.store(key, key);
  await using cold = await startedNode({ gossipIntervalMs: NO_ROUNDS, peers: [warm.address] });
  await until("it has all", () => cold.server.stats().entries === 5000);
  assertEquals(cold.server.stats().gossip.applied, 5000);
  const { sent } = warm.server.stats().gossip;
  assert(sent <= 5512, `${sent} writes were sent for 5000`); // two pages of 256 more
});

Deno.test("a cold server joins and takes 20,000 entries while clients use both", async () => {
  await using warm = await startedNode();
  const keys = names(20_000);
  for (const key of keys) await warm.cache.store(key, key);
  await using cold = await startedNode({ peers: [warm.address] });
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
          client.store(`own:${i}:${n % 200}`, "v".repeat(n % 500)),
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
