/** What tests of buffers begin with. */

import { assertStrictEquals } from "@std/assert";
import { forgetBuffer, keptBuffer } from "../../lib/wire/buffer_pool.ts";

/** Leaves no buffer that earlier tests have returned. */
export function emptyPool(): void {
  for (let i = 0; i < 10_000 && keptBuffer(0) > 0; i++) forgetBuffer();
  assertStrictEquals(keptBuffer(0), 0);
}

/** Bytes of a pattern that does not repeat soon. */
export function patternOf(length: number, seed = 0): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => Math.imul(i + seed, 0x9e3779b1) >>> 24);
}
