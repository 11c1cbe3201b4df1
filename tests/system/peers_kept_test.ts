/** What a server that was alone until now does to what its peers hold: nothing that nobody deleted may leave them. */

import { assert, assertEquals } from "@std/assert";
import { connected, type Node, startedNode } from "../support/cluster.ts";
import { portOf } from "../support/ports.ts";
import { TcpProxy } from "../support/proxy.ts";
import { until } from "../support/waiting.ts";

const ENTRIES = 5000;
/** Entries that leave a server while it is alone: more than it keeps graves of. */
const MANY = 20_000;

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

/** Whether every node has kept what was written: all of it, or 99 % where more has left than anyone has graves of. */
async function assertKept(nodes: Node[], prefix: string, departures: number): Promise<void> {
  const counts = await Promise.all(nodes.map((node) => kept(node, prefix)));
  const least = departures >= MANY ? 0.99 * ENTRIES : ENTRIES;
  assert(counts.every((count) => count >= least), `of ${ENTRIES} entries they kept ${counts.join(", ")}`);
}

for (const evictions of [72, MANY]) {
  Deno.test(`peers keep what they hold when a small server that evicted ${evictions} while it was alone joins them by another`, async () => {
    await using b = await startedNode();
    await using c = await startedNode({ peers: [b.address] });
    await fill(b, "b");
    await until("c has all", async () => await kept(c, "b") === ENTRIES);
    await using alone = await startedNode({ maxSize: 128 });
    for (let i = 0; i < 128 + evictions; i++) await alone.cache.store(`alone:${i}`, i);
    assertEquals(alone.server.stats().evictions, evictions);
    const last = `alone:${127 + evictions}`;
    await using d = await startedNode({ peers: [alone.address, b.address] });
    await until("d has heard of it", () => d.cache.has(last));
    await until("b has heard of it", async () => await b.cache.has(last) && await c.cache.has(last));
    await agreed(b, c, d);
    await assertKept([b, c, d], "b", evictions);
  });
}

for (const expirations of [1, MANY]) {
  Deno.test(`peers keep what they hold when a server that lists nobody restarts, and ${expirations} expire before they are back`, async () => {
    const first = await startedNode();
    await using proxy = new TcpProxy(portOf(first.address));
    await using b = await startedNode({ peers: [proxy.address] });
    await using c = await startedNode({ peers: [proxy.address] });
    await fill(b, "b");
    await until("c has all", async () => await kept(c, "b") === ENTRIES);
    proxy.cut();
    await first.server.stop();
    await using again = await startedNode();
    proxy.target = portOf(again.address);
    for (let i = 0; i < expirations; i++) await again.cache.store(`short:${i}`, i, { ttlMs: 1 });
    await until("they have expired", () => again.server.stats().expirations === expirations);
    proxy.heal();
    await until("both are back", () => connected(again.server).length === 2);
    await b.cache.store("after", 1);
    await until("they hear of each other", async () => await again.cache.has("after") && await c.cache.has("after"));
    await agreed(again, b, c);
    await assertKept([again, b, c], "b", expirations);
  });
}
