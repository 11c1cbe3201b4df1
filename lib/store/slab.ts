/**
 * Records in few large segments outside the garbage-collected heap. It knows that a record starts with its size and
 * whether it lives; what else is in it is its owner's.
 *
 * A log-structured allocator (Rumble, Kejriwal, Ousterhout: "Log-structured memory for DRAM-based storage", FAST 2014):
 * records are appended to the open segment whatever their size; a record that dies leaves a hole; cleaning moves what
 * lives out of the segment with the largest holes and has that segment back whole. So sizes may change over time
 * without stranding memory, and memory that is no longer needed goes back to the system.
 */

import { Blocks } from "./blocks.ts";
import { MAX_STORE_BYTES } from "../base/limits.ts";

/** Low bits of a record's first word: what kind of record it is, 0 once dead. The rest is its size. */
export const KIND_MASK = 7;

/** What a slab asks of its owner. */
export interface SlabOwner {
  /** A record has been copied elsewhere: whatever led to it must lead to the copy. */
  moved(from: number, to: number): void;
}

/** Options of {@linkcode Slab}. */
export interface SlabOptions {
  readonly owner: SlabOwner;
  /** Bytes of a segment: a power of two, 512 or more. */
  readonly segmentBytes: number;
}

/** The memory of a slab, as a panel may show it. */
export interface SlabPages {
  /** Segments with memory. */
  readonly count: number;
  /** Bytes of a segment. */
  readonly bytes: number;
  /** Bytes of living records. */
  readonly liveBytes: number;
  /** Bytes free at the end of the segment that is being filled. */
  readonly roomBytes: number;
}

/** Records start at multiples of this, and positions count in it. */
export const UNIT_BYTES = 8;

/** Number of largest records in a segment; it bounds how much the end of a segment leaves unused. */
const RECORDS_PER_SEGMENT = 16;
/** A segment with more than this part alive is not worth cleaning: a sixteenth may be lost again at the end of another. */
const WORTH_CLEANING = 1 - 1.2 / RECORDS_PER_SEGMENT;
/** While room is not short, holes may take this part of the memory in use and `HOLE_SEGMENTS` segments more. */
const HOLES = 0.15;
const HOLE_SEGMENTS = 3;
/** Free segments kept for the cleaner: records that it moves must have somewhere to go. */
const RESERVE = 1;
/** Free segments beyond the reserve: with fewer, segments are cleaned ahead. */
const FREE_AHEAD = 1;
/** Part of the memory that living records may take: with less to spare, cleaning would move everything again and again. */
const LIVE = 0.88;
/** Segments that are never full, which counts where there are few: the cleaner's, the one ahead, and two being filled. */
const NOT_FULL = 4;
/** Bytes of records that cleaning looks at for each byte allocated, so that it is done before room runs out. */
const CLEANING_PACE = 24;
const CLEANING_STEP_BYTES = 2048;
/** Segments cleaned in a row for one allocation, before the owner is told to drop something. */
const MAX_CLEANED = 32;
/** Segments cleaned in a row without one becoming free, after which holes are left alone. */
const MAX_FRUITLESS = 32;
/** Free segments whose memory is kept for reuse, at most. */
const SPARES = 2;

/** Indexes of the open segments: new records and moved ones fill separate segments, since they differ in age. */
const FOR_NEW = 0;
const FOR_MOVED = 1;

const NO_WORDS = new Int32Array(0);
const NO_DOUBLES = new Float64Array(0);
const NO_BYTES = new Uint8Array(0);
const NO_VIEW = new DataView(NO_BYTES.buffer);

type State = "free" | "open" | "closed" | "victim";

