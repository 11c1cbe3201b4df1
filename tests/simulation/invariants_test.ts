/** Each invariant: a situation made by hand that breaks it is found and named, and one that does not is passed over. */

import type { Records } from "../../lib/store/records.ts";
import { assert, assertEquals } from "@std/assert";
import { type ByteSpan, spanOf } from "../../lib/base/byte_span.ts";
import { MESSAGE, type Message, TOUCH, type Write } from "../../lib/replication/message.ts";
import { Invariants } from "../../lib/simulation/invariants.ts";
import { type Scenario, SCENARIOS } from "../../lib/simulation/scenarios.ts";
import { showVersion } from "../../lib/simulation/trace.ts";
import { ENTRY, TOMB } from "../../lib/store/entry.ts";
import { ALL_RULES } from "../../lib/store/rules.ts";
import type { Store } from "../../lib/store/store.ts";
import type { Version } from "../../lib/store/version.ts";
import { key, NO_PAGE } from "../support/gossip_nodes.ts";
import {
  type GossipNode,
  gossipNode,
  knowsAll,
  NOW_MS,
  type StoreSettings,
  type TestClock,
} from "../support/stores.ts";

interface Court {
  readonly clock: TestClock;
  readonly nodes: GossipNode[];
  readonly invariants: Invariants;
  /** What has been found since it was last looked at. */
  readonly found: string[];
}

/** A node that does not join its peers, unless it has rounds left for that. */
function nodeOf(clock: TestClock, origin: number, store: StoreSettings = {}, joinRounds = 0): GossipNode {
  const node = gossipNode(clock, origin, { store, gossip: { joinRounds } });
  node.gossip.round(() => 0); // with the first round it knows that there is none left
  assertEquals(node.gossip.isJoining, joinRounds > 0);
  return node;
}

/** Nodes under judgement that are not linked: what passes between them, a test does by hand. */
function court(differences: Partial<Scenario> = {}, joinRounds = 0): Court {
  const clock = { nowMs: NOW_MS };
  const scenario: Scenario = { ...SCENARIOS[0], nodes: 2, keys: 5, ...differences };
  const nodes = Array.from({ length: scenario.nodes }, (_, i) => nodeOf(clock, 100 + i, {}, joinRounds));
  const found: string[] = [];
  const invariants = new Invariants(scenario, nodes, (what) => void found.push(what));
  for (const i of nodes.keys()) invariants.started(i);
  return { clock, nodes, invariants, found };
}

function valueOf(number: number): ByteSpan {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, number);
  return spanOf(bytes);
}

/** A client of a node stores a number. */
function use({ nodes, invariants }: Court, i: number, k: number, value = 1, ttlMs = 0): Version {
  nodes[i].store.set(key(k), { flags: 0, value: valueOf(value), ttlMs });
  invariants.used(i, k, value);
  return versionOf(nodes[i].store, k);
}

function versionOf(store: Store, k: number): Version {
  const version = store.versionOf(key(k));
  assert(version !== undefined);
  return version;
}

function write(k: number, version: Version, value = 1): Write {
  const entry = { flags: 0, value: valueOf(value), ttlMs: Infinity, remainingMs: Infinity };
  return { key: key(k), version, kind: ENTRY, entry };
}

function nameOf(k: number, version: Version): string {
  return `key ${k}: ${showVersion(version)}`;
}

const HEAD = { from: 101, clock: 0, cleared: 0 };

function pushOf(...writes: Write[]): Message {
  return { ...HEAD, type: MESSAGE.push, origin: 101, before: 0, last: 9, sentTo: [], writes };
}

function touchOf(k: number, version: Version): Message {
  const writes = [{ key: key(k), version, kind: TOUCH, remainingMs: 1 }];
  return { ...HEAD, type: MESSAGE.touch, sentTo: [], writes };
}

function pageFor(to: number, ...writes: Write[]): Message {
  return { ...HEAD, type: MESSAGE.page, to, question: 1, ...NO_PAGE, known: new Map([[101, 9]]), writes };
}

