/** What concurrent callers of one key are given, on a cache by hand: sharing, overtaking, errors, time-outs and signals. */

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { CacheError } from "../../lib/base/errors.ts";
import type { RetrieveOrStoreOptions } from "../../lib/base/cache.ts";
import type { Asked } from "../../lib/compute/backend.ts";
import { Computations } from "../../lib/compute/computations.ts";
import { handMade, held } from "../support/compute_backend.ts";
import { turn } from "../support/waiting.ts";

const COMPUTE = { state: "compute" } as const;

Deno.test("Computations gives a fresh value without computing, also undefined", async () => {
  for (const value of [1, undefined, null]) {
    const { ask, fills } = handMade({ asked: [{ state: "fresh", value }] });
    assertEquals([await ask(() => "computed"), fills.length], [value, 0]);
  }
});

Deno.test("Computations computes once for 1,000 callers at once, who ask once, and stores what they are given", async () => {
  for (const answer of [COMPUTE, Promise.resolve(COMPUTE)]) {
    const { ask, questions, fills } = handMade({ asked: [answer] });
    const made = held();
    const answers = Array.from({ length: 1000 }, () => ask(made.compute, { ttlMs: 5, staleIfErrorMs: 7 }));
    made.resolve({ a: 1 });
    const values = await Promise.all(answers);
    for (const value of values) assertStrictEquals(value, values[0]);
    assertEquals([values[0], made.calls, questions.length], [{ a: 1 }, 1, 1]);
    const lifetime = { ttlMs: 5, renewOnHit: false, staleMs: 7 };
    assertEquals(fills, [{ value: { a: 1 }, token: undefined, lifetime }]);
  }
});

Deno.test("Computations calls compute within the call where the cache answers at once", () => {
  const { ask } = handMade({ asked: [COMPUTE] });
  const made = held();
  ask(made.compute);
  assertEquals(made.calls, 1);
  made.resolve(1);
});

Deno.test("Computations answers a caller that comes while a value is being stored by what it asks anew", async () => {
  const stored = Promise.withResolvers<boolean>();
  const fill = () => stored.promise;
  const { ask, questions } = handMade({ asked: [COMPUTE, { state: "fresh", value: "newer" }], fill });
  const first = ask(() => "computed");
  await turn();
  const second = ask(() => "never");
  stored.resolve(false);
  assertEquals([await first, await second, questions.length], ["computed", "newer", 2]);
});

Deno.test("Computations gives callers a value that lost to a newer write, or that the cache failed to store", async () => {
  const { ask } = handMade({ asked: [COMPUTE], fill: () => false });
  assertEquals(await Promise.all([ask(() => 1), ask(() => 2)]), [1, 1]);
});

const OVERTAKEN: Record<string, (computations: Computations) => void> = {
  "its key": (computations) => computations.overtaken("k"),
  "every key": (computations) => computations.overtaken(),
  "what its key begins with": (computations) => computations.overtakenUnder("k"),
};

for (const [what, overtake] of Object.entries(OVERTAKEN)) {
  Deno.test(`Computations stores nothing, and takes no more callers, when ${what} is overtaken`, async () => {
    const { ask, computations, fills, given } = handMade({ asked: [{ state: "compute", token: 5 }] });
    const [older, newer] = [held(), held()];
    const first = ask(older.compute);
    overtake(computations);
    const second = ask(newer.compute);
    newer.resolve("newer");
    assertEquals(await second, "newer");
    older.resolve("older");
    assertEquals([await first, fills.map(({ value }) => value), given], ["older", ["newer"], [5]]);
  });
}

