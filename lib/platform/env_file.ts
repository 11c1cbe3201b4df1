/**
 * Reads one program's own lines of an `.env` file, which others share. What the rest means is not its business: no line of
 * others can stop it, and nothing is expanded.
 */

import { parse } from "@std/dotenv";

/** The settings of a file. */
export interface EnvFile {
  /** Texts by name; the last line of a name counts. */
  readonly texts: ReadonlyMap<string, string>;
  /** Names that look like settings and are none. */
  readonly unknown: readonly string[];
}

/** A line of ours that cannot be read alike by all who read such files. */
export class EnvFileError extends Error {
  constructor(file: string, line: number, name: string, problem: string) {
    super(`${file}, line ${line}: ${name}: ${problem}`);
  }
}

/** The start of an assignment, up to its value; and of a quoted value that may go on over several lines. */
const ASSIGNMENT = /^[^\S\n]*(?:export[^\S\n]+)?([A-Za-z_]\w*)[^\S\n]*=[^\S\n]*/;
const QUOTED: Record<string, RegExp> = { '"': /^"(?:[^"\\]|\\[^])*"/, "'": /^'[^']*'/ };

/**
 * Reads the lines that set one of `names`.
 *
 * @param file The file's name, for messages.
 * @param isUnknown Whether a name that is none of `names` looks like one.
 * @throws {EnvFileError} If such a line has a value that is not plain: a quote that does not end on its line, text after it,
 * a `$` without quotes, or a `\` in double quotes.
 */
export function readEnvFile(
  file: string,
  bytes: Uint8Array,
  names: readonly string[],
  isUnknown: (name: string) => boolean,
): EnvFile {
  const known = new Set(names);
  const texts = new Map<string, string>();
  const unknown = new Set<string>();
  const text = decoded(bytes).replace(/\r\n?/g, "\n");
  for (let at = 0, line = 1; at < text.length;) {
    const lineEnd = endOfLine(text, at);
    const whole = text.slice(at, lineEnd);
    const [start, name] = ASSIGNMENT.exec(whole) ?? [];
    let end = lineEnd;
    if (name !== undefined && known.has(name)) {
      const problem = problemOf(whole.slice(start!.length).trimEnd());
      if (problem !== undefined) throw new EnvFileError(file, line, name, problem);
      texts.set(name, parse(whole.trimEnd())[name]);
    } else if (name !== undefined) {
      if (isUnknown(name)) unknown.add(name);
      const value = text.slice(at + start!.length);
      const quoted = QUOTED[value[0]]?.exec(value);
      if (quoted) end = endOfLine(text, at + start!.length + quoted[0].length);
    }
    for (let i = at; i <= end; i++) if (text[i] === "\n") line++;
    at = end + 1;
  }
  return { texts, unknown: [...unknown] };
}

/** Says why a value would be read in different ways by those who read such files. */
function problemOf(value: string): string | undefined {
  const quote = value[0];
  if (quote === "`") return "a value is quoted by ' or \"";
  if (quote !== "'" && quote !== '"') {
    return /^[^#]*\$/.test(value) ? "variables are not expanded: a $ stands in single quotes, as in 'a$b'" : undefined;
  }
  const end = value.indexOf(quote, 1);
  if (end < 0) return `the value has no ${quote} at its end: it must be on one line`;
  if (!/^\s*(#.*)?$/.test(value.slice(end + 1))) return `there is more after the closing ${quote}`;
  if (quote === '"' && value.slice(0, end).includes("\\")) return "a \\ stands in single quotes, or in none";
}

/** Decodes UTF-8, or UTF-16 as some editors of Windows write it. */
function decoded(bytes: Uint8Array): string {
  const isBig = bytes[0] === 0xfe && bytes[1] === 0xff || bytes[0] === 0 && bytes[1] > 0;
  const isLittle = bytes[0] === 0xff && bytes[1] === 0xfe || bytes[0] > 0 && bytes[1] === 0;
  return new TextDecoder(isBig ? "utf-16be" : isLittle ? "utf-16le" : "utf-8").decode(bytes);
}

function endOfLine(text: string, at: number): number {
  const end = text.indexOf("\n", at);
  return end < 0 ? text.length : end;
}
