/** Sums over sampled reads, from which the share of all reads that hit is estimated. */

/** What some sampled reads stand for. */
export class Tally {
  /** Reads. */
  reads = 0;
  /** The same, each multiplied by how often its key has been read. */
  weighted = 0;

  /** Adds a read that stands for `reads` reads, of a key that has been read `times` times. */
  add(reads: number, times: number): void {
    this.reads += reads;
    this.weighted += reads * times;
  }

  /** Makes what has been added so far count `factor` times as much. */
  scale(factor: number): void {
    this.reads *= factor;
    this.weighted *= factor;
  }
}

/**
 * Estimates which share of `reads` reads hit, from what sampled reads stand for, and those of them that hit.
 *
 * What sampled reads stand for is more or less than all, mostly because too many or too few of the keys that are read most
 * are in the sample. SHARDS-adj takes the difference for hits in a cache of any size. Where all keys are read alike, that is
 * wrong; so here it hits where those reads hit that come from keys read often (the regression estimator of sample surveys).
 *
 * @returns A share from 0 to 1, or `undefined` if there is nothing to estimate it from.
 */
export function hitRatio(hits: Tally, sampled: Tally, reads: number): number | undefined {
  if (sampled.weighted === 0 || reads <= 0) return undefined;
  const missing = reads - sampled.reads;
  return Math.min(1, Math.max(0, (hits.reads + missing * hits.weighted / sampled.weighted) / reads));
}
