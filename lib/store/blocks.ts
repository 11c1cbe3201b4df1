/**
 * Memory outside the garbage-collected heap, in blocks of one size, that goes back to the system when it is no longer needed.
 *
 * Blocks are parts of larger regions, since only a buffer of 32 MiB and more is sure to be mapped by itself: the C library
 * keeps the memory of smaller ones once some have been freed (measured). Buffers that can be resized are always mapped, but every
 * access to them takes about twice as long (measured). A part of a region that has never been used takes no memory.
 */

import { giveBack } from "../base/memory.ts";

/** A region has as many blocks as are in use before it; with more bytes in use than this it is mapped by itself. */
const MAX_HEAP_BYTES = 4 * 1024 * 1024;
/** A region has at most about this many bytes. */
const MAX_REGION_BYTES = 64 * 1024 * 1024;
/** A region is worth leaving with so many blocks more that are not in use than are. */
const WORTH_LEAVING = 4;

/** A block: so many bytes of a buffer from here on, with anything in it. */
export interface Block {
  readonly buffer: ArrayBuffer;
  readonly byteOffset: number;
}

interface Region {
  readonly buffer: ArrayBuffer;
  readonly blocks: number;
  /** Where blocks begin that have been used and are not in use: they hold memory. */
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
  /** A region most of whose memory is in no use: it is to be left, so that it goes back. */
  #leaving: Region | undefined;

  constructor(blockBytes: number) {
    this.#blockBytes = blockBytes;
  }

  /** Memory that blocks take, in use or not. */
  get bytes(): number {
    return this.#used * this.#blockBytes;
  }

  /**
   * Lends a block: of the first region that has one, so that the last ones become free.
   *
   * @param toLeave Whether it is to take what lies in a region that is left; else that one lends before there is another.
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

  /** Takes a block back, by any view that begins with it. A region none of whose blocks is in use goes back to the system. */
  giveBack({ buffer, byteOffset }: ArrayBufferView): void {
    const i = this.#regions.findIndex((region) => region.buffer === buffer);
    const region = this.#regions[i];
    region.returned.push(byteOffset);
    if (inUse(region) > 0) return;
    this.#regions.splice(i, 1);
    this.#used -= region.used;
    if (region === this.#leaving) this.#leaving = undefined;
    giveBack(region);
  }

  /** Whether there is a region worth leaving: it goes back once those who use the blocks that `isLeft` names give them back. */
  leave(): boolean {
    this.#leaving ??= this.#regions.find((region) => region.returned.length >= inUse(region) + WORTH_LEAVING);
    return this.#leaving !== undefined;
  }

  /** Whether a block, by any view of it, is to be given back. */
  isLeft({ buffer }: ArrayBufferView): boolean {
    return this.#leaving?.buffer === buffer;
  }

  #addRegion(): Region {
    const before = this.#regions.reduce((sum, region) => sum + inUse(region), 0);
    const most = Math.floor(MAX_REGION_BYTES / this.#blockBytes);
    const blocks = before * this.#blockBytes >= MAX_HEAP_BYTES ? most : Math.max(1, Math.min(before, most));
    const region = { buffer: new ArrayBuffer(blocks * this.#blockBytes), blocks, returned: [], used: 0 };
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
