/**
 * Decodes MessagePack with extension types in one pass, and trusts no byte of it: every length lies within the input, nesting is
 * bounded, and the items claimed never outnumber the bytes left (an array is allocated for what its head claims). What its parts
 * cost has been weighed before. The format: https://github.com/msgpack/msgpack/blob/master/spec.md
 */

import type { Buffer } from "node:buffer";
import { MAX_CONTAINERS, MAX_DEPTH } from "../base/limits.ts";
import { bytesAt, float32At, float64At, int32At, uint16At, uint32At } from "./big_endian.ts";
import type { DecodingBudget } from "./decoding_budget.ts";
import { holdsBytes, holdsItems, valueOfItems, valueOfPayload } from "./extension_values.ts";
import { isRecordKey } from "./msgpack_types.ts";
import { decodeShortText, KnownKeys } from "./utf8_text.ts";

const knownKeys = new KnownKeys();

/**
 * Decodes one value that fills the bytes from `from` to `to`. All bytes are copied, so that these may be used again.
 *
 * @throws {RangeError | TypeError | SyntaxError} If the bytes hold anything else, or cost too much; the message says what.
 */
export function decodeMsgpack(bytes: Buffer, from: number, to: number, budget: DecodingBudget): unknown {
  return new Reader(bytes, from, to, budget).whole(0);
}

class Reader {
  readonly #bytes: Buffer;
  readonly #start: number;
  readonly #budget: DecodingBudget;
  #at: number;
  /** Where the value ends that is read whole: that of all, or of an extension. */
  #end: number;
  /** Values within that one still to come. */
  #claimed = 0;
  #containers = 0;

  constructor(bytes: Buffer, from: number, to: number, budget: DecodingBudget) {
    this.#bytes = bytes;
    this.#start = from;
    this.#budget = budget;
    this.#at = from;
    this.#end = to;
  }

