/**
 * The one clock that lib/ reads by itself: milliseconds since 1970, read once a turn. It knows no timer.
 *
 * It does not follow the wall clock when that is put forward or back, so no entry expires early or late for it.
 *
 * Reading a clock costs more than a whole lookup (50–90 ns beside 40 ns), so calls of one turn share a reading:
 * a microtask ends it, and so does the 32nd call, lest a long synchronous loop stand still in time.
 */

const CALLS_PER_READING = 32;
const PlatformDate = Date;

let readingMs = 0;
let callsLeft = 0;
let endIsQueued = false;

/**
 * Time of this turn, in milliseconds since 1970.
 *
 * A replaced `Date` (fake time in a test) is asked instead, every time: a test moves time within a turn.
 */
export function turnNow(): number {
  return --callsLeft > 0 && Date === PlatformDate ? readingMs : read();
}

/** Time of the last reading: as old as the last call of `turnNow`, for what a second more or less does not matter to. */
export function recentNow(): number {
  return readingMs === 0 || Date !== PlatformDate ? turnNow() : readingMs;
}

function read(): number {
  if (Date !== PlatformDate) return Date.now();
  callsLeft = CALLS_PER_READING;
  readingMs = performance.timeOrigin + performance.now();
  if (!endIsQueued) {
    endIsQueued = true;
    queueMicrotask(endReading);
  }
  return readingMs;
}

function endReading(): void {
  endIsQueued = false;
  callsLeft = 0;
}
