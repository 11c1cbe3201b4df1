/** Base64 (RFC 4648, section 4) of keys, as lenient as memcached: bytes that are not base64 letters are passed over. */

import type { ByteSpan } from "../base/byte_span.ts";

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const PAD = 0x3d;

/** Decodes into an array that has room for the result. Returns its length in bytes; 0 if the text is not base64. */
export function bytesOfBase64({ bytes, from, to }: ByteSpan, target: Uint8Array): number {
  const letters: number[] = [];
  for (let i = from; i < to; i++) if (isLetter(bytes[i])) letters.push(bytes[i]);
  if (letters.length % 4 !== 0) return 0;
  let length = 0;
  for (let i = 0; i < letters.length; i += 4) {
    const four = letters.slice(i, i + 4);
    const [a, b, c, d] = four.map((letter) => letter === PAD ? 0 : LETTERS.indexOf(String.fromCharCode(letter)));
    const padding = four.filter((letter) => letter === PAD).length;
    if (padding > 2) return 0;
    const three = [a << 2 | b >> 4, (b & 15) << 4 | c >> 2, (c & 3) << 6 | d];
    for (const byte of three.slice(0, 3 - padding)) target[length++] = byte;
    if (padding > 0) break;
  }
  return length;
}

/** Encodes bytes as base64. */
export function base64Of({ bytes, from, to }: ByteSpan): string {
  return btoa(String.fromCharCode(...bytes.subarray(from, to)));
}

function isLetter(byte: number): boolean {
  return byte === PAD || LETTERS.includes(String.fromCharCode(byte));
}
