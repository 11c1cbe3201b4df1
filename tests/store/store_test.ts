/** The server's store: what is put in is found, and what happens is counted. */

import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { type ByteSpan, spanOf } from "../../lib/base/byte_span.ts";
import { MAX_STORE_BYTES, MIN_STORE_BYTES } from "../../lib/base/limits.ts";
import { HASHES_END } from "../../lib/store/hash_index.ts";
import {
  assertStats,
  belowOf,
  bounded,
  fixture,
  has,
  maintain,
  MIB,
  NO_MISSES,
  noise,
  noiseSpan,
  NONE,
  sameBytes,
  set,
  span,
  valueOf,
} from "../support/store_entries.ts";

Deno.test("Store() throws when a limit is out of range", () => {
  for (const maxSize of [0, -1, 0.5, NaN, -Infinity]) {
    const message = `Cannot create store: maxSize must be 1 or more: received ${maxSize}`;
    assertStrictEquals(assertThrows(() => fixture({ maxSize }), RangeError).message, message);
  }
  const allowed = `${MIN_STORE_BYTES} to ${MAX_STORE_BYTES}`;
  for (const maxBytes of [0, -1, MIN_STORE_BYTES - 1, MAX_STORE_BYTES + 1, NaN, Infinity]) {
    const message = `Cannot create store: maxBytes must be ${allowed}: received ${maxBytes}`;
    assertStrictEquals(assertThrows(() => fixture({ maxBytes }), RangeError).message, message);
  }
  for (const ttlMs of [-1, NaN, -Infinity]) {
    const message = `Cannot create store: ttlMs must be 0 or more: received ${ttlMs}`;
    assertStrictEquals(assertThrows(() => fixture({ ttlMs }), RangeError).message, message);
  }
  for (const maxBytes of [undefined, MIN_STORE_BYTES, 100_001, MAX_STORE_BYTES]) {
    const { store } = fixture({ maxSize: 7, maxBytes });
    assertEquals([store.maxSize, store.maxBytes], [7, maxBytes]);
    assertStrictEquals(set(store, "k", 100), true);
    assertEquals(has(store, "k"), [true]);
  }
});

Deno.test("Store.stats() is all zero when the store is new", () => {
  assertEquals(fixture().store.stats(), {
    ...NONE,
    missesByReason: NO_MISSES,
    bytes: 0,
    memoryBytes: 0,
    fingerprints: 0,
  });
});

Deno.test("Store.get() leads to what was stored last when the key has an entry", () => {
  const { store } = fixture();
  const bytes = Uint8Array.from({ length: 20 }, (_, i) => i);
  const key: ByteSpan = { bytes, from: 3, to: 6 };
  assertStrictEquals(store.set(key, { flags: 0xffffffff, value: { bytes, from: 5, to: 15 }, ttlMs: undefined }), true);
  bytes.fill(99, 6);
  const position = store.get({ bytes: Uint8Array.of(3, 4, 5), from: 0, to: 3 });
  assertEquals([store.reader.flags(position), store.reader.valueBytes(position)], [0xffffffff, 10]);
  const copy = new Uint8Array(13);
  store.reader.copyValue(position, copy, 2);
  assertEquals(copy, Uint8Array.of(0, 0, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0));
  for (const none of [[3, 4], [3, 4, 5, 0], [4, 5], [3, 4, 6], []]) {
    assertStrictEquals(store.get(spanOf(Uint8Array.from(none))), 0);
  }
  for (const length of [10, 12, 0, 1, 1000, 100_000, 3]) {
    const value = noise.subarray(length, 2 * length);
    assertStrictEquals(store.set(key, { flags: length, value: spanOf(value), ttlMs: undefined }), true);
    assertEquals(valueOf(store, key), value.slice());
    assertStrictEquals(store.reader.flags(store.get(key)), length);
  }
  assertStrictEquals(store.stats().entries, 1);
});

