/** Formats a server's statistics and its peers as lines for the command line. It prints nothing. */

import { awaitedText } from "../base/readiness.ts";
import type { PeerStats, ServerStats } from "../base/stats.ts";

const COLUMNS = ["peer", "state", "round trip", "last round", "lag", "received", "sent", "dropped", "refused"];

/** Returns a line of headings, a line for each peer, and a line for each failure. */
export function peerLines(peers: readonly PeerStats[]): string[] {
  const rows = peers.map((peer) => [
    peer.address,
    peer.catchingUp ? "catching up" : peer.state,
    peer.roundTripMs < 0 ? "-" : `${peer.roundTripMs.toFixed(2)} ms`,
    peer.lastRoundMs < 0 ? "-" : `${(peer.lastRoundMs / 1000).toFixed(1)} s ago`,
    peer.lag === 0 ? "0" : `${peer.lag.toLocaleString("en")} (${(peer.lagMs / 1000).toFixed(1)} s)`,
    peer.entriesReceived.toLocaleString("en"),
    peer.entriesSent.toLocaleString("en"),
    peer.entriesDropped.toLocaleString("en"),
    (peer.refusedFuture + peer.refusedBad + peer.droppedFull).toLocaleString("en"),
  ]);
  const widths = COLUMNS.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i].length)));
  const table = [COLUMNS, ...rows].map((row) => row.map((cell, i) => cell.padEnd(widths[i])).join("  ").trimEnd());
  return [...table, ...peers.flatMap(({ address, error }) => error === "" ? [] : [`${address}: ${error}`])];
}

/** Returns a line that says whether a server is ready, and what it lacks. */
export function readinessLine(isReady: boolean, peers: readonly PeerStats[]): string {
  const awaited = awaitedText(peers);
  const lacking = awaited === "" ? "" : `, not caught up with ${awaited}`;
  return `${isReady ? "Ready" : "Not ready"}${lacking}`;
}

/** Returns a line for each statistic. */
export function statsLines({ gossip, peers = [], ...rest }: Partial<ServerStats>): string[] {
  const connected = peers.filter(({ state }) => state === "connected").length;
  return Object.entries({ ...rest, ...gossip, peers: `${connected} connected` })
    .map(([name, value]) => `${name.padEnd(20)} ${typeof value === "number" ? value.toLocaleString("en") : value}`);
}
