/** memcached's meta commands, in the text protocol. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { spanOf } from "../../lib/base/byte_span.ts";
import { MemcachedCommands } from "../../lib/memcached/commands.ts";
import { Leases, MAX_LEASES } from "../../lib/near/leases.ts";
import type { Session } from "../../lib/server/session.ts";
import type { Store } from "../../lib/store/store.ts";
import { join, PAIR, settle } from "../support/gossip_nodes.ts";
import { META_DIALOGUES } from "../support/memcached_dialogues.ts";
import { bytesOf } from "../support/memcached_oracle.ts";
import { hex, packetOf, REPLY, REQUEST, u32, u64 } from "../support/memcached_packets.ts";
import { ask, assertAnswers, say } from "../support/memcached_talk.ts";
import { sessionHost, type TestHost } from "../support/session_host.ts";
import { sessionOf } from "../support/access.ts";

const KEY = spanOf(bytesOf("k"));
const WON = "HD W\r\n";
const WAITS = "HD Z\r\n";

for (const dialogue of META_DIALOGUES) {
  Deno.test(`MetaCommands answers ${dialogue[0]} as memcached does`, () => assertAnswers(dialogue));
}

/** A session on a store of a test's own. */
function sessionOn(store: Store): Session {
  const memcached = new MemcachedCommands({
    store,
    maxItemBytes: 1024 * 1024,
    leases: new Leases(store, () => {}),
    later: () => {},
  });
  return sessionOf({ ...sessionHost(), store, memcached });
}

/** The state that a reply tells. */
function casIn(reply: string): string {
  const [, cas] = / c(\d+)/.exec(reply) ?? [];
  assert(cas !== undefined && cas !== "0", reply);
  return cas;
}

Deno.test("MetaCommands.get() promises a key without an entry beside the store, where nobody else sees it", () => {
  const host = sessionHost();
  assertEquals(ask("mg k N30 t\r\n", host), "HD t30 W\r\n");
  assertEquals([host.store.has(KEY), host.store.get(KEY), host.store.versionOf(KEY)], [false, 0, undefined]);
  assertEquals([host.store.stats().entries, host.store.stats().stores], [0, 0]);
  const misses: [asked: string, answer: string][] = [
    ["get k", "END"],
    ["gets k other", "END"],
    ["gat 9 k", "END"],
    ["mg k v", "EN"],
    ["mg k T9", "EN"],
    ["me k", "EN"],
    ["touch k 9", "NOT_FOUND"],
    ["incr k 1", "NOT_FOUND"],
    ["ma k", "NF"],
    ["replace k 0 0 1\r\nx", "NOT_STORED"],
    ["append k 0 0 1\r\nx", "NOT_STORED"],
    ["ms k 1 MR\r\nx", "NS"],
    ["ms k 1 MP\r\nx", "NS"],
  ];
  for (const [asked, answer] of misses) assertEquals(ask(`${asked}\r\n`, host), `${answer}\r\n`, asked);
  assertEquals(ask("mg k N30\r\n", host), WAITS, "none of them has ended it");
});

Deno.test("MetaCommands.get() promises to one at a time, and tells the others how it stands", () => {
  let now = 1_800_000_000_000;
  const host = sessionHost({ clock: { now: () => now } });
  const cas = casIn(ask("mg k N30 c t s f h l k O7\r\n", host));
  now += 12_400;
  assertEquals(ask("mg k s v f t N90 c h l k O8\r\n", host), `VA 0 s0 f0 t18 c${cas} h1 l12 kk O8 Z\r\n\r\n`);
  now += 5_000;
  assertEquals(ask("mg k N90 T90 R90 u l h t\r\n", host), "HD l5 h1 t13 Z\r\n", "nobody who waits puts the end off");
  assertEquals(ask("mg k l N90\r\n", host), "HD l5 Z\r\n", "u is no use");
  assertEquals(ask(`mg k v N90 C${cas}\r\nmg k v N90 C1\r\n`, host), "HD Z\r\nVA 0 Z\r\n\r\n");
  assertEquals(ask("mg aw== b k N90\r\n", host), "HD kk Z\r\n");
});

Deno.test("MetaCommands.get() promises again when the one who has won does not come back in time", () => {
  let now = 1_800_000_000_000;
  const host = sessionHost({ clock: { now: () => now } });
  const first = casIn(ask("mg k N30 c\r\n", host));
  now += 29_999;
  assertEquals(ask("mg k N30\r\n", host), WAITS);
  now++;
  const second = casIn(ask("mg k N30 c\r\n", host));
  assert(second !== first);
  assertEquals(ask(`ms k 1 C${first}\r\nx\r\nms k 1 C${second}\r\ny\r\nmg k v\r\n`, host), "EX\r\nHD\r\nVA 1\r\ny\r\n");
  assertEquals(
    ask("mg e N-1 c t\r\nmg e N-1\r\n", host),
    `HD c0 t0 W\r\n${WON}`,
    "what is over at once is no promise",
  );
  assertEquals(ask("mg f N0 t\r\nmg f N30 t\r\n", host), "HD t-1 W\r\nHD t-1 Z\r\n");
});

