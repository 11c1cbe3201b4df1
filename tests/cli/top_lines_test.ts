/** What servers do now, in lines: tables that fit, what is wrong with whom, and no more lines than there is room for. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import type { ServerStats } from "../../lib/base/stats.ts";
import { columnsOf } from "../../lib/cli/fitted.ts";
import { figuresBetween } from "../../lib/cli/top_figures.ts";
import { type Line, topLines } from "../../lib/cli/top_lines.ts";
import type { Seen } from "../../lib/cli/watched.ts";
import { peerStats } from "../support/peer_stats.ts";
import { distinctStats } from "../support/server_stats.ts";

const ALL = { columns: 80, rows: Infinity };

function seen(facts: Partial<Seen> = {}, told: Partial<ServerStats> = {}): Seen {
  const stats = { ...distinctStats(), maxSize: 408, maxBytes: 1024, uptimeMs: 100_000, ...told };
  const figures = figuresBetween(stats);
  return { address: "10.0.0.1:11142", state: "ready", stats, figures, error: "", restarts: 0, ...facts };
}

const away = (address: string, error: string) =>
  seen({ address, state: "no answer", stats: undefined, figures: undefined, error });

const texts = (lines: readonly Line[]) => lines.map(({ text }) => text);

Deno.test("topLines() tells of each server what it does, holds and misses", () => {
  const other = away("10.0.0.2:7", "Cannot use server 10.0.0.2:7: Connection refused");
  assertEquals(
    texts(topLines([seen(), other], ALL, "2 servers", "q quits")),
    [
      `2 servers${" ".repeat(64)}q quits`,
      "",
      "server      state      requests/s  hit ratio  evicted/s  connections",
      "10.0.0.1    ready             1.2     49.8 %        1.1          113",
      "10.0.0.2:7  no answer           -          -          -            -",
      "",
      "Cannot use server 10.0.0.2:7: Connection refused",
      "",
      "server           entries              memory  memory limit          up",
      "10.0.0.1    102 (25.0 %)  104 bytes (10.2 %)       1.0 KiB  1 min 40 s",
      "10.0.0.2:7             -                   -             -           -",
      "",
      "missed/s    absent  expired  evicted  deleted  cleared  superseded",
      "10.0.0.1       1.7      1.7      1.7      1.7      1.7         1.8",
      "10.0.0.2:7       -        -        -        -        -           -",
    ],
  );
});

Deno.test("topLines() shows peers, those in trouble first, with how far they lag behind", () => {
  const peers = [
    peerStats({ address: "10.0.0.2:11142", lag: 3, lagMs: 1500 }),
    peerStats({ address: "10.0.0.3:11142", state: "waiting", ready: false, roundTripMs: -1, error: "it is down" }),
    peerStats({ address: "10.0.0.4:11142", ready: false, catchingUp: true }),
  ];
  const lines = topLines([seen({}, { peers })], ALL, "1 server");
  const at = lines.findIndex(({ text }) => text.startsWith("Peers of"));
  assertEquals(lines.slice(at).map(({ text, tone }) => [text.replaceAll(/ {2,}/g, "  "), tone]), [
    ["Peers of 10.0.0.1:11142: 1 waiting, 2 connected", "heading"],
    ["peer  state  lag  round trip", "heading"],
    ["10.0.0.3:11142  waiting  -  -", "bad"],
    ["10.0.0.2:11142  connected  3 (1.5 s)  0.50 ms", "plain"],
    ["10.0.0.4:11142  catching up  0  0.50 ms", "poor"],
    ["10.0.0.3:11142: it is down", "bad"],
  ]);
});

Deno.test("topLines() says of a server that it was started again, and marks those that are not well", () => {
  const tones = (facts: Partial<Seen>) => {
    const lines = topLines([seen(facts)], ALL, "1 server");
    const row = lines.filter(({ text }) => /^10\.0\.0\.1 /.test(text)).map(({ tone }) => tone);
    return { row, note: lines.find(({ text }) => text.includes("again")) };
  };
  assertEquals(tones({}), { row: ["plain", "plain", "plain"], note: undefined });
  assertEquals(tones({ state: "not ready" }).row, ["poor", "poor", "poor"]);
  assertEquals(tones({ state: "refused" }).row, ["bad", "bad", "bad"]);
  const started = "10.0.0.1:11142 was started again";
  assertEquals(tones({ restarts: 1 }).note, { text: `${started} 1 min 40 s ago`, tone: "poor" });
  assertEquals(tones({ restarts: 2 }).note?.text, `${started} 2 times, last 1 min 40 s ago`);
  assertEquals(tones({ restarts: 1, stats: undefined }).note?.text, started);
});

Deno.test("topLines() fits any terminal, whatever servers are called and say", () => {
  const large = Object.fromEntries(
    Object.entries(distinctStats()).map((
      [name, value],
    ) => [name, typeof value === "number" ? 9_007_199_254_741 : value]),
  );
  const hosts = Array.from({ length: 10 }, (_, i) => `[2001:db8:1234:5678:9abc:def0:1234:${i}678]:11142`);
  const peers = hosts.map((address) =>
    peerStats({ address, state: "other-cluster", lag: 1e9, lagMs: 1e9, roundTripMs: 1e6, error: "x".repeat(200) })
  );
  const all = [...hosts, "unix:/run/人口/cache.sock"].map((address) =>
    seen({ address, restarts: 7 }, { ...large, peers })
  );
  for (const columns of [132, 80, 40]) {
    for (const rows of [1, 2, 5, 24, Infinity]) {
      const lines = topLines(
        [...all, away(`unix:/${"y".repeat(100)}`, "it\u001b[2J hides")],
        { columns, rows },
        "z".repeat(90),
      );
      assert(lines.length <= rows);
      for (const { text } of lines) assert(columnsOf(text) <= columns && !text.includes("\u001b"), text);
      if (rows < Infinity && rows > 1) assertMatch(lines.at(-1)!.text, /^… [\d,]+ more lines$/);
      const names = texts(lines).slice(3, 13).map((text) => text.split("  ")[0]);
      if (rows > 20) assertEquals(new Set(names).size, 10, "each is told from the others");
    }
  }
});
