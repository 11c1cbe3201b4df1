/** Writes out of a store as messages carry them. It knows records and history, not peers. */

import type { Delta, Write } from "./gossip_message.ts";
import type { Known } from "./history.ts";
import { ENTRY, GHOST, TRAVELS } from "./records.ts";
import { type Span, spanOf } from "./span.ts";
import type { Store } from "./store.ts";
import { compareVersions, type Version } from "./version.ts";

/** Keys and values in a message, in bytes; one write alone may be larger. */
const MAX_MESSAGE_BYTES = 128 * 1024;

/** What a peer lacks, or the oldest of it, and what was forgotten of that. */
export function deltaFor(store: Store, theirs: Known, maxWrites: number): Omit<Delta, "to" | "owed"> {
  const { writes, cut } = missingWrites(store, theirs, maxWrites);
  const upTo: Known = new Map();
  const lossy: Known = new Map();
  for (const { id, known, forgotten } of store.history.origins) {
    const have = theirs.get(id) ?? 0;
    const given = cut === undefined ? known : Math.min(known, id <= cut.origin ? cut.h : cut.h - 1);
    if (given > have) upTo.set(id, given);
    if (forgotten > have) lossy.set(id, forgotten);
  }
  return { known: store.history.known, upTo, lossy, writes, more: cut !== undefined };
}

/** The oldest writes that a peer lacks, in ascending order, and the last of them if they had to be cut off there. */
function missingWrites(store: Store, theirs: Known, maxWrites: number): { writes: Write[]; cut?: Version } {
  const { records, history } = store;
  const heads: { position: number; h: number; id: number; rest: Iterator<number> }[] = [];
  for (const { id, known, log } of history.origins) {
    const have = theirs.get(id) ?? 0;
    if (known <= have) continue;
    const rest = log.after(Math.max(have, history.cleared));
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
      return { writes: writesAt(store, positions), cut: history.version(positions.at(-1)!) };
    }
    positions.push(position);
    bytes += more;
    const { value: next } = rest.next();
    if (next === undefined) heads.splice(least, 1);
    else heads[least] = { position: next, h: records.h(next), id, rest };
  }
  return { writes: writesAt(store, positions) };
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
export function nameAt({ records, history }: Store, position: number): { key: Span; version: Version } {
  const key = new Uint8Array(records.keyBytes(position));
  records.copyKey(position, key, 0);
  return { key: spanOf(key), version: history.version(position) };
}

/** Position where this very version of a key lives, or 0. */
export function livesAt(store: Store, key: Span, version: Version): number {
  const position = store.peek(key);
  return position !== 0 && compareVersions(store.history.version(position), version) === 0 ? position : 0;
}
