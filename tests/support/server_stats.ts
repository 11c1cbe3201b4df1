/** Statistics of a server, as a test wants them. */

import type { ServerStats } from "../../lib/base/stats.ts";

/** Statistics of which no two numbers are equal, and none is 0: one that is told in another's place is found out. */
export function distinctStats(): ServerStats {
  return {
    server: "test/1",
    uptimeMs: 1_234_567,
    entries: 102,
    bytes: 103,
    memoryBytes: 104,
    fingerprints: 131,
    maxSize: 105,
    maxBytes: 106,
    maxForgotten: 132,
    hits: 107,
    misses: 108,
    stores: 109,
    deletions: 110,
    evictions: 111,
    expirations: 112,
    connections: 113,
    connectionsAccepted: 114,
    connectionsRefused: 115,
    connectionsIdle: 150,
    connectionsSlow: 151,
    connectionsReplaced: 152,
    connectionsCut: 153,
    turnsWaited: 154,
    bufferBytes: 155,
    maxBuffers: 156,
    requests: 116,
    refusals: 117,
    protocolErrors: 118,
    bytesReceived: 119,
    bytesSent: 120,
    gossip: {
      applied: 121,
      repeated: 122,
      sent: 123,
      pushed: 124,
      gaps: 125,
      extended: 126,
      fromFuture: 127,
      verifications: 128,
      unconfirmed: 129,
      covered: 130,
    },
    peers: [],
  };
}
