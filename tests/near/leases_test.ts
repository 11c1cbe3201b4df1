/** Leases under a controlled clock: who is given one, what ends it, and who is told to ask again. */

import { assert, assertEquals } from "@std/assert";
import v8 from "node:v8";
import vm from "node:vm";
import { spanOf } from "../../lib/base/byte_span.ts";
import {
  Asker,
  KEPT_MS,
  Leases,
  MAX_ALL_WAITS,
  MAX_LEASED_BYTES,
  MAX_LEASES,
  MAX_REST_MS,
  MAX_WAITS,
} from "../../lib/near/leases.ts";
import { ENTRY, PREFIX } from "../../lib/store/entry.ts";
import type { Store } from "../../lib/store/store.ts";
import { isOldDeno } from "../support/deno_version.ts";
import { set, span } from "../support/store_entries.ts";
import { knowsAll, NOW_MS, replicatingStore } from "../support/stores.ts";

const LEASE_MS = 100;

/** Leases of a store; each client is told to ask again by a line in `told`. */
class Fixture {
  readonly clock = { nowMs: NOW_MS };
  readonly store: Store = replicatingStore(this.clock);
  readonly told: string[] = [];
  dueMs = Infinity;
  readonly leases = new Leases(this.store, (dueMs) => this.dueMs = dueMs);
  #tokens = 0;

  client(name: string): Asker {
    const text = (key: Uint8Array) => new TextDecoder().decode(key);
    return new Asker((key) => this.told.push(`${name}: ${key === undefined ? "all" : text(key)}`));
  }

