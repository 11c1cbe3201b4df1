/** Clears of prefixes made here: what is found no more, what stays, and what becomes of the memory. */

import { assert, assertEquals } from "@std/assert";
import { spanOf } from "../../lib/base/byte_span.ts";
import { PREFIX } from "../../lib/store/entry.ts";
import type { Store } from "../../lib/store/store.ts";
import { CAUSE } from "../../lib/store/store_listener.ts";
import { assertStats, has, maintain, MIB, set, span } from "../support/store_entries.ts";
import { localStore, replicatingStore, type StoreSettings } from "../support/stores.ts";

function storeOf(settings: StoreSettings = {}): Store {
  return replicatingStore({ nowMs: 1_767_225_600_000 }, settings);
}

/** The prefixes whose clears a store holds, the oldest first. */
function held({ history, reader }: Store): string[] {
  const prefixes: string[] = [];
  for (const position of history.logs.ascending(0)) {
    if (reader.kind(position) !== PREFIX) continue;
    const prefix = new Uint8Array(reader.keyBytes(position));
    reader.copyKey(position, prefix, 0);
    prefixes.push(new TextDecoder().decode(prefix));
  }
  return prefixes;
}

for (const [kind, make] of [["a local store", localStore], ["a store that replicates", replicatingStore]] as const) {
  Deno.test(`Store.clearPrefix(): ${kind} finds no key that begins with it, and all others`, () => {
    const store = make({ nowMs: 1_767_225_600_000 });
    for (const key of ["a", "ab", "ab:1", "ab:2", "abc", "b", "ac", "ba"]) set(store, key);
    store.clearPrefix(span("ab"));
    assertEquals(has(store, "a", "ab", "ab:1", "ab:2", "abc", "b", "ac", "ba"), [
      true,
      false,
      false,
      false,
      false,
      true,
      true,
      true,
    ]);
    set(store, "ab:1");
    assertEquals(has(store, "ab:1", "ab:2"), [true, false]);
    maintain(store);
    assertEquals(has(store, "ab:1", "ab:2", "a"), [true, false, true]);
    assertStats(store, { entries: 5, stores: 9, deletions: 4 });
  });

  Deno.test(`Store.clearPrefix(): in ${kind} an empty prefix stands for all keys`, () => {
    const store = make({ nowMs: 1_767_225_600_000 });
    for (const key of ["a", "b"]) set(store, key);
    store.clearPrefix(span(""));
    assertStats(store, { stores: 2, deletions: 2 });
  });
}

Deno.test("Store.clearPrefix() tells of the prefix, and of no entry that it has cleared", () => {
  const store = storeOf();
  for (let i = 0; i < 20; i++) set(store, `a${i}`);
  const told: [number, string | undefined][] = [];
  const all = Object.values(CAUSE).reduce((sum, cause) => sum | cause, 0);
  store.listen({
    causes: all,
    changed: (cause, key) => told.push([cause, key && new TextDecoder().decode(key.bytes.slice(key.from, key.to))]),
  });
  store.clearPrefix(span("a"));
  has(store, "a1");
  maintain(store);
  assertEquals(told, [[CAUSE.cleared, "a"]]);
});

Deno.test("what a clear of a prefix has removed is neither hit, walked through nor evicted, and leaves slice by slice", () => {
  const store = storeOf({ maxSize: 4000 });
  for (let i = 0; i < 2000; i++) {
    set(store, `a${i}`);
    set(store, `b${i}`);
  }
  store.clearPrefix(span("a"));
  assertEquals([store.get(span("a7")), store.stats().entries], [0, 3999]);
  let walked = 0;
  for (let from = 0; from < 2 ** 32;) {
    const { found, next } = store.walk(from);
    walked += found.length;
    from = next;
  }
  assertEquals(walked, 2000);
  for (let i = 0; i < 100; i++) set(store, `c${i}`);
  assertEquals(store.stats().evictions, 50, "of those of b between which those of a have left");
  let before = store.stats().entries;
  const slices = maintain(store, () => {
    const { entries } = store.stats();
    assert(before - entries <= 500, `${before - entries} in one slice`);
    before = entries;
  });
  assert(slices >= 4);
  assertEquals(store.stats().entries, 2050);
});

