/** What a server's readiness waits for, by the rows of its peers, and how that is said. It does not look at clocks. */

import type { PeerStats } from "./stats.ts";

/** Peers that are named in a line; of more, only their number is said. */
const MOST_NAMED = 3;

/** Whether a peer cannot be reached: the last attempt to connect to it has failed, or it stops before it has given all. */
export function isUnreachable({ state, error, ready }: PeerStats): boolean {
  return state === "stopping" ? !ready : (state === "waiting" || state === "connecting") && error !== "";
}

/**
 * Whether readiness waits for a peer: it can be reached, or has not been tried yet, and the server has not caught up with it.
 * One that is not believed, refused or incompatible is waited for too: what it holds is lacking here.
 */
export function isAwaited(peer: PeerStats): boolean {
  if (peer.ready || isUnreachable(peer)) return false;
  return peer.state !== "self" && peer.state !== "duplicate";
}

/** Names the peers that are waited for, with the state of each; empty if there are none. */
export function awaitedText(peers: readonly PeerStats[]): string {
  const awaited = peers.filter(isAwaited);
  const named = awaited.slice(0, MOST_NAMED).map(({ address, state, catchingUp, error }) => {
    return `${address} (${catchingUp ? "catching up" : state}${error === "" ? "" : `: ${error}`})`;
  });
  if (awaited.length > MOST_NAMED) named.push(`${awaited.length - MOST_NAMED} more`);
  return named.join(", ");
}
