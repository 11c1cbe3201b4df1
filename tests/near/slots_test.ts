/** The server's table of slots: who is told of what, and what a table costs whom. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { type ByteSpan, spanOf } from "../../lib/base/byte_span.ts";
import { publicHash } from "../../lib/base/public_hash.ts";
import { type SlotReader, Slots } from "../../lib/near/slots.ts";
import { ENTRY, MARK, TOMB } from "../../lib/store/entry.ts";
import type { Store } from "../../lib/store/store.ts";
import { INVALID } from "../../lib/wire/frame.ts";
import { readInvalid, slotOf } from "../../lib/wire/near.ts";
import { framesOf, written } from "../support/frames.ts";
import { knowsAll, localStore, NOW_MS, replicatingStore, type StoreSettings } from "../support/stores.ts";

const utf8 = new TextEncoder();
const keyOf = (text: string): ByteSpan => spanOf(utf8.encode(text));
const slot = (text: string): number => slotOf(keyOf(text));
const VALUE = { flags: 0, value: keyOf("v"), ttlMs: undefined };
const THEIRS = { flags: 0, value: keyOf("theirs"), ttlMs: Infinity, remainingMs: Infinity };

/** What a reader has to be told: slots, or `all`. */
function told(reader: SlotReader): unknown[] {
  const said: unknown[] = [];
  for (const frame of framesOf(written((output) => reader.write(output)))) {
    assertStrictEquals(frame.code, INVALID);
    readInvalid(frame, (slot) => said.push(slot), () => said.push("all"));
  }
  return said;
}

function fixture(settings: StoreSettings = {}, make: typeof localStore = replicatingStore) {
  const clock = { nowMs: NOW_MS };
  const store = make(clock, settings);
  const slots = new Slots(store);
  return { clock, store, slots };
}

/** A reader that has read a key. */
function readerOf(slots: Slots, ...keys: string[]): SlotReader {
  const reader = slots.newReader(() => {});
  for (const key of keys) reader.register(keyOf(key));
  return reader;
}

/** A write of a peer, `beyond` after all that the store has seen. */
function theirs(store: Store, key: string, beyond: number, kind = ENTRY): boolean {
  const version = { h: store.clock + beyond, origin: 7 };
  return store.apply(keyOf(key), { version, kind, entry: kind === ENTRY ? THEIRS : undefined }, knowsAll(store));
}

/** What changes what a reader of `k` would get; `k` is stored, `gone` has never been. */
const CHANGES: Readonly<Record<string, (store: Store) => void>> = {
  "a write": (store) => store.set(keyOf("k"), VALUE),
  "a removal": (store) => store.delete(keyOf("k")),
  "a value that is too large": (store) => store.set(keyOf("k"), { ...VALUE, value: spanOf(new Uint8Array(100_000)) }),
  "another time to live": (store) => store.touch(keyOf("k"), 5),
  "a mark": (store) => store.revise(store.peek(keyOf("k")), { marks: MARK.stale }),
  "a peer's write": (store) => theirs(store, "k", 9),
  "a peer's removal": (store) => theirs(store, "k", 9, TOMB),
  "distrust": (store) => store.distrust(store.peek(keyOf("k"))),
  "a peer's write that is refused, which drops the entry": (store) => {
    store.history.forget({ h: store.clock + 99, origin: 8 });
    const version = { h: store.clock + 9, origin: 7 };
    store.history.depart({ h: store.clock + 10, origin: 8 }, keyOf("k"));
    store.apply(keyOf("k"), { version, kind: ENTRY, entry: THEIRS }, new Map());
    assertStrictEquals(store.peek(keyOf("k")), 0, "it is dropped");
  },
};

