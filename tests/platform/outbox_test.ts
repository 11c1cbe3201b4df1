/** Output of one connection: in order, once a turn, one write at a time. */

import { assertEquals } from "@std/assert";
import { Outbox } from "../../lib/platform/outbox.ts";
import { MemoryStream, settled } from "../support/memory_stream.ts";

function fixture(): { stream: MemoryStream; outbox: Outbox; errors: unknown[] } {
  const stream = new MemoryStream();
  const errors: unknown[] = [];
  return { stream, outbox: new Outbox({ stream, onError: (error) => errors.push(error) }), errors };
}

Deno.test("Outbox.flushSoon() writes all of a turn at its end", async () => {
  const { stream, outbox } = fixture();
  let writes = 0;
  const write = stream.write.bind(stream);
  stream.write = (bytes) => (writes++, write(bytes));
  for (const byte of [1, 2, 3]) {
    outbox.output.uint8(byte);
    outbox.flushSoon();
  }
  assertEquals(stream.written, []);
  await settled();
  assertEquals([stream.written, writes, outbox.traffic.bytesSent], [[1, 2, 3], 1, 3]);
});

Deno.test("Outbox keeps order when a write takes a part at a time and more is added meanwhile", async () => {
  const { stream, outbox } = fixture();
  stream.mostBytes = 2;
  stream.hold();
  outbox.output.bytes(Uint8Array.of(1, 2, 3, 4, 5));
  const flushed = outbox.flush();
  outbox.output.uint8(6);
  outbox.flushSoon();
  await settled();
  outbox.output.uint8(7);
  outbox.flushSoon();
  stream.release();
  await flushed;
  await settled();
  assertEquals(stream.written, [1, 2, 3, 4, 5, 6, 7]);
  assertEquals([outbox.output.pendingBytes, outbox.traffic.bytesSent, outbox.writing], [0, 7, undefined]);
});

Deno.test("Outbox.hold() leaves writing to its caller until unhold()", async () => {
  const { stream, outbox } = fixture();
  outbox.output.uint8(1);
  outbox.flushSoon();
  outbox.hold();
  outbox.output.uint8(2);
  outbox.flushSoon();
  await settled();
  assertEquals(stream.written, []);
  while (outbox.output.pendingBytes > 0) outbox.sent(await outbox.write());
  outbox.unhold();
  assertEquals(stream.written, [1, 2]);
  outbox.output.uint8(3);
  outbox.flushSoon();
  await settled();
  assertEquals(stream.written, [1, 2, 3]);
});

Deno.test("Outbox tells once why a write has failed", async () => {
  const { stream, outbox, errors } = fixture();
  stream.close();
  outbox.output.uint8(1);
  outbox.flushSoon();
  outbox.flushSoon();
  await settled();
  assertEquals(errors.map((error) => error instanceof Deno.errors.BadResource), [true]);
});

Deno.test("Outbox tells before each write and when all is written", async () => {
  const stream = new MemoryStream();
  stream.mostBytes = 1;
  const told: boolean[] = [];
  const outbox = new Outbox({ stream, onError: () => {}, onProgress: (isIdle) => told.push(isIdle) });
  outbox.output.bytes(Uint8Array.of(1, 2));
  await outbox.flush();
  assertEquals(told, [false, false, true]);
});

Deno.test("Outbox writes again after a flush that had nothing to write", async () => {
  const stream = new MemoryStream();
  const outbox = new Outbox({ stream, onError: () => {} });
  outbox.flushNow();
  await settled();
  assertEquals(outbox.writing, undefined);
  outbox.output.uint8(1);
  outbox.flushSoon();
  await settled();
  outbox.output.uint8(2);
  outbox.flushNow();
  await settled();
  assertEquals(stream.written, [1, 2]);
});
