/** A server's counters, and its statistics made from them. It counts nothing itself. */

import { SOFTWARE } from "../base/software.ts";
import type { GossipTotals, LeaseStats, NearStats, PeerStats, ServerStats, SnapshotStats } from "../base/stats.ts";
import type { Store } from "../store/store.ts";
import type { Buffers } from "./buffers.ts";
import type { Turns } from "./turns.ts";

/** Counters that all connections of a server share. */
export interface ServerCounters {
  /** Requests received, in any protocol. */
  requests: number;
  /** Requests of the native protocol that were refused. */
  refusals: number;
  /** Breaches of a protocol: bytes that were no request or message of it. */
  protocolErrors: number;
  connectionsAccepted: number;
  connectionsRefused: number;
  /** Connections ended: for idleness, because they kept the server waiting, and to make room for others. */
  connectionsIdle: number;
  connectionsSlow: number;
  connectionsReplaced: number;
  /** Connections ended because their credential was withdrawn. */
  connectionsWithdrawn: number;
  /** Credentials that were shown: those that were good, and those that were not. */
  logins: number;
  loginsFailed: number;
  /** Handshakes of TLS that succeeded, and that failed. */
  tlsHandshakes: number;
  tlsFailures: number;
  /** Times that another certificate was taken up, and that one could not be. */
  certificateRenewals: number;
  certificateFaults: number;
  bytesReceived: number;
  bytesSent: number;
}

/** Makes counters, all 0. */
export function newCounters(): ServerCounters {
  return {
    connectionsAccepted: 0,
    connectionsRefused: 0,
    connectionsIdle: 0,
    connectionsSlow: 0,
    connectionsReplaced: 0,
    connectionsWithdrawn: 0,
    requests: 0,
    refusals: 0,
    tlsHandshakes: 0,
    tlsFailures: 0,
    certificateRenewals: 0,
    certificateFaults: 0,
    protocolErrors: 0,
    logins: 0,
    loginsFailed: 0,
    bytesReceived: 0,
    bytesSent: 0,
  };
}

/** The figures of a server that makes no snapshots, or has not made one yet. */
export const NO_SNAPSHOTS: SnapshotStats = {
  snapshotMs: 0,
  snapshotEntries: 0,
  snapshotFailures: 0,
  snapshotError: "",
};

/** The sources of a server's statistics. */
export interface StatisticsSource {
  readonly store: Store;
  readonly counters: ServerCounters;
  readonly uptimeMs: number;
  readonly isReady: boolean;
  readonly connections: number;
  readonly buffers: Pick<Buffers, "bytes" | "maxBytes" | "cuts">;
  /** When the certificate expires; 0 without one. */
  readonly certificateExpiresMs: number;
  /** When the next one is ordered; 0 if none is. */
  readonly certificateOrderMs: number;
  readonly turns: Pick<Turns, "waits">;
  readonly near: NearStats;
  readonly leases: LeaseStats;
  /** Figures of snapshots, where any are made. */
  readonly snapshots?: SnapshotStats;
  readonly gossip: GossipTotals;
  readonly peers: PeerStats[];
}

/** Returns the statistics of a server. */
export function serverStats(source: StatisticsSource): ServerStats {
  const { store, counters, uptimeMs, connections, buffers, turns, gossip, peers } = source;
  return {
    server: SOFTWARE,
    uptimeMs: Math.round(uptimeMs),
    ready: source.isReady,
    maxSize: store.maxSize === Infinity ? 0 : store.maxSize,
    maxBytes: store.maxBytes ?? 0,
    maxForgotten: store.maxForgotten,
    ...store.stats(),
    connections,
    ...counters,
    certificateExpiresMs: source.certificateExpiresMs,
    certificateOrderMs: source.certificateOrderMs,
    connectionsCut: buffers.cuts,
    turnsWaited: turns.waits,
    bufferBytes: buffers.bytes,
    maxBuffers: buffers.maxBytes,
    ...source.near,
    ...source.leases,
    ...(source.snapshots ?? NO_SNAPSHOTS),
    gossip,
    peers,
  };
}
