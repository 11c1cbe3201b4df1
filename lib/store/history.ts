/**
 * What a node knows of all writes: how far it has dealt with each origin's, in which order they were, which have left, and
 * how far it has forgotten those. It knows records, versions and hashes, not keys, limits or peers. The rules are in
 * docs/replication.md.
 */

import type { ByteSpan } from "../base/byte_span.ts";
import { type Cursor, Fingerprints, type FingerprintSizes, MAX_LABEL } from "./fingerprints.ts";
import type { HashKey } from "./keyed_hash.ts";
import { publicHash } from "../base/public_hash.ts";
import type { Records } from "./records.ts";
import type { Version } from "./version.ts";
import type { Rules } from "./rules.ts";
import { EVERY, type Known } from "./known.ts";
import { Logs } from "./logs.ts";
import { type Origin, Origins, type OriginSizes } from "./origins.ts";
import type { WriteLog } from "./write_log.ts";

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

/** Labels that are taken from origins at a time when all are in use. */
const LABELS_FREED = 32;
/** Cells of the table of fingerprints that are looked at for one page. */
const PAGE_CELLS = 2 ** 16;
const STEP_CELLS = 2 ** 10;

/** What a history is made of; the simulator and tests make its sizes small. */
export interface HistoryOptions extends OriginSizes, FingerprintSizes {
  /** Two random numbers that protect against origins chosen to collide. */
  hashKey?: HashKey;
  /** Bits of the hash of a fingerprint that are used. */
  hashBits?: number;
  /** Origins that have a log of their own. */
  maxLogs?: number;
  /** Cells of the table of fingerprints that are looked at for one page. */
  pageCells?: number;
}

/** The writes of all origins. */
export class History {
  /** The writes that are held. */
  logs!: Logs;
  /** Origins, and how far the writes of each are known. */
  readonly knowledge: Origins;
  /** The highest `forgotten` of all origins. */
  floor = 0;
  /** Version of the last clear: nothing at or below it lives. */
  cleared = 0;
  /**
   * Entries with versions below this one are kept, and shared with peers, but clients are not given them: it is not known yet whether
   * they are the newest. 0 if there are none.
   */
  withheldBelow = 0;
  /** Whether peers have given fingerprints that have not been compared with all entries yet. */
  isUnswept = false;
  /** How far fingerprints that peers gave have been dropped that nothing known here rests on. */
  readonly unclaimed: Known = new Map();
  /** Fingerprints of the writes that have left. */
  readonly #fingerprints: Fingerprints;
  /** Origins by the label of their fingerprints. */
  readonly #labelled: (Origin | undefined)[] = [];
  #records!: Records;
  readonly #hashMask: number;
  /** Whether fingerprints have all bits of the public hashes of keys; the simulator has them have fewer. */
  readonly hasWholeHashes: boolean;
  readonly #evict: (position: number) => void;
  readonly #maxLogs: number | undefined;
  readonly #pageCells: number;
  /** Origins of which something has been forgotten; and all of which there may be orphans, here or gone. */
  readonly #forgetful = new Set<Origin>();
  readonly #suspects = new Set<Origin>();
  /** How far has been forgotten what one peer does not know, who was asked about last. */
  #judged: { readonly theirs: Known; most: number } | undefined;

  /**
   * @param maxForgotten Writes that have left of which fingerprints are kept in any case.
   * @param evict Removes the record at a position, whose write leaves.
   */
  constructor(ownId: number, maxForgotten: number, evict: (position: number) => void, options: HistoryOptions = {}) {
    this.knowledge = new Origins(ownId, options.hashKey?.[0] ?? 0, options);
    this.#maxLogs = options.maxLogs;
    this.#pageCells = options.pageCells ?? PAGE_CELLS;
    this.#evict = evict;
    this.hasWholeHashes = (options.hashBits ?? 32) === 32;
    this.#hashMask = -1 << 32 - (options.hashBits ?? 32);
    const dropped = (label: number, upTo: number) => {
      const origin = this.#labelled[label]!;
      this.#drop(origin, Math.min(upTo, origin.left));
    };
    this.#fingerprints = new Fingerprints(maxForgotten, dropped, options);
  }

