/**
 * Which writes have left a node without an entry or a grave: for each a fingerprint, 5 bytes large. It knows hashes,
 * versions and labels, not keys, records or peers. What they are for is in docs/replication.md, "Fingerprints".
 *
 * A hash table of fixed buckets in which each hash has two (Azar and others, 1994), as a cuckoo filter's (Fan and others,
 * 2014), so it stays fast while nine in ten of its cells are in use. A cell holds what its bucket does not tell of the hash,
 * a label, and a span of versions. A span is an interval with about as many fingerprints as any other; its end stands for
 * the version of each. Where versions lie close together, so do the ends. A fingerprint whose buckets are full, and stay so
 * whatever moves, has a place beside the table (fingerprint_stash.ts).
 *
 * A fingerprint may move to its other bucket to make room. Moves towards the beginning of the table are remembered, so that
 * a walk that goes on later meets what has moved behind it.
 */

import {
  bitsFor,
  bytesOf,
  CELLS,
  EXACT_BUCKETS,
  FULL,
  KEPT,
  LEAST_BITS,
  MAX_FINGERPRINTS,
  spansOf,
  stashedIn,
} from "./fingerprint_size.ts";
import { type Fingerprint, FingerprintStash } from "./fingerprint_stash.ts";

export type { Fingerprint };

/** The first table has `FEWER_BITS` bits fewer than the largest one allowed, and `MOST_FIRST_BITS` at most. */
const FEWER_BITS = 4;
const MOST_FIRST_BITS = 11;
/** A table of fewer bits grows rather than give several fingerprints one span. */
const MOST_EXACT_BITS = 13;
const HASH_BITS = 32;
/** Part of the cells in use: with fewer, a table is not grown because many fingerprints have no cell. */
const SPARSE = 0.25;
/** Fingerprints that may have to move to make room for another. */
const MOST_MOVES = 3;
/** Moves towards the beginning of the table that are remembered for walks under way. */
const MOVES_KEPT = 8192;
/** Fingerprints of one span, at most. */
const MOST_IN_SPAN = 0xfff0;
/** In a list of spans: it is gone. */
const GONE = 0xffff;
/** Labels are from 1 to this number. */
export const MAX_LABEL = 255;

/** Where a walk over fingerprints goes on; it begins at `{ cell: 0, moves: 0 }`. */
export interface Cursor {
  /** The next cell. */
  cell: number;
  /** Moves in the table before the walk began. */
  moves: number;
}

/** Sizes that the simulator makes small or large. */
export interface FingerprintSizes {
  /** Moves that are remembered for walks under way. */
  movesKept?: number;
  /** Bits of tables that give no span several fingerprints, but grow. */
  exactBits?: number;
}

/** Whether a fingerprint of a label and version counts. */
type Counts = (label: number, upTo: number) => boolean;

/** A bounded set of fingerprints; those of the lowest versions leave first. */
export class Fingerprints {
  readonly #kept: number;
  readonly #most: number;
  readonly #firstBits: number;
  readonly #exactBits: number;
  readonly #movesKept: number;
  readonly #lastBits: number;
  readonly #firstBytes: number;
  readonly #onDropped: (label: number, upTo: number) => void;
  /** Those that have no cell. */
  readonly #stash: FingerprintStash;
  /** Bits of the number of a bucket; 0 while there is no table. */
  #bits = 0;
  /** Fingerprints in the table, and its bytes. */
  #held = 0;
  #tableBytes = 0;
  /** Fingerprints for which the table has cells, and bytes that the next table takes beyond it. */
  #mostCells = 0;
  #nextBytes = 0;
  /** A cell's word: the lower bits of its hash, whether its bucket is the second, and its span. */
  #words = new Uint32Array(0);
  /** A cell's label; 0 if the cell is free. */
  #labels = new Uint8Array(0);
  /** Of each span: its end, and its number of fingerprints. */
  #ends = new Float64Array(0);
  #counts = new Uint16Array(0);
  /** Spans in ascending order of their ends. */
  #order = new Uint16Array(0);
  #spans = 0;
  /** Numbers of spans that have been used, and those of them that are free again. */
  #used = 0;
  #unused: number[] = [];
  /** A span with fewer fingerprints may be extended. */
  #quota = 1;
  /** Everything at or below this version has been dropped. */
  #dropped = 0;
  /** By some bits of the hash: version and label of the last write that has left, 0 if only a peer has told of it. */
  #lastVersions = new Float64Array(0);
  #lastLabels = new Uint8Array(0);
  /** Hashes of the last fingerprints that have moved towards the beginning of the table, and how many ever have. */
  readonly #moved: number[] = [];
  #moves = 0;

