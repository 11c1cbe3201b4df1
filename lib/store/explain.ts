/** Tells what a store remembers of a key: what it holds of it, or why it holds nothing. It changes nothing and counts nothing. */

import type { ByteSpan } from "../base/byte_span.ts";
import type { KeyExplanation } from "../base/explanation.ts";
import type { Entries } from "./entries.ts";
import { ENTRY, MARK } from "./entry.ts";
import { type Misses, WHY, wordOf } from "./misses.ts";
import { timeOf } from "./version.ts";

/** What it needs of the store beside its entries. */
export interface ExplainOptions {
  readonly misses: Misses;
  /** The time by which entries age, and that by which versions are made, in milliseconds since 1970. */
  readonly nowMs: number;
  readonly wallMs: number;
}

/** Explains a key, as {@linkcode KeyExplanation} says. */
export function explain(entries: Entries, key: ByteSpan, { misses, nowMs, wallMs }: ExplainOptions): KeyExplanation {
  const { history, records } = entries;
  const server = history.knowledge.own.id;
  const hash = entries.hash(key);
  const position = entries.lookup(hash, key);
  if (position !== 0 && !entries.isDoomed(position)) {
    const held = records.kind(position) === ENTRY ? entryAt(entries, position, nowMs) : { state: "deleted" } as const;
    return { server, ...held, ...since(history.version(position), wallMs) };
  }
  const state = wordOf(position === 0 ? misses.whyOf(hash) : WHY.cleared);
  if (state === "cleared") return { server, state, ...lastClear(entries, key, wallMs) };
  return { server, state, ...since({ h: history.lastLeft(key) }, wallMs) };
}

/** What is told of an entry, whose time may be over, or which is withheld for now. */
function entryAt(entries: Entries, position: number, nowMs: number): Omit<KeyExplanation, "server"> {
  const { records } = entries;
  const [deadlineMs, freshUntilMs] = [records.deadlineMs(position), records.freshUntilMs(position)];
  const isWithheld = deadlineMs > nowMs && entries.isWithheld(position);
  const isHeld = freshUntilMs > nowMs && !isWithheld;
  const keptMs = Math.max(0, Math.ceil(deadlineMs - nowMs));
  const marks = records.marks(position);
  return {
    state: isHeld ? "held" : isWithheld ? "superseded" : "expired",
    ...isHeld
      ? freshUntilMs === Infinity ? {} : { remainingMs: Math.ceil(freshUntilMs - nowMs) }
      : keptMs === Infinity
      ? {}
      : { keptMs },
    valueBytes: records.valueBytes(position),
    bytes: records.entryBytes(records.keyBytes(position), records.storedBytes(position)),
    flags: records.flags(position),
    marks: Object.entries(MARK).filter(([, bit]) => (marks & bit) !== 0).map(([name]) => name),
  };
}

/** What is told of the last clear of a key, of all keys or of a prefix of it. */
function lastClear({ history, prefixes }: Entries, key: ByteSpan, wallMs: number): Partial<KeyExplanation> {
  const last = prefixes.lastOf(key);
  if (last === undefined || last.version.h < history.cleared) return since({ h: history.cleared }, wallMs);
  const { bytes, from, to } = last.prefix;
  return { ...since(last.version, wallMs), prefix: new TextDecoder().decode(bytes.subarray(from, to)) };
}

/** What is told of a version; nothing of 0, which stands for none. */
function since({ h, origin }: { h: number; origin?: number }, wallMs: number): Partial<KeyExplanation> {
  if (h === 0) return {};
  return { version: h, ...origin === undefined ? {} : { origin }, ageMs: Math.max(0, Math.round(wallMs - timeOf(h))) };
}
