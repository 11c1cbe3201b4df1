/** Values that are given out in parts stay as they were, whatever becomes of their entries. */

import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { spanOf } from "../../lib/base/byte_span.ts";
import type { Borrower, Lent } from "../../lib/base/lent.ts";
import type { Store } from "../../lib/store/store.ts";
import { patternOf } from "../support/buffers.ts";
import { belowOf, fixture, KIB, maintain, MIB, span } from "../support/store_entries.ts";

/** A connection that has room for so many bytes. */
class TestBorrower implements Borrower {
  bytes = 0;
  isGivenUp = false;
  readonly #most: number;

  constructor(most = Infinity) {
    this.#most = most;
  }

  changed(bytes: number): void {
    this.bytes += bytes;
  }

  mayHold(bytes: number): boolean {
    return this.bytes + bytes <= this.#most;
  }

  giveUp(): void {
    this.isGivenUp = true;
  }
}

function storeOf(settings = {}): Store {
  return fixture({ maxSize: Infinity, maxBytes: MIB, ttlMs: 0, ...settings }).store;
}

const PATTERN = patternOf(200 * KIB);

function put(store: Store, key: string, length: number, seed: number): Uint8Array {
  const value = PATTERN.subarray(seed % (64 * KIB), seed % (64 * KIB) + length);
  assert(store.set(span(key), { flags: 0, value: spanOf(value), ttlMs: undefined }));
  return value;
}

function lend(store: Store, key: string, borrower: Borrower): Lent {
  return store.reader.lend(store.get(span(key)), borrower);
}

/** All of a value that is given out, in parts. */
function read(lent: Lent, length: number, partBytes = 1000): Uint8Array {
  const bytes = new Uint8Array(length + 2);
  for (let from = 0; from < length; from += partBytes) {
    lent.copyPart(from, Math.min(length, from + partBytes), bytes, 1 + from);
  }
  assertEquals([bytes[0], bytes[length + 1]], [0, 0], "nothing beside it is touched");
  return bytes.subarray(1, -1);
}

const LONG = 100 * KIB;
/** What makes a value leave its place. */
const LEAVES: Record<string, (store: Store) => void> = {
  "is stored anew": (store) => put(store, "a", LONG, 2),
  "is stored anew in the same place": (store) => put(store, "a", 40, 2),
  "is deleted": (store) => store.delete(span("a")),
  "is evicted": (store) => {
    for (let i = 0; store.has(span("a")); i++) put(store, `${i}`, 10 * KIB, i);
  },
  "is cleared": (store) => store.clear(),
  "is cleared with very many others": (store) => {
    for (let i = 0; i < 5000; i++) put(store, `${i}`, 8, i);
    assert(store.has(span("a")));
    store.clear();
    maintain(store);
  },
  "is cleared by its prefix": (store) => {
    store.clearPrefix(span("a"));
    maintain(store);
  },
};

for (const [what, leave] of Object.entries(LEAVES)) {
  const length = what.endsWith("same place") ? 40 : LONG;
  for (const replicates of [false, true]) {
    Deno.test(`a value that is given out stays when its entry ${what}, ${replicates ? "with" : "without"} peers`, () => {
      const store = storeOf({ replicates });
      const value = put(store, "a", length, 1);
      const borrower = new TestBorrower();
      const [one, two] = [lend(store, "a", borrower), lend(store, "a", borrower)];
      const head = new Uint8Array(10);
      one.copyPart(0, 10, head, 0);
      assertEquals([head, borrower.bytes], [value.slice(0, 10), 0], "nothing is copied while it is there");
      leave(store);
      for (let i = 0; i < 30; i++) put(store, `later ${i}`, 30 * KIB, i);
      assertEquals([read(one, length), read(two, length)], [value, value]);
      assertStrictEquals(borrower.bytes, length, "one copy for both");
      one.giveBack();
      two.giveBack();
      assertStrictEquals(borrower.bytes, 0);
    });
  }
}

Deno.test("a copy of a value given out counts for one who is still given it", () => {
  const store = storeOf();
  put(store, "a", LONG, 1);
  const [one, two] = [new TestBorrower(), new TestBorrower()];
  const lents = [lend(store, "a", one), lend(store, "a", two)];
  store.delete(span("a"));
  assertEquals([one.bytes, two.bytes], [LONG, 0]);
  lents[0].giveBack();
  assertEquals([one.bytes, two.bytes], [0, LONG]);
  lents[1].giveBack();
  assertEquals([one.bytes, two.bytes], [0, 0]);
});

Deno.test("a value given out for whose copy there is no memory is lost to those, and nobody is given anything else", () => {
  const store = storeOf();
  put(store, "a", LONG, 1);
  const value = put(store, "b", LONG, 2);
  const [poor, rich] = [new TestBorrower(1000), new TestBorrower()];
  const [lost, poors, richs] = [lend(store, "a", poor), lend(store, "b", poor), lend(store, "b", rich)];
  store.clear();
  assertThrows(() => read(lost, LONG), Error, "no memory for a copy");
  assertEquals([poor.isGivenUp, rich.isGivenUp, poor.bytes, rich.bytes], [true, false, 0, LONG]);
  assertEquals([read(poors, LONG), read(richs, LONG)], [value, value], "the one who has memory has it for all");
  for (const lent of [lost, poors, richs]) lent.giveBack();
  assertEquals([poor.bytes, rich.bytes], [0, 0]);
});

for (const seed of [1, 2, 3, 4]) {
  Deno.test(`values given out are what they were, among stores, deletions, clears and cleaning by chance ${seed}`, () => {
    const below = belowOf(seed);
    const store = storeOf({ replicates: seed % 2 === 0 });
    const borrower = new TestBorrower();
    const values = new Map<string, Uint8Array>();
    let out: { lent: Lent; value: Uint8Array; at: number }[] = [];
    let read = 0;
    for (let step = 0; step < 8000; step++) {
      const key = `${below(60)}`;
      const what = below(100);
      if (what < 40) {
        const length = [1 + below(100), below(5000), below(60_000)][below(3)];
        values.set(key, put(store, key, length, step));
      } else if (what < 45) store.delete(span(key));
      else if (what < 50) maintain(store);
      else if (step % 1000 === 0) store.clear();
      else if (what < 70 && store.has(span(key))) {
        out.push({ lent: lend(store, key, borrower), value: values.get(key)!, at: 0 });
      } else if (out.length > 0) {
        const one = out[below(out.length)];
        const to = Math.min(one.value.length, one.at + 1 + below(20_000));
        const bytes = new Uint8Array(to - one.at);
        one.lent.copyPart(one.at, to, bytes, 0);
        const expected = one.value.subarray(one.at, to);
        assert(bytes.every((byte, i) => byte === expected[i]), `step ${step}`);
        one.at = to;
        read++;
        if (to === one.value.length || below(10) === 0) {
          one.lent.giveBack();
          out = out.filter((other) => other !== one);
        }
      }
    }
    for (const { lent } of out) lent.giveBack();
    assertStrictEquals(borrower.bytes, 0);
    assert(read > 400, `${read}`);
  });
}
