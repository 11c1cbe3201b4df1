/** The line that a server logs when a catch-up with a peer has dropped entries. It prints nothing itself. */

import { grouped } from "../base/words.ts";
import type { Dropped } from "../replication/gossip.ts";

/**
 * Returns the line: how many entries, because of which peer, and why.
 *
 * @param address The peer's address.
 */
export function droppedLine(address: string, { covered, unconfirmed }: Dropped): string {
  const count = covered + unconfirmed;
  const [noun, verb] = count === 1 ? ["entry", "was"] : ["entries", "were"];
  const reasons: string[] = [];
  if (covered > 0) reasons.push(`${shown(covered)} may be older than a write that has left the peer`);
  if (unconfirmed > 0) reasons.push(`${shown(unconfirmed)} may be older than a write that has been forgotten`);
  return `Peer ${address} did not confirm ${shown(count)} ${noun}, which ${verb} dropped here: ${reasons.join(", ")}`;
}

function shown(count: number): string {
  return grouped(count);
}
