/** Figures of several contenders side by side: repeats interleaved, so that a machine's mood meets all alike; medians. */

/** What one run of a contender gave: figures by name, the same names every time. */
export type Figures = Record<string, number>;

/** A contender: runs once and tells its figures. */
export type Contender = () => Figures | Promise<Figures>;

/** Figures to be seen side by side. */
export interface Table {
  title: string;
  /** What was done, in a sentence. */
  note: string;
  /** The figure that counts, as named in the rows. */
  main: string;
  /** Whether less of it is better. */
  lessIsBetter: boolean;
  /** This project's row. */
  ours: string;
  /** Whether the other rows are this project's too. */
  isWithOurselves?: boolean;
  /** Medians by contender, then by figure. */
  rows: Record<string, Figures>;
  /** The main figure of every repeat by contender; repeats of one number stood side by side. */
  runs: Record<string, number[]>;
}

/** What a table is about. */
export type TableOptions = Pick<Table, "title" | "note" | "main" | "lessIsBetter" | "ours" | "isWithOurselves"> & {
  repeats: number;
};

/** Runs all contenders once to warm up, then several times in turn. */
export async function measure(options: TableOptions, contenders: Record<string, Contender>): Promise<Table> {
  const { repeats, ...about } = options;
  console.error(about.title);
  const runs: Record<string, Figures[]> = {};
  for (const [name, contender] of Object.entries(contenders)) {
    await contender();
    runs[name] = [];
  }
  for (let repeat = 0; repeat < repeats; repeat++) {
    for (const [name, contender] of Object.entries(contenders)) runs[name].push(await contender());
  }
  const table: Table = { ...about, rows: {}, runs: {} };
  for (const [name, all] of Object.entries(runs)) {
    const names = Object.keys(all[0]);
    table.rows[name] = Object.fromEntries(names.map((figure) => [figure, at(all.map((run) => run[figure]), 0.5)]));
    table.runs[name] = all.map((run) => run[about.main]);
    console.error(`  ${name}: ${names.map((figure) => `${round(table.rows[name][figure])} ${figure}`).join(", ")}`);
  }
  return table;
}

/** The value below which a part of the values lies. */
export function at(values: ArrayLike<number>, part: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
}

/** Three significant digits, for reading. */
export function round(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString("en");
  return String(Number(value.toPrecision(3)));
}

/** The rows that are named, as a table of their own. */
export function part(table: Table, title: string, names: string[], isWithOurselves = false): Table {
  const picked = <Value>(of: Record<string, Value>) => Object.fromEntries(names.map((name) => [name, of[name]]));
  return { ...table, title, ours: names[0], isWithOurselves, rows: picked(table.rows), runs: picked(table.runs) };
}

/** Least and most of a row's main figure. */
export function spread({ runs }: Table, name: string): [least: number, most: number] {
  return [Math.min(...runs[name]), Math.max(...runs[name])];
}

/** What a table says of ours beside the best of the others, in words that need no direction. */
export function verdict(table: Table): string {
  const { rows, runs, main, ours } = table;
  const best = bestOther(table);
  if (best === undefined) return "nothing to compare with";
  const ratio = timesBetter(table, rows[ours][main], rows[best][main]);
  const [times, word] = ratio >= 1 ? [ratio, "better"] : [1 / ratio, "worse"];
  const words = `${round(times)} times ${word} than ${best}`;
  if (runs[ours].length === 1) return `${words} (measured once)`;
  const [least, most] = medianInterval(runs[ours].map((run, i) => timesBetter(table, run, runs[best][i])));
  if (least <= 1 && most >= 1) {
    return `no difference to ${best} within the spread (${round(least)} to ${round(most)} times)`;
  }
  return `${words} (${ratio >= 1 ? `${round(least)} to ${round(most)}` : `${round(1 / most)} to ${round(1 / least)}`})`;
}

/** The best of the other rows, by the main figure. */
function bestOther({ rows, main, ours, lessIsBetter }: Table): string | undefined {
  const others = Object.keys(rows).filter((name) => name !== ours);
  return others.sort((a, b) => (lessIsBetter ? 1 : -1) * (rows[a][main] - rows[b][main]))[0];
}

/** How many times better ours is than another: above 1 is better. */
function timesBetter({ lessIsBetter }: Pick<Table, "lessIsBetter">, ours: number, other: number): number {
  return lessIsBetter ? other / ours : ours / other;
}

/**
 * The interval in which the median of what was sampled lies with a certainty of 95 %, of six values and more; of fewer, all of
 * them. As many values lie below a median as coins show heads: this leaves out as many at each end as it may.
 */
function medianInterval(values: number[]): [least: number, most: number] {
  const sorted = values.toSorted((a, b) => a - b);
  let [rank, ways, outside] = [0, 1, 0]; // in which `rank` of all values can lie below the median
  while (true) {
    outside += 2 * ways / 2 ** sorted.length;
    if (outside > 0.05 || rank >= sorted.length / 2) break;
    ways *= (sorted.length - rank) / (rank + 1);
    rank++;
  }
  const left = Math.max(0, rank - 1);
  return [sorted[left], sorted[sorted.length - 1 - left]];
}
