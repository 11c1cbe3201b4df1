/** When a node has compared what lives there with all that a peer has said has left. */

import { assertEquals } from "@std/assert";
import { get, pair, round, set } from "../support/gossip_nodes.ts";

Deno.test("Gossip knows that all has been compared once a catch-up that dropped entries is over", () => {
  const all = pair({ maxSize: [5, Infinity] });
  const [a, b] = all.stores;
  set(a, 1, "old");
  round(all);
  all.clock.nowMs++;
  set(a, 1, "new");
  for (let i = 0; i < 6; i++) set(a, 100 + i);
  round(all);
  assertEquals(get(b, 1), undefined); // it was covered, and is dropped
  assertEquals(a.history.digest, b.history.digest);
  assertEquals(b.history.isUnswept, false);
});
