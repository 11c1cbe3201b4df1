/** Listeners of a store: each change once, with its key and its cause, and nothing that nobody asked for. */

import { assert, assertEquals } from "@std/assert";
import { spanOf } from "../../lib/base/byte_span.ts";
import { publicHash } from "../../lib/base/public_hash.ts";
import { ENTRY, TOMB } from "../../lib/store/entry.ts";
import { CAUSE, type Cause, type StoreListener } from "../../lib/store/store_listener.ts";
import type { Store } from "../../lib/store/store.ts";
import {
  knowsAll,
  localStore,
  NOW_MS,
  replicatingStore,
  type StoreSettings,
  type TestClock,
} from "../support/stores.ts";

const ALL = Object.values(CAUSE).reduce((sum, cause) => sum | cause, 0);
const NAMES = new Map<number, string>(Object.entries(CAUSE).map(([name, cause]) => [cause, name]));

/** Writes down what it hears. */
class Witness implements StoreListener {
  readonly causes: number;
  #heard: string[] = [];

  constructor(causes: number = ALL) {
    this.causes = causes;
  }

  changed(cause: Cause, key: { bytes: Uint8Array; from: number; to: number } | undefined): void {
    const text = key === undefined ? "all" : new TextDecoder().decode(key.bytes.subarray(key.from, key.to));
    this.#heard.push(`${text} ${NAMES.get(cause)}`);
  }

  overtaken(hash: number): void {
    this.#heard.push(`${hash} overtaken`);
  }

  /** What has been heard since the last call. */
  heard(): string[] {
    return this.#heard.splice(0);
  }
}

const keyOf = (text: string) => spanOf(new TextEncoder().encode(text));
const VALUE = { flags: 0, value: keyOf("v"), ttlMs: undefined };

function fixture(settings: StoreSettings = {}, make: typeof localStore = localStore) {
  const clock: TestClock = { nowMs: NOW_MS };
  const store: Store = make(clock, settings);
  const witness = new Witness();
  const unlisten = store.listen(witness);
  return { clock, store, witness, unlisten };
}

for (const make of [localStore, replicatingStore]) {
  const kind = make === localStore ? "a local store" : "a store that replicates";
  Deno.test(`StoreListener hears of what callers do when it listens to ${kind}`, () => {
    const { store, witness } = fixture({}, make);
    store.set(keyOf("a"), VALUE);
    store.set(keyOf("a"), VALUE);
    store.touch(keyOf("a"), 5000);
    store.get(keyOf("a"));
    store.has(keyOf("a"));
    assertEquals(witness.heard(), ["a written", "a written", "a written"]);
    assertEquals([store.delete(keyOf("a")), store.delete(keyOf("gone"))], [true, false]);
    assertEquals(witness.heard(), ["a deleted", "gone deleted"]);
    store.clear();
    assertEquals(witness.heard(), ["all cleared"]);
  });

  Deno.test(`StoreListener hears that a value too large has removed an older one when it listens to ${kind}`, () => {
    const { store, witness } = fixture({ maxBytes: 64 * 1024 }, make);
    store.set(keyOf("a"), VALUE);
    witness.heard();
    assertEquals(store.set(keyOf("a"), { ...VALUE, value: spanOf(new Uint8Array(100_000)) }), false);
    assertEquals([witness.heard(), store.has(keyOf("a"))], [["a deleted"], false]);
  });

  Deno.test(`StoreListener hears of what leaves by itself, and why, when it listens to ${kind}`, () => {
    const { clock, store, witness } = fixture({ maxSize: 2 }, make);
    store.set(keyOf("a"), VALUE);
    store.set(keyOf("b"), { ...VALUE, ttlMs: 10 });
    store.set(keyOf("c"), VALUE);
    assertEquals(witness.heard(), ["a written", "b written", "a evicted", "c written"]);
    clock.nowMs += 11;
    assertEquals(store.get(keyOf("b")), 0);
    assertEquals(witness.heard(), ["b expired"]);
    store.set(keyOf("d"), { ...VALUE, ttlMs: 10 });
    clock.nowMs += 11;
    for (let slices = 0; store.maintain(); slices++) assert(slices < 100);
    assertEquals(witness.heard(), ["d written", "d expired"]);
  });

  Deno.test(`StoreListener hears of a clear once, however many entries it removes, when it listens to ${kind}`, () => {
    const { store, witness } = fixture({}, make);
    for (let i = 0; i < 2000; i++) store.set(keyOf(`key:${i}`), VALUE);
    witness.heard();
    store.clear();
    for (let slices = 0; store.maintain(); slices++) assert(slices < 1000);
    assertEquals(witness.heard(), ["all cleared"]);
  });
}