Deno.test("MetaCommands.get() promises nothing to one whose line is refused", () => {
  const host = sessionHost();
  assertEquals(ask(`mg k N30 O${"o".repeat(32)}\r\n`, host), "CLIENT_ERROR opaque token too long\r\n");
  assertEquals(ask("mg k N30\r\n", host), WON);
});

/** How a promise ends; each with what it is answered. */
const ENDINGS: [asked: string, answer: string][] = [
  ["set k 0 0 1\r\nx", "STORED"],
  ["add k 0 0 1\r\nx", "STORED"],
  ["ms k 1\r\nx", "HD"],
  ["ms k 1 ME\r\nx", "HD"],
  ["ms k 1 MA N9\r\nx", "HD"],
  ["ma k N9", "HD"],
  ["delete k", "NOT_FOUND"],
  ["md k", "NF"],
  ["md k I", "NF"],
  ["md k x", "NF"],
  ["flush_all", "OK"],
  ["set k 0 -1 1\r\nx", "STORED"],
];

Deno.test("MetaCommands.get() promises anew after whatever was written or removed meanwhile, wherever that has gone", () => {
  for (const [asked, answer] of ENDINGS) {
    const host = sessionHost();
    const cas = casIn(ask("mg k N30 c\r\n", host));
    assertEquals(ask(`${asked}\r\n`, host), `${answer}\r\n`, asked);
    if (host.store.has(KEY)) {
      assertEquals(ask(`ms k 1 C${cas}\r\ny\r\n`, host), "EX\r\n", asked);
      assertStrictEquals(host.store.delete(KEY), true); // as if by a client of the native protocol
    }
    assertEquals(ask(`ms k 1 C${cas}\r\ny\r\nmg k N30\r\n`, host), `NF\r\n${WON}`, asked);
  }
});

Deno.test("MetaCommands.get() promises anew after a value that was too large", () => {
  const large = `${"x".repeat(2048)}\r\n`;
  for (const asked of ["set k 0 0 2048", "ms k 2048"]) {
    const host = sessionHost({}, 1024);
    ask("mg k N30\r\n", host);
    assertEquals(ask(`${asked}\r\n${large}`, host), "SERVER_ERROR object too large for cache\r\n");
    assertEquals(ask("mg k N30\r\n", host), WON, asked);
  }
});

Deno.test("MetaCommands.get() promises anew after an entry that was evicted or has expired since", () => {
  let now = 1_800_000_000_000;
  const host = sessionHost({ maxSize: 2, clock: { now: () => now } });
  ask("mg k N30\r\nms k 1 T5\r\nx\r\nms a 1\r\nx\r\nms b 1\r\nx\r\n", host);
  assertEquals(ask("mg k N30\r\n", host), WON, "evicted");
  ask("ms k 1 T5\r\nx\r\n", host);
  now += 5000;
  assertEquals(ask("mg k N30\r\n", host), WON, "expired");
});

Deno.test("MetaCommands.set() stores for the state that who has won was told, once, with the meta command or another", () => {
  for (
    const [before, stored, exists] of [["ms k 1 C", "HD", "EX"], ["cas k 0 0 1 ", "STORED", "EXISTS"]]
  ) {
    const host = sessionHost();
    const cas = casIn(ask("mg k N30 c\r\n", host));
    assertEquals(ask(`${before}1\r\nx\r\n`, host), `${exists}\r\n`);
    assertEquals(ask(`ms k 1 I C1\r\nx\r\n`, host), "EX\r\n", "not even as a stale value");
    assertEquals(ask(`${before}${cas}\r\ny\r\n`, host), `${stored}\r\n`);
    assertEquals(ask(`${before}${cas}\r\nz\r\nmg k v N30\r\n`, host), `${exists}\r\nVA 1\r\ny\r\n`);
    const { cas_misses, cas_badval, cas_hits } = host.memcached.counters;
    assertEquals({ cas_misses, cas_badval, cas_hits }, { cas_misses: 0, cas_badval: 3, cas_hits: 1 });
  }
  const host = sessionHost();
  assertEquals(ask("mg k N30 E9 c\r\nms k 1 C9 E10\r\nx\r\nmg k c\r\n", host), "HD c9 W\r\nHD\r\nHD c10\r\n");
});

