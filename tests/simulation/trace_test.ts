/** What happens in a simulated cluster, in words: which lines are kept, and how messages are put. */

import { assertEquals } from "@std/assert";
import { MESSAGE, type Message, MORE, NAME } from "../../lib/replication/message.ts";
import { describe, keyName, keyOf, showVersion, START_MS, Trace } from "../../lib/simulation/trace.ts";
import { TOMB } from "../../lib/store/entry.ts";
import { versionAt } from "../../lib/store/version.ts";
import { NO_PAGE } from "../support/gossip_nodes.ts";
import { bareWrite, listOf } from "../support/peer_messages.ts";

const H = versionAt(START_MS + 1200);
const HEAD = { from: 101, clock: H, cleared: 0 };
const WRITES = [bareWrite("key:3", { h: H, origin: 101 }, TOMB), bareWrite("key:12", { h: H + 3, origin: 101 }, TOMB)];
const PUSH: Message = {
  ...HEAD,
  type: MESSAGE.push,
  origin: 101,
  before: H - 1,
  last: H + 3,
  sentTo: [],
  writes: WRITES,
};

Deno.test("keyOf() finds the number of a key that keyName() has named", () => {
  for (const key of [0, 7, 59, 12_345]) {
    const bytes = keyName(key);
    assertEquals(keyOf({ ...WRITES[0], key: { bytes, from: 0, to: bytes.length } }), key);
  }
  assertEquals(WRITES.map(keyOf), [3, 12]);
});

Deno.test("showVersion() shows simulated time, a count within its millisecond, and who wrote", () => {
  assertEquals(showVersion({ h: H, origin: 5 }), "1200/5");
  assertEquals(showVersion({ h: H + 3, origin: 5 }), "1200.3/5");
  assertEquals(showVersion({ h: 0, origin: 5 }), "0/5");
});

Deno.test("describe() puts every kind of message in words, with the writes of one key", () => {
  const known = new Map([[101, H]]);
  const lists = { known, lossy: new Map([[8, H]]), writes: WRITES };
  const page = { to: 7, question: 1, ...NO_PAGE, ...lists, more: MORE.writes };
  const cases: [message: Message, words: string][] = [
    [{ ...HEAD, type: MESSAGE.sync, digest: 1 }, "sync"],
    [{ ...HEAD, type: MESSAGE.same, to: 7 }, "same for 7"],
    [{ ...HEAD, type: MESSAGE.known, turn: 0, known }, "known knows 1200/101"],
    [{ ...HEAD, type: MESSAGE.known, turn: 1, known: new Map() }, "known as an offer knows nothing"],
    [{ ...HEAD, type: MESSAGE.known, turn: 2, known }, "known to be taken knows 1200/101"],
    [
      { ...HEAD, type: MESSAGE.pull, question: 1, known, after: { h: 0, id: 0 } },
      "pull knows 1200/101",
    ],
    [
      { ...HEAD, type: MESSAGE.page, ...page },
      "page for 7 forgotten 1200/8 and more with 2 writes (3: 1200/101 tombstone)",
    ],
    [
      { ...HEAD, type: MESSAGE.verify, question: 1, known, writes: WRITES.map((write) => ({ ...write, kind: NAME })) },
      "verify knows 1200/101 with 2 writes (3: 1200/101 named)",
    ],
    [{ ...HEAD, type: MESSAGE.verified, to: 7, question: 1, confirmed: [] }, "verified for 7"],
    [PUSH, "push of 101 up to 1200.3 after 1199.4095 with 2 writes (3: 1200/101 tombstone)"],
    [{ ...HEAD, type: MESSAGE.news, origin: 101, last: H }, "news of 101 up to 1200"],
    [{ ...HEAD, type: MESSAGE.touch, sentTo: [], writes: [] }, "touch with 0 writes"],
    [{ ...HEAD, type: MESSAGE.list, question: 3, before: { h: H, id: 101 } }, "list"],
    [{ ...HEAD, type: MESSAGE.listed, to: 7, question: 3, more: false, places: [{ h: H, id: 101 }] }, "listed for 7"],
    [{ ...HEAD, type: MESSAGE.want, question: 5, places: [{ h: H, id: 101 }] }, "want"],
    [{ ...HEAD, type: MESSAGE.window, question: 2, pages: 4, recent: 0 }, "window"],
    [{ ...HEAD, type: MESSAGE.explain, base: { upTo: H, digest: 5 } }, "explain"],
    [{ ...HEAD, type: MESSAGE.explained, base: { upTo: H, digest: 5 }, told: listOf(known) }, "explained"],
  ];
  for (const [message, words] of cases) assertEquals(describe(message, 3), words);
  assertEquals(new Set(cases.map(([{ type }]) => type)), new Set(Object.values(MESSAGE)));
});

Deno.test("Trace keeps what is about its key or about none, until its end", () => {
  const trace = new Trace(3);
  trace.note(1, "of all");
  trace.note(2, "of this", 3);
  trace.note(3, "of another", 4);
  trace.end();
  trace.note(4, "later");
  assertEquals(trace.lines, ["1 ms: of all", "2 ms: of this"]);
  const all = new Trace(undefined);
  all.note(3, "of another", 4);
  assertEquals(all.lines, ["3 ms: of another"]);
});

Deno.test("Trace keeps the last 60 lines", () => {
  const trace = new Trace(undefined);
  for (let i = 1; i <= 100; i++) trace.note(i, "x");
  assertEquals([trace.lines.length, trace.lines[0], trace.lines[59]], [60, "41 ms: x", "100 ms: x"]);
});

Deno.test("Trace.heard() keeps messages that hold its key, and pages, where a key matters; else all", () => {
  const lines = (key: number | undefined, message: Message) => {
    const trace = new Trace(key);
    trace.heard(5, "node 1 hears", message);
    return trace.lines.length;
  };
  const sync: Message = { ...HEAD, type: MESSAGE.sync, digest: 1 };
  const page: Message = { ...HEAD, type: MESSAGE.page, to: 7, question: 1, ...NO_PAGE };
  assertEquals([undefined, 3, 4].map((key) => [PUSH, sync, page].map((message) => lines(key, message))), [
    [1, 1, 1],
    [1, 0, 1],
    [0, 0, 1],
  ]);
});
