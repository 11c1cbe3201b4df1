/**
 * What a node knows of all writes: how far it has dealt with each origin's, in which order they were, and which it has
 * forgotten. It knows records and versions, not keys, limits or peers. The rules are in docs/replication.md.
 */

import type { Records } from "./records.ts";
import type { Version } from "./version.ts";
import { Chunks, WriteLog } from "./write_log.ts";

/** The rules of docs/replication.md that the simulator can switch off, to show what each is for. */
export interface Rules {
  /** Evicted and expired entries leave ghosts. */
  ghosts: boolean;
  /** What is known already is not accepted again. */
  cover: boolean;
  /** What is at or below the floor is accepted only from those who know everything that this node knows. */
  floor: boolean;
  /** What is at or below the floor is accepted from senders who know everything that this node knows. */
  dominance: boolean;
  /** Entries that may have been deleted elsewhere are verified. */
  verify: boolean;
  /** A push is applied only if the write before it is known. */
  prefix: boolean;
  /** Answers to an earlier start are ignored. */
  incarnation: boolean;
  /** Nothing from before a clear is accepted. */
  clear: boolean;
  /** A renewal is for the very version that it names. */
  touch: boolean;
  /** What pages bring is known with the last of them. */
  pages: boolean;
  /** What a catch-up that broke off has left is adopted. */
  adoption: boolean;
}

/** All rules. */
export const ALL_RULES: Rules = {
  ghosts: true,
  cover: true,
  floor: true,
  dominance: true,
  verify: true,
  prefix: true,
  incarnation: true,
  clear: true,
  touch: true,
  pages: true,
  adoption: true,
};

/** What is known of one origin's writes. */
export interface Origin {
  id: number;
  /** Origin that made the writes: `id` itself or, where they have been adopted, another. */
  writer: number;
  /** All writes of the origin up to this version have been dealt with. */
  known: number;
  /** The highest version counted under `id` whose grave has been dropped. */
  forgotten: number;
  /** The highest version that the origin wrote whose grave has been dropped here, under whatever number it was counted. */
  dropped: number;
  /** The origin's writes that are held as an entry or a grave. */
  log: WriteLog;
}

/** How far the writes of origins are known: id → h. */
export type Known = Map<number, number>;

/** Whether `one` knows any write that `other` does not. */
export function exceeds(one: Known, other: Known): boolean {
  for (const [id, h] of one) if (h > (other.get(id) ?? 0)) return true;
  return false;
}

/** Origins that a history tells apart: one for each start of each server. */
export const MAX_ORIGINS = 4096;

/** The writes of all origins. */
export class History {
  /** Origins by index; the first is this node's own. */
  readonly origins: Origin[] = [];
  /** The highest `forgotten` of all origins. */
  floor = 0;
  /** Version of the last clear: nothing at or below it lives. */
  cleared = 0;
  #records!: Records;
  #chunks!: Chunks;
  readonly #ownId: number;
  readonly #drop: (position: number) => void;
  readonly #indexes = new Map<number, number>();

  /** @param drop Removes the record at a position, which the history forgets. */
  constructor(ownId: number, drop: (position: number) => void) {
    this.#ownId = ownId;
    this.#drop = drop;
  }

