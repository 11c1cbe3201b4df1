/**
 * The clock of this process. It does not follow the wall clock when that is put forward or back, so no entry expires early
 * or late for it.
 */

import { type TurnClock, turnClock } from "../base/turn_clock.ts";

/** Milliseconds since 1970, read once a turn. */
export const processClock: TurnClock = turnClock({
  read: () => performance.timeOrigin + performance.now(),
  readReplaced: () => Date.now(),
  atEndOfTurn: queueMicrotask,
});
