/** The metrics under our own names: each figure of the statistics is in them, once, in base units. */

import { assert, assertEquals } from "@std/assert";
import type { PeerStats, ServerStats } from "../../lib/base/stats.ts";
import { Durations } from "../../lib/metrics/durations.ts";
import { type Measured, ormucoFamilies } from "../../lib/metrics/ormuco.ts";
import { metricsText } from "../../lib/metrics/text.ts";
import { type ReadFamily, readMetrics } from "../support/metrics_format.ts";
import { distinctStats } from "../support/server_stats.ts";

const PEER: PeerStats = {
  address: "10.0.0.2:11142",
  name: "",
  state: "connected",
  ready: true,
  id: 201,
  error: "",
  roundTripMs: 202,
  lastRoundMs: 203,
  lag: 204,
  lagMs: 205,
  catchingUp: false,
  bytesReceived: 206,
  bytesSent: 207,
  entriesReceived: 208,
  entriesSent: 209,
  entriesDropped: 210,
  refusedFuture: 211,
  refusedBad: 212,
  droppedFull: 213,
};

/** What is told beside the statistics. */
const MEASURED: Omit<Measured, "stats"> = {
  insight: { hitRatio: { half: 0.25, same: 0.5, double: 0.75, fourfold: 1, sieve: 0.625 } },
  durations: new Durations(),
  maxConnections: 1000,
  runtime: "2.9.6",
  residentBytes: 50_000_000,
  cpuSeconds: 1.5,
  httpReplies: new Map([[200, 3], [401, 2]]),
};

function textOf(stats: ServerStats): string {
  return metricsText(ormucoFamilies({ ...MEASURED, stats }));
}

function read(changes: Partial<ServerStats> = {}): Map<string, ReadFamily> {
  return readMetrics(textOf({ ...distinctStats(), ...changes }));
}

function valueOf(
  families: Map<string, ReadFamily>,
  name: string,
  labels: Record<string, string> = {},
): number | undefined {
  const samples = families.get(name)?.samples.filter((sample) =>
    Object.entries(labels).every(([label, value]) => sample.labels[label] === value)
  );
  assert(samples === undefined || samples.length <= 1, `${name} has several`);
  return samples?.[0]?.value;
}

Deno.test("every figure of a server's statistics is in its metrics: another one makes another text", () => {
  const stats = { ...distinctStats(), peers: [PEER] };
  const before = textOf(stats);
  const differs = (changed: ServerStats, what: string) => assert(textOf(changed) !== before, what);
  for (const [name, value] of Object.entries(stats)) {
    if (name === "misses") continue; // the sum of its reasons
    if (typeof value === "number") differs({ ...stats, [name]: value + 1000 }, name);
  }
  for (const [name, value] of Object.entries(stats.missesByReason)) {
    differs({ ...stats, missesByReason: { ...stats.missesByReason, [name]: value + 1000 } }, `missesByReason.${name}`);
  }
  differs({ ...stats, ready: false }, "ready");
  differs({ ...stats, server: "test/2" }, "server");
  for (const [name, value] of Object.entries(stats.gossip)) {
    differs({ ...stats, gossip: { ...stats.gossip, [name]: value + 1000 } }, `gossip.${name}`);
  }
  for (const [name, value] of Object.entries(PEER)) {
    if (name === "id" || name === "error") continue; // they are for people
    const other = typeof value === "number" ? value + 1000 : typeof value === "boolean" ? !value : "waiting";
    differs({ ...stats, peers: [{ ...PEER, [name]: other }] }, `peers.${name}`);
  }
});

