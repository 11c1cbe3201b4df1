/** Nodes that have met many origins: what they tell each other stays short, and what a base stands for is explained. */

import { assert, assertEquals } from "@std/assert";
import { spanOf } from "../../lib/base/byte_span.ts";
import { MESSAGE, type Message } from "../../lib/replication/message.ts";
import { ENTRY } from "../../lib/store/entry.ts";
import { EVERY, mixed } from "../../lib/store/known.ts";
import type { Store } from "../../lib/store/store.ts";
import type { PeerFeature } from "../../lib/wire/hello.ts";
import {
  get,
  HUB,
  join,
  type Joined,
  key,
  LINE,
  PAIR,
  round,
  rounds,
  said,
  set,
  settle,
  step,
  tell,
} from "../support/gossip_nodes.ts";
import { listOf } from "../support/peer_messages.ts";
import { knowsAll } from "../support/stores.ts";

const NAME = /explain/;

/** Lets a store hold entries that many starts of servers have written, and know of others that have left nothing. */
function fill(store: Store, entries: number, origins = entries): void {
  const entry = { flags: 0, value: spanOf(new Uint8Array(100)), ttlMs: Infinity, remainingMs: Infinity };
  for (let i = 0; i < origins; i++) store.history.know({ h: 1 + i, origin: 1000 + i });
  for (let i = 0; i < entries; i++) {
    const version = { h: 100_000 + i, origin: 1000 + i % origins };
    assert(store.apply(key(i), { version, kind: ENTRY, entry }, knowsAll(store)));
  }
  for (let i = 0; i < entries; i++) store.history.know({ h: 100_000 + i, origin: 1000 + i % origins });
}

function explanations(all: Joined): string[] {
  return said(all).filter((what) => NAME.test(what));
}

Deno.test("Gossip sends what is known once to a node that knows nothing, however many pages it takes", () => {
  const all = join(PAIR, { eager: false, maxListed: 8, maxWrites: 10 });
  const [a, b] = all.stores;
  fill(a, 200);
  rounds(all, 2);
  assertEquals([b.stats().entries, b.history.digest], [200, a.history.digest]);
  assertEquals(explanations(all), ["explain 1>0", "explained 0>1"]);
});

Deno.test("Gossip explains nothing to a node that knows the same and one write more or less", () => {
  const all = join(HUB, { eager: false, maxListed: 8 });
  for (const store of all.stores) fill(store, 200);
  rounds(all, 2);
  for (const i of [2, 0, 1]) {
    set(all.stores[i], i, `of ${i}`);
    rounds(all, 2);
    assertEquals(all.stores.map((store) => get(store, i)), Array(3).fill(`of ${i}`));
  }
  assertEquals(explanations(all), []);
});

Deno.test("Gossip between nodes that have met 5,000 origins takes as much in step as with ten, and little more to join", () => {
  const costs = [10, 5000].map((origins) => {
    const all = join(PAIR);
    const [a, b] = all.stores;
    fill(a, 5000, origins);
    const before = all.sentBytes;
    rounds(all, 2);
    assertEquals([b.stats().entries, b.history.digest], [5000, a.history.digest]);
    const joining = all.sentBytes - before;
    set(a, 1);
    rounds(all);
    return { joining, inStep: round(all) };
  });
  assertEquals(costs[1].inStep, costs[0].inStep);
  assert(costs[1].joining < 1.5 * costs[0].joining, `${costs[1].joining} bytes, not ${costs[0].joining}`);
});

