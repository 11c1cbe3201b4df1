/**
 * The hash table of fingerprints. It knows hashes, labels and numbers of spans, not versions.
 *
 * Buckets of fixed size, of which each hash has two (Azar and others, 1994), as in a cuckoo filter (Fan and others, 2014), so that it
 * stays fast while nine in ten of its cells are in use. A cell holds what its bucket does not tell of the hash, a label, and the number of a span.
 *
 * It grows bucket by bucket (linear hashing, Litwin, 1980), and spans get other numbers bucket by bucket: a few with each call of
 * `proceed`, or where a bucket is needed sooner. Its memory grows with it: nothing is copied but where it is small.
 */

import { CELLS, LAST_BITS } from "./fingerprint_size.ts";
import { extended, GONE } from "./fingerprint_spans.ts";

/** Fingerprints that may have to move to make room for another. */
const MOST_MOVES = 3;
const HASH_BITS = 32;
/** Buckets whose cells lie in one piece of memory, at most. */
const PIECE_SHIFT = 10;
const PIECE_BUCKETS = 1 << PIECE_SHIFT;
const PIECE_CELLS = CELLS * PIECE_BUCKETS;

/** Cells, in buckets that lie side by side. Hashes are those that `turned` returns. */
export class FingerprintCells {
  /** A cell's word: the upper bits of its hash, whether its bucket is the second, and its span. */
  readonly #words: Int32Array[] = [];
  /** A cell's label; 0 if the cell is free. */
  readonly #labels: Uint8Array[] = [];
  /** Bits of the number of a bucket, once all are split. */
  #bits = 0;
  /** Half of the buckets, and how many of the lower half are split; the other half of those that are not is empty. */
  #half = 0;
  #split = 0;
  /** New numbers of spans, while there are buckets with former ones; which have new ones, and where to go on. */
  #joined: Uint16Array | undefined;
  #hasNew = new Uint8Array(0);
  #next = 0;
  readonly #onMoved: (hash: number) => void;

  /** @param onMoved Called with the hash of a fingerprint that has moved towards the beginning. */
  constructor(onMoved: (hash: number) => void) {
    this.#onMoved = onMoved;
  }

  /** Number of cells. */
  get length(): number {
    return CELLS * 2 * this.#half;
  }

  /** Whether the table is growing: until then spans have one bit fewer. */
  get isGrowing(): boolean {
    return this.#split < this.#half;
  }

  /** Whether some buckets have former numbers of spans. */
  get isRenumbering(): boolean {
    return this.#joined !== undefined;
  }

  /** Makes a table of 2 to the power of `bits` buckets; where there is one, of a bit fewer, its buckets are split with `proceed`. */
  open(bits: number): void {
    this.#half = 2 ** bits / 2;
    this.#split = this.#bits === 0 ? this.#half : 0;
    this.#bits = bits;
    if (this.#split === 0 && 2 ** bits > PIECE_BUCKETS) return; // its pieces are added as buckets are split
    const cells = Math.min(PIECE_CELLS, CELLS * 2 ** bits);
    this.#words[0] = extended(this.#words[0] ?? new Int32Array(0), new Int32Array(cells));
    this.#labels[0] = extended(this.#labels[0] ?? new Uint8Array(0), new Uint8Array(cells));
    while (this.#words.length << PIECE_SHIFT < 2 ** bits) this.#addPiece();
  }

  #addPiece(): void {
    this.#words.push(new Int32Array(PIECE_CELLS));
    this.#labels.push(new Uint8Array(PIECE_CELLS));
  }

  /** Gives all memory back. */
  clear(): void {
    this.#bits = this.#half = this.#split = 0;
    this.#words.length = this.#labels.length = 0;
    this.#joined = undefined;
  }

  /** Gives spans other numbers, in a table that is not growing; fingerprints of those that are gone go too. */
  renumber(joined: Uint16Array): void {
    this.#joined = joined;
    this.#hasNew = new Uint8Array(2 ** this.#bits);
    this.#next = 0;
  }

  /** Splits or renumbers up to `buckets` buckets. Returns whether there are more. */
  proceed(buckets: number): boolean {
    for (; buckets > 0 && this.#joined !== undefined; buckets--) {
      this.#freshen(this.#next++);
      if (this.#next === this.#hasNew.length) this.#joined = undefined;
    }
    for (; buckets > 0 && this.isGrowing; buckets--) this.#splitNext();
    return this.isGrowing || this.isRenumbering;
  }

  /** The label at a cell; 0 if there is no fingerprint. */
  labelAt(cell: number): number {
    const labels = this.#labels[pieceOf(cell)];
    if (labels === undefined) return 0; // of a bucket that is still to come
    const label = labels[cell % PIECE_CELLS];
    return this.#joined !== undefined && label !== 0 && this.#isGone(cell) ? 0 : label;
  }

  #wordAt(cell: number): number {
    return this.#words[pieceOf(cell)][cell % PIECE_CELLS];
  }

  #setWord(cell: number, word: number): void {
    this.#words[pieceOf(cell)][cell % PIECE_CELLS] = word;
  }

