/**
 * Weighs MessagePack before it is decoded: what its parts take of the budget. It does not check that the bytes are MessagePack: a
 * decoder stops where they are not, and all that it has built by then has been weighed.
 */

import { MAX_DEPTH } from "../base/limits.ts";
import { uint16At, uint32At } from "./big_endian.ts";
import type { DecodingBudget } from "./decoding_budget.ts";
import { EXT, TIMESTAMP } from "./msgpack_types.ts";
import { ObjectShapes, type Shape } from "./object_shapes.ts";

/** What an extension costs beside its bytes and the values within it. */
interface ExtensionCost {
  readonly units: number;
  /** Units of each byte, or if it holds items of each of them. */
  readonly unitsPerPart: number;
}

const cost = (units: number, unitsPerPart: number): ExtensionCost => ({ units, unitsPerPart });

const EXTENSIONS: ReadonlyMap<number, ExtensionCost> = new Map([
  [EXT.undefined, cost(150, 0)],
  [EXT.negativeZero, cost(150, 0)],
  [EXT.bigint, cost(1200, 20)],
  [EXT.utf16, cost(500, 20)],
  [EXT.date, cost(1000, 0)],
  [EXT.url, cost(3500, 40)],
  [EXT.buffer, cost(4000, 2)],
  [EXT.temporal, cost(3000, 20)], // and what spendTemporal() finds
  [EXT.record, cost(1200, 700)],
  [EXT.map, cost(1000, 150)], // and what mapOf() finds
  [EXT.set, cost(1000, 150)], // and what setOf() finds
  [EXT.regexp, cost(2000, 0)], // and what spendRegExp() finds
  [EXT.error, cost(16_000, 3000)],
  [EXT.headers, cost(2000, 1500)], // and what spendHeaders() finds
  [TIMESTAMP, cost(1300, 0)],
]);

/** Units of a value by its kind, beside those of its bytes. */
const COST = {
  any: 60,
  byte: 2,
  text: 120,
  shortTextByte: 30,
  accents: 500,
  bin: 1000,
  container: 250,
  index: 1500,
} as const;
/** Bytes of a text up to which each of them costs more. */
const SHORT_TEXT_BYTES = 200;
/** Units that a byte costs at most, whatever it is a part of. */
const MOST_UNITS_PER_BYTE = 2500;

/**
 * Spends what it costs to decode the bytes from `from` to `to`.
 *
 * @throws {DecodingCostError} If the budget has less left.
 */
export function weighMsgpack(bytes: Uint8Array, from: number, to: number, budget: DecodingBudget): void {
  if (!budget.covers(to - from, MOST_UNITS_PER_BYTE)) new Scale(bytes, from, to, budget).value(0);
}

class Scale {
  readonly #bytes: Uint8Array;
  readonly #budget: DecodingBudget;
  readonly #shapes: ObjectShapes;
  #at: number;
  /** Where all of it ends, or the extension that is being weighed. */
  #end: number;

  constructor(bytes: Uint8Array, from: number, to: number, budget: DecodingBudget) {
    this.#bytes = bytes;
    this.#budget = budget;
    this.#shapes = new ObjectShapes(bytes, budget);
    this.#at = from;
    this.#end = to;
    budget.spend(COST.byte * (to - from));
  }

  /** Weighs one value. Where a decoder will stop, it steps to the end. */
  value(depth: number): void {
    const byte = this.#bytes[this.#at++];
    if (byte <= 0x7f || byte >= 0xe0) return this.#fixed(0);
    if (byte <= 0x8f) return this.#map(byte & 0x0f, depth);
    if (byte <= 0x9f) return this.#array(byte & 0x0f, depth);
    if (byte <= 0xbf) return this.#text(byte & 0x1f);
    if (byte <= 0xc3) return this.#fixed(byte === 0xc1 ? Infinity : 0);
    if (byte <= 0xc6) return this.#bin(this.#number(byte - 0xc4));
    if (byte <= 0xc9) return this.#extension(this.#number(byte - 0xc7), depth);
    if (byte <= 0xcb) return this.#fixed(4 << (byte - 0xca));
    if (byte <= 0xcf) return this.#fixed(1 << (byte - 0xcc));
    if (byte <= 0xd3) return this.#fixed(1 << (byte - 0xd0));
    if (byte <= 0xd8) return this.#extension(1 << (byte - 0xd4), depth);
    if (byte <= 0xdb) return this.#text(this.#number(byte - 0xd9));
    if (byte <= 0xdd) return this.#array(this.#number(byte - 0xdb), depth);
    return this.#map(this.#number(byte - 0xdd), depth);
  }

