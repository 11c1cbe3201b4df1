/**
 * Control data of the native protocol: MessagePack maps in the bodies of `HELLO`, `DATA`, `REFUSED` and `CLOSING`. It
 * knows how a map is written and read, not what most of its fields mean.
 */

import { decode, encode } from "@std/msgpack";
import { CacheError, ProtocolError } from "../base/errors.ts";
import { type FrameReader, type FrameWriter, REPLY } from "./frame.ts";

/** Fields by name. */
export type ControlData = Record<string, unknown>;

/** Bytes of control data that is decoded at most: the decoder has no bound of its own on nesting. */
const MAX_CONTROL_BYTES = 64 * 1024;

/** Writes a frame whose body is a map. */
export function writeControl(output: FrameWriter, code: number, data: ControlData): void {
  output.begin(code);
  output.bytes(encode(data as Parameters<typeof encode>[0]));
  output.end();
}

/** Writes a `REFUSED` or `CLOSING` frame. */
export function writeError(output: FrameWriter, code: number, error: { code: string; message: string }): void {
  writeControl(output, code, { code: error.code, message: error.message });
}

/**
 * Reads the body of a frame as a map.
 *
 * @throws {ProtocolError} If the body is not a map.
 */
export function readControl(frame: FrameReader): ControlData {
  let data: unknown;
  try {
    if (frame.end - frame.start > MAX_CONTROL_BYTES) throw new RangeError(`more than ${MAX_CONTROL_BYTES} bytes`);
    data = decode(frame.slice(frame.start, frame.end));
  } catch (error) {
    throw new ProtocolError(`control data that cannot be read: ${(error as Error).message}`, { cause: error });
  }
  if (typeof data === "object" && data !== null && !Array.isArray(data)) return data as ControlData;
  throw new ProtocolError("control data that is not a map");
}

/**
 * Reads the map of a `DATA` reply.
 *
 * @throws {ProtocolError} If the frame is another reply, or its body is not a map.
 */
export function readData(frame: FrameReader): ControlData {
  if (frame.code !== REPLY.data) throw unexpectedReply(frame);
  return readControl(frame);
}

/** Reads the code and the message of a `REFUSED` or `CLOSING` reply. */
export function readError(frame: FrameReader): { code: string; message: string } {
  const { code, message } = readControl(frame);
  return { code: String(code), message: String(message) };
}

/** The server has no place for another connection. */
export class FullServerError extends CacheError {}

/** The server that was greeted is this one itself, or is not the one that it should be. */
export class ReflectedError extends CacheError {}

/** The error that a `CLOSING` reply stands for. */
export function closingError(frame: FrameReader): CacheError {
  const { code, message } = readError(frame);
  const reason = `the server closed the connection (${code}): ${message}`;
  if (code === "too-many-connections") return new FullServerError("unreachable", reason);
  if (code === "reflected") return new ReflectedError("refused", reason);
  return new CacheError(code === "stopping" ? "unreachable" : "refused", reason);
}

/** The error for a reply that does not fit its request. */
export function unexpectedReply(frame: FrameReader): ProtocolError {
  return new ProtocolError(`a reply that does not fit its request: code ${frame.code}`);
}
