/**
 * The log lines that strangers can cause: one of a kind for each address and minute, with a count of those left out. It does
 * not know what they say.
 */

import type { Log, LogLevel } from "../base/log.ts";
import { grouped } from "../base/words.ts";

/** Milliseconds in which a kind of line is said once for an address. */
const MINUTE_MS = 60_000;
/** Kinds and addresses that are remembered; further addresses share one line of each kind. */
const MAX_REMEMBERED = 256;

interface Said {
  readonly line: string;
  readonly level: LogLevel;
  readonly untilMs: number;
  leftOut: number;
}

/** Logs what strangers cause. */
export class LimitedLog {
  readonly #log: Log;
  readonly #now: () => number;
  readonly #said = new Map<string, Said>();

  /** @param log Called with each line; it does not throw. */
  constructor(log: Log, now: () => number = () => performance.now()) {
    this.#log = log;
    this.#now = now;
  }

  /** Logs a line, unless one of its kind has been logged for that address, whatever its port, in the last minute. */
  say(kind: string, address: string, line: string, level: LogLevel = "warn"): void {
    this.tidy();
    const own = `${kind} ${hostOf(address)}`;
    const key = this.#said.has(own) || this.#said.size < MAX_REMEMBERED ? own : kind;
    const said = this.#said.get(key);
    if (said !== undefined) {
      said.leftOut++;
      return;
    }
    this.#said.set(key, { line, level, untilMs: this.#now() + MINUTE_MS, leftOut: 0 });
    this.#log(line, level);
  }

  /** Logs how many lines have been left out, once their minute is over. */
  tidy(): void {
    for (const [key, { line, level, untilMs, leftOut }] of this.#said) {
      if (untilMs > this.#now()) return; // the others came later
      this.#said.delete(key);
      if (leftOut > 0) this.#log(`${grouped(leftOut)} more in a minute like: ${line}`, level);
    }
  }
}

/** An address without its port. */
export function hostOf(address: string): string {
  return address.replace(/:\d+$/, "");
}