Deno.test("Computations answers a caller that comes in the very moment in which the callers before it are answered", async () => {
  const later = (asked: Asked) => () => Promise.resolve(asked);
  const stale = { value: "old", forMs: 1 };
  const cases: [what: string, asked: Asked, options?: RetrieveOrStoreOptions][] = [
    ["there is a value", { state: "fresh", value: "new" }],
    ["another process replaces a stale one", { state: "stale", ...stale }, { staleWhileRevalidateMs: 10 }],
    ["its computation has failed a moment ago", { state: "compute", token: 5, stale }, { staleIfErrorMs: 10 }],
  ];
  for (const [what, asked, options = {}] of cases) {
    const { computations, ask } = handMade({
      asked: [later(asked), later(asked), later({ state: "fresh", value: "next" })],
    });
    const fails = () => Promise.reject(new Error("no"));
    if (asked.state === "compute") assertEquals(await ask(fails, options), "old"); // from now on it pauses
    const first = computations.retrieveOrStore("k", fails, options) as Promise<unknown>;
    const second = first.then(() => computations.retrieveOrStore("k", fails, {}));
    const patience = turn().then(turn);
    assertEquals(await Promise.race([second.catch(() => "an error"), patience]) === undefined, false, what);
    await patience;
  }
});

Deno.test("Computations answers a caller that comes while it tells of an error", async () => {
  let second: unknown;
  const computations: Computations = new Computations({
    ask: () => ({ state: "compute", stale: { value: "old" } }),
    fill: () => true,
    give: () => {},
    failed: () => second = computations.retrieveOrStore("k", () => "new", {}),
  }, () => 0);
  const fails = () => Promise.reject(new Error("no"));
  assertEquals(await computations.retrieveOrStore("k", fails, { staleIfErrorMs: 10 }), "old");
  const patience = turn();
  assertEquals(await Promise.race([second, patience]), "new");
  await patience;
});

Deno.test("Computations goes on with a key when another is overtaken, or what another begins with", async () => {
  const { ask, computations, fills } = handMade({ asked: [COMPUTE] });
  const made = held();
  const answers = [ask(made.compute)];
  computations.overtaken("other");
  computations.overtakenUnder("kk");
  answers.push(ask(() => "never"));
  made.resolve(1);
  assertEquals([await Promise.all(answers), fills.length], [[1, 1], 1]);
});

const THROWING: Record<string, () => unknown> = {
  "throws": () => {
    throw new Error("no");
  },
  "rejects": () => Promise.reject(new Error("no")),
};

for (const [how, compute] of Object.entries(THROWING)) {
  Deno.test(`Computations tells all callers of the error when compute ${how}, gives the lease back, and keeps nothing of it`, async () => {
    const { ask, fills, given, failures } = handMade({ asked: [Promise.resolve({ state: "compute", token: 5 })] });
    await Promise.all([1, 2, 3].map(() => assertRejects(() => ask(compute), Error, "no")));
    assertEquals([fills, given, failures], [[], [5], []]);
    assertEquals(await ask(() => "next"), "next");
  });
}

Deno.test("Computations tells callers why the cache cannot be asked, now or later, and why it takes no such value", async () => {
  const denied = () => {
    throw new CacheError("unreachable", "not allowed");
  };
  for (const answer of [denied, async () => await denied()]) {
    const { ask } = handMade({ asked: [answer] });
    await assertRejects(() => ask(() => 1), CacheError, "not allowed");
  }
  const fill = () => {
    throw new TypeError("a function");
  };
  const { ask, given } = handMade({ asked: [{ state: "compute", token: 5 }], fill });
  await assertRejects(() => ask(() => 1), TypeError, "a function");
  assertEquals(given, [5]);
});

Deno.test("Computations computes and does not store when the cache cannot be asked", async () => {
  const { ask, fills } = handMade({ asked: [{ state: "failed" }] });
  assertEquals([await ask(() => 1), fills], [1, []]);
});

Deno.test("Computations rejects with the signal's reason when it is aborted before, and asks nobody", async () => {
  const { ask, questions } = handMade({ asked: [COMPUTE] });
  const signal = AbortSignal.abort(new Error("before"));
  await assertRejects(() => ask(() => 1, { signal }), Error, "before");
  assertEquals(questions, []);
});

Deno.test("Computations ends the wait of one caller by its signal, and goes on for another", async () => {
  const { ask, fills } = handMade({ asked: [COMPUTE] });
  const [made, stop] = [held(), new AbortController()];
  const [first, second] = [ask(made.compute, { signal: stop.signal }), ask(made.compute)];
  stop.abort(new Error("enough"));
  await assertRejects(() => first, Error, "enough");
  assertEquals(made.signals[0].aborted, false);
  made.resolve(1);
  assertEquals([await second, fills.length], [1, 1]);
});

