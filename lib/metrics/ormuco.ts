/** A server's metrics under our own names, from its statistics. It counts nothing itself. */

import type { ServerInsight } from "../base/insight.ts";
import type { ServerStats } from "../base/stats.ts";
import type { Durations } from "./durations.ts";
import { peerFamilies } from "./peers.ts";
import { type Family, type Kind, single } from "./text.ts";

/** What there is to tell of a server. */
export interface Measured {
  readonly stats: ServerStats;
  readonly insight: Pick<ServerInsight, "hitRatio">;
  readonly durations: Durations;
  /** Connections of clients at most. */
  readonly maxConnections: number;
  /** Version of what runs the server. */
  readonly runtime: string;
  /** Bytes of memory that the process has. */
  readonly residentBytes: number;
  /** Seconds of the processor's time that it has taken, where that is known. */
  readonly cpuSeconds: number | undefined;
  /** Replies over HTTP, by their status. */
  readonly httpReplies: ReadonlyMap<number, number>;
}

/** A figure of the statistics: one number, or several that a label tells apart. */
type Figure = readonly [
  name: string,
  kind: Kind,
  help: string,
  of: (stats: ServerStats) => number | { readonly label: string; readonly values: Readonly<Record<string, number>> },
];

const FIGURES: readonly Figure[] = [
  ["uptime_seconds", "gauge", "Time since the server was started.", ({ uptimeMs }) => uptimeMs / 1000],
  ["ready", "gauge", "Whether the server has what its peers have (docs/replication.md).", ({ ready }) => Number(ready)],
  ["entries", "gauge", "Entries held.", ({ entries }) => entries],
  ["entries_limit", "gauge", "Entries held at most; 0 is no limit.", ({ maxSize }) => maxSize],
  ["entry_bytes", "gauge", "Bytes of keys, values and their overhead.", ({ bytes }) => bytes],
  ["memory_bytes", "gauge", "Bytes taken for entries, with the room between them.", ({ memoryBytes }) => memoryBytes],
  ["memory_limit_bytes", "gauge", "Bytes taken for entries at most.", ({ maxBytes }) => maxBytes],
  ["fingerprints", "gauge", "Writes that have left of which the fingerprint is kept.", (stats) => stats.fingerprints],
  ["fingerprints_limit", "gauge", "About how many fingerprints are kept at most.", ({ maxForgotten }) => maxForgotten],
  ["hits_total", "counter", "Retrievals that found an entry.", ({ hits }) => hits],
  [
    "misses_total",
    "counter",
    "Retrievals that found no entry, and why (docs/metrics.md).",
    ({ missesByReason }) => ({ label: "reason", values: { ...missesByReason } }),
  ],
  ["stores_total", "counter", "Values stored by callers of this server.", ({ stores }) => stores],
  ["deletions_total", "counter", "Entries removed because they were deleted or cleared.", ({ deletions }) => deletions],
  ["evictions_total", "counter", "Entries removed to make room for others.", ({ evictions }) => evictions],
  ["expirations_total", "counter", "Entries removed because their time was over.", ({ expirations }) => expirations],
  ["requests_total", "counter", "Requests received, in any protocol of the cache.", ({ requests }) => requests],
  ["refusals_total", "counter", "Requests of the native protocol that were refused.", ({ refusals }) => refusals],
  ["protocol_errors_total", "counter", "Bytes that were no request or message.", (stats) => stats.protocolErrors],
  ["received_bytes_total", "counter", "Bytes received from clients.", ({ bytesReceived }) => bytesReceived],
  ["sent_bytes_total", "counter", "Bytes sent to clients.", ({ bytesSent }) => bytesSent],
  [
    "connections",
    "gauge",
    "Connections open, of clients and those that peers have made.",
    (stats) => stats.connections,
  ],
  ["connections_accepted_total", "counter", "Connections accepted.", ({ connectionsAccepted }) => connectionsAccepted],
  [
    "connections_refused_total",
    "counter",
    "Connections refused because too many were open, in all or from their address.",
    ({ connectionsRefused }) => connectionsRefused,
  ],
  [
    "connections_ended_total",
    "counter",
    "Connections that the server ended, and why.",
    (stats) => ({
      label: "reason",
      values: {
        idle: stats.connectionsIdle,
        slow: stats.connectionsSlow,
        replaced: stats.connectionsReplaced,
        withdrawn: stats.connectionsWithdrawn,
        cut: stats.connectionsCut,
      },
    }),
  ],
  [
    "logins_total",
    "counter",
    "Credentials that were shown, in any protocol.",
    ({ logins, loginsFailed }) => ({ label: "result", values: { good: logins, bad: loginsFailed } }),
  ],
  [
    "tls_handshakes_total",
    "counter",
    "Handshakes of TLS.",
    ({ tlsHandshakes, tlsFailures }) => ({ label: "result", values: { done: tlsHandshakes, failed: tlsFailures } }),
  ],
  [
    "certificate_renewals_total",
    "counter",
    "Certificates taken up while running.",
    (stats) => stats.certificateRenewals,
  ],
  ["certificate_faults_total", "counter", "Certificates that could not be used.", (stats) => stats.certificateFaults],
  [
    "turns_waited_total",
    "counter",
    "Times that a busy connection waited for others.",
    ({ turnsWaited }) => turnsWaited,
  ],
  ["buffer_bytes", "gauge", "Bytes in which requests and replies wait.", ({ bufferBytes }) => bufferBytes],
  ["buffer_limit_bytes", "gauge", "Bytes in which they wait at most.", ({ maxBuffers }) => maxBuffers],
  ["near_connections", "gauge", "Connections of clients that keep near copies.", (stats) => stats.nearConnections],
  [
    "near_invalidations_total",
    "counter",
    "Changes that such clients were told of.",
    (stats) => stats.nearInvalidations,
  ],
  ["near_resets_total", "counter", "Times that one was told to drop all copies.", ({ nearResets }) => nearResets],
  ["leases_given_total", "counter", "Times that a client was told to compute a value.", (stats) => stats.leasesGiven],
  ["leases_lost_total", "counter", "Values that came too late, or were given back.", ({ leasesLost }) => leasesLost],
  ["leases_handed_over_total", "counter", "Leases that ended without a value.", (stats) => stats.leasesHandedOver],
  ["lease_waits", "gauge", "Clients that wait for another's value, for each key.", ({ leaseWaits }) => leaseWaits],
  ["snapshot_entries", "gauge", "Entries in the last snapshot.", ({ snapshotEntries }) => snapshotEntries],
  [
    "snapshot_failures_total",
    "counter",
    "Snapshots that could not be written, or not be loaded as a whole.",
    ({ snapshotFailures }) => snapshotFailures,
  ],
  ["gossip_applied_total", "counter", "Writes from peers that were applied.", ({ gossip }) => gossip.applied],
  ["gossip_repeated_total", "counter", "Writes from peers that were known already.", ({ gossip }) => gossip.repeated],
  ["gossip_sent_total", "counter", "Writes sent to peers that asked.", ({ gossip }) => gossip.sent],
  ["gossip_pushed_total", "counter", "Writes sent to peers unasked.", ({ gossip }) => gossip.pushed],
  ["gossip_gaps_total", "counter", "Pushes that could not be used.", ({ gossip }) => gossip.gaps],
  ["gossip_extended_total", "counter", "Expirations put off by hits elsewhere.", ({ gossip }) => gossip.extended],
  ["gossip_from_future_total", "counter", "Messages refused: clocks differ.", ({ gossip }) => gossip.fromFuture],
  ["gossip_verifications_total", "counter", "Verifications begun.", ({ gossip }) => gossip.verifications],
  [
    "gossip_dropped_total",
    "counter",
    "Entries dropped because a peer did not confirm them.",
    ({ gossip }) => ({ label: "reason", values: { unconfirmed: gossip.unconfirmed, covered: gossip.covered } }),
  ],
];

