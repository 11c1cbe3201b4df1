/** One of the keys whose reads stand for all reads, and where it stands in the caches that are simulated. */

/** The time of a key that has no place in the order of use. */
export const NO_TIME = -1;

/** A key is known by its hash; nothing else of it is kept. */
export class SampledKey {
  readonly hash: number;
  /** Bytes that its entry takes. */
  bytes = 0;
  /** When its entry expires, in milliseconds; `Infinity` is never. */
  deadlineMs = Infinity;
  /** Reads of it that have been counted; old ones fade. */
  reads = 0;

  /** When it was last used, in uses of any key: it and the following are for {@linkcode Recency} alone to write. */
  time: number = NO_TIME;
  /** Whether it has been deleted or has expired, and only its place is left. */
  isHole = false;

  /** Whether the shadow of SIEVE holds it: it and the following are for {@linkcode Sieve} alone to write. */
  isHeld = false;
  isVisited = false;
  newer: SampledKey | undefined;
  older: SampledKey | undefined;

  constructor(hash: number) {
    this.hash = hash;
  }
}
