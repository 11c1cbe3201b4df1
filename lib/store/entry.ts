/** What an entry is: its kinds and marks, the types that describe it, and the interface that reads it. It holds no entries. */

import type { ByteSpan } from "../base/byte_span.ts";
import type { ValueSource } from "../base/lent.ts";
import type { Version } from "./version.ts";

/** Kind of a record that holds an entry. */
export const ENTRY = 1;
/** Kind of a record that stands for a deletion, which is itself a write. */
export const TOMB = 3;
/** Kind of a record that stands for an entry that was evicted or has expired here. */
export const GHOST = 4;
/** Kind of a record that stands for a clear of a prefix, its key: a deletion of all keys that begin with it, and itself a write. */
export const PREFIX = 6;

/**
 * Marks of an entry. Those of `TRAVELS` belong to the write and go wherever it goes; the others are this node's own.
 *
 * `fixed`: a hit does not renew the entry. `stale`: the entry is to be replaced, and may be used meanwhile. `stamped`: the
 * last 8 bytes stored are not part of the value but its stamp, a number that stands for its state. `binaryKey`: the key
 * came as base64. `promised`: a client has been told to replace the entry. `fetched`: the entry has been used. `aging`: the
 * entry is kept for a span after its time, in which only who asks for what is stale finds it. That span stands in place of its
 * time to live, and it is fresh until that long before its deadline; it is `fixed` too.
 */
export const MARK = { fixed: 1, stale: 2, stamped: 4, binaryKey: 8, promised: 16, fetched: 32, aging: 64 } as const;
/** Marks that go with a write. */
export const TRAVELS: number = MARK.fixed | MARK.stale | MARK.stamped | MARK.binaryKey | MARK.aging;
/** Milliseconds for which an entry is kept after its time, at most: with more, the sums of its times would not be exact. */
export const MAX_STALE_MS: number = 2 ** 52;
/** Bytes of a stamp. */
export const STAMP_BYTES = 8;

/** What is to be stored under a key. */
export interface EntryInput {
  flags: number;
  /** Bits of {@linkcode MARK}; none by default. */
  marks?: number;
  /** The value's bytes; they are copied. */
  value: ByteSpan;
  /** Milliseconds until the entry expires, 0 or `Infinity` for never; `undefined` is the store's default. */
  ttlMs: number | undefined;
  /** When the entry expires, in milliseconds since 1970, if that is not one time to live from now. */
  deadlineMs?: number;
}

/**
 * Makes of what is to be stored an entry that is fresh for `ttlMs` and kept for `staleMs` more. One that is fresh for ever, or
 * is not kept for longer than that, does not age.
 */
export function age(entry: EntryInput, ttlMs: number, staleMs: number, nowMs: number): void {
  entry.ttlMs = ttlMs;
  entry.deadlineMs = undefined;
  if (staleMs === 0 || ttlMs === 0 || ttlMs === Infinity) return;
  const spanMs = Math.fround(Math.min(staleMs, MAX_STALE_MS)); // as a record holds it
  entry.marks = (entry.marks ?? 0) | MARK.fixed | MARK.aging;
  entry.ttlMs = spanMs;
  entry.deadlineMs = nowMs + ttlMs + spanMs;
}

/** What an entry holds beside its key. */
export interface NewEntry {
  flags: number;
  /** Bits of {@linkcode MARK}. */
  marks: number;
  value: ByteSpan;
  /** Time to live in milliseconds; `Infinity` if the entry never expires. */
  ttlMs: number;
  deadlineMs: number;
}

/** A write made by another node. */
export interface RemoteWrite {
  version: Version;
  /** `ENTRY`, `TOMB`, `GHOST` or `PREFIX`. */
  kind: number;
  /** What an entry holds; `remainingMs` is what remains of its time to live. Absent for other kinds. */
  entry?: { flags: number; marks?: number; value: ByteSpan; ttlMs: number; remainingMs: number };
}

/** Reads an entry or a grave by its position: a number that is valid until the store is changed. */
export interface EntryReader extends ValueSource {
  /** `ENTRY`, `TOMB`, `GHOST` or `PREFIX`. */
  kind(position: number): number;
  /** The number that orders the entry's version; memcached's clients see it as the entry's CAS. */
  h(position: number): number;
  /** The entry's marks: bits of {@linkcode MARK}. */
  marks(position: number): number;
  /** The entry's flags. */
  flags(position: number): number;
  /** When the entry expires, in milliseconds; `Infinity` is never. */
  deadlineMs(position: number): number;
  /** Until when the entry is fresh, in milliseconds: until it expires, unless it is aging. */
  freshUntilMs(position: number): number;
  /** The entry's time to live, in milliseconds; of an aging one, the span for which it is kept after its time. */
  ttlMs(position: number): number;
  /** Milliseconds since peers were told of the entry's use or, for a fixed entry, since its last use; up to 49 days. */
  toldMs(position: number, nowMs: number): number;
  /** Position of the entry that was used before the one at a position; 0 if there is none. */
  older(position: number): number;
  /** Bytes of the key. */
  keyBytes(position: number): number;
  /** Copies the key to a place in an array. Returns where the key ends. */
  copyKey(position: number, target: Uint8Array, at: number): number;
  /** Bytes of the value. */
  valueBytes(position: number): number;
  /** Copies the bytes of the entry's value from `from` up to `to` to a place in an array that has room for them. */
  copyPart(position: number, from: number, to: number, target: Uint8Array, at: number): void;
  /** Bytes of the value and, if there is one, its stamp. */
  storedBytes(position: number): number;
  /** Copies the value and, if there is one, its stamp. */
  copyStored(position: number, target: Uint8Array, at: number, view?: DataView): void;
  /** Bytes of memory that an entry with a key and a value of these lengths takes at most. */
  entryBytes(keyBytes: number, valueBytes: number): number;
}
