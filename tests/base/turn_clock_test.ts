/** turnClock(): one reading a turn, compared with the wall clock from time to time. */

import { assertEquals, assertStrictEquals } from "@std/assert";
import { EntryTime } from "../../lib/base/entry_time.ts";
import { turnClock } from "../../lib/base/turn_clock.ts";

const WALL_MS = 1_767_225_600_000;

/** A clock that counts its readings. */
function counted() {
  const time = { steadyMs: 0, wallMs: WALL_MS, readings: 0 };
  const clock = turnClock({
    read: () => (time.readings++, time.steadyMs),
    readWall: () => time.wallMs,
    readReplaced: () => NaN,
    atEndOfTurn: queueMicrotask,
  });
  return { time, clock };
}

Deno.test("turnClock() reads the clock once for 32 calls when they share a turn", () => {
  const { time, clock } = counted();
  for (let reading = 0; reading < 3; reading++) {
    time.steadyMs = reading;
    for (let call = 1; call <= 32; call++) {
      assertStrictEquals(clock.now(), WALL_MS + reading, `call ${call} of reading ${reading}`);
    }
    assertStrictEquals(time.readings, reading + 1);
  }
});

Deno.test("turnClock() reads the clock anew when a microtask has passed", async () => {
  const { time, clock } = counted();
  const readings: number[] = [];
  for (let turn = 0; turn < 5; turn++) {
    time.steadyMs = turn;
    readings.push(clock.now() - WALL_MS, clock.recent() - WALL_MS, clock.now() - WALL_MS);
    await Promise.resolve();
  }
  assertEquals(readings, [0, 1, 2, 3, 4].flatMap((ms) => [ms, ms, ms]));
  assertStrictEquals(time.readings, 5);
});

Deno.test("turnClock() follows a wall clock that is put forward, and tells how far one that is put back is behind", async () => {
  const { time, clock } = counted();
  const after = async (passedMs: number, wallMs: number) => {
    await Promise.resolve();
    time.steadyMs += passedMs;
    time.wallMs += wallMs;
    return [clock.now() - WALL_MS, clock.wallAheadMs()];
  };
  assertEquals(await after(0, 0), [0, 0]);
  assertEquals(await after(1000, 1000), [1000, 0]);
  assertEquals(await after(1000, 91_000), [92_000, 0], "90 seconds behind until now, or asleep for that long");
  assertEquals(await after(1000, 500), [93_000, -500]);
  assertEquals(await after(1000, -59_000), [94_000, -60_500]);
  assertEquals(await after(1000, 7_201_000), [7_295_000, -60_500], "two hours of sleep");
  assertEquals(await after(100, 50_000), [7_295_100, -60_500], "not compared in less than a quarter of a second");
  assertEquals(await after(200, 250), [7_345_250, -60_500]);
});

Deno.test("turnClock() has one clock alone where no wall clock is given", async () => {
  let nowMs = 5;
  const clock = turnClock({ read: () => nowMs, readReplaced: () => NaN, atEndOfTurn: queueMicrotask });
  assertEquals([clock.now(), clock.wallAheadMs()], [5, 0]);
  await Promise.resolve();
  nowMs = 10_000;
  assertEquals([clock.now(), clock.wallAheadMs()], [10_000, 0]);
});

Deno.test("EntryTime never goes back, whatever the wall clock does", () => {
  const time = new EntryTime(0, WALL_MS);
  let before = -Infinity;
  for (const [i, jumpMs] of [0, 5, -5, 3_600_000, -7_200_000, 999, -1e12, 2e12].entries()) {
    time.compare(i, WALL_MS + jumpMs);
    const now = time.at(i);
    assertEquals(Math.round(now + time.wallAheadMs), WALL_MS + jumpMs);
    assertEquals(now >= before, true, `${now} after ${before}`);
    before = now;
  }
});
