/** Writes and clears that are told at once: in how many messages, how far they go, and what is told of a gap. */

import { assertEquals } from "@std/assert";
import { MESSAGE, type Message } from "../../lib/replication/message.ts";
import { ENTRY } from "../../lib/store/entry.ts";
import {
  get,
  join,
  key,
  LINE,
  PAIR,
  pair,
  rounds,
  said,
  set,
  settle,
  step,
  STRANGER,
  tell,
} from "../support/gossip_nodes.ts";

Deno.test("Gossip pushes a store at once, and a value larger than a push is fetched", () => {
  const all = pair({ eager: true });
  const [a, b] = all.stores;
  set(a, 1);
  all.gossips[0].flush();
  assertEquals(said(all), ["push 0>1"]);
  settle(all);
  assertEquals(get(b, 1), "value 1");
  set(a, 2, "x".repeat(50_000));
  set(a, 3);
  settle(all);
  assertEquals([get(b, 2)?.length, get(b, 3)], [50_000, "value 3"]);
  assertEquals(said(all), ["news 0>1", "pull 1>0", "page 0>1"]);
});

Deno.test("Gossip tells of a value over 16 KiB, and pushes one of 16 KiB", () => {
  const all = join(PAIR);
  set(all.stores[0], 1, "x".repeat(16 * 1024));
  settle(all);
  assertEquals(said(all), ["push 0>1"]);
  set(all.stores[0], 2, "x".repeat(16 * 1024 + 1));
  all.gossips[0].flush();
  assertEquals(said(all), ["news 0>1"]);
  const [news] = all.waiting;
  settle(all);
  assertEquals(said(all), ["pull 1>0", "page 0>1"]);
  assertEquals([1, 2].map((i) => get(all.stores[1], i)?.length), [16 * 1024, 16 * 1024 + 1]);
  all.waiting.push(news); // to one who has it
  settle(all);
  assertEquals(said(all), []);
});

Deno.test("Gossip brings a value over 16 KiB on along a line by the next round", () => {
  const all = join(LINE);
  set(all.stores[0], 1, "x".repeat(100_000));
  settle(all);
  assertEquals(all.stores.map((store) => get(store, 1)?.length), [100_000, 100_000, undefined]);
  rounds(all);
  assertEquals(get(all.stores[2], 1)?.length, 100_000);
});

Deno.test("Gossip tells all writes of a turn in one message, and more than go into one in several without a gap", () => {
  const all = join(LINE, { maxWrites: 100 });
  for (let i = 0; i < 90; i++) set(all.stores[0], i);
  for (let i = 0; i < 10; i++) all.stores[0].delete(key(1000 + i));
  assertEquals(all.waitings, [1, 0, 0]);
  settle(all);
  assertEquals(said(all), ["push 0>1", "push 1>2"]);
  for (let i = 0; i < 250; i++) set(all.stores[0], i, "new");
  settle(all);
  const pushes = said(all);
  assertEquals([pushes.length, new Set(pushes).size], [6, 2]);
  for (const store of all.stores) assertEquals([store.stats().entries, get(store, 249)], [250, "new"]);
  assertEquals(all.gossips.map(({ stats }) => stats.gaps), [0, 0, 0]);
  assertEquals(all.waitings, [2, 0, 0]);
});

Deno.test("Gossip asks for what a lost push held as soon as the next one comes", () => {
  const all = join(PAIR);
  set(all.stores[0], 1);
  all.gossips[0].flush();
  all.waiting.length = 0;
  set(all.stores[0], 2);
  settle(all);
  assertEquals(said(all), ["push 0>1", "push 0>1", "pull 1>0", "page 0>1"]);
  assertEquals([get(all.stores[1], 1), get(all.stores[1], 2), all.gossips[1].stats.gaps], ["value 1", "value 2", 1]);
});

Deno.test("Gossip shows a pushed write at once when it is still catching up, and it is known with the last page", () => {
  const all = join(LINE, { maxWrites: 10 });
  const [a, b, c] = all.stores;
  for (let i = 0; i < 100; i++) set(a, i, "old");
  all.gossips[0].flush();
  all.waiting.length = 0; // lost
  all.gossips[1].ask(0);
  while (b.stats().entries === 0) step(all);
  set(a, 99, "new");
  a.delete(key(98));
  all.gossips[0].flush();
  while (get(b, 99) !== "new") step(all);
  assertEquals([get(b, 98), b.stats().entries < 50, b.history.orphaned.includes(100)], [undefined, true, true]);
  assertEquals([get(c, 99), b.history.knownOf(100)], [undefined, 0]); // it is passed on by who knows all before it
  settle(all);
  rounds(all, 2);
  for (const store of all.stores) {
    assertEquals([store.stats().entries, get(store, 99), get(store, 98)], [99, "new", undefined]);
    assertEquals(store.history.orphaned, []);
  }
});

Deno.test("Gossip tells of a clear at once, also along a line", () => {
  const all = join(LINE);
  for (let i = 0; i < 10; i++) set(all.stores[2], i);
  settle(all);
  all.stores[0].clear();
  set(all.stores[0], 99);
  settle(all);
  for (const store of all.stores) assertEquals([store.stats().entries, get(store, 99)], [1, "value 99"]);
});

Deno.test("Gossip takes nothing that is older than a clear, though it comes after it", () => {
  const all = join(PAIR);
  const [a, b] = all.stores;
  set(a, 1);
  all.gossips[0].flush();
  all.clock.nowMs += 1;
  b.clear();
  set(b, 2);
  settle(all);
  rounds(all, 2);
  for (const store of [a, b]) assertEquals([store.stats().entries, get(store, 2)], [1, "value 2"]);
});

Deno.test("Gossip passes on a push that says it has been sent to as many as can be", () => {
  const all = pair({ eager: true });
  all.gossips[0].connect(STRANGER);
  const sentTo = Array.from({ length: 8192 }, (_, i) => 1000 + i);
  const version = { h: 5, origin: 77 };
  const entry = { flags: 0, ttlMs: Infinity, remainingMs: Infinity, value: key(2) };
  const writes = [{ key: key(1), version, kind: ENTRY, entry }];
  const head = { from: 77, clock: 0, cleared: 0 };
  const message: Message = { ...head, type: MESSAGE.push, origin: 77, before: 0, last: 5, sentTo, writes };
  tell(all, 0, STRANGER, message);
  settle(all);
  assertEquals(get(all.stores[1], 1), "key:2");
});
