/** Prometheus' text format, read strictly: what a scraper would take, and what promtool would complain of. */

import { assert, assertEquals } from "@std/assert";

/** One line of numbers, taken apart. */
export interface ReadSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A family, as its lines say. */
export interface ReadFamily {
  readonly kind: string;
  readonly help: string;
  readonly samples: ReadSample[];
}

const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"(?:,(?=.)|$)/;

function labelsIn(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (let rest = text; rest !== "";) {
    const [all, name, value] = LABEL.exec(rest) ?? [];
    assert(all !== undefined, `labels: ${text}`);
    assert(!(name in labels), `two labels ${name}`);
    labels[name] = value.replace(/\\(.)/g, (_, character) => character === "n" ? "\n" : character);
    rest = rest.slice(all.length);
  }
  return labels;
}

function numberIn(text: string): number {
  if (/^[+-]Inf$/.test(text)) return text === "+Inf" ? Infinity : -Infinity;
  assert(/^(NaN|-?\d+(\.\d+)?(e[+-]?\d+)?)$/.test(text), `number: ${text}`);
  return Number(text);
}

/** Reads a text, and throws at whatever is wrong with it. */
export function readMetrics(text: string): Map<string, ReadFamily> {
  assert(text === "" || text.endsWith("\n"), "the last line has no end");
  const families = new Map<string, ReadFamily>();
  const lines = text.split("\n").slice(0, -1);
  for (let i = 0; i < lines.length;) {
    const [, name, help] = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(lines[i]) ?? [];
    const [, kind] = new RegExp(`^# TYPE ${name} (counter|gauge|histogram)$`).exec(lines[i + 1] ?? "") ?? [];
    assert(name !== undefined && kind !== undefined, `no family: ${lines[i]}`);
    assert(!families.has(name), `two families ${name}`);
    const samples: ReadSample[] = [];
    for (i += 2; i < lines.length && !lines[i].startsWith("#"); i++) {
      const [, sample, labels = "", value] = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/.exec(lines[i]) ?? [];
      assert(sample !== undefined, `no sample: ${lines[i]}`);
      samples.push({ name: sample, labels: labelsIn(labels), value: numberIn(value) });
    }
    families.set(name, { kind, help, samples });
    check(name, families.get(name)!);
  }
  return families;
}

function check(name: string, { kind, samples }: ReadFamily): void {
  assert(samples.length > 0, `${name} is empty`);
  const keys = samples.map(({ name, labels }) => JSON.stringify([name, Object.entries(labels).sort()]));
  assertEquals(new Set(keys).size, keys.length, `${name} has two of one kind`);
  assertEquals(name.endsWith("_total"), kind === "counter", `${name} is a ${kind}`);
  assert(!/_(ms|milliseconds|kib|mb|percent|minutes)(_|$)/.test(name), `${name} has no base unit`);
  if (kind === "histogram") return checkHistogram(name, samples);
  for (const sample of samples) assertEquals(sample.name, name);
  if (kind === "counter") assert(samples.every(({ value }) => value >= 0), `${name} counts below 0`);
}

function checkHistogram(name: string, samples: readonly ReadSample[]): void {
  const buckets = samples.filter((sample) => sample.name === `${name}_bucket`);
  const bounds = buckets.map(({ labels }) => numberIn(labels.le));
  assertEquals(bounds, [...bounds].sort((a, b) => a - b));
  assertEquals(bounds.at(-1), Infinity);
  const counts = buckets.map(({ value }) => value);
  assertEquals(counts, [...counts].sort((a, b) => a - b));
  const of = (suffix: string) =>
    samples.filter((sample) => sample.name === `${name}_${suffix}`).map(({ value }) => value);
  assertEquals(of("count"), [counts.at(-1)]);
  assertEquals([of("sum").length, samples.length], [1, buckets.length + 2]);
}
