/** The streams of events: a picture of the server's statistics each second, the same for all who look. It knows no connection. */

import { unref } from "../platform/timer.ts";

/** Those who look at the same time, at most. */
export const MAX_LOOKERS = 8;
const INTERVAL_MS = 1000;

/** All streams of events of one server. */
export class HttpEvents {
  readonly #snapshot: () => string;
  readonly #lookers = new Set<(data: string) => void>();
  #timer: ReturnType<typeof setInterval> | undefined;

  /** @param snapshot Returns the statistics as JSON. */
  constructor(snapshot: () => string) {
    this.#snapshot = snapshot;
  }

  /** Those who look now. */
  get lookers(): number {
    return this.#lookers.size;
  }

  /**
   * Has `send` called with a picture each second.
   *
   * @returns The first one, and what ends it; `undefined` if too many look already.
   */
  join(send: (data: string) => void): { first: string; leave: () => void } | undefined {
    if (this.#lookers.size >= MAX_LOOKERS) return undefined;
    this.#lookers.add(send);
    this.#timer ??= unref(setInterval(() => this.tell(), INTERVAL_MS));
    return { first: this.#snapshot(), leave: () => this.#leave(send) };
  }

  /** Tells all how things are. A timer calls this. */
  tell(): void {
    const data = this.#snapshot();
    for (const send of this.#lookers) send(data);
  }

  #leave(send: (data: string) => void): void {
    this.#lookers.delete(send);
    if (this.#lookers.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
