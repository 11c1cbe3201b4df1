/** What a node does not believe, whoever says it. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { seeded } from "../../bench/compare.ts";
import { ProtocolError } from "../../lib/base/errors.ts";
import { MESSAGE, type Message, type MessageBody, MORE } from "../../lib/replication/message.ts";
import type { Known } from "../../lib/store/known.ts";
import { listOf } from "../support/peer_messages.ts";
import { TOMB } from "../../lib/store/entry.ts";
import {
  get,
  join,
  key,
  NO_PAGE,
  PAIR,
  pair,
  round,
  said,
  set,
  settle,
  START,
  step,
  STRANGER,
  tell,
} from "../support/gossip_nodes.ts";

Deno.test("Gossip refuses what comes from too far in the future, and counts it", () => {
  const all = pair();
  set(all.stores[0], 1);
  all.gossips[0].round(() => 0);
  all.clock.nowMs -= 61_000;
  settle(all);
  assertEquals([all.gossips[1].stats.fromFuture, said(all)], [1, ["sync 0>1"]]);
  all.clock.nowMs += 61_000;
  round(all);
  assertEquals(get(all.stores[1], 1), "value 1");
});

Deno.test("Gossip refuses a version from too far in the future wherever it stands in a message", () => {
  const far = 2 ** 52;
  const head = { from: 101, clock: 1, cleared: 0 };
  const write = { key: key(1), version: { h: far, origin: 101 }, kind: TOMB };
  const none = { to: 100, question: 1, ...NO_PAGE };
  const future = new Map([[101, far]]);
  const messages: Message[] = [
    { ...head, type: MESSAGE.sync, digest: 0, cleared: far },
    { ...head, type: MESSAGE.known, known: future, turn: 0 },
    { ...head, type: MESSAGE.push, origin: 101, before: 0, last: far, sentTo: [], writes: [write] },
    { ...head, type: MESSAGE.news, origin: 101, last: far },
    { ...head, type: MESSAGE.page, ...none, known: future },
    { ...head, type: MESSAGE.explained, base: { upTo: 1, digest: 0 }, told: listOf(future) },
    { ...head, type: MESSAGE.known, known: Object.assign(new Map(), { base: { upTo: far, digest: 0 } }), turn: 0 },
    { ...head, type: MESSAGE.page, ...none, known: new Map(), lossy: future },
    { ...head, type: MESSAGE.page, ...none, known: new Map(), writes: [write] },
    { ...head, type: MESSAGE.listed, to: 100, question: 3, more: false, places: [{ h: far, id: 101 }] },
  ];
  const all = pair();
  const [gossip] = all.gossips;
  for (const message of messages) assertEquals(tell(all, 0, 1, message), false);
  assertEquals([gossip.stats.fromFuture, all.waiting.length], [messages.length, 0]);
  set(all.stores[0], 1);
  assertEquals(get(all.stores[0], 1), "value 1");
  assertEquals(all.stores[0].history.knownOf(101), 0);
});

Deno.test("Gossip refuses a list that no peer has reason to send", () => {
  const all = pair();
  const list = (size: number) => new Map(Array.from({ length: size }, (_, i): [number, number] => [1000 + i, 1]));
  const receive = (known: Known) => {
    const message: Message = {
      type: MESSAGE.pull,
      from: 101,
      clock: 1,
      cleared: 0,
      question: 1,
      known,
      after: START,
    };
    tell(all, 0, 1, message);
  };
  receive(list(2048));
  assertThrows(() => receive(list(2049)), ProtocolError, "2049 items");
});

Deno.test("Gossip survives 100,000 damaged messages: each is refused with a ProtocolError or does no harm", () => {
  const all = pair({ eager: true });
  const messages: Uint8Array[] = [];
  const collect = () => {
    messages.push(...all.waiting.map(({ bytes }) => bytes));
    settle(all);
  };
  for (let i = 0; i < 50; i++) {
    set(all.stores[i % 2], i, "v".repeat(i), i % 3 === 0 ? 1000 : undefined);
    if (i % 5 === 0) all.stores[0].delete(key(i));
    collect();
    all.gossips[0].round(() => 0);
    collect();
  }
  const random = seeded(20261123);
  const below = (n: number) => Math.floor(random() * n);
  const victim = pair();
  let refused = 0;
  for (let i = 0; i < 100_000; i++) {
    const bytes = messages[below(messages.length)].slice(0, 1 + below(400));
    for (let damage = below(4); damage > 0; damage--) bytes[below(bytes.length)] = below(256);
    try {
      victim.gossips[0].receive(1, bytes);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      refused++;
    }
    victim.waiting.length = victim.sent.length = 0;
  }
  assert(refused > 10_000, `${refused} refused`);
  const [store] = victim.stores;
  store.clear();
  set(store, 1);
  assertEquals(get(store, 1), "value 1");
});

Deno.test("Gossip ignores what it has said itself", () => {
  const all = join(PAIR);
  const [gossip] = all.gossips;
  const [store] = all.stores;
  set(store, 1);
  gossip.flush();
  const [{ bytes }] = all.waiting;
  said(all);
  store.delete(key(1));
  gossip.flush();
  all.waiting.length = 0;
  said(all);
  assertEquals(gossip.receive(1, bytes), true);
  const head = { from: 100, clock: store.clock + 4096, cleared: store.clock };
  tell(all, 0, 1, { ...head, type: MESSAGE.sync, digest: 1 });
  gossip.flush();
  assertEquals([said(all), get(store, 1), store.history.cleared, gossip.peer(1)!.origin], [
    [],
    undefined,
    0,
    undefined,
  ]);
});

Deno.test("Gossip writes after whatever peers claim to know of this node, in every message", () => {
  const all = join(PAIR);
  const [gossip] = all.gossips;
  const [store] = all.stores;
  set(store, 1);
  gossip.flush();
  said(all);
  const more = store.history.knownOf(100) + 1;
  const known = new Map([[100, more]]);
  const head = { from: 101, clock: 1, cleared: 0 };
  const none = { to: 100, question: 1, ...NO_PAGE };
  const bodies: MessageBody[] = [
    { type: MESSAGE.known, turn: 0, known },
    { type: MESSAGE.pull, question: 1, known, after: START },
    { type: MESSAGE.page, ...none, known },
    { type: MESSAGE.verify, question: 1, known, writes: [] },
    { type: MESSAGE.push, origin: 100, before: more - 1, last: more, sentTo: [], writes: [] },
    { type: MESSAGE.news, origin: 100, last: more },
  ];
  for (const body of bodies) {
    tell(all, 0, 1, { ...head, ...body });
    assertEquals([store.history.knownOf(100), get(store, 1)], [more, "value 1"]);
  }
  set(store, 2);
  assert(store.versionOf(key(2))!.h > more);
  settle(all);
  assertEquals(get(all.stores[1], 2), "value 2");
});

Deno.test("Gossip lets no peer keep the others out by a catch-up without end", () => {
  const all = pair();
  const [a, b] = all.stores;
  set(a, 1);
  all.gossips[1].connect(STRANGER);
  let [h, question] = [a.clock, 2]; // a catch-up's questions have even numbers
  const head = { from: 77, clock: 0, cleared: 0 };
  const say = (message: Message) => tell(all, 1, STRANGER, message);
  const exchange = () => {
    for (let messages = 0; all.waiting.length > 0; messages++) {
      assert(messages < 100, "they do not come to rest");
      const [{ message }] = all.waiting;
      if (message.type === MESSAGE.pull && message.after.h === h) question = message.question;
      step(all);
    }
  };
  say({ ...head, type: MESSAGE.news, origin: 77, last: h });
  let rounds = 0;
  for (; get(b, 1) === undefined; rounds++) {
    const known = new Map([[77, ++h]]);
    const writes = [{ key: key(9), version: { h, origin: 77 }, kind: TOMB }];
    const lists = { known, writes };
    say({ ...head, type: MESSAGE.page, to: 101, question, ...NO_PAGE, more: MORE.writes, ...lists });
    all.gossips[1].round(() => 0);
    exchange();
    assert(rounds < 400);
  }
  assert(rounds > 250, "it had its turn");
});
