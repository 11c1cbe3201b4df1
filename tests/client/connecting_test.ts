/** The turns of attempts to connect, without any connection. */

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { CacheError } from "../../lib/base/errors.ts";
import { AbandonedError, attemptInTurn } from "../../lib/client/connecting.ts";
import { FullServerError } from "../../lib/wire/control.ts";
import { turn } from "../support/waiting.ts";

/** Attempts that end when the test says so. */
class Attempts {
  readonly begun: PromiseWithResolvers<number>[] = [];
  readonly made: Promise<number>[];
  readonly #server: string;

  constructor(server: string, count: number) {
    this.#server = server;
    this.made = Array.from({ length: count }, () => this.make());
  }

  make(): Promise<number> {
    return attemptInTurn(this.#server, () => {
      const attempt = Promise.withResolvers<number>();
      this.begun.push(attempt);
      return attempt.promise;
    });
  }
}

Deno.test("attemptInTurn() makes 32 attempts at once to each server, and the next one when one has ended", async () => {
  const [one, other] = [new Attempts("one:1", 40), new Attempts("other:1", 2)];
  await turn();
  assertEquals([one.begun.length, other.begun.length], [32, 2]);
  one.begun[5].resolve(5);
  assertEquals(await one.made[5], 5);
  await turn();
  assertEquals(one.begun.length, 33);
  for (let i = 0; i < 40; i++) {
    one.begun[i].resolve(i);
    await turn();
  }
  for (const { resolve } of other.begun) resolve(0);
  assertEquals(await Promise.all(one.made), Array.from({ length: 40 }, (_, i) => i));
  await Promise.all(other.made);
});

Deno.test("attemptInTurn() fails those that wait with the failure of one that did not, and then goes on", async () => {
  const attempts = new Attempts("one:2", 40);
  await turn();
  const failure = new Error("nobody listens");
  attempts.begun[0].reject(failure);
  const waited = await Promise.allSettled([attempts.made[0], ...attempts.made.slice(32)]);
  for (const outcome of waited) assert(outcome.status === "rejected" && outcome.reason === failure);
  assertEquals(attempts.begun.length, 32);
  const later = attempts.make();
  await turn();
  assertEquals(attempts.begun.length, 33, "a place has become free");
  for (const { resolve } of attempts.begun) resolve(1);
  assertEquals(await later, 1);
  await Promise.all(attempts.made.slice(1, 32));
});

for (
  const [what, failure] of [
    ["has given its attempt up", new AbandonedError("closed")],
    ["is refused, by its token say", new CacheError("refused", "auth-failed")],
  ] as const
) {
  Deno.test(`attemptInTurn() does not fail those that wait because a client ${what}`, async () => {
    const attempts = new Attempts(`one: ${what}`, 33);
    await turn();
    attempts.begun[0].reject(failure);
    assertStrictEquals(await assertRejects(() => attempts.made[0]), failure);
    await turn();
    assertEquals(attempts.begun.length, 33);
    for (const { resolve } of attempts.begun) resolve(1);
    await Promise.all(attempts.made.slice(1));
  });
}

Deno.test("attemptInTurn() makes no attempt to a server that has just said that it is full", async () => {
  const attempts = new Attempts("one:3", 1);
  await turn();
  const full = new FullServerError("unreachable", "full");
  attempts.begun[0].reject(full);
  assertStrictEquals(await assertRejects(() => attempts.made[0]), full);
  assertStrictEquals(await assertRejects(() => attempts.make()), full);
  assertEquals(attempts.begun.length, 1);
  const elsewhere = new Attempts("other:3", 1);
  await turn();
  elsewhere.begun[0].resolve(1);
  assertEquals(await elsewhere.made[0], 1);
});
