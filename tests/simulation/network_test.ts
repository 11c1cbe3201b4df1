/** The simulated network: what it loses, repeats, delays, blocks and drops, by numbers that a test chooses. */

import { assert, assertEquals } from "@std/assert";
import { seeded } from "../../bench/compare.ts";
import { LINK_PACKETS, type Packet, SimulatedNetwork } from "../../lib/simulation/network.ts";

const NODES = 3;
const NOW_MS = 5000;
/** Of what no chance befalls: not lost, not repeated, not long delayed, and least delayed. */
const CALM = [0.99, 0.99, 0.99, 0];

/** A network whose chances are given one by one. */
function scripted(...chances: number[]): SimulatedNetwork<string> {
  return new SimulatedNetwork<string>(NODES, () => {
    const next = chances.shift();
    assert(next !== undefined, "a chance more than was foreseen");
    return next;
  });
}

/** A network that neither loses nor repeats, where a message takes one millisecond. */
function whole(nodes = NODES): SimulatedNetwork<string> {
  const network = new SimulatedNetwork<string>(nodes, () => 0);
  network.isFaulty = false;
  return network;
}

/** All that arrives until a time. */
function arrive<T>(network: SimulatedNetwork<T>, endMs = Infinity): Packet<T>[] {
  const packets: Packet<T>[] = [];
  for (let packet = network.next(endMs); packet !== undefined; packet = network.next(endMs)) packets.push(packet);
  return packets;
}

function contents(network: SimulatedNetwork<string>, endMs?: number): string[] {
  return arrive(network, endMs).map(({ content }) => content);
}

/** Sends one message from each node to each, and tells which arrive: "01" is from 0 to 1. */
function through(network: SimulatedNetwork<string>): string[] {
  for (let from = 0; from < NODES; from++) {
    for (let to = 0; to < NODES; to++) if (to !== from) network.send(NOW_MS, from, to, `${from}${to}`);
  }
  return contents(network).sort();
}

const ALL = ["01", "02", "10", "12", "20", "21"];

Deno.test("SimulatedNetwork.send() brings a message to the other end of the link, which has the sender's number there", () => {
  const network = scripted(...CALM, ...CALM, ...CALM);
  network.send(NOW_MS, 0, 2, "by the first link");
  network.send(NOW_MS, 1, 2 + NODES, "by the second");
  network.send(NOW_MS, 2, NODES, "by the second, to node 0");
  const [one, other, third] = arrive(network);
  assertEquals([third.from, third.to, third.link], [2, 0, 2 + NODES]);
  assertEquals([one.from, one.to, one.link, one.content], [0, 2, 0, "by the first link"]);
  assertEquals([other.from, other.to, other.link, other.content], [1, 2, 1 + NODES, "by the second"]);
  assert(one.way !== other.way);
});

Deno.test("SimulatedNetwork.send() loses one message of ten", () => {
  const network = scripted(0.0999, 0.1, ...CALM.slice(1));
  network.send(NOW_MS, 0, 1, "lost");
  network.send(NOW_MS, 0, 1, "not lost");
  assertEquals(contents(network), ["not lost"]);
});

Deno.test("SimulatedNetwork.send() repeats one message of twenty, each with a delay of its own", () => {
  const network = scripted(0.99, 0.0499, 0.99, 0, 0.99, 0.5, 0.99, 0.05, 0.99, 0);
  network.send(NOW_MS, 0, 1, "twice");
  network.send(NOW_MS, 0, 2, "once");
  const packets = arrive(network).map(({ atMs, content }) => [atMs - NOW_MS, content]);
  assertEquals(packets, [[1, "twice"], [1, "once"], [11, "twice"]]);
});

