/**
 * Checks JSON bytes before they are parsed: nesting is bounded, and so is what the parts cost. It does not check that
 * the bytes are JSON: a parser stops where they are not, and all that it has built by then has been weighed.
 */

import { MAX_DEPTH } from "../base/limits.ts";
import type { DecodingBudget } from "./decoding_budget.ts";
import { DigitTexts } from "./key_collisions.ts";
import { ObjectShapes, type Shape } from "./object_shapes.ts";

/** Units of the kinds of parts, beside those of their bytes. */
const COST = { byte: 3, value: 130, text: 200, container: 600, index: 1500, escapedDigits: 1000 } as const;
/** Units that a byte costs at most, whatever it is a part of. */
export const JSON_UNITS_PER_BYTE = 700;
/** In place of a shape: the container is an array. */
const ARRAY: Shape = -2;
/** Bytes of a text at most, escapes and all, that stands for a number of ten digits. */
const MAX_DIGITS_BYTES = 60;

/**
 * Checks JSON of up to {@linkcode MAX_DEPTH} levels.
 *
 * @throws {RangeError} If it is nested deeper, or costs more than the budget allows.
 */
export function checkJson(bytes: Uint8Array, budget: DecodingBudget): void {
  if (budget.covers(bytes.length, JSON_UNITS_PER_BYTE)) checkDepth(bytes);
  else new Check(bytes, budget).value();
}

/** Bounds the nesting before `JSON.parse` builds it: 16 MiB of `[` would otherwise become gigabytes. */
function checkDepth(bytes: Uint8Array): void {
  let depth = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === 0x22) {
      at++;
      while (at < bytes.length && bytes[at] !== 0x22) at += bytes[at] === 0x5c ? 2 : 1;
    } else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > MAX_DEPTH) failDepth();
    } else if (byte === 0x5d || byte === 0x7d) {
      depth--;
    }
  }
}

function failDepth(): never {
  throw new RangeError(`nested deeper than ${MAX_DEPTH}`);
}

/** The same, with parts weighed. */
class Check {
  readonly #bytes: Uint8Array;
  readonly #budget: DecodingBudget;
  readonly #shapes: ObjectShapes;
  readonly #digits: DigitTexts;

  constructor(bytes: Uint8Array, budget: DecodingBudget) {
    this.#bytes = bytes;
    this.#budget = budget;
    this.#shapes = new ObjectShapes(bytes, budget);
    this.#digits = new DigitTexts(budget);
  }

  value(): void {
    const bytes = this.#bytes;
    const budget = this.#budget;
    const shapes = new Int32Array(MAX_DEPTH + 1); // of each open container
    let depth = 0;
    let isKey = false;
    budget.spend(COST.byte * bytes.length);
    for (let at = 0; at < bytes.length; at++) {
      switch (bytes[at]) {
        case 0x22: {
          const from = ++at;
          while (at < bytes.length && bytes[at] !== 0x22) at += bytes[at] === 0x5c ? 2 : 1;
          if (isKey) shapes[depth] = this.#key(shapes[depth], from, at);
          else this.#text(from, at);
          isKey = false;
          break;
        }
        case 0x2c:
          budget.spend(COST.value);
          isKey = shapes[depth] !== ARRAY;
          break;
        case 0x5b:
        case 0x7b:
          if (++depth > MAX_DEPTH) failDepth();
          budget.spend(COST.container);
          isKey = bytes[at] === 0x7b;
          shapes[depth] = isKey ? this.#shapes.empty(depth) : ARRAY;
          break;
        case 0x5d:
        case 0x7d:
          isKey = false;
          if (--depth < 0) return; // no JSON
      }
    }
  }

  #key(shape: Shape, from: number, to: number): Shape {
    const byte = this.#bytes[from];
    if ((byte < 0x30 || byte > 0x39) && byte !== 0x5c) return this.#shapes.with(shape, from, to);
    this.#budget.spend(COST.index); // or more than a plain key, if it is none
    return to - from <= 10 ? shape : this.#shapes.with(shape, from, to);
  }

  #text(from: number, to: number): void {
    this.#budget.spend(COST.text);
    const byte = this.#bytes[from];
    if (to - from > MAX_DIGITS_BYTES || ((byte < 0x30 || byte > 0x39) && byte !== 0x5c)) return;
    let text = "";
    let isEscaped = false;
    for (let at = from; at < to; at++) {
      isEscaped ||= this.#bytes[at] === 0x5c;
      text += String.fromCharCode(this.#bytes[at]);
    }
    if (isEscaped) this.#budget.spend(COST.escapedDigits);
    this.#digits.meet(isEscaped ? unescaped(text) : text);
  }
}

/** The text that an escaped one stands for, or none if the parser will refuse it. */
function unescaped(text: string): string {
  try {
    return JSON.parse(`"${text}"`);
  } catch {
    return "";
  }
}
