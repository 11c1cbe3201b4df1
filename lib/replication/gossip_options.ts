/** What gossip needs, and what it can be told. */

import type { GossipTotals } from "../base/stats.ts";
import type { Rules } from "../store/rules.ts";
import type { Store } from "../store/store.ts";

/** Counts of entries that a catch-up has dropped, as in {@linkcode GossipTotals}. */
export type Dropped = Pick<GossipTotals, "covered" | "unconfirmed">;

/** What gossip needs. */
export interface GossipOptions {
  readonly store: Store;
  /** This node's number: the store's origin. */
  readonly origin: number;
  /** Sends a message to a peer; the bytes are valid during the call. */
  readonly send: (peer: number, message: Uint8Array) => void;
  /** Whether a long message may be sent to a peer; if not, none is made. Always, if left out. */
  readonly hasRoom?: (peer: number) => boolean;
  /** Whether little waits for a peer, so that it may be sent another page; if not, `Gossip.resume` goes on. Always, if left out. */
  readonly isReady?: (peer: number) => boolean;
  /** Takes a message of a peer that had to wait; `Gossip.receive` if left out. */
  readonly receive?: (message: Uint8Array, peer: number) => void;
  /** Called when there is something to `flush`, once until the next `flush`. */
  readonly onWaiting?: () => void;
  /** Called at the end of a catch-up with a peer that has dropped entries, also if the peer is gone by then. */
  readonly onDropped?: (peer: number, counts: Dropped) => void;
  /** Writes in a message, at most. */
  readonly maxWrites?: number;
  /** Entries that are compared with fingerprints for one page; for the simulator. */
  readonly sweepPlaces?: number;
  /** Whether to tell peers of writes at once. */
  readonly eager?: boolean;
  /** Rounds after its start for which this node asks the peers that it meets what they hold (60). */
  readonly joinRounds?: number;
  /** Rules of replication; for the simulator. */
  readonly rules?: Rules;
}
