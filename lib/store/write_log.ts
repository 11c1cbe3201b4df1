/**
 * Writes that are held, of one origin or of many, in the order of their versions: positions of records in chunks, like the
 * leaves of a B+ tree. Found by version in logarithmic time, added at the end and removed in constant time. It knows
 * positions and versions, not what is there.
 */

import { Blocks } from "./blocks.ts";
import type { Records } from "./records.ts";

/** Places in a chunk that has grown to its full size. */
const CHUNK = 1024;
const CHUNK_SHIFT = 10;
const CHUNK_MASK = CHUNK - 1;
const SMALLEST_CHUNK = 4;
const GROWTH = 4;
const PLACE_BYTES = 4;
/** Bytes of a place in a log of many origins, which also leads to the write's origin. */
const SHARED_PLACE_BYTES = 12;
/** Writes that make way for one that is older; if there are more, the chunk is divided. */
const MOST_SHIFTED = 64;

/** An origin, as far as logs know it. */
export interface Owner {
  /** Its number: of writes of one version, the order is that of the numbers. */
  readonly id: number;
  /** Its writes that are held. */
  size: number;
  /** No write of it that is held is newer than this version. */
  newest: number;
}

interface Chunk {
  id: number;
  /** No write in it comes before one of this version and origin; all of the next chunk come after those in it. */
  least: number;
  leastId: number;
  /** Positions in ascending order of versions; 0 where one has been removed. */
  positions: Uint32Array;
  /** The origin of the write at each place, in a log of many origins. */
  owners: (Owner | undefined)[];
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
  /** Memory of chunks of full size: the collector would have work with a buffer for each. */
  readonly #blocks = new Blocks(CHUNK * PLACE_BYTES);
  /** Memory of all chunks, in bytes. */
  bytes = 0;
  /** Bytes of a place, at most. */
  #placeBytes = PLACE_BYTES;

  constructor(records: Records) {
    this.#records = records;
  }

  /** Bytes that the next write may add to `bytes`. */
  get growthBytes(): number {
    return Math.min(CHUNK * this.#placeBytes, SMALLEST_CHUNK * this.#placeBytes + this.bytes * (GROWTH - 1));
  }

  /** The origin of the write at a position. */
  owner(position: number): Owner {
    const place = this.#records.place(position);
    const { log, owners } = this.#chunks[place >>> CHUNK_SHIFT]!;
    return log.owner ?? owners[place & CHUNK_MASK]!;
  }

  /** Removes a record from the log it is in. */
  remove(position: number): void {
    const place = this.#records.place(position);
    const chunk = this.#chunks[place >>> CHUNK_SHIFT]!;
    const at = place & CHUNK_MASK;
    const { log } = chunk;
    const owner = log.owner ?? chunk.owners[at]!;
    owner.size--;
    chunk.positions[at] = 0;
    if (log.owner === undefined) chunk.owners[at] = undefined;
    log.removed(chunk);
  }

  /** Updates the place of a record that has moved to position `to`. */
  moved(to: number): void {
    const place = this.#records.place(to);
    this.#chunks[place >>> CHUNK_SHIFT]!.positions[place & CHUNK_MASK] = to;
  }

  /** Opens a chunk with `places` places. */
  open(log: WriteLog, least: number, leastId: number, places: number): Chunk {
    const id = this.#free.pop() ?? this.#chunks.length;
    const positions = this.#take(places);
    const chunk = { id, least, leastId, positions, owners: [], length: 0, live: 0, log };
    this.#chunks[id] = chunk;
    this.bytes += places * log.placeBytes;
    this.#placeBytes = Math.max(this.#placeBytes, log.placeBytes);
    return chunk;
  }

  /** Gives a full chunk more places; returns false if it has grown to its full size. */
  grow(chunk: Chunk): boolean {
    const { positions } = chunk;
    if (positions.length === CHUNK) return false;
    chunk.positions = this.#take(Math.min(CHUNK, GROWTH * positions.length));
    chunk.positions.set(positions);
    this.bytes += (chunk.positions.length - positions.length) * chunk.log.placeBytes;
    return true;
  }

  /** Closes a chunk, so that its number and memory can be reused. */
  close({ id, positions, log }: Chunk): void {
    this.#chunks[id] = undefined;
    this.#free.push(id);
    this.bytes -= positions.length * log.placeBytes;
    if (positions.length === CHUNK) this.#blocks.giveBack(positions);
  }

  /** Gives a region of memory none of which is in use back to the system. Returns whether there was one. */
  giveBackRegion(): boolean {
    return this.#blocks.giveBackRegion();
  }

  /** An array of arbitrary content. */
  #take(places: number): Uint32Array {
    if (places < CHUNK) return new Uint32Array(places);
    const { buffer, byteOffset } = this.#blocks.take();
    return new Uint32Array(buffer, byteOffset, places);
  }
}

