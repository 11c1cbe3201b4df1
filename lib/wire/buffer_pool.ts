/** A pool of buffers that are lent and taken back. It knows nothing of what they are used for. */

import { giveBack } from "../base/memory.ts";

/** Bytes of the smallest buffer that is lent. */
export const SMALL_BUFFER_BYTES = 64 * 1024;

const STEP_BYTES = SMALL_BUFFER_BYTES;
/** Bytes of one kept buffer at most, and of all together: 32 clients may ask for a MiB each at the same time. */
const MAX_KEPT_BYTES = 4 * 1024 * 1024;
const MAX_ALL_KEPT_BYTES = 32 * 1024 * 1024;

/** Kept buffers in the order of their return; those of the smallest size, which all connections use, lie apart. */
const kept: Uint8Array<ArrayBuffer>[] = [];
const keptSmall: Uint8Array<ArrayBuffer>[] = [];
let allKeptBytes = 0;

/** Bytes of all buffers that are kept. */
export function keptBytes(): number {
  return allKeptBytes;
}

/** Returns the size of a kept buffer of at least `bytes` bytes, or 0 if there is none. */
export function keptBuffer(bytes: number): number {
  if (bytes <= SMALL_BUFFER_BYTES && keptSmall.length > 0) return SMALL_BUFFER_BYTES;
  return kept.find(({ length }) => length >= bytes)?.length ?? 0;
}

/**
 * Lends a buffer of at least `bytes` bytes, with any content: the smallest that is kept, and of equal ones the one that
 * was returned last, which is still in the processor's cache.
 *
 * @param mostBytes Bytes of a kept one at most, for who may wait with it for long.
 */
export function borrowBuffer(bytes: number, mostBytes = Infinity): Uint8Array<ArrayBuffer> {
  if (bytes <= SMALL_BUFFER_BYTES && keptSmall.length > 0) {
    allKeptBytes -= SMALL_BUFFER_BYTES;
    return keptSmall.pop()!;
  }
  let i = -1;
  for (let at = kept.length - 1; at >= 0; at--) {
    const { length } = kept[at];
    if (length >= bytes && length <= mostBytes && (i < 0 || length < kept[i].length)) i = at;
  }
  if (i < 0) return new Uint8Array(Math.ceil(bytes / STEP_BYTES) * STEP_BYTES);
  const [buffer] = kept.splice(i, 1);
  allKeptBytes -= buffer.length;
  return buffer;
}

/**
 * Takes a buffer back from its borrower; one that is smaller than any that is lent is left to the collector. If too many bytes are kept then, the buffers used the longest ago are freed.
 */
export function returnBuffer(buffer: Uint8Array<ArrayBuffer>): void {
  const { length } = buffer;
  if (length < SMALL_BUFFER_BYTES) return;
  if (length > MAX_KEPT_BYTES) return giveBack(buffer);
  (length === SMALL_BUFFER_BYTES ? keptSmall : kept).push(buffer);
  allKeptBytes += length;
  while (allKeptBytes > MAX_ALL_KEPT_BYTES) forgetBuffer();
}

/** Frees the kept buffer that was used the longest ago; one of the smallest size only if there is no other. */
export function forgetBuffer(): void {
  const buffer = kept.shift() ?? keptSmall.shift();
  if (buffer === undefined) return;
  allKeptBytes -= buffer.length;
  giveBack(buffer);
}

/** Frees a quarter of the kept buffers. A timer calls this, so that buffers of a rush do not stay. */
export function forgetSome(): void {
  for (let left = Math.ceil((kept.length + keptSmall.length) / 4); left > 0; left--) forgetBuffer();
}
