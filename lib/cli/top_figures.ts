/** What a server did between two looks at its statistics, in each second. It asks nobody, and reads no clock but the server's. */

import type { ServerStats } from "../base/stats.ts";

/** Counters of which is told how much they grow in a second. */
const COUNTERS = ["requests", "hits", "misses", "stores", "evictions", "expirations", "connectionsRefused"] as const;

/** Why keys were missed, as statistics name it. */
export const MISS_REASONS = ["absent", "expired", "evicted", "deleted", "cleared", "superseded"] as const;

/** What happened in each second, by the names of counters; of misses by reason, what the server tells. */
export type PerSecond = Readonly<Partial<Record<typeof COUNTERS[number] | typeof MISS_REASONS[number], number>>>;

/** What a server did for a while. */
export interface Figures {
  readonly perSecond: PerSecond;
  /** Hits of all retrievals, from 0 to 1; `undefined` if there were none. */
  readonly hitRatio: number | undefined;
}

/**
 * Whether a server has been started again since it said what came `before`: nothing that it counts falls otherwise.
 */
export function isRestarted(stats: Partial<ServerStats>, before: Partial<ServerStats>): boolean {
  const { uptimeMs = 0, requests = 0 } = stats;
  return uptimeMs < (before.uptimeMs ?? 0) || requests < (before.requests ?? 0);
}

/**
 * Returns what a server did since it said what came `before`; without that, or if it was started again in the meantime, since its
 * start. `undefined` if no time has passed.
 */
export function figuresBetween(
  stats: Partial<ServerStats>,
  before: Partial<ServerStats> = {},
): Figures | undefined {
  const since = isRestarted(stats, before) ? {} : before;
  const [now, then] = [stats, since].map(countersOf);
  const seconds = ((stats.uptimeMs ?? 0) - (since.uptimeMs ?? 0)) / 1000;
  if (seconds <= 0) return undefined;
  const grown = Object.entries(now).map(([name, value]) => [name, (value - (then[name] ?? 0)) / seconds] as const);
  const perSecond: PerSecond = Object.fromEntries(grown);
  const { hits = 0, misses = 0 } = perSecond;
  return { perSecond, hitRatio: hits + misses > 0 ? hits / (hits + misses) : undefined };
}

function countersOf(stats: Partial<ServerStats>): Record<string, number> {
  const { missesByReason } = stats;
  const all = [
    ...COUNTERS.map((name) => [name, stats[name]] as const),
    ...MISS_REASONS.map((name) => [name, missesByReason?.[name]] as const),
  ];
  return Object.fromEntries(all.filter((pair): pair is [typeof pair[0], number] => typeof pair[1] === "number"));
}
