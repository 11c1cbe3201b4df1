/** Gossip between two nodes and more, message by message: what travels, what it costs, and what is refused. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { seeded } from "../../bench/compare.ts";
import { ProtocolError } from "../../lib/base/errors.ts";
import type { Gossip } from "../../lib/replication/gossip.ts";
import { MESSAGE, type Message, type MessageBody, MessageWriter } from "../../lib/replication/message.ts";
import { readMessage } from "../../lib/replication/message_reader.ts";
import { ALL_RULES, type Known, MAX_ORIGINS, type Rules } from "../../lib/store/history.ts";
import { ENTRY, TOMB } from "../../lib/store/records.ts";
import { type ByteSpan, spanOf } from "../../lib/base/byte_span.ts";
import type { Store } from "../../lib/store/store.ts";
import { gossipNode, NOW_MS, replicatingStore } from "../support/stores.ts";

/** Before all writes. */
const START = { h: 0, id: 0 };

interface Pair {
  stores: Store[];
  gossips: Gossip[];
  clock: { nowMs: number };
  waiting: { to: number; bytes: Uint8Array }[];
  sentBytes: number;
  /** Types of all messages sent. */
  types: number[];
}

/** Two nodes that hear each other once `deliver` is called. */
function pair(
  options: { eager?: boolean; maxSize?: number[]; maxGraves?: number | number[]; rules?: Rules } = {},
): Pair {
  const { eager = false, maxSize = [Infinity, Infinity], maxGraves, rules } = options;
  const all: Pair = { stores: [], gossips: [], clock: { nowMs: NOW_MS }, waiting: [], sentBytes: 0, types: [] };
  for (const i of [0, 1]) {
    const send = (_link: number, bytes: Uint8Array) => {
      all.waiting.push({ to: 1 - i, bytes: bytes.slice() });
      all.sentBytes += bytes.length;
      all.types.push(bytes[0]);
    };
    const graves = Array.isArray(maxGraves) ? maxGraves[i] : maxGraves;
    const node = gossipNode(all.clock, 100 + i, {
      store: { maxSize: maxSize[i], maxGraves: graves, rules },
      gossip: { eager, send },
    });
    all.stores.push(node.store);
    all.gossips.push(node.gossip);
    node.gossip.connect(0);
  }
  return all;
}

function deliver(all: Pair): void {
  for (const gossip of all.gossips) gossip.flush();
  for (let next = all.waiting.shift(); next !== undefined; next = all.waiting.shift()) {
    all.gossips[next.to].receive(0, next.bytes);
  }
}

/** A round begun by the first node. Returns the bytes it took. */
function round(all: Pair): number {
  const before = all.sentBytes;
  all.gossips[0].round(() => 0);
  deliver(all);
  return all.sentBytes - before;
}

function key(i: number): ByteSpan {
  return spanOf(new TextEncoder().encode(`key:${i}`));
}

function set(store: Store, i: number, value = `value ${i}`, ttlMs?: number): void {
  assert(store.set(key(i), { flags: 0x4f430001, value: spanOf(new TextEncoder().encode(value)), ttlMs }));
}

function get(store: Store, i: number): string | undefined {
  const position = store.peek(key(i));
  if (position === 0) return undefined;
  const value = new Uint8Array(store.records.valueBytes(position));
  store.records.copyValue(position, value, 0);
  return new TextDecoder().decode(value);
}

