/**
 * Checks MessagePack bytes without building values, so that a decoder may trust them: every length lies within the
 * input, nesting is bounded, and the items claimed never outnumber the bytes left (a decoder allocates what a header
 * claims). The format: https://github.com/msgpack/msgpack/blob/master/spec.md
 */

import { MAX_CONTAINERS, MAX_DEPTH } from "../base/limits.ts";

/** The allowed extension types: a nested one holds a MessagePack array, whose levels count. */
export type ExtensionKinds = ReadonlyMap<number, "leaf" | "nested">;

const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * Checks that `bytes` hold exactly one value, nested {@linkcode MAX_DEPTH} levels at most, of UTF-8 strings and known
 * extensions.
 *
 * @throws {RangeError | TypeError} If the bytes hold anything else; the message says what.
 */
export function checkMessagePack(bytes: Uint8Array, kinds: ExtensionKinds): void {
  new Check(bytes, kinds).value(0, bytes.length, 0);
}

class Check {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #kinds: ExtensionKinds;
  #at = 0;
  #end = 0;
  #containers = 0;

  constructor(bytes: Uint8Array, kinds: ExtensionKinds) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#kinds = kinds;
  }

  /** Checks one value that fills the bytes from `start` to `end`. */
  value(start: number, end: number, depth: number): void {
    this.#at = start;
    this.#end = end;
    const open = [1]; // values still to come, for each open container
    const isMap = [false]; // whether the open container is a map: every second value is a key
    let claimed = 1;
    while (open.length > 0) {
      const left = open.length - 1;
      if (open[left]-- === 0) {
        open.pop();
        isMap.pop();
        continue;
      }
      claimed--;
      if (isMap[left] && open[left] % 2 === 1) this.#key();
      const byte = this.#bytes[this.#at];
      const items = this.#head(depth + left);
      if (items < 0) continue;
      claimed += items;
      if (++this.#containers > MAX_CONTAINERS) this.#fail(`more than ${MAX_CONTAINERS} arrays and maps`);
      if (claimed > this.#end - this.#at) this.#fail("more items claimed than bytes left");
      if (depth + open.length > MAX_DEPTH) this.#fail(`nested deeper than ${MAX_DEPTH}`);
      open.push(items);
      isMap.push((byte >= 0x80 && byte <= 0x8f) || byte === 0xde || byte === 0xdf);
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
    if (kind === undefined) this.#fail(`unknown extension type ${type}`);
    if (kind === "nested") {
      const end = this.#end;
      // Its array counts as a level: without one, extensions could hold extensions without end.
      if (!isArrayHead(this.#bytes[start])) this.#fail(`extension ${type} holds no array`);
      this.value(start, start + length, depth);
      this.#end = end;
    }
    return -1;
  }

  /** Checks that a key is a string and no array index: an object with one large index takes kilobytes of memory. */
  #key(): void {
    const at = this.#at;
    const byte = this.#bytes[at];
    if (!((byte >= 0xa0 && byte <= 0xbf) || (byte >= 0xd9 && byte <= 0xdb))) this.#fail("a key that is no string");
    this.#head(0);
    const start = at + (byte <= 0xbf ? 1 : 1 + (1 << (byte - 0xd9)));
    if (isArrayIndex(this.#bytes.subarray(start, this.#at))) this.#fail("a key that is an array index");
    this.#at = at;
  }

  #text(length: number): number {
    const start = this.#at;
    this.#skip(length);
    for (let at = start; at < this.#at; at++) {
      if (this.#bytes[at] < 0x80) continue;
      utf8.decode(this.#bytes.subarray(at, this.#at)); // throws unless it is UTF-8
      break;
    }
    return -1;
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

function isArrayHead(byte: number): boolean {
  return (byte >= 0x90 && byte <= 0x9f) || byte === 0xdc || byte === 0xdd;
}

/** Whether the bytes of a key may be an array index to the engine: digits, and few enough of them. */
function isArrayIndex(key: Uint8Array): boolean {
  return key.length > 0 && key.length <= 10 && key.every((byte) => byte >= 0x30 && byte <= 0x39);
}
