/**
 * A keyed hash of bytes: strangers who do not know its key cannot choose keys that collide.
 */

import type { ByteSpan } from "../base/byte_span.ts";

/** The hash's own key: two random 32-bit numbers, new for each start. */
export type HashKey = readonly [number, number];

/**
 * Hashes bytes to 32 bits with HalfSipHash-1-3: the 32-bit variant of SipHash (Aumasson and Bernstein, "SipHash: a fast
 * short-input PRF", 2012), one round for each four bytes and three to finish, as hash tables commonly use it.
 *
 * The round is written out twice: a function of four results would cost more than the hash.
 */
export function hashBytes({ bytes, from, to }: ByteSpan, key: HashKey): number {
  let v0 = key[0] | 0;
  let v1 = key[1] | 0;
  let v2 = 0x6c796765 ^ v0;
  let v3 = 0x74656462 ^ v1;
  const wordsEnd = to - ((to - from) & 3);
  for (let at = from; at < wordsEnd; at += 4) {
    const word = bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 | bytes[at + 3] << 24;
    v3 ^= word;
    v0 = v0 + v1 | 0;
    v1 = (v1 << 5 | v1 >>> 27) ^ v0;
    v0 = v0 << 16 | v0 >>> 16;
    v2 = v2 + v3 | 0;
    v3 = (v3 << 8 | v3 >>> 24) ^ v2;
    v0 = v0 + v3 | 0;
    v3 = (v3 << 7 | v3 >>> 25) ^ v0;
    v2 = v2 + v1 | 0;
    v1 = (v1 << 13 | v1 >>> 19) ^ v2;
    v2 = v2 << 16 | v2 >>> 16;
    v0 ^= word;
  }
  let last = (to - from) << 24;
  for (let at = wordsEnd, shift = 0; at < to; at++, shift += 8) last |= bytes[at] << shift;
  v3 ^= last;
  for (let round = 0; round < 4; round++) {
    if (round === 1) {
      v0 ^= last;
      v2 ^= 0xff;
    }
    v0 = v0 + v1 | 0;
    v1 = (v1 << 5 | v1 >>> 27) ^ v0;
    v0 = v0 << 16 | v0 >>> 16;
    v2 = v2 + v3 | 0;
    v3 = (v3 << 8 | v3 >>> 24) ^ v2;
    v0 = v0 + v3 | 0;
    v3 = (v3 << 7 | v3 >>> 25) ^ v0;
    v2 = v2 + v1 | 0;
    v1 = (v1 << 13 | v1 >>> 19) ^ v2;
    v2 = v2 << 16 | v2 >>> 16;
  }
  return v1 ^ v3;
}
