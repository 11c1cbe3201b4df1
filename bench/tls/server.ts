/**
 * A server to measure: ours, with TLS or without, or one that accepts with `Deno.listenTls` and has our connections, sessions and
 * store. Prints its port. Usage: server.ts KIND CERT_FILE KEY_FILE
 */

import { Slots } from "../../lib/near/slots.ts";
import { LeaseTimer } from "../../lib/server/lease_timer.ts";
import { PushQueue } from "../../lib/server/push_queue.ts";
import { Buffers } from "../../lib/server/buffers.ts";
import { Connections } from "../../lib/server/connections.ts";
import { Credentials } from "../../lib/server/credentials.ts";
import { LimitedLog } from "../../lib/server/limited_log.ts";
import type { Listener } from "../../lib/server/listener.ts";
import { resolveServerOptions } from "../../lib/server/options.ts";
import { newSessionHost, newStore } from "../../lib/server/session_host.ts";
import { newCounters } from "../../lib/server/statistics.ts";
import { Turns } from "../../lib/server/turns.ts";
import { OrmucoCacheServer } from "../../server.ts";

const [kind, certFile, keyFile] = Deno.args;
const options = { listen: "127.0.0.1:0", maxBytes: 2 ** 28, log: () => {} };
if (kind === "Deno.listenTls") console.log(listenTls());
else {
  const server = new OrmucoCacheServer({ ...options, tls: kind === "TLS" ? { certFile, keyFile } : undefined });
  await server.startServer();
  console.log(server.address!.split(":")[1]);
}

/** Serves as `OrmucoCacheServer` does, but for the one listener. Returns the port. */
function listenTls(): number {
  const [cert, key] = [certFile, keyFile].map((file) => Deno.readTextFileSync(file));
  const listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert, key });
  const resolved = resolveServerOptions(options);
  const [counters, store] = [newCounters(), newStore(resolved, 1)];
  const { leases, newToken } = new LeaseTimer(store);
  const session = newSessionHost(resolved, {
    store,
    near: new Slots(store),
    pushes: new PushQueue(),
    leases,
    newToken,
    id: 1,
    counters,
    stats: () => {
      throw new Error("Cannot tell statistics: this is a bench");
    },
    insight: () => {
      throw new Error("Cannot tell what reads tell: this is a bench");
    },
    isOwnNonce: () => false,
    forgetPeer: () => "unknown",
    connected: () => [],
    later: () => {},
  });
  new Connections({
    listener: { accept: () => listener.accept() } as unknown as Listener,
    host: {
      session,
      counters,
      access: { credentials: new Credentials(), isInsecure: false, onDenied: () => {}, counters },
      turns: new Turns(),
      buffers: new Buffers({ maxBytes: resolved.maxBuffers, onCut: () => {} }),
      idleMs: Infinity,
      onPeer: () => Promise.resolve(),
      onRefused: () => {},
    },
    maxConnections: resolved.maxConnections,
    maxConnectionsPerAddress: Infinity,
    counters,
    log: new LimitedLog(() => {}),
  }).start();
  return (listener.addr as Deno.NetAddr).port;
}
