/**
 * Which writes have left a node without an entry or a grave: for each a fingerprint, 5 bytes large. It knows hashes,
 * versions and labels, not keys, records or peers. What they are for is in docs/replication.md, "Fingerprints".
 *
 * A fingerprint is a cell of a hash table (fingerprint_cells.ts), which has a label and leads to a span of versions
 * (fingerprint_spans.ts), whose end stands for the version of each in it. Where versions lie close together, so do the ends. A
 * fingerprint whose buckets are full, and stay so whatever moves, has a place beside the table (fingerprint_stash.ts).
 *
 * A fingerprint may move to its other bucket to make room. Moves towards the beginning of the table are remembered, so that
 * a walk that goes on later meets what has moved behind it.
 */

import { bitsFor, bytesOf, CELLS, EXACT_BUCKETS, FULL, KEPT, LEAST_BITS } from "./fingerprint_size.ts";
import { MAX_FINGERPRINTS, spansOf, stashedIn } from "./fingerprint_size.ts";
import { FingerprintCells, turned } from "./fingerprint_cells.ts";
import { FingerprintSpans } from "./fingerprint_spans.ts";
import { type Fingerprint, FingerprintStash } from "./fingerprint_stash.ts";

export type { Fingerprint };

/** The first table has `FEWER_BITS` bits fewer than the largest one allowed, and `MOST_FIRST_BITS` at most. */
const FEWER_BITS = 4;
const MOST_FIRST_BITS = 11;
/** A table of fewer bits grows rather than give several fingerprints one span, and grows at once. */
const MOST_EXACT_BITS = 13;
/** Part of the cells in use: with fewer, a table is not grown because many fingerprints have no cell. */
const SPARSE = 0.25;
/** Moves towards the beginning of the table that are remembered for walks under way. */
const MOVES_KEPT = 8192;
/** Buckets that are split or get new numbers of spans with each fingerprint that is added. */
const PACE = 8;
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
  readonly #cells = new FingerprintCells((hash) => this.#moved[this.#moves++ % this.#movesKept] = hash);
  readonly #spans = new FingerprintSpans();
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
  /** How often cells have got other places or spans, for all at once. */
  #changes = 0;
  /** Everything at or below this version has been dropped. */
  #dropped = 0;
  /** By label: between which versions its fingerprints in the table are. */
  readonly #least = new Float64Array(MAX_LABEL + 1).fill(Infinity);
  readonly #highest = new Float64Array(MAX_LABEL + 1);
  /** By some bits of the hash: version and label of the last write that has left, 0 if only a peer has told of it. */
  #lastVersions = new Float64Array(0);
  #lastLabels = new Uint8Array(0);
  /** Hashes, turned, of the last fingerprints that have moved towards the beginning of the table, and how many ever have. */
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
    const used = this.#bits < this.#exactBits ? 1 - this.#spans.free / spansOf(this.#bits) : 0;
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
    this.#proceed(PACE);
    this.#add(hash, upTo, label);
    return true;
  }

  /** Whether the last write with this hash that has left, if it is still known exactly, was a record of this version. */
  wasLast(hash: number, h: number, label: number): boolean {
    const last = hash & this.#lastVersions.length - 1;
    return this.#bits > 0 && this.#lastVersions[last] === h && this.#lastLabels[last] === label;
  }

  #add(hash: number, upTo: number, label: number): void {
    const cells = this.#cells;
    const place = turned(hash);
    const held = cells.find(place, label);
    if (held >= 0) {
      if (this.#spans.ends[cells.spanAt(held)] < upTo) this.#renew(held, hash, upTo, label);
      return this.#note(label, upTo); // also where the end of its span stood for that version already
    }
    if (this.#stash.size > 0 && this.#stash.renew(hash, upTo, label)) return;
    if (this.#held >= this.#mostCells && this.#bits < this.#lastBits && !cells.isRenumbering) this.#grow();
    if (this.#held >= this.#most && !cells.isGrowing) this.#tidy(true);
    const span = this.#spanFor(upTo);
    if (!cells.put(place, label, span)) return this.#addWithoutCell({ hash, upTo, label });
    this.#spans.counts[span]++;
    this.#held++;
    this.#note(label, upTo);
  }

  /** Takes note that a label has a fingerprint of a version in the table: it may be lower than what was dropped to make room for it. */
  #note(label: number, upTo: number): void {
    if (upTo < this.#least[label]) this.#least[label] = upTo;
    if (upTo > this.#highest[label]) this.#highest[label] = upTo;
  }

  #addWithoutCell(fingerprint: Fingerprint): void {
    const most = stashedIn(this.#bits);
    const isFull = this.#stash.size >= most && this.#held > SPARSE * this.#cells.length;
    if (!isFull || (this.#bits === this.#lastBits && !this.#cells.isGrowing)) {
      return this.#stash.add(fingerprint, most);
    }
    if (!this.#cells.isGrowing) this.#open(this.#bits + 1);
    this.#proceed(Infinity);
    this.#add(fingerprint.hash, fingerprint.upTo, fingerprint.label);
  }

  /** Gives a fingerprint another version, in its place: a walk need not meet it again. */
  #renew(held: number, hash: number, upTo: number, label: number): void {
    const changes = this.#changes;
    const span = this.#spanFor(upTo);
    const cell = changes === this.#changes ? held : this.#cells.find(turned(hash), label);
    if (cell < 0) return void this.#stash.renew(hash, upTo, label);
    this.#spans.counts[this.#cells.spanAt(cell)]--;
    this.#spans.counts[span]++;
    this.#cells.setSpan(cell, span);
  }

  /** The highest version of a fingerprint; 0 if there is none. */
  get last(): number {
    return Math.max(this.#stash.last, this.#spans.last);
  }

  /**
   * Whether a write of a key with this hash, of version `h` or a newer one, may have left.
   *
   * @param counts Whether a fingerprint counts.
   */
  covers(hash: number, h: number, counts: Counts): boolean {
    if (h > this.last) return false;
    const place = turned(hash);
    return this.#covers(place, 0, h, counts) || this.#covers(place, 1, h, counts) ||
      this.#stash.covers(hash, h, counts);
  }

  #covers(place: number, second: number, h: number, counts: Counts): boolean {
    const cells = this.#cells;
    for (let cell = cells.next(place, second, 0); cell >= 0; cell = cells.next(place, second, cell + 1)) {
      const upTo = this.#spans.ends[cells.spanAt(cell)];
      if (upTo >= h && counts(cells.labelAt(cell), upTo)) return true;
    }
    return false;
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
    const { length } = this.#cells;
    const end = Math.min(length, cursor.cell + cells);
    // With the last cells: the stash takes nothing from the table while a walk goes on.
    if (cursor.cell < end && end === length) this.#stash.all.forEach(visit);
    for (; cursor.cell < end; cursor.cell++) this.#visit(cursor.cell, visit);
    if (end < length) return true;
    const last = Math.min(this.#moves, cursor.moves + Math.max(1, Math.floor(cells / (2 * CELLS))));
    for (; cursor.moves < last; cursor.moves++) this.#visitAll(this.#moved[cursor.moves % this.#movesKept], visit);
    return last < this.#moves;
  }

  #visit(cell: number, visit: (fingerprint: Fingerprint) => void): void {
    const label = this.#cells.labelAt(cell);
    if (label === 0) return;
    visit({ hash: turned(this.#cells.hashAt(cell)) >>> 0, upTo: this.#spans.ends[this.#cells.spanAt(cell)], label });
  }

  #visitAll(place: number, visit: (fingerprint: Fingerprint) => void): void {
    const cells = this.#cells;
    for (const second of [0, 1]) {
      for (let cell = cells.next(place, second, 0); cell >= 0; cell = cells.next(place, second, cell + 1)) {
        this.#visit(cell, visit);
      }
    }
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
    const cells = this.#cells;
    for (let cell = 0; cell < cells.length; cell++) {
      const label = cells.labelAt(cell);
      if (label === 0 || !isGone(label)) continue;
      this.#spans.counts[cells.spanAt(cell)]--;
      this.#held--;
      cells.remove(cell);
    }
    for (let label = 1; label <= MAX_LABEL; label++) if (isGone(label)) this.#forgetLabel(label);
    this.#stash.remove(({ label }) => isGone(label));
  }

  #forgetLabel(label: number): void {
    this.#least[label] = Infinity;
    this.#highest[label] = 0;
  }

  /** Removes all fingerprints, and gives their memory back. */
  clear(): void {
    this.#bits = this.#held = this.#tableBytes = 0;
    this.#stash.clear();
    this.#cells.clear();
    this.#spans.clear();
    for (let label = 1; label <= MAX_LABEL; label++) this.#forgetLabel(label);
    this.#lastVersions = new Float64Array(0);
    this.#lastLabels = new Uint8Array(0);
    this.#moves += this.#movesKept + 1; // a walk under way begins again
  }

  /** Makes a table of 2 to the power of `bits` buckets, or doubles the present one, into which it grows with `#proceed`. */
  #open(bits: number): void {
    this.#proceed(Infinity);
    this.#tableBytes = bytesOf(bits);
    this.#nextBytes = bits === this.#lastBits ? 0 : bytesOf(bits + 1) - this.#tableBytes;
    this.#mostCells = FULL * CELLS * 2 ** bits;
    this.#bits = bits;
    this.#cells.open(bits);
    this.#setSpans();
    this.#lastVersions = new Float64Array(2 ** bits / EXACT_BUCKETS);
    this.#lastLabels = new Uint8Array(2 ** bits / EXACT_BUCKETS);
    this.#changes++;
  }

  #setSpans(): void {
    const most = spansOf(this.#bits);
    this.#spans.extend(most, this.#cells.isGrowing ? most / 2 : most);
  }

  /** Doubles the table. A large one grows a little with each fingerprint; it needs the spans that are free until then. */
  #grow(): void {
    const isLarge = this.#bits >= this.#exactBits;
    if (isLarge && this.#spans.free <= 2 ** this.#bits / PACE) return this.#tidy(false);
    this.#open(this.#bits + 1);
    if (!isLarge) this.#proceed(Infinity);
  }

  /** Does a part of what is left to do of growing or tidying: so much for each of up to `buckets` buckets. */
  #proceed(buckets: number): void {
    const cells = this.#cells;
    if (!cells.isGrowing && !cells.isRenumbering) return;
    const wasGrowing = cells.isGrowing;
    cells.proceed(buckets);
    if (!wasGrowing || cells.isGrowing) return;
    this.#setSpans();
    const stashed = this.#stash.all;
    if (stashed.length === 0) return;
    this.#stash.clear();
    this.#changes++;
    this.#moves += this.#movesKept + 1; // a walk under way begins again: it may have passed where these go now
    for (const { hash, upTo, label } of stashed) this.#add(hash, upTo, label);
  }

  /** A span for version `h`; where none is free, the table grows, or neighbouring spans are joined. */
  #spanFor(h: number): number {
    for (;;) {
      const span = this.#spans.find(h);
      if (span >= 0) return span;
      if (this.#cells.isGrowing) this.#proceed(Infinity);
      else if (this.#bits < this.#exactBits) this.#grow();
      else this.#tidy(false);
    }
  }

  /** Joins neighbouring spans so that half of the spans are free; before, if need be, drops the lowest beyond what is kept. */
  #tidy(isFull: boolean): void {
    this.#proceed(Infinity);
    let held = this.#held;
    const { joined, dropped } = this.#spans.join(held, (count) => {
      if (!isFull || (held < this.#mostCells && held - count < this.#kept)) return false;
      held -= count;
      return true;
    });
    this.#held = held;
    this.#cells.renumber(joined);
    this.#changes++;
    if (dropped > 0) this.#tellDropped(dropped);
  }

  /** All up to a version are dropped. Of which labels there were some is known by their lowest version alone. */
  #tellDropped(upTo: number): void {
    this.#dropped = Math.max(this.#dropped, upTo);
    for (let label = 1; label <= MAX_LABEL; label++) {
      if (this.#least[label] > upTo) continue;
      this.#least[label] = upTo + 1;
      this.#onDropped(label, Math.min(upTo, this.#highest[label]));
    }
  }
}
