/** Statistics under memcached's names: each of them is the number that it says it is. */

import { assertEquals } from "@std/assert";
import { spanOf } from "../../lib/base/byte_span.ts";
import type { ServerStats } from "../../lib/base/stats.ts";
import { MemcachedCounters } from "../../lib/memcached/commands.ts";
import { type MemcachedHost, statistics } from "../../lib/memcached/statistics.ts";
import { bytesOf } from "../support/memcached_oracle.ts";
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

const LOSSES = {
  cleared: 401,
  evictions: 111,
  evictedTimed: 402,
  evictedUnfetched: 403,
  lastEvictedIdleMs: 404_999,
  expirations: 405,
  expiredUnfetched: 406,
  askedExpired: 407,
  askedCleared: 408,
  looked: 409,
  swept: 410,
};
/** Bytes of a page, of the record of the one entry, and of what is not used at a page's beginning. */
const [PAGE_BYTES, RECORD_BYTES, NO_PLACE_BYTES] = [8192, 104, 8];

/** A host all of whose numbers differ. */
function hostOf(
  changes: Partial<ServerStats> = {},
  limits: { maxBytes?: number } = { maxBytes: 1_000_001 },
): MemcachedHost {
  const { memcached } = sessionHost({ ...limits, clock: { now: () => 1_800_000_001_500 } }, 2048);
  memcached.set(spanOf(new Uint8Array(40)), {
    mode: "set",
    flags: 0,
    value: spanOf(new Uint8Array(0)),
    ttlMs: Infinity,
    cas: 0,
  });
  Object.assign(memcached.counters, COUNTERS);
  Object.assign(memcached.store.losses, LOSSES);
  return {
    memcached,
    counters: { requests: 301, refusals: 302, protocolErrors: 303 },
    pid: 304,
    maxConnections: 305,
    idleTimeoutSeconds: 306,
    asksForCredentials: false,
    cpuTime: () => ({ userMicros: 12_345_678, systemMicros: 9 }),
    stats: () => ({ ...distinctStats(), ...changes }),
    connected: () => [
      { address: "tcp:127.0.0.1:9", state: "conn_listening" },
      { address: "tcp6:[::1]:1", listenAddress: "tcp6:[::1]:9", state: "conn_read", idleSeconds: 5 },
      { address: "unix:/s", listenAddress: "unix:/s", state: "conn_parse_cmd", idleSeconds: 0 },
    ],
  };
}

Deno.test("statistics() tells the general ones", () => {
  assertEquals(statistics(hostOf(), ""), [
    ["pid", 304],
    ["uptime", 1235],
    ["time", 1_800_000_001],
    ["version", "1.6.18"],
    ["pointer_size", 64],
    ["rusage_user", "12.345678"],
    ["rusage_system", "0.000009"],
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
    ["get_expired", 407],
    ["get_flushed", 408],
    ["auth_cmds", 309],
    ["auth_errors", 155],
    ["bytes_read", 119],
    ["bytes_written", 120],
    ["limit_maxbytes", 1_000_001],
    ["accepting_conns", 1],
    ["listen_disabled_num", 0],
    ["time_in_listen_disabled_us", 0],
    ["threads", 1],
    ["bytes", 103],
    ["curr_items", 102],
    ["total_items", 109],
    ["expired_unfetched", 406],
    ["evicted_unfetched", 403],
    ["evictions", 111],
    ["reclaimed", 806],
    ["crawler_reclaimed", 410],
    ["crawler_items_checked", 409],
  ]);
});

Deno.test("statistics() tells every counter of memcached's commands", () => {
  const told = new Set(statistics(hostOf(), "")!.map(([name]) => name));
  assertEquals(Object.keys(new MemcachedCounters()).filter((name) => !told.has(name)), []);
});

Deno.test("statistics() tells general ones that are numbers but for the version: panels add up those of several servers", () => {
  const words = statistics(hostOf(), "")!.filter(([, value]) => Number.isNaN(Number(value)));
  assertEquals(words.map(([name]) => name), ["version"]);
});

