/** Values as a caller's own codec encodes them: what it returns is checked. */

import { shown } from "../base/options.ts";
import type { ValueCodec } from "../base/value_options.ts";

/**
 * Encodes a value.
 *
 * @throws {TypeError} If the codec returns no bytes; and whatever it throws.
 */
export function encodedBy(codec: ValueCodec, value: unknown): Uint8Array {
  const bytes: unknown = codec.encode(value);
  if (bytes instanceof Uint8Array) return bytes;
  const received = bytes instanceof Promise ? "a Promise" : shown(bytes);
  throw new TypeError(`Cannot encode data: codec.encode() must return a Uint8Array: received ${received}`);
}

/**
 * Decodes a value, from bytes that the codec may keep.
 *
 * @throws {TypeError} If there is no codec, or it returns a promise; and whatever it throws.
 */
export function decodedBy(codec: ValueCodec | undefined, bytes: Uint8Array): unknown {
  if (codec === undefined) throw new TypeError("it was stored with a codec, and there is none here");
  const value = codec.decode(bytes);
  if (!(value instanceof Promise)) return value;
  value.catch(() => {});
  throw new TypeError("codec.decode() must return the value: received a Promise");
}
