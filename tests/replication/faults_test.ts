/** Faults that were found in the gossip, each with what led to it. */

import { assertEquals, assertThrows } from "@std/assert";
import { ProtocolError } from "../../lib/base/errors.ts";
import { MAX_TTL_MS } from "../../lib/base/limits.ts";
import { MESSAGE, type Message, MessageWriter, TOUCH } from "../../lib/replication/message.ts";
import { get, join, key, LINE, rounds, set, settle, step, STRANGER } from "../support/gossip_nodes.ts";

Deno.test("Gossip claims nothing of a catch-up while orphans are to come beyond the last known write", () => {
  const all = join([[0, 1], [0, 2], [1, 2], [1, 3]], { eager: false, maxWrites: 10 });
  const [w, g, r, x] = all.stores;
  const cut = (one: number, other: number) => {
    all.gossips[one].disconnect(other);
    all.gossips[other].disconnect(one);
  };
  const link = (one: number, other: number) => {
    all.gossips[one].connect(other);
    all.gossips[other].connect(one);
  };
  set(w, 1, "old");
  rounds(all, 3);
  cut(0, 2);
  cut(1, 2);
  all.clock.nowMs++;
  w.delete(key(1));
  for (let i = 10; i < 20; i++) set(w, i); // a full page beside the deletion
  rounds(all, 3);
  all.clock.nowMs++;
  set(x, 1, "newest"); // takes the grave's place at g, as an orphan
  for (let i = 100; i < 150; i++) set(x, i);
  cut(0, 1);
  all.gossips[1].ask(3);
  const { applied } = all.gossips[1].stats;
  while (all.gossips[1].stats.applied === applied) step(all); // one page; then x is gone
  all.waiting.length = 0;
  cut(1, 3);
  assertEquals([get(g, 1), get(r, 1)], ["newest", "old"]);
  link(1, 2);
  all.gossips[2].ask(1);
  settle(all);
  cut(1, 2); // g is gone, too
  link(0, 2);
  rounds(all, 20);
  assertEquals([w, r].map((store) => get(store, 1)), ["newest", "newest"]); // r had kept "old" for ever
});

Deno.test("Gossip passes a touch on as a message that peers can read, whatever time it names", () => {
  const all = join(LINE, { ttlMs: 1000 });
  const [a, b] = all.stores;
  set(a, 1);
  settle(all);
  all.clock.nowMs += 500;
  all.gossips[1].connect(STRANGER);
  const writes = [{ key: key(1), version: b.versionOf(key(1))!, kind: TOUCH, remainingMs: MAX_TTL_MS }];
  const touch: Message = { type: MESSAGE.touch, from: 77, clock: 1, cleared: 0, sentTo: [], writes };
  const bytes = new MessageWriter().write(touch).slice();
  assertEquals(all.gossips[1].receive(STRANGER, bytes), true);
  settle(all); // throws what a peer cannot read
  bytes[bytes.length - 1] = 0x7f; // 2⁵⁶ − 1: as a double 2⁵⁶, which takes 9 bytes where 8 are read
  assertThrows(() => all.gossips[1].receive(STRANGER, bytes), ProtocolError, "a number that is too large");
});
