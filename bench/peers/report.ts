/** Tables as Markdown, and as a chart to be read at a glance. */

import type { Program } from "./programs.ts";
import { advantage, bestPeer, round, type Table } from "./table.ts";

/** What a run gave. */
export interface Results {
  tables: Table[];
  /** What could not be measured, and how to get it. */
  missing: string[];
  programs: Program[];
}

/** Everything as Markdown, with date, versions and machine. */
export function report({ tables, missing, programs }: Results): string {
  const versions = programs.map(({ name, version }) => `${name} ${version}`);
  return [
    "# Beside its peers",
    "",
    `${new Date().toISOString().slice(0, 10)}, ${machine()}; Deno ${Deno.version.deno}, V8 ${Deno.version.v8}` +
    `${versions.length > 0 ? `; ${versions.join(", ")}` : ""}. Made by \`deno task bench:peers\`: medians of repeats ` +
    "in turn, in one run; in brackets the least and the most of them.",
    "",
    "![Chart](results.svg)",
    ...tables.flatMap((table) => ["", ...markdown(table)]),
    ...missing.length > 0 ? ["", "Not measured:", "", ...missing.map((line) => `- ${line}`)] : [],
    "",
  ].join("\n");
}

function machine(): string {
  const cpu = /model name\s*:\s*(.*)/.exec(Deno.readTextFileSync("/proc/cpuinfo"))?.[1] ?? Deno.build.arch;
  return `${navigator.hardwareConcurrency} cores of ${cpu}, Linux ${Deno.osRelease()}`;
}

function markdown(table: Table): string[] {
  const { title, note, main, ours, rows, spread } = table;
  const figures = [...new Set(Object.values(rows).flatMap((row) => Object.keys(row)))];
  const best = bestPeer(table);
  const verdict = best === undefined ? "" : ` Beside ${best}, ${ours}: **${round(advantage(table, best))}×**.`;
  return [
    `## ${title}`,
    "",
    note + verdict,
    "",
    `| | ${figures.join(" | ")} |`,
    `|---|${figures.map(() => "--:").join("|")}|`,
    ...Object.entries(rows).map(([name, row]) => {
      const cells = figures.map((figure) => {
        if (row[figure] === undefined) return "";
        const range = figure === main ? ` (${spread[name].map(round).join("–")})` : "";
        return round(row[figure]) + range;
      });
      return `| ${name === ours ? `**${name}**` : name} | ${cells.join(" | ")} |`;
    }),
  ];
}

const WIDTH = 900;
const LABEL = 230;
const BAR = 560;
const ROW = 20;
const COLORS = { ours: "#2563eb", peer: "#94a3b8", text: "#334155" };

/** The main figure of every table as bars. */
export function chart(tables: Table[]): string {
  const parts: string[] = [];
  let y = 10;
  for (const table of tables) {
    const less = table.lessIsBetter ? "less is better" : "more is better";
    parts.push(text(10, y + 16, `${table.title}: ${table.main}, ${less}`, "bold"));
    y += 26;
    const values = Object.entries(table.rows).map(([name, row]) => [name, row[table.main]] as const);
    const most = Math.max(...values.map(([, value]) => value));
    for (const [name, value] of values) {
      const color = name.startsWith(table.ours) ? COLORS.ours : COLORS.peer;
      const width = Math.max(1, BAR * value / most).toFixed(1);
      parts.push(text(10, y + 13, name));
      parts.push(`<rect x="${LABEL}" y="${y + 2}" width="${width}" height="${ROW - 5}" rx="2" fill="${color}"/>`);
      parts.push(text(LABEL + Number(width) + 6, y + 13, round(value)));
      y += ROW;
    }
    y += 14;
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y}" viewBox="0 0 ${WIDTH} ${y}" ` +
    `font-family="system-ui, sans-serif" font-size="12">\n<rect width="100%" height="100%" fill="white"/>\n` +
    `${parts.join("\n")}\n</svg>\n`;
}

function text(x: number, y: number, words: string, weight = "normal"): string {
  const safe = words.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${x.toFixed(0)}" y="${y}" font-weight="${weight}" fill="${COLORS.text}">${safe}</text>`;
}