Deno.test("SimulatedNetwork.send() delays by 1 to 20 ms, to who reads slowly by 1,500, and seldom by 3,000", () => {
  const most = 1 - 2 ** -53;
  const cases: [chances: number[], isSlow: boolean, delayMs: number][] = [
    [[0.99, 0.99, 0.99, 0], false, 1],
    [[0.99, 0.99, 0.99, most], false, 20],
    [[0.99, 0.99, 0.05, most], false, 20],
    [[0.99, 0.99, 0.0499, 0], false, 1],
    [[0.99, 0.99, 0.0499, most], false, 3000],
    [[0.99, 0.99, 0.99, 0], true, 1],
    [[0.99, 0.99, 0.99, most], true, 1500],
    [[0.99, 0.99, 0.0499, most], true, 3000],
  ];
  for (const [chances, isSlow, delayMs] of cases) {
    const network = scripted(...chances);
    if (isSlow) network.slow.add(1);
    network.send(NOW_MS, 0, 1, "");
    assertEquals(network.next(NOW_MS + delayMs - 1), undefined);
    assertEquals(network.next(NOW_MS + delayMs)?.atMs, NOW_MS + delayMs);
  }
});

Deno.test("SimulatedNetwork.send() keeps to the odds over many messages, and to the bounds of delay", () => {
  const network = new SimulatedNetwork<number>(2, seeded(20261128));
  const arrivals = new Map<number, number>();
  let long = 0;
  const sends = 20_000;
  for (let i = 0; i < sends; i++) {
    const atMs = i * 10_000;
    network.send(atMs, 0, 1, i);
    for (const packet of arrive(network)) {
      const delayMs = packet.atMs - atMs;
      assert(delayMs >= 1 && delayMs <= 3000, `${delayMs} ms`);
      if (delayMs > 20) long++;
      arrivals.set(packet.content, 1 + (arrivals.get(packet.content) ?? 0));
    }
  }
  const lost = (sends - arrivals.size) / sends;
  const repeated = [...arrivals.values()].filter((times) => times === 2).length / arrivals.size;
  assert([...arrivals.values()].every((times) => times <= 2));
  assert(lost > 0.09 && lost < 0.11, `${lost} lost`);
  assert(repeated > 0.04 && repeated < 0.06, `${repeated} repeated`);
  assert(long / sends > 0.03 && long / sends < 0.06, `${long / sends} long delayed`);
});

Deno.test("SimulatedNetwork neither loses nor repeats when it is not faulty, and delays only who reads slowly", () => {
  const network = new SimulatedNetwork<number>(2, seeded(1));
  network.isFaulty = false;
  for (const [isSlow, mostMs] of [[false, 20], [true, 1500]] as const) {
    if (isSlow) network.slow.add(1);
    let latest = 0;
    for (let i = 0; i < 1000; i++) {
      network.send(NOW_MS, 0, 1, i);
      const packets = arrive(network);
      assertEquals(packets.map(({ content }) => content), [i]);
      latest = Math.max(latest, packets[0].atMs - NOW_MS);
    }
    assert(latest <= mostMs && latest > 0.9 * mostMs, `${latest} ms`);
  }
});

Deno.test("SimulatedNetwork.next() gives what arrives first, and of those at the same time what was sent first", () => {
  const random = seeded(20261129);
  const network = new SimulatedNetwork<number>(20, random);
  network.isFaulty = false;
  for (let i = 0; i < 380; i++) network.send(NOW_MS, i % 19, 19, i);
  assertEquals(network.overflows, 380 - 19 * LINK_PACKETS);
  const packets = arrive(network);
  assertEquals(packets.length, 19 * LINK_PACKETS);
  for (let i = 1; i < packets.length; i++) {
    const [before, after] = [packets[i - 1], packets[i]];
    assert(before.atMs < after.atMs || (before.atMs === after.atMs && before.content < after.content));
  }
});

Deno.test("SimulatedNetwork.split() blocks both ways between sides, and heal() lets everything through again", () => {
  const network = whole();
  network.split([0, 1, 0], false);
  assertEquals(through(network), ["02", "20"]);
  network.heal();
  assertEquals(through(network), ALL);
});

Deno.test("SimulatedNetwork.split() blocks one way alone when it is one way", () => {
  const network = whole();
  network.split([0, 1, 0], true);
  assertEquals(through(network), ["02", "10", "12", "20"]);
});

Deno.test("SimulatedNetwork.split() takes the place of the split before", () => {
  const network = whole();
  network.split([0, 1, 1], false);
  network.split([1, 1, 0], false);
  assertEquals(through(network), ["01", "10"]);
  network.split([0, 0, 0], false);
  assertEquals(through(network), ALL);
});

