/** Tables as Markdown. */

import { round, spread, type Table, verdict } from "./table.ts";

/** What was measured, when, and on what. */
export interface About {
  date: string;
  machine: string;
  versions: string[];
}

/** What a run gave. */
export interface Results {
  about: About;
  tables: Table[];
  /** What could not be measured, and how to get it. */
  missing: string[];
}

/** Everything as Markdown: what all say in short, then table by table, and comparisons with ourselves apart. */
export function report({ about, tables, missing }: Results): string {
  const [others, ours] = [
    tables.filter((table) => !table.isWithOurselves),
    tables.filter((table) => table.isWithOurselves),
  ];
  return [
    "# Beside its peers",
    "",
    `${about.date}, ${about.machine}; ${
      about.versions.join(", ")
    }. Made by \`deno task bench:peers\`: medians of repeats in turn, in one ` +
    "run; in brackets the least and the most of them. In the verdicts, in brackets: the interval of the ratio, taken repeat by repeat, in " +
    "which it lies with a certainty of 95 %. Where that interval holds 1, there is no difference within the spread.",
    "",
    ...summary(others),
    "",
    "![Chart](results.svg)",
    ...others.flatMap((table) => ["", ...markdown(table)]),
    ...ours.length > 0
      ? ["", "# Beside itself", "", ...summary(ours), ...ours.flatMap((table) => ["", ...markdown(table)])]
      : [],
    ...missing.length > 0 ? ["", "Not measured:", "", ...missing.map((line) => `- ${line}`)] : [],
    "",
  ].join("\n");
}

function summary(tables: Table[]): string[] {
  return [
    "| | by | this project |",
    "|---|---|---|",
    ...tables.map((table) => `| ${table.title} | ${directed(table)} | ${verdict(table)} |`),
  ];
}

/** A table's main figure, and which way is better. */
export function directed({ main, lessIsBetter }: Table): string {
  return `${main}, ${lessIsBetter ? "less" : "more"} is better`;
}

function markdown(table: Table): string[] {
  const { title, note, main, ours, rows } = table;
  const figures = [...new Set(Object.values(rows).flatMap((row) => Object.keys(row)))];
  const heads = figures.map((figure) => figure === main ? directed(table) : figure);
  return [
    `## ${title}`,
    "",
    `${note} ${ours}: **${verdict(table)}**.`,
    "",
    `| | ${heads.join(" | ")} |`,
    `|---|${figures.map(() => "--:").join("|")}|`,
    ...Object.entries(rows).map(([name, row]) => {
      const cells = figures.map((figure) => {
        if (row[figure] === undefined) return "";
        return round(row[figure]) + (figure === main ? spreadOf(table, name) : "");
      });
      return `| ${name === ours ? `**${name}**` : name} | ${cells.join(" | ")} |`;
    }),
  ];
}

/** The least and the most of a row's main figure, in brackets; nothing where they are the same. */
export function spreadOf(table: Table, name: string): string {
  const [least, most] = spread(table, name).map(round);
  return least === most ? "" : ` (${least}–${most})`;
}
