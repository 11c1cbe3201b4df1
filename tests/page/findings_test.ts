/** What the status page finds that is not as it should be, and how it says so. */

import { assert, assertEquals } from "@std/assert";
import type { PeerStats, ServerStats } from "../../lib/base/stats.ts";
import { findings, verdictOf } from "../../lib/page/findings.ts";
import { markOf, peerLook, peerState } from "../../lib/page/peer_marks.ts";
import { lagTexts, peerTraffic } from "../../lib/page/show_parts.ts";
import type { Reading } from "../../lib/page/reading.ts";
import { peerStats } from "../support/peer_stats.ts";
import { reading } from "../support/readings.ts";

const HOUR = 3_600_000;

/** What is found 300 seconds after the first reading, as weight and text. */
function found(stats: Partial<ServerStats>, facts: Partial<Reading> = {}): string[] {
  return findings(reading(100), reading(400, stats, facts)).map(({ weight, text }) => `${weight}: ${text}`);
}

const ofPeer = (peer: Partial<PeerStats>) => found({ peers: [peerStats(peer)] });

Deno.test("nothing is found where all is well", () => {
  assertEquals(found({}), []);
  assertEquals(found({ evictions: 5, memoryBytes: 500, hits: 5, misses: 7 }), []);
  for (const state of ["connected", "self", "duplicate", "connecting"] as const) {
    assertEquals(ofPeer({ state }), [], state);
  }
  assertEquals(verdictOf([], true), { word: "Healthy", weight: "good" });
});

Deno.test("the verdict is that of the weightiest finding, and readiness comes first", () => {
  const all = findings(
    reading(100),
    reading(400, { ready: false, memoryBytes: 990, evictions: 3, loginsFailed: 1, connectionsRefused: 2 }),
  );
  assertEquals(all.map(({ weight }) => weight), ["bad", "bad", "odd", "note"]);
  assertEquals(verdictOf(all, false), { word: "Not ready", weight: "bad" });
  assertEquals(verdictOf(all, true), { word: "In trouble", weight: "bad" });
  assertEquals(verdictOf(all.slice(2), true), { word: "Worth a look", weight: "odd" });
  assertEquals(verdictOf(all.slice(3), true), { word: "Healthy", weight: "good" });
});

Deno.test("a snapshot that failed is found, with the reason, until one is written", () => {
  const [{ weight, text, advice }, ...others] = findings(reading(1), reading(2, { snapshotError: "the disk is full" }));
  assertEquals([weight, text, advice, others.length], [
    "odd",
    "The last snapshot could not be written, or not be loaded as a whole.",
    "The disk is full.",
    0,
  ]);
  assertEquals(found({ snapshotFailures: 1 }), []);
});

Deno.test("a server that is not ready names whom it waits for", () => {
  const peers = [
    peerStats({ address: "10.0.0.2:11142", ready: false }),
    peerStats({ address: "10.0.0.3:11142" }),
  ];
  const [{ weight, advice }] = findings(reading(1), reading(2, { ready: false, peers }));
  assertEquals([weight, advice], [
    "bad",
    "It has not caught up with 10.0.0.2:11142, so callers may miss what is there.",
  ]);
});

Deno.test("peers that are away, wrong, slow or behind are found", () => {
  assertEquals(ofPeer({ state: "waiting", ready: false, error: "refused" }), [
    "bad: Peer 10.0.0.1:11142 cannot be reached.",
  ]);
  assertEquals(ofPeer({ state: "stopping" }), ["note: Peer 10.0.0.1:11142 is stopping."]);
  assertEquals(ofPeer({ state: "stopping", ready: false }), [
    "bad: Peer 10.0.0.1:11142 stops before it has given all.",
  ]);
  for (const state of ["incompatible", "other-cluster", "refused", "not-permitted", "clocks-differ"] as const) {
    const [text, ...others] = ofPeer({ state });
    assert(text.startsWith("bad: Peer 10.0.0.1:11142 ") && !text.includes(state), text);
    assertEquals(others, []);
  }
  assertEquals(ofPeer({ lag: 5, lagMs: 11_000 }), [
    "odd: Peer 10.0.0.1:11142 is behind by 5 writes, the oldest 11 s old.",
  ]);
  assertEquals(ofPeer({ lag: 5, lagMs: 9000, roundTripMs: 1001 }), ["odd: Peer 10.0.0.1:11142 takes 1 s to answer."]);
});

