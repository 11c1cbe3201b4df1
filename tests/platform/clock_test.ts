/** processClock.now(): one reading a turn, unless `Date` is replaced. Each test puts back what it replaced. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { processClock } from "../../lib/platform/clock.ts";

/** Runs with a `performance.now` that counts its calls. */
async function withCountedNow(run: (clock: { nowMs: number; calls: number }) => void | Promise<void>): Promise<void> {
  await Promise.resolve(); // a turn of its own
  const realNow = performance.now;
  const clock = { nowMs: 1_000, calls: 0 };
  performance.now = () => (clock.calls++, clock.nowMs - performance.timeOrigin);
  try {
    await run(clock);
  } finally {
    performance.now = realNow;
    await Promise.resolve(); // no later test sees this reading
  }
}

Deno.test("processClock.now() counts from 1970 and does not follow a wall clock that is put back", async () => {
  const realNow = Date.now;
  const wallMs = realNow();
  try {
    Date.now = () => wallMs - 3_600_000;
    await Promise.resolve();
    assert(Math.abs(processClock.now() - wallMs) < 60_000);
  } finally {
    Date.now = realNow;
  }
});

Deno.test("processClock.now() reads the clock once for 32 calls when they share a turn", () =>
  withCountedNow((clock) => {
    assertStrictEquals(processClock.now(), 1_000);
    clock.nowMs = 2_000;
    for (let call = 2; call <= 32; call++) assertStrictEquals(processClock.now(), 1_000, `call ${call}`);
    assertStrictEquals(clock.calls, 1);
    assertStrictEquals(processClock.now(), 2_000);
    clock.nowMs = 3_000;
    for (let call = 2; call <= 32; call++) assertStrictEquals(processClock.now(), 2_000, `call ${32 + call}`);
    assertStrictEquals(processClock.now(), 3_000);
    assertStrictEquals(clock.calls, 3);
  }));

Deno.test("processClock.now() reads the clock anew when a microtask has passed", () =>
  withCountedNow(async (clock) => {
    const readings: number[] = [];
    for (let turn = 0; turn < 5; turn++) {
      clock.nowMs += 1;
      readings.push(processClock.now(), processClock.now());
      await Promise.resolve();
    }
    assertEquals(readings, [1_001, 1_001, 1_002, 1_002, 1_003, 1_003, 1_004, 1_004, 1_005, 1_005]);
    assertStrictEquals(clock.calls, 5);
  }));

Deno.test("processClock.now() asks Date every time when Date is replaced", async () => {
  await Promise.resolve();
  processClock.now(); // a reading that must not be reused
  const RealDate = Date;
  let nowMs = 0;
  globalThis.Date = class extends RealDate {
    static override now = () => nowMs;
  } as DateConstructor;
  try {
    for (nowMs of [5, 6, 6.5, 3, 1e15]) assertStrictEquals(processClock.now(), nowMs);
    for (nowMs = 0; nowMs < 100; nowMs++) assertStrictEquals(processClock.now(), nowMs);
  } finally {
    globalThis.Date = RealDate;
  }
  await Promise.resolve();
  assert(processClock.now() >= RealDate.now() - 60_000, "real time is back");
});

Deno.test("processClock.now() returns wall time when a replaced Date was put back within the turn", async () => {
  await Promise.resolve();
  const RealDate = Date;
  globalThis.Date = class extends RealDate {
    static override now = () => 5;
  } as DateConstructor;
  try {
    processClock.now();
  } finally {
    globalThis.Date = RealDate;
  }
  assert(processClock.now() > 1e12, "the replaced Date's time is still in use");
});
