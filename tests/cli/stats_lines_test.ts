/** A server's statistics in words: in groups, with units, and nothing left out. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import type { GossipTotals, PeerStats, ServerStats } from "../../lib/base/stats.ts";
import { statsLines } from "../../lib/cli/stats_lines.ts";
import { sizeInWords, timeInWords } from "../../lib/base/words.ts";

const MIB = 1024 * 1024;

/** What a line says of something; `undefined` without such a line. */
function said(label: string, stats: Partial<ServerStats>): string | undefined {
  const start = `  ${label.padEnd(16)} `;
  return statsLines(stats).find((line) => line.startsWith(start))?.slice(start.length);
}

Deno.test("statsLines() says what is held, of how much at most", () => {
  assertStrictEquals(said("entries", { entries: 1250, maxSize: 5000 }), "1,250 of 5,000 at most: 25.0 %");
  assertStrictEquals(said("entries", { entries: 1250, maxSize: 0 }), "1,250, and any number may be");
  assertStrictEquals(
    said("memory for them", { memoryBytes: 96 * MIB, maxBytes: 1024 * MIB }),
    "96.0 MiB of 1.0 GiB at most: 9.4 %",
  );
  assertStrictEquals(
    said("buffers", { bufferBytes: 512, maxBuffers: 36 * MIB }),
    "512 bytes of 36.0 MiB at most: 0.0 %",
  );
});

Deno.test("statsLines() says how many connections keep near copies, and what they were told", () => {
  assertStrictEquals(
    said("near copies", { nearConnections: 2, nearInvalidations: 12_345, nearResets: 6 }),
    "for 2; 12,345 told as changed, 6 times all",
  );
});

Deno.test("statsLines() gives the hit ratio, once there is one", () => {
  assertStrictEquals(said("hits", { hits: 900, misses: 100 }), "900 of 1,000 retrievals: 90.0 % hit ratio");
  assertStrictEquals(said("hits", { hits: 0, misses: 3 }), "0 of 3 retrievals: 0.0 % hit ratio");
  assertStrictEquals(said("hits", { hits: 0, misses: 0 }), "no retrieval yet");
});

Deno.test("statsLines() says why keys were missed, if the server does", () => {
  const none = { absent: 0, expired: 0, evicted: 0, deleted: 0, cleared: 0, superseded: 0 };
  const all = { absent: 12_345, expired: 1, evicted: 2, deleted: 3, cleared: 4, superseded: 5 };
  assertStrictEquals(
    said("missed", { missesByReason: all }),
    "12,345 absent, 1 expired, 2 evicted, 3 deleted, 4 cleared, 5 superseded",
  );
  assertStrictEquals(said("missed", { missesByReason: { ...none, evicted: 7, deleted: 1 } }), "7 evicted, 1 deleted");
  assertStrictEquals(said("missed", { missesByReason: none }), "none yet");
  assertStrictEquals(said("missed", { misses: 3 }), undefined);
});

Deno.test("statsLines() says which server it is, for how long it has run, and how many peers are connected", () => {
  const peers = ["connected", "waiting", "connected"].map((state) => ({ state }) as PeerStats);
  assertStrictEquals(statsLines({ server: "ours/1", uptimeMs: 90_061_000 })[0], "ours/1, started 1 d 1 h ago");
  assertStrictEquals(said("peers", { peers }), "2 connected of 3");
});

Deno.test("statsLines() puts lines into groups, and leaves out groups of which the server says nothing", () => {
  const gossip = { pushed: 5, sent: 12_345 } as GossipTotals;
  assertEquals(statsLines({ server: "s", stores: 3, gossip }), [
    "s, started 0 s ago",
    "",
    "Since the start",
    "  stored           3 values",
    "",
    "Peers",
    "  peers            0 connected of 0",
    "  sent             5 writes pushed, 12,345 on request",
  ]);
});

Deno.test("statsLines() shows at the end what it does not know", () => {
  const stats = { server: "s", novelty: 7 } as Partial<ServerStats>;
  assertEquals(statsLines(stats).slice(-3), ["", "Others", "  novelty          7"]);
});

Deno.test("sizeInWords() and timeInWords() round to units that suit", () => {
  const sizes = [0, 1023, 1024, 1536, MIB - 1, MIB, 1024 * MIB, 16 * 1024 * MIB, 2 ** 50].map(sizeInWords);
  assertEquals(sizes, [
    "0 bytes",
    "1023 bytes",
    "1.0 KiB",
    "1.5 KiB",
    "1.0 MiB",
    "1.0 MiB",
    "1.0 GiB",
    "16.0 GiB",
    "1024.0 TiB",
  ]);
  const times = [0, 999, 59_999, 60_000, 3_599_999, 3_600_000, 86_399_999, 86_400_000, 400 * 86_400_000].map(
    timeInWords,
  );
  assertEquals(times, [
    "0 s",
    "0 s",
    "59 s",
    "1 min 0 s",
    "59 min 59 s",
    "1 h 0 min",
    "23 h 59 min",
    "1 d 0 h",
    "400 d 0 h",
  ]);
  assert(times.every((time) => !time.includes("NaN")));
});