  #fixed(bytes: number): void {
    this.#budget.spend(COST.any);
    this.#skip(bytes);
  }

  #bin(length: number): void {
    this.#budget.spend(COST.bin);
    this.#skip(length);
  }

  #text(length: number): void {
    const from = this.#at;
    this.#skip(length);
    this.#budget.spend(COST.text + this.#textUnits(from, this.#at));
  }

  #textUnits(from: number, to: number): number {
    const units = to - from <= SHORT_TEXT_BYTES ? COST.shortTextByte * (to - from) : 0;
    for (let at = from; at < to; at++) if (this.#bytes[at] >= 0x80) return units + COST.accents;
    return units;
  }

  #array(count: number, depth: number): void {
    this.#open(depth);
    for (let left = count; left > 0 && this.#at < this.#end; left--) this.value(depth + 1);
  }

  #map(count: number, depth: number): void {
    this.#open(depth);
    let shape = this.#shapes.empty(depth);
    for (let left = count; left > 0 && this.#at < this.#end; left--) {
      shape = this.#key(shape, depth);
      if (this.#at < this.#end) this.value(depth + 1);
    }
  }

  #open(depth: number): void {
    this.#budget.spend(COST.container);
    if (depth === MAX_DEPTH) this.#at = this.#end;
  }

  /** Weighs a key of a map, or one of a record, which may be an array index. */
  #key(shape: Shape, depth: number, mayBeIndex = false): Shape {
    const byte = this.#bytes[this.#at];
    if (!isTextHead(byte)) {
      this.value(depth + 1);
      return shape;
    }
    this.#at++;
    const length = byte <= 0xbf ? byte & 0x1f : this.#number(byte - 0xd9);
    const from = this.#at;
    this.#skip(length);
    const to = this.#at;
    this.#budget.spend(COST.text + 2 * this.#textUnits(from, to)); // to read it, and to find it among others
    if (!mayBeIndex || !isIndex(this.#bytes, from, to)) return this.#shapes.with(shape, from, to);
    this.#budget.spend(COST.index);
    return shape;
  }

  #extension(length: number, depth: number): void {
    const type = this.#bytes[this.#at++];
    const { units, unitsPerPart } = EXTENSIONS.get(type) ?? cost(0, 0);
    this.#budget.spend(COST.any + units);
    const from = this.#at;
    this.#skip(length);
    if (type < EXT.record || type === TIMESTAMP) return this.#budget.spend(unitsPerPart * length);
    const [to, end] = [this.#at, this.#end];
    this.#at = from;
    this.#end = to;
    this.#items(type, unitsPerPart, depth);
    this.#at = to;
    this.#end = end;
  }

  /** Weighs the array that an extension holds. */
  #items(type: number, unitsPerItem: number, depth: number): void {
    const byte = this.#bytes[this.#at++];
    if (byte < 0x90 || (byte > 0x9f && byte !== 0xdc && byte !== 0xdd)) return; // no array
    const count = byte <= 0x9f ? byte & 0x0f : this.#number(byte - 0xdb);
    this.#budget.spend(unitsPerItem * count);
    if (type !== EXT.record) return this.#array(count, depth);
    this.#open(depth);
    let shape = this.#shapes.empty(depth);
    for (let i = 0; i < count && this.#at < this.#end; i++) {
      if (i % 2 === 0) shape = this.#key(shape, depth, true);
      else this.value(depth + 1);
    }
  }

  /** An unsigned integer of 8, 16 or 32 bits: the power of two of its bytes says which. It is 0 where it is cut off. */
  #number(power: number): number {
    const at = this.#at;
    this.#skip(1 << power);
    if (this.#at - at < 1 << power) return 0;
    if (power === 0) return this.#bytes[at];
    return power === 1 ? uint16At(this.#bytes, at) : uint32At(this.#bytes, at);
  }

  #skip(length: number): void {
    this.#at = Math.min(this.#at + length, this.#end);
  }
}

function isTextHead(byte: number): boolean {
  return (byte >= 0xa0 && byte <= 0xbf) || (byte >= 0xd9 && byte <= 0xdb);
}

function isIndex(bytes: Uint8Array, from: number, to: number): boolean {
  if (to === from || to - from > 10) return false;
  for (let at = from; at < to; at++) if (bytes[at] < 0x30 || bytes[at] > 0x39) return false;
  return true;
}
