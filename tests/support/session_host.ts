/** What a session belongs to, in tests: a store and counters, without a server. */

import { MemcachedCommands } from "../../lib/memcached/commands.ts";
import { processClock } from "../../lib/platform/clock.ts";
import type { GossipTotals } from "../../lib/base/stats.ts";
import { Insight } from "../../lib/server/insight.ts";
import { newCounters, serverStats } from "../../lib/server/statistics.ts";
import type { SessionHost } from "../../lib/server/protocols.ts";
import { Leases } from "../../lib/near/leases.ts";
import { Slots } from "../../lib/near/slots.ts";
import { PushQueue } from "../../lib/server/push_queue.ts";
import { Store } from "../../lib/store/store.ts";
import type { StoreOptions } from "../../lib/store/store_options.ts";

const NO_GOSSIP: GossipTotals = {
  applied: 0,
  repeated: 0,
  sent: 0,
  pushed: 0,
  gaps: 0,
  extended: 0,
  fromFuture: 0,
  verifications: 0,
  unconfirmed: 0,
  covered: 0,
};

/** The nonce that the server uses as a client of others. */
export const OWN_NONCE = "n0".repeat(12);

/** What `sessionHost` returns. */
export interface TestHost extends SessionHost {
  readonly store: Store;
  /** What is to be run later, and when. */
  later: { ms: number; run: () => void } | undefined;
  /** When leases want to be looked at. Their tokens are 1, 2 and so on. */
  dueMs: number;
}

/** A host with a store of its own. */
export function sessionHost(options: Partial<StoreOptions> = {}, maxItemBytes = 1024 * 1024): TestHost {
  // Every server replicates: without versions there are no states to compare.
  const replicates = { replicates: true };
  const store = new Store({
    maxSize: 1000,
    ttlMs: 0,
    renewOnHit: true,
    hashKey: [1, 2],
    clock: processClock,
    ...replicates,
    ...options,
  });
  const counters = { requests: 0, refusals: 0, protocolErrors: 0 };
  const near = new Slots(store);
  const insight = new Insight(store, processClock.now);
  let tokens = 0;
  const leases = new Leases(store, (dueMs) => host.dueMs = dueMs);
  const host: TestHost = {
    store,
    near,
    pushes: new PushQueue(0),
    leases,
    newToken: () => ({ high: 0, low: ++tokens }),
    dueMs: Infinity,
    memcached: new MemcachedCommands({ store, maxItemBytes, leases, later: (ms, run) => host.later = { ms, run } }),
    later: undefined,
    software: "test/1",
    id: 1,
    cluster: "",
    pid: 1,
    maxConnections: 10,
    idleTimeoutSeconds: 0,
    asksForCredentials: false,
    forgetPeer: (address) => address === "10.0.0.9:11142" ? "forgotten" : "unknown",
    isOwnNonce: (nonce) => nonce === OWN_NONCE,
    cpuTime: () => undefined,
    connected: () => [],
    counters,
    insight: (seesKeys) => insight.ask(seesKeys),
    stats: () =>
      serverStats({
        store,
        counters: { ...newCounters(), ...counters },
        certificateExpiresMs: 0,
        certificateOrderMs: 0,
        uptimeMs: 0,
        isReady: true,
        connections: 1,
        buffers: { bytes: 0, maxBytes: 0, cuts: 0 },
        turns: { waits: 0 },
        near: near.stats,
        leases: { ...leases.stats, leaseWaits: leases.waiting },
        gossip: NO_GOSSIP,
        peers: [],
      }),
  };
  return host;
}