Deno.test("Computations aborts the computation when the last caller has gone, stores nothing, and begins anew", async () => {
  const { ask, fills, given } = handMade({ asked: [{ state: "compute", token: 5 }] });
  const [made, stops] = [held(), [new AbortController(), new AbortController()]];
  const answers = stops.map(({ signal }) => ask(made.compute, { signal }));
  stops[0].abort(new Error("first"));
  assertEquals(made.signals[0].aborted, false);
  stops[1].abort(new Error("second"));
  assertEquals([made.signals[0].aborted, made.signals[0].reason.message], [true, "second"]);
  const next = ask(() => "anew");
  await assertRejects(() => answers[0], Error, "first");
  await assertRejects(() => answers[1], Error, "second");
  made.resolve("too late");
  assertEquals([await next, fills.map(({ value }) => value), given], ["anew", ["anew"], [5]]);
});

Deno.test("Computations leaves no listener on a signal, however a caller is answered", async () => {
  const { ask } = handMade({ asked: [COMPUTE] });
  const { signal } = new AbortController();
  let listeners = 0;
  const counted = Object.assign(signal, {
    addEventListener: () => void listeners++,
    removeEventListener: () => void listeners--,
  });
  const made = held();
  const answers = [ask(made.compute, { signal: counted }), ask(made.compute, { signal: counted })];
  assertEquals(listeners, 2);
  made.resolve(1);
  await Promise.all(answers);
  await assertRejects(() => ask(() => Promise.reject(new Error("no")), { signal: counted }), Error, "no");
  assertEquals(listeners, 0);
});

Deno.test("Computations leaves no rejection unhandled when a computation fails that nobody waits for any more", async () => {
  const { ask } = handMade({ asked: [COMPUTE] });
  const [made, stop] = [held(), new AbortController()];
  const answer = ask(made.compute, { signal: stop.signal });
  stop.abort(new Error("gone"));
  made.reject(new Error("nobody is told"));
  await assertRejects(() => answer, Error, "gone");
  await turn();
});

Deno.test("Computations rejects a caller whose time is over with a CacheError, and goes on for one that has more", async () => {
  const { ask } = handMade({ asked: [COMPUTE] });
  const made = held();
  const [first, second] = [ask(made.compute, { timeoutMs: 1 }), ask(made.compute)];
  const words = 'Cannot retrieve or store "k": no value within 1 ms';
  const error = await assertRejects(() => first, CacheError, words);
  assertEquals([error.code, made.signals[0].aborted], ["timeout", false]);
  made.resolve(1);
  assertEquals(await second, 1);
});

Deno.test("Computations aborts a computation with the time-out of the last caller", async () => {
  const { ask } = handMade({ asked: [COMPUTE] });
  const { compute, signals } = held();
  await assertRejects(() => ask(compute, { timeoutMs: 1 }), CacheError, "no value within 1 ms");
  assert(signals[0].reason instanceof CacheError);
});

Deno.test("Computations gives a caller whose time is over the value that is just being stored", async () => {
  const stored = Promise.withResolvers<boolean>();
  const { ask } = handMade({ asked: [COMPUTE], fill: () => stored.promise });
  assertEquals(await ask(() => 1, { timeoutMs: 1 }), 1);
  stored.resolve(true);
});

Deno.test("Computations gives a lease back that comes when nobody waits any more, and computes nothing", async () => {
  const asked = Promise.withResolvers<{ state: "compute"; token: number }>();
  const { ask, given } = handMade({ asked: [asked.promise] });
  const [made, stop] = [held(), new AbortController()];
  const answer = ask(made.compute, { signal: stop.signal });
  stop.abort(new Error("gone"));
  asked.resolve({ state: "compute", token: 5 });
  await assertRejects(() => answer, Error, "gone");
  await turn();
  assertEquals([made.calls, given], [0, [5]]);
});

