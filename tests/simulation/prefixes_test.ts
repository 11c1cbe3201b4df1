/** What invariants say of clears of prefixes: a situation made by hand that breaks one is found and named. */

import { assertEquals } from "@std/assert";
import type { ByteSpan } from "../../lib/base/byte_span.ts";
import { MESSAGE, type Message, type Write } from "../../lib/replication/message.ts";
import { Invariants } from "../../lib/simulation/invariants.ts";
import { heldClears, keysUnder } from "../../lib/simulation/prefixes.ts";
import { type Scenario, SCENARIOS } from "../../lib/simulation/scenarios.ts";
import { describe } from "../../lib/simulation/trace.ts";
import { PREFIX } from "../../lib/store/entry.ts";
import { ALL_RULES } from "../../lib/store/rules.ts";
import { key } from "../support/gossip_nodes.ts";
import { entryWrite } from "../support/peer_messages.ts";
import { span } from "../support/store_entries.ts";
import { type GossipNode, gossipNode, knowsAll, NOW_MS, type StoreSettings } from "../support/stores.ts";

interface Court {
  readonly node: GossipNode;
  readonly invariants: Invariants;
  readonly found: string[];
}

/** A node under judgement. */
function court(settings: StoreSettings = {}, differences: Partial<Scenario> = {}): Court {
  const node = gossipNode({ nowMs: NOW_MS }, 100, { store: settings, gossip: { joinRounds: 0 } });
  node.gossip.round(() => 0);
  const found: string[] = [];
  const scenario = { ...SCENARIOS[0], keys: 20, ...differences };
  const invariants = new Invariants(scenario, [node], (what) => void found.push(what.replace(/-?[\d.]+\/\d+/g, "V")));
  invariants.started(0);
  return { node, invariants, found };
}

function clear({ node: { store }, invariants }: Court, prefix: ByteSpan): number {
  store.clearPrefix(prefix);
  invariants.cleared(0, prefix);
  return store.history.knownOf(100);
}

function pushOf(write: Write): Message {
  const { h, origin } = write.version;
  return {
    type: MESSAGE.push,
    from: origin,
    clock: 0,
    cleared: 0,
    origin,
    before: 0,
    last: h,
    sentTo: [],
    writes: [write],
  };
}

/** A node takes a write, by a push that holds it. */
function take({ node: { store }, invariants }: Court, write: Write): void {
  invariants.takes(0, pushOf(write), () => void store.apply(write.key, write, knowsAll(store)));
}

Deno.test("Invariants finds nothing in clears of prefixes as they should be", () => {
  const all = court();
  const h = clear(all, key(1));
  take(all, { ...entryWrite("key:12", { h: h - 1, origin: 7 }) });
  take(all, { ...entryWrite("key:12", { h: h + 1, origin: 7 }) });
  take(all, { key: key(12), version: { h: h + 2, origin: 7 }, kind: PREFIX });
  all.invariants.look(0);
  all.invariants.atRest();
  assertEquals(all.found, []);
});

Deno.test("Invariants finds what a node takes from before a clear of its own, and from before one that it has taken", () => {
  for (const isOwn of [true, false]) {
    const all = court({ rules: { ...ALL_RULES, prefixes: false } });
    const h = isOwn ? clear(all, key(1)) : 4096;
    if (!isOwn) take(all, { key: key(1), version: { h, origin: 7 }, kind: PREFIX });
    while (all.node.store.maintain());
    take(all, { ...entryWrite("key:12", { h: h - 1, origin: 7 }) });
    assertEquals(all.found.splice(0), ["resurrected: node 0 serves V of key 12 after V, a clear"]);
    take(all, { ...entryWrite("key:2", { h: h - 2, origin: 7 }) });
    assertEquals(all.found, [], "that is under no prefix");
  }
});

Deno.test("Invariants finds a clear that is held no more and of which nothing tells", () => {
  for (const prefixFloor of [true, false]) {
    const all = court({ maxPrefixes: 1, rules: { ...ALL_RULES, prefixFloor } });
    clear(all, key(1));
    clear(all, key(2));
    all.invariants.look(0);
    const lost = [1, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19].map((k) =>
      `lost: node 0 claims to know key ${k}: V, and has no trace of it`
    );
    assertEquals(all.found, prefixFloor ? [] : lost);
  }
});

Deno.test("Invariants finds more clears of prefixes than a node may hold", () => {
  const all = court({}, { maxPrefixes: 1 });
  clear(all, key(1));
  all.invariants.look(0);
  assertEquals(all.found, []);
  clear(all, key(2));
  all.invariants.look(0);
  assertEquals(all.found, ["bounds: node 0 holds 2 clears"]);
});

Deno.test("keysUnder() and heldClears() say which keys begin with a prefix, and which clear of them is the newest", () => {
  const keys = Array.from({ length: 13 }, (_, i) => key(i));
  assertEquals([keysUnder(key(1), keys), keysUnder(span("other"), keys)], [[1, 10, 11, 12], []]);
  const all = court();
  const [one, twelve] = [clear(all, key(1)), clear(all, key(12))];
  const { count, newest } = heldClears(all.node.store, keys);
  assertEquals([count, ...[1, 12, 2].map((k) => newest.get(k)?.h)], [2, one, twelve, undefined]);
});

Deno.test("describe() shows clears of prefixes where they are for the key", () => {
  const push = pushOf({ key: key(1), version: { h: 4096, origin: 7 }, kind: PREFIX });
  assertEquals([1, 12, 2].map((k) => / clear\)$/.test(describe(push, k))), [true, true, false]);
});
