/** Rounds between two nodes: what travels, what it costs, and who is believed. */

import { assert, assertEquals } from "@std/assert";
import { MESSAGE, type MessageBody, MessageWriter } from "../../lib/replication/message.ts";
import { readMessage } from "../../lib/replication/message_reader.ts";
import { ALL_RULES } from "../../lib/store/rules.ts";
import { versionAt } from "../../lib/store/version.ts";
import { TOMB } from "../../lib/store/entry.ts";
import { get, key, pair, round, rounds, said, set, settle, START, STRANGER, tell } from "../support/gossip_nodes.ts";
import { gossipNode, knowsAll, NOW_MS } from "../support/stores.ts";

Deno.test("Gossip.round() takes at most 70 bytes when a pair knows the same", () => {
  const all = pair();
  for (let i = 0; i < 5000; i++) set(all.stores[i % 2], i);
  round(all);
  const bytes = round(all);
  assert(bytes <= 70, `${bytes} bytes`);
  assertEquals(said(all).slice(-2), ["sync 0>1", "same 1>0"]);
});

Deno.test("Gossip.round() asks a peer of a lower number nothing that this has asked and had answered since the last round", () => {
  const all = pair();
  set(all.stores[0], 1);
  rounds(all, 3);
  said(all);
  rounds(all);
  assertEquals(said(all), ["sync 0>1", "same 1>0"]);
  all.clock.nowMs += 1000;
  const { lastRoundMs, unanswered } = all.gossips[1].peer(0)!;
  assertEquals([lastRoundMs, unanswered], [all.clock.nowMs - 1000, 0]);
  for (const expected of [[], ["sync 1>0", "same 0>1"]]) { // the other asks nothing more
    all.gossips[1].round(() => 0);
    settle(all);
    assertEquals(said(all), expected);
  }
});

Deno.test("Gossip.round() asks a peer that has asked when that knows another thing, or is not sure to believe this node", () => {
  const all = pair();
  rounds(all);
  said(all);
  all.gossips[0].round(() => 0);
  settle(all);
  set(all.stores[1], 1); // news of which the peer has not been told
  all.gossips[1].round(() => 0);
  settle(all);
  assertEquals(get(all.stores[0], 1), "value 1");
  const { gossip } = gossipNode({ nowMs: NOW_MS }, 100, { gossip: { send: (_, bytes) => void sent.push(bytes[0]) } });
  const sent: number[] = [];
  gossip.connect(1);
  for (const behindMs of [20_000, 20_001]) {
    const clock = versionAt(NOW_MS - behindMs);
    gossip.receive(1, new MessageWriter().write({ type: MESSAGE.sync, from: 7, clock, cleared: 0, digest: 0 }).slice());
    gossip.round(() => 0);
  }
  assertEquals(sent, [MESSAGE.same, MESSAGE.same, MESSAGE.sync]);
});

for (const [missing, most] of [[10, 45], [1000, 16], [20_000, 16]]) {
  Deno.test(`Gossip brings ${missing} missing entries at ${most} bytes each at most, beside keys and values`, () => {
    const all = pair();
    for (let i = 0; i < 1000; i++) set(all.stores[0], i);
    round(all);
    let payload = 0;
    for (let i = 1000; i < 1000 + missing; i++) {
      set(all.stores[0], i, `value ${i}`, 60_000);
      all.clock.nowMs += 1;
      payload += `key:${i}value ${i}`.length;
    }
    const bytes = round(all);
    for (let i = 1000; i < 1000 + missing; i++) assertEquals(get(all.stores[1], i), `value ${i}`);
    const each = (bytes - payload) / missing;
    assert(each <= most, `${each} bytes each`);
    assert(round(all) <= 70);
  });
}

Deno.test("Gossip brings writes both ways in one round, and the newer of two wins", () => {
  const all = pair();
  const [a, b] = all.stores;
  set(a, 1, "old");
  set(b, 2, "theirs");
  all.clock.nowMs += 1;
  set(b, 1, "new");
  round(all);
  for (const store of [a, b]) assertEquals([get(store, 1), get(store, 2)], ["new", "theirs"]);
});

for (const [writes, most] of [[2000, 256], [5000, 512]]) { // the first page is both given and asked for
  Deno.test(`Gossip sends each of ${writes} writes once, and ${most} twice at most, when both nodes ask at the same time`, () => {
    const all = pair();
    for (let i = 0; i < writes; i++) set(all.stores[0], i);
    for (const gossip of all.gossips) gossip.round(() => 0);
    settle(all);
    assertEquals([all.stores[1].stats().entries, all.gossips[1].stats.applied], [writes, writes]);
    const { sent } = all.gossips[0].stats;
    assert(sent <= writes + most, `${sent} writes were sent for ${writes}`);
  });
}

Deno.test("Gossip carries deletions and clears", () => {
  const all = pair();
  const [a, b] = all.stores;
  for (let i = 0; i < 10; i++) set(a, i);
  round(all);
  a.delete(key(1));
  b.delete(key(2));
  round(all);
  for (const store of [a, b]) {
    assertEquals([get(store, 1), get(store, 2), get(store, 3)], [undefined, undefined, "value 3"]);
  }
  b.clear();
  set(b, 99);
  round(all);
  assertEquals([a.stats().entries, get(a, 99)], [1, "value 99"]);
});

