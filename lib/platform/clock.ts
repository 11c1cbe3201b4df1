/** The clock of this process: the time by which entries age, and how far the wall clock is from it. */

import { type TurnClock, turnClock } from "../base/turn_clock.ts";

/** The clock, in milliseconds since 1970, read once per turn of the event loop. */
export const processClock: TurnClock = turnClock({
  read: () => performance.now(),
  readWall: () => Date.now(),
  readReplaced: () => Date.now(),
  atEndOfTurn: queueMicrotask,
});
