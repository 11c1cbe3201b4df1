/** Stands in for `@std/msgpack` where only npm is reachable; both are MessagePack on the wire. */

import { decode as decodeAny, encode as encodeAny } from "@msgpack/msgpack";

export function encode(value: unknown): Uint8Array<ArrayBuffer> {
  return encodeAny(value);
}

export function decode(bytes: Uint8Array): unknown {
  return decodeAny(bytes);
}
