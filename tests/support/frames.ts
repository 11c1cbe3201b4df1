/** Single frames of the native protocol, for tests. */

import { assert } from "@std/assert";
import { MAX_BODY_BYTES } from "../../lib/base/limits.ts";
import { FrameReader, FrameWriter, HEADER_BYTES } from "../../lib/wire/frame.ts";

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

/** All frames of the bytes, each ready to be read. */
export function framesOf(bytes: Uint8Array): FrameReader[] {
  const frames: FrameReader[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = HEADER_BYTES + new DataView(bytes.buffer, bytes.byteOffset + at).getUint32(0);
    frames.push(frameOf(bytes.subarray(at, at + length)));
    at += length;
  }
  return frames;
}