Deno.test("Computations asks for a lease of the caller's time, a minute at most, and ten seconds where it has none", async () => {
  const { ask, questions } = handMade({ asked: [{ state: "fresh", value: 1 }] });
  for (const timeoutMs of [0.5, 700, 70_000, undefined]) await ask(() => 1, { timeoutMs });
  await ask(() => 1, { staleWhileRevalidateMs: 1 });
  await ask(() => 1, { staleIfErrorMs: 1 });
  assertEquals(questions.map(({ leaseMs }) => leaseMs), [1, 700, 60_000, 10_000, 10_000, 10_000]);
  assertEquals(questions.map(({ acceptsStale }) => acceptsStale), [false, false, false, false, true, true]);
});

Deno.test("Computations uses no lease that comes after its time, and asks again", async () => {
  const asked = Promise.withResolvers<{ state: "compute"; token: number }>();
  const { ask, clock, given, fills } = handMade({ asked: [asked.promise, { state: "compute", token: 6 }] });
  const answer = ask(() => 1);
  clock.nowMs += 10_001;
  asked.resolve({ state: "compute", token: 5 });
  assertEquals([await answer, given, fills.map(({ token }) => token)], [1, [5], [6]]);
});

Deno.test("Computations asks for a longer lease after each that has come too late, a minute at most, so that one comes in time", async () => {
  let tokens = 0;
  const late = () => {
    clock.nowMs += tokens === 9 ? 0 : 12; // so that it ends
    return Promise.resolve({ state: "compute", token: ++tokens } as const);
  };
  const { ask, clock, questions, fills } = handMade({ asked: [late] });
  const impatient = ask(() => 1, { timeoutMs: 5 });
  assertEquals([await ask(() => 2), await impatient], [1, 1]);
  assertEquals(questions.map(({ leaseMs }) => leaseMs), [5, 10, 20]);
  assertEquals(fills.map(({ token }) => token), [3]);
});

Deno.test("Computations waits while another process computes, and asks again when it is told to", async () => {
  const again = Promise.withResolvers<void>();
  const { ask, questions } = handMade({
    asked: [{ state: "wait", again: again.promise }, { state: "fresh", value: 1 }],
  });
  const made = held();
  const answers = [ask(made.compute), ask(made.compute)];
  await turn();
  assertEquals(questions.length, 1);
  again.resolve();
  assertEquals([await Promise.all(answers), made.calls, questions.length], [[1, 1], 0, 2]);
});

Deno.test("Computations asks again by itself when nobody has told it to for the time of a lease", async () => {
  const wait = { state: "wait", again: new Promise<void>(() => {}) } as const;
  const { ask, questions } = handMade({ asked: [wait, wait, { state: "fresh", value: 1 }] });
  const { setTimeout } = globalThis;
  const times: unknown[] = [];
  globalThis.setTimeout = ((run: () => void, ms: number) => setTimeout(run, times.push(ms) - ms)) as typeof setTimeout;
  try {
    assertEquals([await ask(() => "never"), questions.length, times], [1, 3, [10_000, 10_000]]);
  } finally {
    globalThis.setTimeout = setTimeout;
  }
});

Deno.test("Computations computes by itself, and stores nothing, when it has waited for another process for its time", async () => {
  const wait = { state: "wait", again: new Promise<void>(() => {}) } as const;
  const { ask, fills } = handMade({ asked: [wait] });
  assertEquals([await ask(() => "own", { timeoutMs: 5 }), fills], ["own", []]);
});

Deno.test("Computations rejects who has waited for another process, and for its own computation for as long again", async () => {
  const wait = { state: "wait", again: new Promise<void>(() => {}) } as const;
  const { ask } = handMade({ asked: [wait] });
  const made = held();
  await assertRejects(() => ask(made.compute, { timeoutMs: 5 }), CacheError, "no value within 5 ms");
  assertEquals([made.calls, made.signals[0].aborted], [1, true]);
});

Deno.test("Computations stops to wait for another process when the last caller goes", async () => {
  const { ask, questions } = handMade({ asked: [{ state: "wait", again: new Promise<void>(() => {}) }] });
  const stop = new AbortController();
  const answer = ask(() => 1, { signal: stop.signal });
  await turn();
  stop.abort(new Error("gone"));
  await assertRejects(() => answer, Error, "gone");
  assertEquals(questions.length, 1); // and no timer is left, which the test's end finds out
});
