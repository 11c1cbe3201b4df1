/** An LruCache on a clock of its own. */

import { type EvictReason, LruCache, type LruCacheOptions } from "../../lib/lru.ts";

/** What `onEvict` was told once. */
export type Event = [key: unknown, value: unknown, reason: EvictReason];

/** A cache, and what can be seen of it. */
export interface Fixture<V> {
  cache: LruCache<V>;
  events: Event[];
  clock: { nowMs: number; readings: number };
}

/** A cache on a clock of its own that keeps what `onEvict` was told. */
export function fixture<V = number>(options: LruCacheOptions<V> = {}): Fixture<V> {
  const events: Event[] = [];
  const clock = { nowMs: 1_000, readings: 0 };
  const now = () => (clock.readings++, clock.nowMs);
  const cache = new LruCache<V>({ now, onEvict: (...event) => events.push(event), ...options });
  return { cache, events, clock };
}

/** Keys, the most recently used first. */
export function keys<V>(cache: LruCache<V>): string[] {
  return [...cache].map(([key]) => key);
}
