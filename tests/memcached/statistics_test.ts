/** Statistics under memcached's names: each of them is the number that it says it is. */

import { assertEquals } from "@std/assert";
import type { ServerStats } from "../../lib/base/stats.ts";
import { MemcachedCounters } from "../../lib/memcached/commands.ts";
import { type MemcachedHost, statistics } from "../../lib/memcached/statistics.ts";
import { distinctStats } from "../support/server_stats.ts";
import { sessionHost } from "../support/session_host.ts";

const COUNTERS: Record<keyof MemcachedCounters, number> = {
  cmd_get: 201,
  cmd_set: 202,
  cmd_flush: 203,
  cmd_touch: 204,
  cmd_meta: 205,
  get_hits: 206,
  get_misses: 207,
  delete_misses: 208,
  delete_hits: 209,
  incr_misses: 210,
  incr_hits: 211,
  decr_misses: 212,
  decr_hits: 213,
  cas_misses: 214,
  cas_hits: 215,
  cas_badval: 216,
  touch_hits: 217,
  touch_misses: 218,
  store_too_large: 219,
  store_no_memory: 220,
};

/** A host all of whose numbers differ. */
function hostOf(
  changes: Partial<ServerStats> = {},
  limits: { maxBytes?: number } = { maxBytes: 1_000_001 },
): MemcachedHost {
  const { memcached } = sessionHost({ ...limits, clock: { now: () => 1_800_000_001_500 } }, 2048);
  Object.assign(memcached.counters, COUNTERS);
  return {
    memcached,
    counters: { requests: 301, refusals: 302, protocolErrors: 303 },
    pid: 304,
    maxConnections: 305,
    idleTimeoutSeconds: 306,
    asksForCredentials: false,
    stats: () => ({ ...distinctStats(), ...changes }),
    connected: () => ["127.0.0.1:1", "unix"],
  };
}

Deno.test("statistics() tells the general ones", () => {
  assertEquals(statistics(hostOf(), ""), [
    ["pid", 304],
    ["uptime", 1234],
    ["time", 1_800_000_001],
    ["version", "1.6.18"],
    ["server", "test/1"],
    ["pointer_size", 64],
    ["max_connections", 305],
    ["curr_connections", 113],
    ["total_connections", 114],
    ["rejected_connections", 115],
    ["conn_yields", 154],
    ["idle_kicks", 150],
    ["read_buf_bytes", 155],
    ["read_buf_oom", 153],
    ["cmd_get", 201],
    ["cmd_set", 202],
    ["cmd_flush", 203],
    ["cmd_touch", 204],
    ["cmd_meta", 205],
    ["get_hits", 206],
    ["get_misses", 207],
    ["delete_misses", 208],
    ["delete_hits", 209],
    ["incr_misses", 210],
    ["incr_hits", 211],
    ["decr_misses", 212],
    ["decr_hits", 213],
    ["cas_misses", 214],
    ["cas_hits", 215],
    ["cas_badval", 216],
    ["touch_hits", 217],
    ["touch_misses", 218],
    ["store_too_large", 219],
    ["store_no_memory", 220],
    ["auth_cmds", 309],
    ["auth_errors", 155],
    ["bytes_read", 119],
    ["bytes_written", 120],
    ["limit_maxbytes", 1_000_001],
    ["accepting_conns", 1],
    ["threads", 1],
    ["bytes", 103],
    ["curr_items", 102],
    ["total_items", 109],
    ["evictions", 111],
    ["reclaimed", 112],
  ]);
});

Deno.test("statistics() tells every counter of memcached's commands", () => {
  const told = new Set(statistics(hostOf(), "")!.map(([name]) => name));
  assertEquals(Object.keys(new MemcachedCounters()).filter((name) => !told.has(name)), []);
});

Deno.test("statistics() tells the settings", () => {
  assertEquals(statistics(hostOf(), "settings"), [
    ["maxbytes", 1_000_001],
    ["maxconns", 305],
    ["idle_timeout", 306],
    ["verbosity", 0],
    ["stat_key_prefix", ":"],
    ["detail_enabled", "no"],
    ["evictions", "on"],
    ["shutdown_command", "no"],
    ["num_threads", 1],
    ["cas_enabled", "yes"],
    ["binding_protocol", "auto-negotiate"],
    ["auth_enabled_sasl", "no"],
    ["auth_enabled_ascii", "no"],
    ["item_size_max", 2048],
    ["flush_enabled", "yes"],
    ["dump_enabled", "yes"],
    ["hash_algorithm", "halfsiphash"],
  ]);
});

Deno.test("statistics() tells a limit of 0 bytes where there is none", () => {
  const host = hostOf({}, {});
  const limitOf = (group: string, name: string) => statistics(host, group)!.find((line) => line[0] === name)?.[1];
  assertEquals([limitOf("", "limit_maxbytes"), limitOf("settings", "maxbytes")], [0, 0]);
});

Deno.test("statistics() tells those of items, and none while there are none", () => {
  assertEquals(statistics(hostOf(), "items"), [
    ["items:1:number", 102],
    ["items:1:mem_requested", 103],
    ["items:1:evicted", 111],
    ["items:1:outofmemory", 220],
    ["items:1:reclaimed", 112],
  ]);
  assertEquals(statistics(hostOf({ entries: 0 }), "items"), []);
});

Deno.test("statistics() tells those of slabs, and no class while there are no items", () => {
  assertEquals(statistics(hostOf(), "slabs"), [
    ["1:used_chunks", 102],
    ["1:get_hits", 206],
    ["1:cmd_set", 202],
    ["1:delete_hits", 209],
    ["1:incr_hits", 211],
    ["1:decr_hits", 213],
    ["1:cas_hits", 215],
    ["1:cas_badval", 216],
    ["1:touch_hits", 217],
    ["active_slabs", 1],
    ["total_malloced", 104],
  ]);
  assertEquals(statistics(hostOf({ entries: 0 }), "slabs"), [["active_slabs", 0], ["total_malloced", 104]]);
});

Deno.test("statistics() tells who is connected, that sizes are not counted, and of no other group", () => {
  assertEquals(statistics(hostOf(), "conns"), [
    ["1:addr", "tcp:127.0.0.1:1"],
    ["1:state", "conn_read"],
    ["2:addr", "tcp:unix"],
    ["2:state", "conn_read"],
  ]);
  assertEquals(statistics(hostOf(), "sizes"), [["sizes_status", "disabled"]]);
  for (const group of ["nonsense", "Settings", "items "]) assertEquals(statistics(hostOf(), group), undefined);
});
