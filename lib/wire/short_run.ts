/**
 * Short texts and JSON values that follow each other in a list of values: their bytes become text together, since to
 * call a decoder takes longer than it takes to decode one of them. JSON is parsed value by value: two broken ones must not
 * become a sound one together. It knows bytes, not whose values they are.
 */

import { isAscii } from "node:buffer";
import { type FrameReader, LISTED_HEAD_BYTES, STATE } from "./frame.ts";
import { unitsOf } from "./protocol_handler.ts";
import { FLAGS, SHORT_JSON_BYTES, type ValuePart } from "./values.ts";

/** Bytes that become text together at most: they are read in one turn. */
const MOST_BYTES = 16 * 1024;

/** Must be used, or the compiler leaves out what makes a text whole. */
let seen = 0;

/** Two or more values that follow each other. */
export class ShortRun {
  /** Units of work that it takes to read them. */
  readonly units: number;
  readonly #frame: FrameReader;
  readonly #from: number;
  readonly #ends: readonly number[];
  readonly #text: string | undefined;

  private constructor(frame: FrameReader, from: number, ends: readonly number[]) {
    this.#frame = frame;
    this.#from = from;
    this.#ends = ends;
    this.#text = asciiText(frame, from, ends);
    this.units = unitsOf(this.end - from);
  }

  /**
   * Returns the run that begins at an index of a frame, where `left` values are listed; `undefined` if there is none.
   * The lengths that stand before its values are written over.
   */
  static at(frame: FrameReader, from: number, left: number): ShortRun | undefined {
    const most = Math.min(frame.end, from + MOST_BYTES);
    if (!isHead(frame, from, most)) return undefined;
    const ends: number[] = [];
    for (let at = from; ends.length < left && isHead(frame, at, most);) {
      const bytes = frame.uint32(at + 5);
      at += LISTED_HEAD_BYTES + bytes;
      if (bytes > SHORT_JSON_BYTES || at > most) break;
      ends.push(at);
    }
    return ends.length < 2 ? undefined : new ShortRun(frame, from, ends);
  }

  /** How many values there are. */
  get count(): number {
    return this.#ends.length;
  }

  /** Index in the frame behind the last value. */
  get end(): number {
    return this.#ends[this.count - 1];
  }

  /** Where the `i`th value lies. */
  part(i: number): ValuePart {
    const head = this.#head(i);
    return { flags: this.#frame.uint32(head + 1), from: head + LISTED_HEAD_BYTES, to: this.#ends[i], bytes: 0 };
  }

  /** Returns the `i`th value; `undefined`, which none is, if it has to be read from its bytes, or cannot be read. */
  value(i: number): unknown {
    if (this.#text === undefined) return undefined;
    const head = this.#head(i);
    const [from, to] = [head + LISTED_HEAD_BYTES - this.#from, this.#ends[i] - this.#from];
    if (this.#frame.uint32(head + 1) === FLAGS.text) return ownText(this.#text, from, to);
    try {
      return JSON.parse(this.#text.slice(from, to));
    } catch {
      return undefined;
    }
  }

  #head(i: number): number {
    return i === 0 ? this.#from : this.#ends[i - 1];
  }
}

function isHead(frame: FrameReader, at: number, most: number): boolean {
  if (at + LISTED_HEAD_BYTES > most || frame.uint8(at) !== STATE.hit) return false;
  const flags = frame.uint32(at + 1);
  return flags === FLAGS.json || flags === FLAGS.text;
}

/** The text of a run, with a character for each byte; `undefined` if one of its values is not ASCII. */
function asciiText({ bytes, buffer }: FrameReader, from: number, ends: readonly number[]): string | undefined {
  // Of a length only the lower two bytes are not 0.
  for (let i = 0, head = from; i < ends.length; head = ends[i++]) bytes[head + 7] = bytes[head + 8] = 0;
  const to = ends.at(-1)!;
  return isAscii(bytes.subarray(from, to)) ? buffer.toString("latin1", from, to) : undefined;
}

/**
 * A part of a text that does not keep the rest of it in memory, as a slice would: V8 makes one piece of two that are
 * added when a character is read.
 */
function ownText(text: string, from: number, to: number): string {
  if (from === to) return "";
  const own = text.slice(from, to - 1) + text[to - 1];
  seen ^= own.charCodeAt(0);
  return own;
}
