/**
 * Maps a hash to the positions of entries that may have the key. It knows neither keys nor entries.
 *
 * Extendible hashing (Fagin, Nievergelt, Pippenger, Strong, 1979): pages of fixed size under a directory indexed by the
 * hash's upper bits. A full page is split alone, so the table never stands still to grow, and two that have become
 * nearly empty are merged. Within a page: open addressing with linear probing by the lower bits, and deletion by
 * shifting back, so nothing but entries takes room.
 *
 * Pages lie side by side in large chunks. The last page moves into the place of one that is merged away, so the chunks
 * behind it go back to the system.
 */

import { Blocks } from "./blocks.ts";

/** Part of a page's pairs that may be in use before the page is split. */
const FULL = 0.75;
/** Part of a page's pairs: with fewer in use, the page looks whether it can merge with its buddy. */
const SPARSE = 0.15;
/** Part of a page's pairs that two pages may have in use together to be merged. */
const MERGED = 2 * SPARSE;
const MAX_PAIRS = 1024;
/** Field after a page's pairs of hash and position: how many pairs are in use. */
const COUNT = 0;
/** Field: how many upper bits of the hash the pairs share. */
const DEPTH = 1;
/** Field: the bits that the pairs share, which say where the page's part of the directory begins at any depth. */
const PREFIX = 2;
const TRAILER = 3;

/** A hash, without sign, and a position stored under it. */
export interface HashedPosition {
  readonly hash: number;
  readonly position: number;
}

/** Beyond the last hash without sign: where a walk ends. */
export const HASHES_END: number = 2 ** 32;

/** Positions by hash. Several may have one hash: see {@linkcode HashIndex.find}. Position 0 means none. */
export class HashIndex {
  readonly #pairs: number;
  readonly #pageWords: number;
  /** A page number's upper bits are its chunk; the lower ones, the place in it. */
  readonly #chunkShift: number;
  readonly #chunks: Int32Array[] = [];
  readonly #blocks: Blocks;
  #pages = 0;
  /** Page numbers by the upper `#depth` bits of a hash; a page of a lesser depth stands there several times. */
  #directory = new Int32Array(1);
  #depth = 0;
  readonly #scratch: Int32Array;
  /** Where `find` and `findNext` stand: a chunk, the page's place in it, and the pair's in the page. */
  #chunk: Int32Array;
  #base = 0;
  #at = 0;
  #hash = 0;

  /** @param chunkBytes Size of the pieces in which memory is taken, about; below 16 KiB pages are smaller than 1,024 pairs. */
  constructor(chunkBytes = 512 * 1024) {
    this.#pairs = Math.min(MAX_PAIRS, 2 ** Math.floor(Math.log2(chunkBytes / 16)));
    this.#pageWords = 2 * this.#pairs + TRAILER;
    this.#chunkShift = Math.ceil(Math.log2(chunkBytes / 4 / this.#pageWords));
    this.#blocks = new Blocks(4 * this.#pageWords << this.#chunkShift);
    this.#scratch = new Int32Array(2 * this.#pairs);
    this.#addPage(0, 0);
    this.#chunk = this.#chunks[0];
  }