Deno.test("Store.get() counts hits and misses when called, and has() and touch() do not", () => {
  const { store } = fixture();
  set(store, "k");
  for (const key of ["k", "k", "none"]) store.get(span(key));
  assertEquals(has(store, "k", "none"), [true, false]);
  assertEquals([store.touch(span("k"), 5), store.touch(span("none"), 5)], [true, false]);
  assertStats(store, { entries: 1, stores: 1, hits: 2, misses: 1 });
});

Deno.test("Store.delete() and clear() count deletions when entries go, and replacement does not", () => {
  const { store } = fixture();
  for (const key of ["a", "b", "c", "a"]) set(store, key);
  assertStats(store, { entries: 3, stores: 4 });
  assertEquals([store.delete(span("a")), store.delete(span("a"))], [true, false]);
  assertStats(store, { entries: 2, stores: 4, deletions: 1 });
  store.clear();
  assertStats(store, { stores: 4, deletions: 3 });
  assertStrictEquals(store.stats().bytes, 0);
  assertEquals(has(store, "a", "b", "c"), [false, false, false]);
  store.clear();
  assertStats(store, { stores: 4, deletions: 3 });
  set(store, "a", 5);
  assertEquals(valueOf(store, span("a")), new Uint8Array(5));
  assertStats(store, { entries: 1, stores: 5, hits: 1, deletions: 3 });
});

Deno.test("Store.stats() counts bytes of keys, values and overhead when entries come and go", () => {
  const { store, clock } = fixture();
  set(store, "k");
  const { bytes: first, memoryBytes } = store.stats();
  assert(memoryBytes >= first && first > store.reader.entryBytes(1, 0), `${first} of ${memoryBytes}`);
  const tableBytes = first - store.reader.entryBytes(1, 0);
  const bytes = () => store.stats().bytes - tableBytes;
  store.delete(span("k"));
  assertStrictEquals(store.stats().bytes, 0);
  for (const [key, value] of [[1, 0], [7, 99], [250, 0], [100, 5_000]]) {
    const overhead = store.reader.entryBytes(key, value) - key - value;
    assert(overhead >= 60 && overhead < 68, `${overhead} bytes an entry`);
  }
  set(store, "key", 100);
  assertStrictEquals(bytes(), store.reader.entryBytes(3, 100));
  set(store, "longer key", 5, 1_000);
  assertStrictEquals(bytes(), store.reader.entryBytes(3, 100) + store.reader.entryBytes(10, 5));
  set(store, "key", 7);
  assertStrictEquals(bytes(), store.reader.entryBytes(3, 7) + store.reader.entryBytes(10, 5));
  clock.nowMs += 10;
  store.get(span("key"));
  assertStrictEquals(bytes(), store.reader.entryBytes(10, 5));
  set(store, "large", MIB);
  assert(
    bytes() > MIB && bytes() <= store.reader.entryBytes(10, 5) + store.reader.entryBytes(5, MIB),
    `${bytes()} bytes`,
  );
  assert(bytes() < 1.01 * MIB, `${bytes()} bytes`);
  store.delete(span("large"));
  store.delete(span("longer key"));
  assertStrictEquals(store.stats().bytes, 0);
});

Deno.test("Store keeps values of 16 MiB byte for byte when they come, move and go", () => {
  const store = bounded(64 * MIB);
  const value = new Uint8Array(16 * MIB);
  for (let at = 0; at < value.length; at += noise.length) value.set(noise.subarray(at / noise.length), at);
  const holds = (key: string) => {
    const held = valueOf(store, span(key));
    return held !== undefined && held.length === value.length && sameBytes(held, 0, spanOf(value));
  };
  for (let i = 0; i < 7; i++) {
    assertStrictEquals(store.set(span(`large ${i}`), { flags: i, value: spanOf(value), ttlMs: undefined }), true);
    for (let j = 0; j < 5000; j++) set(store, `small ${j}`, (i + j) % 300);
    assert(store.stats().memoryBytes <= 64 * MIB);
  }
  assertEquals([holds("large 6"), holds("large 5"), holds("large 0")], [true, true, false]);
  assertStrictEquals(store.set(span("k"), { flags: 0, value: spanOf(new Uint8Array(65 * MIB)), ttlMs: 1 }), false);
});

