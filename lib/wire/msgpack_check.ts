/**
 * Checks MessagePack bytes without building values, so that a decoder may trust them: every length lies within the
 * input, nesting is bounded, and the items claimed never outnumber the bytes left (a decoder allocates what a header
 * claims). The format: https://github.com/msgpack/msgpack/blob/master/spec.md
 */

import { MAX_CONTAINERS, MAX_DEPTH } from "../base/limits.ts";
import type { DecodingBudget } from "./decoding_budget.ts";
import { ObjectShapes, type Shape } from "./object_shapes.ts";

/** A type of extensions, and what one costs beside its bytes and the values within it. */
export interface ExtensionKind {
  /** Whether it holds a MessagePack array, whose levels count. */
  readonly isNested: boolean;
  /** Whether that array holds the keys and values of an object in turn. */
  readonly isObject?: boolean;
  readonly units: number;
  /** Units of each byte, or if it is nested of each item of its array. */
  readonly unitsPerPart: number;
}

/** The allowed extension types. */
export type ExtensionKinds = ReadonlyMap<number, ExtensionKind>;

/** Units of a value by its kind, beside those of its bytes; texts and extensions have more. */
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
/** Bytes of a text up to which the library decodes it in JavaScript. */
const SHORT_TEXT_BYTES = 200;
/** Units that a byte costs at most, whatever it is a part of. */
const MOST_UNITS_PER_BYTE = 2500;
/** In place of a shape: the container is no map. */
const NO_MAP: Shape = -2;
/** Units of a value by its first byte. */
const UNITS = Uint16Array.from({ length: 256 }, (_, byte) => unitsOf(byte));

const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * Checks that `bytes` hold exactly one value, nested {@linkcode MAX_DEPTH} levels at most, of UTF-8 strings and known
 * extensions, and that the budget allows what it costs to decode it.
 *
 * @throws {RangeError | TypeError} If the bytes hold anything else; the message says what.
 */
export function checkMessagePack(bytes: Uint8Array, kinds: ExtensionKinds, budget: DecodingBudget): void {
  new Check(bytes, kinds, budget).value(0, bytes.length, 0);
}

class Check {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #kinds: ExtensionKinds;
  readonly #budget: DecodingBudget;
  /** The shapes of objects; `undefined` if parts are not weighed. */
  readonly #shapes: ObjectShapes | undefined;
  #at = 0;
  #end = 0;
  #containers = 0;

