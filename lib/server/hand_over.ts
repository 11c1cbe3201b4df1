/**
 * What a server waits for before it leaves its peers: that they have what it has. It knows what replication knows of
 * peers, not how messages travel.
 */

import type { Gossip } from "../replication/gossip.ts";
import { clockDoubt } from "./clock_doubt.ts";
import type { ConnectedPeer } from "./peer_row.ts";

/**
 * Milliseconds between looks whether peers have confirmed all, how many looks are between questions, and how long it may take: times
 * the limit for a peer that says nothing.
 */
const LOOK_MS = 10;
const LOOKS_A_QUESTION = 20;
const LIMITS = 5;

/**
 * Waits until all peers that are believed have confirmed what was written here, since not all of it is in pushes, and what was
 * written elsewhere up to the version `upTo`: whoever wrote that may have gone. A peer that has said nothing for `limitMs` is not
 * waited for.
 */
export async function handOver(
  peers: () => Iterable<ConnectedPeer>,
  gossip: Pick<Gossip, "peer" | "hasConfirmed" | "ask" | "writesAheadMs">,
  upTo: number,
  limitMs: number,
): Promise<void> {
  const beganMs = performance.now();
  for (let looks = 0;; looks++) {
    const nowMs = performance.now();
    const lacking = [...peers()].filter(({ number, connection }) => {
      const state = gossip.peer(number);
      const isSilent = nowMs - Math.max(beganMs, connection.lastHeardMs) >= limitMs;
      return !isSilent && state !== undefined && clockDoubt(state, gossip.writesAheadMs) === undefined &&
        !gossip.hasConfirmed(number, upTo);
    });
    if (lacking.length === 0 || nowMs - beganMs >= LIMITS * limitMs) return;
    if (looks % LOOKS_A_QUESTION === 0) { for (const { number } of lacking) gossip.ask(number); }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
