/** Formats what servers do now as lines that fit a terminal. It prints nothing. */

import { DEFAULT_PORT } from "../base/address.ts";
import type { PeerStats } from "../base/stats.ts";
import { type Column, columnsOf, fitted, shortened, shortenedAll, tableLines } from "./fitted.ts";
import { peerFailures, peerTable } from "./peer_lines.ts";
import { MISS_REASONS, type PerSecond } from "./top_figures.ts";
import type { Seen } from "./watched.ts";
import { grouped, sizeInWords, timeInWords } from "../base/words.ts";

/** How a line is to look where colours are wanted: its words say as much without them. */
export type Tone = "heading" | "plain" | "poor" | "bad";

/** A line, and how it is to look. */
export interface Line {
  readonly text: string;
  readonly tone: Tone;
}

/** Columns and rows of a terminal. */
export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** Columns of the table of peers. */
const PEER_COLUMNS = ["peer", "state", "lag", "round trip"];
/** Columns that the names of servers take at most: `NAME_PART` of the terminal's, or `LEAST_NAME` where that is more. */
const [NAME_PART, LEAST_NAME] = [0.35, 16];
const DEFAULT_END = `:${DEFAULT_PORT}`;

/**
 * Returns a title, tables of servers, what there is to say of those that do not answer or were restarted, and a table of each
 * server's peers, those in trouble first. Lines for which there is no room are counted in the last one.
 *
 * @param left What the title begins with.
 * @param right What it ends with, where there is room.
 */
export function topLines(seen: readonly Seen[], { columns, rows }: Size, left: string, right = ""): Line[] {
  const table = (heading: string, others: readonly Column[]) => serverTable(seen, heading, others, columns);
  const lines: Line[] = [
    { text: titleOf(left, right, columns), tone: "heading" },
    ...apart(table("server", nowColumns(seen))),
    ...apart(seen.flatMap((each) => notes(each, columns))),
    ...apart(table("server", heldColumns(seen))),
    ...apart(table("missed/s", MISS_REASONS.map((why) => rates(seen, why, why)))),
    ...seen.flatMap((each) => apart(peersOf(each, columns))),
  ];
  if (lines.length <= rows) return lines;
  const rest = `… ${lines.length - rows + 1} more lines`;
  return [...lines.slice(0, rows - 1), plain(shortened(rest, columns))];
}

function titleOf(left: string, right: string, columns: number): string {
  const blanks = columns - columnsOf(left) - columnsOf(right);
  const hasRoom = right !== "" && blanks >= 2 && blanks < Infinity;
  return hasRoom ? left + " ".repeat(blanks) + right : shortened(left, columns);
}

function plain(text: string): Line {
  return { text, tone: "plain" };
}

function apart(lines: readonly Line[]): Line[] {
  return lines.length === 0 ? [] : [plain(""), ...lines];
}

/** Gives the rows of tables that stand below each other their tones, and the headings theirs. */
function toned(lines: readonly string[], tones: readonly Tone[]): Line[] {
  const each: readonly Tone[] = ["heading", ...tones, "plain"]; // after each table but the last, an empty line
  return lines.map((text, i) => ({ text, tone: each[i % each.length] }));
}

function serverTable(seen: readonly Seen[], heading: string, others: readonly Column[], columns: number): Line[] {
  const names = seen.map(({ address }) =>
    address.endsWith(DEFAULT_END) ? address.slice(0, -DEFAULT_END.length) : address
  );
  const lines = tableLines({ heading, cells: shortenedAll(names, nameRoom(columns)) }, others, columns);
  return toned(
    lines,
    seen.map(({ state }) =>
      state === "no answer" || state === "refused" ? "bad" : state === "ready" ? "plain" : "poor"
    ),
  );
}

function nameRoom(columns: number): number {
  return Math.max(LEAST_NAME, Math.floor(NAME_PART * columns));
}

function nowColumns(seen: readonly Seen[]): Column[] {
  const hitRatio = seen.map(({ figures }) => percent(figures?.hitRatio));
  const connections = seen.map(({ stats }) => count(stats?.connections));
  return [
    { heading: "state", cells: seen.map(({ state }) => state) },
    rates(seen, "requests/s", "requests"),
    numbers("hit ratio", hitRatio),
    rates(seen, "evicted/s", "evictions"),
    numbers("connections", connections),
  ];
}

function heldColumns(seen: readonly Seen[]): Column[] {
  const share = (value?: number, most?: number) => value === undefined || !most ? "" : ` (${percent(value / most)})`;
  return [
    numbers("entries", seen.map(({ stats }) => count(stats?.entries) + share(stats?.entries, stats?.maxSize))),
    numbers("memory", seen.map(({ stats }) => size(stats?.memoryBytes) + share(stats?.memoryBytes, stats?.maxBytes))),
    numbers("memory limit", seen.map(({ stats }) => size(stats?.maxBytes))),
    numbers("up", seen.map(({ stats }) => stats?.uptimeMs === undefined ? "-" : timeInWords(stats.uptimeMs))),
  ];
}

function numbers(heading: string, cells: readonly string[]): Column {
  return { heading, cells, isRight: true };
}

function rates(seen: readonly Seen[], heading: string, name: keyof PerSecond): Column {
  return numbers(heading, seen.map(({ figures }) => rate(figures?.perSecond[name])));
}

/** What there is to say of a server beside its figures. */
function notes({ address, error, restarts, stats }: Seen, columns: number): Line[] {
  const failed = error === "" || error.includes(address) ? error : `${address}: ${error}`;
  const again = `${address} was started again${restarts > 1 ? ` ${restarts} times, last` : ""}`;
  const when = stats?.uptimeMs === undefined ? "" : ` ${timeInWords(stats.uptimeMs)} ago`;
  const texts: [string, Tone][] = [[failed, "bad"], [restarts > 0 ? again + when : "", "poor"]];
  return texts.flatMap(([text, tone]) =>
    text === "" ? [] : fitted(text, columns, 2).map((text): Line => ({ text, tone }))
  );
}

function peersOf({ address, stats }: Seen, columns: number): Line[] {
  const peers = (stats?.peers ?? []).toSorted((a, b) => Number(isFine(a)) - Number(isFine(b)));
  if (peers.length === 0) return [];
  const states = Map.groupBy(peers, ({ state }) => state);
  const counted = [...states].map(([state, { length }]) => `${length} ${state}`).join(", ");
  const tones = peers.map((peer): Tone => !isFine(peer) ? "bad" : peer.ready ? "plain" : "poor");
  return [
    ...fitted(`Peers of ${address}: ${counted}`, columns, 2).map((text): Line => ({ text, tone: "heading" })),
    ...toned(peerTable(peers, columns, PEER_COLUMNS, nameRoom(columns)), tones),
    ...peerFailures(peers, columns).map((text): Line => ({ text, tone: "bad" })),
  ];
}

function isFine({ state }: PeerStats): boolean {
  return state === "connected" || state === "self" || state === "duplicate";
}

function count(value?: number): string {
  return value === undefined ? "-" : grouped(value);
}

function size(bytes?: number): string {
  return bytes === undefined ? "-" : sizeInWords(bytes);
}

function percent(part?: number): string {
  return part === undefined ? "-" : `${(100 * part).toFixed(1)} %`;
}

/** A rate: few a second with a decimal. */
function rate(value?: number): string {
  if (value === undefined) return "-";
  return value > 0 && value < 9.95 ? value.toFixed(1) : count(Math.round(value));
}
