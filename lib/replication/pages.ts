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
import type { Origin } from "../store/origins.ts";
import type { WriteLog } from "../store/write_log.ts";

/** How much a page holds at most; one write alone may be larger. */
export interface PageSize {
  readonly maxWrites: number;
  /** Bytes of keys and values. */
  readonly maxBytes: number;
}

/** What a page says beside what has been asked for. */
export interface PageContext extends PageSize {
  readonly rules: Rules;
  /** What is known here. */
  readonly known: Known;
  /** Whether the peer understands if it is told of many origins in common how far they are forgotten. */
  readonly inCommon: boolean;
}

/** Bytes of keys and values in a page, at most, where the way is not long. */
export const MAX_PAGE_BYTES = 128 * 1024;

/** Places in a list, at most. */
const MAX_LISTED = 4096;

/**
 * Cleared entries, waiting to be erased, that are passed over for one message, so that it takes a millisecond. Then it ends with
 * one of them, without its value: what comes after that is asked for next.
 */
export const MAX_PASSED_OVER = 4096;

const NOTHING: ReadonlyMap<number, number> = new Map();

/** Fingerprints in a page, at most about. */
const MAX_DEPARTURES = 5000;

/**
 * A page of the oldest writes that a peer lacks, and how far such writes have been forgotten here. With the last of them,
 * and on further pages, come the fingerprints of those that have left. Those in `given`, by version the number under which each
 * is counted, have been given already.
 */
