/** A server's statistics and peers as lines: columns stand under their headings, and nothing is left out. */

import { assertEquals, assertStrictEquals } from "@std/assert";
import type { GossipTotals, PeerStats } from "../../lib/base/stats.ts";
import { peerLines, statsLines } from "../../lib/cli/stats_lines.ts";

function peer(facts: Partial<PeerStats>): PeerStats {
  return {
    name: "",
    address: "10.0.0.1:11142",
    state: "connected",
    id: 5,
    error: "",
    roundTripMs: 0.5,
    lastRoundMs: 1240,
    lag: 0,
    lagMs: 0,
    catchingUp: false,
    bytesReceived: 1,
    bytesSent: 2,
    entriesReceived: 0,
    entriesSent: 0,
    entriesDropped: 0,
    refusedFuture: 0,
    refusedBad: 0,
    droppedFull: 0,
    ...facts,
  };
}

/** The cells of a table's line: they stand two blanks apart at the least. */
function cells(line: string): string[] {
  return line.split(/ {2,}/);
}

const HEADINGS = ["peer", "state", "round trip", "last round", "lag", "received", "sent", "dropped", "refused"];

Deno.test("peerLines() gives headings alone when there are no peers", () => {
  assertEquals(peerLines([]), [HEADINGS.join("  ")]);
});

Deno.test("peerLines() gives a line for each peer, in order, with every cell under its heading", () => {
  const lines = peerLines([
    peer({
      lag: 1234,
      lagMs: 20_140,
      entriesReceived: 5_000_000,
      entriesSent: 67,
      entriesDropped: 8_900,
      refusedFuture: 1,
      refusedBad: 20,
      droppedFull: 300,
    }),
    peer({ address: "a:1", roundTripMs: 12.345, lastRoundMs: 0 }),
  ]);
  assertEquals(lines.map(cells), [
    HEADINGS,
    ["10.0.0.1:11142", "connected", "0.50 ms", "1.2 s ago", "1,234 (20.1 s)", "5,000,000", "67", "8,900", "321"],
    ["a:1", "connected", "12.35 ms", "0.0 s ago", "0", "0", "0", "0", "0"],
  ]);
  const starts = (line: string) => [...line.matchAll(/(?:^| {2})(?=\S)/g)].map(({ index }) => index);
  for (const line of lines) {
    assertEquals(starts(line), starts(lines[1]), line);
    assertStrictEquals(line, line.trimEnd());
  }
});

Deno.test("peerLines() shows a dash for a time that is not known, and a catch-up in place of the state", () => {
  const never = peer({ state: "waiting", roundTripMs: -1, lastRoundMs: -1 });
  const [, first, second] = peerLines([never, peer({ catchingUp: true })]);
  assertEquals(cells(first).slice(1, 4), ["waiting", "-", "-"]);
  assertEquals(cells(second)[1], "catching up");
});

Deno.test("peerLines() adds a line for each peer that has failed, below all of them", () => {
  const failed = [peer({ address: "a:1", error: "refused" }), peer({}), peer({ address: "c:3", error: "timed out" })];
  assertEquals(peerLines(failed).slice(4), ["a:1: refused", "c:3: timed out"]);
});

Deno.test("statsLines() gives a line for each statistic, those of gossip among them, and counts connected peers", () => {
  const gossip: Partial<GossipTotals> = { sent: 12_345, applied: 0 };
  const peers = [peer({}), peer({ state: "waiting" }), peer({ catchingUp: true })];
  assertEquals(statsLines({ entries: 1_000_000, server: "ours/1", gossip: gossip as GossipTotals, peers }), [
    "entries              1,000,000",
    "server               ours/1",
    "sent                 12,345",
    "applied              0",
    "peers                2 connected",
  ]);
});

Deno.test("statsLines() does without gossip and peers when a server sends none", () => {
  assertEquals(statsLines({ hits: 3 }), ["hits                 3", "peers                0 connected"]);
});
