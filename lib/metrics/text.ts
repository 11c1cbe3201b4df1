/** Prometheus' text format, version 0.0.4: families of samples in, text out. It does not know what is measured. */

/** What a family's samples are: numbers that only grow, numbers as they are now, or counts by upper bounds. */
export type Kind = "counter" | "gauge" | "histogram";

/** One number of a family. */
export interface Sample {
  /** What tells it from the other samples of its family. */
  readonly labels?: Readonly<Record<string, string>>;
  /** What follows the family's name, as in `_bucket`. */
  readonly suffix?: string;
  readonly value: number;
}

/** Samples of one name. A name has one family. */
export interface Family {
  readonly name: string;
  readonly kind: Kind;
  /** What the numbers mean. */
  readonly help: string;
  readonly samples: readonly Sample[];
}

/** The type of the text, as HTTP names it. */
export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Makes a family of one sample without labels. */
export function single(name: string, kind: Kind, help: string, value: number): Family {
  return { name, kind, help, samples: [{ value }] };
}

/** Writes families; those without samples are left out. */
export function metricsText(families: readonly Family[]): string {
  return families.filter(({ samples }) => samples.length > 0).map(familyText).join("");
}

function familyText({ name, kind, help, samples }: Family): string {
  const head = `# HELP ${name} ${help.replace(/[\\\n]/g, escaped)}\n# TYPE ${name} ${kind}\n`;
  return samples.reduce((text, sample) => text + sampleText(name, sample), head);
}

function sampleText(name: string, { labels = {}, suffix = "", value }: Sample): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${text.replace(/[\\"\n]/g, escaped)}"`);
  return `${name}${suffix}${pairs.length === 0 ? "" : `{${pairs}}`} ${numberText(value)}\n`;
}

function escaped(character: string): string {
  return character === "\n" ? "\\n" : `\\${character}`;
}

function numberText(value: number): string {
  return value === Infinity ? "+Inf" : value === -Infinity ? "-Inf" : String(value);
}
