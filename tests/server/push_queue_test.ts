/** Pushes that wait for a reply which takes them along. */

import { assertEquals } from "@std/assert";
import { PushQueue } from "../../lib/server/push_queue.ts";

/** A timer that runs when a test says so. */
function timer() {
  const set: { ms: number; run: () => void }[] = [];
  return { set: (ms: number, run: () => void) => void set.push({ ms, run }), stop: () => void set.pop(), waiting: set };
}

Deno.test("PushQueue calls all that wait at one time, once each", () => {
  const [time, said] = [timer(), [] as number[]];
  const queue = new PushQueue(5, time);
  const pushes = [1, 2, 3].map((i) => () => void said.push(i));
  for (const push of [...pushes, ...pushes]) queue.add(push);
  assertEquals([time.waiting.length, time.waiting[0].ms, said], [1, 5, []]);
  time.waiting.pop()!.run();
  assertEquals(said, [1, 2, 3]);
  queue.add(pushes[0]);
  time.waiting.pop()!.run();
  assertEquals(said, [1, 2, 3, 1]);
});

Deno.test("PushQueue has nothing to do where nobody waits any more", () => {
  const time = timer();
  const queue = new PushQueue(5, time);
  const [one, other] = [() => {}, () => {}];
  queue.add(one);
  queue.add(other);
  queue.remove(one);
  assertEquals(time.waiting.length, 1);
  queue.remove(other);
  queue.remove(other);
  assertEquals(time.waiting.length, 0);
});

Deno.test("PushQueue calls at the end of the turn where it is to wait for nothing", async () => {
  const said: string[] = [];
  const queue = new PushQueue(0);
  queue.add(() => said.push("push"));
  said.push("turn");
  await Promise.resolve();
  assertEquals(said, ["turn", "push"]);
});
