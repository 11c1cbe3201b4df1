/** A server's statistics: what they take from the store, and what from elsewhere. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { newCounters, serverStats } from "../../lib/server/statistics.ts";
import { localStore, NOW_MS, replicatingStore, type StoreSettings } from "../support/stores.ts";
import { distinctStats } from "../support/server_stats.ts";
import { set } from "../support/gossip_nodes.ts";
import type { Store } from "../../lib/store/store.ts";

function statsOf(store: Store) {
  const { gossip, peers } = distinctStats();
  return serverStats({
    store,
    counters: newCounters(),
    certificateExpiresMs: 0,
    certificateOrderMs: 0,
    uptimeMs: 5.4,
    isReady: true,
    connections: 6,
    buffers: { bytes: 7, maxBytes: 8, cuts: 9 },
    turns: { waits: 10 },
    near: { nearConnections: 11, nearInvalidations: 12, nearResets: 13 },
    leases: { leasesGiven: 14, leasesLost: 15, leasesHandedOver: 16, leaseWaits: 17 },
    gossip,
    peers,
  });
}

function replicating(settings: StoreSettings): Store {
  return replicatingStore({ nowMs: NOW_MS }, settings);
}

Deno.test("serverStats() passes on all totals of gossip, the entries dropped among them", () => {
  const { gossip, peers } = distinctStats();
  const stats = statsOf(replicating({ maxSize: 5 }));
  assertEquals([stats.gossip, stats.peers, stats.uptimeMs, stats.connections], [gossip, peers, 5, 6]);
  assert(gossip.covered > 0 && gossip.unconfirmed > 0);
});

Deno.test("serverStats() counts the fingerprints of writes that have left, as many as maxForgotten and a few more", () => {
  const store = replicating({ maxSize: 10, maxForgotten: 150 });
  for (let i = 0; i < 110; i++) set(store, i);
  const { entries, evictions, fingerprints, maxForgotten } = statsOf(store);
  assertEquals([entries, evictions, fingerprints, maxForgotten], [10, 100, 100, 150]);
  for (let i = 110; i < 1000; i++) {
    set(store, i);
    const { fingerprints } = statsOf(store);
    assert(fingerprints <= 180 && fingerprints >= Math.min(i - 9, 150), `${fingerprints} of 150, after ${i - 9}`);
  }
});

Deno.test("serverStats() has no fingerprints when the store keeps none", () => {
  for (const store of [replicating({ maxSize: 10, maxForgotten: 0 }), localStore({ nowMs: NOW_MS }, { maxSize: 10 })]) {
    for (let i = 0; i < 20; i++) set(store, i);
    const { evictions, fingerprints, maxForgotten } = statsOf(store);
    assertEquals([evictions, fingerprints, maxForgotten], [10, 0, 0]);
  }
});

Deno.test("serverStats() says how many fingerprints memory allows when the store was not told", () => {
  assertStrictEquals(statsOf(replicating({ maxSize: 10 })).maxForgotten, 1_469_644);
});
