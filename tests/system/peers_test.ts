/** Servers that are peers come to hold the same: by pushes, and by catching up. */

import { assertEquals } from "@std/assert";
import { agree, cluster, connected, names, NO_ROUNDS, startedNode } from "../support/cluster.ts";
import { clientOf } from "../support/servers.ts";
import { stillTime } from "../support/still_time.ts";
import { until } from "../support/waiting.ts";

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

Deno.test("a store that is refused leaves no older value on a peer, though here that has been evicted", async () => {
  await using small = await startedNode({ maxBytes: 64 * 1024 });
  await using large = await startedNode({ peers: [small.address] });
  await until("they are connected", () => connected(large.server).length === 1);
  const [{ cache, address }, { cache: other }] = [small, large];
  await using client = clientOf(address);
  const stores: [string, () => Promise<unknown>][] = [
    ["client", () => client.store("k", new Uint8Array(60_000))],
    ["cache", () => cache.store("k", new Uint8Array(60_000))],
  ];
  for (const [who, store] of stores) {
    await other.store("k", "old");
    await until("the store is there", () => cache.has("k"));
    for (let i = 0; await cache.has("k"); i++) await cache.store(`filler:${who}:${i}`, new Uint8Array(2000));
    assertEquals(await other.has("k"), true);
    assertEquals(await store(), false);
    await until("the older value is gone", async () => !await other.has("k"));
  }
});

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

Deno.test("a peer is told what remains of a time to live, by a push and by a catch-up", async () => {
  using time = stillTime();
  await using first = await startedNode({ renewOnHit: false });
  await first.cache.store("k", 1, { ttlMs: 1000 });
  time.nowMs += 600;
  await using second = await startedNode({ renewOnHit: false, peers: [first.address] });
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

Deno.test("an entry that a hit does not renew expires on all servers, however much each is asked for it", async () => {
  using time = stillTime();
  await using first = await startedNode();
  await using client = clientOf(first.address);
  await client.store("k", 1, { ttlMs: 1000, renewOnHit: false });
  await using second = await startedNode({ peers: [first.address] });
  await until("it is caught up with", () => second.cache.has("k"));
  await client.store("pushed", 1, { ttlMs: 1000, renewOnHit: false });
  await client.store("renewed", 1, { ttlMs: 1000 });
  await until("the others are pushed", () => second.cache.has("renewed"));
  const caches = [client, first.cache, second.cache];
  const hits = async () =>
    await Promise.all(caches.map(async (cache) => [...(await cache.retrieveMany(["k", "pushed", "renewed"])).keys()]));
  const all = ["k", "pushed", "renewed"];
  for (const ms of [0, 333, 333, 333]) {
    time.nowMs += ms;
    assertEquals(await hits(), [all, all, all]);
  }
  time.nowMs += 2;
  assertEquals(await hits(), [["renewed"], ["renewed"], ["renewed"]]);
});
