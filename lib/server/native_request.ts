/** The fields of the native protocol's requests, read and checked. It knows bodies and bounds, not what is asked for. */

import type { ByteSpan } from "../base/byte_span.ts";
import { MAX_KEY_BYTES, MAX_KEYS_PER_GET, MAX_TTL_MS, MAX_VALUE_BYTES } from "../base/limits.ts";
import { type EntryInput, MARK } from "../store/entry.ts";
import type { Store } from "../store/store.ts";
import { LISTED_ENTRY_BYTES } from "../wire/entry_calls.ts";
import { type FrameReader, TTL_DEFAULT, TTL_FIXED } from "../wire/frame.ts";

/** The refusal of one request; the connection goes on. */
export class RequestRefusal extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** Returns a frame's key, after which nothing may come. */
export function onlyKeyOf(input: FrameReader): ByteSpan {
  return keyOf(input, 0);
}

/** Returns the prefix of keys that a frame has in place of a key, which may be missing, if exactly `bytesAfter` bytes come after it. */
export function prefixOf(input: FrameReader, bytesAfter: number): ByteSpan {
  if (input.keyBytes > 0) return keyOf(input, bytesAfter);
  checkBytesAfter(input, bytesAfter);
  return input.key;
}

/** Returns a frame's key, if exactly `bytesAfter` bytes come after it. */
export function keyOf(input: FrameReader, bytesAfter: number): ByteSpan {
  checkKeyBytes(input.keyBytes);
  checkBytesAfter(input, bytesAfter);
  return input.key;
}

function checkBytesAfter(input: FrameReader, bytesAfter: number): void {
  const received = input.end - input.key.to;
  if (received === bytesAfter) return;
  throw new RequestRefusal("bad-request", `expected ${bytesAfter} bytes after the key: received ${received}`);
}

/** Reads what comes before the value of what is to be stored: flags (4) and ttl (8), from an index on. */
export function readEntryHead(input: FrameReader, at: number, entry: EntryInput): void {
  const isFixed = isTurned(input.uint32(at + 4));
  entry.ttlMs = ttlOf(input, at + 4, isFixed);
  entry.marks = isFixed ? MARK.fixed : 0;
  entry.flags = input.uint32(at);
}

/** Returns a time to live; `undefined` is the default. */
export function ttlOf(input: FrameReader, at: number = input.key.to, isFixed = false): number | undefined {
  const first = input.uint32(at);
  const high = isFixed ? (first ^ TTL_FIXED) >>> 0 : first;
  const low = input.uint32(at + 4);
  if (high === TTL_DEFAULT && low === TTL_DEFAULT) return undefined;
  const ttlMs = high * 2 ** 32 + low;
  if (ttlMs > MAX_TTL_MS) throw new RequestRefusal("bad-ttl", `a ttl is at most ${MAX_TTL_MS} ms: received ${ttlMs}`);
  return ttlMs;
}

/** Whether the flag is turned over in the upper half of a ttl; "the default", which alone has the upper bit, has it set. */
export function isTurned(high: number): boolean {
  return ((high & TTL_FIXED) !== 0) !== (high > 0x7fffffff);
}

/** Checks the list of keys of a request, of `least` or more, and returns their number. */
export function checkKeys(input: FrameReader, least: number): number {
  const count = countOf(input, least);
  let at = input.start + 2;
  for (let i = 0; i < count; i++) {
    if (at + 3 > input.end) throw badList("truncated");
    const keyBytes = input.uint16(at);
    if (input.uint8(at + 2) !== 0) throw badList("no zero before a key");
    at += 3;
    if (at + keyBytes > input.end) throw badList("truncated");
    checkKeyBytes(keyBytes);
    at += keyBytes;
  }
  if (at !== input.end) throw badList("bytes after the last key");
  return count;
}

/** Checks the list of entries of a `SET_MANY`, and returns their number. A value may be too large. */
export function checkEntries(input: FrameReader): number {
  const count = countOf(input, 1);
  let at = input.start + 2;
  for (let i = 0; i < count; i++) {
    if (at + LISTED_ENTRY_BYTES > input.end) throw badList("truncated");
    const keyBytes = input.uint16(at);
    const to = at + LISTED_ENTRY_BYTES + keyBytes + input.uint32(at + 14);
    if (to > input.end) throw badList("truncated");
    checkKeyBytes(keyBytes);
    ttlOf(input, at + 6, isTurned(input.uint32(at + 6)));
    at = to;
  }
  if (at !== input.end) throw badList("bytes after the last entry");
  return count;
}

function countOf(input: FrameReader, least: number): number {
  if (input.keyBytes !== 0 || input.end - input.start < 2) throw badList("no count");
  const count = input.uint16(input.start);
  if (count < least) throw badList(`at least ${least}: received ${count}`);
  if (count > MAX_KEYS_PER_GET) throw badList(`at most ${MAX_KEYS_PER_GET}: received ${count}`);
  return count;
}

function badList(why: string): RequestRefusal {
  return new RequestRefusal("bad-request", `this request must list what it is for: ${why}`);
}

/** Checks that a request has no body. */
export function checkNoBody(input: FrameReader): void {
  if (input.start !== input.end) throw new RequestRefusal("bad-request", "expected no body");
}

function checkKeyBytes(keyBytes: number): void {
  if (keyBytes >= 1 && keyBytes <= MAX_KEY_BYTES) return;
  throw new RequestRefusal("bad-key", `a key has 1 to ${MAX_KEY_BYTES} bytes: received ${keyBytes}`);
}

/** The refusal of a value that has more bytes than any may have. */
export function valueTooLarge(valueBytes: number): RequestRefusal {
  return new RequestRefusal("too-large", `a value has at most ${MAX_VALUE_BYTES} bytes: received ${valueBytes}`);
}

/** The refusal of an entry that alone exceeds a store's limit of memory. */
export function entryTooLarge(store: Store, { from, to }: ByteSpan, valueBytes: number): RequestRefusal {
  const bytes = store.reader.entryBytes(to - from, valueBytes);
  return new RequestRefusal(
    "too-large",
    `the entry takes ${bytes} bytes of at most ${Math.floor(store.maxEntryBytes)}`,
  );
}
