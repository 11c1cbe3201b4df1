/** Numbers by chance that come again with the same seed. */

/** Numbers from 0 to 1, the same for the same seed (a finaliser of MurmurHash3 over a Weyl sequence). */
export function generator(seed: number): () => number {
  let state = Math.imul(seed, 0x9e3779b1) | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ state >>> 16, 0x85ebca6b);
    x = Math.imul(x ^ x >>> 13, 0xc2b2ae35);
    return ((x ^ x >>> 16) >>> 0) / 2 ** 32;
  };
}
