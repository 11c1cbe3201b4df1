/** A cold node beside peers of which none alone holds all: it takes what they hold, from each what the others lack. */

import { assert, assertEquals } from "@std/assert";
import { MESSAGE, type Write } from "../../lib/replication/message.ts";
import { placeOf, writesAt } from "../../lib/replication/pages.ts";
import type { Version } from "../../lib/store/version.ts";
import {
  get,
  join,
  type Joined,
  type JoinSettings,
  key,
  type Links,
  NO_PAGE,
  rounds,
  said,
  set,
  settle,
  step,
  tell,
} from "../support/gossip_nodes.ts";

const MESH: Links = [[0, 1], [0, 2], [1, 2]];
const [LARGE, SMALL, COLD] = [0, 1, 2];
const KEYS = 200;
/** Entries that the small node holds. */
const FEW = 20;
const ALL = Array.from({ length: KEYS }, (_, i) => i);

function cut({ gossips }: Joined, one: number, other: number): void {
  gossips[one].disconnect(other);
  gossips[other].disconnect(one);
}

function link({ gossips }: Joined, one: number, other: number): void {
  gossips[one].connect(other);
  gossips[other].connect(one);
}

/** Links two nodes, of which the first then knows who the other is. */
function meet(all: Joined, one: number, other: number): void {
  link(all, one, other);
  all.gossips[one].ask(other);
  settle(all);
  said(all);
}

/** A large and a small node that know the same writes, and a cold one that has no peers yet. */
function cluster(settings: JoinSettings = {}): Joined {
  const all = join(MESH, { eager: false, maxSize: [Infinity, FEW, Infinity], ...settings });
  cut(all, COLD, LARGE);
  cut(all, COLD, SMALL);
  for (const i of ALL) {
    set(all.stores[LARGE], i);
    all.clock.nowMs++;
  }
  rounds(all, 2);
  said(all);
  return all;
}

/** The keys that a node holds. */
function held(all: Joined, node: number): number[] {
  return ALL.filter((i) => get(all.stores[node], i) !== undefined);
}

/** How many messages of each kind that a join has were sent since the last time. */
function asked(all: Joined): Record<string, number> {
  const counts = { list: 0, listed: 0, want: 0 };
  for (const what of said(all)) {
    const [kind] = what.split(" ");
    if (kind in counts) counts[kind as keyof typeof counts]++;
  }
  return counts;
}

for (const [first, second] of [[LARGE, SMALL], [SMALL, LARGE]]) {
  const name = first === LARGE ? "large" : "small";
  Deno.test(`Gossip of a cold node takes all from a large and a small peer when the ${name} one is the first`, () => {
    const all = cluster();
    set(all.stores[SMALL], 0, "of the small one alone"); // the others have not heard of it
    link(all, COLD, first);
    rounds(all);
    assertEquals(held(all, COLD).length, first === LARGE ? KEYS : FEW);
    assertEquals(all.gossips[COLD].isJoining, true);
    link(all, COLD, second);
    rounds(all, 3);
    assertEquals(held(all, COLD), ALL);
    assertEquals(get(all.stores[COLD], 0), "of the small one alone");
    assertEquals(new Set(all.stores.map(({ history }) => history.digest)).size, 1);
  });
}

Deno.test("Gossip of a cold node takes from the large peer what the small one's fingerprints say has left there", () => {
  for (const maxWrites of [256, 7]) {
    const all = cluster({ maxWrites });
    const { store, gossip } = { store: all.stores[COLD], gossip: all.gossips[COLD] };
    link(all, COLD, SMALL);
    rounds(all);
    assertEquals([held(all, COLD).length, store.stats().fingerprints], [FEW, KEYS - FEW]);
    meet(all, COLD, LARGE);
    gossip.round(() => 0);
    assertEquals(gossip.catchingUpWith, LARGE, "one that is asked is being caught up with");
    settle(all);
    const { list, listed, want } = asked(all);
    assertEquals([list, listed, want], [1, 1, Math.ceil((KEYS - FEW) / maxWrites)]);
    assertEquals([held(all, COLD), gossip.catchingUpWith], [ALL, undefined]);
    assertEquals(gossip.peer(LARGE)!.applied, KEYS - FEW);
    assertEquals(store.versionOf(key(3)), all.stores[LARGE].versionOf(key(3)));
    rounds(all, 3);
    assertEquals(asked(all), { list: 0, listed: 0, want: 0 });
    assertEquals([held(all, COLD), held(all, SMALL).length], [ALL, FEW]);
  }
});

