/** HalfSipHash: against a plain writing of the paper's, which is itself held against the authors' vectors. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { seeded } from "../../bench/compare.ts";
import { hashBytes, type HashKey } from "../../lib/store/keyed_hash.ts";

/** Outputs of HalfSipHash-2-4 for key bytes 0 to 7 and as many input bytes 0, 1, 2 …: `vectors.h` of its authors. */
const VECTORS = "a9359f5b 27475ab8 fa62a603 8afee704 2a6e4689 c5fab669 5863fc23 8bcf63c5 d0b8848f f806e779 94b07934" +
  " 08083050 57f0872f 77e663ff d6fff87c 74fe2b97 d9b5ac84 c474645b 465b8d9b 7befe387 e34d1045 613f62b3 70f367fe e6adb8bd";

/** HalfSipHash-c-d, of unsigned numbers and with the round written once. */
function reference(c: number, d: number, input: Uint8Array, [k0, k1]: HashKey): number {
  const v = [k0 >>> 0, k1 >>> 0, (0x6c796765 ^ k0) >>> 0, (0x74656462 ^ k1) >>> 0];
  const add = (to: number, from: number) => v[to] = (v[to] + v[from]) % 2 ** 32;
  const mix = (to: number, from: number) => v[to] = (v[to] ^ v[from]) >>> 0;
  const turn = (at: number, bits: number) => {
    const high = v[at] * 2 ** bits;
    v[at] = high % 2 ** 32 + Math.floor(high / 2 ** 32);
  };
  const rounds = (count: number) => {
    for (; count > 0; count--) {
      add(0, 1), turn(1, 5), mix(1, 0), turn(0, 16);
      add(2, 3), turn(3, 8), mix(3, 2);
      add(0, 3), turn(3, 7), mix(3, 0);
      add(2, 1), turn(1, 13), mix(1, 2), turn(2, 16);
    }
  };
  const padded = new Uint8Array((input.length & ~3) + 4);
  padded.set(input);
  padded[padded.length - 1] = input.length;
  const words = new DataView(padded.buffer);
  for (let at = 0; at < padded.length; at += 4) {
    const word = words.getUint32(at, true);
    v[3] = (v[3] ^ word) >>> 0;
    rounds(c);
    v[0] = (v[0] ^ word) >>> 0;
  }
  v[2] = (v[2] ^ 0xff) >>> 0;
  rounds(d);
  return (v[1] ^ v[3]) | 0;
}

function counting(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => i);
}

Deno.test("the reference gives the authors' vectors when it runs 2 and 4 rounds", () => {
  const outputs = VECTORS.split(" ").map((_, length) => {
    const output = new DataView(new ArrayBuffer(4));
    output.setInt32(0, reference(2, 4, counting(length), [0x03020100, 0x07060504]), true);
    return output.getUint32(0).toString(16).padStart(8, "0");
  });
  assertEquals(outputs.join(" "), VECTORS);
});

Deno.test("hashBytes() is HalfSipHash-1-3 when keys, lengths, bytes and offsets are any", () => {
  const random = seeded(1);
  const int32 = () => Math.floor(random() * 2 ** 32) | 0;
  const keys: HashKey[] = [[0, 0], [0x03020100, 0x07060504], [-1, -1], [0xffffffff, 0x80000000], [1, 2]];
  for (let i = 0; i < 10; i++) keys.push([int32(), int32()]);
  for (const key of keys) {
    for (let length = 0; length <= 64; length++) {
      const input = length % 2 === 0 ? counting(length) : Uint8Array.from({ length }, () => random() * 256);
      const expected = reference(1, 3, input, key);
      for (const from of [0, 1, 2, 3, 4, 7, 1001]) {
        const bytes = Uint8Array.from({ length: from + length + 9 }, () => random() * 256);
        bytes.set(input, from);
        assertStrictEquals(hashBytes({ bytes, from, to: from + length }, key), expected, `${length} bytes at ${from}`);
      }
    }
  }
});

Deno.test("hashBytes() is HalfSipHash-1-3 when the input is longer than its length's lowest byte tells", () => {
  for (const length of [255, 256, 257, 4096, 70_001]) {
    const bytes = counting(length);
    assertStrictEquals(hashBytes({ bytes, from: 0, to: length }, [3, 4]), reference(1, 3, bytes, [3, 4]));
  }
});

Deno.test("hashBytes() spreads over all 32 bits when inputs or keys differ in one bit", () => {
  const bytes = new Uint8Array(12);
  const flips = Array.from({ length: 32 }, () => 0);
  let cases = 0;
  const compare = (a: number, b: number) => {
    for (let bit = 0; bit < 32; bit++) flips[bit] += (a ^ b) >>> bit & 1;
    cases++;
  };
  for (let bit = 0; bit < 96; bit++) {
    const plain = hashBytes({ bytes, from: 0, to: 12 }, [bit, 7]);
    compare(plain, hashBytes({ bytes, from: 0, to: 12 }, [bit ^ 1, 7]));
    compare(plain, hashBytes({ bytes, from: 0, to: 12 }, [bit, 6]));
    bytes[bit >> 3] = 1 << (bit & 7);
    compare(plain, hashBytes({ bytes, from: 0, to: 12 }, [bit, 7]));
    bytes.fill(0);
  }
  for (const count of flips) assert(count > 0.35 * cases && count < 0.65 * cases, `${flips} of ${cases}`);
});