  /** Continues with other records, still empty; what is known, forgotten and cleared stays. */
  attach(records: Records): void {
    this.#records = records;
    for (const origin of this.knowledge.all) {
      origin.log = undefined;
      origin.size = origin.newest = 0;
    }
    this.logs = new Logs(records, this.knowledge.own, this.#maxLogs);
  }

  /** All origins, to look at: changes of those without writes change nothing. The first is this node's own. */
  get origins(): readonly Origin[] {
    return [...this.knowledge.listed()];
  }

  /** Memory of the order of writes and of fingerprints, in bytes. */
  get bytes(): number {
    return this.logs.bytes + this.#fingerprints.bytes;
  }

  /** Bytes that the next write may add to `bytes`. */
  get growthBytes(): number {
    return this.logs.growthBytes + this.#fingerprints.growthBytes;
  }

  /** Memory of fingerprints, in bytes. */
  get fingerprintBytes(): number {
    return this.#fingerprints.bytes;
  }

  /** Number of fingerprints. */
  get fingerprints(): number {
    return this.#fingerprints.size;
  }

  #origin(id: number): Origin {
    const origin = this.knowledge.get(id);
    if (origin.forgotten > 0) this.#forgetful.add(origin); // until now it may have been one of which no more was kept
    return origin;
  }

