/**
 * What a node knows of all writes: how far it has dealt with each origin's, in which order they were, which have left, and
 * how far it has forgotten those. It knows records, versions and hashes, not keys, limits or peers. The rules are in
 * docs/replication.md.
 */

import type { ByteSpan } from "../base/byte_span.ts";
import { type Cursor, Fingerprints, MAX_LABEL } from "./fingerprints.ts";
import { publicHash } from "./keyed_hash.ts";
import type { Records } from "./records.ts";
import type { Version } from "./version.ts";
import { Chunks, WriteLog } from "./write_log.ts";

/** The rules of docs/replication.md that the simulator can switch off, to show what each is for. */
export interface Rules {
  /** What leaves without a newer write of its key leaves a fingerprint. */
  fingerprints: boolean;
  /** Fingerprints are given after the last write, not after the first page. */
  lastPage: boolean;
  /** Entries that a peer's fingerprints cover are dropped. */
  sweep: boolean;
  /** What is refused leaves a fingerprint. */
  bury: boolean;
  /** What is known already is not accepted again. */
  cover: boolean;
  /** What may have left here, or is below the floor, is accepted only from those who know what has left. */
  floor: boolean;
  /** What may have left here, or is below the floor, is accepted from senders who know what has left. */
  dominance: boolean;
  /** Entries that may have been deleted elsewhere are verified. */
  verify: boolean;
  /** A push is applied only if the write before it is known. */
  prefix: boolean;
  /** Answers to an earlier start are ignored. */
  incarnation: boolean;
  /** Nothing from before a clear is accepted. */
  clear: boolean;
  /** A renewal is for the very version that it names. */
  touch: boolean;
  /** What pages bring is known with the last of them. */
  pages: boolean;
  /** What a catch-up that broke off has left is adopted. */
  adoption: boolean;
}

/** All rules. */
export const ALL_RULES: Rules = {
  fingerprints: true,
  lastPage: true,
  sweep: true,
  bury: true,
  cover: true,
  floor: true,
  dominance: true,
  verify: true,
  prefix: true,
  incarnation: true,
  clear: true,
  touch: true,
  pages: true,
  adoption: true,
};

/** What is known of one origin's writes. */
export interface Origin {
  id: number;
  /** Origin that made the writes: `id` itself or, where they have been adopted, another. */
  writer: number;
  /** All writes of the origin up to this version have been dealt with. */
  known: number;
  /** The highest version counted under `id` whose fingerprint has been dropped. */
  forgotten: number;
  /** The highest version counted under `id` that has a fingerprint; 0 without one. */
  left: number;
  /** The highest version counted under `id` that was an orphan here when it left. */
  lost: number;
  /** The label of its fingerprints; 0 without one. */
  label: number;
  /** The origin's writes that are held as an entry or a grave. */
  log: WriteLog;
}

/** How far the writes of origins are known: id → h. */
export type Known = Map<number, number>;

/** Whether `one` knows any write that `other` does not. */
export function exceeds(one: Known, other: Known): boolean {
  for (const [id, h] of one) if (h > (other.get(id) ?? 0)) return true;
  return false;
}

/** A write that has left, as peers tell each other of it. */
export interface Departure {
  /** A hash of the key. */
  hash: number;
  /** The version of the write, or a little more. */
  upTo: number;
  /** The origin under which the write is counted, and the one that made it. */
  id: number;
  writer: number;
}

/** Origins that a history tells apart: one for each start of each server. */
export const MAX_ORIGINS = 4096;
/** Labels that are taken from origins at a time when all are in use. */
const LABELS_FREED = 32;
/** Cells of the table of fingerprints that are looked at for one page. */
const PAGE_CELLS = 2 ** 16;
const STEP_CELLS = 2 ** 10;

