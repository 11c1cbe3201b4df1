/** Live entries that are verified with a peer that has forgotten deletions. */

import { assert, assertEquals } from "@std/assert";
import { MESSAGE } from "../../lib/replication/message.ts";
import { get, join, key, PAIR, pair, round, rounds, said, set, settle, step } from "../support/gossip_nodes.ts";

Deno.test("Gossip drops all that was deleted elsewhere when every question comes twice", () => {
  const all = pair({ maxGraves: 1, maxForgotten: 0 });
  const [a, b] = all.stores;
  for (let i = 0; i < 800; i++) set(a, i);
  round(all);
  all.clock.nowMs += 10;
  for (let i = 0; i < 800; i += 3) a.delete(key(i));
  all.gossips[1].round(() => 0);
  let questions = 0;
  for (let messages = 0; all.waiting.length > 0; messages++) {
    assert(messages < 1000, "they do not come to rest");
    const [next] = all.waiting;
    if (next.message.type === MESSAGE.verify) {
      questions++;
      all.gossips[next.to].receive(next.from, next.bytes);
    }
    step(all);
  }
  assert(questions > 1, `${questions} questions`);
  for (let i = 0; i < 800; i++) assertEquals(get(b, i), i % 3 === 0 ? undefined : `value ${i}`);
});

Deno.test("Gossip verifies page by page, keeps what is confirmed and drops what is not", () => {
  const all = join(PAIR, { eager: false, maxGraves: 1, maxForgotten: 0, maxWrites: 4 });
  const [a, b] = all.stores;
  for (let i = 0; i < 20; i++) set(a, i);
  rounds(all, 2);
  assertEquals(b.stats().entries, 20);
  said(all);
  all.clock.nowMs += 1;
  for (let i = 0; i < 5; i++) a.delete(key(i)); // all but one of the graves are dropped
  all.clock.nowMs += 1;
  set(b, 50, "b's own");
  all.gossips[1].round(() => 0);
  settle(all);
  const types = said(all);
  assertEquals(types.filter((type) => type === "verify 1>0").length, 5, "20 entries, 4 at a time");
  assertEquals(types.filter((type) => type === "verified 0>1").length, 5);
  assertEquals(all.gossips[1].verified, { verifications: 1, unconfirmed: 5, covered: 0 });
  for (let i = 0; i < 5; i++) assertEquals(get(b, i), undefined);
  for (let i = 5; i < 20; i++) assertEquals(get(b, i), `value ${i}`);
  assertEquals(get(b, 50), "b's own");
  rounds(all, 2);
  assertEquals([a, b].map((store) => [store.stats().entries, get(store, 50)]), [[16, "b's own"], [16, "b's own"]]);
  assertEquals(all.gossips[1].verified.verifications, 1, "once is enough");
});
