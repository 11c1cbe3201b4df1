/** What peers hear of writes that have left: older copies of them go, and nothing else does. */

import { assert, assertEquals } from "@std/assert";
import { MESSAGE, MORE } from "../../lib/replication/message.ts";
import { publicHash } from "../../lib/base/public_hash.ts";
import {
  get,
  HUB,
  join,
  type Joined,
  key,
  LINE,
  PAIR,
  pair,
  round,
  rounds,
  said,
  set,
  settle,
  step,
} from "../support/gossip_nodes.ts";

/** Keys of which a node is told when something is to make others leave it; no test looks at them. */
const FILLER = 1_000_000;
/** Two keys of one hash. */
const ALIKE = [86_869, 97_731];

/** Writes so many keys to the first node, which has room for no more, so that whatever it held leaves. */
function fill({ stores: [a] }: Joined, count: number): void {
  for (let i = 0; i < count; i++) set(a, FILLER + i);
}

function cut({ gossips }: Joined, one: number, other: number): void {
  gossips[one].disconnect(other);
  gossips[other].disconnect(one);
}

function link({ gossips }: Joined, one: number, other: number): void {
  gossips[one].connect(other);
  gossips[other].connect(one);
}

function digests({ stores }: Joined): number {
  return new Set(stores.map(({ history }) => history.digest)).size;
}

Deno.test("Gossip drops the older copy of what was written anew elsewhere and has left there", () => {
  const all = pair({ maxSize: [5, Infinity] });
  const [a, b] = all.stores;
  for (let i = 1; i <= 3; i++) set(a, i, "old");
  round(all);
  all.clock.nowMs++;
  set(a, 1, "new");
  set(a, 2, "new");
  set(a, 3, "new");
  fill(all, 4); // 1 and 2 leave
  round(all);
  assertEquals([1, 2, 3].map((i) => get(b, i)), [undefined, undefined, "new"]);
  assertEquals(all.gossips[1].verified, { verifications: 0, unconfirmed: 0, covered: 2 });
  assertEquals([a.history.floor, b.history.floor, digests(all)], [0, 0, 1]);
  said(all);
  rounds(all, 2);
  assertEquals(new Set(said(all)), new Set(["sync 0>1", "same 1>0", "sync 1>0", "same 0>1"]), "they are in step");
});

Deno.test("Gossip drops the older copy of what was deleted elsewhere where the tombstone has left, too", () => {
  const all = pair({ maxGraves: [1, Infinity] });
  const [a, b] = all.stores;
  for (let i = 1; i <= 20; i++) set(a, i);
  round(all);
  for (let i = 1; i <= 10; i++) a.delete(key(i));
  round(all);
  for (let i = 1; i <= 20; i++) assertEquals(get(b, i), i <= 10 ? undefined : `value ${i}`);
  assertEquals(all.gossips[1].verified, { verifications: 0, unconfirmed: 0, covered: 9 });
});

Deno.test("Gossip drops the older copy of what was written anew elsewhere and has expired there", () => {
  const all = pair();
  const [a, b] = all.stores;
  set(a, 1, "old");
  round(all);
  all.clock.nowMs++;
  set(a, 1, "new", 10);
  all.clock.nowMs += 10;
  assertEquals(get(a, 1), undefined); // it finds out that its time is over
  round(all);
  assertEquals([get(b, 1), a.stats().expirations], [undefined, 1]);
});

Deno.test("Gossip tells a third node of what has left the first, by the one between them", () => {
  const all = join(LINE, { eager: false, maxSize: [2, Infinity, Infinity] });
  const [a, b, c] = all.stores;
  set(a, 1, "old");
  rounds(all, 2);
  assertEquals([b, c].map((store) => get(store, 1)), ["old", "old"]);
  all.clock.nowMs++;
  set(a, 1, "new");
  fill(all, 2);
  cut(all, 1, 2);
  rounds(all, 2);
  assertEquals([b, c].map((store) => get(store, 1)), [undefined, "old"]);
  cut(all, 0, 1); // the first is gone
  link(all, 1, 2);
  rounds(all, 2);
  assertEquals([get(c, 1), c.history.digest], [undefined, b.history.digest]);
});

