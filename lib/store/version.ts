/**
 * The order of writes: a hybrid logical clock, and who wrote. It reads no clock; the time is an argument.
 *
 * "Logical Physical Clocks" (Kulkarni, Demirbas, Madappa, Avva, Leone, 2014): a clock that follows the wall clock where
 * it can, and never falls behind what it has seen.
 */

/** 2024-01-01 in milliseconds since 1970: 53 bits from here last until 2093. */
const EPOCH_MS = 1_704_067_200_000;
/** Versions in a millisecond. */
const PER_MS = 4096;
/** Milliseconds that a version may be ahead of this node's wall clock; one further ahead is refused. */
export const MAX_AHEAD_MS = 60_000;

/** Version of a write. The one with the higher `h` is newer; if both are equal, the one with the higher origin. */
export interface Version {
  h: number;
  /** Who wrote: a random 32-bit number, taken anew at each start. */
  origin: number;
  /** For an adopted write, the number under which it is counted as known, in place of its origin. */
  by?: number;
}

/** Returns a number below 0 if `a` is older than `b`, 0 if they are equal, above 0 if `a` is newer. */
export function compareVersions(a: Version, b: Version): number {
  return a.h - b.h || a.origin - b.origin;
}

/** The clock of one node. */
export class HybridClock {
  /** The last version given or seen. */
  last = 0;

  /** The next version: newer than any given or seen. */
  tick(nowMs: number): number {
    this.last = Math.max(this.last + 1, versionAt(nowMs));
    return this.last;
  }

  /**
   * Takes note of another node's version.
   *
   * @returns False if `h` is too far in the future; the clock is unchanged then.
   */
  see(h: number, nowMs: number): boolean {
    if (!(h <= versionAt(nowMs + MAX_AHEAD_MS))) return false;
    if (h > this.last) this.last = h;
    return true;
  }
}

/** The time of a version in milliseconds, those of one millisecond in their order. */
export function timeOf(h: number): number {
  return EPOCH_MS + h / PER_MS;
}

/** The first version of a millisecond. */
export function versionAt(nowMs: number): number {
  return Math.max(0, Math.floor(nowMs - EPOCH_MS)) * PER_MS;
}
