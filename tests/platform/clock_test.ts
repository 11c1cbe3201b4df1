/** processClock: the wall clock's corrections, and `Date` replaced. Each test puts back what it replaced. */

import { assert, assertStrictEquals } from "@std/assert";
import { processClock } from "../../lib/platform/clock.ts";
import { until } from "../support/waiting.ts";

Deno.test("processClock.now() counts from 1970 and is not put back with the wall clock, which wallAheadMs() tells", async () => {
  const realNow = Date.now;
  const wallMs = processClock.now();
  try {
    await until("it has been put back", () => {
      Date.now = () => realNow() - 3_600_000;
      return processClock.now() > 0 && processClock.wallAheadMs() < -3_000_000;
    });
    assert(processClock.now() >= wallMs - 1);
    assert(Math.abs(processClock.now() - wallMs) < 60_000);
  } finally {
    Date.now = realNow;
  }
});

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
