/** Statistics under memcached's names, where the value is ours to know. It knows what is counted, not who asks. */

import type { MemcachedCommands } from "./commands.ts";

/** What `version` answers: memcached's whose commands these are, and whose server this is. */
export const MEMCACHED_VERSION = "1.6.18-ormuco";

/** What memcached's protocols need from the server. */
export interface MemcachedHost {
  /** memcached's commands on the store. */
  readonly memcached: MemcachedCommands;
  /** Counters that all conversations share. */
  readonly counters: { requests: number; refusals: number; protocolErrors: number };
  /** Number of the server's process. */
  readonly pid: number;
  /** Connections at most. */
  readonly maxConnections: number;
  /** The server's own statistics. */
  stats(): Record<string, unknown>;
  /** Addresses of those connected now. */
  connected(): string[];
}

/** Names and values of a group of statistics, in order. */
export type StatLines = [name: string, value: number | string][];

/** Statistics of a group: the general ones if its name is empty. `undefined` if there is no such group. */
export function statistics(host: MemcachedHost, group: string): StatLines | undefined {
  switch (group) {
    case "":
      return general(host);
    case "settings":
      return settings(host);
    case "items":
      return items(host);
    case "slabs":
      return slabs(host);
    case "sizes":
      return [["sizes_status", "disabled"]];
    case "conns":
      return host.connected().flatMap((address, i): StatLines => [
        [`${i + 1}:addr`, `tcp:${address}`],
        [`${i + 1}:state`, "conn_read"],
      ]);
    default:
      return undefined;
  }
}

function general(host: MemcachedHost): StatLines {
  const { memcached: { store, counters } } = host;
  const of = reader(host);
  return [
    ["pid", host.pid],
    ["uptime", Math.floor(of("uptimeMs") / 1000)],
    ["time", Math.floor(store.nowMs / 1000)],
    ["version", MEMCACHED_VERSION],
    ["pointer_size", 64],
    ["max_connections", host.maxConnections],
    ["curr_connections", of("connections")],
    ["total_connections", of("connectionsAccepted")],
    ["rejected_connections", of("connectionsRefused")],
    ...Object.entries(counters),
    ["bytes_read", of("bytesReceived")],
    ["bytes_written", of("bytesSent")],
    ["limit_maxbytes", limitOf(host)],
    ["accepting_conns", 1],
    ["threads", 1],
    ["bytes", of("bytes")],
    ["curr_items", of("entries")],
    ["total_items", of("stores")],
    ["evictions", of("evictions")],
    ["reclaimed", of("expirations")],
  ];
}

function settings(host: MemcachedHost): StatLines {
  const { memcached } = host;
  return [
    ["maxbytes", limitOf(host)],
    ["maxconns", host.maxConnections],
    ["verbosity", 0],
    ["evictions", "on"],
    ["shutdown_command", "no"],
    ["num_threads", 1],
    ["cas_enabled", "yes"],
    ["binding_protocol", "auto-negotiate"],
    ["auth_enabled_sasl", "no"],
    ["auth_enabled_ascii", "no"],
    ["item_size_max", memcached.maxItemBytes],
    ["flush_enabled", "yes"],
    ["dump_enabled", "no"],
    ["hash_algorithm", "halfsiphash"],
  ];
}

/** All entries are of one class: memory is not divided by size. */
function items(host: MemcachedHost): StatLines {
  const of = reader(host);
  if (of("entries") === 0) return [];
  return [
    ["items:1:number", of("entries")],
    ["items:1:mem_requested", of("bytes")],
    ["items:1:evicted", of("evictions")],
    ["items:1:outofmemory", host.memcached.counters.store_no_memory],
    ["items:1:reclaimed", of("expirations")],
  ];
}

function slabs(host: MemcachedHost): StatLines {
  const of = reader(host);
  const { counters } = host.memcached;
  const used: StatLines = of("entries") === 0 ? [] : [
    ["1:used_chunks", of("entries")],
    ["1:get_hits", counters.get_hits],
    ["1:cmd_set", counters.cmd_set],
    ["1:delete_hits", counters.delete_hits],
    ["1:incr_hits", counters.incr_hits],
    ["1:decr_hits", counters.decr_hits],
    ["1:cas_hits", counters.cas_hits],
    ["1:cas_badval", counters.cas_badval],
    ["1:touch_hits", counters.touch_hits],
  ];
  return [...used, ["active_slabs", used.length === 0 ? 0 : 1], ["total_malloced", of("memoryBytes")]];
}

function limitOf({ memcached: { store } }: MemcachedHost): number {
  return store.maxBytes ?? 0;
}

/** Reads numbers out of the server's statistics. */
function reader(host: MemcachedHost): (name: string) => number {
  const stats = host.stats();
  return (name) => typeof stats[name] === "number" ? stats[name] : 0;
}
