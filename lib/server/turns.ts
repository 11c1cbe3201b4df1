/**
 * Shares this process's time among the connections of a server: whoever has worked for a while waits until the event loop
 * has looked after all the others. It does not know what the work is.
 *
 * A socket that is ready resolves its read at once, so a busy connection would never let the event loop look at other
 * sockets. When a turn is over, all who want to go on wait until it has looked.
 */

import { lookAtSockets } from "../platform/event_loop.ts";
import type { Allowance } from "../wire/protocol_handler.ts";

/** Milliseconds of work between two looks of the event loop at all sockets. */
const TURN_MS = 5;
/** Units of work after which the clock is read. */
const UNITS_PER_READING = 1024;
/** Units of work before which no turn begins, since a look is not free. */
const UNITS_BEFORE_TURN = 4096;
/** Later comers that go before one who works much, if they do not. */
const LATER_COMERS = 256;
/**
 * Units of work that it takes to accept a connection, and connections accepted before a look: while one waits to be accepted, the
 * event loop looks at other sockets only every 61 of its steps.
 */
const [ACCEPT_UNITS, ACCEPTS_PER_LOOK] = [64, 64];
/** Microtasks in which somebody who may go on has begun to work, and has ended what needs no waiting. */
const MICROTASKS = 16;

interface Waiting {
  readonly place: number;
  readonly goOn: () => void;
}

/** The turns that all connections of a server share. */
export class Turns implements Allowance {
  /** Whether a turn is over: who wants to go on waits for the next one. */
  isOver = false;
  /** Times that somebody had to wait since a turn was over. */
  waits = 0;
  /** Resolves when the event loop has looked at all sockets. */
  look: () => Promise<void>;
  readonly #now: () => number;
  #left = UNITS_BEFORE_TURN;
  /** Whether a turn has begun, which the next look ends. */
  #hasBegun = false;
  #endMs = 0;
  #accepted = 0;
  #places = 0;
  #waiting: Waiting[] = [];
  #looking: Promise<void> | undefined;

  /**
   * @param now A clock, in milliseconds.
   * @param look Resolves when the event loop has looked at all sockets.
   */
  constructor(now: () => number = () => performance.now(), look: () => Promise<void> = lookAtSockets) {
    this.#now = now;
    this.look = look;
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
   * Waits for a turn. Those who wait go on in their order, one after another, as long as a turn lasts; who works much, or
   * is not known not to, lets some of those who come later go first.
   */
  next(worksMuch = true): Promise<void> {
    if (this.isOver) this.waits++;
    const place = ++this.#places + (worksMuch ? LATER_COMERS : 0);
    if (!this.#hasBegun) this.#begin();
    return new Promise((goOn) => this.#waiting.push({ place, goOn }));
  }

  /** Takes note that a connection has been accepted. Returns what has to be waited for before the next one is, if anything. */
  accepted(): Promise<void> | undefined {
    this.spend(ACCEPT_UNITS);
    return this.isOver || ++this.#accepted % ACCEPTS_PER_LOOK === 0 ? this.next(false) : undefined;
  }

  /** Resolves when no look is under way. Nobody may have work then. */
  async stop(): Promise<void> {
    while (this.#hasBegun) await this.#looking;
  }

  #begin(): void {
    this.#hasBegun = true;
    this.#left = UNITS_PER_READING;
    this.#endMs = this.#now() + TURN_MS;
    this.#looking = this.#end();
  }

  /** Ends a turn when the event loop has looked at all sockets, which it may do by itself before the turn is over. */
  async #end(): Promise<void> {
    await this.look();
    if (this.#waiting.length > 0) {
      this.isOver = true; // also for those who come meanwhile
      await this.look();
    }
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
