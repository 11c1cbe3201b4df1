/**
 * Snapshots of a simulated cluster: they are made and loaded in slices, while clients go on, and any that was ever made may be loaded
 * again. It knows no faults and no invariants.
 */

import type { Gossip } from "../replication/gossip.ts";
import { SnapshotLoad } from "../replication/snapshot_load.ts";
import { SnapshotPages } from "../replication/snapshot_pages.ts";
import type { Rules } from "../store/rules.ts";
import type { Store } from "../store/store.ts";

/** A node, as far as snapshots know it. */
interface SnapshotNode {
  readonly store: Store;
  readonly gossip: Gossip;
  readonly origin: number;
}

/** A snapshot as it would lie in a file. */
export interface StoredSnapshot {
  readonly messages: readonly Uint8Array[];
  readonly facts: { readonly writtenMs: number; readonly clock: number };
  readonly origin: number;
}

/** A load under way: what is left of it, the last message first, and whether it will break off. */
export interface Loading {
  readonly load: SnapshotLoad;
  readonly left: Uint8Array[];
  readonly origin: number;
}

/** Snapshots that are kept, at most: the oldest is as old as a scenario is long. */
const MOST_KEPT = 60;

/** The snapshots of all nodes. */
export class SimulatedSnapshots {
  /** Those that were made, the oldest first. */
  readonly stored: StoredSnapshot[] = [];
  readonly #making = new Map<number, { pages: SnapshotPages; messages: Uint8Array[] }>();
  readonly #loading = new Map<number, Loading>();
  readonly #maxWrites: number;

  /** @param maxWrites Writes in a page, at most. */
  constructor(maxWrites: number) {
    this.#maxWrites = maxWrites;
  }

  /** Begins to make a snapshot of a node, unless one is made or loaded there. */
  begin(i: number, { store, origin }: SnapshotNode): void {
    if (this.#making.has(i) || this.#loading.has(i)) return;
    this.#making.set(i, { pages: new SnapshotPages(store, origin, this.#maxWrites), messages: [] });
  }

  /** Makes a page of the snapshot of a node, if one is made. Returns whether it was the last. */
  goOn(i: number, { store, origin }: SnapshotNode): boolean {
    const making = this.#making.get(i);
    if (making === undefined) return false;
    const message = making.pages.next();
    if (message !== undefined) {
      making.messages.push(message.slice());
      return false;
    }
    this.#making.delete(i);
    const facts = { writtenMs: making.pages.writtenMs, clock: store.clock };
    if (this.stored.push({ messages: making.messages, facts, origin }) > MOST_KEPT) this.stored.splice(1, 1);
    return true;
  }

  /** Drops what a node has made so far, and what it has not loaded. */
  drop(i: number): void {
    this.#making.delete(i);
    this.#loading.delete(i);
  }

  /** Begins to load a snapshot at a node. Returns false if it is refused. */
  load(i: number, { store }: SnapshotNode, { messages, facts, origin }: StoredSnapshot, rules: Rules): boolean {
    try {
      const load = new SnapshotLoad({ store, facts, rules });
      this.#loading.set(i, { load, left: messages.map((message) => message.slice()), origin });
      return true;
    } catch {
      return false;
    }
  }

  /** The load under way at a node. */
  loading(i: number): Loading | undefined {
    return this.#loading.get(i);
  }

  /** Ends the load at a node: all has been taken, or the next page is damaged. */
  end(i: number, { gossip }: SnapshotNode): void {
    const { load, left, origin } = this.#loading.get(i)!;
    this.#loading.delete(i);
    if (left.length > 0) return load.end();
    load.finish();
    gossip.loaded(origin);
  }
}