  constructor(bytes: Uint8Array, kinds: ExtensionKinds, budget: DecodingBudget) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#kinds = kinds;
    this.#budget = budget;
    if (budget.covers(bytes.length, MOST_UNITS_PER_BYTE)) return;
    this.#shapes = new ObjectShapes(bytes, budget);
    budget.spend(COST.byte * bytes.length);
  }

  /** Checks one value that fills the bytes from `start` to `end`, alone or within an extension. */
  value(start: number, end: number, depth: number, within?: ExtensionKind): void {
    this.#at = start;
    this.#end = end;
    const open = [1]; // values still to come, for each open container
    const shapes: Shape[] = [NO_MAP]; // for each open container, its shape if it is a map: every second value is a key
    let claimed = 1;
    while (open.length > 0) {
      const left = open.length - 1;
      if (open[left]-- === 0) {
        open.pop();
        shapes.pop();
        continue;
      }
      claimed--;
      if (open[left] % 2 === 1 && shapes[left] !== NO_MAP) {
        shapes[left] = left === 1 && within !== undefined ? this.#objectKey(shapes[left]) : this.#key(shapes[left]);
      }
      const byte = this.#bytes[this.#at];
      const items = this.#head(depth + left);
      if (this.#shapes !== undefined) this.#budget.spend(UNITS[byte]);
      if (items < 0) continue;
      claimed += items;
      if (++this.#containers > MAX_CONTAINERS) this.#fail(`more than ${MAX_CONTAINERS} arrays and maps`);
      if (claimed > this.#end - this.#at) this.#fail("more items claimed than bytes left");
      if (depth + open.length > MAX_DEPTH) this.#fail(`nested deeper than ${MAX_DEPTH}`);
      open.push(items);
      const isOuter = left === 0 && within !== undefined;
      if (isOuter) this.#spend(items * within.unitsPerPart);
      const isMap = isOuter ? within.isObject : (byte >= 0x80 && byte <= 0x8f) || byte === 0xde || byte === 0xdf;
      shapes.push(isMap ? this.#shapes?.empty(depth + left) ?? 0 : NO_MAP);
    }
    if (this.#at !== end) this.#fail("bytes after the value");
  }

  /** Steps over a value's head and, unless it is a container, its payload. Returns the container's items, else -1. */
  #head(depth: number): number {
    const byte = this.#number(1);
    if (byte <= 0x7f || byte >= 0xe0) return -1;
    if (byte <= 0x8f) return 2 * (byte & 0x0f);
    if (byte <= 0x9f) return byte & 0x0f;
    if (byte <= 0xbf) return this.#text(byte & 0x1f);
    switch (byte) {
      case 0xc0: // nil
      case 0xc2: // false
      case 0xc3: // true
        return -1;
      case 0xc4: // bin: 8, 16 and 32 bits of length
        return this.#skip(this.#number(1));
      case 0xc5:
        return this.#skip(this.#number(2));
      case 0xc6:
        return this.#skip(this.#number(4));
      case 0xc7: // ext: 8, 16 and 32 bits of length
        return this.#extension(this.#number(1), depth);
      case 0xc8:
        return this.#extension(this.#number(2), depth);
      case 0xc9:
        return this.#extension(this.#number(4), depth);
      case 0xca: // float 32
        return this.#skip(4);
      case 0xcb: // float 64
        return this.#skip(8);
      case 0xd9: // str
        return this.#text(this.#number(1));
      case 0xda:
        return this.#text(this.#number(2));
      case 0xdb:
        return this.#text(this.#number(4));
      case 0xdc: // array
        return this.#number(2);
      case 0xdd:
        return this.#number(4);
      case 0xde: // map
        return 2 * this.#number(2);
      case 0xdf:
        return 2 * this.#number(4);
    }
    if (byte >= 0xcc && byte <= 0xcf) return this.#skip(1 << (byte - 0xcc)); // uint 8 to 64
    if (byte >= 0xd0 && byte <= 0xd3) return this.#skip(1 << (byte - 0xd0)); // int 8 to 64
    if (byte >= 0xd4 && byte <= 0xd8) return this.#extension(1 << (byte - 0xd4), depth); // fixext 1 to 16
    return this.#fail("0xc1 is never used");
  }

  #extension(length: number, depth: number): number {
    const type = this.#number(1);
    const start = this.#at;
    this.#skip(length);
    const kind = this.#kinds.get(type);
    if (kind === undefined) return this.#fail(`unknown extension type ${type}`);
    this.#spend(kind.isNested ? kind.units : kind.units + length * kind.unitsPerPart);
    if (kind.isNested) {
      const end = this.#end;
      // Its array counts as a level: without one, extensions could hold extensions without end.
      if (!isArrayHead(this.#bytes[start])) this.#fail(`extension ${type} holds no array`);
      this.value(start, start + length, depth, kind);
      this.#end = end;
    }
    return -1;
  }

  /** Checks that a key is a string and no array index: an object with one large index takes kilobytes of memory. */
  #key(shape: Shape): Shape {
    const at = this.#at;
    if (!isTextHead(this.#bytes[at])) this.#fail("a key that is no string");
    this.#head(0);
    const from = textStart(this.#bytes[at], at);
    if (isArrayIndex(this.#bytes.subarray(from, this.#at))) this.#fail("a key that is an array index");
    const next = this.#shapes?.with(shape, from, this.#at) ?? 0;
    this.#at = at;
    return next;
  }

  /** Weighs a key of an extension that stands for an object: it may be any string. */
  #objectKey(shape: Shape): Shape {
    const at = this.#at;
    if (this.#shapes === undefined || !isTextHead(this.#bytes[at])) return shape;
    this.#head(0);
    const from = textStart(this.#bytes[at], at);
    const isIndex = isArrayIndex(this.#bytes.subarray(from, this.#at));
    if (isIndex) this.#spend(COST.index);
    const next = isIndex ? shape : this.#shapes.with(shape, from, this.#at);
    this.#at = at;
    return next;
  }

  #text(length: number): number {
    const start = this.#at;
    this.#skip(length);
    this.#spend(length <= SHORT_TEXT_BYTES ? COST.shortTextByte * length : 0);
    for (let at = start; at < this.#at; at++) {
      if (this.#bytes[at] < 0x80) continue;
      this.#spend(COST.accents);
      utf8.decode(this.#bytes.subarray(at, this.#at)); // throws unless it is UTF-8
      break;
    }
    return -1;
  }

  /** Spends units, if parts are weighed. */
  #spend(units: number): void {
    if (this.#shapes !== undefined) this.#budget.spend(units);
  }

  #number(size: 1 | 2 | 4): number {
    const at = this.#at;
    this.#skip(size);
    if (size === 1) return this.#bytes[at];
    return size === 2 ? this.#view.getUint16(at) : this.#view.getUint32(at);
  }

  #skip(length: number): number {
    if (length > this.#end - this.#at) this.#fail("truncated");
    this.#at += length;
    return -1;
  }

  #fail(reason: string): never {
    throw new RangeError(`bad MessagePack at byte ${this.#at}: ${reason}`);
  }
}

function unitsOf(byte: number): number {
  if (byte <= 0x7f || byte >= 0xe0) return COST.any;
  if (byte <= 0x9f || byte >= 0xdc) return COST.container;
  if (byte <= 0xbf || byte >= 0xd9) return COST.text;
  return byte >= 0xc4 && byte <= 0xc6 ? COST.bin : COST.any;
}

function isTextHead(byte: number): boolean {
  return (byte >= 0xa0 && byte <= 0xbf) || (byte >= 0xd9 && byte <= 0xdb);
}

/** Where a text begins whose head, `byte`, stands at `at`. */
function textStart(byte: number, at: number): number {
  return at + (byte <= 0xbf ? 1 : 1 + (1 << (byte - 0xd9)));
}

function isArrayHead(byte: number): boolean {
  return (byte >= 0x90 && byte <= 0x9f) || byte === 0xdc || byte === 0xdd;
}

/** Whether the bytes of a key may be an array index to the engine: digits, and few enough of them. */
function isArrayIndex(key: Uint8Array): boolean {
  return key.length > 0 && key.length <= 10 && key.every((byte) => byte >= 0x30 && byte <= 0x39);
}
