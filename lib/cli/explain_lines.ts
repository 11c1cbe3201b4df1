/** Formats what servers tell of a key as lines for the command line. It prints nothing. */

import type { KeyExplanation } from "../base/explanation.ts";
import { fitted } from "./fitted.ts";
import { sizeInWords, timeInWords } from "../base/words.ts";

/** What a server has answered, or why it has not. */
export interface Answer {
  readonly address: string;
  readonly explanation: KeyExplanation | undefined;
  /** The message of the failure; empty if there was none. */
  readonly error: string;
}

const WHYS: Readonly<Record<string, string>> = {
  absent: "was never here, or left longer ago than is remembered",
  expired: "has expired",
  evicted: "had to make room for others",
  deleted: "was deleted",
  cleared: "was cleared",
  superseded: "was dropped or refused: a newer write is elsewhere, or may be",
};

/**
 * Returns, for each server, a line that says whether it holds the key, and lines that say more.
 *
 * @param names Addresses of servers by their numbers.
 * @param width Characters in a line.
 */
export function explainLines(
  answers: readonly Answer[],
  names: ReadonlyMap<number, string>,
  width = Infinity,
): string[] {
  const newest = newestOf(answers);
  const lines = answers.flatMap(({ address, explanation, error }) => {
    if (explanation === undefined) return [address, ...failureLines(error)];
    const more = [...detailLines(explanation, names), ...missingLines(explanation, newest)];
    const { state, version } = explanation;
    return [`${address} ${state === "held" ? `holds version ${version}` : "does not hold it"}`, ...more];
  });
  return lines.flatMap((line) => fitted(line, width, 4));
}

/** Whether a failure is that the server does not know the request. */
export function isOlder(error: string): boolean {
  return error.includes("(bad-request)");
}

function failureLines(error: string): string[] {
  return [isOlder(error) ? "  does not know: its version is older" : `  does not answer: ${error}`];
}

function detailLines(told: KeyExplanation, names: ReadonlyMap<number, string>): string[] {
  const { state, remainingMs, keptMs = 0, valueBytes, bytes = 0, flags = 0, marks = [], prefix } = told;
  const lines: string[] = [];
  if (state === "held") lines.push(`  written ${whenAndWhere(told, names)}`);
  else if (state === "cleared" && told.version !== undefined) {
    const what = prefix === undefined ? "all keys were" : `all that begins with "${prefix}" was`;
    lines.push(`  ${what} cleared ${whenAndWhere(told, names)}`);
  } else if (state === "deleted") lines.push(`  was deleted ${whenAndWhere(told, names)}`);
  else lines.push(`  ${WHYS[state] ?? state}${keptMs > 0 ? `, and is kept for ${timeInWords(keptMs)} still` : ""}`);
  if (state !== "held" && state !== "cleared" && state !== "deleted" && told.version !== undefined) {
    lines.push(`  ${valueBytes === undefined ? "what has left was" : "it was"} written ${whenAndWhere(told, names)}`);
  }
  if (valueBytes === undefined) return lines;
  if (state === "held") {
    lines.push(
      remainingMs === undefined ? "  never expires" : `  expires in ${timeInWords(remainingMs)} if it is not used`,
    );
  }
  const sizes = `value of ${sizeInWords(valueBytes)}, ${sizeInWords(bytes)} in all`;
  return [...lines, `  ${[sizes, `flags 0x${flags.toString(16)}`, ...marks].join(", ")}`];
}

/** When, and on which server, what is told was made. */
function whenAndWhere(
  { version, origin, ageMs = 0, server }: KeyExplanation,
  names: ReadonlyMap<number, string>,
): string {
  if (version === undefined) return "at a time that is not known";
  const when = `${timeInWords(ageMs)} ago`;
  if (origin === undefined) return when;
  return `${when} ${origin === server ? "here" : `at ${names.get(origin) ?? `server ${origin}`}`}`;
}

/** The newest entry or deletion that any of the servers has. */
function newestOf(answers: readonly Answer[]): Answer | undefined {
  let newest: Answer | undefined;
  for (const answer of answers) {
    const { state, version } = answer.explanation ?? {};
    if ((state === "held" || state === "deleted") && version !== undefined && version > versionOf(newest)) {
      newest = answer;
    }
  }
  return newest;
}

function versionOf(answer: Answer | undefined): number {
  return Number(answer?.explanation?.version ?? 0);
}

/** Says what another server has that has not come to one, as far as that can be told. */
function missingLines({ state, version }: KeyExplanation, newest: Answer | undefined): string[] {
  if (newest === undefined || newest.explanation === undefined) return [];
  const isWithoutVersion = version === undefined && (state === "evicted" || state === "expired");
  if (isWithoutVersion || Number(version ?? 0) >= versionOf(newest)) return [];
  const { address, explanation } = newest;
  const what = explanation.state === "held" ? "holds a newer write" : "knows of its deletion";
  const mayHaveLeft = version === undefined ? ", or has left" : "";
  return [`  ${address} ${what}, ${timeInWords(explanation.ageMs ?? 0)} old: not here yet${mayHaveLeft}`];
}
