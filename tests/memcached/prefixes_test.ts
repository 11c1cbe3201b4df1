/** Counts by prefix, as memcached's `stats detail` tells them. */

import { assert, assertEquals } from "@std/assert";
import { spanOf } from "../../lib/base/byte_span.ts";
import { MAX_PREFIXES, PrefixCounters } from "../../lib/memcached/prefixes.ts";
import { packetOf, REQUEST, u32 } from "../support/memcached_packets.ts";
import { bytesOf } from "../support/memcached_oracle.ts";
import { ask, assertAnswers, say } from "../support/memcached_talk.ts";
import { sessionHost } from "../support/session_host.ts";
import { sessionOf } from "../support/access.ts";

const USAGE = "CLIENT_ERROR usage: stats detail on|off|dump\r\n";

Deno.test("PrefixCounters counts what is before the first colon", () => {
  const prefixes = new PrefixCounters();
  for (const key of ["a:1", "a:b:2", "none", "", ":", "b\0:", "\xff:1"]) prefixes.set(spanOf(bytesOf(key)));
  const within = { bytes: bytesOf("xb:yc:"), from: 1, to: 4 };
  prefixes.got(within, true);
  prefixes.got(within, false);
  prefixes.deleted(spanOf(bytesOf("a:")));
  assertEquals(
    prefixes.dump(),
    "PREFIX a get 0 hit 0 set 2 del 1\r\nPREFIX  get 0 hit 0 set 1 del 0\r\n" +
      "PREFIX \xff get 0 hit 0 set 1 del 0\r\nPREFIX b get 2 hit 1 set 0 del 0\r\nEND\r\n",
  );
  prefixes.clear();
  assertEquals(prefixes.dump(), "END\r\n");
});

Deno.test("PrefixCounters remembers no more than so many prefixes, and goes on to count those", () => {
  const prefixes = new PrefixCounters();
  for (let i = 0; i < MAX_PREFIXES + 100; i++) prefixes.set(spanOf(bytesOf(`${i}:`)));
  prefixes.got(spanOf(bytesOf("7:")), false);
  const lines = prefixes.dump().split("\r\n");
  assertEquals([lines.length, lines[7]], [MAX_PREFIXES + 2, "PREFIX 7 get 1 hit 0 set 1 del 0"]);
});

Deno.test("the text protocol counts by prefix as memcached does, while that is switched on", () => {
  assertAnswers([
    "counts by prefix",
    "stats detail dump\r\nset a:0 0 0 1\r\n1\r\nstats detail on\r\nset a:0 0 0 1\r\n1\r\nadd a:0 0 0 1\r\n2\r\n" +
    "set a:1 0 0 3\r\n12345\r\nget a:0 a:9 b\r\ngat 0 a:0\r\nget a:9\r\ntouch a:0 0\r\nincr a:0 1\r\nmg a:0\r\n" +
    "delete a:7\r\nmd a:7\r\nset a:1 0 0 x\r\nset a:1 0 0 1100000\r\n" + "v".repeat(1_100_000) + "\r\n" +
    "stats detail off\r\nget a:0\r\nstats detail dump x\r\nstats reset\r\nstats detail dump\r\n",
    "END\r\nSTORED\r\nOK\r\nSTORED\r\nNOT_STORED\r\n" +
    "CLIENT_ERROR bad data chunk\r\nERROR\r\nVALUE a:0 0 1\r\n1\r\nEND\r\nVALUE a:0 0 1\r\n1\r\nEND\r\nEND\r\nTOUCHED\r\n2\r\nHD\r\n" +
    "NOT_FOUND\r\nNF\r\nCLIENT_ERROR bad command line format\r\nSERVER_ERROR object too large for cache\r\n" +
    "OK\r\nVALUE a:0 0 1\r\n2\r\nEND\r\nPREFIX a get 4 hit 2 set 4 del 1\r\nEND\r\nRESET\r\nEND\r\n",
  ]);
  assertEquals(ask("stats detail\r\nstats detail x\r\nstats detail ON\r\n"), USAGE.repeat(3));
});

Deno.test("a storage command whose value comes in pieces is counted once", () => {
  const session = sessionOf(sessionHost());
  const asked = "stats detail on\r\nset a:0 0 0 9\r\n123456789\r\nstats detail dump\r\n";
  assert(say(session, asked, 1).text.endsWith("PREFIX a get 0 hit 0 set 1 del 0\r\nEND\r\n"));
});

Deno.test("the binary protocol counts by prefix too, and tells all in one packet", () => {
  const session = sessionOf(sessionHost());
  const send = (opcode: number, packet: Parameters<typeof packetOf>[2]) =>
    say(session, packetOf(REQUEST, opcode, packet)).text;
  const [GET, SET, DELETE, APPEND, STAT, TOUCH] = [0x00, 0x01, 0x04, 0x0e, 0x10, 0x1c];
  const statusOf = (reply: string) => reply.charCodeAt(7);
  assertEquals(statusOf(send(STAT, { key: "detail on" })), 0);
  send(SET, { key: "a:0", extras: new Uint8Array(8), value: "v" });
  send(APPEND, { key: "a:0", value: "v" });
  send(GET, { key: "a:0" });
  send(TOUCH, { key: "a:1", extras: u32(0) });
  send(DELETE, { key: "a:1" });
  assertEquals(statusOf(send(STAT, { key: "detail off" })), 0);
  send(GET, { key: "a:0" });
  const told = send(STAT, { key: "detail dump" });
  assert(told.includes("detailedPREFIX a get 2 hit 1 set 2 del 1\r\nEND\r\n"), told);
  assertEquals(statusOf(send(STAT, { key: "detail" })), 1);
  send(STAT, { key: "reset" });
  assert(send(STAT, { key: "detail dump" }).includes("detailedEND\r\n"));
});