Deno.test("MetaCommands' promise ends with the connection of the one who has won, and with nobody else's", () => {
  const host = sessionHost();
  const [winner, loser] = [sessionOf(host), sessionOf(host)];
  const cas = casIn(say(winner, "mg k N30 c\r\n").text);
  assertEquals(say(loser, "mg k N30\r\n").text, WAITS);
  loser.release();
  assertEquals(ask("mg k N30\r\n", host), WAITS);
  winner.release();
  assertEquals(ask(`ms k 1 C${cas}\r\nx\r\nmg k N30\r\n`, host), `NF\r\n${WON}`);
});

Deno.test("MetaCommands.delete() gives a promise back, but nobody else's", () => {
  const host = sessionHost();
  const cas = casIn(ask("mg k N30 c\r\n", host));
  assertEquals(ask("md k C1\r\nmg k N30\r\n", host), `NF\r\n${WAITS}`);
  assertEquals(ask(`md k C${cas}\r\nmg k N30\r\n`, host), `NF\r\n${WON}`);
});

Deno.test("MetaCommands' promises are misses to the binary protocol, which stores for their state", () => {
  const host = sessionHost();
  const statusOf = (opcode: number, packet: Parameters<typeof packetOf>[2] = {}) => {
    const { text } = say(sessionOf(host), packetOf(REQUEST, opcode, { key: "k", ...packet }));
    assertStrictEquals(text.charCodeAt(0), REPLY, hex(opcode));
    return 256 * text.charCodeAt(6) + text.charCodeAt(7);
  };
  const [GET, SET, ADD, REPLACE, DELETE, INCREMENT, TOUCH] = [0, 1, 2, 3, 4, 5, 0x1c];
  const [OK, NOT_FOUND, EXISTS] = [0, 1, 2];
  const [item, noCreation] = [u32(0, 0), new Uint8Array([...u64(1n, 1n), ...u32(2 ** 32 - 1)])];
  const cas = BigInt(casIn(ask("mg k N30 c\r\n", host)));
  assertEquals([statusOf(GET), statusOf(TOUCH, { extras: u32(9) })], [NOT_FOUND, NOT_FOUND]);
  assertEquals([statusOf(REPLACE, { extras: item }), statusOf(INCREMENT, { extras: noCreation })], [
    NOT_FOUND,
    NOT_FOUND,
  ]);
  assertEquals([statusOf(SET, { extras: item, cas: 1n }), statusOf(SET, { extras: item, cas })], [EXISTS, OK]);
  assertEquals([statusOf(DELETE), ask("mg k N30\r\n", host)], [OK, WON]);
  assertEquals([statusOf(DELETE), ask("mg k N30\r\n", host)], [NOT_FOUND, WON]);
  assertEquals([statusOf(ADD, { extras: item }), statusOf(DELETE), ask("mg k N30\r\n", host)], [OK, OK, WON]);
});

Deno.test("MetaCommands.get() promises as many keys as may be, and no entry leaves for them", () => {
  const host: TestHost = sessionHost({ maxSize: 10 });
  const session = sessionOf(host);
  const names = Array.from({ length: 10 }, (_, i) => `e${i}`);
  say(session, names.map((name) => `ms ${name} 1\r\nx\r\n`).join(""));
  const most = 100_000;
  for (let i = 0; i < most; i += 1000) {
    const { text } = say(session, Array.from({ length: 1000 }, (_, j) => `mg k${i + j} N30\r\n`).join(""));
    assertEquals(text, WON.repeat(1000));
  }
  assertStrictEquals(host.leases.size, MAX_LEASES);
  assertEquals(say(session, `mg k${most - 1} N30\r\nmg k0 N30\r\n`).text, WAITS + WON);
  assertEquals(host.store.stats().entries, 10);
  assertEquals(say(session, names.map((name) => `mg ${name}\r\n`).join("")).text, "HD\r\n".repeat(10));
});

Deno.test("MetaCommands.get() promises on one node only, where a peer's value is not replaced and ends the promise", () => {
  const nodes = join(PAIR);
  const [one, other] = nodes.stores.map(sessionOn);
  say(other, "ms k 4 F5\r\nlive\r\n"); // on its way
  nodes.clock.nowMs += 1000;
  const won = say(one, "mg k N30 c\r\n").text;
  assert(won.endsWith(" W\r\n"), won);
  settle(nodes);
  for (const session of [one, other]) assertEquals(say(session, "mg k N30 v f\r\n").text, "VA 4 f5\r\nlive\r\n");
  assertEquals(say(one, `ms k 3 C${casIn(won)}\r\nold\r\n`).text, "EX\r\n");

  for (const session of [one, other]) assertEquals(say(session, "mg n N30\r\n").text, WON, "each promises by itself");
  settle(nodes);
  assertEquals(nodes.stores.map((store) => store.has(spanOf(bytesOf("n")))), [false, false]);
  assertEquals(say(other, "delete n\r\n").text, "NOT_FOUND\r\n");
  settle(nodes);
  assertEquals(say(one, "mg n N30\r\n").text, WON, "a peer's removal has ended the promise");
});