/** The writes of all origins. */
export class History {
  /** Origins by index; the first is this node's own. */
  readonly origins: Origin[] = [];
  /** The highest `forgotten` of all origins. */
  floor = 0;
  /** Version of the last clear: nothing at or below it lives. */
  cleared = 0;
  /** How many records have been counted under another origin than before. */
  relabelled = 0;
  /** Whether peers have given fingerprints that have not been compared with all entries yet. */
  isUnswept = false;
  /** How far fingerprints that peers gave have been dropped that nothing known here rests on. */
  readonly unclaimed: Known = new Map();
  /** Fingerprints of the writes that have left. */
  readonly #fingerprints: Fingerprints;
  /** Origins by the label of their fingerprints. */
  readonly #labelled: (Origin | undefined)[] = [];
  #records!: Records;
  #chunks!: Chunks;
  readonly #ownId: number;
  readonly #hashMask: number;
  readonly #evict: (position: number) => void;
  readonly #indexes = new Map<number, number>();

  /**
   * @param maxForgotten Writes that have left of which fingerprints are kept in any case; `hashBits` is how many bits of their
   * hash are used.
   * @param evict Removes the record at a position, whose write leaves.
   */
  constructor(ownId: number, maxForgotten: number, evict: (position: number) => void, hashBits = 32) {
    this.#ownId = ownId;
    this.#evict = evict;
    this.#hashMask = -1 << 32 - hashBits;
    this.#fingerprints = new Fingerprints(maxForgotten, (label, upTo) => {
      const origin = this.#labelled[label]!;
      this.#drop(origin, Math.min(upTo, origin.left));
    });
  }

  /** Continues with other records, still empty; what is known, forgotten and cleared stays. */
  attach(records: Records): void {
    this.#records = records;
    this.#chunks = new Chunks(records);
    for (const origin of this.origins) origin.log = new WriteLog(records, this.#chunks);
    if (this.origins.length === 0) this.indexOf(this.#ownId);
  }

  /** Memory of the order of writes and of fingerprints, in bytes. */
  get bytes(): number {
    return this.#chunks.bytes + this.#fingerprints.bytes;
  }

  /** Bytes that the next write may add to `bytes`. */
  get growthBytes(): number {
    return this.#chunks.growthBytes + this.#fingerprints.growthBytes;
  }

  /** Memory of fingerprints, in bytes. */
  get fingerprintBytes(): number {
    return this.#fingerprints.bytes;
  }

  /** Number of fingerprints. */
  get fingerprints(): number {
    return this.#fingerprints.size;
  }

  /** Index of an origin. A new origin gets the next index or, if none is left, that of the one with the fewest writes here. */
  indexOf(id: number): number {
    const known = this.#indexes.get(id);
    if (known !== undefined) return known;
    const log = new WriteLog(this.#records, this.#chunks);
    const origin = { id, writer: id, known: 0, forgotten: 0, left: 0, lost: 0, label: 0, log };
    const index = this.origins.length < MAX_ORIGINS ? this.origins.length : this.#retire();
    this.origins[index] = origin;
    this.#indexes.set(id, index);
    return index;
  }

  /** Gives up the origin with the fewest writes here; of those with equally few, the one whose last known write is oldest. */
  #retire(): number {
    let least = 1;
    for (let i = 2; i < this.origins.length; i++) {
      const { log: { size }, known } = this.origins[i];
      const { log, known: leastKnown } = this.origins[least];
      if (size < log.size || (size === log.size && known < leastKnown)) least = i;
    }
    const { id, log } = this.origins[least];
    for (const position of [...log.after(0)]) this.#evict(position);
    this.#indexes.delete(id);
    return least;
  }

  /** How far an origin's writes are known; 0 for one not met. */
  knownOf(id: number): number {
    const index = this.#indexes.get(id);
    return index === undefined ? 0 : this.origins[index].known;
  }

  /** Whether an origin has been met. */
  hasMet(id: number): boolean {
    return this.#indexes.has(id);
  }

  /**
   * Whether a write of this version is held here. An orphan that comes again as an adopted write is an orphan no longer:
   * from now on it is counted under the number of its adoption.
   */
  recognizes(version: Version): boolean {
    const { h, origin, by } = version;
    if (this.at(by ?? origin, h) !== 0) return true;
    if (by === undefined || this.knownOf(origin) >= h) return false;
    const orphan = this.at(origin, h);
    if (orphan === 0) return false;
    this.remove(orphan);
    this.add(orphan, version);
    this.relabelled++;
    return true;
  }

  /** Position of the write of version `h` that is counted under an origin, or 0. */
  at(id: number, h: number): number {
    const index = this.#indexes.get(id);
    return index === undefined ? 0 : this.origins[index].log.at(h);
  }

  /**
   * Whether to refuse a write that is newer than what is held of its key: the write is known; or it, or a newer one, may have
   * left here unknown to the sender. Then it leaves a fingerprint, since it counts as known before long.
   *
   * @param isLive Whether an entry of its key lives here: then nothing newer has left, unless a peer has just said so.
   * @param theirs What the sender knows.
   */
  refuses(version: Version, key: ByteSpan, isLive: boolean, theirs: Known, rules: Rules): boolean {
    if (!isLive && rules.cover && this.covers(version)) return true;
    if (!rules.floor) return false;
    const mayBeForgotten = !isLive && this.#isForgotten(version.h, theirs);
    if (!mayBeForgotten && !this.hasNewer(key, version, theirs)) return false;
    if (rules.bury) this.depart(version, key);
    return true;
  }

  /** Whether by a fingerprint a write of a key that is newer than a version, and that `known` does not hold, may have left. */
  hasNewer(key: ByteSpan, { h, origin }: Version, known?: Known): boolean {
    if (h > this.#fingerprints.last) return false;
    return this.#fingerprints.covers(this.#hash(key), h, (label, upTo) => {
      const { id, writer, left } = this.#labelled[label]!;
      if (upTo === h && writer === origin) return false; // that very write
      return known === undefined || Math.min(upTo, left) > (known.get(id) ?? 0);
    });
  }

  /** Whether the last write of a key that has left, if it is still known exactly, had this version and was the newest. */
  leftLast(key: ByteSpan, { h, origin, by = origin }: Version): boolean {
    const index = this.#indexes.get(by);
    return index !== undefined && this.#fingerprints.wasLast(this.#hash(key), h, this.origins[index].label);
  }

  /** Whether versions at or above `h` have been forgotten here that `theirs` does not hold. */
  #isForgotten(h: number, theirs: Known): boolean {
    return h <= this.floor &&
      this.origins.some(({ id, forgotten }) => forgotten >= h && forgotten > (theirs.get(id) ?? 0));
  }

  /** Whether a version is known, under its origin or under the number of its adoption. */
  covers({ h, origin, by = origin }: Version): boolean {
    return Math.max(this.knownOf(origin), this.knownOf(by)) >= h;
  }

  /** Version of the write at a position. */
  version(position: number): Version {
    const { id, writer } = this.origins[this.#records.origin(position)];
    const h = this.#records.h(position);
    return id === writer ? { h, origin: id } : { h, origin: writer, by: id };
  }

  /** Gives the record at a position a version, and its place among the writes of its origin. */
  add(position: number, version: Version): void {
    const index = this.#indexFor(version);
    this.#records.setVersion(position, version.h, index);
    this.origins[index].log.add(position);
  }

  /** Index of the origin under which a write is counted. */
  #indexFor(version: Version): number {
    const { origin, by = origin } = version;
    if (origin === this.origins[0].id) return 0;
    return by === origin ? this.indexOf(origin) : this.#adopted(version, by);
  }

  /** Index of the number under which an adopted write is counted: each number stands for one writer. */
  #adopted({ origin }: Version, by: number): number {
    const writer = this.indexOf(origin);
    const index = this.indexOf(by);
    const adopted = this.origins[index];
    if (index !== 0 && adopted.log.size === 0) adopted.writer = origin;
    return adopted.writer === origin ? index : writer;
  }

  /** Origins of which more has been held here than is known, which a catch-up under way or broken off leaves. */
  get orphaned(): number[] {
    return this.origins.filter(({ known, forgotten, lost, log }) =>
      Math.max(forgotten, lost) > Math.max(known, this.cleared) || (log.size > 0 && log.countAfter(known) > 0)
    ).map(({ id }) => id);
  }

  /**
   * Adopts the writes of an origin that are held beyond what is known of it: they are counted under the number `by`, of
   * which all is known once all of them have been moved there.
   *
   * @returns How many writes were moved; if `most`, there may be more.
   */
  adopt(id: number, by: number, most: number): number {
    const index = this.#indexes.get(id);
    if (index === undefined) return 0;
    const origin = this.origins[index];
    const { writer, known } = origin;
    const moving: number[] = [];
    for (const position of known === 0 ? [] : origin.log.after(known)) if (moving.push(position) === most) break;
    for (const position of moving) {
      this.remove(position);
      this.add(position, { h: this.#records.h(position), origin: writer, by });
    }
    if (moving.length === most) return most;
    if (known === 0 && !this.hasMet(by)) {
      this.#indexes.delete(id);
      this.#indexes.set(by, index);
      origin.id = by;
    }
    const adopted = this.origins[this.indexOf(by)];
    if (adopted !== origin) {
      if (adopted.log.size === 0) adopted.writer = writer;
      adopted.forgotten = Math.max(adopted.forgotten, origin.forgotten > known ? origin.forgotten : 0);
      origin.forgotten = Math.min(origin.forgotten, known);
      if (origin.lost > known) {
        adopted.lost = Math.max(adopted.lost, origin.lost);
        adopted.left = Math.max(adopted.left, origin.left);
        this.#fingerprints.copyLabel(this.#labelOf(origin), this.#labelOf(adopted), known);
        origin.lost = known;
      }
    }
    adopted.known = Math.max(adopted.log.last, adopted.forgotten, adopted.lost);
    this.relabelled++;
    return moving.length;
  }

  /** Takes the record at a position out of the writes of its origin. */
  remove(position: number): void {
    this.#chunks.remove(position);
  }

  /** Updates the place of a record that has moved to position `to`. */
  moved(to: number): void {
    this.#chunks.moved(to);
  }

  /** How far the writes of each origin are known. */
  get known(): Known {
    const known: Known = new Map();
    for (const origin of this.origins) if (origin.known > 0) known.set(origin.id, origin.known);
    return known;
  }

  /** A number that is equal on nodes that know the same writes: a sum, which does not depend on the order of origins. */
  get digest(): number {
    let sum = 0;
    for (const { id, known } of this.origins) if (known > 0) sum = (sum + mixed(id, known)) % 2 ** 52;
    return sum;
  }

  /** How many of the writes known here are beyond what `theirs` knows. */
  countBeyond(theirs: Known): number {
    let count = 0;
    for (const { id, known, log } of this.origins) {
      const have = theirs.get(id) ?? 0;
      if (known > have) count += log.countAfter(have) - log.countAfter(known);
    }
    return count;
  }

  /** Takes note that a write of a key has left: no record of the key as new as it remains. */
  depart(version: Version, key: ByteSpan): void {
    this.#depart(this.origins[this.#indexFor(version)], this.#hash(key), version.h, false);
  }

  /**
   * Takes note that the write at a position, of this key, leaves.
   *
   * @param isNewest Whether nothing newer of its key has been heard of.
   */
  departAt(position: number, key: ByteSpan, isNewest: boolean): void {
    const origin = this.origins[this.#records.origin(position)];
    this.#depart(origin, this.#hash(key), this.#records.h(position), isNewest && !this.isUnswept);
  }

  #hash(key: ByteSpan): number {
    return (publicHash(key) & this.#hashMask) >>> 0;
  }

  /** Takes a peer's fingerprint over, which makes nothing known. */
  take({ hash, upTo, id, writer }: Departure): void {
    const origin = this.origins[this.indexOf(id)];
    if (origin !== this.origins[0] && origin.log.size === 0) origin.writer = writer;
    this.isUnswept = true;
    if (!this.#fingerprints.add(hash, upTo, this.#labelOf(origin))) return this.#drop(origin, upTo);
    if (upTo > origin.left) origin.left = upTo;
  }

  /**
   * The next fingerprints that a peer lacks who knows `theirs`, about `most` of them, in ascending order of versions. The
   * cursor moves on.
   *
   * @returns The fingerprints, and whether there may be more.
   */
  departures(theirs: Known, cursor: Cursor, most: number): { departures: Departure[]; more: boolean } {
    const departures: Departure[] = [];
    const lacked = this.#labelled.map((origin) => {
      const have = Math.max(theirs.get(origin?.id ?? 0) ?? 0, this.cleared);
      return origin !== undefined && origin.left > have ? have : Infinity;
    });
    if (lacked.every((have) => have === Infinity)) return { departures, more: false };
    let more = true;
    for (let cells = 0; more && cells < PAGE_CELLS && departures.length < most; cells += STEP_CELLS) {
      more = this.#fingerprints.walk(cursor, STEP_CELLS, ({ hash, upTo, label }) => {
        const { id, writer, left } = this.#labelled[label]!;
        if (Math.min(upTo, left) > lacked[label]) departures.push({ hash, upTo: Math.min(upTo, left), id, writer });
      });
    }
    departures.sort((a, b) => a.upTo - b.upTo);
    return { departures, more };
  }

  /** Takes note of a clear: what has left at or below its version matters no more. */
  clear(h: number): void {
    this.cleared = h;
    if (this.#labelled.some((origin) => origin !== undefined && origin.left > h)) return;
    this.#fingerprints.clear();
    this.unclaimed.clear();
    this.isUnswept = false;
    for (const origin of this.#labelled) if (origin !== undefined) origin.left = origin.lost = origin.label = 0;
    this.#labelled.length = 0;
  }

  #depart(origin: Origin, hash: number, h: number, isNewest: boolean): void {
    if (h > origin.known) origin.lost = Math.max(origin.lost, h);
    if (!this.#fingerprints.add(hash, h, this.#labelOf(origin), isNewest)) return this.#forget(origin, h);
    if (h > origin.left) origin.left = h;
  }

  /** The label of an origin's fingerprints: a new one, if need be one that is taken from the origin whose last is lowest. */
  #labelOf(origin: Origin): number {
    if (origin.label !== 0) return origin.label;
    if (this.#labelled.length === 0) this.#labelled.push(undefined); // 0 is no label
    let label = this.#labelled.indexOf(undefined, 1);
    if (label < 0) label = this.#labelled.length;
    if (label > MAX_LABEL) {
      const lowest = this.#labelled.slice(1).sort((a, b) => a!.left - b!.left).slice(0, LABELS_FREED) as Origin[];
      const gone = new Set(lowest.map(({ label }) => label));
      this.#fingerprints.removeLabels((label) => gone.has(label));
      for (const other of lowest) {
        this.#labelled[label = other.label] = undefined;
        this.#drop(other, other.left);
        other.left = other.label = 0;
      }
    }
    this.#labelled[label] = origin;
    return origin.label = label;
  }

  /** Takes note that fingerprints of an origin have been dropped. Those that make no difference to what is known are not missed. */
  #drop(origin: Origin, upTo: number): void {
    const claimed = Math.max(origin.known, origin.lost);
    this.#forget(origin, Math.min(upTo, claimed));
    if (upTo > claimed) this.unclaimed.set(origin.id, Math.max(upTo, this.unclaimed.get(origin.id) ?? 0));
  }

  /** Takes note that a version has been forgotten: nothing here tells of it any more. */
  forget({ h, origin, by = origin }: Version): void {
    this.#forget(this.origins[this.indexOf(by)], h);
  }

  /** Takes note that an origin's writes up to `h` have been dealt with. */
  know({ h, origin }: Version): void {
    const list = this.origins[this.indexOf(origin)];
    if (h > list.known) list.known = h;
  }

  #forget(origin: Origin, h: number): void {
    if (h > origin.forgotten) origin.forgotten = h;
    if (h > this.floor) this.floor = h;
  }
}

/** Mixes an origin and how far it is known into 52 bits: multiplications and shifts, after MurmurHash3's finalizer. */
function mixed(id: number, h: number): number {
  const [high, low] = [Math.floor(h / 2 ** 32), h >>> 0];
  const a = scramble(Math.imul(id, 0x9e3779b1) ^ low);
  const b = scramble(a ^ Math.imul(high, 0x85ebca6b) ^ id);
  return (b & 0xfffff) * 2 ** 32 + (scramble(a + b) >>> 0);
}

function scramble(x: number): number {
  x = Math.imul(x ^ x >>> 16, 0x85ebca6b);
  x = Math.imul(x ^ x >>> 13, 0xc2b2ae35);
  return x ^ x >>> 16;
}