Deno.test("metrics are in seconds and bytes, and say what runs", () => {
  const families = read({ certificateExpiresMs: 1_800_000_000_500 });
  assertEquals(valueOf(families, "ormuco_uptime_seconds"), 1234.567);
  assertEquals(valueOf(families, "ormuco_certificate_expiry_timestamp_seconds"), 1_800_000_000.5);
  assertEquals(valueOf(families, "ormuco_build_info", { server: "test/1", deno: "2.9.6" }), 1);
  assertEquals(valueOf(families, "ormuco_connections_ended_total", { reason: "slow" }), 151);
  assertEquals(valueOf(families, "ormuco_logins_total", { result: "bad" }), 155);
  assertEquals(valueOf(families, "ormuco_http_replies_total", { status: "401" }), 2);
  assertEquals(valueOf(families, "process_cpu_seconds_total"), 1.5);
});

Deno.test("what is not there has no metrics: a certificate, its order, a snapshot, peers", () => {
  const families = read({ certificateExpiresMs: 0, certificateOrderMs: 0, snapshotMs: 0 });
  const names = [...families.keys()].filter((name) => /_timestamp_|_peer_/.test(name));
  assertEquals(names, []);
});

Deno.test("a peer has its address for a label, whatever stands in it, and its name if it has one", () => {
  const strange = 'a"}\n\\é{';
  const families = read({ peers: [PEER, { ...PEER, address: strange, name: "cache.example", lag: 7 }] });
  assertEquals(families.get("ormuco_peer_lag_writes")?.samples, [
    { name: "ormuco_peer_lag_writes", labels: { peer: "10.0.0.2:11142" }, value: 204 },
    { name: "ormuco_peer_lag_writes", labels: { peer: strange, name: "cache.example" }, value: 7 },
  ]);
  assertEquals(valueOf(families, "ormuco_peer_round_trip_seconds", { name: "cache.example" }), 0.202);
  assertEquals(
    valueOf(families, "ormuco_peer_messages_refused_total", { name: "cache.example", reason: "future" }),
    211,
  );
});

Deno.test("two peers of one address are told of once: a scraper would refuse the whole text", () => {
  const other = { ...PEER, lag: 7 };
  const families = read({ peers: [PEER, other, { ...other, name: "a" }, { ...other, name: "b" }] });
  assertEquals(families.get("ormuco_peer_lag_writes")?.samples.map(({ value }) => value), [204, 7, 7]);
});

Deno.test("a peer that has not answered yet has no time of its answers", () => {
  const families = read({ peers: [{ ...PEER, state: "connecting", roundTripMs: -1, lastRoundMs: -1 }] });
  assertEquals(valueOf(families, "ormuco_peer_round_trip_seconds"), undefined);
  assertEquals(valueOf(families, "ormuco_peer_last_round_age_seconds"), undefined);
  assertEquals(valueOf(families, "ormuco_peer_connected"), 0);
  assertEquals(valueOf(families, "ormuco_peer_state", { state: "connecting" }), 1);
});

Deno.test("estimates are told for each size and policy, and not while there are none", () => {
  const samples = read().get("ormuco_estimated_hit_ratio")?.samples;
  assertEquals(samples?.map(({ labels: { size, policy }, value }) => [size, policy, value]), [
    ["0.5", "lru", 0.25],
    ["1", "lru", 0.5],
    ["2", "lru", 0.75],
    ["4", "lru", 1],
    ["1", "sieve", 0.625],
  ]);
  const families = ormucoFamilies({ ...MEASURED, stats: distinctStats(), insight: {} });
  assertEquals(readMetrics(metricsText(families)).has("ormuco_estimated_hit_ratio"), false);
});

Deno.test("docs/metrics.md explains every metric of ours, and no other", () => {
  const families = read({ peers: [PEER] });
  const document = Deno.readTextFileSync(new URL("../../docs/metrics.md", import.meta.url));
  const rows = document.split("\n").filter((line) => /^\| `(ormuco|process)_/.test(line));
  const explained = rows.flatMap((row) => [...row.split(" | ")[0].matchAll(/`([a-z_]+)`/g)].map(([, name]) => name));
  assertEquals(explained.sort(), [...families.keys()].sort());
});
