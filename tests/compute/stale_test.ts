/** Values that are not fresh any more, on a cache by hand: who is given one, who computes, and what follows on an error. */

import { assertEquals, assertRejects } from "@std/assert";
import { CacheError } from "../../lib/base/errors.ts";
import type { Asked } from "../../lib/compute/backend.ts";
import { handMade, held } from "../support/compute_backend.ts";
import { turn, until } from "../support/waiting.ts";

/** Leave to compute, with a value that has been stale for so long. */
function stale(forMs: number): Asked {
  return { state: "compute", token: 5, stale: { value: "old", forMs } };
}

/** What a caller is given who does not wait: `undefined` if it has to. */
async function atOnce(answer: Promise<unknown>): Promise<unknown> {
  return await Promise.race([answer, turn()]);
}

const REVALIDATE = { staleWhileRevalidateMs: 10 };
const IF_ERROR = { staleIfErrorMs: 10 };

Deno.test("a stale value is given at once to all for whom it will do, while one computation replaces it", async () => {
  const { ask, clock, questions, fills } = handMade({ asked: [stale(3)] });
  const made = held();
  assertEquals(await Promise.all([ask(made.compute, REVALIDATE), ask(made.compute, REVALIDATE)]), ["old", "old"]);
  clock.nowMs += 6;
  assertEquals(await ask(made.compute, REVALIDATE), "old", "9 ms old");
  clock.nowMs += 1;
  const waits = ask(made.compute, REVALIDATE);
  assertEquals([await atOnce(waits), made.calls, questions.length, fills], [undefined, 1, 1, []]);
  made.resolve("new");
  assertEquals(await waits, "new");
  assertEquals(fills.map(({ value, token }) => [value, token]), [["new", 5]]);
});

Deno.test("a stale undefined is a value too", async () => {
  const { ask } = handMade({ asked: [{ state: "compute", stale: { value: undefined } }] });
  const made = held();
  assertEquals(await ask(made.compute, REVALIDATE), undefined);
  made.resolve(1);
});

Deno.test("a value that has been stale for longer than the caller allows is waited for", async () => {
  for (const options of [{ ...REVALIDATE, staleIfErrorMs: 100 }, IF_ERROR, {}]) {
    const { ask } = handMade({ asked: [stale(10)] });
    assertEquals(await ask(() => "new", options), "new");
  }
});

Deno.test("a computation behind an answer goes on when all who wait for it have gone", async () => {
  const { ask, fills } = handMade({ asked: [stale(3)] });
  const [made, stop] = [held(), new AbortController()];
  const waits = ask(made.compute, { signal: stop.signal });
  assertEquals(await ask(() => "never", REVALIDATE), "old");
  stop.abort(new Error("gone"));
  await assertRejects(() => waits, Error, "gone");
  assertEquals(made.signals[0].aborted, false);
  made.resolve("new");
  await turn();
  assertEquals(fills.length, 1);
});

Deno.test("a computation behind an answer is aborted when the first caller's time is over", async () => {
  const { ask, fills, given, failures } = handMade({ asked: [stale(3)] });
  const made = held();
  assertEquals(await ask(made.compute, { ...REVALIDATE, timeoutMs: 1 }), "old");
  await until("it is aborted", () => made.signals[0].aborted);
  made.resolve("too late");
  await turn();
  assertEquals([fills, given, failures], [[], [5], [made.signals[0].reason]]);
});

Deno.test("a computation behind an answer whose time is over goes on for who waits for it, and no longer", async () => {
  const { ask, failures } = handMade({ asked: [stale(3)] });
  const [made, stop] = [held(), new AbortController()];
  assertEquals(await ask(made.compute, { ...REVALIDATE, timeoutMs: 1 }), "old");
  const waits = ask(made.compute, { signal: stop.signal });
  await assertRejects(() => ask(made.compute, { timeoutMs: 5 }), CacheError, "within 5 ms"); // so the other time is over
  assertEquals(made.signals[0].aborted, false);
  stop.abort(new Error("gone"));
  await assertRejects(() => waits, Error, "gone");
  await turn();
  assertEquals([made.signals[0].aborted, failures.length], [true, 1]);
});

Deno.test("a computation that comes to be behind an answer later is aborted when the first caller's time is over", async () => {
  const { ask, given, failures } = handMade({ asked: [stale(3)] });
  const made = held();
  const waits = ask(made.compute, { timeoutMs: 5 });
  assertEquals(await ask(made.compute, REVALIDATE), "old");
  await assertRejects(() => waits, CacheError, "within 5 ms");
  await until("it is aborted", () => made.signals[0].aborted);
  await turn();
  assertEquals([given, failures], [[5], [made.signals[0].reason]]);
});

Deno.test("an error behind an answer is told to no caller, and is followed by no computation for a second", async () => {
  const { ask, clock, given, failures } = handMade({ asked: [stale(3)] });
  const error = new Error("no");
  let calls = 0;
  const compute = () => {
    calls++;
    return Promise.reject(error);
  };
  const options = { staleWhileRevalidateMs: 5000 };
  assertEquals(await ask(compute, options), "old");
  await turn();
  assertEquals([failures, given, calls], [[error], [5], 1]);
  clock.nowMs += 999;
  assertEquals([await ask(compute, options), calls, given], ["old", 1, [5, 5]]);
  clock.nowMs += 1;
  assertEquals([await ask(compute, options), calls], ["old", 2]);
});

