/** What is said by `console.warn` while a function runs. */

/** Runs a function, and returns what was said meanwhile; nothing of it is printed. */
export function warned(run: () => void): string[] {
  const lines: string[] = [];
  const { warn } = console;
  console.warn = (line: string) => void lines.push(line);
  try {
    run();
  } finally {
    console.warn = warn;
  }
  return lines;
}
