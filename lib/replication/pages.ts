/** Takes writes out of a store in the form that messages carry. It knows records and history, not peers. */

import {
  type Head,
  type Listed,
  MORE,
  type Page,
  type Place,
  type Pull,
  type Verified,
  type Verify,
  type Write,
} from "./message.ts";
import type { Rules } from "../store/rules.ts";
import type { Known } from "../store/known.ts";
import { ENTRY, GHOST, TRAVELS } from "../store/entry.ts";
import { type ByteSpan, spanOf } from "../base/byte_span.ts";
import type { Store } from "../store/store.ts";
import { compareVersions, type Version } from "../store/version.ts";
import type { WriteLog } from "../store/write_log.ts";

/** How much a page holds at most; one write alone may be larger. */
export interface PageSize {
  readonly maxWrites: number;
  /** Bytes of keys and values. */
  readonly maxBytes: number;
}

/** Bytes of keys and values in a page, at most, where the way is not long. */
export const MAX_PAGE_BYTES = 128 * 1024;

/** Places in a list, at most. */
const MAX_LISTED = 4096;

/** Fingerprints in a page, at most about. */
const MAX_DEPARTURES = 5000;

/**
 * A page of the oldest writes that a peer lacks, and how far such writes have been forgotten here. With the last of them,
 * and on further pages, come the fingerprints of those that have left.
 */
export function pageFor(
  store: Store,
  pull: Pull,
  { rules, known, ...size }: PageSize & { rules: Rules; known: Known },
): Omit<Page, "to"> {
  const { history } = store;
  const { question, known: theirs, after } = pull;
  const isAsked = pull.cursor !== undefined;
  const { writes, isCut } = isAsked ? { writes: [], isCut: false } : missingWrites(store, pull, size);
  const lossy = history.forgottenBeyond(theirs);
  for (const [id, h] of lossy) if (h <= history.cleared) lossy.delete(id);
  const page = { question, known, lossy, writes };
  const cursor = pull.cursor ?? { cell: 0, moves: 0 };
  const isLast = rules.lastPage ? !isCut : after.h === 0;
  if (!isLast) return { ...page, more: isCut ? MORE.writes : MORE.nothing, departures: [], cursor };
  const { departures, more } = history.departures(theirs, cursor, MAX_DEPARTURES);
  return { ...page, more: isCut ? MORE.writes : more ? MORE.departures : MORE.nothing, departures, cursor };
}

/**
 * The oldest writes that a peer lacks, in ascending order; `isCut` if there are more. Orphans are among them, though they
 * make nothing known: an orphan may have replaced a write that is known.
 */
function missingWrites(
  store: Store,
  pull: Pull,
  { maxWrites, maxBytes }: PageSize,
): { writes: Write[]; isCut: boolean } {
  const { reader, history } = store;
  const { known: theirs, after } = pull;
  const least = new Map<unknown, number>();
  for (const { id, log } of after.h > 0 ? [] : history.knowledge.beyond(theirs)) {
    if (log !== undefined) least.set(log, Math.min(least.get(log) ?? Infinity, (theirs.get(id) ?? 0) + 1));
  }
  const isFirst = after.h === 0 && history.orphaned.length === 0; // orphans may be anywhere
  const from = (log: WriteLog) => Math.max(history.cleared + 1, isFirst ? least.get(log) ?? Infinity : after.h);
  const positions: number[] = [];
  let bytes = 0;
  for (const position of history.logs.ascending(from)) {
    const [h, { id }] = [reader.h(position), history.logs.originAt(position)];
    if (h <= (theirs.get(id) ?? 0) || !isAfter({ h, id }, after)) continue;
    const more = reader.keyBytes(position) + reader.storedBytes(position);
    const isFull = positions.length >= maxWrites || bytes + more > maxBytes;
    if (isFull && positions.length > 0) return { writes: writesAt(store, positions), isCut: true };
    positions.push(position);
    bytes += more;
  }
  return { writes: writesAt(store, positions), isCut: false };
}

/** Place of the write with a version. */
export function placeOf({ h, origin, by = origin }: Version): Place {
  return { h, id: by };
}

/** A list of places of entries that a peer has asked for. */
export function listFor(
  store: Store,
  { from: to, question, before }: Head & { question: number; before: Place },
): Listed {
  return { to, question, ...placesBefore(store, before, MAX_LISTED) };
}

