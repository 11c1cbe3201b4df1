/** Several pages under way: how many, what is asked again, and what comes first. Time is a test's own, and so is the line. */

import { assert, assertEquals } from "@std/assert";
import { MESSAGE, type Message, MORE } from "../../lib/replication/message.ts";
import { MOST_PAGES, PageWindow } from "../../lib/replication/page_window.ts";
import {
  get,
  hit,
  join,
  type Joined,
  key,
  LINE,
  PAIR,
  rounds,
  said,
  set,
  settle,
  START,
  step,
  STRANGER,
  tell,
} from "../support/gossip_nodes.ts";

Deno.test("PageWindow doubles with each round trip while pages come early, up to its most", () => {
  const window = new PageWindow(1);
  window.begin(2, 0, false);
  assertEquals([window.next, window.last, window.said], [2, 2, { question: 2, pages: 1 }]);
  const sizes: number[] = [];
  for (let nowMs = 100; nowMs <= 900; nowMs += 100) {
    const due = (window.last - window.next) / 2 + 1;
    sizes.push(due);
    for (let i = 0; i < due; i++) window.took(nowMs, 100);
    assert(window.allow(nowMs));
    assertEquals(window.allow(nowMs), false);
  }
  assertEquals(sizes, [1, 2, 4, 8, 16, 32, 64, 64, 64]);
  assertEquals(sizes.at(-1), MOST_PAGES);
});

Deno.test("PageWindow is halved once when pages come late, not below its least, and stays when they are neither", () => {
  const window = new PageWindow(4);
  const size = () => (window.last - window.next) / 2 + 1;
  let nowMs = 0;
  const trip = (ms: number) => {
    nowMs += ms;
    for (let left = size(); left > 0; left--) window.took(nowMs, 100);
    window.allow(nowMs);
  };
  window.begin(2, nowMs, false);
  for (let i = 0; i < 3; i++) trip(100);
  assertEquals(size(), 32);
  trip(250);
  assertEquals(size(), 32);
  trip(1000);
  assertEquals(size(), 16);
  for (let i = 0; i < 5; i++) trip(1000);
  assertEquals(size(), 4);
  window.begin(400, nowMs, true);
  assertEquals(size(), 1);
  trip(100);
  assertEquals(size(), 5);
});

Deno.test("PageWindow.passOver() takes note of a page that others should have come before, and of no other", () => {
  const window = new PageWindow(4);
  window.begin(2, 0, false);
  assertEquals([0, 2, 10, 12].map((question) => window.passOver(question)), [false, false, false, false]);
  assertEquals([window.hasPassedOver, window.passOver(8), window.hasPassedOver], [false, true, true]);
  window.begin(20, 0, false);
  assertEquals([window.hasPassedOver, window.last], [false, 26]);
});

/** Nodes that may ask for several pages. */
function windowed(links: typeof PAIR, settings: Parameters<typeof join>[1] = {}): Joined {
  return join(links, { eager: false, maxWrites: 10, features: ["page-window"], ...settings });
}

Deno.test("Gossip brings 2000 writes in as many round trips as doubling takes, each once", () => {
  const all = windowed(PAIR);
  for (let i = 0; i < 2000; i++) set(all.stores[0], i);
  all.gossips[1].measure();
  all.gossips[1].ask(0);
  let trips = 0;
  for (; all.stores[1].stats().entries < 2000; trips++) {
    assert(trips < 20, "more ways than doubling takes");
    all.clock.nowMs += 100;
    for (let left = all.waiting.length; left > 0; left--) step(all);
  }
  assert(trips >= 8, `${trips} ways`); // there and back
  settle(all);
  assertEquals([all.gossips[0].stats.sent, all.gossips[1].stats.applied], [2000, 2000]);
  assertEquals(all.stores[1].history.orphaned, []);
});

