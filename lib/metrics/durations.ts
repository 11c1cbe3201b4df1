/** How long requests take: counts of them by upper bounds, as a histogram has them. It reads no clock. */

import type { Family } from "./text.ts";

/** Seconds up to which requests are counted together; what takes longer than the last is counted too. */
export const BOUNDS: readonly number[] = [
  ...[0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01],
  ...[0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
];
const BOUNDS_MS = Float64Array.from(BOUNDS, (seconds) => seconds * 1000);

/** Reads between two looks beyond which not all are timed: a clock costs more than many a request. */
const MANY_READS = 1000;
/** Beyond `MANY_READS`, the first `PART` of every `ROW` reads are timed, and count for the row: reads of one turn belong together. */
const [ROW, PART] = [2048, 256];
/** Reads are counted up to here, and from 0 then. */
const READS = 2 ** 30;

/**
 * Counts what the requests of one server have taken. As long as there are few, all are timed; of many an eighth, which counts for
 * the others.
 */
export class Durations {
  /** Requests by bound, each counted once, and behind them those that took longer. */
  readonly counts = new Float64Array(BOUNDS.length + 1);
  /** Milliseconds of all together. */
  sumMs = 0;

  #reads = 0;
  #readsBefore = 0;
  #weight = 1;

  /** Takes note of a read. Returns whether what it brings is to be timed. */
  isTimed(): boolean {
    this.#reads = (this.#reads + 1) % READS;
    return this.#weight === 1 || this.#reads % ROW < PART;
  }

  /** Takes note of requests that took `ms` milliseconds each. */
  add(ms: number, requests: number): void {
    let i = 0;
    while (i < BOUNDS_MS.length && ms > BOUNDS_MS[i]) i++;
    this.counts[i] += requests * this.#weight;
    if (ms > 0) this.sumMs += ms * requests * this.#weight;
  }

  /** Looks how many reads there have been since the last look. A timer calls this twice a second. */
  look(): void {
    const reads = (this.#reads - this.#readsBefore + READS) % READS;
    this.#readsBefore = this.#reads;
    this.#weight = reads > MANY_READS ? ROW / PART : 1;
  }

  /** The counts as a histogram. */
  family(name: string, help: string): Family {
    let sum = 0;
    const buckets = Array.from(this.counts, (count, i) => ({
      suffix: "_bucket",
      labels: { le: i < BOUNDS.length ? String(BOUNDS[i]) : "+Inf" },
      value: sum += count,
    }));
    const totals = [{ suffix: "_sum", value: this.sumMs / 1000 }, { suffix: "_count", value: sum }];
    return { name, kind: "histogram", help, samples: [...buckets, ...totals] };
  }
}
