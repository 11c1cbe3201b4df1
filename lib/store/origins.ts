/**
 * Origins, one for each start of each server, and how far the writes of each are known. Of what is known it makes and
 * reads the form in which peers tell each other of it (known.ts). It knows numbers and versions, not records or hashes.
 */

import {
  type Base,
  BasedKnown,
  EVERY,
  type Known,
  type KnownList,
  mixed,
  MODULUS,
  scramble,
  type Told,
} from "./known.ts";
import { KnownTable } from "./known_table.ts";
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
/** Times `MAX_LISTED` that are listed at most, until peers are told of them. */
const MOST_RECENT = 8;
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
  /** The own one, and those of which more is kept than how far they are known and forgotten, in the order in which that began. */
  readonly all: Origin[] = [];
  /** By a secret mix of the number: peers could choose numbers that collide in a table. */
  readonly #byId = new Map<number, Origin>();
  /** All others. */
  readonly #others: KnownTable;
  readonly #secret: number;
  /** Origins up to which each is listed to peers. */
  readonly maxListed: number;
  readonly #maxOrigins: number;
  /** The sum of the mixes of all but the own one. */
  #digest = 0;
  /** How many but the own one have known writes. */
  #count = 0;
  /** Numbers of those whose last known write is above `#upTo`. */
  readonly #recent = new Set<number>();
  #upTo = 0;
  /** The sums of the mixes of all but the own one whose last known write is not above a version; the newest sum is the last. */
  readonly #sums: { readonly upTo: number; sum: number }[] = [];

  /** @param secret A random number of 32 bits. */
  constructor(ownId: number, secret: number, { maxListed = MAX_LISTED, maxOrigins = MAX_ORIGINS }: OriginSizes) {
    this.#secret = secret;
    this.#others = new KnownTable(secret);
    this.maxListed = maxListed;
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

  /** How many there are. */
  get size(): number {
    return this.all.length + this.#others.size;
  }

  /** One of its own for each number: all steps can be undone. */
  #keyOf(id: number): number {
    return scramble(id ^ this.#secret);
  }

  /** An origin of which more is kept than how far it is known and forgotten. */
  find(id: number): Origin | undefined {
    return this.#byId.get(this.#keyOf(id));
  }

  /** An origin of which more is kept from now on. */
  get(id: number): Origin {
    const met = this.#byId.get(this.#keyOf(id));
    if (met !== undefined) return met;
    const origin = new Origin(id);
    [origin.known, origin.forgotten] = [this.#others.known(id), this.#others.forgotten(id)];
    this.#others.remove(id);
    this.all.push(origin);
    this.#byId.set(this.#keyOf(id), origin);
    return origin;
  }

  /** All, a copy of each of which no more is kept than how far it is known and forgotten. */
  *listed(): Generator<Origin, void, void> {
    yield* this.all;
    const others: Origin[] = [];
    this.#others.forEach((id, known, forgotten) => others.push(Object.assign(new Origin(id), { known, forgotten })));
    yield* others;
  }

  /** Whether an origin has been met. */
  has(id: number): boolean {
    return this.find(id) !== undefined || this.#others.known(id) > 0;
  }

  /** How far an origin's writes are known. */
  knownOf(id: number): number {
    return this.find(id)?.known ?? this.#others.known(id);
  }

  /**
   * Gives up origins if they are too many, and some more: the ones with the fewest writes here, and of those with equally few
   * the ones whose last known write is oldest.
   *
   * @returns Those of which more was kept, for which `remove` is to be called, and the highest version known of the others.
   */
  retire(): { gone: Origin[]; upTo: number } | undefined {
    const excess = this.size - this.#maxOrigins;
    if (excess <= 0) return undefined;
    const count = Math.min(this.size - 1, excess + Math.ceil(this.#maxOrigins * RETIRED));
    const objects = this.all.slice(1);
    // Numbers are compared ten times as fast as objects, and all that clients ask waits for it.
    const sizes = new Float64Array(this.size - 1);
    objects.forEach(({ size }, i) => sizes[i] = size);
    const idle = this.#others.size + objects.filter((origin) => origin.size === 0).length;
    const size = idle >= count ? 0 : nth(sizes, count - 1);
    let left = count;
    for (const other of sizes) if (other < size) left--;
    const versions = new Float64Array(sizes.length);
    let alike = 0;
    for (const origin of objects) if (origin.size === size) versions[alike++] = origin.known;
    if (size === 0) alike += this.#others.copyKnown(versions.subarray(alike));
    const known = nth(versions.subarray(0, alike), left - 1);
    let [ties, due] = [0, 0];
    for (let i = 0; i < alike; i++) {
      if (versions[i] < known) left--;
      else if (versions[i] === known) ties++;
    }
    // Of equals each nth goes: the first of them all would leave a table that is full behind them.
    const isNext = () => {
      due += left;
      if (due < ties) return false;
      due -= ties;
      return true;
    };
    const isOld = (version: number) => version < known || (version === known && isNext());
    const gone = objects.filter((origin) => origin.size < size || (origin.size === size && isOld(origin.known)));
    let upTo = 0;
    const ids: number[] = [];
    this.#others.forEach((id, version) => {
      if (size === 0 && !isOld(version)) return;
      ids.push(id);
      upTo = Math.max(upTo, version);
    });
    for (const id of ids) this.#giveUp(id, this.#others.known(id));
    for (const id of ids) this.#others.remove(id);
    return { gone, upTo };
  }

  /** Gives up what is known of some. */
  remove(gone: ReadonlySet<Origin>): void {
    for (const { id, known } of gone) {
      this.#byId.delete(this.#keyOf(id));
      this.#giveUp(id, known);
    }
    let kept = 0;
    for (const origin of this.all) if (!gone.has(origin)) this.all[kept++] = origin;
    this.all.length = kept;
  }

  #giveUp(id: number, known: number): void {
    this.#recent.delete(id);
    this.#count -= Number(known > 0);
    this.#moved(id, known, 0);
  }

  /** Gives an origin of which nothing is known another number. */
  rename(origin: Origin, id: number): void {
    this.#byId.delete(this.#keyOf(origin.id));
    this.#byId.set(this.#keyOf(id), origin);
    origin.id = id;
  }

  /** Takes note that an origin's writes up to `h` have been dealt with. */
  know(id: number, h: number): void {
    const origin = this.find(id);
    const known = origin === undefined ? h > 0 ? this.#others.know(id, h) : 0 : origin.known;
    if (h <= known) return;
    if (origin !== undefined) origin.known = h;
    if (origin === this.own) return;
    this.#count += Number(known === 0);
    this.#moved(id, known, h);
    if (h <= this.#upTo) return;
    this.#recent.add(id);
    if (this.#recent.size > MOST_RECENT * this.maxListed) this.#settle();
  }

  /** Takes note that known writes of an origin have been forgotten. Returns false if more has to be kept of it for that. */
  forget(id: number, h: number): boolean {
    if (h > this.#others.known(id)) return false;
    this.#others.forget(id, h);
    return true;
  }

  /**
   * Takes note that all that is known up to a version counts as forgotten, of origins of which no more is kept.
   *
   * @returns The highest version of which that is so.
   */
  forgetUpTo(h: number): number {
    return this.#others.forgetUpTo(h);
  }

  /** The highest version up to which an origin of which no more is kept is forgotten beyond what a peer knows; 0 if none is. */
  mostForgottenBeyond(theirs: Known): number {
    return this.#others.mostForgottenBeyond((id) => theirs.get(id) ?? 0);
  }

  /**
   * Of origins of which no more is kept, those that are forgotten beyond what a peer knows, and how far; of more than `most` only
   * the highest version, for all.
   */
  forgottenBeyond(theirs: Known, most: number): Known {
    const beyond: Known = new Map();
    if (this.#others.size > most) {
      const highest = this.mostForgottenBeyond(theirs);
      return highest === 0 ? beyond : beyond.set(EVERY, highest);
    }
    this.#others.forEach((id, _, forgotten) => {
      if (forgotten > (theirs.get(id) ?? 0)) beyond.set(id, forgotten);
    });
    return beyond;
  }

  /** Puts the mix of an origin that is known up to `to` from now on, 0 for not at all, into all sums in place of its present one. */
  #moved(id: number, known: number, to: number): void {
    const less = known === 0 ? 0 : mixed(id, known);
    const more = to === 0 ? 0 : mixed(id, to);
    this.#digest = modulo(this.#digest + more - less);
    for (const sum of this.#sums) {
      const change = (to <= sum.upTo ? more : 0) - (known <= sum.upTo ? less : 0);
      if (change !== 0) sum.sum = modulo(sum.sum + change);
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
    this.#others.forEach((id, h) => known.set(id, h));
    return known;
  }

  /**
   * How far writes are known, as peers are told: where there are many origins, a base stands for most of them.
   *
   * @param present Numbers of origins that are listed in any case: those of peers, of which new writes come.
   */
  knownFor(present: readonly number[]): Known {
    if (this.#count <= this.maxListed) {
      return this.#upTo === 0 ? this.#listOf([this.own.id, ...this.#recent]) : this.known;
    }
    if (this.#recent.size > this.maxListed) this.#settle();
    const upTo = this.#upTo;
    const apart = this.#apart(present, upTo);
    const all = [this.own.id, ...this.#recent, ...apart];
    return new BasedKnown(this.#listOf(all), { upTo, digest: this.#sumBut(apart, upTo) }, (id) => this.#metUpTo(id));
  }

  /** How far an origin is known; `undefined` if it has not been met. */
  #metUpTo(id: number): number | undefined {
    return this.find(id)?.known ?? (this.#others.known(id) || undefined);
  }

  #listOf(ids: readonly number[]): Map<number, number> {
    const list = new Map<number, number>();
    for (const id of ids) {
      const known = this.knownOf(id);
      if (known > 0) list.set(id, known);
    }
    return list;
  }

  /** Puts those that have been known longest into the base, so that few are listed. */
  #settle(): void {
    const recent = [...this.#recent];
    const known = recent.map((id) => this.knownOf(id));
    this.#upTo = nth(Float64Array.from(known), known.length - 1 - Math.floor(this.maxListed * LISTED));
    this.#recent.clear();
    for (let i = 0; i < recent.length; i++) if (known[i] > this.#upTo) this.#recent.add(recent[i]);
  }

  /**
   * Finds out what a peer's base stands for, where that is what is known here. Returns `undefined` where it is not, or it is
   * not known whether it is.
   */
  resolve(known: Known): Known | undefined {
    const { base } = known;
    if (base === undefined) return known;
    if (!this.#isKnown(known, base)) return undefined;
    return new BasedKnown(known, base, (id) => {
      const h = id === this.own.id ? undefined : this.#metUpTo(id);
      return h === undefined || h > base.upTo ? undefined : h;
    });
  }

  /** Whether all that a base stands for is known here as well, and not more. */
  #isKnown(known: Known, { upTo, digest }: Base): boolean {
    return this.#sumBut(this.#apart([...known.keys()], upTo), upTo) === digest;
  }

  /** What a base of this node's stands for, or, if that has changed, its present one. `present` is as in `knownFor`. */
  explain(base: Base, present: readonly number[]): { base: Base; told: KnownList } | undefined {
    const apart = this.#apart(present, base.upTo);
    if (this.#sumBut(apart, base.upTo) !== base.digest) {
      const { base: other } = this.knownFor(present);
      return other && this.explain(other, present);
    }
    const others = new Set(apart);
    const [ids, versions] = [new Uint32Array(this.size), new Float64Array(this.size)];
    let count = 0;
    this.#forEach((id, known) => {
      if (known === 0 || known > base.upTo || others.has(id)) return;
      ids[count] = id;
      versions[count++] = known;
    });
    return { base, told: { ids: ids.subarray(0, count), versions: versions.subarray(0, count) } };
  }

  /** What a peer says that its base stands for, to be looked up; `undefined` if that cannot be what it is. */
  told({ upTo, digest }: Base, list: KnownList): Told | undefined {
    const table = KnownTable.of(list, this.#secret);
    if (table.size < list.ids.length) return undefined;
    let sum = 0;
    for (let i = 0; i < list.ids.length; i++) {
      if (list.versions[i] > upTo) return undefined;
      sum = modulo(sum + mixed(list.ids[i], list.versions[i]));
    }
    return sum === digest ? table : undefined;
  }

  /** Calls `each` for all but the own one. */
  #forEach(each: (id: number, known: number) => void): void {
    for (let i = 1; i < this.all.length; i++) each(this.all[i].id, this.all[i].known);
    this.#others.forEach(each);
  }

  /** Whether a peer knows writes that are not known here. */
  lacks(theirs: Known): boolean {
    for (const [id, h] of theirs) if (h > this.knownOf(id)) return true;
    const { base } = theirs;
    if (base?.told === undefined || this.#isKnown(theirs, base)) return false;
    return base.told.some((id, h) => h > this.knownOf(id) && !theirs.has(id));
  }

  /** Takes note that what a peer's base stands for will be known: it is to be in the base here, too. */
  expect({ upTo, told }: Base): void {
    this.#others.reserve(told?.size ?? 0);
    this.#sumBut([], upTo); // from now on it is kept
    if (upTo <= this.#upTo) return;
    this.#upTo = upTo;
    for (const id of this.#recent) if (this.knownOf(id) <= upTo) this.#recent.delete(id);
  }

  /** Those of some numbers that belong to the sum up to a version. */
  #apart(ids: readonly number[], upTo: number): number[] {
    return [...new Set(ids)].filter((id) => {
      const known = this.knownOf(id);
      return id !== this.own.id && known > 0 && known <= upTo;
    });
  }

  /** The sum of the mixes of all but the own one and some others whose last known write is not above a version. */
  #sumBut(others: readonly number[], upTo: number): number {
    let sum = this.#sums.find((sum) => sum.upTo === upTo)?.sum;
    if (sum === undefined) {
      let all = 0;
      this.#forEach((id, known) => {
        if (known > 0 && known <= upTo) all = modulo(all + mixed(id, known));
      });
      sum = all;
      if (this.#sums.length === MAX_SUMS) this.#sums.shift();
      this.#sums.push({ upTo, sum });
    }
    for (const id of others) sum = modulo(sum - mixed(id, this.knownOf(id)));
    return sum;
  }

  /** Whether more is known here of any origin than a peer knows. */
  isBeyond(theirs: Known): boolean {
    const isMore = (id: number, known: number) => known > (theirs.get(id) ?? 0);
    if (isMore(this.own.id, this.own.known)) return true;
    const { base } = theirs;
    if (base === undefined || (base.told !== undefined && !this.#isKnown(theirs, base))) {
      return this.all.some(({ id, known }) => isMore(id, known)) || this.#others.some(isMore);
    }
    // What the base says is known here as well, and not more.
    for (const id of theirs.keys()) if (isMore(id, this.knownOf(id))) return true;
    if (base.upTo >= this.#upTo) return [...this.#recent].some((id) => isMore(id, this.knownOf(id)));
    const isAbove = (id: number, known: number) => known > base.upTo && isMore(id, known);
    return this.all.some(({ id, known }) => isAbove(id, known)) || this.#others.some(isAbove);
  }

  /** Origins with writes here of which more is known here than a peer knows. */
  beyond(theirs: Known): Origin[] {
    const beyond: Origin[] = [];
    for (const origin of this.#around(theirs)) {
      if (origin.size > 0 && origin.known > (theirs.get(origin.id) ?? 0)) beyond.push(origin);
    }
    return beyond;
  }

  /** Origins, with all among them that have writes here and of which more may be known here than a peer knows. */
  #around(theirs: Known): Iterable<Origin> {
    const { base } = theirs;
    if (base === undefined || base.told !== undefined || base.upTo < this.#upTo) return this.all;
    // What the base says is known here as well, and not more.
    const around = new Set([this.own]);
    for (const ids of [this.#recent, theirs.keys()]) for (const id of ids) around.add(this.find(id) ?? this.own);
    return around;
  }
}

/** A sum or difference of up to three numbers below the modulus, the first of which is not taken away. */
function modulo(sum: number): number {
  return sum < 0 ? sum + MODULUS : sum >= MODULUS ? sum - MODULUS : sum;
}

/** The number that would be at a place if numbers were sorted: it puts all that are lower before it, in linear time on average. */
function nth(numbers: Float64Array, place: number): number {
  for (let [from, to] = [0, numbers.length - 1]; from < to;) {
    const middle = numbers[from + to >> 1];
    let [low, high] = [from, to];
    while (low <= high) {
      while (numbers[low] < middle) low++;
      while (numbers[high] > middle) high--;
      if (low > high) break;
      [numbers[low], numbers[high]] = [numbers[high], numbers[low]];
      low++;
      high--;
    }
    if (place <= high) to = high;
    else if (place >= low) from = low;
    else break;
  }
  return numbers[place];
}