  #setLabel(cell: number, label: number): void {
    this.#labels[pieceOf(cell)][cell % PIECE_CELLS] = label;
  }

  /** Whether a fingerprint's span is gone, and its bucket does not say so yet. */
  #isGone(cell: number): boolean {
    const bucket = bucketOf(cell);
    return this.#hasNew[bucket] === 0 && this.#joined![this.#wordAt(cell) & this.#mask(bucket)] === GONE;
  }

  /** The span of the fingerprint in a cell. */
  spanAt(cell: number): number {
    const bucket = bucketOf(cell);
    const span = this.#wordAt(cell) & this.#mask(bucket);
    return this.#joined === undefined || this.#hasNew[bucket] !== 0 ? span : this.#joined[span];
  }

  /** Gives a fingerprint that `find` has found another span. */
  setSpan(cell: number, span: number): void {
    this.#setWord(cell, this.#wordAt(cell) & ~this.#mask(bucketOf(cell)) | span);
  }

  /** The hash of the fingerprint in a cell. */
  hashAt(cell: number): number {
    const bucket = bucketOf(cell);
    const word = this.#wordAt(cell);
    const bits = this.#bitsOf(bucket);
    const index = (word >>> bits - 1 & 1) === 0 ? bucket : bucket ^ distance(word);
    return word & -1 << bits | index & (1 << bits) - 1;
  }

  /** A hash's first or second bucket. */
  #bucket(hash: number, second: number): number {
    const index = (second === 0 ? hash : hash ^ distance(hash)) & 2 * this.#half - 1;
    return (index & this.#half - 1) < this.#split ? index : index & this.#half - 1;
  }

  /** The next cell from `cell` on of a bucket, the `second` or first of a hash, that has a fingerprint of the hash; -1 if there is none. */
  next(hash: number, second: number, cell: number): number {
    const bucket = this.#bucket(hash, second);
    if (this.#words.length === 0) return -1;
    const words = this.#words[bucket >> PIECE_SHIFT];
    const shift = this.#bitsOf(bucket) - 1;
    const word = wordOf(hash, second, shift + 1, 0);
    const from = CELLS * bucket;
    for (cell = Math.max(cell, from); cell < from + CELLS; cell++) {
      if ((words[cell % PIECE_CELLS] ^ word) >>> shift === 0 && this.labelAt(cell) !== 0) return cell;
    }
    return -1;
  }

  /** The cell of the fingerprint of a hash and label, or -1. Its buckets have the new numbers of spans then. */
  find(hash: number, label: number): number {
    const cell = this.#findIn(hash, 0, label);
    return cell >= 0 ? cell : this.#findIn(hash, 1, label);
  }

  #findIn(hash: number, second: number, label: number): number {
    const bucket = this.#bucket(hash, second);
    if (this.#joined !== undefined) this.#freshen(bucket);
    const [words, labels] = [this.#words[bucket >> PIECE_SHIFT], this.#labels[bucket >> PIECE_SHIFT]];
    const shift = this.#bitsOf(bucket) - 1;
    const word = wordOf(hash, second, shift + 1, 0);
    const from = CELLS * bucket;
    for (let at = from % PIECE_CELLS, i = 0; i < CELLS; at++, i++) {
      if ((words[at] ^ word) >>> shift === 0 && labels[at] === label) return from + i;
    }
    return -1;
  }

  /** Removes the fingerprint in a cell. */
  remove(cell: number): void {
    this.#setLabel(cell, 0);
  }

  /** Writes a fingerprint into one of its buckets, for which others may have to move. Returns whether there was room. */
  put(hash: number, label: number, span: number): boolean {
    let [second, bucket] = [0, this.#bucket(hash, 0)];
    let cell = this.#freeIn(bucket);
    if (cell < 0) cell = this.#freeIn(bucket = this.#bucket(hash, second = 1));
    for (let moves = 1; cell < 0 && moves <= MOST_MOVES; moves++) {
      cell = this.#vacate(bucket = this.#bucket(hash, second = 0), moves);
      if (cell < 0) cell = this.#vacate(bucket = this.#bucket(hash, second = 1), moves);
    }
    if (cell < 0) return false;
    this.#setWord(cell, wordOf(hash, second, this.#bitsOf(bucket), span));
    this.#setLabel(cell, label);
    return true;
  }

  /** A free cell of a bucket, or -1. */
  #freeIn(bucket: number): number {
    if (this.#joined !== undefined) this.#freshen(bucket);
    const labels = this.#labels[bucket >> PIECE_SHIFT];
    const from = CELLS * bucket;
    for (let at = from % PIECE_CELLS, i = 0; i < CELLS; i++) if (labels[at + i] === 0) return from + i;
    return -1;
  }

  /** Moves a fingerprint of a full bucket to its other one. Returns the cell that is free then, or -1. */
  #vacate(bucket: number, moves: number): number {
    this.#freshen(bucket);
    const bits = this.#bitsOf(bucket);
    for (let cell = CELLS * bucket, end = cell + CELLS; cell < end; cell++) {
      const hash = this.hashAt(cell);
      const second = 1 - (this.#wordAt(cell) >>> bits - 1 & 1);
      const other = this.#bucket(hash, second);
      const to = moves === 1 ? this.#freeIn(other) : this.#vacate(other, moves - 1);
      if (to < 0) continue;
      this.#setWord(to, wordOf(hash, second, this.#bitsOf(other), this.spanAt(cell)));
      this.#setLabel(to, this.labelAt(cell));
      if (to < cell) this.#onMoved(hash);
      return cell;
    }
    return -1;
  }

  /** Gives the fingerprints of a bucket the new numbers of their spans, and removes those whose spans are gone. */
  #freshen(bucket: number): void {
    const joined = this.#joined;
    if (joined === undefined || this.#hasNew[bucket] !== 0) return;
    const [words, labels] = [this.#words[bucket >> PIECE_SHIFT], this.#labels[bucket >> PIECE_SHIFT]];
    const mask = this.#mask(bucket);
    for (let cell = CELLS * bucket % PIECE_CELLS, end = cell + CELLS; cell < end; cell++) {
      const span = joined[words[cell] & mask];
      if (span === GONE) labels[cell] = 0;
      else words[cell] = words[cell] & ~mask | span;
    }
    this.#hasNew[bucket] = 1;
  }

  /** Moves about half of the fingerprints of the next bucket to one of its own: nothing moves towards the beginning. */
  #splitNext(): void {
    const bucket = this.#split + this.#half;
    const [lower, upper] = [this.#split >> PIECE_SHIFT, bucket >> PIECE_SHIFT];
    if (upper === this.#words.length) this.#addPiece();
    const [words, labels] = [this.#words[lower], this.#labels[lower]];
    const [upperWords, upperLabels] = [this.#words[upper], this.#labels[upper]];
    const bits = this.#bits;
    const from = CELLS * this.#split % PIECE_CELLS;
    let to = CELLS * bucket % PIECE_CELLS;
    for (let cell = from; cell < from + CELLS; cell++) {
      if (labels[cell] === 0) continue;
      const word = words[cell];
      const second = word >>> bits - 2 & 1;
      const isUpper = ((second === 0 ? word : word ^ distance(word)) >>> bits - 1 & 1) === 1;
      const split = wordOf(word, second, bits, word & (1 << bits - 2) - 1);
      if (!isUpper) words[cell] = split;
      else {
        upperWords[to] = split;
        upperLabels[to++] = labels[cell];
        labels[cell] = 0;
      }
    }
    this.#split++;
  }

  #bitsOf(bucket: number): number {
    return (bucket & this.#half - 1) < this.#split ? this.#bits : this.#bits - 1;
  }

  /** Mask of a word's span. */
  #mask(bucket: number): number {
    return (1 << this.#bitsOf(bucket) - 1) - 1;
  }
}

function pieceOf(cell: number): number {
  return cell / PIECE_CELLS | 0;
}

function bucketOf(cell: number): number {
  return cell / CELLS | 0;
}

function wordOf(hash: number, second: number, bits: number, span: number): number {
  return hash & -1 << bits | second << bits - 1 | span;
}

/** From one bucket of a hash to the other, by the bits of the hash that each word has. */
function distance(hash: number): number {
  return Math.imul(hash >>> LAST_BITS, 0x9e3779b1) >>> HASH_BITS - LAST_BITS | 1;
}

/** A hash with its bits in the opposite order, as a signed number: the upper ones, which are the better ones, choose the bucket. */
export function turned(hash: number): number {
  hash = hash >>> 1 & 0x55555555 | (hash & 0x55555555) << 1;
  hash = hash >>> 2 & 0x33333333 | (hash & 0x33333333) << 2;
  hash = hash >>> 4 & 0x0f0f0f0f | (hash & 0x0f0f0f0f) << 4;
  hash = hash >>> 8 & 0x00ff00ff | (hash & 0x00ff00ff) << 8;
  return hash >>> 16 | hash << 16;
}
