/** Figures from a row of snapshots: rates, shares and what requests took. Its functions are part of the page, and know no document. */

import type { ServerStats } from "../base/stats.ts";
import type { Snapshot } from "./snapshot.ts";

/** Seconds that the page remembers. */
export function rememberedSeconds(): number {
  return 300;
}

/**
 * Puts a snapshot behind those before it and drops what is too old, or all if the server has been started anew. Returns whether it
 * has. The server's uptime tells the order, since its clock may be set.
 */
export function remember(snapshots: Snapshot[], snapshot: Snapshot): boolean {
  const last = snapshots.at(-1);
  const isRestart = last !== undefined && (snapshot.id !== last.id || snapshot.stats.uptimeMs < last.stats.uptimeMs);
  if (isRestart) snapshots.length = 0;
  snapshots.push(snapshot);
  const oldestMs = snapshot.stats.uptimeMs - rememberedSeconds() * 1000;
  while (snapshots[0].stats.uptimeMs < oldestMs) snapshots.shift();
  return isRestart;
}

/** Seconds from one snapshot to another. */
export function secondsBetween(from: Snapshot, to: Snapshot): number {
  return (to.stats.uptimeMs - from.stats.uptimeMs) / 1000;
}

/** The index of the newest snapshot that is `seconds` older than the one at `index`, or of the oldest there is. */
export function indexBefore(snapshots: readonly Snapshot[], index: number, seconds: number): number {
  let at = index;
  while (at > 0 && secondsBetween(snapshots[at], snapshots[index]) < seconds - 0.5) at--;
  return at;
}

/** Seconds that courses span: as many as are known, but no less than one minute. */
export function spanOf(snapshots: readonly Snapshot[]): number {
  return Math.max(60, Math.ceil(secondsBetween(snapshots[0], snapshots[snapshots.length - 1])));
}

/** How much a counter has grown from one snapshot to another. */
export function grown(from: Snapshot, to: Snapshot, count: (stats: ServerStats) => number): number {
  return Math.max(0, count(to.stats) - count(from.stats));
}

/** The same in a second; `undefined` if no time lies between them. */
export function rate(from: Snapshot, to: Snapshot, count: (stats: ServerStats) => number): number | undefined {
  const seconds = secondsBetween(from, to);
  return seconds > 0 ? grown(from, to, count) / seconds : undefined;
}

/** The share of retrievals between two snapshots that found something, 0 to 1; `undefined` if there were none. */
export function hitRatio(from: Snapshot, to: Snapshot): number | undefined {
  const hits = grown(from, to, (stats) => stats.hits);
  const all = hits + grown(from, to, (stats) => stats.misses);
  return all === 0 ? undefined : hits / all;
}

/**
 * The bound within which a share of the requests between two snapshots was answered, as its index; that behind the last bound
 * if none is large enough; `undefined` if there were no requests.
 */
export function boundOf(from: Snapshot, to: Snapshot, share: number): number | undefined {
  const counts = to.durations.counts.map((count, i) => Math.max(0, count - from.durations.counts[i]));
  const all = counts.reduce((sum, count) => sum + count, 0);
  if (all === 0) return undefined;
  let [sum, index] = [counts[0], 0];
  while (sum < share * all && index < counts.length - 1) sum += counts[++index];
  return index;
}

/** How full the server is, 0 to 1: of its memory or its entries, whichever is nearer to its limit. */
export function fullness(
  { memoryBytes, maxBytes, entries, maxSize }: ServerStats,
): { share: number; byEntries: boolean } {
  const ofBytes = maxBytes === 0 ? 0 : memoryBytes / maxBytes;
  const ofEntries = maxSize === 0 ? 0 : entries / maxSize;
  return { share: Math.max(ofBytes, ofEntries), byEntries: ofEntries > ofBytes };
}

/** The part of one processor that the process has taken; `undefined` where nobody can tell. */
export function cpuShare(before: Snapshot, now: Snapshot): number | undefined {
  const passedMs = now.stats.uptimeMs - before.stats.uptimeMs;
  if (now.cpuMs === undefined || before.cpuMs === undefined || passedMs <= 0) return undefined;
  return Math.max(0, now.cpuMs - before.cpuMs) / passedMs;
}
