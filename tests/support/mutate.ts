/** Damage to frames, for fuzzers. */

/** All parts in a row. */
export function joined(...parts: Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** One to three small damages, or none. */
export function mutate(frame: Uint8Array, below: (n: number) => number): Uint8Array {
  let bytes: Uint8Array = frame.slice();
  for (let damage = below(4); damage > 0 && bytes.length > 0; damage--) {
    const at = below(bytes.length);
    switch (below(6)) {
      case 0:
        bytes[at] = below(256);
        break;
      case 1:
        bytes[at] ^= 1 << below(8);
        break;
      case 2:
        bytes[Math.min(at, below(8))] = [0, 1, 0x7f, 0x80, 0xff][below(5)];
        break;
      case 3:
        bytes = bytes.slice(0, at);
        break;
      case 4:
        bytes = joined(bytes.subarray(0, at), bytes.subarray(below(at + 1)));
        break;
      case 5:
        bytes = joined(bytes, new Uint8Array(below(20)).fill(below(256)));
        break;
    }
  }
  return bytes;
}
