/**
 * How far the writes of many origins are known and forgotten: numbers in arrays, at 20 bytes a place, which cost the collector
 * nothing however many they are. It knows numbers and versions, not writes.
 */

import { type KnownList, scramble, type Told } from "./known.ts";

/** Places at first, a power of two; and the part of them that may be taken before there are twice as many. */
const [FIRST_PLACES, MOST_TAKEN] = [64, 0.75];

/** A table by numbers of origins, of which more than 0 is known. */
export class KnownTable implements Told {
  /** How many there are. */
  size = 0;
  /** Mixed into the numbers: peers could choose numbers that collide in the table. */
  readonly #secret: number;
  #ids: Uint32Array;
  /** 0 where a place is free. */
  #known: Float64Array;
  #forgotten: Float64Array;
  /** No less than any that is forgotten. */
  #mostForgotten = 0;

  /**
   * @param secret A random number of 32 bits.
   * @param count How many there will be, if that is known.
   */
  constructor(secret: number, count = 0) {
    this.#secret = secret;
    const places = placesFor(count);
    this.#ids = new Uint32Array(places);
    this.#known = new Float64Array(places);
    this.#forgotten = new Float64Array(places);
  }

  /** Takes all of a list. */
  static of({ ids, versions }: KnownList, secret: number): KnownTable {
    const table = new KnownTable(secret, ids.length);
    for (let i = 0; i < ids.length; i++) table.know(ids[i], versions[i]);
    return table;
  }

  /** Makes places for `count` origins at once. */
  reserve(count: number): void {
    if (placesFor(count) > this.#ids.length) this.#grow(placesFor(count));
  }

  /** How far an origin is known; 0 if it is not in the table. */
  known(id: number): number {
    return this.#known[this.#placeOf(id)];
  }

  /** How far an origin is forgotten. */
  forgotten(id: number): number {
    return this.#forgotten[this.#placeOf(id)];
  }

  /** Takes note that an origin is known up to `h`, if that is more than before. Returns how far it was known. */
  know(id: number, h: number): number {
    let place = this.#placeOf(id);
    const known = this.#known[place];
    if (h <= known) return known;
    if (known === 0) {
      if (this.size >= MOST_TAKEN * this.#ids.length) {
        this.#grow(2 * this.#ids.length);
        place = this.#placeOf(id);
      }
      this.size++;
      this.#ids[place] = id;
    }
    this.#known[place] = h;
    return known;
  }

  /** Takes note that an origin in the table is forgotten up to a version. */
  forget(id: number, h: number): void {
    const place = this.#placeOf(id);
    this.#forgotten[place] = Math.max(this.#forgotten[place], h);
    this.#mostForgotten = Math.max(this.#mostForgotten, h);
  }

  /** Takes note that all that is known up to a version is forgotten. Returns the highest version of which that is so. */
  forgetUpTo(h: number): number {
    let most = 0;
    for (let place = 0; place < this.#ids.length; place++) {
      const upTo = Math.min(h, this.#known[place]);
      if (upTo > this.#forgotten[place]) this.#forgotten[place] = upTo;
      if (upTo > most) most = upTo;
    }
    this.#mostForgotten = Math.max(this.#mostForgotten, most);
    return most;
  }

  /** The highest version up to which one is forgotten beyond what `knownTo` says; 0 if there is none. */
  mostForgottenBeyond(knownTo: (id: number) => number): number {
    let most = 0;
    for (let place = 0; this.#mostForgotten > most && place < this.#ids.length; place++) {
      const forgotten = this.#forgotten[place];
      if (forgotten > most && forgotten > knownTo(this.#ids[place])) most = forgotten;
    }
    return most;
  }

  /** Takes an origin out. */
  remove(id: number): void {
    let free = this.#placeOf(id);
    if (this.#known[free] === 0) return;
    this.size--;
    const last = this.#ids.length - 1;
    // Those behind that would not be found across a free place move into it.
    for (let place = free + 1 & last; this.#known[place] !== 0; place = place + 1 & last) {
      const home = this.#homeOf(this.#ids[place]);
      if ((place - home & last) < (place - free & last)) continue;
      this.#ids[free] = this.#ids[place];
      this.#known[free] = this.#known[place];
      this.#forgotten[free] = this.#forgotten[place];
      free = place;
    }
    this.#ids[free] = this.#known[free] = this.#forgotten[free] = 0;
  }

  /** Copies how far each is known. Returns how many there are. */
  copyKnown(to: Float64Array): number {
    let count = 0;
    for (let place = 0; place < this.#known.length; place++) {
      if (this.#known[place] !== 0) to[count++] = this.#known[place];
    }
    return count;
  }

  /** Calls `each` for all; it must not change the table. */
  forEach(each: (id: number, known: number, forgotten: number) => void): void {
    for (let place = 0; place < this.#ids.length; place++) {
      if (this.#known[place] !== 0) each(this.#ids[place], this.#known[place], this.#forgotten[place]);
    }
  }

  /** Whether `is` is so for any. */
  some(is: (id: number, known: number) => boolean): boolean {
    for (let place = 0; place < this.#ids.length; place++) {
      if (this.#known[place] !== 0 && is(this.#ids[place], this.#known[place])) return true;
    }
    return false;
  }

  #homeOf(id: number): number {
    return scramble(id ^ this.#secret) & this.#ids.length - 1;
  }

  /** The place of an origin, or the free one where it belongs: there always is one. */
  #placeOf(id: number): number {
    const last = this.#ids.length - 1;
    let place = this.#homeOf(id);
    while (this.#known[place] !== 0 && this.#ids[place] !== id) place = place + 1 & last;
    return place;
  }

  #grow(places: number): void {
    const [ids, known, forgotten] = [this.#ids, this.#known, this.#forgotten];
    this.#ids = new Uint32Array(places);
    this.#known = new Float64Array(places);
    this.#forgotten = new Float64Array(places);
    for (let from = 0; from < ids.length; from++) {
      if (known[from] === 0) continue;
      const to = this.#placeOf(ids[from]);
      this.#ids[to] = ids[from];
      this.#known[to] = known[from];
      this.#forgotten[to] = forgotten[from];
    }
  }
}

/** Places of a table of `count` origins. */
function placesFor(count: number): number {
  let places = FIRST_PLACES;
  while (count > MOST_TAKEN * places) places *= 2;
  return places;
}
