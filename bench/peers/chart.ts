/** Tables as one picture, to be read at a glance and by itself: it says when it was made and on what. */

import { type About, directed, spreadOf } from "./report.ts";
import { round, spread, type Table, verdict } from "./table.ts";

const WIDTH = 900;
const LABEL = 230;
const BAR = 500;
const ROW = 20;
const WORDS_IN_LINE = 130;
const COLORS = { ours: "#2563eb", peer: "#94a3b8", spread: "#334155", text: "#334155" };

/** The main figure of every table as bars, with the spread as a line on each; comparisons with ourselves come last, under a heading. */
export function chart(about: About, tables: Table[]): string {
  const parts: string[] = [];
  let y = 10;
  const line = (words: string, weight = "normal") => {
    parts.push(text(10, y + 14, words, weight));
    y += ROW - 2;
  };
  for (const words of wrapped(`${about.date}, ${about.machine}; ${about.versions.join(", ")}`)) line(words);
  line(
    "Bars: medians. Lines on them, and brackets: the least and the most of all repeats. Under each title: by how many times.",
  );
  const apart = tables.filter((table) => table.isWithOurselves);
  for (const group of [tables.filter((table) => !table.isWithOurselves), apart]) {
    if (group === apart && apart.length > 0) {
      y += 14;
      line("This project beside itself", "bold");
    }
    for (const table of group) {
      y += 12;
      line(`${table.title}: ${directed(table)}`, "bold");
      line(`${table.ours}: ${verdict(table)}`);
      y = bars(table, parts, y);
    }
  }
  y += 14;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y}" viewBox="0 0 ${WIDTH} ${y}" ` +
    `font-family="system-ui, sans-serif" font-size="12">\n<rect width="100%" height="100%" fill="white"/>\n` +
    `${parts.join("\n")}\n</svg>\n`;
}

/** Draws a table's rows from a height on, and returns where they end. */
function bars(table: Table, parts: string[], from: number): number {
  const { rows, main, ours } = table;
  const scale = BAR / Math.max(...Object.keys(rows).map((name) => spread(table, name)[1]));
  const x = (value: number) => (LABEL + value * scale).toFixed(1);
  let y = from;
  for (const [name, { [main]: value }] of Object.entries(rows)) {
    const [least, most] = spread(table, name);
    const color = name === ours ? COLORS.ours : COLORS.peer;
    const width = Math.max(1, value * scale).toFixed(1);
    const middle = y + ROW / 2 - 0.5;
    parts.push(text(10, y + 13, name));
    parts.push(`<rect x="${LABEL}" y="${y + 2}" width="${width}" height="${ROW - 5}" rx="2" fill="${color}"/>`);
    if (most > least) {
      parts.push(
        `<path d="M${x(least)} ${middle}H${x(most)}M${x(least)} ${middle - 4}v8M${x(most)} ${middle - 4}v8" ` +
          `stroke="${COLORS.spread}" stroke-width="1.5" fill="none"/>`,
      );
    }
    parts.push(text(Number(x(most)) + 6, y + 13, round(value) + spreadOf(table, name)));
    y += ROW;
  }
  return y;
}

/** Words in lines that fit. */
function wrapped(words: string): string[] {
  const lines = [""];
  for (const word of words.split(" ")) {
    if (lines[lines.length - 1].length + word.length > WORDS_IN_LINE) lines.push("");
    lines[lines.length - 1] += `${lines[lines.length - 1] === "" ? "" : " "}${word}`;
  }
  return lines;
}

function text(x: number, y: number, words: string, weight = "normal"): string {
  const safe = words.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${x.toFixed(0)}" y="${y}" font-weight="${weight}" fill="${COLORS.text}">${safe}</text>`;
}
