/** The slots of a cache: which are free, in what order their entries were used, and their times. It knows no keys and values. */

const FIRST_CAPACITY = 16;
/** The slot that is both ends of the list: its older one is the newest entry, its newer one the oldest. */
const ENDS = 0;

/**
 * Slots, whole numbers from 1 on. The entries in use are a doubly linked list.
 *
 * Links and deadline of a slot are a record of 16 bytes, so that a hit touches one line of the processor's cache for them, and
 * one for each neighbour. Times to live stand elsewhere, and only once an entry has another than the cache's.
 */
export class Slots {
  /** Where a slot's fields begin, in four words a record: the newer slot and the older one. A free slot's older one is the next free. */
  #links = new Int32Array(4 * FIRST_CAPACITY);
  /** The same bytes: the deadline in milliseconds, `Infinity` if there is none, is the second of two words a record. */
  #deadlines = new Float64Array(this.#links.buffer);
  /** Times to live, as `ownMs` gives them; `undefined` while all are the cache's. */
  #own: Float64Array<ArrayBuffer> | undefined;
  readonly #ownMs: number;
  #free = 0;
  #end = 1;

  /** @param ownMs The time to live of entries that have no other, negative if a hit does not restart it. */
  constructor(ownMs: number) {
    this.#ownMs = ownMs;
  }

  /** The first number that no slot has had. */
  get end(): number {
    return this.#end;
  }

  /** The slot that `take` will give. */
  get next(): number {
    return this.#free === 0 ? this.#end : this.#free;
  }

  /** The slot of the entry used last; 0 if there is none. */
  get newest(): number {
    return this.#links[4 * ENDS + 1];
  }

  /** The slot of the entry that has not been used for longest; 0 if there is none. */
  get oldest(): number {
    return this.#links[4 * ENDS];
  }

  /** The slot of the entry used last before another; 0 if there is none. */
  older(slot: number): number {
    return this.#links[4 * slot + 1];
  }

  /** When the entry of a slot expires; `Infinity` for never, and for slots that are free. */
  deadline(slot: number): number {
    return this.#deadlines[2 * slot + 1];
  }

  /** The time to live of a slot's entry, negative if a hit does not restart it. */
  ownMs(slot: number): number {
    return this.#own === undefined ? this.#ownMs : this.#own[slot];
  }

  /** Gives an entry its deadline and its time to live. */
  fill(slot: number, deadline: number, ownMs: number): void {
    this.#deadlines[2 * slot + 1] = deadline;
    if (this.#own !== undefined) this.#own[slot] = ownMs;
    else if (ownMs !== this.#ownMs) this.#beginOwn()[slot] = ownMs;
  }

  /** Restarts the time to live after a hit, unless the entry is one that hits do not renew. */
  renew(slot: number, now: number): void {
    const ownMs = this.ownMs(slot);
    if (ownMs > 0) this.#deadlines[2 * slot + 1] = now + ownMs;
  }

  /** Takes a free slot for an entry, which is the one used last. */
  take(): void {
    const slot = this.next;
    if (slot === this.#end) {
      this.#end++;
      if (4 * slot >= this.#links.length) this.#grow();
    } else {
      this.#free = this.#links[4 * slot + 1];
    }
    this.#linkFront(slot);
  }

  /** Makes an entry the one used last. */
  toFront(slot: number): void {
    const links = this.#links;
    const newest = links[4 * ENDS + 1];
    if (newest === slot) return;
    const newer = links[4 * slot];
    const older = links[4 * slot + 1];
    links[4 * newer + 1] = older;
    links[4 * older] = newer;
    links[4 * slot] = ENDS;
    links[4 * slot + 1] = newest;
    links[4 * newest] = slot;
    links[4 * ENDS + 1] = slot;
  }

  /** Frees the slot of an entry. */
  release(slot: number): void {
    this.#unlink(slot);
    this.#deadlines[2 * slot + 1] = Infinity;
    this.#links[4 * slot + 1] = this.#free;
    this.#free = slot;
  }

  #linkFront(slot: number): void {
    const links = this.#links;
    const newest = links[4 * ENDS + 1];
    links[4 * slot] = ENDS;
    links[4 * slot + 1] = newest;
    links[4 * newest] = slot;
    links[4 * ENDS + 1] = slot;
  }

  #unlink(slot: number): void {
    const links = this.#links;
    const newer = links[4 * slot];
    const older = links[4 * slot + 1];
    links[4 * newer + 1] = older;
    links[4 * older] = newer;
  }

  #grow(): void {
    const links = new Int32Array(2 * this.#links.length);
    links.set(this.#links);
    this.#links = links;
    this.#deadlines = new Float64Array(links.buffer);
    if (this.#own !== undefined) this.#beginOwn();
  }

  /** Has each entry keep its own time to live from now on, as many as there are slots. */
  #beginOwn(): Float64Array<ArrayBuffer> {
    const own = new Float64Array(this.#links.length / 4).fill(this.#ownMs);
    if (this.#own !== undefined) own.set(this.#own);
    return this.#own = own;
  }
}
