/** Formats what a server has learned from reads as lines that fit the terminal. It prints nothing. */

import type { HotKey, ServerInsight } from "../base/insight.ts";
import { escaped } from "../base/printable.ts";
import { fitted, shortened } from "./fitted.ts";

/** Characters before a key. */
const SHARE = 11;

/**
 * Returns the keys that are read most, those of which most bytes are, and what more memory would give.
 *
 * @param width Characters in a line.
 */
export function hotLines(insight: ServerInsight, width = Infinity): string[] {
  const { hottestByReads, hottestByBytes } = insight;
  return [
    "Keys read most, of all reads",
    ...keyLines(hottestByReads, width),
    "Keys with most bytes read, of all bytes",
    ...keyLines(hottestByBytes, width),
    ...estimateLines(insight).flatMap((line) => fitted(line, width, 0)),
  ];
}

function keyLines(keys: readonly HotKey[], width: number): string[] {
  if (keys.length === 0) return ["  none stands out"];
  return keys.map(({ key, share }) => `  ${percent(share).padStart(7)}  ${shortened(escaped(key), width - SHARE)}`);
}

function estimateLines({ hitRatio, isSettled }: ServerInsight): string[] {
  if (hitRatio === undefined) {
    return ["Too few reads have been seen to say what more memory would give. The server goes on counting: ask again."];
  }
  const { half, same, double, fourfold, sieve } = hitRatio;
  const rows: [string, number][] = [
    ["half the memory", half],
    ["as it is", same],
    ["twice the memory", double],
    ["four times", fourfold],
    ["SIEVE, not LRU", sieve],
  ];
  const lines = rows.map(([what, share]) => {
    const points = share === same ? "" : `  ${signed(100 * (share - same))}`;
    return `  ${what.padEnd(18)}${percent(share).padStart(7)}${points}`;
  });
  const unsure = isSettled ? [] : ["This is early: more memory may give more, and half of it less."];
  return ["Hits, of all reads", ...lines, ...unsure];
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function signed(points: number): string {
  return `${points < 0 ? "-" : "+"}${Math.abs(points).toFixed(1)}`;
}
