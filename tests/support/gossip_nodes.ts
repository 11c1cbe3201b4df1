/** Nodes that gossip with each other, message by message, as far and as fast as a test lets them. */

import { assert } from "@std/assert";
import { type ByteSpan, spanOf } from "../../lib/base/byte_span.ts";
import type { Gossip } from "../../lib/replication/gossip.ts";
import { MESSAGE, type Message, MessageWriter, MORE, type Page } from "../../lib/replication/message.ts";
import { readMessage } from "../../lib/replication/message_reader.ts";
import type { Rules } from "../../lib/store/rules.ts";
import { ENTRY } from "../../lib/store/entry.ts";
import type { PeerFeature } from "../../lib/wire/hello.ts";
import type { Store } from "../../lib/store/store.ts";
import { gossipNode, knowsAll, NOW_MS, type TestClock } from "./stores.ts";

/** A message that one node has sent to another. */
export interface Sent {
  readonly from: number;
  readonly to: number;
  readonly message: Message;
  readonly bytes: Uint8Array;
}

/** Nodes in any arrangement; the origin of node `i` is `100 + i`, and a link's number is the node that it leads to. */
export interface Joined {
  readonly stores: Store[];
  readonly gossips: Gossip[];
  readonly clock: TestClock;
  /** Messages on their way; a test may drop, repeat or hold back what it likes. */
  readonly waiting: Sent[];
  /** All messages sent since `said` was called. */
  readonly sent: Sent[];
  /** Bytes of all messages ever sent. */
  sentBytes: number;
  /** How often each node said that there is something to flush. */
  readonly waitings: number[];
}

/** What nodes are like: one value for all, or one for each. */
export interface JoinSettings {
  readonly eager?: boolean;
  readonly maxWrites?: number;
  readonly maxSize?: number | readonly number[];
  readonly maxGraves?: number | readonly number[];
  readonly maxForgotten?: number | readonly number[];
  readonly maxPrefixes?: number | readonly number[];
  readonly ttlMs?: number;
  readonly rules?: Rules;
  readonly maxListed?: number;
  readonly maxOrigins?: number;
  /** What the two ends of each link have agreed on. */
  readonly features?: readonly PeerFeature[];
  readonly sweepPlaces?: number;
}

/** Links by the nodes at their ends. */
export type Links = readonly (readonly [number, number])[];

/** Two nodes. */
export const PAIR: Links = [[0, 1]];
/** Three nodes, of which the second is between the others. */
export const LINE: Links = [[0, 1], [1, 2]];
/** Three nodes, of which the last is between the others. */
export const HUB: Links = [[0, 2], [1, 2]];
/** Number of a link to nobody: what a test says by it comes from a stranger, and what is sent by it is lost. */
export const STRANGER = 50;
/** The place before all writes. */
export const START = { h: 0, id: 0 };
/** What a page holds that says nothing: nothing is known, nothing comes after it. */
export const NO_PAGE: Omit<Page, "to" | "question"> = {
  known: new Map(),
  lossy: new Map(),
  writes: [],
  more: MORE.nothing,
  departures: [],
  cursor: { cell: 0, moves: 0 },
};

/** Messages that nodes may exchange until they come to rest. */
const MOST_MESSAGES = 100_000;

/** Nodes that are peers where there is a link; they tell each other of writes at once unless `eager` is false. */
export function join(links: Links, settings: JoinSettings = {}): Joined {
  const { eager = true, maxWrites, maxSize, maxGraves, maxForgotten, ttlMs, rules, maxListed, sweepPlaces } = settings;
  const all: Joined = {
    stores: [],
    gossips: [],
    clock: { nowMs: NOW_MS },
    waiting: [],
    sent: [],
    sentBytes: 0,
    waitings: [],
  };
  const count = 1 + Math.max(...links.flat());
  for (let i = 0; i < count; i++) {
    const send = (to: number, bytes: Uint8Array) => sendTo(all, i, to, bytes.slice());
    const onWaiting = () => void all.waitings[i]++;
    const { store, gossip } = gossipNode(all.clock, 100 + i, {
      store: {
        maxSize: of(i, maxSize) ?? Infinity,
        maxGraves: of(i, maxGraves),
        maxForgotten: of(i, maxForgotten),
        maxPrefixes: of(i, settings.maxPrefixes),
        ttlMs: ttlMs ?? 0,
        rules,
        maxListed,
        maxOrigins: settings.maxOrigins,
      },
      gossip: { eager, maxWrites, sweepPlaces, send, onWaiting },
    });
    all.stores.push(store);
    all.gossips.push(gossip);
    all.waitings.push(0);
  }
  for (const [one, other] of links) {
    all.gossips[one].connect(other, settings.features);
    all.gossips[other].connect(one, settings.features);
  }
  return all;
}

