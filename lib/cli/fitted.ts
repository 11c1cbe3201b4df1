/** Fits text from anywhere into the lines of a terminal, and columns into tables. It prints nothing. */

import { escaped } from "../base/printable.ts";

/** Characters that take two columns of a terminal. */
const WIDE = /\p{Emoji_Presentation}|\p{Script_Extensions=Han}|\p{Script_Extensions=Hiragana}|\p{Script=Hangul}/u;
const FULL_WIDTH = /\p{Script_Extensions=Katakana}|[\uff01-\uff60\uffe0-\uffe6]/u;
/** Characters that take none: they change the one before them. */
const NARROW = /[\p{Mark}\u200b-\u200d]/u;

/** Where a line may be broken: not between a number and its unit. */
const BREAK = / (?!(?:%|[KMGT]iB)(?!\w))/;

/** Blanks between columns of a table. */
const GAP = 2;
/** Columns of a terminal to which nothing is shortened further. */
const LEAST = 8;

/** The columns of a terminal that a text takes, or a few more. */
export function columnsOf(text: string): number {
  // deno-lint-ignore no-control-regex -- printable ASCII is what nearly all text is
  if (/^[\u0000-\u007e]*$/.test(text)) return text.length;
  return Array.from(text, letterColumns).reduce((sum, columns) => sum + columns, 0);
}

function letterColumns(letter: string): number {
  return NARROW.test(letter) ? 0 : WIDE.test(letter) || FULL_WIDTH.test(letter) ? 2 : 1;
}

/** Pads a text at its end, or at its start. */
export function padded(text: string, columns: number, atStart = false): string {
  const blanks = " ".repeat(Math.max(0, columns - columnsOf(text)));
  return atStart ? blanks + text : text + blanks;
}

/** A text without its middle, where there is no room for all of it: both ends tell an address from others. */
export function shortened(text: string, room: number, firstPart = 0.5): string {
  const kept = Math.max(LEAST, room);
  if (columnsOf(text) <= kept) return text;
  const letters = [...text];
  const first = beginning(letters, Math.ceil(firstPart * (kept - 1)));
  const last = beginning(letters.toReversed(), Math.floor((1 - firstPart) * (kept - 1)));
  return `${first.join("")}…${last.toReversed().join("")}`;
}

/** Texts without a part of each that leaves them different from each other, if there is one. */
export function shortenedAll(texts: readonly string[], room: number): string[] {
  const made = [0.5, 0.25, 0.75].map((firstPart) => texts.map((text) => shortened(text, room, firstPart)));
  return made.find((each) => new Set(each).size === new Set(texts).size) ?? made[0];
}

/** As many letters as there is room for. */
function beginning(letters: readonly string[], room: number): string[] {
  let left = room;
  const end = letters.findIndex((letter) => (left -= letterColumns(letter)) < 0);
  return letters.slice(0, end);
}

/**
 * Returns a line as it can be printed, broken between words into as many lines as it needs. A word that is longer than a line
 * loses its middle.
 *
 * @param indent Blanks before each line but the first.
 */
export function fitted(line: string, width: number, indent: number): string[] {
  const text = escaped(line);
  if (columnsOf(text) <= width) return [text];
  const blanks = " ".repeat(Math.min(indent, Math.floor(width / 2)));
  const lines: string[] = [];
  let now = /^ */.exec(text)![0];
  let isEmpty = true;
  for (const word of text.slice(now.length).split(BREAK)) {
    const longer = isEmpty ? now + word : `${now} ${word}`;
    if (columnsOf(longer) <= width) now = longer;
    else {
      if (!isEmpty) lines.push(now.trimEnd());
      const before = isEmpty ? now : blanks;
      now = before + shortened(word, width - before.length);
    }
    isEmpty = false;
  }
  return [...lines, now.trimEnd()];
}

/** A column of a table. */
export interface Column {
  readonly heading: string;
  readonly cells: readonly string[];
  /** Whether the cells stand at the right, as numbers do. */
  readonly isRight?: boolean;
}

/**
 * Returns a line of headings and a line for each cell. Columns for which there is no room stand in tables of their own below
 * the first one, each with the first column in front.
 */
export function tableLines(first: Column, others: readonly Column[], width: number): string[] {
  return tablesOf(first, others, width).flatMap((table, i) => [...(i === 0 ? [] : [""]), ...rows(table)]);
}

function tablesOf(first: Column, others: readonly Column[], width: number): Column[][] {
  const room = width - GAP - Math.max(...others.map(widthOf));
  const front = { ...first, cells: shortenedAll(first.cells.map(escaped), room) };
  const tables: Column[][] = [];
  let left = 0;
  for (const column of others) {
    const taken = GAP + widthOf(column);
    if (tables.length === 0 || taken > left) {
      tables.push([front]);
      left = width - widthOf(front);
    }
    tables.at(-1)!.push(column);
    left -= taken;
  }
  return tables;
}

function rows(columns: readonly Column[]): string[] {
  const widths = columns.map(widthOf);
  const line = (cells: readonly string[]) =>
    cells.map((text, i) => padded(text, widths[i], columns[i].isRight)).join(" ".repeat(GAP)).trimEnd();
  const [{ cells }] = columns;
  return [columns.map(({ heading }) => heading), ...cells.map((_, row) => columns.map(({ cells }) => cells[row]))]
    .map(line);
}

function widthOf({ heading, cells }: Column): number {
  return Math.max(...[heading, ...cells].map(columnsOf));
}
