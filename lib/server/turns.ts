/**
 * Shares this process's time among the connections of a server: whoever has worked for a while waits until the event loop
 * has looked after all the others. It does not know what the work is.
 *
 * A socket that is ready resolves its read at once, so a busy connection would never let the event loop look at other
 * sockets. A timer makes it look; one that is due costs some 50 µs, one that is not 1–2 ms. So the timer is set when a
 * turn begins, and is due when the turn ends.
 */

import type { Allowance } from "../wire/protocol_handler.ts";

/** Milliseconds of work between two looks of the event loop at all sockets: longer than the shortest timer. */
const TURN_MS = 5;
/** Units of work that a connection does before it reads the clock. */
const UNITS_PER_READING = 256;

/** The turns that all connections of a server share. */
export class Turns {
  /** Resolves at the event loop's next look; `undefined` if it has looked since the turn began. */
  #look: Promise<void> | undefined;
  #endMs = 0;
  /** Resolves when those who wait already have been let go on. */
  #last: Promise<void> = Promise.resolve();

  /** Whether this turn has lasted for long enough. The first to ask after a look begins a turn. */
  isOver(): boolean {
    if (this.#look !== undefined) return performance.now() >= this.#endMs;
    this.#nextLook();
    return false;
  }

  /** Waits for a turn, behind those that wait already; each turn lets one of them go on. */
  next(): Promise<void> {
    return this.#last = this.#last.then(() => this.#nextLook()).then(() => void this.#nextLook()); // a turn begins
  }

  #nextLook(): Promise<void> {
    if (this.#look !== undefined) return this.#look;
    this.#endMs = performance.now() + TURN_MS;
    return this.#look = new Promise((resolve) => {
      setTimeout(() => {
        this.#look = undefined;
        resolve();
      }, 0);
    });
  }
}

/** What one connection may do in a turn. */
export class Turn implements Allowance {
  isOver = false;
  readonly #turns: Turns;
  #left = UNITS_PER_READING;

  constructor(turns: Turns) {
    this.#turns = turns;
  }

  spend(units: number): void {
    this.#left -= units;
    if (this.#left > 0) return;
    this.#left = UNITS_PER_READING;
    this.isOver = this.#turns.isOver();
  }

  /** Waits for the connection's next turn. */
  async next(): Promise<void> {
    await this.#turns.next();
    this.isOver = false;
    this.#left = UNITS_PER_READING;
  }
}
