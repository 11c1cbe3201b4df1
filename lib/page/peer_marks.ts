/** What the status page says of a peer: how it is, in words and as a mark. Its functions are part of the page, and know no document. */

import { isUnreachable } from "../base/readiness.ts";
import type { PeerStats } from "../base/stats.ts";

/** How a peer is: well, on its way there, away, in need of somebody who looks, or no other server at all. */
export type PeerLook = "well" | "under-way" | "away" | "wrong" | "none";

/** A peer's look. */
export function peerLook(peer: PeerStats): PeerLook {
  const { state, ready, catchingUp } = peer;
  if (state === "self" || state === "duplicate") return "none";
  if (isUnreachable(peer) || state === "stopping") return "away";
  if (state === "connected") return ready && !catchingUp ? "well" : "under-way";
  return state === "connecting" || state === "waiting" ? "under-way" : "wrong";
}

/** A peer's state in words. */
export function peerState(peer: PeerStats): string {
  const { state, ready, catchingUp } = peer;
  if (isUnreachable(peer)) return state === "stopping" ? "stopped too early" : "cannot be reached";
  if (state === "connected") return catchingUp ? "catching up" : ready ? "connected" : "connected, not caught up";
  const words: Partial<Record<PeerStats["state"], string>> = {
    self: "this server itself",
    duplicate: "listed twice",
    incompatible: "another version, incompatible",
    "other-cluster": "of another cluster",
    refused: "one refuses the other",
    "not-permitted": "not permitted by Deno",
    "clocks-differ": "clocks differ",
    stopping: "is stopping",
    waiting: "not tried yet",
  };
  return words[state] ?? state;
}

/** A mark of 16 by 16 for a look: a path, and whether it is filled. The shapes tell them apart without their colours. */
export function markOf(look: PeerLook): { path: string; isFilled: boolean } {
  if (look === "well") return { path: "M8 2a6 6 0 1 1 0 12a6 6 0 1 1 0-12z", isFilled: true };
  if (look === "under-way") {
    return { path: "M8 2.5a5.5 5.5 0 1 1 0 11a5.5 5.5 0 1 1 0-11zM8 5v3l2.5 1.5", isFilled: false };
  }
  if (look === "away") return { path: "M3.5 3.5l9 9M12.5 3.5l-9 9", isFilled: false };
  if (look === "wrong") return { path: "M8 2l6.5 11.5h-13zM8 6.2v3.4M8 11.2v.6", isFilled: false };
  return { path: "M4 8h8", isFilled: false };
}
