/**
 * How far the writes of origins are known, in a form that stays short however many servers have ever started. It knows
 * numbers and versions, not writes.
 */

/** How far the writes of origins are known: id → h. What `base` stands for comes on top of what the map lists. */
export interface Known extends Map<number, number> {
  readonly base?: Base;
}

/**
 * Stands for all origins whose last known write is at or below a version, other than those that are listed: most of them
 * have ended long ago, and peers know the same of them.
 */
export interface Base {
  /** The version. */
  readonly upTo: number;
  /** The sum of the mixes of all that it stands for. */
  readonly digest: number;
  /** What it stands for, where that is not what this node itself knows; `undefined` there, or while it has not been found out. */
  readonly told?: Told;
}

/** What a base stands for, as a peer has told it. */
export interface Told {
  /** How many there are. */
  readonly size: number;
  /** How far an origin is known; 0 if it is not among them. */
  known(id: number): number;
  /** Calls `each` for all. */
  forEach(each: (id: number, known: number) => void): void;
  /** Whether `is` is so for any. */
  some(is: (id: number, known: number) => boolean): boolean;
}

/** How far many origins are known, as it travels: `versions` has a version for each of `ids`. */
export interface KnownList {
  readonly ids: Uint32Array;
  readonly versions: Float64Array;
}

/** In place of an origin's number, where it is told what has been forgotten: all that is known up to a version may be. */
export const EVERY = 0;

/** What is known, with a base. */
export class BasedKnown extends Map<number, number> implements Known {
  readonly base: Base;
  readonly #under: (id: number) => number | undefined;

  /** @param under What the base says of an origin that is not in the list. */
  constructor(list: Iterable<readonly [number, number]>, base: Base, under: (id: number) => number | undefined) {
    super();
    this.base = base;
    this.#under = under;
    for (const [id, h] of list) this.set(id, h);
  }

  /** How far an origin's writes are known. */
  override get(id: number): number | undefined {
    return super.get(id) ?? this.#under(id);
  }
}

/** A copy that can be changed. */
export function copyOf(known: Known): Known {
  return known.base === undefined ? new Map(known) : new BasedKnown(known, known.base, (id) => known.get(id));
}

/** Calls `each` for all that is known, but for what a base says that is known here too. */
export function forEachListed(known: Known, each: (id: number, h: number) => void): void {
  for (const [id, h] of known) each(id, h);
  known.base?.told?.forEach((id, h) => {
    if (!known.has(id)) each(id, h);
  });
}

/** Whether `is` is so for any of what `forEachListed` tells. */
export function someListed(known: Known, is: (id: number, h: number) => boolean): boolean {
  for (const [id, h] of known) if (is(id, h)) return true;
  return known.base?.told?.some((id, h) => !known.has(id) && is(id, h)) ?? false;
}

/** Whether more is forgotten of any origin than is known of it. */
export function exceeds(forgotten: Known, known: Known): boolean {
  for (const [id, h] of forgotten) if (id !== EVERY && h > (known.get(id) ?? 0)) return true;
  return false;
}

/** Sums of mixes are taken modulo this number. */
export const MODULUS: number = 2 ** 52;

/** Mixes an origin and how far it is known into 52 bits: multiplications and shifts, after MurmurHash3's finalizer. */
export function mixed(id: number, h: number): number {
  const [high, low] = [Math.floor(h / 2 ** 32), h >>> 0];
  const a = scramble(Math.imul(id, 0x9e3779b1) ^ low);
  const b = scramble(a ^ Math.imul(high, 0x85ebca6b) ^ id);
  return (b & 0xfffff) * 2 ** 32 + (scramble(a + b) >>> 0);
}

/** Mixes 32 bits, two of which never become the same. */
export function scramble(x: number): number {
  x = Math.imul(x ^ x >>> 16, 0x85ebca6b);
  x = Math.imul(x ^ x >>> 13, 0xc2b2ae35);
  return x ^ x >>> 16;
}
