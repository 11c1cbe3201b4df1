/** Promises of keys that have no entry: leases, as memcached's clients see them. What ends and bounds them is tested in tests/near. */

import { assertEquals, assertStrictEquals } from "@std/assert";
import { spanOf } from "../../lib/base/byte_span.ts";
import { Promises } from "../../lib/memcached/promises.ts";
import { Asker, Leases } from "../../lib/near/leases.ts";
import { bytesOf } from "../support/memcached_oracle.ts";
import { NOW_MS, replicatingStore } from "../support/stores.ts";

const key = (text: string) => spanOf(bytesOf(text));

/** Promises beside a store of their own, whose clock a test sets. */
function setting() {
  const clock = { nowMs: NOW_MS };
  const store = replicatingStore(clock);
  const leases = new Leases(store, () => {});
  return { clock, leases, promises: new Promises(store, leases), asker: new Asker(() => {}) };
}

Deno.test("Promises.find() finds what make() has promised until its time is over, and then there may be another", () => {
  const { clock, promises, asker } = setting();
  assertStrictEquals(promises.find(key("k")), undefined);
  const { cas, lease } = promises.make(key("k"), 30_000, 7, asker);
  assertEquals([cas, lease.deadlineMs, lease.usedMs, lease.isUsed], [7, NOW_MS + 30_000, NOW_MS, false]);
  clock.nowMs += 29_999;
  assertEquals(promises.find(key("k")), { cas, lease });
  assertStrictEquals(promises.find(key("K")), undefined);
  clock.nowMs++;
  assertStrictEquals(promises.find(key("k")), undefined);
  assertStrictEquals(promises.make(key("k"), Infinity, 8, asker).lease.deadlineMs, Infinity);
});

Deno.test("Promises keep a copy of a key, whatever its bytes are, and any state", () => {
  for (const cas of [1, 2 ** 32, 2 ** 48 + 5, Number.MAX_SAFE_INTEGER, 2n ** 53n, 2n ** 64n - 1n]) {
    const { promises, asker } = setting();
    const span = spanOf(Uint8Array.of(0, 128, 255, 13));
    promises.make(span, 1000, cas, asker);
    span.bytes.fill(1);
    assertStrictEquals(promises.find(span), undefined);
    assertStrictEquals(promises.find(spanOf(Uint8Array.of(0, 128, 255, 13)))?.cas, cas);
  }
});

Deno.test("Promises.end() ends one, and Promises.leave() those to a connection", () => {
  const { promises, leases, asker } = setting();
  const other = new Asker(() => {});
  promises.make(key("one"), 1000, 1, asker);
  promises.make(key("two"), 1000, 2, asker);
  promises.make(key("three"), 1000, 3, other);
  promises.end(key("one"));
  promises.end(key("one"));
  assertEquals([promises.find(key("one")), promises.find(key("two"))?.cas, leases.size], [undefined, 2, 2]);
  promises.leave(asker);
  assertEquals([promises.find(key("two")), promises.find(key("three"))?.cas, leases.size], [undefined, 3, 1]);
});
