/** Whom a node believes: clocks that are ahead, behind, of 1970, and corrected. */

import { assertEquals } from "@std/assert";
import { MAX_AHEAD_MS, MAX_PEER_AHEAD_MS } from "../../lib/store/version.ts";
import { get, set } from "../support/gossip_nodes.ts";
import { type GossipNode, gossipNode, NOW_MS, type TestClock } from "../support/stores.ts";

/** Nodes that are all peers of each other, each with a clock of its own; every message arrives at once. */
function nodes(...clocksMs: number[]): { nodes: GossipNode[]; clocks: TestClock[]; round: () => void } {
  const clocks = clocksMs.map((nowMs) => ({ nowMs }));
  const waiting: { from: number; to: number; bytes: Uint8Array }[] = [];
  const nodes = clocks.map((clock, from) =>
    gossipNode(clock, 100 + from, {
      gossip: { send: (to, bytes) => void waiting.push({ from, to, bytes: bytes.slice() }) },
    })
  );
  for (const [i, { gossip }] of nodes.entries()) for (const j of nodes.keys()) if (i !== j) gossip.connect(j);
  const round = () => {
    for (const { gossip } of nodes) gossip.round(() => 0);
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      nodes[next.to].gossip.receive(next.from, next.bytes);
    }
  };
  return { nodes, clocks, round };
}

/** What each node has of a key. */
function held({ nodes }: { nodes: GossipNode[] }, i: number): (string | undefined)[] {
  return nodes.map(({ store }) => get(store, i));
}

Deno.test("Gossip believes no peer whose clock is nearly a minute ahead, and so nobody has to disbelieve others for it", () => {
  const all = nodes(NOW_MS + 59_900, NOW_MS, NOW_MS - 3000);
  const [ahead, right, behind] = all.nodes;
  for (let i = 0; i < 10; i++) {
    set(ahead.store, 100 + i);
    set(right.store, i);
    all.round();
  }
  for (let i = 0; i < 10; i++) assertEquals(held(all, i)[2], `value ${i}`);
  assertEquals(held(all, 105), ["value 105", undefined, undefined]);
  assertEquals([right.gossip.peer(0)?.refusal, behind.gossip.peer(0)?.refusal], ["clock", "clock"]);
  assertEquals([behind.gossip.peer(1)?.refusal, right.gossip.peer(0)?.clockAheadMs], [undefined, 59_900]);
  assertEquals(ahead.gossip.peer(1)?.clockAheadMs, -59_900);
  all.clocks[0].nowMs = NOW_MS; // corrected
  for (const clock of all.clocks) clock.nowMs += 3000; // what it wrote is no more than a minute ahead for anybody
  for (let round = 0; round < 3; round++) all.round();
  for (const i of [0, 9, 100, 109]) assertEquals(held(all, i), [0, 1, 2].map(() => `value ${i}`));
  assertEquals(right.gossip.peer(0)?.refusal, undefined);
});

Deno.test("Gossip believes a peer whose clock is ahead by as much as it may, and what that has believed of another", () => {
  const all = nodes(NOW_MS + 2 * MAX_PEER_AHEAD_MS, NOW_MS + MAX_PEER_AHEAD_MS, NOW_MS);
  set(all.nodes[0].store, 1);
  for (let round = 0; round < 3; round++) all.round();
  assertEquals(held(all, 1), ["value 1", "value 1", "value 1"]);
  assertEquals([all.nodes[2].gossip.peer(0)?.refusal, all.nodes[2].gossip.peer(1)?.refusal], ["clock", undefined]);
});

Deno.test("Gossip tells a version that is too far ahead from a clock that is", () => {
  const all = nodes(NOW_MS + 90_000, NOW_MS);
  set(all.nodes[0].store, 1);
  all.clocks[0].nowMs = NOW_MS;
  all.round();
  assertEquals(all.nodes[1].gossip.peer(0)?.refusal, "writes");
  for (const clock of all.clocks) clock.nowMs += 90_000 - MAX_AHEAD_MS;
  all.round();
  all.round();
  assertEquals([held(all, 1)[1], all.nodes[1].gossip.peer(0)?.refusal], ["value 1", undefined]);
});

Deno.test("Gossip goes on where two nodes start in 1970, and when both are corrected", () => {
  const all = nodes(1000, 4000);
  set(all.nodes[0].store, 1);
  for (let i = 2; i < 50; i++) set(all.nodes[i % 2].store, i);
  all.round();
  all.round();
  for (let i = 1; i < 50; i++) assertEquals(held(all, i), [`value ${i}`, `value ${i}`]);
  all.clocks[0].nowMs = NOW_MS;
  set(all.nodes[0].store, 1, "newer");
  set(all.nodes[1].store, 2, "of 1970");
  all.round();
  assertEquals(held(all, 1)[1], "value 1");
  all.clocks[1].nowMs = NOW_MS + 50;
  all.round();
  all.round();
  assertEquals([held(all, 1), held(all, 2)], [["newer", "newer"], ["of 1970", "of 1970"]]);
});
