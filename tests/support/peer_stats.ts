/** A row of the statistics of peers, for tests. */

import type { PeerStats } from "../../lib/base/stats.ts";

/** The row of a peer that is connected and caught up with, but for what a test says. */
export function peerStats(facts: Partial<PeerStats>): PeerStats {
  return {
    name: "",
    address: "10.0.0.1:11142",
    state: "connected",
    ready: true,
    id: 5,
    error: "",
    roundTripMs: 0.5,
    lastRoundMs: 1240,
    lag: 0,
    lagMs: 0,
    catchingUp: false,
    bytesReceived: 1,
    bytesSent: 2,
    entriesReceived: 0,
    entriesSent: 0,
    entriesDropped: 0,
    refusedFuture: 0,
    refusedBad: 0,
    droppedFull: 0,
    ...facts,
  };
}
