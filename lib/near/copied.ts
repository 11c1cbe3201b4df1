/** Copies of values that came from a server, such as another retrieval would give. It keeps nothing. */

import type { ValueCodec } from "../base/value_options.ts";
import { decodedBy, encodedBy } from "../wire/codec.ts";
import { decodeValue, encodeValue } from "../wire/values.ts";

/**
 * Returns a copy of a value that a server has sent: what the codec makes of it, since that alone carries every kind of value (`structuredClone` knows no
 * URL, and less of errors), and for plain objects it is faster too.
 *
 * @param codec The client's codec, if it has decoded the value.
 * @throws What the codec throws.
 * @throws {RangeError} If the value would cost too much to read, as one that another's codec has written may.
 */
export function copied(value: unknown, codec?: ValueCodec): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (codec !== undefined) return decodedBy(codec, encodedBy(codec, value).slice());
  const { flags, payload } = encodeValue(value);
  return typeof payload === "string" ? JSON.parse(payload) : decodeValue(flags, payload);
}