  /** Asks for a lease; its token is the number of the question. */
  ask(client: Asker, key = "k", { hasStale = false, leaseMs = LEASE_MS } = {}): string {
    const question = { high: 0, low: ++this.#tokens, nowMs: this.clock.nowMs, leaseMs, hasStale };
    return this.leases.ask(span(key), client, question);
  }

  isValid(low: number, key = "k"): boolean {
    return this.leases.isValid(span(key), { high: 0, low });
  }

  takeBack(low: number, rests = false, key = "k"): boolean {
    return this.leases.takeBack(span(key), { high: 0, low }, this.clock.nowMs, rests);
  }

  /** What has been told since the last call. */
  said(): string[] {
    return this.told.splice(0);
  }
}

Deno.test("the first who asks is given a lease, and others wait until it ends", () => {
  const fixture = new Fixture();
  const [a, b, c] = ["a", "b", "c"].map((name) => fixture.client(name));
  assertEquals([fixture.ask(a), fixture.ask(b), fixture.ask(c), fixture.ask(b)], ["given", "wait", "wait", "wait"]);
  assertEquals(fixture.ask(b, "other"), "given");
  assertEquals([fixture.isValid(1), fixture.isValid(2), fixture.leases.waiting], [true, false, 2]);
  set(fixture.store, "k");
  assertEquals([fixture.said(), fixture.isValid(1), fixture.leases.waiting], [["b: k", "c: k"], false, 0]);
  assertEquals([fixture.leases.size, fixture.isValid(5, "other")], [1, true]);
});

Deno.test("a token is a lease's of its key only", () => {
  const fixture = new Fixture();
  const a = fixture.client("a");
  fixture.ask(a);
  const token = { high: 0, low: 1 };
  assertEquals(fixture.leases.isValid(span("k"), { high: 1, low: 1 }), false);
  assertEquals(fixture.leases.isValid(span("other"), token), false);
  assertEquals(fixture.leases.isValid(span("k"), token), true);
  assertEquals(fixture.leases.stats.leasesLost, 2);
});

const CHANGES: Record<string, (store: Store) => void> = {
  "a write": (store) => void set(store, "k"),
  "a removal, though there is no entry": (store) => void store.delete(span("k")),
  "a change of times": (store) => store.revise(store.peek(span("k")), { ttlMs: 5000 }),
  "a clear": (store) => store.clear(),
  "the clear of a prefix": (store) => store.clearPrefix(span("k")),
  "the clear of a prefix by a peer": (store) => {
    const version = { h: store.clock + 1, origin: 7 };
    assert(store.apply(span("k"), { version, kind: PREFIX }, knowsAll(store)));
  },
  "a clear of a peer": (store) => void store.clearUpTo(store.clock + 1),
  "a write of a peer": (store) => {
    const entry = { flags: 0, value: spanOf(new Uint8Array(1)), ttlMs: Infinity, remainingMs: Infinity };
    const version = { h: store.clock + 1, origin: 7 };
    assert(store.apply(span("k"), { version, kind: ENTRY, entry }, knowsAll(store)));
  },
};

for (const [name, change] of Object.entries(CHANGES)) {
  Deno.test(`${name} ends a lease and wakes those who wait`, () => {
    const fixture = new Fixture();
    const [a, b] = [fixture.client("a"), fixture.client("b")];
    if (name === "a change of times") set(fixture.store, "k");
    assertEquals([fixture.ask(a), fixture.ask(b)], ["given", "wait"]);
    change(fixture.store);
    assertEquals(fixture.isValid(1), false);
    assertEquals(fixture.said(), [name.startsWith("a clear") ? "b: all" : "b: k"]);
    assertEquals([fixture.leases.size, fixture.leases.waiting, a.held.size, b.waits.size], [0, 0, 0, 0]);
    assertEquals(fixture.leases.stats.leasesHandedOver, 0);
    assertEquals([fixture.ask(b), fixture.ask(a)], ["given", "wait"]);
  });
}

Deno.test("the clear of a prefix ends the leases of all keys under it, and no other's", () => {
  const fixture = new Fixture();
  const [a, b] = [fixture.client("a"), fixture.client("b")];
  for (const key of ["user:1", "user", "user:2", "u"]) for (const client of [a, b]) fixture.ask(client, key);
  fixture.store.clearPrefix(span("user:"));
  assertEquals(fixture.said(), ["b: user:1", "b: user:2"]);
  assertEquals([fixture.leases.size, fixture.leases.waiting], [2, 2]);
  assertEquals([fixture.isValid(3, "user"), fixture.isValid(7, "u")], [true, true]);
  assertEquals([fixture.isValid(1, "user:1"), fixture.isValid(5, "user:2")], [false, false]);
});

Deno.test("a lease that has run out is valid until it is handed on", () => {
  const fixture = new Fixture();
  const [a, b] = [fixture.client("a"), fixture.client("b")];
  fixture.ask(a);
  fixture.clock.nowMs += LEASE_MS - 1;
  assertEquals(fixture.ask(b), "wait");
  fixture.clock.nowMs += 1;
  assertEquals(fixture.isValid(1), true);
  assertEquals(fixture.ask(b), "given");
  assertEquals([fixture.isValid(1), fixture.isValid(3)], [false, true]);
  assertEquals([a.held.size, b.held.size], [0, 1]);
  fixture.leases.leave(a);
  assertEquals(fixture.isValid(3), true, "what was handed on is not the former's any more");
});

Deno.test("leases that have all run out a minute ago are forgotten with the next write, of whatever key", () => {
  const fixture = new Fixture();
  const a = fixture.client("a");
  fixture.ask(a);
  fixture.ask(a, "l", { leaseMs: 2 * LEASE_MS });
  fixture.clock.nowMs += 2 * LEASE_MS + KEPT_MS - 1;
  set(fixture.store, "other");
  assertEquals([fixture.leases.size, fixture.isValid(1)], [2, true]);
  fixture.clock.nowMs += 1;
  set(fixture.store, "other");
  assertEquals([fixture.leases.size, fixture.isValid(1), a.held.size], [0, false, 0]);
  for (let times = 0; times < 2; times++) {
    fixture.ask(a, "k", { leaseMs: 1e9 });
    fixture.store.delete(span("k"));
  }
  fixture.ask(a);
  fixture.clock.nowMs += LEASE_MS + KEPT_MS;
  set(fixture.store, "other");
  assertEquals(fixture.leases.size, 0, "none that has ended keeps others");
});

Deno.test("those who wait are told at the time of the lease, and whoever still waits then waits for the next", () => {
  const fixture = new Fixture();
  const [a, b, c] = ["a", "b", "c"].map((name) => fixture.client(name));
  fixture.ask(a);
  assertEquals(fixture.dueMs, Infinity, "nobody waits");
  fixture.ask(b);
  assertEquals(fixture.dueMs, NOW_MS + LEASE_MS);
  fixture.ask(a, "soon", { leaseMs: 10 });
  fixture.ask(b, "soon");
  assertEquals(fixture.dueMs, NOW_MS + 10);
  fixture.clock.nowMs += 10;
  fixture.leases.tick(fixture.clock.nowMs);
  assertEquals([fixture.said(), fixture.dueMs], [["b: soon"], NOW_MS + LEASE_MS]);
  fixture.clock.nowMs = NOW_MS + LEASE_MS;
  assertEquals(fixture.ask(c), "given", "before those who wait have been told");
  fixture.leases.tick(fixture.clock.nowMs);
  assertEquals([fixture.said(), fixture.dueMs], [[], NOW_MS + 2 * LEASE_MS]);
  fixture.clock.nowMs += LEASE_MS;
  fixture.leases.tick(fixture.clock.nowMs);
  assertEquals([fixture.said(), fixture.leases.waiting], [["b: k"], 0]);
  assertEquals(fixture.leases.stats, { leasesGiven: 3, leasesLost: 0, leasesHandedOver: 2 });
});

Deno.test("the end of a connection hands its leases over, and forgets what it waits for", () => {
  const fixture = new Fixture();
  const [a, b] = [fixture.client("a"), fixture.client("b")];
  fixture.ask(a, "1");
  fixture.ask(a, "2");
  fixture.ask(b, "1");
  fixture.ask(b, "3");
  fixture.ask(a, "3");
  fixture.leases.leave(a);
  assertEquals([fixture.said(), fixture.leases.waiting, fixture.leases.size], [["b: 1"], 0, 1]);
  assertEquals([fixture.isValid(1, "1"), fixture.isValid(2, "2"), fixture.isValid(4, "3")], [false, false, true]);
  set(fixture.store, "3");
  assertEquals(fixture.said(), []);
  assertEquals(fixture.ask(b, "1"), "given");
});

Deno.test("a promise that is for ever is waited for for a minute, and handed over then", () => {
  const fixture = new Fixture();
  const { clock, leases } = fixture;
  const [memcached, b, c] = ["memcached's", "b", "c"].map((name) => fixture.client(name));
  leases.grant(span("k"), memcached, { high: 0, low: 100, nowMs: clock.nowMs, leaseMs: Infinity });
  assertEquals([fixture.ask(b), fixture.dueMs], ["wait", NOW_MS + 60_000]);
  clock.nowMs += 59_999;
  assertEquals(fixture.ask(c), "wait");
  clock.nowMs++;
  leases.tick(clock.nowMs);
  assertEquals([fixture.said(), leases.held(span("k"), clock.nowMs)?.low], [["b: k", "c: k"], 100]);
  assertEquals([fixture.ask(b), fixture.isValid(100), fixture.isValid(3)], ["given", false, true]);
});

Deno.test("a lease that is given back is handed over, once", () => {
  const fixture = new Fixture();
  const [a, b] = [fixture.client("a"), fixture.client("b")];
  fixture.ask(a);
  fixture.ask(b);
  assertEquals([fixture.takeBack(2), fixture.takeBack(1), fixture.takeBack(1)], [false, true, false]);
  assertEquals([fixture.said(), fixture.leases.size], [["b: k"], 0]);
  assertEquals([fixture.ask(b), fixture.ask(a)], ["given", "wait"]);
});

Deno.test("while one computes, others are told to use the value that is stale if there is one", () => {
  const fixture = new Fixture();
  const [a, b] = [fixture.client("a"), fixture.client("b")];
  assertEquals(fixture.ask(a, "k", { hasStale: true }), "given");
  assertEquals([fixture.ask(b, "k", { hasStale: true }), fixture.ask(b)], ["stale", "wait"]);
  fixture.clock.nowMs += LEASE_MS;
  assertEquals(fixture.ask(b, "k", { hasStale: true }), "given");
});

Deno.test("a lease given back beside a stale value rests, for its time and a second at most, but not for who lacks the value", () => {
  for (const leaseMs of [LEASE_MS, 60_000]) {
    const fixture = new Fixture();
    const [a, b] = [fixture.client("a"), fixture.client("b")];
    const stale = { hasStale: true, leaseMs };
    fixture.ask(a, "k", stale);
    fixture.ask(b);
    fixture.takeBack(1, true);
    assertEquals([fixture.said(), fixture.isValid(1), a.held.size], [["b: k"], false, 0]);
    fixture.clock.nowMs += Math.min(leaseMs, MAX_REST_MS) - 1;
    assertEquals([fixture.ask(a, "k", stale), fixture.ask(b, "k", stale)], ["stale", "stale"]);
    fixture.clock.nowMs += 1;
    assertEquals(fixture.ask(b, "k", stale), "given");
    fixture.takeBack(5, true);
    assertEquals(fixture.ask(b), "given");
  }
});

Deno.test("with too many leases, and too many bytes of their keys, the one that was given first is over", () => {
  const fixture = new Fixture();
  const [a, b] = [fixture.client("a"), fixture.client("b")];
  for (let i = 0; i < MAX_LEASES; i++) fixture.ask(a, `${i}`);
  fixture.ask(b, "1");
  fixture.clock.nowMs += LEASE_MS;
  fixture.ask(a, "0"); // given again, so no longer the first
  fixture.ask(a, "one more");
  assertEquals([fixture.leases.size, fixture.said()], [MAX_LEASES, ["b: 1"]]);
  assertEquals([fixture.isValid(2, "1"), fixture.isValid(3, "2")], [false, true]);
  assertEquals(fixture.isValid(MAX_LEASES + 2, "0"), true);
  const long = "x".repeat(4090);
  for (let i = 0; i < MAX_LEASED_BYTES / 4096 + 10; i++) fixture.ask(b, long + `${i}`.padStart(6, "0"));
  assertEquals(fixture.leases.size, MAX_LEASED_BYTES / 4096);
  fixture.store.clear();
  assertEquals(fixture.leases.size, 0);
  for (let i = 0; i <= MAX_LEASES; i++) fixture.ask(a, `${i}`);
  assertEquals([fixture.leases.size, a.held.size], [MAX_LEASES, MAX_LEASES]);
});

Deno.test("who would wait for more keys than may be waits for any, and is told of all when one ends", () => {
  const fixture = new Fixture();
  const [a, b] = [fixture.client("a"), fixture.client("b")];
  for (let i = 0; i <= MAX_WAITS; i++) fixture.ask(a, `${i}`);
  for (let i = 0; i < MAX_WAITS; i++) assertEquals(fixture.ask(b, `${i}`), "wait");
  assertEquals(fixture.leases.waiting, MAX_WAITS);
  assertEquals(fixture.ask(b, `${MAX_WAITS}`), "wait");
  assertEquals([fixture.leases.waiting, b.waits.size, fixture.said()], [1, 0, []]);
  set(fixture.store, "7");
  assertEquals([fixture.said(), fixture.leases.waiting], [["b: all"], 0]);
  for (let i = 0; i <= MAX_WAITS + 1; i++) fixture.ask(b, `${i % 7 + 100}`);
  assertEquals(fixture.leases.waiting, 7, "the same keys again are no more keys");
});

Deno.test("who waits for any is told at the time of the first lease, and forgotten when its connection ends", () => {
  for (const leaves of [false, true]) {
    const fixture = new Fixture();
    const [a, b] = [fixture.client("a"), fixture.client("b")];
    for (let i = 0; i <= MAX_WAITS; i++) fixture.ask(a, `${i}`, { leaseMs: 2000 - i });
    for (let i = 0; i <= MAX_WAITS; i++) fixture.ask(b, `${i}`);
    if (leaves) fixture.leases.leave(b);
    const dueMs = NOW_MS + 2000 - MAX_WAITS;
    assertEquals(fixture.dueMs, leaves ? Infinity : dueMs);
    fixture.clock.nowMs = dueMs - 1;
    fixture.leases.tick(dueMs - 1);
    assertEquals(fixture.said(), []);
    fixture.clock.nowMs = dueMs;
    fixture.leases.tick(dueMs);
    assertEquals(fixture.said(), leaves ? [] : ["b: all"]);
  }
});

Deno.test("beyond the bound of all that is waited for, who asks waits for any", () => {
  const fixture = new Fixture();
  const a = fixture.client("a");
  for (let i = 0; i < MAX_WAITS; i++) fixture.ask(a, `${i}`);
  for (let left = MAX_ALL_WAITS; left > 0; left -= MAX_WAITS) {
    const b = fixture.client("b");
    for (let i = 0; i < MAX_WAITS; i++) fixture.ask(b, `${i}`);
  }
  assertEquals(fixture.leases.waiting, MAX_ALL_WAITS);
  const c = fixture.client("c");
  fixture.ask(c, "0");
  assertEquals(c.waitsForAny, true);
  set(fixture.store, "500");
  assert(fixture.said().includes("c: all"));
});

Deno.test("keys of one hash have leases of their own", () => {
  const store = { hash: () => 5, listen: () => () => {}, recentMs: 0 };
  const leases = new Leases(store, () => {});
  const a = new Asker(() => {});
  const ask = (key: string) =>
    leases.ask(span(key), a, { high: 0, low: key.length, nowMs: 0, leaseMs: LEASE_MS, hasStale: false });
  const keys = ["a", "bb", "ccc"];
  assertEquals(keys.map(ask), ["given", "given", "given"]);
  const valid = () => keys.map((key) => leases.isValid(span(key), { high: 0, low: key.length }));
  for (
    const [gone, left] of [["bb", [true, false, true]], ["ccc", [true, false, false]], ["a", [false, false, false]]]
  ) {
    leases.changed(1, span(gone as string));
    assertEquals(valid(), left);
  }
  assertEquals(keys.map(ask), ["given", "given", "given"]);
  leases.changed(1, span("a"));
  assertEquals(valid(), [false, true, true]);
});

Deno.test("a store tells leases nothing until the first is given", () => {
  let listening = 0;
  const store = { hash: () => 5, listen: () => (listening++, () => {}), recentMs: 0 };
  const leases = new Leases(store, () => {});
  assertEquals(listening, 0);
  const question = { high: 0, low: 1, nowMs: 0, leaseMs: LEASE_MS, hasStale: false };
  for (const key of ["a", "b"]) leases.ask(span(key), new Asker(() => {}), question);
  assertEquals(listening, 1);
});

Deno.test({
  name: "leases that are over leave nothing behind, however many there have been",
  ignore: isOldDeno,
  fn: () => {
    v8.setFlagsFromString("--expose-gc");
    const collectGarbage = vm.runInNewContext("gc") as () => void;
    const fixture = new Fixture();
    const a = fixture.client("a");
    const usedBytesAfter = (count: number) => {
      for (let i = 0; i < count; i++) {
        fixture.ask(a);
        fixture.leases.end(span("k"));
      }
      collectGarbage();
      return Deno.memoryUsage().heapUsed;
    };
    const before = usedBytesAfter(1000);
    const grown = usedBytesAfter(100_000) - before;
    assert(grown < 2_000_000, `${grown} bytes more are used after 100,000 leases`);
  },
});