Deno.test("Store tells keys apart when they are of any bytes and of 1 to 4096", () => {
  for (const maxBytes of [undefined, 8 * MIB]) {
    const { store } = fixture({ maxSize: Infinity, maxBytes, ttlMs: 0 });
    const keys: Uint8Array[] = [];
    for (let byte = 0; byte < 256; byte++) {
      keys.push(Uint8Array.of(byte), new Uint8Array(4096).fill(byte));
      for (const length of [2, 3, 4, 5]) keys.push(new Uint8Array(length).fill(byte));
      const last = new Uint8Array(4096);
      last[4095] = byte;
      if (byte > 0) keys.push(last);
    }
    const valueFor = (i: number) => noise.subarray(i, i + i % 90);
    for (const [i, key] of keys.entries()) {
      assertStrictEquals(store.set(spanOf(key), { flags: i, value: spanOf(valueFor(i)), ttlMs: undefined }), true);
    }
    assertStrictEquals(store.stats().entries, keys.length);
    for (const [i, key] of keys.entries()) assertEquals(valueOf(store, spanOf(key)), valueFor(i).slice());
  }
});

Deno.test("Store stays whole when the system refuses memory now and then", () => {
  const RealBuffer = ArrayBuffer;
  const below = belowOf(10);
  let isScarce = false;
  globalThis.ArrayBuffer = class extends RealBuffer {
    constructor(length: number) {
      if (isScarce && below(10) > 0) throw new RangeError("Array buffer allocation failed");
      super(length);
    }
  } as ArrayBufferConstructor;
  try {
    const store = bounded(MIB);
    isScarce = true;
    const stored = new Map<string, ByteSpan>();
    let refusals = 0;
    for (let i = 0; i < 30_000; i++) {
      const key = `${below(500)}`;
      const value = noiseSpan(below(20) === 0 ? below(100_000) : below(1000), below);
      stored.delete(key);
      try {
        store.set(span(key), { flags: 0, value, ttlMs: undefined });
        stored.set(key, value);
      } catch (error) {
        assertStrictEquals((error as Error).message, "Array buffer allocation failed");
        refusals++;
      }
      const other = `${below(500)}`;
      const found = valueOf(store, span(other));
      if (found !== undefined && stored.has(other)) assert(sameBytes(found, 0, stored.get(other)!), other);
    }
    assert(refusals > 20, `${refusals} refusals`);
    isScarce = false;
    maintain(store);
    store.clear();
    maintain(store);
    assertStrictEquals(store.stats().memoryBytes, 0);
  } finally {
    globalThis.ArrayBuffer = RealBuffer;
  }
});

Deno.test("Store.walk() meets living entries, each once, and leaves all as they are", () => {
  const { store, clock } = fixture({ maxSize: Infinity, ttlMs: 0 });
  for (let i = 0; i < 3000; i++) set(store, `k${i}`, 0, i % 3 === 0 ? 10 : 0);
  for (let i = 1; i < 3000; i += 3) store.delete(span(`k${i}`));
  clock.nowMs += 11;
  const before = store.stats();
  const met: string[] = [];
  for (let from = 0; from < HASHES_END;) {
    const { found, next } = store.walk(from);
    for (const { position } of found) {
      const key = new Uint8Array(store.reader.keyBytes(position));
      store.reader.copyKey(position, key, 0);
      met.push(new TextDecoder().decode(key));
    }
    from = next;
  }
  assertEquals(met.sort(), Array.from({ length: 1000 }, (_, i) => `k${3 * i + 2}`).sort());
  assertEquals(store.stats(), before);
});
