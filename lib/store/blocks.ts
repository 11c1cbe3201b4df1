/**
 * Memory outside the garbage-collected heap, in blocks of one size, that goes back to the system when it is no longer needed.
 *
 * Blocks are parts of larger regions, since only a buffer of 32 MiB and more is sure to be mapped by itself: the C library
 * keeps the memory of smaller ones once some have been freed (measured). Buffers that can be resized are always mapped, but every
 * access to them takes about twice as long (measured). A part of a region that has never been used takes no memory.
 */

import { giveBack } from "../base/memory.ts";

/** Bytes in use below which a new region only doubles the blocks; from here on it is large enough to be mapped by itself. */
const MAX_HEAP_BYTES = 4 * 1024 * 1024;
/** Bytes of a region, at most: to give back more takes more than two milliseconds (measured). */
const MAX_REGION_BYTES = 16 * 1024 * 1024;
/** Bytes of the buffer of a region of `MAX_REGION_BYTES`: the C library maps a buffer of this length by itself. Those behind the region are never used. */
const MAPPED_BYTES = 32 * 1024 * 1024;
/** A region is worth leaving if at least this many more of its used blocks have been returned than are in use. */
const WORTH_LEAVING = 4;

/** A block: part of a buffer, from `byteOffset` on, with arbitrary content. */
export interface Block {
  readonly buffer: ArrayBuffer;
  readonly byteOffset: number;
}

interface Region {
  readonly buffer: ArrayBuffer;
  readonly blocks: number;
  /** Byte offsets of blocks that have been used and are not in use now: they still take memory. */
  readonly returned: number[];
  /** Blocks that have been used; those behind them take no memory. */
  used: number;
}

/** Lends blocks of one size. */
export class Blocks {
  readonly #blockBytes: number;
  readonly #regions: Region[] = [];
  /** Blocks that have been used, of all regions. */
  #used = 0;
  /** A region most of whose memory is unused: its blocks are to be given back, so that it goes back to the system. */
  #leaving: Region | undefined;

  constructor(blockBytes: number) {
    this.#blockBytes = blockBytes;
  }

  /** Memory that blocks take, in use or not, in bytes. */
  get bytes(): number {
    return this.#used * this.#blockBytes;
  }

  /**
   * Lends a block of the first region that has one, so that the last regions become free.
   *
   * @param toLeave Whether the block is to hold what moves out of the region being left. If not, that region lends a block
   * before a new region is added, and stays.
   */
  take(toLeave = false): Block {
    let region = this.#regions.find((region) => region !== this.#leaving && hasRoom(region));
    if (region === undefined && this.#leaving !== undefined && !toLeave) {
      region = this.#leaving;
      this.#leaving = undefined;
    }
    region ??= this.#addRegion();
    const { buffer, returned } = region;
    if (returned.length > 0) return { buffer, byteOffset: returned.pop()! };
    this.#used++;
    return { buffer, byteOffset: this.#blockBytes * region.used++ };
  }

  /**
   * Takes back the block at which a view begins. A region none of whose blocks is in use goes back to the system: a small one at
   * once, a large one with `giveBackRegion`, or when there is another.
   */
  giveBack({ buffer, byteOffset }: ArrayBufferView): void {
    const i = this.#regions.findIndex((region) => region.buffer === buffer);
    const region = this.#regions[i];
    region.returned.push(byteOffset);
    if (inUse(region) > 0) return;
    if (region === this.#leaving) this.#leaving = undefined;
    if (buffer.byteLength < MAPPED_BYTES) return this.#remove(region);
    this.giveBackRegion(region);
  }

  /**
   * Gives a large region, other than `but`, back to the system if none of its blocks is in use: that takes as long as a slice of
   * work may. Returns whether there was one.
   */
  giveBackRegion(but?: object): boolean {
    const region = this.#regions.find((region) => region !== but && region.used > 0 && inUse(region) === 0);
    if (region !== undefined) this.#remove(region);
    return region !== undefined;
  }

  #remove(region: Region): void {
    this.#regions.splice(this.#regions.indexOf(region), 1);
    this.#used -= region.used;
    giveBack(region);
  }

  /** Whether there is a region worth leaving: it goes back once every block for which `isLeft` is true is given back. */
  leave(): boolean {
    this.#leaving ??= this.#regions.find((region) =>
      inUse(region) > 0 && region.returned.length >= inUse(region) + WORTH_LEAVING
    );
    return this.#leaving !== undefined;
  }

  /** Whether a view's block lies in the region being left, and is to be given back. */
  isLeft({ buffer }: ArrayBufferView): boolean {
    return this.#leaving?.buffer === buffer;
  }

  #addRegion(): Region {
    const before = this.#regions.reduce((sum, region) => sum + inUse(region), 0);
    const most = Math.floor(MAX_REGION_BYTES / this.#blockBytes);
    const blocks = before * this.#blockBytes >= MAX_HEAP_BYTES ? most : Math.max(1, Math.min(before, most));
    const bytes = blocks === most ? MAPPED_BYTES : blocks * this.#blockBytes;
    const region = { buffer: new ArrayBuffer(bytes), blocks, returned: [], used: 0 };
    this.#regions.push(region);
    return region;
  }
}

function inUse({ used, returned }: Region): number {
  return used - returned.length;
}

function hasRoom(region: Region): boolean {
  return inUse(region) < region.blocks;
}
