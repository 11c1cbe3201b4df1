/** What the status page is told each second, as types. */

import type { ServerInsight } from "../base/insight.ts";
import type { ServerStats } from "../base/stats.ts";

/** How a server is at one moment. */
export interface Reading {
  /** The time, in milliseconds since 1970. */
  readonly timeMs: number;
  /** A random number, another one for each server that is made. */
  readonly id: number;
  /** Where others find the server; `undefined` while it is not started. */
  readonly address?: string;
  /** Connections of clients at most. */
  readonly maxConnections: number;
  /** Bytes of memory that the process has. */
  readonly residentBytes: number;
  /** Milliseconds of the processor that the process has taken; `undefined` where nobody can tell. */
  readonly cpuMs?: number;
  readonly stats: ServerStats;
  /** How long requests took: counts by upper bounds in seconds, each counted once; behind them those that took longer. */
  readonly durations: {
    readonly bounds: readonly number[];
    readonly counts: readonly number[];
    readonly sumMs: number;
  };
  /** What reads have told. */
  readonly insight?: ServerInsight;
}
