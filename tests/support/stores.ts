/**
 * Stores, and nodes that gossip, for tests. What a store is told when it is made, and how it tells its gossip of writes,
 * stands here and in no test of the rooms store, replication and simulation.
 */

import { Gossip, type GossipOptions } from "../../lib/replication/gossip.ts";
import { BasedKnown, type Known } from "../../lib/store/known.ts";
import { Store } from "../../lib/store/store.ts";
import type { StoreOptions } from "../../lib/store/store_options.ts";

/** Time as a test sets it. */
export interface TestClock {
  nowMs: number;
}

/** Options of a store that a test may choose; the others follow from what the store is for. */
export type StoreSettings = Partial<Omit<StoreOptions, "clock" | "replicates">>;

/** Options of gossip that a test may choose. */
export type GossipSettings = Partial<Omit<GossipOptions, "store" | "origin">>;

/** A store and its gossip. */
export interface GossipNode {
  readonly store: Store;
  readonly gossip: Gossip;
  readonly origin: number;
}

/** A time at which versions have long begun. */
export const NOW_MS = 1_767_225_600_000;

/** Options of a store without limits, where nothing expires by itself. */
function plain(clock: TestClock) {
  const now = () => clock.nowMs;
  return { maxSize: Infinity, ttlMs: 0, renewOnHit: true, hashKey: [1, 2], clock: { now } } satisfies StoreOptions;
}

const ALL = new BasedKnown([], { upTo: Number.MAX_SAFE_INTEGER, digest: 0 }, () => Number.MAX_SAFE_INTEGER);

/** What a sender knows who knows of all that has left a store. */
export function knowsAll(_: Store): Known {
  return ALL;
}

/** What a sender knows of whom nobody can say what that is, as that of a push. */
export function knowsNothing(_: Store): Known {
  return new Map();
}

/** A store that does not replicate: its writes have no versions. */
export function localStore(clock: TestClock, settings: StoreSettings = {}): Store {
  return new Store({ ...plain(clock), ...settings });
}

/** A store that replicates, with nobody who is told of its writes; its origin is 100. */
export function replicatingStore(clock: TestClock, settings: StoreSettings = {}): Store {
  return new Store({ ...plain(clock), origin: 100, replicates: true, ...settings });
}

/** A store that replicates, and the gossip that is told of its writes and renewals. */
export function gossipNode(
  clock: TestClock,
  origin: number,
  { store: storeSettings, gossip: gossipSettings }: { store?: StoreSettings; gossip?: GossipSettings } = {},
): GossipNode {
  const store: Store = new Store({
    ...plain(clock),
    hashKey: [1, origin],
    ...storeSettings,
    origin,
    replicates: true,
  });
  const gossip = new Gossip({ send: () => {}, rules: storeSettings?.rules, ...gossipSettings, store, origin });
  return { store, gossip, origin };
}
