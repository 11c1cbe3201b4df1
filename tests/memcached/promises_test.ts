/** Promises of keys that have no entry: bounded, beside the store, and ended by any write of their key. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { spanOf } from "../../lib/base/byte_span.ts";
import { MAX_PROMISED_BYTES, MAX_PROMISES, Promises } from "../../lib/memcached/promises.ts";
import { bytesOf } from "../support/memcached_oracle.ts";
import { NOW_MS, replicatingStore } from "../support/stores.ts";

const key = (text: string) => spanOf(bytesOf(text));

/** Promises beside a store of their own, whose clock a test sets. */
function setting() {
  const clock = { nowMs: NOW_MS };
  const store = replicatingStore(clock);
  const promises = new Promises(store);
  const has = (text: string) => promises.find(key(text)) !== undefined;
  return { clock, store, promises, has };
}

Deno.test("Promises.find() finds what make() has promised until its time is over, and then there may be another", () => {
  const { clock, promises } = setting();
  assertStrictEquals(promises.find(key("k")), undefined);
  const made = promises.make(key("k"), 30_000, 7);
  assertEquals(made, { cas: 7, deadlineMs: NOW_MS + 30_000, usedMs: NOW_MS, isUsed: false });
  clock.nowMs += 29_999;
  assertStrictEquals(promises.find(key("k")), made);
  assertStrictEquals(promises.find(key("K")), undefined);
  clock.nowMs++;
  assertStrictEquals(promises.find(key("k")), undefined);
  assertEquals([promises.size, promises.bytes], [0, 0], "what is over is not kept");
  assertStrictEquals(promises.make(key("k"), Infinity, 8).deadlineMs, Infinity);
});

Deno.test("Promises keep a copy of a key, whatever its bytes are", () => {
  const { promises } = setting();
  const span = spanOf(Uint8Array.of(0, 128, 255, 13));
  promises.make(span, 1000, 1);
  span.bytes.fill(1);
  assertStrictEquals(promises.find(span), undefined);
  assertStrictEquals(promises.find(spanOf(Uint8Array.of(0, 128, 255, 13)))?.cas, 1);
});

Deno.test("Promises hold a bounded number of keys and of their bytes, and drop the oldest first", () => {
  for (const [length, count] of [[6, 100_000], [250, 30_000]]) {
    const { promises, has } = setting();
    const name = (i: number) => `${i}`.padStart(length, "k");
    for (let i = 0; i < count; i++) {
      promises.make(key(name(i)), 30_000, i);
      if (promises.size > MAX_PROMISES || promises.bytes > MAX_PROMISED_BYTES) {
        throw new Error(`too many with key ${i}`);
      }
    }
    const held = Math.min(MAX_PROMISES, Math.floor(MAX_PROMISED_BYTES / length));
    assert(held < count, "the bound is reached");
    assertEquals([promises.size, promises.bytes], [held, held * length]);
    assertEquals([count - held - 1, count - held, count - 1].map((i) => has(name(i))), [false, true, true]);
  }
});

Deno.test("Promises made anew are the youngest", () => {
  const { promises, has } = setting();
  promises.make(key("first"), 1000, 1);
  promises.make(key("second"), 1000, 2);
  promises.make(key("first"), 1000, 3);
  for (let i = 0; i < MAX_PROMISES - 1; i++) promises.make(key(`k${i}`), 1000, i);
  assertEquals([has("first"), has("second"), promises.size], [true, false, MAX_PROMISES]);
});

Deno.test("Promises.end() ends one, once", () => {
  const { promises, has } = setting();
  promises.make(key("one"), 1000, 1);
  promises.make(key("other"), 1000, 2);
  promises.end(key("one"));
  promises.end(key("one"));
  assertEquals([has("one"), has("other"), promises.size, promises.bytes], [false, true, 1, 5]);
});

Deno.test("Promises end with a write, a removal, a peer's write of their key, and with a clear, and with no other key's", () => {
  const { clock, store, promises, has } = setting();
  store.listen(promises);
  const value = key("value");
  const entry = { flags: 0, value, ttlMs: 1000, remainingMs: 1000 };
  let steps = 0;
  const later = () => ({ h: store.clock + ++steps, origin: 5 });
  const endings: [what: string, end: (text: string) => void][] = [
    ["set", (text) => void store.set(key(text), { flags: 0, value, ttlMs: 0 })],
    ["delete", (text) => void store.delete(key(text))],
    ["apply", (text) => void store.apply(key(text), { version: later(), kind: 1, entry }, new Map())],
    ["a removal applied", (text) => void store.apply(key(text), { version: later(), kind: 3 }, new Map())],
  ];
  for (const [what, end] of endings) {
    promises.make(key(what), 5000, 1);
    end("another");
    end("a long one".repeat(300));
    assert(has(what), what);
    end(what);
    assert(!has(what), what);
  }
  for (const clear of [() => store.clear(), () => void store.clearUpTo(later().h)]) {
    promises.make(key("k"), 5000, 1);
    clear();
    assert(!has("k"));
  }
  promises.make(key("k"), 5000, 1);
  clock.nowMs += 5000;
  store.delete(key("another"));
  assertStrictEquals(promises.size, 0, "promises that are all over cost later writes nothing");
});
