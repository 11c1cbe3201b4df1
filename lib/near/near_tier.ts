/**
 * The near tier of a client: copies of what its server has sent, and whether they may still be used. It reads no clock, and knows
 * neither connections nor frames: what comes on a connection it is told, in its order. The rules are in docs/near.md.
 */

import type { NearCopyStats } from "../base/stats.ts";
import type { ValueCodec } from "../base/value_options.ts";
import { LruCache } from "../lru.ts";
import { COPY_MARK, type CopyTerms, type Remaining, slotOfText } from "../wire/near.ts";
import { copied } from "./copied.ts";

/** Stands for a value that the server has to be asked for, because `undefined` is a value. */
export const ASK: unique symbol = Symbol("ask");

/** What a near read wants to be sent, one bit each. */
export const DUE = {
  /** A `PING`, so that later reads need not ask: its reply shows that the copies are as fresh. */
  ping: 1,
  /** A `USE` of the key: the server does not see near hits. */
  use: 2,
} as const;

/** What a near tier may hold, and for how long a copy may be behind. */
export interface NearLimits {
  /** Copies at most. */
  readonly maxSize: number;
  /** Bytes at most, as they came: values, keys, and 128 for each copy. */
  readonly maxTotalSize: number;
  /** Milliseconds for which another client's write may not be seen; 0 where nothing is to be kept. */
  readonly maxStaleMs: number;
  /** Whether each reader gets a value of its own. */
  readonly copies: boolean;
}

/** A copy, in the list of those of its slot. */
interface Copy {
  readonly name: string;
  readonly slot: number;
  readonly value: unknown;
  /** What has decoded the value, if that was a codec of the client's own. */
  readonly codec: ValueCodec | undefined;
  readonly size: number;
  /** The time from which on it is not to be used, by the steady clock. */
  deadlineMs: number;
  /** Milliseconds from one `USE` to the next. */
  useEveryMs: number;
  /** When the server was last told of a use, or sent the copy. */
  usedAtMs: number;
  before: Copy | undefined;
  after: Copy | undefined;
}

/** Bytes that a copy is taken to need beside its key and its value. */
const COPY_BYTES = 128;
/** Milliseconds from one `USE` to the next at most: what a server has not seen used for long, it evicts. */
const MAX_USE_EVERY_MS = 60_000;
/** Milliseconds by which the wall clock has to gain on the steady one for the machine to have slept. */
const SLEPT_MS = 100;

/** Copies, and what is known of their freshness. */
export class NearTier {
  /** Reads that a copy has answered. */
  hits = 0;
  /** Reads of which there was a copy, but none that was known to be fresh enough. */
  fenced = 0;
  /** Copies dropped because the server said that they are not to be used any more. */
  invalidations = 0;
  /** What the last `read` wants to be sent: a sum of bits of {@linkcode DUE}. */
  due = 0;
  readonly #limits: NearLimits;
  readonly #copies: LruCache<Copy>;
  /** The first copy of each slot that has any. */
  readonly #slots = new Map<number, Copy>();
  /** Own writes under way, by the names of their keys. */
  readonly #own = new Map<string, number>();
  #isOn = false;
  /** All that the server had written by then has been heard of. */
  #freshAsOfMs = -Infinity;
  /** When a request was last sent. */
  #sentAtMs = -Infinity;
  #isPinging = false;
  /** When it was noticed that the machine had slept: what was sent before says nothing of now. */
  #awakeSinceMs = -Infinity;
  /** The least by which the wall clock has been ahead of the steady one since then. */
  #wallAheadMs = Infinity;

