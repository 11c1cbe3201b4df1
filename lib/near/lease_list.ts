/**
 * Leases in the order in which they were given, each linked to the next. A `Set` would do, but for the place of the oldest: an iterator that
 * stays where it is keeps all that has been in the set since. It does not know what a lease is.
 */

/** What may stand in a list, in one at a time. */
export interface Listed<Item> {
  /** The one that was added before; `undefined` if there is none, or it is in no list. */
  older: Item | undefined;
  /** The one that was added next. */
  newer: Item | undefined;
}

/** A list, from the oldest to the newest. */
export class LeaseList<Item extends Listed<Item>> {
  #size = 0;
  #oldest: Item | undefined;
  #newest: Item | undefined;

  /** How many there are. */
  get size(): number {
    return this.#size;
  }

  /** The one that was added first. */
  get oldest(): Item | undefined {
    return this.#oldest;
  }

  /** Adds one as the newest, which it becomes also if it is there already. */
  add(item: Item): void {
    this.delete(item);
    item.older = this.#newest;
    if (this.#newest === undefined) this.#oldest = item;
    else this.#newest.newer = item;
    this.#newest = item;
    this.#size++;
  }

  /** Takes one out, if it is there. */
  delete(item: Item): void {
    const { older, newer } = item;
    if (older === undefined && this.#oldest !== item) return;
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
    item.older = item.newer = undefined;
    this.#size--;
  }

  /** Takes all out, and returns them. */
  takeAll(): Item[] {
    const all: Item[] = [];
    for (let item = this.#oldest; item !== undefined; item = this.#oldest) {
      all.push(item);
      this.delete(item);
    }
    return all;
  }
}