  /**
   * @param most Fingerprints that are remembered in any case.
   * @param onDropped Called when fingerprints of a label, of versions up to `upTo`, have been dropped to make room.
   */
  constructor(most: number, onDropped: (label: number, upTo: number) => void, sizes: FingerprintSizes = {}) {
    this.#movesKept = sizes.movesKept ?? MOVES_KEPT;
    this.#kept = Math.min(most, MAX_FINGERPRINTS);
    this.#most = most === 0 ? 0 : Math.floor(this.#kept / KEPT) + 1;
    this.#lastBits = bitsFor(most);
    this.#firstBits = Math.max(LEAST_BITS, Math.min(MOST_FIRST_BITS, this.#lastBits - FEWER_BITS));
    this.#exactBits = Math.min(sizes.exactBits ?? Math.min(MOST_EXACT_BITS, this.#lastBits - 2), this.#lastBits);
    this.#firstBytes = most === 0 ? 0 : bytesOf(this.#firstBits);
    this.#onDropped = onDropped;
    this.#stash = new FingerprintStash(onDropped);
  }

  /** Number of fingerprints. */
  get size(): number {
    return this.#held + this.#stash.size;
  }

  /** Memory taken, in bytes. */
  get bytes(): number {
    return this.#tableBytes + this.#stash.bytes;
  }

