/**
 * The bytes of a snapshot's file: a header that is written last, and frames, each of which tells how long the one before it is,
 * since they are read from the end. It knows neither what messages say nor files. The table is in docs/replication.md.
 */

import { MAX_GOSSIP_BYTES, MAX_ORIGIN_ID } from "../base/limits.ts";
import { isName } from "../base/token.ts";

/** Returns the CRC-32 of bytes. */
export type Checksum = (bytes: Uint8Array) => number;

/** What a header says. */
export interface SnapshotFacts {
  /** When the snapshot was begun, in milliseconds since 1970 by the wall clock: times to live in it are what remained then. */
  readonly writtenMs: number;
  /** No version in it is higher than this one. */
  readonly clock: number;
  /** Entries in it. */
  readonly entries: number;
  /** Bytes of the file, and of its last frame. */
  readonly bytes: number;
  readonly lastBytes: number;
  /** The origin of the server that has written it. */
  readonly origin: number;
  /** The name of that server's cluster; empty if it has none. */
  readonly cluster: string;
}

/** Bytes of a header. */
export const HEADER_BYTES = 128;
/** Bytes of a frame before its message, and bytes of a frame at most. */
export const FRAME_HEAD_BYTES = 12;
export const MAX_FRAME_BYTES: number = FRAME_HEAD_BYTES + MAX_GOSSIP_BYTES;

const FORMAT = 1;
const MAGIC = new TextEncoder().encode("ormuco snapshot\n");
/** Where the fields of a header are. */
const AT = { format: 16, sum: 20, written: 24, clock: 32, entries: 40, bytes: 48, last: 56, origin: 60, cluster: 64 };

/** The bytes of a header. */
export function headerOf(facts: SnapshotFacts, checksum: Checksum): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint32(AT.format, FORMAT);
  view.setFloat64(AT.written, facts.writtenMs);
  view.setFloat64(AT.clock, facts.clock);
  view.setFloat64(AT.entries, facts.entries);
  view.setFloat64(AT.bytes, facts.bytes);
  view.setUint32(AT.last, facts.lastBytes);
  view.setUint32(AT.origin, facts.origin);
  bytes.set(new TextEncoder().encode(facts.cluster), AT.cluster);
  view.setUint32(AT.sum, checksum(bytes.subarray(AT.written)));
  return bytes;
}

/**
 * Reads a header.
 *
 * @param fileBytes Bytes of the whole file.
 * @throws {Error} If the file is no snapshot, is one of another format, or is not whole.
 */
export function readHeader(bytes: Uint8Array, fileBytes: number, checksum: Checksum): SnapshotFacts {
  if (bytes.length < HEADER_BYTES || MAGIC.some((byte, i) => byte !== bytes[i])) {
    throw new Error("it is no snapshot, or one that was never finished");
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  const format = view.getUint32(AT.format);
  if (format !== FORMAT) throw new Error(`its format is ${format}, and this version reads ${FORMAT}`);
  if (view.getUint32(AT.sum) !== checksum(bytes.subarray(AT.written, HEADER_BYTES))) throw new Error("it is damaged");
  const cluster = new TextDecoder().decode(bytes.subarray(AT.cluster, HEADER_BYTES)).replace(/\0+$/, "");
  const facts = {
    writtenMs: view.getFloat64(AT.written),
    clock: view.getFloat64(AT.clock),
    entries: view.getFloat64(AT.entries),
    bytes: view.getFloat64(AT.bytes),
    lastBytes: view.getUint32(AT.last),
    origin: view.getUint32(AT.origin),
    cluster,
  };
  const isPossible = Number.isFinite(facts.writtenMs) && [facts.clock, facts.entries, facts.bytes].every(isCount) &&
    facts.origin > 0 && facts.origin <= MAX_ORIGIN_ID && (cluster === "" || isName(cluster));
  if (!isPossible) throw new Error("it is damaged");
  if (facts.bytes !== fileBytes) throw new Error(`it has ${fileBytes} bytes, and was written with ${facts.bytes}`);
  return facts;
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** Makes the frames of a file, one after another. */
export class FrameMaker {
  /** Bytes of the last frame; 0 before the first. */
  lastBytes = 0;
  readonly #checksum: Checksum;
  #bytes = new Uint8Array(0);

  constructor(checksum: Checksum) {
    this.#checksum = checksum;
  }

  /** The frame of a message. It is valid until the next call. */
  next(message: Uint8Array): Uint8Array {
    const length = FRAME_HEAD_BYTES + message.length;
    if (this.#bytes.length < length) this.#bytes = new Uint8Array(2 * length);
    const bytes = this.#bytes.subarray(0, length);
    const view = new DataView(bytes.buffer, 0, length);
    view.setUint32(4, message.length);
    view.setUint32(8, this.lastBytes);
    bytes.set(message, FRAME_HEAD_BYTES);
    view.setUint32(0, this.#checksum(bytes.subarray(4)));
    this.lastBytes = length;
    return bytes;
  }
}

/**
 * Reads a frame.
 *
 * @throws {Error} If it is damaged.
 */
export function readFrame(bytes: Uint8Array, checksum: Checksum): { message: Uint8Array; bytesBefore: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const isWhole = bytes.length >= FRAME_HEAD_BYTES && view.getUint32(0) === checksum(bytes.subarray(4)) &&
    view.getUint32(4) === bytes.length - FRAME_HEAD_BYTES;
  if (!isWhole) throw new Error("a page of it is damaged");
  return { message: bytes.subarray(FRAME_HEAD_BYTES), bytesBefore: view.getUint32(8) };
}