/** A node takes a write, by a message that holds it. */
function take({ nodes, invariants }: Court, i: number, one: Write): void {
  invariants.takes(i, pushOf(one), () => void nodes[i].store.apply(one.key, one, knowsAll(nodes[i].store)));
}

/** A node that starts again in the place of another, of which the judge is not told. */
function replace({ clock, nodes }: Court, i: number, settings: StoreSettings = {}): Store {
  nodes[i] = nodeOf(clock, nodes[i].origin, settings);
  return nodes[i].store;
}

Deno.test("Invariants finds nothing in what is right: writes, deletions, expiry, what is passed on, and rest", () => {
  const all = court();
  const [a, b] = all.nodes;
  use(all, 0, 1, 11);
  use(all, 0, 2, 12, 10);
  const one = write(1, versionOf(a.store, 1), 11);
  take(all, 1, one);
  a.store.delete(key(1));
  all.invariants.used(0, 1);
  take(all, 1, { key: key(1), version: versionOf(a.store, 1), kind: TOMB });
  all.clock.nowMs += 20;
  for (const i of all.nodes.keys()) all.invariants.look(i);
  use(all, 1, 3, 13);
  const three = write(3, versionOf(b.store, 3), 13);
  take(all, 0, three);
  all.invariants.sent(0, pushOf(one), 100);
  all.invariants.atRest();
  assertEquals(all.found, []);
});

Deno.test("Invariants.sent() finds too many writes in a message, and too many bytes", () => {
  const all = court({ maxWrites: 2 });
  const one = write(1, { h: 5, origin: 100 });
  all.invariants.sent(0, pushOf(one, one), 200);
  assertEquals(all.found, []);
  all.invariants.sent(0, pushOf(one, one, one), 200);
  assertEquals(all.found.splice(0), ["bounds: node 0 sends 3 writes at once"]);
  const most = 64 + 2 * 64 + 48; // its own origin, and one more
  all.invariants.sent(0, pushOf(one), most);
  assertEquals(all.found, []);
  all.invariants.sent(0, pushOf(one), most + 1);
  assertEquals(all.found, [`bounds: node 0 sends ${most + 1} bytes with 1 writes of 1 origins`]);
});

Deno.test("Invariants.takes() finds a write that comes again after it has left", () => {
  const all = court();
  const one = write(1, { h: 5, origin: 101 });
  take(all, 0, one);
  all.nodes[0].store.distrust(all.nodes[0].store.peek(key(1)));
  const { history } = replace(all, 0, { rules: { ...ALL_RULES, cover: false } });
  take(all, 0, one);
  assertEquals(all.found.filter((what) => what.includes("takes in")), [], "it was not known: an orphan may come back");
  history.know(one.version);
  all.nodes[0].store.distrust(all.nodes[0].store.peek(key(1)));
  take(all, 0, one);
  assertEquals(all.found[0], `resurrected: node 0 takes in ${nameOf(1, one.version)} again`);
  const joining = court({}, 60);
  for (const isFill of [false, true]) {
    const { store } = joining.nodes[0];
    joining.invariants.takes(
      0,
      pageFor(100, one),
      () => void store.apply(one.key, one, new Map(), isFill ? "known" : undefined),
    );
    assert(store.peek(key(1)) !== 0);
    store.history.know(one.version);
    store.distrust(store.peek(key(1)));
  }
  assertEquals(
    joining.found.filter((what) => what.includes("takes in")),
    [],
    "a node that joins takes in what it knows",
  );
});

Deno.test("Invariants.takes() finds a touch that brings an entry", () => {
  const all = court();
  const one = write(1, { h: 5, origin: 101 });
  all.invariants.takes(
    0,
    touchOf(1, one.version),
    () => void all.nodes[0].store.apply(one.key, one, knowsAll(all.nodes[0].store)),
  );
  assertEquals(all.found, [`resurrected: a touch brings ${nameOf(1, one.version)} to node 0`]);
});