Deno.test("Gossip carries the deletion of a key that the deleting node has evicted", () => {
  const all = pair({ maxSize: [Infinity, 2] });
  for (let i = 0; i < 10; i++) set(all.stores[0], i);
  round(all);
  assertEquals([get(all.stores[1], 1), all.stores[1].delete(key(1))], [undefined, false]);
  round(all);
  assertEquals(get(all.stores[0], 1), undefined);
});

Deno.test("Gossip carries what remains of a time to live", () => {
  const all = pair();
  const [a, b] = all.stores;
  set(a, 1, "short", 1000);
  all.clock.nowMs += 600;
  round(all);
  all.clock.nowMs += 399;
  assertEquals(get(b, 1), "short");
  all.clock.nowMs += 1;
  assertEquals(get(b, 1), undefined);
  assertEquals(b.stats().expirations, 1);
});

Deno.test("Gossip sends nothing again when a node has evicted it, however unequal they are", () => {
  const all = pair({ maxSize: [Infinity, 50] });
  for (let i = 0; i < 1000; i++) set(all.stores[0], i);
  round(all);
  assertEquals(all.stores[1].stats().entries, 50);
  const { sent } = all.gossips[0].stats;
  for (let i = 0; i < 10; i++) assert(round(all) <= 70);
  assertEquals(all.gossips[0].stats.sent, sent);
  assertEquals(all.stores[1].stats().entries, 50);
});

for (const dominance of [true, false]) {
  Deno.test(`Gossip ${dominance ? "keeps" : "loses"} an old write when dominance is ${dominance}`, () => {
    const all = pair({ eager: true, maxGraves: 1, maxForgotten: 0, rules: { ...ALL_RULES, dominance } });
    const [a, b] = all.stores;
    set(b, 1);
    all.gossips[1].flush();
    all.waiting.length = 0; // its push is lost
    all.clock.nowMs += 10;
    for (let i = 10; i < 20; i++) {
      set(a, i);
      settle(all);
      a.delete(key(i));
      settle(all);
    }
    round(all); // the write is older than graves that a has dropped; but b knows all that a knows
    assertEquals(get(a, 1), dominance ? "value 1" : undefined);
  });
}

Deno.test("Gossip between nodes that know too many origins to agree ends with every round", () => {
  const all = pair({ maxGraves: [Infinity, 10] });
  const [a, b] = all.stores;
  set(a, 1);
  for (let i = 0; i < 4090; i++) {
    const version = { h: a.clock - 90_000 + i, origin: 10_000 + i };
    if (i < 2000) a.apply(key(i), { version, kind: TOMB }, knowsAll(a));
    if (i < 2000) a.history.know(version);
    b.history.know({ h: version.h + 50_000, origin: version.origin + 10_000 });
  }
  for (let rounds = 0; rounds < 3; rounds++) {
    said(all);
    round(all);
    const { length } = said(all);
    assert(length < 40, `${length} messages`);
  }
  set(a, 9999);
  for (let rounds = 0; rounds < 3; rounds++) round(all);
  assertEquals(get(b, 9999), "value 9999");
});

Deno.test("Gossip goes on between two nodes when a third has told one of writes that the other has not made", () => {
  const all = pair({ eager: true });
  const [a, b] = all.stores;
  set(a, 1);
  settle(all);
  all.gossips[1].connect(STRANGER);
  const { digest } = a.history;
  const last = a.clock + 30_000 * 4096;
  const head = { from: 77, clock: 0, cleared: 0 };
  const push = { type: MESSAGE.push, origin: 100, before: 0, last, sentTo: [], writes: [] };
  tell(all, 1, STRANGER, { ...head, ...push });
  all.gossips[1].disconnect(STRANGER);
  all.gossips[1].round(() => 0);
  settle(all);
  assertEquals([a.history.digest, b.history.digest === digest], [b.history.digest, false]);
  set(a, 2);
  settle(all);
  assertEquals([get(b, 1), get(b, 2)], ["value 1", "value 2"]);
});

Deno.test("Gossip makes no page or list for a peer that does not read, and the page when it does", () => {
  const sent: number[] = [];
  let hasRoom = true;
  const { store, gossip } = gossipNode({ nowMs: NOW_MS }, 100, {
    gossip: { send: (_, bytes) => sent.push(readMessage(bytes).type), hasRoom: () => hasRoom, isReady: () => hasRoom },
  });
  for (let i = 0; i < 10; i++) set(store, i);
  gossip.connect(1);
  const writer = new MessageWriter();
  const questions = (question: number): MessageBody[] => [
    { type: MESSAGE.pull, question, known: new Map(), after: START },
    { type: MESSAGE.list, question, before: { h: Number.MAX_SAFE_INTEGER, id: 1 } },
    { type: MESSAGE.want, question, places: [{ h: 1, id: 1 }] },
  ];
  let asked = 0;
  const ask = () => {
    sent.length = 0;
    for (const body of questions(++asked)) {
      gossip.receive(1, writer.write({ ...body, from: 7, clock: 0, cleared: 0 }).slice());
    }
    return sent;
  };
  assertEquals(ask(), [MESSAGE.page, MESSAGE.listed, MESSAGE.page]);
  hasRoom = false;
  assertEquals([ask(), gossip.peer(1)!.sent], [[], 10]);
  gossip.resume(1);
  assertEquals(sent, []);
  hasRoom = true;
  for (let i = 0; i < 2; i++) gossip.resume(1);
  assertEquals([sent, gossip.peer(1)!.sent], [[MESSAGE.page], 20]);
});
