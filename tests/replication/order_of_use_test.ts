/** The order of use of nodes that tell each other late what they have: the newest of all are kept, whoever wrote them. */

import { assert, assertEquals } from "@std/assert";
import { get, type Joined, pair, rounds, set } from "../support/gossip_nodes.ts";

const PLACES = 1_000;

/** How many of the keys from one number to below another live on a node. */
function count({ stores }: Joined, node: number, from: number, to: number): number {
  let lives = 0;
  for (let i = from; i < to; i++) if (get(stores[node], i) !== undefined) lives++;
  return lives;
}

for (const eager of [false, true]) {
  Deno.test(`Gossip leaves half of each of two full nodes' newest entries after a catch-up, ${eager ? "and pushes" : "without pushes"}`, () => {
    const all = pair({ maxSize: PLACES, maxWrites: 100, eager });
    for (let i = 0; i < PLACES; i++) {
      all.clock.nowMs++;
      set(all.stores[0], i);
      set(all.stores[1], PLACES + i);
    }
    all.waiting.length = 0; // what was pushed is lost
    rounds(all, 5);
    for (const node of [0, 1]) {
      assertEquals(all.stores[node].stats().entries, PLACES);
      const own = count(all, node, node * PLACES, (node + 1) * PLACES);
      assert(Math.abs(own - PLACES / 2) <= 2, `node ${node} has ${own} of its own`);
      const newest = count(all, node, PLACES / 2 + 1, PLACES) + count(all, node, 1.5 * PLACES + 1, 2 * PLACES);
      assertEquals(newest, PLACES - 2, "the newest of all");
    }
  });
}

Deno.test("Gossip lets a write that comes at once count as used last", () => {
  const all = pair({ maxSize: PLACES, eager: true });
  for (let i = 0; i < PLACES; i++) set(all.stores[1], i);
  rounds(all);
  all.clock.nowMs += 1_000;
  set(all.stores[0], PLACES);
  rounds(all);
  all.clock.nowMs += 1_000;
  for (let i = 0; i < PLACES - 1; i++) set(all.stores[1], 2 * PLACES + i);
  assertEquals(get(all.stores[1], PLACES), `value ${PLACES}`);
  assertEquals(count(all, 1, 0, PLACES), 0);
});
