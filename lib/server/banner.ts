/** The lines that a server prints when it has started. It prints nothing itself. */

import { type Address, formatAddress } from "../base/address.ts";
import { grouped } from "../base/words.ts";
import { type Openness, whoMayConnect, whoMayLook } from "./who_may_connect.ts";
import { dayText, duration } from "./encryption.ts";
import { HUGE_PAGES } from "../platform/huge_pages.ts";
import type { SnapshotSettings } from "./snapshots.ts";

/** Bytes and number of entries from which on huge pages pay. */
const [LARGE_BYTES, LARGE_SIZE] = [128 * 1024 ** 2, 500_000];

/** The facts that the lines state. */
export interface ServerFacts extends Openness {
  /** Whether the server does not start, and says what it would do. */
  readonly isCheck?: boolean;
  readonly maxSize: number;
  /** Bytes that entries may take in any case; `isGuess` if nothing says how much memory there is. */
  readonly limitBytes: number;
  readonly isGuess: boolean;
  /** Whether there could be huge pages, and are none. */
  readonly lacksHugePages?: boolean;
  readonly ttlMs: number;
  readonly renewOnHit: boolean;
  readonly peers: readonly Address[];
  /** The name of the cluster; empty if it has none. */
  readonly cluster: string;
  /** Where and when snapshots are made; `undefined` where none are. */
  readonly snapshots?: SnapshotSettings;
  /** Where HTTP is spoken, and whether anybody has a role that may see metrics; `undefined` where it is not. */
  readonly http?: { readonly address: Address; readonly hasLookers: boolean };
  /** When the certificate expires, 0 while there is none, and whether connections without TLS are refused; `undefined` without TLS. */
  readonly encryption?: { readonly expiresMs: number; readonly isRequired: boolean };
}

/** Returns the lines, the first of which names the port, and warnings, which belong behind them. */
export function serverLines(facts: ServerFacts): { lines: string[]; warnings: string[] } {
  const { address, ttlMs, renewOnHit, peers, cluster, isCheck = false } = facts;
  const at = formatAddress(address);
  const lines = [
    `Server ${isCheck ? "would listen" : "listens"} on ${address.transport === "tcp" ? `port ${address.port}` : at}`,
    `  address     ${at}`,
    `  limits      ${limits(facts)}; the least recently used leave first`,
    `  expiration  ${expiration(ttlMs, renewOnHit)}`,
  ];
  if (facts.isGuess) {
    lines.push(
      `  memory      entries may take ${grouped(facts.limitBytes)} bytes: nothing says how much there is ` +
        "(set CACHE_MAX_BYTES, or option maxBytes, or allow --allow-read=/sys/fs/cgroup,/proc/self/cgroup --allow-sys=systemMemoryInfo)",
    );
  }
  if (facts.lacksHugePages && facts.limitBytes >= LARGE_BYTES && facts.maxSize >= LARGE_SIZE) {
    lines.push(
      `  pages       small: a large cache is faster with GLIBC_TUNABLES=${HUGE_PAGES} (docs/sizing.md, "Huge pages")`,
    );
  }
  if (peers.length > 0) lines.push(`  peers       ${peers.map(formatAddress).join(", ")}`);
  if (cluster !== "") lines.push(`  cluster     ${cluster}`);
  if (facts.snapshots !== undefined) lines.push(`  snapshots   ${snapshotsText(facts.snapshots)}`);
  if (facts.encryption !== undefined) lines.push(`  encryption  ${encryptionText(facts.encryption)}`);
  const [lookers, ...ofHttp] = facts.http === undefined ? [] : whoMayLook({ ...facts, ...facts.http });
  if (facts.http !== undefined) {
    lines.push(
      `  http        ${
        formatAddress(facts.http.address)
      }, the status page and /metrics for ${lookers}; /healthz and /readyz for everybody`,
    );
  }
  const [clients, ...warnings] = whoMayConnect(facts);
  lines.push(`  clients     ${clients}`);
  return { lines, warnings: [...warnings, ...ofHttp] };
}

function snapshotsText({ path, intervalMs, maxAgeMs }: SnapshotSettings): string {
  const when = intervalMs === Infinity ? "at a stop" : `at a stop and every ${duration(intervalMs)}`;
  return `${path}, ${when}; loaded ${maxAgeMs === Infinity ? "at any age" : `up to an age of ${duration(maxAgeMs)}`}`;
}

function encryptionText({ expiresMs, isRequired }: NonNullable<ServerFacts["encryption"]>): string {
  const others = isRequired
    ? "connections by TCP without it are refused"
    : "connections without it are taken too (--tls refuses them)";
  const what = expiresMs === 0
    ? "as soon as there is a certificate"
    : `with a certificate that expires on ${dayText(expiresMs)}`;
  return `TLS, ${what}; ${others}`;
}

function limits({ maxSize, limitBytes }: ServerFacts): string {
  const entries = maxSize === Infinity ? "any number of entries" : `${grouped(maxSize)} entries`;
  return `${entries}, and ${grouped(limitBytes)} bytes of memory for them`;
}

function expiration(ttlMs: number, renewOnHit: boolean): string {
  if (ttlMs === 0 || ttlMs === Infinity) return "never, unless a client says when";
  return `after ${ttlMs / 1000} s ${renewOnHit ? "without a hit" : "(a hit does not renew it)"}`;
}
