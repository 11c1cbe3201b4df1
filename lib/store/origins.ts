/**
 * Origins, one for each start of each server, and how far the writes of each are known. Of what is known it makes and
 * reads the form in which peers tell each other of it (known.ts). It knows numbers and versions, not records or hashes.
 */

import { type Base, BasedKnown, type Known, listed, mixed, MODULUS, scramble } from "./known.ts";
import type { Owner, WriteLog } from "./write_log.ts";

/** What is known of one origin's writes. */
export class Origin implements Owner {
  id: number;
  /** Origin that made the writes: `id` itself or, where they have been adopted, another. */
  writer: number;
  size = 0;
  newest = 0;
  /** All writes of the origin up to this version have been dealt with. */
  known = 0;
  /** The highest version counted under `id` whose fingerprint has been dropped. */
  forgotten = 0;
  /** The highest version counted under `id` that has a fingerprint; 0 without one. */
  left = 0;
  /** The highest version counted under `id` that was an orphan here when it left. */
  lost = 0;
  /** What is known here, of whatever origin, may rest on fingerprints of this one up to this version, though they are of orphans. */
  rests = 0;
  /** The label of its fingerprints; 0 without one. */
  label = 0;
  /** The log that has the origin's writes, once there has been one. */
  log: WriteLog | undefined = undefined;

  constructor(id: number) {
    this.id = this.writer = id;
  }
}

/** Origins that are told apart at most. */
export const MAX_ORIGINS = 131_072;
/** Part of `MAX_ORIGINS` that makes room when there are more: the origins with the fewest writes here. */
const RETIRED = 1 / 32;
/** Origins up to which each is listed to peers. */
const MAX_LISTED = 512;
/** Part of `MAX_LISTED` origins that stays listed when the others are put into a base. */
const LISTED = 1 / 4;
/** Sums up to a version that are kept: of this node's base and of those of its peers. */
const MAX_SUMS = 16;

/** Sizes that tests make small. */
export interface OriginSizes {
  /** Origins up to which each is listed to peers. */
  maxListed?: number;
  /** Origins that are told apart. */
  maxOrigins?: number;
}

/** All origins that a node has met. The first is its own, whose `known` its store sets. */
export class Origins {
  /** In the order in which they were met. */
  readonly all: Origin[] = [];
  /** By a secret mix of the number: peers could choose numbers that collide in a table. */
  readonly #byId = new Map<number, Origin>();
  readonly #secret: number;
  readonly #maxListed: number;
  readonly #maxOrigins: number;
  /** The sum of the mixes of all but the own one. */
  #digest = 0;
  /** How many but the own one have known writes. */
  #count = 0;
  /** Those whose last known write is above `#upTo`. */
  readonly #recent = new Set<Origin>();
  #upTo = 0;
  /** By version, the sum of the mixes of all but the own one whose last known write is not above it. */
  readonly #sums = new Map<number, number>();

  /** @param secret A random number of 32 bits. */
  constructor(ownId: number, secret: number, { maxListed = MAX_LISTED, maxOrigins = MAX_ORIGINS }: OriginSizes) {
    this.#secret = secret;
    this.#maxListed = maxListed;
    this.#maxOrigins = maxOrigins;
    this.get(ownId);
    // V8 would convert each of all objects alike, at 10 µs each, when the first field of one of them gets a large number.
    Object.assign(this.own, { newest: 0.5, known: 0.5, forgotten: 0.5, left: 0.5, lost: 0.5, rests: 0.5 });
    Object.assign(this.own, { newest: 0, known: 0, forgotten: 0, left: 0, lost: 0, rests: 0 });
  }

  /** This node's own. */
  get own(): Origin {
    return this.all[0];
  }

  /** One of its own for each number: all steps can be undone. */
  #keyOf(id: number): number {
    return scramble(id ^ this.#secret);
  }

  /** An origin that has been met. */
  find(id: number): Origin | undefined {
    return this.#byId.get(this.#keyOf(id));
  }

  /** An origin, which is met by this if it has not been before. */
  get(id: number): Origin {
    const met = this.#byId.get(this.#keyOf(id));
    if (met !== undefined) return met;
    const origin = new Origin(id);
    this.all.push(origin);
    this.#byId.set(this.#keyOf(id), origin);
    return origin;
  }