Deno.test("Gossip asks again for a page that was lost, and for those after it, once a round has passed", () => {
  const all = windowed(PAIR);
  for (let i = 0; i < 500; i++) set(all.stores[0], i);
  all.gossips[1].ask(0);
  while (all.gossips[1].stats.applied < 100) step(all);
  const lost = all.waiting.findIndex(({ message }) => message.type === MESSAGE.page);
  all.waiting.splice(lost, 1);
  settle(all);
  const { applied } = all.gossips[1].stats;
  assert(applied < 500 && all.gossips[1].catchingUpWith === 0);
  rounds(all, 3);
  assertEquals([all.gossips[1].stats.applied, all.gossips[1].catchingUpWith], [500, undefined]);
  assert(all.gossips[0].stats.sent < 800, `${all.gossips[0].stats.sent} sent`);
});

Deno.test("Gossip goes on after pages that come in another order, and takes none twice", () => {
  const all = windowed(PAIR, { maxWrites: 5 });
  for (let i = 0; i < 300; i++) set(all.stores[0], i);
  all.stores[0].delete(key(7));
  all.gossips[1].ask(0);
  for (let steps = 0; all.waiting.length > 0 || all.gossips[1].catchingUpWith !== undefined; steps++) {
    assert(steps < 10_000);
    if (all.waiting.length === 0) rounds(all);
    if (steps % 3 === 0) all.waiting.push(...all.waiting.splice(0, 1)); // overtaken by all others
    if (all.waiting.length > 0) step(all);
  }
  rounds(all);
  assertEquals([all.stores[1].stats().entries, get(all.stores[1], 299)], [299, "value 299"]);
  assertEquals(all.stores[1].history.digest, all.stores[0].history.digest);
});

Deno.test("Gossip answers a pull that comes twice once, and none that a later one has overtaken", () => {
  const all = windowed(PAIR);
  for (let i = 0; i < 100; i++) set(all.stores[0], i);
  all.gossips[0].connect(STRANGER, ["page-window"]);
  const pull = (question: number, from = 7): Message => {
    return { from, clock: 0, cleared: 0, type: MESSAGE.pull, question, known: new Map(), after: START };
  };
  for (const question of [4, 4, 2]) tell(all, 0, STRANGER, pull(question));
  assertEquals(said(all), ["page 0>50"]);
  const window = { type: MESSAGE.window, recent: 0, from: 7, clock: 0, cleared: 0 } as const;
  for (const pages of [3, 2]) tell(all, 0, STRANGER, { ...window, question: 4, pages });
  tell(all, 0, STRANGER, { ...window, question: 2, pages: 64 });
  tell(all, 0, STRANGER, pull(4));
  const pages = all.sent.flatMap(({ message }) => message.type === MESSAGE.page ? [message] : []);
  assertEquals(pages.map(({ question }) => question), [6, 8]);
  assertEquals(pages[1].writes[0].version.h > pages[0].writes.at(-1)!.version.h, true);
  said(all);
  tell(all, 0, STRANGER, pull(2, 8)); // another start of it begins anew
  assertEquals(said(all), ["page 0>50"]);
});

Deno.test("Gossip gives a node that knows nothing first what was used last, and all the rest once", () => {
  const all = windowed(LINE);
  const [a, b] = all.stores;
  for (let i = 0; i < 1000; i++) set(a, i);
  a.delete(key(999));
  const used = Array.from({ length: 20 }, (_, i) => 50 * i);
  for (const i of used) assert(hit(a, i));
  all.gossips[1].ask(0);
  while (b.stats().entries < 20) step(all);
  assertEquals(used.map((i) => get(b, i)), used.map((i) => `value ${i}`));
  set(a, 50, "new"); // what has been given already is replaced
  settle(all);
  rounds(all, 2);
  assertEquals([b.stats().entries, get(b, 50), get(b, 999)], [999, "new", undefined]);
  assertEquals(b.history.digest, a.history.digest);
  assertEquals(all.gossips[0].stats.sent, 1001); // the tombstone among them
  set(a, 2000);
  said(all);
  rounds(all);
  const pages = all.sent.flatMap(({ message }) => message.type === MESSAGE.page ? [message.more] : []);
  assertEquals(pages.includes(MORE.recent), false); // one that knows something is given what it lacks alone
});
