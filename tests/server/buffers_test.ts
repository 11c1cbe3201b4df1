/** One budget for the buffers of all: who goes when it is spent. */

import { assertEquals } from "@std/assert";
import { type BufferHolder, Buffers, type HeldBuffers } from "../../lib/server/buffers.ts";
import { emptyPool } from "../support/buffers.ts";
import { settled } from "../support/memory_stream.ts";

interface Holder extends BufferHolder {
  isStill: boolean;
  held: HeldBuffers;
}

/** Buffers of 100 bytes, and who has been ended. */
function fixture(): { buffers: Buffers; ended: string[]; cut: string[]; holder(name: string, bytes: number): Holder } {
  emptyPool();
  const [ended, cut]: string[][] = [[], []];
  const buffers = new Buffers({
    maxBytes: 100,
    onCut: ({ remoteAddress }, bytes) => ended.push(`${remoteAddress} ${bytes}`),
  });
  const holder = (remoteAddress: string, bytes: number) => {
    const made: BufferHolder & { isStill: boolean } = {
      remoteAddress,
      isStill: false,
      cut: () => cut.push(remoteAddress),
    };
    const held = buffers.of(made);
    held.changed(bytes);
    return Object.assign(made, { held });
  };
  return { buffers, ended, cut, holder };
}

Deno.test("Buffers ends nobody while all together hold no more than may be", () => {
  const { buffers, ended, holder } = fixture();
  holder("a", 50);
  holder("b", 50);
  assertEquals([buffers.bytes, ended], [100, []]);
});

Deno.test("Buffers ends who holds most when too much is held, and frees it once the turn is over", async () => {
  const { buffers, ended, cut, holder } = fixture();
  holder("a", 30);
  holder("b", 50);
  holder("c", 40);
  assertEquals([buffers.bytes, buffers.cuts, ended, cut], [70, 1, ["b 50"], []]);
  await settled();
  assertEquals(cut, ["b"]);
});

Deno.test("Buffers ends who moves nothing before who moves something, the largest first", () => {
  const { ended, holder } = fixture();
  holder("a", 40);
  holder("b", 10).isStill = true;
  holder("c", 20).isStill = true;
  const { held } = holder("d", 30);
  held.changed(5);
  assertEquals(ended, ["c 20"]);
  held.changed(20);
  assertEquals(ended, ["c 20", "b 10"]);
  held.changed(20);
  assertEquals(ended, ["c 20", "b 10", "d 75"]);
});

Deno.test("Buffers ends as many as it takes, and counts nothing of them any more", () => {
  const { buffers, ended, holder } = fixture();
  const all = ["a", "b", "c"].map((name) => holder(name, 20));
  for (const one of all) one.isStill = true;
  holder("d", 95);
  assertEquals(ended, ["a 20", "b 20", "c 20"]);
  for (const { held } of all) held.changed(-20);
  assertEquals(buffers.bytes, 95);
});

Deno.test("Buffers counts nothing of who has left", () => {
  const { buffers, holder } = fixture();
  const { held } = holder("a", 60);
  held.close();
  held.close();
  held.changed(-60);
  assertEquals(buffers.bytes, 0);
});

Deno.test("HeldBuffers.mayHold() makes room of what others hold who move nothing, and of nothing else", () => {
  const { ended, holder } = fixture();
  const a = holder("a", 60);
  const { held } = holder("b", 20);
  assertEquals([held.mayHold(20), held.mayHold(21), ended], [true, false, []]);
  a.isStill = true;
  assertEquals([held.mayHold(21), ended], [true, ["a 60"]]);
});
