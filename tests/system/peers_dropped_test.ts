/** Entries that a server drops because a peer that was out of reach does not confirm them: they are counted, and a line is logged. */

import { assertEquals } from "@std/assert";
import { agree, connected, names, startedNode } from "../support/cluster.ts";
import { until } from "../support/waiting.ts";

Deno.test("a server counts and logs what it drops when entries left a peer in a newer version that it missed", async () => {
  await using small = await startedNode({ maxSize: 10 });
  await using large = await startedNode({ peers: [small.address] });
  const [keys, others] = [names(5), names(10, "other")];
  for (const key of keys) await small.cache.store(key, "old");
  await until("both have them", () => large.server.stats().entries === 5);
  await large.server.stop();
  for (const key of keys) await small.cache.store(key, "new");
  for (const key of others) await small.cache.store(key, 1);
  assertEquals(small.server.stats().fingerprints, 5);
  await large.server.startServer();
  await until("both know the same", () => agree([small.cache, large.cache], [...keys, ...others]));
  const { gossip, entries } = large.server.stats();
  assertEquals([gossip.covered, gossip.unconfirmed, entries], [5, 0, 10]);
  await until("it says so", () => connected(large.server)[0]?.entriesDropped === 5);
  assertEquals(large.lines.filter((line) => line.includes("did not confirm")), [
    `Peer ${small.address} did not confirm 5 entries, which were dropped here: ` +
    "5 may be older than a write that has left the peer",
  ]);
  assertEquals(connected(small.server)[0].entriesDropped, 0);
});