  /** Makes an empty tier, which is off until there is a connection. */
  constructor(limits: NearLimits) {
    this.#limits = limits;
    const { maxSize, maxTotalSize } = limits;
    this.#copies = new LruCache({
      maxSize,
      maxTotalSize,
      sizeOf: ({ size }) => size,
      onEvict: (_, copy) => this.#unlink(copy),
    });
  }

  /** Whether copies are kept: there is a connection, and the server tells of changes. */
  get isOn(): boolean {
    return this.#isOn;
  }

  /** The counters, as statistics show them. */
  stats(): NearCopyStats {
    const { hits, fenced, invalidations, isOn } = this;
    return { hits, fenced, invalidations, entries: this.#copies.size, isOn };
  }

  /**
   * Returns the value of a key, or `ASK`. What is to be sent then stands in `due`, which the caller must send.
   *
   * @param key The key.
   * @param nowMs The steady clock, read for this read alone: a copy may be used until a millisecond.
   * @param wallMs The wall clock, read after that: a sleep between the two must not remain unnoticed.
   */
  read(key: string, nowMs: number, wallMs: number): unknown {
    this.due = 0;
    this.#compare(nowMs, wallMs);
    const copy = this.#copies.get(nameOf(key));
    if (copy === undefined) return ASK;
    if (nowMs >= copy.deadlineMs) {
      this.#copies.delete(copy.name);
      return ASK;
    }
    const { maxStaleMs, copies } = this.#limits;
    if (nowMs - this.#freshAsOfMs > maxStaleMs) {
      this.fenced++;
      return ASK;
    }
    const value = copies ? this.#copyOf(copy) : copy.value;
    if (value === ASK) return ASK;
    this.hits++;
    if (nowMs - this.#sentAtMs >= maxStaleMs / 2 && !this.#isPinging) {
      this.#isPinging = true;
      this.due |= DUE.ping;
    }
    if (nowMs - copy.usedAtMs >= copy.useEveryMs) {
      copy.usedAtMs = nowMs;
      this.due |= DUE.use;
    }
    return value;
  }

  /** Takes note that requests have been sent. */
  sent(nowMs: number): void {
    this.#sentAtMs = nowMs;
  }

  /** Takes note that a `PING` which a read has wanted is over. */
  pinged(): void {
    this.#isPinging = false;
  }

  /** Takes note that a reply has come to a request that was sent at a time, or later. */
  replied(sentAtMs: number): void {
    if (sentAtMs > this.#freshAsOfMs && this.#counts(sentAtMs)) this.#freshAsOfMs = sentAtMs;
  }

  /**
   * Keeps a copy, in place of an older one, if it may be kept.
   *
   * @param key The key.
   * @param value The value, which is the reader's, too, unless the tier makes copies of it.
   * @param sentAtMs A time before the request was sent: from then on the server's times are counted.
   * @param terms What the server says of it.
   * @param bytes Bytes of the value, as they came; unpacked, if they came compressed.
   * @param codec What has decoded the value, if that was a codec of the client's own.
   */
  fill(
    key: string,
    value: unknown,
    sentAtMs: number,
    { marks, freshMs, ttlMs }: CopyTerms,
    bytes: number,
    codec?: ValueCodec,
  ): void {
    const name = nameOf(key);
    const mayBeKept = (marks & COPY_MARK.kept) !== 0 && this.#isOn && this.#counts(sentAtMs) && !this.#own.has(name);
    if (!mayBeKept) return void this.#copies.delete(name);
    const kept = this.#limits.copies ? copyOf(value, codec) : value;
    if (kept === ASK) return void this.#copies.delete(name);
    const copy: Copy = {
      name,
      slot: slotOfText(key),
      value: kept,
      codec,
      size: bytes + key.length + COPY_BYTES,
      deadlineMs: sentAtMs + freshMs,
      useEveryMs: useEveryMs(ttlMs),
      usedAtMs: sentAtMs,
      before: undefined,
      after: undefined,
    };
    if (this.#copies.set(name, copy)) this.#link(copy);
  }

  /** Takes note of the answer to a `USE` that was sent at a time, or later: what remains of the entry. */
  used(key: string, sentAtMs: number, { freshMs, ttlMs }: Remaining): void {
    const copy = this.#copies.peek(nameOf(key));
    if (copy === undefined || !this.#counts(sentAtMs)) return;
    copy.deadlineMs = sentAtMs + freshMs;
    copy.useEveryMs = useEveryMs(ttlMs);
  }

  /** Drops the copy of a key. */
  drop(key: string): void {
    this.#copies.delete(nameOf(key));
  }

  /** Drops the copies of all keys of a slot, as the server says. */
  invalid(slot: number): void {
    for (let copy = this.#slots.get(slot); copy !== undefined; copy = this.#slots.get(slot)) {
      this.invalidations++;
      this.#copies.delete(copy.name);
    }
  }

  /** Drops all copies, as the server says. */
  all(): void {
    this.invalidations += this.#copies.size;
    this.clear();
  }

  /** Drops all copies. */
  clear(): void {
    if (this.#copies.size > 0) this.#copies.clear();
  }

  /** Takes note of an own write of a key that is to be sent: until it has `ended` the key has no copy. */
  began(key: string): void {
    const name = nameOf(key);
    this.#copies.delete(name);
    this.#own.set(name, (this.#own.get(name) ?? 0) + 1);
  }

  /** Takes note that the reply to an own write has come, or will not come any more. */
  ended(key: string): void {
    const name = nameOf(key);
    const others = this.#own.get(name)! - 1;
    if (others === 0) this.#own.delete(name);
    else this.#own.set(name, others);
  }

  /** Takes note of a new connection to a server that tells of changes: nothing is known of it. */
  connected(): void {
    this.lost();
    this.#isOn = true;
  }

  /** Takes note that the connection is not used any more. */
  lost(): void {
    this.clear();
    this.#isOn = false;
    this.#isPinging = false;
    this.#freshAsOfMs = -Infinity;
  }

  /** Whether a request that was sent at a time says something of now. One that is answered unasked has no time. */
  #counts(sentAtMs: number): boolean {
    return sentAtMs > this.#awakeSinceMs && sentAtMs < Infinity;
  }

  /** Drops all if the machine has slept, while the steady clock may have stood still. */
  #compare(nowMs: number, wallMs: number): void {
    const aheadMs = wallMs - nowMs;
    if (aheadMs < this.#wallAheadMs) this.#wallAheadMs = aheadMs;
    else if (aheadMs - this.#wallAheadMs > SLEPT_MS) {
      this.clear();
      this.#wallAheadMs = aheadMs;
      this.#awakeSinceMs = nowMs;
      this.#freshAsOfMs = -Infinity;
    }
  }

  /** A copy of what is kept, or `ASK` where a codec does not make another. */
  #copyOf({ name, value, codec }: Copy): unknown {
    const given = copyOf(value, codec);
    if (given === ASK) this.#copies.delete(name);
    return given;
  }

  #link(copy: Copy): void {
    const first = this.#slots.get(copy.slot);
    copy.after = first;
    if (first !== undefined) first.before = copy;
    this.#slots.set(copy.slot, copy);
  }

  #unlink({ slot, before, after }: Copy): void {
    if (after !== undefined) after.before = before;
    if (before !== undefined) before.after = after;
    else if (after !== undefined) this.#slots.set(slot, after);
    else this.#slots.delete(slot);
  }
}

/** A copy of a value, or `ASK` if none can be made. */
function copyOf(value: unknown, codec: ValueCodec | undefined): unknown {
  try {
    return copied(value, codec);
  } catch {
    return ASK;
  }
}

/** Half of the time to live where hits renew the entry, so that it does not expire behind its copy; a minute at most. */
function useEveryMs(ttlMs: number): number {
  return ttlMs === 0 ? MAX_USE_EVERY_MS : Math.min(ttlMs / 2, MAX_USE_EVERY_MS);
}

/**
 * The name of a key here. The engine hashes strings of digits predictably, so that chosen keys could all collide: what may be such
 * a string begins with a zero byte, and nothing else does.
 */
function nameOf(key: string): string {
  return key.charCodeAt(0) <= 0x39 ? `\0${key}` : key;
}
