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
  /** And from those it is. */
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
};

/** What is known of one origin's writes. */
export interface Origin {
  id: number;
  /** All its writes up to this have been dealt with. */
  known: number;
  /** The highest of its versions whose grave has been dropped. */
  forgotten: number;
  /** Its writes that are held as an entry or a grave. */
  log: WriteLog;
}

/** How far the writes of origins are known: id → h. */
export type Known = Map<number, number>;

/** Whether one knows anything that the other does not. */
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
  /** The highest of all that is forgotten. */
  floor = 0;
  /** Version of the last clear: nothing at or below it lives. */
  cleared = 0;
  readonly #records: Records;
  readonly #chunks: Chunks;
  readonly #drop: (position: number) => void;
  readonly #indexes = new Map<number, number>();

  /** @param drop Removes the record at a position, which the history forgets. */
  constructor(records: Records, ownId: number, drop: (position: number) => void) {
    this.#records = records;
    this.#drop = drop;
    this.#chunks = new Chunks(records);
    this.indexOf(ownId);
  }

  /** Memory of the order of writes, in bytes … */
  get bytes(): number {
    return this.#chunks.bytes;
  }

  /** … and what the next write may add to it. */
  get growthBytes(): number {
    return this.#chunks.growthBytes;
  }

  /** Index of an origin; one not met before gets the next, or in the end that of one that has least here. */
  indexOf(id: number): number {
    const known = this.#indexes.get(id);
    if (known !== undefined) return known;
    const origin = { id, known: 0, forgotten: 0, log: new WriteLog(this.#records, this.#chunks) };
    const index = this.origins.length < MAX_ORIGINS ? this.origins.length : this.#retire();
    this.origins[index] = origin;
    this.#indexes.set(id, index);
    return index;
  }

  /** Gives up the origin with the fewest writes here; of those with none, the one that wrote last the longest ago. */
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

  /** Whether a write of this version is held here. */
  has({ h, origin }: Version): boolean {
    const index = this.#indexes.get(origin);
    return index !== undefined && this.origins[index].log.has(h);
  }

  /** Version of the write at a position. */
  version(position: number): Version {
    return { h: this.#records.h(position), origin: this.origins[this.#records.origin(position)].id };
  }

  /** Gives the record at a position a version, and its place among the writes of its origin. */
  add(position: number, { h, origin }: Version): void {
    const index = origin === this.origins[0].id ? 0 : this.indexOf(origin);
    this.#records.setVersion(position, h, index);
    this.origins[index].log.add(position);
  }

  /** Takes the record at a position out of the writes of its origin. */
  remove(position: number): void {
    this.#chunks.remove(position);
  }

  /** Leads to a record that has moved. */
  moved(to: number): void {
    this.#chunks.moved(to);
  }

  /** How far the writes of each origin are known. */
  get known(): Known {
    const known: Known = new Map();
    for (const origin of this.origins) if (origin.known > 0) known.set(origin.id, origin.known);
    return known;
  }

  /** A number that two nodes share when they know the same: a sum, which does not depend on the order of origins. */
  get digest(): number {
    let sum = 0;
    for (const { id, known } of this.origins) if (known > 0) sum = (sum + mixed(id, known)) % 2 ** 52;
    return sum;
  }

  /** How many of the writes held here are not known to one who knows so much. */
  countBeyond(theirs: Known): number {
    let count = 0;
    for (const { id, known, log } of this.origins) {
      const have = theirs.get(id) ?? 0;
      if (known > have) count += log.countAfter(have);
    }
    return count;
  }

  /** Takes note that a version has left no trace here. */
  forget({ h, origin }: Version): void {
    this.#forget(this.origins[this.indexOf(origin)], h);
  }

  /** Same, of the write at a position. */
  forgetAt(position: number): void {
    this.#forget(this.origins[this.#records.origin(position)], this.#records.h(position));
  }

  /** Takes note that an origin's writes up to `h` have been dealt with. */
  know({ h, origin }: Version): void {
    const list = this.origins[this.indexOf(origin)];
    if (h > list.known) list.known = h;
  }

  /** Takes over what another history knows, forgot and cleared, as it was before its records were dropped. */
  inherit(old: History): void {
    this.floor = old.floor;
    this.cleared = old.cleared;
    for (const { id, known, forgotten } of old.origins) {
      const list = this.origins[this.indexOf(id)];
      list.known = known;
      list.forgotten = forgotten;
    }
  }

  #forget(origin: Origin, h: number): void {
    if (h > origin.forgotten) origin.forgotten = h;
    if (h > this.floor) this.floor = h;
  }
}

/** 52 bits out of an origin and how far it is known: multiplication and shifts of two halves (after MurmurHash3's end). */
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
