/**
 * A server's metrics under the names of memcached_exporter, made of the same statistics as that makes them, so that dashboards
 * and alerts for memcached work as they are.
 */

import type { Family, Kind, Sample } from "./text.ts";

/** Names and values of one group of memcached's statistics. */
export type Group = readonly (readonly [name: string, value: number | string])[];

/** The groups that the exporter asks for. */
export interface MemcachedGroups {
  readonly general: Group;
  readonly settings: Group;
  readonly items: Group;
  readonly slabs: Group;
}

type Values = ReadonlyMap<string, number | string>;
type Name = readonly [statistic: string, name: string, kind: Kind, help: string];

/** Of the general statistics. What the exporter calls a counter without `_total` is a gauge here: checkers want it so. */
const GENERAL: readonly Name[] = [
  ["uptime", "uptime_seconds", "gauge", "Number of seconds since the server started."],
  ["time", "time_seconds", "gauge", "Current UNIX time according to the server."],
  ["rusage_user", "process_user_cpu_seconds_total", "counter", "Accumulated user time for this process."],
  ["rusage_system", "process_system_cpu_seconds_total", "counter", "Accumulated system time for this process."],
  ["bytes", "current_bytes", "gauge", "Current number of bytes used to store items."],
  ["limit_maxbytes", "limit_bytes", "gauge", "Number of bytes this server is allowed to use for storage."],
  ["curr_items", "current_items", "gauge", "Current number of items stored by this instance."],
  ["total_items", "items_total", "counter", "Total number of items stored during the life of this instance."],
  ["bytes_read", "read_bytes_total", "counter", "Total number of bytes read by this server from network."],
  ["bytes_written", "written_bytes_total", "counter", "Total number of bytes sent by this server to network."],
  ["curr_connections", "current_connections", "gauge", "Current number of open connections."],
  ["total_connections", "connections_total", "counter", "Total number of connections opened since the start."],
  [
    "rejected_connections",
    "connections_rejected_total",
    "counter",
    "Total number of connections refused at the limit.",
  ],
  [
    "conn_yields",
    "connections_yielded_total",
    "counter",
    "Total number of times that a connection let others go first.",
  ],
  [
    "listen_disabled_num",
    "connections_listener_disabled_total",
    "counter",
    "Number of times the listener was disabled.",
  ],
  ["evictions", "items_evicted_total", "counter", "Total number of items removed to free memory for new items."],
  ["reclaimed", "items_reclaimed_total", "counter", "Total number of items whose memory was reclaimed once expired."],
  ["store_too_large", "item_too_large_total", "counter", "Times that an item exceeded the largest size when stored."],
  ["store_no_memory", "item_no_memory_total", "counter", "Times that an item could not be stored for want of memory."],
  ["crawler_items_checked", "lru_crawler_items_checked_total", "counter", "Items looked at for expiration."],
  ["crawler_reclaimed", "lru_crawler_reclaimed_total", "counter", "Items freed by that."],
  ["total_malloced", "malloced_bytes", "gauge", "Number of bytes of memory allocated to slab pages."],
  ["accepting_conns", "accepting_connections", "gauge", "Whether the server accepts new connections."],
];

const SETTINGS: readonly Name[] = [
  ["maxconns", "max_connections", "gauge", "Maximum number of clients allowed."],
];

const ITEMS: readonly Name[] = [
  ["number", "slab_current_items", "gauge", "Number of items currently stored in this slab class."],
  ["age", "slab_items_age_seconds", "gauge", "Seconds since the oldest item was used."],
  ["crawler_reclaimed", "slab_items_crawler_reclaimed_total", "counter", "Items freed by the crawler."],
  ["evicted", "slab_items_evicted_total", "counter", "Items evicted before they expired."],
  ["evicted_nonzero", "slab_items_evicted_nonzero_total", "counter", "Items evicted that had a time of expiration."],
  ["evicted_time", "slab_items_evicted_time_seconds", "gauge", "Seconds since the last use of the last item evicted."],
  ["evicted_unfetched", "slab_items_evicted_unfetched_total", "counter", "Items evicted that were never fetched."],
  ["expired_unfetched", "slab_items_expired_unfetched_total", "counter", "Items expired that were never fetched."],
  ["outofmemory", "slab_items_outofmemory_total", "counter", "Items for which there was no memory."],
  ["reclaimed", "slab_items_reclaimed_total", "counter", "Items whose memory was reclaimed."],
  ["tailrepairs", "slab_items_tailrepairs_total", "counter", "Repairs of references, which are not counted here."],
  ["mem_requested", "slab_mem_requested_bytes", "gauge", "Bytes that items take up within a slab class."],
];