Deno.test("Invariants.takes() finds a deadline that moves without a touch, by another's touch, or nearer", () => {
  const all = court();
  const [{ store }] = all.nodes;
  const version = use(all, 0, 1, 1, 1000);
  const move = (ms: number) => () => {
    const position = store.peek(key(1));
    const records = store.reader as Records; // no call of the store moves a deadline wrongly
    records.setDeadlineMs(position, records.deadlineMs(position) + ms);
  };
  all.invariants.takes(0, touchOf(1, version), move(1));
  assertEquals(all.found, []);
  all.invariants.takes(0, pushOf(write(1, version)), move(1));
  assertEquals(all.found.splice(0), [`clock: the deadline of ${nameOf(1, version)} at node 0 moves without a touch`]);
  const other = { h: 5, origin: 101 };
  all.invariants.takes(0, touchOf(1, other), move(1));
  assertEquals(all.found.splice(0), [`clock: the deadline of ${nameOf(1, version)} moves with ${showVersion(other)}`]);
  all.invariants.takes(0, touchOf(1, version), move(-1));
  assertEquals(all.found, [`clock: a touch takes time from ${nameOf(1, version)} at node 0`]);
});

Deno.test("Invariants.takes() finds a write that a node with room has lost, though its sender knew all", () => {
  const lose = (all: Court, message: Message) =>
    all.invariants.takes(0, message, () => void all.nodes[0].gossip.stats.applied++);
  const one = write(1, { h: 5, origin: 101 });
  const all = court();
  lose(all, pageFor(100, one));
  assertEquals(all.found, [`lost: node 0 loses ${nameOf(1, one.version)}`]);
  const expired = { ...one, entry: { ...one.entry!, remainingMs: 0 } };
  const passedOver: [name: string, message: Message, differences?: Partial<Scenario>][] = [
    ["for another", pageFor(99, one)],
    ["no page", pushOf(one)],
    ["a grave", pageFor(100, { key: key(1), version: one.version, kind: TOMB })],
    ["expired", pageFor(100, expired)],
    ["no room", pageFor(100, one), { maxSize: 4 }],
  ];
  for (const [name, message, differences] of passedOver) {
    const other = court(differences);
    lose(other, message);
    assertEquals(other.found, [], name);
  }
  const ahead = court();
  use(ahead, 0, 2); // its sender does not know that
  lose(ahead, pageFor(100, one));
  assertEquals(ahead.found, []);
});

Deno.test("Invariants.takes() passes over what a node had dealt with, has cleared, holds, or has not taken", () => {
  const one = write(1, { h: 5, origin: 101 });
  const page = pageFor(100, one);
  const isFound = (prepare: (store: Store) => void, take?: (store: Store) => void) => {
    const all = court();
    const [{ store, gossip }] = all.nodes;
    prepare(store);
    all.invariants.takes(0, page, () => {
      gossip.stats.applied++;
      take?.(store);
    });
    return all.found.length > 0;
  };
  assertEquals(isFound(() => {}), true);
  assertEquals([4, 5].map((h) => isFound(({ history }) => history.know({ h, origin: 101 }))), [true, false]);
  assertEquals([4, 5].map((h) => isFound(({ history }) => void (history.cleared = h))), [true, false]);
  const isFoundBeside = (h: number) =>
    // beside an orphan that has left
    isFound((store) => {
      store.apply(key(2), write(2, { h, origin: 101 }), knowsAll(store));
      store.distrust(store.peek(key(2)));
    });
  assertEquals([5, 10].map(isFoundBeside), [true, false], "the page's sender does not know all that has left");
  assertEquals(isFound(() => {}, (store) => void store.apply(one.key, one, knowsAll(store))), false);
  const all = court();
  all.nodes[0].gossip.stats.applied = all.nodes[0].gossip.stats.repeated = 3;
  all.invariants.takes(0, page, () => {});
  assertEquals(all.found, [], "a late page");
});

Deno.test("Invariants.look() finds an entry that nobody brought", () => {
  const all = court();
  const one = write(1, { h: 5, origin: 101 });
  all.nodes[0].store.apply(one.key, one, knowsAll(all.nodes[0].store));
  all.invariants.look(0);
  assertEquals(all.found, [`resurrected: ${nameOf(1, one.version)} appears at node 0`]);
});

