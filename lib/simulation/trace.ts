/** Describes in words what happens in a simulated cluster. */

import { beginsWith, type ByteSpan, spanOf } from "../base/byte_span.ts";
import { MESSAGE, type Message, type Write } from "../replication/message.ts";
import type { Known } from "../store/known.ts";
import { ENTRY, GHOST, PREFIX, TOMB } from "../store/entry.ts";
import type { Store } from "../store/store.ts";
import { type Version, versionAt } from "../store/version.ts";

/** When simulated time begins, in milliseconds since 1970. */
export const START_MS = 1_767_225_600_000;

const PER_MS = versionAt(START_MS + 1) - versionAt(START_MS);
const NAMES = new Map<number, string>(Object.entries(MESSAGE).map(([name, type]) => [type, name]));
const KINDS = new Map([[ENTRY, "entry"], [TOMB, "tombstone"], [GHOST, "ghost"], [PREFIX, "clear"]]);
const KEY_PREFIX = "key:";
/** Room for one key. */
const KEY = new Uint8Array(32);
const TURNS = ["as an offer", "to be taken"];
const MAX_LINES = 60;

/** The name of the key with a number. */
export function keyName(key: number): Uint8Array {
  return new TextEncoder().encode(`${KEY_PREFIX}${key}`);
}

/** The number of a key. */
export function numberOf({ bytes, from, to }: ByteSpan): number {
  let number = 0;
  for (let i = from + KEY_PREFIX.length; i < to; i++) number = 10 * number + bytes[i] - 48;
  return number;
}

/** Whether a write is of a key, or clears it. */
function isOf(write: Write, key: number): boolean {
  return write.kind === PREFIX ? beginsWith(spanOf(keyName(key)), write.key) : keyOf(write) === key;
}

/** The number of the key of a write. */
export function keyOf({ key }: Write): number {
  return numberOf(key);
}

/** The number of the key of the entry or grave at a position. */
export function keyAt({ reader }: Store, position: number): number {
  return numberOf({ bytes: KEY, from: 0, to: reader.copyKey(position, KEY, 0) });
}

/** A version as simulated time, the count within its millisecond if that is not 0, and origin: `1200.3/5`. */
export function showVersion({ h, origin }: Version): string {
  return `${showTime(h)}/${origin}`;
}

function showTime(h: number): string {
  const ms = Math.floor((h - versionAt(START_MS)) / PER_MS);
  return h === 0 ? "0" : `${ms}${h % PER_MS === 0 ? "" : `.${h % PER_MS}`}`;
}

/** Describes a message with the number of its writes and, if a key is given, the writes of that key. */
export function describe(message: Message, key: number | undefined): string {
  const parts = [NAMES.get(message.type)!];
  if ("to" in message) parts.push(`for ${message.to}`);
  if (message.type === MESSAGE.known && message.turn > 0) parts.push(TURNS[message.turn - 1]);
  if (message.type === MESSAGE.page) {
    if (message.lossy.size > 0) parts.push(`forgotten ${showKnown(message.lossy)}`);
    if (message.more) parts.push("and more");
  } else if ("known" in message) parts.push(`knows ${showKnown(message.known)}`);
  if ("last" in message) parts.push(`of ${message.origin} up to ${showTime(message.last)}`);
  if (message.type === MESSAGE.push) parts.push(`after ${showTime(message.before)}`);
  if ("writes" in message) {
    parts.push(`with ${message.writes.length} writes`);
    for (const write of message.writes) {
      if (key !== undefined && isOf(write, key)) {
        parts.push(`(${key}: ${showVersion(write.version)} ${KINDS.get(write.kind) ?? "named"})`);
      }
    }
  }
  return parts.join(" ");
}

function showKnown(known: Known): string {
  return [...known].map(([origin, h]) => showVersion({ h, origin })).join(" ") || "nothing";
}

/** The last events, without those about other keys than the given one. */
export class Trace {
  /** The events noted, the oldest first. */
  readonly lines: string[] = [];
  readonly #key: number | undefined;
  #hasEnded = false;

  constructor(key: number | undefined) {
    this.#key = key;
  }

  /** Takes note of an event, and of the key that the event was about. */
  note(atMs: number, what: string, key?: number): void {
    if (this.#hasEnded) return;
    if (key !== undefined && this.#key !== undefined && key !== this.#key) return;
    if (this.lines.push(`${atMs} ms: ${what}`) > MAX_LINES) this.lines.shift();
  }

  /** Ends the trace: later events are left out. */
  end(): void {
    this.#hasEnded = true;
  }

  /** Takes note of a message; if a key is given, only of pages and of messages with a write of that key. */
  heard(atMs: number, what: string, message: Message): void {
    const key = this.#key;
    if (key !== undefined) {
      if (!("writes" in message)) return;
      if (message.type !== MESSAGE.page && !message.writes.some((write) => isOf(write, key))) return;
    }
    this.note(atMs, `${what}: ${describe(message, key)}`);
  }
}
