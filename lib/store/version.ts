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
/**
 * Milliseconds that a peer's wall clock may be ahead of this node's. They are fewer, so that nobody takes over, and passes on,
 * versions that a third node whose clock is right within a few seconds must refuse.
 */
export const MAX_PEER_AHEAD_MS = 20_000;

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
    if (!(h <= versionAt(Math.max(nowMs, EPOCH_MS) + MAX_AHEAD_MS))) return false;
    if (h > this.last) this.last = h;
    return true;
  }
}

/** Milliseconds by which a wall clock, told as a version, is ahead of this node's; below 0 if it is behind. */
export function aheadMs(wall: number, nowMs: number): number {
  return (wall - versionAt(nowMs)) / PER_MS;
}

/** The time of a version in milliseconds, those of one millisecond in their order. */
export function timeOf(h: number): number {
  return EPOCH_MS + h / PER_MS;
}

/** The first version of a millisecond; a clock that is before 2024, as where a machine has none, stands at 0. */
export function versionAt(nowMs: number): number {
  return Math.max(0, Math.floor(nowMs - EPOCH_MS)) * PER_MS;
}
