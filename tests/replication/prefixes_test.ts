/** Clears of prefixes between nodes: what they are told, what they take, and what becomes of those that are held no more. */

import { assert, assertEquals } from "@std/assert";
import { type ByteSpan, spanOf } from "../../lib/base/byte_span.ts";
import { MESSAGE, MORE, type Page } from "../../lib/replication/message.ts";
import { MAX_PASSED_OVER, pageFor, placesBefore, verifiedFor } from "../../lib/replication/pages.ts";
import { ENTRY, GHOST, PREFIX, TOMB } from "../../lib/store/entry.ts";
import { ALL_RULES } from "../../lib/store/rules.ts";
import type { Store } from "../../lib/store/store.ts";
import {
  get,
  hit,
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
} from "../support/gossip_nodes.ts";
import { bareWrite, entryWrite } from "../support/peer_messages.ts";
import { maintain, span } from "../support/store_entries.ts";
import { knowsAll, knowsNothing, NOW_MS, replicatingStore } from "../support/stores.ts";

/** The keys that a store has, of the first so many. */
function keysOf(store: Store, most = 30): number[] {
  return Array.from({ length: most }, (_, i) => i).filter((i) => get(store, i) !== undefined);
}

/** How many clears of prefixes a store holds. */
function heldBy({ history, reader }: Store): number {
  return [...history.logs.ascending(0)].filter((position) => reader.kind(position) === PREFIX).length;
}

/** A write of origin 7 with a version near those of a store, under a key. */
function theirs(store: Store, name: string, after: number, kind: number = ENTRY): boolean {
  const version = { h: store.clock + after, origin: 7 };
  const write = kind === ENTRY ? entryWrite(name, version) : bareWrite(name, version, kind);
  return store.apply(write.key, write, knowsAll(store));
}

function cut(all: Joined): void {
  all.gossips[0].disconnect(1);
  all.gossips[1].disconnect(0);
}

function link(all: Joined): void {
  all.gossips[0].connect(1);
  all.gossips[1].connect(0);
}

Deno.test("a clear of a prefix goes to all peers at once, as a write, and what is stored after it stays", () => {
  const all = join(LINE);
  const [a, , c] = all.stores;
  for (let i = 0; i < 30; i++) set(i % 2 === 0 ? a : c, i);
  settle(all);
  said(all);
  a.clearPrefix(key(1));
  set(a, 12, "after");
  settle(all);
  assertEquals(said(all), ["push 0>1", "push 1>2"]);
  const left = [0, 2, 3, 4, 5, 6, 7, 8, 9, 12, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29];
  for (const store of all.stores) {
    assertEquals([keysOf(store), get(store, 12), hit(store, 13), heldBy(store)], [left, "after", false, 1]);
    maintain(store);
    assertEquals([keysOf(store), store.stats().entries, store.stats().evictions], [left, 20, 0]);
  }
});

Deno.test("a peer that was away takes a clear of a prefix with a page, and gives nothing back that is older", () => {
  const all = pair();
  const [a, b] = all.stores;
  for (let i = 0; i < 20; i++) set(a, i);
  rounds(all, 2);
  cut(all);
  a.clearPrefix(key(1));
  maintain(a);
  set(b, 13, "older than b knows, and newer than the clear");
  all.clock.nowMs += 1000;
  set(a, 5, "after");
  link(all);
  rounds(all, 2);
  for (const store of all.stores) assertEquals(keysOf(store), [0, 2, 3, 4, 5, 6, 7, 8, 9, 13]);
});

Deno.test("a write that is older than a clear of a prefix of its key is refused, of whatever kind, and a newer one is taken", () => {
  const store = replicatingStore({ nowMs: NOW_MS });
  store.clearPrefix(span("a:"));
  const [{ known }] = store.history.origins;
  for (const kind of [ENTRY, TOMB, GHOST, PREFIX]) assertEquals(theirs(store, "a:1", -1, kind), false, `kind ${kind}`);
  assertEquals([store.stats().entries, store.history.fingerprints, heldBy(store)], [0, 0, 1]);
  assertEquals([theirs(store, "a:1", 1), theirs(store, "b:1", -1), theirs(store, "a", -2)], [true, true, true]);
  const same = { h: known, origin: 7 }; // below this node's number, 100
  const twin = { h: known, origin: 107 };
  assertEquals(store.apply(span("a:2"), entryWrite("a:2", same), knowsAll(store)), false);
  assertEquals(store.apply(span("a:2"), entryWrite("a:2", twin), knowsAll(store)), true);
  const rules = { ...ALL_RULES, prefixes: false };
  const open = replicatingStore({ nowMs: NOW_MS }, { rules });
  open.clearPrefix(span("a:"));
  assertEquals(theirs(open, "a:1", -1), true, "where the rule is switched off");
});

Deno.test("a peer's clear of a prefix removes what is older, whatever has been forgotten, once, and not what is newer", () => {
  const store = replicatingStore({ nowMs: NOW_MS });
  store.delete(span("a:4"));
  for (const [i, name] of ["a:1", "a:2", "b:1"].entries()) theirs(store, name, 10 + i);
  theirs(store, "a:3", 30);
  store.history.forgetUpTo(Number.MAX_SAFE_INTEGER);
  const write = bareWrite("a:", { h: store.clock + 20, origin: 7 }, PREFIX);
  assertEquals(store.apply(write.key, write, knowsNothing(store)), true);
  assertEquals(store.apply(write.key, write, knowsNothing(store)), false, "it is held");
  assertEquals(["a:1", "a:2", "a:3", "b:1"].map((name) => store.has(span(name))), [false, false, true, true]);
  maintain(store);
  assertEquals([...store.history.logs.ascending(0)].length, 3, "the grave of a:4 has left as well");
  const older = bareWrite("a:1", { h: write.version.h - 1, origin: 7 }, PREFIX);
  assertEquals(store.apply(older.key, older, knowsNothing(store)), false, "the newer one stands for it");
  store.history.know(write.version);
  const known = bareWrite("c:", { h: write.version.h - 5, origin: 7 }, PREFIX);
  assertEquals(store.apply(known.key, known, knowsNothing(store)), false, "it has been dealt with");
});