  /** Continues with other records, still empty; what is known, forgotten and cleared stays. */
  attach(records: Records): void {
    this.#records = records;
    this.#chunks = new Chunks(records);
    for (const origin of this.origins) origin.log = new WriteLog(records, this.#chunks);
    if (this.origins.length === 0) this.indexOf(this.#ownId);
  }

  /** Memory of the order of writes, in bytes. */
  get bytes(): number {
    return this.#chunks.bytes;
  }

  /** Bytes that the next write may add to `bytes`. */
  get growthBytes(): number {
    return this.#chunks.growthBytes;
  }

  /** Index of an origin. A new origin gets the next index or, if none is left, that of the one with the fewest writes here. */
  indexOf(id: number): number {
    const known = this.#indexes.get(id);
    if (known !== undefined) return known;
    const log = new WriteLog(this.#records, this.#chunks);
    const origin = { id, writer: id, known: 0, forgotten: 0, dropped: 0, log };
    const index = this.origins.length < MAX_ORIGINS ? this.origins.length : this.#retire();
    this.origins[index] = origin;
    this.#indexes.set(id, index);
    return index;
  }

  /** Gives up the origin with the fewest writes here; of those with equally few, the one whose last known write is oldest. */
  #retire(): number {
    let least = 1;
    for (let i = 2; i < this.origins.length; i++) {
      const { log: { size }, known } = this.origins[i];
      const { log, known: leastKnown } = this.origins[least];
      if (size < log.size || (size === log.size && known < leastKnown)) least = i;
    }
    const { id, log } = this.origins[least];
    for (const position of [...log.after(0)]) this.#drop(position);
    this.#indexes.delete(id);
    return least;
  }

  /** How far an origin's writes are known; 0 for one not met. */
  knownOf(id: number): number {
    const index = this.#indexes.get(id);
    return index === undefined ? 0 : this.origins[index].known;
  }

  /** Whether an origin has been met. */
  hasMet(id: number): boolean {
    return this.#indexes.has(id);
  }

  /**
   * Whether a write of this version is held here. An orphan that comes again as an adopted write is an orphan no longer:
   * from now on it is counted under the number of its adoption.
   */
  recognizes(version: Version): boolean {
    const { h, origin, by } = version;
    if (this.#at(by ?? origin, h) !== 0) return true;
    if (by === undefined || this.knownOf(origin) >= h) return false;
    const orphan = this.#at(origin, h);
    if (orphan === 0) return false;
    this.remove(orphan);
    this.add(orphan, version);
    return true;
  }

  #at(id: number, h: number): number {
    const index = this.#indexes.get(id);
    return index === undefined ? 0 : this.origins[index].log.at(h);
  }

  /**
   * Whether to refuse a write whose key has no living entry here: the write is known, or it may be older than what has been
   * forgotten, and is then forgotten too.
   */
  refuses(version: Version, isDominated: boolean, rules: Rules): boolean {
    if (rules.cover && this.covers(version)) return true;
    if (!rules.floor || isDominated || version.h > this.floor) return false;
    this.forget(version);
    return true;
  }

  /**
   * Whether a version has been dealt with: it is known under its origin or under the number of its adoption, or it may have
   * been an orphan that has left no trace.
   */
  covers({ h, origin, by = origin }: Version): boolean {
    if (Math.max(this.knownOf(origin), this.knownOf(by)) >= h) return true;
    const index = this.#indexes.get(origin);
    if (index === undefined) return false;
    return h <= this.origins[index].dropped;
  }

  /** Version of the write at a position. */
  version(position: number): Version {
    const { id, writer } = this.origins[this.#records.origin(position)];
    const h = this.#records.h(position);
    return id === writer ? { h, origin: id } : { h, origin: writer, by: id };
  }

  /** Gives the record at a position a version, and its place among the writes of its origin. */
  add(position: number, version: Version): void {
    const { h, origin, by = origin } = version;
    const index = origin === this.origins[0].id ? 0 : by === origin ? this.indexOf(origin) : this.#adopted(version, by);
    this.#records.setVersion(position, h, index);
    this.origins[index].log.add(position);
  }

  /** Index of the number under which an adopted write is counted: each number stands for one writer. */
  #adopted({ origin }: Version, by: number): number {
    const writer = this.indexOf(origin);
    const index = this.indexOf(by);
    const adopted = this.origins[index];
    if (index !== 0 && adopted.log.size === 0) adopted.writer = origin;
    return adopted.writer === origin ? index : writer;
  }

  /** Origins of which more is held or forgotten than is known, which is what a catch-up under way or broken off leaves. */
  get orphaned(): number[] {
    return this.origins.filter(({ known, forgotten, log }) =>
      forgotten > Math.max(known, this.cleared) || (log.size > 0 && log.countAfter(known) > 0)
    ).map(({ id }) => id);
  }

  /**
   * Adopts the writes of an origin that are held beyond what is known of it: they are counted under the number `by`, of
   * which all is known once all of them have been moved there.
   *
   * @returns How many writes were moved; if `most`, there may be more.
   */
  adopt(id: number, by: number, most: number): number {
    const index = this.#indexes.get(id);
    if (index === undefined) return 0;
    const origin = this.origins[index];
    const { writer, known } = origin;
    const moving: number[] = [];
    for (const position of known === 0 ? [] : origin.log.after(known)) if (moving.push(position) === most) break;
    for (const position of moving) {
      this.remove(position);
      this.add(position, { h: this.#records.h(position), origin: writer, by });
    }
    if (moving.length === most) return most;
    if (known === 0 && !this.hasMet(by)) {
      this.#indexes.delete(id);
      this.#indexes.set(by, index);
      origin.id = by;
    }
    const adopted = this.origins[this.indexOf(by)];
    if (adopted !== origin) {
      adopted.forgotten = Math.max(adopted.forgotten, origin.forgotten > known ? origin.forgotten : 0);
      origin.forgotten = Math.min(origin.forgotten, known);
    }
    adopted.known = Math.max(adopted.log.last, adopted.forgotten);
    const writers = this.origins[this.indexOf(writer)];
    writers.dropped = Math.max(writers.dropped, origin.dropped);
    return moving.length;
  }

  /** Takes the record at a position out of the writes of its origin. */
  remove(position: number): void {
    this.#chunks.remove(position);
  }

  /** Updates the place of a record that has moved to position `to`. */
  moved(to: number): void {
    this.#chunks.moved(to);
  }

  /** How far the writes of each origin are known. */
  get known(): Known {
    const known: Known = new Map();
    for (const origin of this.origins) if (origin.known > 0) known.set(origin.id, origin.known);
    return known;
  }

  /** A number that is equal on nodes that know the same writes: a sum, which does not depend on the order of origins. */
  get digest(): number {
    let sum = 0;
    for (const { id, known } of this.origins) if (known > 0) sum = (sum + mixed(id, known)) % 2 ** 52;
    return sum;
  }

  /** How far the writes of each origin have been dealt with, orphans that have left no trace among them. */
  get dealt(): Known {
    const dealt: Known = new Map();
    for (const { id, known, forgotten } of this.origins) {
      const h = Math.max(known, forgotten);
      if (h > 0) dealt.set(id, h);
    }
    return dealt;
  }

  /** How many of the writes known here are beyond what `theirs` knows. */
  countBeyond(theirs: Known): number {
    let count = 0;
    for (const { id, known, log } of this.origins) {
      const have = theirs.get(id) ?? 0;
      if (known > have) count += log.countAfter(have) - log.countAfter(known);
    }
    return count;
  }

  /** Takes note that a version has left no trace here. */
  forget({ h, origin, by = origin }: Version): void {
    this.#forget(this.origins[this.indexOf(by)], h);
  }

  /** Takes note that the write at a position has left no trace here. */
  forgetAt(position: number): void {
    const origin = this.origins[this.#records.origin(position)];
    const h = this.#records.h(position);
    this.#forget(origin, h);
    const writer = this.origins[this.#indexes.get(origin.writer) ?? 0];
    if (writer.id === origin.writer) writer.dropped = Math.max(writer.dropped, h);
  }

  /** Takes note that an origin's writes up to `h` have been dealt with. */
  know({ h, origin }: Version): void {
    const list = this.origins[this.indexOf(origin)];
    if (h > list.known) list.known = h;
  }

  #forget(origin: Origin, h: number): void {
    if (h > origin.forgotten) origin.forgotten = h;
    if (h > this.floor) this.floor = h;
  }
}

/** Mixes an origin and how far it is known into 52 bits: multiplications and shifts, after MurmurHash3's finalizer. */
function mixed(id: number, h: number): number {
  const [high, low] = [Math.floor(h / 2 ** 32), h >>> 0];
  const a = scramble(Math.imul(id, 0x9e3779b1) ^ low);
  const b = scramble(a ^ Math.imul(high, 0x85ebca6b) ^ id);
  return (b & 0xfffff) * 2 ** 32 + (scramble(a + b) >>> 0);
}

function scramble(x: number): number {
  x = Math.imul(x ^ x >>> 16, 0x85ebca6b);
  x = Math.imul(x ^ x >>> 13, 0xc2b2ae35);
  return x ^ x >>> 16;
}
