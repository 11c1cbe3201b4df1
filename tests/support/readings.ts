/** Readings of a server for its status page, as tests want them. */

import type { ServerStats } from "../../lib/base/stats.ts";
import type { Reading } from "../../lib/page/reading.ts";
import { distinctStats } from "./server_stats.ts";

/** A server with which all is well, `seconds` after its start, but for what a test says. */
export function reading(seconds: number, stats: Partial<ServerStats> = {}, facts: Partial<Reading> = {}): Reading {
  const quiet = Object.entries(distinctStats()).map(([name, value]) => [name, typeof value === "number" ? 0 : value]);
  const limits = { maxBytes: 1000, maxBuffers: 1000 };
  return {
    timeMs: Date.UTC(2026, 10, 27) + 1000 * seconds,
    id: 1,
    address: "10.0.0.1:11142",
    maxConnections: 1000,
    residentBytes: 1e8,
    cpuMs: 100 * seconds,
    stats: { ...Object.fromEntries(quiet), ...limits, snapshotError: "", uptimeMs: 1000 * seconds, ...stats },
    durations: { bounds: [0.001, 0.1, 1], counts: [0, 0, 0, 0], sumMs: 0 },
    ...facts,
  };
}
