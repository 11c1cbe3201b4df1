/**
 * Shares this process's time among the connections of a server: whoever has worked for a while waits until the event loop
 * has looked after all the others. It does not know what the work is.
 *
 * A socket that is ready resolves its read at once, so a busy connection would never let the event loop look at other
 * sockets. A timer makes it look; one that is due costs some 50 µs, one that is not 1–2 ms. So the timer is set when a
 * turn begins, and is due when the turn ends. One that is set in the middle of a turn would save timers, but fires before
 * the event loop has looked.
 *
 * One that is due is not always enough: while somebody can go on, the event loop runs its steps up to 61 times before it looks
 * at sockets (a connection that was always ready had up to 50 turns, for which all others waited 250 ms). So some turns begin with
 * a timer that is not due yet, when nobody can go on.
 */

import type { Allowance } from "../wire/protocol_handler.ts";

/** Milliseconds of work between two looks of the event loop at all sockets: longer than the shortest timer. */
const TURN_MS = 5;
/** Turns of which one begins with a sure look at all sockets, for which nobody works for 1 to 2 ms. */
const TURNS_PER_LOOK = 6;
/** Units of work after which the clock is read. */
const UNITS_PER_READING = 1024;
/** Units of work before which no turn begins, since the timer of a turn is not free. */
const UNITS_BEFORE_TURN = 4096;
/** Later comers that go first if they have not worked yet. */
const LATER_COMERS = 32;
/** Microtasks in which somebody who may go on has begun to work, and has ended what needs no waiting. */
const MICROTASKS = 16;

interface Waiting {
  readonly place: number;
  readonly goOn: () => void;
}

/** The turns that all connections of a server share. */
export class Turns implements Allowance {
  isOver = false;
  /** Times that somebody had to wait for a turn. */
  waits = 0;
  readonly #now: () => number;
  #left = UNITS_BEFORE_TURN;
  /** Whether a turn has begun, which the event loop's next look ends. */
  #hasBegun = false;
  #endMs = 0;
  #places = 0;
  #turns = 0;
  #waiting: Waiting[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param now A clock, in milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  spend(units: number): void {
    this.#left -= units;
    if (this.#left > 0) return;
    this.#left = UNITS_PER_READING;
    this.check();
  }

  /** Reads the clock. Returns whether this turn has lasted for long enough; the first check after a look begins a turn. */
  check(): boolean {
    if (this.#hasBegun) return this.isOver = this.#now() >= this.#endMs;
    this.#begin();
    return false;
  }

  /**
   * Waits for a turn. Those who wait go on in their order, one after another, as long as a turn lasts; who has worked in
   * the last turn lets some of those who come later go first.
   */
  next(hasWorked = true): Promise<void> {
    this.waits++;
    const place = ++this.#places + (hasWorked ? LATER_COMERS : 0);
    if (!this.#hasBegun) this.#begin();
    return new Promise((goOn) => this.#waiting.push({ place, goOn }));
  }

  #begin(): void {
    this.#hasBegun = true;
    this.#left = UNITS_PER_READING;
    this.#endMs = this.#now() + TURN_MS;
    this.#timer = setTimeout(() => this.#end(), 0);
  }

  /** Ends the turn under way, and leaves no timer. Nobody may have work then. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#goOn();
  }

  #end(): void {
    if (this.#waiting.length === 0 || ++this.#turns % TURNS_PER_LOOK !== 0) return this.#goOn();
    this.isOver = true; // also for those who come meanwhile
    this.#timer = setTimeout(() => this.#goOn(), 0);
  }

  #goOn(): void {
    this.#hasBegun = this.isOver = false;
    this.#left = UNITS_BEFORE_TURN;
    if (this.#waiting.length === 0) return;
    this.#begin();
    this.#letGoOn();
  }

  async #letGoOn(): Promise<void> {
    const waiting = this.#waiting.sort((a, b) => a.place - b.place);
    this.#waiting = [];
    let gone = 0;
    while (gone < waiting.length && (gone === 0 || !this.check())) { // one in any case, or nobody might ever go on
      waiting[gone++].goOn();
      for (let i = 0; i < MICROTASKS; i++) await undefined; // it works now
    }
    this.#waiting.push(...waiting.slice(gone));
  }
}
