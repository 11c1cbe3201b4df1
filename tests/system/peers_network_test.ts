/** Peers across a network that fails: cut, held up, slow. */

import { assert, assertEquals } from "@std/assert";
import { agree, cluster, connected, names, startedNode } from "../support/cluster.ts";
import { portOf } from "../support/ports.ts";
import { TcpProxy } from "../support/proxy.ts";
import { nextMoment, until } from "../support/waiting.ts";

for (const how of ["cut", "hold"] as const) {
  Deno.test(`what both sides of a partition wrote comes together after it (${how})`, async () => {
    await using left = await cluster([[], [0]]);
    await using proxy = new TcpProxy(portOf(left[0].address));
    await using right = await startedNode({ peers: [proxy.address] });
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
  await using first = await startedNode();
  await using proxy = new TcpProxy(portOf(first.address));
  await using second = await startedNode({ peers: [proxy.address] });
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
  await using slow = await startedNode();
  await using fast = await startedNode();
  await using proxy = new TcpProxy(portOf(slow.address));
  await using node = await startedNode({ peers: [proxy.address, fast.address], maxBytes: 64 * 1024 * 1024 });
  await until("both are connected", () => connected(node.server).length === 2);
  proxy.rateBytesPerSecond = 100_000;
  const value = "v".repeat(16_000);
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
  await using node = await startedNode();
  await using proxy = new TcpProxy(portOf(node.address));
  await using other = await startedNode({ peers: [proxy.address] });
  await until("they are connected", () => connected(other.server).length === 1);
  proxy.rateBytesPerSecond = 1_500_000; // 1 MB in some thirty rounds
  await node.cache.store("large", new Uint8Array(1_000_000));
  await until("it is there", () => other.cache.has("large"));
  assertEquals(node.server.stats().gossip.sent, 1);
});

Deno.test("a server catches up over a way that is longer than three rounds, and is sent everything once", async () => {
  await using node = await startedNode();
  const keys = names(3000);
  for (const key of keys) await node.cache.store(key, "v".repeat(400));
  await using proxy = new TcpProxy(portOf(node.address), { delayMs: 100, maxBytesInFlight: 16 * 1024 * 1024 });
  await using other = await startedNode({ peers: [proxy.address] }); // ten rounds there and back
  await until("it has all", () => other.server.stats().entries === 3000);
  const [row] = other.server.stats().peers;
  assert(row.roundTripMs >= 200, `${row.roundTripMs} ms there and back`);
  const { sent } = node.server.stats().gossip;
  assert(sent <= 1.5 * 3000, `${sent} writes were sent for 3000`);
  assert(row.bytesReceived <= 1.5 * 3000 * 420, `${row.bytesReceived} bytes`);
});

Deno.test("a cold server over a long way is given first what is used, and what is written meanwhile at once", async () => {
  await using node = await startedNode();
  const keys = names(20_000);
  for (const key of keys) await node.cache.store(key, "v".repeat(400));
  const used = names(200).map((_, i) => keys[100 * i]);
  for (const key of used) await node.cache.retrieve(key);
  const line = { delayMs: 100, rateBytesPerSecond: 1_000_000, maxBytesInFlight: 16 * 1024 * 1024 };
  await using proxy = new TcpProxy(portOf(node.address), line);
  await using cold = await startedNode({ gossipIntervalMs: 1000, peers: [proxy.address] });
  await until("it has what is used", async () => (await cold.cache.retrieveMany(used)).size === used.length);
  const early = cold.server.stats().entries;
  assert(early < keys.length / 2, `${early} entries are there with those that are used`);
  await node.cache.store("new", 1);
  await until("it has the new one", () => cold.cache.has("new"));
  const { entries, gossip } = cold.server.stats();
  assert(entries < keys.length && gossip.gaps > 0, "it has been given all before what was written meanwhile");
  proxy.rateBytesPerSecond = Infinity;
  await until("it has all", () => cold.server.stats().entries === keys.length + 1);
  const [row] = cold.server.stats().peers;
  assert(row.bytesReceived <= 1.5 * keys.length * 420, `${row.bytesReceived} bytes`);
});
