/** Snapshots in memory: what a node says of itself, and how another takes it. */

import { SnapshotLoad } from "../../lib/replication/snapshot_load.ts";
import { SnapshotPages } from "../../lib/replication/snapshot_pages.ts";
import type { Store } from "../../lib/store/store.ts";
import type { GossipNode } from "./stores.ts";

/** A snapshot: its messages in the order of the file, and what its header would say. */
export interface TakenSnapshot {
  readonly messages: Uint8Array[];
  readonly facts: { readonly writtenMs: number; readonly clock: number };
  readonly origin: number;
  readonly entries: number;
}

/** Takes a snapshot of a store; `between` is called after each page but the last. */
export function snapshotOf(store: Store, origin = 100, maxWrites?: number, between = () => {}): TakenSnapshot {
  const pages = new SnapshotPages(store, origin, maxWrites);
  const messages: Uint8Array[] = [];
  for (let message = pages.next(); message !== undefined; message = pages.next()) {
    messages.push(message.slice());
    between();
  }
  const facts = { writtenMs: pages.writtenMs, clock: store.clock };
  return { messages, facts, origin, entries: pages.entries };
}

/**
 * Lets a node load a snapshot; `between` is called after each page.
 *
 * @param most Pages that are loaded: fewer than all leave it incomplete.
 */
export function loadSnapshot(
  { store, gossip }: GossipNode,
  { messages, facts, origin }: TakenSnapshot,
  between = () => {},
  most = Infinity,
): SnapshotLoad {
  const load = new SnapshotLoad({ store, facts });
  for (const message of messages.toReversed().slice(0, most)) {
    load.take(message);
    between();
  }
  if (most < messages.length) load.end();
  else {
    load.finish();
    gossip.loaded(origin);
  }
  return load;
}