Deno.test("Invariants.look() finds too many graves", () => {
  const all = court({ maxGraves: 2 });
  for (const k of [1, 2, 3]) {
    use(all, 0, k);
    all.nodes[0].store.delete(key(k));
    all.invariants.look(0);
    assertEquals(all.found, k < 3 ? [] : ["bounds: node 0 has 3 graves"]);
  }
});

Deno.test("Invariants finds an older version that is served after a newer, be that a grave", () => {
  for (const isDeleted of [false, true]) {
    const all = court();
    use(all, 0, 1);
    const { store } = all.nodes[0];
    if (isDeleted) store.delete(key(1));
    else use(all, 0, 1);
    all.invariants.look(0);
    const newer = versionOf(store, 1);
    const older = { h: newer.h - 1, origin: 100 };
    const again = replace(all, 0);
    again.history.know(newer);
    const position = again.apply(key(1), write(1, { h: older.h, origin: 101 }), knowsAll(again));
    assert(position);
    all.found.length = 0;
    all.invariants.look(0);
    const [served, before] = [{ h: older.h, origin: 101 }, newer].map(showVersion);
    assert(all.found.includes(`stale: node 0 serves ${served} of key 1 after ${before}`), all.found.join("; "));
  }
});

Deno.test("Invariants finds a node that knows less than before, or no longer knows an origin", () => {
  const all = court();
  const [{ store }] = all.nodes;
  store.history.know({ h: 9, origin: 7 });
  use(all, 0, 1);
  store.history.knowledge.get(7).known = 8;
  all.invariants.used(0, 1);
  assertEquals(all.found.splice(0), ["bounds: node 0 knows less of 7 than before"]);
  const own = store.history.knownOf(100);
  replace(all, 0).history.know({ h: own, origin: 100 });
  all.invariants.used(0, 1);
  assertEquals(all.found, ["bounds: node 0 no longer knows of 1 origins"]);
});

Deno.test("Invariants finds a node that has forgotten what it has neither known nor been told", () => {
  const all = court();
  const [{ store }] = all.nodes;
  const one = write(1, { h: 5, origin: 7 });
  take(all, 0, one);
  store.history.forget({ h: 5, origin: 7 });
  all.invariants.used(0, 2);
  assertEquals(all.found, []);
  store.history.forget({ h: 6, origin: 7 });
  all.invariants.used(0, 2);
  assertEquals(all.found, ["bounds: node 0 has forgotten of 7 what it has not known"]);
});

Deno.test("Invariants.atRest() finds a node that has not heard of the last clear", () => {
  const all = court();
  all.nodes[0].store.clear();
  all.invariants.atRest();
  assertEquals(all.found, ["diverged: node 1 has not heard of the last clear"]);
});

Deno.test("Invariants.atRest() finds a live entry from before a clear", () => {
  const all = court({ nodes: 1 });
  const version = use(all, 0, 1);
  all.nodes[0].store.history.cleared = version.h;
  all.invariants.atRest();
  assertEquals(all.found, [`resurrected: node 0 keeps ${nameOf(1, version)} from before a clear`]);
});

Deno.test("Invariants.atRest() finds a node that keeps an older version than another has", () => {
  const all = court({ maxSize: 1 }); // no room: nothing has to be everywhere
  const older = use(all, 0, 1, 1);
  take(all, 1, write(1, older, 1));
  const newer = use(all, 0, 1, 2);
  all.invariants.atRest();
  assertEquals(all.found, [`stale: node 1 keeps ${nameOf(1, older)}, not ${showVersion(newer)}`]);
});

Deno.test("Invariants.atRest() finds a version that has another value than was stored", () => {
  const all = court();
  const version = use(all, 0, 1, 1);
  take(all, 1, write(1, version, 2));
  all.invariants.atRest();
  assertEquals(all.found, [`diverged: ${nameOf(1, version)} differs at node 1`]);
});

Deno.test("Invariants.atRest() finds different entries where there is room for all, and there alone", () => {
  for (const differences of [{}, { maxSize: 4 }, { maxGraves: 4 }, { maxSize: [1000, 1000] }]) {
    const all = court(differences);
    const version = use(all, 0, 1);
    all.invariants.atRest();
    const message = `diverged: nodes with room for all hold different entries: ${nameOf(1, version)}`;
    assertEquals(all.found, Object.keys(differences).length === 0 ? [message] : []);
  }
});

