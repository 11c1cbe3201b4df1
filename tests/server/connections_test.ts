/** Accepting connections: a socket that fails at once is closed. */

import { assertEquals } from "@std/assert";
import { Buffers } from "../../lib/server/buffers.ts";
import { Connections } from "../../lib/server/connections.ts";
import { FIRST_REQUEST_MS } from "../../lib/server/patience.ts";
import { LimitedLog } from "../../lib/server/limited_log.ts";
import type { Listener } from "../../lib/server/listener.ts";
import { newCounters } from "../../lib/server/statistics.ts";
import { Turns } from "../../lib/server/turns.ts";
import { MemoryStream, settled } from "../support/memory_stream.ts";
import { sessionHost } from "../support/session_host.ts";
import { turn, until } from "../support/waiting.ts";
import { openRules } from "../support/access.ts";

/** Connections of a listener whose `accept` says when the next one comes; `stop` ends an accept that is under way. */
function connectionsOf(
  accept: () => Promise<unknown> | undefined,
  turns = new Turns(),
  maxConnections = 10,
): Connections {
  let end = () => {};
  const listener = {
    address: { transport: "unix", path: "none" },
    accept: () => accept() ?? new Promise((_, reject) => end = reject),
    close: () => end(),
    stop: () => {},
  } as unknown as Listener;
  const counters = newCounters();
  return new Connections({
    listener,
    host: {
      session: sessionHost(),
      access: openRules(),
      counters,
      turns,
      buffers: new Buffers({ maxBytes: Infinity, onCut: () => {} }),
      idleMs: Infinity,
      onPeer: () => Promise.resolve(),
      onRefused: () => {},
    },
    maxConnections,
    maxConnectionsPerAddress: Infinity,
    counters,
    log: new LimitedLog(() => {}),
  });
}

Deno.test("Connections closes a socket that cannot be set up", async () => {
  const socket = new MemoryStream();
  // macOS: an option of a connection that its client has reset already
  const setNoDelay = () => {
    throw new TypeError("Invalid argument (os error 22)");
  };
  Object.assign(socket, { setNoDelay });
  const sockets = [socket];
  const connections = connectionsOf(() => sockets.length > 0 ? Promise.resolve(sockets.shift()) : undefined);
  connections.start();
  await settled();
  assertEquals([socket.isClosed, connections.size], [true, 0]);
  await connections.stop(100);
});

Deno.test("Connections looks at all sockets after 64 that it has accepted, however many wait", async () => {
  let accepted = 0;
  const seen: number[] = [];
  const turns = new Turns(undefined, async () => {
    await turn();
    seen.push(accepted);
  });
  const connections = connectionsOf(() => {
    if (accepted === 1000) return undefined;
    accepted++;
    const socket = new MemoryStream();
    socket.close();
    return Promise.resolve(socket);
  }, turns);
  connections.start();
  await until("all are accepted", () => accepted === 1000);
  assertEquals(seen[0], 64);
  await connections.stop(100);
  await turns.stop();
});

Deno.test("Connections looks at all sockets after 32 that it has ended, however many are to end", async () => {
  const sockets = Array.from({ length: 100 }, () => new MemoryStream());
  const waiting = [...sockets];
  const seen: number[] = [];
  const turns = new Turns(undefined, async () => {
    await turn();
    seen.push(sockets.filter(({ isClosed }) => isClosed).length);
  });
  const connections = connectionsOf(
    () => {
      const socket = waiting.shift();
      return socket && Promise.resolve(socket);
    },
    turns,
    1000,
  );
  connections.start();
  await until("all are accepted", () => connections.size === 100);
  seen.length = 0;
  for (let ms = 0; ms <= FIRST_REQUEST_MS; ms += 1000) await connections.look(1000); // nobody has said anything
  await settled();
  assertEquals([[...new Set(seen)].slice(0, 3), connections.size], [[32, 64, 96], 0]);
  await connections.stop(100);
  await turns.stop();
});
