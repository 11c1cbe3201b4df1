/** Makes text from elsewhere such that it can be printed: it moves no cursor and begins no line. It does not know where from. */

/** Letters of a line of a log, at most. */
const MAX_LETTERS = 500;
/** Characters that end a line, move the cursor of a terminal, or turn the direction of text. */
// deno-lint-ignore no-control-regex -- control characters are what is looked for
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]|\p{Surrogate}/gu;

/** Text from elsewhere as one line that can be printed: control characters escaped, and not too long. */
export function printable(text: string): string {
  return escaped(text.length <= MAX_LETTERS ? text : `${text.slice(0, MAX_LETTERS)}…`);
}

/** The same, however long. */
export function escaped(text: string): string {
  return text.replace(UNSAFE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
