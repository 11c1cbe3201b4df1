/** Records from before a clear, whose memory goes back to the system in slices, or sooner where it is needed. */

import type { Records } from "./records.ts";

/** Records that are no longer used and still hold memory. */
export class RetiredRecords {
  #all: Records[] = [];

  /** Memory of all retired records, in bytes. */
  get bytes(): number {
    return this.#all.reduce((sum, { slab }) => sum + slab.takenBytes, 0);
  }

  /** Takes over records that nothing refers to any more. */
  add(records: Records): void {
    records.lent.keepAll();
    if (records.slab.heldBytes > 0) this.#all.push(records);
  }

  /** Gives back the memory of up to `segments` segments. */
  giveBack(segments: number): void {
    const [first] = this.#all;
    if (first !== undefined && !first.slab.abandon(segments)) this.#all.shift();
  }

  /**
   * Gives retired memory back until new entries of `bytes` bytes fit within the limit beside it: each segment may end with
   * some waste, and three more are needed.
   */
  makeRoomFor(bytes: number, { slab }: Records): void {
    if (this.#all.length === 0) return;
    const needBytes = bytes / 0.9 + 3 * slab.segmentBytes;
    while (this.#all.length > 0 && slab.heldBytes + this.bytes + needBytes > slab.limitBytes) this.giveBack(1);
  }
}
