/** What all connections of a server share, made from its options: the store, and memcached's commands on it. */

import { SOFTWARE } from "../base/software.ts";
import { MemcachedCommands, type MemcachedOptions } from "../memcached/commands.ts";
import { cpuTime } from "../platform/cpu_time.ts";
import { processClock } from "../platform/clock.ts";
import { Store } from "../store/store.ts";
import type { ResolvedServerOptions } from "./options.ts";
import type { SessionHost } from "./protocols.ts";

/** Makes a server's store. */
export function newStore(
  { maxSize, limitBytes, maxForgotten, ttlMs, renewOnHit }: ResolvedServerOptions,
  origin: number,
): Store {
  return new Store({
    maxSize,
    maxBytes: limitBytes,
    maxForgotten,
    ttlMs,
    renewOnHit,
    hashKey: [...crypto.getRandomValues(new Int32Array(2))] as [number, number],
    clock: processClock,
    origin,
    replicates: true,
  });
}

/** Makes what all sessions of a server share. */
export function newSessionHost(
  { maxItemBytes, maxConnections, idleTimeoutMs, credentials, cluster }: ResolvedServerOptions,
  parts:
    & Pick<
      SessionHost,
      | "store"
      | "near"
      | "pushes"
      | "leases"
      | "newToken"
      | "id"
      | "isOwnNonce"
      | "forgetPeer"
      | "counters"
      | "stats"
      | "insight"
      | "connected"
    >
    & Pick<MemcachedOptions, "later">,
): SessionHost {
  const { store, leases, later } = parts;
  const memcached = new MemcachedCommands({ store, maxItemBytes, leases, later });
  const idleTimeoutSeconds = idleTimeoutMs === Infinity ? 0 : Math.round(idleTimeoutMs / 1000);
  const asksForCredentials = credentials.length > 0;
  return {
    ...parts,
    memcached,
    cluster,
    asksForCredentials,
    maxConnections,
    idleTimeoutSeconds,
    software: SOFTWARE,
    pid: Deno.pid,
    cpuTime,
  };
}
