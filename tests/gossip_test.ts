/** Gossip between two nodes, message by message: what travels, what it costs, and what is refused. */

import { assert, assertEquals } from "@std/assert";
import { seeded } from "../bench/compare.ts";
import { ProtocolError } from "../lib/errors.ts";
import { Gossip } from "../lib/gossip.ts";
import { MESSAGE, type Message, MessageWriter } from "../lib/gossip_message.ts";
import { readMessage } from "../lib/gossip_reader.ts";
import { ALL_RULES, type Rules } from "../lib/history.ts";
import { ENTRY, TOMB } from "../lib/records.ts";
import { type Span, spanOf } from "../lib/span.ts";
import { Store } from "../lib/store.ts";

const NOW_MS = 1_767_225_600_000;

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
function pair(options: { eager?: boolean; maxSize?: number[]; maxGraves?: number; rules?: Rules } = {}): Pair {
  const { eager = false, maxSize = [Infinity, Infinity], maxGraves, rules } = options;
  const all: Pair = { stores: [], gossips: [], clock: { nowMs: NOW_MS }, waiting: [], sentBytes: 0, types: [] };
  for (const i of [0, 1]) {
    const origin = 100 + i;
    const store: Store = new Store({
      maxSize: maxSize[i],
      maxGraves,
      rules,
      ttlMs: 0,
      renewOnHit: true,
      hashKey: [1, i],
      origin,
      now: () => all.clock.nowMs,
      onWrite: () => all.gossips[i].wrote(),
      onRenew: (position) => all.gossips[i].renewed(position),
    });
    const send = (_link: number, bytes: Uint8Array) => {
      all.waiting.push({ to: 1 - i, bytes: bytes.slice() });
      all.sentBytes += bytes.length;
      all.types.push(bytes[0]);
    };
    all.stores.push(store);
    all.gossips.push(new Gossip({ store, origin, eager, rules, send }));
    all.gossips[i].connect(0);
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

function key(i: number): Span {
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

Deno.test("Gossip says while it has taken a catch-up in part what is owed to it, and not when it has taken all", () => {
  const all = pair();
  const [a] = all.stores;
  const owed = () => {
    const head = { from: 102, clock: 1, cleared: 0 };
    all.gossips[1].receive(0, new MessageWriter().write({ ...head, type: MESSAGE.pull, known: new Map() }));
    const message = readMessage(all.waiting.pop()!.bytes);
    assert(message.type === MESSAGE.delta);
    return [...message.owed];
  };
  for (let i = 0; i < 300; i++) set(a, i);
  all.gossips[1].round(() => 0);
  while (all.stores[1].stats().entries === 0) {
    const { to, bytes } = all.waiting.shift()!;
    all.gossips[to].receive(0, bytes);
  }
  assertEquals(owed(), [[100, a.history.knownOf(100)]]);
  deliver(all);
  assertEquals([all.stores[1].stats().entries, owed()], [300, []]);
});

for (const owed of [[], [[7, 5]]] as [number, number][][]) {
  const is = owed.length > 0 ? "refuses" : "takes";
  Deno.test(`Gossip ${is} an old write of one who knows as much when ${owed.length} origins are owed to it`, () => {
    const all = pair({ maxGraves: 1 });
    const [a] = all.stores;
    const version = { h: a.clock + 1, origin: 102 };
    for (let i = 10; i < 20; i++) {
      set(a, i);
      a.delete(key(i));
    }
    const known = new Map([[100, a.history.knownOf(100)], [102, version.h]]);
    const entry = { flags: 0, value: key(1), ttlMs: Infinity, remainingMs: Infinity };
    const news: Message = { type: MESSAGE.news, from: 102, clock: 1, cleared: 0, origin: 102, last: version.h };
    all.gossips[0].receive(0, new MessageWriter().write(news)); // which it asks for
    const message: Message = {
      type: MESSAGE.delta,
      ...{ from: 102, clock: 1, cleared: 0, to: 100 },
      ...{ known, upTo: new Map([[102, version.h]]), lossy: new Map(), owed: new Map(owed), more: false },
      writes: [{ key: key(1), version, kind: ENTRY, entry }],
    };
    all.gossips[0].receive(0, new MessageWriter().write(message));
    assertEquals(get(a, 1), owed.length > 0 ? undefined : "key:1");
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
  assertEquals(all.types.slice(1), [MESSAGE.news, MESSAGE.pull, MESSAGE.delta]);
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
  const none = { to: 100, upTo: new Map(), lossy: new Map(), owed: new Map(), writes: [], more: false };
  const future = new Map([[101, far]]);
  const messages: Message[] = [
    { ...head, type: MESSAGE.sync, digest: 0, cleared: far },
    { ...head, type: MESSAGE.known, known: future, turn: 0 },
    { ...head, type: MESSAGE.push, origin: 101, before: 0, last: far, sentTo: [], writes: [write] },
    { ...head, type: MESSAGE.news, origin: 101, last: far },
    { ...head, type: MESSAGE.delta, ...none, known: future },
    { ...head, type: MESSAGE.delta, ...none, known: future, upTo: future },
    { ...head, type: MESSAGE.delta, ...none, known: future, lossy: future },
    { ...head, type: MESSAGE.delta, ...none, known: new Map(), owed: future },
    { ...head, type: MESSAGE.delta, ...none, known: future, writes: [write] },
  ];
  const all = pair();
  const [gossip] = all.gossips;
  for (const message of messages) gossip.receive(0, new MessageWriter().write(message));
  assertEquals([gossip.stats.fromFuture, all.waiting.length], [messages.length, 0]);
  set(all.stores[0], 1);
  assertEquals(get(all.stores[0], 1), "value 1");
  assertEquals(all.stores[0].history.knownOf(101), 0);
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