for (const [what, change] of Object.entries(CHANGES)) {
  Deno.test(`readers of a key are told of ${what}, once, and readers of others are not`, () => {
    const { store, slots } = fixture({ maxBytes: 64 * 1024 });
    store.set(keyOf("k"), VALUE);
    const [one, other, none] = [readerOf(slots, "k"), readerOf(slots, "other", "k"), readerOf(slots, "other")];
    change(store);
    assertEquals([told(one), told(other), told(none)], [[slot("k")], [slot("k")], []]);
    store.set(keyOf("k"), VALUE);
    assertEquals([told(one), told(other)], [[], []], "they have not read it again");
    one.register(keyOf("k"));
    store.set(keyOf("k"), VALUE);
    assertEquals([told(one), told(other)], [[slot("k")], []]);
  });
}

for (const make of [localStore, replicatingStore]) {
  Deno.test(`readers are told that a key is removed that is not here, by a store that ${make.name} makes`, () => {
    const { store, slots } = fixture({ maxSize: 1 }, make);
    store.set(keyOf("k"), VALUE);
    const reader = readerOf(slots, "k");
    store.set(keyOf("other"), VALUE);
    assertEquals([store.has(keyOf("k")), told(reader)], [false, []], "what is evicted is still true");
    store.delete(keyOf("k"));
    assertEquals(told(reader), [slot("k")]);
  });

  Deno.test(`all readers are told of all where all is cleared, by a store that ${make.name} makes`, () => {
    const { store, slots } = fixture({}, make);
    const readers = [readerOf(slots), readerOf(slots, "k")];
    store.clear();
    assertEquals(readers.map(told), [["all"], ["all"]]);
    readers[1].register(keyOf("k"));
    store.clearPrefix(keyOf("other"));
    assertEquals(readers.map(told), [["all"], ["all"]], "which keys are under a prefix is not known");
    store.set(keyOf("k"), VALUE);
    assertEquals(readers.map(told), [[], []], "what was read before is not read any more");
  });
}

Deno.test("all readers are told of all where a peer clears, and newer entries remain", () => {
  const { store, slots } = fixture();
  store.set(keyOf("k"), VALUE);
  const reader = readerOf(slots, "k");
  theirs(store, "new", 1000);
  assertStrictEquals(store.clearUpTo(store.clock + 500), true);
  assertEquals(told(reader), ["all"]);
});

Deno.test("readers are told of what a peer says is newer than what was here before it was evicted", () => {
  const { store, slots } = fixture({ maxSize: 1 });
  store.set(keyOf("k"), VALUE);
  const reader = readerOf(slots, "k", "fingerprint");
  store.set(keyOf("other"), VALUE);
  store.history.know({ h: store.clock + 100, origin: 7 });
  assertEquals([theirs(store, "k", 9), told(reader)], [false, [slot("k")]], "a write that is refused");
  store.takeDepartures([{ hash: publicHash(keyOf("fingerprint")), upTo: store.clock, id: 9, writer: 9 }]);
  assertEquals(told(reader), [slot("fingerprint")]);
});

Deno.test("readers are not told of what changes nothing for them", () => {
  const { clock, store, slots } = fixture({ ttlMs: 100, maxSize: 2 });
  store.set(keyOf("k"), VALUE);
  const version = store.versionOf(keyOf("k"))!;
  const reader = readerOf(slots, "k");
  clock.nowMs += 60;
  store.get(keyOf("k"));
  store.has(keyOf("k"));
  store.promise(store.peek(keyOf("k")));
  clock.nowMs += 60;
  assertStrictEquals(store.extend(keyOf("k"), version, 100), true);
  const old = { version: { h: version.h - 1, origin: 7 }, kind: ENTRY, entry: THEIRS };
  assertStrictEquals(store.apply(keyOf("k"), old, knowsAll(store)), false);
  assertEquals(told(reader), []);
  clock.nowMs += 1000;
  assertEquals([store.get(keyOf("k")), told(reader)], [0, []], "it expires, as its copies do");
});

