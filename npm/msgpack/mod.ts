/** Stands in for `@std/msgpack` where only npm is reachable; both are MessagePack on the wire. */

import { decode as decodeAny, encode as encodeAny } from "@msgpack/msgpack";

export function encode(value: unknown): Uint8Array<ArrayBuffer> {
  // As there: a field without a value is no nil. Tests that write one are to fail here, too.
  if (value?.constructor === Object && Object.values(value).includes(undefined)) {
    throw new TypeError("Cannot encode a field without a value");
  }
  return encodeAny(value);
}

export function decode(bytes: Uint8Array): unknown {
  return decodeAny(bytes);
}
