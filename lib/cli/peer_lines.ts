/** Formats a server's peers as tables that fit the terminal. It prints nothing. */

import { escaped } from "../base/printable.ts";
import { awaitedText } from "../base/readiness.ts";
import type { PeerStats } from "../base/stats.ts";
import { grouped } from "../base/words.ts";
import { type Column, fitted, shortenedAll, tableLines } from "./fitted.ts";

const COLUMNS = ["peer", "state", "round trip", "last round", "lag", "received", "sent", "dropped", "refused"];

/** Returns tables of peers, and lines for failures below. */
export function peerLines(peers: readonly PeerStats[], width = Infinity): string[] {
  return [...peerTable(peers, width), ...peerFailures(peers, width)];
}

/**
 * Returns a line of headings and a line for each peer.
 *
 * @param width Characters in a line.
 * @param headings Which columns there are: that of the peers, and others.
 * @param room Characters of a peer's address.
 */
export function peerTable(
  peers: readonly PeerStats[],
  width: number,
  headings: readonly string[] = COLUMNS,
  room = Infinity,
): string[] {
  const rows = peers.map(cells);
  const [{ heading, cells: addresses }, ...others] = headings.map((heading): Column => ({
    heading,
    cells: rows.map((row) => row[COLUMNS.indexOf(heading)]),
  }));
  return tableLines({ heading, cells: shortenedAll(addresses, room) }, others, width);
}

/** Returns lines for peers that have failed. */
export function peerFailures(peers: readonly PeerStats[], width: number): string[] {
  return peers.flatMap(({ address, error }) => error === "" ? [] : fitted(`${address}: ${error}`, width, 2));
}

/** Returns a line that says whether a server is ready, and what it lacks. */
export function readinessLine(isReady: boolean, peers: readonly PeerStats[]): string {
  const awaited = awaitedText(peers);
  const lacking = awaited === "" ? "" : `, not caught up with ${awaited}`;
  return `${isReady ? "Ready" : "Not ready"}${lacking}`;
}

function cells(peer: PeerStats): string[] {
  return [
    peer.address,
    peer.catchingUp ? "catching up" : escaped(peer.state), // a server may say anything
    peer.roundTripMs < 0 ? "-" : `${peer.roundTripMs.toFixed(2)} ms`,
    peer.lastRoundMs < 0 ? "-" : `${(peer.lastRoundMs / 1000).toFixed(1)} s ago`,
    lagText(peer),
    grouped(peer.entriesReceived),
    grouped(peer.entriesSent),
    grouped(peer.entriesDropped),
    grouped(peer.refusedFuture + peer.refusedBad + peer.droppedFull),
  ];
}

/** How far a peer is behind, which is known while it is connected only. */
function lagText({ state, lag, lagMs }: PeerStats): string {
  if (state !== "connected" && state !== "clocks-differ" && state !== "stopping") return "-";
  return lag === 0 ? "0" : `${grouped(lag)} (${(lagMs / 1000).toFixed(1)} s)`;
}
