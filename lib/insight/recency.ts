/**
 * Keys in the order of their last use, as LRU caches of all sizes have them: one of `n` entries holds those that have less
 * than `n` places above them (Mattson, Gecsei, Slutz, Traiger, 1970).
 *
 * A key that leaves by itself, not for room, leaves a hole: no cache gets back what it has evicted. The next key that comes
 * up from below the hole, or is new, fills it, and what lies deeper keeps its place.
 */

import { Fenwick } from "./fenwick.ts";
import { NO_TIME, type SampledKey } from "./sampled_key.ts";

/** Places at most. */
export const MAX_PLACES = 8192;
/** Times until they are numbered anew: the more, the rarer that is. */
const TIMES = 2 * MAX_PLACES;

/** The order of use. Keys and holes have places in it, {@linkcode MAX_PLACES} together at most. */
export class Recency {
  /** What has its place since each time. */
  readonly #keys: (SampledKey | undefined)[] = new Array(TIMES).fill(undefined);
  readonly #places = new Fenwick(TIMES);
  readonly #holes = new Fenwick(TIMES);
  #time = 0;

  /** Number of places, holes included. */
  get size(): number {
    return this.#places.total;
  }

  /** Number of places above that of a key; `Infinity` if it has none. */
  depth(key: SampledKey): number {
    if (key.time === NO_TIME) return Infinity;
    return this.#places.total - this.#places.before(key.time) - 1;
  }

  /** Makes a key the one that was used last. It may be new, if there is room for a place. */
  use(key: SampledKey): void {
    if (this.#time === TIMES) this.retain(() => true);
    const before = key.time;
    const hole = this.#newestHole();
    if (before !== NO_TIME) this.#vacate(key);
    if (hole !== undefined && hole.time > before) {
      this.#vacate(hole);
      if (before !== NO_TIME) this.#place(hole, before);
    }
    this.#place(key, this.#time++);
  }

  /** Makes a hole of a key's place, if it has one. */
  free(key: SampledKey): void {
    if (key.time === NO_TIME) return;
    key.isHole = true;
    this.#holes.set(key.time);
  }

  /** Takes the place away that was used first, and returns what had it. */
  dropOldest(): SampledKey | undefined {
    const oldest = this.#keys[this.#places.find(0)];
    if (oldest !== undefined) this.#vacate(oldest);
    return oldest;
  }

  /** Takes all places away but those of the keys that are to be kept, which are asked for the oldest first. */
  retain(isKept: (key: SampledKey) => boolean): void {
    const end = this.#time;
    this.#time = 0;
    this.#places.clear();
    this.#holes.clear();
    for (let time = 0; time < end; time++) {
      const key = this.#keys[time];
      if (key === undefined) continue;
      this.#keys[time] = undefined;
      key.time = NO_TIME;
      if (isKept(key)) this.#place(key, this.#time++);
    }
  }

  #newestHole(): SampledKey | undefined {
    return this.#holes.total === 0 ? undefined : this.#keys[this.#holes.find(this.#holes.total - 1)];
  }

  #place(key: SampledKey, time: number): void {
    key.time = time;
    this.#keys[time] = key;
    this.#places.set(time);
    if (key.isHole) this.#holes.set(time);
  }

  #vacate(key: SampledKey): void {
    this.#keys[key.time] = undefined;
    this.#places.unset(key.time);
    if (key.isHole) this.#holes.unset(key.time);
    key.time = NO_TIME;
  }
}