Deno.test("the memory of what a clear of a prefix has removed goes back to the system", () => {
  const store = storeOf({ maxBytes: 64 * MIB });
  for (let i = 0; i < 40_000; i++) set(store, `${i % 2 === 0 ? "a" : "b"}${i}`, 1000);
  const { memoryBytes } = store.stats();
  store.clearPrefix(span("a"));
  maintain(store);
  const part = store.stats().memoryBytes / memoryBytes;
  assert(part < 0.75, `${part} of it is still held`);
});

Deno.test("clears of prefixes are held in a bounded number: the oldest leaves, and counts as forgotten", () => {
  const store = storeOf({ maxPrefixes: 2 });
  for (const prefix of ["a", "b", "c"]) store.clearPrefix(span(prefix));
  assertEquals(held(store), ["b", "c"]);
  const [{ forgotten, known }] = store.history.origins;
  assertEquals([forgotten > 0, forgotten < known, store.history.floor === forgotten], [true, true, true]);
});

Deno.test("a clear of a prefix stands for older ones of longer prefixes, which leave and are not forgotten", () => {
  const store = storeOf();
  for (const prefix of ["ab", "abc", "abd", "b", "abcd", "ab"]) store.clearPrefix(span(prefix));
  assertEquals(held(store), ["b", "ab"]);
  store.clearPrefix(span("abc"));
  store.clearPrefix(span("a"));
  assertEquals([held(store), store.history.floor], [["b", "a"], 0]);
});

Deno.test("what a clear has removed does not come back when the clear leaves before all is erased", () => {
  const store = storeOf({ maxPrefixes: 1 });
  for (let i = 0; i < 10_000; i++) set(store, `${"abcd"[i % 4]}${i}`);
  for (const prefix of ["a", "b", "c"]) {
    store.clearPrefix(span(prefix));
    store.maintain();
  }
  assertEquals(held(store), ["c"]);
  assertEquals(has(store, "a9996", "b9997", "c9998", "d9999"), [false, false, false, true]);
  maintain(store);
  assertEquals(store.stats().entries, 2500);
});

Deno.test("clears of prefixes that come faster than anything is erased stay few", () => {
  const store = storeOf({ maxPrefixes: 10 });
  for (let i = 0; i < 10_000; i++) set(store, `${i % 100}:${i}`);
  for (let i = 0; i < 100; i++) store.clearPrefix(span(`${i}:`));
  assertEquals(held(store).length, 10);
  for (let i = 0; i < 100; i++) assertEquals(has(store, `${i}:${i}`, `${i}:${9900 + i}`), [false, false]);
  assert(store.stats().entries < 5000, "clears beyond the number erase themselves");
  maintain(store);
  assertEquals(store.stats().entries, 0);
});

Deno.test("a clear of a prefix beyond the number erases nothing itself once all is erased that older ones have cleared", () => {
  const store = storeOf({ maxPrefixes: 2 });
  for (let i = 0; i < 50; i++) {
    store.clearPrefix(span(`${i}:`));
    set(store, `x${i}`);
    maintain(store);
  }
  store.clearPrefix(span("x"));
  assertEquals([held(store), store.stats().entries], [["49:", "x"], 50]);
});

Deno.test("clears of prefixes take a part of the memory at most, and leave room for entries", () => {
  const store = storeOf({ maxBytes: 256 * 1024 });
  const long = new Uint8Array(4000).fill(97);
  for (let i = 0; i < 200; i++) {
    new DataView(long.buffer).setUint16(0, i);
    store.clearPrefix(spanOf(long));
  }
  assert(held(store).length <= 4);
  for (let i = 0; i < 100; i++) assert(set(store, `b${i}`, 100));
  assertStats(store, { entries: 100, stores: 100 });
});

Deno.test("clears of prefixes stay when the last entry leaves, when records move, and until all is cleared", () => {
  const store = storeOf({ maxBytes: 4 * MIB });
  store.clearPrefix(span("old"));
  for (let i = 0; i < 20_000; i++) set(store, `a${i}`, 400);
  store.clearPrefix(span("new"));
  for (let i = 0; i < 20_000; i++) store.delete(span(`a${i}`));
  store.clearPrefix(span("a"));
  maintain(store);
  assertEquals([held(store), store.stats().entries], [["old", "new", "a"], 0]);
  store.clear();
  assertEquals([held(store), store.history.floor], [[], 0]);
});
