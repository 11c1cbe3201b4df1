/** Those who listen to a cache: its own listener, and the process's channels. */

import { assertEquals } from "@std/assert";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { CacheEvent } from "../../lib/base/cache_event.ts";
import { CacheEvents } from "../../lib/platform/cache_events.ts";

Deno.test("CacheEvents makes no event where nobody listens, and tells the listener and the channel of its type", () => {
  const silent = new CacheEvents(undefined);
  assertEquals([silent.hears("hit"), silent.hears("error")], [false, false]);
  const told: CacheEvent[] = [];
  const heard: unknown[] = [];
  const hear = (message: unknown) => void heard.push(message);
  subscribe("ormuco-cache:hit", hear);
  try {
    assertEquals([silent.hears("hit"), silent.hears("miss")], [true, false]);
    const events = new CacheEvents((event) => told.push(event));
    events.asked("k", true);
    events.asked("k", false);
    events.changed("store", "k");
    silent.asked("other", true);
  } finally {
    unsubscribe("ormuco-cache:hit", hear);
  }
  assertEquals(told, [{ type: "hit", key: "k" }, { type: "miss", key: "k" }, { type: "store", key: "k" }]);
  assertEquals(heard, [{ type: "hit", key: "k" }, { type: "hit", key: "other" }]);
  assertEquals(silent.hears("hit"), false);
});

Deno.test("CacheEvents ends no call for a listener that throws, or rejects", () => {
  new CacheEvents(() => {
    throw new Error("thrown by a listener");
  }).asked("k", true);
  new CacheEvents(() => Promise.reject(new Error("rejected by a listener"))).changed("remove", "k");
});