Deno.test("Gossip of a cold node asks for lists of 4096 places until there are no more", () => {
  const all = join(MESH, { eager: false, maxSize: [Infinity, FEW, Infinity] });
  cut(all, COLD, LARGE);
  for (let i = 0; i < 9000; i++) set(all.stores[LARGE], i);
  rounds(all, 2);
  said(all);
  meet(all, COLD, LARGE);
  rounds(all);
  assertEquals([asked(all), all.stores[COLD].stats().entries], [
    { list: 3, listed: 3, want: 4096 / 256 * 2 + Math.ceil((9000 - 2 * 4096) / 256) },
    9000,
  ]);
});

Deno.test("Gossip of a cold node stops to ask once it has evicted, and holds the newest", () => {
  const room = 50;
  const all = cluster({ maxSize: [Infinity, FEW, room], maxWrites: 20 });
  link(all, COLD, SMALL);
  rounds(all);
  said(all);
  link(all, COLD, LARGE);
  rounds(all, 3);
  assertEquals(asked(all), { list: 1, listed: 1, want: 2 });
  assertEquals([held(all, COLD), all.gossips[COLD].isJoining], [ALL.slice(-room), false]);
});

for (
  const [memory, settings] of Object.entries({ graves: {}, fingerprints: { maxGraves: 0 }, none: { maxForgotten: 0 } })
) {
  Deno.test(`Gossip of a cold node does not bring back what is deleted or newer, by ${memory} of what has left`, () => {
    const all = cluster({ maxGraves: memory === "graves" ? undefined : 0, ...settings });
    const [large, small, cold] = all.stores;
    cut(all, LARGE, SMALL);
    large.delete(key(100));
    cut(all, LARGE, COLD);
    all.clock.nowMs++;
    small.delete(key(1));
    set(small, 2, "newer");
    small.delete(key(190));
    set(small, 191, "newer");
    link(all, COLD, SMALL);
    rounds(all);
    link(all, COLD, LARGE);
    for (let round = 0; round < 5; round++) {
      for (const gossip of all.gossips) gossip.round(() => 0);
      for (let messages = 0; all.waiting.length > 0; messages++) {
        assert(messages < 1000, "they do not come to rest");
        step(all);
        assertEquals([1, 190].map((i) => get(cold, i)), [undefined, undefined]);
        assertEquals([2, 191].map((i) => get(cold, i)), ["newer", "newer"]);
      }
    }
    assertEquals([get(cold, 100), get(large, 1), get(large, 190), get(large, 2)], [
      undefined,
      undefined,
      undefined,
      "newer",
    ]);
    if (memory !== "none") assertEquals(held(all, COLD), ALL.filter((i) => ![1, 100, 190].includes(i)));
  });
}

Deno.test("Gossip of a cold node takes nothing from before a clear that its other peer has not heard of", () => {
  const all = cluster();
  cut(all, LARGE, SMALL);
  all.stores[SMALL].clear();
  set(all.stores[SMALL], 7, "after the clear");
  link(all, COLD, SMALL);
  rounds(all);
  link(all, COLD, LARGE);
  rounds(all, 3);
  assertEquals([held(all, COLD), held(all, LARGE)], [[7], [7]]);
});

Deno.test("Gossip of equal nodes sends a list each, and nothing else, and asks no more when its rounds are over", () => {
  const all = cluster({ maxSize: Infinity });
  link(all, COLD, LARGE);
  rounds(all);
  said(all);
  link(all, COLD, SMALL);
  rounds(all, 3);
  // Both have caught up with the large one, and ask each other.
  assertEquals(asked(all), { list: 2, listed: 2, want: 0 });
  assertEquals(all.gossips.map(({ isJoining }) => isJoining), [true, true, true]);
  rounds(all, 60);
  assertEquals([asked(all), all.gossips.map(({ isJoining }) => isJoining)], [
    { list: 0, listed: 0, want: 0 },
    [false, false, false],
  ]);
});

Deno.test("Gossip asks a peer again, from the beginning, that vanished while it was asked", () => {
  for (const kind of [MESSAGE.list, MESSAGE.listed, MESSAGE.want, MESSAGE.page]) {
    const all = cluster({ maxWrites: 50 });
    link(all, COLD, SMALL);
    rounds(all);
    meet(all, COLD, LARGE);
    all.gossips[COLD].round(() => 0);
    while (all.waiting[0].message.type !== kind) step(all);
    const lost = all.waiting.splice(0);
    cut(all, COLD, LARGE);
    assertEquals(all.gossips[COLD].catchingUpWith, undefined);
    rounds(all);
    assert(held(all, COLD).length < KEYS, "it has not got all");
    link(all, COLD, LARGE);
    rounds(all, 2);
    assertEquals(held(all, COLD), ALL);
    for (const { from, to, bytes } of lost) all.gossips[to].receive(from, bytes);
    settle(all);
    assertEquals([held(all, COLD), all.gossips[COLD].catchingUpWith], [ALL, undefined]);
  }
});