Deno.test("SimulatedNetwork blocks by when a message arrives, not by when it was sent", () => {
  const network = whole();
  network.send(NOW_MS, 0, 1, "sent before the split");
  network.split([0, 1, 1], false);
  assertEquals(contents(network), []);
  network.send(NOW_MS, 0, 1, "arrives after the split");
  network.heal();
  assertEquals(contents(network), ["arrives after the split"]);
});

Deno.test("SimulatedNetwork blocks both links between two nodes", () => {
  const network = whole();
  network.split([0, 1, 1], false);
  network.send(NOW_MS, 0, 1, "");
  network.send(NOW_MS, 0, 1 + NODES, "");
  assertEquals(contents(network), []);
});

Deno.test("SimulatedNetwork.send() drops what is too much for a link in one direction, and counts it", () => {
  const network = whole();
  for (let i = 0; i < LINK_PACKETS + 5; i++) network.send(NOW_MS, 0, 1, `${i}`);
  assertEquals(network.overflows, 5);
  network.send(NOW_MS, 1, 0, "the way back");
  network.send(NOW_MS, 0, 1 + NODES, "the second link");
  network.send(NOW_MS, 0, 2, "another node");
  assertEquals(network.overflows, 5);
  const first = Array.from({ length: LINK_PACKETS }, (_, i) => `${i}`);
  assertEquals(contents(network), [...first, "the way back", "the second link", "another node"]);
  network.send(NOW_MS, 0, 1, "there is room again");
  assertEquals(contents(network), ["there is room again"]);
});

Deno.test("SimulatedNetwork has room again for what was blocked on its way", () => {
  const network = whole();
  network.split([0, 1, 1], false);
  for (let i = 0; i < LINK_PACKETS; i++) network.send(NOW_MS, 0, 1, `${i}`);
  const blocked: string[] = [];
  assertEquals(network.next(Infinity, ({ content }) => blocked.push(content)), undefined);
  assertEquals(blocked.length, LINK_PACKETS);
  network.heal();
  network.send(NOW_MS, 0, 1, "later");
  assertEquals([contents(network), network.overflows], [["later"], 0]);
});

Deno.test("SimulatedNetwork.send() keeps to odds that are given", () => {
  const chances = [0.4999, 0.5, 0.2, 0.7, 0, 0.5, 0.1999, 0.7, 0, 0.6999, 0];
  const odds = { loss: 0.5, repetition: 0.2, longDelay: 0.7 };
  const network = new SimulatedNetwork<string>(NODES, () => chances.shift() ?? 1, odds);
  network.send(NOW_MS, 0, 1, "lost");
  network.send(NOW_MS, 0, 1, "once");
  network.send(NOW_MS, 0, 1, "twice");
  assertEquals(contents(network), ["once", "twice", "twice"]);
  assertEquals(chances, []);
});

Deno.test("SimulatedNetwork lets messages wait for a node that is paused, as far as its links have room", () => {
  const network = whole();
  network.paused.add(1);
  for (let i = 0; i < LINK_PACKETS + 1; i++) network.send(NOW_MS, 0, 1, `${i}`);
  network.send(NOW_MS, 0, 2, "to another");
  assertEquals(contents(network), ["to another"]);
  assertEquals(network.overflows, 1);
  network.resume(NOW_MS + 100, 1);
  const packets = arrive(network);
  assertEquals(packets.map(({ content }) => content), Array.from({ length: LINK_PACKETS }, (_, i) => `${i}`));
  assertEquals(new Set(packets.map(({ atMs }) => atMs)), new Set([NOW_MS + 101]));
  network.send(NOW_MS, 0, 1, "goes on");
  assertEquals(contents(network), ["goes on"]);
});

Deno.test("SimulatedNetwork.repeat() brings the last messages to a node again, once", () => {
  const network = whole();
  for (let i = 0; i < 40; i++) {
    network.send(NOW_MS, 0, 1, `${i}`);
    network.send(NOW_MS, 0, 2, "to another");
    contents(network);
  }
  network.repeat(NOW_MS, 1);
  assertEquals(contents(network), Array.from({ length: 30 }, (_, i) => `${i + 10}`));
  network.repeat(NOW_MS, 1);
  assertEquals(contents(network), []);
});