Deno.test("statistics() tells the settings", () => {
  assertEquals(statistics(hostOf(), "settings"), [
    ["server", "test/1"],
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
    ["maxconns_fast", "yes"],
    ["lru_crawler", "yes"],
    ["lru_maintainer_thread", "no"],
    ["lru_segmented", "no"],
    ["track_sizes", "no"],
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
    ["items:1:age", 0],
    ["items:1:mem_requested", RECORD_BYTES],
    ["items:1:evicted", 111],
    ["items:1:evicted_nonzero", 402],
    ["items:1:evicted_time", 404],
    ["items:1:outofmemory", 220],
    ["items:1:tailrepairs", 0],
    ["items:1:reclaimed", 806],
    ["items:1:expired_unfetched", 406],
    ["items:1:evicted_unfetched", 403],
    ["items:1:crawler_reclaimed", 410],
    ["items:1:crawler_items_checked", 409],
  ]);
  assertEquals(statistics(hostOf({ entries: 0 }), "items"), []);
});

Deno.test("statistics() tells an age and a time of eviction only where they are known", () => {
  let nowMs = 1_800_000_000_000;
  const { memcached } = sessionHost({ clock: { now: () => nowMs }, maxSize: 2, ttlMs: 0 });
  const host = { ...hostOf({ entries: 1 }), memcached };
  const told = () => statistics(host, "items")!.filter(([name]) => /:(age|evicted_time)$/.test(name));
  const value = spanOf(new Uint8Array(0));
  const store = (key: string) => memcached.store.set(spanOf(bytesOf(key)), { flags: 0, value, ttlMs: undefined });
  const set = (key: string) =>
    memcached.set(spanOf(bytesOf(key)), { mode: "set", flags: 0, value, ttlMs: Infinity, cas: 0 });
  set("a");
  store("b");
  nowMs += 7000;
  assertEquals(told(), [["items:1:age", 7], ["items:1:evicted_time", 0]]);
  store("c"); // evicts what memcached's client has stored
  assertEquals(told(), [["items:1:evicted_time", 7]]); // the oldest is one of ours, without a time to live
  store("d");
  assertEquals(told(), []);
  memcached.store.delete(spanOf(bytesOf("c")));
  memcached.store.delete(spanOf(bytesOf("d")));
  set("e");
  assertEquals(told(), [["items:1:age", 0]]);
});

Deno.test("statistics() tells those of slabs while memory is held, though there are no items", () => {
  const chunks = PAGE_BYTES / 8;
  const used = RECORD_BYTES / 8;
  const lines = (entries: number) => statistics(hostOf({ entries }), "slabs");
  assertEquals(lines(102), [
    ["1:chunk_size", 8],
    ["1:chunks_per_page", chunks],
    ["1:total_pages", 1],
    ["1:total_chunks", chunks],
    ["1:used_chunks", used],
    ["1:free_chunks", chunks - used],
    ["1:free_chunks_end", (PAGE_BYTES - RECORD_BYTES - NO_PLACE_BYTES) / 8],
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
  assertEquals(lines(0), lines(102));
  const host = hostOf({ entries: 0 });
  host.memcached.store.clear();
  host.memcached.store.maintain();
  assertEquals(statistics(host, "slabs"), [["active_slabs", 0], ["total_malloced", 104]]);
});

Deno.test("statistics() tells who is connected, that sizes are not counted, and of no other group", () => {
  assertEquals(statistics(hostOf(), "conns"), [
    ["1:addr", "tcp:127.0.0.1:9"],
    ["1:state", "conn_listening"],
    ["2:addr", "tcp6:[::1]:1"],
    ["2:listen_addr", "tcp6:[::1]:9"],
    ["2:state", "conn_read"],
    ["2:secs_since_last_cmd", 5],
    ["3:addr", "unix:/s"],
    ["3:listen_addr", "unix:/s"],
    ["3:state", "conn_parse_cmd"],
    ["3:secs_since_last_cmd", 0],
  ]);
  assertEquals(statistics(hostOf(), "sizes"), [["sizes_status", "disabled"]]);
  for (const group of ["nonsense", "Settings", "items "]) assertEquals(statistics(hostOf(), group), undefined);
});
