/**
 * How much nodes keep: which entries they drop and which writes they refuse because of what a peer has said, and whether
 * there was need. It judges by all writes that clients have made; it knows neither why a node decides nor what is stale.
 */

import type { Write } from "../replication/message.ts";
import type { Known } from "../store/known.ts";
import { ENTRY, PREFIX } from "../store/entry.ts";
import type { ByteSpan } from "../base/byte_span.ts";
import { CAUSE } from "../store/store_listener.ts";
import type { Store } from "../store/store.ts";
import type { MadeWrites } from "./made_writes.ts";
import { keyAt, keyOf, numberOf } from "./trace.ts";
import { compareVersions, type Version } from "../store/version.ts";

/** Counts of entries dropped and of writes refused because of what peers have said. */
export interface KeepingCounts {
  /** Entries dropped of which a newer write had been made anywhere. */
  needed: number;
  /** Entries dropped although they were the newest of their key. */
  needless: number;
  /** Writes refused although they were the newest of their key and were news here. */
  refused: number;
}

/** A node's living entries by key, as they are before it takes a message. */
export type Living = Map<number, Version>;

/** Judges what one store drops and refuses. */
export class Keeping {
  readonly #store: Store;
  readonly #made: MadeWrites;
  readonly #counts: KeepingCounts;
  readonly #onLoss: (what: string, key: number, version: Version) => void;
  /** Keys of which an entry has been evicted, at once or later, or has expired while the message is taken. */
  readonly #left = new Set<number>();
  /** Evictions that have been told of. */
  #evictions = 0;
  /** Refusals counted. */
  readonly #refused = new Set<string>();

  /** @param onLoss Called with what the node does to an entry for no reason: `loses` or `refuses`. */
  constructor(
    store: Store,
    made: MadeWrites,
    counts: KeepingCounts,
    onLoss: (what: string, key: number, version: Version) => void,
  ) {
    this.#store = store;
    this.#made = made;
    this.#counts = counts;
    this.#onLoss = onLoss;
    const changed = (cause: number, key: ByteSpan | undefined) => this.#changed(cause, key);
    store.listen({ causes: CAUSE.evicted | CAUSE.expired | CAUSE.applied, changed });
  }

  /** Takes note of what leaves: also of a write that a full store evicts at once, since it is older than all that is there. */
  #changed(cause: number, key: ByteSpan | undefined): void {
    const { evictions } = this.#store.stats();
    const isGone = cause !== CAUSE.applied || evictions > this.#evictions;
    this.#evictions = evictions;
    if (isGone && key !== undefined) this.#left.add(numberOf(key));
  }

  /**
   * Takes note that a message is about to be taken.
   *
   * @returns The living entries, if the message can end any; looking at them does not make any expire.
   */
  before(canDrop: boolean): Living {
    this.#left.clear();
    this.#evictions = this.#store.stats().evictions;
    const { history, reader, nowMs } = this.#store;
    const living: Living = new Map();
    if (!canDrop) return living;
    for (const log of history.logs.all) {
      for (const position of log.after(history.cleared)) {
        if (reader.kind(position) !== ENTRY || reader.deadlineMs(position) <= nowMs) continue;
        if (this.#store.isCleared(position)) continue;
        living.set(keyAt(this.#store, position), history.version(position));
      }
    }
    return living;
  }

  /** Judges which of the entries that lived before a message are gone, though nothing newer has replaced them here. */
  judgeDrops(before: Living): void {
    if (before.size === 0) return;
    const { history: { cleared } } = this.#store;
    const after = this.#remaining(before);
    for (const [key, version] of before) {
      if (after.has(key) || version.h <= cleared || this.#left.has(key)) continue;
      if (this.#made.hasNewer(key, version) || this.#made.hasTwin(key, version)) {
        this.#counts.needed++;
      } else {
        this.#counts.needless++;
        this.#onLoss("loses", key, version);
      }
    }
  }

  /** The keys of those entries that live still, or have been replaced by a newer entry or grave. */
  #remaining(before: Living): Set<number> {
    const { history, reader } = this.#store;
    const keys = new Set<number>();
    for (const log of history.logs.all) {
      for (const position of log.after(0)) {
        if (reader.kind(position) === PREFIX) continue;
        const key = keyAt(this.#store, position);
        const was = before.get(key);
        if (was === undefined) continue;
        const difference = compareVersions(history.version(position), was);
        if (difference > 0 || (difference === 0 && reader.kind(position) === ENTRY)) keys.add(key);
      }
    }
    return keys;
  }

  /**
   * Judges which writes of a message have not been accepted, though they are the newest of their keys and were news here.
   *
   * @param mine What the node knew before the message.
   * @param held The newest version of each key that the node has held since its start, those of the message among them.
   */
  judgeRefusals(writes: readonly Write[], mine: Known, held: ReadonlyMap<number, Version>): void {
    const { history: { cleared } } = this.#store;
    for (const write of writes) {
      const { version, version: { h, origin, by = origin }, entry } = write;
      if (entry === undefined || entry.remainingMs <= 0 || h <= cleared) continue;
      if (h <= Math.max(mine.get(origin) ?? 0, mine.get(by) ?? 0)) continue;
      const key = keyOf(write);
      const was = held.get(key);
      if ((was !== undefined && compareVersions(was, version) >= 0) || this.#left.has(key)) continue;
      const name = `${key}:${h}:${origin}`;
      if (this.#made.hasNewer(key, version) || this.#made.hasTwin(key, version) || this.#refused.has(name)) continue;
      this.#refused.add(name);
      this.#counts.refused++;
      this.#onLoss("refuses", key, version);
    }
  }
}
