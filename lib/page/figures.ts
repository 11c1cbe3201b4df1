/** Figures from a row of readings: rates, shares and what requests took. Its functions are part of the page, and know no document. */

import type { ServerStats } from "../base/stats.ts";
import type { Reading } from "./reading.ts";

/** Seconds that the page remembers. */
export function rememberedSeconds(): number {
  return 300;
}

/**
 * Puts a reading behind those before it and drops what is too old, or all if the server has been started anew. Returns whether it
 * has. The server's uptime tells the order, since its clock may be set.
 */
export function remember(readings: Reading[], reading: Reading): boolean {
  const last = readings.at(-1);
  const isRestart = last !== undefined && (reading.id !== last.id || reading.stats.uptimeMs < last.stats.uptimeMs);
  if (isRestart) readings.length = 0;
  readings.push(reading);
  const oldestMs = reading.stats.uptimeMs - rememberedSeconds() * 1000;
  while (readings[0].stats.uptimeMs < oldestMs) readings.shift();
  return isRestart;
}

/** Seconds from one reading to another. */
export function secondsBetween(from: Reading, to: Reading): number {
  return (to.stats.uptimeMs - from.stats.uptimeMs) / 1000;
}

/** The index of the newest reading that is `seconds` older than the one at `index`, or of the oldest there is. */
export function indexBefore(readings: readonly Reading[], index: number, seconds: number): number {
  let at = index;
  while (at > 0 && secondsBetween(readings[at], readings[index]) < seconds - 0.5) at--;
  return at;
}

/** Seconds that courses span: as many as are known, but no less than one minute. */
export function spanOf(readings: readonly Reading[]): number {
  return Math.max(60, Math.ceil(secondsBetween(readings[0], readings[readings.length - 1])));
}

/** How much a counter has grown from one reading to another. */
export function grown(from: Reading, to: Reading, count: (stats: ServerStats) => number): number {
  return Math.max(0, count(to.stats) - count(from.stats));
}

/** The same in a second; `undefined` if no time lies between them. */
export function rate(from: Reading, to: Reading, count: (stats: ServerStats) => number): number | undefined {
  const seconds = secondsBetween(from, to);
  return seconds > 0 ? grown(from, to, count) / seconds : undefined;
}

/** The share of retrievals between two readings that found something, 0 to 1; `undefined` if there were none. */
export function hitRatio(from: Reading, to: Reading): number | undefined {
  const hits = grown(from, to, (stats) => stats.hits);
  const all = hits + grown(from, to, (stats) => stats.misses);
  return all === 0 ? undefined : hits / all;
}

/**
 * The bound within which a share of the requests between two readings was answered, as its index; that behind the last bound
 * if none is large enough; `undefined` if there were no requests.
 */
export function boundOf(from: Reading, to: Reading, share: number): number | undefined {
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
export function cpuShare(before: Reading, now: Reading): number | undefined {
  const passedMs = now.stats.uptimeMs - before.stats.uptimeMs;
  if (now.cpuMs === undefined || before.cpuMs === undefined || passedMs <= 0) return undefined;
  return Math.max(0, now.cpuMs - before.cpuMs) / passedMs;
}
