/** What a server tells over HTTP, gathered: its statistics, those of memcached's names, and the process's. */

import { statistics } from "../memcached/statistics.ts";
import { BOUNDS, type Durations } from "../metrics/durations.ts";
import { exporterFamilies } from "../metrics/exporter.ts";
import { type Measured, ormucoFamilies } from "../metrics/ormuco.ts";
import { metricsText } from "../metrics/text.ts";
import type { Reading } from "../page/reading.ts";
import type { SessionHost } from "./protocols.ts";

/** Returns a server's metrics as text. */
export function metricsOf(session: SessionHost, counted: Pick<Measured, "durations" | "httpReplies">): string {
  const stats = session.stats();
  const host = { ...session, stats: () => stats }; // they are gathered once
  const time = session.cpuTime();
  const [general, settings, items, slabs] = ["", "settings", "items", "slabs"].map((group) => statistics(host, group)!);
  const measured = {
    ...counted,
    stats,
    insight: session.insight(false),
    maxConnections: session.maxConnections,
    runtime: Deno.version.deno,
    residentBytes: Deno.memoryUsage().rss,
    cpuSeconds: time && (time.userMicros + time.systemMicros) / 1e6,
  };
  return metricsText([...ormucoFamilies(measured), ...exporterFamilies({ general, settings, items, slabs })]);
}

/**
 * Returns what the status page shows, as JSON.
 *
 * @param seesKeys Whether whoever looks may see keys.
 * @param address Where others find the server.
 */
export function readingOf(
  session: SessionHost,
  { counts, sumMs }: Durations,
  seesKeys: boolean,
  address?: string,
): string {
  const time = session.cpuTime();
  const reading: Reading = {
    timeMs: session.store.wallMs,
    id: session.id,
    address,
    maxConnections: session.maxConnections,
    residentBytes: Deno.memoryUsage().rss,
    cpuMs: time && (time.userMicros + time.systemMicros) / 1000,
    stats: session.stats(),
    durations: { bounds: BOUNDS, counts: [...counts], sumMs },
    insight: session.insight(seesKeys),
  };
  return JSON.stringify(reading);
}