Deno.test("an error behind an answer is followed by no computation for the time of a lease where that is shorter", async () => {
  const { ask, clock } = handMade({ asked: [stale(3)] });
  let calls = 0;
  const compute = () => Promise.reject(calls++);
  const options = { ...REVALIDATE, timeoutMs: 20 };
  for (const [ms, expected] of [[0, 1], [19, 1], [1, 2]]) {
    clock.nowMs += ms;
    await ask(compute, options);
    await turn();
    assertEquals(calls, expected);
  }
});

Deno.test("who allows no stale value has it computed, however lately that has failed, and an own store ends the pause", async () => {
  const { ask, computations } = handMade({ asked: [stale(3)] });
  let calls = 0;
  const compute = () => Promise.reject(new Error(`no ${++calls}`));
  await ask(compute, REVALIDATE);
  await turn();
  await assertRejects(() => ask(compute), Error, "no 2");
  await ask(compute, REVALIDATE);
  assertEquals(calls, 2);
  computations.overtaken("k");
  await ask(compute, REVALIDATE);
  assertEquals(calls, 3);
  await turn();
});

Deno.test("an error behind an answer begins no pause when the computation has been overtaken", async () => {
  const { ask, computations, failures } = handMade({ asked: [stale(3)] });
  const [older, newer] = [held(), held()];
  await ask(older.compute, REVALIDATE);
  computations.overtaken("k");
  older.reject(new Error("no"));
  await turn();
  await ask(newer.compute, REVALIDATE);
  assertEquals([newer.calls, failures.length], [1, 1]);
  newer.resolve(1);
});

Deno.test("a computation that fails is answered with a value that is stale and will do, and its error is told elsewhere", async () => {
  const { ask, given, failures } = handMade({ asked: [stale(9)] });
  const made = held();
  const [one, other, strict] = [ask(made.compute, IF_ERROR), ask(made.compute, IF_ERROR), ask(made.compute)];
  assertEquals(await atOnce(one), undefined, "it waits");
  const error = new Error("no");
  made.reject(error);
  assertEquals(await Promise.all([one, other]), ["old", "old"]);
  await assertRejects(() => strict, Error, "no");
  assertEquals([given, failures], [[5], [error]]);
});

Deno.test("a computation that fails when the stale value is too old by then is an error", async () => {
  const { ask, clock, failures } = handMade({ asked: [stale(9)] });
  const made = held();
  const answer = ask(made.compute, IF_ERROR);
  clock.nowMs += 1;
  made.reject(new Error("no"));
  await assertRejects(() => answer, Error, "no");
  assertEquals(failures, []);
});

Deno.test("a computation that has just failed is not repeated at once for who takes a stale value in its place", async () => {
  const { ask, clock, given } = handMade({ asked: [stale(3)] });
  let calls = 0;
  const compute = () => Promise.reject(calls++);
  const options = { staleIfErrorMs: 5000 };
  for (const [ms, expected] of [[0, 1], [999, 1], [1, 2]]) {
    clock.nowMs += ms;
    assertEquals([await ask(compute, options), calls], ["old", expected]);
  }
  assertEquals(given, [5, 5, 5]);
});

Deno.test("an error that callers are told of is followed by a computation at once", async () => {
  const { ask } = handMade({ asked: [stale(3)] });
  await assertRejects(() => ask(() => Promise.reject(new Error("no"))), Error, "no");
  assertEquals(await ask(() => "new", IF_ERROR), "new");
});

Deno.test("a caller whose time is over is given a value that is stale and will do in place of an error", async () => {
  const { ask, failures } = handMade({ asked: [stale(3)] });
  const made = held();
  assertEquals(await ask(made.compute, { ...IF_ERROR, timeoutMs: 1 }), "old");
  assertEquals(made.signals[0].aborted, true);
  await turn();
  assertEquals(failures, [made.signals[0].reason]);
});

Deno.test("a stale value is given while another process computes, and who does not take it asks again without", async () => {
  const other = { state: "stale", value: "old", forMs: 3 } as const;
  const { ask, questions } = handMade({ asked: [other, { state: "fresh", value: "new" }] });
  const asks = [ask(() => "never", REVALIDATE), ask(() => "never", IF_ERROR), ask(() => "never")];
  assertEquals(await Promise.all(asks), ["old", "new", "new"]);
  assertEquals(questions.map(({ acceptsStale }) => acceptsStale), [true, false]);
});

Deno.test("a stale value that another process was to replace will do when the computation that follows here fails", async () => {
  const again = Promise.resolve();
  const other = { state: "stale", value: "old", forMs: 3 } as const;
  const { ask } = handMade({ asked: [other, { state: "wait", again }, { state: "compute", token: 5 }] });
  assertEquals(await ask(() => Promise.reject(new Error("no")), IF_ERROR), "old");
});

Deno.test("a value is kept for the larger of the two times when it is not fresh any more", async () => {
  const { ask, fills } = handMade({ asked: [{ state: "compute" }] });
  await ask(() => 1, { ttlMs: 7, renewOnHit: true, staleWhileRevalidateMs: 5, staleIfErrorMs: 3 });
  await ask(() => 1, { staleWhileRevalidateMs: 5, staleIfErrorMs: Infinity });
  await ask(() => 1);
  assertEquals(fills.map(({ lifetime }) => lifetime), [
    { ttlMs: 7, renewOnHit: true, staleMs: 5 },
    { ttlMs: undefined, renewOnHit: false, staleMs: Infinity },
    { ttlMs: undefined, renewOnHit: false, staleMs: 0 },
  ]);
});
