/** Takes the writes and renewals of other nodes into a store, by the rules of docs/replication.md. It knows what is held, not who sends it. */

import type { ByteSpan } from "../base/byte_span.ts";
import type { Entries } from "./entries.ts";
import { ENTRY, MARK, PREFIX, type RemoteWrite, TOMB } from "./entry.ts";
import type { Known } from "./known.ts";
import type { Listeners } from "./listeners.ts";
import type { Losses } from "./losses.ts";
import { type Misses, WHY, type Why } from "./misses.ts";
import type { RetiredRecords } from "./retired_records.ts";
import { type How, type Rules, rulesFor } from "./rules.ts";
import { CAUSE } from "./store_listener.ts";
import { compareVersions, type Version } from "./version.ts";

/** What {@linkcode RemoteWrites} needs of the store. */
export interface RemoteWritesOptions {
  readonly rules: Rules;
  readonly losses: Losses;
  readonly misses: Misses;
  readonly listeners: Listeners;
  /** Records from before a `clear`, whose memory new entries may need. */
  readonly retired: RetiredRecords;
  readonly now: () => number;
}

/** The writes of other nodes. */
export class RemoteWrites {
  /** The entries of the store: others after each `clear`. */
  entries: Entries;
  readonly #options: RemoteWritesOptions;

  constructor(entries: Entries, options: RemoteWritesOptions) {
    this.entries = entries;
    this.#options = options;
  }

  /** Does what `Store.apply` says. */
  apply(key: ByteSpan, { version, kind, entry }: RemoteWrite, theirs: Known, how?: How): boolean {
    const { entries, entries: { history, records } } = this;
    const { rules, losses, misses, listeners, retired, now } = this.#options;
    const nowMs = now();
    const hash = entries.hash(key);
    // There is one write of each version, or there would be no place to cut a page.
    if (rules.clear && version.h <= history.cleared) return this.#refuse(hash, kind, WHY.cleared);
    if (history.recognizes(version)) return false;
    const inForce = rulesFor(how, rules);
    if (kind === PREFIX) return this.#clearPrefix(key, version, inForce, nowMs);
    if (rules.prefixes && entries.prefixes.covers(key, version)) return this.#refuse(hash, kind, WHY.cleared);
    const known = entries.settled(hash, key, nowMs);
    if (known !== 0 && compareVersions(version, history.version(known)) <= 0) return false;
    const isLive = known !== 0 && records.kind(known) === ENTRY;
    if (history.refuses(version, key, isLive, theirs, inForce)) {
      if (isLive) this.distrust(known); // it is older than what is refused
      else listeners.tell(CAUSE.overtaken, key); // what was here of it, before it was evicted
      // One that is known has been here: why it is here no more is remembered, or was.
      return inForce.cover && history.covers(version) ? false : this.#refuse(hash, kind, WHY.superseded);
    }
    const isInUse = isLive && entries.isUsedSince(known, version);
    if (known !== 0) entries.erase(known);
    const valueBytes = entry === undefined ? 0 : entry.value.to - entry.value.from;
    const bytes = records.entryBytes(key.to - key.from, valueBytes);
    retired.makeRoomFor(bytes, records);
    let isHeld = kind === TOMB;
    if (isHeld) {
      entries.addGrave(hash, key, version, nowMs);
    } else if (kind === ENTRY && entry !== undefined && entry.remainingMs > 0 && bytes <= entries.maxEntryBytes) {
      const living = { ...entry, marks: entry.marks ?? 0, deadlineMs: nowMs + entry.remainingMs };
      isHeld = entries.arrive(hash, key, version, living, isInUse, nowMs);
      if (!isHeld) {
        losses.countArrival(entries.order.size);
        listeners.tell(CAUSE.evicted, key);
      }
    }
    if (!isHeld) {
      const hasValue = kind === ENTRY && entry !== undefined; // else it has left already where it was
      if (hasValue) misses.note(hash, entry.remainingMs > 0 ? WHY.evicted : WHY.expired);
      else if (known !== 0) misses.note(hash, WHY.superseded);
      if (rules.fingerprints) history.depart(version, key);
    }
    listeners.tell(CAUSE.applied, key);
    return true;
  }

  /** Takes note of why a write is not taken, unless more is remembered of its key. Returns false. */
  #refuse(hash: number, kind: number, why: Why): false {
    const { misses } = this.#options;
    if (kind === ENTRY && misses.whyOf(hash) === WHY.absent) misses.note(hash, why);
    return false;
  }

  /** Does what `Store.extend` says, to the entry at a position if that is not 0. */
  extend(position: number, version: Version, remainingMs: number): boolean {
    const { entries: { history, order, records } } = this;
    const { rules, now } = this.#options;
    if (position === 0 || (records.marks(position) & MARK.aging) !== 0) return false;
    if (rules.touch && compareVersions(history.version(position), version) !== 0) return false;
    const nowMs = now();
    const ttlMs = records.ttlMs(position);
    const deadlineMs = nowMs + Math.min(ttlMs, remainingMs);
    if (!(deadlineMs > records.deadlineMs(position))) return false;
    const isNews = deadlineMs - records.deadlineMs(position) > ttlMs / 8;
    records.setDeadlineMs(position, deadlineMs);
    records.setTold(position, nowMs);
    order.toFront(position);
    return isNews;
  }

  /** Whatever may have left here or is forgotten, a clear makes nothing stale: only one that has been dealt with is refused. */
  #clearPrefix(prefix: ByteSpan, version: Version, { cover }: Rules, nowMs: number): boolean {
    const { entries, entries: { history, records } } = this;
    if ((cover && history.covers(version)) || entries.prefixes.covers(prefix, version)) return false;
    this.#options.retired.makeRoomFor(records.entryBytes(prefix.to - prefix.from, 0), records);
    entries.addPrefix(prefix, version, nowMs);
    this.#options.listeners.tell(CAUSE.cleared, prefix);
    return true;
  }

  /** Drops the entry at a position, which has not been confirmed: it may have been deleted elsewhere. */
  distrust(position: number): void {
    this.#options.listeners.tellOf(CAUSE.applied, this.entries.records, position);
    this.entries.depart(position, WHY.superseded);
  }
}
