/** Short text and numbers as bytes: for a few of them a loop is faster than an encoder. */

const ZERO = 0x30;

/** Writes ASCII text. Returns where it ends. */
export function writeText(bytes: Uint8Array, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
  return at + text.length;
}

/** Writes a whole number from 0 to 2³² − 1. Returns where it ends. */
export function writeDecimal(bytes: Uint8Array, at: number, value: number): number {
  let end = at + 1;
  for (let rest = value >>> 0; rest >= 10; rest = (rest / 10) >>> 0) end++;
  let rest = value >>> 0;
  for (let i = end - 1; i >= at; i--) {
    const tenth = (rest / 10) >>> 0;
    bytes[i] = ZERO + rest - 10 * tenth;
    rest = tenth;
  }
  return end;
}
