/**
 * A process that writes one snapshot after another until it is killed, and says which one is in place. All values of one say which it
 * is. Usage: snapshot_writer.ts FILE ENTRIES
 */

import { spanOf } from "../../lib/base/byte_span.ts";
import { Snapshots } from "../../lib/server/snapshots.ts";
import type { SnapshotsOptions } from "../../lib/server/snapshots.ts";
import { gossipNode } from "./stores.ts";
import { turn } from "./waiting.ts";

/** A node, and what makes its snapshots in a file. */
export function snapshotNode(
  path: string,
  id: number,
  options: Partial<SnapshotsOptions> = {},
  clock = { nowMs: Date.now() },
) {
  const lines: string[] = [];
  const node = gossipNode(clock, id);
  const snapshots = new Snapshots({
    path,
    intervalMs: Infinity,
    maxAgeMs: 3_600_000,
    ...node,
    id,
    cluster: "",
    hasPeers: false,
    turns: { check: () => true, next: turn },
    log: (line) => lines.push(line),
    ...options,
  });
  return { ...node, snapshots, lines, clock };
}

if (import.meta.main) {
  const [path, entries] = Deno.args;
  const { store, snapshots } = snapshotNode(path, 1);
  for (let round = 1;; round++) {
    const value = spanOf(new TextEncoder().encode(String(round).padStart(40, "0")));
    for (let i = 0; i < Number(entries); i++) {
      store.set(spanOf(new TextEncoder().encode(`key:${i}`)), { flags: 0, value, ttlMs: undefined });
    }
    await snapshots.save();
    console.log(round);
  }
}