/** The writes of one origin, or of all that share a log. */
export class WriteLog {
  /** The only origin of its writes, if there is only one. */
  readonly owner: Owner | undefined;
  /** Bytes of a place in its chunks. */
  readonly placeBytes: number;
  readonly #records: Records;
  readonly #all: Chunks;
  readonly #chunks: Chunk[] = [];
  /** Version of the newest write that the log has ever held. */
  #newest = 0;
  /** Number of writes in the log. */
  size = 0;

  constructor(records: Records, chunks: Chunks, owner?: Owner) {
    this.#records = records;
    this.#all = chunks;
    this.owner = owner;
    this.placeBytes = owner === undefined ? SHARED_PLACE_BYTES : PLACE_BYTES;
  }

  /** Adds the record at a position, whose write is an origin's, by its version: nearly always the newest. */
  add(position: number, owner: Owner): void {
    const h = this.#records.h(position);
    this.size++;
    owner.size++;
    if (h > owner.newest) owner.newest = h;
    const isLast = h > this.#newest || (h === this.#newest && this.owner !== undefined) || this.#chunks.length === 0;
    if (!isLast) return this.#insert(position, h, owner);
    this.#newest = h;
    this.#append(this.#tail(h, this.#idOf(owner)), position, owner);
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

  /** Position of an origin's write of version `h`, or 0. */
  at(h: number, owner: Owner): number {
    if (h > this.#newest) return 0;
    const chunk = this.#chunks[this.#find(h, this.#idOf(owner))];
    if (chunk === undefined) return 0;
    for (let at = this.#placeFor(chunk, h, this.#idOf(owner) - 1); at < chunk.length; at++) {
      const position = chunk.positions[at];
      if (position === 0) continue;
      return this.#records.h(position) === h && this.#ownerAt(chunk, at) === owner ? position : 0;
    }
    return 0;
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
  #tail(h: number, id: number): Chunk {
    const last = this.#chunks.at(-1);
    if (last !== undefined && this.#hasRoom(last)) return last;
    const chunk = this.#all.open(this, h, id, last === undefined ? SMALLEST_CHUNK : CHUNK);
    this.#chunks.push(chunk);
    if (last !== undefined) this.#merge(this.#chunks.length - 2);
    return chunk;
  }

  #hasRoom(chunk: Chunk): boolean {
    return chunk.length < chunk.positions.length || this.#all.grow(chunk);
  }

  #append(chunk: Chunk, position: number, owner: Owner): void {
    this.#put(chunk, chunk.length, position, owner);
    chunk.length++;
    chunk.live++;
  }

  #put(chunk: Chunk, at: number, position: number, owner: Owner): void {
    chunk.positions[at] = position;
    if (this.owner === undefined) chunk.owners[at] = owner;
    this.#records.setPlace(position, chunk.id << CHUNK_SHIFT | at);
  }

