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
  /** This project's row; the others are peers. */
  ours: string;
  /** Medians by contender, then by figure. */
  rows: Record<string, Figures>;
  /** Least and most of the main figure by contender. */
  spread: Record<string, [least: number, most: number]>;
}

/** What a table is about. */
export type TableOptions = Pick<Table, "title" | "note" | "main" | "lessIsBetter" | "ours"> & { repeats: number };

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
  const table: Table = { ...about, rows: {}, spread: {} };
  for (const [name, all] of Object.entries(runs)) {
    const names = Object.keys(all[0]);
    table.rows[name] = Object.fromEntries(names.map((figure) => [figure, at(all.map((run) => run[figure]), 0.5)]));
    const main = all.map((run) => run[about.main]);
    table.spread[name] = [Math.min(...main), Math.max(...main)];
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

/** The best of the peers in a table, by its main figure. */
export function bestPeer({ rows, main, ours, lessIsBetter }: Table): string | undefined {
  const peers = Object.keys(rows).filter((name) => name !== ours && !name.startsWith(`${ours},`));
  return peers.sort((a, b) => (lessIsBetter ? 1 : -1) * (rows[a][main] - rows[b][main]))[0];
}

/** How many times better ours is than a peer: above 1 is better. */
export function advantage({ rows, main, ours, lessIsBetter }: Table, peer: string): number {
  const ratio = rows[peer][main] / rows[ours][main];
  return lessIsBetter ? ratio : 1 / ratio;
}
