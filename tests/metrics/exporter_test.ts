/** The metrics under memcached_exporter's names, made of memcached's statistics as the exporter makes them. */

import { assert, assertEquals } from "@std/assert";
import { spanOf } from "../../lib/base/byte_span.ts";
import { statistics } from "../../lib/memcached/statistics.ts";
import { exporterFamilies, type Group } from "../../lib/metrics/exporter.ts";
import { metricsText } from "../../lib/metrics/text.ts";
import { type ReadFamily, readMetrics } from "../support/metrics_format.ts";
import { sessionHost } from "../support/session_host.ts";

/** What dashboards and alerts for the exporter ask for, of what this server knows. */
const ASKED = `up version uptime_seconds time_seconds current_connections max_connections connections_total
  connections_rejected_total connections_yielded_total accepting_connections commands_total current_items items_total
  items_evicted_total items_reclaimed_total current_bytes limit_bytes malloced_bytes item_too_large_total
  item_no_memory_total read_bytes_total written_bytes_total process_user_cpu_seconds_total
  process_system_cpu_seconds_total slab_current_items slab_chunk_size_bytes slab_chunks_used slab_commands_total`;

/** What a server with an entry would say. */
function families(): Map<string, ReadFamily> {
  const host = { ...sessionHost(), cpuTime: () => ({ userMicros: 1_500_000, systemMicros: 250_000 }) };
  host.memcached.set(spanOf(new Uint8Array(3)), {
    mode: "set",
    flags: 0,
    value: spanOf(new Uint8Array(5)),
    ttlMs: 0,
    cas: 0,
  });
  const of = (group: string) => statistics(host, group)!;
  return readMetrics(
    metricsText(
      exporterFamilies({ general: of(""), settings: of("settings"), items: of("items"), slabs: of("slabs") }),
    ),
  );
}

Deno.test("all names that dashboards and alerts for memcached_exporter ask for are there", () => {
  const found = families();
  for (const name of ASKED.split(/\s+/)) assert(found.has(`memcached_${name}`), name);
  assertEquals(found.get("memcached_up")?.samples[0].value, 1);
  assertEquals(found.get("memcached_version")?.samples[0].labels, { version: "1.6.18" });
  assertEquals(found.get("memcached_max_connections")?.samples[0].value, 10);
  assertEquals(found.get("memcached_process_user_cpu_seconds_total")?.samples[0].value, 1.5);
  assertEquals(found.get("memcached_current_items")?.samples[0].value, 1);
});

Deno.test("what is of the one class of entries says so", () => {
  for (const [name, { samples }] of families()) {
    assertEquals(samples.every(({ labels }) => labels.slab === "1"), name.startsWith("memcached_slab_"), name);
  }
});

/** Numbers of commands, of which no two are equal. */
const GENERAL: Group = [
  ["version", "1.6.18"],
  ["cmd_set", 100],
  ["cmd_flush", 2],
  ["get_hits", 3],
  ["get_misses", 4],
  ["cas_hits", 5],
  ["cas_misses", 6],
  ["cas_badval", 7],
  ["touch_hits", 8],
];

Deno.test("commands have the status that the exporter gives them, and a cas is no set beside", () => {
  const slabs: Group = [["1:cmd_set", 50], ["1:cas_hits", 5], ["1:cas_badval", 7], ["1:get_hits", 3], [
    "active_slabs",
    1,
  ]];
  const text = metricsText(exporterFamilies({ general: GENERAL, settings: [], items: [], slabs }));
  const found = readMetrics(text);
  const told = (name: string) =>
    found.get(name)?.samples.map(({ labels, value }) => [labels.command, labels.status, value].join(" "));
  assertEquals(told("memcached_commands_total"), [
    "get hit 3",
    "get miss 4",
    "cas hit 5",
    "cas miss 6",
    "touch hit 8",
    "cas badval 7",
    "set hit 82",
    "flush hit 2",
  ]);
  assertEquals(told("memcached_slab_commands_total"), ["get hit 3", "cas hit 5", "cas badval 7", "set hit 38"]);
});

Deno.test("what there is no statistic of has no metric", () => {
  const text = metricsText(exporterFamilies({ general: [["version", "1"]], settings: [], items: [], slabs: [] }));
  assertEquals([...readMetrics(text).keys()], ["memcached_up", "memcached_version"]);
});
