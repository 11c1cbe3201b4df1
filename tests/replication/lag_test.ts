/** What a peer has not confirmed: how many writes, and how old the oldest is. */

import { assertEquals } from "@std/assert";
import { MESSAGE } from "../../lib/replication/message.ts";
import { join, PAIR, round, set, settle } from "../support/gossip_nodes.ts";

Deno.test("Gossip.lag() counts what a peer has not confirmed, though it was sent", () => {
  const all = join(PAIR);
  const [one] = all.gossips;
  const startMs = all.clock.nowMs;
  round(all);
  assertEquals(one.lag(1), { writes: 0, ms: 0 });
  for (let i = 0; i < 5; i++) {
    all.clock.nowMs = startMs + 1000 * i;
    set(all.stores[0], i);
    one.flush();
  }
  all.clock.nowMs = startMs + 20_000;
  assertEquals(one.lag(1), { writes: 5, ms: 20_000 });
  const held = all.waiting.splice(0); // they do not arrive
  one.round(() => 0);
  settle(all);
  round(all);
  assertEquals([one.lag(1).writes, held.length], [0, 5], "the peer has asked for them, and says the same");
});

Deno.test('Gossip.lag() takes the answer "the same" for what was known when the question was put', () => {
  const all = join(PAIR);
  const [one] = all.gossips;
  round(all);
  set(all.stores[0], 1);
  one.flush();
  one.ask(1);
  set(all.stores[0], 2);
  set(all.stores[0], 3);
  for (let next = all.waiting.shift(); next !== undefined; next = all.waiting.shift()) {
    if (
      next.message.type === MESSAGE.push || next.message.type === MESSAGE.sync || next.message.type === MESSAGE.same
    ) {
      all.gossips[next.to].receive(next.from, next.bytes);
    }
  }
  assertEquals(one.lag(1).writes, 2);
});
