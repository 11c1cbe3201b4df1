/**
 * What a connection is told that there is no place for, in the words of the protocol that its first bytes speak. It takes
 * no buffers of the server.
 */

import type { ByteStream } from "../platform/byte_stream.ts";
import { closeQuietly, writeAll } from "../platform/socket.ts";
import { writeError } from "../wire/control.ts";
import { FrameWriter, REPLY } from "../wire/frame.ts";
import { refusedRequest, REQUEST_MAGIC } from "../memcached/binary_packet.ts";

/** Milliseconds for the first bytes; then memcached's text is sent, which memcached sends unasked. */
const WAIT_MS = 500;
/** Bytes that are looked at: as many as a request of memcached's binary protocol begins with. */
export const HEAD_BYTES = 24;
/** Reads after the reply: what nobody has read would cut it off. */
const PARTING_READS = 16;
const NATIVE = 0;
const TLS = 0x16;
const TEXT = "Too many open connections";

/** Where what nobody will look at is read to; all may use it at once. */
export const WASTE: Uint8Array = new Uint8Array(16 * 1024);

/** Sends the reason, and ends the connection within a second. `message` is for clients of our own protocol. */
export async function refuse(stream: ByteStream, message: string): Promise<void> {
  const end = setTimeout(() => closeQuietly(stream), 2 * WAIT_MS);
  let silence: ReturnType<typeof setTimeout> | undefined;
  try {
    const head = new Uint8Array(HEAD_BYTES);
    const silent = new Promise<number>((resolve) => silence = setTimeout(() => resolve(0), WAIT_MS));
    const reading = stream.read(head);
    const count = await Promise.race([reading, silent]);
    if (count === null) return;
    await writeAll(stream, refusalOf(head.subarray(0, count), message));
    await stream.closeWrite();
    if (count === 0) await reading;
    for (let reads = 0; reads < PARTING_READS; reads++) if (await stream.read(WASTE) === null) return;
  } catch {
    // The other side has gone, or its time is over.
  } finally {
    clearTimeout(end);
    clearTimeout(silence);
    closeQuietly(stream);
  }
}

/** The refusal, in the protocol of a connection's first bytes. */
export function refusalOf(head: Uint8Array, message: string): Uint8Array {
  const [first] = head;
  if (first === REQUEST_MAGIC) return refusedRequest(head, TEXT);
  if (first !== NATIVE && first !== TLS) return new TextEncoder().encode(`ERROR ${TEXT}\r\n`);
  const output = new FrameWriter();
  writeError(output, REPLY.closing, { code: "too-many-connections", message });
  return output.taken();
}