/** Two nodes that tell each other of writes in rounds alone, unless `eager` is true. */
export function pair(settings: JoinSettings = {}): Joined {
  return join(PAIR, { eager: false, ...settings });
}

function of(i: number, setting: number | readonly number[] | undefined): number | undefined {
  return setting === undefined || typeof setting === "number" ? setting : setting[i];
}

function sendTo(all: Joined, from: number, to: number, bytes: Uint8Array): void {
  const sent = { from, to, bytes, message: readMessage(bytes) };
  all.waiting.push(sent);
  all.sent.push(sent);
  all.sentBytes += bytes.length;
}

/** Takes one message to where it goes; afterwards all nodes tell what they have to tell. */
export function step({ gossips, waiting }: Joined): void {
  const { from, to, bytes } = waiting.shift()!;
  gossips[to]?.receive(from, bytes);
  for (const gossip of gossips) gossip.flush();
}

/** Lets the nodes tell what they have to tell, and takes messages where they go until there are no more. */
export function settle(all: Joined): void {
  for (const gossip of all.gossips) gossip.flush();
  for (let messages = 0; all.waiting.length > 0; messages++) {
    if (messages === MOST_MESSAGES) throw new Error(`nodes do not come to rest in ${MOST_MESSAGES} messages`);
    step(all);
  }
}

/** Rounds of all nodes, each of which comes to rest. */
export function rounds(all: Joined, count = 1): void {
  for (; count > 0; count--) {
    for (const gossip of all.gossips) gossip.round(() => 0);
    settle(all);
  }
}

/** A round begun by the first node, which comes to rest. Returns the bytes it took. */
export function round(all: Joined): number {
  const before = all.sentBytes;
  all.gossips[0].round(() => 0);
  settle(all);
  return all.sentBytes - before;
}

/** What was sent since the last time, as "type from>to". */
export function said(all: Joined): string[] {
  const names = Object.fromEntries(Object.entries(MESSAGE).map(([name, type]) => [type, name]));
  return all.sent.splice(0).map(({ from, to, message }) => `${names[message.type]} ${from}>${to}`);
}

/** Lets a node hear a message by a link. Returns what `receive` does. */
export function tell({ gossips }: Joined, node: number, link: number, message: Message): boolean {
  assert(gossips[node].peer(link) !== undefined, `node ${node} has no link ${link}, and would not listen`);
  return gossips[node].receive(link, new MessageWriter().write(message));
}

/** The bytes of a key by its number. */
export function key(i: number): ByteSpan {
  return spanOf(new TextEncoder().encode(`key:${i}`));
}

/** Stores text under a key. */
export function set(store: Store, i: number, value = `value ${i}`, ttlMs?: number): void {
  assert(store.set(key(i), { flags: 0x4f430001, value: spanOf(new TextEncoder().encode(value)), ttlMs }));
}

/** The text under a key, which is not used by that. */
export function get(store: Store, i: number): string | undefined {
  const position = store.peek(key(i));
  if (position === 0) return undefined;
  const value = new Uint8Array(store.reader.valueBytes(position));
  store.reader.copyValue(position, value, 0);
  return new TextDecoder().decode(value);
}

/** Uses a key. Returns whether it has an entry. */
export function hit(store: Store, i: number): boolean {
  return store.get(key(i)) !== 0;
}

/** When the entry of a key expires. */
export function deadline(store: Store, i: number): number {
  return store.reader.deadlineMs(store.peek(key(i)));
}

/** Applies a write of another origin, which is known by that. Returns whether it was news. */
export function applyFrom(store: Store, origin: number, i: number, h = 4096 + i): boolean {
  const value = spanOf(new TextEncoder().encode(`value ${i}`));
  const entry = { flags: 0, value, ttlMs: Infinity, remainingMs: Infinity };
  const version = { h, origin };
  const isNews = store.apply(key(i), { version, kind: ENTRY, entry }, knowsAll(store));
  store.history.know(version);
  return isNews;
}

/** Lets the second of some nodes take one page of what the first has, which then is gone for a while or for ever. */
export function breakOff(all: Joined): void {
  all.gossips[0].connect(1);
  all.gossips[1].connect(0);
  all.gossips[1].ask(0);
  const { applied } = all.gossips[1].stats;
  while (all.gossips[1].stats.applied === applied) {
    assert(all.waiting.length > 0, "the first node gives nothing");
    step(all);
  }
  all.waiting.length = 0;
  all.gossips[0].disconnect(1);
  all.gossips[1].disconnect(0);
}
