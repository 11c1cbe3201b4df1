/** What servers do in each second, from the growth of their counters: between two looks, and since the start where there was none. */

import { assertEquals } from "@std/assert";
import { figuresBetween, isRestarted } from "../../lib/cli/top_figures.ts";
import { distinctStats } from "../support/server_stats.ts";

const MISSES = { absent: 10, expired: 0, evicted: 0, deleted: 0, cleared: 0, superseded: 0 };
const FIRST = { uptimeMs: 10_000, requests: 100, hits: 30, misses: 10, missesByReason: MISSES, evictions: 5 };

Deno.test("figuresBetween() divides what was counted by the time that passed at the server", () => {
  const missesByReason = { ...MISSES, absent: 12, expired: 8 };
  const later = { ...FIRST, uptimeMs: 12_000, requests: 140, hits: 60, misses: 20, missesByReason, evictions: 6 };
  const figures = figuresBetween(later, FIRST)!;
  const { requests, hits, misses, evictions, absent, expired, cleared } = figures.perSecond;
  assertEquals([requests, hits, misses, evictions, absent, expired, cleared], [20, 15, 5, 0.5, 1, 4, 0]);
  assertEquals(figures.hitRatio, 0.75);
});

Deno.test("figuresBetween() is about all the time since the start at the first look, and after a start in between", () => {
  assertEquals(figuresBetween(FIRST)?.perSecond.requests, 10);
  assertEquals(figuresBetween(FIRST)?.hitRatio, 0.75);
  const again = { uptimeMs: 500, requests: 3, hits: 1, misses: 0 };
  assertEquals(isRestarted(again, FIRST), true);
  assertEquals([figuresBetween(again, FIRST)?.perSecond.requests, figuresBetween(again, FIRST)?.hitRatio], [6, 1]);
  assertEquals(isRestarted({ ...FIRST, uptimeMs: 11_000, requests: 2 }, FIRST), true, "it was away for longer");
  assertEquals(isRestarted({ ...FIRST, uptimeMs: 10_000 }, FIRST), false);
});

Deno.test("figuresBetween() tells no hit ratio without retrievals, and nothing where no time has passed", () => {
  assertEquals(figuresBetween({ ...FIRST, uptimeMs: 11_000 }, FIRST)?.hitRatio, undefined);
  assertEquals(figuresBetween(FIRST, FIRST), undefined);
  assertEquals(figuresBetween({}), undefined);
});

Deno.test("figuresBetween() leaves out what a server does not tell, and nothing that it tells", () => {
  assertEquals(figuresBetween({ uptimeMs: 1000, requests: 5 })?.perSecond, { requests: 5 });
  const { perSecond } = figuresBetween({ ...distinctStats(), uptimeMs: 1000 })!;
  assertEquals([perSecond.stores, perSecond.expirations, perSecond.connectionsRefused], [109, 112, 115]);
  assertEquals([perSecond.absent, perSecond.evicted, perSecond.superseded], [170, 172, 175]);
});
