/** When a node has caught up with a peer, and when a peer has confirmed what was written here. */

import { assertEquals } from "@std/assert";
import { MESSAGE } from "../../lib/replication/message.ts";
import { get, join, type Joined, type Links, rounds, set, settle, step } from "../support/gossip_nodes.ts";

const MESH: Links = [[0, 1], [0, 2], [1, 2]];
const [LARGE, SMALL, COLD] = [0, 1, 2];
const KEYS = 2000;
const FEW = 20;

/** A large and a small node that know the same writes, and a cold one that hears of them now. */
function cluster(): Joined {
  const all = join(MESH, { eager: false, maxSize: [Infinity, FEW, Infinity] });
  for (const peer of [LARGE, SMALL]) {
    all.gossips[COLD].disconnect(peer);
    all.gossips[peer].disconnect(COLD);
  }
  for (let i = 0; i < KEYS; i++) set(all.stores[LARGE], i);
  rounds(all, 2);
  for (const peer of [LARGE, SMALL]) {
    all.gossips[COLD].connect(peer);
    all.gossips[peer].connect(COLD);
  }
  return all;
}

function caughtUp({ gossips }: Joined): boolean[] {
  return [LARGE, SMALL].map((peer) => gossips[COLD].isCaughtUp(peer));
}

for (const first of [LARGE, SMALL]) {
  const name = first === LARGE ? "large" : "small";
  Deno.test(`Gossip.isCaughtUp() of a cold node is true when it holds what the peer holds, the ${name} one first`, () => {
    const all = cluster();
    const [gossip, store] = [all.gossips[COLD], all.stores[COLD]];
    gossip.ask(first);
    while (!all.waiting.some(({ message }) => message.type === MESSAGE.page)) step(all);
    assertEquals(caughtUp(all), [false, false]);
    settle(all);
    const other = first === LARGE ? SMALL : LARGE;
    assertEquals([gossip.isCaughtUp(first), gossip.isCaughtUp(other)], [true, false]);
    gossip.ask(other);
    settle(all);
    assertEquals(gossip.isCaughtUp(other), false, "it knows all, but has not asked what the other holds");
    rounds(all, 2);
    assertEquals([caughtUp(all), store.stats().entries], [[true, true], KEYS]);
    gossip.disconnect(LARGE);
    assertEquals(caughtUp(all), [false, true]);
  });
}

Deno.test("Gossip.isCaughtUp() is about what the peer knew when it was first heard: what it learns later changes nothing", () => {
  const all = join([[0, 1]], { eager: false });
  set(all.stores[0], 1);
  assertEquals(all.gossips[1].isCaughtUp(0), false);
  all.gossips[1].ask(0);
  settle(all);
  assertEquals([all.gossips[1].isCaughtUp(0), get(all.stores[1], 1)], [true, "value 1"]);
  set(all.stores[0], 2);
  all.gossips[1].ask(0);
  step(all);
  step(all);
  assertEquals([all.gossips[1].isCaughtUp(0), get(all.stores[1], 2)], [true, undefined]);
});

Deno.test("Gossip.isCaughtUp() is true of a peer that knows the same, with nothing to ask for", () => {
  const all = join([[0, 1]]);
  assertEquals(all.gossips.map((gossip, i) => gossip.isCaughtUp(1 - i)), [false, false]);
  rounds(all);
  assertEquals(all.gossips.map((gossip, i) => gossip.isCaughtUp(1 - i)), [true, true]);
});

Deno.test("Gossip.hasConfirmed() is true when the peer has said that it knows what was written here", () => {
  const all = join([[0, 1]], { eager: false });
  const [gossip] = all.gossips;
  assertEquals(gossip.hasConfirmed(1), true, "nothing was written");
  set(all.stores[0], 1);
  assertEquals(gossip.hasConfirmed(1), false);
  gossip.ask(1);
  settle(all);
  gossip.ask(1);
  settle(all);
  assertEquals(gossip.hasConfirmed(1), true);
  set(all.stores[1], 2);
  assertEquals(
    [gossip.hasConfirmed(1), all.gossips[1].hasConfirmed(0)],
    [true, false],
    "the other's are another matter",
  );
});

Deno.test("Gossip.hasConfirmed() of a version is true when the peer knows others' writes up to it, too", () => {
  const all = join([[0, 1], [1, 2]], { eager: false });
  const [, middle] = all.gossips;
  rounds(all);
  set(all.stores[0], 1);
  const upTo = all.stores[0].clock;
  middle.ask(0);
  settle(all);
  assertEquals([middle.hasConfirmed(2), middle.hasConfirmed(2, upTo), middle.hasConfirmed(0, upTo)], [
    true,
    false,
    true,
  ]);
  rounds(all);
  middle.ask(2);
  settle(all);
  assertEquals([get(all.stores[2], 1), middle.hasConfirmed(2, upTo)], ["value 1", true]);
  set(all.stores[0], 2);
  middle.ask(0);
  settle(all);
  assertEquals(
    [middle.hasConfirmed(2, upTo), middle.hasConfirmed(2, all.stores[0].clock)],
    [true, false],
    "later ones are another matter",
  );
});