Deno.test("Gossip takes no explanation that it has not asked for, or that is another one's", () => {
  const all = join(PAIR, { eager: false, maxListed: 8 });
  const [a, b] = all.stores;
  fill(a, 100);
  const head = { from: 100, clock: 1, cleared: 0 };
  const base = { upTo: 4096, digest: 12_345 };
  const told: Message = { ...head, type: MESSAGE.explained, base, told: listOf(new Map([[7, 4096]])) };
  tell(all, 1, 0, told);
  tell(all, 1, 0, { ...head, type: MESSAGE.known, turn: 0, known: Object.assign(new Map([[9, 5]]), { base }) });
  assertEquals(said(all), ["explain 1>0"]);
  tell(all, 1, 0, told);
  tell(all, 1, 0, { ...head, type: MESSAGE.explained, base: { ...base, digest: 0 }, told: listOf(new Map()) });
  assertEquals([all.gossips[1].catchingUpWith, b.history.known.size], [undefined, 0]);
  all.waiting.length = 0;
  rounds(all, 2);
  assertEquals([b.stats().entries, b.history.digest], [100, a.history.digest]);
});

Deno.test("Gossip keeps few messages that wait for an explanation, and drops them with the next round", () => {
  const all = join(PAIR, { eager: false });
  const known = Object.assign(new Map([[9, 5]]), { base: { upTo: 4096, digest: 12_345 } });
  for (let i = 0; i < 1000; i++) {
    tell(all, 1, 0, { from: 100, clock: 1, cleared: 0, type: MESSAGE.known, turn: 0, known });
  }
  assertEquals([said(all), all.gossips[1].peer(0)?.bases.held.length], [["explain 1>0"], 8]);
  all.gossips[1].round(() => 0);
  assertEquals(all.gossips[1].peer(0)?.bases.held.length, 0);
});

Deno.test("Gossip goes on with a catch-up whose base has changed before it could be explained", () => {
  const all = join(PAIR, { eager: false, maxListed: 8, maxWrites: 10 });
  const [a, b] = all.stores;
  fill(a, 200);
  all.gossips[1].ask(0);
  for (let messages = 0; !all.waiting.some(({ message }) => message.type === MESSAGE.explain); messages++) {
    assert(messages < 100, "nothing is asked");
    const { from, to, bytes } = all.waiting.shift()!;
    all.gossips[to].receive(from, bytes);
  }
  a.history.know({ h: 200_000, origin: 1005 }); // which was in the base
  settle(all);
  rounds(all, 1);
  assertEquals([b.stats().entries, b.history.digest], [200, a.history.digest]);
});

/** Does a round of the second of two nodes, in which every message that is an explanation is lost. */
function roundWithoutExplanations(all: Joined): void {
  all.gossips[1].round(() => 0);
  for (let messages = 0; all.waiting.length > 0; messages++) {
    assert(messages < 1000, "no end");
    if (all.waiting[0].message.type === MESSAGE.explained) all.waiting.shift();
    else step(all);
  }
}

const COMMON: [features: readonly PeerFeature[], most: number, least: number][] = [
  [["forgotten-in-common"], 8, 1],
  [[], 200, 150],
];
for (const [features, most, least] of COMMON) {
  const how = features.length > 0 ? "in common" : "one by one, to a peer that knows nothing else,";
  Deno.test(`Gossip tells of very many origins ${how} how far they may be forgotten, which who takes it over passes on`, () => {
    const all = join(LINE, { eager: false, maxListed: 8, features });
    const [a, b, c] = all.stores;
    set(c, 500); // from before: it has to be verified, and nobody has a reason to drop it
    fill(a, 50, 200);
    a.history.forgetUpTo(90_000); // of all but those that have written since
    const every: [number, number][] = [[EVERY, 90_000]];
    assertEquals([...a.history.forgottenBeyond(new Map())], every);
    rounds(all, 4);
    const pages = all.sent.flatMap(({ message }) => message.type === MESSAGE.page ? [message] : []);
    const named = Math.max(...pages.map(({ lossy }) => lossy.size));
    assert(least <= named && named <= most, `${named} of 200 origins are named in a page`);
    assertEquals([b, c].map((store) => store.stats().entries), [51, 51]);
    assertEquals([b, c].map(({ history }) => [...history.forgottenBeyond(new Map())]), [every, every]);
    assertEquals(b.history.mostForgottenBeyond(a.history.known), 0, "who knows as much lacks nothing of it");
  });
}

