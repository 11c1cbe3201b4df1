/** Changes that depend on what is there: additions to numbers, and what has to be there before a value is stored. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import type { Unsigned } from "../../lib/base/unsigned.ts";
import { age, type EntryInput, MARK } from "../../lib/store/entry.ts";
import { increment, isMet } from "../../lib/store/steps.ts";
import type { Store } from "../../lib/store/store.ts";
import { fixture, span, valueOf } from "../support/store_entries.ts";
import { NOW_MS, replicatingStore } from "../support/stores.ts";

const MOST = 2n ** 64n - 1n;
const decoder = new TextDecoder();

function put(store: Store, key: string, text: string, more: Partial<EntryInput> = {}): void {
  store.set(span(key), { flags: 9, value: span(text), ttlMs: undefined, ...more });
}

function textOf(store: Store, key: string): string | undefined {
  const value = valueOf(store, span(key));
  return value === undefined ? undefined : decoder.decode(value);
}

function up(store: Store, key: string, by: Unsigned, initial?: Unsigned, ttlMs?: number) {
  return increment(store, span(key), { by, isDown: false, initial, ttlMs });
}

function down(store: Store, key: string, by: Unsigned) {
  return increment(store, span(key), { by, isDown: true, initial: undefined, ttlMs: undefined });
}

/** What an addition makes of a text. */
function sum(text: string, by: Unsigned, isDown = false) {
  const { store } = fixture();
  put(store, "n", text);
  const value = increment(store, span("n"), { by, isDown, initial: undefined, ttlMs: undefined });
  return [value, textOf(store, "n")];
}

Deno.test("increment() adds, and begins again at 0 after the last number", () => {
  const cases: [text: string, by: Unsigned, sum: Unsigned][] = [
    ["0", 0, 0],
    ["5", 7, 12],
    ["99", 1, 100],
    ["007", 1, 8],
    ["9007199254740990", 1, 2 ** 53 - 1],
    ["9007199254740991", 1, 2n ** 53n],
    ["9007199254740992", 0, 2n ** 53n],
    ["0", MOST, MOST],
    ["18446744073709551614", 1, MOST],
    ["18446744073709551615", 1, 0],
    ["18446744073709551615", 11, 10],
    ["18446744073709551615", MOST, MOST - 1n],
    ["00000000000000000001", 1, 2],
  ];
  for (const [text, by, value] of cases) assertEquals(sum(text, by), [value, `${value}`], `${text} + ${by}`);
});

Deno.test("increment() subtracts, and stays at 0", () => {
  const cases: [text: string, by: Unsigned, sum: Unsigned][] = [
    ["5", 2, 3],
    ["10", 1, 9],
    ["5", 6, 0],
    ["5", MOST, 0],
    ["0", 1, 0],
    ["9007199254740992", 1, 2 ** 53 - 1],
    ["18446744073709551615", 1, MOST - 1n],
    ["18446744073709551615", MOST, 0],
  ];
  for (const [text, by, value] of cases) assertEquals(sum(text, by, true), [value, `${value}`], `${text} - ${by}`);
});

Deno.test("increment() takes a number with the spaces that memcached's decr leaves", () => {
  assertEquals(sum("9 ", 1), [10, "10"]);
  assertEquals(sum("9                   ", 1), [10, "10"]);
});

Deno.test("increment() leaves what is no number as it is", () => {
  const others = [
    "",
    " ",
    " 9",
    "9 9",
    "-1",
    "+1",
    "1.0",
    "0x1",
    "18446744073709551616",
    "9".repeat(20),
    "0".repeat(21),
  ];
  for (const text of [...others, "hi", "/", ":", `9${" ".repeat(20)}`]) {
    assertEquals(sum(text, 0), ["not-a-number", text]);
    const { store } = fixture();
    put(store, "n", text);
    assertEquals(up(store, "n", 1, 5), "not-a-number");
    assertEquals(store.reader.flags(store.peek(span("n"))), 9);
  }
});

Deno.test("increment() makes an entry only where it is told with which number, and adds nothing to it", () => {
  const { store, clock } = fixture({ ttlMs: 10 });
  assertEquals([up(store, "n", 7), store.has(span("n"))], ["not-found", false]);
  assertStrictEquals(up(store, "n", 7, MOST), MOST);
  assertEquals(textOf(store, "n"), `${MOST}`);
  const position = store.peek(span("n"));
  assertEquals([store.reader.flags(position), store.reader.marks(position) & MARK.fixed], [0, MARK.fixed]);
  clock.nowMs += 9;
  assert(store.get(span("n")) !== 0, "a hit, which renews nothing");
  clock.nowMs += 1;
  assertEquals([down(store, "n", 1), up(store, "n", 7, 0, 1000)], ["not-found", 0]);
  clock.nowMs += 999;
  assertEquals(up(store, "n", 7, 0, 1000), 7);
  clock.nowMs += 1;
  assertEquals(up(store, "n", 7, 5, 0), 5);
  clock.nowMs += 1e9;
  assertEquals(down(store, "n", 2), 3);
});

