/**
 * Memory outside the garbage-collected heap, in blocks of one size, that goes back to the system when it is no longer needed.
 *
 * Blocks are parts of larger regions, since only a buffer of 32 MiB and more is sure to be mapped by itself: the C library
 * keeps the memory of smaller ones once some have been freed (measured). Buffers that can be resized are always mapped, but every
 * access to them takes two to three times as long (measured). A part of a region that has never been used takes no memory.
 */

import { giveBack } from "./buffers.ts";

/** A region has as many blocks as there are before it, and at most about this many bytes. */
const MAX_REGION_BYTES = 64 * 1024 * 1024;

/** A block: so many bytes of a buffer from here on, with anything in it. */
export interface Block {
  readonly buffer: ArrayBuffer;
  readonly byteOffset: number;
}

interface Region {
  readonly buffer: ArrayBuffer;
  readonly blocks: number;
  /** Where blocks begin that are not in use. */
  readonly free: number[];
}

/** Lends blocks of one size. */
export class Blocks {
  readonly #blockBytes: number;
  readonly #regions: Region[] = [];
  /** Blocks of all regions. */
  #count = 0;

  constructor(blockBytes: number) {
    this.#blockBytes = blockBytes;
  }

  /** Lends a block: of the first region that has one, so that the last ones become free. */
  take(): Block {
    const { buffer, free } = this.#regions.find(({ free }) => free.length > 0) ?? this.#addRegion();
    return { buffer, byteOffset: free.pop()! };
  }

  /** Takes a block back, by any view that begins with it. A region none of whose blocks is in use goes back to the system. */
  giveBack({ buffer, byteOffset }: ArrayBufferView): void {
    const i = this.#regions.findIndex((region) => region.buffer === buffer);
    const region = this.#regions[i];
    region.free.push(byteOffset);
    if (region.free.length < region.blocks) return;
    this.#regions.splice(i, 1);
    this.#count -= region.blocks;
    giveBack(region);
  }

  #addRegion(): Region {
    const blocks = Math.max(1, Math.min(this.#count, Math.floor(MAX_REGION_BYTES / this.#blockBytes)));
    const buffer = new ArrayBuffer(blocks * this.#blockBytes);
    const free = Array.from({ length: blocks }, (_, i) => (blocks - 1 - i) * this.#blockBytes);
    const region = { buffer, blocks, free };
    this.#regions.push(region);
    this.#count += blocks;
    return region;
  }
}
