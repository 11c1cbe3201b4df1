/** Formats a server's statistics as lines for the command line. It prints nothing. */

import type { ServerStats } from "../base/stats.ts";
import { fitted, padded } from "./fitted.ts";
import { grouped, sizeInWords, timeInWords } from "../base/words.ts";

/** All figures by name, those of gossip and misses by reason among them. */
type Figures = Readonly<Record<string, number>>;

/** A line: its label, the figures that it is made of, and its text. */
interface Row {
  readonly label: string;
  readonly names: readonly string[];
  readonly text: (figures: Figures) => string;
}

const MISSES = ["absent", "expired", "evicted", "deleted", "cleared", "superseded"];

/** Characters of a label. */
const LABEL = 16;

const GROUPS: readonly (readonly [string, readonly Row[]])[] = [
  ["Entries held now", [
    row(
      "entries",
      ({ entries, maxSize }) => maxSize === 0 ? `${count(entries)}, and any number may be` : of(entries, maxSize),
      "entries",
      "maxSize",
    ),
    row(
      "memory for them",
      ({ memoryBytes, maxBytes }) => of(memoryBytes, maxBytes, sizeInWords),
      "memoryBytes",
      "maxBytes",
    ),
    row("keys and values", ({ bytes }) => `${sizeInWords(bytes)} with their overhead`, "bytes"),
    row(
      "fingerprints",
      ({ fingerprints, maxForgotten }) =>
        `${count(fingerprints)} of writes that have left; about ${count(maxForgotten)} are kept`,
      "fingerprints",
      "maxForgotten",
    ),
  ]],
  ["Snapshot", [
    row(
      "last",
      ({ snapshotMs, snapshotEntries, snapshotFailures }) =>
        `${snapshotMs === 0 ? "none" : `${count(snapshotEntries)} entries of ${new Date(snapshotMs).toISOString()}`}; ${
          count(snapshotFailures)
        } failed`,
      "snapshotMs",
      "snapshotEntries",
      "snapshotFailures",
    ),
  ]],
  ["Since the start", [
    row(
      "hits",
      ({ hits, misses }) =>
        hits + misses === 0
          ? "no retrieval yet"
          : `${count(hits)} of ${count(hits + misses)} retrievals: ${percent(hits, hits + misses)} hit ratio`,
      "hits",
      "misses",
    ),
    row("missed", missesInWords, ...MISSES),
    row("stored", ({ stores }) => `${count(stores)} values`, "stores"),
    row(
      "left",
      ({ evictions, expirations, deletions }) =>
        `${count(evictions)} evicted for room, ${count(expirations)} expired, ${count(deletions)} deleted`,
      "evictions",
      "expirations",
      "deletions",
    ),
    row(
      "requests",
      ({ requests, refusals, protocolErrors }) =>
        `${count(requests)}; ${count(refusals)} refused, ${count(protocolErrors)} breaches of a protocol`,
      "requests",
      "refusals",
      "protocolErrors",
    ),
    row(
      "traffic",
      ({ bytesReceived, bytesSent }) => `${sizeInWords(bytesReceived)} received, ${sizeInWords(bytesSent)} sent`,
      "bytesReceived",
      "bytesSent",
    ),
    row("turns waited", ({ turnsWaited }) => `${count(turnsWaited)} times, by busy connections`, "turnsWaited"),
  ]],
  ["Connections", [
    row(
      "open",
      ({ connections, connectionsAccepted }) => `${count(connections)} now, of ${count(connectionsAccepted)} accepted`,
      "connections",
      "connectionsAccepted",
    ),
    row(
      "refused",
      ({ connectionsRefused, connectionsReplaced }) =>
        `${count(connectionsRefused)} at a limit; ${count(connectionsReplaced)} made room for others`,
      "connectionsRefused",
      "connectionsReplaced",
    ),
    row(
      "ended",
      ({ connectionsIdle, connectionsSlow, connectionsCut }) =>
        `${count(connectionsIdle)} idle, ${count(connectionsSlow)} too slow, ${count(connectionsCut)} over the buffers`,
      "connectionsIdle",
      "connectionsSlow",
      "connectionsCut",
    ),
    row(
      "logins",
      ({ logins, loginsFailed, connectionsWithdrawn }) =>
        `${count(logins)} good, ${count(loginsFailed)} not; ${
          count(connectionsWithdrawn)
        } ended as their credential went`,
      "logins",
      "loginsFailed",
      "connectionsWithdrawn",
    ),
    row(
      "buffers",
      ({ bufferBytes, maxBuffers }) => of(bufferBytes, maxBuffers, sizeInWords),
      "bufferBytes",
      "maxBuffers",
    ),
    row(
      "near copies",
      ({ nearConnections, nearInvalidations, nearResets }) =>
        `for ${count(nearConnections)}; ${count(nearInvalidations)} told as changed, ${count(nearResets)} times all`,
      "nearConnections",
      "nearInvalidations",
      "nearResets",
    ),
    row(
      "leases",
      ({ leasesGiven, leasesLost, leasesHandedOver, leaseWaits }) =>
        `${count(leasesGiven)} given, ${count(leasesHandedOver)} handed over, ${count(leasesLost)} lost; ${
          count(leaseWaits)
        } are waited for`,
      "leasesGiven",
      "leasesLost",
      "leasesHandedOver",
      "leaseWaits",
    ),
  ]],
  ["TLS", [
    row(
      "handshakes",
      ({ tlsHandshakes, tlsFailures }) => `${count(tlsHandshakes)} done, ${count(tlsFailures)} failed`,
      "tlsHandshakes",
      "tlsFailures",
    ),
    row(
      "certificate",
      ({ certificateExpiresMs, certificateOrderMs }) =>
        certificateExpiresMs === 0
          ? "none"
          : `expires on ${day(certificateExpiresMs)}${
            certificateOrderMs === 0 ? "" : `; the next is ordered on ${day(certificateOrderMs)}`
          }`,
      "certificateExpiresMs",
      "certificateOrderMs",
    ),
    row(
      "renewals",
      ({ certificateRenewals, certificateFaults }) =>
        `${count(certificateRenewals)} taken up, ${count(certificateFaults)} not usable`,
      "certificateRenewals",
      "certificateFaults",
    ),
  ]],
  ["Peers", [
    row(
      "peers",
      ({ connectedPeers, allPeers }) => `${count(connectedPeers)} connected of ${count(allPeers)}`,
      "connectedPeers",
      "allPeers",
    ),
    row("ready", ({ ready }) => ready === 1 ? "yes" : "not yet: it has not caught up with all peers", "ready"),
    row(
      "received",
      ({ applied, repeated, extended }) =>
        `${count(applied)} writes applied, ${count(repeated)} known before, ${count(extended)} renewals`,
      "applied",
      "repeated",
      "extended",
    ),
    row("sent", ({ pushed, sent }) => `${count(pushed)} writes pushed, ${count(sent)} on request`, "pushed", "sent"),
    row(
      "unusable",
      ({ gaps, fromFuture }) => `${count(gaps)} pushes after a gap, ${count(fromFuture)} messages from the future`,
      "gaps",
      "fromFuture",
    ),
    row(
      "dropped",
      ({ covered, unconfirmed, verifications }) =>
        `${count(covered)} entries covered, ${count(unconfirmed)} unconfirmed, in ${
          count(verifications)
        } verifications`,
      "covered",
      "unconfirmed",
      "verifications",
    ),
  ]],
];

