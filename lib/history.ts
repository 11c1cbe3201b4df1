/**
 * What a node knows of all writes: how far it has dealt with each origin's, in which order they were, and which it has
 * forgotten. It knows records and versions, not keys, limits or peers. The rules are in docs/replication.md.
 */

import { ProtocolError } from "./errors.ts";
import type { Records } from "./records.ts";
import type { Version } from "./version.ts";

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
}

/** All rules. */
export const ALL_RULES: Rules = { ghosts: true, cover: true, floor: true, dominance: true, verify: true };

/** What is known of one origin's writes. */
export interface Origin {
  readonly id: number;
  /** All its writes up to this have been dealt with. */
  known: number;
  /** The highest of its versions whose grave has been dropped. */
  forgotten: number;
  /** Positions of its first and last write that is held as an entry or a grave; 0 if none is. */
  first: number;
  last: number;
}

/** Origins that a history tells apart: their index takes 16 bits of a record. */
export const MAX_ORIGINS = 2 ** 16;

/** The writes of all origins. */
export class History {
  /** Origins by index; the first is this node's own. */
  readonly origins: Origin[] = [];
  /** The highest of all that is forgotten. */
  floor = 0;
  /** Version of the last clear: nothing at or below it lives. */
  cleared = 0;
  readonly #records: Records;
  readonly #indexes = new Map<number, number>();

  constructor(records: Records, ownId: number) {
    this.#records = records;
    this.indexOf(ownId);
  }

  /** Index of an origin; one not met before gets the next. */
  indexOf(id: number): number {
    let index = this.#indexes.get(id);
    if (index === undefined) {
      index = this.origins.length;
      if (index >= MAX_ORIGINS) throw new ProtocolError(`more than ${MAX_ORIGINS} origins of writes`);
      this.origins.push({ id, known: 0, forgotten: 0, first: 0, last: 0 });
      this.#indexes.set(id, index);
    }
    return index;
  }

  /** How far an origin's writes are known; 0 for one not met. */
  knownOf(id: number): number {
    const index = this.#indexes.get(id);
    return index === undefined ? 0 : this.origins[index].known;
  }

  /** Version of the write at a position. */
  version(position: number): Version {
    return { h: this.#records.h(position), origin: this.origins[this.#records.origin(position)].id };
  }

  /** Gives the record at a position a version, and its place among the writes of its origin: nearly always the last. */
  add(position: number, { h, origin }: Version): void {
    const records = this.#records;
    const index = this.indexOf(origin);
    const list = this.origins[index];
    records.setVersion(position, h, index);
    let before = list.last;
    while (before !== 0 && records.h(before) > h) before = records.writeBefore(before);
    const after = before === 0 ? list.first : records.writeAfter(before);
    this.#link(list, before, position);
    this.#link(list, position, after);
  }

  /** Takes the record at a position out of the writes of its origin. */
  remove(position: number): void {
    const list = this.origins[this.#records.origin(position)];
    this.#link(list, this.#records.writeBefore(position), this.#records.writeAfter(position));
  }

  /** Leads to a record that has moved. */
  moved(to: number): void {
    const list = this.origins[this.#records.origin(to)];
    this.#link(list, this.#records.writeBefore(to), to);
    this.#link(list, to, this.#records.writeAfter(to));
  }

  /** Takes note that a version has left no trace here. */
  forget({ h, origin }: Version): void {
    const list = this.origins[this.indexOf(origin)];
    if (h > list.forgotten) list.forgotten = h;
    if (h > this.floor) this.floor = h;
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

  #link(list: Origin, before: number, after: number): void {
    if (before === 0) list.first = after;
    else this.#records.setWriteAfter(before, after);
    if (after === 0) list.last = before;
    else this.#records.setWriteBefore(after, before);
  }
}
