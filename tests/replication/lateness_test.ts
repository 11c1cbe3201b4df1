/** Times to live of what has been on its way for long. */

import { assertEquals } from "@std/assert";
import { Lateness } from "../../lib/replication/lateness.ts";
import { ALL_RULES } from "../../lib/store/rules.ts";
import { deadline, join, PAIR, round, set, settle } from "../support/gossip_nodes.ts";

Deno.test("Lateness is the time beyond that of the quickest message, whatever the clocks, and follows a correction", () => {
  const lateness = new Lateness();
  assertEquals([lateness.of(-3000, 0), lateness.of(-2990, 10), lateness.of(-7990, 20)], [0, 0, 5000]);
  assertEquals(lateness.of(-2990, 59_000), 0);
  assertEquals(lateness.of(-5000, 61_000), 2010, "the clock was put back by two seconds, or the message is late");
  assertEquals(lateness.of(-5000, 122_000), 0);
});

for (const isOn of [true, false]) {
  Deno.test(`Gossip lets no entry live longer for being held up on its way ${isOn ? "" : "but without the rule"}`, () => {
    const all = join(PAIR, { rules: { ...ALL_RULES, lateness: isOn } });
    round(all);
    set(all.stores[0], 1, "short", 2000);
    set(all.stores[0], 2, "long", 60_000);
    all.gossips[0].flush();
    const writtenMs = all.clock.nowMs;
    all.clock.nowMs += 3200;
    settle(all);
    assertEquals(deadline(all.stores[1], 2) - writtenMs, 60_000 + (isOn ? 0 : 3200));
    assertEquals(all.stores[1].stats().entries, isOn ? 1 : 2);
  });
}
