import { assert, assertStrictEquals } from "@std/assert";
import { Blocks } from "../../lib/store/blocks.ts";

const BLOCK_BYTES = 4096;

/** Blocks with the views that stand for those in use. */
function fixture(): { blocks: Blocks; take: () => Uint8Array; give: (view: Uint8Array) => void } {
  const blocks = new Blocks(BLOCK_BYTES);
  const take = () => {
    const { buffer, byteOffset } = blocks.take();
    return new Uint8Array(buffer, byteOffset, BLOCK_BYTES);
  };
  return { blocks, take, give: (view) => blocks.giveBack(view) };
}

Deno.test("Blocks lends each block to one borrower at a time when they come and go", () => {
  const { take, give } = fixture();
  const inUse: Uint8Array[] = [];
  for (let i = 0; i < 2000; i++) {
    if (i % 3 < 2) {
      inUse.push(take().fill(i));
      inUse.at(-1)![0] = inUse.length % 256;
    } else {
      const [view] = inUse.splice((7 * i) % inUse.length, 1);
      give(view);
    }
  }
  const places = new Set(inUse.map(({ buffer, byteOffset }) => `${regionOf(buffer, inUse)}:${byteOffset}`));
  assertStrictEquals(places.size, inUse.length);
  for (const view of inUse) assert(view.subarray(1).every((byte) => byte === view[1]));
});

function regionOf(buffer: ArrayBufferLike, views: Uint8Array[]): number {
  return views.findIndex((view) => view.buffer === buffer);
}

Deno.test("Blocks.giveBack() gives a region to the system at once when none of its blocks is in use", () => {
  const { take, give } = fixture();
  const views = Array.from({ length: 64 }, take);
  const buffers = [...new Set(views.map(({ buffer }) => buffer))];
  assert(buffers.length > 1 && buffers.length < 10, `${buffers.length} regions`);
  for (const buffer of buffers.reverse()) {
    const own = views.filter((view) => view.buffer === buffer);
    for (const view of own) {
      assert(buffer.byteLength > 0);
      give(view);
    }
    assertStrictEquals(buffer.byteLength, 0);
  }
  assert(take().length === BLOCK_BYTES);
});

Deno.test("Blocks.take() lends of the first regions when several have blocks", () => {
  const { take, give } = fixture();
  const views = Array.from({ length: 64 }, take);
  const [first, last] = [views[1].buffer, views[63].buffer];
  for (const i of [63, 62, 1]) give(views[i]);
  assertStrictEquals(first.byteLength, 0); // it had one block
  assertStrictEquals(take().buffer, last);
  for (const i of [60, 20, 5]) give(views[i]);
  assertStrictEquals(take().buffer, views[4].buffer);
  assertStrictEquals(take().buffer, views[19].buffer);
});

Deno.test("Blocks.leave() names blocks of a region most of which is not in use, and lends them no more", () => {
  const { blocks, take, give } = fixture();
  const views = Array.from({ length: 64 }, take);
  const { buffer } = views[63];
  assert(!blocks.leave());
  for (const view of views.slice(34)) give(view);
  assert(blocks.leave());
  assert(blocks.isLeft(views[33]) && !blocks.isLeft(views[31]));
  const { buffer: other } = blocks.take(true);
  assert(other !== buffer);
  for (const view of views.slice(32, 34)) give(view);
  assertStrictEquals(buffer.byteLength, 0);
  assert(!blocks.leave());
});

Deno.test("Blocks.take() lends of a region that is left before there is another", () => {
  const { blocks, take, give } = fixture();
  const views = Array.from({ length: 64 }, take);
  for (const view of views.slice(34)) give(view);
  assert(blocks.leave());
  assertStrictEquals(take().buffer, views[33].buffer);
  assert(!blocks.isLeft(views[33]));
});

Deno.test("Blocks uses 16 MiB of a large region's buffer, and makes that so large that it is mapped by itself", () => {
  const [blockBytes, mib] = [512 * 1024, 1024 * 1024];
  const blocks = new Blocks(blockBytes);
  const views = Array.from({ length: 100 }, () => {
    const { buffer, byteOffset } = blocks.take();
    return new Uint8Array(buffer, byteOffset, blockBytes);
  });
  const last = views.filter(({ buffer }) => buffer === views[60].buffer);
  assertStrictEquals(last.length * blockBytes, 16 * mib);
  assertStrictEquals(last[0].buffer.byteLength, 32 * mib);
  assertStrictEquals(views[0].buffer.byteLength, blockBytes);
});

Deno.test("Blocks.giveBack() leaves a large region for giveBackRegion(), but one at most, which is lent of again", () => {
  const blockBytes = 512 * 1024;
  const blocks = new Blocks(blockBytes);
  const take = () => {
    const { buffer, byteOffset } = blocks.take();
    return new Uint8Array(buffer, byteOffset, blockBytes);
  };
  const views = Array.from({ length: 100 }, take);
  const [first, second] = [views[40].buffer, views[99].buffer];
  const give = (buffer: ArrayBufferLike) => {
    for (const view of views.filter((view) => view.buffer === buffer)) blocks.giveBack(view);
  };
  assert(first !== second);
  give(second);
  assert(second.byteLength > 0 && !blocks.leave());
  give(first);
  assert(second.byteLength === 0 && first.byteLength > 0);
  const view = take();
  assertStrictEquals(view.buffer, first);
  assertStrictEquals(blocks.giveBackRegion(), false);
  blocks.giveBack(view);
  const { bytes } = blocks;
  assertStrictEquals(blocks.giveBackRegion(), true);
  assert(first.byteLength === 0 && blocks.bytes < bytes);
  assertStrictEquals(blocks.giveBackRegion(), false);
});
