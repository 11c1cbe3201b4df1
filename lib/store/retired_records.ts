/** Records of before a clear, whose memory goes back to the system in slices, or sooner where it is needed. */

import type { Records } from "./records.ts";

/** Memory that is held and of no more use. */
export class RetiredRecords {
  #all: Records[] = [];

  /** Bytes of memory. */
  get bytes(): number {
    return this.#all.reduce((sum, { slab }) => sum + slab.takenBytes, 0);
  }

  /** Takes records that nothing leads to any more. */
  add(records: Records): void {
    if (records.slab.heldBytes > 0) this.#all.push(records);
  }

  /** Gives back the memory of so many segments. */
  giveBack(segments: number): void {
    const [first] = this.#all;
    if (first !== undefined && !first.slab.abandon(segments)) this.#all.shift();
  }

  /**
   * What comes in must not be held beside what was cleared: each segment may end with some waste, and three more are
   * needed beside.
   */
  makeRoomFor(bytes: number, { slab }: Records): void {
    if (this.#all.length === 0) return;
    const needBytes = bytes / 0.9 + 3 * slab.segmentBytes;
    while (this.#all.length > 0 && slab.heldBytes + this.bytes + needBytes > slab.limitBytes) this.giveBack(1);
  }
}
