/**
 * The clock of this process. It does not follow the wall clock when that is put forward or back, which would make
 * entries expire early or late.
 */

import { type TurnClock, turnClock } from "../base/turn_clock.ts";

/** The clock, in milliseconds since 1970, read once per turn of the event loop. */
export const processClock: TurnClock = turnClock({
  read: () => performance.timeOrigin + performance.now(),
  readReplaced: () => Date.now(),
  atEndOfTurn: queueMicrotask,
});