  /** Adds a write where others are newer. Those that come one after another each find the end of the same chunk. */
  #insert(position: number, h: number, owner: Owner): void {
    const i = Math.max(0, this.#find(h, this.#idOf(owner)));
    const chunk = this.#chunks[i];
    const id = this.#idOf(owner);
    const at = this.#placeFor(chunk, h, id);
    if (isBefore(h, id, chunk.least, chunk.leastId)) [chunk.least, chunk.leastId] = [h, id];
    if (at > 0 && chunk.positions[at - 1] === 0) {
      this.#put(chunk, at - 1, position, owner);
      chunk.live++;
    } else if (chunk.length - at > MOST_SHIFTED || !this.#hasRoom(chunk)) {
      this.#divide(i, at);
      this.#insert(position, h, owner);
    } else {
      for (let to = chunk.length++; to > at; to--) {
        if (chunk.positions[to - 1] === 0) chunk.positions[to] = 0;
        else this.#put(chunk, to, chunk.positions[to - 1], this.owner ?? chunk.owners[to - 1]!);
      }
      this.#put(chunk, at, position, owner);
      chunk.live++;
    }
  }

  /** First place in a chunk whose write comes after one of version `h` of an origin; where writes were removed does not matter. */
  #placeFor(chunk: Chunk, h: number, id: number): number {
    const { positions, length } = chunk;
    let [low, high] = [0, length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      let at = middle;
      while (at < high && positions[at] === 0) at++;
      if (at < high && !isBefore(h, id, this.#records.h(positions[at]), this.#idOf(this.#ownerAt(chunk, at)))) {
        low = at + 1;
      } else high = middle;
    }
    return low;
  }

  /** The number of an origin where it matters for the order; in a log of its own it does not, and may change. */
  #idOf(owner: Owner): number {
    return this.owner === undefined ? owner.id : 0;
  }

  #ownerAt(chunk: Chunk, at: number): Owner {
    return this.owner ?? chunk.owners[at]!;
  }

  /** Makes room in a full chunk: moves what is from a place on, or else its later half, to a chunk of its own. */
  #divide(i: number, at: number): void {
    const chunk = this.#chunks[i];
    const { positions, owners, length } = chunk;
    const from = at < length ? at : length >> 1;
    const rest: number[] = [];
    for (let place = from; place < length; place++) if (positions[place] !== 0) rest.push(place);
    chunk.length = from;
    chunk.live -= rest.length;
    if (rest.length > 0) {
      let places = SMALLEST_CHUNK;
      while (places < Math.min(CHUNK, 2 * rest.length)) places *= GROWTH;
      const id = this.#idOf(this.#ownerAt(chunk, rest[0]));
      const other = this.#all.open(this, this.#records.h(positions[rest[0]]), id, Math.min(CHUNK, places));
      for (const place of rest) this.#append(other, positions[place], this.owner ?? owners[place]!);
      this.#chunks.splice(i + 1, 0, other);
    }
    positions.fill(0, from);
    owners.length = Math.min(owners.length, from);
  }

  /** Joins a chunk with a neighbour where both are sparse; the last is still being filled. */
  #merge(i: number): void {
    for (const left of [i - 1, i]) {
      const [a, b] = [this.#chunks[left], this.#chunks[left + 1]];
      if (a === undefined || left + 2 >= this.#chunks.length || a.live + b.live > CHUNK / 2) continue;
      const { length } = a;
      while (a.positions.length < a.live + b.live) this.#all.grow(a);
      a.length = a.live = 0;
      for (const [chunk, end] of [[a, length], [b, b.length]] as const) {
        for (let at = 0; at < end; at++) {
          if (chunk.positions[at] !== 0) this.#append(a, chunk.positions[at], this.owner ?? chunk.owners[at]!);
        }
      }
      this.#chunks.splice(left + 1, 1);
      return this.#all.close(b);
    }
  }

  #indexOf(chunk: Chunk): number {
    // In a log of one origin, chunks that begin with the same version may stand side by side.
    for (let i = this.#find(chunk.least, chunk.leastId); i >= 0; i--) if (this.#chunks[i] === chunk) return i;
    throw new Error("a chunk that is not in its log");
  }

  /** Index of the last chunk that begins at version `h` of an origin or before; -1 if none does. */
  #find(h: number, id = Infinity): number {
    let [low, high] = [0, this.#chunks.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const { least, leastId } = this.#chunks[middle];
      if (isBefore(h, id, least, leastId)) high = middle;
      else low = middle + 1;
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

/** Whether a write of one version and origin comes before another in the order of pages. */
function isBefore(h: number, id: number, otherH: number, otherId: number): boolean {
  return h < otherH || (h === otherH && id < otherId);
}