Deno.test("a slot is told once, however often it has changed, and more than 1,024 of them are told as all", () => {
  const { store, slots } = fixture();
  const names = Array.from({ length: 1100 }, (_, i) => `key:${i}`);
  const found = new Map(names.map((name) => [slot(name), name]));
  const keys = [...found.values()];
  assert(keys.length > 1024);
  const reader = readerOf(slots);
  const change = (changed: string[]) => {
    for (const key of changed) {
      reader.register(keyOf(key));
      store.delete(keyOf(key));
    }
  };
  change([...keys.slice(0, 1024), ...keys.slice(0, 1024)]);
  assertEquals(told(reader), keys.slice(0, 1024).map(slot));
  assertStrictEquals(reader.hasMarks, false);
  change(keys.slice(0, 1025));
  change(keys.slice(0, 5));
  assertEquals(told(reader), ["all"]);
  change(keys.slice(0, 5));
  assertEquals(told(reader), keys.slice(0, 5).map(slot), "and those after that as slots again");
});

Deno.test("all keys of a slot are told as that slot", () => {
  const { store, slots } = fixture();
  const bySlot = new Map<number, string>();
  let pair: [string, string] | undefined;
  for (let i = 0; pair === undefined; i++) {
    const other = bySlot.get(slot(`key:${i}`));
    if (other !== undefined) pair = [other, `key:${i}`];
    bySlot.set(slot(`key:${i}`), `key:${i}`);
  }
  const reader = readerOf(slots, pair[0]);
  store.set(keyOf(pair[1]), VALUE);
  assertEquals(told(reader), [slot(pair[0])]);
});

Deno.test("33 readers share bits: the first and the last are told of what either has read, others are not", () => {
  const { store, slots } = fixture();
  const readers = Array.from({ length: 33 }, () => readerOf(slots));
  const heard = () => readers.flatMap((reader, i) => told(reader).length > 0 ? [i] : []);
  for (const [i, expected] of [[0, [0, 32]], [31, [31]], [32, [0, 32]]] as const) {
    readers[i].register(keyOf("k"));
    store.delete(keyOf("k"));
    assertEquals(heard(), [...expected]);
  }
});

Deno.test("a reader that has ended is told nothing, and one that begins then and has its bit is told of what that has read", () => {
  const { store, slots } = fixture();
  const readers = Array.from({ length: 32 }, () => readerOf(slots, "k"));
  readers[0].end();
  readers[0].end();
  const next = readerOf(slots);
  store.delete(keyOf("k"));
  assertEquals([told(readers[0]), told(readers[1]), told(next)], [[], [slot("k")], [slot("k")]]);
  store.clear();
  assertEquals([told(readers[0]), told(next)], [[], ["all"]]);
  assertStrictEquals(slots.stats.nearConnections, 32);
});

Deno.test("the store has a listener while there are readers, and none before and after", () => {
  const listening: unknown[] = [];
  const slots = new Slots({
    listen: (listener) => {
      listening.push(listener);
      return () => listening.splice(listening.indexOf(listener), 1);
    },
  });
  assertEquals(listening, []);
  for (let times = 0; times < 2; times++) {
    const [one, other] = [readerOf(slots, "k"), readerOf(slots)];
    assertEquals(listening, [slots]);
    one.end();
    assertEquals(listening, [slots]);
    other.end();
    assertEquals([listening, slots.stats.nearConnections], [[], 0]);
    one.register(keyOf("k")); // nobody hears of that
  }
});

Deno.test("what the first readers have read is forgotten when the last of them ends", () => {
  const { store, slots } = fixture();
  const first = Array.from({ length: 32 }, () => readerOf(slots, "k"));
  for (const reader of first) reader.end();
  const next = Array.from({ length: 32 }, () => readerOf(slots));
  store.delete(keyOf("k"));
  assertEquals(next.flatMap(told), []);
});

Deno.test("a reader is called at each mark, and counts what it has written, slots and all", () => {
  const { store, slots } = fixture();
  let calls = 0;
  const reader = slots.newReader(() => calls++);
  for (const key of ["a", "b", "a"]) {
    reader.register(keyOf(key));
    store.delete(keyOf(key));
  }
  assertEquals([calls, reader.hasMarks, told(reader)], [3, true, [slot("a"), slot("b")]]);
  store.clear();
  assertEquals([calls, told(reader), told(reader)], [4, ["all"], []]);
  assertEquals(slots.stats, { nearConnections: 1, nearInvalidations: 2, nearResets: 1 });
});
