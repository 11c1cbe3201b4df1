/** Pseudo-random numbers that are repeated by an equal seed. */

/** Returns a generator of numbers from 0 to 1, determined by `seed` (MurmurHash3's finalizer over a Weyl sequence). */
export function generator(seed: number): () => number {
  let state = Math.imul(seed, 0x9e3779b1) | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ state >>> 16, 0x85ebca6b);
    x = Math.imul(x ^ x >>> 13, 0xc2b2ae35);
    return ((x ^ x >>> 16) >>> 0) / 2 ** 32;
  };
}
