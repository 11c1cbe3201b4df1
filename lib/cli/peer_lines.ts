/** Formats a server's peers as tables that fit the terminal. It prints nothing. */

import { awaitedText } from "../base/readiness.ts";
import type { PeerStats } from "../base/stats.ts";

const COLUMNS = ["peer", "state", "round trip", "last round", "lag", "received", "sent", "dropped", "refused"];
/** Blanks between columns. */
const GAP = 2;

/**
 * Returns a line of headings and a line for each peer, and lines for failures below. Columns for which there is no room stand in
 * tables of their own below the first one, each with the peers in front.
 *
 * @param width Characters in a line.
 */
export function peerLines(peers: readonly PeerStats[], width = Infinity): string[] {
  const columns = [COLUMNS, ...peers.map(cells)].reduce<string[][]>(
    (columns, row) => columns.map((column, i) => [...column, row[i]]),
    COLUMNS.map(() => []),
  );
  const [peer, ...others] = columns;
  const room = width - GAP - Math.max(...others.map(widthOf));
  const first = peer.map((text) => shortened(text, room));
  const tables: string[][][] = [];
  let left = 0;
  for (const column of others) {
    const taken = GAP + widthOf(column);
    if (tables.length === 0 || taken > left) {
      tables.push([first]);
      left = width - widthOf(first);
    }
    tables.at(-1)!.push(column);
    left -= taken;
  }
  const lines = tables.flatMap((table, i) => [...(i === 0 ? [] : [""]), ...rows(table)]);
  return [...lines, ...peers.flatMap(({ address, error }) => error === "" ? [] : [`${address}: ${error}`])];
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
    peer.catchingUp ? "catching up" : peer.state,
    peer.roundTripMs < 0 ? "-" : `${peer.roundTripMs.toFixed(2)} ms`,
    peer.lastRoundMs < 0 ? "-" : `${(peer.lastRoundMs / 1000).toFixed(1)} s ago`,
    peer.lag === 0 ? "0" : `${peer.lag.toLocaleString("en")} (${(peer.lagMs / 1000).toFixed(1)} s)`,
    peer.entriesReceived.toLocaleString("en"),
    peer.entriesSent.toLocaleString("en"),
    peer.entriesDropped.toLocaleString("en"),
    (peer.refusedFuture + peer.refusedBad + peer.droppedFull).toLocaleString("en"),
  ];
}

function rows(columns: readonly string[][]): string[] {
  const widths = columns.map(widthOf);
  return columns[0].map((_, line) =>
    columns.map((column, i) => column[line].padEnd(widths[i])).join(" ".repeat(GAP)).trimEnd()
  );
}

function widthOf(column: readonly string[]): number {
  return Math.max(...column.map((text) => text.length));
}

/** A text without its middle, where there is no room for all of it: both ends tell an address from others. */
export function shortened(text: string, room: number): string {
  const kept = Math.max(8, room);
  if (text.length <= kept) return text;
  return `${text.slice(0, Math.ceil((kept - 1) / 2))}…${text.slice(text.length - Math.floor((kept - 1) / 2))}`;
}
