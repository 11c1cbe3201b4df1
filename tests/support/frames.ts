/** Single frames of the native protocol, for tests. */

import { assert } from "@std/assert";
import { MAX_BODY_BYTES } from "../../lib/base/limits.ts";
import { FrameReader, FrameWriter } from "../../lib/wire/frame.ts";

/** The bytes of what is written. */
export function written(write: (output: FrameWriter) => void): Uint8Array {
  const output = new FrameWriter();
  write(output);
  return output.taken().slice();
}

/** The frame that is all of the bytes, ready to be read. */
export function frameOf(bytes: Uint8Array): FrameReader {
  const frame = new FrameReader();
  frame.maxBodyBytes = MAX_BODY_BYTES;
  frame.push(bytes);
  assert(frame.next() && frame.pendingBytes === 0, "one frame");
  return frame;
}
