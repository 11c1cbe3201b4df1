/** Writes of many origins in one store: whose are given up, and what room they take. */

import { assert, assertEquals } from "@std/assert";
import { spanOf } from "../../lib/base/byte_span.ts";
import { ENTRY, TOMB } from "../../lib/store/entry.ts";
import { applyFrom, get, key, set } from "../support/gossip_nodes.ts";
import { knowsAll, NOW_MS, replicatingStore } from "../support/stores.ts";

Deno.test("History.limitOrigins() gives up those that wrote last the longest ago, but none that has something here", () => {
  const store = replicatingStore({ nowMs: NOW_MS }, { origin: 100, maxOrigins: 64 });
  const { history } = store;
  set(store, 0);
  const own = history.knownOf(100);
  for (let i = 1; i < 64; i++) applyFrom(store, 1000 + i, i, 9000 - i);
  assertEquals([history.limitOrigins(), history.origins.length], [false, 64]);
  for (let i = 11; i <= 20; i++) store.distrust(store.peek(key(i))); // 1011 to 1020 have nothing here
  for (let i = 20; i >= 14; i -= 3) {
    assertEquals(applyFrom(store, 10_000 + i, 5000 + i, 9000 + i), true);
    assertEquals(history.limitOrigins(), true);
    assertEquals([i, i - 1, i - 2].map((other) => history.knownOf(1000 + other)), [0, 0, 0]);
    assertEquals(history.knownOf(10_000 + i), 9000 + i);
    for (const other of [i - 1, i - 2]) applyFrom(store, 10_000 + other, 5000 + other, 9000 + other);
  }
  assertEquals([history.knownOf(100), get(store, 0), get(store, 10)], [own, "value 0", "value 10"]);
  assertEquals(history.version(store.peek(key(5018))), { h: 9018, origin: 10_018 });
  assertEquals(history.version(store.peek(key(40))), { h: 8960, origin: 1040 });
});

for (const maxBytes of [64 * 1024, 8 * 1024 * 1024]) {
  Deno.test(`Gossip leaves a store of ${maxBytes} bytes its room, however many origins have written`, () => {
    const store = replicatingStore({ nowMs: NOW_MS }, { maxBytes });
    for (let i = 0; i < 20; i++) set(store, i);
    const { maxEntryBytes } = store;
    const one = { flags: 0, ttlMs: Infinity, remainingMs: Infinity, value: spanOf(new Uint8Array(9)) };
    for (let i = 1; i <= 20_000; i++) { // of a few keys, so that few writes are held; some come in the wrong order
      const version = { h: store.clock - 30_000 + i, origin: 1000 + i };
      store.apply(key(1000 + i % 3), { version, kind: ENTRY, entry: one }, knowsAll(store));
      store.apply(
        key(1003),
        { version: { ...version, h: version.h - i % 2 * 20_000 }, kind: ENTRY, entry: one },
        knowsAll(store),
      );
      store.history.know(version);
    }
    assert(store.history.bytes < 2048, `${store.history.bytes} bytes`);
    assertEquals(store.maxEntryBytes, maxEntryBytes);
    set(store, 21);
    assertEquals([get(store, 0), get(store, 21)], ["value 0", "value 21"]);
  });
}

Deno.test("Store makes room for origins where all that are known have writes", () => {
  const store = replicatingStore({ nowMs: NOW_MS }, { maxOrigins: 1024 });
  set(store, 1);
  for (let i = 0; i < 1500; i++) {
    const version = { h: store.clock - 9000 + i, origin: 1000 + i };
    assert(store.apply(key(2 + i), { version, kind: TOMB }, knowsAll(store)));
    store.history.know(version);
    store.history.limitOrigins();
  }
  assert(store.history.origins.length <= 1024 && store.history.knownOf(2499) > 0);
  assertEquals([get(store, 1), store.history.origins[0].size], ["value 1", 1]);
  assertEquals(store.versionOf(key(2)), undefined);
  store.clear();
  set(store, 1);
  assertEquals(get(store, 1), "value 1");
});
