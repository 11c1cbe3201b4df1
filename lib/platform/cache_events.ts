/**
 * Tells what happens in a cache: the cache's own listener, and those of the process's diagnostics channels, one for each type of
 * event (`ormuco-cache:hit` and so on). It costs two comparisons where nobody listens.
 */

import { channel } from "node:diagnostics_channel";
import type { CacheEvent, EventTeller } from "../base/cache_event.ts";
import { telemetry } from "./telemetry.ts";

type EventType = CacheEvent["type"];

const HIT = channel("ormuco-cache:hit");
const MISS = channel("ormuco-cache:miss");
const CHANNELS: Readonly<Record<EventType, ReturnType<typeof channel>>> = {
  hit: HIT,
  miss: MISS,
  store: channel("ormuco-cache:store"),
  remove: channel("ormuco-cache:remove"),
  clear: channel("ormuco-cache:clear"),
  evict: channel("ormuco-cache:evict"),
  error: channel("ormuco-cache:error"),
  reconnect: channel("ormuco-cache:reconnect"),
};

/** Those who listen to one cache. */
export class CacheEvents implements EventTeller {
  readonly #onEvent: ((event: CacheEvent) => void) | undefined;

  constructor(onEvent: ((event: CacheEvent) => void) | undefined) {
    this.#onEvent = onEvent;
    telemetry(); // which counts hits and misses from the first cache on
  }

  /** Whether anybody listens to events of a type: else none need be made. */
  hears(type: EventType): boolean {
    return this.#onEvent !== undefined || CHANNELS[type].hasSubscribers;
  }

  asked(key: string, isHit: boolean): void {
    const heard = isHit ? HIT : MISS; // by name, as it is called the most often: to look it up takes longer than all else
    if (this.#onEvent === undefined && !heard.hasSubscribers) return;
    this.tell({ type: isHit ? "hit" : "miss", key });
  }

  changed(type: "store" | "remove", key: string): void {
    if (this.hears(type)) this.tell({ type, key });
  }

  /** Tells of an event. A listener that fails ends nothing. */
  tell(event: CacheEvent): void {
    try {
      const result = this.#onEvent?.(event) as unknown;
      if (result instanceof Promise) result.catch(() => {});
    } catch {
      // An error of the listener must not end the call that it is told of.
    }
    CHANNELS[event.type].publish(event); // an error of a subscriber is the process's: it is thrown later
  }

  later(event: CacheEvent): void {
    if (this.hears(event.type)) queueMicrotask(() => this.tell(event));
  }
}
