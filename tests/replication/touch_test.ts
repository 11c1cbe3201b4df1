/** Hits that put deadlines off, and how peers hear of them. */

import { assertEquals } from "@std/assert";
import { spanOf } from "../../lib/base/byte_span.ts";
import { MESSAGE } from "../../lib/replication/message.ts";
import { MARK } from "../../lib/store/entry.ts";
import { deadline, get, hit, join, key, LINE, PAIR, said, set, settle, step } from "../support/gossip_nodes.ts";
import { NOW_MS } from "../support/stores.ts";

Deno.test("Gossip tells of a hit once half the time to live has passed, along a line, and then not for another half", () => {
  const all = join(LINE, { ttlMs: 1000 });
  const [a, b, c] = all.stores;
  set(a, 1);
  settle(all);
  said(all);
  const hitAfter = (ms: number, store = a) => {
    all.clock.nowMs += ms;
    assertEquals(hit(store, 1), true);
    settle(all);
    return said(all);
  };
  assertEquals(hitAfter(499), []);
  assertEquals([b, c].map((store) => deadline(store, 1)), [NOW_MS + 1000, NOW_MS + 1000]);
  assertEquals(hitAfter(1), ["touch 0>1", "touch 1>2"]);
  assertEquals(all.stores.map((store) => deadline(store, 1)), [NOW_MS + 1500, NOW_MS + 1500, NOW_MS + 1500]);
  for (const store of [a, b, c]) assertEquals(hitAfter(0, store), []);
  assertEquals([hitAfter(499), hitAfter(0, b), hitAfter(0, c)], [[], [], []]);
  assertEquals(hitAfter(1, b), ["touch 1>0", "touch 1>2"]);
  assertEquals(all.stores.map((store) => deadline(store, 1)), [NOW_MS + 2000, NOW_MS + 2000, NOW_MS + 2000]);
  // The second time they had been hit themselves, a millisecond before.
  assertEquals(all.gossips.map(({ stats }) => stats.extended), [0, 1, 1]);
});

Deno.test("Gossip tells of all hits of a turn in one message, but of none on what has been written since", () => {
  const all = join(PAIR, { ttlMs: 1000 });
  const [a, b] = all.stores;
  for (let i = 0; i < 10; i++) set(a, i);
  settle(all);
  said(all);
  all.clock.nowMs += 600;
  for (let i = 0; i < 10; i++) hit(a, i);
  set(a, 0, "new");
  a.delete(key(1));
  all.gossips[0].flush();
  const touches = all.waiting.flatMap(({ message }) => message.type === MESSAGE.touch ? [message.writes.length] : []);
  assertEquals(touches, [8]);
  settle(all);
  assertEquals(said(all), ["push 0>1", "touch 0>1"]);
  assertEquals([get(b, 0), get(b, 1), deadline(b, 2)], ["new", undefined, NOW_MS + 1600]);
});

Deno.test("Gossip tells of no hit on an entry that hits do not renew, which keeps its deadline on all nodes", () => {
  const all = join(LINE, { ttlMs: 1000 });
  const [a, b, c] = all.stores;
  const value = spanOf(new TextEncoder().encode("v"));
  a.set(key(1), { flags: 0, marks: MARK.fixed, value, ttlMs: undefined });
  settle(all);
  said(all);
  for (const ms of [600, 399]) {
    all.clock.nowMs += ms;
    for (const store of [a, b, c]) assertEquals(hit(store, 1), true);
    settle(all);
    assertEquals(said(all), []);
  }
  assertEquals(all.stores.map((store) => deadline(store, 1)), [NOW_MS + 1000, NOW_MS + 1000, NOW_MS + 1000]);
  all.clock.nowMs += 1;
  assertEquals(all.stores.map((store) => hit(store, 1)), [false, false, false]);
});

Deno.test("Gossip puts off no deadline of another version, and revives nothing", () => {
  const all = join(PAIR, { ttlMs: 1000 });
  const [a, b] = all.stores;
  for (let i = 0; i < 4; i++) set(a, i);
  settle(all);
  all.clock.nowMs += 600;
  for (let i = 0; i < 4; i++) hit(a, i);
  all.gossips[0].flush();
  const touch = all.waiting.shift()!;
  assertEquals(touch.message.type, MESSAGE.touch);
  set(b, 0, "b's own", 500);
  b.delete(key(1));
  all.clock.nowMs += 399;
  assertEquals(deadline(b, 2), NOW_MS + 1000);
  b.extend(key(3), b.versionOf(key(3))!, 1000); // it knows of a use by another
  all.clock.nowMs += 1;
  assertEquals(b.has(key(2)), false);
  all.waiting.push(touch);
  while (all.waiting.length > 0) step(all);
  assertEquals([0, 1, 2, 3].map((i) => get(b, i)), ["b's own", undefined, undefined, "value 3"]);
  assertEquals([deadline(b, 0), deadline(b, 3)], [NOW_MS + 1100, NOW_MS + 1999]);
  assertEquals(all.gossips[1].stats.extended, 0);
});
