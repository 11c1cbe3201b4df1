/**
 * A clock that is read once a turn of the event loop. It knows no platform: what it reads, and how it learns that a turn has
 * ended, are arguments.
 *
 * Reading a clock costs more than a whole lookup (50–90 ns beside 40 ns), so calls of one turn share a reading: a microtask
 * ends it, and so does the 32nd call, lest a long synchronous loop stand still in time.
 */

const CALLS_PER_READING = 32;
const PlatformDate = Date;

/** A clock: milliseconds since 1970. */
export interface TurnClock {
  /** Returns the time of this turn. */
  now(): number;
  /**
   * Returns the last reading: as old as the last call of `now`. It costs nothing, for what a second more or less does not
   * matter to.
   */
  recent(): number;
}

/** What a turn clock reads. */
export interface ClockSource {
  /** Milliseconds since 1970, by a clock that is never put back. */
  read(): number;
  /** The time where `Date` has been replaced (fake time in a test): it is asked every time, as a test moves time in a turn. */
  readReplaced(): number;
  /** Runs a function once the turn is over. */
  atEndOfTurn(run: () => void): void;
}

/** Makes a clock that shares readings within a turn. */
export function turnClock({ read, readReplaced, atEndOfTurn }: ClockSource): TurnClock {
  let readingMs = 0;
  let callsLeft = 0;
  let endIsQueued = false;
  const endReading = () => {
    endIsQueued = false;
    callsLeft = 0;
  };
  const readNow = () => {
    if (Date !== PlatformDate) return readReplaced();
    callsLeft = CALLS_PER_READING;
    readingMs = read();
    if (!endIsQueued) {
      endIsQueued = true;
      atEndOfTurn(endReading);
    }
    return readingMs;
  };
  const now = () => --callsLeft > 0 && Date === PlatformDate ? readingMs : readNow();
  const recent = () => readingMs === 0 || Date !== PlatformDate ? now() : readingMs;
  return { now, recent };
}