Deno.test("Gossip keeps what nobody has overwritten, however much has left since", () => {
  const all = pair({ maxSize: [100, Infinity] });
  const [a, b] = all.stores;
  for (let i = 0; i < 50; i++) set(b, i);
  round(all);
  cut(all, 0, 1);
  for (let i = 50; i < 60; i++) set(b, i, "while they were apart");
  all.clock.nowMs++;
  for (let i = 0; i < 10_100; i++) {
    // What is hit stays until the end, and is then the next to be evicted: else there would be no room for what is older.
    for (let hit = 0; i % 90 === 20 && hit < 10; hit++) assert(a.get(key(hit)) !== 0);
    set(a, FILLER + i);
  }
  link(all, 0, 1);
  const { applied } = all.gossips[0].stats;
  round(all);
  rounds(all);
  for (let i = 0; i < 60; i++) assertEquals(get(b, i), i < 50 ? `value ${i}` : "while they were apart");
  for (let i = 50; i < 60; i++) assertEquals(get(a, i), "while they were apart", "older than all that has left");
  assertEquals([all.gossips[0].stats.applied - applied, a.stats().evictions > 10_000, digests(all)], [10, true, 1]);
  for (const gossip of all.gossips) assertEquals(gossip.verified, { verifications: 0, unconfirmed: 0, covered: 0 });
});

Deno.test("Gossip of a node that was alone and has evicted tells those it meets, and takes what they have", () => {
  const all = join(HUB, { eager: false, maxSize: [100, Infinity, Infinity] });
  const [a, b, c] = all.stores;
  cut(all, 0, 2);
  for (let i = 0; i < 200; i++) set(b, i, "theirs");
  rounds(all, 2);
  all.clock.nowMs++;
  for (let i = 0; i < 20; i++) set(a, i, "its own");
  fill(all, 3000);
  link(all, 0, 2);
  rounds(all, 3);
  for (const store of [b, c]) {
    for (let i = 0; i < 200; i++) assertEquals(get(store, i), i < 20 ? undefined : "theirs");
    assertEquals(get(store, FILLER + 2999), `value ${FILLER + 2999}`);
  }
  assertEquals([a.stats().entries, digests(all)], [100, 1]);
});

/** A pair of which the second holds old copies of what the first has written anew, and what has left the first since. */
function overwritten(count: number, settings: { maxForgotten?: readonly number[] } = {}): Joined {
  const all = pair({ maxSize: [10, Infinity], ...settings });
  const [a, b] = all.stores;
  for (let i = 0; i < count; i++) set(b, i, "old");
  set(b, count, "nobody has overwritten this");
  rounds(all, 2);
  assertEquals(digests(all), 1);
  all.clock.nowMs++;
  for (let i = 0; i < count; i++) set(a, i, "new");
  fill(all, 10);
  said(all);
  return all;
}

/** Takes the message of one page of fingerprints to the second node, and cuts the link before the next. */
function breakOffBetweenFingerprints(all: Joined): void {
  all.gossips[1].ask(0);
  for (let messages = 0; messages < 1000; messages++) {
    const { to, message } = all.waiting[0];
    step(all);
    if (to === 1 && message.type === MESSAGE.page && message.more === MORE.departures) {
      all.waiting.length = 0;
      return cut(all, 0, 1);
    }
  }
  throw new Error("no page has more fingerprints after it");
}

Deno.test("Gossip gives more fingerprints than go into one page, a page at a time", () => {
  const all = overwritten(20_000);
  const [, b] = all.stores;
  round(all);
  const pages = all.sent.flatMap(({ message }) => message.type === MESSAGE.page ? [message] : []);
  const counts = pages.map(({ departures }) => departures.length).filter((count) => count > 0);
  assert(counts.length >= 3 && Math.max(...counts) < 8192, `${counts} fingerprints`);
  assertEquals(b.stats().entries, 11);
  assertEquals([get(b, 20_000), digests(all)], ["nobody has overwritten this", 1]);
  assertEquals(all.gossips[1].verified, { verifications: 0, unconfirmed: 0, covered: 20_000 });
});

