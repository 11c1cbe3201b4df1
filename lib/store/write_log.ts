/**
 * The writes of one origin that are held, in the order of their versions: positions of records in chunks, like the leaves
 * of a B+ tree. Found by version in logarithmic time, added at the end and removed in constant time. It knows positions
 * and versions, not what is there.
 */

import type { Records } from "./records.ts";

/** Places in a chunk that has grown to its full size. */
const CHUNK = 1024;
const CHUNK_SHIFT = 10;
const CHUNK_MASK = CHUNK - 1;
const SMALLEST_CHUNK = 4;
const GROWTH = 4;
const PLACE_BYTES = 4;
/** Arrays of closed chunks kept for reuse, at most. */
const MAX_SPARE = 4;

interface Chunk {
  id: number;
  /** No version in it is below this. */
  least: number;
  /** Positions in ascending order of versions; 0 where one has been removed. */
  positions: Uint32Array;
  /** Places used, those of removed writes included. */
  length: number;
  /** Places that are not 0. */
  live: number;
  readonly log: WriteLog;
}

/** Chunks of all logs: a record remembers its place as a chunk's number and a place in it. */
export class Chunks {
  readonly #records: Records;
  readonly #chunks: (Chunk | undefined)[] = [];
  readonly #free: number[] = [];
  /** Arrays of closed chunks, for reuse. */
  readonly #spare: Uint32Array[] = [];
  #places = 0;

  constructor(records: Records) {
    this.#records = records;
  }

  /** Memory of all chunks, in bytes. */
  get bytes(): number {
    return this.#places * PLACE_BYTES;
  }

