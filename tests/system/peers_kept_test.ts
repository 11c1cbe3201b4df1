/** What a server that was alone until now does to what its peers hold: nothing that nobody deleted may leave them. */

import { assertEquals } from "@std/assert";
import { connected, type Node, startedNode } from "../support/cluster.ts";
import { freePort } from "../support/ports.ts";
import { until } from "../support/waiting.ts";

const ENTRIES = 5000;

async function fill({ cache }: Node, prefix: string): Promise<void> {
  for (let i = 0; i < ENTRIES; i++) await cache.store(`${prefix}:${i}`, i);
}

/** How much of it is there. */
async function kept({ cache }: Node, prefix: string): Promise<number> {
  const keys = Array.from({ length: ENTRIES }, (_, i) => `${prefix}:${i}`);
  return (await cache.retrieveMany(keys)).size;
}

/** Waits for three rounds after which nobody lacks anything, so that what is to be dropped has been. */
async function agreed(...nodes: Node[]): Promise<void> {
  const rows = () => nodes.flatMap(({ server }) => connected(server));
  for (let rounds = 0; rounds < 3; rounds++) {
    const heard = rows().map(({ bytesReceived }) => bytesReceived);
    await until("a round has passed", () => rows().every(({ bytesReceived }, i) => bytesReceived > heard[i]));
    await until("nobody lacks anything", () => rows().every(({ lag, catchingUp }) => lag === 0 && !catchingUp));
  }
}

Deno.test("peers keep what they hold when a small server that has evicted while it was alone joins them by another", async () => {
  await using b = await startedNode();
  await using c = await startedNode({ peers: [b.address] });
  await fill(b, "b");
  await until("c has all", async () => await kept(c, "b") === ENTRIES);
  await using alone = await startedNode({ maxSize: 128 });
  for (let i = 0; i < 200; i++) await alone.cache.store(`alone:${i}`, i);
  assertEquals(alone.server.stats().evictions, 72);
  await using d = await startedNode({ peers: [alone.address, b.address] });
  await until("d has heard of it", () => d.cache.has("alone:199"));
  await until("b has heard of it", async () => await b.cache.has("alone:199") && await c.cache.has("alone:199"));
  await agreed(b, c, d);
  assertEquals([await kept(b, "b"), await kept(c, "b"), await kept(d, "b")], [ENTRIES, ENTRIES, ENTRIES]);
});

Deno.test("peers keep what they hold when a server that lists nobody restarts, and an entry expires before they are back", async () => {
  const listen = `127.0.0.1:${freePort()}`;
  const first = await startedNode({ listen });
  await using b = await startedNode({ peers: [listen] });
  await using c = await startedNode({ peers: [listen] });
  await fill(b, "b");
  await until("c has all", async () => await kept(c, "b") === ENTRIES);
  await first.server.stop();
  await using again = await startedNode({ listen });
  await again.cache.store("short", 1, { ttlMs: 1 });
  await until("it has expired", async () => !await again.cache.has("short"));
  await until("both are back", () => connected(again.server).length === 2);
  await until("it has all again", async () => await kept(again, "b") === ENTRIES);
  await agreed(again, b, c);
  assertEquals([await kept(again, "b"), await kept(b, "b"), await kept(c, "b")], [ENTRIES, ENTRIES, ENTRIES]);
});