  /** Bytes to keep free, so that the next table has room when this one is full: the more the fuller it is. */
  get growthBytes(): number {
    if (this.#bits === 0) return this.#firstBytes;
    const used = this.#bits < this.#exactBits ? (this.#used - this.#unused.length) / this.#ends.length : 0;
    const full = Math.max(used, this.#held / this.#mostCells);
    return full <= 1 / 2 ? 0 : (2 * full - 1) * this.#nextBytes;
  }

  /**
   * Adds a fingerprint. Of one hash and label the one of the higher version stays.
   *
   * @param isExact Whether a record of this very version has left here.
   * @returns False if all of so low a version have been dropped, and this one with them.
   */
  add(hash: number, upTo: number, label: number, isExact = false): boolean {
    if (upTo <= this.#dropped || this.#most === 0) return false;
    if (this.#bits === 0) this.#open(this.#firstBits);
    const last = hash & this.#lastVersions.length - 1;
    this.#lastVersions[last] = isExact ? upTo : 0;
    this.#lastLabels[last] = label;
    return this.#add(hash, upTo, label);
  }

  /** Whether the last write with this hash that has left, if it is still known exactly, was a record of this version. */
  wasLast(hash: number, h: number, label: number): boolean {
    const last = hash & this.#lastVersions.length - 1;
    return this.#bits > 0 && this.#lastVersions[last] === h && this.#lastLabels[last] === label;
  }

  #add(hash: number, upTo: number, label: number): boolean {
    const held = this.#find(hash, label);
    if (held >= 0) {
      if (this.#ends[this.#spanOf(held)] < upTo) this.#renew(held, hash, upTo, label);
      return true;
    }
    if (this.#stash.size > 0 && this.#stash.renew(hash, upTo, label)) return true;
    while (this.#held >= this.#mostCells && this.#bits < this.#lastBits) this.#grow();
    if (this.#held >= this.#most) this.#tidy(true);
    const span = this.#spanFor(upTo);
    if (!this.#put(hash, label, span)) {
      const most = stashedIn(this.#bits);
      const isFull = this.#stash.size >= most && this.#held > SPARSE * this.#labels.length;
      if (isFull && this.#bits < this.#lastBits) {
        this.#grow();
        return this.#add(hash, upTo, label);
      }
      this.#stash.add({ hash, upTo, label }, most);
      return true;
    }
    this.#counts[span]++;
    this.#held++;
    return true;
  }

  /** Gives a fingerprint another version, in its place: a walk need not meet it again. */
  #renew(held: number, hash: number, upTo: number, label: number): void {
    const words = this.#words;
    const span = this.#spanFor(upTo);
    const cell = words === this.#words ? held : this.#find(hash, label); // the table may have grown
    if (cell < 0) return void this.#stash.renew(hash, upTo, label);
    this.#counts[this.#spanOf(cell)]--;
    this.#counts[span]++;
    this.#words[cell] = this.#words[cell] & ~(this.#ends.length - 1) | span;
  }

  /** The highest version of a fingerprint; 0 if there is none. */
  get last(): number {
    return Math.max(this.#stash.last, this.#spans === 0 ? 0 : this.#ends[this.#order[this.#spans - 1]]);
  }

  /**
   * Whether a write of a key with this hash, of version `h` or a newer one, may have left.
   *
   * @param counts Whether a fingerprint counts.
   */
  covers(hash: number, h: number, counts: Counts): boolean {
    if (h > this.last) return false;
    return this.#covers(hash, 0, h, counts) || this.#covers(hash, 1, h, counts) || this.#stash.covers(hash, h, counts);
  }

  /**
   * Looks at up to `cells` cells, or what has moved meanwhile, from a cursor on, and moves the cursor. From its first call to its last a walk meets all
   * that is there meanwhile, some of it twice.
   *
   * @returns False at the end of the table.
   */
  walk(cursor: Cursor, cells: number, visit: (fingerprint: Fingerprint) => void): boolean {
    if (cursor.cell === 0 || this.#moves - cursor.moves > this.#movesKept || cursor.moves > this.#moves) {
      [cursor.cell, cursor.moves] = [0, this.#moves];
    }
    const end = Math.min(this.#labels.length, cursor.cell + cells);
    // With the last cells: the stash takes nothing from the table while a walk goes on.
    if (cursor.cell < end && end === this.#labels.length) this.#stash.all.forEach(visit);
    for (; cursor.cell < end; cursor.cell++) this.#visit(cursor.cell, visit);
    if (end < this.#labels.length) return true;
    const last = Math.min(this.#moves, cursor.moves + Math.max(1, Math.floor(cells / (2 * CELLS))));
    for (; cursor.moves < last; cursor.moves++) {
      const hash = this.#moved[cursor.moves % this.#movesKept];
      for (const from of [this.#firstCell(hash, 0), this.#firstCell(hash, 1)]) {
        for (let cell = from; cell < from + CELLS; cell++) if (this.#hashOf(cell) === hash) this.#visit(cell, visit);
      }
    }
    return last < this.#moves;
  }

  #visit(cell: number, visit: (fingerprint: Fingerprint) => void): void {
    if (this.#labels[cell] === 0) return;
    visit({ hash: this.#hashOf(cell), upTo: this.#ends[this.#spanOf(cell)], label: this.#labels[cell] });
  }

  /** Gives all fingerprints of a label whose version may be above `h` another label as well. */
  copyLabel(from: number, to: number, h: number): void {
    const found: Fingerprint[] = [];
    this.walk({ cell: 0, moves: 0 }, Infinity, (fingerprint) => {
      if (fingerprint.label === from && fingerprint.upTo > h) found.push(fingerprint);
    });
    for (const { hash, upTo } of found) this.add(hash, upTo, to);
  }

  /** Removes all fingerprints of labels for which `isGone` is true. */
  removeLabels(isGone: (label: number) => boolean): void {
    for (let cell = 0; cell < this.#labels.length; cell++) {
      if (this.#labels[cell] !== 0 && isGone(this.#labels[cell])) this.#remove(cell);
    }
    this.#stash.remove(({ label }) => isGone(label));
  }

  /** Removes all fingerprints, and gives their memory back. */
  clear(): void {
    this.#bits =
      this.#held =
      this.#tableBytes =
      this.#spans =
      this.#used =
        0;
    this.#stash.clear();
    this.#unused = [];
    this.#quota = 1;
    this.#words = new Uint32Array(0);
    this.#labels = new Uint8Array(0);
    this.#ends = new Float64Array(0);
    this.#counts = new Uint16Array(0);
    this.#order = new Uint16Array(0);
    this.#lastVersions = new Float64Array(0);
    this.#lastLabels = new Uint8Array(0);
    this.#moves += this.#movesKept + 1; // a walk under way begins again
  }

  /** Makes a table of 2 to the power of `bits` buckets, with the spans of the present one and no fingerprints. */
  #open(bits: number): void {
    this.#tableBytes = bytesOf(bits);
    this.#nextBytes = bits === this.#lastBits ? 0 : bytesOf(bits + 1) - this.#tableBytes;
    this.#mostCells = FULL * CELLS * 2 ** bits;
    this.#bits = bits;
    this.#words = new Uint32Array(CELLS * 2 ** bits);
    this.#labels = new Uint8Array(CELLS * 2 ** bits);
    this.#ends = extended(this.#ends, new Float64Array(spansOf(bits)));
    this.#counts = extended(this.#counts, new Uint16Array(spansOf(bits)));
    this.#order = extended(this.#order, new Uint16Array(spansOf(bits)));
    this.#lastVersions = new Float64Array(2 ** bits / EXACT_BUCKETS);
    this.#lastLabels = new Uint8Array(2 ** bits / EXACT_BUCKETS);
  }

  #grow(): void {
    const size = this.#held;
    const [hashes, spans, labels] = [new Uint32Array(size), new Uint16Array(size), new Uint8Array(size)];
    let count = 0;
    for (let cell = 0; cell < this.#labels.length; cell++) {
      if (this.#labels[cell] === 0) continue;
      hashes[count] = this.#hashOf(cell);
      spans[count] = this.#spanOf(cell);
      labels[count++] = this.#labels[cell];
    }
    const stashed = this.#stash.all;
    this.#stash.clear();
    this.#open(this.#bits + 1);
    this.#moves += this.#movesKept + 1; // a walk under way begins again
    for (let i = 0; i < count; i++) { // of which there is room for twice as many
      if (this.#put(hashes[i], labels[i], spans[i])) continue;
      stashed.push({ hash: hashes[i], upTo: this.#ends[spans[i]], label: labels[i] });
      this.#counts[spans[i]]--;
      this.#held--;
    }
    for (const { hash, upTo, label } of stashed) this.#add(hash, upTo, label);
  }

  /** A span whose end is at or above version `h`: the one below, extended; or a new one where that is full. */
  #spanFor(h: number): number {
    const place = this.#placeOf(h);
    const [below, above] = [this.#order[place - 1], this.#order[place]];
    const isWithin = place > 0 && place < this.#spans && this.#quota > 1 && this.#counts[above] < this.#quota;
    if (isWithin || (place < this.#spans && this.#ends[above] === h && this.#counts[above] < MOST_IN_SPAN)) {
      return above;
    }
    if (place > 0 && this.#counts[below] < this.#quota) {
      this.#ends[below] = h;
      return below;
    }
    if (this.#unused.length === 0 && this.#used === this.#ends.length) {
      if (this.#reclaim()) return this.#spanFor(h);
      if (this.#bits < this.#exactBits) this.#grow();
      else this.#tidy(false);
      return this.#spanFor(h);
    }
    const span = this.#unused.pop() ?? this.#used++;
    if (place < this.#spans) this.#order.copyWithin(place + 1, place, this.#spans);
    this.#spans++;
    this.#ends[span] = h;
    this.#counts[span] = 0;
    return this.#order[place] = span;
  }

  /** Takes spans without fingerprints out of the order, for reuse. Returns whether they are worth it. */
  #reclaim(): boolean {
    let kept = 0;
    for (let place = 0; place < this.#spans; place++) {
      const span = this.#order[place];
      if (this.#counts[span] === 0) this.#unused.push(span);
      else this.#order[kept++] = span;
    }
    this.#spans = kept;
    return this.#unused.length > this.#ends.length / 4;
  }

  /** Place in the order of the first span whose end is at or above version `h`. */
  #placeOf(h: number): number {
    let [low, high] = [0, this.#spans];
    if (high === 0 || this.#ends[this.#order[high - 1]] < h) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#ends[this.#order[middle]] < h) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Joins neighbouring spans so that half of the spans are free; before, if need be, drops the lowest beyond what is kept. */
  #tidy(isFull: boolean): void {
    let first = 0;
    while (isFull && (this.#held >= this.#mostCells || this.#held - this.#counts[this.#order[first]] >= this.#kept)) {
      const span = this.#order[first++];
      this.#held -= this.#counts[span];
      if (this.#counts[span] > 0) this.#dropped = Math.max(this.#dropped, this.#ends[span]);
    }
    this.#quota = Math.max(1, Math.ceil(4 * this.#held / this.#ends.length));
    const joined = new Uint16Array(this.#ends.length).fill(GONE);
    const [ends, counts] = [new Float64Array(this.#ends.length), new Uint16Array(this.#ends.length)];
    let last = -1;
    for (let place = first; place < this.#spans; place++) {
      const span = this.#order[place];
      if (this.#counts[span] === 0) continue;
      if (last < 0 || counts[last] + this.#counts[span] > this.#quota) last++;
      counts[last] += this.#counts[span];
      ends[last] = this.#ends[span];
      joined[span] = last;
    }
    const before = this.#ends;
    [this.#ends, this.#counts, this.#spans] = [ends, counts, last + 1];
    for (let span = 0; span <= last; span++) this.#order[span] = span;
    this.#used = last + 1;
    this.#unused = [];
    this.#renumber(joined, before);
  }

  /** Gives fingerprints their new spans; those of spans that are gone go too. `ends` are those of the former spans. */
  #renumber(spans: Uint16Array, ends: Float64Array): void {
    const [words, labels, mask] = [this.#words, this.#labels, spans.length - 1];
    const dropped = new Float64Array(MAX_LABEL + 1);
    for (let cell = 0; cell < labels.length; cell++) {
      const label = labels[cell];
      if (label === 0) continue;
      const span = spans[words[cell] & mask];
      if (span !== GONE) {
        words[cell] = words[cell] & ~mask | span;
        continue;
      }
      labels[cell] = 0;
      dropped[label] = Math.max(dropped[label], ends[words[cell] & mask]);
    }
    for (let label = 1; label <= MAX_LABEL; label++) if (dropped[label] > 0) this.#onDropped(label, dropped[label]);
  }

  #covers(hash: number, second: number, h: number, counts: Counts): boolean {
    const [words, labels, shift] = [this.#words, this.#labels, this.#bits - 1];
    const word = this.#wordOf(hash, second, 0);
    for (let cell = this.#firstCell(hash, second), end = cell + CELLS; cell < end; cell++) {
      if ((words[cell] ^ word) >>> shift !== 0 || labels[cell] === 0) continue;
      const upTo = this.#ends[this.#spanOf(cell)];
      if (upTo >= h && counts(labels[cell], upTo)) return true;
    }
    return false;
  }

  /** The cell of the fingerprint of a hash and label, or -1. */
  #find(hash: number, label: number): number {
    const words = this.#words;
    const shift = this.#bits - 1;
    const [first, second] = [this.#wordOf(hash, 0, 0), this.#wordOf(hash, 1, 0)];
    for (let cell = this.#firstCell(hash, 0), end = cell + CELLS; cell < end; cell++) {
      if ((words[cell] ^ first) >>> shift === 0 && this.#labels[cell] === label) return cell;
    }
    for (let cell = this.#firstCell(hash, 1), end = cell + CELLS; cell < end; cell++) {
      if ((words[cell] ^ second) >>> shift === 0 && this.#labels[cell] === label) return cell;
    }
    return -1;
  }

  #remove(cell: number): void {
    this.#counts[this.#spanOf(cell)]--;
    this.#held--;
    this.#labels[cell] = 0;
  }

  /** Writes a fingerprint into one of its buckets, for which others may have to move. */
  #put(hash: number, label: number, span: number): boolean {
    const first = this.#firstCell(hash, 0);
    let from = first;
    let cell = this.#freeIn(first);
    if (cell < 0) cell = this.#freeIn(from = this.#firstCell(hash, 1));
    for (let moves = 1; cell < 0 && moves <= MOST_MOVES; moves++) {
      cell = this.#vacate(from = first, moves);
      if (cell < 0) cell = this.#vacate(from = this.#firstCell(hash, 1), moves);
    }
    if (cell < 0) return false;
    this.#words[cell] = this.#wordOf(hash, from === first ? 0 : 1, span);
    this.#labels[cell] = label;
    return true;
  }

  /** A free cell of a bucket, or -1. */
  #freeIn(from: number): number {
    const labels = this.#labels;
    for (let cell = from; cell < from + CELLS; cell++) if (labels[cell] === 0) return cell;
    return -1;
  }

  /** Moves a fingerprint of a full bucket to its other one. Returns the cell that is free then, or -1. */
  #vacate(from: number, moves: number): number {
    for (let cell = from; cell < from + CELLS; cell++) {
      const hash = this.#hashOf(cell);
      const isSecond = this.#firstCell(hash, 0) !== from;
      const other = this.#firstCell(hash, isSecond ? 0 : 1);
      const to = moves === 1 ? this.#freeIn(other) : this.#vacate(other, moves - 1);
      if (to < 0) continue;
      this.#words[to] = this.#wordOf(hash, isSecond ? 0 : 1, this.#spanOf(cell));
      this.#labels[to] = this.#labels[cell];
      if (to < cell) this.#moved[this.#moves++ % this.#movesKept] = hash;
      return cell;
    }
    return -1;
  }

  #spanOf(cell: number): number {
    return this.#words[cell] & this.#ends.length - 1;
  }

  /** First cell of a hash's first or second bucket: the second is found from the first, and the other way round. */
  #firstCell(hash: number, second: number): number {
    const bucket = hash >>> (HASH_BITS - this.#bits);
    return CELLS * (second === 0 ? bucket : bucket ^ this.#distance(hash & 2 ** (HASH_BITS - this.#bits) - 1));
  }

  #distance(rest: number): number {
    return Math.imul(rest, 0x9e3779b1) >>> (HASH_BITS - this.#bits) | 1;
  }

  #wordOf(hash: number, second: number, span: number): number {
    return (hash << this.#bits | second << (this.#bits - 1) | span) >>> 0;
  }

  #hashOf(cell: number): number {
    const word = this.#words[cell];
    const rest = word >>> this.#bits;
    const isSecond = (word >>> (this.#bits - 1) & 1) === 1;
    const here = Math.floor(cell / CELLS);
    const bucket = isSecond ? here ^ this.#distance(rest) : here;
    return (bucket << (HASH_BITS - this.#bits) | rest) >>> 0;
  }
}

function extended<T extends Float64Array | Uint32Array | Uint16Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
