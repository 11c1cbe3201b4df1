/** A hash of bytes that all nodes and clients know. Where strangers must not choose what collides, another one is needed. */

import type { ByteSpan } from "./byte_span.ts";

/**
 * Hashes bytes to an unsigned 32-bit number that is the same on every node, with MurmurHash3's 32-bit variant (Appleby,
 * 2011, public domain): who chooses keys that collide only makes those miss.
 */
export function publicHash({ bytes, from, to }: ByteSpan): number {
  let h = 0;
  let at = from;
  for (; at + 4 <= to; at += 4) {
    h ^= stirred(bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 | bytes[at + 3] << 24);
    h = Math.imul(h << 13 | h >>> 19, 5) + 0xe6546b64 | 0;
  }
  let last = 0;
  for (let shift = 0; at < to; at++, shift += 8) last |= bytes[at] << shift;
  h ^= stirred(last) ^ to - from;
  h = Math.imul(h ^ h >>> 16, 0x85ebca6b);
  h = Math.imul(h ^ h >>> 13, 0xc2b2ae35);
  return (h ^ h >>> 16) >>> 0;
}

function stirred(word: number): number {
  word = Math.imul(word, 0xcc9e2d51);
  return Math.imul(word << 15 | word >>> 17, 0x1b873593);
}
