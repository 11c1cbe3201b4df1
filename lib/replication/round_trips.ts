/**
 * How long a peer takes to answer, measured by questions that bear a number and are put one at a time: answers to the
 * questions of rounds cannot be told apart. It knows times, not messages.
 */

import { Lateness } from "./lateness.ts";

/** What is known of a peer's round trips. */
export interface RoundTrips {
  /** The last ones, in milliseconds, the newest last. */
  lastMs: number[];
  /** How much slower than the quickest one is. */
  readonly lateness: Lateness;
  quickestMs: number;
  /** Number of the question that has no answer yet, and when it was put; also when the last one was. */
  question: number | undefined;
  askedMs: number;
}

/** Round trips that are remembered. */
const REMEMBERED = 3;
/** Milliseconds between questions, if nothing depends on the answer: fewer than a peer may be silent for by default. */
const PAUSE_MS = 10_000;
/** Milliseconds after which a question that has no answer is put again: it may have been lost. */
const LOST_MS = 10_000;
/** Round trips that a peer may be silent, and milliseconds while none has been measured. */
const PATIENCE = 4;
const FIRST_MS = 500;
/** How many usual pages one over a long way holds, or are under way there at least. */
export const LONG_WAY_PAGES = 4;
/** Milliseconds from which on a way is a long one. */
const LONG_MS = 20;

/** What is known at first. */
export function newRoundTrips(): RoundTrips {
  return { lastMs: [], lateness: new Lateness(), quickestMs: 0, question: undefined, askedMs: -Infinity };
}

/** Whether to put a question now; `isUrgent` if something depends on the answer. */
export function isDue({ lastMs, question, askedMs }: RoundTrips, nowMs: number, isUrgent: boolean): boolean {
  if (question !== undefined) return nowMs - askedMs > LOST_MS;
  return isUrgent || lastMs.length < REMEMBERED || nowMs - askedMs >= PAUSE_MS;
}

/** Takes note of the answer to a question. */
export function tookAnswer(trips: RoundTrips, question: number, nowMs: number): void {
  if (trips.question !== question) return;
  trips.question = undefined;
  const ms = Math.max(0, nowMs - trips.askedMs);
  trips.quickestMs = ms - trips.lateness.of(-ms, nowMs);
  trips.lastMs.push(ms);
  if (trips.lastMs.length > REMEMBERED) trips.lastMs.shift();
}

/** The last round trip, or how long the one under way has taken if that is longer; `undefined` before the first. */
export function roundTripMs({ lastMs, question, askedMs }: RoundTrips, nowMs: number): number | undefined {
  const last = lastMs.at(-1);
  return last === undefined || question === undefined ? last : Math.max(last, nowMs - askedMs);
}

/** Milliseconds that a peer may be silent before it is given up; none where nobody measures. */
export function patienceMs(trips: RoundTrips): number {
  if (trips.lastMs.length > 0) return PATIENCE * shortestMs(trips);
  return trips.question === undefined ? 0 : PATIENCE * FIRST_MS;
}

/** The shortest of the last round trips: how long an answer takes at least; 0 before the first. */
export function shortestMs({ lastMs }: RoundTrips): number {
  return lastMs.length === 0 ? 0 : Math.min(...lastMs);
}

/** The quickest round trip of the last minute or two, so that what waits on the way does not count; 0 before the first. */
export function quickestMs(trips: RoundTrips | undefined): number {
  return trips?.quickestMs ?? 0;
}

/** Whether the shortest of a peer's last round trips takes 20 ms or more: then it gets few large messages sooner than many small ones. */
export function isLong(trips: RoundTrips | undefined): boolean {
  return trips !== undefined && shortestMs(trips) >= LONG_MS;
}
