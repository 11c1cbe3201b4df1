/** Statistics under memcached's names, where this server has such a value. It knows what is counted, not who asks. */

import type { ServerStats } from "../base/stats.ts";
import { UNIT_BYTES } from "../store/slab.ts";
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
  /** The processor's time that the process has taken, if that is known. */
  cpuTime(): { readonly userMicros: number; readonly systemMicros: number } | undefined;
  /** The socket that is listened on, and the clients connected now. */
  connected(): Connected[];
}

/** A socket as memcached shows it. */
export interface Connected {
  /** Where the client is, or what is listened on: `tcp:127.0.0.1:40000`, `tcp6:[::1]:40000`, `unix:/path`. */
  readonly address: string;
  /** Where the client has connected to. */
  readonly listenAddress?: string;
  /** What the server does: waits for a client, for a command or for the value of one, answers, or writes. */
  readonly state: "conn_listening" | "conn_read" | "conn_nread" | "conn_parse_cmd" | "conn_mwrite";
  /** Seconds since the last command or, before the first, since the client has connected; `undefined` where that is not known. */
  readonly idleSeconds?: number;
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
      return host.connected().flatMap(conn);
    default:
      return undefined;
  }
}

function conn({ address, listenAddress, state, idleSeconds }: Connected, i: number): StatLines {
  const given = [["addr", address], ["listen_addr", listenAddress], ["state", state], [
    "secs_since_last_cmd",
    idleSeconds,
  ]] as const;
  return given.flatMap(([name, value]): StatLines => value === undefined ? [] : [[`${i + 1}:${name}`, value]]);
}

function general(host: MemcachedHost): StatLines {
  const { memcached: { store, counters } } = host;
  const { losses } = store;
  const stats = host.stats();
  return [
    ["pid", host.pid],
    ["uptime", Math.ceil(stats.uptimeMs / 1000)], // as memcached's never 0: panels divide by it
    ["time", Math.floor(store.wallMs / 1000)],
    ["version", MEMCACHED_VERSION],
    ["pointer_size", 64],
    ...rusage(host),
    ["max_connections", host.maxConnections],
    ["curr_connections", stats.connections],
    ["total_connections", stats.connectionsAccepted],
    ["rejected_connections", stats.connectionsRefused],
    ["conn_yields", stats.turnsWaited],
    ["idle_kicks", stats.connectionsIdle],
    ["read_buf_bytes", stats.bufferBytes],
    ["read_buf_oom", stats.connectionsCut],
    ...Object.entries(counters),
    ["get_expired", losses.askedExpired],
    ["get_flushed", losses.askedCleared],
    ["auth_cmds", stats.logins + stats.loginsFailed],
    ["auth_errors", stats.loginsFailed],
    ["bytes_read", stats.bytesReceived],
    ["bytes_written", stats.bytesSent],
    ["limit_maxbytes", limitOf(host)],
    ["accepting_conns", 1],
    ["listen_disabled_num", 0], // who is one too many is refused
    ["time_in_listen_disabled_us", 0],
    ["threads", 1],
    ["bytes", stats.bytes],
    ["curr_items", stats.entries],
    ["total_items", stats.stores],
    ["expired_unfetched", losses.expiredUnfetched],
    ["evicted_unfetched", losses.evictedUnfetched],
    ["evictions", stats.evictions],
    ["reclaimed", reclaimed(host)],
    ["crawler_reclaimed", losses.swept],
    ["crawler_items_checked", losses.looked],
  ];
}

function rusage(host: MemcachedHost): StatLines {
  const time = host.cpuTime();
  if (time === undefined) return [];
  const seconds = (micros: number) => (micros / 1e6).toFixed(6);
  return [["rusage_user", seconds(time.userMicros)], ["rusage_system", seconds(time.systemMicros)]];
}

/** Entries whose memory others may have because they have expired or been flushed. */
function reclaimed({ memcached: { store: { losses } } }: MemcachedHost): number {
  return losses.expirations + losses.cleared;
}

function settings(host: MemcachedHost): StatLines {
  const { memcached } = host;
  const asks = host.asksForCredentials ? "yes" : "no";
  return [
    ["server", host.stats().server], // not among the general ones: panels add up those of several servers
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
    ["maxconns_fast", "yes"],
    ["lru_crawler", "yes"],
    ["lru_maintainer_thread", "no"],
    ["lru_segmented", "no"],
    ["track_sizes", "no"],
    ["flush_enabled", "yes"],
    ["dump_enabled", "yes"],
    ["hash_algorithm", "halfsiphash"],
  ];
}

/** All entries are of one class: memory is not divided by size. */
function items(host: MemcachedHost): StatLines {
  const { memcached } = host;
  const { store, store: { losses, order: { oldest } } } = memcached;
  const stats = host.stats();
  if (stats.entries === 0) return [];
  const lines: [name: string, value: number | undefined][] = [
    ["number", stats.entries],
    ["age", losses.isUseNoted(store.reader, oldest) ? memcached.idleSeconds(oldest) : undefined],
    ["mem_requested", store.pages.liveBytes],
    ["evicted", stats.evictions],
    ["evicted_nonzero", losses.evictedTimed],
    ["evicted_time", evictedSeconds(host)],
    ["outofmemory", memcached.counters.store_no_memory],
    ["tailrepairs", 0], // nothing counts references, so none can be wrong
    ["reclaimed", reclaimed(host)],
    ["expired_unfetched", losses.expiredUnfetched],
    ["evicted_unfetched", losses.evictedUnfetched],
    ["crawler_reclaimed", losses.swept],
    ["crawler_items_checked", losses.looked],
  ];
  return lines.flatMap(([name, value]): StatLines => value === undefined ? [] : [[`items:1:${name}`, value]]);
}

/** Seconds for which the entry last evicted had not been used: 0 before the first, as memcached tells, `undefined` if unknown. */
function evictedSeconds({ memcached: { store: { losses } } }: MemcachedHost): number | undefined {
  const { evictions, lastEvictedIdleMs } = losses;
  return evictions === 0 ? 0 : lastEvictedIdleMs && Math.floor(lastEvictedIdleMs / 1000);
}

/** The class is there as long as it has memory, whether there are entries or not. Its chunks are what positions count in. */
function slabs(host: MemcachedHost): StatLines {
  const stats = host.stats();
  const { counters, store: { pages } } = host.memcached;
  const perPage = pages.bytes / UNIT_BYTES;
  const total = pages.count * perPage;
  const used = Math.ceil(pages.liveBytes / UNIT_BYTES);
  const lines: StatLines = pages.count === 0 ? [] : [
    ["1:chunk_size", UNIT_BYTES],
    ["1:chunks_per_page", perPage],
    ["1:total_pages", pages.count],
    ["1:total_chunks", total],
    ["1:used_chunks", used],
    ["1:free_chunks", total - used],
    ["1:free_chunks_end", Math.floor(pages.roomBytes / UNIT_BYTES)],
    ["1:get_hits", counters.get_hits],
    ["1:cmd_set", counters.cmd_set],
    ["1:delete_hits", counters.delete_hits],
    ["1:incr_hits", counters.incr_hits],
    ["1:decr_hits", counters.decr_hits],
    ["1:cas_hits", counters.cas_hits],
    ["1:cas_badval", counters.cas_badval],
    ["1:touch_hits", counters.touch_hits],
  ];
  return [...lines, ["active_slabs", lines.length === 0 ? 0 : 1], ["total_malloced", stats.memoryBytes]];
}

function limitOf({ memcached: { store } }: MemcachedHost): number {
  return store.maxBytes ?? 0;
}