Deno.test("what is near a limit, or has happened in the last minutes, is found", () => {
  assertEquals(found({ connections: 900 }), ["odd: 900 of 1,000 connections are open."]);
  assertEquals(found({ bufferBytes: 800 }), ["odd: 800 bytes of requests and replies wait, of 1000 bytes at most."]);
  assertEquals(found({ memoryBytes: 950, evictions: 600 }), ["note: Full: 2.0 entries a second make room for others."]);
  assertEquals(found({ connectionsRefused: 1 }), ["bad: 1 connection was refused in the last 5 minutes."]);
  const [{ text }] = findings(reading(1), reading(9, { tlsFailures: 12 }));
  assertEquals(text, "12 handshakes of TLS failed since you look.");
  const before = reading(100, { connectionsRefused: 7 });
  assertEquals(findings(before, reading(400, { connectionsRefused: 7 })), []);
});

Deno.test("a server that is slow or busy is found", () => {
  const durations = (counts: number[]) => ({ durations: { bounds: [0.001, 0.1, 1], counts, sumMs: 0 } });
  assertEquals(found({}, durations([98, 2, 0, 0])), []);
  assertEquals(found({}, durations([98, 0, 2, 0])), ["odd: One of 100 requests takes longer than 100 ms."]);
  assertEquals(found({}, durations([98, 0, 0, 2])), ["odd: One of 100 requests takes longer than 1 s."]);
  assertEquals(found({}, { cpuMs: 10_000 + 0.95 * 300_000 }), ["odd: The process takes 95.0 % of a processor."]);
});

Deno.test("a certificate is found that has expired, or is not renewed in time", () => {
  const { timeMs } = reading(400);
  const left = (hours: number, orderHours?: number) =>
    found({
      certificateExpiresMs: timeMs + hours * HOUR,
      certificateOrderMs: orderHours === undefined ? 0 : timeMs + orderHours * HOUR,
    });
  assertEquals(left(-2), ["bad: The certificate expired 2 h 0 min ago."]);
  assertEquals(left(23), ["bad: The certificate expires in 23 h 0 min."]);
  assertEquals(left(6 * 24), ["odd: The certificate expires in 6 d 0 h."]);
  assertEquals([left(8 * 24), left(6 * 24, 10), left(6 * 24, -0.5)], [[], [], []]);
  assertEquals(left(20 * 24, -2), ["odd: The certificate expires in 20 d 0 h."]);
});

Deno.test("each state of a peer has words, and each look a shape of its own", () => {
  const looks = new Map<string, string>();
  const peers: Partial<PeerStats>[] = [
    {},
    { catchingUp: true },
    { state: "waiting", error: "no" },
    { state: "clocks-differ" },
    { state: "self" },
  ];
  for (const peer of peers.map(peerStats)) looks.set(peerLook(peer), markOf(peerLook(peer)).path);
  assertEquals([...looks.keys()], ["well", "under-way", "away", "wrong", "none"]);
  assertEquals(new Set(looks.values()).size, 5);
  const words = peers.map((peer) => peerState(peerStats(peer)));
  assertEquals(words, ["connected", "catching up", "cannot be reached", "clocks differ", "this server itself"]);
  assertEquals(peerState(peerStats({ ready: false })), "connected, not caught up");
});

Deno.test("a peer's lag and traffic are told where they are known", () => {
  assertEquals(lagTexts(peerStats({ lag: 1, lagMs: 90_000 })), ["1 write", "1 min 30 s"]);
  assertEquals(lagTexts(peerStats({ lag: 2, lagMs: 900 })), ["2 writes", "< 1 s"]);
  assertEquals([lagTexts(peerStats({})), lagTexts(peerStats({ state: "refused" }))], [["none", ""], ["–", ""]]);
  const from = reading(10, { peers: [peerStats({ bytesReceived: 100, bytesSent: 50 })] });
  const to = reading(20, { peers: [peerStats({ bytesReceived: 300, bytesSent: 40 })] }); // a new connection counts from 0
  assertEquals(peerTraffic(to.stats.peers[0], from, to), { received: 20, sent: 4 });
  assertEquals(peerTraffic(peerStats({ id: 6 }), from, to), { received: undefined, sent: undefined });
});