/** Places of the newest entries held before a place, of up to `most` of them, the newest first. */
export function placesBefore(
  { reader, history }: Store,
  before: Place,
  most: number,
): { places: Place[]; more: boolean } {
  const places: Place[] = [];
  for (const position of history.logs.descending(before.h)) {
    const [h, { id, known }] = [reader.h(position), history.logs.originAt(position)];
    if (h <= history.cleared) break;
    if (h > known || reader.kind(position) !== ENTRY || !isAfter(before, { h, id })) continue;
    if (places.length === most) return { places, more: true };
    places.push({ h, id });
  }
  return { places, more: false };
}

/** A page of entries at places, the newest first, as many as a page holds. */
export function pageAt(
  store: Store,
  { question, places }: { question: number; places: readonly Place[] },
  { maxWrites, maxBytes, known }: PageSize & { known: Known },
): Omit<Page, "to"> {
  const { reader, history } = store;
  const positions: number[] = [];
  let [bytes, isFull] = [0, false];
  for (const { h, id } of places) {
    const position = history.at(id, h);
    if (position === 0 || reader.kind(position) !== ENTRY) continue;
    bytes += reader.keyBytes(position) + reader.storedBytes(position);
    isFull = positions.length === maxWrites || (positions.length > 0 && bytes > maxBytes);
    if (isFull) break;
    positions.push(position);
  }
  const none = { lossy: new Map(), departures: [], cursor: { cell: 0, moves: 0 } };
  const more = isFull ? MORE.writes : MORE.nothing;
  return { question, known, ...none, more, writes: writesAt(store, positions.reverse()) };
}

/** Whether `place` comes after `other`. */
export function isAfter(place: Place, other: Place): boolean {
  return place.h > other.h || (place.h === other.h && place.id > other.id);
}

/** Writes with their keys and values, for one message: the bytes lie in one array. */
export function writesAt({ reader, history, nowMs }: Store, positions: readonly number[]): Write[] {
  let size = 0;
  for (const position of positions) size += reader.keyBytes(position) + reader.storedBytes(position);
  const bytes = new Uint8Array(size);
  let at = 0;
  return positions.map((position) => {
    const key = { bytes, from: at, to: at = reader.copyKey(position, bytes, at) };
    const write: Write = { key, version: history.version(position), kind: reader.kind(position) };
    if (write.kind !== ENTRY) return write;
    const remainingMs = reader.deadlineMs(position) - nowMs;
    if (remainingMs <= 0) return { ...write, kind: GHOST };
    reader.copyStored(position, bytes, at);
    const value = { bytes, from: at, to: at += reader.storedBytes(position) };
    const marks = reader.marks(position) & TRAVELS;
    write.entry = { flags: reader.flags(position), marks, value, ttlMs: reader.ttlMs(position), remainingMs };
    return write;
  });
}

/** Key and version of the write at a position. */
export function nameAt({ reader, history }: Store, position: number): { key: ByteSpan; version: Version } {
  const key = new Uint8Array(reader.keyBytes(position));
  reader.copyKey(position, key, 0);
  return { key: spanOf(key), version: history.version(position) };
}

/** Key and version of the entry or grave of a key. */
export function nameOf(store: Store, { bytes, from, to }: ByteSpan): { key: ByteSpan; version: Version } {
  const key = spanOf(bytes.slice(from, to));
  return { key, version: store.versionOf(key)! };
}

/** Position of a key's living entry if it has this very version, or 0. */
export function livesAt(store: Store, key: ByteSpan, version: Version): number {
  const position = store.peek(key);
  return position !== 0 && compareVersions(store.history.version(position), version) === 0 ? position : 0;
}

/** Of each of a peer's living versions, whether it is the newest of its key that this node has known. */
export function verifiedFor(store: Store, { from: to, question, known: theirs, writes }: Verify & Head): Verified {
  const forgotten = store.history.mostForgottenBeyond(theirs);
  const confirmed = writes.map(({ key, version }) => {
    if (livesAt(store, key, version) !== 0) return true;
    const held = store.versionOf(key);
    const isNewer = held !== undefined && compareVersions(held, version) > 0;
    return !isNewer && version.h > forgotten && !store.hasLeft(key, version);
  });
  return { to, question, confirmed };
}