/** Returns all metrics under our own names. */
export function ormucoFamilies(measured: Measured): Family[] {
  const { stats, durations } = measured;
  return [
    {
      name: "ormuco_build_info",
      kind: "gauge",
      help: "1, with the versions of the server and of Deno.",
      samples: [{ labels: { server: stats.server, deno: measured.runtime }, value: 1 }],
    },
    ...FIGURES.map(([name, kind, help, of]) => familyOf(`ormuco_${name}`, kind, help, of(stats))),
    single("ormuco_connections_limit", "gauge", "Connections of clients at most.", measured.maxConnections),
    durations.family("ormuco_request_duration_seconds", "Time from the read that brought a request to its reply."),
    estimates(measured.insight),
    ...times(stats),
    ...peerFamilies(stats.peers),
    {
      name: "ormuco_http_replies_total",
      kind: "counter",
      help: "Replies on the port of HTTP, by status.",
      samples: [...measured.httpReplies].map(([status, value]) => ({ labels: { status: `${status}` }, value })),
    },
    single("process_resident_memory_bytes", "gauge", "Memory that the process has.", measured.residentBytes),
    ...(measured.cpuSeconds === undefined ? [] : [
      single("process_cpu_seconds_total", "counter", "Time of the processor that it has taken.", measured.cpuSeconds),
    ]),
  ];
}

function familyOf(name: string, kind: Kind, help: string, figure: ReturnType<Figure[3]>): Family {
  if (typeof figure === "number") return single(name, kind, help, figure);
  const { label, values } = figure;
  const samples = Object.entries(values).map(([text, value]) => ({ labels: { [label]: text }, value }));
  return { name, kind, help, samples };
}

/** What part of reads would hit; nothing while too little is known. */
function estimates({ hitRatio }: Measured["insight"]): Family {
  const rows = hitRatio === undefined ? [] : [
    ["0.5", "lru", hitRatio.half],
    ["1", "lru", hitRatio.same],
    ["2", "lru", hitRatio.double],
    ["4", "lru", hitRatio.fourfold],
    ["1", "sieve", hitRatio.sieve],
  ] as const;
  return {
    name: "ormuco_estimated_hit_ratio",
    kind: "gauge",
    help: "Part of recent retrievals that would hit with `size` times the memory, by `policy`.",
    samples: rows.map(([size, policy, value]) => ({ labels: { size, policy }, value })),
  };
}

/** When the certificate expires and is renewed, and of when the snapshot is; nothing of one that there is not. */
function times({ certificateExpiresMs, certificateOrderMs, snapshotMs }: ServerStats): Family[] {
  const all: [name: string, help: string, ms: number][] = [
    ["ormuco_certificate_expiry_timestamp_seconds", "When the certificate expires.", certificateExpiresMs],
    ["ormuco_certificate_order_timestamp_seconds", "When the next certificate is ordered.", certificateOrderMs],
    ["ormuco_snapshot_timestamp_seconds", "When the last snapshot was begun.", snapshotMs],
  ];
  return all.flatMap(([name, help, ms]) => ms === 0 ? [] : [single(name, "gauge", help, ms / 1000)]);
}
