/** Values to bytes and back as a client does it, and MessagePack by hand. */

import { assert, assertInstanceOf, assertThrows } from "@std/assert";
import { ProtocolError } from "../../lib/base/errors.ts";
import { decodeValue, encodeValue } from "../../lib/wire/values.ts";

/** An encoded value. */
export interface Encoded {
  flags: number;
  bytes: Uint8Array;
}

const utf8 = new TextEncoder();

/** Encodes; what goes as text becomes bytes. */
export function encoded(value: unknown): Encoded {
  const { flags, payload } = encodeValue(value);
  return { flags, bytes: typeof payload === "string" ? utf8.encode(payload) : payload };
}

/** Decodes from the middle of a larger buffer, as a client does. */
export function decodedAt({ flags, bytes }: Encoded): unknown {
  const buffer = new Uint8Array(bytes.length + 10).fill(0xc1);
  buffer.set(bytes, 3);
  return decodeValue(flags, buffer.subarray(3, 3 + bytes.length));
}

/** Encodes and decodes. */
export function roundTrip(value: unknown): unknown {
  return decodedAt(encoded(value));
}

/** What decoding gave: a value, or that it was refused; any error but ProtocolError passes through. */
export function decodedOrRefused(flags: number, bytes: Uint8Array): unknown {
  try {
    return decodeValue(flags, bytes);
  } catch (error) {
    assertInstanceOf(error, ProtocolError);
    return error;
  }
}

/** Throws unless the bytes are refused for a reason. */
export function assertRefused(flags: number, bytes: Uint8Array, includes: string): void {
  const error = assertThrows(() => decodedAt({ flags, bytes }), ProtocolError, includes);
  assert(error.message.startsWith("Cannot decode value: "), error.message);
  assert(error.cause !== undefined, "keeps the cause");
}

/** MessagePack by hand: an extension of any length. */
export function extension(type: number, payload: Uint8Array): Uint8Array {
  const header = new Uint8Array(6);
  header[0] = 0xc9;
  new DataView(header.buffer).setUint32(1, payload.length);
  header[5] = type;
  return concat(header, payload);
}

/** Parts in a row. */
export function concat(...chunks: (Uint8Array | readonly number[])[]): Uint8Array {
  return Uint8Array.from(chunks.flatMap((chunk) => [...chunk]));
}