Deno.test("Gossip asks a peer again that does not answer, and takes no late answer for another", () => {
  const all = cluster();
  link(all, COLD, SMALL);
  rounds(all);
  meet(all, COLD, LARGE);
  all.gossips[COLD].round(() => 0);
  const held0 = held(all, COLD);
  const late = all.waiting.filter(({ message }) => message.type === MESSAGE.list);
  assertEquals(late.length, 1);
  const rest = () => void all.waiting.splice(0, all.waiting.length);
  rest();
  said(all);
  for (let round = 1; round <= 15; round++) {
    all.gossips[COLD].round(() => 0);
    rest();
    assertEquals(asked(all).list, 0, `round ${round}`);
  }
  all.gossips[COLD].round(() => 0);
  const again = all.waiting.splice(0, all.waiting.length);
  assertEquals([asked(all).list, all.gossips[COLD].catchingUpWith], [1, LARGE]);
  all.gossips[LARGE].receive(COLD, late[0].bytes); // only now
  assertEquals(all.waiting.map(({ message }) => message.type), [MESSAGE.listed]);
  settle(all);
  assertEquals([held(all, COLD), asked(all).want], [held0, 0]);
  all.waiting.push(...again);
  settle(all);
  assertEquals(held(all, COLD), ALL);
});

Deno.test("Gossip takes no answer that a join of a former start asked for", () => {
  const all = cluster({ maxWrites: 50 });
  link(all, COLD, SMALL);
  rounds(all);
  meet(all, COLD, LARGE);
  all.gossips[COLD].round(() => 0);
  for (const kind of [MESSAGE.listed, MESSAGE.page]) {
    while (all.waiting[0].message.type !== kind) step(all);
    const { message } = all.waiting[0];
    assert("to" in message && message.to === 102);
    // What a node hears that has not asked: another number in it is all that tells.
    const { entries } = all.stores[SMALL].stats();
    all.gossips[SMALL].receive(LARGE, all.waiting[0].bytes);
    assertEquals(all.stores[SMALL].stats().entries, entries);
    assertEquals(all.gossips[SMALL].catchingUpWith, undefined);
  }
});

Deno.test("Gossip of a cold node asks nobody before a peer has given all: a catch-up that breaks off is not enough", () => {
  const all = cluster({ maxWrites: 10 });
  said(all);
  const { gossips } = all;
  link(all, COLD, LARGE);
  gossips[COLD].ask(LARGE);
  while (all.stores[COLD].stats().entries === 0) step(all);
  all.waiting.length = 0;
  cut(all, COLD, LARGE);
  link(all, COLD, SMALL);
  all.waiting.length = 0;
  gossips[COLD].round(() => 0);
  assertEquals(asked(all).list, 0);
});

Deno.test("Gossip of a cold node ends the list of a peer that lists the same again and again, and gives nothing", () => {
  const all = cluster();
  link(all, COLD, SMALL);
  rounds(all);
  meet(all, COLD, LARGE);
  all.gossips[COLD].round(() => 0);
  const head = { from: 100, clock: 0, cleared: 0 };
  const places = [{ h: 5, id: 100 }];
  let questions = 0;
  const answer = () => {
    const found = all.waiting.splice(0).find(({ message: { type } }) => type === MESSAGE.list || type === MESSAGE.want);
    if (found === undefined) return false;
    const { message } = found;
    assert(message.type === MESSAGE.list || message.type === MESSAGE.want);
    const { type, question } = message;
    if (type === MESSAGE.list) {
      tell(all, COLD, LARGE, { ...head, type: MESSAGE.listed, to: 102, question, more: true, places });
    } else tell(all, COLD, LARGE, { ...head, type: MESSAGE.page, to: 102, question, ...NO_PAGE });
    return true;
  };
  while (answer()) assert(questions++ < 10, "a list without end");
  assertEquals([questions, all.gossips[COLD].catchingUpWith], [4, undefined]);
});

Deno.test("Gossip takes no list and no page of a peer that it has not asked", () => {
  const all = cluster();
  link(all, COLD, SMALL);
  rounds(all);
  meet(all, COLD, LARGE);
  const before = held(all, COLD);
  const head = { from: 100, clock: 0, cleared: 0 };
  const { version, writes } = pageOf(all);
  for (const question of [1, 2, 3, 5]) {
    tell(all, COLD, LARGE, {
      ...head,
      type: MESSAGE.listed,
      to: 102,
      question,
      more: false,
      places: [placeOf(version)],
    });
    tell(all, COLD, LARGE, { ...head, type: MESSAGE.page, to: 102, question, ...NO_PAGE, writes });
  }
  assertEquals([held(all, COLD), said(all), all.gossips[COLD].catchingUpWith], [before, [], undefined]);
});

/** An entry that only the large node holds. */
function pageOf({ stores: [store] }: Joined): { version: Version; writes: Write[] } {
  const [entry] = writesAt(store, [store.peek(key(3))]);
  return { version: entry.version, writes: [entry] };
}
