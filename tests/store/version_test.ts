/** The order of writes: versions compared, given, and believed or not. */

import { assert, assertEquals } from "@std/assert";
import { compareVersions, HybridClock, MAX_AHEAD_MS, versionAt } from "../../lib/store/version.ts";
import { NOW_MS } from "../support/stores.ts";

const EPOCH_MS = Date.UTC(2024, 0, 1);

Deno.test("compareVersions() orders by h, then by origin, whoever an adopted write is counted under", () => {
  const ascending = [{ h: 0, origin: 9 }, { h: 1, origin: 2 }, { h: 1, origin: 2 ** 32 - 1 }, {
    h: 2 ** 52,
    origin: 1,
  }];
  for (const [i, a] of ascending.entries()) {
    for (const [j, b] of ascending.entries()) assertEquals(Math.sign(compareVersions(a, b)), Math.sign(i - j));
  }
  assertEquals(compareVersions({ h: 1, origin: 2, by: 7 }, { h: 1, origin: 2, by: 8 }), 0);
  assertEquals(compareVersions({ h: 1, origin: 2, by: 7 }, { h: 1, origin: 2 }), 0);
});

Deno.test("versionAt() counts 4,096 versions a millisecond from 2024 on, and none before", () => {
  assertEquals([EPOCH_MS - 1, EPOCH_MS, EPOCH_MS + 1].map(versionAt), [0, 0, 4096]);
  assertEquals(versionAt(EPOCH_MS + 1.999), 4096);
  assertEquals(versionAt(0), 0);
  assert(Number.isSafeInteger(versionAt(Date.UTC(2093, 0, 1))));
});

Deno.test("HybridClock.tick() follows the time, and counts on where that stands still or goes back", () => {
  const clock = new HybridClock();
  assertEquals(clock.last, 0);
  assertEquals(clock.tick(NOW_MS), versionAt(NOW_MS));
  assertEquals(clock.tick(NOW_MS), versionAt(NOW_MS) + 1);
  assertEquals(clock.tick(NOW_MS - 10_000), versionAt(NOW_MS) + 2);
  assertEquals(clock.last, versionAt(NOW_MS) + 2);
  assertEquals(clock.tick(NOW_MS + 1), versionAt(NOW_MS + 1));
});

Deno.test("HybridClock.tick() goes beyond a millisecond's versions without giving one twice", () => {
  const clock = new HybridClock();
  let last = 0;
  for (let i = 0; i < 10_000; i++) {
    const h = clock.tick(NOW_MS + Math.floor(i / 9000));
    assert(h > last, `${h} after ${last}`);
    last = h;
  }
});

Deno.test("HybridClock.see() takes note of a version up to a minute ahead, and the next is newer", () => {
  const clock = new HybridClock();
  const h = versionAt(NOW_MS + MAX_AHEAD_MS);
  assertEquals([clock.see(h, NOW_MS), clock.last, clock.tick(NOW_MS)], [true, h, h + 1]);
  assertEquals([clock.see(5, NOW_MS), clock.last], [true, h + 1]);
});

Deno.test("HybridClock.see() refuses what is further ahead, or no version, and changes nothing", () => {
  const clock = new HybridClock();
  clock.tick(NOW_MS);
  const { last } = clock;
  for (const h of [versionAt(NOW_MS + MAX_AHEAD_MS) + 1, Infinity, NaN]) {
    assertEquals([clock.see(h, NOW_MS), clock.last], [false, last]);
  }
});
