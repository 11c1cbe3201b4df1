/** One function to be run later: when it is, when it is not, and that no process waits for it. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { MAX_TIMER_MS } from "../../lib/base/limits.ts";
import { Timer } from "../../lib/platform/timer.ts";

/** Timers of a test's own, in place of the machine's until this is disposed of. */
class OwnTimers implements Disposable {
  readonly #real = { setTimeout, clearTimeout, unrefTimer: Deno.unrefTimer };
  readonly #waiting = new Map<number, { dueMs: number; run: () => void }>();
  readonly unreferenced = new Set<number>();
  #nowMs = 0;
  #count = 0;
  /** How long each timer was to wait. */
  readonly waits: number[] = [];

  constructor() {
    globalThis.setTimeout = ((run: () => void, ms: number) => {
      this.waits.push(ms);
      this.#waiting.set(++this.#count, { dueMs: this.#nowMs + ms, run });
      return this.#count;
    }) as unknown as typeof setTimeout;
    globalThis.clearTimeout = ((id: number) => void this.#waiting.delete(id)) as unknown as typeof clearTimeout;
    Deno.unrefTimer = (id: unknown) => void this.unreferenced.add(id as number);
  }

  get waiting(): number[] {
    return [...this.#waiting.keys()];
  }

  /** Lets so much time pass. */
  pass(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (let steps = 0; steps < 1000; steps++) {
      const [next] = [...this.#waiting].sort(([, a], [, b]) => a.dueMs - b.dueMs);
      if (next === undefined || next[1].dueMs > untilMs) {
        this.#nowMs = untilMs;
        return;
      }
      this.#nowMs = next[1].dueMs;
      this.#waiting.delete(next[0]);
      next[1].run();
    }
    throw new Error("Timers go on and on");
  }

  [Symbol.dispose](): void {
    globalThis.setTimeout = this.#real.setTimeout;
    globalThis.clearTimeout = this.#real.clearTimeout;
    Deno.unrefTimer = this.#real.unrefTimer;
  }
}

Deno.test("Timer.set() runs the function once, when the time has passed", () => {
  using timers = new OwnTimers();
  let runs = 0;
  new Timer().set(100, () => runs++);
  timers.pass(99);
  assertStrictEquals(runs, 0);
  timers.pass(1);
  assertStrictEquals(runs, 1);
  timers.pass(1e12);
  assertStrictEquals(runs, 1);
});

Deno.test("Timer.set() runs the function in place of the one that waits", () => {
  using timers = new OwnTimers();
  const [timer, runs] = [new Timer(), [] as string[]];
  timer.set(10, () => runs.push("first"));
  timer.set(20, () => runs.push("second"));
  timers.pass(1000);
  assertEquals(runs, ["second"]);
  timer.set(10, () => runs.push("third"));
  timer.set(Infinity, () => runs.push("never"));
  assertEquals(timers.waiting, []);
  timers.pass(1e12);
  assertEquals(runs, ["second"]);
});

Deno.test("Timer.set() waits as long as it is told when that is longer than a timer of the machine can", () => {
  for (const ms of [MAX_TIMER_MS - 1, MAX_TIMER_MS, MAX_TIMER_MS + 1, 3 * MAX_TIMER_MS + 7]) {
    using timers = new OwnTimers();
    let isRun = false;
    new Timer().set(ms, () => isRun = true);
    timers.pass(ms - 1);
    assertStrictEquals(isRun, false, `${ms}`);
    timers.pass(1);
    assertStrictEquals(isRun, true, `${ms}`);
    assert(timers.waits.every((wait) => wait <= MAX_TIMER_MS));
  }
});

Deno.test("Timer.stop() keeps the function from being run, also behind the longest wait of the machine's timers", () => {
  using timers = new OwnTimers();
  const timer = new Timer();
  timer.stop(); // has no effect
  let runs = 0;
  timer.set(10, () => runs++);
  timer.stop();
  timer.set(2 * MAX_TIMER_MS, () => runs++);
  timers.pass(MAX_TIMER_MS);
  timer.stop();
  assertEquals(timers.waiting, []);
  timers.pass(1e12);
  assertStrictEquals(runs, 0);
  timer.set(5, () => runs++);
  timers.pass(5);
  assertStrictEquals(runs, 1);
});

Deno.test("Timer lets a function set it again", () => {
  using timers = new OwnTimers();
  const timer = new Timer();
  let runs = 0;
  const again = () => {
    if (++runs < 3) timer.set(10, again);
  };
  timer.set(10, again);
  timers.pass(20);
  assertStrictEquals(runs, 2);
  timers.pass(1000);
  assertStrictEquals(runs, 3);
});

Deno.test("Timer keeps no process alive, however long it waits", () => {
  using timers = new OwnTimers();
  new Timer().set(2 * MAX_TIMER_MS, () => {});
  assertEquals(timers.waiting, [...timers.unreferenced]);
  timers.pass(MAX_TIMER_MS);
  const [waiting] = timers.waiting;
  assert(timers.unreferenced.has(waiting), "the rest of the wait keeps none either");
});
