/** Records of before a clear: their memory goes back in slices, and at once where it is needed. */

import { assert, assertEquals } from "@std/assert";
import { spanOf } from "../../lib/base/byte_span.ts";
import { Records } from "../../lib/store/records.ts";
import { RetiredRecords } from "../../lib/store/retired_records.ts";

const SEGMENT_BYTES = 8 * 1024;
const KEY = spanOf(new Uint8Array(8));
const VALUE = spanOf(new Uint8Array(400));

function filled(segments: number): Records {
  const records = new Records(SEGMENT_BYTES, () => {});
  records.slab.limitBytes = 64 * SEGMENT_BYTES;
  for (let entries = 0; records.slab.heldBytes < segments * SEGMENT_BYTES; entries++) {
    assert(entries < 10_000 && records.slab.reserve(records.entryBytes(8, 400)));
    records.add(1, KEY, VALUE);
  }
  return records;
}

Deno.test("RetiredRecords.giveBack() gives a number of segments back, and in the end all", () => {
  const retired = new RetiredRecords();
  retired.add(filled(6));
  retired.add(filled(4));
  const { bytes } = retired;
  assert(bytes >= 10 * SEGMENT_BYTES, `${bytes}`);
  retired.giveBack(2);
  assert(retired.bytes < bytes && retired.bytes > 0, `${retired.bytes} of ${bytes}`);
  for (let slices = 0; retired.bytes > 0; slices++) {
    assert(slices < 100, "some is never given back");
    retired.giveBack(2);
  }
  retired.giveBack(2); // nothing is left to give
  assertEquals(retired.bytes, 0);
});

Deno.test("RetiredRecords.add() passes over records that hold no memory", () => {
  const retired = new RetiredRecords();
  retired.add(new Records(SEGMENT_BYTES, () => {}));
  assertEquals(retired.bytes, 0);
});

Deno.test("RetiredRecords.makeRoomFor() gives back as much as keeps all within the limit, and no more", () => {
  const retired = new RetiredRecords();
  retired.add(filled(30));
  const { bytes } = retired;
  const living = filled(4);
  retired.makeRoomFor(1000, living);
  assertEquals(retired.bytes, bytes, "there is room for both");
  living.slab.limitBytes = 20 * SEGMENT_BYTES;
  retired.makeRoomFor(1000, living);
  assert(living.slab.heldBytes + retired.bytes + 1000 <= living.slab.limitBytes, `${retired.bytes}`);
  assert(retired.bytes > 0, "not all had to go");
});
