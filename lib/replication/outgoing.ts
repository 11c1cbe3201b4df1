/** Writes out of a store as messages carry them. It knows records and history, not peers. */

import type { Page, Place, Pull, Write } from "./message.ts";
import { exceeds, type Known, type Origin } from "../store/history.ts";
import { ENTRY, GHOST, TRAVELS } from "../store/records.ts";
import { type ByteSpan, spanOf } from "../base/byte_span.ts";
import type { Store } from "../store/store.ts";
import { compareVersions, type Version } from "../store/version.ts";

/** Keys and values in a message, in bytes; one write alone may be larger. */
const MAX_MESSAGE_BYTES = 128 * 1024;

/** What a peer lacks, or the oldest of it, and what was forgotten of that. */
export function pageFor(store: Store, { question, known: theirs, after }: Pull, maxWrites: number): Omit<Page, "to"> {
  const { writes, cut } = missingWrites(store, theirs, after, maxWrites);
  const upTo: Known = new Map();
  const lossy: Known = new Map();
  for (const { id, known, forgotten } of store.history.origins) {
    const have = theirs.get(id) ?? 0;
    const given = cut === undefined ? known : Math.min(known, id <= cut.id ? cut.h : cut.h - 1);
    if (given > have) upTo.set(id, given);
    if (forgotten > Math.max(have, store.history.cleared)) lossy.set(id, forgotten);
  }
  return { question, known: store.history.known, upTo, lossy, writes, more: cut !== undefined };
}

/** The oldest writes that a peer lacks, in ascending order, and the last of them if they had to be cut off there. */
function missingWrites(
  store: Store,
  theirs: Known,
  after: Place,
  maxWrites: number,
): { writes: Write[]; cut?: Place } {
  const { records, history } = store;
  const heads: { position: number; h: number; id: number; rest: Iterator<number> }[] = [];
  if (!exceeds(history.known, theirs)) return { writes: [] };
  for (const origin of history.origins) {
    const { id } = origin;
    const rest = missingOf(store, origin, theirs.get(id) ?? 0, after);
    const { value: position } = rest.next();
    if (position !== undefined) heads.push({ position, h: records.h(position), id, rest });
  }
  const positions: number[] = [];
  let bytes = 0;
  while (heads.length > 0) {
    let least = 0;
    for (let i = 1; i < heads.length; i++) {
      const difference = heads[i].h - heads[least].h;
      if (difference < 0 || (difference === 0 && heads[i].id < heads[least].id)) least = i;
    }
    const { position, id, rest } = heads[least];
    const more = records.keyBytes(position) + records.storedBytes(position);
    const isFull = positions.length >= maxWrites || bytes + more > MAX_MESSAGE_BYTES;
    if (isFull && positions.length > 0) {
      return { writes: writesAt(store, positions), cut: placeOf(history.version(positions.at(-1)!)) };
    }
    positions.push(position);
    bytes += more;
    const { value: next } = rest.next();
    if (next === undefined) heads.splice(least, 1);
    else heads[least] = { position: next, h: records.h(next), id, rest };
  }
  return { writes: writesAt(store, positions) };
}

/**
 * Positions of an origin's writes that a peer lacks. Orphans are among them, though they make nothing known: one may have
 * taken the place of a write that is. But only those after a place, or every page would bring them again.
 */
function* missingOf(
  { records, history: { cleared } }: Store,
  { id, known, log }: Origin,
  have: number,
  after: Place,
): Generator<number, void, void> {
  const from = Math.max(have, cleared);
  for (const position of log.after(from)) {
    if (records.h(position) > known) break;
    yield position;
  }
  for (const position of log.after(Math.max(from, known, after.h - 1))) {
    if (isAfter({ h: records.h(position), id }, after)) yield position;
  }
}

/** Place of the write of a version. */
export function placeOf({ h, origin, by = origin }: Version): Place {
  return { h, id: by };
}

/** Whether one place comes after another. */
export function isAfter(place: Place, other: Place): boolean {
  return place.h > other.h || (place.h === other.h && place.id > other.id);
}

/** Writes with their values, for one message: their bytes lie in one array. */
export function writesAt({ records, history, nowMs }: Store, positions: readonly number[]): Write[] {
  let size = 0;
  for (const position of positions) size += records.keyBytes(position) + records.storedBytes(position);
  const bytes = new Uint8Array(size);
  let at = 0;
  return positions.map((position) => {
    const key = { bytes, from: at, to: at = records.copyKey(position, bytes, at) };
    const write: Write = { key, version: history.version(position), kind: records.kind(position) };
    if (write.kind !== ENTRY) return write;
    const remainingMs = records.deadlineMs(position) - nowMs;
    if (remainingMs <= 0) return { ...write, kind: GHOST };
    records.copyStored(position, bytes, at);
    const value = { bytes, from: at, to: at += records.storedBytes(position) };
    const marks = records.marks(position) & TRAVELS;
    write.entry = { flags: records.flags(position), marks, value, ttlMs: records.ttlMs(position), remainingMs };
    return write;
  });
}

/** Key and version of the write at a position. */
export function nameAt({ records, history }: Store, position: number): { key: ByteSpan; version: Version } {
  const key = new Uint8Array(records.keyBytes(position));
  records.copyKey(position, key, 0);
  return { key: spanOf(key), version: history.version(position) };
}

/** Position where this very version of a key lives, or 0. */
export function livesAt(store: Store, key: ByteSpan, version: Version): number {
  const position = store.peek(key);
  return position !== 0 && compareVersions(store.history.version(position), version) === 0 ? position : 0;
}
