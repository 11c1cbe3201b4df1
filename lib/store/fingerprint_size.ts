/**
 * How many fingerprints a store may have, and what memory their table takes: how large its parts are. The table itself is in
 * fingerprints.ts.
 */

/** Cells of a bucket. */
export const CELLS = 13;
/** Bits of the number of a bucket, in the smallest and in the largest table. */
export const LEAST_BITS = 6;
export const LAST_BITS = 17;
/** Part of the cells in use, at most: with more, a fingerprint would take long to find a place. */
export const FULL = 0.92;
/** Part of the fingerprints that stay when a full table drops the lowest. */
export const KEPT = 15 / 16;
/** Bytes of a cell: a word and a label. */
const CELL_BYTES = 5;
/** Buckets for each span, and bytes of a span: its end, how many fingerprints it has, and its place in the order of spans. */
const SPAN_BUCKETS = 2;
const SPAN_BYTES = 8 + 2 + 2;
/** Buckets for each of the last writes that are known exactly, and bytes of one. */
export const EXACT_BUCKETS = 2;
const EXACT_BYTES = 8 + 1;
/** Fingerprints that have no cell, at most, and as a part of all cells. */
const MOST_STASHED = 1024;
const STASHED = 1 / 16;
/** Part of a store's memory that fingerprints may take, and of a small one's; and the bytes that they may take where there is room. */
const SHARE = 1 / 8;
const SMALL_SHARE = 1 / 4;
const USUAL_BYTES = bytesOf(15);
const ROOMY = 0.6;
/** Fingerprints that the largest table holds. */
export const MAX_FINGERPRINTS = mostIn(LAST_BITS);

/**
 * Fingerprints for which a store of `limitBytes` has room: their table takes an eighth of it, but 2.5 MB where those are six
 * tenths of it at most (from 4 MiB on), and a quarter of a smaller one.
 */
export function mostFingerprints(limitBytes: number): number {
  const small = USUAL_BYTES <= ROOMY * limitBytes ? USUAL_BYTES : SMALL_SHARE * limitBytes;
  const most = Math.max(SHARE * limitBytes, small);
  let bits = LAST_BITS;
  while (bits > LEAST_BITS && bytesOf(bits) > most) bits--;
  return mostIn(bits);
}

/** Bytes of a table that remembers the last `most` writes that have left. */
export function fingerprintBytes(most: number): number {
  return most === 0 ? 0 : bytesOf(bitsFor(most));
}

/** Bits of the smallest table that remembers the last `most` writes that have left, or of the largest. */
export function bitsFor(most: number): number {
  let bits = LEAST_BITS;
  while (bits < LAST_BITS && mostIn(bits) < most) bits++;
  return bits;
}

/** Bytes of a table of 2 to the power of `bits` buckets. */
export function bytesOf(bits: number): number {
  return 2 ** bits * (CELLS * CELL_BYTES + EXACT_BYTES / EXACT_BUCKETS) + spansOf(bits) * SPAN_BYTES;
}

/** Spans of such a table. */
export function spansOf(bits: number): number {
  return 2 ** bits / SPAN_BUCKETS;
}

/** Fingerprints that may have no cell beside such a table, at most. */
export function stashedIn(bits: number): number {
  return Math.min(MOST_STASHED, CELLS * 2 ** bits * STASHED);
}

function mostIn(bits: number): number {
  return Math.floor(KEPT * FULL * CELLS * 2 ** bits);
}