Deno.test("StoreListener hears of what peers say that is news", () => {
  const { store, witness } = fixture({}, replicatingStore);
  const h = store.clock + 5000;
  const entry = { flags: 0, value: keyOf("theirs"), ttlMs: Infinity, remainingMs: Infinity };
  assertEquals(store.apply(keyOf("a"), { version: { h, origin: 7 }, kind: ENTRY, entry }, knowsAll(store)), true);
  assertEquals(store.apply(keyOf("a"), { version: { h, origin: 7 }, kind: ENTRY, entry }, knowsAll(store)), false);
  assertEquals(store.apply(keyOf("a"), { version: { h: h + 1, origin: 7 }, kind: TOMB }, knowsAll(store)), true);
  assertEquals(witness.heard(), ["a applied", "a applied"]);
  store.apply(keyOf("b"), { version: { h: h + 2, origin: 7 }, kind: ENTRY, entry }, knowsAll(store));
  store.distrust(store.peek(keyOf("b")));
  assertEquals(witness.heard(), ["b applied", "b applied"]);
  assertEquals([store.clearUpTo(h + 9), store.clearUpTo(h + 9)], [true, false]);
  assertEquals(witness.heard(), ["all cleared"]);
});

Deno.test("StoreListener hears of a renewal once in half a time to live", () => {
  const { clock, store, witness } = fixture({ ttlMs: 100 }, replicatingStore);
  store.set(keyOf("a"), VALUE);
  witness.heard();
  for (let uses = 0; uses < 20; uses++) {
    clock.nowMs += 10;
    assert(store.get(keyOf("a")) !== 0);
  }
  assertEquals(witness.heard(), ["a renewed", "a renewed", "a renewed", "a renewed"]);
});

Deno.test("StoreListener hears only of the causes that it names, beside others who name more", () => {
  const { store, witness } = fixture({ maxSize: 1 });
  const other = new Witness(CAUSE.evicted);
  store.listen(other);
  store.set(keyOf("a"), VALUE);
  store.set(keyOf("b"), VALUE);
  store.delete(keyOf("b"));
  assertEquals(other.heard(), ["a evicted"]);
  assertEquals(witness.heard(), ["a written", "a evicted", "b written", "b deleted"]);
});

Deno.test("StoreListener hears that a peer's write is refused that is newer than what was here before it left", () => {
  const { store, witness } = fixture({ maxSize: 1 }, replicatingStore);
  const h = store.clock + 5000;
  const entry = { flags: 0, value: keyOf("theirs"), ttlMs: Infinity, remainingMs: Infinity };
  const applied = (key: string, h: number) =>
    store.apply(keyOf(key), { version: { h, origin: 7 }, kind: ENTRY, entry }, knowsAll(store));
  store.set(keyOf("a"), VALUE);
  store.set(keyOf("b"), VALUE);
  store.history.know({ h: h + 9, origin: 7 });
  witness.heard();
  assertEquals([applied("a", h), witness.heard()], [false, ["a overtaken"]], "evicted here, and known");
  const [ours] = [store.versionOf(keyOf("b"))!.h];
  assertEquals([applied("b", ours - 1), witness.heard()], [false, []], "older than what is here");
});

Deno.test("StoreListener hears of each fingerprint that a peer gives, by the hash of its key where that is whole", () => {
  for (const hashBits of [undefined, 6]) {
    const { store, witness } = fixture({ hashBits }, replicatingStore);
    const departures = [1, 2].map((i) => ({ hash: publicHash(keyOf(`${i}`)), upTo: i, id: 7, writer: 7 }));
    store.takeDepartures(departures);
    const told = hashBits === undefined ? departures.map(({ hash }) => `${hash} overtaken`) : ["all overtaken"];
    assertEquals(witness.heard(), told);
    assertEquals(store.stats().fingerprints, 2);
  }
});

Deno.test("StoreListener hears nothing once it has ended that, and others hear on", () => {
  const { store, witness, unlisten } = fixture();
  const other = new Witness(CAUSE.deleted);
  const end = store.listen(other);
  unlisten();
  store.set(keyOf("a"), VALUE);
  store.delete(keyOf("a"));
  assertEquals([witness.heard(), other.heard()], [[], ["a deleted"]]);
  end();
  end();
  store.listen(witness);
  store.set(keyOf("a"), VALUE);
  assertEquals([witness.heard(), other.heard()], [["a written"], []]);
});
