/** The figures that come first on the status page, each with its course. Its functions are part of the page, and know no document. */

import { sizeInWords } from "../base/words.ts";
import { boundOf, cpuShare, fullness, hitRatio, indexBefore, rate } from "./figures.ts";
import type { Reading } from "./reading.ts";
import { boundText, counted, countText, percentText, rateText } from "./text.ts";

/** One figure, made from two readings. */
export interface Tile {
  readonly id: string;
  readonly title: string;
  /** Seconds between the two. */
  readonly seconds: number;
  readonly value: (from: Reading, to: Reading) => number | undefined;
  readonly text: (value: number | undefined, to: Reading) => string;
  /** What else belongs to it. */
  readonly more: (from: Reading, to: Reading) => string;
  /** The largest value of its course; `undefined` for the largest that there has been. */
  readonly most?: (to: Reading) => number;
}

export function tiles(): Tile[] {
  return [...answerTiles(), ...loadTiles()];
}

/** What callers feel. */
export function answerTiles(): Tile[] {
  return [
    {
      id: "hits",
      title: "Hit ratio",
      seconds: 10,
      value: hitRatio,
      text: (value) => value === undefined ? "no reads" : percentText(value),
      more: (_, { stats: { hits, misses } }) =>
        hits + misses === 0 ? "none since the start" : `${percentText(hits / (hits + misses))} since the start`,
      most: () => 1,
    },
    {
      id: "requests",
      title: "Requests a second",
      seconds: 5,
      value: (from, to) => rate(from, to, ({ requests }) => requests),
      text: rateText,
      more: (from, to) => {
        const [taken, given] = [rate(from, to, (s) => s.bytesReceived), rate(from, to, (s) => s.bytesSent)];
        return `${sizeText(taken)}/s in, ${sizeText(given)}/s out`;
      },
    },
    {
      id: "times",
      title: "99 of 100 answered in",
      seconds: 10,
      value: (from, to) => boundOf(from, to, 0.99),
      text: (value, { durations: { bounds } }) => value === undefined ? "no requests" : boundText(bounds, value),
      more: (from, to) => {
        const half = boundOf(from, to, 0.5);
        return half === undefined ? "without the network" : `half of them ${boundText(to.durations.bounds, half)}`;
      },
      most: ({ durations: { bounds } }) => bounds.length,
    },
    {
      id: "full",
      title: "Filled",
      seconds: 0,
      value: (_, to) => fullness(to.stats).share,
      text: percentText,
      more: (_, { stats }) =>
        fullness(stats).byEntries
          ? `${countText(stats.entries)} of ${counted(stats.maxSize, "entry", "entries")}`
          : `${sizeInWords(stats.memoryBytes)} of ${sizeInWords(stats.maxBytes)}, ${
            counted(stats.entries, "entry", "entries")
          }`,
      most: () => 1,
    },
  ];
}

/** What the server has to do for it. */
export function loadTiles(): Tile[] {
  return [
    {
      id: "evictions",
      title: "Evictions a second",
      seconds: 5,
      value: (from, to) => rate(from, to, ({ evictions }) => evictions),
      text: rateText,
      more: (from, to) => {
        const [expired, deleted] = [rate(from, to, (s) => s.expirations), rate(from, to, (s) => s.deletions)];
        return `${rateText(expired)} expired, ${rateText(deleted)} deleted`;
      },
    },
    {
      id: "connections",
      title: "Connections",
      seconds: 0,
      value: (_, to) => to.stats.connections,
      text: (value) => countText(value ?? 0),
      more: (_, { stats, maxConnections }) =>
        `of ${countText(maxConnections)}; ${countText(stats.connectionsRefused)} refused`,
    },
    {
      id: "cpu",
      title: "Processor",
      seconds: 5,
      value: cpuShare,
      text: percentText,
      more: (_, { residentBytes }) => `of one; ${sizeInWords(residentBytes)} of memory`,
      most: () => 1,
    },
    {
      id: "near",
      title: "Clients with near copies",
      seconds: 5,
      value: (_, to) => to.stats.nearConnections,
      text: (value) => countText(value ?? 0),
      more: (from, to) => `${rateText(rate(from, to, (s) => s.nearInvalidations))} changes a second`,
    },
  ];
}

export function sizeText(bytes: number | undefined): string {
  return bytes === undefined ? "–" : sizeInWords(Math.round(bytes));
}

/** A tile's values, one for each reading. */
export function courseOf({ seconds, value }: Tile, readings: readonly Reading[]): (number | undefined)[] {
  return readings.map((to, i) => value(readings[indexBefore(readings, i, seconds)], to));
}

/**
 * The outline of a course in a box of 300 by 100, of which the right end is now: lines with gaps where there is no value, and the
 * areas below them. Seconds are told by the uptime of readings, and a gap of some seconds between two of them is one in the line.
 */
export function outline(
  readings: readonly Reading[],
  values: readonly (number | undefined)[],
  most: number,
  span: number,
): { line: string; area: string } {
  const runs: { x: number; y: number }[][] = [[]];
  const endMs = readings.at(-1)?.stats.uptimeMs ?? 0;
  values.forEach((value, i) => {
    const { uptimeMs } = readings[i].stats;
    const isGap = value === undefined || i > 0 && uptimeMs - readings[i - 1].stats.uptimeMs > 5000;
    if (isGap && runs.at(-1)!.length > 0) runs.push([]);
    if (value === undefined) return;
    const y = 98 - 94 * Math.min(1, most === 0 ? 0 : value / most);
    runs.at(-1)!.push({ x: 300 - 300 * (endMs - uptimeMs) / 1000 / span, y });
  });
  const drawn = runs.filter((run) => run.length > 0).map((run) => {
    const path = run.map(({ x, y }, i) => `${i === 0 ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
    const [first, last] = [run[0].x, run.at(-1)!.x];
    const point = run.length === 1 ? `h0.1` : "";
    return { line: path + point, area: `${path}L${last.toFixed(1)} 100L${first.toFixed(1)} 100Z` };
  });
  return { line: drawn.map(({ line }) => line).join(""), area: drawn.map(({ area }) => area).join("") };
}
