/** The figures that stand further down on the status page, in groups. Its functions are part of the page, and know no document. */

import type { MissCounts, ServerStats } from "../base/stats.ts";
import { sizeInWords, timeInWords } from "../base/words.ts";
import type { Reading } from "./reading.ts";
import { countText } from "./text.ts";

/** One figure: a counter, of which its growth is shown too, or a text. */
export interface Detail {
  readonly label: string;
  readonly count?: (stats: ServerStats) => number;
  readonly text?: (now: Reading) => string;
  /** Whether it counts bytes. */
  readonly isSize?: true;
}

export function details(): { id: string; title: string; rows: Detail[] }[] {
  return [
    { id: "entries", title: "Entries", rows: entryDetails() },
    { id: "clients", title: "Clients", rows: clientDetails() },
    { id: "near-copies", title: "Near copies and leases", rows: nearDetails() },
    { id: "security", title: "Certificate and credentials", rows: securityDetails() },
    { id: "replication", title: "Exchange with peers", rows: gossipDetails() },
  ];
}

export function entryDetails(): Detail[] {
  const atMost = (most: number) => most === 0 ? "any number" : countText(most);
  return [
    { label: "Held", text: ({ stats: s }) => `${countText(s.entries)} of ${atMost(s.maxSize)}` },
    { label: "Memory for them", text: ({ stats: s }) => `${sizeInWords(s.memoryBytes)} of ${sizeInWords(s.maxBytes)}` },
    { label: "Keys and values", text: ({ stats }) => sizeInWords(stats.bytes) },
    {
      label: "Of writes that left",
      text: ({ stats: s }) => `${countText(s.fingerprints)} of ${countText(s.maxForgotten)}`,
    },
    { label: "Hits", count: (s) => s.hits },
    { label: "Misses", count: (s) => s.misses },
    { label: "Stored", count: (s) => s.stores },
    { label: "Deleted", count: (s) => s.deletions },
    { label: "Expired", count: (s) => s.expirations },
    { label: "Evicted", count: (s) => s.evictions },
  ];
}

export function clientDetails(): Detail[] {
  return [
    { label: "Connected", count: (s) => s.connectionsAccepted },
    { label: "Refused for want of places", count: (s) => s.connectionsRefused },
    { label: "Ended: idle", count: (s) => s.connectionsIdle },
    { label: "Ended: too slow", count: (s) => s.connectionsSlow },
    { label: "Ended: made room", count: (s) => s.connectionsReplaced },
    { label: "Ended: want of buffers", count: (s) => s.connectionsCut },
    { label: "Requests refused", count: (s) => s.refusals },
    { label: "Breaches of a protocol", count: (s) => s.protocolErrors },
    { label: "Waits for a turn", count: (s) => s.turnsWaited },
    {
      label: "Requests that wait",
      text: ({ stats: s }) => `${sizeInWords(s.bufferBytes)} of ${sizeInWords(s.maxBuffers)}`,
    },
    { label: "Received", count: (s) => s.bytesReceived, isSize: true },
    { label: "Sent", count: (s) => s.bytesSent, isSize: true },
  ];
}

export function nearDetails(): Detail[] {
  return [
    { label: "Clients with near copies", text: ({ stats }) => countText(stats.nearConnections) },
    { label: "Changes told", count: (s) => s.nearInvalidations },
    { label: "Told to drop all", count: (s) => s.nearResets },
    { label: "Leases given", count: (s) => s.leasesGiven },
    { label: "Leases too late", count: (s) => s.leasesLost },
    { label: "Leases handed over", count: (s) => s.leasesHandedOver },
    { label: "Who waits for a lease", text: ({ stats }) => countText(stats.leaseWaits) },
  ];
}

export function securityDetails(): Detail[] {
  const left = (atMs: number, nowMs: number) => {
    const day = new Date(atMs).toISOString().slice(0, 10);
    return atMs > nowMs ? `in ${timeInWords(atMs - nowMs)}, ${day}` : `${timeInWords(nowMs - atMs)} ago, ${day}`;
  };
  return [
    {
      label: "Certificate expires",
      text: ({ timeMs, stats: s }) =>
        s.certificateExpiresMs === 0 ? "there is none" : left(s.certificateExpiresMs, timeMs),
    },
    {
      label: "The next is ordered",
      text: ({ timeMs, stats: s }) =>
        s.certificateOrderMs === 0 ? "not by this server" : left(s.certificateOrderMs, timeMs),
    },
    { label: "Certificates taken up", count: (s) => s.certificateRenewals },
    { label: "Certificates not usable", count: (s) => s.certificateFaults },
    { label: "Handshakes of TLS", count: (s) => s.tlsHandshakes },
    { label: "Handshakes failed", count: (s) => s.tlsFailures },
    { label: "Credentials that were good", count: (s) => s.logins },
    { label: "Credentials that were not", count: (s) => s.loginsFailed },
    { label: "Ended: credential withdrawn", count: (s) => s.connectionsWithdrawn },
  ];
}

export function gossipDetails(): Detail[] {
  return [
    { label: "Received and applied", count: ({ gossip }) => gossip.applied },
    { label: "Received, known before", count: ({ gossip }) => gossip.repeated },
    { label: "Pushed", count: ({ gossip }) => gossip.pushed },
    { label: "Sent on request", count: ({ gossip }) => gossip.sent },
    { label: "Came with a gap", count: ({ gossip }) => gossip.gaps },
    { label: "Renewals by a peer's hits", count: ({ gossip }) => gossip.extended },
    { label: "From the future", count: ({ gossip }) => gossip.fromFuture },
    { label: "Verifications", count: ({ gossip }) => gossip.verifications },
    { label: "Dropped, unconfirmed", count: ({ gossip }) => gossip.unconfirmed },
    { label: "Dropped, covered", count: ({ gossip }) => gossip.covered },
  ];
}

/** The reasons of misses, each with what it means. */
export function missReasons(): { reason: keyof MissCounts; meaning: string }[] {
  return [
    { reason: "absent", meaning: "never stored here, or left long ago" },
    { reason: "expired", meaning: "its time was over" },
    { reason: "evicted", meaning: "had to make room for others" },
    { reason: "deleted", meaning: "somebody deleted it" },
    { reason: "cleared", meaning: "all, or all under a prefix, were cleared" },
    { reason: "superseded", meaning: "a newer write is elsewhere" },
  ];
}

/** What the share of hits would be with other memory or another policy, by its name in a reading. */
export function otherMemories(): { name: "half" | "same" | "double" | "fourfold" | "sieve"; label: string }[] {
  return [
    { name: "half", label: "Half the memory" },
    { name: "same", label: "As it is" },
    { name: "double", label: "Twice the memory" },
    { name: "fourfold", label: "Four times the memory" },
    { name: "sieve", label: "SIEVE in place of LRU" },
  ];
}
