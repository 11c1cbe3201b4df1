/** What the status page is told each second, as types. */

import type { ServerStats } from "../base/stats.ts";

/** How a server is at one moment. */
export interface Snapshot {
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
  /** What was learned from a sample of the keys; servers that count none do not say it. */
  readonly insight?: ShownInsight;
}

/** What the page shows of a sample of the keys. */
export interface ShownInsight {
  /** Milliseconds for which has been counted, and keys in the sample. */
  readonly countedMs?: number;
  readonly sampledKeys?: number;
  /** The share of hits that other memory, or the other policy, would give: 0 to 1. */
  readonly hitRatio?: Readonly<Partial<Record<"half" | "same" | "double" | "fourfold" | "sieve", number>>>;
  readonly hottestByReads?: readonly HotKey[];
  readonly hottestByBytes?: readonly HotKey[];
}

/** A key of which there is much: `share` is its part of all reads, or of all bytes that were read, 0 to 1. */
export interface HotKey {
  readonly key?: string;
  readonly share?: number;
}