  /** Memory taken, in bytes: pages beyond the last have not been touched. */
  get bytes(): number {
    return 4 * (this.#pages * this.#pageWords + this.#directory.length);
  }

  /** Bytes that the next `insert` may add to `bytes`. */
  get growthBytes(): number {
    return 4 * (this.#pageWords + this.#directory.length);
  }

  /** The first position stored under a hash, or 0. `findNext` returns the others. */
  find(hash: number): number {
    this.#goTo(this.#directory[this.#index(hash)]);
    this.#hash = hash;
    this.#at = 2 * (hash & (this.#pairs - 1));
    return this.#probe();
  }

  /** The word that lies where the search for a hash begins. */
  home(hash: number): number {
    this.#goTo(this.#directory[this.#index(hash)]);
    return this.#chunk[this.#base + 2 * (hash & (this.#pairs - 1))];
  }

  /** The next position under the hash of the last `find`, or 0. Valid while nothing has changed since. */
  findNext(): number {
    this.#step();
    return this.#probe();
  }

  /**
   * Goes through the page that has a hash, in the order of the hashes without sign, from that one on. However pages are split
   * and merged, a walk that goes on at `next` until `HASHES_END` meets once what is in the table all the time.
   */
  walk(from: number): { found: HashedPosition[]; next: number } {
    const page = this.#pageOf(from);
    const span = 2 ** (32 - this.#trailer(page, DEPTH));
    const next = ((this.#trailer(page, PREFIX) >>> 0) + 1) * span;
    const [chunk, base] = [this.#chunk, this.#base];
    const found: HashedPosition[] = [];
    for (let at = base; at < base + 2 * this.#pairs; at += 2) {
      const hash = chunk[at] >>> 0;
      if (chunk[at + 1] !== 0 && hash >= from) found.push({ hash, position: chunk[at + 1] });
    }
    return { found: found.sort((a, b) => a.hash - b.hash), next };
  }

  /** Adds a position under a hash. */
  insert(hash: number, position: number): void {
    while (this.#trailer(this.#pageOf(hash), COUNT) >= FULL * this.#pairs) this.#split(hash);
    this.#put(this.#pageOf(hash), hash, position);
  }

  /** Replaces the position `from` under a hash by `to`. */
  move(hash: number, from: number, to: number): void {
    for (let position = this.find(hash); position !== from;) {
      if (position === 0) throw new RangeError(`Cannot move position ${from}: it is not in the table`);
      position = this.findNext();
    }
    this.#chunk[this.#base + this.#at + 1] = to;
  }

  /** Removes a position. */
  remove(hash: number, position: number): void {
    this.move(hash, position, position);
    this.#shiftBack();
    const count = --this.#chunk[this.#base + 2 * this.#pairs + COUNT];
    if (count < SPARSE * this.#pairs && this.#depth > 0) this.#merge(this.#pageOf(hash));
  }

  /** Gives a region of memory none of which is in use back to the system. Returns whether there was one. */
  giveBackRegion(): boolean {
    return this.#blocks.giveBackRegion();
  }

  /** Gives all memory back; the table must not be used afterwards. */
  abandon(): void {
    while (this.#chunks.length > 0) this.#blocks.giveBack(this.#chunks.pop()!);
    this.giveBackRegion();
    this.#pages = 0;
  }

  /** Place in the directory: a shift by 32 would be one by 0. */
  #index(hash: number): number {
    return this.#depth === 0 ? 0 : hash >>> (32 - this.#depth);
  }

  #pageOf(hash: number): number {
    return this.#directory[this.#index(hash)];
  }

  #goTo(page: number): void {
    const chunk = page >> this.#chunkShift;
    this.#chunk = this.#chunks[chunk];
    this.#base = (page - (chunk << this.#chunkShift)) * this.#pageWords;
  }

  #trailer(page: number, field: number): number {
    this.#goTo(page);
    return this.#chunk[this.#base + 2 * this.#pairs + field];
  }

  #setTrailer(page: number, field: number, value: number): void {
    this.#goTo(page);
    this.#chunk[this.#base + 2 * this.#pairs + field] = value;
  }

  #probe(): number {
    const chunk = this.#chunk;
    const base = this.#base;
    while (chunk[base + this.#at + 1] !== 0) {
      if (chunk[base + this.#at] === this.#hash) return chunk[base + this.#at + 1];
      this.#step();
    }
    return 0;
  }

  #step(): void {
    this.#at = (this.#at + 2) & (2 * this.#pairs - 1);
  }

  /** Closes the gap at the pair found: a later pair that a search would now miss moves in, and leaves the next gap. */
  #shiftBack(): void {
    const chunk = this.#chunk;
    const base = this.#base;
    const mask = 2 * this.#pairs - 1;
    let gap = this.#at;
    for (let at = (gap + 2) & mask; chunk[base + at + 1] !== 0; at = (at + 2) & mask) {
      const home = (2 * chunk[base + at]) & mask;
      if (((at - home) & mask) < ((at - gap) & mask)) continue; // it would move to before its home
      chunk[base + gap] = chunk[base + at];
      chunk[base + gap + 1] = chunk[base + at + 1];
      gap = at;
    }
    chunk[base + gap + 1] = 0;
  }

  /** Puts a pair into a page that has room. */
  #put(page: number, hash: number, position: number): void {
    this.#goTo(page);
    const chunk = this.#chunk;
    const base = this.#base;
    const mask = 2 * this.#pairs - 1;
    let at = (2 * hash) & mask;
    while (chunk[base + at + 1] !== 0) at = (at + 2) & mask;
    chunk[base + at] = hash;
    chunk[base + at + 1] = position;
    chunk[base + 2 * this.#pairs + COUNT]++;
  }

  #addPage(depth: number, prefix: number): number {
    const page = this.#pages++;
    if (page === this.#chunks.length << this.#chunkShift) {
      const { buffer, byteOffset } = this.#blocks.take();
      this.#chunks.push(new Int32Array(buffer, byteOffset, this.#pageWords << this.#chunkShift));
    }
    this.#goTo(page);
    this.#chunk.fill(0, this.#base, this.#base + this.#pageWords);
    this.#setTrailer(page, DEPTH, depth);
    this.#setTrailer(page, PREFIX, prefix);
    return page;
  }

  /** Points a page's part of the directory to the page. */
  #direct(page: number): void {
    const span = 2 ** (this.#depth - this.#trailer(page, DEPTH));
    const first = this.#trailer(page, PREFIX) * span;
    this.#directory.fill(page, first, first + span);
  }

  /** Splits the page of a hash by one more bit. */
  #split(hash: number): void {
    const page = this.#pageOf(hash);
    const depth = this.#trailer(page, DEPTH) + 1;
    const prefix = 2 * this.#trailer(page, PREFIX);
    if (depth > this.#depth) {
      const directory = new Int32Array(2 * this.#directory.length);
      for (let i = 0; i < directory.length; i++) directory[i] = this.#directory[i >> 1];
      this.#directory = directory;
      this.#depth++;
    }
    this.#take(page);
    this.#setTrailer(page, DEPTH, depth);
    this.#setTrailer(page, PREFIX, prefix);
    this.#direct(this.#addPage(depth, prefix + 1));
    this.#distribute();
  }

  /** Moves a page's pairs to the scratch array. */
  #take(page: number): void {
    this.#goTo(page);
    const end = this.#base + 2 * this.#pairs;
    this.#scratch.set(this.#chunk.subarray(this.#base, end));
    this.#chunk.fill(0, this.#base, end + COUNT + 1);
  }

  /** Puts the pairs in the scratch array into the pages that the directory names. */
  #distribute(): void {
    for (let at = 0; at < this.#scratch.length; at += 2) {
      const hash = this.#scratch[at];
      if (this.#scratch[at + 1] !== 0) this.#put(this.#pageOf(hash), hash, this.#scratch[at + 1]);
    }
  }

  /** Merges a page with the one it was split from, if both together are nearly empty. */
  #merge(page: number): void {
    const depth = this.#trailer(page, DEPTH);
    if (depth === 0) return;
    const prefix = this.#trailer(page, PREFIX);
    const buddy = this.#directory[(prefix ^ 1) * 2 ** (this.#depth - depth)];
    if (this.#trailer(buddy, DEPTH) !== depth) return;
    if (this.#trailer(page, COUNT) + this.#trailer(buddy, COUNT) > MERGED * this.#pairs) return;
    this.#take(buddy);
    this.#setTrailer(page, DEPTH, depth - 1);
    this.#setTrailer(page, PREFIX, prefix >> 1);
    this.#direct(page);
    this.#distribute();
    this.#drop(buddy);
  }

  /** Moves the last page into the place of one that the directory no longer names. */
  #drop(page: number): void {
    const last = --this.#pages;
    if (last !== page) {
      this.#goTo(last);
      const words = this.#chunk.subarray(this.#base, this.#base + this.#pageWords);
      this.#goTo(page);
      this.#chunk.set(words, this.#base);
      this.#direct(page);
    }
    // One chunk is kept spare, or a table at a chunk's edge would take memory and give it back in turn.
    if (this.#pages <= (this.#chunks.length - 2) << this.#chunkShift) this.#blocks.giveBack(this.#chunks.pop()!);
  }
}