  /** Bytes that the next write may add to `bytes`. */
  get growthBytes(): number {
    return PLACE_BYTES * Math.min(CHUNK, SMALLEST_CHUNK + this.#places * (GROWTH - 1));
  }

  /** Removes a record from the log it is in. */
  remove(position: number): void {
    const place = this.#records.place(position);
    const chunk = this.#chunks[place >>> CHUNK_SHIFT]!;
    chunk.positions[place & CHUNK_MASK] = 0;
    chunk.log.removed(chunk);
  }

  /** Updates the place of a record that has moved to position `to`. */
  moved(to: number): void {
    const place = this.#records.place(to);
    this.#chunks[place >>> CHUNK_SHIFT]!.positions[place & CHUNK_MASK] = to;
  }

  /** Opens a chunk with `places` places. */
  open(log: WriteLog, least: number, places: number): Chunk {
    const id = this.#free.pop() ?? this.#chunks.length;
    const positions = (places === CHUNK ? this.#spare.pop() : undefined) ?? new Uint32Array(places);
    const chunk = { id, least, positions, length: 0, live: 0, log };
    this.#chunks[id] = chunk;
    this.#places += places;
    return chunk;
  }

  /** Gives a full chunk more places; returns false if it has grown to its full size. */
  grow(chunk: Chunk): boolean {
    const { positions } = chunk;
    if (positions.length === CHUNK) return false;
    chunk.positions = new Uint32Array(Math.min(CHUNK, GROWTH * positions.length));
    chunk.positions.set(positions);
    this.#places += chunk.positions.length - positions.length;
    return true;
  }

  /** Closes a chunk, so that its number and array can be reused. */
  close({ id, positions }: Chunk): void {
    this.#chunks[id] = undefined;
    this.#free.push(id);
    this.#places -= positions.length;
    if (positions.length === CHUNK && this.#spare.length < MAX_SPARE) this.#spare.push(positions);
  }
}

/** The writes of one origin. */
export class WriteLog {
  readonly #records: Records;
  readonly #all: Chunks;
  readonly #chunks: Chunk[] = [];
  /** Version of the newest write that the log has ever held. */
  #newest = 0;
  /** Number of writes in the log. */
  size = 0;

  constructor(records: Records, chunks: Chunks) {
    this.#records = records;
    this.#all = chunks;
  }

  /** Adds the record at a position by its version: nearly always the newest. */
  add(position: number): void {
    const h = this.#records.h(position);
    this.size++;
    if (h < this.#newest && this.#chunks.length > 0) return this.#insert(position, h);
    this.#newest = h;
    this.#append(this.#tail(h), position);
  }

  /** Takes note that a place of a chunk has become free. */
  removed(chunk: Chunk): void {
    this.size--;
    chunk.live--;
    if (this.size === 0) {
      for (const empty of this.#chunks.splice(0)) this.#all.close(empty); // there may be thousands of empty logs
    } else if (chunk === this.#chunks.at(-1)) {
      if (chunk.live === 0) chunk.length = 0;
    } else if (chunk.live === 0) {
      this.#chunks.splice(this.#indexOf(chunk), 1);
      this.#all.close(chunk);
    } else if (chunk.live <= CHUNK / 4 && (chunk.live & (chunk.live - 1)) === 0) {
      this.#merge(this.#indexOf(chunk)); // looked at whenever the number of live places has halved
    }
  }

  /** Positions of the writes after version `h`, the oldest first. The log must not change meanwhile. */
  *after(h: number): Generator<number, void, void> {
    for (let i = Math.max(0, this.#find(h)); i < this.#chunks.length; i++) {
      const { positions, length } = this.#chunks[i];
      for (let at = this.#firstAfter(this.#chunks[i], h); at < length; at++) {
        if (positions[at] !== 0) yield positions[at];
      }
    }
  }

  /** Positions of the writes before version `h`, the newest first. The log must not change meanwhile. */
  *before(h: number): Generator<number, void, void> {
    for (let i = this.#find(h); i >= 0; i--) {
      const { positions, length } = this.#chunks[i];
      for (let at = length - 1; at >= 0; at--) {
        if (positions[at] !== 0 && this.#records.h(positions[at]) < h) yield positions[at];
      }
    }
  }

  /** Position of the write of version `h`, or 0. */
  at(h: number): number {
    if (h > this.#newest) return 0;
    const [position] = this.after(h - 1);
    return position !== undefined && this.#records.h(position) === h ? position : 0;
  }

  /** Version of the newest write, or 0 without one. */
  get last(): number {
    const chunk = this.#chunks.at(-1);
    for (let at = (chunk?.length ?? 0) - 1; at >= 0; at--) {
      if (chunk!.positions[at] !== 0) return this.#records.h(chunk!.positions[at]);
    }
    let last = 0;
    for (const position of this.after(0)) last = this.#records.h(position);
    return last;
  }

  /** How many writes there are after version `h`. */
  countAfter(h: number): number {
    const i = Math.max(0, this.#find(h));
    const chunk = this.#chunks[i];
    if (chunk === undefined) return 0;
    let count = 0;
    for (let at = this.#firstAfter(chunk, h); at < chunk.length; at++) if (chunk.positions[at] !== 0) count++;
    for (let next = i + 1; next < this.#chunks.length; next++) count += this.#chunks[next].live;
    return count;
  }

  /** The chunk that the newest write goes to. */
  #tail(h: number): Chunk {
    const last = this.#chunks.at(-1);
    if (last !== undefined && (last.length < last.positions.length || this.#all.grow(last))) return last;
    const chunk = this.#all.open(this, h, last === undefined ? SMALLEST_CHUNK : CHUNK);
    this.#chunks.push(chunk);
    if (last !== undefined) this.#merge(this.#chunks.length - 2);
    return chunk;
  }

  #append(chunk: Chunk, position: number): void {
    chunk.positions[chunk.length] = position;
    this.#records.setPlace(position, chunk.id << CHUNK_SHIFT | chunk.length);
    chunk.length++;
    chunk.live++;
  }

  #insert(position: number, h: number): void {
    const i = Math.max(0, this.#find(h));
    const chunk = this.#chunks[i];
    const held = chunk.positions.slice(0, chunk.length).filter((held) => held !== 0);
    const at = held.findIndex((held) => this.#records.h(held) > h);
    const all = [...held.subarray(0, at < 0 ? held.length : at), position, ...at < 0 ? [] : held.subarray(at)];
    this.#replace(i, 1, Math.min(chunk.least, h), all);
  }

  /** Replaces `count` chunks, from index `i` on, by chunks of the given positions. */
  #replace(i: number, count: number, least: number, positions: number[]): void {
    for (const chunk of this.#chunks.slice(i, i + count)) this.#all.close(chunk);
    const chunks: Chunk[] = [];
    for (let from = 0; from < positions.length; from += CHUNK / 2) {
      const part = positions.slice(from, from + CHUNK / 2);
      let places = SMALLEST_CHUNK;
      while (places < part.length) places *= GROWTH;
      const chunk = this.#all.open(this, from === 0 ? least : this.#records.h(part[0]), places);
      for (const position of part) this.#append(chunk, position);
      chunks.push(chunk);
    }
    this.#chunks.splice(i, count, ...chunks);
  }

  /** Joins a chunk with a neighbour where both are sparse; the last is still being filled. */
  #merge(i: number): void {
    for (const left of [i - 1, i]) {
      const [a, b] = [this.#chunks[left], this.#chunks[left + 1]];
      if (a === undefined || left + 2 >= this.#chunks.length || a.live + b.live > CHUNK / 2) continue;
      const { length } = a;
      while (a.positions.length < a.live + b.live) this.#all.grow(a);
      a.length = a.live = 0;
      for (let at = 0; at < length; at++) if (a.positions[at] !== 0) this.#append(a, a.positions[at]);
      for (let at = 0; at < b.length; at++) if (b.positions[at] !== 0) this.#append(a, b.positions[at]);
      this.#chunks.splice(left + 1, 1);
      return this.#all.close(b);
    }
  }

  #indexOf(chunk: Chunk): number {
    // Chunks that begin with the same version stand side by side.
    for (let i = this.#find(chunk.least); i >= 0; i--) if (this.#chunks[i] === chunk) return i;
    throw new Error("a chunk that is not in its log");
  }

  /** Index of the last chunk that begins at `h` or below; -1 if none does. */
  #find(h: number): number {
    let [low, high] = [0, this.#chunks.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#chunks[middle].least <= h) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** First place in a chunk whose version is above `h`; places of removed writes before it do not matter. */
  #firstAfter({ positions, length }: Chunk, h: number): number {
    let [low, high] = [0, length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      let at = middle;
      while (at < high && positions[at] === 0) at++;
      if (at < high && this.#records.h(positions[at]) <= h) low = at + 1;
      else high = middle;
    }
    return low;
  }
}
