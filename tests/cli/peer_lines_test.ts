/** A server's peers as tables: columns stand under their headings, and nothing is left out, however narrow the terminal. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { peerLines } from "../../lib/cli/peer_lines.ts";
import { peerStats as peer } from "../support/peer_stats.ts";

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

Deno.test("peerLines() shows a dash for what is not known of a peer that is away, and a catch-up in place of the state", () => {
  const never = peer({ state: "waiting", roundTripMs: -1, lastRoundMs: -1 });
  const [, first, second] = peerLines([never, peer({ catchingUp: true })]);
  assertEquals(cells(first).slice(1, 5), ["waiting", "-", "-", "-"]);
  assertEquals(cells(second)[1], "catching up");
});

Deno.test("peerLines() adds a line for each peer that has failed, below all of them", () => {
  const failed = [peer({ address: "a:1", error: "refused" }), peer({}), peer({ address: "c:3", error: "timed out" })];
  assertEquals(peerLines(failed).slice(4), ["a:1: refused", "c:3: timed out"]);
});

/** Tables as rows of cells: between two of them is an empty line. */
function tables(lines: string[]): string[][][] {
  return lines.join("\n").split("\n\n").map((table) => table.split("\n").map(cells));
}

Deno.test("peerLines() puts columns into further tables, each with the peers, when the terminal is narrow", () => {
  const peers = [
    peer({ lag: 1234, lagMs: 20_140, entriesReceived: 5_000_000, entriesSent: 67_000_000 }),
    peer({ address: "cache-1.eu.example.com:11142", state: "clocks-differ", lastRoundMs: 123_456 }),
  ];
  const [whole] = tables(peerLines(peers));
  for (const width of [140, 80, 60, 40]) {
    const lines = peerLines(peers, width);
    for (const line of lines) assert(line.length <= width, `${width}: ${line}`);
    const found = tables(lines);
    assert(found.length > 1 === width < 140, `${found.length} tables in ${width}`);
    const joined = whole.map((_, row) => found.flatMap((table) => table[row].slice(1)));
    assertEquals(joined, whole.map((row) => row.slice(1)), "every column is there, once");
    for (const table of found) assertEquals(table.map(([first]) => first[0]), ["p", "1", "c"]);
  }
  assertEquals(tables(peerLines(peers, 80))[0][0], ["peer", "state", "round trip", "last round"]);
});

Deno.test("peerLines() leaves the middle of a long address out when there is no room for it", () => {
  const address = "[2001:db8:1234:5678:9abc:def0:1234:5678]:11142";
  const [, line] = peerLines([peer({ address, state: "incompatible" })], 40);
  assertEquals(cells(line), ["[2001:db8:123…:5678]:11142", "incompatible"]);
  assertStrictEquals(line.length <= 40, true);
  assertEquals(cells(peerLines([peer({ address })], 120)[1])[0], address);
});
