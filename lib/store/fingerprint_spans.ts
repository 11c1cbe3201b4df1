/**
 * Spans of versions: intervals with about as many fingerprints as any other, whose ends stand for the version of each. It knows
 * versions and counts, not which fingerprints a span has.
 */

/** Fingerprints of one span, at most. */
const MOST_IN_SPAN = 0xfff0;
/** In a list of spans by their former numbers: it is gone. */
export const GONE = 0xffff;

/** A bounded number of spans, and the order of their ends. */
export class FingerprintSpans {
  /** Of each span: its end, and its number of fingerprints. */
  ends = new Float64Array(0);
  counts = new Uint16Array(0);
  /** Spans in ascending order of their ends. */
  #order = new Uint16Array(0);
  #size = 0;
  /** Numbers of spans that have been used, and those of them that are free again. */
  #used = 0;
  #unused: number[] = [];
  /** A span with fewer fingerprints may be extended. */
  #quota = 1;
  /** Spans that there may be now: as many as a cell of the table can tell apart. */
  #most = 0;

  /** The highest end; 0 if there is no span. */
  get last(): number {
    return this.#size === 0 ? 0 : this.ends[this.#order[this.#size - 1]];
  }

  /** Spans that are free, of those that there may be. */
  get free(): number {
    return this.#most - this.#used + this.#unused.length;
  }

  /** Takes memory for `length` spans, of which there may be `most` for now. */
  extend(length: number, most: number): void {
    this.#most = most;
    if (length === this.ends.length) return;
    this.ends = extended(this.ends, new Float64Array(length));
    this.counts = extended(this.counts, new Uint16Array(length));
    this.#order = extended(this.#order, new Uint16Array(length));
  }

  /** Gives all memory back. */
  clear(): void {
    this.ends = new Float64Array(0);
    this.counts = new Uint16Array(0);
    this.#order = new Uint16Array(0);
    this.#size = this.#used = this.#most = 0;
    this.#unused = [];
    this.#quota = 1;
  }

  /** A span whose end is at or above version `h`: the one below, extended, or a new one where that is full; -1 if none is free. */
  find(h: number): number {
    const place = this.#placeOf(h);
    const [below, above] = [this.#order[place - 1], this.#order[place]];
    const isWithin = place > 0 && place < this.#size && this.#quota > 1 && this.counts[above] < this.#quota;
    if (isWithin || (place < this.#size && this.ends[above] === h && this.counts[above] < MOST_IN_SPAN)) return above;
    if (place > 0 && this.counts[below] < this.#quota) {
      this.ends[below] = h;
      return below;
    }
    if (this.#unused.length === 0 && this.#used === this.#most) return this.#reclaim() ? this.find(h) : -1;
    const span = this.#unused.pop() ?? this.#used++;
    if (place < this.#size) this.#order.copyWithin(place + 1, place, this.#size);
    this.#size++;
    this.ends[span] = h;
    this.counts[span] = 0;
    return this.#order[place] = span;
  }

  /**
   * Joins neighbouring spans so that half of them are free; before, drops the lowest while that is wanted.
   *
   * @param isDropped Returns whether to drop a span that has `count` fingerprints, and all spans below it.
   * @returns The new number of each span, by its former one, and the highest end of those that were dropped with fingerprints, or 0.
   */
  join(held: number, isDropped: (count: number) => boolean): { joined: Uint16Array; dropped: number } {
    let [first, dropped] = [0, 0];
    for (; first < this.#size && isDropped(this.counts[this.#order[first]]); first++) {
      const span = this.#order[first];
      held -= this.counts[span];
      if (this.counts[span] > 0) dropped = Math.max(dropped, this.ends[span]);
    }
    this.#quota = Math.max(1, Math.ceil(4 * held / this.#most));
    const joined = new Uint16Array(this.ends.length).fill(GONE);
    const [ends, counts] = [new Float64Array(this.ends.length), new Uint16Array(this.ends.length)];
    let last = -1;
    for (let place = first; place < this.#size; place++) {
      const span = this.#order[place];
      if (this.counts[span] === 0) continue;
      if (last < 0 || counts[last] + this.counts[span] > this.#quota) last++;
      counts[last] += this.counts[span];
      ends[last] = this.ends[span];
      joined[span] = last;
    }
    [this.ends, this.counts, this.#size] = [ends, counts, last + 1];
    for (let span = 0; span <= last; span++) this.#order[span] = span;
    this.#used = last + 1;
    this.#unused = [];
    return { joined, dropped };
  }

  /** Takes spans without fingerprints out of the order, for reuse. Returns whether they are worth it. */
  #reclaim(): boolean {
    let kept = 0;
    for (let place = 0; place < this.#size; place++) {
      const span = this.#order[place];
      if (this.counts[span] === 0) this.#unused.push(span);
      else this.#order[kept++] = span;
    }
    this.#size = kept;
    return this.#unused.length > this.#most / 4;
  }

  /** Place in the order of the first span whose end is at or above version `h`. */
  #placeOf(h: number): number {
    let [low, high] = [0, this.#size];
    if (high === 0 || this.ends[this.#order[high - 1]] < h) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.ends[this.#order[middle]] < h) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Copies an array into a longer one, which is returned. */
export function extended<T extends Float64Array | Int32Array | Uint16Array | Uint8Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