function row(label: string, text: Row["text"], ...names: string[]): Row {
  return { label, names, text };
}

/**
 * Returns the statistics in groups, with units; what this version does not know, another version's server say, comes last as it is.
 *
 * @param width Characters in a line.
 */
export function statsLines(
  { server, uptimeMs = 0, ready, gossip, missesByReason, peers = [], snapshotError = "", ...rest }: Partial<
    ServerStats
  >,
  width = Infinity,
): string[] {
  const connectedPeers = peers.filter(({ state }) => state === "connected").length;
  const figures: Record<string, unknown> = {
    ...rest,
    ...missesByReason,
    ...gossip,
    connectedPeers,
    allPeers: peers.length,
  };
  if (ready !== undefined) figures.ready = Number(ready);
  const has = (name: string) => typeof figures[name] === "number";
  const lines = fitted(`${server ?? "a server"}, started ${timeInWords(uptimeMs)} ago`, width, 2);
  const known = new Set(GROUPS.flatMap(([, rows]) => rows.flatMap(({ names }) => names)));
  const others = Object.keys(figures).filter((name) => !known.has(name));
  const other = others.map((name) => row(name, () => String(figures[name])));
  for (const [title, rows] of [...GROUPS, ["Others", other] as const]) {
    const shown = rows.filter(({ names }) => names.every(has));
    if (shown.length > 0) lines.push("", title);
    for (const { label, text } of shown) {
      lines.push(...fitted(`  ${padded(label, LABEL)} ${text(figures as Figures)}`, width, 2 + LABEL + 1));
    }
    if (title === "Snapshot" && snapshotError !== "") {
      lines.push(...fitted(`  ${padded("failed last", LABEL)} ${snapshotError}`, width, 2 + LABEL + 1));
    }
  }
  return lines;
}

/** Misses by those reasons that there were. */
function missesInWords(figures: Figures): string {
  const words = MISSES.filter((why) => figures[why] > 0).map((why) => `${count(figures[why])} ${why}`);
  return words.join(", ") || "none yet";
}

function count(value: number): string {
  return grouped(value);
}

function of(value: number, most: number, shown: (value: number) => string = count): string {
  return `${shown(value)} of ${shown(most)} at most: ${percent(value, most)}`;
}

function percent(part: number, all: number): string {
  return `${(100 * part / all).toFixed(1)} %`;
}

function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
