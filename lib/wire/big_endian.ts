/** Numbers out of bytes, the highest byte first, and copies of bytes. Who calls has looked that the bytes are there. */

/** Bytes up to which they are copied here: to call what copies more takes longer. */
const FEW_BYTES = 32;

const double = new Float64Array(1);
const doubleBytes = new Uint8Array(double.buffer); // little-endian on all machines that Deno runs on
const single = new Float32Array(doubleBytes.buffer, 0, 1);

/** An unsigned integer of 16 bits. */
export function uint16At(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 8) | bytes[at + 1];
}

/** A signed integer of 32 bits. */
export function int32At(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
}

/** An unsigned integer of 32 bits. */
export function uint32At(bytes: Uint8Array, at: number): number {
  return int32At(bytes, at) >>> 0;
}

/** A float of 32 bits. */
export function float32At(bytes: Uint8Array, at: number): number {
  for (let i = 0; i < 4; i++) doubleBytes[3 - i] = bytes[at + i];
  return single[0];
}

/** A float of 64 bits. */
export function float64At(bytes: Uint8Array, at: number): number {
  for (let i = 0; i < 8; i++) doubleBytes[7 - i] = bytes[at + i];
  return double[0];
}

/** A copy of some bytes, in an array of its own. */
export function bytesAt(bytes: Uint8Array, from: number, to: number): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(to - from);
  if (copy.length > FEW_BYTES) copy.set(bytes.subarray(from, to));
  else for (let i = 0; i < copy.length; i++) copy[i] = bytes[from + i];
  return copy;
}
