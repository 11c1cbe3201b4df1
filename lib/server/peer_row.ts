/** A peer that is connected, and what the statistics show of one. It knows figures, not how they come about. */

import type { PeerStats } from "../base/stats.ts";
import type { Gossip } from "../replication/gossip.ts";
import { roundTripMs } from "../replication/round_trips.ts";
import { type ClockDoubt, clockDoubt } from "./clock_doubt.ts";
import type { PeerConnection } from "./peer_connection.ts";

/** A peer with a connection in use. */
export interface ConnectedPeer {
  readonly number: number;
  readonly id: number;
  /** The peer's address, for log lines. */
  readonly address: string;
  /** Whether this server has made the connection. */
  readonly isOwn: boolean;
  readonly connection: PeerConnection;
  readonly doubt: ClockDoubt;
  refusedFuture: number;
}

/** The statistics of a peer that is connected, or of an address where none is. */
export function peerRow(
  address: string,
  peer: ConnectedPeer | undefined,
  gossip: Pick<Gossip, "peer" | "lag" | "catchingUpWith" | "writesAheadMs">,
  nowMs: number,
): PeerStats {
  const state = peer && gossip.peer(peer.number);
  const lag = peer === undefined ? { writes: 0, ms: 0 } : gossip.lag(peer.number);
  const lastRoundMs = state?.lastRoundMs;
  const doubt = state && clockDoubt(state, gossip.writesAheadMs);
  return {
    address,
    state: doubt === undefined ? "connected" : "clocks-differ",
    id: peer?.id ?? 0,
    error: doubt ?? "",
    roundTripMs: rounded((state && roundTripMs(state.roundTrips, nowMs)) ?? -1),
    lastRoundMs: lastRoundMs === undefined ? -1 : rounded(Math.max(0, nowMs - lastRoundMs)),
    lag: lag.writes,
    lagMs: rounded(lag.ms),
    catchingUp: peer !== undefined && gossip.catchingUpWith === peer.number,
    bytesReceived: peer?.connection.bytesReceived ?? 0,
    bytesSent: peer?.connection.bytesSent ?? 0,
    entriesReceived: state?.applied ?? 0,
    entriesSent: state?.sent ?? 0,
    entriesDropped: state?.dropped ?? 0,
    refusedFuture: peer?.refusedFuture ?? 0,
    refusedBad: 0,
    droppedFull: peer?.connection.dropped ?? 0,
  };
}

function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