/** Segments of records. A position is a number above 0; it may change whenever room is made or holes are closed. */
export class Slab {
  /** Bytes of a segment. */
  readonly segmentBytes: number;
  /** Longest record. */
  readonly maxRecordBytes: number;
  /** Bits to shift a position right by to get its segment. */
  readonly shift: number;
  /** Mask of a position's lower bits: the place in its segment, in units of 8 bytes. */
  readonly mask: number;
  /** Segments as 32-bit words; without memory, an empty array. */
  readonly words: Int32Array[] = [];
  /** Segments as doubles. */
  readonly doubles: Float64Array[] = [];
  /** Segments as what any number of bytes can be read from at once, at any place. */
  readonly views: DataView[] = [];
  /** Segments as bytes. */
  readonly bytes: Uint8Array[] = [];
  /** Where the records of each segment end, in bytes. */
  readonly ends: number[] = [];
  /** How often each segment has been opened: a walk that finds another number than it began with must stop. */
  readonly opened: number[] = [];
  /** Bytes of living records. */
  liveBytes = 0;
  /** Bytes of memory that may be held; a lower limit takes effect with the next `reserve`. */
  limitBytes: number = MAX_STORE_BYTES;

  readonly #owner: SlabOwner;
  readonly #blocks: Blocks;
  /** Bytes of living records in each segment. */
  readonly #live: number[] = [];
  readonly #states: State[] = [];
  readonly #open = [-1, -1];
  /** Free segments with memory; `#bare` are those without. */
  readonly #spare: number[] = [];
  readonly #bare: number[] = [];
  /** Segments with memory; `#used` are those of them that are not free. */
  #held = 0;
  #used = 0;
  /** Segments cleaned in vain since a record last died: the holes left are unused ends of segments of long records. */
  #fruitless = 0;
  /** Segments in use when the victim was chosen for its holes; 0 if it was chosen to leave a block's region. */
  #usedBefore = 0;
  #victim = -1;
  #victimAt = 0;

  constructor({ owner, segmentBytes }: SlabOptions) {
    this.#owner = owner;
    this.segmentBytes = segmentBytes;
    this.#blocks = new Blocks(segmentBytes);
    this.maxRecordBytes = segmentBytes / RECORDS_PER_SEGMENT;
    this.shift = Math.log2(segmentBytes / UNIT_BYTES);
    this.mask = segmentBytes / UNIT_BYTES - 1;
  }

  /** Memory held, in bytes. */
  get heldBytes(): number {
    return this.#held * this.segmentBytes;
  }

