/** Large buffers that are lent and taken back. It knows nothing of what they are for. */

import { giveBack } from "../base/memory.ts";

/** A buffer of this size or less is not worth lending. */
export const SMALL_BUFFER_BYTES = 64 * 1024;

const STEP_BYTES = 64 * 1024;
/** Kept at most for the next borrower: one buffer, and all together: as many clients may ask for a MiB at once. */
const MAX_KEPT_BYTES = 4 * 1024 * 1024;
const MAX_ALL_KEPT_BYTES = 32 * 1024 * 1024;

const kept: Uint8Array<ArrayBuffer>[] = [];
let keptBytes = 0;

/** The size of a kept buffer that is large enough, or 0. */
export function keptBuffer(bytes: number): number {
  return kept.find(({ length }) => length >= bytes)?.length ?? 0;
}

/**
 * Lends a buffer of at least so many bytes, with anything in it: the smallest, and of equal ones the one returned last, which
 * is still in the processor's cache.
 */
export function borrowBuffer(bytes: number): Uint8Array<ArrayBuffer> {
  let i = -1;
  for (let at = kept.length - 1; at >= 0; at--) {
    const { length } = kept[at];
    if (length >= bytes && (i < 0 || length < kept[i].length)) i = at;
  }
  if (i < 0) return new Uint8Array(Math.ceil(bytes / STEP_BYTES) * STEP_BYTES);
  const [buffer] = kept.splice(i, 1);
  keptBytes -= buffer.length;
  return buffer;
}

/** Takes a buffer back, which its borrower uses no more; if too many are kept, those go that were used the longest ago. */
export function returnBuffer(buffer: Uint8Array<ArrayBuffer>): void {
  const { length } = buffer;
  if (length > MAX_KEPT_BYTES) return giveBack(buffer);
  kept.push(buffer);
  keptBytes += length;
  while (keptBytes > MAX_ALL_KEPT_BYTES) forgetBuffer();
}

/**
 * Gives the buffer that is kept and was used the longest ago back to the system: for a timer too, so that what a rush has
 * left does not stay.
 */
export function forgetBuffer(): void {
  const buffer = kept.shift();
  if (buffer === undefined) return;
  keptBytes -= buffer.length;
  giveBack(buffer);
}
