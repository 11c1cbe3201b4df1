/** Takes writes out of a store in the form that messages carry. It knows records and history, not peers. */

import { MORE, type Page, type Place, type Pull, type Write } from "./message.ts";
import type { Known, Origin, Rules } from "../store/history.ts";
import { ENTRY, type EntryReader, GHOST, TRAVELS } from "../store/entry.ts";
import { type ByteSpan, spanOf } from "../base/byte_span.ts";
import type { Store } from "../store/store.ts";
import { compareVersions, type Version } from "../store/version.ts";

/** Bytes of keys and values in a message, at most; one write alone may be larger. */
const MAX_MESSAGE_BYTES = 128 * 1024;

/** Fingerprints in a page, at most about. */
const MAX_DEPARTURES = 5000;

/**
 * A page of the oldest writes that a peer lacks, and how far such writes have been forgotten here. With the last of them,
 * and on further pages, come the fingerprints of those that have left.
 */
export function pageFor(store: Store, pull: Pull, maxWrites: number, rules: Rules): Omit<Page, "to"> {
  const { history } = store;
  const { question, known: theirs, given, after } = pull;
  const all: Known = new Map(theirs);
  for (const [id, h] of given) all.set(id, Math.max(h, theirs.get(id) ?? 0));
  const isAsked = pull.cursor !== undefined;
  const { writes, cut } = isAsked ? { writes: [] } : missingWrites(store, all, after, maxWrites);
  const upTo: Known = new Map();
  const lossy: Known = new Map();
  for (const { id, known, forgotten } of history.origins) {
    const have = all.get(id) ?? 0;
    const most = cut === undefined ? known : Math.min(known, id <= cut.id ? cut.h : cut.h - 1);
    if (!isAsked && most > have) upTo.set(id, most);
    if (forgotten > Math.max(theirs.get(id) ?? 0, history.cleared)) lossy.set(id, forgotten);
  }
  const page = { question, known: history.known, upTo, lossy, writes };
  const cursor = pull.cursor ?? { cell: 0, moves: 0 };
  const isLast = rules.lastPage ? cut === undefined : after.h === 0;
  if (!isLast) return { ...page, more: cut === undefined ? MORE.nothing : MORE.writes, departures: [], cursor };
  const { departures, more } = history.departures(theirs, cursor, MAX_DEPARTURES);
  return { ...page, more: cut !== undefined ? MORE.writes : more ? MORE.departures : MORE.nothing, departures, cursor };
}

/** The oldest writes that a peer lacks, in ascending order; `cut` is the last one's place if there are more. */
function missingWrites(
  store: Store,
  theirs: Known,
  after: Place,
  maxWrites: number,
): { writes: Write[]; cut?: Place } {
  const { reader, history } = store;
  const heads: { position: number; h: number; id: number; rest: Iterator<number> }[] = [];
  for (const origin of history.origins) {
    const { id } = origin;
    const rest = missingOf(store, origin, theirs.get(id) ?? 0, after);
    const { value: position } = rest.next();
    if (position !== undefined) heads.push({ position, h: reader.h(position), id, rest });
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
    const more = reader.keyBytes(position) + reader.storedBytes(position);
    const isFull = positions.length >= maxWrites || bytes + more > MAX_MESSAGE_BYTES;
    if (isFull && positions.length > 0) {
      return { writes: writesAt(store, positions), cut: placeOf(history.version(positions.at(-1)!)) };
    }
    positions.push(position);
    bytes += more;
    const { value: next } = rest.next();
    if (next === undefined) heads.splice(least, 1);
    else heads[least] = { position: next, h: reader.h(next), id, rest };
  }
  return { writes: writesAt(store, positions) };
}

/**
 * Positions of an origin's writes that a peer lacks. Orphans are among them, though they make nothing known: an orphan may
 * have replaced a write that is known. Only orphans after the place `after` are given, or every page would bring them again.
 */
function* missingOf(
  { reader, history: { cleared } }: Store,
  { id, known, log }: Origin,
  have: number,
  after: Place,
): Generator<number, void, void> {
  const from = Math.max(have, cleared);
  for (const position of log.after(from)) {
    if (reader.h(position) > known) break;
    yield position;
  }
  for (const position of log.after(Math.max(from, known, after.h - 1))) {
    if (isAfter({ h: reader.h(position), id }, after)) yield position;
  }
}

/** Place of the write with a version. */
export function placeOf({ h, origin, by = origin }: Version): Place {
  return { h, id: by };
}

/** Places of the newest entries held before a place, of up to `most` of them, the newest first. */
export function placesBefore(
  { reader, history }: Store,
  before: Place,
  most: number,
): { places: Place[]; more: boolean } {
  const heads = history.origins.flatMap(({ id, known, log }) => {
    const rest = log.before(Math.min(known, id < before.id ? before.h : before.h - 1) + 1);
    return { id, rest, h: nextEntry(reader, rest) };
  }).filter(({ h }) => h > history.cleared);
  const places: Place[] = [];
  while (heads.length > 0) {
    if (places.length === most) return { places, more: true };
    let last = 0;
    for (let i = 1; i < heads.length; i++) if (isAfter(heads[i], heads[last])) last = i;
    const head = heads[last];
    places.push({ h: head.h, id: head.id });
    head.h = nextEntry(reader, head.rest);
    if (head.h <= history.cleared) heads.splice(last, 1);
  }
  return { places, more: false };
}

/** Version of the next entry; 0 if there is none. */
function nextEntry(reader: EntryReader, positions: Generator<number, void, void>): number {
  for (let next = positions.next(); !next.done; next = positions.next()) {
    if (reader.kind(next.value) === ENTRY) return reader.h(next.value);
  }
  return 0;
}

/** A page of entries at places, the newest first, as many as a page holds. */
export function pageAt(store: Store, question: number, places: readonly Place[], maxWrites: number): Omit<Page, "to"> {
  const { reader, history } = store;
  const positions: number[] = [];
  let [bytes, isFull] = [0, false];
  for (const { h, id } of places) {
    const position = history.at(id, h);
    if (position === 0 || reader.kind(position) !== ENTRY) continue;
    bytes += reader.keyBytes(position) + reader.storedBytes(position);
    isFull = positions.length === maxWrites || (positions.length > 0 && bytes > MAX_MESSAGE_BYTES);
    if (isFull) break;
    positions.push(position);
  }
  const none = { upTo: new Map(), lossy: new Map(), departures: [], cursor: { cell: 0, moves: 0 } };
  const more = isFull ? MORE.writes : MORE.nothing;
  return { question, known: history.known, ...none, more, writes: writesAt(store, positions.reverse()) };
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