  /** The memory as numbers that belong together. */
  get pages(): SlabPages {
    const { segmentBytes, liveBytes, roomBytes } = this;
    return { count: this.#held, bytes: segmentBytes, liveBytes, roomBytes };
  }

  /** Memory taken, in bytes, with that of segments given back whose memory waits for the rest of its region. */
  get takenBytes(): number {
    return this.#blocks.bytes;
  }

  /** Segments in all, with and without memory. */
  get segments(): number {
    return this.words.length;
  }

  /** Bytes free at the end of the open segment: a record up to this size wastes nothing. */
  get roomBytes(): number {
    const open = this.#open[FOR_NEW];
    return open < 0 ? 0 : this.segmentBytes - this.ends[open];
  }

  /** Bytes of records that may live at once; beyond this the owner drops some first. */
  get capacityBytes(): number {
    const most = this.#mostSegments;
    return Math.max(0, Math.min(LIVE * most, most - NOT_FULL)) * this.segmentBytes;
  }

  /** Makes room for records of `bytes` bytes in all. Returns false if the owner must drop something first. */
  reserve(bytes: number): boolean {
    for (let cleaned = 0; this.#freeSegments < this.#segmentsFor(bytes) + RESERVE; cleaned++) {
      if (cleaned >= MAX_CLEANED || !this.#clean(Infinity)) return false;
    }
    while (this.heldBytes > this.limitBytes && this.#spare.length > 0) this.#giveBack(this.#spare.pop()!);
    return true;
  }

  /** Cleans ahead a little, in proportion to what is about to be allocated. */
  cleanAhead(bytes: number): void {
    if (this.#isShort || this.#hasHoles) this.#clean(CLEANING_PACE * bytes + CLEANING_STEP_BYTES);
  }

  /**
   * Closes holes, and moves records that keep unused memory from going back to the system, looking at `bytes` bytes of
   * records at most. Returns whether there is more to do.
   */
  tidy(bytes: number): boolean {
    if (this.#hasHoles && this.#clean(bytes)) return true;
    if (!this.#blocks.leave()) return false;
    if (this.#leaveBlocks()) this.#clean(bytes);
    return true;
  }

  /**
   * Adds a record in room that `reserve` has made.
   *
   * @param bytes Its size, a multiple of 8.
   * @param kind 1 to 7.
   * @returns Its position.
   */
  allocate(bytes: number, kind: number): number {
    return this.#append(bytes, kind, FOR_NEW);
  }

  /** Marks a record as dead. */
  release(position: number): void {
    const segment = position >>> this.shift;
    const words = this.words[segment];
    const at = (position & this.mask) << 1;
    const bytes = words[at] & ~KIND_MASK;
    words[at] = bytes;
    this.liveBytes -= bytes;
    this.#live[segment] -= bytes;
    this.#fruitless = 0;
    if (this.#live[segment] === 0 && this.#states[segment] === "closed") this.#free(segment);
  }

  /** Makes a record smaller, and of another kind; the rest of the record becomes a hole. */
  shrink(position: number, bytes: number, kind: number): void {
    const segment = position >>> this.shift;
    const words = this.words[segment];
    const at = (position & this.mask) << 1;
    const rest = (words[at] & ~KIND_MASK) - bytes;
    words[at] = bytes | kind;
    if (rest > 0) words[at + (bytes >> 2)] = rest;
    this.liveBytes -= rest;
    this.#live[segment] -= rest;
  }

  /** Gives a region of memory none of which is in use back to the system. Returns whether there was one. */
  giveBackRegion(): boolean {
    return this.#blocks.giveBackRegion();
  }

  /**
   * Gives back the memory of up to `segments` segments, or of a region of them that waits for it. Only `abandon` may be called afterwards.
   *
   * @returns Whether there is more to give back.
   */
  abandon(segments: number): boolean {
    if (this.#blocks.giveBackRegion()) return this.takenBytes > 0;
    for (let segment = this.words.length - 1; segment >= 0 && segments > 0; segment--) {
      if (this.words[segment].length > 0) {
        this.#giveBack(segment);
        segments--;
      }
      this.words.pop();
    }
    return this.takenBytes > 0;
  }

  /** Byte offset of a segment's first record: in the first segment not 0, since position 0 means none. */
  firstAt(segment: number): number {
    return segment === 0 ? UNIT_BYTES : 0;
  }

  get #mostSegments(): number {
    return Math.floor(Math.min(this.limitBytes, MAX_STORE_BYTES) / this.segmentBytes);
  }

  get #freeSegments(): number {
    return this.#mostSegments - this.#used;
  }

  get #isShort(): boolean {
    return this.#freeSegments < FREE_AHEAD + RESERVE;
  }

  get #hasHoles(): boolean {
    const held = this.#used * this.segmentBytes;
    const holes = held - this.liveBytes;
    return holes > HOLES * held + HOLE_SEGMENTS * this.segmentBytes && this.#fruitless < MAX_FRUITLESS;
  }

  /** Segments to open for records of `bytes` bytes, if each ends with the largest possible waste. */
  #segmentsFor(bytes: number): number {
    const room = this.roomBytes;
    if (bytes <= room) return 0;
    const usable = this.segmentBytes - this.maxRecordBytes;
    return Math.ceil((bytes - Math.max(0, room - this.maxRecordBytes)) / usable);
  }

  #append(bytes: number, kind: number, purpose: number): number {
    let segment = this.#open[purpose];
    if (segment < 0 || this.ends[segment] + bytes > this.segmentBytes) segment = this.#openNext(purpose);
    const at = this.ends[segment];
    this.words[segment][at >> 2] = bytes | kind;
    this.ends[segment] = at + bytes;
    this.#live[segment] += bytes;
    this.liveBytes += bytes;
    return segment << this.shift | at >> 3;
  }

  #openNext(purpose: number): number {
    const segment = this.#spare.pop() ?? this.#withMemory(purpose); // first: this is what may fail
    this.#close(purpose);
    this.#open[purpose] = segment;
    this.#states[segment] = "open";
    this.ends[segment] = this.firstAt(segment);
    this.opened[segment] = (this.opened[segment] ?? 0) + 1;
    this.#used++;
    return segment;
  }

  #close(purpose: number): void {
    const full = this.#open[purpose];
    if (full < 0) return;
    this.#open[purpose] = -1;
    this.#states[full] = "closed";
    if (this.#live[full] === 0) this.#free(full);
  }

  #withMemory(purpose: number): number {
    const { segmentBytes } = this;
    const { buffer, byteOffset } = this.#blocks.take(purpose === FOR_MOVED);
    const segment = this.#bare.pop() ?? this.words.length;
    this.words[segment] = new Int32Array(buffer, byteOffset, segmentBytes / 4);
    this.doubles[segment] = new Float64Array(buffer, byteOffset, segmentBytes / 8);
    this.views[segment] = new DataView(buffer, byteOffset, segmentBytes);
    this.bytes[segment] = new Uint8Array(buffer, byteOffset, segmentBytes);
    this.#live[segment] = 0;
    this.#held++;
    return segment;
  }

  #free(segment: number): void {
    this.#states[segment] = "free";
    this.ends[segment] = 0;
    this.#used--;
    this.#spare.push(segment);
    if (this.#spare.length > SPARES) this.#giveBack(this.#spare.pop()!);
  }

  #giveBack(segment: number): void {
    this.#blocks.giveBack(this.words[segment]);
    this.words[segment] = NO_WORDS;
    this.doubles[segment] = NO_DOUBLES;
    this.views[segment] = NO_VIEW;
    this.bytes[segment] = NO_BYTES;
    this.#bare.push(segment);
    this.#held--;
  }