Deno.test("Gossip.round() takes at most 70 bytes when a pair knows the same", () => {
  const all = pair();
  for (let i = 0; i < 5000; i++) set(all.stores[i % 2], i);
  round(all);
  const bytes = round(all);
  assert(bytes <= 70, `${bytes} bytes`);
  assertEquals(all.types.slice(-2), [MESSAGE.sync, MESSAGE.same]);
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

Deno.test("Gossip sends every page once when both nodes ask at the same time", () => {
  const all = pair();
  for (let i = 0; i < 2000; i++) set(all.stores[0], i);
  for (const gossip of all.gossips) gossip.round(() => 0);
  deliver(all);
  assertEquals(all.stores[1].stats().entries, 2000);
  const { sent } = all.gossips[0].stats;
  assert(sent <= 2000 + 256, `${sent} writes`); // the first page is both given and asked for
});

Deno.test("Gossip drops all that was deleted elsewhere when every question comes twice", () => {
  const all = pair({ maxGraves: 1 });
  const [a, b] = all.stores;
  for (let i = 0; i < 800; i++) set(a, i);
  round(all);
  all.clock.nowMs += 10;
  for (let i = 0; i < 800; i += 3) a.delete(key(i));
  all.gossips[1].round(() => 0);
  for (let next = all.waiting.shift(); next !== undefined; next = all.waiting.shift()) {
    for (let copies = next.bytes[0] === MESSAGE.verify ? 2 : 1; copies > 0; copies--) {
      all.gossips[next.to].receive(0, next.bytes);
    }
  }
  for (let i = 0; i < 800; i++) assertEquals(get(b, i), i % 3 === 0 ? undefined : `value ${i}`);
});

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

Deno.test("Gossip pushes a store at once, and a value larger than a push is fetched", () => {
  const all = pair({ eager: true });
  const [a, b] = all.stores;
  set(a, 1);
  all.gossips[0].flush();
  assertEquals(all.types, [MESSAGE.push]);
  deliver(all);
  assertEquals(get(b, 1), "value 1");
  set(a, 2, "x".repeat(50_000));
  set(a, 3);
  deliver(all);
  assertEquals([get(b, 2)?.length, get(b, 3)], [50_000, "value 3"]);
  assertEquals(all.types.slice(1), [MESSAGE.news, MESSAGE.pull, MESSAGE.page]);
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
    const all = pair({ eager: true, maxGraves: 1, rules: { ...ALL_RULES, dominance } });
    const [a, b] = all.stores;
    set(b, 1);
    all.gossips[1].flush();
    all.waiting.length = 0; // its push is lost
    all.clock.nowMs += 10;
    for (let i = 10; i < 20; i++) {
      set(a, i);
      a.delete(key(i));
    }
    deliver(all);
    round(all); // the write is older than graves that a has dropped; but b knows all that a knows
    assertEquals(get(a, 1), dominance ? "value 1" : undefined);
  });
}

Deno.test("Gossip refuses what comes from too far in the future, and counts it", () => {
  const all = pair();
  set(all.stores[0], 1);
  all.gossips[0].round(() => 0);
  all.clock.nowMs -= 61_000;
  deliver(all);
  assertEquals([all.gossips[1].stats.fromFuture, all.types.length], [1, 1]);
  all.clock.nowMs += 61_000;
  round(all);
  assertEquals(get(all.stores[1], 1), "value 1");
});

Deno.test("Gossip refuses a version from too far in the future wherever it stands in a message", () => {
  const far = 2 ** 52;
  const head = { from: 101, clock: 1, cleared: 0 };
  const write = { key: key(1), version: { h: far, origin: 101 }, kind: TOMB };
  const none = { to: 100, question: 1, upTo: new Map(), lossy: new Map(), writes: [], more: false };
  const future = new Map([[101, far]]);
  const messages: Message[] = [
    { ...head, type: MESSAGE.sync, digest: 0, cleared: far },
    { ...head, type: MESSAGE.known, known: future, turn: 0 },
    { ...head, type: MESSAGE.push, origin: 101, before: 0, last: far, sentTo: [], writes: [write] },
    { ...head, type: MESSAGE.news, origin: 101, last: far },
    { ...head, type: MESSAGE.page, ...none, known: future },
    { ...head, type: MESSAGE.page, ...none, known: future, upTo: future },
    { ...head, type: MESSAGE.page, ...none, known: new Map(), lossy: future },
    { ...head, type: MESSAGE.page, ...none, known: new Map(), writes: [write] },
  ];
  const all = pair();
  const [gossip] = all.gossips;
  for (const message of messages) gossip.receive(0, new MessageWriter().write(message));
  assertEquals([gossip.stats.fromFuture, all.waiting.length], [messages.length, 0]);
  set(all.stores[0], 1);
  assertEquals(get(all.stores[0], 1), "value 1");
  assertEquals(all.stores[0].history.knownOf(101), 0);
});

Deno.test("Gossip refuses a list that no peer has reason to send", () => {
  const all = pair();
  const list = (size: number) => new Map(Array.from({ length: size }, (_, i): [number, number] => [1000 + i, 1]));
  const receive = (known: Known) => {
    const message: Message = { type: MESSAGE.pull, from: 101, clock: 1, cleared: 0, question: 1, known, after: START };
    all.gossips[0].receive(0, new MessageWriter().write(message));
  };
  receive(list(8192));
  assertThrows(() => receive(list(8193)), ProtocolError, "8193 items");
});

Deno.test("Gossip passes on a push that says it has been sent to as many as can be", () => {
  const all = pair({ eager: true });
  all.gossips[0].connect(1);
  const sentTo = Array.from({ length: 8192 }, (_, i) => 1000 + i);
  const version = { h: 5, origin: 77 };
  const writes = [{
    key: key(1),
    version,
    kind: ENTRY,
    entry: { flags: 0, ttlMs: Infinity, remainingMs: Infinity, value: key(2) },
  }];
  const message: Message = {
    type: MESSAGE.push,
    from: 77,
    clock: 0,
    cleared: 0,
    origin: 77,
    before: 0,
    last: 5,
    sentTo,
    writes,
  };
  all.gossips[0].receive(1, new MessageWriter().write(message));
  deliver(all);
  assertEquals(get(all.stores[1], 1), "key:2");
});

Deno.test("Gossip survives 100,000 damaged messages: each is refused with a ProtocolError or does no harm", () => {
  const all = pair({ eager: true });
  const messages: Uint8Array[] = [];
  const collect = () => {
    messages.push(...all.waiting.map(({ bytes }) => bytes));
    deliver(all);
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
      victim.gossips[0].receive(0, bytes);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      refused++;
    }
    victim.waiting.length = 0;
  }
  assert(refused > 10_000, `${refused} refused`);
  const [store] = victim.stores;
  store.clear();
  set(store, 1);
  assertEquals(get(store, 1), "value 1");
});

