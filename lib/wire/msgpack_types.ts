/** Types of MessagePack that stand for what it has no format of its own for; docs/protocol.md has the table of them. */

/** Extension types. Those from `record` on hold one MessagePack array, whose depth counts. */
export const EXT = {
  undefined: 0,
  negativeZero: 1,
  bigint: 2,
  utf16: 3,
  date: 4,
  url: 5,
  buffer: 6,
  temporal: 7,
  record: 16,
  map: 17,
  set: 18,
  regexp: 19,
  error: 20,
  headers: 21,
} as const;

/** MessagePack's own type of a point in time, -1, which is read and never written. */
export const TIMESTAMP = 0xff;

/** Kinds of `buffer`: the index is the first byte of the payload, and the bytes follow in little-endian order. */
export const BUFFER_KINDS = [
  "ArrayBuffer",
  "DataView",
  "Int8Array",
  "Uint8Array",
  "Uint8ClampedArray",
  "Int16Array",
  "Uint16Array",
  "Int32Array",
  "Uint32Array",
  "Float32Array",
  "Float64Array",
  "BigInt64Array",
  "BigUint64Array",
  "Float16Array",
];

/** Keys that the engine may take for array indices. */
export const ARRAY_INDEX = /^[0-9]{1,10}$/;

/** Whether a MessagePack map must not have this key: an index would make a table of an object, and the other is its prototype. */
export function isRecordKey(key: string): boolean {
  const first = key.charCodeAt(0);
  return (first >= 0x30 && first <= 0x39 && ARRAY_INDEX.test(key)) || key === "__proto__";
}