  /** Moves living records out of the victim, looking at `bytes` bytes of records. Returns whether there was a victim. */
  #clean(bytes: number): boolean {
    if (this.#victim < 0 && !this.#chooseVictim()) return false;
    const victim = this.#victim;
    const words = this.words[victim];
    const end = this.ends[victim];
    const stop = this.#victimAt + bytes;
    let at = this.#victimAt;
    while (at < end && at < stop) {
      const word = words[at >> 2];
      const size = word & ~KIND_MASK;
      if (word !== size) this.#move(victim, at, size);
      at += size;
    }
    this.#victimAt = at;
    if (at >= end) {
      this.#victim = -1;
      this.#free(victim);
      if (this.#usedBefore > 0) this.#fruitless = this.#used < this.#usedBefore ? 0 : this.#fruitless + 1;
    }
    return true;
  }

  #chooseVictim(): boolean {
    let least = WORTH_CLEANING * this.segmentBytes;
    for (let segment = 0; segment < this.#states.length; segment++) {
      if (this.#states[segment] !== "closed" || this.#live[segment] >= least) continue;
      least = this.#live[segment];
      this.#victim = segment;
    }
    if (this.#victim < 0) return false;
    this.#begin(this.#victim, this.#used);
    return true;
  }

  #begin(victim: number, usedBefore: number): void {
    this.#victim = victim;
    this.#states[victim] = "victim";
    this.#usedBefore = usedBefore;
    this.#victimAt = this.firstAt(victim);
  }

  /** Gives back free segments in the region being left. Returns whether there is a segment to be cleaned first. */
  #leaveBlocks(): boolean {
    const isLeft = (segment: number) => segment >= 0 && this.#blocks.isLeft(this.words[segment]);
    for (const purpose of [FOR_NEW, FOR_MOVED]) if (isLeft(this.#open[purpose])) this.#close(purpose);
    for (const spare of this.#spare.filter(isLeft)) {
      this.#spare.splice(this.#spare.indexOf(spare), 1);
      this.#giveBack(spare);
    }
    if (this.#victim >= 0) return true;
    const victim = this.#states.findIndex((state, segment) => state === "closed" && isLeft(segment));
    if (victim >= 0) this.#begin(victim, 0);
    return victim >= 0;
  }

  #move(segment: number, at: number, size: number): void {
    const words = this.words[segment];
    const to = this.#append(size, words[at >> 2] & KIND_MASK, FOR_MOVED);
    const target = this.words[to >>> this.shift];
    const from = at >> 2;
    const toAt = (to & this.mask) << 1;
    if (size > 256) target.set(words.subarray(from, from + (size >> 2)), toAt);
    else for (let i = 1; i < size >> 2; i++) target[toAt + i] = words[from + i];
    words[from] = size;
    this.#live[segment] -= size;
    this.liveBytes -= size;
    this.#owner.moved(segment << this.shift | at >> 3, to);
  }
}
