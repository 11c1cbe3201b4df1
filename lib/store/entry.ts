/** What an entry is: its kinds and marks, the shapes in which it comes and goes, and what may be seen of it. It holds none. */

import type { ByteSpan } from "../base/byte_span.ts";
import type { Version } from "./version.ts";

/** Kinds of records. */
export const ENTRY = 1;
/** A deletion, itself a write. */
export const TOMB = 3;
/** What was evicted or has expired here. */
export const GHOST = 4;

/**
 * Marks of an entry. Those of `TRAVELS` belong to the write and go wherever it goes; the others are this node's own.
 *
 * `fixed`: a hit does not renew it. `stale`: it is to be replaced, and may be used meanwhile. `stamped`: the last 8 bytes of what
 * is stored are no value but its stamp, a number that stands for its state. `binaryKey`: its key came as base64.
 * `promised`: somebody has been told to replace it. `fetched`: it has been used.
 */
export const MARK = { fixed: 1, stale: 2, stamped: 4, binaryKey: 8, promised: 16, fetched: 32 } as const;
/** Marks that go with a write. */
export const TRAVELS = 15;
/** Bytes of a stamp. */
export const STAMP_BYTES = 8;

/** What is to be stored under a key. */
export interface EntryInput {
  flags: number;
  /** Of {@linkcode MARK}; none by default. */
  marks?: number;
  /** The value's bytes; they are copied. */
  value: ByteSpan;
  /** Milliseconds until it expires, 0 or `Infinity` for never; `undefined` is the store's default. */
  ttlMs: number | undefined;
  /** When it expires, if that is not a whole time to live from now. */
  deadlineMs?: number;
}

/** What an entry holds beside its key. */
export interface NewEntry {
  flags: number;
  /** Of {@linkcode MARK}. */
  marks: number;
  value: ByteSpan;
  /** Milliseconds, `Infinity` for ever. */
  ttlMs: number;
  deadlineMs: number;
}

/** A write of another node. */
export interface RemoteWrite {
  version: Version;
  /** `ENTRY`, `TOMB` or `GHOST`. */
  kind: number;
  /** Of an entry: what it holds; `remainingMs` is what is left of its time to live. */
  entry?: { flags: number; marks?: number; value: ByteSpan; ttlMs: number; remainingMs: number };
}

/** What may be seen of an entry or a grave by its position: a number that is valid until the store is told to change anything. */
export interface EntryReader {
  /** `ENTRY`, `TOMB` or `GHOST`. */
  kind(position: number): number;
  /** The number that orders its version; memcached's clients see it as the entry's CAS. */
  h(position: number): number;
  /** Its marks: bits of {@linkcode MARK}. */
  marks(position: number): number;
  /** Its flags. */
  flags(position: number): number;
  /** When it expires, in milliseconds; `Infinity` is never. */
  deadlineMs(position: number): number;
  /** Its time to live, in milliseconds. */
  ttlMs(position: number): number;
  /** Milliseconds since peers were told of its use, or, of a fixed entry, since its last use; up to 49 days. */
  toldMs(position: number, nowMs: number): number;
  /** Bytes of its key. */
  keyBytes(position: number): number;
  /** Copies its key to a place in an array. Returns where it ends. */
  copyKey(position: number, target: Uint8Array, at: number): number;
  /** Bytes of its value. */
  valueBytes(position: number): number;
  /** Copies its value to a place in an array that has room for it. */
  copyValue(position: number, target: Uint8Array, at: number): void;
  /** Bytes of its value and, if it has one, its stamp. */
  storedBytes(position: number): number;
  /** Copies its value and, if it has one, its stamp. */
  copyStored(position: number, target: Uint8Array, at: number): void;
  /** Bytes of memory that an entry with a key and a value of such lengths takes at most. */
  entryBytes(keyBytes: number, valueBytes: number): number;
}
