/** The streams of events: a picture of the server's statistics each second, the same for all who may see as much. It knows no connection. */

import { unref } from "../platform/timer.ts";

/** Those who look at the same time, at most. */
export const MAX_LOOKERS = 8;
const INTERVAL_MS = 1000;

/** All streams of events of one server. */
export class HttpEvents {
  readonly #reading: (seesKeys: boolean) => string;
  /** What tells each of those who look, and whether they may see keys. */
  readonly #lookers = new Map<(data: string) => void, boolean>();
  #timer: ReturnType<typeof setInterval> | undefined;

  /** @param reading Returns the statistics as JSON, for who may see keys and for who may not. */
  constructor(reading: (seesKeys: boolean) => string) {
    this.#reading = reading;
  }

  /** Those who look now. */
  get lookers(): number {
    return this.#lookers.size;
  }

  /**
   * Has `send` called with a picture each second.
   *
   * @param seesKeys Whether keys may be in it.
   * @returns The first one, and what ends it; `undefined` if too many look already.
   */
  join(send: (data: string) => void, seesKeys: boolean): { first: string; leave: () => void } | undefined {
    if (this.#lookers.size >= MAX_LOOKERS) return undefined;
    this.#lookers.set(send, seesKeys);
    this.#timer ??= unref(setInterval(() => this.tell(), INTERVAL_MS));
    return { first: this.#reading(seesKeys), leave: () => this.#leave(send) };
  }

  /** Tells all how things are. A timer calls this. */
  tell(): void {
    const pictures: (string | undefined)[] = [];
    for (const [send, seesKeys] of this.#lookers) send(pictures[Number(seesKeys)] ??= this.#reading(seesKeys));
  }

  #leave(send: (data: string) => void): void {
    this.#lookers.delete(send);
    if (this.#lookers.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
