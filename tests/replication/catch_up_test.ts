/** Catching up: one peer at a time, page after page, and what holds where it breaks off. */

import { assert, assertEquals } from "@std/assert";
import { spanOf } from "../../lib/base/byte_span.ts";
import { MESSAGE, type Message } from "../../lib/replication/message.ts";
import { readMessage } from "../../lib/replication/message_reader.ts";
import { ENTRY } from "../../lib/store/entry.ts";
import {
  breakOff,
  get,
  HUB,
  join,
  key,
  NO_PAGE,
  PAIR,
  pair,
  rounds,
  said,
  set,
  settle,
  START,
  step,
  tell,
} from "../support/gossip_nodes.ts";
import { knowsNothing } from "../support/stores.ts";

Deno.test("Gossip catches up with one peer at a time, and is given nothing by another meanwhile", () => {
  const all = join([[0, 1], [0, 2], [1, 2]], { eager: false, maxWrites: 10 });
  const [, , cold] = all.gossips;
  for (let i = 0; i < 100; i++) set(all.stores[0], i);
  all.gossips[0].disconnect(2);
  all.gossips[1].disconnect(2);
  for (let i = 0; i < 3; i++) rounds(all);
  assertEquals(all.stores.map((store) => store.stats().entries), [100, 100, 0]);
  for (const i of [0, 1]) all.gossips[i].connect(2);
  said(all);
  cold.round(() => 0);
  let steps = 0;
  while (all.stores[2].stats().entries < 100) {
    if (cold.catchingUpWith !== undefined) assertEquals(cold.catchingUpWith, 0);
    if (++steps === 10) all.gossips[1].ask(2); // the other asks: it is told that this one is busy
    step(all);
  }
  settle(all);
  const types = said(all);
  assert(steps > 10);
  assertEquals(types.filter((type) => ["pull 2>1", "page 1>2"].includes(type)), []);
  assertEquals(all.gossips[2].stats.applied, 100);
  assertEquals([cold.peer(0)!.applied, cold.peer(1)!.applied, cold.catchingUpWith], [100, 0, undefined]);
});

Deno.test("Gossip gives up a peer that says nothing in a catch-up, and takes another", () => {
  const all = join(HUB, { maxWrites: 10 });
  const [, , cold] = all.gossips;
  for (const i of [0, 1]) for (let n = 0; n < 50; n++) set(all.stores[i], 100 * i + n);
  for (const i of [0, 1]) all.gossips[i].flush();
  all.waiting.length = 0;
  cold.round(() => 0);
  let pulls = 0;
  while (cold.catchingUpWith === undefined) step(all);
  const silent = cold.catchingUpWith;
  for (let n = 0; n < 10 && all.stores[2].stats().entries < 50; n++) {
    cold.round(() => 0);
    while (all.waiting.length > 0) {
      if (all.waiting[0].from !== silent && all.waiting[0].to !== silent) step(all);
      else pulls += Number(all.waiting.shift()!.message.type === MESSAGE.pull);
    }
  }
  assert(pulls > 0);
  assertEquals(cold.peer(1 - silent)!.applied, 50);
});

Deno.test("Gossip holds one write of a version, and cuts a page between writes of different origins", () => {
  const all = pair();
  const [a, b] = all.stores;
  const value = spanOf(new Uint8Array(60_000));
  const entry = { flags: 0, ttlMs: Infinity, remainingMs: Infinity, value };
  const h = a.clock + 1;
  for (let i = 0; i < 40; i++) a.apply(key(i), { version: { h, origin: 7 }, kind: ENTRY, entry }, knowsNothing(a));
  assertEquals(a.stats().entries, 1);
  for (let i = 1; i < 40; i++) a.apply(key(i), { version: { h, origin: 7 + i }, kind: ENTRY, entry }, knowsNothing(a));
  for (let i = 0; i < 40; i++) a.history.know({ h, origin: 7 + i });
  all.gossips[1].round(() => 0);
  settle(all);
  const largest = Math.max(...all.sent.map(({ bytes }) => bytes.length));
  assertEquals([b.stats().entries, b.history.digest], [40, a.history.digest]);
  assert(largest < 256 * 1024, `${largest} bytes`);
});

Deno.test("Gossip claims nothing of a catch-up that broke off, and goes on where it was with the same peer", () => {
  const all = join(HUB, { eager: false, maxWrites: 10 });
  const [a, b] = all.stores;
  for (let i = 0; i < 50; i++) set(a, i);
  breakOff(all);
  assertEquals([b.stats().entries, b.history.knownOf(100), b.history.digest], [10, 0, 0]);
  all.gossips[0].connect(1);
  all.gossips[1].connect(0);
  all.gossips[1].ask(0);
  settle(all);
  assertEquals([b.stats().entries, b.history.digest], [50, a.history.digest]);
  assertEquals([all.gossips[0].stats.sent, all.gossips[1].stats.repeated], [50, 0]);
});

Deno.test("Gossip takes nothing for given by a peer that has started again in the middle of a catch-up", () => {
  const all = join(PAIR, { eager: false, maxWrites: 10 });
  const [a, b] = all.stores;
  for (let i = 0; i < 50; i++) set(a, i);
  all.gossips[1].ask(0);
  while (b.stats().entries === 0) step(all);
  const pull = readMessage(all.waiting.pop()!.bytes);
  assert(pull.type === MESSAGE.pull && pull.after.h > 0);
  const head = { from: 777, clock: 0, cleared: 0, to: 101, question: pull.question };
  tell(all, 1, 0, { ...head, ...NO_PAGE, type: MESSAGE.page });
  assertEquals([b.history.knownOf(100), all.gossips[1].catchingUpWith], [0, 0]);
  const again = readMessage(all.waiting.pop()!.bytes);
  assert(again.type === MESSAGE.pull && again.question !== pull.question);
  assertEquals([again.known, again.after], [new Map(), START]);
});

Deno.test("Gossip does not wait for an answer of its own where a link leads back to it", () => {
  const all = join(PAIR, { eager: false });
  const [, b] = all.stores;
  set(all.stores[0], 1);
  all.gossips[1].connect(1);
  const news: Message = { type: MESSAGE.news, from: 77, clock: 0, cleared: 0, origin: 77, last: 5 };
  tell(all, 1, 1, news); // of its life before
  assertEquals([said(all), all.gossips[1].catchingUpWith], [["pull 1>1"], 1]);
  all.gossips[1].ask(0);
  settle(all);
  assertEquals(get(b, 1), "value 1");
});
