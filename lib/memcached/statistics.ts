/** Statistics under memcached's names, where this server has such a value. It knows what is counted, not who asks. */

import type { ServerStats } from "../base/stats.ts";
import { STATS_UNITS } from "../wire/protocol_handler.ts";
import type { MemcachedCommands } from "./commands.ts";

/** What `version` answers: the version of memcached whose commands are spoken. Clients read numbers between points, and nothing else. */
export const MEMCACHED_VERSION = "1.6.18";

/** What memcached's protocols need from the server. */
export interface MemcachedHost {
  /** memcached's commands on the store. */
  readonly memcached: MemcachedCommands;
  /** Counters that all connections share. */
  readonly counters: { requests: number; refusals: number; protocolErrors: number };
  /** Id of the server's process. */
  readonly pid: number;
  /** Connections at most. */
  readonly maxConnections: number;
  /** Seconds until a client that asks for nothing is disconnected; 0 is never. */
  readonly idleTimeoutSeconds: number;
  /** Whether clients have to say who they are. */
  readonly asksForCredentials: boolean;
  /** The server's own statistics. */
  stats(): ServerStats;
  /** Addresses of the clients connected now. */
  connected(): string[];
}

/** Names and values of a group of statistics, in order. */
export type StatLines = [name: string, value: number | string][];

/** Statistics of a group: the general ones if its name is empty. `undefined` if there is no such group. */
export function statistics(host: MemcachedHost, group: string): StatLines | undefined {
  host.memcached.worked(STATS_UNITS);
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
  const stats = host.stats();
  return [
    ["pid", host.pid],
    ["uptime", Math.floor(stats.uptimeMs / 1000)],
    ["time", Math.floor(store.nowMs / 1000)],
    ["version", MEMCACHED_VERSION],
    ["server", stats.server],
    ["pointer_size", 64],
    ["max_connections", host.maxConnections],
    ["curr_connections", stats.connections],
    ["total_connections", stats.connectionsAccepted],
    ["rejected_connections", stats.connectionsRefused],
    ["conn_yields", stats.turnsWaited],
    ["idle_kicks", stats.connectionsIdle],
    ["read_buf_bytes", stats.bufferBytes],
    ["read_buf_oom", stats.connectionsCut],
    ...Object.entries(counters),
    ["auth_cmds", stats.logins + stats.loginsFailed],
    ["auth_errors", stats.loginsFailed],
    ["bytes_read", stats.bytesReceived],
    ["bytes_written", stats.bytesSent],
    ["limit_maxbytes", limitOf(host)],
    ["accepting_conns", 1],
    ["threads", 1],
    ["bytes", stats.bytes],
    ["curr_items", stats.entries],
    ["total_items", stats.stores],
    ["evictions", stats.evictions],
    ["reclaimed", stats.expirations],
  ];
}

function settings(host: MemcachedHost): StatLines {
  const { memcached } = host;
  const asks = host.asksForCredentials ? "yes" : "no";
  return [
    ["maxbytes", limitOf(host)],
    ["maxconns", host.maxConnections],
    ["idle_timeout", host.idleTimeoutSeconds],
    ["verbosity", 0],
    ["stat_key_prefix", ":"],
    ["detail_enabled", memcached.prefixes.isOn ? "yes" : "no"],
    ["evictions", "on"],
    ["shutdown_command", "no"],
    ["num_threads", 1],
    ["cas_enabled", "yes"],
    ["binding_protocol", "auto-negotiate"],
    ["auth_enabled_sasl", asks],
    ["auth_enabled_ascii", asks],
    ["item_size_max", memcached.maxItemBytes],
    ["flush_enabled", "yes"],
    ["dump_enabled", "yes"],
    ["hash_algorithm", "halfsiphash"],
  ];
}

/** All entries are of one class: memory is not divided by size. */
function items(host: MemcachedHost): StatLines {
  const stats = host.stats();
  if (stats.entries === 0) return [];
  return [
    ["items:1:number", stats.entries],
    ["items:1:mem_requested", stats.bytes],
    ["items:1:evicted", stats.evictions],
    ["items:1:outofmemory", host.memcached.counters.store_no_memory],
    ["items:1:reclaimed", stats.expirations],
  ];
}

function slabs(host: MemcachedHost): StatLines {
  const stats = host.stats();
  const { counters } = host.memcached;
  const used: StatLines = stats.entries === 0 ? [] : [
    ["1:used_chunks", stats.entries],
    ["1:get_hits", counters.get_hits],
    ["1:cmd_set", counters.cmd_set],
    ["1:delete_hits", counters.delete_hits],
    ["1:incr_hits", counters.incr_hits],
    ["1:decr_hits", counters.decr_hits],
    ["1:cas_hits", counters.cas_hits],
    ["1:cas_badval", counters.cas_badval],
    ["1:touch_hits", counters.touch_hits],
  ];
  return [...used, ["active_slabs", used.length === 0 ? 0 : 1], ["total_malloced", stats.memoryBytes]];
}

function limitOf({ memcached: { store } }: MemcachedHost): number {
  return store.maxBytes ?? 0;
}
