/**
 * A clock that is read once per turn of the event loop. It knows no platform: the clock that it reads, and the end of a
 * turn, are arguments.
 *
 * To read a clock costs more than a whole lookup (50–90 ns beside 40 ns), so the calls of one turn share a reading. A
 * microtask ends the reading, and so does the 32nd call, so that time goes on in a long synchronous loop.
 */

import { EntryTime } from "./entry_time.ts";

const CALLS_PER_READING = 32;
/** Milliseconds between comparisons with the wall clock. */
const COMPARE_MS = 250;
const PlatformDate = Date;

/** A clock: milliseconds since 1970. */
export interface TurnClock {
  /** Returns the time of this turn, in milliseconds since 1970: it is never put back, as entry_time.ts says. */
  now(): number;
  /** Returns by how many milliseconds the wall clock was ahead of that when they were last compared, a quarter of a second ago. */
  wallAheadMs(): number;
  /**
   * Returns the last reading, which is as old as the last call of `now` that took one. It costs nothing, and serves
   * where a second more or less does not matter.
   */
  recent(): number;
}

/** The clocks that a turn clock reads, and the end of a turn. */
export interface ClockSource {
  /** Milliseconds by a clock that is never put back, from any beginning. */
  read(): number;
  /** Milliseconds since 1970 by the wall clock, which may be put forward and back; left out where only `read` counts. */
  readWall?(): number;
  /**
   * Milliseconds since 1970 while `Date` is replaced by a test's fake time; read at each call, since a test moves time.
   */
  readReplaced(): number;
  /** Runs a function once the turn is over. */
  atEndOfTurn(run: () => void): void;
}

/** Makes a clock that shares readings within a turn. */
export function turnClock({ read, readWall, readReplaced, atEndOfTurn }: ClockSource): TurnClock {
  let time: EntryTime | undefined;
  let compareAtMs = -Infinity;
  let readingMs = 0;
  let callsLeft = 0;
  let endIsQueued = false;
  const endReading = () => {
    endIsQueued = false;
    callsLeft = 0;
  };
  const compare = (steadyMs: number) => {
    const wallMs = readWall?.() ?? steadyMs;
    time ??= new EntryTime(steadyMs, wallMs);
    time.compare(steadyMs, wallMs);
    compareAtMs = steadyMs + COMPARE_MS;
  };
  const readNow = () => {
    if (Date !== PlatformDate) return readReplaced();
    callsLeft = CALLS_PER_READING;
    const steadyMs = read();
    if (time === undefined || steadyMs >= compareAtMs) compare(steadyMs);
    readingMs = time!.at(steadyMs);
    if (!endIsQueued) {
      endIsQueued = true;
      atEndOfTurn(endReading);
    }
    return readingMs;
  };
  const now = () => --callsLeft > 0 && Date === PlatformDate ? readingMs : readNow();
  const recent = () => readingMs === 0 || Date !== PlatformDate ? now() : readingMs;
  const wallAheadMs = () => time === undefined || Date !== PlatformDate ? 0 : time.wallAheadMs;
  return { now, recent, wallAheadMs };
}