Deno.test("Gossip sends every write once, or little more, where both nodes ask at the same time", () => {
  const all = pair();
  for (let i = 0; i < 5000; i++) set(all.stores[0], i);
  for (const gossip of all.gossips) gossip.round(() => 0);
  deliver(all);
  assertEquals([all.stores[1].stats().entries, all.gossips[1].stats.applied], [5000, 5000]);
  const { sent } = all.gossips[0].stats;
  assert(sent <= 5000 + 2 * 256, `${sent} writes were sent for 5000`);
});

/** Nodes in any arrangement; a link's number is the node that it leads to. */
interface Net {
  stores: Store[];
  gossips: Gossip[];
  clock: { nowMs: number };
  waiting: Sent[];
  /** All messages ever sent. */
  sent: Sent[];
  /** How often each node said that there is something to flush. */
  waitings: number[];
}

interface Sent {
  from: number;
  to: number;
  message: Message;
  bytes: Uint8Array;
}

interface NetOptions {
  eager?: boolean;
  maxWrites?: number;
  maxGraves?: number;
  ttlMs?: number;
}

function net(links: [number, number][], { eager = true, maxWrites, maxGraves, ttlMs = 0 }: NetOptions = {}): Net {
  const all: Net = { stores: [], gossips: [], clock: { nowMs: NOW_MS }, waiting: [], sent: [], waitings: [] };
  const count = 1 + Math.max(...links.flat());
  for (let i = 0; i < count; i++) {
    const send = (to: number, bytes: Uint8Array) => {
      const copy = bytes.slice();
      const sent = { from: i, to, bytes: copy, message: readMessage(copy) };
      all.waiting.push(sent);
      all.sent.push(sent);
    };
    const onWaiting = () => void all.waitings[i]++;
    const node = gossipNode(all.clock, 100 + i, {
      store: { maxGraves, ttlMs },
      gossip: { eager, maxWrites, send, onWaiting },
    });
    all.stores.push(node.store);
    all.gossips.push(node.gossip);
    all.waitings.push(0);
  }
  for (const [one, other] of links) {
    all.gossips[one].connect(other);
    all.gossips[other].connect(one);
  }
  return all;
}

/** Takes one message to where it goes. */
function step({ gossips, waiting }: Net): void {
  const { from, to, bytes } = waiting.shift()!;
  gossips[to].receive(from, bytes);
  for (const gossip of gossips) gossip.flush();
}

function settle(all: Net): void {
  for (const gossip of all.gossips) gossip.flush();
  while (all.waiting.length > 0) step(all);
}

function rounds(all: Net, count = 1): void {
  for (; count > 0; count--) {
    for (const gossip of all.gossips) gossip.round(() => 0);
    settle(all);
  }
}

/** What was sent since the last time, as "type from>to". */
function said(all: Net): string[] {
  const names = Object.fromEntries(Object.entries(MESSAGE).map(([name, type]) => [type, name]));
  return all.sent.splice(0).map(({ from, to, message }) => `${names[message.type]} ${from}>${to}`);
}

function hit(store: Store, i: number): boolean {
  return store.get(key(i)) !== 0;
}

function deadline(store: Store, i: number): number {
  return store.records.deadlineMs(store.peek(key(i)));
}

const PAIR: [number, number][] = [[0, 1]];
const LINE: [number, number][] = [[0, 1], [1, 2]];

Deno.test("Gossip tells of a value over 16 KiB, and pushes one of 16 KiB", () => {
  const all = net(PAIR);
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
  const all = net(LINE);
  set(all.stores[0], 1, "x".repeat(100_000));
  settle(all);
  assertEquals(all.stores.map((store) => get(store, 1)?.length), [100_000, 100_000, undefined]);
  rounds(all);
  assertEquals(get(all.stores[2], 1)?.length, 100_000);
});

Deno.test("Gossip tells all writes of a turn in one message, and more than go into one in several without a gap", () => {
  const all = net(LINE, { maxWrites: 100 });
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
  const all = net(PAIR);
  set(all.stores[0], 1);
  all.gossips[0].flush();
  all.waiting.length = 0;
  set(all.stores[0], 2);
  settle(all);
  assertEquals(said(all), ["push 0>1", "push 0>1", "pull 1>0", "page 0>1"]);
  assertEquals([get(all.stores[1], 1), get(all.stores[1], 2), all.gossips[1].stats.gaps], ["value 1", "value 2", 1]);
});