export function pageFor(
  store: Store,
  pull: Pull,
  { rules, known, inCommon, ...size }: PageContext,
  given: ReadonlyMap<number, number> = NOTHING,
): Omit<Page, "to"> {
  const { history } = store;
  const { question, known: theirs, after } = pull;
  const isAsked = pull.cursor !== undefined;
  const { writes, isCut } = isAsked ? { writes: [], isCut: false } : missingWrites(store, pull, given, size);
  const lossy = history.forgottenBeyond(theirs, inCommon);
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
  given: ReadonlyMap<number, number>,
  { maxWrites, maxBytes }: PageSize,
): { writes: Write[]; isCut: boolean } {
  const { reader, history } = store;
  const { known: theirs, after } = pull;
  const least = new Map<unknown, number>();
  const note = ({ id, known, log }: Origin, isOrphan: boolean) => {
    const have = Math.max(isOrphan ? known : 0, theirs.get(id) ?? 0);
    if (log !== undefined) least.set(log, Math.min(least.get(log) ?? Infinity, have + 1));
  };
  if (after.h === 0) {
    for (const origin of history.knowledge.beyond(theirs)) note(origin, false);
    for (const id of history.orphaned) note(history.knowledge.find(id)!, true);
  }
  const from = (log: WriteLog) => Math.max(history.cleared + 1, after.h === 0 ? least.get(log) ?? Infinity : after.h);
  const positions: number[] = [];
  let [bytes, passedOver] = [0, 0];
  for (const position of history.logs.ascending(from)) {
    const [h, { id }] = [reader.h(position), history.logs.originAt(position)];
    if (h <= (theirs.get(id) ?? 0) || !isAfter({ h, id }, after) || given.get(h) === id) continue;
    const isCleared = store.isCleared(position);
    if (isCleared && ++passedOver < MAX_PASSED_OVER) continue;
    const more = reader.keyBytes(position) + reader.storedBytes(position);
    const isFull = positions.length >= maxWrites || bytes + more > maxBytes;
    if (isFull && positions.length > 0) return { writes: writesAt(store, positions), isCut: true };
    positions.push(position);
    bytes += more;
    if (isCleared) return { writes: writesAt(store, positions), isCut: true };
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
  store: Store,
  before: Place,
  most: number,
): { places: Place[]; more: boolean } {
  const { reader, history } = store;
  const places: Place[] = [];
  let passedOver = 0;
  for (const position of history.logs.descending(before.h)) {
    const [h, { id, known }] = [reader.h(position), history.logs.originAt(position)];
    if (h <= history.cleared) break;
    if (h > known || reader.kind(position) !== ENTRY || !isAfter(before, { h, id })) continue;
    const isCleared = store.isCleared(position);
    if (isCleared && ++passedOver < MAX_PASSED_OVER) continue;
    if (places.length === most) return { places, more: true };
    places.push({ h, id });
    if (isCleared) return { places, more: true };
  }
  return { places, more: false };
}

/** A page of entries at places, the newest first, as many as a page holds. */
export function pageAt(
  store: Store,
  { question, places }: { question: number; places: readonly Place[] },
  { maxWrites, maxBytes, known }: PageSize & { known: Known },
): Omit<Page, "to"> {
  const { positions, isFull } = fitting(store, places, { maxWrites, maxBytes });
  return {
    ...pageWith(store, positions.reverse(), { question, known }),
    more: isFull ? MORE.writes : MORE.nothing,
  };
}

/** Places of the entries that were used last, of up to `most`, the last one first, that a peer lacks. */
export function recentPlaces(store: Store, theirs: Known, most: number): Place[] {
  const { reader, history } = store;
  const places: Place[] = [];
  for (let at = store.order.newest; at !== 0 && most > 0; at = reader.older(at), most--) {
    const [h, { id }] = [reader.h(at), history.logs.originAt(at)];
    if (h > Math.max(history.cleared, theirs.get(id) ?? 0) && !store.isCleared(at)) places.push({ h, id });
  }
  return places;
}

/** A page of the first of some places, as many as fit, which are taken from them: all others come after it. */
export function pageOf(
  store: Store,
  question: number,
  places: Place[],
  { known, ...size }: PageSize & { known: Known },
): Omit<Page, "to"> {
  const { reader, history } = store;
  const { positions, looked } = fitting(store, places, size);
  places.splice(0, looked);
  positions.sort((a, b) => reader.h(a) - reader.h(b) || history.logs.originAt(a).id - history.logs.originAt(b).id);
  return { ...pageWith(store, positions, { question, known }), more: MORE.recent };
}

/** Positions of the entries at the first of some places, as many as a page holds, and how many places were looked at. */
function fitting(
  store: Store,
  places: readonly Place[],
  { maxWrites, maxBytes }: PageSize,
): { positions: number[]; looked: number; isFull: boolean } {
  const { reader, history } = store;
  const positions: number[] = [];
  let bytes = 0;
  for (const [looked, { h, id }] of places.entries()) {
    const position = history.at(id, h);
    if (position === 0 || reader.kind(position) !== ENTRY || store.isCleared(position)) continue;
    bytes += reader.keyBytes(position) + reader.storedBytes(position);
    const isFull = positions.length === maxWrites || (positions.length > 0 && bytes > maxBytes);
    if (isFull) return { positions, looked, isFull };
    positions.push(position);
  }
  return { positions, looked: places.length, isFull: false };
}

function pageWith(store: Store, positions: readonly number[], { question, known }: { question: number; known: Known }) {
  const none = { lossy: new Map(), departures: [], cursor: { cell: 0, moves: 0 } };
  return { question, known, ...none, writes: writesAt(store, positions) };
}

/** Whether `place` comes after `other`. */
export function isAfter(place: Place, other: Place): boolean {
  return place.h > other.h || (place.h === other.h && place.id > other.id);
}

/** Writes with their keys and values, for one message: the bytes lie in one array. What has expired or been cleared has no value. */
export function writesAt(store: Store, positions: readonly number[]): Write[] {
  const { reader, history, nowMs } = store;
  let size = 0;
  for (const position of positions) size += reader.keyBytes(position) + reader.storedBytes(position);
  const bytes = new Uint8Array(size);
  let at = 0;
  return positions.map((position) => {
    const key = { bytes, from: at, to: at = reader.copyKey(position, bytes, at) };
    const write: Write = { key, version: history.version(position), kind: reader.kind(position) };
    if (write.kind !== ENTRY) return write;
    const remainingMs = reader.deadlineMs(position) - nowMs;
    if (remainingMs <= 0 || store.isCleared(position)) return { ...write, kind: GHOST };
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

/** Position of a key's living entry, fresh or only kept, if it has this very version, or 0. */
export function livesAt(store: Store, key: ByteSpan, version: Version): number {
  const position = store.living(key);
  return position !== 0 && compareVersions(store.history.version(position), version) === 0 ? position : 0;
}

/** Of each of a peer's living versions, whether it is the newest of its key that this node has known. */
export function verifiedFor(store: Store, { from: to, question, known: theirs, writes }: Verify & Head): Verified {
  const forgotten = store.history.mostForgottenBeyond(theirs);
  const confirmed = writes.map(({ key, version }) => {
    if (livesAt(store, key, version) !== 0) return true;
    return !store.holdsNewer(key, version) && version.h > forgotten && !hasLeft(store, key, version);
  });
  return { to, question, confirmed };
}

/** Whether a write of a key that is newer than a version may have left a store, by its fingerprint. */
export function hasLeft({ history }: Store, key: ByteSpan, version: Version): boolean {
  return history.hasNewer(key, version) && !history.leftLast(key, version);
}
