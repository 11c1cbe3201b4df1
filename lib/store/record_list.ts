/** Entries in order of use, or graves in order of burial: a doubly linked list through the records themselves. */

import type { Records } from "./records.ts";

/** A list of records, the newest first. */
export class RecordList {
  /** Position of the newest; 0 if there is none. */
  newest = 0;
  /** Position of the oldest; 0 if there is none. */
  oldest = 0;
  /** Number of records in the list. */
  size = 0;
  /** A place that is kept while records come, move and leave: the record before it, or 0 at the oldest end. */
  cursor = 0;
  readonly #records: Records;

  constructor(records: Records) {
    this.#records = records;
  }

  /** Adds a record as the newest. */
  add(position: number): void {
    const records = this.#records;
    records.setNewer(position, 0);
    records.setOlder(position, this.newest);
    if (this.newest === 0) this.oldest = position;
    else records.setNewer(this.newest, position);
    this.newest = position;
    this.size++;
  }

  /** Adds a record next to another, as newer than that; with 0 for the other, as the oldest. */
  insert(position: number, older: number): void {
    if (older === this.newest) return this.add(position);
    const records = this.#records;
    const newer = older === 0 ? this.oldest : records.newer(older);
    records.setNewer(position, newer);
    records.setOlder(position, older);
    records.setOlder(newer, position);
    if (older === 0) this.oldest = position;
    else records.setNewer(older, position);
    this.size++;
  }

  /** Tells of the hashes of up to `most` records, the newest first. Returns how many there were. */
  tellHashes(most: number, tell: (hash: number) => void): number {
    let told = 0;
    for (let at = this.newest; at !== 0 && told < most; told++) {
      tell(this.#records.hash(at));
      at = this.#records.older(at);
    }
    return told;
  }

  /** Takes a record out. */
  remove(position: number): void {
    const records = this.#records;
    const newer = records.newer(position);
    const older = records.older(position);
    if (newer === 0) this.newest = older;
    else records.setOlder(newer, older);
    if (older === 0) this.oldest = newer;
    else records.setNewer(older, newer);
    if (position === this.cursor) this.cursor = older;
    this.size--;
  }

  /** Makes a record the newest. */
  toFront(position: number): void {
    const { newest } = this;
    if (position === newest) return;
    const records = this.#records;
    const [newer, older] = [records.newer(position), records.older(position)];
    records.setOlder(newer, older);
    if (older === 0) this.oldest = newer;
    else records.setNewer(older, newer);
    if (position === this.cursor) this.cursor = older;
    records.setNewer(position, 0);
    records.setOlder(position, newest);
    records.setNewer(newest, position);
    this.newest = position;
  }

  /** Updates what leads to a record that has moved from one position to another. */
  moved(from: number, to: number): void {
    if (from === this.cursor) this.cursor = to;
    const records = this.#records;
    const newer = records.newer(to);
    const older = records.older(to);
    if (newer === 0) this.newest = to;
    else records.setOlder(newer, to);
    if (older === 0) this.oldest = to;
    else records.setNewer(older, to);
  }
}
