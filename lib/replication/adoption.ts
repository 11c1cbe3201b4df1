/**
 * Adoption: orphans of a catch-up that broke off are counted under a number of this node's, once nobody has made them known for
 * long enough. It knows the store, not peers.
 */

import { MAX_ORIGIN_ID } from "../base/limits.ts";
import type { Rules } from "../store/rules.ts";
import type { Store } from "../store/store.ts";

/** Rounds that orphans wait for a peer that knows of them. */
const PATIENCE = 3;
/** Writes that a round adopts, at most: they take about a millisecond. */
const ADOPT_WRITES = 2000;

/** A node's adopting of orphans. */
export class Adoption {
  /** How many times an origin's orphans have been adopted. */
  count = 0;
  readonly #store: Store;
  readonly #rules: Rules;
  /** Rounds without a catch-up since one broke off, and since when. */
  #alone = 0;
  #aloneSinceMs = -Infinity;
  /** The origin whose writes are being adopted, and the number under which. */
  #adopting: { id: number; by: number } | undefined;

  constructor(store: Store, rules: Rules) {
    this.#store = store;
    this.#rules = rules;
  }

  /** Takes note of a catch-up that has broken off, of whose peer nothing has been heard for some rounds, since a time. */
  brokeOff(idleRounds: number, heardMs: number): void {
    this.#alone = Math.max(this.#alone, idleRounds);
    this.#aloneSinceMs = heardMs;
  }

  /**
   * Does a round without a catch-up: adopts orphans whose peer has not come back and that no other has made known, since else
   * nobody would hear of them.
   *
   * @param patienceMs Milliseconds that any peer may be silent.
   * @param isBusy Whether something has to be done before.
   */
  round(random: () => number, patienceMs: () => number, isBusy: () => boolean): void {
    const { history, nowMs } = this.#store;
    const orphaned = history.orphaned;
    if (orphaned.length === 0) this.#alone = 0;
    if (orphaned.length === 0 || ++this.#alone <= PATIENCE || !this.#rules.adoption) return;
    if (nowMs - this.#aloneSinceMs < patienceMs() || isBusy()) return;
    if (this.#adopting !== undefined) orphaned.unshift(this.#adopting.id);
    let left = ADOPT_WRITES;
    for (const id of orphaned) {
      if (id === this.#adopting?.by) continue;
      this.#adopting = id === this.#adopting?.id
        ? this.#adopting
        : { id, by: unmetAbove(id, random, (by) => history.hasMet(by)) };
      const moved = history.adopt(id, this.#adopting.by, left);
      if (moved === left) return; // and more in the next round
      left -= moved;
      this.#adopting = undefined;
      this.count++;
    }
  }
}

/**
 * A random number that no origin met here has, above another one: so a write that is counted under it from now on comes no
 * earlier in pages than before, and none that are under way miss it.
 */
function unmetAbove(least: number, random: () => number, isMet: (id: number) => boolean): number {
  let id = MAX_ORIGIN_ID - Math.floor(random() * (MAX_ORIGIN_ID - least));
  while (isMet(id)) id = id === 1 ? MAX_ORIGIN_ID : id - 1;
  return id;
}