Deno.test("Invariants.mostSent counts what each node lacks twice, and a page for each of its links", () => {
  const all = court({ maxWrites: 0.5 }); // pages over long ways hold four times as much
  assertEquals(all.invariants.mostSent, 0);
  for (const k of [1, 2, 3]) use(all, 0, k);
  assertEquals(all.invariants.mostSent, 2 * 3 + 2);
  all.nodes[1].store.history.know(versionOf(all.nodes[0].store, 2));
  assertEquals(all.invariants.mostSent, 2 * 1 + 1);
  const joining = court({ maxWrites: 0.5 }, 60);
  for (const k of [1, 2, 3]) use(joining, 0, k);
  assertEquals(joining.invariants.mostSent, 2 * 3 + 2 + 3, "and all that the others hold, of a node that joins them");
});

Deno.test("Invariants.started() begins a life in which nothing has been held or known", () => {
  const all = court();
  const one = write(1, { h: 5, origin: 101 });
  take(all, 0, one);
  replace(all, 0);
  all.invariants.started(0);
  take(all, 0, one);
  all.invariants.look(0);
  assertEquals(all.found, []);
});

Deno.test("Invariants.look() finds a node that claims to know a write of which it has no trace, unless it says so", () => {
  const all = court();
  const version = use(all, 0, 1);
  const { history } = all.nodes[1].store;
  all.invariants.look(1);
  assertEquals(all.found, []);
  history.know(version);
  all.invariants.look(1);
  assertEquals(all.found.splice(0), [`lost: node 1 claims to know ${nameOf(1, version)}, and has no trace of it`]);
  history.forget(version);
  all.invariants.look(1);
  assertEquals(all.found, []);
});

Deno.test("Invariants.look() takes what is forgotten under an adopted number for a trace, but not under another origin", () => {
  for (const [by, isTrace] of [[7, true], [100, false]] as const) {
    const all = court();
    const version = use(all, 0, 1);
    const { history } = all.nodes[1].store;
    history.know(version);
    all.nodes[1].store.history.forget({ h: version.h + (by === 100 ? -1 : 0), origin: by });
    all.invariants.look(1);
    assertEquals(all.found.length, isTrace ? 0 : 1);
  }
});

Deno.test("Invariants.look() finds an older copy of a write that is known, even if the write is forgotten", () => {
  const all = court();
  const older = use(all, 0, 1);
  take(all, 1, write(1, older));
  const newer = use(all, 0, 1);
  const { history } = all.nodes[1].store;
  all.invariants.look(1);
  assertEquals(all.found, []);
  history.know(newer);
  history.forget(newer);
  all.invariants.look(1);
  assertEquals(all.found, [`stale: node 1 serves ${showVersion(older)} of key 1, and knows of ${nameOf(1, newer)}`]);
  all.nodes[1].store.history.cleared = newer.h;
  all.found.length = 0;
  all.invariants.look(1);
  assertEquals(all.found, []);
});

Deno.test("Invariants.takes() finds an entry dropped, or a write refused, for no reason, where all is to be kept", () => {
  for (const keeps of [true, false]) {
    const all = court({ keeps });
    const [one, two] = [use(all, 0, 1), use(all, 0, 2)];
    take(all, 1, write(1, one));
    const { store, gossip } = all.nodes[1];
    all.invariants.takes(1, { ...HEAD, type: MESSAGE.verified, to: 101, question: 1, confirmed: [false] }, () => {
      store.distrust(store.peek(key(1)));
    });
    all.invariants.takes(1, pushOf(write(2, two)), () => void gossip.stats.repeated++);
    assertEquals(all.invariants.kept, { needed: 0, needless: 1, refused: 1 });
    const losses = [`loses ${nameOf(1, one)}`, `refuses ${nameOf(2, two)}`];
    assertEquals(all.found, keeps ? losses.map((what) => `lost: node 1 ${what} for no reason`) : []);
  }
});