  /** Reads one value, behind which nothing may be. */
  whole(depth: number): unknown {
    this.#claimed = 1;
    const value = this.#value(depth);
    if (this.#at !== this.#end) this.#fail("bytes after the value");
    return value;
  }

  #value(depth: number): unknown {
    this.#claimed--;
    const byte = this.#bytes[this.#skip(1)];
    if (byte <= 0x7f) return byte;
    if (byte >= 0xe0) return byte - 0x100;
    if (byte <= 0x8f) return this.#object(byte & 0x0f, depth);
    if (byte <= 0x9f) return this.#array(byte & 0x0f, depth);
    if (byte <= 0xbf) return this.#text(byte & 0x1f);
    switch (byte) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4: // bin: 8, 16 and 32 bits of length
      case 0xc5:
      case 0xc6:
        return this.#bin(this.#unsigned(byte - 0xc4));
      case 0xc7: // ext: the same
      case 0xc8:
      case 0xc9:
        return this.#extension(this.#unsigned(byte - 0xc7), depth);
      case 0xd4: // fixext 1, 2, 4, 8 and 16
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.#extension(1 << (byte - 0xd4), depth);
      case 0xd9: // str: 8, 16 and 32 bits of length
      case 0xda:
      case 0xdb:
        return this.#text(this.#unsigned(byte - 0xd9));
      case 0xdc: // array: 16 and 32 bits of length
      case 0xdd:
        return this.#array(this.#unsigned(byte - 0xdb), depth);
      case 0xde: // map: the same
      case 0xdf:
        return this.#object(this.#unsigned(byte - 0xdd), depth);
      default:
        return this.#number(byte);
    }
  }

  /** Reads a number by its first byte, which is the last kind that there is. */
  #number(byte: number): number {
    switch (byte) {
      case 0xca:
        return float32At(this.#bytes, this.#skip(4));
      case 0xcb:
        return float64At(this.#bytes, this.#skip(8));
      case 0xcc: // uint 8, 16 and 32
      case 0xcd:
      case 0xce:
        return this.#unsigned(byte - 0xcc);
      case 0xcf:
        return this.#unsigned(2) * 2 ** 32 + this.#unsigned(2);
      case 0xd0: // int 8, 16, 32 and 64
        return this.#unsigned(0) << 24 >> 24;
      case 0xd1:
        return this.#unsigned(1) << 16 >> 16;
      case 0xd2:
        return int32At(this.#bytes, this.#skip(4));
      case 0xd3:
        return int32At(this.#bytes, this.#skip(4)) * 2 ** 32 + this.#unsigned(2);
      default:
        return this.#fail("0xc1 is never used");
    }
  }

  #array(count: number, depth: number): unknown[] {
    this.#open(count, depth);
    const items = new Array(count);
    for (let i = 0; i < count; i++) items[i] = this.#value(depth + 1);
    return items;
  }

  #object(count: number, depth: number): Record<string, unknown> {
    this.#open(2 * count, depth);
    const object: Record<string, unknown> = {};
    for (let i = 0; i < count; i++) {
      const key = this.#key();
      object[key] = this.#value(depth + 1);
    }
    return object;
  }

  /** Begins a container of `values` values. */
  #open(values: number, depth: number): void {
    this.#claimed += values;
    if (++this.#containers > MAX_CONTAINERS) this.#fail(`more than ${MAX_CONTAINERS} arrays and maps`);
    if (this.#claimed > this.#end - this.#at) this.#fail("more items claimed than bytes left");
    if (depth === MAX_DEPTH) this.#fail(`nested deeper than ${MAX_DEPTH}`);
  }

  /** Reads a key: a string, and no array index, since an object with one large index takes kilobytes of memory. */
  #key(): string {
    this.#claimed--;
    const byte = this.#bytes[this.#skip(1)];
    let length = byte & 0x1f;
    if (byte >= 0xd9 && byte <= 0xdb) length = this.#unsigned(byte - 0xd9);
    else if (byte < 0xa0 || byte > 0xbf) this.#fail("a key that is no string");
    const from = this.#skip(length);
    const known = knownKeys.find(this.#bytes, from, this.#at);
    if (known !== undefined) return known;
    const key = decodeShortText(this.#bytes, from, this.#at);
    if (isRecordKey(key)) this.#fail(`a key that is ${key === "__proto__" ? key : "an array index"}`);
    knownKeys.keep(key, this.#bytes, from, this.#at);
    return key;
  }

  #text(length: number): string {
    const from = this.#skip(length);
    return decodeShortText(this.#bytes, from, this.#at);
  }

  #bin(length: number): Uint8Array {
    const from = this.#skip(length);
    return bytesAt(this.#bytes, from, this.#at);
  }

  #extension(length: number, depth: number): unknown {
    const type = this.#unsigned(0);
    const from = this.#skip(length);
    const to = this.#at;
    if (holdsBytes(type)) return valueOfPayload(type, this.#bytes, from, to, this.#budget);
    if (!holdsItems(type)) this.#fail(`unknown extension type ${type}`);
    // Its array counts as a level: without one, extensions could hold extensions without end.
    if (!isArrayHead(this.#bytes[from])) this.#fail(`extension ${type} holds no array`);
    const [end, claimed] = [this.#end, this.#claimed];
    // What is claimed around it lies behind it: else each of many within one another could claim the same bytes.
    if (claimed > end - to) this.#fail("more items claimed than bytes left");
    this.#at = from;
    this.#end = to;
    const items = this.whole(depth) as unknown[];
    this.#end = end;
    this.#claimed = claimed;
    return valueOfItems(type, items, this.#budget);
  }

  /** Reads an unsigned integer of 8, 16 or 32 bits: the power of two of its bytes says which. */
  #unsigned(power: number): number {
    const at = this.#skip(1 << power);
    if (power === 0) return this.#bytes[at];
    return power === 1 ? uint16At(this.#bytes, at) : uint32At(this.#bytes, at);
  }

  /** Steps over some bytes, and returns where they are. */
  #skip(length: number): number {
    const at = this.#at;
    if (length > this.#end - at) this.#fail("truncated");
    this.#at = at + length;
    return at;
  }

  #fail(reason: string): never {
    throw new RangeError(`bad MessagePack at byte ${this.#at - this.#start}: ${reason}`);
  }
}

function isArrayHead(byte: number): boolean {
  return (byte >= 0x90 && byte <= 0x9f) || byte === 0xdc || byte === 0xdd;
}