Deno.test("Gossip claims nothing of a catch-up that broke off between fingerprints, and ends it with the same peer", () => {
  const all = overwritten(20_000);
  const [a, b] = all.stores;
  breakOffBetweenFingerprints(all);
  assertEquals([b.history.knownOf(100), b.stats().entries], [0, 20_011]);
  link(all, 0, 1);
  rounds(all, 2);
  assertEquals([b.stats().entries, get(b, 20_000)], [11, "nobody has overwritten this"]);
  assertEquals([b.history.knownOf(100), digests(all)], [a.history.knownOf(100), 1]);
  assertEquals(all.gossips[0].stats.sent - all.gossips[1].stats.applied, 0, "no write was given twice");
});

Deno.test("Gossip drops what fingerprints cover where the peer that gave them does not come back", () => {
  const all = overwritten(20_000);
  const [, b] = all.stores;
  breakOffBetweenFingerprints(all);
  const taken = b.history.fingerprints;
  for (let i = 0; i < 12; i++) all.gossips[1].round(() => 0);
  assertEquals([all.gossips[1].adoptions, get(b, 20_000)], [1, "nobody has overwritten this"]);
  const { covered } = all.gossips[1].verified;
  assert(covered > 5000 && covered <= taken, `${covered} of ${taken} were dropped`);
  assertEquals(b.stats().entries, 20_011 - covered);
});

Deno.test("Gossip verifies by name where a node has no room for all fingerprints that a peer gives", () => {
  for (const maxForgotten of [0, 100]) {
    const all = overwritten(3000, { maxForgotten: [1_000_000, maxForgotten] });
    const [, b] = all.stores;
    rounds(all, 2);
    assertEquals(b.stats().entries - 10, Number(get(b, 3000) !== undefined));
    const { verifications, unconfirmed, covered } = all.gossips[1].verified;
    assert(verifications > 0 && unconfirmed > 2000, `${unconfirmed} unconfirmed, ${covered} covered`);
    assertEquals([unconfirmed + covered + b.stats().entries, digests(all)], [3011, 1]);
  }
});

Deno.test("Gossip keeps what a fingerprint of another key covers where the peer holds it, too", () => {
  const [one, other] = ALIKE;
  assertEquals(publicHash(key(one)), publicHash(key(other)), "no such keys");
  const all = pair({ maxSize: [3, Infinity] });
  const [a, b] = all.stores;
  set(a, one);
  round(all);
  all.clock.nowMs++;
  set(a, other);
  a.get(key(one)); // so that it stays
  fill(all, 2);
  assertEquals([get(a, one), get(a, other)], [`value ${one}`, undefined]);
  said(all);
  round(all);
  assertEquals(said(all).filter((what) => what.startsWith("veri")), ["verify 1>0", "verified 0>1"]);
  assertEquals([get(b, one), all.gossips[1].verified.covered, digests(all)], [`value ${one}`, 0, 1]);
});

Deno.test("Gossip drops what a fingerprint of another key covers where the peer does not hold it: a miss, no more", () => {
  const [one, other] = ALIKE;
  const all = pair({ maxSize: [3, Infinity] });
  const [a, b] = all.stores;
  set(a, one);
  set(a, 7);
  round(all);
  all.clock.nowMs++;
  set(a, other);
  fill(all, 3);
  round(all);
  assertEquals([get(b, one), get(b, 7), all.gossips[1].verified.covered], [undefined, "value 7", 1]);
  set(b, one, "again");
  rounds(all, 2);
  assertEquals([a, b].map((store) => get(store, one)), ["again", "again"]);
});

Deno.test("Gossip refuses a push of a write older than what has left of its key, and its sender hears of that", () => {
  const all = join(PAIR, { maxSize: [2, Infinity] });
  const [a, b] = all.stores;
  set(b, 1, "old");
  all.gossips[1].flush();
  const late = all.waiting.splice(0);
  assertEquals(late.length, 1);
  all.clock.nowMs++;
  all.gossips[0].disconnect(1);
  set(a, 1, "new");
  fill(all, 2);
  all.gossips[0].connect(1);
  all.waiting.push(...late);
  while (all.waiting.length > 0 && all.waiting[0].message.type === MESSAGE.push) step(all);
  assertEquals(get(a, 1), undefined);
  rounds(all, 2);
  settle(all);
  assertEquals([get(a, 1), get(b, 1), digests(all)], [undefined, undefined, 1]);
});
