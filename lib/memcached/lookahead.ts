/**
 * Looks ahead in memcached's text protocol: finds the keys of `get` and `set` commands that have arrived together, so that
 * what their lookups read is prefetched for all at once. It answers no command, and leaves unusual ones to the caller.
 */

import { MAX_MEMCACHED_KEY_BYTES } from "../base/limits.ts";
import { MAX_PREFETCHED } from "../store/entries.ts";
import type { ByteSpan } from "../base/byte_span.ts";
import type { KeyBatch } from "../store/key_batch.ts";

const [CR, LF, SPACE, ZERO] = [13, 10, 0x20, 0x30];
/** "get " and "set " as numbers. */
const GET_ = 0x67657420;
const SET_ = 0x73657420;
/** Bytes of the shortest `get`. */
const LEAST_BYTES = 7;
/** Bytes between the key of a `set` and the end of its line, at most: three numbers take 36. */
const MAX_NUMBERS_BYTES = 64;

// What is found is needed within a run only, so all connections share these arrays, which stay in the processor's cache.
/** Where commands begin. */
const froms = new Int32Array(MAX_PREFETCHED);
/** Where the keys of commands end; 0 for `set`. */
const ends = new Int32Array(MAX_PREFETCHED);

/** Commands that are about to be answered, in the order of their arrival. */
export class Lookahead {
  readonly #keys: KeyBatch;
  readonly #key: ByteSpan = { bytes: new Uint8Array(0), from: 0, to: 0 };
  #count = 0;
  #next = 0;
  /** Whether a prediction was wrong: then one command is looked at a time, or a client could make most of it be in vain. */
  #isMistaken = false;

  /** @param keys Receives the keys that are found. */
  constructor(keys: KeyBatch) {
    this.#keys = keys;
  }

  /** Forgets what was found: the bytes may have moved. */
  clear(): void {
    this.#count = this.#next = 0;
    this.#isMistaken = false;
  }

  /** Where the key of a `get` with one key ends, if that command begins at `from` and lies before `to`; else 0. */
  get(bytes: Uint8Array, from: number, to: number): number {
    if (this.#next < this.#count && froms[this.#next] !== from) {
      this.#isMistaken = true;
      this.#count = this.#next;
    }
    if (this.#next === this.#count) this.#look(bytes, from, to);
    return this.#count === 0 ? 0 : ends[this.#next++];
  }

  /** Hash of the key that `get` has found. */
  get hash(): number {
    return this.#keys.hashes[this.#next - 1];
  }

  #look(bytes: Uint8Array, start: number, to: number): void {
    const key = this.#key;
    key.bytes = bytes;
    const most = this.#isMistaken ? 1 : MAX_PREFETCHED;
    const keys = this.#keys;
    keys.count = 0;
    for (let from = start; keys.count < most && to - from >= LEAST_BYTES;) {
      const name = bytes[from] << 24 | bytes[from + 1] << 16 | bytes[from + 2] << 8 | bytes[from + 3];
      if (name !== GET_ && name !== SET_) break;
      let end = from + 4;
      const limit = Math.min(to, end + MAX_MEMCACHED_KEY_BYTES + 1);
      while (end < limit && bytes[end] > SPACE) end++;
      if (end === from + 4 || end - from - 4 > MAX_MEMCACHED_KEY_BYTES) break;
      const after = name === GET_ ? afterGet(bytes, end, to) : afterSet(bytes, end, to);
      if (after < 0) break;
      froms[keys.count] = from;
      ends[keys.count] = name === GET_ ? end : 0;
      key.from = from + 4;
      key.to = end;
      keys.add(key);
      from = after;
    }
    this.#count = keys.count;
    this.#next = 0;
    keys.prefetch();
  }
}

/** Where the command after a `get` begins, if the key of the `get` ends at `at`; -1 if the line does not end there. */
function afterGet(bytes: Uint8Array, at: number, to: number): number {
  return at + 1 < to && bytes[at] === CR && bytes[at + 1] === LF ? at + 2 : -1;
}

/** Where the command after a `set` begins, by the length at the end of its line; -1 if there is no such length. */
function afterSet(bytes: Uint8Array, at: number, to: number): number {
  const limit = Math.min(to, at + MAX_NUMBERS_BYTES);
  while (at < limit && bytes[at] !== LF) at++;
  if (at === limit || bytes[at - 1] !== CR) return -1;
  let length = 0;
  let digit = at - 2;
  for (let unit = 1; bytes[digit] >= ZERO && bytes[digit] < ZERO + 10 && unit < 1e7; digit--, unit *= 10) {
    length += unit * (bytes[digit] - ZERO);
  }
  return bytes[digit] === SPACE && digit < at - 2 ? at + 1 + length + 2 : -1;
}