  /**
   * Gives up origins beyond the limit, those with the fewest writes here: these leave. What they have replaced can be told no
   * more, so all that is known up to them counts as forgotten.
   *
   * @returns Whether there were any.
   */
  limitOrigins(): boolean {
    const retired = this.knowledge.retire();
    if (retired === undefined) return false;
    const gone = new Set(retired.gone);
    const leaving: number[] = [];
    const logs = new Set<WriteLog>();
    for (const { log, size } of gone) if (log !== undefined && size > 0) logs.add(log);
    for (const log of logs) {
      for (const position of log.after(0)) if (gone.has(this.logs.originAt(position))) leaving.push(position);
    }
    for (const position of leaving) this.#evict(position);
    let [{ upTo }, isLabelled] = [retired, false];
    for (const origin of gone) {
      const { newest, known, left, lost, forgotten, label } = origin;
      upTo = Math.max(upTo, newest, known, left, lost, forgotten);
      if (label !== 0) [this.#labelled[label], isLabelled] = [undefined, true];
      this.#forgetful.delete(origin);
      this.#suspects.delete(origin);
    }
    if (isLabelled) this.#fingerprints.removeLabels((label) => this.#labelled[label] === undefined);
    this.knowledge.remove(gone);
    this.#judged = undefined;
    this.forgetUpTo(upTo);
    return true;
  }

  /** How far an origin's writes are known; 0 for one not met. */
  knownOf(id: number): number {
    return this.knowledge.knownOf(id);
  }

  /** Whether an origin has been met. */
  hasMet(id: number): boolean {
    return this.knowledge.has(id);
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
    return true;
  }

  /** Position of the write of version `h` that is counted under an origin, or 0. */
  at(id: number, h: number): number {
    const origin = this.knowledge.find(id);
    return origin === undefined ? 0 : this.logs.at(origin, h);
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

  /** About the highest version of the writes of a key that have left, by their fingerprints, which may be of others; 0 if there is none. */
  lastLeft(key: ByteSpan): number {
    let last = 0;
    this.#fingerprints.covers(this.#hash(key), 1, (label, upTo) => {
      last = Math.max(last, Math.min(upTo, this.#labelled[label]!.left));
      return false;
    });
    return last;
  }

  /** Whether the last write of a key that has left, if it is still known exactly, had this version and was the newest. */
  leftLast(key: ByteSpan, { h, origin, by = origin }: Version): boolean {
    const label = this.knowledge.find(by)?.label ?? 0;
    return label !== 0 && this.#fingerprints.wasLast(this.#hash(key), h, label);
  }

  /** Whether versions at or above `h` have been forgotten here that `theirs` does not hold. */
  #isForgotten(h: number, theirs: Known): boolean {
    return h <= this.floor && h <= this.mostForgottenBeyond(theirs);
  }

  /**
   * How far writes have been forgotten of which `theirs` does not know, by origin. Of very many origins it is told in common how
   * far what is known of them may be forgotten, where a peer understands that.
   */
  forgottenBeyond(theirs: Known, inCommon = true): Known {
    const maxListed = inCommon ? this.knowledge.maxListed : Infinity;
    const beyond = this.knowledge.forgottenBeyond(theirs, maxListed);
    const lacked = [...this.#forgetful].filter(({ id, forgotten }) => forgotten > (theirs.get(id) ?? 0));
    let most = beyond.get(EVERY) ?? 0;
    for (const { id, known, forgotten } of lacked) {
      if (forgotten > known || lacked.length <= maxListed) beyond.set(id, forgotten);
      else most = Math.max(most, forgotten);
    }
    if (most > 0) beyond.set(EVERY, most);
    return beyond;
  }

  /** The highest version of those; 0 if there is none. All writes of a message ask the same, so it is found out once. */
  mostForgottenBeyond(theirs: Known): number {
    if (this.#judged?.theirs === theirs) return this.#judged.most;
    let most = this.knowledge.mostForgottenBeyond(theirs);
    for (const { id, forgotten } of this.#forgetful) {
      if (forgotten > most && forgotten > (theirs.get(id) ?? 0)) most = forgotten;
    }
    this.#judged = { theirs, most };
    return most;
  }

  /** Origins of which more is forgotten than known, and how far. */
  get forgottenBeyondKnown(): (readonly [id: number, h: number])[] {
    const beyond: (readonly [number, number])[] = [];
    for (const { id, known, forgotten } of this.#forgetful) if (forgotten > known) beyond.push([id, forgotten]);
    return beyond;
  }

  /** Whether a version is known, under its origin or under the number of its adoption. */
  covers({ h, origin, by = origin }: Version): boolean {
    return Math.max(this.knownOf(origin), this.knownOf(by)) >= h;
  }

  /** Version of the write at a position. */
  version(position: number): Version {
    const { id, writer } = this.logs.originAt(position);
    const h = this.#records.h(position);
    return id === writer ? { h, origin: id } : { h, origin: writer, by: id };
  }

  /** Gives the record at a position a version, and its place among the writes of its origin. */
  add(position: number, version: Version): void {
    const origin = this.#originOf(version);
    this.#records.setH(position, version.h);
    this.logs.add(position, origin);
    if (version.h > origin.known && origin !== this.knowledge.own) this.#suspects.add(origin);
  }

  /** The origin under which a write is counted. */
  #originOf(version: Version): Origin {
    const { origin, by = origin } = version;
    if (origin === this.knowledge.own.id) return this.knowledge.own;
    return by === origin ? this.#origin(origin) : this.#adopted(version, by);
  }

  /** The number under which an adopted write is counted: each number stands for one writer. */
  #adopted({ origin }: Version, by: number): Origin {
    const writer = this.#origin(origin);
    const adopted = this.#origin(by);
    if (adopted !== this.knowledge.own && adopted.size === 0) adopted.writer = origin;
    return adopted.writer === origin ? adopted : writer;
  }

  /** Origins of which more has been held here than is known, which a catch-up under way or broken off leaves. */
  get orphaned(): number[] {
    const orphaned: number[] = [];
    const holding = this.logs.holdingBeyond(this.#suspects);
    for (const origin of this.#suspects) {
      const { id, known, forgotten, lost } = origin;
      if (!holding.has(origin)) origin.newest = Math.min(origin.newest, known); // what was newer has left
      if (Math.max(forgotten, lost) > Math.max(known, this.cleared) || holding.has(origin)) orphaned.push(id);
      else if (Math.max(forgotten, lost) <= known) this.#suspects.delete(origin);
    }
    return orphaned;
  }

  /**
   * Adopts the writes of an origin that are held beyond what is known of it: they are counted under the number `by`, of
   * which all is known once all of them have been moved there.
   *
   * @returns How many writes were moved; if `most`, there may be more.
   */
  adopt(id: number, by: number, most: number): number {
    const origin = this.knowledge.find(id);
    if (origin === undefined) return 0;
    const { writer, known } = origin;
    const isRenamed = known === 0 && !this.hasMet(by) && (origin.log === undefined || origin.log.owner === origin);
    const moving: number[] = [];
    for (const position of isRenamed ? [] : this.logs.after(origin, known)) if (moving.push(position) === most) break;
    for (const position of moving) {
      this.remove(position);
      this.add(position, { h: this.#records.h(position), origin: writer, by });
    }
    if (moving.length === most) return most;
    if (isRenamed) this.knowledge.rename(origin, by);
    const adopted = this.#origin(by);
    if (adopted !== origin) {
      if (adopted.size === 0) adopted.writer = writer;
      if (origin.forgotten > known) this.#forget(adopted, origin.forgotten);
      origin.forgotten = Math.min(origin.forgotten, known);
      this.#judged = undefined;
      if (origin.lost > known) {
        adopted.lost = Math.max(adopted.lost, origin.lost);
        adopted.left = Math.max(adopted.left, origin.left);
        this.#fingerprints.copyLabel(this.#labelOf(origin), this.#labelOf(adopted), known);
        origin.lost = known;
      }
    }
    this.know({ h: Math.max(adopted.size === 0 ? 0 : adopted.newest, adopted.forgotten, adopted.lost), origin: by });
    return moving.length;
  }

  /** Takes the record at a position out of the writes of its origin. */
  remove(position: number): void {
    this.logs.remove(position);
  }

  /** Updates the place of a record that has moved to position `to`. */
  moved(to: number): void {
    this.logs.moved(to);
  }

  /** How far the writes of each origin are known. */
  get known(): Known {
    return this.knowledge.known;
  }

  /** A number that is equal on nodes that know the same writes. */
  get digest(): number {
    return this.knowledge.digest;
  }

  /** How many of the writes known here are beyond what `theirs` knows. */
  countBeyond(theirs: Known): number {
    return this.logs.count(this.knowledge.beyond(theirs), (id) => theirs.get(id) ?? 0);
  }

  /** The lowest version of those; `Infinity` if there are none. */
  oldestBeyond(theirs: Known): number {
    return this.logs.oldest(this.knowledge.beyond(theirs), (id) => theirs.get(id) ?? 0);
  }

  /** Takes note that a write of a key has left: no record of the key as new as it remains. */
  depart(version: Version, key: ByteSpan): void {
    this.#depart(this.#originOf(version), this.#hash(key), version.h, false);
  }

  /**
   * Takes note that the write at a position, of this key, leaves.
   *
   * @param isNewest Whether nothing newer of its key has been heard of.
   */
  departAt(position: number, key: ByteSpan, isNewest: boolean): void {
    this.#depart(this.logs.originAt(position), this.#hash(key), this.#records.h(position), isNewest && !this.isUnswept);
  }

  #hash(key: ByteSpan): number {
    return (publicHash(key) & this.#hashMask) >>> 0;
  }

  /** Takes a peer's fingerprint over, which makes nothing known. */
  take({ hash, upTo, id, writer }: Departure): void {
    const origin = this.#origin(id);
    if (origin !== this.knowledge.own && origin.size === 0) origin.writer = writer;
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
    const step = Math.min(STEP_CELLS, this.#pageCells);
    for (let cells = 0; more && cells < this.#pageCells && departures.length < most; cells += step) {
      more = this.#fingerprints.walk(cursor, step, ({ hash, upTo, label }) => {
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
    for (const origin of this.#labelled) {
      if (origin !== undefined) {
        origin.left =
          origin.lost =
          origin.rests =
          origin.label =
            0;
      }
    }
    this.#labelled.length = 0;
  }

  #depart(origin: Origin, hash: number, h: number, isNewest: boolean): void {
    if (h > origin.known) {
      origin.lost = Math.max(origin.lost, h);
      this.#suspects.add(origin);
    }
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
    if (upTo <= claimed) return;
    this.unclaimed.set(origin.id, Math.max(upTo, this.unclaimed.get(origin.id) ?? 0));
    if (origin.rests > claimed) this.forgetUpTo(Math.min(upTo, origin.rests));
  }

  /** Takes note that something has been forgotten that may have replaced any known write up to a version. */
  forgetUpTo(h: number): void {
    for (const origin of this.knowledge.all) if (origin.known > 0) this.#forget(origin, Math.min(h, origin.known));
    this.floor = Math.max(this.floor, this.knowledge.forgetUpTo(h));
    this.#judged = undefined;
  }

  /** Takes note that what is known rests, from now on, on the fingerprints that peers have given, too. */
  rest(): void {
    for (const origin of this.#labelled) if (origin !== undefined) origin.rests = origin.left;
  }

  /** Takes note that a version has been forgotten: nothing here tells of it any more. */
  forget({ h, origin, by = origin }: Version): void {
    if (!this.knowledge.forget(by, h)) return this.#forget(this.#origin(by), h);
    this.floor = Math.max(this.floor, h);
    this.#judged = undefined;
  }

  /** Adds to what a peer has forgotten what may be missing here of its fingerprints, and of orphans, once what it knows is known. */
  addDoubts(lossy: Known): void {
    for (const [id, h] of [...this.unclaimed, ...this.forgottenBeyondKnown]) {
      lossy.set(id, Math.max(h, lossy.get(id) ?? 0));
    }
    this.unclaimed.clear();
  }

  /** Takes over how far a peer has forgotten writes: what is not known of them here may have replaced any that is. */
  forgetAll(lossy: Known): void {
    let upTo = 0;
    for (const [origin, h] of lossy) {
      if (origin !== EVERY && h <= this.knownOf(origin)) this.forget({ origin, h });
      else upTo = Math.max(upTo, h);
    }
    if (upTo > 0) this.forgetUpTo(upTo);
  }

  /** Takes note that the write at a position leaves, and is forgotten. */
  forgetAt(position: number): void {
    this.#forget(this.logs.originAt(position), this.#records.h(position));
  }

  /** Takes note that an origin's writes up to `h` have been dealt with. */
  know({ h, origin }: Version): void {
    this.knowledge.know(origin, h);
    this.#judged = undefined; // what the base in a peer's message stands for may have changed
  }

  #forget(origin: Origin, h: number): void {
    if (h > origin.forgotten) {
      if (origin.forgotten === 0) this.#forgetful.add(origin);
      origin.forgotten = h;
      const judged = this.#judged;
      if (judged !== undefined && h > judged.most && h > (judged.theirs.get(origin.id) ?? 0)) judged.most = h;
    }
    if (h > origin.known) this.#suspects.add(origin);
    if (h > this.floor) this.floor = h;
  }
}
