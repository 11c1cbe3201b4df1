/** A command line of memcached's text protocol, cut into words. It knows no commands. */

import type { Unsigned } from "../base/unsigned.ts";
import { readInt32, readUint32, readUnsigned } from "./c_numbers.ts";
import type { ByteSpan } from "../base/byte_span.ts";

/** Words that a line is cut into, at most; the rest of a longer line is left out. */
const MAX_WORDS = 64;
const MAX_TEXT_BYTES = 64;
const [NUL, SPACE, ZERO] = [0, 0x20, 0x30];

/** Words of a line, by their places in the buffer that it lies in. */
export class TextLine {
  /** Number of words. */
  count = 0;
  bytes: Uint8Array = new Uint8Array(0);
  #lastText = "";
  readonly #from = new Int32Array(MAX_WORDS);
  readonly #to = new Int32Array(MAX_WORDS);

  /** Cuts a line at its spaces; a NUL ends it. */
  split(bytes: Uint8Array, from: number, to: number): void {
    this.bytes = bytes;
    let count = 0;
    let at = from;
    while (count < MAX_WORDS) {
      while (at < to && bytes[at] === SPACE) at++;
      if (at === to || bytes[at] === NUL) break;
      this.#from[count] = at;
      while (at < to && bytes[at] !== SPACE && bytes[at] !== NUL) at++;
      this.#to[count++] = at;
    }
    this.count = count;
  }

  /** Where a word begins. */
  from(word: number): number {
    return this.#from[word];
  }

  /** Where a word ends. */
  to(word: number): number {
    return this.#to[word];
  }

  /** Length of a word, in bytes. */
  length(word: number): number {
    return this.#to[word] - this.#from[word];
  }

  /** First byte of a word. */
  first(word: number): number {
    return this.bytes[this.#from[word]];
  }

  /** A word as text, or the beginning of a long word. Words repeat often, so the last text is remembered. */
  text(word: number): string {
    if (this.is(word, this.#lastText)) return this.#lastText;
    const from = this.#from[word];
    const to = Math.min(this.#to[word], from + MAX_TEXT_BYTES);
    let text = "";
    for (let i = from; i < to; i++) text += String.fromCharCode(this.bytes[i]);
    this.#lastText = text;
    return text;
  }

  /** Whether a word is this text. */
  is(word: number, text: string): boolean {
    const from = this.#from[word];
    if (this.#to[word] - from !== text.length) return false;
    for (let i = 0; i < text.length; i++) if (this.bytes[from + i] !== text.charCodeAt(i)) return false;
    return true;
  }

  /** Points a span to a word. */
  span(word: number, span: ByteSpan): ByteSpan {
    span.bytes = this.bytes;
    span.from = this.#from[word];
    span.to = this.#to[word];
    return span;
  }

  /** A word without its first `skip` bytes, as a number of 32 bits with a sign. */
  int32(word: number, skip = 0): number | undefined {
    return this.#digits(word, skip) ?? readInt32(this.bytes, this.#from[word] + skip, this.#to[word]);
  }

  /** A word without its first `skip` bytes, as a number of 32 bits without sign. */
  uint32(word: number, skip = 0): number | undefined {
    return this.#digits(word, skip) ?? readUint32(this.bytes, this.#from[word] + skip, this.#to[word]);
  }

  /** A word without its first `skip` bytes, as a number of 64 bits without sign. */
  unsigned(word: number, skip = 0): Unsigned | undefined {
    return this.#digits(word, skip) ?? readUnsigned(this.bytes, this.#from[word] + skip, this.#to[word]);
  }

  /** A few digits and nothing else: most numbers. */
  #digits(word: number, skip: number): number | undefined {
    const from = this.#from[word] + skip;
    const to = this.#to[word];
    if (to - from > 9 || to === from) return undefined;
    let value = 0;
    for (let i = from; i < to; i++) {
      const digit = this.bytes[i] - ZERO;
      if (digit < 0 || digit > 9) return undefined;
      value = 10 * value + digit;
    }
    return value;
  }
}