  /**
   * Those that are too many, and some more: the ones with the fewest writes here, and of those with equally few the ones whose
   * last known write is oldest.
   */
  excess(): Origin[] {
    const excess = this.all.length - this.#maxOrigins;
    if (excess <= 0) return [];
    const count = Math.min(this.all.length - 1, excess + Math.ceil(this.#maxOrigins * RETIRED));
    // Numbers are sorted ten times as fast as objects, and all that clients ask waits for it.
    const numbers = new Float64Array(this.all.length - 1);
    for (let i = 0; i < numbers.length; i++) numbers[i] = this.all[i + 1].size;
    const size = numbers.sort()[count - 1];
    let left = count - numbers.indexOf(size);
    let alike = 0;
    for (let i = 1; i < this.all.length; i++) if (this.all[i].size === size) numbers[alike++] = this.all[i].known;
    const versions = numbers.subarray(0, alike).sort();
    const known = versions[left - 1];
    left -= versions.indexOf(known);
    const isLeast = (origin: Origin) =>
      origin !== this.own &&
      (origin.size < size ||
        (origin.size === size && (origin.known < known || (origin.known === known && left-- > 0))));
    return this.all.filter(isLeast);
  }

  /** Gives up what is known of some. */
  remove(gone: ReadonlySet<Origin>): void {
    for (const origin of gone) {
      this.#byId.delete(this.#keyOf(origin.id));
      this.#recent.delete(origin);
      this.#count -= Number(origin.known > 0);
      this.#moved(origin, 0);
    }
    let kept = 0;
    for (const origin of this.all) if (!gone.has(origin)) this.all[kept++] = origin;
    this.all.length = kept;
  }

  /** Gives an origin of which nothing is known another number. */
  rename(origin: Origin, id: number): void {
    this.#byId.delete(this.#keyOf(origin.id));
    this.#byId.set(this.#keyOf(id), origin);
    origin.id = id;
  }

  /** Takes note that an origin's writes up to `h` have been dealt with. */
  know(origin: Origin, h: number): void {
    if (h <= origin.known) return;
    if (origin === this.own) {
      origin.known = h;
      return;
    }
    this.#count += Number(origin.known === 0);
    this.#moved(origin, h);
    origin.known = h;
    if (h > this.#upTo) this.#recent.add(origin);
  }

  /** Puts the mix of an origin that is known up to `to` from now on, 0 for not at all, into all sums in place of its present one. */
  #moved({ id, known }: Origin, to: number): void {
    const less = known === 0 ? 0 : mixed(id, known);
    const more = to === 0 ? 0 : mixed(id, to);
    this.#digest = modulo(this.#digest + more - less);
    for (const [upTo, sum] of this.#sums) {
      const change = (to <= upTo ? more : 0) - (known <= upTo ? less : 0);
      if (change !== 0) this.#sums.set(upTo, modulo(sum + change));
    }
  }

  /** A number that is equal on nodes that know the same writes: a sum, which does not depend on the order of origins. */
  get digest(): number {
    const { id, known } = this.own;
    return known === 0 ? this.#digest : modulo(this.#digest + mixed(id, known));
  }

  /** How far the writes of each origin are known. */
  get known(): Known {
    const known: Known = new Map();
    for (const origin of this.all) if (origin.known > 0) known.set(origin.id, origin.known);
    return known;
  }

  /**
   * How far writes are known, as peers are told: where there are many origins, a base stands for most of them.
   *
   * @param present Numbers of origins that are listed in any case: those of peers, of which new writes come.
   */
  knownFor(present: readonly number[]): Known {
    if (this.#count <= this.#maxListed) {
      return this.#upTo === 0 ? this.#listOf([this.own, ...this.#recent]) : this.known;
    }
    if (this.#recent.size > this.#maxListed) this.#settle();
    const upTo = this.#upTo;
    const apart = this.#apart(present, upTo);
    const all = [this.own, ...this.#recent, ...apart];
    return new BasedKnown(this.#listOf(all), { upTo, digest: this.#sumBut(apart, upTo) }, (id) => this.find(id)?.known);
  }

  #listOf(origins: readonly Origin[]): Map<number, number> {
    return new Map(origins.filter(({ known }) => known > 0).map(({ id, known }) => [id, known]));
  }

  /** Puts those that have been known longest into the base, so that few are listed. */
  #settle(): void {
    const recent = [...this.#recent];
    const versions = Float64Array.from(recent, ({ known }) => known).sort();
    this.#upTo = versions[versions.length - 1 - Math.floor(this.#maxListed * LISTED)];
    this.#recent.clear();
    for (const origin of recent) if (origin.known > this.#upTo) this.#recent.add(origin);
  }

  /**
   * Finds out what a peer's base stands for, where that is what is known here. Returns `undefined` where it is not, or it is
   * not known whether it is.
   */
  resolve(known: Known): Known | undefined {
    const { base } = known;
    if (base === undefined) return known;
    if (this.#sumBut(this.#apart([...known.keys()], base.upTo), base.upTo) !== base.digest) return undefined;
    return new BasedKnown(known, base, (id) => {
      const origin = this.find(id);
      return origin === undefined || origin === this.own || origin.known > base.upTo ? undefined : origin.known;
    });
  }

  /** What a base of this node's stands for, or, if that has changed, its present one. `present` is as in `knownFor`. */
  explain(base: Base, present: readonly number[]): Required<Base> | undefined {
    const apart = this.#apart(present, base.upTo);
    if (this.#sumBut(apart, base.upTo) !== base.digest) {
      const { base: other } = this.knownFor(present);
      return other && this.explain(other, present);
    }
    const told = new Map<number, number>();
    for (const { id, known } of this.all.slice(1)) if (known > 0 && known <= base.upTo) told.set(id, known);
    for (const { id } of apart) told.delete(id);
    return { ...base, told };
  }

  /** Whether a peer knows writes that are not known here. */
  lacks(theirs: Known): boolean {
    for (const [id, h] of listed(theirs)) if (h > (this.find(id)?.known ?? 0)) return true;
    return false;
  }

  /** Those of some numbers that belong to the sum up to a version. */
  #apart(ids: readonly number[], upTo: number): Origin[] {
    return [...new Set(ids)].flatMap((id) => {
      const origin = this.find(id);
      return origin !== undefined && origin !== this.own && origin.known > 0 && origin.known <= upTo ? [origin] : [];
    });
  }

  /** The sum of the mixes of all but the own one and some others whose last known write is not above a version. */
  #sumBut(others: readonly Origin[], upTo: number): number {
    let sum = this.#sums.get(upTo);
    if (sum === undefined) {
      sum = 0;
      for (const origin of this.all) {
        if (origin === this.own || origin.known === 0 || origin.known > upTo) continue;
        sum = modulo(sum + mixed(origin.id, origin.known));
      }
      for (const [oldest] of this.#sums) if (this.#sums.size >= MAX_SUMS) this.#sums.delete(oldest);
      this.#sums.set(upTo, sum);
    }
    for (const { id, known } of others) sum = modulo(sum - mixed(id, known));
    return sum;
  }

  /** Whether more is known here of any origin than a peer knows. */
  isBeyond(theirs: Known): boolean {
    for (const origin of this.#around(theirs)) if (origin.known > (theirs.get(origin.id) ?? 0)) return true;
    return false;
  }

  /** Origins with writes here of which more is known here than a peer knows. */
  beyond(theirs: Known): Origin[] {
    const beyond: Origin[] = [];
    for (const origin of this.#around(theirs)) {
      if (origin.size > 0 && origin.known > (theirs.get(origin.id) ?? 0)) beyond.push(origin);
    }
    return beyond;
  }

  /** Origins, with all among them of which more may be known here than a peer knows. */
  #around(theirs: Known): Iterable<Origin> {
    const { base } = theirs;
    if (base === undefined || base.told !== undefined) return this.all;
    // What the base says is known here as well, and not more.
    const above = base.upTo >= this.#upTo ? this.#recent : this.all.filter(({ known }) => known > base.upTo);
    const all = new Set(above).add(this.own);
    for (const id of theirs.keys()) all.add(this.find(id) ?? this.own);
    return all;
  }
}

/** A sum or difference of up to three numbers below the modulus, the first of which is not taken away. */
function modulo(sum: number): number {
  return sum < 0 ? sum + MODULUS : sum >= MODULUS ? sum - MODULUS : sum;
}
