/** A pool of large buffers that are lent and taken back. It knows nothing of what they are used for. */

import { giveBack } from "../base/memory.ts";

/** Bytes up to which a buffer is not worth lending. */
export const SMALL_BUFFER_BYTES = 64 * 1024;

const STEP_BYTES = 64 * 1024;
/** Bytes of one kept buffer at most, and of all together: 32 clients may ask for a MiB each at the same time. */
const MAX_KEPT_BYTES = 4 * 1024 * 1024;
const MAX_ALL_KEPT_BYTES = 32 * 1024 * 1024;

const kept: Uint8Array<ArrayBuffer>[] = [];
let keptBytes = 0;

/** Returns the size of a kept buffer of at least `bytes` bytes, or 0 if there is none. */
export function keptBuffer(bytes: number): number {
  return kept.find(({ length }) => length >= bytes)?.length ?? 0;
}

/**
 * Lends a buffer of at least `bytes` bytes, with any content: the smallest that is kept, and of equal ones the one that
 * was returned last, which is still in the processor's cache.
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

/**
 * Takes a buffer back from its borrower. If too many bytes are kept then, the buffers used the longest ago are freed.
 */
export function returnBuffer(buffer: Uint8Array<ArrayBuffer>): void {
  const { length } = buffer;
  if (length > MAX_KEPT_BYTES) return giveBack(buffer);
  kept.push(buffer);
  keptBytes += length;
  while (keptBytes > MAX_ALL_KEPT_BYTES) forgetBuffer();
}

/**
 * Frees the kept buffer that was used the longest ago. A timer calls this too, so that buffers of a rush do not stay.
 */
export function forgetBuffer(): void {
  const buffer = kept.shift();
  if (buffer === undefined) return;
  keptBytes -= buffer.length;
  giveBack(buffer);
}
