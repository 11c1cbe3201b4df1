/** Bytes that are kept in text files, one line each: `name: hex`. What changes them is seen in review. */

/** Bytes as hex digits. */
export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Bytes out of hex digits, with or without spaces between them. */
export function bytesOfHex(hex: string): Uint8Array {
  const digits = hex.replaceAll(" ", "");
  if (!/^(?:[0-9a-f]{2})*$/.test(digits)) throw new RangeError(`no bytes in hex: ${hex}`);
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** Lines of a file by their names; empty lines, and those that begin with a `#`, are passed over. */
export function goldenLines(file: URL): Map<string, string> {
  const lines = new Map<string, string>();
  for (const line of Deno.readTextFileSync(file).split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const [, name, hex] = /^(.+?): ([0-9a-f ]*)$/.exec(line) ?? [];
    if (name === undefined || lines.has(name)) throw new RangeError(`no line, or one that is there twice: ${line}`);
    lines.set(name, hex);
  }
  return lines;
}
