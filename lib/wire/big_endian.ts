/** Numbers out of bytes, the highest byte first. Who calls has looked that the bytes are there. */

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