Deno.test("Gossip asks for an explanation again after three rounds at most, however many have been lost", () => {
  const all = join(PAIR, { eager: false, maxListed: 8 });
  const [a, b] = all.stores;
  fill(a, 200);
  const asked = Array.from({ length: 15 }, () => {
    roundWithoutExplanations(all);
    return explanations(all).length > 0;
  });
  assertEquals(asked.map((is, i) => (is ? i : -1)).filter((i) => i >= 0), [0, 1, 3, 6, 9, 12]);
  rounds(all, 1);
  assertEquals([b.stats().entries, b.history.digest], [200, a.history.digest]);
});

Deno.test("Gossip asks a peer that has started again at once, however long the former start has not answered", () => {
  const all = join(PAIR, { eager: false });
  const base = { upTo: 4096, digest: 12_345 };
  const hear = (from: number) => {
    const known = Object.assign(new Map([[9, 5]]), { base });
    tell(all, 1, 0, { from, clock: 1, cleared: 0, type: MESSAGE.known, turn: 0, known });
    all.gossips[1].round(() => 0);
    all.waiting.length = 0;
    return explanations(all).length;
  };
  assertEquals([hear(100), hear(100), hear(100), hear(777), hear(777)], [1, 1, 0, 1, 1]);
});

Deno.test("Gossip asks at once for what has waited longer than a round for an explanation", () => {
  const all = join(PAIR, { eager: false, maxListed: 8 });
  const [a, b] = all.stores;
  fill(a, 200);
  roundWithoutExplanations(all);
  all.gossips[1].round(() => 0);
  assertEquals(explanations(all), ["explain 1>0", "explained 0>1"]);
  all.waiting.length = 0;
  const { knowledge } = a.history;
  const explained = knowledge.explain(knowledge.knownFor([101]).base!, [101])!;
  tell(all, 1, 0, { from: 100, clock: 1, cleared: 0, type: MESSAGE.explained, ...explained });
  assertEquals(said(all), ["sync 1>0"]);
  settle(all);
  assertEquals([b.stats().entries, b.history.digest], [200, a.history.digest]);
});

Deno.test("Gossip takes what has waited if its base is the one that is explained, and asks again for the rest", () => {
  const all = join(PAIR, { eager: false });
  const head = { from: 100, clock: 1, cleared: 0 };
  const base = { upTo: 4096, digest: mixed(7, 4096) };
  const hear = (...bases: { upTo: number; digest: number }[]) => {
    for (const base of bases) {
      const known = Object.assign(new Map([[9, 5]]), { base });
      tell(all, 1, 0, { ...head, type: MESSAGE.known, turn: 0, known });
    }
    tell(all, 1, 0, { ...head, type: MESSAGE.explained, base, told: listOf(new Map([[7, 4096]])) });
    return said(all);
  };
  assertEquals(hear({ upTo: 4096, digest: 12_345 }), ["explain 1>0", "sync 1>0"]);
  assertEquals(hear({ upTo: 4096, digest: 12_345 }, base), ["explain 1>0", "pull 1>0", "pull 1>0"]);
});

Deno.test("Gossip asks at once for the base of what has waited for another explanation", () => {
  const all = join(PAIR, { eager: false });
  const head = { from: 100, clock: 1, cleared: 0 };
  const bases = [4096, 4097].map((upTo) => ({ upTo, digest: mixed(7, upTo) }));
  for (const base of bases) {
    const known = Object.assign(new Map(), { base });
    tell(all, 1, 0, { ...head, type: MESSAGE.known, turn: 0, known });
  }
  assertEquals(said(all), ["explain 1>0"]);
  const answers = bases.map((base) => {
    const told = listOf(new Map([[7, base.upTo]]));
    tell(all, 1, 0, { ...head, type: MESSAGE.explained, base, told });
    return said(all);
  });
  assertEquals(answers, [["pull 1>0", "explain 1>0"], []]);
});