Deno.test("increment() leaves the times of an entry as they are, and sets its flags to 0", () => {
  const { store, clock } = fixture({ ttlMs: 0 });
  for (const marks of [0, MARK.fixed]) {
    put(store, "n", "9", { ttlMs: 1000, marks: marks | MARK.promised | MARK.stale });
    clock.nowMs += 400;
    assertEquals(up(store, "n", 1), 10);
    const { reader } = store;
    const position = store.peek(span("n"));
    assertEquals([reader.ttlMs(position), reader.deadlineMs(position)], [1000, clock.nowMs + 600]);
    assertEquals([reader.flags(position), reader.marks(position)], [0, marks]);
    clock.nowMs += 600;
    assertEquals(up(store, "n", 1), "not-found");
  }
});

Deno.test("increment() of an entry whose deadline passes meanwhile changes no other entry", () => {
  for (let leftMs = 1; leftMs < 6; leftMs++) {
    let [nowMs, stepMs] = [NOW_MS, 0];
    const store = replicatingStore({
      get nowMs() {
        return nowMs += stepMs; // each reading of the clock is later than the one before
      },
    });
    put(store, "first", "its value");
    put(store, "n", "9", { ttlMs: 10, marks: MARK.fixed });
    const version = store.versionOf(span("first"));
    nowMs += 10 - leftMs;
    stepMs = 1;
    up(store, "n", 1);
    stepMs = 0;
    assertEquals([store.versionOf(span("first")), textOf(store, "first")], [version, "its value"], `${leftMs} ms`);
  }
});

Deno.test("increment() takes an entry that is not fresh any more for none, and leaves its times while it is", () => {
  const { store, clock } = fixture({ ttlMs: 0 });
  const aging = () => {
    const entry: EntryInput = { flags: 0, value: span("1"), ttlMs: 0 };
    age(entry, 10, 10, clock.nowMs);
    store.set(span("n"), entry);
  };
  aging();
  clock.nowMs += 9;
  assertEquals(up(store, "n", 1), 2);
  clock.nowMs += 1;
  assertEquals([up(store, "n", 1), store.kept(span("n")) !== 0], ["not-found", true]);
  assertEquals(up(store, "n", 1, 5), 5);
  clock.nowMs += 100;
  assertEquals(up(store, "n", 1), 6);
});

Deno.test("increment() is a write: it has a version, and listeners hear of it", () => {
  const store = replicatingStore({ nowMs: NOW_MS });
  put(store, "n", "1");
  const before = store.reader.h(store.peek(span("n")));
  let heard = 0;
  store.listen({ causes: ~0, changed: () => heard++ });
  up(store, "n", 1);
  const after = store.reader.h(store.peek(span("n")));
  assert(after > before && heard === 1, `${before}, ${after}, ${heard}`);
  put(store, "t", "text");
  const text = store.reader.h(store.peek(span("t")));
  up(store, "t", 1);
  assertEquals([store.reader.h(store.peek(span("t"))), heard], [text, 2]);
});

Deno.test("isMet() tells whether the entry that has to be there is", () => {
  const clock = { nowMs: NOW_MS };
  const store = replicatingStore(clock);
  const version = () => store.reader.h(store.peek(span("k")));
  assertEquals([isMet(store, span("k"), "absent"), isMet(store, span("k"), "present")], [true, false]);
  assertEquals(isMet(store, span("k"), 0), false);
  put(store, "k", "a", { ttlMs: 10 });
  const first = version();
  assertEquals([isMet(store, span("k"), "absent"), isMet(store, span("k"), "present")], [false, true]);
  assertEquals([isMet(store, span("k"), first), isMet(store, span("k"), first + 1)], [true, false]);
  store.touch(span("k"), 20);
  assert(version() > first);
  assertEquals([isMet(store, span("k"), first), isMet(store, span("k"), version())], [false, true]);
  const last = version();
  clock.nowMs += 20;
  assertEquals([isMet(store, span("k"), last), isMet(store, span("k"), "absent")], [false, true]);
});

Deno.test("isMet() takes an entry that is not fresh any more for none", () => {
  const clock = { nowMs: NOW_MS };
  const store = replicatingStore(clock);
  const entry: EntryInput = { flags: 0, value: span("1"), ttlMs: 0 };
  age(entry, 10, 10, clock.nowMs);
  store.set(span("k"), entry);
  const version = store.reader.h(store.peek(span("k")));
  assert(isMet(store, span("k"), version));
  clock.nowMs += 10;
  assertEquals((["absent", "present", version] as const).map((condition) => isMet(store, span("k"), condition)), [
    true,
    false,
    false,
  ]);
});

Deno.test("a deleted key is absent, whatever version its deletion has", () => {
  const store = replicatingStore({ nowMs: NOW_MS });
  put(store, "k", "1");
  const version = store.reader.h(store.peek(span("k")));
  store.delete(span("k"));
  assertEquals((["absent", "present", version, version + 1] as const).map((c) => isMet(store, span("k"), c)), [
    true,
    false,
    false,
    false,
  ]);
});
