/**
 * Weighs the keys of objects. V8 makes a hidden class for each new row of keys, which costs microseconds and hundreds of
 * bytes, and shares it among all objects with that row. This keeps the tree of those rows, as V8 does, and compares the
 * keys' bytes; it knows no format.
 */

import type { DecodingBudget } from "./decoding_budget.ts";

/** Units of a key, by what the engine does with it; those of a long key by the byte, for each other long key. */
const COST = { known: 120, searched: 600, new: 4000, inTable: 750, longByte: 3 / 16 } as const;
/** Keys of an object from which on V8 keeps them in a table, without hidden classes (`kMaxNumberOfDescriptors`). */
const TABLE_KEYS = 1020;
/** Bytes of a key that V8 may take no hash of but the length (`kMaxHashCalcLength`), so that it compares them whole. */
const LONG_KEY_BYTES = 16_384;

/** A place in the tree: what an object's keys so far are. */
export type Shape = number;

/** The shape of all objects with more keys than have hidden classes. */
const TABLE: Shape = -1;

/** The shapes of a value's objects. */
export class ObjectShapes {
  readonly #bytes: Uint8Array;
  readonly #budget: DecodingBudget;
  /** For each shape: the number of its keys, the shape that followed it last, and where that one's last key stands. */
  readonly #keys: number[] = [];
  readonly #next: Shape[] = [];
  readonly #from: number[] = [];
  readonly #to: number[] = [];
  readonly #known = new Map<string, Shape>();
  readonly #roots: Shape[] = [];
  #longKeys = 0;

  constructor(bytes: Uint8Array, budget: DecodingBudget) {
    this.#bytes = bytes;
    this.#budget = budget;
  }

  /** The shape of an object without keys. Each level has one of its own, since neighbours are mostly alike. */
  empty(level: number): Shape {
    return this.#roots[level] ??= this.#add(0);
  }

  /** Returns the shape of an object that gets one more key, which stands at `from` to `to` in the bytes. */
  with(shape: Shape, from: number, to: number): Shape {
    if (to - from >= LONG_KEY_BYTES) this.#budget.spend(COST.longByte * (to - from) * this.#longKeys++, "long keys");
    if (shape === TABLE) {
      this.#budget.spend(COST.inTable);
      return TABLE;
    }
    if (this.#isNext(shape, from, to)) {
      this.#budget.spend(COST.known);
      return this.#next[shape];
    }
    const next = this.#searched(shape, from, to);
    this.#next[shape] = next;
    this.#from[shape] = from;
    this.#to[shape] = to;
    return next;
  }

  #isNext(shape: Shape, from: number, to: number): boolean {
    const before = this.#from[shape] - from;
    if (this.#to[shape] - to !== before) return false;
    const bytes = this.#bytes;
    for (let at = from; at < to; at++) if (bytes[at] !== bytes[at + before]) return false;
    return true;
  }

  #searched(shape: Shape, from: number, to: number): Shape {
    let name = `${shape}:`;
    for (let at = from; at < to; at++) name += String.fromCharCode(this.#bytes[at]);
    const known = this.#known.get(name);
    this.#budget.spend(known === undefined ? COST.new : COST.searched, "objects, each with other keys,");
    if (known !== undefined) return known;
    const keys = this.#keys[shape] + 1;
    const made = keys === TABLE_KEYS ? TABLE : this.#add(keys);
    this.#known.set(name, made);
    return made;
  }

  #add(keys: number): Shape {
    this.#next.push(TABLE);
    this.#from.push(0);
    this.#to.push(-1); // no key has a length of -1
    return this.#keys.push(keys) - 1;
  }
}