Deno.test("Gossip tells of a clear at once, also along a line", () => {
  const all = net(LINE);
  for (let i = 0; i < 10; i++) set(all.stores[2], i);
  settle(all);
  all.stores[0].clear();
  set(all.stores[0], 99);
  settle(all);
  for (const store of all.stores) assertEquals([store.stats().entries, get(store, 99)], [1, "value 99"]);
});

Deno.test("Gossip takes nothing that is older than a clear, though it comes after it", () => {
  const all = net(PAIR);
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

Deno.test("Gossip tells of a hit once half the time to live has passed, along a line, and then not for another half", () => {
  const all = net(LINE, { ttlMs: 1000 });
  const [a, b, c] = all.stores;
  set(a, 1);
  settle(all);
  said(all);
  const hitAfter = (ms: number, store = a) => {
    all.clock.nowMs += ms;
    assertEquals(hit(store, 1), true);
    settle(all);
    return said(all);
  };
  assertEquals(hitAfter(499), []);
  assertEquals([b, c].map((store) => deadline(store, 1)), [NOW_MS + 1000, NOW_MS + 1000]);
  assertEquals(hitAfter(1), ["touch 0>1", "touch 1>2"]);
  assertEquals(all.stores.map((store) => deadline(store, 1)), [NOW_MS + 1500, NOW_MS + 1500, NOW_MS + 1500]);
  for (const store of [a, b, c]) assertEquals(hitAfter(0, store), []);
  assertEquals([hitAfter(499), hitAfter(0, b), hitAfter(0, c)], [[], [], []]);
  assertEquals(hitAfter(1, b), ["touch 1>0", "touch 1>2"]);
  assertEquals(all.stores.map((store) => deadline(store, 1)), [NOW_MS + 2000, NOW_MS + 2000, NOW_MS + 2000]);
  // The second time they had been hit themselves, a millisecond before.
  assertEquals(all.gossips.map(({ stats }) => stats.extended), [0, 1, 1]);
});

Deno.test("Gossip tells of all hits of a turn in one message, but of none on what has been written since", () => {
  const all = net(PAIR, { ttlMs: 1000 });
  const [a, b] = all.stores;
  for (let i = 0; i < 10; i++) set(a, i);
  settle(all);
  said(all);
  all.clock.nowMs += 600;
  for (let i = 0; i < 10; i++) hit(a, i);
  set(a, 0, "new");
  a.delete(key(1));
  all.gossips[0].flush();
  const touches = all.waiting.flatMap(({ message }) => message.type === MESSAGE.touch ? [message.writes.length] : []);
  assertEquals(touches, [8]);
  settle(all);
  assertEquals(said(all), ["push 0>1", "touch 0>1"]);
  assertEquals([get(b, 0), get(b, 1), deadline(b, 2)], ["new", undefined, NOW_MS + 1600]);
});

Deno.test("Gossip puts off no deadline of another version, and revives nothing", () => {
  const all = net(PAIR, { ttlMs: 1000 });
  const [a, b] = all.stores;
  for (let i = 0; i < 4; i++) set(a, i);
  settle(all);
  all.clock.nowMs += 600;
  for (let i = 0; i < 4; i++) hit(a, i);
  all.gossips[0].flush();
  const touch = all.waiting.shift()!;
  assertEquals(touch.message.type, MESSAGE.touch);
  set(b, 0, "b's own", 500);
  b.delete(key(1));
  all.clock.nowMs += 399;
  assertEquals(deadline(b, 2), NOW_MS + 1000);
  b.extend(key(3), b.versionOf(key(3))!, 1000); // it knows of a use by another
  all.clock.nowMs += 1;
  assertEquals(b.has(key(2)), false);
  all.waiting.push(touch);
  while (all.waiting.length > 0) step(all);
  assertEquals([0, 1, 2, 3].map((i) => get(b, i)), ["b's own", undefined, undefined, "value 3"]);
  assertEquals([deadline(b, 0), deadline(b, 3)], [NOW_MS + 1100, NOW_MS + 2000]);
  assertEquals(all.gossips[1].stats.extended, 0);
});

Deno.test("Gossip verifies page by page, keeps what is confirmed and drops what is not", () => {
  const all = net(PAIR, { eager: false, maxGraves: 1, maxWrites: 4 });
  const [a, b] = all.stores;
  for (let i = 0; i < 20; i++) set(a, i);
  rounds(all, 2);
  assertEquals(b.stats().entries, 20);
  said(all);
  all.clock.nowMs += 1;
  for (let i = 0; i < 5; i++) a.delete(key(i)); // all but one of the graves are dropped
  all.clock.nowMs += 1;
  set(b, 50, "b's own");
  all.gossips[1].round(() => 0);
  settle(all);
  const types = said(all);
  assertEquals(types.filter((type) => type === "verify 1>0").length, 5, "20 entries, 4 at a time");
  assertEquals(types.filter((type) => type === "verified 0>1").length, 5);
  assertEquals(all.gossips[1].verified, { verifications: 1, unconfirmed: 5 });
  for (let i = 0; i < 5; i++) assertEquals(get(b, i), undefined);
  for (let i = 5; i < 20; i++) assertEquals(get(b, i), `value ${i}`);
  assertEquals(get(b, 50), "b's own");
  rounds(all, 2);
  assertEquals([a, b].map((store) => [store.stats().entries, get(store, 50)]), [[16, "b's own"], [16, "b's own"]]);
  assertEquals(all.gossips[1].verified.verifications, 1, "once is enough");
});

Deno.test("Gossip catches up with one peer at a time, and is given nothing by another meanwhile", () => {
  const all = net([[0, 1], [0, 2], [1, 2]], { eager: false, maxWrites: 10 });
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
  const all = net([[0, 2], [1, 2]], { maxWrites: 10 });
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

Deno.test("Gossip ignores what it has said itself", () => {
  const all = net(PAIR);
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
  gossip.receive(1, new MessageWriter().write({ ...head, type: MESSAGE.sync, digest: 1 }));
  gossip.flush();
  assertEquals([said(all), get(store, 1), store.history.cleared, gossip.peer(1)!.origin], [
    [],
    undefined,
    0,
    undefined,
  ]);
});

Deno.test("Gossip writes after whatever peers claim to know of this node, in every message", () => {
  const all = net(PAIR);
  const [gossip] = all.gossips;
  const [store] = all.stores;
  set(store, 1);
  gossip.flush();
  said(all);
  const more = store.history.knownOf(100) + 1;
  const known = new Map([[100, more]]);
  const head = { from: 101, clock: 1, cleared: 0 };
  const none = { to: 100, question: 1, upTo: new Map(), lossy: new Map(), writes: [], more: false };
  const bodies: MessageBody[] = [
    { type: MESSAGE.known, turn: 0, known },
    { type: MESSAGE.pull, question: 1, known, after: START },
    { type: MESSAGE.page, ...none, known },
    { type: MESSAGE.page, ...none, known, upTo: known },
    { type: MESSAGE.verify, question: 1, known, writes: [] },
    { type: MESSAGE.push, origin: 100, before: more - 1, last: more, sentTo: [], writes: [] },
    { type: MESSAGE.news, origin: 100, last: more },
  ];
  for (const body of bodies) {
    gossip.receive(1, new MessageWriter().write({ ...head, ...body }));
    assertEquals([store.history.knownOf(100), get(store, 1)], [more, "value 1"]);
  }
  set(store, 2);
  assert(store.versionOf(key(2))!.h > more);
  settle(all);
  assertEquals(get(all.stores[1], 2), "value 2");
});

/** Applies a write of another origin. */
function applyFrom(store: Store, origin: number, i: number, h = 4096 + i): boolean {
  const value = spanOf(new TextEncoder().encode(`value ${i}`));
  const entry = { flags: 0, value, ttlMs: Infinity, remainingMs: Infinity };
  const version = { h, origin };
  const isNews = store.apply(key(i), { version, kind: ENTRY, entry }, true);
  store.history.know(version);
  return isNews;
}

Deno.test("History gives up the origin that wrote last the longest ago, but none that has something here", () => {
  const { stores: [store] } = net(PAIR);
  const { history } = store;
  set(store, 0);
  const own = history.knownOf(100);
  for (let i = 1; i < MAX_ORIGINS; i++) applyFrom(store, 1000 + i, i, 9000 - i);
  assertEquals(history.origins.length, MAX_ORIGINS);
  for (let i = 11; i <= 20; i++) store.distrust(store.peek(key(i))); // 1011 to 1020 have nothing here
  for (let i = 20; i >= 11; i--) {
    assertEquals(history.knownOf(1000 + i), 9000 - i);
    assertEquals(applyFrom(store, 10_000 + i, 5000 + i, 9000 + i), true);
    assertEquals([history.knownOf(1000 + i), history.knownOf(10_000 + i)], [0, 9000 + i]);
  }
  assertEquals([history.origins.length, history.known.size], [MAX_ORIGINS, MAX_ORIGINS]);
  assertEquals([history.knownOf(100), get(store, 0), get(store, 10)], [own, "value 0", "value 10"]);
  assertEquals(history.version(store.peek(key(5011))), { h: 9011, origin: 10_011 });
  assertEquals(history.version(store.peek(key(4000))), { h: 5000, origin: 5000 });
});

Deno.test("Store.clearUpTo() beside newer writes: the old are not found at once, and leave slice by slice", () => {
  const { stores: [store], clock } = net(PAIR, { ttlMs: 1000 });
  for (let i = 0; i < 3000; i++) set(store, i);
  const { h } = store.versionOf(key(2999))!;
  for (let i = 2990; i < 3010; i++) set(store, i, "newer");
  assertEquals([store.clearUpTo(h), store.clearUpTo(h), store.clearUpTo(h - 1)], [true, false, false]);
  for (const i of [0, 1, 1500, 2989]) {
    assertEquals([hit(store, i), store.has(key(i)), get(store, i)], [false, false, undefined]);
  }
  for (const i of [2990, 3009]) assertEquals([hit(store, i), get(store, i)], [true, "newer"]);
  assertEquals(store.delete(key(2)), false);
  set(store, 3, "again");
  const version = { h: h - 1, origin: 7 };
  assertEquals(store.apply(key(4), { version, kind: TOMB }, true), false);
  let slices = 0;
  for (let before = store.stats().entries, more = true; more; slices++) {
    more = store.maintain();
    const { entries } = store.stats();
    assert(before - entries <= 500, `${before - entries} in one slice`);
    before = entries;
  }
  assert(slices >= 6);
  const { entries, deletions, expirations, evictions } = store.stats();
  assertEquals([entries, deletions, expirations, evictions], [21, 2990, 0, 0]);
  assertEquals([...store.history.origins[0].log.after(0)].length, 22, "and the grave of a deletion");
  clock.nowMs += 1000;
  while (store.maintain());
  assertEquals([store.stats().entries, store.stats().expirations], [0, 21]);
});

Deno.test("Gossip holds one write of a version, and cuts a page between writes of different origins", () => {
  const all = pair();
  const [a, b] = all.stores;
  const value = spanOf(new Uint8Array(60_000));
  const entry = { flags: 0, ttlMs: Infinity, remainingMs: Infinity, value };
  const h = a.clock + 1;
  for (let i = 0; i < 40; i++) a.apply(key(i), { version: { h, origin: 7 }, kind: ENTRY, entry }, false);
  assertEquals(a.stats().entries, 1);
  for (let i = 1; i < 40; i++) a.apply(key(i), { version: { h, origin: 7 + i }, kind: ENTRY, entry }, false);
  for (let i = 0; i < 40; i++) a.history.know({ h, origin: 7 + i });
  let largest = 0;
  all.gossips[1].round(() => 0);
  for (let next = all.waiting.shift(); next !== undefined; next = all.waiting.shift()) {
    largest = Math.max(largest, next.bytes.length);
    all.gossips[next.to].receive(0, next.bytes);
  }
  assertEquals([b.stats().entries, b.history.digest], [40, a.history.digest]);
  assert(largest < 256 * 1024, `${largest} bytes`);
});

for (const maxBytes of [64 * 1024, 8 * 1024 * 1024]) {
  Deno.test(`Gossip leaves a store of ${maxBytes} bytes its room, however many origins have written`, () => {
    const store = replicatingStore({ nowMs: NOW_MS }, { maxBytes });
    for (let i = 0; i < 20; i++) set(store, i);
    const { maxEntryBytes } = store;
    const one = { flags: 0, ttlMs: Infinity, remainingMs: Infinity, value: spanOf(new Uint8Array(9)) };
    for (let i = 1; i <= 20_000; i++) { // of a few keys, so that few writes are held; some come in the wrong order
      const version = { h: store.clock - 30_000 + i, origin: 1000 + i };
      store.apply(key(1000 + i % 3), { version, kind: ENTRY, entry: one }, true);
      store.apply(key(1003), { version: { ...version, h: version.h - i % 2 * 20_000 }, kind: ENTRY, entry: one }, true);
      store.history.know(version);
    }
    assert(store.history.bytes < 2048, `${store.history.bytes} bytes`);
    assertEquals(store.maxEntryBytes, maxEntryBytes);
    set(store, 21);
    assertEquals([get(store, 0), get(store, 21)], ["value 0", "value 21"]);
  });
}

Deno.test("Gossip makes room for an origin where all that are known have writes", () => {
  const all = pair();
  const [store] = all.stores;
  set(store, 1);
  for (let i = 0; i < 5000; i++) {
    const version = { h: store.clock - 9000 + i, origin: 1000 + i };
    assert(store.apply(key(2 + i), { version, kind: TOMB }, true));
    store.history.know(version);
  }
  assertEquals([store.history.origins.length, store.history.knownOf(5999) > 0], [4096, true]);
  assertEquals([get(store, 1), store.history.origins[0].log.size], ["value 1", 1]);
  assertEquals(store.versionOf(key(2)), undefined);
  store.clear();
  set(store, 1);
  assertEquals(get(store, 1), "value 1");
});

Deno.test("Gossip between nodes that know too many origins to agree ends with every round", () => {
  const all = pair({ maxGraves: [Infinity, 10] });
  const [a, b] = all.stores;
  set(a, 1);
  for (let i = 0; i < 4090; i++) {
    const version = { h: a.clock - 90_000 + i, origin: 10_000 + i };
    if (i < 2000) a.apply(key(i), { version, kind: TOMB }, true);
    if (i < 2000) a.history.know(version);
    b.history.know({ h: version.h + 50_000, origin: version.origin + 10_000 });
  }
  for (let rounds = 0; rounds < 3; rounds++) {
    const sent = all.types.length;
    round(all);
    assert(all.types.length - sent < 40, `${all.types.length - sent} messages`);
  }
  set(a, 9999);
  for (let rounds = 0; rounds < 3; rounds++) round(all);
  assertEquals(get(b, 9999), "value 9999");
});

Deno.test("Gossip lets no peer keep the others out by a catch-up without end", () => {
  const all = pair();
  const [a, b] = all.stores;
  set(a, 1);
  all.gossips[1].connect(1); // what is sent to it gets lost with all that is not delivered
  let [h, question] = [a.clock, 1];
  const head = { from: 77, clock: 0, cleared: 0 };
  const say = (message: Message) => all.gossips[1].receive(1, new MessageWriter().write(message));
  const exchange = () => {
    for (let next = all.waiting.shift(); next !== undefined; next = all.waiting.shift()) {
      const message = readMessage(next.bytes);
      if (message.type === MESSAGE.pull && message.known.get(77) === h) question = message.question;
      all.gossips[next.to].receive(0, next.bytes);
    }
  };
  say({ ...head, type: MESSAGE.news, origin: 77, last: h });
  let rounds = 0;
  for (; get(b, 1) === undefined; rounds++) {
    const known = new Map([[77, ++h]]);
    const writes = [{ key: key(9), version: { h, origin: 77 }, kind: TOMB }];
    const lists = { known, upTo: known, lossy: new Map(), writes };
    say({ ...head, type: MESSAGE.page, to: 101, question, more: true, ...lists });
    all.gossips[1].round(() => 0);
    exchange();
    assert(rounds < 400);
  }
  assert(rounds > 250, "it had its turn");
});

Deno.test("Gossip goes on between two nodes when a third has told one of writes that the other has not made", () => {
  const all = pair({ eager: true });
  const [a, b] = all.stores;
  set(a, 1);
  deliver(all);
  all.gossips[1].connect(1);
  const { digest } = a.history;
  const last = a.clock + 30_000 * 4096;
  const head = { type: MESSAGE.push, from: 77, clock: 0, cleared: 0, sentTo: [], writes: [] };
  all.gossips[1].receive(1, new MessageWriter().write({ ...head, origin: 100, before: 0, last }));
  all.gossips[1].disconnect(1);
  all.gossips[1].round(() => 0);
  deliver(all);
  assertEquals([a.history.digest, b.history.digest === digest], [b.history.digest, false]);
  set(a, 2);
  deliver(all);
  assertEquals([get(b, 1), get(b, 2)], ["value 1", "value 2"]);
});

/** Lets the second of some nodes take one page of what the first has, which then is gone for a while or for ever. */
function breakOff(all: Net): void {
  all.gossips[0].connect(1);
  all.gossips[1].connect(0);
  all.gossips[1].ask(0);
  const { applied } = all.gossips[1].stats;
  while (all.gossips[1].stats.applied === applied) step(all);
  all.waiting.length = 0;
  all.gossips[0].disconnect(1);
  all.gossips[1].disconnect(0);
}

const HUB: [number, number][] = [[0, 2], [1, 2]];

Deno.test("Gossip claims nothing of a catch-up that broke off, and goes on where it was with the same peer", () => {
  const all = net(HUB, { eager: false, maxWrites: 10 });
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
  const all = net(PAIR, { eager: false, maxWrites: 10 });
  const [a, b] = all.stores;
  for (let i = 0; i < 50; i++) set(a, i);
  all.gossips[1].ask(0);
  while (b.stats().entries === 0) step(all);
  const pull = readMessage(all.waiting.pop()!.bytes);
  assert(pull.type === MESSAGE.pull && pull.known.get(100)! > 0);
  const head = { from: 777, clock: 0, cleared: 0, to: 101, question: pull.question, more: false };
  const none = { known: new Map(), upTo: new Map(), lossy: new Map(), writes: [] };
  all.gossips[1].receive(0, new MessageWriter().write({ ...head, ...none, type: MESSAGE.page }));
  assertEquals([b.history.knownOf(100), all.gossips[1].catchingUpWith], [0, 0]);
  const again = readMessage(all.waiting.pop()!.bytes);
  assert(again.type === MESSAGE.pull && again.question !== pull.question);
  assertEquals(again.known, new Map());
});

Deno.test("Gossip shares what a catch-up has left when its peer does not come back", () => {
  const all = net(HUB, { eager: false, maxWrites: 10 });
  const [a, b, c] = all.stores;
  all.gossips[0].disconnect(2);
  for (let i = 0; i < 50; i++) set(a, i);
  a.delete(key(0));
  breakOff(all);
  rounds(all, 3);
  assertEquals([all.gossips[1].adoptions, b.stats().entries, c.stats().entries], [0, 10, 0]);
  rounds(all, 2);
  assertEquals([all.gossips[1].adoptions, c.stats().entries], [1, 10]);
  for (let i = 1; i <= 10; i++) {
    assertEquals([b, c].map((store) => get(store, i)), [`value ${i}`, `value ${i}`]);
    assertEquals([b, c].map((store) => store.versionOf(key(i))), [1, 1].map((by) => ({ ...a.versionOf(key(i))!, by })));
  }
  assertEquals([b.history.knownOf(100), c.history.digest], [0, b.history.digest]);
  all.gossips[0].connect(2);
  rounds(all, 3);
  assertEquals(all.stores.map((store) => store.stats().entries), [49, 49, 49]);
  assertEquals(all.stores.map((store) => store.history.digest), all.stores.map(() => a.history.digest));
  assertEquals(b.history.knownOf(100), a.history.knownOf(100));
});

Deno.test("Gossip brings a deletion that only a third node knows, after what it deletes was adopted", () => {
  const all = net(HUB, { eager: false, maxWrites: 10 });
  const [a, b, c] = all.stores;
  for (let i = 0; i < 50; i++) set(a, i);
  all.gossips[2].disconnect(1);
  rounds(all, 2);
  all.gossips[0].disconnect(2);
  all.gossips[2].disconnect(0);
  c.delete(key(3));
  breakOff(all);
  all.waiting.length = 0;
  for (let i = 0; i < 5; i++) all.gossips[1].round(() => 0);
  all.waiting.length = 0;
  assertEquals([all.gossips[1].adoptions, get(b, 3), get(c, 3)], [1, "value 3", undefined]);
  all.gossips[2].connect(1);
  rounds(all, 2);
  for (const store of [b, c]) {
    assertEquals([store.stats().entries, get(store, 3), get(store, 4)], [49, undefined, "value 4"]);
  }
  assertEquals(b.history.digest, c.history.digest);
});

Deno.test("Gossip brings a deletion that the pages of a catch-up left out, since a newer write was to come", () => {
  const all = net(HUB, { eager: false, maxWrites: 10 });
  const [a, b, c] = all.stores;
  set(a, 1, "old");
  rounds(all, 2);
  assertEquals([b, c].map((store) => get(store, 1)), ["old", "old"]);
  all.gossips[2].disconnect(1);
  a.delete(key(1));
  for (let i = 10; i < 50; i++) set(a, i);
  rounds(all, 2);
  assertEquals(get(c, 1), undefined);
  all.gossips[0].disconnect(2);
  all.gossips[2].disconnect(0);
  set(a, 1, "newest"); // it is on the last page, and is lost with its node
  breakOff(all);
  assertEquals([b.stats().entries, get(b, 1)], [11, "old"]);
  all.gossips[2].connect(1);
  rounds(all, 2);
  assertEquals([get(b, 1), b.stats().entries, b.history.digest], [undefined, 40, c.history.digest]);
});

Deno.test("Gossip adopts more than a round's worth in slices, and makes it known with the last", () => {
  const all = net([[1, 2]], { eager: false, maxWrites: 5000 });
  const [, b, c] = all.stores;
  applyFrom(b, 55, 0);
  rounds(all);
  for (let i = 1; i <= 4500; i++) {
    const entry = { flags: 0, value: key(i), ttlMs: Infinity, remainingMs: Infinity };
    assert(b.apply(key(i), { version: { h: 5000 + i, origin: 55 }, kind: ENTRY, entry }, true));
  }
  rounds(all, 3);
  assertEquals(b.history.knownOf(1), 0);
  rounds(all, 2);
  assertEquals([b.history.knownOf(1), c.stats().entries], [0, 1]);
  rounds(all, 2);
  assertEquals([b.history.knownOf(1), c.history.knownOf(1), c.stats().entries], [9500, 9500, 4501]);
  assertEquals([b.history.knownOf(55), c.history.knownOf(55), b.history.orphaned, c.history.orphaned], [
    4096,
    4096,
    [],
    [],
  ]);
});

Deno.test("Gossip does not wait for an answer of its own where a link leads back to it", () => {
  const all = net(PAIR, { eager: false });
  const [, b] = all.stores;
  set(all.stores[0], 1);
  all.gossips[1].connect(1);
  const news: Message = { type: MESSAGE.news, from: 77, clock: 0, cleared: 0, origin: 77, last: 5 };
  all.gossips[1].receive(1, new MessageWriter().write(news)); // of its life before
  assertEquals([said(all), all.gossips[1].catchingUpWith], [["pull 1>1"], 1]);
  all.gossips[1].ask(0);
  settle(all);
  assertEquals(get(b, 1), "value 1");
});