Deno.test("a peer that lacks a clear which is held no more is asked by name, and what it alone has of before is dropped", () => {
  const all = pair({ maxPrefixes: 1 });
  const [a] = all.stores;
  for (let i = 0; i < 20; i++) set(a, i);
  rounds(all, 2);
  cut(all);
  all.clock.nowMs += 10;
  a.clearPrefix(key(1));
  a.clearPrefix(span("other"));
  maintain(a);
  assertEquals([heldBy(a), a.history.floor > 0], [1, true]);
  link(all);
  rounds(all, 2);
  for (const store of all.stores) assertEquals(keysOf(store), [0, 2, 3, 4, 5, 6, 7, 8, 9]);
  assertEquals(all.gossips[1].verified, { verifications: 1, unconfirmed: 11, covered: 0 });
});

Deno.test("what comes of one who lacks a clear which is held no more is refused, and taken of one who knows it", () => {
  const store = replicatingStore({ nowMs: NOW_MS }, { maxPrefixes: 1 });
  store.clearPrefix(span("a:"));
  store.clearPrefix(span("b:"));
  maintain(store);
  const write = entryWrite("a:1", { h: store.history.floor - 1, origin: 7 });
  assertEquals(store.apply(write.key, write, knowsNothing(store)), false);
  assertEquals(store.apply(write.key, write, new Map([[100, store.history.floor]])), true);
});

/** A page for a node that knows nothing. */
function page(store: Store, maxWrites = 100_000, after = { h: 0, id: 0 }): Omit<Page, "to"> {
  const size = { maxWrites, maxBytes: Infinity, rules: ALL_RULES, known: store.history.known, inCommon: true };
  return pageFor(store, { question: 1, known: new Map(), after }, size);
}

Deno.test("what has been cleared and is not erased yet is given to nobody, and a message passes over so much of it at most", () => {
  const store = replicatingStore({ nowMs: NOW_MS });
  const count = 2 * MAX_PASSED_OVER + 10;
  for (let i = 0; i < count; i++) store.set(span(`a:${i}`), { flags: 0, value: spanOf(new Uint8Array(8)), ttlMs: 0 });
  set(store, 1);
  store.clearPrefix(span("a:"));
  const kinds: number[][] = [];
  const whole: Omit<Page, "to">[] = [page(store)];
  while (whole.at(-1)!.more === MORE.writes) {
    const { h, origin } = whole.at(-1)!.writes.at(-1)!.version;
    whole.push(page(store, 100_000, { h, id: origin }));
  }
  for (const { writes } of whole) kinds.push(writes.map(({ kind }) => kind));
  assertEquals(kinds, [[GHOST], [GHOST], [ENTRY, PREFIX]]);
  const first = placesBefore(store, { h: Infinity, id: 0 }, 100);
  assertEquals([first.places.length, first.more], [2, true], "the one that lives, and where the list goes on");
  maintain(store);
  assertEquals(placesBefore(store, { h: Infinity, id: 0 }, 100).places, first.places.slice(0, 1));
  assertEquals(page(store).writes.map(({ kind }) => kind), [ENTRY, PREFIX]);
});

Deno.test("an entry that a held clear is newer than is not confirmed", () => {
  const all = join(PAIR);
  const [a] = all.stores;
  const name = (at: ByteSpan, h: number) => ({ key: at, version: { h, origin: 7 }, kind: 0 });
  const h = a.newStamp();
  a.clearPrefix(span("a:"));
  const question = { from: 7, clock: 0, cleared: 0, question: 2, known: new Map() };
  const writes = [name(span("a:1"), h), name(span("b:1"), h), name(span("a:1"), a.clock + 1)];
  assertEquals(verifiedFor(a, { ...question, writes }).confirmed, [false, true, true]);
});

Deno.test("a clear of a prefix that comes while writes wait to be told does not leave peers without them", () => {
  const all = join(PAIR);
  const [a, b] = all.stores;
  set(a, 1);
  set(a, 2);
  a.clearPrefix(key(1));
  settle(all);
  const pushes = all.sent.flatMap(({ message }) => message.type === MESSAGE.push ? [message] : []);
  assertEquals(pushes.map(({ writes }) => writes.map(({ kind }) => kind)), [[ENTRY, PREFIX]]);
  assertEquals([keysOf(b), b.history.knownOf(100) === a.history.knownOf(100)], [[2], true]);
  assert(round(all) < 200, "they are in step");
});

Deno.test("peers ask for what a clear has removed that is held no more when they are told of it", () => {
  const all = join(PAIR, { maxPrefixes: 1 });
  const [a, b] = all.stores;
  for (let i = 0; i < 20; i++) set(b, i);
  settle(all);
  said(all);
  a.clearPrefix(key(1));
  a.clearPrefix(span("other"));
  settle(all);
  assertEquals(said(all)[0], "news 0>1");
  assertEquals(all.stores.map((store) => keysOf(store)), [[0, 2, 3, 4, 5, 6, 7, 8, 9], [0, 2, 3, 4, 5, 6, 7, 8, 9]]);
});
