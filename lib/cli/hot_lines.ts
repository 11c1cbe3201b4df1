/** Formats what a server has learned from reads as lines that fit the terminal. It prints nothing. */

import type { HotKey, ServerInsight } from "../base/insight.ts";
import { escaped } from "../base/printable.ts";
import { shortened } from "./peer_lines.ts";

/** Characters before a key. */
const SHARE = 11;
/** From here on letters may take two columns, as those of Chinese do. */
const FIRST_WIDE = 0x300;

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
    ...estimateLines(insight).flatMap((line) => wrapped(line, width)),
  ];
}

function keyLines(keys: readonly HotKey[], width: number): string[] {
  if (keys.length === 0) return ["  none stands out"];
  return keys.map(({ key, share }) => `  ${percent(share).padStart(7)}  ${fitted(key, width - SHARE)}`);
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

/** A key as it can be printed, without its middle where there is no room for all of it. */
function fitted(key: string, room: number): string {
  let text = escaped(key);
  for (let kept = Math.min(room, key.length); columnsOf(text) > room && kept > 8; kept--) {
    text = escaped(shortened(key, kept));
  }
  return text;
}

function columnsOf(text: string): number {
  let columns = 0;
  for (const letter of text) columns += letter.codePointAt(0)! < FIRST_WIDE || letter === "…" ? 1 : 2;
  return columns;
}

/** Lines of a text, broken between words; one that begins with a blank is a row of a table. */
function wrapped(text: string, width: number): string[] {
  if (text.length <= width || text.startsWith(" ")) return [text];
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1)!;
    if (line === "") lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= width) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}
