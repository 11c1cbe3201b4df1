/** Reads numbers, sizes, times, and yes or no as people write them. It knows no setting. */

/** The words for yes and no, for messages. */
export const BOOLEAN_WORDS = "true, false, 1, 0, yes or no";
/** Times in seconds and with units, for messages. */
export const TIME_EXAMPLES = 'such as "90", "10m", "1h" or "1d"';

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };
/** In their order, each is 1024 times the one before. */
const SIZE_UNITS = ["", "k", "m", "g", "t"];

/** Returns the number from `least` to `most` that a text is, or else `undefined`; so do all functions here. */
export function readNumber(text: string, least: number, most: number): number | undefined {
  return within(/^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN, least, most);
}

/** Reads a whole number. */
export function readWhole(text: string, least: number, most: number): number | undefined {
  const value = readNumber(text, least, most);
  return Number.isInteger(value) ? value : undefined;
}

/** Reads a time in seconds; s, m, h or d may follow the number. */
export function readSeconds(text: string, least: number, most: number): number | undefined {
  const [, digits, unit = "s"] = /^(\d+(?:\.\d+)?)\s*([smhd])?$/i.exec(text) ?? [];
  return within(Number(digits) * SECONDS[unit.toLowerCase()], least, most);
}

/** Reads a number of bytes; k, m, g or t may follow it, alone or with B or iB, which are powers of 1024 in any case. */
export function readBytes(text: string, least: number, most: number): number | undefined {
  const [, digits, unit = ""] = /^(\d+(?:\.\d+)?)\s*(?:([kmgt])(?:i?b)?|b)?$/i.exec(text) ?? [];
  return within(Math.floor(Number(digits) * 1024 ** SIZE_UNITS.indexOf(unit.toLowerCase())), least, most);
}

/** Reads yes or no. */
export function readBoolean(text: string): boolean | undefined {
  const word = text.toLowerCase();
  if (["true", "1", "yes"].includes(word)) return true;
  if (["false", "0", "no"].includes(word)) return false;
  return undefined;
}

/** A number of bytes as people write it, and as {@linkcode readBytes} reads it back. */
export function sizeText(bytes: number): string {
  const power = [3, 2, 1].find((power) => bytes % 1024 ** power === 0) ?? 0;
  return `${bytes / 1024 ** power}${["B", "KiB", "MiB", "GiB"][power]}`;
}

function within(value: number, least: number, most: number): number | undefined {
  return value >= least && value <= most ? value : undefined;
}