const SLABS: readonly Name[] = [
  ["chunk_size", "slab_chunk_size_bytes", "gauge", "Bytes of a chunk within this slab class."],
  ["chunks_per_page", "slab_chunks_per_page", "gauge", "Chunks within a page of this slab class."],
  ["total_pages", "slab_current_pages", "gauge", "Pages allocated to this slab class."],
  ["total_chunks", "slab_current_chunks", "gauge", "Chunks allocated to this slab class."],
  ["used_chunks", "slab_chunks_used", "gauge", "Chunks allocated to an item."],
  ["free_chunks", "slab_chunks_free", "gauge", "Chunks not yet allocated to an item."],
  ["free_chunks_end", "slab_chunks_free_end", "gauge", "Free chunks at the end of the last page."],
];

/** Commands whose hits, and misses where they are counted, are told. */
const COMMANDS = ["get", "delete", "incr", "decr", "cas", "touch"];
/** The one class that all entries are of. */
const SLAB = { slab: "1" };

/** Returns the metrics that the exporter would make of a server's statistics; what there is no statistic of is left out. */
export function exporterFamilies({ general, settings, items, slabs }: MemcachedGroups): Family[] {
  const [all, ofItems, ofSlabs] = [general, items, slabs].map(valuesOf);
  const malloced = ofSlabs.get("total_malloced");
  const values = malloced === undefined ? all : new Map([...all, ["total_malloced", malloced]]);
  return [
    family("up", "gauge", "Could the memcached server be reached.", [{ value: 1 }]),
    family("version", "gauge", "The version of this memcached server.", [
      { labels: { version: String(all.get("version")) }, value: 1 },
    ]),
    family("commands_total", "counter", "Requests by command and status.", [
      ...commands(all, {}),
      ...sample(all, "cmd_flush", { command: "flush", status: "hit" }),
    ]),
    ...named(GENERAL, values),
    ...named(SETTINGS, valuesOf(settings)),
    ...named(ITEMS, ofItems, SLAB),
    ...named(SLABS, ofSlabs, SLAB),
    family("slab_commands_total", "counter", "Requests by command and status, per slab.", commands(ofSlabs, SLAB)),
  ];
}

function family(name: string, kind: Kind, help: string, samples: readonly Sample[]): Family {
  return { name: `memcached_${name}`, kind, help, samples };
}

/** Values by the last part of their names: `items:1:age` is `age`. */
function valuesOf(group: Group): Values {
  return new Map(group.map(([name, value]) => [name.slice(name.lastIndexOf(":") + 1), value]));
}

function named(names: readonly Name[], values: Values, labels: Sample["labels"] = {}): Family[] {
  return names.map(([statistic, name, kind, help]) => family(name, kind, help, sample(values, statistic, labels)));
}

function sample(values: Values, statistic: string, labels: Sample["labels"]): Sample[] {
  const value = values.get(statistic);
  return value === undefined ? [] : [{ labels, value: Number(value) }];
}

/** Commands with their status. In memcached every `cas` is a `set` too, which is taken off again. */
function commands(values: Values, labels: Readonly<Record<string, string>>): Sample[] {
  const of = (command: string, status: string, statistic: string) =>
    sample(values, statistic, { ...labels, command, status });
  const cas = ["cas_misses", "cas_hits", "cas_badval"].reduce((sum, name) => sum + Number(values.get(name) ?? 0), 0);
  const sets = of("set", "hit", "cmd_set").map((sets) => ({ ...sets, value: sets.value - cas }));
  return [
    ...COMMANDS.flatMap((name) => [...of(name, "hit", `${name}_hits`), ...of(name, "miss", `${name}_misses`)]),
    ...of("cas", "badval", "cas_badval"),
    ...sets,
  ];
}
