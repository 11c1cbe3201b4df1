/**
 * What a connection is told that there is no place for, in the words of the protocol that its first bytes speak. It takes
 * no buffers of the server.
 */

import type { ByteStream } from "../platform/byte_stream.ts";
import { closeQuietly, writeAll } from "../platform/socket.ts";
import { writeError } from "../wire/control.ts";
import { FrameWriter, REPLY } from "../wire/frame.ts";
import { TLS } from "./protocols.ts";
import { refusedRequest, REQUEST_MAGIC } from "../memcached/binary_packet.ts";

/** Milliseconds for the first bytes of one for which there is no place; then memcached's text is sent, which memcached sends unasked. */
export const FIRST_BYTES_MS = 500;
/** Bytes that are looked at: as many as a request of memcached's binary protocol begins with. */
export const HEAD_BYTES = 24;
/** Reads after the reply: what nobody has read would cut it off. */
const PARTING_READS = 16;
const NATIVE = 0;

/** A connection for which there is no place unless it is a peer's: it speaks our own protocol, and has begun so. */
export interface Candidate {
  readonly stream: ByteStream;
  readonly first: Uint8Array;
}

/** Makes a handshake; returns nothing where there is no agreement. */
export type Encrypt = (stream: ByteStream, first: Uint8Array) => Promise<ByteStream | undefined>;

/** The first bytes of one that has said nothing. */
export const NO_BYTES: Uint8Array = new Uint8Array(0);

/** Where what nobody will look at is read to; all may use it at once. */
export const WASTE: Uint8Array = new Uint8Array(16 * 1024);

/** What is said to a client that is refused: to one of our own protocol, and to one of memcached's. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly text: string;
}

/** What a client is told that does not encrypt, by a server that wants it. */
export const TLS_ONLY: Refusal = {
  code: "tls-required",
  message: "this server takes connections with TLS only",
  text: "TLS is required",
};

/**
 * Sends the reason why there is no place to one that does not speak our own protocol, and ends its connection within a
 * second; `onRefuse` is called before, and `encrypt` is for those that begin a handshake.
 *
 * @returns The connection, if it does speak our own protocol: it may be a peer's.
 */
export async function refuse(
  stream: ByteStream,
  onRefuse: () => void,
  encrypt?: Encrypt,
): Promise<Candidate | undefined> {
  let candidate: Candidate | undefined;
  const end = setTimeout(() => closeQuietly(stream), 2 * FIRST_BYTES_MS);
  let silence: ReturnType<typeof setTimeout> | undefined;
  try {
    const head = new Uint8Array(HEAD_BYTES);
    const silent = new Promise<number>((resolve) => silence = setTimeout(() => resolve(0), FIRST_BYTES_MS));
    const reading = stream.read(head);
    const count = await Promise.race([reading, silent]);
    if (count === null) return;
    const first = head.subarray(0, count);
    if (count > 0 && head[0] === TLS && encrypt !== undefined) {
      const encrypted = await encrypt(stream, first);
      return candidate = encrypted && await refuse(encrypted, onRefuse);
    }
    if (count > 0 && head[0] === NATIVE) return candidate = { stream, first };
    onRefuse();
    await writeAll(stream, refusalOf(first, TOO_MANY));
    await stream.closeWrite();
    if (count === 0) await reading;
    for (let reads = 0; reads < PARTING_READS; reads++) if (await stream.read(WASTE) === null) return;
  } catch {
    // The other side has gone, or its time is over.
  } finally {
    clearTimeout(end);
    clearTimeout(silence);
    if (candidate === undefined) closeQuietly(stream);
  }
}

/** What a client is told that there is no place for, by its kind. */
const TOO_MANY = tooMany("");

/** What a client is told that there is no place for. `message` is for clients of our own protocol. */
export function tooMany(message: string): Refusal {
  return { code: "too-many-connections", message, text: "Too many open connections" };
}

/** The refusal, in the protocol of a connection's first bytes; in memcached's text if there are none. */
export function refusalOf(head: Uint8Array, { code, message, text }: Refusal): Uint8Array {
  const [first] = head;
  if (first === REQUEST_MAGIC) return refusedRequest(head, text);
  if (first !== NATIVE && first !== TLS) return new TextEncoder().encode(`ERROR ${text}\r\n`);
  const output = new FrameWriter();
  writeError(output, REPLY.closing, { code, message });
  return output.taken();
}
