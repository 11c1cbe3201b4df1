/** When a server is ready, by the rows of its peers and the time since its start. */

import { assertEquals } from "@std/assert";
import { awaitedText } from "../../lib/base/readiness.ts";
import type { PeerStats } from "../../lib/base/stats.ts";
import { Readiness } from "../../lib/server/readiness.ts";
import { peerStats } from "../support/peer_stats.ts";

const UNTRIED: Partial<PeerStats> = { state: "connecting", ready: false };
const LACKING: Partial<PeerStats> = { state: "connected", ready: false };
const DOWN: Partial<PeerStats> = { state: "waiting", ready: false, error: "refused" };

/** A server's readiness, whose peers and time a test changes. */
function started(readyAfterMs = 30_000) {
  const lines: string[] = [];
  const all = { peers: [] as PeerStats[], nowMs: 500, lines, set };
  function set(...rows: Partial<PeerStats>[]) {
    all.peers = rows.map((row, i) => peerStats({ address: `peer-${i + 1}:11142`, ...row }));
  }
  const options = { peers: () => all.peers, readyAfterMs, log: (line: string) => lines.push(line) };
  const readiness = new Readiness({ ...options, nowMs: () => all.nowMs });
  readiness.start();
  return Object.assign(all, { readiness, [Symbol.dispose]: () => readiness.stop() });
}

Deno.test("Readiness is not there before a start and after a stop", () => {
  const readiness = new Readiness({ peers: () => [], readyAfterMs: 0, log: () => {} });
  assertEquals(readiness.isReady, false);
  readiness.start();
  assertEquals(readiness.isReady, true);
  readiness.stop();
  assertEquals(readiness.isReady, false);
});

Deno.test("Readiness waits until every peer is caught up with, says so once, and stays", () => {
  using server = started();
  server.set(UNTRIED, UNTRIED);
  assertEquals(server.readiness.isReady, false);
  server.set({}, LACKING);
  assertEquals(server.readiness.isReady, false);
  server.set({}, {});
  server.nowMs += 3200;
  assertEquals([server.readiness.isReady, server.readiness.isReady], [true, true]);
  server.set({}, LACKING);
  assertEquals([server.readiness.isReady, server.lines], [true, ["Ready after 3.2 s: caught up with 2 peers"]]);
});

Deno.test("Readiness of a server without peers is there at once and says nothing, and goes if one connects that has more", () => {
  using server = started();
  assertEquals(server.readiness.isReady, true);
  server.set(LACKING);
  assertEquals(server.readiness.isReady, false);
  server.set({});
  assertEquals([server.readiness.isReady, server.lines], [true, ["Ready after 0 s: caught up with 1 peer"]]);
});

Deno.test("Readiness of a server that nobody has connected to for READY_AFTER does not go any more", () => {
  using server = started();
  server.nowMs += 30_000;
  assertEquals(server.readiness.isReady, true);
  server.set(LACKING);
  assertEquals([server.readiness.isReady, server.lines], [true, []]);
});

Deno.test("Readiness does not wait for a peer that cannot be reached, but for one that was tried a moment ago", () => {
  using server = started();
  server.set({}, DOWN);
  assertEquals(server.readiness.isReady, false);
  server.nowMs += 1999;
  assertEquals(server.readiness.isReady, false);
  server.nowMs += 1;
  assertEquals(server.readiness.isReady, true);
  assertEquals(server.lines, ["Ready after 2 s: caught up with 1 peer, and 1 cannot be reached"]);
});

Deno.test("Readiness does not wait for this server itself, a second address of a peer, and one that stops and is caught up with", () => {
  using server = started();
  server.set({}, { state: "self", ready: false }, { state: "duplicate", ready: false }, { state: "stopping" });
  assertEquals(server.readiness.isReady, true);
});

Deno.test("Readiness waits a moment for another start of a peer that stops, where it has not caught up with it", () => {
  using server = started();
  server.set({ state: "stopping", ready: false });
  assertEquals(server.readiness.isReady, false);
  server.nowMs += 2000;
  assertEquals(server.readiness.isReady, true);
  assertEquals(server.lines, ["Ready after 2 s: caught up with 0 peers, and 1 cannot be reached"]);
});

Deno.test("Readiness comes when READY_AFTER has passed, and one line says what is lacking and why", () => {
  for (const state of ["clocks-differ", "refused", "incompatible"] as const) {
    using server = started(10_000);
    server.set({}, { state, ready: false, error: "is not believed" });
    server.nowMs += 9999;
    assertEquals(server.readiness.isReady, false, state);
    server.nowMs += 1;
    assertEquals([server.readiness.isReady, server.readiness.isReady], [true, true]);
    const line = `Ready after 10 s, not caught up with peer-2:11142 (${state}: is not believed)`;
    assertEquals(server.lines, [line]);
  }
});

Deno.test("awaitedText() names three peers and counts the others", () => {
  const peers = [LACKING, { ...LACKING, catchingUp: true }, UNTRIED, DOWN, LACKING, LACKING]
    .map((facts, i) => peerStats({ address: `p${i}`, ...facts }));
  assertEquals(awaitedText(peers), "p0 (connected), p1 (catching up), p2 (connecting), 2 more");
  assertEquals(awaitedText([peerStats({}), peerStats(DOWN)]), "");
});

Deno.test("Readiness comes after what is loaded, counts its times from then on, and tells of it once for each start", () => {
  const all = { nowMs: 500, isLoading: true, told: 0, peers: [peerStats(DOWN)] };
  const readiness = new Readiness({
    peers: () => all.peers,
    readyAfterMs: 30_000,
    isLoading: () => all.isLoading,
    onReady: () => all.told++,
    log: () => {},
    nowMs: () => all.nowMs,
  });
  for (let start = 1; start <= 2; start++) {
    readiness.start();
    all.isLoading = true;
    all.nowMs += 60_000;
    assertEquals([readiness.isReady, all.told], [false, start - 1]);
    all.isLoading = false;
    all.nowMs += 1999;
    assertEquals([readiness.isReady, all.told], [false, start - 1]);
    all.nowMs++;
    assertEquals([readiness.isReady, readiness.isReady, all.told], [true, true, start]);
    readiness.stop();
  }
});
